//! The server as a child: started as a person would, asked over its port, ended by a signal.

use crate::harness::{Home, Ran};
use crate::http::{Answer, Request};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The start derives no key, but tries every fence, on whatever machine this is.
const START: Duration = Duration::from_secs(60);

/// The processes of a running server.
#[derive(Clone, Copy, Debug)]
pub struct Processes {
    pub keeper: u32,
    pub server: u32,
    pub engine: u32,
}

impl Processes {
    /// Those of a program whose first process is `keeper`, if all three are there now.
    pub fn of(keeper: u32) -> Option<Processes> {
        let children = std::fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children")).ok()?;
        let (mut server, mut engine) = (None, None);
        for pid in children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()) {
            let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            match arguments.split(|byte| *byte == 0).nth(1) {
                Some(b"engine") => engine = Some(pid),
                Some([]) | None => {} // it has ended, or is about to begin
                Some(_) => server = Some(pid),
            }
        }
        Some(Processes { keeper, server: server?, engine: engine? })
    }

    pub fn signal(pid: u32, signal: Signal) {
        let pid = Pid::from_raw(pid as i32).expect("no child is process 0");
        kill_process(pid, signal).unwrap_or_else(|error| panic!("{signal:?}: {error}"));
    }

    pub fn kill(pid: u32) {
        Self::signal(pid, Signal::KILL);
    }
}

/// A running server; killed when dropped.
pub struct Served {
    child: Child,
    pub port: u16,
    stdout: Said,
    stderr: Said,
}

impl Served {
    /// In this home, on a free port.
    pub fn start(home: &Home) -> Served {
        Served::run(&mut home.program(&["serve", "--port", "0", "--home", &home.at("state")]))
    }

    /// Waits until it says where it serves.
    pub fn run(command: &mut Command) -> Served {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = Said::by(child.stdout.take().expect("it was piped"));
        let stderr = Said::by(child.stderr.take().expect("it was piped"));
        let mut served = Served { child, port: 0, stdout, stderr };
        let ready = "Running on local URL: http://127.0.0.1:";
        let Some(line) = served.stdout.line(ready, START) else {
            // Its end would explain why; while it lives, so would what it says.
            let _ = served.child.kill();
            panic!("it does not serve: {:#?}", served.wait());
        };
        let port = line.strip_prefix(ready).and_then(|port| port.parse().ok());
        served.port = port.unwrap_or_else(|| panic!("not the line that programs wait for: {line}"));
        served
    }

    /// Where the studio is, without a slash at the end.
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The link that makes the vault, as it stands on stderr.
    #[track_caller]
    pub fn setup_link(&self) -> String {
        let start = format!("{}/#setup=", self.origin());
        let line = self.stderr.line(&start, Duration::from_secs(10));
        let line = line.unwrap_or_else(|| panic!("no setup link: {}", self.stderr()));
        let link = line.split_whitespace().find(|word| word.starts_with(&start));
        link.unwrap_or_else(|| panic!("no setup link: {line}")).to_owned()
    }

    #[track_caller]
    pub fn setup_code(&self) -> String {
        let link = self.setup_link();
        link.rsplit('=').next().unwrap_or_else(|| panic!("no code: {link}")).to_owned()
    }

    /// Sends a request and reads the whole answer.
    #[track_caller]
    pub fn ask(&self, request: &Request) -> Answer {
        request.send(self.port).unwrap_or_else(|error| panic!("{error}; the server said {}", self.stderr()))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its processes, once all three are there.
    #[track_caller]
    pub fn processes(&self) -> Processes {
        let until = Instant::now() + START;
        loop {
            if let Some(processes) = self.try_processes() {
                return processes;
            }
            assert!(Instant::now() < until, "it has no engine: {}", self.stderr());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its processes, if all three are there now.
    pub fn try_processes(&self) -> Option<Processes> {
        Processes::of(self.child.id())
    }

    /// What it has said so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32).expect("no child is process 0");
        kill_process(pid, signal).unwrap_or_else(|error| panic!("{signal:?}: {error}"));
    }

    /// Kills the process with the keys in the middle of whatever it does; the other two end with it.
    pub fn kill(&self) {
        Processes::kill(self.processes().server);
    }

    /// Asks it to end, and waits for that.
    #[track_caller]
    pub fn stop(self) -> Ran {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits for its end, and for the rest of what it says.
    #[track_caller]
    pub fn wait(mut self) -> Ran {
        let until = Instant::now() + Duration::from_secs(60);
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            assert!(Instant::now() < until, "it does not end: {}", self.stderr());
            std::thread::sleep(Duration::from_millis(10));
        };
        Ran { code: status.code(), stdout: self.stdout.rest(), stderr: self.stderr.rest() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself. Without its keeper the server would end in order, which takes longer than the test.
        if let Some(server) = self.try_processes().map(|processes| processes.server) {
            let _ = Pid::from_raw(server as i32).map(|pid| kill_process(pid, Signal::KILL));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What comes out of a pipe, read by a thread so that the pipe never fills.
struct Said {
    state: Arc<(Mutex<State>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    text: String,
    ended: bool,
}

impl Said {
    fn by(pipe: impl Read + Send + 'static) -> Said {
        let state = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let shared = Arc::clone(&state);
        let reader = std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            loop {
                line.clear();
                let count = pipe.read_until(b'\n', &mut line).unwrap_or(0);
                let mut state = shared.0.lock().expect("no reader panics");
                state.text.push_str(&String::from_utf8_lossy(&line));
                state.ended = count == 0;
                shared.1.notify_all();
                if count == 0 {
                    break;
                }
            }
        });
        Said { state, reader: Some(reader) }
    }

    /// The first whole line that holds `words`, if it comes in time.
    fn line(&self, words: &str, wait: Duration) -> Option<String> {
        let until = Instant::now() + wait;
        let mut state = self.state.0.lock().expect("no reader panics");
        loop {
            let mut lines = state.text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            if let Some(line) = lines.find(|line| line.contains(words)) {
                return Some(line.trim_end().to_owned());
            }
            let left = until.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return None;
            }
            state = self.state.1.wait_timeout(state, left).expect("no reader panics").0;
        }
    }

    fn text(&self) -> String {
        self.state.0.lock().expect("no reader panics").text.clone()
    }

    /// All of it, once the writer has ended.
    fn rest(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("no reader panics");
        }
        self.text()
    }
}

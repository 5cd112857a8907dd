//! The first process: it starts the server, once, and an engine whenever there is none, and waits.
//!
//! It holds no key and opens no file. The server is started before its fences and puts up its own; the engines are started
//! inside them, each in the same way, and put up tighter ones. It ends when the server has ended, as that one did.

use super::POLICY_VARIABLE;
use super::channel::{self, Asked, KeeperEnd};
use super::notify::{self, Manager};
use crate::boot;
use crate::cli::{EngineUse, Global};
use crate::exit::{Code, Failure};
use crate::output::Output;
use crate::signals::{ASKING, Notes, RELAYED};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sandbox::{Clean, Sandboxed};
use signal_hook::low_level::emulate_default_handler;
use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// This program, as it runs: an upgrade on the disk changes nothing until the next start.
const ITSELF: &str = "/proc/self/exe";
/// How long the next engine waits after one that has ended; an engine that ends once more than there are pauses, without a
/// picture in between, was the last. The first pause leaves a server that ends, and its engine with it, the time to do so.
const PAUSES_MS: [u64; 4] = [200, 400, 800, 3200];

/// Its life; gives the exit code of the server.
pub fn run(clean: Clean, global: &Global, engine: &EngineUse<'_>, out: &Output) -> ExitCode {
    let mut notes = match Notes::new() {
        Ok(notes) => notes,
        Err(error) => return out.fail(&broken(error)),
    };
    // Behind the fences no socket can be made.
    let manager = if engine.serves { Manager::reach() } else { Ok(None) }.unwrap_or_else(|error| {
        out.warn(&format!(
            "the service manager is not told when this is ready and whether it goes on: the socket that NOTIFY_SOCKET names \
             cannot be used: {error}"
        ));
        None
    });
    match keep(clean, global, engine, (&mut notes, manager)) {
        Ok(status) => ended_as(status, &notes, out),
        Err(failure) => out.fail(&failure),
    }
}

fn keep(
    mut clean: Clean,
    global: &Global,
    engine: &EngineUse<'_>,
    (notes, manager): (&mut Notes, Option<Manager>),
) -> Result<ExitStatus, Failure> {
    let (channel, of_server) = channel::pair().map_err(broken)?;
    let mut server = start_server(&mut clean, of_server, manager.is_some()).map_err(broken)?;
    let fenced = boot::keeper::of_keeper(global, engine).and_then(|kept| {
        let (sandboxed, report) = sandbox::enter(clean, &kept.plan, None)?;
        sandbox::probe(&sandboxed)?;
        Ok((kept, sandboxed, report))
    });
    let (kept, sandboxed, report) = match fenced {
        Ok(fenced) => fenced,
        Err(failure) => {
            // Without an engine the server ends, too, and says why: this, or what kept it from starting itself.
            let _ = channel.gave_up(Some((failure.code as u8, &failure.what)));
            return wait_out(&mut server, &channel, notes).map_err(broken);
        }
    };
    notes.of_children().map_err(broken)?;
    // Where nobody hears it, the server ends already.
    let _ = channel.fenced(&boot::fenced(&kept.plan, &report));
    let keeper = Keeper {
        channel,
        server,
        sandboxed,
        arguments: kept.arguments,
        with_card: kept.plan.others.is_some(),
        policy: kept.overlay,
        engine: None,
        number: 0,
        deaths: 0,
        not_started: None,
        start: Some(Instant::now()),
        manager,
        server_speaks: true,
    };
    keeper.life(notes).map_err(broken)
}

/// Waits for the end of a server that has no keeper to speak of, which what is asked of this process reaches all the same.
fn wait_out(server: &mut Child, channel: &KeeperEnd, notes: &mut Notes) -> io::Result<ExitStatus> {
    notes.of_children()?;
    loop {
        if let Some(status) = server.try_wait()? {
            return Ok(status);
        }
        let mut all = [&notes.ends, &notes.children]
            .map(|notes| PollFd::from_borrowed_fd(notes.as_fd(), PollFlags::IN));
        wait_for(&mut all, None)?;
        let [ends, children] = all.map(|one| !one.revents().is_empty());
        pass_on(channel, notes, ends, children)?;
    }
}

/// Until one of them speaks, the pause is over, or a signal comes.
fn wait_for(all: &mut [PollFd<'_>], pause: Option<&Timespec>) -> io::Result<()> {
    match poll(all, pause) {
        Err(rustix::io::Errno::INTR) => Ok(()),
        polled => Ok(polled.map(drop)?),
    }
}

/// Takes in what has come, and tells the server of each wish that it end.
fn pass_on(channel: &KeeperEnd, notes: &mut Notes, ends: bool, children: bool) -> io::Result<()> {
    let mut bytes = [0; 64];
    if ends {
        for _ in 0..notes.ends.read(&mut bytes)? {
            // Where nobody hears it, the server ends already.
            let _ = channel.end();
        }
    }
    if children {
        let _ = notes.children.read(&mut bytes)?;
    }
    Ok(())
}

/// With all rights and with everything that this process was started with. It does the rest of the start itself.
/// It speaks to no service manager, and hears how often one wants to be told by this process that it goes on.
fn start_server(clean: &mut Clean, channel: OwnedFd, is_managed: bool) -> io::Result<Child> {
    let handed = clean.hand_down(channel)?;
    let (name, value) = handed.variable();
    let mut arguments = std::env::args_os();
    let mut command = Command::new(ITSELF);
    notify::hide(&mut command);
    command.envs(notify::patience().filter(|_| is_managed).map(|patience| (notify::PATIENCE, patience)));
    command.arg0(arguments.next().unwrap_or_default()).args(arguments).env(name, value).spawn()
}

struct Keeper {
    channel: KeeperEnd,
    server: Child,
    sandboxed: Sandboxed,
    /// Arguments of an engine's process.
    arguments: Vec<OsString>,
    /// Whether its driver is closed code.
    with_card: bool,
    /// Text of the policy file, as it was at the start.
    policy: Option<String>,
    engine: Option<Child>,
    /// Of the last engine that was started; it wraps around.
    number: u8,
    /// Of engines, since the last picture.
    deaths: usize,
    /// Why none could be started, if none ever was.
    not_started: Option<io::Error>,
    /// When the next engine starts, if none is there.
    start: Option<Instant>,
    /// Whoever is to hear how the server is.
    manager: Option<Manager>,
    server_speaks: bool,
}

impl Keeper {
    /// Waits for one thing after the other, until the server has ended.
    fn life(mut self, notes: &mut Notes) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.server.try_wait()? {
                self.end_engine();
                let _ = self.engine.take().map(|mut engine| engine.wait());
                return Ok(status);
            }
            self.look_after_engine()?;
            self.wait(notes)?;
        }
    }

    /// Until a child has ended, a signal came, the server speaks, or an engine is to be started.
    fn wait(&mut self, notes: &mut Notes) -> io::Result<()> {
        let pause = self.start.map(|start| start.saturating_duration_since(Instant::now()));
        let pause = pause.map(|pause| Timespec {
            tv_sec: pause.as_secs().cast_signed(),
            tv_nsec: pause.subsec_nanos().into(),
        });
        let wanted = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let mut all = [notes.ends.as_fd(), notes.children.as_fd(), self.channel.as_fd()].map(wanted);
        let watched = if self.server_speaks { &mut all[..] } else { &mut all[..2] };
        wait_for(watched, pause.as_ref())?;
        let [ends, children, speaks] = all.map(|one| !one.revents().is_empty());
        pass_on(&self.channel, notes, ends, children)?;
        if speaks {
            match self.channel.hear() {
                Asked::Worked => self.deaths = 0,
                Asked::Replace(number) if number == self.number => self.end_engine(),
                Asked::Replace(_) => {} // that one has ended, and been replaced
                Asked::Tell(word) => drop(self.manager.as_ref().map(|manager| manager.tell(word))),
                Asked::Nothing => self.server_speaks = false,
            }
        }
        Ok(())
    }

    /// Notes an engine that has ended, and starts the next when its time has come.
    fn look_after_engine(&mut self) -> io::Result<()> {
        if let Some(engine) = &mut self.engine {
            let Some(status) = engine.try_wait()? else { return Ok(()) };
            self.engine = None;
            // As a shell says it.
            let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or_default();
            tracing::info!(event = "engine_ended", code);
            self.after_a_death();
        }
        if self.start.is_some_and(|start| start <= Instant::now()) {
            self.start = None;
            match self.start_engine() {
                Ok(engine) => (self.engine, self.not_started) = (Some(engine), None),
                Err(error) => {
                    tracing::warn!(event = "engine_not_started", error = error.to_string());
                    self.not_started = Some(error).filter(|_| self.number == 0);
                    self.after_a_death();
                }
            }
        }
        Ok(())
    }

    fn after_a_death(&mut self) {
        self.start = PAUSES_MS.get(self.deaths).map(|ms| Instant::now() + Duration::from_millis(*ms));
        self.deaths += 1;
        if self.start.is_none() {
            // The server knows that there is no engine, and only this process why.
            let why = self.not_started.take().map(broken);
            let _ = self.channel.gave_up(why.as_ref().map(|why| (why.code as u8, &*why.what)));
            tracing::warn!(event = "engine_given_up");
        }
    }

    /// Inside these fences. It gets two sockets in the place of standard input and output, and nothing else.
    fn start_engine(&mut self) -> io::Result<Child> {
        let ((work, far_work), (checks, far_checks)) = (UnixStream::pair()?, UnixStream::pair()?);
        let handed = self.sandboxed.hand_down();
        let (name, value) = handed.variable();
        let mut command = Command::new(ITSELF);
        command.arg0("lightproof").args(&self.arguments).env(name, value);
        notify::hide(&mut command);
        if let Some(policy) = &self.policy {
            command.env(POLICY_VARIABLE, policy);
        }
        if self.with_card {
            // A pipe that nobody reads: a descriptor of a file passes all fences, and a driver that has one could rewrite the file.
            command.stderr(Stdio::piped());
        }
        let mut engine = command.stdin(OwnedFd::from(work)).stdout(OwnedFd::from(checks)).spawn()?;
        drop(engine.stderr.take());
        self.number = self.number.wrapping_add(1);
        self.channel.engine(self.number, &far_work, &far_checks)?;
        Ok(engine)
    }

    /// It may hang, or lie: no word to it would help.
    fn end_engine(&mut self) {
        if let Some(engine) = &mut self.engine {
            let _ = engine.kill();
        }
    }
}

/// As the server ended: with its code, or by the same signal. One that nobody asks a program to end by left it no time for a word,
/// so that this process has it.
fn ended_as(status: ExitStatus, notes: &Notes, out: &Output) -> ExitCode {
    match status.signal() {
        // By the word for one that came here.
        Some(RELAYED) => notes.end_as_asked(),
        Some(signal) => {
            if !ASKING.contains(&signal) {
                let what = format!(
                    "the process with the keys was ended by signal {signal}: by somebody, for want of memory, or by a fault of this \
                     program; what was done is on record, and the next start looks into what was left"
                );
                out.fail(&Failure::new(Code::Unexpected, what));
            }
            drop(emulate_default_handler(signal));
        }
        None => {}
    }
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(Code::Unexpected as u8))
}

fn broken(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::WouldBlock => {
            let what =
                "this user may have no more processes and threads; raise that limit (TasksMax=, ulimit -u)";
            Failure::new(Code::Space, what)
        }
        _ => Failure::new(Code::Unexpected, format!("the program's processes cannot be started: {error}")),
    }
}

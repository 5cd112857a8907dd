//! The child: what a program of this product does at its start, then what the trial asks for.

use policy::{Card, Folders, Policy, Process};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use std::env;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

use super::attacks::{self, TARGET};
use super::{card, works};
use crate::handed::HANDED_DOWN;
use crate::raw::trial;
use crate::variant::Variant;
use crate::{Clean, Error, Fence, LoopbackListener, Sandboxed, enter_variant, environment, probe, raw};

pub const HOME: &str = "SANDBOX_TRIAL_HOME";
pub const USER: &str = "SANDBOX_TRIAL_USER";
/// Which of the program's processes it plays.
pub const PROCESS: &str = "SANDBOX_TRIAL_PROCESS";
/// A fence to leave out.
const WITHOUT: &str = "SANDBOX_TRIAL_WITHOUT";
/// The highest Landlock ABI to use.
const ABI: &str = "SANDBOX_TRIAL_ABI";
/// An overlay.
const OVERLAY: &str = "SANDBOX_TRIAL_OVERLAY";
/// A system call that a host hides: `unshare`, `landlock`, or `unshare` inside an empty network: `alone`,
/// or the id maps after the namespaces: `maps`.
const HIDDEN: &str = "SANDBOX_TRIAL_HIDDEN";
/// The address of a listener that a service manager hands over.
const HANDED: &str = "SANDBOX_TRIAL_HANDED";
/// What an engine does that a keeper starts inside its fences, as [`ACT`].
pub const NEXT: &str = "SANDBOX_TRIAL_NEXT";
/// Set: an engine drives a card, which /dev/zero plays.
pub const CARD: &str = "SANDBOX_TRIAL_CARD";
/// `threads`, `attack`, `start` an engine, `work`, `serve`, `wait`, `file`, `card`, `environment`, `json`, or nothing: probe only.
const ACT: &str = "SANDBOX_TRIAL_ACT";
const OWN_NAMES: &[&str] =
    &[HOME, USER, PROCESS, WITHOUT, ABI, OVERLAY, HIDDEN, HANDED, NEXT, CARD, ACT, TARGET];

/// Every fence held.
pub const UP: i32 = 0;
/// The start was refused.
pub const REFUSED: i32 = 12;
/// The fences were up, and an attack succeeded or something harmless failed.
pub const BROKEN: i32 = 13;

/// Runs before the harness; does nothing unless this process is a child of the trials.
pub extern "C" fn before_main() {
    let Some(home) = env::var_os(HOME) else { return };
    let code = match start(Path::new(&home)) {
        Ok(code) => code,
        Err(error) => {
            say(&format!("{error}\nfence: {:?}", error.fence()));
            REFUSED
        }
    };
    exit(code);
}

fn start(home: &Path) -> Result<i32, Error> {
    // What the host and the starting program do.
    trial::leak_descriptor();
    if variable(HIDDEN).as_deref() == Some("alone") && env::var_os("HTTP_PROXY").is_some() {
        raw::unshare(libc::CLONE_NEWNET).unwrap(); // once: the clean start has no such variable any more
    }
    if let Some(user) = variable(USER).filter(|_| raw::user_id() == 0) {
        trial::become_user(user.parse().unwrap()).unwrap();
    }
    if variable(ACT).as_deref() == Some("threads") {
        std::thread::spawn(|| std::thread::sleep(std::time::Duration::from_secs(60)));
    }
    hand_over_and_start_again();

    // What the program does.
    let variant = Variant {
        without: variable(WITHOUT)
            .map(|name| Fence::ALL.into_iter().find(|f| f.to_string() == name).unwrap()),
        abi_max: abi(i32::MAX),
    };
    let mut clean = environment::clean_variant(variant, OWN_NAMES, &[])?;
    hide();
    let act = variable(ACT).unwrap_or_default();
    let process = process();
    let policy = Policy::read(variable(OVERLAY).as_deref()).unwrap();
    let mut plan = policy.plan(process, &places(home, &act)).unwrap();
    plan.paths.retain(|path, _| path.exists() || path.starts_with(home)); // as the program does
    let terminal = terminal().ok(); // opened before, as a prompt's /dev/tty is
    let listener = listener(&mut clean, &plan, &act)?;
    let (mut sandboxed, report) = enter_variant(variant, clean, &plan, listener.as_ref())?;
    let probed = probe(&sandboxed)?;
    say(&format!("{}overall {:?}\ntried {}", report.explain(), report.overall(), probed.tried.len()));
    let broken = match act.as_str() {
        "attack" => {
            sandboxed.refuse_the_rest()?;
            attacks::run(home, &sandboxed, terminal)
        }
        "card" => {
            let mut broken = card::before();
            sandboxed.refuse_the_rest()?;
            broken.extend(card::after());
            broken
        }
        "start" => start_engine(&sandboxed),
        "work" => works::run(home, listener.as_ref()),
        "serve" => attacks::serve(listener.as_ref().unwrap()),
        "wait" => {
            say("waiting");
            let _ = std::io::stdin().read_line(&mut String::new());
            Vec::new()
        }
        "file" => attacks::one_file(home),
        "environment" => attacks::environment(),
        "json" => {
            say(&serde_json::to_string(&report).unwrap());
            say(&serde_json::to_string(&probed).unwrap());
            Vec::new()
        }
        _ => Vec::new(),
    };
    for line in &broken {
        say(&format!("BROKEN {line}"));
    }
    // The probe must hold after all that, too.
    probe(&sandboxed)?;
    Ok(if broken.is_empty() { UP } else { BROKEN })
}

/// In the keeper, fenced: starts an engine as the program does, and lets it do what the trial wants.
fn start_engine(sandboxed: &Sandboxed) -> Vec<String> {
    let handed = sandboxed.hand_down();
    let (name, value) = handed.variable();
    let mut engine = Command::new("/proc/self/exe");
    engine.env(name, value).env(PROCESS, Process::Engine.word()).env(ACT, variable(NEXT).unwrap_or_default());
    match engine.status() {
        Ok(status) if status.code() == Some(UP) => Vec::new(),
        ended => vec![format!("the engine inside: {ended:?}")],
    }
}

/// Was this process started by a keeper, inside its fences?
pub fn is_kept() -> bool {
    env::var_os(HANDED_DOWN).is_some()
}

/// The Landlock ABI that is used of one that the kernel has.
pub fn abi(kernel: i32) -> i32 {
    variable(ABI).map_or(kernel, |abi| kernel.min(abi.parse().unwrap()))
}

fn process() -> Process {
    let word = variable(PROCESS).unwrap();
    Process::ALL.into_iter().find(|process| process.word() == word).unwrap()
}

fn listener(clean: &mut Clean, plan: &policy::Plan, act: &str) -> Result<Option<LoopbackListener>, Error> {
    match clean.take_listener() {
        Some(socket) => LoopbackListener::inherit(socket).map(Some),
        None if process() == Process::Server && ["serve", "work"].contains(&act) => {
            LoopbackListener::bind(plan.listen).map(Some)
        }
        None => Ok(None),
    }
}

fn places(home: &Path, act: &str) -> Folders {
    let folder = |name: &str| -> PathBuf { home.join(name) };
    Folders {
        config: folder("config"),
        vault: folder("vault"),
        audit: folder("audit"),
        evidence: None,
        bundle: None,
        bundle_is_read: false,
        outputs: folder("outputs"),
        model: Some(folder("model")),
        models: Some(folder("models")),
        source: Some(folder("source")),
        export: Some(folder(if act == "file" { "export/old" } else { "export" })),
        checkpoint_copy: None,
        reference: Some(folder("golden")),
        program: crate::program_files().unwrap(),
        card: variable(CARD).map(|_| Card {
            nodes: vec!["/dev/zero".into()],
            driver: vec!["/usr/lib".into()],
            facts: Vec::new(),
        }),
    }
}

/// Plays the service manager: a socket at descriptor 3, and this very process named as its heir.
fn hand_over_and_start_again() {
    let Some(address) = variable(HANDED) else { return };
    if env::var_os("LISTEN_PID").is_some() {
        return;
    }
    let socket: OwnedFd = match address.strip_prefix("udp:") {
        Some(address) => std::net::UdpSocket::bind(address).unwrap().into(),
        None => TcpListener::bind(&address).unwrap().into(),
    };
    trial::hand_over(&socket);
    let pid = std::process::id().to_string();
    let error =
        Command::new(env::current_exe().unwrap()).env("LISTEN_PID", pid).env("LISTEN_FDS", "1").exec();
    panic!("{error}");
}

/// Plays a container or an old kernel that hides a system call.
fn hide() {
    let Some(hidden) = variable(HIDDEN) else { return };
    if hidden == "maps" {
        return raw::set_not_dumpable().unwrap(); // they then belong to root
    }
    let (number, answer) = match hidden.as_str() {
        "unshare" | "alone" => (libc::SYS_unshare, libc::EPERM),
        "landlock" => (libc::SYS_landlock_create_ruleset, libc::ENOSYS),
        _ => panic!("{hidden}"),
    };
    let rules = [(number, Vec::new())].into();
    let action = SeccompAction::Errno(answer.unsigned_abs());
    let arch = env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch).unwrap();
    seccompiler::apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
}

/// A terminal: its two ends.
fn terminal() -> std::io::Result<(OwnedFd, OwnedFd)> {
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let near = openpt(flags)?;
    grantpt(&near)?;
    unlockpt(&near)?;
    let far = ioctl_tiocgptpeer(&near, flags)?;
    Ok((near, far))
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// Without println: before main its lock is nobody's business.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

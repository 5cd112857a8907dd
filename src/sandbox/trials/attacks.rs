//! Pairs: what the product does must work, and what an intruder would do must fail, from any thread.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use policy::Process;
use rustix::process::Pid;
use rustix::termios::{self, LocalModes, OptionalActions};

use super::{Trial, text, users};
use crate::probe::is_open;
use crate::{LoopbackListener, Sandboxed, raw};

/// Variable with address, process and socket name of the parent, as targets.
pub const TARGET: &str = "SANDBOX_TRIAL_TARGET";

/// In the child, fenced: everything that went the wrong way.
pub fn run(home: &Path, sandboxed: &Sandboxed, terminal: Option<(OwnedFd, OwnedFd)>) -> Vec<String> {
    let all = || [harmless(home, sandboxed.process, terminal.as_ref()), malicious(home, sandboxed)].concat();
    let mut broken = all();
    broken.extend(thread::scope(|scope| {
        scope.spawn(all).join().unwrap_or_else(|_| vec!["the fresh thread panicked".to_owned()])
    }));
    broken
}

fn harmless(home: &Path, process: Process, terminal: Option<&(OwnedFd, OwnedFd)>) -> Vec<String> {
    let mut broken = Vec::new();
    let mut works = |what: &str, result: io::Result<()>| {
        if let Err(error) = result {
            broken.push(format!("{what}: {error}"));
        }
    };
    match process {
        Process::Server => {
            for folder in ["vault", "audit", "outputs"] {
                works(folder, seal(&home.join(folder)));
            }
            works("mounts", fs::read_to_string("/proc/self/mountinfo").map(drop));
            works("a plain copy", fs::write(home.join("export/picture.png"), "x"));
            works("taking it back", fs::remove_file(home.join("export/picture.png")));
            works("a pair of streams", pair());
        }
        Process::Client => {
            works("a plain copy", fs::write(home.join("export/picture.png"), "x"));
            works("taking it back", fs::remove_file(home.join("export/picture.png")));
        }
        Process::Engine | Process::Keeper => {
            works("read the model", fs::read(home.join("model/weights")).map(drop));
            works("list the model", fs::read_dir(home.join("model")).map(drop));
        }
        Process::Import => {
            works("list the source", fs::read_dir(home.join("source")).map(drop));
            works("bring a model in", bring_in(&home.join("models")));
        }
    }
    match process {
        // A self-test has no keeper, and an engine that has one no golden values.
        Process::Engine if !super::child::is_kept() => {
            works("read golden values", fs::read(home.join("golden/values")).map(drop));
        }
        Process::Server | Process::Engine | Process::Client | Process::Import => {}
        Process::Keeper => {
            works("a pair of streams", pair());
            works("run itself", run_itself());
        }
    }
    works(
        "memory",
        File::open("/proc/meminfo").and_then(|mut file| file.read_to_string(&mut String::new())).map(drop),
    );
    works("processors", fs::read_dir("/sys/devices/system/cpu").map(drop));
    works("count processors", thread::available_parallelism().map(drop));
    works(
        "a panic that is caught",
        match std::panic::catch_unwind(|| panic!("in a trial")) {
            Err(_) => Ok(()),
            Ok(()) => Err(io::Error::other("it did not panic")),
        },
    );
    works("much memory", much_memory());
    works("many threads", many_threads());
    if let Some((_, far)) = terminal {
        works("a passphrase prompt", toggle_echo(far));
    } else if !super::child::is_kept() {
        broken.push("no terminal could be made before the start".to_owned());
    }
    broken
}

/// What making a sealed file durable does.
fn seal(folder: &Path) -> io::Result<()> {
    fs::create_dir(folder.join("new"))?;
    let draft = folder.join("new/draft");
    let mut file = File::create_new(&draft)?;
    if file.metadata()?.permissions().mode() & 0o777 != 0o600 {
        return Err(io::Error::other("others may read it"));
    }
    file.lock()?;
    file.write_all(b"sealed")?;
    file.set_len(3)?;
    file.seek(SeekFrom::Start(0))?;
    file.sync_data()?;
    fs::rename(&draft, folder.join("final"))?;
    File::open(folder)?.sync_all()?;
    fs::copy(folder.join("final"), folder.join("copy")).or_else(only_its_mode)?;
    fs::remove_file(folder.join("copy"))?;
    fs::remove_file(folder.join("final"))?;
    fs::remove_dir(folder.join("new"))
}

/// `fs::copy` also copies the mode, which no plan allows; the bytes are there.
fn only_its_mode(error: io::Error) -> io::Result<u64> {
    if error.kind() == io::ErrorKind::PermissionDenied { Ok(0) } else { Err(error) }
}

fn pair() -> io::Result<()> {
    let (mut one, mut other) = UnixStream::pair()?;
    one.set_nonblocking(false)?;
    one.write_all(b"x")?;
    other.read_exact(&mut [0])
}

fn much_memory() -> io::Result<()> {
    let mut block = vec![1_u8; 64 << 20];
    block.extend_from_within(..32 << 20);
    if block.iter().map(|byte| u64::from(*byte)).sum::<u64>() == 96 << 20 {
        Ok(())
    } else {
        Err(io::Error::other("lost"))
    }
}

fn many_threads() -> io::Result<()> {
    let named = |number| {
        thread::Builder::new()
            .name(format!("worker {number}"))
            .spawn(|| thread::sleep(Duration::from_millis(1)))
    };
    for worker in (0..32).map(named).collect::<io::Result<Vec<_>>>()? {
        worker.join().map_err(|_| io::Error::other("a worker panicked"))?;
    }
    Ok(())
}

/// As an import does it: a folder that gets its name when it is whole, and one that is removed.
fn bring_in(models: &Path) -> io::Result<()> {
    let (part, whole) = (models.join(".part-x"), models.join("x"));
    fs::create_dir_all(part.join("vae"))?;
    fs::write(part.join("vae/weights"), "x")?;
    File::open(&part)?.sync_all()?;
    fs::rename(&part, &whole)?;
    fs::remove_dir_all(&whole)
}

/// Runs this very program, as nothing but a help text.
fn run_itself() -> io::Result<()> {
    let mut itself = Command::new("/proc/self/exe");
    let status = itself.arg("--help").env_remove(super::child::HOME).stdout(io::stderr()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) }
}

/// What another process may, and this one must not.
fn others(home: &Path, process: Process) -> Vec<(&'static str, io::Result<()>)> {
    let at = |name: &str| home.join(name);
    match process {
        Process::Server => vec![
            ("read the model", fs::read(at("model/weights")).map(drop)),
            ("list the model", fs::read_dir(at("model")).map(drop)),
            ("read golden values", fs::read(at("golden/values")).map(drop)),
            ("write a model that was brought in", fs::write(at("models/new"), "x")),
        ],
        Process::Engine => {
            let mut all = of_keys(home);
            all.push(("make a pair of streams", pair()));
            all.push(("write a model that was brought in", fs::write(at("models/new"), "x")));
            all.push(("read mounts", fs::read_to_string("/proc/self/mountinfo").map(drop)));
            all
        }
        Process::Keeper => of_keys(home),
        Process::Client => {
            let mut all = of_keys(home);
            // It has a folder for plain copies as well.
            all.retain(|(what, _)| *what != "write a plain copy");
            all.push(("read the model", fs::read(at("model/weights")).map(drop)));
            all.push(("read mounts", fs::read_to_string("/proc/self/mountinfo").map(drop)));
            all.push(("make a pair of streams", pair()));
            all
        }
        Process::Import => {
            let mut all = of_keys(home);
            all.push(("read another model", fs::read(at("model/weights")).map(drop)));
            all.push(("write where it copies from", fs::write(at("source/new"), "x")));
            all
        }
    }
}

/// What the process with the keys may.
fn of_keys(home: &Path) -> Vec<(&'static str, io::Result<()>)> {
    let at = |name: &str| home.join(name);
    vec![
        ("list the vault", fs::read_dir(at("vault")).map(drop)),
        ("list the log", fs::read_dir(at("audit")).map(drop)),
        ("list sealed pictures", fs::read_dir(at("outputs")).map(drop)),
        ("read a sealed picture", fs::read(at("outputs/old")).map(drop)),
        ("write the vault", fs::write(at("vault/new"), "x")),
        ("write the log", fs::write(at("audit/new"), "x")),
        ("overwrite a sealed picture", fs::write(at("outputs/old"), "x")),
        ("remove a sealed picture", fs::remove_file(at("outputs/old"))),
        ("write a plain copy", fs::write(at("export/picture.png"), "x")),
    ]
}

/// Whether the keeper may: its children are in its group, and where the kernel knows no scopes it may signal others, too.
fn is_the_keepers(what: &str) -> bool {
    let scoped = raw::landlock_abi().is_ok_and(|abi| super::child::abi(abi) >= 6);
    what == "signal the group" || (what == "signal the parent" && !scoped)
}

/// Whether a process that drives a card may.
fn is_the_cards(what: &str) -> bool {
    ["write a thread's name by way of a file", "write its own memory by way of a file"].contains(&what)
}

fn malicious(home: &Path, sandboxed: &Sandboxed) -> Vec<String> {
    let (process, with_card) = (sandboxed.process, sandboxed.with_card);
    let targets = std::env::var(TARGET).unwrap();
    let targets: Vec<&str> = targets.split(' ').collect();
    let (address, parent, socket) = (targets[0], targets[1].parse::<u32>().unwrap(), targets[2]);
    let at = |name: &str| home.join(name);
    let write = |path: &Path| OpenOptions::new().write(true).open(path).map(drop);
    let abstract_name = SocketAddr::from_abstract_name(socket).unwrap();
    let mut attempts: Vec<(&str, io::Result<()>)> = vec![
        // Files.
        ("read outside", fs::read(at("elsewhere/secret")).map(drop)),
        ("read through a link that leads out", fs::read(at("outputs/link")).map(drop)),
        ("list outside", fs::read_dir(at("elsewhere")).map(drop)),
        ("list the home", fs::read_dir(home).map(drop)),
        ("write outside", fs::write(at("elsewhere/new"), "x")),
        ("overwrite outside", write(&at("elsewhere/secret"))),
        ("truncate outside", File::create(at("elsewhere/secret")).map(drop)),
        ("remove outside", fs::remove_file(at("elsewhere/secret"))),
        ("rename into its folder", fs::rename(at("elsewhere/secret"), at("outputs/stolen"))),
        ("link into its folder", fs::hard_link(at("elsewhere/secret"), at("outputs/stolen"))),
        ("rename out of its folder", fs::rename(at("outputs/old"), at("elsewhere/old"))),
        ("make a symbolic link", symlink("/etc/passwd", at("outputs/passwd"))),
        ("change a mode", fs::set_permissions(at("outputs/old"), fs::Permissions::from_mode(0o666))),
        ("read the policy", fs::read(at("config/policy.toml")).map(drop)),
        ("write the policy", write(&at("config/policy.toml"))),
        ("replace the policy", fs::rename(at("outputs/old"), at("config/policy.toml"))),
        ("remove the policy", fs::remove_file(at("config/policy.toml"))),
        ("write weights", write(&at("model/weights"))),
        ("add weights", fs::write(at("model/more"), "x")),
        ("remove weights", fs::remove_file(at("model/weights"))),
        ("write golden values", write(&at("golden/values"))),
        ("add golden values", fs::write(at("golden/more"), "x")),
        ("read where plain copies go", fs::read(at("export/old")).map(drop)),
        ("read users", fs::read("/etc/passwd").map(drop)),
        ("read another process's environment", fs::read(format!("/proc/{parent}/environ")).map(drop)),
        ("read another process's memory", File::open(format!("/proc/{parent}/mem")).map(drop)),
        ("write its own memory by way of a file", write(Path::new("/proc/self/mem"))),
        ("write a thread's name by way of a file", write(Path::new("/proc/thread-self/comm"))),
        ("open a device", File::open("/dev/null").map(drop)),
        // Network.
        ("connect", TcpStream::connect(address).map(drop)),
        ("listen", TcpListener::bind("127.0.0.1:0").map(drop)),
        (
            "send a packet",
            UdpSocket::bind("127.0.0.1:0").and_then(|udp| udp.send_to(b"x", address)).map(drop),
        ),
        ("connect to a named socket", UnixStream::connect(at("outputs/socket")).map(drop)),
        ("connect to an abstract socket", UnixStream::connect_addr(&abstract_name).map(drop)),
        ("make a named socket", UnixListener::bind(at("outputs/mine")).map(drop)),
        // Processes.
        ("run a program", Command::new("/bin/true").status().map(drop)),
        ("signal the parent", may_signal(parent)),
        ("signal the group", may_signal_group()),
    ];
    attempts.extend(others(home, process));
    let is_keeper = process == Process::Keeper;
    if !is_keeper {
        attempts.push(("run itself", Command::new("/proc/self/exe").status().map(drop)));
    }
    let mut broken: Vec<String> = attempts
        .into_iter()
        .filter(|(what, result)| {
            let is_open = is_keeper && is_the_keepers(what) || with_card && is_the_cards(what);
            !(is_denied(result) || is_open)
        })
        .map(|(what, r)| format!("{what}: {r:?}"))
        .collect();
    for call in raw::ATTEMPTS.iter().chain([&raw::WRITE_EXECUTE]) {
        if is_open(sandboxed, call) {
            continue;
        }
        let result = raw::attempt(call);
        if !is_denied(&result) {
            broken.push(format!("{}: {result:?}", call.operation));
        }
    }
    broken
}

fn is_denied(result: &io::Result<()>) -> bool {
    // EXDEV is Landlock's answer to a move between folders with different rights.
    let denials = [libc::EPERM, libc::EACCES, libc::ENOSYS, libc::EXDEV];
    result.as_ref().is_err_and(|error| error.raw_os_error().is_some_and(|number| denials.contains(&number)))
}

/// Turns echo off and on again, as a passphrase prompt does.
fn toggle_echo(terminal: &OwnedFd) -> io::Result<()> {
    let mut settings = termios::tcgetattr(terminal)?;
    for _ in 0..2 {
        settings.local_modes.toggle(LocalModes::ECHO);
        termios::tcsetattr(terminal, OptionalActions::Flush, &settings)?;
    }
    Ok(())
}

/// Asks whether a signal could be sent.
fn may_signal(process: u32) -> io::Result<()> {
    let pid = Pid::from_raw(process.cast_signed()).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(rustix::process::test_kill_process(pid)?)
}

fn may_signal_group() -> io::Result<()> {
    Ok(rustix::process::test_kill_current_process_group()?)
}

/// In the child: answers one connection on the listener that was bound before.
pub fn serve(listener: &LoopbackListener) -> Vec<String> {
    let serve = || -> io::Result<()> {
        println!("serving {}", listener.addr());
        let (mut stream, _) = listener.handle()?.accept()?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        stream.write_all(&byte)?;
        stream.shutdown(std::net::Shutdown::Both)
    };
    serve().err().map(|error| error.to_string()).into_iter().collect()
}

/// In the child: a plain copy goes into one file that was made before.
pub fn one_file(home: &Path) -> Vec<String> {
    let mut broken = Vec::new();
    if let Err(error) = fs::write(home.join("export/old"), "x") {
        broken.push(format!("write the file: {error}"));
    }
    let beside = [
        fs::write(home.join("export/new"), "x"),
        fs::remove_file(home.join("export/old")),
        fs::read(home.join("export/old")).map(drop),
    ];
    broken.extend(
        beside.iter().filter(|result| !is_denied(result)).map(|result| format!("beside it: {result:?}")),
    );
    broken
}

/// In the child: the variables that are left.
pub fn environment() -> Vec<String> {
    for (name, value) in std::env::vars() {
        println!("variable {name}={value}");
    }
    Vec::new()
}

/// In the parent: targets that are really there, and stay as they are. From inside each process.
fn attack(user: bool, settings: &[(&'static str, String)]) {
    Process::ALL.into_iter().for_each(|process| attack_from(process, user, settings));
    attack_from_inside(user, settings);
}

/// From inside an engine that a keeper has started inside its own fences, as the program does.
fn attack_from_inside(user: bool, settings: &[(&'static str, String)]) {
    let start = [("SANDBOX_TRIAL_ACT", "start".to_owned()), (super::child::NEXT, "attack".to_owned())];
    attack_from(Process::Keeper, user, &[&start, settings].concat());
}

fn attack_from(process: Process, user: bool, settings: &[(&'static str, String)]) {
    let mut trial = Trial::of(process, user);
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = format!("fences-{}-{}", std::process::id(), tcp.local_addr().unwrap().port());
    let abstract_name = SocketAddr::from_abstract_name(&socket).unwrap();
    let _named = UnixListener::bind(trial.home.path("outputs/socket")).unwrap();
    fs::set_permissions(trial.home.path("outputs/socket"), fs::Permissions::from_mode(0o777)).unwrap();
    let _abstract = UnixListener::bind_addr(&abstract_name).unwrap();
    let target = format!("{} {} {socket}", tcp.local_addr().unwrap(), std::process::id());
    trial = trial.set("SANDBOX_TRIAL_ACT", "attack").set(TARGET, target);
    for (key, value) in settings {
        trial = trial.set(key, value);
    }
    trial.run().is_up();
    assert_eq!(text(&trial.home.path("elsewhere/secret")), "secret");
    assert_eq!(text(&trial.home.path("config/policy.toml")), "schema = 1");
    assert_eq!(text(&trial.home.path("model/weights")), "weights");
    assert_eq!(text(&trial.home.path("outputs/old")), "old");
    tcp.set_nonblocking(true).unwrap();
    assert_eq!(tcp.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock, "somebody connected");
}

#[test]
fn attacks_fail_with_everything_this_kernel_has() {
    users().into_iter().for_each(|user| attack(user, &[]));
}

#[test]
fn attacks_fail_at_landlock_abi_4() {
    users().into_iter().for_each(|user| attack(user, &[("SANDBOX_TRIAL_ABI", "4".to_owned())]));
}

#[test]
fn attacks_fail_at_landlock_abi_5() {
    users().into_iter().for_each(|user| attack(user, &[("SANDBOX_TRIAL_ABI", "5".to_owned())]));
}

#[test]
fn attacks_fail_at_landlock_abi_6() {
    users().into_iter().for_each(|user| attack(user, &[("SANDBOX_TRIAL_ABI", "6".to_owned())]));
}

#[test]
fn attacks_fail_at_landlock_abi_7() {
    users().into_iter().for_each(|user| attack(user, &[("SANDBOX_TRIAL_ABI", "7".to_owned())]));
}

#[test]
fn attacks_fail_where_an_engine_drives_a_card() {
    for abi in ["4", "5", "7", "99"] {
        let settings = [(super::child::CARD, "1".to_owned()), ("SANDBOX_TRIAL_ABI", abi.to_owned())];
        users().into_iter().for_each(|user| attack(user, &settings));
    }
}

#[test]
fn attacks_fail_without_the_network_namespace_that_the_policy_may_miss() {
    let overlay = "schema = 1\nmissing_network_namespace = \"allow\"".to_owned();
    let hidden = "unshare".to_owned();
    let settings = [("SANDBOX_TRIAL_HIDDEN", hidden), ("SANDBOX_TRIAL_OVERLAY", overlay)];
    users().into_iter().for_each(|user| attack(user, &settings));
}

/// The other half of each pair: unfenced, the same attacks succeed, so a denial above is the fences' work.
#[test]
fn the_targets_are_real() {
    let home = Trial::new(false).home;
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(fs::read(home.path("elsewhere/secret")).is_ok());
    assert!(fs::read(home.path("outputs/link")).is_ok());
    assert!(fs::write(home.path("elsewhere/new"), "x").is_ok());
    assert!(fs::hard_link(home.path("elsewhere/secret"), home.path("outputs/stolen")).is_ok());
    assert!(OpenOptions::new().write(true).open(home.path("config/policy.toml")).is_ok());
    assert!(TcpStream::connect(tcp.local_addr().unwrap()).is_ok());
    assert!(Command::new("/bin/true").status().is_ok());
    for call in ["make a TCP socket", "make a Unix socket", "make memory executable"] {
        let call = raw::ATTEMPTS.iter().find(|attempt| attempt.operation == call).unwrap();
        assert!(raw::attempt(call).is_ok(), "{}", call.operation);
    }
    for call in raw::ATTEMPTS.iter().filter(|call| call.operation != "type on the terminal") {
        let result = raw::attempt(call);
        assert!(!is_denied(&result) || !is_root(), "{}: {result:?} even without fences", call.operation);
    }
}

fn is_root() -> bool {
    super::is_root()
}

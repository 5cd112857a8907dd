//! What the rest of the program, its thread pools and its event loop need must work inside the fences.

use policy::Process;
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::fs::{CWD, FallocateFlags, FlockOperation, RenameFlags};
use rustix::time::{ClockId, clock_gettime};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::{Trial, users};
use crate::LoopbackListener;
use crate::raw::trial;

const MIB: usize = 1 << 20;

/// In the child, fenced: everything that did not work.
pub fn run(home: &Path, listener: Option<&LoopbackListener>) -> Vec<String> {
    let mut tried = vec![
        ("a thread pool", pool()),
        ("the memory of a key derivation", filled(256 * MIB)),
        ("a panic with its backtrace", panic_with_backtrace()),
        ("what the kernel says of this thread", fs::read_to_string("/proc/thread-self/status").map(drop)),
        ("how many processors", thread::available_parallelism().map(drop)),
        ("randomness and clocks", random_and_clocks()),
    ];
    tried.extend(match listener {
        Some(listener) => vec![
            ("files", files(&home.join("vault"))),
            ("an event loop", event_loop(listener)),
            ("signals", trial::signals()),
        ],
        None => vec![("a mapping of a read-only file", map(&home.join("model/weights")))],
    });
    tried.into_iter().filter_map(|(what, result)| Some(format!("{what}: {}", result.err()?))).collect()
}

fn filled(bytes: usize) -> io::Result<()> {
    let block = vec![1_u8; bytes];
    let seen = block.iter().step_by(4096).filter(|byte| **byte == 1).count();
    if seen == bytes.div_ceil(4096) { Ok(()) } else { Err(io::Error::other("lost")) }
}

/// As the thread pools do it: named, with stacks of their own, each with much memory.
fn pool() -> io::Result<()> {
    let worker =
        |n| thread::Builder::new().name(format!("pool {n}")).stack_size(8 * MIB).spawn(|| filled(64 * MIB));
    let workers = (0..4).map(worker).collect::<io::Result<Vec<_>>>()?;
    workers.into_iter().try_for_each(|w| w.join().map_err(|_| io::Error::other("a worker panicked"))?)
}

fn panic_with_backtrace() -> io::Result<()> {
    std::panic::set_hook(Box::new(|info| {
        let _ = writeln!(io::stderr(), "{info}\n{}", std::backtrace::Backtrace::force_capture());
    }));
    let panicked = thread::spawn(|| panic!("in a trial")).join().is_err();
    let _ = std::panic::take_hook();
    if panicked { Ok(()) } else { Err(io::Error::other("it did not panic")) }
}

fn files(folder: &Path) -> io::Result<()> {
    let (draft, name) = (folder.join("draft"), folder.join("name"));
    let mut file = File::create_new(&draft)?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive)?;
    match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, 1 << 16) {
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => {} // some file systems cannot; the filter says EPERM
        Err(error) => return Err(error.into()),
    }
    file.write_all(b"sealed")?;
    rustix::fs::fdatasync(&file)?;
    fs::rename(&draft, &name)?;
    File::create_new(&draft)?;
    match rustix::fs::renameat_with(CWD, &draft, CWD, &name, RenameFlags::NOREPLACE) {
        Err(rustix::io::Errno::EXIST) => {}
        other => return Err(io::Error::other(format!("it replaced a file: {other:?}"))),
    }
    fs::remove_file(&name)?;
    rustix::fs::renameat_with(CWD, &draft, CWD, &name, RenameFlags::NOREPLACE)?;
    rustix::fs::statfs(folder)?;
    File::open(folder)?.sync_all()?;
    fs::remove_file(&name)
}

fn map(path: &Path) -> io::Result<()> {
    if trial::map_first_byte(&File::open(path)?)? == b'w' { Ok(()) } else { Err(io::Error::other("lost")) }
}

fn random_and_clocks() -> io::Result<()> {
    let mut bytes = [0_u8; 32];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    let (_, then) = (clock_gettime(ClockId::Realtime), clock_gettime(ClockId::Monotonic));
    thread::sleep(Duration::from_millis(1));
    if clock_gettime(ClockId::Monotonic) > then { Ok(()) } else { Err(io::Error::other("time stands still")) }
}

/// What an asynchronous runtime makes, after the fences: a set, a counter, a pipe, a pair; and the listener.
fn event_loop(listener: &LoopbackListener) -> io::Result<()> {
    let set = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let counter = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let (from, to) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let (one, mut other) = UnixStream::pair()?;
    let socket = listener.handle()?;
    socket.set_nonblocking(true)?;
    let (wanted, data) = (epoll::EventFlags::IN, epoll::EventData::new_u64);
    epoll::add(&set, &counter, data(0), wanted)?;
    epoll::add(&set, &from, data(1), wanted)?;
    epoll::add(&set, &one, data(2), wanted)?;
    epoll::add(&set, &socket, data(3), wanted | epoll::EventFlags::ET)?;
    rustix::io::write(&counter, &1_u64.to_ne_bytes())?;
    rustix::io::write(&to, b"x")?;
    other.write_all(b"x")?;
    let mut events = Vec::with_capacity(8);
    epoll::wait(&set, rustix::buffer::spare_capacity(&mut events), None)?;
    let mut woken: Vec<u64> = events.iter().map(|event| event.data.u64()).collect();
    woken.sort_unstable();
    match socket.accept() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock && woken == [0, 1, 2] => Ok(()),
        other => Err(io::Error::other(format!("woken by {woken:?}, accepted {other:?}"))),
    }
}

#[test]
fn the_program_can_work_inside_the_fences() {
    for user in users() {
        let overlay = "schema = 1\nlisten = \"127.0.0.1:0\"";
        let trial = Trial::new(user).set("SANDBOX_TRIAL_ACT", "work").set("SANDBOX_TRIAL_OVERLAY", overlay);
        trial.run().is_up();
        Trial::of(Process::Engine, user).set("SANDBOX_TRIAL_ACT", "work").run().is_up();
    }
}

//! What the trials need and the product must never have.

use super::check;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::ptr::null_mut;

// Runs before the test harness makes its threads: a child of the trials has one thread, as `main` has.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = crate::trials::child::before_main;

/// Becomes an ordinary user for good.
pub fn become_user(id: u32) -> io::Result<()> {
    // SAFETY: takes numbers, and an empty list.
    check(unsafe { libc::setgroups(0, std::ptr::null()) })?;
    // SAFETY: takes numbers.
    check(unsafe { libc::setresgid(id, id, id) })?;
    // SAFETY: takes numbers.
    check(unsafe { libc::setresuid(id, id, id) })?;
    super::prctl(libc::PR_SET_DUMPABLE, 1).map(drop) // as after an exec by that user
}

/// Leaves a descriptor open that survives an exec, as a careless parent does.
pub fn leak_descriptor() -> RawFd {
    // SAFETY: takes a number.
    unsafe { libc::dup(2) }
}

/// Puts a descriptor where a service manager hands it over.
pub fn hand_over(socket: &OwnedFd) {
    // SAFETY: takes numbers; before main nothing owns descriptor 3.
    unsafe { libc::dup2(socket.as_raw_fd(), 3) };
}

/// The first byte of a file, by way of a mapping.
pub fn map_first_byte(file: &std::fs::File) -> io::Result<u8> {
    let (none, fd) = (null_mut(), file.as_raw_fd());
    // SAFETY: a new mapping, where the kernel finds room.
    let page = unsafe { libc::mmap(none, 4096, libc::PROT_READ, libc::MAP_PRIVATE, fd, 0) };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the file has one byte at least, and nobody else knows the mapping.
    let byte = unsafe { page.cast::<u8>().read() };
    // SAFETY: as mapped above.
    check(unsafe { libc::munmap(page, 4096) })?;
    Ok(byte)
}

/// Maps the beginning of a file so that it could be run, as the loader does.
pub fn map_executable(file: &std::fs::File) -> io::Result<()> {
    let (how, fd) = (libc::PROT_READ | libc::PROT_EXEC, file.as_raw_fd());
    // SAFETY: a new mapping, where the kernel finds room.
    let page = unsafe { libc::mmap(null_mut(), 4096, how, libc::MAP_PRIVATE, fd, 0) };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: as mapped above; nothing was read from it.
    check(unsafe { libc::munmap(page, 4096) })
}

/// Makes a file that lies in memory only.
pub fn file_in_memory() -> io::Result<()> {
    // SAFETY: a live string that ends in NUL.
    match unsafe { libc::memfd_create(c"card".as_ptr(), libc::MFD_CLOEXEC) } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: made above, and nobody else knows the number.
        number => check(unsafe { libc::close(number) }),
    }
}

/// Asks a device for what none understands.
pub fn unknown_request(file: &std::fs::File) -> io::Result<()> {
    // SAFETY: a request without an argument; a device that knows it reads no memory for it.
    check(unsafe { libc::ioctl(file.as_raw_fd(), 0x4600, 0) })
}

/// Blocks SIGUSR1 in this thread, sends it here, and reads it from a descriptor; then once more by way of a
/// handler.
pub fn signals() -> io::Result<()> {
    extern "C" fn handler(_: libc::c_int) {
        HANDLED.store(true, std::sync::atomic::Ordering::SeqCst);
    }
    static HANDLED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    // SAFETY: all zeroes are a valid set, and a valid action.
    let (mut set, mut action): (libc::sigset_t, libc::sigaction) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    // SAFETY: live, exclusive references.
    unsafe { libc::sigaddset(&raw mut set, libc::SIGUSR1) };
    action.sa_sigaction = handler as *const () as libc::sighandler_t;
    // SAFETY: live references; the handler only stores a flag.
    check(unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, null_mut()) })?;
    // SAFETY: live references.
    check(unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, null_mut()) })?;
    // SAFETY: a live reference and numbers.
    let signals = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC) };
    check(signals.min(0))?;
    let mut told = [0_u8; 128];
    // SAFETY: sends a signal to this very thread, where it is blocked.
    check(unsafe { libc::raise(libc::SIGUSR1) })?;
    // SAFETY: 128 live bytes, the size of a signalfd_siginfo.
    if unsafe { libc::read(signals, told.as_mut_ptr().cast(), 128) } != 128 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: made above, and used for the last time.
    check(unsafe { libc::close(signals) })?;
    // SAFETY: live references.
    check(unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, null_mut()) })?;
    // SAFETY: sends a signal to this very thread, which has a handler.
    check(unsafe { libc::raise(libc::SIGUSR1) })?;
    if HANDLED.load(std::sync::atomic::Ordering::SeqCst) {
        Ok(())
    } else {
        Err(io::Error::other("not handled"))
    }
}

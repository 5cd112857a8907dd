//! All unsafe code of this crate: calls without a safe form, each wrapped so that its callers need none, and
//! the allocator. No policy here.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr::null_mut;

/// The system's allocator, with every block overwritten before it is given back: no prompt, pixel or
/// passphrase stays behind in free memory.
///
/// A block never grows in place by the system's `realloc`, which may leave a copy behind that nobody can reach.
/// Blocks of 32 MiB and more are mappings of their own, and grow by moving pages, which copies nothing: a
/// buffer that grows step by step costs no more than with the system's allocator.
#[derive(Clone, Copy, Debug, Default)]
pub struct WipingAllocator;

/// From this size on glibc maps each block on its own anyway, whatever it has learned about the program.
const MAPPED_BYTES_MIN: usize = 32 << 20;

/// Is a block of this layout a mapping? Pages are aligned to 4096 at least.
fn is_mapped(layout: Layout) -> bool {
    layout.size() >= MAPPED_BYTES_MIN && layout.align() <= 4096
}

/// Fresh zeroed pages, or null.
fn map(bytes: usize) -> *mut u8 {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping, where the kernel finds room.
    let block = unsafe { libc::mmap(null_mut(), bytes, access, kind, -1, 0) };
    if block == libc::MAP_FAILED { null_mut() } else { block.cast() }
}

// SAFETY: a block is a mapping exactly if its layout is that of one; every other block comes from System and
// goes back to it with the layout it was made with.
unsafe impl GlobalAlloc for WipingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_mapped(layout) {
            return map(layout.size());
        }
        // SAFETY: the caller keeps GlobalAlloc's contract, which is System's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_mapped(layout) {
            return map(layout.size());
        }
        // SAFETY: as above. Fresh pages need no second zeroing, which is why this does not go through alloc.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is the caller's until it is given back, and `layout.size()` bytes long.
        // explicit_bzero is a memset that no compiler may drop.
        unsafe {
            libc::explicit_bzero(block.cast(), layout.size());
            if is_mapped(layout) {
                libc::munmap(block.cast(), layout.size());
            } else {
                System.dealloc(block, layout);
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller guarantees that `size` rounded up to the alignment is no overflow, and not zero.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        if is_mapped(layout) && is_mapped(wanted) {
            // SAFETY: the block is a mapping of the old size, and the caller's.
            return unsafe { remap(block, layout.size(), size) };
        }
        // SAFETY: the two blocks do not overlap, and the copy stays within both.
        unsafe {
            let moved = self.alloc(wanted);
            if !moved.is_null() {
                block.copy_to_nonoverlapping(moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

/// Moves pages, not bytes, so that no copy is left. Null if there is no room; the block then stays as it is.
///
/// # Safety
/// `block` is a mapping of `old` bytes that nobody else uses.
unsafe fn remap(block: *mut u8, old: usize, new: usize) -> *mut u8 {
    if new < old {
        // SAFETY: the tail lies within the block. What is cut off is wiped as if it were given back.
        unsafe { libc::explicit_bzero(block.add(new).cast(), old - new) };
    }
    // SAFETY: by the contract above; the kernel rounds both sizes up to whole pages.
    let moved = unsafe { libc::mremap(block.cast(), old, new, libc::MREMAP_MAYMOVE) };
    if moved != libc::MAP_FAILED {
        moved.cast()
    } else if new < old {
        block // not cut, and long enough
    } else {
        null_mut()
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The effective user.
pub(crate) fn user_id() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// The effective group.
pub(crate) fn group_id() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::getegid() }
}

/// New files and folders are their owner's alone.
pub(crate) fn set_umask() {
    // SAFETY: takes a number and cannot fail.
    unsafe { libc::umask(0o077) };
}

/// From here on a write beyond RLIMIT_FSIZE is an error of that write and does not end the process.
pub(crate) fn survive_file_limit() {
    // SAFETY: sets a disposition that runs no code of ours.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Sets both the soft and the hard limit.
pub(crate) fn set_limit(which: libc::__rlimit_resource_t, value: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: the kernel reads one rlimit from a live reference.
    check(unsafe { libc::setrlimit(which, &raw const limit) })
}

/// The hard limit, if it can be read.
pub(crate) fn hard_limit(which: libc::__rlimit_resource_t) -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one rlimit to a live, exclusive reference.
    let result = unsafe { libc::getrlimit(which, &raw mut limit) };
    (result == 0).then_some(limit.rlim_max)
}

const PR_SET_MDWE: libc::c_int = 65;
const PR_GET_MDWE: libc::c_int = 66;

fn prctl(option: libc::c_int, value: libc::c_ulong) -> io::Result<libc::c_int> {
    let none: libc::c_ulong = 0;
    // SAFETY: this file passes only options whose arguments are numbers.
    match unsafe { libc::prctl(option, value, none, none, none) } {
        -1 => Err(io::Error::last_os_error()),
        answer => Ok(answer),
    }
}

/// No core, no look from other processes. Cannot be undone once the filter is up.
pub(crate) fn set_not_dumpable() -> io::Result<()> {
    prctl(libc::PR_SET_DUMPABLE, 0).map(drop)
}

/// Is the process dumpable?
pub(crate) fn is_dumpable() -> io::Result<bool> {
    prctl(libc::PR_GET_DUMPABLE, 0).map(|answer| answer != 0)
}

/// Memory that is writable can never become executable, nor be both.
pub(crate) fn deny_write_execute() -> io::Result<()> {
    prctl(PR_SET_MDWE, 1).map(drop)
}

/// Is [`deny_write_execute`] in force?
pub(crate) fn denies_write_execute() -> io::Result<bool> {
    prctl(PR_GET_MDWE, 0).map(|answer| answer & 1 == 1)
}

/// Takes every capability out of the bounding set, and all ambient ones.
pub(crate) fn empty_bounding_set() -> io::Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong)?;
    for capability in 0..64 {
        match prctl(libc::PR_CAPBSET_DROP, capability) {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => break, // beyond the last one there is
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Empties the effective, permitted and inheritable sets.
pub(crate) fn empty_capability_sets() -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        thread: libc::c_int,
    }
    let header = Header { version: 0x2008_0522, thread: 0 }; // _LINUX_CAPABILITY_VERSION_3, this thread
    let sets = [0_u32; 6]; // two times effective, permitted, inheritable
    // SAFETY: the kernel reads a header and two sets of three words from live references.
    check(
        unsafe { libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr()) }.try_into().unwrap_or(-1),
    )
}

/// Moves the process, which has one thread, into new namespaces.
pub(crate) fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: namespaces change what the process sees, not its memory; descriptors are not unshared.
    check(unsafe { libc::unshare(flags) })
}

/// Runs a step in a child of this process, which has one thread, and gives back how it ended.
pub(crate) fn try_in_child(step: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    // A parent that ignores SIGCHLD hands that down, and then there would be no status to wait for.
    // SAFETY: sets a default handler.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    // SAFETY: with one thread no lock can be held by another, so the child may do whatever this process may.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let number = step().map_or_else(|error| error.raw_os_error().unwrap_or(libc::EIO), |()| 0);
        // SAFETY: ends the child without the exit handlers, which are its parent's.
        unsafe { libc::_exit(number) };
    }
    if child < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut status = 0;
    loop {
        // SAFETY: a live, exclusive reference.
        if unsafe { libc::waitpid(child, &raw mut status, 0) } == child {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    match libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)) {
        Some(0) => Ok(()),
        Some(number) => Err(io::Error::from_raw_os_error(number)),
        None => Err(io::Error::other("a trial of the namespaces was killed")),
    }
}

/// May this process, as who it is now, use a path in this way (`R_OK`, `W_OK`, `X_OK`)?
pub(crate) fn may(path: &std::ffi::CStr, how: libc::c_int) -> io::Result<()> {
    // SAFETY: a live string that ends in NUL.
    check(unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), how, libc::AT_EACCESS) })
}

/// The kernel's Landlock ABI.
pub(crate) fn landlock_abi() -> io::Result<i32> {
    let version: libc::c_ulong = 1; // LANDLOCK_CREATE_RULESET_VERSION
    let nothing = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the kernel reads no memory.
    match unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0_usize, version) } {
        -1 => Err(io::Error::last_os_error()),
        abi => Ok(i32::try_from(abi).unwrap_or(i32::MAX)),
    }
}

/// Closes everything above 2 but `kept`.
pub(crate) fn close_all_but(kept: Option<&OwnedFd>) -> io::Result<()> {
    let close = |first: u32, last: u32| {
        // SAFETY: the first statement of main calls this, when no value owns a descriptor above 2 but `kept`,
        // which lies outside the range.
        check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0_u32) }.try_into().unwrap_or(-1))
    };
    match kept.map(|kept| kept.as_raw_fd().unsigned_abs()) {
        None => close(3, u32::MAX),
        Some(kept) => {
            if kept > 3 {
                close(3, kept - 1)?;
            }
            close(kept + 1, u32::MAX)
        }
    }
}

/// Takes over an inherited descriptor, and marks it to be closed on exec.
pub(crate) fn take_descriptor(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: fcntl fails on a number that is no descriptor.
    check(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: it is open, and by the protocol of the handover it belongs to this process; called once, first
    // in main.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// The first descriptor in `3..4096` that would survive an exec. Everything that Rust opens would not: it is
/// one that the starting program left open.
pub(crate) fn inherited_descriptor() -> Option<i32> {
    let survives = |number: &i32| {
        // SAFETY: fcntl fails on a number that is no descriptor.
        let flags = unsafe { libc::fcntl(*number, libc::F_GETFD) };
        flags >= 0 && flags & libc::FD_CLOEXEC == 0
    };
    (3..4096).find(survives)
}

/// A SOL_SOCKET option whose value is a number.
pub(crate) fn socket_option(socket: &OwnedFd, name: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut length = libc::socklen_t::try_from(size_of::<libc::c_int>()).unwrap_or(4);
    // SAFETY: the kernel writes at most `length` bytes to a live, exclusive reference of that size.
    check(unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, name, (&raw mut value).cast(), &raw mut length)
    })?;
    Ok(value)
}

/// Binds `[::1]` at a port without SO_REUSEADDR and without listening.
pub(crate) fn reserve_ipv6_loopback(port: u16) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers.
    let number =
        unsafe { libc::socket(libc::AF_INET6, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, libc::IPPROTO_TCP) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it for us.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    // SAFETY: all zeroes are a valid sockaddr_in6.
    let mut addr: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
    addr.sin6_family = libc::AF_INET6.try_into().unwrap_or_default();
    addr.sin6_port = port.to_be();
    addr.sin6_addr.s6_addr[15] = 1;
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_in6>()).unwrap_or_default();
    // SAFETY: the kernel reads one sockaddr_in6 from a live reference.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const addr).cast(), length) })?;
    Ok(socket)
}

/// Makes a call whose arguments are numbers, null or an address that is never mapped.
pub(crate) fn attempt(call: &Attempt) -> io::Result<()> {
    let [a, b, c, d, e, f] = call.args;
    // SAFETY: the table below holds no call that could touch this process's memory with these arguments: they
    // are null, out of range or zero bytes long, so that an open door shows as another errno, or as a
    // harmless success.
    match unsafe { libc::syscall(call.number, a, b, c, d, e, f) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// A system call that must be denied.
pub(crate) struct Attempt {
    pub operation: &'static str,
    number: libc::c_long,
    args: [u64; 6],
}

const NO_FD: u64 = u64::MAX;

const fn call(operation: &'static str, number: libc::c_long, args: [u64; 6]) -> Attempt {
    Attempt { operation, number, args }
}

/// Memory that is writable and executable.
pub(crate) const WRITE_EXECUTE: Attempt =
    call("map memory that is writable and executable", libc::SYS_mmap, [0, 4096, 7, 0x22, NO_FD, 0]);

/// What the filter must deny, each with arguments that do no harm where it does not.
pub(crate) const ATTEMPTS: [Attempt; 41] = [
    call("make a TCP socket", libc::SYS_socket, [2, 1, 0, 0, 0, 0]),
    call("make a TCP socket over IPv6", libc::SYS_socket, [10, 1, 0, 0, 0, 0]),
    call("make a UDP socket", libc::SYS_socket, [2, 2, 0, 0, 0, 0]),
    call("make an MPTCP socket", libc::SYS_socket, [2, 1, 262, 0, 0, 0]),
    call("make a Unix socket", libc::SYS_socket, [1, 1, 0, 0, 0, 0]),
    call("make a netlink socket", libc::SYS_socket, [16, 3, 0, 0, 0, 0]),
    call("make a socket to the hypervisor", libc::SYS_socket, [40, 1, 0, 0, 0, 0]),
    call("connect", libc::SYS_connect, [NO_FD, 0, 0, 0, 0, 0]),
    call("bind", libc::SYS_bind, [NO_FD, 0, 0, 0, 0, 0]),
    call("listen", libc::SYS_listen, [NO_FD, 1, 0, 0, 0, 0]),
    call("send to an address", libc::SYS_sendto, [NO_FD, 0, 0, 0, 8, 16]),
    call("send with TCP Fast Open", libc::SYS_sendto, [NO_FD, 0, 0, 0x2000_0000, 0, 0]),
    call("send a message", libc::SYS_sendmsg, [NO_FD, 0, 0, 0, 0, 0]),
    call("make a pair of TCP sockets", libc::SYS_socketpair, [2, 1, 0, 0, 0, 0]),
    call("attach a program to a socket", libc::SYS_setsockopt, [NO_FD, 1, 26, 0, 0, 0]),
    call("run a program", libc::SYS_execve, [0, 0, 0, 0, 0, 0]),
    call("run a program from a descriptor", libc::SYS_execveat, [NO_FD, 0, 0, 0, 0, 0]),
    // CLONE_SIGHAND without CLONE_VM: EINVAL where the filter lets it pass.
    call("make a process", libc::SYS_clone, [0x800, 0, 0, 0, 0, 0]),
    call("make a thread in a new user namespace", libc::SYS_clone, [0x1001_0000, 0, 0, 0, 0, 0]),
    call("make a process by clone3", libc::SYS_clone3, [0, 0, 0, 0, 0, 0]),
    call("make a file in memory", libc::SYS_memfd_create, [0, 0, 0, 0, 0, 0]),
    call("make memory executable", libc::SYS_mprotect, [0, 0, 5, 0, 0, 0]),
    call("leave a namespace", libc::SYS_unshare, [1, 0, 0, 0, 0, 0]),
    call("enter a namespace", libc::SYS_setns, [NO_FD, 0, 0, 0, 0, 0]),
    call("mount", libc::SYS_mount, [0, 0, 0, 0, 0, 0]),
    call("change the root folder", libc::SYS_chroot, [0, 0, 0, 0, 0, 0]),
    call("trace a process", libc::SYS_ptrace, [2, 0, 0, 0, 0, 0]),
    call("read the memory of a process", libc::SYS_process_vm_readv, [1, 0, 0, 0, 0, 0]),
    call("take a descriptor of a process", libc::SYS_pidfd_getfd, [NO_FD, 0, 0, 0, 0, 0]),
    call("signal a process", libc::SYS_kill, [1, 0, 0, 0, 0, 0]),
    call("signal a thread of a process", libc::SYS_tgkill, [1, 1, 0, 0, 0, 0]),
    call("aim signals of a file at a process", libc::SYS_fcntl, [NO_FD, 8, 1, 0, 0, 0]),
    call("change a limit", libc::SYS_prlimit64, [0, 4, 8, 0, 0, 0]),
    call("change a limit of a process", libc::SYS_prlimit64, [1, 4, 0, 0, 0, 0]),
    call("set up io_uring", libc::SYS_io_uring_setup, [0, 0, 0, 0, 0, 0]),
    call("load a kernel program", libc::SYS_bpf, [0, 0, 0, 0, 0, 0]),
    call("handle page faults of its own", libc::SYS_userfaultfd, [0xffff_ffff, 0, 0, 0, 0, 0]),
    call("use the kernel's keyrings", libc::SYS_keyctl, [999, 0, 0, 0, 0, 0]),
    call("change modes of files", libc::SYS_fchmod, [NO_FD, 0, 0, 0, 0, 0]),
    call("become dumpable", libc::SYS_prctl, [4, 99, 0, 0, 0, 0]),
    call("type on the terminal", libc::SYS_ioctl, [0, 0x5412, 0, 0, 0, 0]),
];

/// What the trials need and the product must never have.
#[cfg(test)]
pub(crate) mod trial {
    use super::{check, io, null_mut};
    use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};

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
}

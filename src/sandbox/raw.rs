//! All unsafe code of this crate, here and in the files below: calls without a safe form, each wrapped so that its
//! callers need none, the calls that must be denied, and the allocator. No policy here.

mod allocator;
mod attempts;
#[cfg(test)]
pub(crate) mod trial;

pub use allocator::WipingAllocator;
pub(crate) use attempts::{ATTEMPTS, Attempt, WRITE_EXECUTE, WithCard, attempt};

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

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

/// Puts a filter before the system calls of every thread, on top of those that are there.
pub(crate) fn filter_all_threads(program: &[seccompiler::sock_filter]) -> io::Result<()> {
    /// As the kernel reads it.
    #[repr(C)]
    struct Program {
        len: libc::c_ushort,
        filter: *const seccompiler::sock_filter,
    }
    let len = program.len().try_into().map_err(io::Error::other)?;
    let program = Program { len, filter: program.as_ptr() };
    // SAFETY: the kernel copies `len` instructions from the slice, which lives until the call returns, and keeps no pointer.
    match unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_TSYNC,
            &raw const program,
        )
    } {
        0 => Ok(()),
        -1 => Err(io::Error::last_os_error()),
        thread => Err(io::Error::other(format!("thread {thread} has filters of its own"))),
    }
}

/// Closes everything above 2 but `kept`.
pub(crate) fn close_all_but<'a>(kept: impl Iterator<Item = &'a OwnedFd>) -> io::Result<()> {
    let close = |first: u32, last: u32| {
        // SAFETY: the first statement of main calls this, when no value owns a descriptor above 2 but those in `kept`,
        // which lie outside the range.
        check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0_u32) }.try_into().unwrap_or(-1))
    };
    let mut kept: Vec<u32> = kept.map(|kept| kept.as_raw_fd().unsigned_abs()).collect();
    kept.sort_unstable();
    let mut first = 3;
    for kept in kept {
        if kept > first {
            close(first, kept - 1)?;
        }
        first = kept + 1;
    }
    close(first, u32::MAX)
}

/// Lets a descriptor survive the next exec.
pub(crate) fn survive_exec(descriptor: &OwnedFd) -> io::Result<()> {
    // SAFETY: takes numbers; the descriptor is open.
    check(unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFD, 0) })
}

/// From here on the kernel ends this process when its parent ends.
pub(crate) fn end_with_parent() -> io::Result<()> {
    prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong).map(drop)
}

/// Ends this process as its parent's end would.
pub(crate) fn end_now() -> ! {
    // SAFETY: takes numbers. No code of this process runs after it.
    unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    std::process::abort()
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

//! The system calls that must be denied, as a table. Each is made when the fences are tried.

use std::io;

/// Makes a call whose arguments are numbers, null or an address that is never mapped.
pub(crate) fn attempt(call: &Attempt) -> io::Result<()> {
    let [a, b, c, d, e, f] = call.args;
    // SAFETY: only the table below makes an `Attempt`, and it holds no call that could touch this process's memory with
    // these arguments: they are null, out of range or zero bytes long, so that an open door shows as another errno, or
    // as a harmless success.
    match unsafe { libc::syscall(call.number, a, b, c, d, e, f) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// A system call that must be denied.
pub(crate) struct Attempt {
    pub operation: &'static str,
    /// The keeper may, since it starts the engine; what its other fences make of it is tried otherwise.
    pub is_the_keepers: bool,
    /// What becomes of it where an engine drives a card.
    pub with_card: WithCard,
    number: libc::c_long,
    args: [u64; 6],
}

/// What the library of a card's driver may do besides.
#[derive(Clone, Copy)]
pub(crate) enum WithCard {
    /// Not this.
    Closed,
    /// This, until the card has computed.
    UntilWarm,
    /// This.
    Open,
}

const NO_FD: u64 = u64::MAX;

const fn call(operation: &'static str, number: libc::c_long, args: [u64; 6]) -> Attempt {
    Attempt { operation, is_the_keepers: false, with_card: WithCard::Closed, number, args }
}

const fn of_keeper(operation: &'static str, number: libc::c_long, args: [u64; 6]) -> Attempt {
    Attempt { is_the_keepers: true, ..call(operation, number, args) }
}

const fn until_warm(attempt: Attempt) -> Attempt {
    Attempt { with_card: WithCard::UntilWarm, ..attempt }
}

const fn open_to_cards(attempt: Attempt) -> Attempt {
    Attempt { with_card: WithCard::Open, ..attempt }
}

/// Memory that is writable and executable.
pub(crate) const WRITE_EXECUTE: Attempt =
    call("map memory that is writable and executable", libc::SYS_mmap, [0, 4096, 7, 0x22, NO_FD, 0]);

/// What the filter must deny, each with arguments that do no harm where it does not.
pub(crate) const ATTEMPTS: [Attempt; 42] = [
    call("make a TCP socket", libc::SYS_socket, [2, 1, 0, 0, 0, 0]),
    call("make a TCP socket over IPv6", libc::SYS_socket, [10, 1, 0, 0, 0, 0]),
    call("make a UDP socket", libc::SYS_socket, [2, 2, 0, 0, 0, 0]),
    call("make an MPTCP socket", libc::SYS_socket, [2, 1, 262, 0, 0, 0]),
    until_warm(call("make a Unix socket", libc::SYS_socket, [1, 1, 0, 0, 0, 0])),
    call("make a netlink socket", libc::SYS_socket, [16, 3, 0, 0, 0, 0]),
    call("make a socket to the hypervisor", libc::SYS_socket, [40, 1, 0, 0, 0, 0]),
    call("connect", libc::SYS_connect, [NO_FD, 0, 0, 0, 0, 0]),
    until_warm(call("bind", libc::SYS_bind, [NO_FD, 0, 0, 0, 0, 0])),
    until_warm(call("listen", libc::SYS_listen, [NO_FD, 1, 0, 0, 0, 0])),
    call("send to an address", libc::SYS_sendto, [NO_FD, 0, 0, 0, 8, 16]),
    call("send with TCP Fast Open", libc::SYS_sendto, [NO_FD, 0, 0, 0x2000_0000, 0, 0]),
    of_keeper("send a message", libc::SYS_sendmsg, [NO_FD, 0, 0, 0, 0, 0]),
    call("receive a message", libc::SYS_recvmsg, [NO_FD, 0, 0, 0, 0, 0]),
    call("make a pair of TCP sockets", libc::SYS_socketpair, [2, 1, 0, 0, 0, 0]),
    call("attach a program to a socket", libc::SYS_setsockopt, [NO_FD, 1, 26, 0, 0, 0]),
    of_keeper("run a program", libc::SYS_execve, [0, 0, 0, 0, 0, 0]),
    call("run a program from a descriptor", libc::SYS_execveat, [NO_FD, 0, 0, 0, 0, 0]),
    // CLONE_SIGHAND without CLONE_VM: EINVAL where the filter lets it pass.
    of_keeper("make a process", libc::SYS_clone, [0x800, 0, 0, 0, 0, 0]),
    call("make a thread in a new user namespace", libc::SYS_clone, [0x1001_0000, 0, 0, 0, 0, 0]),
    call("make a process by clone3", libc::SYS_clone3, [0, 0, 0, 0, 0, 0]),
    open_to_cards(call("make a file in memory", libc::SYS_memfd_create, [0, 0, 0, 0, 0, 0])),
    open_to_cards(of_keeper("make memory executable", libc::SYS_mprotect, [0, 0, 5, 0, 0, 0])),
    call("leave a namespace", libc::SYS_unshare, [1, 0, 0, 0, 0, 0]),
    call("enter a namespace", libc::SYS_setns, [NO_FD, 0, 0, 0, 0, 0]),
    call("mount", libc::SYS_mount, [0, 0, 0, 0, 0, 0]),
    call("change the root folder", libc::SYS_chroot, [0, 0, 0, 0, 0, 0]),
    call("trace a process", libc::SYS_ptrace, [2, 0, 0, 0, 0, 0]),
    call("read the memory of a process", libc::SYS_process_vm_readv, [1, 0, 0, 0, 0, 0]),
    call("take a descriptor of a process", libc::SYS_pidfd_getfd, [NO_FD, 0, 0, 0, 0, 0]),
    of_keeper("signal a process", libc::SYS_kill, [1, 0, 0, 0, 0, 0]),
    call("signal a thread of a process", libc::SYS_tgkill, [1, 1, 0, 0, 0, 0]),
    call("aim signals of a file at a process", libc::SYS_fcntl, [NO_FD, 8, 1, 0, 0, 0]),
    of_keeper("change a limit", libc::SYS_prlimit64, [0, 4, 8, 0, 0, 0]),
    call("change a limit of a process", libc::SYS_prlimit64, [1, 4, 0, 0, 0, 0]),
    call("set up io_uring", libc::SYS_io_uring_setup, [0, 0, 0, 0, 0, 0]),
    call("load a kernel program", libc::SYS_bpf, [0, 0, 0, 0, 0, 0]),
    call("handle page faults of its own", libc::SYS_userfaultfd, [0xffff_ffff, 0, 0, 0, 0, 0]),
    call("use the kernel's keyrings", libc::SYS_keyctl, [999, 0, 0, 0, 0, 0]),
    call("change modes of files", libc::SYS_fchmod, [NO_FD, 0, 0, 0, 0, 0]),
    call("become dumpable", libc::SYS_prctl, [4, 99, 0, 0, 0, 0]),
    call("type on the terminal", libc::SYS_ioctl, [0, 0x5412, 0, 0, 0, 0]),
];

//! Calls without which nothing runs: an overlay that denies one is refused, since what it would leave neither starts nor ends in
//! order, and would blame the host for it.

/// Such calls, by what they are for. Found by trial: with all of them, and none that the profiles name besides, a server answers and
/// pictures are made; without any one of them not (but `munmap`, for want of which memory only ever grows).
pub const NEEDED: [(&str, &[&str]); 9] = [
    ("ending", &["exit", "exit_group"]),
    (
        "reading and writing",
        &["read", "write", "pread64", "pwrite64", "lseek", "close", "close_range", "dup2", "fcntl", "ioctl"],
    ),
    (
        "finding and naming files",
        &[
            "open",
            "openat",
            "access",
            "newfstatat",
            "statx",
            "getdents64",
            "getcwd",
            "chdir",
            "readlink",
            "rename",
            "renameat",
            "renameat2",
            "unlink",
        ],
    ),
    ("what must be on the disk before anything else is done", &["fsync", "fdatasync", "ftruncate", "flock"]),
    ("memory", &["brk", "mmap", "mprotect", "munmap"]),
    (
        "threads, signals and the clock",
        &["clone", "futex", "rseq", "rt_sigaction", "rt_sigreturn", "clock_gettime", "clock_nanosleep"],
    ),
    (
        "the fences, and trying them",
        &[
            "prctl",
            "prlimit64",
            "seccomp",
            "capset",
            "landlock_create_ruleset",
            "landlock_add_rule",
            "landlock_restrict_self",
        ],
    ),
    (
        "the processes of the program, and what they say to each other",
        &[
            "execve",
            "wait4",
            "kill",
            "arch_prctl",
            "getpid",
            "getppid",
            "getrandom",
            "socketpair",
            "sendmsg",
            "recvmsg",
            "sendto",
            "recvfrom",
            "setsockopt",
            "getpeername",
            "poll",
            "ppoll",
        ],
    ),
    ("answering the page", &["accept4", "epoll_create1", "epoll_ctl", "epoll_wait", "eventfd2", "writev"]),
];

/// What a call is for, if nothing runs without it.
pub(crate) fn purpose(call: &str) -> Option<&'static str> {
    NEEDED.iter().find(|(_, calls)| calls.contains(&call)).map(|(purpose, _)| *purpose)
}

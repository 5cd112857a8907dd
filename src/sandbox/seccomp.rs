//! One filter that allows what the plan names and answers EPERM to everything else.
//!
//! EPERM and not a signal: a panic handler that makes one unexpected call must not end a service. The first
//! filter answers ENOSYS to the calls that the plan lists as absent; the kernel takes the stricter answer of
//! the two, so the second one lets them pass.
//!
//! With a card what the plan does not refuse is allowed; a third filter refuses more once the card has computed.

use policy::{Only, Plan, Since};
use seccompiler::SeccompCmpArgLen::{Dword, Qword};
use seccompiler::SeccompCmpOp::{self, Eq, MaskedEq, Ne};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::RawFd;

use crate::variant::Variant;
use crate::{Error, Fence, calls, raw};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Restricts this thread, and those it makes, for good. `channel` is the number of the descriptor that leads to the keeper.
pub(crate) fn restrict(variant: Variant, plan: &Plan, channel: Option<RawFd>) -> Result<(), Error> {
    let (absent, allowed) = programs(plan, channel)?;
    if variant.leaves_out(Fence::Seccomp) {
        return Ok(());
    }
    let apply =
        |program: &BpfProgram| seccompiler::apply_filter(program).map_err(|source| Error::Seccomp { source });
    apply(&absent)?;
    apply(&allowed)
}

/// Refuses these calls, too, to every thread that there is, for good.
pub(crate) fn refuse(names: &[String]) -> Result<(), Error> {
    let mut refused = Rules::new();
    for name in names {
        refused.extend(number(name)?.map(|number| (number, Vec::new())));
    }
    let program = compile(refused, SeccompAction::Allow, errno(libc::EPERM))?;
    raw::filter_all_threads(&program).map_err(|source| Error::Process { fence: Fence::Seccomp, source })
}

fn errno(value: i32) -> SeccompAction {
    SeccompAction::Errno(value.unsigned_abs())
}

fn programs(plan: &Plan, channel: Option<RawFd>) -> Result<(BpfProgram, BpfProgram), Error> {
    let mut absent = Rules::new();
    let mut allowed = Rules::new();
    for name in plan.absent.keys() {
        if let Some(number) = number(name)? {
            absent.insert(number, Vec::new());
            allowed.insert(number, Vec::new());
        }
    }
    for (name, grant) in &plan.calls {
        if grant.only == Some(Only::FromTheKeeper) && channel.is_none() {
            continue; // there is no keeper
        }
        if let Some(number) = number(name)? {
            allowed.insert(number, rules(name, grant.only, channel)?);
        }
    }
    if plan.others.is_some() {
        let refused = |(name, _): (&String, _)| number(name);
        let start = plan.refused.iter().filter(|(_, refusal)| refusal.since == Since::Start);
        let refused: BTreeSet<Option<i64>> = start.map(refused).collect::<Result<_, _>>()?;
        // Numbers that nobody knew when this was written stay refused.
        for number in calls::known().filter(|number| !refused.contains(&Some(*number))) {
            allowed.entry(number).or_default();
        }
    }
    Ok((
        compile(absent, SeccompAction::Allow, errno(libc::ENOSYS))?,
        compile(allowed, errno(libc::EPERM), SeccompAction::Allow)?,
    ))
}

fn compile(rules: Rules, otherwise: SeccompAction, on_match: SeccompAction) -> Result<BpfProgram, Error> {
    let arch = std::env::consts::ARCH.try_into();
    arch.and_then(|arch| SeccompFilter::new(rules, otherwise, on_match, arch))
        .and_then(BpfProgram::try_from)
        .map_err(|source| Error::Seccomp { source: source.into() })
}

/// The call's number; `Ok(None)` for an old call that this processor's Linux never had.
fn number(name: &str) -> Result<Option<i64>, Error> {
    calls::number(name).ok_or_else(|| Error::UnknownCall { name: name.to_owned() })
}

/// A condition: argument index, how much of it the kernel looks at, comparison, value.
type Condition = (u8, SeccompCmpArgLen, SeccompCmpOp, u64);

/// The rules for one call: one of them must hold, and in it each condition.
fn rules(name: &str, only: Option<Only>, channel: Option<RawFd>) -> Result<Vec<SeccompRule>, Error> {
    let any_of: Vec<Vec<Condition>> = match only {
        None => return Ok(Vec::new()),
        Some(Only::NoSignalOwner) => {
            vec![SIGNAL_OWNER.iter().map(|command| (1, Dword, Ne, *command)).collect()]
        }
        Some(Only::TerminalAndFiles) => {
            REQUESTS.iter().map(|request| vec![(1, Dword, Eq, *request)]).collect()
        }
        Some(Only::NoTyping) => vec![TYPING.iter().map(|request| (1, Dword, Ne, *request)).collect()],
        Some(Only::NotExecutable) => vec![vec![(2, Dword, MaskedEq(PROT_EXEC), 0)]],
        Some(Only::Threads) => vec![vec![(0, Qword, MaskedEq(CLONE_THREAD | CLONE_NEW), CLONE_THREAD)]],
        Some(Only::NoNamespaces) => vec![vec![(0, Qword, MaskedEq(CLONE_NEW), 0)]],
        Some(Only::FromTheKeeper) => {
            channel.iter().map(|number| vec![(0, Dword, Eq, u64::from(number.unsigned_abs()))]).collect()
        }
        Some(Only::OwnProcess) => vec![vec![(0, Dword, Eq, u64::from(std::process::id()))]],
        Some(Only::OwnThread) => vec![vec![(0, Dword, Eq, 0)]],
        Some(Only::UnixPair | Only::UnixSocket) => vec![vec![(0, Dword, Eq, AF_UNIX)]],
        Some(Only::NoAddress) => vec![vec![(4, Qword, Eq, 0), (3, Dword, MaskedEq(MSG_FASTOPEN), 0)]],
        Some(Only::StreamOptions) => OPTIONS
            .iter()
            .map(|(level, option)| vec![(1, Dword, Eq, *level), (2, Dword, Eq, *option)])
            .collect(),
        Some(Only::NamesAndReads) => PRCTL.iter().map(|option| vec![(0, Dword, Eq, *option)]).collect(),
        Some(Only::OwnFences) => {
            let options = PRCTL.iter().chain(&PRCTL_FENCES).map(|option| vec![(0, Dword, Eq, *option)]);
            options.chain([vec![(0, Dword, Eq, PR_SET_DUMPABLE), (1, Qword, Eq, 0)]]).collect()
        }
        // prlimit64(0, which, NULL, old); getrlimit can only read.
        Some(Only::ReadLimits) if name == "getrlimit" => return Ok(Vec::new()),
        // The old calls are about this process only.
        Some(Only::OwnLimits) if name != "prlimit64" => return Ok(Vec::new()),
        Some(Only::OwnLimits) => vec![vec![(0, Dword, Eq, 0)]],
        Some(Only::ReadLimits) => vec![vec![(0, Dword, Eq, 0), (2, Qword, Eq, 0)]],
    };
    let condition = |(index, length, op, value)| SeccompCondition::new(index, length, op, value);
    let rule = |all: Vec<Condition>| {
        all.into_iter().map(condition).collect::<Result<_, _>>().and_then(SeccompRule::new)
    };
    any_of
        .into_iter()
        .map(rule)
        .collect::<Result<_, _>>()
        .map_err(|source: seccompiler::BackendError| Error::Seccomp { source: source.into() })
}

const PROT_EXEC: u64 = 0x4;
const CLONE_THREAD: u64 = 0x0001_0000;
/// CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
const CLONE_NEW: u64 = 0x7e02_0080;
const AF_UNIX: u64 = 1;
const MSG_FASTOPEN: u64 = 0x2000_0000;

/// F_SETOWN, F_SETSIG, F_SETOWN_EX, F_NOTIFY.
const SIGNAL_OWNER: [u64; 4] = [8, 10, 15, 1026];

/// TIOCSTI and TIOCLINUX, which type on a terminal; TIOCSETD, which makes another thing of one; FIOSETOWN, SIOCSPGRP and
/// FIOASYNC, which aim signals at a process.
const TYPING: [u64; 6] = [0x5412, 0x541c, 0x5423, 0x8901, 0x8902, 0x5452];

/// TIOCSTI and TIOCLINUX, which type on a terminal, are not among them.
const REQUESTS: [u64; 14] = [
    0x5401,      // TCGETS
    0x5402,      // TCSETS
    0x5403,      // TCSETSW
    0x5404,      // TCSETSF
    0x802c_542a, // TCGETS2, as newer C libraries do
    0x402c_542b, // TCSETS2
    0x402c_542c, // TCSETSW2
    0x402c_542d, // TCSETSF2
    0x5413,      // TIOCGWINSZ
    0x541b,      // FIONREAD
    0x5421,      // FIONBIO
    0x5450,      // FIONCLEX
    0x5451,      // FIOCLEX
    0x8008_6601, // FS_IOC_GETFLAGS
];

/// (SOL_SOCKET = 1 | IPPROTO_TCP = 6, option).
const OPTIONS: [(u64, u64); 11] = [
    (1, 7),  // SO_SNDBUF
    (1, 8),  // SO_RCVBUF
    (1, 9),  // SO_KEEPALIVE
    (1, 13), // SO_LINGER
    (1, 20), // SO_RCVTIMEO
    (1, 21), // SO_SNDTIMEO
    (6, 1),  // TCP_NODELAY
    (6, 4),  // TCP_KEEPIDLE
    (6, 5),  // TCP_KEEPINTVL
    (6, 6),  // TCP_KEEPCNT
    (6, 18), // TCP_USER_TIMEOUT
];

/// Not dumpable, and never the other way round.
const PR_SET_DUMPABLE: u64 = 4;

/// Each of them takes away.
const PRCTL_FENCES: [u64; 5] = [
    1,  // PR_SET_PDEATHSIG: to end with the parent
    24, // PR_CAPBSET_DROP
    38, // PR_SET_NO_NEW_PRIVS
    47, // PR_CAP_AMBIENT: raising one takes a capability that none has
    65, // PR_SET_MDWE
];

const PRCTL: [u64; 9] = [
    3,           // PR_GET_DUMPABLE
    15,          // PR_SET_NAME
    16,          // PR_GET_NAME
    21,          // PR_GET_SECCOMP
    23,          // PR_CAPBSET_READ
    27,          // PR_GET_SECUREBITS
    39,          // PR_GET_NO_NEW_PRIVS
    66,          // PR_GET_MDWE
    0x5356_4d41, // PR_SET_VMA: names for memory
];

//! What holds in this process, as plain data.

use base16ct::lower::encode_string as hex;
use policy::{Plan, Process};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::fence::Fence;
use crate::landlock::{ABI_FULL, missing};
use crate::namespace::Network;
use crate::{LoopbackListener, Sandboxed, raw};

/// How far a fence holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// In full.
    Green,
    /// It holds, and something about it is weaker than it could be; the detail says what.
    Amber,
    /// It is not there, by a line of the policy.
    Missing,
}

/// One fence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FenceReport {
    /// Which one.
    pub fence: Fence,
    /// How far it holds.
    pub state: State,
    /// A sentence without names or paths of this host.
    pub detail: String,
}

/// What a start achieved. No field holds a path, a name or any other personal data but the user's number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Version of this form.
    pub schema: u32,
    /// Which of the program's processes.
    pub process: Process,
    /// One entry per fence, in the order of [`Fence::ALL`].
    pub fences: Vec<FenceReport>,
    /// The Landlock ABI that is enforced.
    pub landlock_abi: i32,
    /// Landlock features that this kernel lacks.
    pub landlock_missing: Vec<&'static str>,
    /// The user's number.
    pub uid: u32,
    /// Did the network namespace take a user namespace?
    pub user_namespace: bool,
    /// The address that is listened on, if any.
    pub listen: Option<String>,
    /// Is `[::1]` at the same port held, so that nobody else answers for `localhost`?
    pub holds_ipv6_loopback: bool,
    /// Digest of the plan, as [`policy::Plan::digest`]; lower-case hex in JSON.
    #[serde(serialize_with = "as_hex")]
    pub plan: [u8; 32],
}

impl Report {
    /// Green if every fence is green, else amber.
    pub fn overall(&self) -> State {
        if self.fences.iter().all(|fence| fence.state == State::Green) { State::Green } else { State::Amber }
    }

    /// The report in lines, in a fixed order: for people, and the input of [`Report::digest`].
    pub fn explain(&self) -> String {
        let mut lines = vec![
            format!("fences {}", self.schema),
            format!("process {}", self.process.word()),
            format!("landlock_abi {}", self.landlock_abi),
            format!("landlock_missing {}", self.landlock_missing.join(", ")),
            format!("uid {}", self.uid),
            format!("user_namespace {}", self.user_namespace),
            format!("listen {}", self.listen.as_deref().unwrap_or("none")),
            format!("holds_ipv6_loopback {}", self.holds_ipv6_loopback),
            format!("plan {}", hex(&self.plan)),
        ];
        for FenceReport { fence, state, detail } in &self.fences {
            let state = match state {
                State::Green => "green",
                State::Amber => "amber",
                State::Missing => "missing",
            };
            lines.push(format!("{fence} {state}: {detail}"));
        }
        lines.join("\n") + "\n"
    }

    /// SHA-256 of [`Report::explain`]: what a start puts on record.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.explain().as_bytes()).into()
    }
}

fn as_hex<S: serde::Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex(bytes))
}

pub(crate) fn describe(
    sandboxed: &Sandboxed,
    plan: &Plan,
    listener: Option<&LoopbackListener>,
    landlock_abi: i32,
) -> Report {
    let user_namespace = sandboxed.user_namespace;
    let landlock_missing = missing(landlock_abi);
    let describe = |fence| {
        let (state, detail) = match fence {
            Fence::Environment => (State::Green, "known variables only, working folder /".to_owned()),
            Fence::Descriptors if listener.is_some_and(LoopbackListener::leaves_ipv6_open) => (
                State::Amber,
                "the checked listener was handed over, and [::1] at its port cannot be held from here: whoever takes it \
                 answers for localhost in a browser"
                    .to_owned(),
            ),
            Fence::Descriptors => {
                (State::Green, "standard streams, a checked listener, and the socket to the keeper".to_owned())
            }
            Fence::FileModes => (State::Green, "umask 077".to_owned()),
            Fence::CoreLimit => (State::Green, "no core files".to_owned()),
            Fence::NetworkNamespace => network(&sandboxed.network, user_namespace),
            Fence::Dumpable => {
                (State::Green, "other processes of this user cannot read its memory".to_owned())
            }
            Fence::WriteXorExecute => (State::Green, "no memory is writable and executable".to_owned()),
            Fence::Capabilities => capabilities(sandboxed),
            Fence::Landlock if landlock_abi < ABI_FULL => (
                State::Amber,
                format!(
                    "ABI {landlock_abi}; seccomp and the network namespace stand in for what newer \
                        kernels add"
                ),
            ),
            Fence::Landlock => (State::Green, format!("ABI {landlock_abi}, {} paths", plan.paths.len())),
            Fence::Seccomp if plan.others.is_some() => (
                State::Green,
                format!(
                    "{} calls answered EPERM and {} narrowed, others allowed to the driver of a card",
                    plan.refused.len(),
                    plan.calls.len()
                ),
            ),
            Fence::Seccomp => {
                (State::Green, format!("{} calls allowed, others answered EPERM", plan.calls.len()))
            }
        };
        FenceReport { fence, state, detail }
    };
    Report {
        schema: 2,
        process: plan.process,
        fences: Fence::ALL.into_iter().map(describe).collect(),
        landlock_abi,
        landlock_missing,
        uid: raw::user_id(),
        user_namespace,
        listen: listener.map(|listener| listener.addr().to_string()),
        holds_ipv6_loopback: listener.is_some_and(LoopbackListener::holds_ipv6),
        plan: plan.digest(),
    }
}

fn network(network: &Network, user_namespace: bool) -> (State, String) {
    match network {
        Network::Own(_) if user_namespace => {
            (State::Green, "own and empty, by way of a user namespace".to_owned())
        }
        Network::Own(_) => (State::Green, "own and empty".to_owned()),
        Network::Given { managed: true, .. } => {
            (State::Green, "given by the service manager, no interface but loopback".to_owned())
        }
        Network::Given { managed: false, .. } => {
            (State::Amber, "no interface but loopback, perhaps shared with other processes".to_owned())
        }
        Network::Missing => (
            State::Missing,
            "the host's network; seccomp and Landlock alone keep this process off it".to_owned(),
        ),
    }
}

fn capabilities(sandboxed: &Sandboxed) -> (State, String) {
    if raw::user_id() == 0 {
        (State::Amber, "none, but uid 0 owns root's files: start it as an ordinary user".to_owned())
    } else if sandboxed.bounding_kept {
        // Every ordinary user without a user namespace has this; no_new_privs makes it unreachable.
        (State::Green, "none; the bounding set stays, and no_new_privs keeps it out of reach".to_owned())
    } else {
        (State::Green, "none, in any set".to_owned())
    }
}

//! What the appliance may do, as data: TOML in, a plain [`Plan`] out.
//!
//! Belongs here: the built-in profile, the overlay that can only tighten it, the listen address that can only
//! be loopback, the digest of the result, and the other file of the same folder, what the controller says of themselves. Does not belong here: system calls, files, enforcement. The
//! `sandbox` crate turns a plan into kernel state.
//!
//! ```
//! use policy::{Folders, Policy, Process};
//! let places = Folders {
//!     config: "/etc/example".into(),
//!     vault: "/var/lib/example/vault".into(),
//!     audit: "/var/lib/example/audit".into(),
//!     outputs: "/srv/pictures".into(),
//!     ..Folders::default()
//! };
//! let plan = Policy::read(Some("schema = 1\nkeep_prompts = \"never\""))?.plan(Process::Server, &places)?;
//! assert_eq!(plan.listen.port(), 7860);
//! # Ok::<(), policy::Error>(())
//! ```

mod calls;
mod compose;
mod controller;
mod document;
mod error;
mod gpu;
mod laws;
mod limits;
mod listen;
mod needed;
mod paths;
mod plan;
mod settings;
mod two_person;
mod unattended;

pub use calls::{CallGrant, Only, Refusal, Since};
pub use controller::{CONTROLLER_BYTES_MAX, CONTROLLER_KEYS, Controller, ControllerError, read_controller};
pub use error::Error;
pub use laws::IncidentLaw;
pub use limits::Limits;
pub use listen::{ListenError, LoopbackAddr};
pub use needed::NEEDED;
pub use paths::{Card, Folders, PathGrant, Right};
pub use plan::Plan;
pub use settings::{Origin, Setting};
pub use two_person::{TwoPerson, TwoPersons};
pub use unattended::Unattended;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The processes of the program, each with a profile of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Process {
    /// It starts the others. It has the terminal, and no file.
    Keeper,
    /// It has the keys, the vault, the log and the listener; a verb that makes no picture has no other process.
    Server,
    /// It has the model.
    Engine,
    /// A verb that works through a running server. It has a terminal, one connection, and no file but plain copies.
    Client,
    /// It brings models in, checks and removes them. It runs none, and has no key.
    Import,
}

impl Process {
    /// Every process.
    pub const ALL: [Self; 5] = [Self::Keeper, Self::Server, Self::Engine, Self::Client, Self::Import];

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Keeper => "keeper",
            Self::Server => "server",
            Self::Engine => "engine",
            Self::Client => "client",
            Self::Import => "import",
        }
    }
}

/// The texts of the profiles: the upper bound of every plan.
#[derive(Clone, Copy, Debug)]
pub struct Profiles<'a> {
    /// Of the process with the keys; with the settings.
    pub server: &'a str,
    /// Of the process with the model.
    pub engine: &'a str,
    /// Of the process that starts the others.
    pub keeper: &'a str,
    /// Of a verb that works through a running server.
    pub client: &'a str,
    /// Of the process that brings models in.
    pub import: &'a str,
    /// What an engine and its keeper have besides, where a card is asked for.
    pub gpu: &'a str,
}

/// The profiles that are compiled in.
pub const BUILT_IN: Profiles<'static> = Profiles {
    server: include_str!("../profiles/server.toml"),
    engine: include_str!("../profiles/engine.toml"),
    keeper: include_str!("../profiles/keeper.toml"),
    client: include_str!("../profiles/client.toml"),
    import: include_str!("../profiles/import.toml"),
    gpu: include_str!("../profiles/gpu.toml"),
};

/// The longest period that can be set, in days.
pub const PICTURE_DAYS_MAX: u32 = 36_500;

/// The shortest period after which records of the log may go, in days: six months, as laws ask for that demand a log.
pub const LOG_DAYS_MIN: u32 = 184;

/// Days that the last full run of the controls may be ago, where no overlay asks for it more often.
pub const RUN_DAYS: u32 = 7;

/// Periods that nothing is done by: a control is held against each that is set, and not measured without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Periods {
    /// Days that the vault may have the same master key.
    pub key_days_max: Option<u32>,
    /// Days that the last trial of the recovery code may be ago.
    pub drill_days_max: Option<u32>,
    /// Days that the newest backup may be old.
    pub backup_days_max: Option<u32>,
    /// Days that the newest time stamp of the log may be old.
    pub stamp_days_max: Option<u32>,
    /// Days that the last full run of the controls may be ago; [`RUN_DAYS`] without it.
    pub run_days_max: Option<u32>,
}

impl Periods {
    /// Each with its key in an overlay.
    pub fn entries(&self) -> [(&'static str, Option<u32>); 5] {
        [
            ("key_days_max", self.key_days_max),
            ("drill_days_max", self.drill_days_max),
            ("backup_days_max", self.backup_days_max),
            ("stamp_days_max", self.stamp_days_max),
            ("run_days_max", self.run_days_max),
        ]
    }

    /// Days that the last full run of the controls may be ago.
    pub fn run_days(&self) -> u32 {
        self.run_days_max.unwrap_or(RUN_DAYS)
    }

    /// Whether none of them is longer.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        // What is not set is longer than everything, but for the one that counts all the same.
        let days = |of: &Self| of.entries().map(|(_, days)| days.unwrap_or(u32::MAX));
        let whole = |of: &Self| Self { run_days_max: Some(of.run_days()), ..*of };
        days(&whole(self)).into_iter().zip(days(&whole(other))).all(|(ours, theirs)| ours <= theirs)
    }
}

/// Largest overlay that is parsed, in bytes.
pub const OVERLAY_BYTES_MAX: usize = 64 << 10;

/// The profiles after their overlay, before their placeholders are resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    listen: LoopbackAddr,
    outputs: Option<PathBuf>,
    checkpoint_copy: Option<PathBuf>,
    keep_prompts: KeepPrompts,
    erase: Erase,
    picture_days_max: Option<u32>,
    log_days_max: Option<u32>,
    names_days_max: Option<u32>,
    two_person: TwoPersons,
    incident_laws: BTreeSet<IncidentLaw>,
    periods: Periods,
    unattended: Unattended,
    network_namespace: NetworkNamespace,
    limits: Limits,
    grants: BTreeMap<Process, Grants>,
    of_gpu: gpu::OfGpu,
    /// System calls that the overlay denies.
    denied: Vec<String>,
}

/// What one process may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Grants {
    paths: BTreeMap<String, PathGrant>,
    calls: BTreeMap<String, CallGrant>,
    absent: BTreeMap<String, String>,
}

impl Policy {
    /// The built-in profiles, tightened by the text of an overlay if there is one.
    pub fn read(overlay: Option<&str>) -> Result<Self, Error> {
        let base = Self::parse(BUILT_IN)?;
        match overlay {
            Some(text) => base.tighten(text),
            None => Ok(base),
        }
    }

    /// Parses whole profiles. Unknown keys, doubled grants and grants without a reason are errors.
    pub fn parse(profiles: Profiles<'_>) -> Result<Self, Error> {
        let mut policy = document::settings_and_grants(profiles.server)?;
        let others = [
            (Process::Engine, profiles.engine),
            (Process::Keeper, profiles.keeper),
            (Process::Client, profiles.client),
            (Process::Import, profiles.import),
        ];
        for (process, text) in others {
            policy.grants.insert(process, document::grants(process, text)?);
        }
        policy.of_gpu = document::of_gpu(profiles.gpu)?;
        Ok(policy)
    }

    /// Applies an overlay. Every key may only take away, but for `missing_network_namespace = "allow"` and `unattended`.
    pub fn tighten(self, overlay: &str) -> Result<Self, Error> {
        compose::tighten(self, document::overlay(overlay)?)
    }

    /// What one process may do: the placeholders are resolved, and a grant whose place is `None` is left out.
    pub fn plan(&self, process: Process, places: &Folders) -> Result<Plan, Error> {
        plan::resolve(self, process, places)
    }

    /// System calls that the overlay denies: what fails for want of one is the overlay's doing, and not the host's.
    pub fn denied(&self) -> &[String] {
        &self.denied
    }

    /// Where the server listens.
    pub fn listen(&self) -> LoopbackAddr {
        self.listen
    }

    /// Whether the program may write plain copies where a person names a place for them.
    pub fn allows_plain_copies(&self) -> bool {
        let needed = [Right::Write, Right::Create];
        self.grants
            .get(&Process::Server)
            .and_then(|grants| grants.paths.get("${export}"))
            .is_some_and(|grant| needed.iter().all(|right| grant.rights.contains(right)))
    }

    /// Whether a server may open the vault with a machine secret.
    pub fn unattended(&self) -> Unattended {
        self.unattended
    }

    /// Whether an engine may be given a card.
    pub fn allows_cards(&self) -> bool {
        let needed = [Right::Read, Right::Write, Right::Ioctl];
        let grant = self.of_gpu.grants.paths.get("${card}");
        grant.is_some_and(|grant| needed.iter().all(|right| grant.rights.contains(right)))
    }

    /// The folder for a copy of the newest checkpoint that the overlay names, if it names one.
    pub fn checkpoint_copy(&self) -> Option<&Path> {
        self.checkpoint_copy.as_deref()
    }

    /// The folder for sealed pictures that the overlay names, if it names one.
    pub fn outputs(&self) -> Option<&Path> {
        self.outputs.as_deref()
    }
}

/// May a request ask that its prompt is kept in the sealed metadata?
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeepPrompts {
    /// A request may ask for it; without asking nothing is kept.
    Allow,
    /// No request may.
    Never,
}

impl KeepPrompts {
    /// The word used in the profile.
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Never => "never",
        }
    }
}

/// May pictures be erased?
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Erase {
    /// Whoever may use the vault may erase what is in it.
    Allow,
    /// Nobody may: a site's hold. Every erasure is refused before its first effect.
    Never,
}

impl Erase {
    /// The word used in the profile.
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Never => "never",
        }
    }
}

/// May the process run where no empty network namespace can be made?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkNamespace {
    /// No namespace, no start.
    Required,
    /// The explicit line `missing_network_namespace = "allow"`: it runs and shows amber.
    MayBeMissing,
}

impl NetworkNamespace {
    /// The word used in the profile.
    pub fn word(self) -> &'static str {
        match self {
            Self::Required => "refuse",
            Self::MayBeMissing => "allow",
        }
    }
}

//! The plan: plain data, ordered, comparable, with one digest.

use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::{
    CallGrant, Erase, Error, Folders, IncidentLaw, KeepPrompts, Limits, LoopbackAddr, NetworkNamespace, Only,
    PathGrant, Periods, Policy, Process, Refusal, Right, Since, TwoPersons, Unattended, laws, paths,
};

/// What one process of a run may do. It has no `Default`: an empty plan would mean either everything or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Which process.
    pub process: Process,
    /// Where the server listens.
    pub listen: LoopbackAddr,
    /// May prompts be kept at all?
    pub keep_prompts: KeepPrompts,
    /// May pictures be erased at all?
    pub erase: Erase,
    /// After how many days a picture is erased by itself; `None`: never.
    pub picture_days_max: Option<u32>,
    /// After how many days records of the log may be pruned; `None`: never.
    pub log_days_max: Option<u32>,
    /// After how many days behind their removal somebody's name and salt are destroyed; `None`: never.
    pub names_days_max: Option<u32>,
    /// Acts of one admin that a second one confirms.
    pub two_person: TwoPersons,
    /// Laws whose clocks the pinning of an incident starts, besides those that are named then.
    pub incident_laws: BTreeSet<IncidentLaw>,
    /// What controls are held against.
    pub periods: Periods,
    /// May a server open the vault by a machine secret?
    pub unattended: Unattended,
    /// May the network namespace be missing?
    pub network_namespace: NetworkNamespace,
    /// Bounds on requests and on the process.
    pub limits: Limits,
    /// Rights per path, for everything beneath it.
    pub paths: BTreeMap<PathBuf, PathGrant>,
    /// Allowed system calls by name; any other is answered EPERM.
    pub calls: BTreeMap<String, CallGrant>,
    /// System calls that are answered ENOSYS, with the reason.
    pub absent: BTreeMap<String, String>,
    /// Why a call that is named neither here nor there is allowed all the same: for a closed driver's library. `None`: it is
    /// refused.
    pub others: Option<String>,
    /// System calls that are answered EPERM where others are allowed.
    pub refused: BTreeMap<String, Refusal>,
    /// Folder of the overlay: every start tries to write there and must fail.
    pub config: PathBuf,
    /// Folders of another process: every start tries to list them and must fail.
    pub closed: Vec<PathBuf>,
}

impl Plan {
    /// Does this plan allow nothing that `other` denies?
    pub fn is_within(&self, other: &Self) -> bool {
        let keeps = |plan: &Self| plan.keep_prompts == KeepPrompts::Allow;
        let erases = |plan: &Self| plan.erase == Erase::Allow;
        let days = |plan: &Self| {
            [plan.picture_days_max, plan.log_days_max, plan.names_days_max]
                .map(|days| days.unwrap_or(u32::MAX))
        };
        let bare = |plan: &Self| plan.network_namespace == NetworkNamespace::MayBeMissing;
        let rights = |path: &Path, grant: &PathGrant| {
            other.paths.get(path).is_some_and(|theirs| grant.rights.is_subset(&theirs.rights))
        };
        let named = self.calls.iter().all(|(name, grant)| other.lets_pass(name, grant.only));
        // Where what is not named passes, it must pass there, too, and what is named there must be named here.
        let unnamed = self.others.is_none()
            || other.others.is_some()
                && other.refused.iter().all(|(name, theirs)| {
                    self.refused.get(name).is_some_and(|ours| ours.since <= theirs.since)
                })
                && other
                    .calls
                    .keys()
                    .all(|name| self.calls.contains_key(name) || self.refused.contains_key(name));
        self.process == other.process
            && (!keeps(self) || keeps(other))
            && (!erases(self) || erases(other))
            && days(self).into_iter().zip(days(other)).all(|(ours, theirs)| ours <= theirs)
            && self.two_person.and(other.two_person) == self.two_person
            && other.incident_laws.is_subset(&self.incident_laws)
            && self.periods.is_within(&other.periods)
            && self.unattended <= other.unattended
            && (!bare(self) || bare(other))
            && self.limits.is_within(&other.limits)
            && self.paths.iter().all(|(path, grant)| rights(path, grant))
            && named
            && unnamed
            && self.absent.keys().all(|name| other.absent.contains_key(name))
    }

    /// Does this plan let a call pass at its start, with such arguments?
    fn lets_pass(&self, name: &str, only: Option<Only>) -> bool {
        match self.calls.get(name) {
            Some(theirs) => match (theirs.only, only) {
                (None, _) => true,
                (Some(theirs), Some(ours)) => theirs.covers(ours),
                (Some(_), None) => false,
            },
            None => {
                let is_refused = self.refused.get(name).is_some_and(|refusal| refusal.since == Since::Start);
                self.others.is_some() && !is_refused && !self.absent.contains_key(name)
            }
        }
    }

    /// The plan in sentences, one per line and in a fixed order: for people, and the input of
    /// [`Plan::digest`].
    pub fn explain(&self) -> String {
        let mut text = String::from("plan 2\n");
        let mut line = |args: std::fmt::Arguments<'_>| {
            text.write_fmt(args).expect("writing to a String cannot fail");
            text.push('\n');
        };
        line(format_args!("process {}", self.process.word()));
        line(format_args!("listen {}", self.listen));
        line(format_args!("keep_prompts {}", self.keep_prompts.word()));
        line(format_args!("erase {}", self.erase.word()));
        if let Some(days) = self.picture_days_max {
            line(format_args!("picture_days_max {days}"));
        }
        if let Some(days) = self.names_days_max {
            line(format_args!("names_days_max {days}"));
        }
        if let Some(days) = self.log_days_max {
            line(format_args!("log_days_max {days}"));
        }
        if !self.two_person.is_empty() {
            line(format_args!("two_person {}", self.two_person.words()));
        }
        if !self.incident_laws.is_empty() {
            line(format_args!("incident_laws {}", laws::words(&self.incident_laws)));
        }
        for (key, days) in self.periods.entries() {
            if let Some(days) = days {
                line(format_args!("{key} {days}"));
            }
        }
        if self.unattended != Unattended::Refuse {
            line(format_args!("unattended {}", self.unattended.word()));
        }
        line(format_args!("missing_network_namespace {}", self.network_namespace.word()));
        for (key, value) in self.limits.entries() {
            line(format_args!("limit {key} {value}"));
        }
        for (path, PathGrant { rights, why }) in &self.paths {
            let words: Vec<_> = rights.iter().map(|right| right.word()).collect();
            // Debug quoting keeps a path with a line break on one line.
            line(format_args!("path {path:?} {}: {why}", words.join(",")));
        }
        for (name, CallGrant { only, why }) in &self.calls {
            line(format_args!("call {name} {}: {why}", only.map_or("any", |only| only.word())));
        }
        for (name, why) in &self.absent {
            line(format_args!("absent {name}: {why}"));
        }
        if let Some(why) = &self.others {
            line(format_args!("others any: {why}"));
        }
        for (name, Refusal { since, why }) in &self.refused {
            line(format_args!("refused {name} since {}: {why}", since.word()));
        }
        line(format_args!("config {:?}", self.config));
        for path in &self.closed {
            line(format_args!("closed {path:?}"));
        }
        text
    }

    /// SHA-256 of [`Plan::explain`]: what a start puts on record.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.explain().as_bytes()).into()
    }
}

pub(crate) fn resolve(policy: &Policy, process: Process, places: &Folders) -> Result<Plan, Error> {
    let paths = granted(policy, process, places)?;
    // Whoever writes, no process may have its policy, the model or golden values written.
    let written = granted(policy, Process::Server, places)?;
    let config = paths::plain(&places.config)?;
    for written in [&written, &paths] {
        refuse_writable(written, &config)
            .map_err(|by| Error::PolicyWritable { by, config: config.clone() })?;
    }
    if let Some(model) = &places.model {
        refuse_writable(&written, model).map_err(|by| Error::ModelWritable { by, model: model.clone() })?;
    }
    // Models are written by what brings them in alone, and what it copies from is not.
    if let Some(models) = &places.models {
        refuse_writable(&written, models).map_err(|by| Error::ModelWritable { by, model: models.clone() })?;
    }
    if let Some(source) = &places.source {
        refuse_writable(&paths, source).map_err(|by| Error::ModelWritable { by, model: source.clone() })?;
    }
    if let Some(reference) = &places.reference {
        refuse_writable(&written, reference)
            .map_err(|by| Error::ReferenceWritable { by, reference: reference.clone() })?;
    }
    let closed = match process {
        Process::Server => Vec::new(),
        Process::Engine | Process::Keeper | Process::Client | Process::Import => {
            let folders = [&places.vault, &places.audit, &places.outputs];
            let mut closed =
                folders.into_iter().map(|path| paths::plain(path)).collect::<Result<Vec<_>, _>>()?;
            closed.sort();
            closed.dedup();
            closed
        }
    };
    for folder in &closed {
        // A plain copy may go beside sealed pictures: whoever writes it there can neither read nor list them.
        let reads = |grant: &PathGrant| process != Process::Client || grant.rights.contains(&Right::Read);
        let near = |path: &Path| folder.starts_with(path) || path.starts_with(folder);
        if let Some((by, _)) = paths.iter().find(|(path, grant)| near(path) && reads(grant)) {
            return Err(Error::Closed { by: by.clone(), closed: folder.clone() });
        }
    }
    let grants = policy.grants.get(&process).cloned().unwrap_or_default();
    let mut plan = Plan {
        process,
        listen: policy.listen,
        keep_prompts: policy.keep_prompts,
        erase: policy.erase,
        picture_days_max: policy.picture_days_max,
        log_days_max: policy.log_days_max,
        names_days_max: policy.names_days_max,
        two_person: policy.two_person,
        incident_laws: policy.incident_laws.clone(),
        periods: policy.periods,
        unattended: policy.unattended,
        network_namespace: policy.network_namespace,
        limits: policy.limits,
        paths,
        calls: grants.calls,
        absent: grants.absent,
        others: None,
        refused: BTreeMap::new(),
        config,
        closed,
    };
    if places.card.is_some() && policy.of_gpu.paths(process).is_some() {
        policy.of_gpu.apply(&mut plan);
    }
    Ok(plan)
}

/// The places of a process, with their rights.
fn granted(
    policy: &Policy,
    process: Process,
    places: &Folders,
) -> Result<BTreeMap<PathBuf, PathGrant>, Error> {
    let mut resolved = BTreeMap::<PathBuf, PathGrant>::new();
    let grants = policy.grants.get(&process).into_iter().flat_map(|grants| &grants.paths);
    let of_gpu = places.card.as_ref().and_then(|_| policy.of_gpu.paths(process)).into_iter().flatten();
    for (at, grant) in grants.chain(of_gpu) {
        let mut grant = grant.clone();
        if at == "${bundle}" && places.bundle_is_read {
            grant.rights.retain(|right| *right == Right::Read);
        }
        for path in places.resolve(at)? {
            resolved
                .entry(path)
                .and_modify(|known| {
                    // Two places in one folder: it has the rights and the reasons of both.
                    known.rights.extend(&grant.rights);
                    known.why = format!("{}; {}", known.why, grant.why);
                })
                .or_insert_with(|| grant.clone());
        }
    }
    Ok(resolved)
}

/// A writable grant on `kept`, above it or beneath it would make (part of) it writable.
fn refuse_writable(paths: &BTreeMap<PathBuf, PathGrant>, kept: &Path) -> Result<(), PathBuf> {
    let hit = paths
        .iter()
        .find(|(path, grant)| grant.changes_files() && (kept.starts_with(path) || path.starts_with(kept)));
    hit.map_or(Ok(()), |(path, _)| Err(path.clone()))
}

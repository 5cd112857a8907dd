//! TOML to values. The structs are the grammar: a key that is not a field is an error.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::gpu::OfGpu;
use crate::limits::{Limits, LowerLimits};
use crate::{
    CallGrant, Erase, Error, Grants, IncidentLaw, KeepPrompts, LoopbackAddr, NetworkNamespace,
    OVERLAY_BYTES_MAX, Only, PathGrant, Periods, Policy, Process, Refusal, Right, Since, TwoPerson,
    TwoPersons, Unattended,
};

const SCHEMA: u32 = 1;

/// Parses the profile of the server, which has the settings, too.
pub(crate) fn settings_and_grants(text: &str) -> Result<Policy, Error> {
    let Settings {
        schema,
        listen,
        keep_prompts,
        erase,
        unattended,
        missing_network_namespace,
        limits,
        path,
        call,
        absent,
    } = toml::from_str(text).map_err(Error::Syntax)?;
    check_schema(schema)?;
    Ok(Policy {
        listen: LoopbackAddr::parse(&listen)?,
        outputs: None,
        checkpoint_copy: None,
        keep_prompts,
        erase,
        picture_days_max: None,
        log_days_max: None,
        names_days_max: None,
        two_person: TwoPersons::default(),
        incident_laws: BTreeSet::new(),
        periods: Periods::default(),
        unattended,
        network_namespace: missing_network_namespace.into(),
        limits,
        grants: [(Process::Server, granted(Process::Server, path, call, absent)?)].into(),
        of_gpu: OfGpu::default(),
        denied: Vec::new(),
    })
}

/// Parses the profile of another process.
pub(crate) fn grants(process: Process, text: &str) -> Result<Grants, Error> {
    let Profile { schema, path, call, absent } = toml::from_str(text).map_err(Error::Syntax)?;
    check_schema(schema)?;
    granted(process, path, call, absent)
}

/// Parses what is granted besides where a card is asked for.
pub(crate) fn of_gpu(text: &str) -> Result<OfGpu, Error> {
    let GpuProfile { schema, others, path, call, absent, refused } =
        toml::from_str(text).map_err(Error::Syntax)?;
    check_schema(schema)?;
    let (mut of_engine, mut of_keeper) = (Vec::new(), Vec::new());
    for OfPath { at, of, allow, why } in path {
        let both = [(Process::Engine, &mut of_engine), (Process::Keeper, &mut of_keeper)];
        for (_, table) in both.into_iter().filter(|(process, _)| of.is_none_or(|of| of == *process)) {
            table.push(PathTable { at: at.clone(), allow: allow.clone(), why: why.clone() });
        }
    }
    let grants = granted(Process::Engine, of_engine, call, absent)?;
    let of_keeper = granted(Process::Keeper, of_keeper, Vec::new(), Vec::new())?.paths;
    let mut all = BTreeMap::new();
    for RefusedTable { names, since, why } in refused {
        for name in names {
            let refusal = Refusal { since, why: reason(why.clone(), &name)? };
            // What is narrowed may be refused later, and then altogether.
            let twice = since == Since::Start && grants.calls.contains_key(&name)
                || grants.absent.contains_key(&name);
            if twice || all.insert(name.clone(), refusal).is_some() {
                return Err(Error::Doubled { at: name });
            }
        }
    }
    Ok(OfGpu { others: reason(others, "others")?, grants, of_keeper, refused: all })
}

fn granted(
    process: Process,
    path: Vec<PathTable>,
    call: Vec<CallTable>,
    absent: Vec<AbsentTable>,
) -> Result<Grants, Error> {
    let mut grants = Grants::default();
    for PathTable { at, allow, why } in path {
        let why = reason(why, &at)?;
        let rights: BTreeSet<Right> = allow.into_iter().collect();
        if rights.is_empty() {
            return Err(Error::EmptyGrant { at });
        }
        if rights.contains(&Right::Execute) && (process, at.as_str()) != (Process::Keeper, "${program}") {
            return Err(Error::Executes { at });
        }
        if grants.paths.insert(at.clone(), PathGrant { rights, why }).is_some() {
            return Err(Error::Doubled { at });
        }
    }
    for CallTable { names, only, why } in call {
        for name in names {
            let grant = CallGrant { only, why: reason(why.clone(), &name)? };
            if grants.calls.insert(name.clone(), grant).is_some() {
                return Err(Error::Doubled { at: name });
            }
        }
    }
    for AbsentTable { names, why } in absent {
        for name in names {
            let why = reason(why.clone(), &name)?;
            if grants.calls.contains_key(&name) || grants.absent.insert(name.clone(), why).is_some() {
                return Err(Error::Doubled { at: name });
            }
        }
    }
    Ok(grants)
}

/// Parses an overlay.
pub(crate) fn overlay(text: &str) -> Result<Overlay, Error> {
    if text.len() > OVERLAY_BYTES_MAX {
        return Err(Error::TooLong { bytes: text.len(), bytes_max: OVERLAY_BYTES_MAX });
    }
    let overlay: Overlay = toml::from_str(text).map_err(Error::Syntax)?;
    check_schema(overlay.schema)?;
    for deny in &overlay.deny {
        reason(deny.why.clone(), deny.path.as_deref().or(deny.call.as_deref()).unwrap_or("[[deny]]"))?;
    }
    Ok(overlay)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    schema: u32,
    path: Vec<PathTable>,
    call: Vec<CallTable>,
    absent: Vec<AbsentTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    schema: u32,
    listen: String,
    keep_prompts: KeepPrompts,
    erase: Erase,
    unattended: Unattended,
    missing_network_namespace: Missing,
    limits: Limits,
    path: Vec<PathTable>,
    call: Vec<CallTable>,
    absent: Vec<AbsentTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PathTable {
    at: String,
    allow: Vec<Right>,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GpuProfile {
    schema: u32,
    others: String,
    path: Vec<OfPath>,
    call: Vec<CallTable>,
    absent: Vec<AbsentTable>,
    refused: Vec<RefusedTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfPath {
    at: String,
    of: Option<Process>,
    allow: Vec<Right>,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefusedTable {
    names: Vec<String>,
    #[serde(default)]
    since: Since,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallTable {
    names: Vec<String>,
    only: Option<Only>,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AbsentTable {
    names: Vec<String>,
    why: String,
}

/// What an overlay may say. All but `schema` is optional.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Overlay {
    schema: u32,
    pub listen: Option<String>,
    pub outputs: Option<PathBuf>,
    pub checkpoint_copy: Option<PathBuf>,
    pub keep_prompts: Option<KeepPrompts>,
    pub erase: Option<Erase>,
    pub picture_days_max: Option<u32>,
    pub log_days_max: Option<u32>,
    pub names_days_max: Option<u32>,
    pub two_person: Option<Vec<TwoPerson>>,
    pub incident_laws: Option<BTreeSet<IncidentLaw>>,
    pub key_days_max: Option<u32>,
    pub drill_days_max: Option<u32>,
    pub backup_days_max: Option<u32>,
    pub stamp_days_max: Option<u32>,
    pub run_days_max: Option<u32>,
    pub unattended: Option<Unattended>,
    pub missing_network_namespace: Option<Missing>,
    #[serde(default)]
    pub limits: LowerLimits,
    #[serde(default)]
    pub deny: Vec<Deny>,
}

impl Overlay {
    /// The periods that controls are held against.
    pub fn periods(&self) -> Periods {
        let Self { key_days_max, drill_days_max, backup_days_max, stamp_days_max, run_days_max, .. } = *self;
        Periods { key_days_max, drill_days_max, backup_days_max, stamp_days_max, run_days_max }
    }
}

/// Takes one grant away: a call, or a path with all or some of its rights.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deny {
    pub path: Option<String>,
    pub rights: Option<Vec<Right>>,
    pub call: Option<String>,
    pub why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Missing {
    Refuse,
    Allow,
}

impl From<Missing> for NetworkNamespace {
    fn from(word: Missing) -> Self {
        match word {
            Missing::Refuse => Self::Required,
            Missing::Allow => Self::MayBeMissing,
        }
    }
}

fn check_schema(found: u32) -> Result<(), Error> {
    if found == SCHEMA { Ok(()) } else { Err(Error::Schema { found, known: SCHEMA }) }
}

fn reason(why: String, at: &str) -> Result<String, Error> {
    // A reason is a sentence, not a dot; it is a line of the plan, so it stays on one line.
    if why.trim().len() < 8 || why.chars().any(char::is_control) {
        return Err(Error::NoReason { at: at.to_owned() });
    }
    Ok(why)
}

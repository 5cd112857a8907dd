//! A bundle of evidence: a run, made into a folder that passes its own check, and put on record before it is handed out.

use super::kept::{Error, Tried, try_now};
use super::site::{Room, Site};
use audit::{Clock as _, Selection, Typed};
use darkroom::{JobId, Who};
use evidence::{Export, ExportKey, Exported, Finding, Framework, Incident, Language, Rehearsal};
use sandbox::ProbeReport;
use std::path::Path;

/// What a bundle is to be about.
#[derive(Default)]
pub struct Chosen {
    /// The period whose records it holds.
    pub period: Selection,
    /// The law or standard; all of them without it.
    pub framework: Option<Framework>,
    /// The language of what people read; both without it.
    pub language: Option<Language>,
    /// The incident that it is for.
    pub incident: Option<Incident>,
    /// The rehearsal that it is of.
    pub rehearsal: Option<Rehearsal>,
    /// Whether it leaves although it does not pass its own check.
    pub with_failures: bool,
}

impl Chosen {
    /// The period's first moment, its last one, the framework and the language, as they are typed, with what stands before such a
    /// name where it is typed: a flag's dashes, say.
    ///
    /// # Errors
    /// One makes no sense: in words.
    pub fn parse([since, until, framework, lang]: [Option<&str>; 4], dashes: &str) -> Result<Self, String> {
        let typed = Typed { since, until, ..Typed::default() };
        let period = Selection::parse(&typed).map_err(|senseless| senseless.to_string())?;
        let framework = match framework {
            None => None,
            Some(word) => Some(Framework::parse(word).ok_or_else(|| {
                let words = Framework::ALL.map(Framework::word).join(", ");
                format!("{dashes}framework takes one of {words}")
            })?),
        };
        let language = match lang {
            None => None,
            Some("en") => Some(Language::En),
            Some("zh") => Some(Language::Zh),
            Some(_) => return Err(format!("{dashes}lang takes en or zh")),
        };
        Ok(Self { period, framework, language, ..Self::default() })
    }
}

/// A bundle that may leave.
pub struct Handed<T> {
    /// The run that it hands over.
    pub tried: Tried,
    /// What it is.
    pub exported: Exported,
    /// Number of the record that names it.
    pub record: u64,
    /// What its own check found; nothing, unless it was to leave all the same.
    pub failures: Vec<Finding>,
    /// What was made of it.
    pub made: T,
}

/// Tries the controls and makes the bundle in `dir`. `make_of` does what is left to do with it before it is on record as
/// handed out. What fails leaves nothing in `dir`, and what is given up in between nothing that is signed.
///
/// # Errors
/// As [`try_now`]; the bundle cannot be made, does not pass its own check, or is not recorded.
pub fn hand_over<T>(
    site: &Site,
    room: &mut Room<'_>,
    who: Option<&Who>,
    fences: &dyn Fn() -> Result<ProbeReport, sandbox::Error>,
    (chosen, dir): (&Chosen, &Path),
    make_of: impl FnOnce(&Path) -> Result<T, Error>,
) -> Result<Handed<T>, Error> {
    // A paper that lacks what somebody wrote would be taken for one that says it.
    site.controller().map_err(Error::Controller)?;
    let tried = try_now(site, room, who, fences)?;
    hand_over_run(site, room, who, tried, (chosen, dir), make_of)
}

/// The same of a run that is on record.
///
/// # Errors
/// As [`hand_over`].
pub fn hand_over_run<T>(
    site: &Site,
    room: &mut Room<'_>,
    who: Option<&Who>,
    tried: Tried,
    (chosen, dir): (&Chosen, &Path),
    make_of: impl FnOnce(&Path) -> Result<T, Error>,
) -> Result<Handed<T>, Error> {
    let controller = site.controller().map_err(Error::Controller)?;
    let posture = serde_json::to_value(&site.report).unwrap_or_default();
    let stamps = evidence::stamps(&site.audit, &site.evidence)?;
    let mut job = chosen.incident.as_ref().map(|incident| incident.job);
    let mut make = |room: &mut Room<'_>, failures: &[Finding]| -> Result<(Exported, JobId), Error> {
        let key = ExportKey::draw()?;
        let (named, drawn) = room.with(|darkroom| darkroom.record_key_drawn(who, key.public(), job))?;
        job = Some(named);
        let export = Export {
            stamps: &stamps,
            log: &site.audit,
            run: &tried.run,
            run_record: tried.record,
            key_record: drawn.seq_first,
            since_ms: chosen.period.since_ms,
            until_ms: chosen.period.until_ms,
            policy: &site.rules,
            posture: &posture,
            sbom: crate::version::sbom(),
            embedded: crate::version::EMBEDDED,
            answers: site.answers,
            controller: &controller,
            framework: chosen.framework,
            language: chosen.language,
            incident: chosen.incident.as_ref().map(|incident| incident.record),
            rehearsal: chosen.rehearsal.as_ref(),
            failures,
            version: env!("CARGO_PKG_VERSION"),
            made_ms: site.clock.wall_ms(),
        };
        Ok((export.make(dir, key)?, named))
    };
    let (mut exported, job) = make(room, &[])?;
    let mut failures = check_own(dir)?;
    match failures.first() {
        None => {}
        Some(first) if !chosen.with_failures => {
            evidence::take_back(dir);
            return Err(Error::NotWhole(first.clone()));
        }
        Some(_) => {
            // A bundle cannot hold what its own check finds, so it is made anew with what was found of the first.
            evidence::take_back(dir);
            failures.truncate(FINDINGS_MAX);
            exported = make(room, &failures)?.0;
        }
    }
    let found = (exported.manifest, u32::try_from(failures.len()).unwrap_or(u32::MAX));
    let recorded = make_of(dir).and_then(|made| {
        let receipt = room.with(|darkroom| darkroom.record_exported(who, job, found))?;
        evidence::finish(dir)?;
        Ok((made, receipt.seq_first))
    });
    let (made, record) = recorded.inspect_err(|_| evidence::take_back(dir))?;
    Ok(Handed { tried, exported, record, failures, made })
}

/// Most findings that a bundle tells of.
const FINDINGS_MAX: usize = 1000;

/// What the check of a bundle finds. One that cannot be checked is taken back.
fn check_own(dir: &Path) -> Result<Vec<Finding>, Error> {
    let checked = evidence::check_made(dir).inspect_err(|_| evidence::take_back(dir))?;
    Ok(checked.findings)
}

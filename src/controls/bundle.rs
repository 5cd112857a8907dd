//! A bundle of evidence: a run, made into a folder that passes its own check, and put on record before it is handed out.

use super::kept::{Error, Tried, try_now};
use super::site::{Room, Site};
use audit::{Clock as _, Selection};
use darkroom::Who;
use evidence::{Expected, Export, ExportKey, Exported, Framework, Language};
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
}

/// A bundle that may leave.
pub struct Handed<T> {
    /// The run that it hands over.
    pub tried: Tried,
    /// What it is.
    pub exported: Exported,
    /// Number of the record that names it.
    pub record: u64,
    /// What was made of it.
    pub made: T,
}

/// Tries the controls and makes the bundle in `dir`. `make_of` does what is left to do with it before it is on record as
/// handed out. What fails leaves nothing in `dir`.
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
    let tried = try_now(site, room, who, fences)?;
    let key = ExportKey::draw()?;
    let (job, drawn) = room.with(|darkroom| darkroom.record_key_drawn(who, key.public()))?;
    let posture = serde_json::to_value(&site.report).unwrap_or_default();
    let stamps = evidence::stamps(&site.audit, &site.evidence)?;
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
        framework: chosen.framework,
        language: chosen.language,
        version: env!("CARGO_PKG_VERSION"),
        made_ms: site.clock.wall_ms(),
    };
    let exported = export.make(dir, key)?;
    let recorded = check_own(dir).and_then(|()| make_of(dir)).and_then(|made| {
        let receipt = room.with(|darkroom| darkroom.record_exported(who, job, exported.manifest))?;
        Ok((made, receipt.seq_first))
    });
    let (made, record) = recorded.inspect_err(|_| evidence::take_back(dir))?;
    Ok(Handed { tried, exported, record, made })
}

/// A bundle that does not pass its own check is not handed out.
fn check_own(dir: &Path) -> Result<(), Error> {
    match evidence::check(dir, &Expected::default())?.findings.into_iter().next() {
        None => Ok(()),
        Some(finding) => Err(Error::NotWhole(finding)),
    }
}

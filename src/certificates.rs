//! Certificates of erasure, as verbs make them.

use crate::boot::Booted;
use crate::exit::{Code, Failure};
use audit::Clock as _;
use darkroom::{Darkroom, Erasures, Who};
use evidence::{Certificate, Certified, Expected, ExportKey};
use std::path::Path;

/// The certificate, and the number of the record that says that it is handed out.
///
/// # Errors
/// What log and disk say; it does not pass its own check, and is not handed out.
pub fn make(
    booted: &Booted,
    darkroom: &Darkroom,
    who: &Who,
    erasures: &Erasures,
    dir: &Path,
) -> Result<(Certified, u64), Failure> {
    let key = ExportKey::draw()?;
    let (job, drawn) = darkroom.record_certificate_key(who, key.public())?;
    let text =
        |(epoch, ids): &(u64, Vec<vault::ObjectId>)| (*epoch, ids.iter().map(ToString::to_string).collect());
    let ids: Vec<(u64, Vec<String>)> = erasures.ids.iter().map(text).collect();
    let certificate = Certificate {
        log: &booted.folders.audit,
        objects: &erasures.objects,
        ids: &ids,
        key_record: drawn.seq_first,
        version: env!("CARGO_PKG_VERSION"),
        made_ms: booted.clock.wall_ms(),
    };
    let certified = certificate.make(dir, key)?;
    let objects = u32::try_from(certified.pictures).unwrap_or(u32::MAX);
    let issued = check_own(dir)
        .and_then(|()| Ok(darkroom.record_certificate(who, job, certified.statement, objects)?))
        .inspect_err(|_| evidence::take_back(dir))?;
    Ok((certified, issued.seq_first))
}

/// A certificate that does not pass its own check is not handed out.
fn check_own(dir: &Path) -> Result<(), Failure> {
    let checked = evidence::check_certificate(dir, &Expected::default(), None)?;
    let Some(first) = checked.findings.first() else { return Ok(()) };
    let what = format!(
        "the certificate does not pass its own check, and is not handed out: {}: {}; verify the log with: lightproof audit \
         verify",
        first.file, first.text
    );
    Err(Failure::new(Code::Integrity, what))
}

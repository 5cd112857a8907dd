//! Certificates of erasure, as verbs make them.

use crate::exit::{Code, Failure};
use darkroom::{Erasures, Hold, Who};
use evidence::{Certificate, Certified, Expected, ExportKey};
use std::path::Path;

/// The certificate, and the number of the record that says that it is handed out. It is made of the log in this folder, at this
/// moment in milliseconds since 1970.
///
/// # Errors
/// What log and disk say; it does not pass its own check, and is not handed out.
pub fn make(
    room: &mut impl Hold,
    who: &Who,
    erasures: &Erasures,
    (log, now_ms): (&Path, u64),
    dir: &Path,
) -> Result<(Certified, u64), Failure> {
    let key = ExportKey::draw()?;
    let (job, drawn) = room.with(|darkroom| darkroom.record_certificate_key(who, key.public()))?;
    let text =
        |(epoch, ids): &(u64, Vec<vault::ObjectId>)| (*epoch, ids.iter().map(ToString::to_string).collect());
    let ids: Vec<(u64, Vec<String>)> = erasures.ids.iter().map(text).collect();
    let certificate = Certificate {
        log,
        objects: &erasures.objects,
        ids: &ids,
        key_record: drawn.seq_first,
        version: env!("CARGO_PKG_VERSION"),
        made_ms: now_ms,
    };
    let certified = certificate.make(dir, key)?;
    let objects = u32::try_from(certified.pictures).unwrap_or(u32::MAX);
    let mut record =
        || room.with(|darkroom| darkroom.record_certificate(who, job, certified.statement, objects));
    let issued = check_own(dir).and_then(|()| Ok(record()?)).inspect_err(|_| evidence::take_back(dir))?;
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

//! `lightproof history certificate`: something to hand to the person who asked for an erasure.

use crate::Done;
use crate::boot::folders::Bundle;
use crate::boot::{self, Booted, Wants};
use crate::cli::{self, Global, Keys};
use crate::exit::{Code, Failure};
use crate::output::{Output, counted};
use audit::{Clock as _, Selection, Typed};
use darkroom::{Asked, Darkroom, Erasures, Who};
use evidence::{CERTIFIED_MAX, Certificate, Certified, Expected, ExportKey};
use sandbox::Clean;
use serde_json::json;
use std::path::Path;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, keys: &Keys, asked: &cli::Certificate, out: &Output) -> Done {
    let typed = Typed { since: asked.since.as_deref(), until: asked.until.as_deref(), ..Typed::default() };
    let period = Selection::parse(&typed).map_err(|senseless| Failure::new(Code::Usage, senseless))?;
    let wants = Wants { bundle: Some(Bundle::Made(&asked.output)), ..Wants::with(keys) };
    // The fences grant nothing beside the folder, so that it cannot be removed.
    let left_empty = |mut failure: Failure| {
        failure.what += &format!("; the folder {} is left empty", asked.output.display());
        failure
    };
    let (mut booted, mut darkroom) = boot::boot(clean, global, &wants)?.darkroom().map_err(left_empty)?;
    let wanted = Asked {
        names: if asked.all { &[] } else { &asked.objects },
        of_everybody: asked.of_everybody,
        since_ms: period.since_ms,
        until_ms: period.until_ms,
    };
    let result = hand_out(&mut booted, &mut darkroom, &wanted, out).map_err(left_empty);
    boot::leave(darkroom, result)
}

fn hand_out(booted: &mut Booted, darkroom: &mut Darkroom, asked: &Asked<'_>, out: &Output) -> Done {
    let who = &booted.unlock(darkroom, out)?;
    let dir = &booted.folders.bundle.clone().unwrap_or_default();
    let erasures = darkroom.erasures(who, asked)?;
    let (count, count_max) = (erasures.objects.len(), CERTIFIED_MAX);
    if count == 0 {
        let what =
            "nothing of yours was erased that this asks for; see: lightproof audit show --type object.erased";
        return Err(Failure::new(Code::NotFound, what));
    }
    if count > count_max {
        return Err(evidence::Error::TooMany { count, count_max }.into());
    }
    let (certified, record) = make(booted, darkroom, who, &erasures, dir)?;
    let Certified { statement, pictures, exports } = certified;
    out.data(&format!(
        "{}: certificate of {}, {} of plain copies on record\n  statement {statement}, record {record}\n",
        dir.display(),
        counted(pictures, "erasure"),
        counted(exports, "export"),
    ));
    out.say("certificate.html in it is for people, to print; VERIFY.md says how to check it with others' programs");
    out.object(
        true,
        &json!({ "dir": dir.display().to_string(), "pictures": pictures, "exports": exports, "record": record,
            "statement": statement.to_string() }),
    );
    Ok(Code::Done)
}

/// The certificate, and the number of the record that says that it is handed out.
fn make(
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

//! `lightproof history certificate`: something to hand to the person who asked for an erasure.

use crate::boot::folders::Bundle;
use crate::boot::{self, Booted, Wants};
use crate::cli::{self, Global, Keys};
use crate::exit::{Code, Failure};
use crate::output::{Output, counted};
use crate::{Done, certificates};
use audit::{Selection, Typed};
use darkroom::{Asked, Darkroom};
use evidence::{CERTIFIED_MAX, Certified};
use sandbox::Clean;
use serde_json::json;

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
    let (certified, record) = certificates::make(booted, darkroom, who, &erasures, dir)?;
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

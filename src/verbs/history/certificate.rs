//! `lightproof history certificate`: something to hand to the person who asked for an erasure.

use crate::boot::folders::{Bundle, what_is_left};
use crate::boot::{self, Booted, Wants};
use crate::cli::{self, Global, Keys};
use crate::exit::{Code, Failure};
use crate::output::{Output, counted};
use crate::paths::absolute;
use crate::{Done, certificates};
use audit::{Clock as _, Selection, Typed};
use darkroom::{Asked, Darkroom, Hold, Who};
use evidence::{CERTIFIED_MAX, Certified};
use sandbox::Clean;
use serde_json::json;
use std::path::Path;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, keys: &Keys, asked: &cli::Certificate, out: &Output) -> Done {
    check(asked)?;
    let output = absolute(&asked.output)?;
    let wants = Wants { bundle: Some(Bundle::Made(&asked.output)), ..Wants::with(keys) };
    let left = |failure| what_is_left(failure, &output);
    let (mut booted, mut darkroom) = boot::boot(clean, global, &wants)?.darkroom().map_err(left)?;
    let result = hand_out(&mut booted, &mut darkroom, asked, out).map_err(left);
    boot::leave(darkroom, result)
}

fn hand_out(booted: &mut Booted, darkroom: &mut Darkroom, asked: &cli::Certificate, out: &Output) -> Done {
    let who = booted.unlock(darkroom, out)?;
    let dir = &booted.folders.bundle.clone().unwrap_or_default();
    let made = (&*booted.folders.audit, booted.clock.wall_ms());
    let certified = certify(darkroom, &who, asked, made, dir)?;
    report(&certified, dir, out)
}

/// Whether this can be asked for.
///
/// # Errors
/// Why not.
pub fn check(asked: &cli::Certificate) -> Result<(), Failure> {
    period(asked).map(drop)
}

fn period(asked: &cli::Certificate) -> Result<Selection, Failure> {
    let typed = Typed { since: asked.since.as_deref(), until: asked.until.as_deref(), ..Typed::default() };
    Selection::parse(&typed).map_err(|senseless| Failure::new(Code::Usage, senseless))
}

/// Makes it in `dir`, of the log in this folder at this moment; with the number of the record that says that it is handed out.
///
/// # Errors
/// There is no such erasure; what log and disk say.
pub fn certify(
    room: &mut impl Hold,
    who: &Who,
    asked: &cli::Certificate,
    made: (&Path, u64),
    dir: &Path,
) -> Result<(Certified, u64), Failure> {
    let period = period(asked)?;
    let wanted = Asked {
        names: if asked.all { &[] } else { &asked.objects },
        of_everybody: asked.of_everybody,
        since_ms: period.since_ms,
        until_ms: period.until_ms,
    };
    let erasures = room.with(|darkroom| darkroom.erasures(who, &wanted))?;
    let (count, count_max) = (erasures.objects.len(), CERTIFIED_MAX);
    if count == 0 {
        let what =
            "nothing of yours was erased that this asks for; see: lightproof audit show --type object.erased";
        return Err(Failure::new(Code::NotFound, what));
    }
    if count > count_max {
        return Err(evidence::Error::TooMany { count, count_max }.into());
    }
    certificates::make(room, who, &erasures, made, dir)
}

/// Says what was handed out.
///
/// # Errors
/// None; a verb ends with this.
pub fn report((certified, record): &(Certified, u64), dir: &Path, out: &Output) -> Done {
    let Certified { statement, pictures, exports } = certified;
    out.data(&format!(
        "{}: certificate of {}, {} of plain copies on record\n  statement {statement}, record {record}\n",
        dir.display(),
        counted(*pictures, "erasure"),
        counted(*exports, "export"),
    ));
    out.say("certificate.html in it is for people, to print; VERIFY.md says how to check it with others' programs");
    out.object(
        true,
        &json!({ "dir": dir.display().to_string(), "pictures": pictures, "exports": exports, "record": record,
            "statement": statement.to_string() }),
    );
    Ok(Code::Done)
}

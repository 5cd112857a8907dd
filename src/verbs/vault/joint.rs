//! `lightproof vault joint`: two people who open the vault together.

use crate::Done;
use crate::boot::Booted;
use crate::boot::opens::Opens;
use crate::boot::operator::name_of;
use crate::boot::passphrase::show_recovery;
use crate::cli::Joint;
use crate::exit::{Code, Failure};
use crate::output::{Output, counted};
use darkroom::{Darkroom, PersonName};
use serde_json::json;

/// The people who are named, before anything is opened.
///
/// # Errors
/// One cannot be a name.
pub fn named(verb: &Joint) -> Result<Vec<PersonName>, Failure> {
    match verb {
        Joint::Set { names, .. } => names.iter().map(|name| name_of(name)).collect(),
        Joint::End(_) => Ok(Vec::new()),
    }
}

/// Says who opens the vault together from here on; nobody, where each opens it alone.
///
/// # Errors
/// What the darkroom says.
pub fn act(booted: &mut Booted, darkroom: &mut Darkroom, names: &[PersonName], out: &Output) -> Done {
    let (who, proof) = booted.prove(darkroom, Opens::Own, out)?;
    let asked = darkroom.still_to_prove(&who, &proof, names)?;
    let typed = asked.iter().map(|name| booted.holder(name)).collect::<Result<Vec<_>, _>>()?;
    let code =
        darkroom.set_holders(&who, &proof, names, &typed).map_err(|error| unshown(error.into(), names))?;
    // It is done: nothing that fails from here on may look as if it were not.
    let slots: Vec<u16> = darkroom.holders().into_iter().map(|slot| slot.0).collect();
    if names.is_empty() {
        out.say("each passphrase opens this vault alone again");
    } else {
        let all: Vec<&str> = names.iter().map(PersonName::as_str).collect();
        let (last, others) = all.split_last().map_or(("", vec![]), |(last, others)| (*last, others.to_vec()));
        let any_two = if others.len() > 1 { "any two of " } else { "" };
        out.say(&format!(
            "{any_two}{} and {last} open this vault together, and nobody alone. Once it is open everybody signs in by themselves. Where too few \
             of them have their passphrases still, the recovery code alone opens it. The one from before opens nothing any more: keep the new \
             one where none of them gets it alone, and try it: lightproof vault drill",
            others.join(", ")
        ));
        let shown = code.map_or(Ok(()), |code| show_recovery(&mut booted.terminal, &code.text()));
        shown.map_err(|failure| unshown(failure, names))?;
        let backups = darkroom.backups().unwrap_or_default();
        if !backups.is_empty() {
            out.warn(&format!(
                "{} on record may open with one passphrase: make a new one, destroy the old ones, and say so; see: lightproof backup list",
                counted(backups.len(), "backup")
            ));
        }
    }
    out.object(true, &json!({ "slots": slots }));
    Ok(Code::Done)
}

/// What failed may be done all the same, and nobody has seen the new recovery code then.
fn unshown(mut failure: Failure, names: &[PersonName]) -> Failure {
    let is_undone =
        matches!(failure.code, Code::Usage | Code::NotFound | Code::Refused | Code::Locked | Code::Busy);
    if !is_undone && !names.is_empty() {
        failure.what += "; where it is done all the same, which lightproof vault status tells, no recovery code opens the vault until two of \
                         you draw one: lightproof vault recovery";
    }
    failure
}

//! `lightproof vault`: making, looking at and checking the vault, and its secrets.

use crate::Done;
use crate::boot::{self, Booted, Wants};
use crate::cli::{Global, Vault};
use crate::exit::Code;
use crate::output::{self, Output};
use crate::terminal;
use darkroom::Darkroom;
use sandbox::Clean;
use serde_json::json;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, verb: &Vault, out: &Output) -> Done {
    let new = match verb {
        Vault::Passwd { new_passphrase_file: Some(path) } => Some(terminal::read_secret_file(path)?),
        _ => None,
    };
    let mut booted = boot::boot(clean, global, &Wants::default())?;
    let mut darkroom = booted.darkroom()?;
    let result = match verb {
        Vault::Init => init(&mut booted, &mut darkroom, out),
        Vault::Status => status(&booted, &darkroom, out),
        _ if !darkroom.has_vault() => Err(darkroom::Error::NoVault.into()),
        Vault::Verify => booted.unlock(&mut darkroom, out).and_then(|()| verify(&mut darkroom, out)),
        Vault::Passwd { .. } => passwd(&mut booted, &mut darkroom, new, out),
        Vault::Recovery => recovery(&mut booted, &mut darkroom, out),
    };
    boot::leave(darkroom, result)
}

fn init(booted: &mut Booted, darkroom: &mut Darkroom, out: &Output) -> Done {
    if darkroom.has_vault() {
        return Err(darkroom::Error::from(vault::Error::VaultExists(booted.places.vault.clone())).into());
    }
    booted.first_start(darkroom, out)?;
    let public = darkroom.public()?;
    out.object(true, &json!({ "vault": public.vault_id.to_string() }));
    Ok(Code::Done)
}

fn status(booted: &Booted, darkroom: &Darkroom, out: &Output) -> Done {
    if !darkroom.has_vault() {
        out.data("no vault yet; make one with: lightproof vault init\n");
        out.object(true, &json!({ "vault": null }));
        return Ok(Code::Locked);
    }
    let public = darkroom.public()?;
    let grade = vault::grade(&booted.places.vault).map_or('C', vault::Grade::letter);
    let slots: Vec<_> = public
        .slots
        .iter()
        .map(|s| {
            json!({ "slot": s.id.0, "opens_with": format!("{:?}", s.kind).to_lowercase(),
                "role": format!("{:?}", s.role).to_lowercase() })
        })
        .collect();
    out.data(&format!(
        "vault {}\n  epoch {}, record {}, {} key slots\n  erasure grade {grade}\n  sealed pictures in {}\n",
        public.vault_id,
        public.state.epoch,
        public.state.seq,
        slots.len(),
        booted.places.outputs.display(),
    ));
    out.object(
        true,
        &json!({ "vault": public.vault_id.to_string(), "epoch": public.state.epoch, "seq": public.state.seq,
            "slots": slots, "grade": grade.to_string() }),
    );
    Ok(Code::Done)
}

/// Opens every picture; shared with `history verify`.
///
/// # Errors
/// What keeps the whole vault from being read.
pub fn verify(darkroom: &mut Darkroom, out: &Output) -> Done {
    let report = darkroom.verify()?;
    out.data(&format!("{} pictures are whole ({} bytes)\n", report.sound, report.bytes));
    for (id, error) in &report.damaged {
        out.data(&format!("damaged: {id}: {error}\n"));
    }
    for id in &report.missing {
        out.data(&format!("missing: {id}: its sealed file is gone, its key still exists\n"));
    }
    for name in &report.orphans {
        let name = output::one_line(name);
        out.data(&format!("foreign: {name}: a sealed file that this vault does not know\n"));
    }
    if !report.mirror_agrees {
        out.warn("the mirror of the vault file is not a copy of it; the next write renews it");
    }
    let ids = |ids: &[vault::ObjectId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let damaged: Vec<_> = report.damaged.iter().map(|(id, _)| *id).collect();
    out.object(
        report.is_sound(),
        &json!({ "sound": report.sound, "damaged": ids(&damaged), "missing": ids(&report.missing),
            "orphans": report.orphans, "mirror_agrees": report.mirror_agrees }),
    );
    Ok(match (report.damaged.is_empty(), report.missing.is_empty()) {
        (true, true) => Code::Done,
        (true, false) => Code::Found,
        (false, _) => Code::Integrity,
    })
}

fn passwd(
    booted: &mut Booted,
    darkroom: &mut Darkroom,
    new: Option<zeroize::Zeroizing<String>>,
    out: &Output,
) -> Done {
    let proof = booted.proof()?;
    darkroom.unlock(&proof)?;
    let new = booted.new_secret(new, "New passphrase (12 characters or more): ")?;
    darkroom.change_secret(&proof, &new)?;
    out.say("the passphrase was changed; the old one opens nothing any more");
    out.object(true, &json!({ "changed": true }));
    Ok(Code::Done)
}

fn recovery(booted: &mut Booted, darkroom: &mut Darkroom, out: &Output) -> Done {
    if !booted.terminal.is_there() {
        let what = "a recovery code is shown at a terminal only, and there is none";
        return Err(crate::exit::Failure::new(Code::Refused, what));
    }
    booted.unlock(darkroom, out)?;
    let code = darkroom.replace_recovery()?;
    booted.show_recovery(&code.text())?;
    out.object(true, &json!({ "changed": true }));
    Ok(Code::Done)
}

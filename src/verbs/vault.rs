//! `lightproof vault`: making, looking at and checking the vault, and its secrets.

use crate::boot::folders::FolderUse;
use crate::boot::{self, Booted, Wants};
use crate::cli::{Global, Vault};
use crate::exit::{Code, Failure};
use crate::input;
use crate::output::{Output, counted};
use crate::{Done, pictures};
use darkroom::Darkroom;
use sandbox::Clean;
use serde_json::json;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(mut clean: Clean, global: &Global, verb: &Vault, out: &Output) -> Done {
    let new = match verb {
        Vault::Passwd { new_passphrase_file: Some(path), .. } => {
            Some(input::read_secret_file(path, &mut clean)?)
        }
        _ => None,
    };
    let wants = match verb {
        Vault::Init(keys) => Wants { folder_use: FolderUse::Made, ..Wants::with(keys) },
        Vault::Status(pictures) => Wants { outputs: pictures.outputs.as_deref(), ..Wants::default() },
        Vault::Verify(keys) | Vault::Recovery(keys) | Vault::Drill(keys) | Vault::Passwd { keys, .. } => {
            Wants::with(keys)
        }
    };
    let (mut booted, mut darkroom) = boot::boot(clean, global, &wants)?.darkroom()?;
    let result = match verb {
        Vault::Init(_) => init(&mut booted, &mut darkroom, out),
        Vault::Status(_) => status(&booted, &darkroom, out),
        Vault::Verify(_) => {
            let who = booted.unlock(&mut darkroom, out);
            who.and_then(|who| pictures::verify(&mut darkroom, &who, &booted.folders.outputs, out))
        }
        Vault::Passwd { .. } => booted.change_passphrase(&mut darkroom, new.as_ref(), out),
        Vault::Recovery(_) => recovery(&mut booted, &mut darkroom, out),
        Vault::Drill(_) => drill(&mut booted, &mut darkroom, out),
    };
    boot::leave(darkroom, result)
}

fn init(booted: &mut Booted, darkroom: &mut Darkroom, out: &Output) -> Done {
    if darkroom.has_vault() {
        return Err(darkroom::Error::from(vault::Error::VaultExists(booted.folders.vault.clone())).into());
    }
    booted.first_start(darkroom, out)?;
    let public = darkroom.public()?;
    out.object(true, &json!({ "vault": public.vault_id.to_string() }));
    Ok(Code::Done)
}

fn status(booted: &Booted, darkroom: &Darkroom, out: &Output) -> Done {
    let public = darkroom.public()?;
    crate::boot::passphrase::warn(darkroom, out);
    let grade = vault::grade(&booted.folders.vault).map_or('C', vault::Grade::letter);
    let slots: Vec<_> = public
        .slots
        .iter()
        .map(|s| {
            json!({ "slot": s.id.0, "opens_with": format!("{:?}", s.kind).to_lowercase(),
                "role": format!("{:?}", s.role).to_lowercase() })
        })
        .collect();
    out.data(&format!(
        "vault {}\n  epoch {}, record {}, {}\n  erasure grade {grade}\n  sealed pictures in {}\n",
        public.vault_id,
        public.state.epoch,
        public.state.seq,
        counted(slots.len(), "key slot"),
        booted.folders.outputs.display(),
    ));
    out.object(
        true,
        &json!({ "vault": public.vault_id.to_string(), "epoch": public.state.epoch, "seq": public.state.seq,
            "slots": slots, "grade": grade.to_string() }),
    );
    Ok(Code::Done)
}

fn recovery(booted: &mut Booted, darkroom: &mut Darkroom, out: &Output) -> Done {
    if !booted.terminal.is_there() {
        let what = "a recovery code is shown at a terminal only, and there is none";
        return Err(Failure::new(Code::Refused, what));
    }
    let who = booted.unlock(darkroom, out)?;
    let code = darkroom.replace_recovery(&who)?;
    booted.show_recovery(&code.text())?;
    out.object(true, &json!({ "changed": true }));
    Ok(Code::Done)
}

/// Whether the recovery code opens the vault. The unlock is on record, with its role.
fn drill(booted: &mut Booted, darkroom: &mut Darkroom, out: &Output) -> Done {
    booted.try_recovery(darkroom, out)?;
    out.say("the recovery code opens this vault; put it back where it was");
    out.object(true, &json!({ "opens": true }));
    Ok(Code::Done)
}

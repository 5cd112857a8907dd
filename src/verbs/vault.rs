//! `lightproof vault`: making, looking at and checking the vault, and its secrets.

mod machine;

use crate::boot::folders::{Bundle, FolderUse, left_empty};
use crate::boot::{self, Booted, Wants};
use crate::cli::{Global, Vault};
use crate::exit::{Code, Failure};
use crate::input;
use crate::output::{Output, counted};
use crate::{Done, certificates, pictures};
use audit::Clock as _;
use darkroom::{Asked, Darkroom, Who};
use evidence::CERTIFIED_MAX;
use sandbox::Clean;
use serde_json::json;
use std::path::Path;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(mut clean: Clean, global: &Global, verb: &Vault, out: &Output) -> Done {
    if let Vault::Machine(verb) = verb {
        return machine::run(clean, global, verb, out);
    }
    let new = match verb {
        Vault::Passwd { new_passphrase_file: Some(path), .. } => {
            Some(input::read_secret_file(path, &mut clean)?)
        }
        _ => None,
    };
    let wants = match verb {
        Vault::Init(keys) => Wants { folder_use: FolderUse::Made, ..Wants::with(keys) },
        Vault::Status(pictures) => Wants { outputs: pictures.outputs.as_deref(), ..Wants::default() },
        Vault::Destroy { keys, certificate, .. } => {
            Wants { bundle: certificate.as_deref().map(Bundle::OfEnd), ..Wants::with(keys) }
        }
        Vault::Verify(keys)
        | Vault::Recovery(keys)
        | Vault::Drill(keys)
        | Vault::Passwd { keys, .. }
        | Vault::Rotate(keys)
        | Vault::Retain { keys, .. } => Wants::with(keys),
        Vault::Machine(_) => Wants::default(), // it is done
    };
    let (mut booted, mut darkroom) = boot::boot(clean, global, &wants)?.darkroom()?;
    let result = match verb {
        Vault::Init(_) => init(&mut booted, &mut darkroom, out),
        Vault::Status(_) => status(&darkroom, &booted.folders.vault, &booted.folders.outputs, out),
        Vault::Verify(_) => {
            let who = booted.unlock(&mut darkroom, out);
            who.and_then(|who| pictures::verify(&mut darkroom, &who, &booted.folders.outputs, out))
        }
        Vault::Passwd { .. } => booted.change_passphrase(&mut darkroom, new.as_ref(), out),
        Vault::Retain { dry_run, yes, .. } => retain(&mut booted, &mut darkroom, (*dry_run, *yes), out),
        Vault::Rotate(_) => rotate(&mut booted, &mut darkroom, out),
        Vault::Destroy { yes, .. } => {
            let made = booted.folders.bundle.clone();
            let done = destroy(&mut booted, &mut darkroom, *yes, out);
            match made {
                Some(made) => done.map_err(|failure| left_empty(failure, &made)),
                None => done,
            }
        }
        Vault::Recovery(_) => recovery(&mut booted, &mut darkroom, out),
        Vault::Drill(_) => drill(&mut booted, &mut darkroom, out),
        Vault::Machine(_) => Ok(Code::Done),
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

/// What can be known without a passphrase.
///
/// # Errors
/// There is no vault, or it cannot be read.
pub fn status(darkroom: &Darkroom, vault: &Path, outputs: &Path, out: &Output) -> Done {
    let public = darkroom.public()?;
    crate::boot::passphrase::warn(darkroom, out);
    let grade = vault::grade(vault).map_or('C', vault::Grade::letter);
    let slots: Vec<_> = public
        .slots
        .iter()
        .map(|s| {
            json!({ "slot": s.id.0, "opens_with": format!("{:?}", s.kind).to_lowercase(),
                "role": format!("{:?}", s.role).to_lowercase() })
        })
        .collect();
    let machine = public.slots.iter().find(|slot| slot.kind == vault::SlotKind::Machine);
    let machine =
        machine.map_or_else(String::new, |slot| format!(", of which slot {} is a machine's", slot.id));
    out.data(&format!(
        "vault {}\n  epoch {}, record {}, {}{machine}\n  erasure grade {grade}\n  sealed pictures in {}\n",
        public.vault_id,
        public.state.epoch,
        public.state.seq,
        counted(slots.len(), "key slot"),
        outputs.display(),
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

fn rotate(booted: &mut Booted, darkroom: &mut Darkroom, out: &Output) -> Done {
    let who = booted.unlock(darkroom, out)?;
    let receipt = darkroom.rotate(&who)?;
    out.data(&format!("new keys: record {}, {}\n", receipt.seq_first, pictures::checkpoint(&receipt)));
    out.object(true, &json!({ "record": receipt.seq_first }));
    Ok(Code::Done)
}

fn destroy(booted: &mut Booted, darkroom: &mut Darkroom, yes: bool, out: &Output) -> Done {
    let who = booted.unlock(darkroom, out)?;
    if !yes {
        let refused = |what| Err(Failure::new(Code::Refused, what));
        if !booted.terminal.is_there() {
            return refused("this destroys the vault and every picture in it for good; say so with --yes");
        }
        let count = counted(usize::try_from(darkroom.count(&who)?).unwrap_or(usize::MAX), "picture");
        let question = format!(
            "This destroys the vault in {} and {count}, whosever they are, for good. Nobody can sign in afterwards: make certificates \
             before (--certificate DIR), and say which backups are destroyed.\nType destroy to go on: ",
            booted.folders.vault.display()
        );
        if booted.terminal.ask(&question)?.trim() != "destroy" {
            return refused("nothing was destroyed");
        }
    }
    let (emptied, files_left) = certified_end(booted, darkroom, &who)?;
    let done = darkroom.destroy_vault(&who)?;
    pictures::report_end(&done, (emptied, files_left), &booted.folders, out)
}

/// The end of all pictures with a certificate of it, if one was asked for: behind the vault's own end nobody could sign in for one.
/// How many pictures that were, and whether a file of theirs is left.
fn certified_end(booted: &Booted, darkroom: &mut Darkroom, who: &Who) -> Result<(u64, bool), Failure> {
    let Some(dir) = &booted.folders.bundle else { return Ok((0, false)) };
    let count = usize::try_from(darkroom.count(who)?).unwrap_or(usize::MAX);
    if count > CERTIFIED_MAX {
        return Err(evidence::Error::TooMany { count, count_max: CERTIFIED_MAX }.into());
    }
    let Some(erased) = darkroom.empty_vault(who)? else { return Ok((0, false)) };
    let names: Vec<String> = erased.records.iter().map(|(object, _)| object.to_string()).collect();
    let erasures =
        darkroom.erasures(who, &Asked { names: &names, of_everybody: true, ..Asked::default() })?;
    let made = (&*booted.folders.audit, booted.clock.wall_ms());
    certificates::make(darkroom, who, &erasures, made, dir)?;
    Ok((erased.erasure.erased, erased.erasure.cleanup_pending))
}

/// What is past its period goes, once somebody has seen how much that is.
fn retain(booted: &mut Booted, darkroom: &mut Darkroom, (dry_run, yes): (bool, bool), out: &Output) -> Done {
    let who = booted.unlock(darkroom, out)?;
    let Some(due) = darkroom.due(&who)? else {
        let what = "the policy sets no period after which pictures go (picture_days_max); nothing was done";
        return Err(Failure::new(Code::Refused, what));
    };
    let held = if due.held == 0 { String::new() } else { format!("; a hold keeps {} beside them", due.held) };
    out.data(&format!("{} older than {} days{held}\n", counted(due.pictures, "picture"), due.days));
    let (mut erased, mut backups) = (0, Vec::new());
    if due.pictures > 0 && !dry_run {
        if !yes {
            pictures::confirm_erasure(&mut booted.terminal, due.pictures)?;
        }
        let done = darkroom.retain(&who)?;
        if let Some(done) = done {
            (erased, backups) = (done.erasure.erased, done.backups);
        }
        out.data(&format!("erased {}\n", counted(usize::try_from(erased).unwrap_or(usize::MAX), "picture")));
    }
    pictures::warn_of_backups(&backups, out);
    out.object(
        true,
        &json!({ "days": due.days, "due": due.pictures, "held": due.held, "erased": erased, "backups": backups.len() }),
    );
    Ok(Code::Done)
}

/// Whether the recovery code opens the vault. The unlock is on record, with its role.
fn drill(booted: &mut Booted, darkroom: &mut Darkroom, out: &Output) -> Done {
    booted.try_recovery(darkroom, out)?;
    out.say("the recovery code opens this vault; put it back where it was");
    out.object(true, &json!({ "opens": true }));
    Ok(Code::Done)
}

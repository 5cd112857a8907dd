//! `lightproof vault`: making, looking at and checking the vault, and its secrets.

mod joint;
pub mod machine;

use super::operator::{self, Asked::Passwd};
use crate::boot::backup::BackupFile;
use crate::boot::folders::{Bundle, FolderUse, Home, left_empty};
use crate::boot::opens::Opens;
use crate::boot::passphrase::{show_recovery, warn};
use crate::boot::{self, Booted, Wants};
use crate::cli::{Global, Joint, Machine, Vault};
use crate::exit::{Code, Failure};
use crate::input::{self, SecretLine};
use crate::output::{Output, counted};
use crate::paths::absolute;
use crate::proven::{At, Proven};
use crate::terminal::Terminal;
use crate::{Done, certificates, pictures};
use audit::Clock as _;
use darkroom::{Asked, Darkroom, Hold, NamesDue, Who};
use evidence::CERTIFIED_MAX;
use machine::Drawn;
use sandbox::Clean;
use serde_json::{Value, json};
use std::path::Path;
use zeroize::Zeroizing;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(mut clean: Clean, global: &Global, verb: &Vault, out: &Output) -> Done {
    let home = Home::new(global)?;
    let new = new_passphrase(verb, &home, &mut clean)?;
    let given = machine::given(verb, &home, &mut clean, out)?;
    let holders = if let Vault::Joint(verb) = verb { joint::named(verb)? } else { Vec::new() };
    let drawn = machine::drawn_to(verb);
    let wants = match verb {
        Vault::Init(keys) => Wants { folder_use: FolderUse::Made, ..Wants::with(keys) },
        Vault::Status(pictures) => Wants { outputs: pictures.outputs.as_deref(), ..Wants::default() },
        Vault::Destroy { keys, certificate, .. } => {
            Wants { bundle: certificate.as_deref().map(Bundle::OfEnd), ..Wants::with(keys) }
        }
        Vault::Machine(Machine::Add { keys, .. }) => {
            Wants { backup: drawn.map(BackupFile::Secret), ..Wants::with(keys) }
        }
        Vault::Verify(keys)
        | Vault::Recovery(keys)
        | Vault::Drill(keys)
        | Vault::Passwd { keys, .. }
        | Vault::Rotate(keys)
        | Vault::Machine(Machine::Remove(keys))
        | Vault::Joint(Joint::Set { keys, .. } | Joint::End(keys))
        | Vault::Retain { keys, .. } => Wants::with(keys),
    };
    let made = drawn.map(absolute).transpose()?;
    let left = |failure| match &made {
        Some(made) => left_empty(failure, made),
        None => failure,
    };
    let (mut booted, mut darkroom) = boot::boot(clean, global, &wants)?.darkroom().map_err(left)?;
    let result = match verb {
        Vault::Init(_) => init(&mut booted, &mut darkroom, out),
        Vault::Status(_) => status(&darkroom, &booted.folders.vault, &booted.folders.outputs, out),
        Vault::Destroy { yes, .. } => {
            let made = booted.folders.bundle.clone();
            let done = destroy(&mut booted, &mut darkroom, *yes, out);
            match made {
                Some(made) => done.map_err(|failure| left_empty(failure, &made)),
                None => done,
            }
        }
        Vault::Passwd { .. } => {
            operator::alone(&mut booted, &mut darkroom, &Passwd { name: None }, new.as_ref(), out)
        }
        Vault::Machine(_) => {
            let drawn = Drawn::of(verb, booted.backup.take());
            let proven = booted.prove(&mut darkroom, opens(verb), out);
            proven.map_err(|failure| machine::lost(failure, drawn.as_ref())).and_then(|(who, proof)| {
                let mut room = Proven::Alone(&mut darkroom, &proof);
                let secret = given.map_or_else(|| machine::draw(drawn.as_ref()), Ok)?;
                let done = machine::act(verb, &mut room, &who, secret, out);
                done.map_err(|failure| machine::lost(failure, drawn.as_ref()))
            })
        }
        Vault::Joint(_) => {
            check(verb, &booted.terminal).and_then(|()| joint::act(&mut booted, &mut darkroom, &holders, out))
        }
        Vault::Verify(_) | Vault::Recovery(_) | Vault::Drill(_) | Vault::Rotate(_) | Vault::Retain { .. } => {
            alone(&mut booted, &mut darkroom, verb, out)
        }
    };
    boot::leave(darkroom, result)
}

fn alone(booted: &mut Booted, darkroom: &mut Darkroom, verb: &Vault, out: &Output) -> Done {
    check(verb, &booted.terminal)?;
    let (who, _) = booted.prove(darkroom, opens(verb), out)?;
    act(verb, darkroom, &who, (&mut booted.terminal, &booted.folders.outputs), out)
}

/// The passphrase that is to be set, if it is in a file. Nothing of it is parsed.
///
/// # Errors
/// It cannot be read.
pub fn new_passphrase(verb: &Vault, home: &Home, clean: &mut Clean) -> Result<Option<SecretLine>, Failure> {
    let Vault::Passwd { new_passphrase_file: Some(path), .. } = verb else { return Ok(None) };
    input::read_secret_file(path, home, clean).map(Some)
}

/// What it is opened with.
pub fn opens(verb: &Vault) -> Opens {
    match verb {
        Vault::Passwd { .. } => Opens::Any,
        Vault::Machine(_) | Vault::Joint(_) => Opens::Own,
        Vault::Drill(_) => Opens::Recovery,
        _ => Opens::Passphrase,
    }
}

/// What would be shown once can be seen.
///
/// # Errors
/// It cannot.
pub fn check(verb: &Vault, terminal: &Terminal) -> Result<(), Failure> {
    let shows = matches!(verb, Vault::Recovery(_) | Vault::Joint(Joint::Set { .. }));
    if shows && !terminal.is_there() {
        let what = "a recovery code is shown at a terminal only, and there is none";
        return Err(Failure::new(Code::Refused, what));
    }
    Ok(())
}

/// Does one that takes no proof beside the secret that it was opened with, as `who`, alone or through a running server.
///
/// # Errors
/// What the darkroom says; nobody answers.
pub fn act(
    verb: &Vault,
    room: &mut impl Hold,
    who: &Who,
    (terminal, outputs): (&mut Terminal, &Path),
    out: &Output,
) -> Done {
    check(verb, terminal)?;
    match verb {
        Vault::Verify(_) => pictures::verify(room, who, outputs, out),
        Vault::Recovery(_) => recovery(room, who, terminal, out),
        Vault::Drill(_) => {
            // The unlock is on record, with its role.
            out.say("the recovery code opens this vault; put it back where it was");
            out.object(true, &json!({ "opens": true }));
            Ok(Code::Done)
        }
        Vault::Retain { dry_run, yes, .. } => retain(room, who, terminal, (*dry_run, *yes), out),
        Vault::Rotate(_) => {
            let receipt = room.with(|darkroom| darkroom.rotate(who))?;
            let checkpoint = pictures::checkpoint(&receipt);
            out.data(&format!("new keys: record {}, {checkpoint}\n", receipt.seq_first));
            out.object(true, &json!({ "record": receipt.seq_first }));
            Ok(Code::Done)
        }
        _ => Err(Failure::new(Code::Busy, "this is done while no server runs: end it, and try again")),
    }
}

/// The same for those that take a proof; `secret` is the machine secret that is added.
///
/// # Errors
/// What the darkroom says; nobody answers.
pub fn prove(
    verb: &Vault,
    room: &mut Proven<'_>,
    who: &Who,
    at: At<'_>,
    secret: Zeroizing<Vec<u8>>,
    out: &Output,
) -> Done {
    match verb {
        Vault::Passwd { .. } => Passwd { name: None }.act(room, who, at, out),
        _ => machine::act(verb, room, who, secret, out),
    }
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
    // What two open together is no secret of anybody.
    let holders: Vec<u16> = public.holders().into_iter().map(|slot| slot.0).collect();
    let slots: Vec<_> = public
        .slots
        .iter()
        .filter(|slot| slot.kind != vault::SlotKind::Joint)
        .map(|s| {
            let opens_with = match s.kind {
                vault::SlotKind::PassphraseAndMachine => "passphrase_and_machine".into(),
                kind => format!("{kind:?}").to_lowercase(),
            };
            json!({ "slot": s.id.0, "opens_with": opens_with,
                "role": format!("{:?}", s.role).to_lowercase() })
        })
        .collect();
    let machine = public.slots.iter().find(|slot| slot.kind == vault::SlotKind::Machine);
    let machine =
        machine.map_or_else(String::new, |slot| format!(", of which slot {} is a machine's", slot.id));
    let halves = match darkroom.halves() {
        (0, _) => String::new(),
        (both, alone) => format!(
            "\n  passphrases that open it only together with the machine secret: {both} of {}",
            both + alone
        ),
    };
    let each = if holders.is_empty() { ", each opened by one secret" } else { "" };
    let joint = match &holders[..] {
        [] => String::new(),
        slots => {
            let slots: Vec<String> = slots.iter().map(u16::to_string).collect();
            format!(
                "\n  opened by two people together, and by nobody alone: any two of key slots {}",
                slots.join(", ")
            )
        }
    };
    out.data(&format!(
        "vault {}\n  epoch {}: each erasure and each change of a secret draws new keys, and begins the next one\n  record {}: the \
         newest entry of the vault's own file; the log counts its own\n  {}{each}{machine}{halves}{joint}\n  \
         erasure grade {grade}: {}\n  sealed pictures in {}\n",
        public.vault_id,
        public.state.epoch,
        public.state.seq,
        counted(slots.len(), "key slot"),
        graded(grade),
        outputs.display(),
    ));
    warn(darkroom, out);
    out.object(
        true,
        &json!({ "vault": public.vault_id.to_string(), "epoch": public.state.epoch, "seq": public.state.seq,
            "slots": slots, "joint": holders, "grade": grade.to_string() }),
    );
    Ok(Code::Done)
}

/// What an erasure is worth on this file system.
fn graded(grade: char) -> &'static str {
    match grade {
        'B' => "what is overwritten is gone from its disk, but for spare blocks of a flash drive",
        'V' => "everything there is gone at power-off",
        _ => "the file system may keep old copies, and an erasure holds once they are gone",
    }
}

fn recovery(room: &mut impl Hold, who: &Who, terminal: &mut Terminal, out: &Output) -> Done {
    let code = room.with(|darkroom| darkroom.replace_recovery(who))?;
    show_recovery(terminal, &code.text()).map_err(|mut failure| {
        failure.what += "; the old recovery code opens nothing any more, and perhaps nobody has seen the new one: draw another one \
                         with: lightproof vault recovery";
        failure
    })?;
    out.say("the old recovery code opens nothing any more");
    out.object(true, &json!({ "changed": true }));
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
    let folders = &booted.folders;
    pictures::report_end(&done, (emptied, files_left), (&folders.vault, &folders.outputs), out)
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
fn retain(
    room: &mut impl Hold,
    who: &Who,
    terminal: &mut Terminal,
    (dry_run, yes): (bool, bool),
    out: &Output,
) -> Done {
    let due = room.with(|darkroom| darkroom.due(who))?;
    let named = room.with(|darkroom| darkroom.names_due(who))?;
    if due.is_none() && named.is_none() {
        let what = "the policy sets no period after which pictures go (picture_days_max), nor one after which the names of who was \
                    removed go (names_days_max); nothing was done";
        return Err(Failure::new(Code::Refused, what));
    }
    let mut said = serde_json::Map::new();
    if let Some(due) = due {
        let held =
            if due.held == 0 { String::new() } else { format!("; a hold keeps {} beside them", due.held) };
        out.data(&format!("{} older than {} days{held}\n", counted(due.pictures, "picture"), due.days));
        let (mut erased, mut backups) = (0, Vec::new());
        if due.pictures > 0 && !dry_run {
            if !yes {
                pictures::confirm_erasure(terminal, due.pictures)?;
            }
            let done = room.with(|darkroom| darkroom.retain(who));
            room.pictures_changed(None);
            if let Some(done) = done? {
                (erased, backups) = (done.erasure.erased, done.backups);
            }
            let count = usize::try_from(erased).unwrap_or(usize::MAX);
            out.data(&format!("erased {}\n", counted(count, "picture")));
        }
        pictures::warn_of_backups(&backups, out);
        let of_pictures = json!({ "days": due.days, "due": due.pictures, "held": due.held, "erased": erased, "backups": backups.len() });
        said.extend(of_pictures.as_object().cloned().unwrap_or_default());
    }
    if named.is_some() {
        // Pictures that went may have been what kept one.
        let named = room.with(|darkroom| darkroom.names_due(who))?;
        said.extend(
            named.map(|due| retain_names(room, who, terminal, (due, dry_run, yes), out)).transpose()?,
        );
    }
    out.object(true, &said.into());
    Ok(Code::Done)
}

/// The same of the names of who was removed.
fn retain_names(
    room: &mut impl Hold,
    who: &Who,
    terminal: &mut Terminal,
    (due, dry_run, yes): (NamesDue, bool, bool),
    out: &Output,
) -> Result<(String, Value), Failure> {
    let NamesDue { days, slots, kept } = due;
    let names = slots.len();
    // By number, as `operator list` has it: what is written down of this must not say the names.
    let listed = |slots: &[u16]| {
        let numbers: Vec<String> = slots.iter().map(u16::to_string).collect();
        format!("{} {}", if slots.len() == 1 { "slot" } else { "slots" }, numbers.join(", "))
    };
    let due = if slots.is_empty() { String::new() } else { format!(" ({})", listed(&slots)) };
    let stay = match kept.len() {
        0 => String::new(),
        count => format!(
            "; {count} more ({}) stay, while a hold or an act that waits is about them, or pictures of theirs are kept",
            listed(&kept)
        ),
    };
    let ago = counted(days as usize, "day");
    out.data(&format!(
        "{}{due} of people who were removed more than {ago} ago{stay}\n",
        counted(names, "name")
    ));
    let (mut destroyed, mut backups, mut cleanup_pending) = (0, Vec::new(), false);
    if names > 0 && !dry_run {
        if !yes {
            confirm_names(terminal, names)?;
        }
        if let Some(done) = room.with(|darkroom| darkroom.retain_names(who))? {
            (destroyed, backups, cleanup_pending) = (done.slots.len(), done.backups, done.cleanup_pending);
        }
        out.data(&format!("destroyed {}\n", counted(destroyed, "name")));
    }
    if cleanup_pending {
        out.warn(
            "an earlier copy of the vault file could not be removed or written anew, and whoever guesses a name can test it there: see \
             that the vault's folder can be written, remove vault.damaged and vault.mirror.damaged there by hand, if they are there, \
             and open the vault once more, which renews the mirror",
        );
    }
    pictures::warn_of_backups(&backups, out);
    let said = json!({
        "days": days, "due": names, "slots_due": slots, "kept": kept.len(), "slots_kept": kept,
        "destroyed": destroyed, "cleanup_pending": cleanup_pending, "backups": backups.len(),
    });
    Ok(("names".into(), said))
}

fn confirm_names(terminal: &mut Terminal, count: usize) -> Result<(), Failure> {
    let names = counted(count, "name");
    if !terminal.is_there() {
        let what = format!("this destroys {names} for good; say so with --yes");
        return Err(Failure::new(Code::Refused, what));
    }
    let question = format!(
        "This destroys {names}, for good: nobody can tell any more whose pseudonyms stand in the log. The log stays as it is, and backups \
         from before hold them until they are destroyed.\nType {count} to go on: "
    );
    match terminal.ask(&question)?.trim() == count.to_string() {
        true => Ok(()),
        false => Err(Failure::new(Code::Refused, "no name was destroyed")),
    }
}

//! `evidence rehearse`: a throw-away appliance, broken control by control, for an auditor who wants to see that the probes can fail.
//!
//! It is an appliance like any other: the same processes behind the same fences, a model, a vault and a log. All of it lies in the folder
//! that was named, and its passphrase is drawn, used and gone.

use super::told::{untold, word};
use crate::Done;
use crate::boot::backup::BackupFile;
use crate::boot::folders::{Bundle, FolderUse, Home, among, not_foreign, of_pictures, what_is_left};
use crate::boot::{self, Booted, Wants};
use crate::cli::{Cli, Evidence, Global, Settings, Verb};
use crate::controls::{self, Failed, Handed, PEOPLE, POLICY, PROMPT, Rehearsed, Room, Site};
use crate::exit::{Code, Failure};
use crate::making::Making;
use crate::output::Output;
use crate::paths::{absolute, make_new};
use crate::verbs::backup::Target;
use crate::verbs::generate;
use audit::{Log, SystemClock};
use darkroom::{Darkroom, Door, FreezeReason, JobId, JobState, Laws, PersonName, Role, Secret, Who, back_up};
use evidence::{LOG_FREE_BYTES_MIN, Outcome};
use sandbox::Clean;
use serde_json::json;
use std::fs::DirBuilder;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use zeroize::Zeroizing;

/// The throw-away appliance, in the folder that was named.
const APPLIANCE: &str = "appliance";
/// Its pictures.
const PICTURES: &str = "pictures";
/// A backup of it.
const BACKUP: &str = "backup";
/// Both bundles.
const RESULTS: &str = "results";
/// Its policy, below it.
const CONFIG: &str = "config";

/// Before anything else is looked at: a rehearsal is at home in the folder that was named. The first process makes that; the one that
/// it starts finds it.
///
/// # Errors
/// Something is there already, it would lie among what is in use, or it cannot be made.
pub fn prepare(cli: &mut Cli, is_kept: bool) -> Result<(), Failure> {
    let Verb::Evidence(Evidence::Rehearse { output, pictures }) = &mut cli.verb else { return Ok(()) };
    let output = absolute(output)?;
    *pictures = Some(output.join(APPLIANCE).join(PICTURES));
    if !is_kept {
        make(&output, &cli.global)?;
    }
    cli.global.home = Some(output.join(APPLIANCE));
    Ok(())
}

fn make(output: &Path, global: &Global) -> Result<(), Failure> {
    let refused = |what: &dyn std::fmt::Display| {
        let what =
            format!("cannot rehearse in {}: {what}; name a folder that is to be made", output.display());
        Failure::new(Code::Refused, what)
    };
    let above = output.parent().and_then(|above| above.canonicalize().ok());
    let Some((above, name)) = above.zip(output.file_name()) else {
        let what = format!("cannot make {}: make the folder first in which it is to lie", output.display());
        return Err(Failure::new(Code::NotFound, what));
    };
    // Where nothing says where things are kept nothing is in use.
    if let Ok(home) = Home::new(global) {
        let in_use = [&home.config, &home.vault, &home.audit, &home.evidence, &home.models, &home.outputs];
        let lies_in = |folder: &&&PathBuf| {
            above.join(name).starts_with(folder.canonicalize().as_ref().unwrap_or(folder))
        };
        if let Some(folder) = in_use.iter().find(lies_in) {
            return Err(refused(&format_args!("it would lie in {}, which is in use", folder.display())));
        }
    }
    // Those that a policy names lie elsewhere, and say so.
    if let Some(pictures) = of_pictures(&above.join(name)) {
        return Err(refused(&among(pictures)));
    }
    not_foreign(above.join(name))?;
    let new = |path: &Path| DirBuilder::new().mode(0o700).create(path);
    match new(output) {
        Ok(()) => {}
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            let mut entries = output.read_dir().map_err(|e| refused(&e))?;
            let is_link = output.symlink_metadata().is_ok_and(|found| found.is_symlink());
            if is_link || entries.next().is_some() {
                return Err(refused(&"it is there already, and is not empty"));
            }
        }
        Err(e) => return Err(refused(&e)),
    }
    let config = output.join(APPLIANCE).join(CONFIG);
    new(&output.join(APPLIANCE)).and_then(|()| new(&config)).map_err(|e| refused(&e))?;
    let policy = make_new(&config.join("policy.toml"));
    policy.and_then(|mut file| file.write_all(POLICY.as_bytes())).map_err(|e| refused(&e))
}

/// Runs the verb.
///
/// # Errors
/// Why it ended early. What lies in the folder by then is not whole.
pub fn run(clean: Clean, global: &Global, output: &Path, out: &Output) -> Done {
    let output = absolute(output)?;
    let left = |failure| what_is_left(failure, &output);
    let [pictures, backup] = [PICTURES, BACKUP].map(|name| output.join(APPLIANCE).join(name));
    let results = output.join(RESULTS);
    let wants = Wants {
        folder_use: FolderUse::Made,
        outputs: Some(&pictures),
        evidence: true,
        bundle: Some(Bundle::Made(&results)),
        backup: Some(BackupFile::Made(&backup)),
        ..Wants::default()
    };
    let fenced = boot::boot(clean, global, &wants).map_err(left)?;
    let (folders, clock) = fenced.place_and_time();
    lived_through(&folders.audit, clock).map_err(left)?;
    let (mut booted, mut darkroom) = fenced.darkroom().map_err(left)?;
    let first = match enter(&mut darkroom) {
        Ok(first) => first,
        Err(failure) => return boot::leave(darkroom, Err(left(failure))),
    };
    let target = Target::of(booted.backup.take());
    let making = Making::start(&mut booted, darkroom, out).map_err(left)?;
    let result = rehearse(&making, &booted, &first, &target, &output, out);
    boot::close(&making.queue, result.map_err(left))
}

/// Who made the appliance, with their passphrase, and the name of the second person.
struct First {
    who: Who,
    secret: Secret,
    /// What does not open it, in their name.
    wrong: Secret,
    second: PersonName,
}

/// Has its log begin before the program starts: with a state that is pinned, and an end within the next record.
fn lived_through(audit: &Path, clock: SystemClock) -> Result<(), Failure> {
    drop(Log::create(audit, clock).map_err(darkroom::Error::from)?);
    darkroom::freeze_without_vault(audit, clock, FreezeReason::Exercise, Laws::default())?;
    controls::cut_short(audit).map_err(|error| {
        let what =
            format!("the log of the appliance could not be written: {error}; rehearse where there is room");
        Failure::new(Code::Unexpected, what)
    })
}

/// Makes the vault, tries its recovery code, and adds a second person.
fn enter(darkroom: &mut Darkroom) -> Result<First, Failure> {
    let [own, second] = PEOPLE.map(|name| PersonName::new(name).map_err(darkroom::Error::from));
    let (own, second) = (own?, second?);
    let [secret, wrong] = [drawn()?, drawn()?].map(|secret| secret.of(Some(own.clone())));
    let (who, code) = darkroom.create_vault(&secret, Door::Terminal)?;
    darkroom.unlock(&code.secret(), Door::Terminal)?;
    let others = drawn()?.of(Some(second.clone()));
    darkroom.add_person_named(&who, &secret, Some(&own), &others, Role::Operator)?;
    Ok(First { who, secret, wrong, second })
}

/// A passphrase that nobody knows, and nobody can know later.
fn drawn() -> Result<Secret, Failure> {
    // Two random names are 256 bits of it.
    let name = || JobId::random().map_err(|error| Failure::new(Code::Unexpected, error));
    let text = Zeroizing::new(format!("{}{}", name()?, name()?));
    Secret::passphrase(&text).map_err(|error| Failure::new(Code::Unexpected, error))
}

fn rehearse(
    making: &Making,
    booted: &Booted,
    First { who, secret, wrong, second }: &First,
    target: &Target,
    output: &Path,
    out: &Output,
) -> Done {
    // One to keep, and one to erase.
    let mut kept = draw(making, who, out)?;
    kept.extend(draw(making, who, out)?);
    let erased: Vec<_> = kept.split_off(1);
    making.queue.erase(who, &erased)?;
    let policy = Some(POLICY.as_bytes());
    back_up(&mut &*making.queue, who, policy, &mut &*target, || target.settle(), || target.undo())?;
    let site = Site::of(booted)?;
    let fences = || sandbox::probe(&booted.sandboxed);
    let dir = booted.folders.bundle.clone().unwrap_or_default();
    let mut tell = |control: &str, what: &str| {
        let what = what.trim_end_matches('.');
        out.data(&format!("{control:<7} satisfied, then not satisfied: {what}\n"));
    };
    let mut room = Room::Shared(&making.queue);
    let rehearsed =
        controls::rehearse(&site, &mut room, (who, [secret, wrong], second), &fences, &dir, &mut tell);
    let Rehearsed { broken, sound } = rehearsed.map_err(failed)?;
    let [injuries, left_out] = controls::rows();
    for (control, why) in &left_out {
        out.data(&format!("{control:<7} not broken: {}\n", why.en.trim_end_matches('.')));
    }
    let count = injuries.len();
    out.data(&format!("{}: {count} controls were broken, and each was found so\n", output.display()));
    for (name, handed) in [("broken", &broken), ("sound", &sound)] {
        out.data(&format!(
            "  {RESULTS}/{name}: manifest {}, record {}\n",
            handed.exported.manifest, handed.record
        ));
    }
    out.say(&format!(
        "each is checked by itself: lightproof evidence verify {0}/{RESULTS}/broken, and {0}/{RESULTS}/sound; the appliance lies beside \
         them, and nobody has its passphrase",
        output.display()
    ));
    let told = |handed: &Handed<()>| {
        json!({ "manifest": handed.exported.manifest.to_string(), "record": handed.record,
            "run": handed.tried.run.digest().to_string(),
            "not_satisfied": handed.tried.run.count(Outcome::NotSatisfied) })
    };
    let of = |rows: &[(&str, evidence::Text)]| -> Vec<_> {
        rows.iter().map(|(control, text)| json!({ "control": control, "says": text.en })).collect()
    };
    out.object(
        true,
        &json!({ "dir": output.display().to_string(), "broken": told(&broken), "sound": told(&sound),
            "injuries": of(&injuries), "left_out": of(&left_out) }),
    );
    Ok(Code::Done)
}

/// A picture with a prompt that is kept.
fn draw(making: &Making, who: &Who, out: &Output) -> Result<Vec<vault::ObjectId>, Failure> {
    let settings = Settings { remember_prompt: true, steps: Some(1), ..Settings::default() };
    let ask = generate::ask(&settings, Zeroizing::new(PROMPT.as_bytes().to_vec()), out);
    let checked = generate::check(making, Some(who), ask, None)?;
    let job = making.queue.submit(who, checked, None)?;
    let mut made = Vec::new();
    let job = making.wait(who, job.id, &AtomicBool::new(false), out, |picture| {
        made.push(picture.id);
        Ok(())
    })?;
    match (job.state, &job.error) {
        (JobState::Done, _) => Ok(made),
        (_, Some(error)) => Err(Failure::from(&**error)),
        _ => Err(Failure::new(Code::Unexpected, "no picture was made")),
    }
}

fn failed(failed: Failed) -> Failure {
    match failed {
        Failed::Controls(error) => untold(error),
        Failed::Io(control, error) => {
            Failure::new(Code::Unexpected, format!("{control} could not be broken and mended: {error}"))
        }
        // Nobody took that space away: the disk has none.
        Failed::Blind("LOG-09", false, _) => {
            let what = format!(
                "the disk has no room for a log: {} MiB are to be free beside its reserve; make room, or rehearse in a folder of \
                 another disk",
                LOG_FREE_BYTES_MIN >> 20
            );
            Failure::new(Code::Space, what)
        }
        Failed::Blind(control, broken, outcome) => {
            let state = if broken { "broken" } else { "sound" };
            let what = format!(
                "{control} was {state}, and was found {}: what its probe says here is not to be relied on",
                word(outcome)
            );
            Failure::new(Code::Found, what)
        }
    }
}

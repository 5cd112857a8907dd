//! `lightproof evidence`: the controls are tried, what was found is kept and shown, and handed over in a bundle.

mod freeze;
mod subject;

use crate::boot::folders::{Bundle, FolderUse, what_is_left};
use crate::boot::{self, Booted, Wants};
use crate::cli::{self, Evidence, Global};
use crate::controls::{Chosen, Handed, Room, Site, Tried};
use crate::exit::{Code, Failure};
use crate::output::{Output, counted};
use crate::paths::absolute;
use crate::{Done, controls, input};
use audit::{Selection, Typed, VerifyKey, timestamp};
use darkroom::{Darkroom, Who};
use evidence::{
    Control, Error, Expected, Exported, Finding, Framework, Language, Outcome, Run, Trial, Verdict,
};
use sandbox::Clean;
use serde_json::{Map, Value, json};
use server::Doorway;
use std::path::Path;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, verb: &Evidence, out: &Output) -> Done {
    match verb {
        Evidence::Run(keys) => {
            let wants = Wants { evidence: true, ..Wants::with(keys) };
            let (mut booted, mut darkroom) = boot::boot(clean, global, &wants)?.darkroom().map_err(beside)?;
            let result = try_now(&mut booted, &mut darkroom, out)
                .map(|Asked { who, tried }| tell_run(&tried, who.is_some(), out));
            boot::leave(darkroom, result)
        }
        Evidence::Export(arguments) => export(clean, global, arguments, None, out),
        Evidence::Freeze(arguments) => {
            let frozen = freeze::Frozen::parse(arguments)?;
            export(clean, global, &arguments.bundle, Some(&frozen), out)
        }
        Evidence::Clocks => freeze::clocks(clean, global, out),
        Evidence::Settled { incident, keys } => freeze::settled(clean, global, (incident, keys), out),
        Evidence::Subject { pseudonym, output, keys } => {
            subject::run(clean, global, (pseudonym.as_deref(), output, keys), out)
        }
        Evidence::List | Evidence::Show { .. } => {
            let wants = Wants { evidence: true, folder_use: FolderUse::Read, ..Wants::default() };
            let booted = boot::boot(clean, global, &wants)?.without_darkroom()?;
            match verb {
                Evidence::Show { id } => show(&booted, id, out),
                _ => list(&booted, out),
            }
        }
        Evidence::Verify { dir, expect, first_key } => {
            verify(clean, global, (dir, expect.as_deref(), first_key.as_deref()), out)
        }
    }
}

/// A server that has the vault tries the controls itself.
fn beside(mut failure: Failure) -> Failure {
    if failure.code == Code::Busy {
        failure.what +=
            "; if that is a server, its page tries the controls and exports evidence, too: Compliance";
    }
    failure
}

/// A run that is on record, and who asked for it.
struct Asked {
    who: Option<Who>,
    tried: Tried,
}

/// Who gave a passphrase. The vault is opened for nobody else: a timer has nobody to ask.
fn signed_in(booted: &mut Booted, darkroom: &mut Darkroom, out: &Output) -> Result<Option<Who>, Failure> {
    Ok(if booted.has_passphrase() { Some(booted.unlock(darkroom, out)?) } else { None })
}

fn try_now(booted: &mut Booted, darkroom: &mut Darkroom, out: &Output) -> Result<Asked, Failure> {
    let (who, site) = (signed_in(booted, darkroom, out)?, Site::of(booted)?);
    let fences = || sandbox::probe(&booted.sandboxed);
    let tried = controls::try_now(&site, &mut Room::Own(darkroom), who.as_ref(), &fences).map_err(untold)?;
    Ok(Asked { who, tried })
}

/// The same through a server that has the vault, which is open or not: what needs it open is tried for whoever signed in.
///
/// # Errors
/// Another run goes on; they may not; what log and folder say.
pub fn through(doorway: &Doorway, site: &Site, who: Option<&Who>, out: &Output) -> Done {
    let mut room = Room::Shared(doorway.queue());
    let tried = doorway.try_controls(|fences| controls::try_now(site, &mut room, who, fences));
    let what = "the controls are being tried already; try again when that run has ended";
    let tried = tried.ok_or_else(|| Failure::new(Code::Busy, what))?.map_err(untold)?;
    Ok(tell_run(&tried, who.is_some(), out))
}

/// What was found, what does not hold first.
fn tell_run(Tried { run, record }: &Tried, signed_in: bool, out: &Output) -> Code {
    let order = [Outcome::NotSatisfied, Outcome::Satisfied, Outcome::NotApplicable, Outcome::NotMeasured];
    for outcome in order {
        for verdict in run.verdicts().iter().filter(|verdict| verdict.outcome() == outcome) {
            out.data(&format!("{}\n", line(verdict)));
        }
    }
    if !signed_in {
        out.say("nobody signed in; what needs the vault open is tried with --passphrase-file");
    }
    out.say(&format!("{}: run {}, record {record}", counts(run), run.digest()));
    let results = serde_json::from_slice::<Value>(&run.to_json()).unwrap_or_default();
    out.object(
        run.count(Outcome::NotSatisfied) == 0,
        &json!({ "run": run.digest().to_string(), "record": record, "counts": counts_json(run),
            "results": results["results"] }),
    );
    match run.count(Outcome::NotSatisfied) {
        0 => Code::Done,
        _ => Code::Found,
    }
}

/// `not satisfied   CRY-01  Nothing but sealed pictures ...: plain_files <= 0, and is 1`.
fn line(verdict: &Verdict) -> String {
    let control = verdict.control();
    let fact = |name: &str| verdict.reading()?.get(name);
    let failing = verdict.failing().map(|condition| {
        let facts = condition.facts().filter_map(|name| Some(format!("{name} is {}", fact(name)?)));
        format!("{condition}, and {}", facts.collect::<Vec<_>>().join(", "))
    });
    let reason = verdict.reason().map(|reason| reason.text().en.trim_end_matches('.').to_owned());
    let why: Vec<String> = failing.chain(reason).collect();
    let claim = control.claim.en.trim_end_matches('.');
    let why = if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) };
    format!("{:<14}  {:<7} {claim}{why}", word(verdict.outcome()), control.id)
}

fn word(outcome: Outcome) -> String {
    outcome.word().replace('_', " ")
}

/// `15 satisfied, 0 not satisfied, 2 not applicable, 47 not measured`.
fn counts(run: &Run) -> String {
    Outcome::ALL.map(|outcome| format!("{} {}", run.count(outcome), word(outcome))).join(", ")
}

fn counts_json(run: &Run) -> Value {
    let counts = Outcome::ALL.map(|outcome| (outcome.word().to_owned(), run.count(outcome).into()));
    Value::Object(Map::from_iter(counts))
}

/// What was asked of a bundle.
fn chosen(arguments: &cli::Bundle) -> Result<Chosen, Failure> {
    let typed =
        Typed { since: arguments.since.as_deref(), until: arguments.until.as_deref(), ..Typed::default() };
    let period = Selection::parse(&typed).map_err(|senseless| Failure::new(Code::Usage, senseless))?;
    let framework = match arguments.framework.as_deref() {
        None => None,
        Some(word) => Some(Framework::parse(word).ok_or_else(|| {
            let words = Framework::ALL.map(Framework::word).join(", ");
            Failure::new(Code::Usage, format!("--framework takes one of {words}"))
        })?),
    };
    let language = match arguments.lang.as_deref() {
        None => None,
        Some("en") => Some(Language::En),
        Some("zh") => Some(Language::Zh),
        Some(_) => return Err(Failure::new(Code::Usage, "--lang takes en or zh")),
    };
    Ok(Chosen { period, framework, language })
}

fn export(
    clean: Clean,
    global: &Global,
    arguments: &cli::Bundle,
    frozen: Option<&freeze::Frozen>,
    out: &Output,
) -> Done {
    let chosen = chosen(arguments)?;
    let bundle = Some(Bundle::Made(&arguments.output));
    let wants = Wants { evidence: true, bundle, ..Wants::with(&arguments.keys) };
    let output = absolute(&arguments.output)?;
    let left = |failure| what_is_left(failure, &output);
    let opened = boot::boot(clean, global, &wants)?.darkroom();
    let (mut booted, mut darkroom) = opened.map_err(|failure| {
        left(match frozen {
            Some(_) => failure
                .if_busy("nothing is pinned and no clock runs: stop the server, freeze, and start it again"),
            None => beside(failure),
        })
    })?;
    let dir = booted.folders.bundle.clone().unwrap_or_default();
    let result = hand_over(&mut booted, &mut darkroom, (&chosen, frozen), &dir, out).map_err(left);
    boot::leave(darkroom, result)
}

fn hand_over(
    booted: &mut Booted,
    darkroom: &mut Darkroom,
    (chosen, frozen): (&Chosen, Option<&freeze::Frozen>),
    dir: &Path,
    out: &Output,
) -> Done {
    let (who, site) = (signed_in(booted, darkroom, out)?, Site::of(booted)?);
    // First: the clocks run whatever becomes of the bundle.
    let incident = frozen.map(|frozen| frozen.record(darkroom, who.as_ref(), out)).transpose()?;
    let fences = || sandbox::probe(&booted.sandboxed);
    let handed = controls::hand_over(
        &site,
        &mut Room::Own(darkroom),
        who.as_ref(),
        &fences,
        (chosen, dir),
        |_| Ok(()),
    );
    let Handed { tried, exported: Exported { manifest, files, records }, record, .. } =
        handed.map_err(untold)?;
    out.data(&format!(
        "{}: {}, {}\n  {}\n  manifest {manifest}, record {record}\n",
        dir.display(),
        counted(usize::try_from(files).unwrap_or(usize::MAX), "file"),
        counted(usize::try_from(records).unwrap_or(usize::MAX), "record"),
        counts(&tried.run),
    ));
    out.say("README.html in it is for people; VERIFY.md says how to check it with others' programs");
    out.object(
        true,
        &json!({ "dir": dir.display().to_string(), "files": files, "records": records, "record": record,
            "manifest": manifest.to_string(), "run": tried.run.digest().to_string(), "counts": counts_json(&tried.run),
            "incident": incident.map(|job| job.to_string()) }),
    );
    Ok(Code::Done)
}

fn verify(
    clean: Clean,
    global: &Global,
    (dir, expect, first_key): (&Path, Option<&Path>, Option<&str>),
    out: &Output,
) -> Done {
    let checkpoint = expect.map(input::read_checkpoint).transpose()?;
    let key = |text| {
        let what = "--first-key takes a key as `lightproof audit verify` prints it";
        VerifyKey::parse(text).ok_or_else(|| Failure::new(Code::Usage, what))
    };
    let first_key = first_key.map(key).transpose()?;
    let wants = Wants { folder_use: FolderUse::Read, bundle: Some(Bundle::Read(dir)), ..Wants::default() };
    let booted = boot::boot(clean, global, &wants)?.without_darkroom()?;
    let dir = booted.folders.bundle.unwrap_or_default();
    let expected = Expected { first_key, checkpoint };
    let (is_ok, text, object) = match evidence::is_certificate(&dir) {
        true => {
            let checked = evidence::check_certificate(&dir, &expected, None).map_err(failed)?;
            (checked.is_ok(), checked.to_string(), checked.to_json())
        }
        false => {
            let checked = evidence::check(&dir, &expected).map_err(failed)?;
            (checked.is_ok(), checked.to_string(), checked.to_json())
        }
    };
    out.data(&format!("{text}\n"));
    let object: Value = serde_json::from_str(&object).unwrap_or_default();
    out.object(is_ok, &object["data"]);
    Ok(if is_ok { Code::Done } else { Code::Integrity })
}

fn runs(booted: &Booted) -> Result<Vec<Tried>, Failure> {
    let site = Site::of(booted)?;
    controls::on_record(&site.audit, &site.evidence).map_err(untold)
}

fn list(booted: &Booted, out: &Output) -> Done {
    let runs = runs(booted)?;
    let newest = runs.first();
    match newest {
        Some(Tried { run, record }) => {
            for verdict in run.verdicts() {
                out.data(&format!("{}\n", line(verdict)));
            }
            out.say(&format!("tried {}, record {record}", timestamp(run.started_ms)));
        }
        None => {
            for Control { id, claim, .. } in evidence::controls() {
                out.data(&format!("{:<14}  {id:<7} {}\n", "never tried", claim.en.trim_end_matches('.')));
            }
            out.say("no control was tried yet; try them with: lightproof evidence run");
        }
    }
    let controls: Vec<Value> = evidence::controls()
        .map(|control| {
            let of_newest = newest.and_then(|tried| of(&tried.run, control));
            json!({ "id": control.id, "claim": control.claim.en,
                "outcome": of_newest.map(|verdict| verdict.outcome().word()),
                "reason": of_newest.and_then(Verdict::reason).map(|reason| reason.word()) })
        })
        .collect();
    let tried = newest.map(|Tried { run, record }| {
        json!({ "started_ms": run.started_ms, "run": run.digest().to_string(), "record": record })
    });
    out.object(true, &json!({ "tried": tried, "controls": controls }));
    Ok(Code::Done)
}

fn of<'a>(run: &'a Run, control: &Control) -> Option<&'a Verdict> {
    run.verdicts().iter().find(|verdict| verdict.control() == control)
}

fn show(booted: &Booted, id: &str, out: &Output) -> Done {
    let control = evidence::control(&id.to_ascii_uppercase()).ok_or_else(|| {
        Failure::new(Code::NotFound, format!("there is no control {id}; see: lightproof evidence list"))
    })?;
    let runs = runs(booted)?;
    let clauses = Framework::ALL.into_iter().filter(|framework| !control.clauses.of(*framework).is_empty());
    let clauses =
        clauses.map(|framework| format!("{} {}", framework.word(), control.clauses.of(framework).join(", ")));
    let judged = match control.trial {
        Trial::Facts(conditions) => conditions.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        Trial::None(reason) => format!("not at all: {}", reason.text().en),
    };
    out.data(&format!(
        "{}  {}\nmeasured  {}\njudged    {judged}\nclauses   {}\n",
        control.id,
        control.claim.en,
        control.measured.en,
        clauses.collect::<Vec<_>>().join("; ")
    ));
    let mut results = Vec::new();
    for Tried { run, record } in &runs {
        let Some(verdict) = of(run, control) else { continue };
        let facts = verdict.reading().map_or(&[][..], |reading| reading.facts());
        let facts = facts.iter().map(|(name, fact)| format!("{name}={fact}"));
        let reason = verdict.reason().map(|reason| reason.text().en.to_owned());
        let read: Vec<String> = facts.chain(reason).collect();
        let (time, outcome) = (timestamp(run.started_ms), word(verdict.outcome()));
        out.data(&format!("{time}  {outcome:<14}  record {record}  {}\n", read.join(" ")));
        results.push(
            json!({ "started_ms": run.started_ms, "record": record, "outcome": verdict.outcome().word(),
            "reason": verdict.reason().map(|reason| reason.word()), "read": read }),
        );
    }
    if results.is_empty() {
        out.say("it was not tried yet; try all of them with: lightproof evidence run");
    }
    out.object(true, &json!({ "control": evidence::describe_control(control), "results": results }));
    Ok(Code::Done)
}

fn untold(error: controls::Error) -> Failure {
    match error {
        controls::Error::Evidence(error) => failed(error),
        controls::Error::Darkroom(error) => error.into(),
        controls::Error::NotWhole(Finding { file, text, .. }) => {
            let what = format!(
                "the bundle does not pass its own check, and is not handed out: {file}: {text}; verify the log with: \
                 lightproof audit verify"
            );
            Failure::new(Code::Integrity, what)
        }
    }
}

fn failed(error: Error) -> Failure {
    error.into()
}

//! `lightproof evidence`: the controls are tried, what was found is kept and shown, and handed over in a bundle.

pub mod bundle;
pub mod freeze;
pub mod rehearse;
pub mod subject;
mod told;

use crate::boot::folders::{Bundle, FolderUse};
use crate::boot::{self, Booted, Wants};
use crate::cli::{Evidence, Global};
use crate::controls::{Room, Site, Tried};
use crate::exit::{Code, Failure};
use crate::output::Output;
use crate::{Done, controls, input};
use audit::{VerifyKey, timestamp};
use bundle::Asked;
use darkroom::{Darkroom, Who};
use evidence::{Control, Expected, Framework, Outcome, Run, Trial, Verdict};
use sandbox::Clean;
use serde_json::{Value, json};
use server::Doorway;
use std::path::Path;
use told::{beside, counts, counts_json, failed, signed_in, untold, word};

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
                .map(|(who, tried)| tell_run(&tried, who.is_some(), out));
            boot::leave(darkroom, result)
        }
        Evidence::Export(arguments) => {
            let incident = arguments.incident.as_deref().map(freeze::named).transpose()?;
            bundle::run(clean, global, &arguments.bundle, Asked::Bundle(incident), out)
        }
        Evidence::Freeze(arguments) => {
            let frozen = freeze::Frozen::parse(&arguments.reason, &arguments.law)?;
            bundle::run(clean, global, &arguments.bundle, Asked::Freeze(&frozen), out)
        }
        Evidence::Rehearse { output, .. } => rehearse::run(clean, global, output, out),
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

/// A run that is on record, and who asked for it.
fn try_now(
    booted: &mut Booted,
    darkroom: &mut Darkroom,
    out: &Output,
) -> Result<(Option<Who>, Tried), Failure> {
    let (who, site) = (signed_in(booted, darkroom, out)?, Site::of(booted)?);
    let fences = || sandbox::probe(&booted.sandboxed);
    let tried = controls::try_now(&site, &mut Room::Own(darkroom), who.as_ref(), &fences).map_err(untold)?;
    Ok((who, tried))
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
            let line = format!("{}\n", line(verdict));
            if outcome == Outcome::NotSatisfied { out.data(&line) } else { out.calm(&line) }
        }
    }
    if !signed_in {
        out.say("nobody signed in; what needs the vault open is tried with --passphrase-file");
    }
    out.say(&format!("{}: run {}, record {record}", counts(run), run.digest()));
    let results = serde_json::from_slice::<Value>(&run.to_json()).unwrap_or_default();
    out.object(
        run.count(Outcome::NotSatisfied) == 0,
        &json!({ "run": run.digest().to_string(), "record": record, "took_ms": run.took_ms, "counts": counts_json(run),
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

fn verify(
    mut clean: Clean,
    global: &Global,
    (dir, expect, first_key): (&Path, Option<&Path>, Option<&str>),
    out: &Output,
) -> Done {
    let checkpoint = expect.map(|path| input::read_checkpoint(path, &mut clean)).transpose()?;
    let key = |text| {
        let what = "--first-key takes a key as `lightproof audit verify` prints it";
        VerifyKey::parse(text).ok_or_else(|| Failure::new(Code::Usage, what))
    };
    let first_key = first_key.map(key).transpose()?;
    let wants = Wants { folder_use: FolderUse::Read, bundle: Some(Bundle::Read(dir)), ..Wants::default() };
    let booted = boot::boot(clean, global, &wants)?.without_darkroom()?;
    let checkpoint = checkpoint.map(|bytes| input::checkpoint_of(&bytes)).transpose()?;
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
            for (control, run) in not_measured_since(&runs) {
                out.warn(&format!(
                    "{} was not satisfied when it was last measured, {}; see: lightproof evidence show {}",
                    control.id,
                    timestamp(run.started_ms),
                    control.id
                ));
            }
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

/// The controls that the newest run did not measure, and that did not hold in the newest that did, with that run: what nobody has
/// looked at since is not mended.
fn not_measured_since(runs: &[Tried]) -> Vec<(&'static Control, &Run)> {
    let measured = |control: &Control, run: &Run| {
        let outcome = of(run, control).map(Verdict::outcome);
        outcome.filter(|outcome| *outcome != Outcome::NotMeasured)
    };
    let last = |control: &'static Control| {
        let at = runs.iter().position(|tried| measured(control, &tried.run).is_some())?;
        let is_found = at > 0 && measured(control, &runs[at].run) == Some(Outcome::NotSatisfied);
        is_found.then_some((control, &runs[at].run))
    };
    evidence::controls().filter_map(last).collect()
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

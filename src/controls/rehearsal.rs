//! One control after the other, broken on a throw-away appliance and mended again: that its probe sees it is what an auditor is shown.

use super::bundle::{Chosen, Handed, hand_over_run};
use super::injuries::{GUESSED, Harm, INJURIES, Places, rows};
use super::kept::{Error, record_run, try_now};
use super::probes::try_all;
use super::site::{Room, Site};
use audit::Digest;
use darkroom::{Door, PersonName, Role, Secret, Who};
use evidence::{Outcome, Reason, Rehearsal, Run, Trial, Verdict};
use sandbox::ProbeReport;
use std::io;
use std::path::Path;

/// Wrong passphrases within a minute; the page lets some ten pass.
const GUESSES: usize = 13;

/// What came of it.
pub struct Rehearsed {
    /// The bundle of the appliance as it was broken, one control after the other.
    pub broken: Handed<()>,
    /// The bundle of the same one afterwards.
    pub sound: Handed<()>,
}

/// Why a rehearsal shows nothing.
pub enum Failed {
    /// The controls could not be tried, or a bundle not be made.
    Controls(Error),
    /// A file could not be broken or mended.
    Io(&'static str, io::Error),
    /// What was found of a control that was sound or broken, and is neither.
    Blind(&'static str, bool, Outcome),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Controls(error)
    }
}

/// Tries the controls, breaks one after the other and tries them again, mends what can be mended, and makes both bundles in `dir`.
/// There is a second person, no administrator; `proof` is the passphrase of `who`, and `wrong` that of nobody. A state was pinned, as
/// that of an incident, before the program started. `tell` hears of each control that was broken.
///
/// # Errors
/// [`Failed`].
pub fn rehearse(
    site: &Site,
    room: &mut Room<'_>,
    (who, [proof, wrong], second): (&Who, [&Secret; 2], &PersonName),
    fences: &dyn Fn() -> Result<ProbeReport, sandbox::Error>,
    dir: &Path,
    tell: &mut dyn FnMut(&'static str, &'static str),
) -> Result<Rehearsed, Failed> {
    let places = Places { outputs: &site.outputs, audit: &site.audit, vault: &site.vault };
    // What is held against earlier ones: a run, and a bundle, which is thrown away.
    let first = try_now(site, room, Some(who), fences)?;
    let thrown_away = dir.join("first");
    let incident = evidence::Incidents::of(&site.audit).map_err(Error::from)?.incidents.pop();
    let chosen = Chosen { incident, ..Chosen::default() };
    hand_over_run(site, room, Some(who), first, (&chosen, &thrown_away), |_| Ok(()))?;
    evidence::take_back(&thrown_away);
    let before = try_now(site, room, Some(who), fences)?;
    let [injuries, left_out] = rows();
    injuries.iter().try_for_each(|(id, _)| expect(&before.run, id, Outcome::Satisfied).map(drop))?;
    let (started_ms, mut found, mut took_ms) = (before.run.started_ms, Vec::new(), 0);
    for injury in &INJURIES {
        let failed = |error| Failed::Io(injury.control, error);
        let give = |room: &mut Room<'_>, role| {
            let given = room.with(|darkroom| darkroom.set_role(who, proof, second, role));
            given.map(drop).map_err(Error::from)
        };
        let mend = match injury.harm {
            Harm::Files(harm) => Some(harm(&places).map_err(failed)?),
            Harm::EverybodyAdmin => give(room, Role::Admin).map(|()| None)?,
        };
        let run = try_all(site, room, Some(who), fences);
        match mend {
            Some(mend) => mend().map_err(failed)?,
            None => give(room, Role::Operator)?,
        }
        found.push(expect(&run, injury.control, Outcome::NotSatisfied)?.clone());
        took_ms += run.took_ms;
        tell(injury.control, injury.what.en);
    }
    let chosen = |broken| {
        let rehearsal = Rehearsal { broken, injuries: injuries.clone(), left_out: left_out.clone() };
        Chosen { rehearsal: Some(rehearsal), ..Chosen::default() }
    };
    let after = try_now(site, room, Some(who), fences)?;
    injuries.iter().try_for_each(|(id, _)| expect(&after.run, id, Outcome::Satisfied).map(drop))?;
    let sound =
        hand_over_run(site, room, Some(who), after, (&chosen(false), &dir.join("sound")), |_| Ok(()))?;
    // What nothing mends comes when there is nothing more to be shown sound.
    let (id, what) = GUESSED;
    for _ in 0..GUESSES {
        // It opens nothing, which is what is wanted of it, and is on record.
        let _ = room.with(|darkroom| darkroom.unlock(wrong, Door::Terminal));
    }
    let run = try_all(site, room, Some(who), fences);
    found.push(expect(&run, id, Outcome::NotSatisfied)?.clone());
    took_ms += run.took_ms;
    tell(id, what.en);
    for control in evidence::controls() {
        if matches!(control.trial, Trial::Facts(_)) && !injuries.iter().any(|(id, _)| *id == control.id) {
            found.push(Verdict::not_measured(control, Reason::NotRehearsed));
        }
    }
    let policy = Digest::of(site.rules.as_bytes());
    let broken = Run::new(started_ms, took_ms, site.binary, policy, found);
    let broken = record_run(site, room, Some(who), broken)?;
    let broken =
        hand_over_run(site, room, Some(who), broken, (&chosen(true), &dir.join("broken")), |_| Ok(()))?;
    Ok(Rehearsed { broken, sound })
}

/// What was found of a control, if it is that.
fn expect<'a>(run: &'a Run, id: &'static str, wanted: Outcome) -> Result<&'a Verdict, Failed> {
    let verdict = run.verdicts().iter().find(|verdict| verdict.control().id == id);
    match verdict.map(|verdict| (verdict, verdict.outcome())) {
        Some((verdict, outcome)) if outcome == wanted => Ok(verdict),
        other => {
            let outcome = other.map_or(Outcome::NotMeasured, |(_, outcome)| outcome);
            Err(Failed::Blind(id, wanted == Outcome::NotSatisfied, outcome))
        }
    }
}

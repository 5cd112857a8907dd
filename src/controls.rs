//! The probes: what each of them reads now, behind the fences. They bring facts, and whether a control is satisfied follows from
//! them in `evidence`. What a log shows by itself is tried there, too.

use crate::boot::Booted;
use audit::{Clock as _, Digest};
use darkroom::{Darkroom, Who};
use evidence::{Attempt, Reading, Reason, Run, Verdict};
use sandbox::{Fence, State, Tried};
use vault::KdfParams;

/// How old the run before this one may be.
const RUN_AGE_SECONDS_MAX: u64 = 7 * 24 * 3600;

/// A reading, or why there is none.
type Read = Result<Reading, Reason>;

/// Tries every control that has a probe: as `who`, or with the vault shut, when what needs it open is not measured.
pub fn try_all(booted: &Booted, darkroom: &mut Darkroom, who: Option<&Who>) -> Run {
    let now = || booted.clock.wall_ms();
    let started_ms = now();
    let mut found = evidence::try_log(&booted.folders.audit, RUN_AGE_SECONDS_MAX, &now);
    let tried = of_fences(booted, &now)
        .into_iter()
        .chain(of_folder(booted, darkroom, &now))
        .chain(of_vault(darkroom, who, &now))
        .chain([("NET-01", Err(Reason::NoListener))]);
    found.extend(tried.filter_map(|(id, read)| judged(id, read)));
    let (binary, policy) = (Digest(booted.binary), Digest::of(booted.rules.as_bytes()));
    Run::new(started_ms, now().saturating_sub(started_ms), binary, policy, found)
}

fn judged(id: &str, read: Read) -> Option<Verdict> {
    let control = evidence::control(id)?;
    Some(match read {
        Ok(reading) => Verdict::of(control, reading),
        Err(reason @ Reason::NoPictures) => Verdict::not_applicable(control, reason),
        Err(reason) => Verdict::not_measured(control, reason),
    })
}

/// Takes a reading, and the time that it takes.
fn timed(now: &dyn Fn() -> u64, read: impl FnOnce(&mut Reading) -> Result<(), Reason>) -> Read {
    let mut reading = Reading::begun_at(now());
    read(&mut reading)?;
    reading.took_ms = now().saturating_sub(reading.started_ms);
    Ok(reading)
}

/// Everything that the fences forbid is tried once more. The start has tried it, too, and would have refused.
fn of_fences(booted: &Booted, now: &dyn Fn() -> u64) -> [(&'static str, Read); 2] {
    let whole = timed(now, |reading| {
        let (tried, worked) = match sandbox::probe(&booted.sandboxed) {
            Ok(report) => (report.tried, 0),
            Err(sandbox::Error::Open { .. }) => (Vec::new(), 1),
            Err(_) => return Err(Reason::TrialFailed),
        };
        let missing = booted.report.fences.iter().filter(|fence| fence.state == State::Missing);
        reading.fact("fences_missing", missing.count() as u64);
        attempts(reading, &tried, worked);
        Ok(())
    });
    let network = whole.clone().map(|of_all| {
        let mut reading = Reading::begun_at(of_all.started_ms);
        reading.took_ms = of_all.took_ms;
        let own = |fence: &sandbox::FenceReport| {
            fence.fence == Fence::NetworkNamespace && fence.state == State::Green
        };
        reading.fact("own_network", booted.report.fences.iter().any(own));
        let of_network = of_all.attempts().iter().filter(|attempt| is_of_network(attempt.operation()));
        of_network.cloned().for_each(|attempt| reading.attempt(attempt));
        reading.fact("attempts", reading.attempts().len() as u64);
        if let Some(worked) = of_all.get("attempts_that_worked") {
            reading.fact("attempts_that_worked", worked.clone());
        }
        reading
    });
    [("INT-02", whole), ("NET-02", network)]
}

fn attempts(reading: &mut Reading, tried: &[Tried], worked: u64) {
    reading.fact("attempts", tried.len() as u64 + worked);
    reading.fact("attempts_that_worked", worked);
    for &Tried { operation, answer, .. } in tried {
        Attempt::new(operation, answer).into_iter().for_each(|attempt| reading.attempt(attempt));
    }
}

/// Whether what was tried would have led to a network.
fn is_of_network(operation: &str) -> bool {
    let whole = ["connect", "bind", "listen", "empty network"];
    operation.contains("socket") || operation.starts_with("send ") || whole.contains(&operation)
}

/// The folder of sealed pictures, as anybody sees it who has no key; another vault's would say nothing.
fn of_folder(booted: &Booted, darkroom: &Darkroom, now: &dyn Fn() -> u64) -> [(&'static str, Read); 3] {
    let started_ms = now();
    let is_ours =
        |found: &vault::Survey| darkroom.public().is_ok_and(|public| found.vaults.contains(&public.vault_id));
    let survey = vault::survey(&booted.folders.outputs).ok().filter(is_ours);
    let survey = survey.as_ref().ok_or(&Reason::TrialFailed);
    let with_pictures = || match survey {
        Ok(survey) if survey.sealed.is_empty() => Err(Reason::NoPictures),
        other => other.map_err(|reason| *reason),
    };
    let read = |facts: &[(&'static str, u64)]| {
        let mut reading = Reading::begun_at(started_ms);
        facts.iter().for_each(|(name, count)| reading.fact(name, *count));
        reading.took_ms = now().saturating_sub(started_ms);
        reading
    };
    let other_names = |names: &[String]| names.iter().filter(|name| !darkroom::is_name(name)).count() as u64;
    [
        (
            "CRY-01",
            survey.map_err(|reason| *reason).map(|found| {
                read(&[
                    ("sealed_files", found.sealed.len() as u64),
                    ("plain_files", found.plain),
                    ("damaged_headers", found.damaged),
                ])
            }),
        ),
        ("CRY-05", with_pictures().map(|found| read(&[("repeated_headers", found.repeated)]))),
        ("PRV-03", with_pictures().map(|found| read(&[("other_names", other_names(&found.sealed))]))),
    ]
}

/// The vault, shut or open.
fn of_vault(darkroom: &mut Darkroom, who: Option<&Who>, now: &dyn Fn() -> u64) -> [(&'static str, Read); 3] {
    let cost = timed(now, |reading| {
        let public = darkroom.public().map_err(|_| Reason::TrialFailed)?;
        least_cost(&public.costs, reading)
    });
    let pictures = timed(now, |reading| {
        let found = darkroom.verify(who.ok_or(Reason::Locked)?).map_err(|_| Reason::TrialFailed)?;
        let [damaged, missing, forbidden] =
            [found.damaged.len(), found.missing.len(), found.forbidden.len()].map(|count| count as u64);
        if found.sound + damaged + missing + forbidden == 0 {
            return Err(Reason::NoPictures);
        }
        reading.fact("sound", found.sound);
        reading.fact("damaged", damaged);
        reading.fact("missing", missing);
        reading.fact("forbidden", forbidden);
        Ok(())
    });
    let mark = timed(now, |reading| {
        // The vault does not open beside a log that does not go on from what the vault remembers of it.
        who.ok_or(Reason::Locked)?;
        reading.fact("continues_mark", true);
        Ok(())
    });
    [("CRY-03", cost), ("CRY-06", pictures), ("LOG-05", mark)]
}

/// What a guess at the cheapest key slot costs.
fn least_cost(costs: &[KdfParams], reading: &mut Reading) -> Result<(), Reason> {
    let least = |at: usize| costs.iter().map(|cost| u64::from(cost.numbers()[at])).min();
    let [memory_kib, passes, _] = KdfParams::DEFAULT.numbers();
    reading.fact("memory_kib", least(0).ok_or(Reason::TrialFailed)?);
    reading.fact("passes", least(1).ok_or(Reason::TrialFailed)?);
    reading.fact("memory_kib_min", u64::from(memory_kib));
    reading.fact("passes_min", u64::from(passes));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use evidence::Outcome;

    /// A vault that is made cheaper from outside does not open any more; one that was made so by another version does.
    #[test]
    fn one_cheap_key_slot_is_one_too_many() {
        let outcome = |costs: &[KdfParams]| {
            let read = timed(&|| 0, |reading| least_cost(costs, reading));
            judged("CRY-03", read).map(|verdict| verdict.outcome())
        };
        let (usual, cheap) = (KdfParams::DEFAULT, KdfParams::FLOOR);
        assert_eq!(outcome(&[usual, usual]), Some(Outcome::Satisfied));
        assert_eq!(outcome(&[usual, cheap]), Some(Outcome::NotSatisfied));
        assert_eq!(outcome(&[]), Some(Outcome::NotMeasured));
    }

    #[test]
    fn what_leads_to_a_network_is_told_from_the_rest() {
        for operation in ["make a Unix socket", "connect", "send with TCP Fast Open", "empty network"] {
            assert!(is_of_network(operation), "{operation}");
        }
        for operation in ["mount", "umask 077", "make memory executable"] {
            assert!(!is_of_network(operation), "{operation}");
        }
    }
}

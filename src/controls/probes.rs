//! The probes: what each of them reads now, behind the fences. They bring facts, and none says that something is satisfied.

use super::fences;
use super::reading::{Read, timed, why};
use super::site::{Room, Site};
use audit::{Clock as _, Digest};
use darkroom::{Counted, Marked, Who};
use evidence::{Held, Reading, Reason, Run, Verdict};
use sandbox::ProbeReport;
use vault::{KdfParams, Survey};

/// Tries every control that has a probe: as `who`, or with the vault shut, when what needs it open is not measured. `fences`
/// tries everything that they forbid.
pub fn try_all(
    site: &Site,
    room: &mut Room<'_>,
    who: Option<&Who>,
    fences: &dyn Fn() -> Result<ProbeReport, sandbox::Error>,
) -> Run {
    let now = || site.clock.wall_ms();
    let started_ms = now();
    let mut found = evidence::try_log(&site.audit, site.run_age_seconds_max, &now);
    let survey = survey_of(site, room);
    let tried = of_fences(site, fences, &now)
        .into_iter()
        .chain(of_folder(survey.as_ref(), &now))
        .chain(of_vault(room, who, &now))
        .chain([
            ("NET-01", of_listener(site, &now)),
            ("NET-03", of_gate(site, &now)),
            super::unwritable::tried(site, &now),
        ]);
    found.extend(tried.filter_map(|(id, read)| judged(id, read)));
    let person = who.map(|who| (who.actor(), u32::from(who.slot())));
    let held = held(room, who, survey.as_ref());
    let folders = (&*site.audit, &*site.evidence);
    found.extend(evidence::try_history(folders, &site.periods, &held, person, &now));
    let tried = super::start::tried(site, &now)
        .into_iter()
        .chain(of_newest_picture(room, who, &now))
        .chain(super::sought::tried(site, room, who, &now));
    found.extend(tried.filter_map(|(id, read)| judged(id, read)));
    found.extend(evidence::try_claims(&found, &now));
    let policy = Digest::of(site.rules.as_bytes());
    Run::new(started_ms, now().saturating_sub(started_ms), site.binary, policy, found)
}

fn judged(id: &str, read: Read) -> Option<Verdict> {
    let control = evidence::control(id)?;
    Some(match read {
        Ok(reading) => Verdict::of(control, reading),
        Err(
            reason @ (Reason::NoPictures | Reason::NoModelFiles | Reason::NobodyNamed | Reason::OnePerson),
        ) => Verdict::not_applicable(control, reason),
        Err(reason) => Verdict::not_measured(control, reason),
    })
}

/// Everything that the fences forbid is tried once more. The start has tried it, too, and would have refused.
fn of_fences(
    site: &Site,
    probe: &dyn Fn() -> Result<ProbeReport, sandbox::Error>,
    now: &dyn Fn() -> u64,
) -> [(&'static str, Read); 2] {
    let started_ms = now();
    let readings = fences::readings(|| Reading::begun_at(started_ms), &site.report, probe);
    let took_ms = now().saturating_sub(started_ms);
    let [whole, network] = match readings {
        Some(both) => both.map(|mut reading| {
            reading.took_ms = took_ms;
            Ok(reading)
        }),
        None => [const { Err(Reason::TrialFailed) }; 2],
    };
    [("INT-02", whole), ("NET-02", network)]
}

/// Who listens at the port. A table without our own socket is that of another network, and says nothing.
fn of_listener(site: &Site, now: &dyn Fn() -> u64) -> Read {
    let listener = site.listener.as_ref().ok_or(Reason::NoListener)?;
    timed(now, |reading| {
        let counted = listener.count().map_err(|_| Reason::TrialFailed)?;
        // It listens, so the table that lacks it is not that of its network.
        if counted.here == 0 {
            return Err(Reason::OtherNetwork);
        }
        reading.fact("listeners_here", counted.here);
        reading.fact("listeners_elsewhere", counted.elsewhere);
        Ok(())
    })
}

/// What the routes answer to forged names.
fn of_gate(site: &Site, now: &dyn Fn() -> u64) -> Read {
    let gate = site.gate.get().ok_or(Reason::NoListener)?;
    timed(now, |reading| {
        let forged = gate.try_forged().ok_or(Reason::TrialFailed)?;
        reading.fact("forged_requests", forged.tried);
        reading.fact("forged_requests_let_in", forged.let_in);
        reading.fact("own_name_let_in", forged.own_is_let_in);
        Ok(())
    })
}

/// The folder of sealed pictures, as anybody sees it who has no key; another vault's would say nothing.
fn survey_of(site: &Site, room: &mut Room<'_>) -> Option<Survey> {
    let vault = room.with(|darkroom| Ok(darkroom.public()?.vault_id));
    let is_ours = |found: &Survey| vault.as_ref().is_ok_and(|vault| found.vaults.contains(vault));
    vault::survey(&site.outputs).ok().filter(is_ours)
}

/// What vault and folders hold, for what is held against the records. The vault is asked first: what happens after that is on
/// record behind it.
fn held(room: &mut Room<'_>, who: Option<&Who>, survey: Option<&Survey>) -> Held {
    let holdings = who.and_then(|who| room.with(|darkroom| darkroom.holdings(who)).ok());
    Held {
        pictures: holdings.map(|holdings| (holdings.pictures, holdings.records)),
        other_key: room.with(|darkroom| darkroom.has_other_key()).ok(),
        linked: survey.map(|survey| survey.linked),
    }
}

fn of_folder(survey: Option<&Survey>, now: &dyn Fn() -> u64) -> [(&'static str, Read); 3] {
    let started_ms = now();
    let survey = survey.ok_or(&Reason::TrialFailed);
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
fn of_vault(room: &mut Room<'_>, who: Option<&Who>, now: &dyn Fn() -> u64) -> [(&'static str, Read); 4] {
    let cost = timed(now, |reading| {
        let public = room.with(|darkroom| darkroom.public()).map_err(|_| Reason::TrialFailed)?;
        least_cost(&public.costs, reading)
    });
    let pictures = timed(now, |reading| {
        let found = room.verify(who.ok_or(Reason::Locked)?).map_err(|error| why(&error))?;
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
        let who = who.ok_or(Reason::Locked)?;
        let continues = room.with(|darkroom| darkroom.continues_mark(who)).map_err(|error| why(&error))?;
        reading.fact("continues_mark", continues);
        Ok(())
    });
    let people = timed(now, |reading| {
        let who = who.ok_or(Reason::Locked)?;
        let Counted { people, admins } =
            room.with(|darkroom| darkroom.count_people(who)).map_err(|error| why(&error))?;
        if people < 2 {
            return Err(Reason::OnePerson);
        }
        reading.fact("people", people);
        reading.fact("people_not_admins", people - admins);
        Ok(())
    });
    [("CRY-03", cost), ("CRY-06", pictures), ("LOG-05", mark), ("ACC-02", people)]
}

/// What the newest picture says of its making.
fn of_newest_picture(
    room: &mut Room<'_>,
    who: Option<&Who>,
    now: &dyn Fn() -> u64,
) -> [(&'static str, Read); 3] {
    let started_ms = now();
    let marked = who.ok_or(Reason::Locked).and_then(|who| {
        let marked = room.newest_marks(who).map_err(|error| why(&error))?;
        marked.ok_or(Reason::NoPictures)
    });
    let read = |put: &dyn Fn(&mut Reading, Marked)| {
        let mut reading = Reading::begun_at(started_ms);
        put(&mut reading, marked?);
        reading.took_ms = now().saturating_sub(started_ms);
        Ok(reading)
    };
    [
        ("PRV-08", read(&|reading, marked| reading.fact("other_chunks", marked.other_chunks))),
        ("AIT-02", read(&|reading, marked| reading.fact("digital_source_type", marked.digital_source_type))),
        ("AIT-03", read(&|reading, marked| reading.fact("aigc_label", marked.aigc_label))),
    ]
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
}

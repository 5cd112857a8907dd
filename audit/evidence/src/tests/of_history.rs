//! Each control of what people must not forget, and what breaks it.

use super::*;
use crate::Outcome::{self, NotApplicable, NotMeasured, NotSatisfied, Satisfied};
use crate::tests::{Dir, copy, erased};
use audit::words::{RollReason, StopReason, View};
use audit::{Digest, Event, JobId, Log, SystemClock};

const DAY_MS: u64 = 24 * 3600 * 1000;
const MONTH: Periods = Periods {
    key_days_max: Some(30),
    drill_days_max: Some(30),
    backup_days_max: Some(30),
    stamp_days_max: Some(30),
};
const NONE: Periods =
    Periods { key_days_max: None, drill_days_max: None, backup_days_max: None, stamp_days_max: None };

fn in_days(days: u64) -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap() + days * DAY_MS
}

fn outcome(dir: &Path, periods: &Periods, days: u64, id: &str) -> (Outcome, Option<Reason>) {
    outcome_beside(dir, periods, &Held::default(), days, id)
}

/// The same beside a vault.
fn outcome_beside(
    dir: &Path,
    periods: &Periods,
    held: &Held,
    days: u64,
    id: &str,
) -> (Outcome, Option<Reason>) {
    let person = Some((Actor::Person([7; 16]), 3));
    let verdicts = try_history((dir, dir), periods, held, person, &|| in_days(days));
    let ids: Vec<&str> = verdicts.iter().map(|verdict| verdict.control().id).collect();
    assert_eq!(ids, IDS);
    let verdict = verdicts.iter().find(|verdict| verdict.control().id == id).unwrap();
    (verdict.outcome(), verdict.reason())
}

fn rolled(epoch: u64) -> Event {
    Event::VaultRolled {
        reason: RollReason::Erase,
        vault_epoch: epoch,
        vault_seq: 3,
        vault_root: Digest([4; 32]),
    }
}

/// A picture's end, as the darkroom has it.
fn erase(log: &Log, object: u8) {
    let (object, job) = (Object([object; 16]), JobId([object; 16]));
    let erased = erased(u64::from(object.0[0]));
    log.append(&[Event::ObjectEraseRequested { count: 1 }.by_system().job(job)]).unwrap();
    log.append(&[erased.by_system().object(object).job(job)]).unwrap();
}

fn back_up(log: &Log, job: u8) {
    let job = JobId([job; 16]);
    log.append(&[Event::BackupBegun { objects: 1 }.by_system().job(job)]).unwrap();
    let written = Event::BackupWritten { bytes: 7, sha256: Digest([5; 32]) };
    log.append(&[written.by_system().job(job)]).unwrap();
}

fn restore(log: &Log, job: u8, log_survived: bool) {
    let job = JobId([job; 16]);
    let begun = Event::BackupRestoreBegun { objects: 1, erased: 0, log_survived };
    log.append(&[begun.by_system().job(job)]).unwrap();
    let restored = Event::BackupRestored { vault_epoch: 9, vault_seq: 3, vault_root: Digest([4; 32]) };
    log.append(&[restored.by_system().job(job)]).unwrap();
}

/// A log, and what a test adds to it.
fn log(fill: impl FnOnce(&Log)) -> Dir {
    let dir = Dir::new();
    let log = Log::create(&dir.0.join("audit"), SystemClock::new()).unwrap();
    fill(&log);
    drop(log);
    copy(&dir.0.join("audit"))
}

#[test]
fn a_key_grows_old_and_a_roll_makes_a_new_one() {
    let of = log(|log| {
        log.append(&[rolled(1).by_system()]).unwrap();
    });
    assert_eq!(outcome(&of.0, &NONE, 0, "KEY-01"), (NotMeasured, Some(Reason::NoPeriod)));
    assert_eq!(outcome(&of.0, &MONTH, 29, "KEY-01").0, Satisfied);
    assert_eq!(outcome(&of.0, &MONTH, 31, "KEY-01").0, NotSatisfied);
    // Without a vault there is nothing to be old.
    let none = log(|_| ());
    assert_eq!(outcome(&none.0, &MONTH, 31, "KEY-01"), (NotMeasured, Some(Reason::FactMissing)));
}

#[test]
fn a_backup_that_is_old_unfinished_or_destroyed_is_none() {
    let of = log(|log| back_up(log, 1));
    assert_eq!(outcome(&of.0, &NONE, 0, "OPS-01"), (NotMeasured, Some(Reason::NoPeriod)));
    assert_eq!(outcome(&of.0, &MONTH, 29, "OPS-01").0, Satisfied);
    assert_eq!(outcome(&of.0, &MONTH, 31, "OPS-01").0, NotSatisfied);
    let (none, begun) = (
        log(|_| ()),
        log(|log| {
            log.append(&[Event::BackupBegun { objects: 1 }.by_system().job(JobId([1; 16]))]).unwrap();
        }),
    );
    let destroyed = log(|log| {
        back_up(log, 1);
        log.append(&[Event::BackupDestroyed {}.by_system().job(JobId([1; 16]))]).unwrap();
    });
    for dir in [none, begun, destroyed] {
        assert_eq!(outcome(&dir.0, &MONTH, 0, "OPS-01").0, NotSatisfied);
    }
}

#[test]
fn a_stamp_that_is_not_kept_does_not_count() {
    let none = log(|_| ());
    assert_eq!(outcome(&none.0, &NONE, 0, "LOG-06"), (NotMeasured, Some(Reason::NoPeriod)));
    assert_eq!(outcome(&none.0, &MONTH, 0, "LOG-06").0, NotSatisfied);
    let claimed = log(|log| {
        let stamped = Event::LogStamped { answer: Digest([1; 32]), size: 1, stamped_ms: in_days(0) };
        log.append(&[stamped.by_system()]).unwrap();
    });
    assert_eq!(outcome(&claimed.0, &MONTH, 0, "LOG-06").0, NotSatisfied);
}

#[test]
fn an_erasure_without_its_request_or_its_proof_cannot_be_certified() {
    let none = log(|_| ());
    assert_eq!(outcome(&none.0, &NONE, 0, "ERA-02"), (NotApplicable, Some(Reason::NothingErased)));
    let many = log(|log| (1..20).for_each(|object| erase(log, object)));
    assert_eq!(outcome(&many.0, &NONE, 0, "ERA-02").0, Satisfied);
    let segment = many.0.join("seg/00000000.jsonl");
    let text = std::fs::read_to_string(&segment).unwrap();
    std::fs::write(&segment, text.replacen("\"grade\":\"b\"", "\"grade\":\"v\"", 1)).unwrap();
    assert_eq!(outcome(&many.0, &NONE, 0, "ERA-02").0, NotSatisfied);
    let unasked = log(|log| {
        erase(log, 1);
        log.append(&[erased(2).by_system().object(Object([7; 16])).job(JobId([7; 16]))]).unwrap();
    });
    assert_eq!(outcome(&unasked.0, &NONE, 0, "ERA-02").0, NotSatisfied);
    // What is no record at all tells nothing.
    std::fs::write(&segment, "{}\n").unwrap();
    assert_eq!(outcome(&many.0, &NONE, 0, "ERA-02"), (NotMeasured, Some(Reason::TrialFailed)));
}

#[test]
fn a_backup_that_brings_back_what_was_erased_is_seen() {
    let none = log(|log| back_up(log, 1));
    assert_eq!(outcome(&none.0, &NONE, 0, "ERA-03"), (NotApplicable, Some(Reason::NothingRestored)));
    let viewed = |log: &Log, object| {
        let look = Event::ObjectViewed { kind: View::Content };
        log.append(&[look.by_system().object(Object([object; 16]))]).unwrap();
    };
    let sound = log(|log| {
        erase(log, 1);
        restore(log, 2, true);
        viewed(log, 3);
    });
    assert_eq!(outcome(&sound.0, &NONE, 0, "ERA-03").0, Satisfied);
    let blind = log(|log| restore(log, 2, false));
    assert_eq!(outcome(&blind.0, &NONE, 0, "ERA-03").0, NotSatisfied);
    let back = log(|log| {
        erase(log, 1);
        restore(log, 2, true);
        viewed(log, 1);
    });
    assert_eq!(outcome(&back.0, &NONE, 0, "ERA-03").0, NotSatisfied);
}

#[test]
fn a_state_that_was_pinned_and_not_handed_over_is_seen() {
    use audit::words::FreezeReason;
    let none = log(|_| ());
    assert_eq!(outcome(&none.0, &NONE, 0, "OPS-02"), (NotApplicable, Some(Reason::NothingFrozen)));
    let freeze = |log: &Log, job| {
        let (reason, root) = (FreezeReason::Exercise, Digest([1; 32]));
        let frozen = Event::EvidenceFrozen { reason, gdpr: true, dora: false, cra: false, size: 1, root };
        log.append(&[frozen.by_system().job(JobId([job; 16]))]).unwrap();
    };
    let hand_over = |log: &Log| {
        let exported = Event::EvidenceExported { manifest: Digest([1; 32]) };
        log.append(&[exported.by_system().job(JobId([9; 16]))]).unwrap();
    };
    let whole = log(|log| {
        freeze(log, 1);
        hand_over(log);
    });
    assert_eq!(outcome(&whole.0, &NONE, 0, "OPS-02").0, Satisfied);
    let now = log(|log| freeze(log, 1));
    assert_eq!(outcome(&now.0, &NONE, 0, "OPS-02"), (NotApplicable, Some(Reason::NothingFrozen)));
    let half = log(|log| {
        hand_over(log);
        freeze(log, 1);
        log.append(&[Event::BootStopped { reason: StopReason::Error }.by_system()]).unwrap();
    });
    assert_eq!(outcome(&half.0, &NONE, 0, "OPS-02").0, NotSatisfied);
}

#[test]
fn what_is_held_about_a_person_is_collected_or_it_is_said_that_it_cannot_be() {
    let unheard = log(|_| ());
    assert_eq!(outcome(&unheard.0, &NONE, 0, "PRV-06").0, NotSatisfied, "nothing is on record of them");
    let person = Actor::Person([7; 16]);
    let known = log(|log| {
        log.append(&[Event::VaultUnlockFailed {}.by(person)]).unwrap();
    });
    assert_eq!(outcome(&known.0, &NONE, 0, "PRV-06").0, Satisfied);
    let shut = try_history((&known.0, &known.0), &NONE, &Held::default(), None, &|| in_days(0));
    let shut = shut.iter().find(|verdict| verdict.control().id == "PRV-06").unwrap();
    assert_eq!((shut.outcome(), shut.reason()), (NotMeasured, Some(Reason::Locked)));
    let segment = known.0.join("seg/00000000.jsonl");
    let text = std::fs::read_to_string(&segment).unwrap();
    std::fs::write(&segment, text.replacen("\n{", "\n#", 1)).unwrap();
    assert_eq!(outcome(&known.0, &NONE, 0, "PRV-06").0, NotSatisfied);
}

#[test]
fn a_bundle_that_did_not_pass_its_check_or_has_no_key_is_seen_until_another_one_is_handed_out() {
    let none = log(|_| ());
    assert_eq!(outcome(&none.0, &NONE, 0, "GOV-02"), (NotApplicable, Some(Reason::NothingHandedOut)));
    let manifest = Digest([1; 32]);
    let (sound, failing) =
        (Event::EvidenceExported { manifest }, Event::EvidenceExportedFailing { manifest, findings: 1 });
    let drawn = Event::EvidenceKeyDrawn { key: audit::PublicKey([2; 32]) };
    let of = |events: &[(Event, u8)]| {
        let dir = log(|log| {
            for (event, job) in events {
                log.append(&[event.by_system().job(JobId([*job; 16]))]).unwrap();
            }
        });
        outcome(&dir.0, &NONE, 0, "GOV-02").0
    };
    assert_eq!(of(&[(drawn, 1), (sound, 1)]), Satisfied);
    assert_eq!(of(&[(drawn, 1), (failing, 1)]), NotSatisfied);
    assert_eq!(of(&[(drawn, 2), (sound, 1)]), NotSatisfied, "the key of another one");
    assert_eq!(of(&[(sound, 1), (drawn, 1)]), NotSatisfied, "a key that came afterwards");
    assert_eq!(of(&[(drawn, 1), (failing, 1), (drawn, 2), (sound, 2)]), Satisfied);
}

#[test]
fn a_bundle_is_for_the_incident_that_it_names_or_of_the_same_act_in_an_older_log() {
    use audit::words::FreezeReason;
    let freeze = |job| {
        let (reason, root) = (FreezeReason::Exercise, Digest([1; 32]));
        let frozen = Event::EvidenceFrozen { reason, gdpr: true, dora: false, cra: false, size: 1, root };
        frozen.by_system().job(JobId([job; 16]))
    };
    let stop = Event::BootStopped { reason: StopReason::Done }.by_system();
    let export =
        |job| Event::EvidenceExported { manifest: Digest([1; 32]) }.by_system().job(JobId([job; 16]));
    for (later, wanted) in [(9, NotSatisfied), (1, Satisfied)] {
        let dir = log(|log| {
            log.append(&[freeze(1), stop, export(later)]).unwrap();
        });
        assert_eq!(outcome(&dir.0, &NONE, 0, "OPS-02").0, wanted, "{later}");
    }
}

#[test]
fn a_drill_grows_old_and_counts_for_the_code_that_was_tried_alone() {
    use audit::words::{Proof, Role};
    let unlock = |log: &Log, role, slot| {
        let root = Digest([4; 32]);
        let event = Event::VaultUnlocked { slot, role, vault_epoch: 1, vault_seq: 1, vault_root: root };
        log.append(&[event.by_system()]).unwrap();
    };
    let none = log(|log| unlock(log, Role::Admin, 1));
    assert_eq!(outcome(&none.0, &NONE, 0, "KEY-04"), (NotMeasured, Some(Reason::NoPeriod)));
    assert_eq!(outcome(&none.0, &MONTH, 0, "KEY-04").0, NotSatisfied, "nobody has tried it");
    let drilled = log(|log| unlock(log, Role::Recovery, 2));
    assert_eq!(outcome(&drilled.0, &MONTH, 29, "KEY-04").0, Satisfied);
    assert_eq!(outcome(&drilled.0, &MONTH, 31, "KEY-04").0, NotSatisfied);
    let changed = |changed| {
        log(|log| {
            unlock(log, Role::Recovery, 2);
            let (by, vault_root) = (Proof::Passphrase, Digest([4; 32]));
            let (slot, vault_epoch, vault_seq) = (changed, 2, 2);
            let event = Event::VaultSecretChanged { slot, by, vault_epoch, vault_seq, vault_root };
            log.append(&[event.by_system().job(JobId([1; 16]))]).unwrap();
        })
    };
    assert_eq!(outcome(&changed(1).0, &MONTH, 0, "KEY-04").0, Satisfied, "another slot");
    assert_eq!(outcome(&changed(2).0, &MONTH, 0, "KEY-04").0, NotSatisfied, "another code");
}

#[test]
fn guesses_count_together_within_a_minute_and_for_a_week() {
    let of = |count| {
        log(|log| {
            log.append(&vec![Event::VaultUnlockFailed {}.by_system(); count]).unwrap();
        })
    };
    assert_eq!(outcome(&log(|_| ()).0, &NONE, 0, "ACC-03").0, Satisfied);
    assert_eq!(outcome(&of(12).0, &NONE, 0, "ACC-03").0, Satisfied);
    let fast = of(13);
    assert_eq!(outcome(&fast.0, &NONE, 6, "ACC-03").0, NotSatisfied);
    assert_eq!(outcome(&fast.0, &NONE, 8, "ACC-03").0, Satisfied);
    let mut seen = Seen::default();
    (0..40).for_each(|at| seen.see_guess(at * MINUTE_MS / 10));
    assert_eq!((seen.wrong, seen.wrong_in_a_minute), (40, 10));
    // The clock is set back by an hour.
    (0..5).for_each(|at| seen.see_guess(at));
    assert_eq!((seen.wrong, seen.wrong_in_a_minute), (45, 10));
}

#[test]
fn vault_and_log_are_to_tell_the_same() {
    let object = |number| Object([number; 16]);
    let of = log(|log| {
        for number in 1..=3 {
            let sealed = Event::ObjectSealed {
                width: 16,
                height: 16,
                ciphertext_mac: Digest([1; 32]),
                vault_epoch: 1,
                vault_seq: 1,
                vault_root: Digest([4; 32]),
            };
            log.append(&[sealed.by_system().object(object(number)).job(JobId([9; 16]))]).unwrap();
        }
        erase(log, 3);
    });
    let held = |numbers: &[u8], records| Held {
        pictures: Some((numbers.iter().map(|number| object(*number)).collect(), records)),
        other_key: Some(false),
        linked: Some(0),
    };
    let all = u64::MAX;
    let outcome = |held: &Held, id| outcome_beside(&of.0, &NONE, held, 0, id);
    let sound = held(&[1, 2], all);
    for id in ["LOG-01", "ERA-01", "KEY-02"] {
        assert_eq!(outcome(&sound, id).0, Satisfied, "{id}");
    }
    assert_eq!(outcome(&held(&[1, 2, 7], all), "LOG-01").0, NotSatisfied, "a picture without a record");
    assert_eq!(outcome(&held(&[], all), "LOG-01"), (NotApplicable, Some(Reason::NoPictures)));
    assert_eq!(outcome(&held(&[1, 3], all), "ERA-01").0, NotSatisfied, "an erased one is there");
    assert_eq!(outcome(&held(&[1, 3], 1), "ERA-01").0, Satisfied, "it was erased after the vault was asked");
    let linked = Held { linked: Some(1), ..sound.clone() };
    assert_eq!((outcome(&linked, "ERA-01").0, outcome(&linked, "KEY-02").0), (NotSatisfied, Satisfied));
    let kept = Held { other_key: Some(true), ..sound.clone() };
    assert_eq!((outcome(&kept, "ERA-01").0, outcome(&kept, "KEY-02").0), (NotSatisfied, NotSatisfied));
    let shut = Held { pictures: None, ..sound.clone() };
    assert_eq!(outcome(&shut, "LOG-01"), (NotMeasured, Some(Reason::Locked)));
    assert_eq!((outcome(&shut, "ERA-01").0, outcome(&shut, "KEY-02").0), (NotMeasured, Satisfied));
    let untold = Held { other_key: None, ..sound };
    assert_eq!(outcome(&untold, "KEY-02"), (NotMeasured, Some(Reason::TrialFailed)));
}

#[test]
fn a_key_that_could_not_be_overwritten_counts_until_it_is() {
    let held = Held { other_key: Some(false), ..Held::default() };
    let of = |wiped: &[u64]| {
        log(|log| {
            log.append(&[Event::VaultKeyRemains { key_epoch: 4 }.by_system().failed()]).unwrap();
            for key_epoch in wiped.iter().copied() {
                log.append(&[Event::VaultKeyWiped { key_epoch }.by_system()]).unwrap();
            }
        })
    };
    assert_eq!(outcome_beside(&of(&[]).0, &NONE, &held, 0, "KEY-02").0, NotSatisfied);
    assert_eq!(outcome_beside(&of(&[3]).0, &NONE, &held, 0, "KEY-02").0, NotSatisfied);
    assert_eq!(outcome_beside(&of(&[4]).0, &NONE, &held, 0, "KEY-02").0, Satisfied);
}

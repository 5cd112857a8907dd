//! Old records go, exactly those that were signed away, and the rest proves what it did.

use super::*;
use crate::faults::Fault;
use crate::merkle::leaf;
use crate::prune::Due;
use crate::pruned::{GOES, hash_only};
use crate::token::hex;
use crate::words::{Door, RequestRefusal};
use crate::{Actor, LOG_DAYS_MIN, Order, Proofs, Selection, Undone};
use std::io::ErrorKind;

pub(super) const DAY_MS: u64 = 86_400_000;
pub(super) const ADMIN: Actor = Actor::Person([5; 16]);

/// One batch: some that may go and one that stays.
pub(super) fn batch(number: u64) -> Vec<Entry> {
    vec![
        Event::SessionOpened { door: Door::Terminal, slot: 1 }.by_system(),
        Event::RequestRefused { reason: RequestRefusal::Policy }.by_system(),
        Event::TokenUsed { token: number, slot: 1 }.by_system(),
        Event::SessionClosed { slot: 1 }.by_system(),
        event(0),
    ]
}

/// Two full segments of long ago and a third one, of two epochs.
pub(super) fn aged(dir: &Dir) -> TestClock {
    let clock = TestClock::new();
    let log = two_segments(dir, &clock);
    clock.pass(200 * DAY_MS);
    log.append(&[event(7)]).unwrap();
    drop(log);
    clock
}

/// The same while it is young.
pub(super) fn two_segments(dir: &Dir, clock: &TestClock) -> Log {
    let log = Log::create_on(&dir.0, None, Disk::default(), Box::new(clock.clone())).unwrap();
    let entries: Vec<Entry> = (0..1000).flat_map(batch).collect();
    for part in entries.chunks(1000) {
        log.append(part).unwrap();
    }
    log.begin_epoch(EpochReason::Unlock).unwrap();
    for part in entries[..4000].chunks(1000) {
        log.append(part).unwrap();
    }
    log
}

pub(super) fn opened(dir: &Dir, clock: &TestClock, faults: &Faults) -> Result<Log, Error> {
    open_when(&dir.0, faults, clock)
}

fn pruned(dir: &Dir) -> (TestClock, Due) {
    let clock = aged(dir);
    let log = opened(dir, &clock, &Faults::default()).unwrap();
    let due = log.due(LOG_DAYS_MIN).unwrap();
    log.prune(ADMIN, due).unwrap();
    (clock, due)
}

pub(super) fn segment(dir: &Dir, index: u64) -> PathBuf {
    dir.0.join(format!("seg/{index:08}.jsonl"))
}

fn lines(dir: &Dir, index: u64) -> Vec<String> {
    std::fs::read_to_string(segment(dir, index)).unwrap().lines().map(str::to_owned).collect()
}

fn put(dir: &Dir, index: u64, lines: &[String]) {
    std::fs::write(segment(dir, index), lines.join("\n") + "\n").unwrap();
}

pub(super) fn code(dir: &Dir) -> Option<i32> {
    reader::python(&dir.0).status.code()
}

#[test]
fn what_is_due_is_shown_goes_and_leaves_a_log_that_both_verifiers_accept() {
    let dir = Dir::new();
    let clock = aged(&dir);
    let (whole, old) = (dir.verify(), dir.copy());
    let log = opened(&dir, &clock, &Faults::default()).unwrap();
    assert!(matches!(log.due(LOG_DAYS_MIN - 1), Err(Error::Refused { .. })));
    assert_eq!(log.due(201).unwrap().first, 0, "nothing is as old");
    let due = log.due(LOG_DAYS_MIN).unwrap();
    assert_eq!((due.from, due.first, due.records + due.kept), (0, 8192, 8192));
    assert!(due.records > 6000 && due.newest_ms.unwrap() < clock.wall_ms() - 184 * DAY_MS);
    assert_eq!(dir.verify().pruned, 0, "showing changes nothing");
    log.prune(ADMIN, due).unwrap();
    assert!(matches!(log.prune(ADMIN, due), Err(Error::Refused { .. })), "once");
    log.append(&[event(8)]).unwrap();
    drop(log);
    let report = dir.verify();
    assert!(report.is_ok(), "{report}");
    assert_eq!(report.pruned, due.records);
    assert!(report.to_string().contains("of which only the hash is left"), "{report}");
    assert_eq!(code(&dir), Some(0), "{}", String::from_utf8_lossy(&reader::python(&dir.0).stdout));
    // It goes on from what it was, by a checkpoint of before.
    let kept = std::fs::read(old.0.join("checkpoint")).unwrap();
    assert!(verify(&dir.0, Some(&kept)).unwrap().is_ok() && whole.is_ok());
    let size = |dir: &Dir| (0..2).map(|index| segment(dir, index).metadata().unwrap().len()).sum::<u64>();
    assert!(size(&dir) < size(&old) / 2, "{} of {}", size(&dir), size(&old));
    // Only those types are gone.
    let there = |dir: &Dir| crate::records(&dir.0, Order::OldestFirst).unwrap().map(Result::unwrap);
    let left: Vec<_> =
        there(&dir).filter(|record| record.seq < whole.signed).map(|record| record.seq).collect();
    let stays = |record: &crate::Stored| {
        record.seq >= due.first || !GOES.contains(&&*record.name) || (record.seq + 1).is_multiple_of(4096)
    };
    assert!(there(&old).filter(stays).map(|record| record.seq).eq(left));
    // A later start, and one that goes on for years.
    let log = opened(&dir, &clock, &Faults::default()).unwrap();
    assert_eq!(log.due(LOG_DAYS_MIN).unwrap().records, 0);
    log.append(&[event(9)]).unwrap();
    drop(log);
    assert!(dir.verify().is_ok());
}

#[test]
fn readers_leave_pruned_records_out_and_say_so() {
    let dir = Dir::new();
    let (_, due) = pruned(&dir);
    let gone = lines(&dir, 0).iter().position(|line| hash_only(line.as_bytes()).is_some()).unwrap() as u64;
    let error = crate::record(&dir.0, gone).unwrap_err();
    assert!(matches!(error, Error::Pruned { seq } if seq == gone) && error.to_string().contains("pruned"));
    assert!(crate::record(&dir.0, 0).unwrap().is_some());
    let mut exported = crate::export(&dir.0, 0, crate::Form::Own).unwrap();
    let count = exported.by_ref().map(Result::unwrap).count() as u64;
    let signed = dir.verify().signed;
    assert_eq!((exported.count_pruned(), exported.count_damaged()), (due.records, 0));
    assert_eq!((count, exported.next_record()), (signed, signed));
    let count = count - due.records;
    let spool = Dir::new();
    std::fs::create_dir_all(&spool.0).unwrap();
    // A cursor behind a record that is gone meanwhile still holds.
    for after in [0, gone + 1] {
        let _ = std::fs::remove_file(spool.0.join("cursor"));
        let spooled = crate::spool(&dir.0, &spool.0, crate::Form::Ocsf, Some(after)).unwrap();
        assert_eq!((spooled.next, spooled.damaged), (signed, 0));
        assert!(spooled.pruned > 0);
        assert!(crate::spool(&dir.0, &spool.0, crate::Form::Ocsf, None).unwrap().files.is_empty());
    }
    let (mut before, mut seen, mut told) = (None, 0, 0);
    loop {
        let page = crate::page(&dir.0, &Selection::default(), before, 500).unwrap();
        assert!(page.records.iter().all(Result::is_ok));
        seen += page.records.len() as u64;
        told += page.gone.map_or(0, |gone| gone.records);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!((seen, told), (count, due.records));
    let mut follower = crate::Follower::new(&dir.0, signed).unwrap();
    assert_eq!(follower.news().unwrap().len() as u64, count);
    assert_eq!(follower.gone().map(|gone| gone.records), Some(due.records));
    assert!(follower.news().unwrap().is_empty() && follower.gone().is_none());
    // Those that lie between what is shown, and no others.
    let all = crate::tail(&dir.0, count, false).unwrap();
    assert_eq!((all.lines.len() as u64, all.gone.unwrap().records), (count, due.records));
    let told = all.gone.unwrap().to_string();
    assert!(
        told.starts_with(&format!("of the records {gone} to ")) && told.contains(" were pruned: "),
        "{told}"
    );
    assert_eq!(crate::tail(&dir.0, signed - due.first, true).unwrap().gone, None);
    let proofs = Proofs::read(&dir.0).unwrap();
    let record = crate::record(&dir.0, 5).unwrap().unwrap();
    assert!(proofs.of(5).unwrap().holds_for(record.json().as_bytes()));
    assert!(crate::whole_from(&dir.0).unwrap() <= due.first && crate::whole_from(&dir.0).unwrap() > gone);
}

#[test]
fn exported_records_go_on_over_what_was_pruned_and_over_nothing_else() {
    let dir = Dir::new();
    let (_, due) = pruned(&dir);
    let all: Vec<String> =
        crate::export(&dir.0, 0, crate::Form::Own).unwrap().map(|line| line.unwrap() + "\n").collect();
    let is_gone = |line: &String| line.starts_with("{\"leaf\":");
    let (last, newest) = (crate::record_leaf(&dir.0, 4).unwrap().unwrap(), dir.verify().signed - 1);
    let read = |lines: &[String]| {
        let mut seen = 0;
        let read = crate::read_exported(lines.concat().as_bytes(), (4, last), |_| seen += 1);
        read.map(|exported| (exported.last.seq, seen))
    };
    let whole = all.iter().skip(5).filter(|line| !is_gone(line)).count();
    // From where they go on, or with what is known already, gone or not.
    for from in [0, 2, 4, 5] {
        assert_eq!(read(&all[from..]).unwrap(), (newest, whole), "from {from}");
    }
    let without = |at: usize| [&all[..at], &all[at + 1..]].concat();
    let first_gone = (5..).find(|at| is_gone(&all[*at])).unwrap();
    let first_kept = (first_gone..).find(|at| !is_gone(&all[*at])).unwrap();
    for lines in [without(first_gone), without(first_kept), all[6..].to_vec()] {
        assert!(matches!(read(&lines), Err(crate::ExportedError::Gap { .. })));
    }
    let mut other = all.clone();
    other[first_kept - 1] = other[first_kept - 1].replacen("leaf\":\"", "leaf\":\"0", 1);
    assert!(matches!(read(&other), Err(crate::ExportedError::NoRecord { .. })));
    // No pruning among them says so: one that is behind it, and where they end too early.
    let mut hidden = all.clone();
    let at = usize::try_from(due.first).unwrap();
    let leaf = crate::record_leaf(&dir.0, due.first).unwrap().unwrap();
    hidden[at] = format!("{{\"leaf\":\"{leaf}\",\"pruned\":{at}}}\n");
    assert!(matches!(read(&hidden), Err(crate::ExportedError::Gone { at }) if at == due.first));
    assert!(matches!(read(&all[..at]), Err(crate::ExportedError::Gone { .. })));
}

#[test]
fn nobody_takes_away_more_than_was_signed() {
    let dir = Dir::new();
    let (clock, due) = pruned(&dir);
    let segments: Vec<Vec<String>> = (0..3).map(|index| lines(&dir, index)).collect();
    let hash_of = |line: &String| hex(&leaf(line.as_bytes()));
    let found = |index: usize, changed: &[String], what: &str| {
        put(&dir, index as u64, changed);
        let report = dir.verify();
        assert!(report.integrity_broken, "{what}: {report}");
        assert!([Some(4), Some(11)].contains(&code(&dir)), "{what}");
        let opened = opened(&dir, &clock, &Faults::default()).map(drop);
        assert!(matches!(opened, Err(Error::Broken { .. })), "{what}: {opened:?}");
        put(&dir, index as u64, &segments[index]);
    };
    let is_kept = |line: &&String| hash_only(line.as_bytes()).is_none();
    for (index, segment) in segments.iter().enumerate() {
        let kept = |from: usize| segment.iter().skip(from).position(|line| is_kept(&line)).unwrap() + from;
        for at in [kept(1), kept(segment.len() / 2), segment.len() - 1] {
            let mut changed = segment.clone();
            changed[at] = hash_of(&segment[at]);
            found(index, &changed, "a kept record as its hash");
        }
        if index < 2 {
            let at = segment.iter().position(|line| !is_kept(&line)).unwrap();
            let mut changed = segment.clone();
            let other = if changed[at].starts_with('0') { "1" } else { "0" };
            changed[at].replace_range(..1, other);
            found(index, &changed, "another hash");
            let mut changed = segment.clone();
            changed.swap(at, at + 1);
            found(index, &changed, "two in each other's place");
        }
    }
    let mut changed = segments[2].clone();
    let at = changed.iter().position(|line| line.contains("\"log.pruned\"")).unwrap();
    changed[at] = changed[at].replace(&format!("\"first\":{}", due.first), "\"first\":12288");
    found(2, &changed, "another pruning");
    assert!(dir.verify().is_ok());
    // The same with the record of the pruning gone altogether.
    let mut changed = segments[2].clone();
    changed[at] = hash_of(&changed[at]);
    found(2, &changed, "the pruning itself");
}

#[test]
fn a_pruning_holds_the_files_that_it_reads_anew_against_what_it_has() {
    let dir = Dir::new();
    let (clock, due) = pruned(&dir);
    let open = || crate::open::open(&dir.0, None, Disk::default(), Box::new(clock.clone())).unwrap().0;
    let writer = open();
    assert!(writer.forms(due.first).is_ok());
    let whole = lines(&dir, 0);
    let kept =
        whole.iter().position(|line| hash_only(line.as_bytes()).is_none() && line.contains("erase")).unwrap();
    let mut changed = whole.clone();
    changed[kept] = hex(&leaf(whole[kept].as_bytes()));
    put(&dir, 0, &changed);
    assert!(matches!(writer.forms(due.first), Err(Error::Broken { .. })), "before the former pruning");
    put(&dir, 0, &whole);
    drop(writer);
    let fresh = Dir::new();
    let clock = aged(&fresh);
    let writer = crate::open::open(&fresh.0, None, Disk::default(), Box::new(clock)).unwrap().0;
    let whole = lines(&fresh, 1);
    for at in [3, 4095] {
        let mut changed = whole.clone();
        changed[at] = hex(&leaf(whole[at].as_bytes()));
        put(&fresh, 1, &changed);
        assert!(matches!(writer.forms(8192), Err(Error::Broken { .. })), "behind it");
    }
    put(&fresh, 1, &whole);
    assert!(writer.forms(8192).is_ok());
}

#[test]
fn a_fault_at_any_step_of_a_pruning_leaves_it_done_or_not_done() {
    let old = Dir::new();
    let clock = aged(&old);
    for fault in [Fault::Stop, Fault::Error(ErrorKind::StorageFull)] {
        for step in 0.. {
            let dir = old.copy();
            let faults = Faults::default();
            let log = opened(&dir, &clock, &faults).unwrap();
            let due = log.due(LOG_DAYS_MIN).unwrap();
            faults.plan(step, fault);
            let done = log.prune(ADMIN, due);
            let reached = faults.steps().len() > step;
            drop(log);
            // Told as what it is, before a start makes an end of it.
            let report = dir.verify();
            assert!(!report.integrity_broken, "{fault:?} at step {step}: {report}");
            drop(
                opened(&dir, &clock, &Faults::default())
                    .unwrap_or_else(|e| panic!("{fault:?} at {step}: {e}")),
            );
            let report = dir.verify();
            assert!(report.is_ok(), "{fault:?} at step {step}: {report}");
            let is_on_record = report.types.contains_key("log.pruned");
            assert_eq!(report.pruned, if is_on_record { due.records } else { 0 }, "{fault:?} at step {step}");
            assert!(is_on_record || done.is_err(), "{fault:?} at step {step}");
            if !reached {
                assert!(step > 8, "the act has no steps");
                break;
            }
        }
    }
}

#[test]
fn a_pruning_that_is_not_finished_is_told_as_that_and_a_full_disk_stops_no_start() {
    let dir = Dir::new();
    let clock = aged(&dir);
    let whole = dir.copy();
    let log = opened(&dir, &clock, &Faults::default()).unwrap();
    log.prune(ADMIN, log.due(LOG_DAYS_MIN).unwrap()).unwrap();
    drop(log);
    assert_eq!(crate::unfinished_pruning(&dir.0).unwrap(), None);
    std::fs::copy(segment(&whole, 1), segment(&dir, 1)).unwrap();
    assert!(crate::unfinished_pruning(&dir.0).unwrap().is_some());
    let report = dir.verify();
    assert!(!report.is_ok() && !report.integrity_broken, "{report}");
    assert!(report.to_string().contains("is not finished; the next start"), "{report}");
    assert_eq!(code(&dir), Some(4));
    let faults = Faults::default();
    faults.plan(0, Fault::Full);
    std::fs::remove_file(dir.0.join("reserve")).unwrap();
    let log = opened(&dir, &clock, &faults).unwrap();
    assert!(log.unpruned().unwrap().is_some_and(Undone::is_full));
    assert!(
        matches!(log.due(LOG_DAYS_MIN), Err(Error::Unpruned { why }) if why.is_full()),
        "no second one before"
    );
    drop(log);
    assert!(!dir.verify().integrity_broken);
    drop(opened(&dir, &clock, &Faults::default()).unwrap());
    assert!(dir.verify().is_ok());
    assert_eq!(code(&dir), Some(0));
}

#[test]
fn a_second_pruning_leaves_the_first_as_it_was_and_the_memory_of_the_log_goes_on() {
    let dir = Dir::new();
    let (clock, due) = pruned(&dir);
    let (memory, key) = (dir.0.with_extension("memory"), [3; 32]);
    let open = || {
        let log = Log::open_on(&dir.0, Some(&memory), Disk::default(), Box::new(clock.clone())).unwrap().0;
        log.prove(&key).unwrap();
        log
    };
    let log = open();
    for _ in 0..5 {
        log.append(&(0..200).flat_map(batch).collect::<Vec<_>>()).unwrap();
    }
    log.remember();
    drop(log);
    clock.pass(200 * DAY_MS);
    let before = lines(&dir, 0);
    let log = open();
    let again = log.due(LOG_DAYS_MIN).unwrap();
    assert_eq!((again.from, again.first), (due.first, 12288));
    log.prune(ADMIN, again).unwrap();
    log.remember();
    drop(log);
    assert_eq!(lines(&dir, 0), before);
    let report = dir.verify();
    assert!(report.is_ok() && report.pruned == due.records + again.records, "{report}");
    assert_eq!(code(&dir), Some(0));
    drop(open());
    drop(open());
    assert!(dir.verify().is_ok());
    let _ = std::fs::remove_file(memory);
}

#[test]
fn an_old_segment_that_is_put_back_after_a_second_pruning_goes_again() {
    let dir = Dir::new();
    let clock = aged(&dir);
    let whole = dir.copy();
    let log = opened(&dir, &clock, &Faults::default()).unwrap();
    log.prune(ADMIN, log.due(LOG_DAYS_MIN).unwrap()).unwrap();
    for _ in 0..5 {
        log.append(&(0..200).flat_map(batch).collect::<Vec<_>>()).unwrap();
    }
    clock.pass(200 * DAY_MS);
    log.prune(ADMIN, log.due(LOG_DAYS_MIN).unwrap()).unwrap();
    drop(log);
    let pruned = dir.verify().pruned;
    std::fs::copy(segment(&whole, 0), segment(&dir, 0)).unwrap();
    let report = dir.verify();
    assert!(
        !report.integrity_broken && report.to_string().contains("is not finished; the next start"),
        "{report}"
    );
    assert_eq!(code(&dir), Some(4));
    let log = opened(&dir, &clock, &Faults::default()).unwrap();
    assert_eq!(log.due(LOG_DAYS_MIN).unwrap().records, 0);
    drop(log);
    let report = dir.verify();
    assert!(report.is_ok() && report.pruned == pruned, "{report}");
    assert_eq!(code(&dir), Some(0));
}

#[test]
fn a_folder_that_refuses_stops_no_start_and_is_told_until_it_does_not() {
    let old = Dir::new();
    let clock = aged(&old);
    let whole = old.copy();
    let log = opened(&old, &clock, &Faults::default()).unwrap();
    log.prune(ADMIN, log.due(LOG_DAYS_MIN).unwrap()).unwrap();
    drop(log);
    std::fs::copy(segment(&whole, 1), segment(&old, 1)).unwrap();
    let mut told = 0;
    for step in 0..40 {
        let (dir, faults) = (old.copy(), Faults::default());
        faults.plan(step, Fault::Error(ErrorKind::PermissionDenied));
        let Ok(log) = opened(&dir, &clock, &faults) else { continue };
        let Some(why) = log.unpruned().unwrap() else { continue };
        told += 1;
        assert_eq!(why, Undone::Disk(ErrorKind::PermissionDenied.into()));
        let error = log.due(LOG_DAYS_MIN).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Unpruned { .. }), "{text}");
        assert!(text.contains("audit/seg can be written") && !text.contains("free some space"), "{text}");
        drop(log);
        assert!(!dir.verify().integrity_broken);
        assert_eq!(opened(&dir, &clock, &Faults::default()).unwrap().unpruned().unwrap(), None);
        assert!(dir.verify().is_ok());
    }
    assert!(told > 0, "no step of a start replaces a segment");
}

#[test]
fn the_python_reader_and_the_format_have_the_same_list() {
    let read = |name| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let (python, format) = (read("reference_verifier.py"), read("FORMAT.md"));
    let list = python.split_once("GOES = {").unwrap().1.split_once('}').unwrap().0;
    assert_eq!(list.split('"').skip(1).step_by(2).collect::<Vec<_>>(), GOES);
    let of_bundles = read("evidence/src/verify_log.py");
    let same = of_bundles.split_once("GOES = {").unwrap().1.split_once('}').unwrap().0;
    assert_eq!(same, list);
    assert!(python.contains(&format!("DAYS_MIN = {LOG_DAYS_MIN}\n")));
    let list = format.split_once("each record of the types").unwrap().1.split_once("is replaced").unwrap().0;
    assert_eq!(list.split('`').skip(1).step_by(2).collect::<Vec<_>>(), GOES);
    assert!(format.contains(&format!("`days` is at least {LOG_DAYS_MIN}")));
}

#[test]
fn a_reader_that_knows_no_pruning_says_that_a_record_cannot_be_read() {
    // What every earlier version asks of a line.
    let line = hex(&[0xab; 32]);
    assert!(crate::record::Record::parse(line.as_bytes()).is_err());
    assert!(hash_only(line.as_bytes()).is_some() && hash_only(line.to_uppercase().as_bytes()).is_none());
    for kind in GOES {
        assert!(crate::schema(kind).is_some(), "{kind}");
    }
}

//! What the vault remembers of a log: a start that goes on from it ends up where one ends that reads everything, and whatever
//! is done to it or to the log, nothing passes that would not pass without it.

use super::*;
use crate::faults::Fault;
use crate::paths::{Paths, SMALL_BYTES_MAX, read_limited};
use crate::remembered::Remembered;
use std::io::ErrorKind;

const KEY: [u8; 32] = [9; 32];

/// The log in `log`, and beside it the memory of it.
struct Home(Dir);

impl Home {
    fn new() -> Self {
        let dir = Dir::new();
        std::fs::create_dir(&dir.0).unwrap();
        let home = Self(dir);
        let log = create_at(&home.log(), &Faults::default()).unwrap();
        log.append(&every::every_event()).unwrap();
        log.append(&job(1)[..2]).unwrap();
        drop(log);
        home
    }

    fn log(&self) -> PathBuf {
        self.0.0.join("log")
    }

    fn memory(&self) -> PathBuf {
        self.0.0.join("memory")
    }

    fn open_on(&self, faults: &Faults) -> Result<Log, Error> {
        let open = || {
            let clock = Box::new(TestClock::new());
            Log::open_on(&self.log(), Some(&self.memory()), disk(faults), clock).map(|(log, _)| log)
        };
        // See `open_at`.
        let free = |opened: &Result<Log, Error>| {
            let busy = matches!(opened, Err(Error::Busy { .. }));
            if busy {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            !busy
        };
        (0..50).map(|_| open()).find(free).unwrap_or_else(open)
    }

    fn open(&self) -> Log {
        self.open_on(&Faults::default()).unwrap()
    }

    /// As a whole session of the program.
    fn session(&self, records: u64) {
        let log = self.open();
        log.prove(&KEY).unwrap();
        for number in 0..records {
            log.append(&[event(number)]).unwrap();
        }
        log.remember();
    }

    fn remembered(&self) -> Option<Remembered> {
        Some(Remembered::parse(&std::fs::read(self.memory()).ok()?)?.0)
    }

    /// What a start says that reads everything.
    fn told_by_all(&self) -> (crate::Mark, crate::Unfinished) {
        let copy = self.0.copy();
        let log = open_at(&copy.0.join("log"), &Faults::default()).unwrap();
        (log.mark(), log.unfinished().unwrap())
    }

    fn verifies(&self) {
        let report = verify_still(&self.log(), None).unwrap();
        assert!(report.is_ok(), "{report}");
    }
}

/// Changes one byte of a record without changing its length: a digit of its time.
fn change_record(log: &Path, seq: usize) {
    let path = log.join("seg/00000000.jsonl");
    let mut bytes = std::fs::read(&path).unwrap();
    let start = bytes.split_inclusive(|b| *b == b'\n').take(seq).map(<[u8]>::len).sum::<usize>();
    let at = start + bytes[start..].windows(6).position(|w| w == b"\"ts\":\"").unwrap() + 10;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
}

#[test]
fn a_start_goes_on_where_one_that_reads_everything_would_be() {
    let home = Home::new();
    for records in [0, 1, 30, 120, 3, 300] {
        home.session(records);
        let expected = home.told_by_all();
        let remembered = home.remembered().unwrap();
        assert_eq!(remembered.size, expected.0.size, "the end of a session is remembered");
        let log = home.open();
        assert_eq!((log.mark(), log.unfinished().unwrap()), expected);
        assert!(!expected.1.open_intents.is_empty(), "something is open");
        log.prove(&KEY).unwrap();
        assert_eq!(log.unfinished().unwrap(), expected.1);
        log.begin_epoch(EpochReason::Unlock).unwrap();
        drop(log);
        home.verifies();
    }
    // Nothing was taken for torn.
    let lines = crate::tail(&home.log(), u64::MAX, false).unwrap().lines;
    assert!(!lines.iter().any(|line| line.contains("recovery.truncated")));
}

/// As somebody does who sets the machine's clock, or touches the memory behind it.
fn touch_behind(home: &Home) {
    std::thread::sleep(std::time::Duration::from_millis(20));
    std::fs::write(home.memory(), std::fs::read(home.memory()).unwrap()).unwrap();
}

/// A session whose end lies behind everything, on the clock of the file system.
fn settled_home() -> Home {
    let home = Home::new();
    let log = home.open();
    for _ in 0..9 {
        log.append(&vec![event(0); 1000]).unwrap();
    }
    drop(log);
    home.session(3);
    std::thread::sleep(std::time::Duration::from_millis(20));
    home
}

/// A start reads everything where somebody has touched what it would not read.
#[test]
fn an_older_record_or_tile_that_was_touched_since_is_found_by_a_start() {
    let home = settled_home();
    change_record(&home.log(), 4);
    assert!(matches!(home.open_on(&Faults::default()), Err(Error::Broken { .. })));
    let home = settled_home();
    let tile = home.log().join("tile/0/003");
    let sound = std::fs::read(&tile).unwrap();
    let mut bytes = sound.clone();
    bytes[5] ^= 1;
    std::fs::write(&tile, bytes).unwrap();
    assert!(!verify(&home.log(), None).unwrap().is_ok());
    drop(home.open());
    assert_eq!(std::fs::read(&tile).unwrap(), sound, "tiles are made again");
    home.verifies();
}

/// But times are no proof: the records before are not read, else nothing would be gained. What was changed behind them is found by
/// whoever verifies, and by a start that has no memory.
#[test]
fn an_older_record_that_was_changed_behind_its_time_is_found_by_the_verifier_and_by_a_start_that_reads_all() {
    let home = settled_home();
    change_record(&home.log(), 4);
    touch_behind(&home);
    let log = home.open();
    log.prove(&KEY).unwrap();
    let report = verify(&home.log(), None).unwrap();
    assert!(!report.is_ok());
    assert!(matches!(log.prove_anew(), Ok(())), "proven already");
    drop(log);
    let log = home.open();
    assert!(matches!(log.prove_anew(), Err(Error::Broken { .. })), "who has no key reads all");
    drop(log);
    std::fs::remove_file(home.memory()).unwrap();
    assert!(matches!(home.open_on(&Faults::default()), Err(Error::Broken { .. })));
    // A tile, too: no root of ours hangs on it.
    let home = settled_home();
    let tile = home.log().join("tile/0/003");
    let mut bytes = std::fs::read(&tile).unwrap();
    bytes[5] ^= 1;
    std::fs::write(&tile, bytes).unwrap();
    touch_behind(&home);
    let log = home.open();
    log.prove(&KEY).unwrap();
    log.append(&[event(1)]).unwrap();
    drop(log);
    assert!(!verify(&home.log(), None).unwrap().is_ok());
    std::fs::remove_file(home.memory()).unwrap();
    drop(home.open());
    home.verifies();
}

#[test]
fn a_newer_record_that_was_changed_is_refused_as_ever() {
    let home = Home::new();
    home.session(10);
    let old = std::fs::read(home.memory()).unwrap();
    home.session(10);
    let newest = usize::try_from(home.told_by_all().0.size).unwrap() - 1;
    std::fs::write(home.memory(), old).unwrap();
    change_record(&home.log(), newest);
    assert!(matches!(home.open_on(&Faults::default()), Err(Error::Broken { .. })));
    // The last segment is read, whatever is remembered: in a small log that is all of it.
    for records in [10, 300, 1000] {
        for seq in [4, 257, 1] {
            let home = Home::new();
            home.session(records);
            change_record(&home.log(), seq.min(usize::try_from(home.told_by_all().0.size).unwrap() - 1));
            assert!(matches!(home.open_on(&Faults::default()), Err(Error::Broken { .. })), "{seq}");
        }
    }
}

#[test]
fn a_log_that_is_shorter_than_what_is_remembered_is_refused() {
    let home = Home::new();
    home.session(5);
    let old = home.0.copy();
    home.session(5);
    std::fs::remove_dir_all(home.log()).unwrap();
    copy_folder(&old.0.join("log"), &home.log());
    let log = home.open();
    let found = log.mark().size;
    assert!(matches!(log.prove(&KEY), Err(Error::Lost { found: f, signed }) if f == found && signed > found));
    // Nor does the memory go back to that.
    log.remember();
    drop(log);
    assert!(home.remembered().unwrap().size > found);
    // What somebody else sealed is no reason to refuse anything.
    let log = home.open();
    log.prove(&[8; 32]).unwrap();
    drop(log);
}

#[test]
fn a_log_that_went_on_otherwise_than_what_is_remembered_is_refused() {
    let home = Home::new();
    home.session(5);
    let old = home.0.copy();
    home.session(5);
    let kept = std::fs::read(home.memory()).unwrap();
    let other = Home(old);
    other.session(40);
    std::fs::write(other.memory(), kept).unwrap();
    assert!(matches!(other.open().prove(&KEY), Err(Error::Diverged { .. })));
}

#[test]
fn a_segment_or_tile_that_is_gone_or_cut_is_no_less_found_than_without_memory() {
    let home = settled_home();
    home.verifies();
    let segment = |home: &Home| home.log().join("seg/00000000.jsonl");
    let cut = Home(home.0.copy());
    let bytes = std::fs::read(segment(&cut)).unwrap();
    std::fs::write(segment(&cut), &bytes[..bytes.len() - 100]).unwrap();
    assert!(matches!(cut.open_on(&Faults::default()), Err(Error::Lost { .. } | Error::Broken { .. })));
    let gone = Home(home.0.copy());
    std::fs::remove_file(segment(&gone)).unwrap();
    assert!(gone.open_on(&Faults::default()).is_err());
    // Tiles are made again, and what is no tile goes.
    let tile = home.log().join("tile/0/003");
    std::fs::remove_file(&tile).unwrap();
    std::fs::write(home.log().join("tile/0/099"), b"foreign").unwrap();
    drop(home.open());
    assert!(tile.exists());
    home.verifies();
}

#[test]
fn a_memory_of_anything_else_is_as_good_as_none() {
    let home = Home::new();
    home.session(5);
    let whole = std::fs::read(home.memory()).unwrap();
    let other = Home::new();
    other.session(5);
    let foreign = std::fs::read(other.memory()).unwrap();
    let expected = home.told_by_all();
    let mut flipped = whole.clone();
    flipped[100] ^= 1;
    for bytes in [&foreign[..], &whole[..whole.len() / 2], &flipped, b""] {
        std::fs::write(home.memory(), bytes).unwrap();
        let log = home.open();
        assert_eq!((log.mark(), log.unfinished().unwrap()), expected);
        log.prove(&KEY).unwrap();
    }
    // A folder and a link in its place, too.
    std::fs::remove_file(home.memory()).unwrap();
    std::os::unix::fs::symlink(other.memory(), home.memory()).unwrap();
    assert_eq!(home.open().mark(), expected.0);
    std::fs::remove_file(home.memory()).unwrap();
    std::fs::create_dir(home.memory()).unwrap();
    assert_eq!(home.open().mark(), expected.0);
}

/// Somebody who can write the file, but has no key, tells a start what is open, until a secret is given.
#[test]
fn what_another_key_sealed_is_undone_before_anything_follows_from_it() {
    let home = Home::new();
    home.session(5);
    let expected = home.told_by_all();
    let mut forged = home.remembered().unwrap();
    forged.told = crate::told::Told::default();
    forged.ts_ms += 1_000_000_000;
    std::fs::write(home.memory(), forged.bytes(&[8; 32])).unwrap();
    for with_key in [true, false] {
        let log = home.open();
        assert!(log.unfinished().unwrap().open_intents.is_empty(), "the forgery is what a start has");
        let proven = if with_key { log.prove(&KEY) } else { log.prove_anew() };
        proven.unwrap();
        assert_eq!(log.unfinished().unwrap(), expected.1);
    }
    // The tree cannot be forged: it is held against the signed checkpoint.
    let mut forged = home.remembered().unwrap();
    forged.edge[0] = [1; 32];
    std::fs::write(home.memory(), forged.bytes(&KEY)).unwrap();
    assert_eq!(home.open().mark().root, expected.0.root);
}

#[test]
fn every_step_of_remembering_may_fail_or_be_the_last() {
    for fault in
        [Fault::Stop, Fault::Torn, Fault::Error(ErrorKind::Other), Fault::Error(ErrorKind::StorageFull)]
    {
        for step in 0.. {
            let home = Home::new();
            home.session(200);
            let faults = Faults::default();
            let log = home.open_on(&faults).unwrap();
            log.prove(&KEY).unwrap();
            for number in 0..60 {
                log.append(&[event(number)]).unwrap();
            }
            faults.plan(step, fault);
            log.remember();
            let appended = log.append(&[event(998)]).is_ok();
            let reached = faults.steps().len() > step;
            drop(log);
            let log = home.open();
            log.prove(&KEY).unwrap();
            log.append(&[event(999)]).unwrap();
            log.remember();
            drop(log);
            let what = format!("{fault:?} at step {step}");
            let lines = crate::tail(&home.log(), 10, false).unwrap().lines.join("\n");
            assert!(!appended || lines.contains("count=998\n"), "{what}");
            home.verifies();
            assert_eq!(home.remembered().unwrap().size, home.told_by_all().0.size, "{what}");
            if !reached {
                assert!(step > 5, "remembering has no steps");
                break;
            }
        }
    }
}

#[test]
fn without_a_key_nothing_is_remembered_and_with_one_it_is_while_records_come() {
    let home = Home::new();
    let log = home.open();
    for number in 0..100 {
        log.append(&[event(number)]).unwrap();
    }
    log.remember();
    drop(log);
    assert!(!home.memory().exists());
    let log = home.open();
    log.prove(&KEY).unwrap();
    for number in 0..100 {
        log.append(&[event(number)]).unwrap();
    }
    log.forget_key();
    let size = log.mark().size;
    log.remember();
    drop(log); // killed
    let remembered = home.remembered().unwrap().size;
    assert!(
        remembered < size && size - remembered <= crate::memory::REMEMBER_RECORDS,
        "{remembered} of {size}"
    );
}

#[test]
fn the_mark_of_the_vault_is_found_by_tiles_and_by_records() {
    let home = Home::new();
    let log = home.open();
    let mut marks = vec![log.mark()];
    for _ in 0..20 {
        log.append(&vec![event(0); 271]).unwrap();
        marks.push(log.mark());
    }
    let paths = Paths(home.log());
    for mark in &marks {
        log.check_mark(mark).unwrap();
        let now = log.mark();
        let fast = crate::replay::begins_with(&paths, (mark.size, &mark.root.0), (now.size, &now.root.0));
        assert!(fast.unwrap(), "{}", mark.size);
        let other = crate::Mark { root: Digest([3; 32]), ..*mark };
        assert!(matches!(log.check_mark(&other), Err(Error::Diverged { .. })));
    }
    // Tiles that lie are not believed.
    let tile = home.log().join("tile/0/000");
    let mut bytes = read_limited(&tile, SMALL_BYTES_MAX).unwrap();
    bytes[5] ^= 1;
    std::fs::write(tile, bytes).unwrap();
    log.check_mark(&marks[0]).unwrap();
}

//! Backups: made, put back, in every order with erasures, and by whom.

use super::people::{first, name, of, one_of, signed_in, with_second};
use super::*;
use crate::erase::may_hold;
use crate::metadata::pseudonym;
use crate::{HoldReason, JobId, Kind, ObjectId, Pictures, Restored, Role};
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::Path;

pub(super) fn backed_up(room: &mut Room) -> Vec<u8> {
    let (who, mut bytes) = (room.who, Vec::new());
    let done =
        crate::back_up(&mut **room, &who, Some(b"schema = 1"), &mut bytes, || Ok(()), || true).unwrap();
    assert_eq!(done.written.bytes, bytes.len() as u64);
    bytes
}

/// The same, and the clock has moved on: nothing that follows has its time.
fn backed_up_before(room: &mut Room) {
    backed_up(room);
    let begun_ms = room.backups().unwrap().last().unwrap().ts_ms;
    while room.now_ms() <= begun_ms {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

pub(super) fn restore(
    home: &Home,
    bytes: &[u8],
    secret: &Secret,
    without_log: bool,
) -> Result<Restored, Error> {
    restore_from(home, &mut Cursor::new(bytes), secret, without_log)
}

/// Destroys the vault of a backup, put back in a home of its own.
pub(super) fn destroy(bytes: &[u8], secret: &Secret) -> Result<(), Error> {
    let home = Home::in_memory();
    restore(&home, bytes, &first(), true)?;
    let mut darkroom = home.open()?;
    let who = darkroom.unlock(secret, Door::Terminal)?;
    darkroom.destroy_vault(&who).map(drop)
}

fn restore_from(
    home: &Home,
    input: &mut (impl Read + Seek),
    secret: &Secret,
    without_log: bool,
) -> Result<Restored, Error> {
    let meant = crate::Meant { without_log, same_outputs: true };
    crate::restore(&home.places(), (SystemClock::new(), start()), input, secret, meant, None)
}

/// The folder of the log as it is now, in another home.
pub(super) fn with_log_of(other: &Home) -> Home {
    let home = Home::in_memory();
    copy(&other.0.join("audit"), &home.0.join("audit"));
    home
}

pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &target),
            false => assert!(std::fs::copy(&path, &target).is_ok()),
        }
    }
}

/// The vault of this home opens, every picture in it too, the log verifies, and work goes on.
pub(super) fn is_sound(home: &Home) -> Room {
    let mut room = home.unlocked();
    let who = room.who;
    assert!(room.verify(&who).unwrap().is_sound());
    generate(&mut room, 1, Mood::Works).unwrap();
    home.log_verifies();
    room
}

#[test]
fn what_was_erased_since_stays_erased_as_long_as_the_log_has_survived() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    let who = room.who;
    let [before, since, kept] = [(); 3].map(|()| generate(&mut room, 1, Mood::Works).unwrap().remove(0));
    room.erase(&who, &[before.id]).unwrap();
    let bytes = backed_up(&mut room);
    let erased = room.erase(&who, &[since.id]).unwrap();
    assert_eq!(erased.backups.len(), 1, "who erases is told that a backup may still hold it");
    let later = generate(&mut room, 1, Mood::Works).unwrap().remove(0);
    room.leave(StopReason::Done).unwrap();
    let other = with_log_of(&home);
    let restored = restore(&other, &bytes, &secret(), false).unwrap();
    assert_eq!((restored.objects, restored.erased, restored.log_survived), (1, 1, true));
    assert_eq!(restored.lost, 1, "the one that was made after the backup");
    assert_eq!(other.count("backup.restored"), 1);
    let room = is_sound(&other);
    let ids: Vec<_> = room.pictures().iter().map(|picture| picture.id).collect();
    assert!(ids.contains(&kept.id));
    assert!(![before.id, since.id, later.id].iter().any(|id| ids.contains(id)), "{ids:?}");
    let sealed = other.0.join("outputs").join(format!("{}.sealed", since.name));
    assert!(!sealed.exists());
}

/// By the order of the records: what a clock says rules no backup out.
#[test]
fn an_erasure_names_the_backups_that_were_begun_after_the_picture_was_sealed() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    let who = room.who;
    let one = |room: &mut Room| generate(room, 1, Mood::Works).unwrap().remove(0);
    let oldest = one(&mut room);
    backed_up_before(&mut room);
    let [first, also_first] = [(); 2].map(|()| one(&mut room));
    backed_up_before(&mut room);
    let second = one(&mut room);
    let all: Vec<JobId> = room.backups().unwrap().iter().map(|backup| backup.job).collect();
    let dir = room.folders.audit.clone();
    let known = |room: &Room, picture: &Summary, made_ms: u64| {
        let salt = room.open_vault().unwrap().vault.get(picture.id).unwrap().salt;
        may_hold(&dir, (&[pseudonym(picture.id, salt)], made_ms), room.backups().unwrap()).len()
    };
    // Sealed before a clock was set back, it would be newer than every backup by its time.
    assert_eq!(known(&room, &oldest, u64::MAX), 2);
    assert_eq!(known(&room, &first, u64::MAX), 1);
    // The log cannot be read, or the time says that it is older: it may be in all.
    assert_eq!(known(&room, &second, 0), 2);
    assert_eq!(may_hold(&dir.join("none"), (&[], u64::MAX), room.backups().unwrap()).len(), 2);
    let mut erase = |ids: &[ObjectId]| {
        let erased = room.erase(&who, ids).unwrap();
        erased.backups.iter().map(|backup| backup.job).collect::<Vec<_>>()
    };
    assert_eq!(erase(&[second.id]), []);
    assert_eq!(erase(&[first.id]), all[1..]);
    assert_eq!(erase(&[also_first.id, oldest.id]), all, "that of one is enough");
}

/// The log took no record of a picture that the vault has, and had room again when a backup was begun.
#[test]
fn a_backup_that_was_begun_before_the_late_record_of_a_picture_is_named() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    backed_up_before(&mut room);
    crash_at(After::Committed, 1);
    assert!(generate(&mut room, 1, Mood::Works).is_err());
    assert_eq!(home.count("object.sealed"), 0);
    backed_up(&mut room);
    let all: Vec<JobId> = room.backups().unwrap().iter().map(|backup| backup.job).collect();
    drop(room);
    let mut room = home.unlocked();
    assert_eq!(home.count("object.sealed"), 1, "by the unlock");
    let (who, picture) = (room.who, room.pictures().remove(0));
    let erased = room.erase(&who, &[picture.id]).unwrap();
    assert_eq!(erased.backups.iter().map(|backup| backup.job).collect::<Vec<_>>(), all[1..]);
}

#[test]
fn without_a_log_nobody_knows_what_was_erased_and_that_must_be_said_first() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    let who = room.who;
    let picture = generate(&mut room, 1, Mood::Works).unwrap().remove(0);
    let bytes = backed_up(&mut room);
    room.erase(&who, &[picture.id]).unwrap();
    room.leave(StopReason::Done).unwrap();
    let other = Home::in_memory();
    let refused = restore(&other, &bytes, &secret(), false).unwrap_err();
    assert!(matches!(refused, Error::LogMissing { .. }), "{refused}");
    assert_eq!(std::fs::read_dir(other.0.join("audit")).unwrap().count(), 0, "nothing was written");
    let restored = restore(&other, &bytes, &secret(), true).unwrap();
    assert_eq!((restored.objects, restored.erased, restored.log_survived), (1, 0, false));
    let room = is_sound(&other);
    assert!(room.pictures().iter().any(|found| found.id == picture.id));
    // The log is that of the backup, and goes on.
    assert_eq!((other.count("backup.begun"), other.count("object.erased")), (1, 0));
    drop(room);
    // A second one finds the vault that there is.
    assert!(matches!(
        restore(&other, &bytes, &secret(), true),
        Err(Error::Vault(vault::Error::VaultExists(_)))
    ));
}

/// A request that has no outcome, of a vault that is lost: somebody wanted it gone.
#[test]
fn an_erasure_without_an_outcome_counts() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    let who = room.who;
    let picture = generate(&mut room, 1, Mood::Works).unwrap().remove(0);
    let bytes = backed_up(&mut room);
    crash_at(After::Intent, 1);
    assert!(matches!(room.erase(&who, &[picture.id]), Err(Error::Crash)));
    drop(room);
    let other = with_log_of(&home);
    assert_eq!(restore(&other, &bytes, &secret(), false).unwrap().erased, 1);
    drop(is_sound(&other));
    // What becomes of the request is on record: it is done.
    assert_eq!(other.count("object.erased"), 1);
}

#[test]
fn another_log_and_one_that_ends_before_the_backup_are_refused() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    generate(&mut room, 1, Mood::Works).unwrap();
    room.leave(StopReason::Done).unwrap();
    let older = with_log_of(&home);
    let mut room = home.unlocked();
    let bytes = backed_up(&mut room);
    drop(room);
    let foreign = Home::in_memory();
    foreign.unlocked().leave(StopReason::Done).unwrap();
    for part in ["vault", "outputs"] {
        std::fs::remove_dir_all(foreign.0.join(part)).unwrap();
    }
    for wrong in [older, foreign] {
        let before = wrong.records().len();
        let refused = restore(&wrong, &bytes, &secret(), true).unwrap_err();
        assert!(matches!(refused, Error::ForeignLog { .. }), "{refused}");
        assert_eq!(wrong.records().len(), before);
        assert!(!wrong.0.join("vault/vault").exists());
    }
}

#[test]
fn people_holds_and_what_was_handed_over_are_as_the_log_says() {
    let home = Home::in_memory();
    let mut room = with_second(&home, Role::Operator);
    let who = room.who;
    let second = signed_in(&mut room, &of("second"));
    let theirs = one_of(&mut room, second);
    room.add_person(&who, &first(), &of("third"), Role::Operator).unwrap();
    let bytes = backed_up(&mut room);
    room.hold(&who, Some(&name("first")), HoldReason::Order).unwrap();
    room.remove_person(&who, &first(), &name("second"), Some(&Pictures::HandOver(name("first")))).unwrap();
    room.add_person(&who, &first(), &of("fourth"), Role::Operator).unwrap();
    let third = signed_in(&mut room, &of("third"));
    let new = Secret::passphrase("yet other words").unwrap();
    room.change_secret(&third, &of("third"), &new).unwrap();
    room.leave(StopReason::Done).unwrap();
    let other = with_log_of(&home);
    for (person, expected) in
        [("second", Kind::NotPermitted), ("third", Kind::NotPermitted), ("fourth", Kind::WrongSecret)]
    {
        assert_eq!(restore(&other, &bytes, &of(person), false).unwrap_err().kind(), expected, "{person}");
    }
    let restored = restore(&other, &bytes, &first(), false).unwrap();
    assert_eq!(
        (&restored.removed[..], &restored.changed[..]),
        (&["second".to_owned()][..], &["third".to_owned()][..])
    );
    assert_eq!(restored.added, 1);
    let mut room = other.open().unwrap();
    assert!(room.unlock(&of("second"), Door::Terminal).is_err());
    let who = room.unlock(&first(), Door::Terminal).unwrap();
    assert!(room.list(&who).unwrap().iter().any(|picture| picture.id == theirs.id), "handed over");
    assert_eq!(room.holds(&who).unwrap().len(), 1);
    assert_eq!(room.erase(&who, &[theirs.id]).map(drop).unwrap_err().kind(), Kind::Held);
    // Nobody inherits the number of the one who came and is not in the backup.
    assert_eq!(room.add_person(&who, &first(), &of("fifth"), Role::Operator).unwrap(), 6);
    other.log_verifies();
}

#[test]
fn the_recovery_code_puts_a_backup_back() {
    let home = Home::in_memory();
    let mut room = with_second(&home, Role::Operator);
    let who = room.who;
    let code = room.replace_recovery(&who).unwrap();
    let bytes = backed_up(&mut room);
    drop(room);
    let other = with_log_of(&home);
    restore(&other, &bytes, &code.secret(), false).unwrap();
    let mut room = other.open().unwrap();
    room.unlock(&first(), Door::Terminal).unwrap();
}

/// Takes so many bytes and no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.checked_sub(bytes.len()) {
            Some(left) => {
                self.0 = left;
                Ok(bytes.len())
            }
            None => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_backup_that_fails_is_on_record_and_none() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    let who = room.who;
    generate(&mut room, 1, Mood::Works).unwrap();
    for room_bytes in [0, 64, 3000, 6000] {
        let error = crate::back_up(&mut *room, &who, None, &mut Full(room_bytes), || Ok(()), || true)
            .map(drop)
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Disk, "{error}");
    }
    let unsynced = || Err(io::Error::from_raw_os_error(5));
    assert!(crate::back_up(&mut *room, &who, None, &mut Vec::new(), unsynced, || true).is_err());
    assert_eq!(
        (home.count("backup.begun"), home.count("backup.failed"), home.count("backup.written")),
        (5, 5, 0)
    );
    assert!(room.backups().unwrap().is_empty());
    let id = {
        let mut bytes = Vec::new();
        crate::back_up(&mut *room, &who, None, &mut bytes, || Ok(()), || true).unwrap().id
    };
    assert_eq!(room.backups().unwrap().len(), 1);
    room.backup_destroyed(&who, id).unwrap();
    assert!(room.backups().unwrap().is_empty());
    assert!(matches!(room.backup_destroyed(&who, id), Err(Error::NoBackup)));
    home.log_verifies();
}

/// A disk that fails while the backup is read for the second time.
struct Failing<'a> {
    bytes: Cursor<&'a [u8]>,
    /// Set at the first return to the beginning.
    left: Option<usize>,
    after: usize,
}

impl Read for Failing<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(out)?;
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(read).ok_or(io::Error::from_raw_os_error(5))?;
        }
        Ok(read)
    }
}

impl Seek for Failing<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.left = Some(self.after);
        self.bytes.seek(to)
    }
}

#[test]
fn a_restoration_that_fails_half_way_leaves_no_vault_and_can_be_done_again() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    generate(&mut room, 2, Mood::Works).unwrap();
    let bytes = backed_up(&mut room);
    room.leave(StopReason::Done).unwrap();
    let typed = secret();
    for survived in [true, false] {
        let other = if survived { with_log_of(&home) } else { Home::in_memory() };
        for after in (0..bytes.len()).step_by(bytes.len() / 6) {
            let mut failing = Failing { bytes: Cursor::new(&bytes), left: None, after };
            assert!(restore_from(&other, &mut failing, &typed, true).is_err(), "after {after}");
            assert!(!other.0.join("vault/vault").exists());
        }
        let restored = restore(&other, &bytes, &typed, true).unwrap();
        assert_eq!((restored.objects, restored.log_survived), (2, survived));
        drop(is_sound(&other));
    }
}

/// Parts of a log without the file that names it are nobody's to write over, whosever they are.
#[test]
fn parts_of_a_log_are_not_written_over() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    let who = room.who;
    let picture = generate(&mut room, 1, Mood::Works).unwrap().remove(0);
    let bytes = backed_up(&mut room);
    room.erase(&who, &[picture.id]).unwrap();
    room.leave(StopReason::Done).unwrap();
    let other = with_log_of(&home);
    let [origin, segment] = ["origin", "seg/00000000.jsonl"].map(|name| other.0.join("audit").join(name));
    let kept = (std::fs::read(&origin).unwrap(), std::fs::read(&segment).unwrap());
    std::fs::remove_file(&origin).unwrap();
    for without_log in [false, true] {
        let refused = restore(&other, &bytes, &secret(), without_log).unwrap_err();
        assert!(matches!(refused, Error::LogInParts { .. }), "{refused}");
        assert_eq!(std::fs::read(&segment).unwrap(), kept.1);
    }
    std::fs::write(&origin, kept.0).unwrap();
    assert_eq!(restore(&other, &bytes, &secret(), false).unwrap().erased, 1);
}

/// A copy of a log at work may lack the newest checkpoint: what the records behind it say counts all the same.
#[test]
fn an_erasure_that_nobody_has_signed_counts_too() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    let who = room.who;
    let picture = generate(&mut room, 1, Mood::Works).unwrap().remove(0);
    let bytes = backed_up(&mut room);
    let old = with_log_of(&home);
    room.erase(&who, &[picture.id]).unwrap();
    drop(room);
    let other = with_log_of(&home);
    for name in ["checkpoint", "checkpoints.log"] {
        std::fs::copy(old.0.join("audit").join(name), other.0.join("audit").join(name)).unwrap();
    }
    std::fs::remove_dir_all(other.0.join("audit/tile")).unwrap();
    let restored = restore(&other, &bytes, &secret(), false).unwrap();
    assert_eq!((restored.objects, restored.erased, restored.unsigned), (0, 1, true));
    drop(is_sound(&other));
}

/// What has left cannot be taken back: it may exist.
#[test]
fn a_backup_that_failed_and_could_not_be_taken_back_is_counted() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    let who = room.who;
    generate(&mut room, 1, Mood::Works).unwrap();
    assert!(crate::back_up(&mut *room, &who, None, &mut Full(6000), || Ok(()), || false).is_err());
    assert_eq!((home.count("backup.failed"), room.backups().unwrap().len()), (0, 1));
    assert!(room.backups().unwrap()[0].written.is_none());
}

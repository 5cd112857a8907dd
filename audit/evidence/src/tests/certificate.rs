//! Certificates as they are made, changed, cut and forged.

use super::facts::Facts;
use super::statement::{PAGE, STATEMENT, VERIFY};
use super::{CERTIFIED_MAX, Certificate, check_certificate, write};
use crate::dsse::ExportKey;
use crate::folder::NewFolder;
use crate::tests::{Dir, ONE, about, copy, erase, make};
use crate::{CheckedCertificate, Error, Expected};
use audit::words::{EpochReason, Grade, ObjectFailure, StopReason};
use audit::{Digest, Event, JobId, Log, Object, Order, Receipt, SystemClock, VerifyKey};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A log in which pictures were made, copied and erased.
struct Erased {
    dir: Dir,
    log: Log,
}

impl Erased {
    fn new() -> Self {
        let dir = Dir::new();
        let log = Log::create(&dir.0.join("audit"), SystemClock::new()).unwrap();
        log.begin_epoch(EpochReason::Unlock).unwrap();
        Self { dir, log }
    }

    fn about(&self, number: u8, event: Event) -> Receipt {
        about(&self.log, number, event)
    }

    fn make(&self, number: u8) -> Receipt {
        make(&self.log, number)
    }

    fn export(&self, number: u8) -> Receipt {
        self.about(number, Event::ObjectExportRequested {});
        self.about(number, Event::ObjectExported { bytes: 1234 })
    }

    fn erase(&self, number: u8) -> Receipt {
        erase(&self.log, number)
    }

    fn audit(&self) -> PathBuf {
        self.dir.0.join("audit")
    }

    /// Draws a key, puts it on record, and makes the certificate `name` of these pictures.
    fn try_certify(&self, name: &str, numbers: &[u8]) -> Result<(PathBuf, ExportKey), Error> {
        let key = ExportKey::draw().unwrap();
        let drawn = Event::CertificateKeyDrawn { key: key.public() }.by(ONE).job(JobId([99; 16]));
        let key_record = self.log.append(&[drawn]).unwrap().seq_first;
        let objects: Vec<Object> = numbers.iter().map(|number| Object([*number; 16])).collect();
        let ids: Vec<(u64, Vec<String>)> =
            numbers.iter().map(|n| (1 + u64::from(*n), vec![format!("{n:032x}")])).collect();
        let (audit, dir, thief) = (self.audit(), self.dir.0.join(name), key.copy());
        let certificate = Certificate {
            log: &audit,
            objects: &objects,
            ids: &ids,
            key_record,
            version: env!("CARGO_PKG_VERSION"),
            made_ms: 1_705_328_700_000,
        };
        let made = certificate.make(&dir, key)?;
        let issued = Event::CertificateIssued { statement: made.statement, objects: numbers.len() as u32 };
        self.log.append(&[issued.by(ONE).job(JobId([99; 16]))]).unwrap();
        Ok((dir, thief))
    }

    fn certify(&self, name: &str, numbers: &[u8]) -> PathBuf {
        self.try_certify(name, numbers).unwrap().0
    }
}

fn checked(dir: &Path) -> CheckedCertificate {
    check_certificate(dir, &Expected::default(), None).unwrap()
}

fn with_log(dir: &Path, log: &Path) -> CheckedCertificate {
    check_certificate(dir, &Expected::default(), Some(log)).unwrap()
}

#[track_caller]
fn assert_found(checked: &CheckedCertificate, file: &str, words: &str) {
    let is_it = |f: &crate::Finding| f.file == file && f.text.contains(words);
    assert!(checked.findings.iter().any(is_it), "{file}: {words}: {checked}");
    assert!(checked.to_string().contains("NOT verified") && checked.to_json().contains("\"ok\":false"));
}

#[test]
fn a_certificate_says_what_the_log_has_of_an_end_and_no_more() {
    let home = Erased::new();
    let (made, export) = (home.make(1), home.export(1));
    home.make(2);
    home.about(2, Event::ObjectExportRequested {});
    home.about(2, Event::ObjectExportFailed { reason: ObjectFailure::Io });
    home.make(3);
    home.about(3, Event::ObjectMissing {});
    home.about(3, Event::ObjectExportRequested {});
    home.make(4);
    let ends = [1, 2, 3].map(|number| home.erase(number));
    let dir = home.certify("certificate", &[3, 1, 2]);
    assert_eq!(Dir::files(&dir), [VERIFY, PAGE, STATEMENT]);
    for checked in [checked(&dir), with_log(&dir, &home.audit())] {
        assert!(checked.is_ok(), "{checked}");
        assert!(checked.to_string().contains("grade B"), "{checked}");
        let of = |at: usize| {
            (checked.pictures[at].object, checked.pictures[at].record, checked.pictures[at].exports)
        };
        // In the order of their end; an export that failed did not leave, and one without an outcome may have.
        for (at, exports) in [1, 0, 1].into_iter().enumerate() {
            assert_eq!(of(at), (Object([at as u8 + 1; 16]), ends[at].seq_first, exports));
        }
    }
    let page = std::fs::read_to_string(dir.join(PAGE)).unwrap();
    for record in [made, export, ends[0]] {
        assert!(page.contains(&format!("record {},", record.seq_first)), "{}", record.seq_first);
        assert!(page.contains(&format!("记录 {}，", record.seq_first)), "{}", record.seq_first);
    }
    assert!(
        page.contains("may have left") && page.contains("removed by hand") && page.contains("1234 bytes")
    );
    assert!(!page.contains("<script") && !page.contains("http"));
    assert!(!page.contains(&Object([4; 16]).to_string()), "another picture");
}

#[test]
fn what_is_not_erased_is_not_certified_and_nothing_is_left_behind() {
    let home = Erased::new();
    home.make(1);
    for numbers in [&[1][..], &[7]] {
        let refused = home.try_certify("none", numbers).unwrap_err();
        assert!(matches!(refused, Error::Record { .. }), "{refused}");
    }
    home.erase(1);
    let many = vec![1; CERTIFIED_MAX + 1];
    assert!(matches!(home.try_certify("none", &many), Err(Error::TooMany { .. })));
    assert!(!home.dir.0.join("none").exists());
    home.certify("certificate", &[1]);
    assert!(matches!(home.try_certify("certificate", &[1]), Err(Error::Exists { .. })));
    let nowhere = check_certificate(&home.dir.0.join("none"), &Expected::default(), None);
    assert!(matches!(nowhere, Err(Error::NoCertificate { .. })));
}

#[test]
fn one_changed_byte_in_any_file_is_found_and_named() {
    let home = Erased::new();
    home.make(1);
    home.export(1);
    home.erase(1);
    let dir = home.certify("certificate", &[1]);
    // Steps that share no factor with the four characters of base64, and so meet each of their places.
    for (name, step) in [(STATEMENT, 5), (PAGE, 31), (VERIFY, 31)] {
        let path = dir.join(name);
        let before = std::fs::read(&path).unwrap();
        for at in (0..before.len()).step_by(step) {
            let mut bytes = before.clone();
            bytes[at] ^= [1, 4, 32][at % 3];
            std::fs::write(&path, &bytes).unwrap();
            let checked = checked(&dir);
            assert!(checked.findings.iter().any(|finding| finding.file == name), "{name}, byte {at}");
        }
        for bytes in [&before[1..], &before[..before.len() - 1], &[]] {
            std::fs::write(&path, bytes).unwrap();
            assert!(checked(&dir).findings.iter().any(|finding| finding.file == name), "{name}, cut");
        }
        std::fs::write(&path, &before).unwrap();
        assert!(checked(&dir).is_ok());
    }
    std::fs::write(dir.join("surplus\u{1b}"), "x").unwrap();
    assert_found(&checked(&dir), "surplus\\u{1b}", "does not belong");
    std::fs::remove_file(dir.join("surplus\u{1b}")).unwrap();
    std::fs::remove_file(dir.join(PAGE)).unwrap();
    std::os::unix::fs::symlink(VERIFY, dir.join(PAGE)).unwrap();
    assert_found(&checked(&dir), PAGE, "regular file");
    std::fs::remove_file(dir.join(PAGE)).unwrap();
    assert_found(&checked(&dir), PAGE, "is missing");
}

/// Who has the key, before it is gone, can sign anything: what they sign is held against the records.
#[test]
fn a_statement_that_does_not_follow_from_its_records_is_found_whoever_signed_it() {
    use super::statement::Statement;
    type Change = fn(&mut Statement);
    let home = Erased::new();
    home.make(1);
    home.export(1);
    home.erase(1);
    home.make(2);
    home.erase(2);
    let audit = home.audit();
    let forge = |name: &str, change: Change| {
        let key = ExportKey::draw().unwrap();
        let drawn = Event::CertificateKeyDrawn { key: key.public() }.by(ONE).job(JobId([99; 16]));
        let key_record = home.log.append(&[drawn]).unwrap().seq_first;
        let certificate = Certificate {
            log: &audit,
            objects: &[Object([1; 16]), Object([2; 16])],
            ids: &[(2, vec!["0".repeat(32)])],
            key_record,
            version: env!("CARGO_PKG_VERSION"),
            made_ms: 0,
        };
        let mut statement = certificate.statement(key.public()).unwrap();
        change(&mut statement);
        let dir = home.dir.0.join(name);
        write(&mut NewFolder::make(&dir).unwrap(), &statement, key).unwrap();
        dir
    };
    assert!(checked(&forge("honest", |_| ())).is_ok());
    let changes: [(&str, Change); 13] = [
        ("what its records do not say", |s| s.pictures[0].destroyed.grade = Grade::V),
        ("what its records do not say", |s| s.pictures[0].destroyed.cited.ts_ms += 1),
        ("what its records do not say", |s| s.pictures[1].made = None),
        ("what its records do not say", |s| s.pictures[0].exports.clear()),
        ("other records than it rests on", |s| drop(s.pictures.pop())),
        ("does not follow", |s| s.size += 1),
        ("no record of the end", |s| s.pictures[0].object = Object([7; 16])),
        ("other ids", |s| s.ids[0].1.push("1".repeat(32))),
        ("other ids", |s| s.ids[0].1[0] = "a name of somebody".into()),
        ("other ids", |s| s.ids.push((9, Vec::new()))),
        ("out of order", |s| s.records.swap(0, 1)),
        ("another record", |s| s.records[0].1 = s.records[1].1.clone()),
        ("no proved record", |s| s.key_record -= 1),
    ];
    for (number, (words, change)) in changes.into_iter().enumerate() {
        assert_found(&checked(&forge(&format!("forged-{number}"), change)), STATEMENT, words);
    }
    // What is left out with its records follows from the rest: the log alone tells.
    let dir = forge("left-out", |statement| {
        let (export, _) = statement.pictures[0].exports.remove(0);
        let is_it = |record: &String| record.contains(&format!("\"seq\":{},", export.record));
        statement.records.retain(|(record, _)| !is_it(record));
    });
    assert!(checked(&dir).is_ok());
    assert_found(&with_log(&dir, &audit), STATEMENT, "leaves out");
    // One that was made and never handed out.
    let dir = forge("kept", |_| ());
    home.log.append(&[Event::BootStopped { reason: StopReason::Done }.by_system()]).unwrap();
    assert_found(&with_log(&dir, &audit), STATEMENT, "never handed out");
    // Another page to the same statement, signed with it.
    let (dir, key) = home.try_certify("page", &[1]).unwrap();
    let said = crate::dsse::Envelope::parse(&std::fs::read(dir.join(STATEMENT)).unwrap(), super::PREDICATE);
    let page = std::fs::read_to_string(dir.join(PAGE)).unwrap().replace("1234 bytes", "1 byte");
    std::fs::write(dir.join(PAGE), &page).unwrap();
    let said = said.unwrap();
    let files = [(PAGE, Digest::of(page.as_bytes())), (VERIFY, said.subjects[1].1)];
    std::fs::write(dir.join(STATEMENT), key.sign(super::PREDICATE, &files, &said.predicate)).unwrap();
    assert_found(&checked(&dir), PAGE, "does not say what");
}

#[test]
fn a_certificate_is_held_against_its_own_log_and_what_was_kept() {
    let (home, other) = (Erased::new(), Erased::new());
    for of in [&home, &other] {
        of.make(1);
        of.erase(1);
    }
    let kept_before = std::fs::read(home.audit().join("checkpoint")).unwrap();
    let dir = home.certify("certificate", &[1]);
    other.certify("certificate", &[1]);
    let (audit, others) = (home.audit(), other.audit());
    assert!(with_log(&dir, &audit).is_ok());
    assert_found(&with_log(&dir, &others), "--log", "");
    let nowhere = check_certificate(&dir, &Expected::default(), Some(&home.dir.0.join("nowhere")));
    assert!(matches!(nowhere, Err(Error::Log(_))));
    let key = |of: &Path| {
        let keys = std::fs::read_to_string(of.join("vkeys")).unwrap();
        VerifyKey::parse(keys.lines().next().unwrap())
    };
    let expect = |first_key: Option<VerifyKey>, checkpoint: Option<&[u8]>, log: Option<&Path>| {
        let checkpoint = checkpoint.map(<[u8]>::to_vec);
        check_certificate(&dir, &Expected { first_key, checkpoint }, log).unwrap()
    };
    assert!(expect(key(&audit), None, None).is_ok());
    assert_found(&expect(key(&others), None, None), STATEMENT, "expected first key");
    let others_kept = std::fs::read(others.join("checkpoint")).unwrap();
    assert_found(&expect(None, Some(&others_kept), None), STATEMENT, "another log");
    assert_found(&expect(None, Some(b"x"), None), STATEMENT, "no checkpoint");
    assert_found(&expect(None, Some(&kept_before), None), STATEMENT, "told by the log");
    assert!(expect(None, Some(&kept_before), Some(&audit)).is_ok());
    // A log that was cut back behind the certificate, or changed before it.
    let cut = copy(&audit);
    let segment = cut.0.join("seg/00000000.jsonl");
    let text = std::fs::read_to_string(&segment).unwrap();
    std::fs::write(&segment, text.replacen("\"width\":16", "\"width\":17", 1)).unwrap();
    assert_found(&with_log(&dir, &cut.0), "--log", "record");
}

/// A type of a later version is read by its name: what a backup holds is told as soon as backups are on record.
#[test]
fn a_backup_that_was_made_while_the_picture_was_there_holds_it() {
    let home = Erased::new();
    let stop =
        |home: &Erased| home.log.append(&[Event::BootStopped { reason: StopReason::Done }.by_system()]);
    stop(&home).unwrap();
    home.make(1);
    let held = stop(&home).unwrap().seq_first;
    home.erase(1);
    stop(&home).unwrap();
    let dir = copy(&home.audit());
    let segment = dir.0.join("seg/00000000.jsonl");
    let text = std::fs::read_to_string(&segment).unwrap().replace("boot.stopped", "backup.begun");
    std::fs::write(&segment, text).unwrap();
    let mut facts = Facts::about([Object([1; 16])]);
    for record in audit::records(&dir.0, Order::OldestFirst).unwrap() {
        facts.see(&record.unwrap());
    }
    let backups: Vec<u64> =
        facts.pictures().unwrap()[0].backups.iter().map(|(made, _)| made.record).collect();
    assert_eq!(backups, [held]);
}

/// `securesystemslib` verifies the signature by the key that the record names, and `rfc8785` writes envelope and statement again
/// byte for byte. What they must refuse, they refuse.
#[test]
fn other_peoples_programs_accept_a_certificate_and_refuse_what_was_changed() {
    let home = Erased::new();
    home.make(1);
    home.erase(1);
    let dir = home.certify("certificate", &[1]);
    let python = std::env::var("LIGHTPROOF_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/oracles.py");
    let judge = || {
        let output = Command::new(&python).arg(script).arg(&dir).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!said.contains("No module named"), "tests/run makes a Python that has it: {said}");
        (output.status.success(), said)
    };
    assert!(judge().0, "{}", judge().1);
    for (name, from, to) in
        [(PAGE, "Grade", "Grape"), (STATEMENT, "\"sig\":\"", "\"sig\":\"AAAA"), (STATEMENT, "{", "{ ")]
    {
        let before = std::fs::read_to_string(dir.join(name)).unwrap();
        std::fs::write(dir.join(name), before.replacen(from, to, 1)).unwrap();
        assert!(!judge().0, "{name}: {to}");
        std::fs::write(dir.join(name), before).unwrap();
    }
}

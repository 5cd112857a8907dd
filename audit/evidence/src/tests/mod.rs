//! What several tests need: readings that satisfy, and a run of them.

mod bundle;
mod erasures;
mod forged;
mod fuzz;
mod models;
mod oracles;
mod pruned;

use crate::control::{Control, Must, Trial};
use crate::{
    Answers, Checked, Embedded, Expected, Export, ExportKey, Exported, Reading, Run, Verdict, check, controls,
};
use audit::words::{EpochReason, Grade, StopReason};
use audit::{Actor, Digest, Event, JobId, Log, Object, Receipt, SystemClock};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A verdict whose facts are exactly as its control wants them; `None` for one that is not tried.
pub fn satisfied(control: &'static Control) -> Option<Verdict> {
    let Trial::Facts(conditions) = control.trial else { return None };
    let mut reading = Reading::begun_at(1_705_328_625_000);
    reading.took_ms = 3;
    for condition in conditions {
        match condition.must {
            Must::Be(flag) => reading.fact(condition.fact, flag),
            Must::AtMost(count) | Must::AtLeast(count) => reading.fact(condition.fact, count),
            Must::AtLeastFact(other) => {
                reading.fact(condition.fact, 7u64);
                reading.fact(other, 7u64);
            }
            Must::SameAs(other) => {
                reading.fact(condition.fact, Digest([7; 32]));
                reading.fact(other, Digest([7; 32]));
            }
        }
    }
    Some(Verdict::of(control, reading))
}

/// What a run is tried under.
pub const POLICY: &str = "path \"/place-of/vault\" read,write: the vault\n";

/// What a program has inside.
pub const EMBEDDED: Embedded<'static> =
    Embedded { name: "demo", digest: "0606060606060606060606060606060606060606060606060606060606060606" };

/// A run with these verdicts.
pub fn run_of(found: Vec<Verdict>) -> Run {
    Run::new(1_705_328_625_000, 250, Digest([1; 32]), Digest::of(POLICY.as_bytes()), found)
}

/// A folder that goes away with the test.
pub struct Dir(pub PathBuf);

impl Dir {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("evidence-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Every file of a bundle, with its path in it.
    pub fn files(dir: &Path) -> Vec<String> {
        crate::folder::names(dir).unwrap()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A log that was tried, and what a bundle of it is made of.
pub struct Tried {
    pub dir: Dir,
    pub log: Log,
    pub run: Run,
    pub posture: Value,
    pub run_record: u64,
}

impl Tried {
    /// A log of three epochs with a few records, and a run on record: all that can be satisfied is, but for `broken`, which
    /// is not satisfied.
    pub fn new(broken: &str) -> Self {
        let dir = Dir::new();
        let log = Log::create(&dir.0.join("audit"), SystemClock::new()).unwrap();
        for number in 0..5 {
            let started = Event::BootStarted {
                pid: number,
                binary: Digest([1; 32]),
                policy: Digest([2; 32]),
                landlock_abi: 7,
            };
            log.append(&[started.by_system()]).unwrap();
            log.append(&[Event::BootStopped { reason: StopReason::Done }.by_system()]).unwrap();
            if number % 2 == 0 {
                log.begin_epoch(EpochReason::Unlock).unwrap();
            }
        }
        let mut tried =
            Self { dir, log, run: run_of(Vec::new()), posture: json!({ "state": "green" }), run_record: 0 };
        tried.try_all(broken);
        tried
    }

    /// Another run, on record.
    pub fn try_all(&mut self, broken: &str) {
        let verdict = |control: &'static Control| {
            let mut reading = satisfied(control)?.reading()?.clone();
            reading.record(1);
            if let Trial::Facts([first, ..]) = control.trial
                && control.id == broken
            {
                reading.fact(first.fact, 1_000_000u64);
            }
            Some(Verdict::of(control, reading))
        };
        self.run = run_of(controls().filter_map(verdict).collect());
        let event = Event::EvidenceTried { run: self.run.digest(), not_satisfied: 1 };
        self.run_record = self.log.append(&[event.by_system()]).unwrap().seq_first;
    }

    pub fn audit(&self) -> PathBuf {
        self.dir.0.join("audit")
    }

    /// Draws a key, puts it on record, and makes the bundle `name`.
    pub fn export(&self, name: &str, change: impl FnOnce(&mut Export<'_>)) -> (PathBuf, ExportKey, Exported) {
        let key = ExportKey::draw().unwrap();
        let drawn = Event::EvidenceKeyDrawn { key: key.public() }.by_system().job(JobId([3; 16]));
        let key_record = self.log.append(&[drawn]).unwrap().seq_first;
        let audit = self.audit();
        let mut export = Export {
            log: &audit,
            run: &self.run,
            run_record: self.run_record,
            key_record,
            since_ms: None,
            until_ms: None,
            stamps: &[],
            policy: POLICY,
            posture: &self.posture,
            sbom: None,
            embedded: EMBEDDED,
            answers: Answers::default(),
            controller: &Default::default(),
            framework: None,
            language: None,
            incident: None,
            rehearsal: None,
            failures: &[],
            version: "0.1.0",
            made_ms: 1_705_328_700_000,
        };
        change(&mut export);
        let dir = self.dir.0.join(name);
        let thief = key.copy();
        let exported = export.make(&dir, key).unwrap();
        crate::finish(&dir).unwrap();
        (dir, thief, exported)
    }
}

pub fn checked(dir: &Path) -> Checked {
    check(dir, &Expected::default()).unwrap()
}

/// The files that something is wrong with.
pub fn blamed(dir: &Path) -> Vec<String> {
    checked(dir).findings.into_iter().map(|finding| finding.file).collect()
}

/// Who does what the tests put on record.
pub const ONE: Actor = Actor::Person([1; 16]);

/// A record of the picture of this number, at a moment of its own, so that a period can be told by its times.
pub fn about(log: &Log, number: u8, event: Event) -> Receipt {
    let entry = event.by(ONE).object(Object([number; 16])).job(JobId([number; 16]));
    std::thread::sleep(std::time::Duration::from_millis(2));
    log.append(&[entry]).unwrap()
}

/// Seals it.
pub fn make(log: &Log, number: u8) -> Receipt {
    let (digest, vault_epoch) = (Digest([number; 32]), 1);
    let sealed = Event::ObjectSealed {
        width: 16,
        height: 16,
        ciphertext_mac: digest,
        vault_epoch,
        vault_seq: 1,
        vault_root: digest,
    };
    about(log, number, sealed)
}

/// Erases it.
pub fn erase(log: &Log, number: u8) -> Receipt {
    let asked = Event::ObjectEraseRequested { count: 1 }.by(ONE).job(JobId([number; 16]));
    log.append(&[asked]).unwrap();
    about(log, number, erased(1 + u64::from(number)))
}

/// A picture's end, as the darkroom has it on record.
pub fn erased(vault_epoch: u64) -> Event {
    Event::ObjectErased {
        grade: Grade::B,
        vault_epoch,
        vault_seq: 3,
        vault_root: Digest([4; 32]),
        cleanup_pending: false,
    }
}

/// A copy of a folder that goes away with the test.
pub fn copy(from: &Path) -> Dir {
    let dir = Dir::new();
    for name in Dir::files(from) {
        let to = dir.0.join(&name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from.join(&name), to).unwrap();
    }
    dir
}

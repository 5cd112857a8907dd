//! Logs of random ages that are pruned at random moments: what was signed and proved before holds afterwards, and whatever else is
//! changed both verifiers find.

use super::*;
use crate::merkle::leaf;
use crate::pruned::{GOES, hash_only};
use crate::record::Record;
use crate::token::{hex, unhex};
use crate::words::{Door, RequestRefusal};
use crate::{Actor, LOG_DAYS_MIN, Proof, Proofs};
use std::collections::BTreeMap;

const DAY_MS: u64 = 86_400_000;
const SEGMENT: u64 = 4096;

/// Numbers without a pattern, the same ones for each seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

/// Any record: some that may go, and some that stay.
fn any(chance: &mut Chance) -> Entry {
    let (number, slot) = (chance.below(1 << 40), chance.below(16) as u32);
    match chance.below(7) {
        0 => Event::SessionOpened { door: Door::Terminal, slot }.by(Actor::Person([slot as u8; 16])),
        1 => Event::RequestRefused { reason: RequestRefusal::Policy }.by_system().denied(),
        2 => Event::TokenUsed { token: number, slot }.by_system(),
        3 => Event::VaultUnlockFailed {}.by_system().denied(),
        4 => Event::SessionClosed { slot }.by(Actor::Person([slot as u8; 16])),
        5 => Event::BootStopped { reason: StopReason::Done }.by_system(),
        _ => event(number),
    }
}

/// A log with all that was known of it at some time.
struct Aged {
    dir: Dir,
    clock: TestClock,
    /// The text of each record, as it was written.
    texts: Vec<String>,
    /// Checkpoints that were kept elsewhere.
    kept: Vec<Vec<u8>>,
    /// Proofs of records that were handed out, under the checkpoint of their time.
    proofs: Vec<(u64, Proof)>,
    pruned: u64,
}

impl Aged {
    fn new(chance: &mut Chance) -> Self {
        let (dir, clock) = (Dir::new(), TestClock::new());
        // Of all the years that pass none has still to come.
        clock.wall_ms.store(1_400_000_000_000, Ordering::Relaxed);
        let mut log = Log::create_on(&dir.0, None, Disk::default(), Box::new(clock.clone())).unwrap();
        let mut aged = Self { dir, clock, texts: vec![], kept: vec![], proofs: vec![], pruned: 0 };
        let size = (2 + chance.below(2)) * SEGMENT + chance.below(SEGMENT);
        while log.mark().size < size {
            let entries: Vec<Entry> = (0..1 + chance.below(900)).map(|_| any(chance)).collect();
            log.append(&entries).unwrap();
            match chance.below(8) {
                0 => {
                    log.begin_epoch(EpochReason::Unlock).unwrap();
                }
                1..4 => aged.clock.pass(chance.below(120) * DAY_MS),
                4 => {
                    drop(log);
                    log = open_when(&aged.dir.0, &Faults::default(), &aged.clock).unwrap();
                }
                5 => aged.prune(&log, chance),
                _ => {}
            }
        }
        aged.clock.pass((u64::from(LOG_DAYS_MIN) + chance.below(100)) * DAY_MS);
        aged.prune(&log, chance);
        log.append(&[any(chance)]).unwrap();
        aged.look(chance);
        aged
    }

    fn prune(&mut self, log: &Log, chance: &mut Chance) {
        self.look(chance);
        let due = log.due(LOG_DAYS_MIN + chance.below(60) as u32).unwrap();
        let pruned = log.prune(Actor::System, due);
        assert_eq!(pruned.is_ok(), due.records > 0, "{due:?}");
        self.pruned += due.records;
    }

    /// What somebody notes of the log and keeps elsewhere.
    fn look(&mut self, chance: &mut Chance) {
        for line in self.lines().into_iter().skip(self.texts.len()) {
            assert!(hash_only(line.as_bytes()).is_none(), "what is new is whole");
            self.texts.push(line);
        }
        self.kept.push(std::fs::read(self.dir.0.join("checkpoint")).unwrap());
        let proofs = Proofs::read(&self.dir.0).unwrap();
        for _ in 0..20 {
            let seq = chance.below(self.texts.len() as u64);
            self.proofs.push((seq, proofs.of(seq).unwrap()));
        }
    }

    fn lines(&self) -> Vec<String> {
        segments(&self.dir).into_iter().flatten().collect()
    }

    /// What holds of every pruned log.
    fn check(&self) {
        let report = self.dir.verify();
        assert!(report.is_ok(), "{report}");
        assert_eq!(report.pruned, self.pruned);
        for kept in &self.kept {
            let report = verify_still(&self.dir.0, Some(kept)).unwrap();
            assert!(report.is_ok() && report.expected.is_some(), "{report}");
        }
        let now = Proofs::read(&self.dir.0).unwrap();
        for (seq, then) in &self.proofs {
            let text = self.texts[usize::try_from(*seq).unwrap()].as_bytes();
            assert!(then.holds_for(text) && now.of(*seq).unwrap().holds_for(text), "record {seq}");
        }
        let lines = self.lines();
        assert_eq!(lines.len(), self.texts.len());
        let end =
            lines.iter().rposition(|line| hash_only(line.as_bytes()).is_some()).map_or(0, |at| at as u64);
        for ((line, text), seq) in lines.iter().zip(&self.texts).zip(0u64..) {
            let (record, _) = Record::parse(text.as_bytes()).unwrap();
            let may_go = GOES.contains(&record.name) && (seq + 1) % SEGMENT != 0;
            match hash_only(line.as_bytes()) {
                Some(hash) => {
                    assert!(may_go, "{text}");
                    assert_eq!(hash, leaf(text.as_bytes()));
                    assert!(record.ts_ms + u64::from(LOG_DAYS_MIN) * DAY_MS <= self.clock.wall_ms());
                }
                None => assert!(line == text && (!may_go || seq > end), "record {seq}: {line}"),
            }
        }
    }

    /// The log with one change in its records; what was changed.
    fn changed(&self, chance: &mut Chance) -> (String, Dir) {
        let mut segments = segments(&self.dir);
        let is_gone = |line: &&String| hash_only(line.as_bytes()).is_some();
        let places = |wanted: bool| -> Vec<(usize, usize)> {
            let of = |(index, lines): (usize, &Vec<String>)| {
                let found = lines.iter().enumerate().filter(|(_, line)| is_gone(line) == wanted);
                found.map(|(at, _)| (index, at)).collect::<Vec<_>>()
            };
            segments.iter().enumerate().flat_map(of).collect()
        };
        let (gone, there) = (places(true), places(false));
        let ((index, at), (of, stays)) = (*chance.one_of(&gone), *chance.one_of(&there));
        let what = match chance.below(7) {
            0 => {
                segments[of][stays] = hex(&leaf(segments[of][stays].as_bytes()));
                format!("record {stays} of segment {of} as its hash")
            }
            1 => {
                let mut hash = unhex::<32>(&segments[index][at]).unwrap();
                hash[chance.below(32) as usize] ^= 1 << chance.below(8);
                segments[index][at] = hex(&hash);
                format!("another hash at {at} of segment {index}")
            }
            2 => {
                let (other, to) = *gone.iter().find(|place| **place != (index, at)).unwrap();
                let taken = segments[index][at].clone();
                segments[index][at] = std::mem::replace(&mut segments[other][to], taken);
                format!("hashes {at} and {to} in each other's place")
            }
            3 => {
                segments[index].remove(at);
                format!("no line {at} in segment {index}")
            }
            4 => {
                let line = &mut segments[of][stays];
                let digit = line.rfind(|c: char| c.is_ascii_digit()).unwrap();
                let other = if &line[digit..=digit] == "7" { "8" } else { "7" };
                line.replace_range(digit..=digit, other);
                format!("another digit in record {stays} of segment {of}")
            }
            5 => {
                segments[index][at] = self.texts[index * SEGMENT as usize + at].clone();
                format!("the content of record {at} of segment {index} is back")
            }
            _ => {
                let line = segments[index][at].clone();
                segments[index].insert(at, line);
                format!("line {at} of segment {index} twice")
            }
        };
        let dir = self.dir.copy();
        for (index, lines) in segments.iter().enumerate() {
            std::fs::write(dir.0.join(format!("seg/{index:08}.jsonl")), lines.join("\n") + "\n").unwrap();
        }
        (what, dir)
    }
}

fn segments(dir: &Dir) -> Vec<Vec<String>> {
    (0..)
        .map_while(|index| std::fs::read_to_string(dir.0.join(format!("seg/{index:08}.jsonl"))).ok())
        .map(|text| text.lines().map(str::to_owned).collect())
        .collect()
}

#[test]
fn random_prunings_leave_what_was_signed_and_nothing_else_passes() {
    let (mut dirs, mut whats) = (Vec::new(), BTreeMap::new());
    for seed in 0..4 {
        let mut chance = Chance(seed);
        let aged = Aged::new(&mut chance);
        assert!(aged.pruned > 1000, "seed {seed}: {}", aged.pruned);
        aged.check();
        for _ in 0..6 {
            let (what, dir) = aged.changed(&mut chance);
            let report = dir.verify();
            assert!(!report.is_ok(), "seed {seed}, {what}: {report}");
            let is_back = what.ends_with("is back");
            assert_eq!(report.integrity_broken, !is_back, "seed {seed}, {what}: {report}");
            // A start finishes what a crash could have left, and nothing else passes.
            let copy = dir.copy();
            let opened = open_when(&copy.0, &Faults::default(), &aged.clock).map(drop);
            assert_eq!(opened.is_ok(), is_back, "seed {seed}, {what}: {opened:?}");
            if is_back {
                let report = copy.verify();
                assert!(report.is_ok() && report.pruned == aged.pruned, "{report}");
            }
            whats.insert(dirs.len(), format!("seed {seed}, {what}"));
            dirs.push(dir);
        }
        dirs.push(aged.dir);
    }
    for (at, accepts) in reader::python_each(&dirs).into_iter().enumerate() {
        assert_eq!(accepts, !whats.contains_key(&at), "{:?}", whats.get(&at));
    }
}

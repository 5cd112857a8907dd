//! What the records show of what people must not forget, or what came back: the age of keys, drills, backups and stamps, what
//! erasures can be certified by, and what became of them when a backup was put back; and whether vault and log tell the same.

use crate::catalogue::control;
use crate::certificate::certifiable;
use crate::clocks::Incident;
use crate::control::Reason;
use crate::stamps::stamps;
use crate::subject::About;
use crate::verdict::{Reading, Verdict};
use audit::{Actor, KnownBackup, Object, Order, Stored};
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::path::Path;

/// The controls that are tried here.
const IDS: [&str; 13] = [
    "KEY-01", "KEY-04", "OPS-01", "LOG-06", "ERA-02", "ERA-03", "OPS-02", "GOV-02", "PRV-06", "ACC-03",
    "LOG-01", "ERA-01", "KEY-02",
];
/// So many of the last erasures are looked into.
const ERASURES_MAX: usize = 8;
const DAY_SECONDS: u64 = 24 * 3600;
/// Wrong passphrases are counted as far back as this.
const GUESSES_MS: u64 = 7 * DAY_SECONDS * 1000;
const MINUTE_MS: u64 = 60_000;

/// What the policy names, in days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Periods {
    /// How long the vault may have the same master key.
    pub key_days_max: Option<u32>,
    /// How long ago the recovery code may have been tried.
    pub drill_days_max: Option<u32>,
    /// How old the newest backup may be.
    pub backup_days_max: Option<u32>,
    /// How old the newest time stamp may be.
    pub stamp_days_max: Option<u32>,
}

/// What vault and folders hold, as far as it could be read, for what is held against the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The pictures of the vault by pseudonym, and how many records the log had then; none while nobody is in.
    pub pictures: Option<(Vec<Object>, u64)>,
    /// Whether the anchor holds anything beside the key in use.
    pub other_key: Option<bool>,
    /// Sealed files that have a second name.
    pub linked: Option<u64>,
}

/// Tries what the records of the log in `dir` show, with the stamps that are kept in `kept`, and what is `held`; `person` is whoever
/// asks, by pseudonym and slot, if anybody does. `now` tells the time, in milliseconds since 1970.
pub fn try_history(
    (dir, kept): (&Path, &Path),
    periods: &Periods,
    held: &Held,
    person: Option<(Actor, u32)>,
    now: &dyn Fn() -> u64,
) -> Vec<Verdict> {
    let started_ms = now();
    let age = |ts_ms: u64| started_ms.saturating_sub(ts_ms) / 1000;
    let upto = held.pictures.as_ref().map_or(0, |(_, records)| *records);
    let found = match &Seen::of(dir, person, (started_ms, upto)) {
        Some(seen) => [
            of_key(seen, periods.key_days_max, &age),
            of_drill(seen, periods.drill_days_max, &age),
            of_backups(seen, periods.backup_days_max, &age),
            of_stamps(seen, (dir, kept), periods.stamp_days_max, &age),
            of_erasures(seen, dir),
            of_restores(seen),
            of_incidents(seen),
            of_bundles(seen),
            of_person(person.map(|_| Some(seen.about_person))),
            Ok(of_guesses(seen)),
            of_pictures(seen, held),
            of_erased(seen, held),
            of_old_keys(seen, held),
        ],
        None => IDS.map(|id| match id {
            "PRV-06" => of_person(person.map(|_| None)),
            _ => Err(Reason::TrialFailed),
        }),
    };
    let took_ms = now().saturating_sub(started_ms);
    let judged = IDS.into_iter().zip(found).filter_map(|(id, read)| {
        let control = control(id)?;
        Some(match read {
            Ok(mut reading) => {
                (reading.started_ms, reading.took_ms) = (started_ms, took_ms);
                Verdict::of(control, reading)
            }
            Err(
                reason @ (Reason::NothingErased
                | Reason::NothingRestored
                | Reason::NothingFrozen
                | Reason::NothingHandedOut
                | Reason::NoPictures),
            ) => Verdict::not_applicable(control, reason),
            Err(reason) => Verdict::not_measured(control, reason),
        })
    });
    judged.collect()
}

type Read = Result<Reading, Reason>;

/// A bundle on record.
struct Bundle {
    record: u64,
    /// The key that signed it was on record before.
    has_key: bool,
    passed: bool,
}

/// What one reading of the records brings.
#[derive(Default)]
struct Seen {
    /// The oldest record.
    first_ms: Option<u64>,
    /// The vault's epoch, and the record that was the first to name it.
    key: Option<(i64, u64, u64)>,
    backups: Vec<KnownBackup>,
    incidents: Vec<Incident>,
    has_stamps: bool,
    /// Keys of bundles, by their job.
    drawn: HashSet<[u8; 16]>,
    newest_bundle: Option<Bundle>,
    erased: HashSet<Object>,
    /// The last of them, in their order.
    erased_last: VecDeque<Object>,
    /// Backups that are about to be put back, by their job, and whether a log was there.
    restoring: HashMap<[u8; 16], bool>,
    restores: u64,
    restores_without_log: u64,
    /// What had been erased before the last backup was put back.
    erased_before: HashSet<Object>,
    back: HashSet<Object>,
    /// The records of backups that were put back.
    restored_at: Vec<u64>,
    about_person: u64,
    /// When the recovery code opened the vault last since it was drawn, its slot, and the record.
    drill: Option<(u64, i64, u64)>,
    /// Keys that were to end and are on record as there.
    keys_left: BTreeSet<i64>,
    /// Pictures that were sealed, by their records.
    sealed: HashSet<Object>,
    /// Those that were erased by the time at which the vault was asked.
    erased_by_then: HashSet<Object>,
    /// Wrong passphrases: those of the last minute, the most within one, and all.
    wrong_ms: VecDeque<u64>,
    wrong_in_a_minute: u64,
    wrong: u64,
    /// When this was asked, and how many records there were when the vault was.
    asked: (u64, u64),
}

impl Seen {
    /// Reads all records; `None` if one cannot be read: of what is not whole nothing is told.
    fn of(dir: &Path, person: Option<(Actor, u32)>, asked: (u64, u64)) -> Option<Self> {
        let mut seen = Self { asked, ..Self::default() };
        let mut about = person.map(|(actor, slot)| About::new(actor, slot));
        for record in audit::records(dir, Order::OldestFirst).ok()? {
            let record = record.ok()?;
            seen.about_person += u64::from(about.as_mut().is_some_and(|about| about.see(&record)));
            seen.see(&record);
        }
        Some(seen)
    }

    fn see(&mut self, record: &Stored) {
        self.first_ms.get_or_insert(record.ts_ms);
        if let Some(epoch) = record.int("vault_epoch")
            && self.key.is_none_or(|(known, ..)| epoch != known)
        {
            self.key = Some((epoch, record.ts_ms, record.seq));
        }
        KnownBackup::see(record, &mut self.backups);
        Incident::see(record, &mut self.incidents);
        match (&*record.name, record.object, record.job) {
            ("vault.destroyed", ..) => {
                self.key = None;
                self.drill = None;
                self.keys_left.clear();
            }
            ("vault.unlocked", ..) if record.word("role") == Some("recovery") => {
                self.drill = Some((record.ts_ms, record.int("slot").unwrap_or_default(), record.seq));
            }
            // Another code is in its slot.
            ("vault.secret_changed", ..)
                if self.drill.is_some_and(|(_, slot, _)| record.int("slot") == Some(slot)) =>
            {
                self.drill = None;
            }
            ("vault.key_remains", ..) => self.keys_left.extend(record.int("key_epoch")),
            ("vault.key_wiped", ..) => self.keys_left.retain(|key| record.int("key_epoch") != Some(*key)),
            ("vault.unlock_failed", ..) if record.ts_ms.saturating_add(GUESSES_MS) >= self.asked.0 => {
                self.see_guess(record.ts_ms);
            }
            ("object.sealed" | "object.created", Some(object), _) => drop(self.sealed.insert(object)),
            ("log.stamped", ..) => self.has_stamps = true,
            ("evidence.key_drawn", _, Some(job)) => drop(self.drawn.insert(job.0)),
            (name @ ("evidence.exported" | "evidence.exported_failing"), _, Some(job)) => {
                let passed = name == "evidence.exported";
                self.newest_bundle =
                    Some(Bundle { record: record.seq, has_key: self.drawn.contains(&job.0), passed });
            }
            ("object.erased", Some(object), _) => {
                self.erased.insert(object);
                if record.seq < self.asked.1 {
                    self.erased_by_then.insert(object);
                }
                self.erased_last.push_back(object);
                if self.erased_last.len() > ERASURES_MAX {
                    self.erased_last.pop_front();
                }
            }
            ("object.viewed" | "object.exported", Some(object), _)
                if self.erased_before.contains(&object) =>
            {
                self.back.insert(object);
            }
            ("backup.restore_begun", _, Some(job)) => {
                self.restoring.insert(job.0, record.flag("log_survived") == Some(true));
            }
            ("backup.restored", _, Some(job)) => {
                self.restores += 1;
                self.restores_without_log += u64::from(self.restoring.get(&job.0) != Some(&true));
                self.erased_before.clone_from(&self.erased);
                self.restored_at.push(record.seq);
            }
            _ => {}
        }
    }
}

impl Seen {
    /// A clock that was set back starts anew: only what follows within a minute counts together.
    fn see_guess(&mut self, ts_ms: u64) {
        self.wrong_ms.retain(|before| *before <= ts_ms && ts_ms - before < MINUTE_MS);
        self.wrong_ms.push_back(ts_ms);
        self.wrong += 1;
        self.wrong_in_a_minute = self.wrong_in_a_minute.max(self.wrong_ms.len() as u64);
    }
}

/// The limit of the policy in seconds.
fn seconds(days: Option<u32>) -> Result<u64, Reason> {
    Ok(u64::from(days.ok_or(Reason::NoPeriod)?) * DAY_SECONDS)
}

fn of_key(seen: &Seen, days: Option<u32>, age: &dyn Fn(u64) -> u64) -> Read {
    let mut reading = Reading::default();
    reading.fact("key_age_seconds_max", seconds(days)?);
    if let Some((epoch, ts_ms, record)) = seen.key {
        reading.fact("key_age_seconds", age(ts_ms));
        reading.fact("vault_epoch", epoch.unsigned_abs());
        reading.record(record);
    }
    Ok(reading)
}

/// Where there was none, the age is that of the log: so long nobody has tried.
fn of_drill(seen: &Seen, days: Option<u32>, age: &dyn Fn(u64) -> u64) -> Read {
    let mut reading = Reading::default();
    reading.fact("drill_age_seconds_max", seconds(days)?);
    reading.fact("drilled", seen.drill.is_some());
    let since = seen.drill.map(|(ts_ms, ..)| ts_ms).or(seen.first_ms);
    reading.fact("drill_age_seconds", since.map_or(0, age));
    seen.drill.into_iter().for_each(|(.., record)| reading.record(record));
    Ok(reading)
}

/// Where there is none, the age is that of the log: so long nobody has made one.
fn of_backups(seen: &Seen, days: Option<u32>, age: &dyn Fn(u64) -> u64) -> Read {
    let mut reading = Reading::default();
    reading.fact("backup_age_seconds_max", seconds(days)?);
    let whole: Vec<&KnownBackup> = seen.backups.iter().filter(|backup| backup.written.is_some()).collect();
    reading.fact("backups", whole.len() as u64);
    let newest = whole.last().map(|backup| backup.ts_ms).or(seen.first_ms);
    reading.fact("backup_age_seconds", newest.map_or(0, age));
    whole.last().into_iter().for_each(|backup| reading.record(backup.seq));
    Ok(reading)
}

/// Likewise.
fn of_stamps(seen: &Seen, (dir, kept): (&Path, &Path), days: Option<u32>, age: &dyn Fn(u64) -> u64) -> Read {
    let mut reading = Reading::default();
    reading.fact("stamp_age_seconds_max", seconds(days)?);
    let all = if seen.has_stamps { stamps(dir, kept).map_err(|_| Reason::TrialFailed)? } else { Vec::new() };
    let hold: Vec<_> = all.iter().filter(|stamp| stamp.holds()).collect();
    reading.fact("stamps_on_record", all.len() as u64);
    reading.fact("stamps_that_hold", hold.len() as u64);
    let newest = hold.iter().max_by_key(|stamp| stamp.time_ms);
    let since = newest.map(|stamp| stamp.time_ms).or(seen.first_ms);
    reading.fact("stamp_age_seconds", since.map_or(0, age));
    newest.into_iter().for_each(|stamp| reading.record(stamp.record.seq));
    Ok(reading)
}

fn of_erasures(seen: &Seen, dir: &Path) -> Read {
    if seen.erased_last.is_empty() {
        return Err(Reason::NothingErased);
    }
    let mut reading = Reading::default();
    reading.fact("erasures", seen.erased.len() as u64);
    reading.fact("erasures_read", seen.erased_last.len() as u64);
    match certifiable(dir, seen.erased_last.iter().copied()) {
        Ok(records) => {
            reading.fact("erasures_certifiable", records.len() as u64);
            records.into_iter().for_each(|record| reading.record(record));
        }
        // The records are not those that are signed: nothing can be proved of any.
        Err(crate::Error::Log(audit::Error::Broken { .. } | audit::Error::Lost { .. })) => {
            reading.fact("erasures_certifiable", 0u64);
        }
        Err(_) => return Err(Reason::TrialFailed),
    }
    Ok(reading)
}

fn of_restores(seen: &Seen) -> Read {
    if seen.restores == 0 {
        return Err(Reason::NothingRestored);
    }
    let mut reading = Reading::default();
    reading.fact("restores", seen.restores);
    reading.fact("restores_without_log", seen.restores_without_log);
    reading.fact("erased_and_back", seen.back.len() as u64);
    seen.restored_at.iter().for_each(|record| reading.record(*record));
    Ok(reading)
}

fn of_incidents(seen: &Seen) -> Read {
    // One that is pinned now is handed over behind this.
    let pinned = seen.incidents.iter().filter(|incident| incident.handed_over || incident.is_past);
    let pinned: Vec<&Incident> = pinned.collect();
    if pinned.is_empty() {
        return Err(Reason::NothingFrozen);
    }
    let mut reading = Reading::default();
    let handed_over = pinned.iter().filter(|incident| incident.handed_over).count();
    reading.fact("states_pinned", pinned.len() as u64);
    reading.fact("states_handed_over", handed_over as u64);
    pinned.iter().for_each(|incident| reading.record(incident.record));
    Ok(reading)
}

fn of_bundles(seen: &Seen) -> Read {
    let bundle = seen.newest_bundle.as_ref().ok_or(Reason::NothingHandedOut)?;
    let mut reading = Reading::default();
    reading.fact("key_on_record_before", bundle.has_key);
    reading.fact("passed_own_check", bundle.passed);
    reading.record(bundle.record);
    Ok(reading)
}

/// How many records could be told to whoever asks; none where one cannot be read, since nobody knows whom it is about.
fn of_person(records: Option<Option<u64>>) -> Read {
    let records = records.ok_or(Reason::Locked)?;
    let mut reading = Reading::default();
    reading.fact("collected", records.is_some());
    reading.fact("records", records.unwrap_or(0));
    Ok(reading)
}

fn of_guesses(seen: &Seen) -> Reading {
    let mut reading = Reading::default();
    reading.fact("wrong_passphrases", seen.wrong);
    reading.fact("wrong_in_a_minute", seen.wrong_in_a_minute);
    reading
}

/// Each picture of the vault has the record of its making.
fn of_pictures(seen: &Seen, held: &Held) -> Read {
    let (pictures, _) = held.pictures.as_ref().ok_or(Reason::Locked)?;
    if pictures.is_empty() {
        return Err(Reason::NoPictures);
    }
    let on_record = pictures.iter().filter(|picture| seen.sealed.contains(picture)).count();
    let mut reading = Reading::default();
    reading.fact("pictures", pictures.len() as u64);
    reading.fact("pictures_on_record", on_record as u64);
    Ok(reading)
}

/// None that was erased is among those that the vault holds, and nothing keeps what an erasure is to end.
fn of_erased(seen: &Seen, held: &Held) -> Read {
    let (pictures, _) = held.pictures.as_ref().ok_or(Reason::Locked)?;
    let back = pictures.iter().filter(|picture| seen.erased_by_then.contains(picture)).count();
    let mut reading = of_old_keys(seen, held)?;
    reading.fact("erased", seen.erased_by_then.len() as u64);
    reading.fact("erased_and_held", back as u64);
    reading.fact("sealed_files_with_second_name", held.linked.ok_or(Reason::TrialFailed)?);
    Ok(reading)
}

fn of_old_keys(seen: &Seen, held: &Held) -> Read {
    let mut reading = Reading::default();
    reading.fact("other_key_in_anchor", held.other_key.ok_or(Reason::TrialFailed)?);
    reading.fact("keys_left_on_record", seen.keys_left.len() as u64);
    Ok(reading)
}

#[cfg(test)]
#[path = "tests/of_history.rs"]
mod tests;

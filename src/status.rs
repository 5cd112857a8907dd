//! How the appliance is, from what its files say. Nothing is asked of a running server, no passphrase is needed, and nothing is
//! verified: for that there is `audit verify`.

mod copied;
mod metrics;
mod waiting;

pub use self::copied::Copied;
use self::copied::ago;
use self::metrics::Family;
use self::waiting::Waiting;
use crate::boot::Booted;
use crate::exit::Failure;
use crate::version;
use audit::{Actor, Clock as _, Digest, Order, Stored, timestamp};
use evidence::{Clock, Incident, Incidents, describe_incident};
use rustix::fs::statvfs;
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::path::Path;

/// Less room than this needs a person.
const ROOM_BYTES_MIN: u64 = 256 << 20;
/// So many records are looked at, from the newest on: what lies before is not told.
const RECORDS_MAX: usize = 200_000;

/// What the newest records tell, each the newest of its kind.
#[derive(Default)]
struct Told {
    /// Number of records.
    records: u64,
    last_ms: Option<u64>,
    /// The start of the program that wrote last, if it has not ended.
    started_ms: Option<u64>,
    is_open: bool,
    /// A machine secret opened it, and no person.
    is_unattended: bool,
    /// A record tells of a vault that was not destroyed.
    tells_of_vault: bool,
    /// When the vault was destroyed, if it was.
    destroyed_ms: Option<u64>,
    /// Of that start; `None` before its fences were tried.
    amber: Option<i64>,
    fence_open: bool,
    /// Secrets that opened nothing since somebody was let in last.
    wrong: u64,
    /// The last run of the controls, and how many did not hold: the most of it and of the last one that somebody signed in for,
    /// since a run without measures less, and says nothing of what only the other one found.
    tried: Option<(u64, i64)>,
    /// When the last backup was whole.
    backed_up_ms: Option<u64>,
    /// Acts that wait for a second admin, as far as the log tells.
    waiting: Waiting,
}

impl Told {
    /// `second_ms` is how long an act waits for a second admin, from now back.
    fn by(dir: &Path, now_ms: u64, second_ms: u64) -> Result<Self, Failure> {
        let mut told = Self::default();
        let records = match audit::records(dir, Order::NewestFirst) {
            Err(audit::Error::Absent { .. }) => return Ok(told),
            records => records.map_err(darkroom::Error::from)?,
        };
        let (mut state_known, mut start_known, mut let_in, mut all_tried) = (false, false, false, false);
        let mut opening_known = false;
        for record in records.take(RECORDS_MAX) {
            // What is no record is for `audit verify` to say.
            let Ok(record) = record else { continue };
            told.records = told.records.max(record.seq + 1);
            told.last_ms = told.last_ms.or(Some(record.ts_ms));
            // Of a vault that was destroyed nothing older tells, and whatever is newer tells of the next one.
            if record.name == "vault.destroyed" && !told.tells_of_vault {
                told.destroyed_ms = told.destroyed_ms.or(Some(record.ts_ms));
                // What was found of it nobody can mend.
                all_tried = true;
            }
            told.tells_of_vault |= told.destroyed_ms.is_none() && record.name.starts_with("vault.");
            let may_wait = record.ts_ms.saturating_add(second_ms) > now_ms;
            if may_wait {
                told.waiting.take(&record, second_ms);
            }
            match &*record.name {
                "vault.unlocked" | "vault.created" => {
                    // Behind it people may have signed in; one before the last lock, or of another start, is over.
                    told.is_unattended |= !opening_known && record.word("role") == Some("machine");
                    told.is_open |= !state_known && !is_auditors(&record);
                    state_known |= !is_auditors(&record);
                    let_in = true;
                }
                "vault.locked" => (state_known, opening_known) = (true, true),
                "vault.unlock_failed" if !let_in => told.wrong += 1,
                "fence.found_open" if !start_known => told.fence_open = true,
                "posture.recorded" if !start_known => told.amber = told.amber.or(record.int("amber")),
                "boot.stopped" if !start_known => {
                    (start_known, state_known, opening_known) = (true, true, true);
                }
                "boot.started" if !start_known => {
                    told.started_ms = Some(record.ts_ms);
                    (start_known, state_known, opening_known) = (true, true, true);
                }
                "backup.written" => told.backed_up_ms = told.backed_up_ms.or(Some(record.ts_ms)),
                "evidence.tried" if !all_tried => {
                    let signed_in = record.actor != Actor::System;
                    if let Some(count) =
                        record.int("not_satisfied").filter(|_| signed_in || told.tried.is_none())
                    {
                        let (at_ms, newer) = told.tried.unwrap_or((record.ts_ms, 0));
                        told.tried = Some((at_ms, newer.max(count)));
                        all_tried = signed_in;
                    }
                }
                _ => {}
            }
            if start_known && let_in && all_tried && told.backed_up_ms.is_some() && !may_wait {
                break;
            }
        }
        Ok(told)
    }
}

/// An auditor's secret opens nothing.
fn is_auditors(record: &Stored) -> bool {
    record.word("role") == Some("auditor")
}

/// What a vault that is there cannot do without, and what to do: nobody opens it for this, so what is damaged shows at the unlock.
fn absent(booted: &Booted) -> Vec<String> {
    let folders = &booted.folders;
    let parts = [
        (
            folders.outputs.clone(),
            "the folder of the pictures; mount its disk, or name the right one with --outputs",
        ),
        (folders.vault.join("vault"), "the vault file; the next unlock takes its mirror"),
        (folders.vault.join("anchor"), "the vault's anchor, without which nothing opens; bring it back"),
        (folders.audit.join("epoch.key"), "the key that signs the log; bring it back"),
    ];
    let is_gone = |path: &Path| path.metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound);
    let gone = parts.into_iter().filter(|(path, _)| is_gone(path));
    let gone = gone.map(|(path, what)| format!("{} is not there: {what}", path.display()));
    // In the words of what opens the vault; that it is not there has been said.
    let unusable = match booted.paths().check_outputs() {
        Ok(true) | Err(vault::Error::OutputsAbsent(_)) => None,
        Ok(false) => Some(format!(
            "{} does not carry this vault's file: mount its disk, or name the right one with --outputs",
            folders.outputs.display()
        )),
        Err(error) => Some(error.to_string()),
    };
    gone.chain(unusable).collect()
}

/// Where, and how many bytes are left there; `None` if nobody can tell.
type Room = [(&'static str, Option<u64>); 3];

fn room(booted: &Booted) -> Room {
    let folders = &booted.folders;
    let left = |path: &Path| statvfs(path).ok().map(|found| found.f_bavail * found.f_frsize);
    [("vault", left(&folders.vault)), ("log", left(&folders.audit)), ("pictures", left(&folders.outputs))]
}

/// What needs a person where the pruning of that record is not finished.
pub fn need_of_pruning(seq: u64) -> String {
    format!(
        "the pruning of record {seq} is not finished: some of what was to go is there; see that the disk of the log works and has room, \
         that the clock is right, and start the program again (why it stays says: lightproof audit prune)"
    )
}

/// What needs a person where a server runs under another policy than the file of today, whose SHA-256 is `now`. A file that is taken
/// away is nothing; what a server from before this line was told has none.
pub fn need_of_policy(holder: Option<&vault::Holder>, now: &str) -> Option<String> {
    let at_start = holder?.policy.as_ref()?;
    (at_start != now).then(|| {
        "the policy's file is not the one that the server was started with, whose policy holds until it ends: start it again for the \
         one of now, or put the file back"
            .into()
    })
}

/// SHA-256 of what the policy's file holds now.
pub fn policy_now(text: Option<String>) -> String {
    Digest::of(text.unwrap_or_default().as_bytes()).to_string()
}

/// How it is.
pub struct Status {
    has_vault: bool,
    holder: Option<vault::Holder>,
    told: Told,
    /// What is not there and must be.
    absent: Vec<String>,
    room: Room,
    /// Of the policy.
    picture_days_max: Option<u32>,
    log_days_max: Option<u32>,
    names_days_max: Option<u32>,
    /// The record of a pruning that is not finished.
    unpruned: Option<u64>,
    /// States that were pinned.
    incidents: Vec<Incident>,
    /// Whether every record could be read that may tell of one.
    clocks_known: bool,
    /// The copy of the newest checkpoint, if the policy asks for one and there is a log.
    copied: Option<Copied>,
    now_ms: u64,
}

impl Status {
    /// As the files of this process say.
    ///
    /// # Errors
    /// The log or the vault's folder cannot be read.
    pub fn of(booted: &Booted) -> Result<Self, Failure> {
        let paths = booted.paths();
        let has_vault = paths.vault_exists();
        let holder = if has_vault { paths.holder().map_err(darkroom::Error::from)? } else { None };
        let (now_ms, plan) = (booted.clock.wall_ms(), &booted.plan);
        let second_ms = plan.limits.two_person_hours_max.saturating_mul(3_600_000);
        let told = Told::by(&booted.folders.audit, now_ms, second_ms)?;
        let absent = if has_vault { absent(booted) } else { Vec::new() };
        let Incidents { incidents, unread } = Incidents::of(&booted.folders.audit)?;
        let unpruned = audit::unfinished_pruning(&booted.folders.audit).ok().flatten();
        let (clocks_known, room) = (unread.is_none(), room(booted));
        let copy = booted.copy.as_ref().filter(|_| told.last_ms.is_some());
        let copied = copy.map(|copy| Copied::of(copy, &booted.folders.audit, now_ms));
        Ok(Self {
            has_vault,
            holder,
            told,
            absent,
            room,
            picture_days_max: plan.picture_days_max,
            log_days_max: plan.log_days_max,
            unpruned,
            names_days_max: plan.names_days_max,
            incidents,
            clocks_known,
            copied,
            now_ms,
        })
    }

    /// Whether there is a vault.
    pub fn has_vault(&self) -> bool {
        self.has_vault
    }

    /// Whether somebody runs, or ended without a word.
    fn server(&self) -> &'static str {
        match (&self.holder, self.told.started_ms) {
            (Some(_), _) => "running",
            // Without a vault there is no lock that would tell.
            (None, Some(_)) if !self.has_vault => "unknown; perhaps it waits for its setup",
            (None, Some(_)) => "ended without a word",
            (None, None) => "not running",
        }
    }

    fn vault(&self) -> &'static str {
        match (self.has_vault, &self.holder, self.told.is_open) {
            (false, ..) if self.told.destroyed_ms.is_some() => "destroyed",
            (false, ..) => "none",
            (true, Some(_), true) => "unlocked",
            _ => "locked",
        }
    }

    /// Whether the open vault was opened by a machine secret.
    fn is_unattended(&self) -> bool {
        self.told.is_unattended && self.vault() == "unlocked"
    }

    /// Of the program that runs: nobody else has fences.
    fn posture(&self) -> &'static str {
        match (&self.holder, self.told.fence_open, self.told.amber) {
            (None, ..) | (_, false, None) => "none",
            (Some(_), true, _) => "red",
            (Some(_), false, Some(0)) if !self.is_unattended() => "green",
            (Some(_), false, Some(_)) => "amber",
        }
    }

    /// What needs a person, each with what to do.
    pub fn needs(&self) -> Vec<String> {
        let mut needs = self.absent.clone();
        if self.posture() == "red" {
            needs.push(
                "a fence does not hold: stop the program, and find out why with: lightproof selftest".into(),
            );
        }
        match (self.has_vault, self.told.last_ms.is_some(), self.told.tells_of_vault) {
            (true, false, _) => needs.push("the log that belongs to this vault is gone; bring its folder back".into()),
            (false, _, true) => needs.push(
                "the vault that the log tells of is gone; bring its folder back, with its file `anchor`, or put a backup back beside \
                 this log (lightproof backup restore), and make none anew"
                    .into(),
            ),
            _ => {}
        }
        if let (true, None, Some(started_ms)) = (self.has_vault, &self.holder, self.told.started_ms) {
            needs.push(format!(
                "the program that started at {} ended without a word (a kill, a crash or a power cut); the next unlock looks \
                 into what it left",
                timestamp(started_ms)
            ));
        }
        if let Some((_, count)) = self.told.tried.filter(|(_, count)| *count > 0) {
            let did = if count == 1 { "1 control" } else { &format!("{count} controls") };
            needs.push(format!(
                "{did} did not hold when they were tried last; see: lightproof evidence list (what a run with the vault open \
                 found only such a run clears: lightproof evidence run --passphrase-file FILE)"
            ));
        }
        if !self.clocks_known {
            needs.push(
                "a record of the log cannot be read, so nobody knows which clocks run; see: lightproof audit verify"
                    .into(),
            );
        }
        for incident in &self.incidents {
            let (job, reason) = (incident.job, incident.reason.word());
            needs.extend(incident.running().first().map(|_| {
                format!("clocks of the incident {job} ({reason}) run; see: lightproof evidence clocks")
            }));
        }
        needs.extend(self.told.waiting.need());
        needs.extend(self.unpruned.map(need_of_pruning));
        needs.extend(self.copied.as_ref().and_then(Copied::need));
        for (name, left) in &self.room {
            match left {
                Some(left) if *left < ROOM_BYTES_MIN => {
                    needs.push(format!("{} MiB are left for the {name}; make room", left >> 20));
                }
                _ => {}
            }
        }
        needs
    }

    /// As [`need_of_policy`], of the server that runs.
    pub fn need_of_policy(&self, now: &str) -> Option<String> {
        need_of_policy(self.holder.as_ref(), now)
    }

    /// The screen: each line with what it is about, or with nothing where it goes on with what the one before is about.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let told = &self.told;
        let server = match &self.holder {
            Some(holder) => format!("running, {holder}"),
            None => self.server().to_owned(),
        };
        let log = match told.last_ms {
            Some(last_ms) => format!("{} records, the last one {}", told.records, ago(self.now_ms, last_ms)),
            None => "none yet".to_owned(),
        };
        let evidence = match told.tried {
            Some((at_ms, count)) => format!("tried {}, {count} not satisfied", ago(self.now_ms, at_ms)),
            None => "never tried; see: lightproof evidence run".to_owned(),
        };
        let backup = match told.backed_up_ms {
            Some(at_ms) => ago(self.now_ms, at_ms),
            None => "never; see: lightproof backup create".to_owned(),
        };
        let first = "make one with: lightproof serve, in its page, or at a terminal: lightproof vault init";
        let vault = match (self.has_vault, told.destroyed_ms) {
            (false, Some(at_ms)) => {
                format!("destroyed {}; to begin anew {first}", ago(self.now_ms, at_ms))
            }
            // Where the log tells of one that is gone, none is to be made.
            (false, None) if !told.tells_of_vault => format!("none yet; {first}"),
            _ if self.is_unattended() => "unlocked, by a machine secret and by no person".to_owned(),
            _ => self.vault().to_owned(),
        };
        let period = match self.picture_days_max {
            Some(days) => format!("a picture goes {days} days after it was made"),
            None => "none: pictures stay until somebody erases them".to_owned(),
        };
        let of_log =
            |days| format!("records of some types may go after {days} days, by lightproof audit prune");
        let of_name = |days| format!("the name of who was removed goes {days} days after that");
        let room = self.room.map(|(name, left)| match left {
            Some(left) => format!("{name} {:.1} GiB", left as f64 / f64::from(1 << 30)),
            None => format!("{name} unknown"),
        });
        let mut clocks: Vec<_> = self.incidents.iter().flat_map(Incident::running).collect();
        clocks.sort_by_key(|running| running.due_ms);
        let clocks = clocks.iter().map(|running| {
            let Clock { clause, due, .. } = running.clock;
            format!("{clause} {}: {}", running.left_in_words(self.now_ms), due.en.trim_end_matches('.'))
        });
        let unknown = Some("unknown".to_owned()).filter(|_| !self.clocks_known);
        let mut clocks: Vec<String> = clocks.chain(unknown).collect();
        if clocks.is_empty() {
            clocks.push("none run".to_owned());
        }
        let clocks = std::iter::once("clocks").chain(std::iter::repeat("")).zip(clocks);
        let mut lines = vec![("server", server), ("vault", vault), ("period", period)];
        let more = self.log_days_max.map(of_log).into_iter().chain(self.names_days_max.map(of_name));
        lines.extend(more.map(|period| ("", period)));
        lines.extend([
            ("posture", self.posture().to_owned()),
            ("guesses", format!("{} wrong since the last right one", told.wrong)),
            ("log", log),
            ("evidence", evidence),
            ("backup", backup),
            ("second", self.told.waiting.line()),
        ]);
        lines.extend(self.copied.as_ref().map(|copied| ("copy", copied.line())));
        lines.extend(clocks);
        lines.push(("room left", room.join(", ")));
        lines
    }

    /// The same as numbers, in the text form of Prometheus, without a path, a number of a process or whatever else is somebody's.
    pub fn numbers(&self, needs: usize) -> String {
        metrics::text(&self.families(needs as u64))
    }

    fn families(&self, needs: u64) -> Vec<Family> {
        let told = &self.told;
        let server = match self.server() {
            "running" => "running",
            "not running" => "stopped",
            "ended without a word" => "crashed",
            _ => "unknown",
        };
        let [version, commit] = version::named();
        let room = Family::gauge("lightproof_room_bytes", "Room that is left, by what is kept there");
        let room = self.room.iter().fold(room, |room, (name, left)| room.labelled(&[("for", name)], *left));
        vec![
            Family::gauge("lightproof_build_info", "The program that says this")
                .labelled(&[("version", version), ("commit", commit)], 1),
            Family::gauge("lightproof_server", "Whether a program has the vault, or ended without a word")
                .one_of(&["running", "stopped", "crashed", "unknown"], server),
            Family::gauge("lightproof_vault", "How the vault is")
                .one_of(&["unlocked", "locked", "none", "destroyed"], self.vault()),
            Family::gauge("lightproof_posture", "The fences of the program that runs, as they were tried")
                .one_of(&["green", "amber", "red", "none"], self.posture()),
            Family::gauge(
                "lightproof_wrong_guesses",
                "Secrets that opened nothing since somebody was let in",
            )
            .whole(told.wrong),
            Family::counter("lightproof_log_records_total", "Records of the log").whole(told.records),
            Family::gauge(
                "lightproof_log_last_record_timestamp_seconds",
                "When the newest record was written",
            )
            .moment(told.last_ms),
            Family::gauge("lightproof_controls_tried_timestamp_seconds", "When the controls were tried last")
                .moment(told.tried.map(|(at_ms, _)| at_ms)),
            Family::gauge("lightproof_controls_not_satisfied", "Controls that did not hold then")
                .whole(told.tried.and_then(|(_, count)| u64::try_from(count).ok())),
            Family::gauge("lightproof_backup_timestamp_seconds", "When the last backup was whole")
                .moment(told.backed_up_ms),
            Family::gauge("lightproof_picture_days_max", "Days after which a picture goes, by the policy")
                .whole(self.picture_days_max.map(u64::from)),
            Family::gauge(
                "lightproof_names_days_max",
                "Days after which the name of who was removed goes, by the policy",
            )
            .whole(self.names_days_max.map(u64::from)),
            Family::gauge(
                "lightproof_acts_waiting",
                "Acts that wait for a second admin, as far as the log tells",
            )
            .whole(told.waiting.count()),
            Family::gauge(
                "lightproof_checkpoint_copy_uncovered_records",
                "Records that the copy of the newest checkpoint elsewhere does not cover",
            )
            .whole(self.copied.as_ref().and_then(Copied::uncovered)),
            room,
            Family::gauge("lightproof_needs", "What needs a person; `lightproof status` says what")
                .whole(needs),
        ]
    }

    /// The same for programs.
    pub fn describe(&self, needs: &[String]) -> Value {
        let holder = self.holder.as_ref();
        json!({
            "server": self.server(), "pid": holder.map(|holder| holder.pid),
            "address": holder.and_then(|holder| holder.address.as_deref()),
            "vault": self.vault(), "unattended": self.is_unattended(), "picture_days_max": self.picture_days_max,
            "log_days_max": self.log_days_max, "unpruned": self.unpruned, "names_days_max": self.names_days_max, "posture": self.posture(), "wrong_guesses": self.told.wrong,
            "records": self.told.records, "last_record_ms": self.told.last_ms,
            "evidence_ms": self.told.tried.map(|(at_ms, _)| at_ms),
            "incidents": self.incidents.iter().map(|of| describe_incident(of, self.now_ms)).collect::<Vec<_>>(),
            "not_satisfied": self.told.tried.map(|(_, count)| count), "backup_ms": self.told.backed_up_ms,
            "pending": self.told.waiting.describe(), "checkpoint_copy": self.copied.as_ref().map(Copied::describe),
            "room_bytes": self.room.iter().map(|(name, left)| ((*name).to_owned(), json!(left)))
                .collect::<serde_json::Map<_, _>>(),
            "needs": needs,
        })
    }
}

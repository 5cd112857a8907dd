//! `evidence freeze`, `clocks` and `settled`: the state at an incident, pinned, and what is due when.

use crate::Done;
use crate::boot::folders::FolderUse;
use crate::boot::{self, Wants};
use crate::cli::{Global, Keys};
use crate::controls::Room;
use crate::exit::{Code, Failure};
use crate::output::{Output, counted};
use audit::{Clock as _, SystemClock, timestamp};
use darkroom::{FreezeReason, Hold, JobId, Laws, Who};
use evidence::{CLOCKS, Incident, Incidents, KeptUnread, Law, Unread, describe_incident, incidents};
use sandbox::Clean;
use serde_json::json;
use std::path::Path;

/// A freeze whose words make sense.
pub struct Frozen {
    reason: FreezeReason,
    laws: Vec<Law>,
}

impl Frozen {
    /// Reads the flags.
    ///
    /// # Errors
    /// They make no sense.
    pub fn parse(reason: &str, laws: &[String]) -> Result<Self, Failure> {
        let reason = FreezeReason::parse(reason).ok_or_else(|| {
            let words = FreezeReason::WORDS.join(", ");
            Failure::new(Code::Usage, format!("the reason is one of: {words}"))
        })?;
        let law = |word: &String| {
            let words = Law::ALL.map(Law::word).join(", ");
            Law::parse(word).ok_or_else(|| Failure::new(Code::Usage, format!("--law takes one of {words}")))
        };
        Ok(Self { reason, laws: laws.iter().map(law).collect::<Result<_, _>>()? })
    }

    /// The same, with the clocks of these laws besides: of those that the policy names.
    pub fn with(&self, laws: &[Law]) -> Self {
        let is_known = |law: &&Law| self.laws.contains(law) || laws.contains(law);
        Self { reason: self.reason, laws: Law::ALL.iter().filter(is_known).copied().collect() }
    }

    /// Those whose clocks it starts.
    fn laws(&self) -> &[Law] {
        if self.laws.is_empty() { &[Law::Gdpr] } else { &self.laws }
    }

    /// Puts it on record. What the incident is called, and the record.
    ///
    /// # Errors
    /// They may not; the log cannot be written.
    pub fn record(
        &self,
        room: &mut Room<'_>,
        who: Option<&Who>,
        out: &Output,
    ) -> Result<(JobId, u64), Failure> {
        let (job, receipt) = room.with(|darkroom| darkroom.freeze(who, self.reason, self.of_laws()))?;
        Ok(self.tell((job, receipt.seq_first), out))
    }

    /// The same where no vault opens, in the log of this folder.
    ///
    /// # Errors
    /// The log cannot be opened, or not be written.
    pub fn record_alone(
        &self,
        log: &Path,
        clock: SystemClock,
        out: &Output,
    ) -> Result<(JobId, u64), Failure> {
        let (job, receipt) = darkroom::freeze_without_vault(log, clock, self.reason, self.of_laws())?;
        Ok(self.tell((job, receipt.seq_first), out))
    }

    fn of_laws(&self) -> Laws {
        let has = |law| self.laws().contains(&law);
        Laws { gdpr: has(Law::Gdpr), dora: has(Law::Dora), cra: has(Law::Cra) }
    }

    fn tell(&self, (job, record): (JobId, u64), out: &Output) -> (JobId, u64) {
        let due =
            CLOCKS.iter().filter(|clock| self.laws().contains(&clock.law)).map(|clock| clock.hours).min();
        let due = due.unwrap_or(0);
        out.say(&format!(
            "pinned by record {record}, incident {job}; the first clock ends in {due} h, counted from now and not from when somebody \
             first knew; what is due when: lightproof evidence clocks"
        ));
        (job, record)
    }

    /// What there is of a log that cannot be read whole.
    pub fn of_unread<'a>(
        &'a self,
        log: &'a Path,
        on_record: Option<(JobId, u64)>,
        now_ms: u64,
    ) -> Unread<'a> {
        let version = env!("CARGO_PKG_VERSION");
        Unread { log, reason: self.reason, laws: self.laws(), on_record, version, made_ms: now_ms }
    }

    /// Says what was kept of it in `dir`, and why that is all.
    pub fn report_unread(
        &self,
        why: &Failure,
        (kept, pinned): (&KeptUnread, &Unread<'_>),
        dir: &Path,
        out: &Output,
    ) -> Code {
        out.warn(&format!("no signed bundle can be made: {}", why.what));
        let KeptUnread { files, unread, sums, .. } = kept;
        out.data(&format!(
            "{}: {} of the log, as they are; {} that cannot be read, or are left out\n  SHA256SUMS {sums}, {}\n",
            dir.display(),
            counted(usize::try_from(*files).unwrap_or(usize::MAX), "file"),
            unread.len(),
            timestamp(pinned.made_ms)
        ));
        for name in unread {
            out.warn(&format!("audit/{name} cannot be read, or is left out; incident.json says why"));
        }
        if pinned.on_record.is_none() {
            out.warn(
                "this is not on record, since the log cannot be written, and `evidence clocks` does not know of it: write down the \
                 number and the time above, and keep the folder where nobody changes it",
            );
            for clock in CLOCKS.iter().filter(|clock| self.laws().contains(&clock.law)) {
                let due = timestamp(pinned.made_ms + clock.hours * 3_600_000);
                out.say(&format!("  {:<16}{} h  {due}: {}", clock.clause, clock.hours, clock.due.en));
            }
        }
        out.object(
            false,
            &json!({ "dir": dir.display().to_string(), "files": files, "unread": unread, "sums": sums.to_string(),
                "incident": pinned.on_record.map(|(job, _)| job.to_string()),
                "record": pinned.on_record.map(|(_, record)| record), "frozen": timestamp(pinned.made_ms) }),
        );
        Code::Integrity
    }
}

/// What is due when. Nothing is opened but the log.
///
/// # Errors
/// The log cannot be read.
pub fn clocks(clean: Clean, global: &Global, out: &Output) -> Done {
    let wants = Wants { folder_use: FolderUse::Read, ..Wants::default() };
    let booted = boot::boot(clean, global, &wants)?.without_darkroom()?;
    let (all, now_ms) = (incidents(&booted.folders.audit)?, booted.clock.wall_ms());
    for incident in &all {
        let state = if incident.settled { ", settled" } else { "" };
        let (job, reason, since) = (incident.job, incident.reason.word(), timestamp(incident.ts_ms));
        out.data(&format!("{job}  {reason}, frozen {since}, record {}{state}\n", incident.record));
        for running in incident.running() {
            let clock = running.clock;
            let due = timestamp(running.due_ms);
            out.data(&format!(
                "  {:<16}{} h  {}  {}: {}\n",
                clock.clause,
                clock.hours,
                due,
                running.left_in_words(now_ms),
                clock.due.en.trim_end_matches('.')
            ));
        }
    }
    if all.is_empty() {
        out.say("no state was pinned; at an incident: lightproof evidence freeze");
    }
    out.object(
        true,
        &json!({ "incidents": all.iter().map(|of| describe_incident(of, now_ms)).collect::<Vec<_>>() }),
    );
    Ok(Code::Done)
}

/// The incident that goes by a name, if there is one.
///
/// # Errors
/// It is no name of an incident.
pub fn named(name: &str) -> Result<JobId, Failure> {
    let what = "an incident goes by its name, `j:` and 22 characters, as `evidence clocks` says it";
    JobId::parse(name).ok_or_else(|| Failure::new(Code::Usage, what))
}

/// What the log has of it.
///
/// # Errors
/// Nothing.
pub fn of(log: &Path, job: JobId) -> Result<Incident, Failure> {
    let found = Incidents::of(log)?.incidents.into_iter().find(|incident| incident.job == job);
    let what = || format!("there is no incident {job}; see: lightproof evidence clocks");
    found.ok_or_else(|| Failure::new(Code::NotFound, what()))
}

/// Puts on record that an incident needs nothing more.
///
/// # Errors
/// There is none of that name, or it is settled; as every verb that opens the vault.
pub fn settled(clean: Clean, global: &Global, (name, keys): (&str, &Keys), out: &Output) -> Done {
    let job = named(name)?;
    let (mut booted, mut darkroom) = boot::boot(clean, global, &Wants::with(keys))?.darkroom()?;
    let done = booted
        .unlock(&mut darkroom, out)
        .and_then(|who| settle(&mut darkroom, &who, &booted.folders.audit, job, out));
    boot::leave(darkroom, done)
}

/// The same, in a darkroom that is open, of the log in this folder.
///
/// # Errors
/// As [`settled`].
pub fn settle(room: &mut impl Hold, who: &Who, log: &Path, job: JobId, out: &Output) -> Done {
    // In one moment: of two who say so at once one comes second.
    let receipt = room.with(|darkroom| {
        Ok(match of(log, job) {
            Ok(Incident { settled: true, .. }) => {
                Err(Failure::new(Code::Refused, format!("{job} is settled already")))
            }
            Ok(_) => Ok(darkroom.settle_incident(who, job)?),
            Err(failure) => Err(failure),
        })
    })??;
    out.data(&format!("{job}: settled, record {}\n", receipt.seq_first));
    out.object(true, &json!({ "incident": job.to_string(), "record": receipt.seq_first }));
    Ok(Code::Done)
}

//! What has to be reported how soon: the clocks that a freeze starts, as data, and those that run by the records of a log.
//!
//! A clock runs from the freeze. Whoever knew of the incident before has less time than it says, and what a law asks for is the
//! controller's to judge: the program counts.

use crate::control::Text;
use crate::error::Error;
use audit::words::FreezeReason;
use audit::{Actor, JobId, Order, Stored, timestamp};
use serde_json::{Value, json};
use std::path::Path;

const HOUR_MS: u64 = 3600 * 1000;

/// A law with clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// Regulation (EU) 2016/679.
    Gdpr,
    /// Regulation (EU) 2022/2554, on the resilience of financial entities.
    Dora,
    /// Regulation (EU) 2024/2847, the Cyber Resilience Act.
    Cra,
}

impl Law {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Gdpr, Self::Dora, Self::Cra];

    /// Its name in arguments and records.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gdpr => "gdpr",
            Self::Dora => "dora",
            Self::Cra => "cra",
        }
    }

    /// What a name stands for.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|law| law.word() == word)
    }
}

/// One thing that is due.
#[derive(Debug, PartialEq, Eq)]
pub struct Clock {
    /// By which law.
    pub law: Law,
    /// The clause, as an identifier only.
    pub clause: &'static str,
    /// Hours from the freeze on.
    pub hours: u64,
    /// What is due.
    pub due: Text,
}

/// Every clock, by law and length.
pub const CLOCKS: [Clock; 7] = [
    Clock {
        law: Law::Gdpr,
        clause: "GDPR 33(1)",
        hours: 72,
        due: Text { en: "Notice to the supervisory authority.", zh: "向监管机构通知。" },
    },
    Clock {
        law: Law::Dora,
        clause: "DORA 19(4)(a)",
        hours: 4,
        due: Text {
            en: "Initial notice, once the incident is classified as major.",
            zh: "事件被认定为重大后的初次通知。",
        },
    },
    Clock {
        law: Law::Dora,
        clause: "DORA 19(4)(a)",
        hours: 24,
        due: Text { en: "Initial notice at the latest.", zh: "初次通知的最后时限。" },
    },
    Clock {
        law: Law::Dora,
        clause: "DORA 19(4)(b)",
        hours: 72,
        due: Text { en: "Intermediate report.", zh: "中期报告。" },
    },
    Clock {
        law: Law::Cra,
        clause: "CRA 14(2)(a)",
        hours: 24,
        due: Text { en: "Early warning.", zh: "早期预警。" },
    },
    Clock {
        law: Law::Cra,
        clause: "CRA 14(2)(b)",
        hours: 72,
        due: Text { en: "Notice of the weakness or the incident.", zh: "漏洞或事件通知。" },
    },
    Clock {
        law: Law::Cra,
        clause: "CRA 14(2)(c)",
        hours: 14 * 24,
        due: Text { en: "Final report.", zh: "最终报告。" },
    },
];

/// An incident whose state was pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Incident {
    /// Its name: the job of its records.
    pub job: JobId,
    /// The record of the freeze.
    pub record: u64,
    /// When it was, in milliseconds since 1970.
    pub ts_ms: u64,
    /// Why.
    pub reason: FreezeReason,
    /// Whose clocks were started.
    pub laws: Vec<Law>,
    /// Whether somebody said that all of it is done.
    pub settled: bool,
    /// Whoever pinned it.
    pub actor: Actor,
    /// Whether a bundle was handed out for it.
    pub handed_over: bool,
    /// Whether the program that pinned it has ended.
    pub is_past: bool,
}

/// A clock of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// Which one.
    pub clock: &'static Clock,
    /// When it ends, in milliseconds since 1970.
    pub due_ms: u64,
}

impl Incident {
    /// Takes in the next record of a log, in its order.
    pub fn see(record: &Stored, incidents: &mut Vec<Self>) {
        let flag = |name: &str| record.flag(name) == Some(true);
        match (&*record.name, record.job) {
            ("evidence.frozen", Some(job)) => incidents.push(Self {
                job,
                record: record.seq,
                ts_ms: record.ts_ms,
                reason: record.word("reason").and_then(FreezeReason::parse).unwrap_or(FreezeReason::Incident),
                laws: Law::ALL.into_iter().filter(|law| flag(law.word())).collect(),
                settled: false,
                actor: record.actor,
                handed_over: false,
                is_past: false,
            }),
            ("evidence.settled", Some(job)) => {
                incidents.iter_mut().filter(|of| of.job == job).for_each(|of| of.settled = true);
            }
            ("boot.started" | "boot.stopped", _) => incidents.iter_mut().for_each(|of| of.is_past = true),
            // Older versions gave the bundle a name of its own, and made it in the same run of the program.
            ("evidence.exported" | "evidence.exported_failing", job) => {
                let is_of = |of: &&mut Self| Some(of.job) == job || !of.is_past && of.actor == record.actor;
                incidents.iter_mut().filter(is_of).for_each(|of| of.handed_over = true);
            }
            _ => {}
        }
    }

    /// The clocks that run; none once it is settled.
    pub fn running(&self) -> Vec<Running> {
        let due_ms = |clock: &Clock| self.ts_ms + clock.hours * HOUR_MS;
        let started = CLOCKS.iter().filter(|clock| !self.settled && self.laws.contains(&clock.law));
        started.map(|clock| Running { clock, due_ms: due_ms(clock) }).collect()
    }
}

impl Running {
    /// What is left of it, and whether it is that much too late.
    pub fn left(&self, now_ms: u64) -> (u64, bool) {
        (self.due_ms.abs_diff(now_ms), now_ms > self.due_ms)
    }

    /// `in 3 h 20 min`, or `1 h 5 min too late`.
    pub fn left_in_words(&self, now_ms: u64) -> String {
        let (left_ms, late) = self.left(now_ms);
        let minutes = left_ms / 60_000;
        let text = format!("{} h {} min", minutes / 60, minutes % 60);
        if late { format!("{text} too late") } else { format!("in {text}") }
    }
}

/// The state that a record pins, as it stands in a bundle; `None` of another record.
pub(crate) fn pinned(record: &Stored) -> Option<Value> {
    let flag = |law: &&Law| record.flag(law.word()) == Some(true);
    let job = record.job.filter(|_| record.name == "evidence.frozen")?;
    let laws: Vec<&str> = Law::ALL.iter().filter(flag).map(|law| law.word()).collect();
    Some(json!({ "schema": "lightproof/incident/v1", "incident": job.to_string(), "record": record.seq,
        "frozen": timestamp(record.ts_ms), "frozen_ms": record.ts_ms, "reason": record.word("reason")?, "laws": laws,
        "size": record.int("size")?, "root": record.digest("root")?.to_string() }))
}

/// An incident as JSON, with what is left of its clocks.
pub fn describe_incident(incident: &Incident, now_ms: u64) -> Value {
    let clocks = incident.running().into_iter().map(|running| {
        let Clock { law, clause, hours, due } = running.clock;
        let (left_ms, late) = running.left(now_ms);
        json!({ "law": law.word(), "clause": clause, "hours": hours, "due_ms": running.due_ms,
            "left_seconds": left_ms / 1000, "late": late, "due": { "en": due.en, "zh": due.zh } })
    });
    json!({ "incident": incident.job.to_string(), "reason": incident.reason.word(), "record": incident.record,
        "frozen_ms": incident.ts_ms, "settled": incident.settled, "handed_over": incident.handed_over,
        "clocks": clocks.collect::<Vec<_>>() })
}

/// The incidents of a log, as far as it can be read.
#[derive(Debug, Default)]
pub struct Incidents {
    /// The oldest first.
    pub incidents: Vec<Incident>,
    /// Why the first record cannot be read that cannot: it may have been the freeze of another one.
    pub unread: Option<audit::Error>,
}

impl Incidents {
    /// Of the log in `log`; none where there is no log. Not verified, and beside a running writer.
    ///
    /// # Errors
    /// The folder of the log cannot be read.
    pub fn of(log: &Path) -> Result<Self, Error> {
        let mut found = Self::default();
        let records = match audit::records(log, Order::OldestFirst) {
            Err(audit::Error::Absent { .. }) => return Ok(found),
            records => records?,
        };
        for record in records {
            match record {
                Ok(record) => Incident::see(&record, &mut found.incidents),
                Err(error) => found.unread = found.unread.or(Some(error)),
            }
        }
        Ok(found)
    }
}

/// All incidents of the log in `log`, as [`Incidents::of`].
///
/// # Errors
/// As there; and a record cannot be read, so that nobody knows which clocks run.
pub fn incidents(log: &Path) -> Result<Vec<Incident>, Error> {
    let Incidents { incidents, unread } = Incidents::of(log)?;
    unread.map_or(Ok(incidents), |error| Err(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Dir;
    use audit::{Digest, Event, Log, SystemClock};

    fn frozen(gdpr: bool, dora: bool, cra: bool) -> Event {
        let (reason, root) = (FreezeReason::Breach, Digest([1; 32]));
        Event::EvidenceFrozen { reason, gdpr, dora, cra, size: 1, root }
    }

    #[test]
    fn each_law_brings_its_clocks_until_somebody_says_that_it_is_done() {
        let dir = Dir::new();
        let log = Log::create(&dir.0.join("audit"), SystemClock::new()).unwrap();
        for (job, event) in [frozen(true, false, false), frozen(true, true, true)].into_iter().enumerate() {
            log.append(&[event.by_system().job(JobId([job as u8; 16]))]).unwrap();
        }
        let of = || incidents(&dir.0.join("audit")).unwrap();
        let hours = |incident: &Incident| -> Vec<u64> {
            incident.running().iter().map(|running| (running.due_ms - incident.ts_ms) / HOUR_MS).collect()
        };
        assert_eq!(hours(&of()[0]), [72]);
        assert_eq!(hours(&of()[1]), [72, 4, 24, 72, 24, 72, 336]);
        let running = of()[0].running()[0];
        assert_eq!(running.left(running.due_ms - 5), (5, false));
        assert_eq!(running.left(running.due_ms + 5), (5, true));
        assert_eq!(running.left_in_words(running.due_ms - 3_725_000), "in 1 h 2 min");
        assert_eq!(running.left_in_words(running.due_ms + 3_725_000), "1 h 2 min too late");
        assert!(of().iter().all(|incident| !incident.handed_over));
        log.append(&[Event::EvidenceSettled {}.by_system().job(JobId([0; 16]))]).unwrap();
        assert_eq!((hours(&of()[0]), hours(&of()[1]).len()), (vec![], 7));
        let exported = Event::EvidenceExported { manifest: Digest([1; 32]) };
        log.append(&[exported.by_system().job(JobId([9; 16]))]).unwrap();
        assert!(of().iter().all(|incident| incident.handed_over));
        // One byte ends no clock: what cannot be read is told, and what can be read stays.
        let segment = dir.0.join("audit/seg/00000000.jsonl");
        let text = std::fs::read_to_string(&segment).unwrap();
        let at = text.find("\"evidence.frozen\"").and_then(|at| text[..at].rfind('{')).unwrap();
        let start = text[..at].rfind('\n').map_or(0, |at| at + 1);
        std::fs::write(&segment, text[..start].to_owned() + "#" + &text[start + 1..]).unwrap();
        assert!(matches!(incidents(&dir.0.join("audit")), Err(Error::Log(audit::Error::Broken { .. }))));
        let found = Incidents::of(&dir.0.join("audit")).unwrap();
        assert_eq!((found.incidents.len(), found.unread.is_some()), (1, true));
    }

    #[test]
    fn every_clock_says_what_is_due_in_both_languages() {
        for Clock { clause, due, hours, .. } in &CLOCKS {
            assert!(due.en.ends_with('.') && due.zh.ends_with('\u{3002}') && *hours > 0, "{clause}");
            assert!(clause.len() <= 14, "{clause} is no identifier");
        }
    }
}

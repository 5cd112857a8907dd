//! Where the log's time cannot be right.
//!
//! The written time never goes back. So after a start under a clock that is ahead, every later record carries that time
//! until the real one has caught up. The record says so by `clock.anomaly`; here it is put into words, with the span.

use crate::commit::DRIFT_MS_MAX;
use crate::record::Record;
use crate::report::{Cause, Doubt};

/// Steps of the written time that are remembered, to find where it ran ahead.
const STEP_MS_MIN: u64 = 1000;
/// Doubts that are kept; a log with more has no time worth speaking of.
const DOUBTS_MAX: usize = 256;

/// Follows the time through the records.
#[derive(Debug, Default)]
pub(super) struct Times {
    /// Records at which the written time went on by more than a moment, with that time.
    steps: Vec<(u64, u64)>,
    last: Option<Moment>,
    pub doubts: Vec<Doubt>,
    /// The last doubt goes on.
    is_open: bool,
    /// What the clock said when it was last found behind a written time, and that time, which none has passed since.
    behind: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct Moment {
    ts_ms: u64,
    mono_ms: i64,
    boot: [u8; 4],
}

impl Times {
    /// Takes the next record, with its two keys about the machine's own clock.
    pub fn record(&mut self, record: &Record<'_>, mono_ms: i64, boot: [u8; 4]) {
        let (seq, now) = (record.seq, Moment { ts_ms: record.ts_ms, mono_ms, boot });
        let before = self.last.replace(now);
        if before.is_none_or(|before| now.ts_ms > before.ts_ms.saturating_add(STEP_MS_MIN)) {
            self.steps.push((seq, now.ts_ms));
        }
        self.behind = self.behind.filter(|(_, until_ms)| now.ts_ms <= *until_ms);
        if let Some(doubt) = self.doubts.last_mut().filter(|_| self.is_open) {
            self.is_open = now.ts_ms <= doubt.until_ms;
            if self.is_open {
                doubt.last = seq;
            }
        }
        let delta = record.delta_ms().filter(|_| record.name == "clock.anomaly");
        let ahead = before.filter(|before| before.boot == now.boot).is_some_and(|before| {
            let written = i128::from(now.ts_ms) - i128::from(before.ts_ms);
            written - i128::from(now.mono_ms - before.mono_ms) > i128::from(DRIFT_MS_MAX)
        });
        match delta {
            Some(delta) if delta < 0 => self.behind(seq, now.ts_ms, now.ts_ms.saturating_add_signed(delta)),
            Some(_) => self.jumped(seq, now.ts_ms),
            None if ahead => self.jumped(seq, now.ts_ms),
            None => {}
        }
    }

    /// The time of now, as far as the log's last records know that it is earlier than those they carry.
    pub fn behind_ms(&self) -> Option<u64> {
        self.behind.map(|(clock_ms, _)| clock_ms)
    }

    /// The clock says `clock_ms`, and a record is written at a later time already: every record that is later than the
    /// clock is in doubt, and so is every one until the clock has caught up.
    fn behind(&mut self, seq: u64, ts_ms: u64, clock_ms: u64) {
        self.behind = Some((clock_ms, ts_ms));
        let at = self.steps.partition_point(|(_, time)| *time <= clock_ms);
        let (mut first, mut from_ms) = self.steps.get(at).copied().unwrap_or((seq, ts_ms));
        // Each start under such a clock says it anew.
        while let Some(doubt) = self.doubts.pop_if(|doubt| doubt.last >= first) {
            (first, from_ms) = (first.min(doubt.first), from_ms.min(doubt.from_ms));
        }
        let doubt = Doubt { cause: Cause::Behind { clock_ms }, first, last: seq, from_ms, until_ms: ts_ms };
        self.push(doubt);
        self.is_open = true;
    }

    /// The time went on by more than the machine's own clock did.
    fn jumped(&mut self, seq: u64, ts_ms: u64) {
        // The record about it stands in the same batch, at the same time.
        if self.doubts.last().is_none_or(|doubt| doubt.until_ms != ts_ms) {
            self.push(Doubt { cause: Cause::Jumped, first: seq, last: seq, from_ms: ts_ms, until_ms: ts_ms });
            self.is_open = false;
        }
    }

    fn push(&mut self, doubt: Doubt) {
        if self.doubts.len() < DOUBTS_MAX {
            self.doubts.push(doubt);
        }
    }
}

//! Pruned records: each hash that stands for one was signed away, and not too early.

use super::reading::Reading;
use super::taken::present;
use crate::clock::{now_ms, timestamp};
use crate::error::Error;
use crate::paths::SEGMENT_RECORDS;
use crate::pruned::{CLOCKS_MS_MAX, Forms, LOG_DAYS_MIN, NOT_SIGNED, Pruning};
use crate::report::{Report, Subject};

pub(super) fn check(log: &Reading<'_>, report: &mut Report) -> Result<(), Error> {
    let (all, seen) = (&log.records.prunings, &log.records.seen);
    let end = all.last().map_or(0, |last| last.first);
    // A file and no record, since a writer may have pruned after the records were counted: another look tells.
    for (index, found) in &seen.segments {
        let last = seen.last.filter(|last| last / SEGMENT_RECORDS == *index);
        if *index >= end / SEGMENT_RECORDS || last.is_some_and(|last| last >= end) {
            let text = "holds hashes in the place of records, and no pruning says so";
            report.broken_file(&format!("seg/{index:08}.jsonl"), Some(*found), text);
        }
    }
    let mut forms = Forms::default();
    for one in all {
        is_old_enough(log, one, report);
        let Pruning { seq, from, first, sha256, .. } = *one;
        let read = present(forms.read(log.paths, first, |_, _| {}), &log.paths.segments())?;
        if read != Some(sha256) {
            report.broken(Subject::Record(from), format!("{NOT_SIGNED} (record {seq})"));
            return Ok(());
        }
    }
    if let Some(index) = seen.differs(&forms).filter(|index| *index < end / SEGMENT_RECORDS) {
        report.broken(Subject::Record(index * SEGMENT_RECORDS), "was changed while it was read");
    }
    if let Some((segment, index)) = forms.segments.iter().zip(0..).find(|(segment, _)| segment.due > 0) {
        let seq = all.last().map_or(0, |last| last.seq);
        let text = format!(
            "the pruning of record {seq} is not finished; the next start of the program, or `lightproof audit prune`, finishes it"
        );
        report.odd_file(&format!("seg/{index:08}.jsonl"), Some(segment.found), text);
    }
    Ok(())
}

/// The last record before those that are not touched stands there whole, and is older than the period, by the time of the pruning and
/// by what is known of the time since: whoever has stolen a key could sign another pruning, of a time that has not come.
fn is_old_enough(log: &Reading<'_>, one: &Pruning, report: &mut Report) {
    let (seq, days) = (one.seq, one.days);
    let newest_ms = log.records.ends.get(&one.first).copied();
    let clocks = [Some(now_ms()), log.records.times.behind_ms()].into_iter().flatten();
    let clock_ms = clocks.min().unwrap_or(0);
    if one.is_due(newest_ms, clock_ms.saturating_add(CLOCKS_MS_MAX)) {
        return;
    }
    let newest = newest_ms.map_or_else(|| "a time that is gone".to_owned(), timestamp);
    let text = if days < u64::from(LOG_DAYS_MIN) {
        format!("prunes records after {days} days, and no policy allows less than {LOG_DAYS_MIN}")
    } else if one.is_due(newest_ms, one.ts_ms) {
        format!(
            "prunes records after {days} days, the newest of which is of {newest}, and a clock says later, or now, that it is {}: it was \
             signed too early, or that clock is wrong",
            timestamp(clock_ms)
        )
    } else {
        format!("prunes records after {days} days, and the newest of them is of {newest}")
    };
    report.broken(Subject::Record(seq), text);
}

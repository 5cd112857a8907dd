//! Whether a record that cannot be written is refused: tried on a small log of its own, and never on the log in use.

use super::reading::{Read, timed};
use super::site::Site;
use crate::paths::make_new;
use audit::words::StopReason;
use audit::{Event, Log, Order};
use evidence::{LOG_FREE_BYTES_MIN, Reason};
use rustix::fs::statvfs;
use std::io;
use std::path::Path;

/// Where it lies, in the folder of what was found. One at a time.
const TRIAL: &str = "trial";
/// Its only file of records.
const RECORDS: &str = "seg/00000000.jsonl";

/// What makes it unwritable, behind the back of its writer.
const INJURIES: [fn(&Path) -> io::Result<()>; 2] = [
    |records| std::fs::remove_file(records),
    // Another one under its name, and it is still there.
    |records| {
        std::fs::rename(records, records.with_extension("away"))?;
        make_new(records).map(drop)
    },
];

/// What came of it, by number.
#[derive(Default)]
struct Counted {
    logs: u64,
    not_there: u64,
    accepted: u64,
}

/// The control that is tried here.
pub fn tried(site: &Site, now: &dyn Fn() -> u64) -> (&'static str, Read) {
    let read = timed(now, |reading| {
        let (dir, mut counted) = (site.evidence.join(TRIAL), Counted::default());
        if !has_room(&site.evidence) {
            return Err(Reason::TrialFailed);
        }
        for injury in INJURIES {
            // What a crash left of an earlier one, or somebody else.
            let _ = std::fs::remove_file(&dir);
            evidence::take_back(&dir);
            let tried = try_one(site, &dir, injury, &mut counted);
            evidence::take_back(&dir);
            tried.map_err(|()| Reason::TrialFailed)?;
        }
        reading.fact("logs_tried", counted.logs);
        reading.fact("acknowledged_and_not_there", counted.not_there);
        reading.fact("unwritable_and_accepted", counted.accepted);
        Ok(())
    });
    ("LOG-02", read)
}

/// Whether nobody lacks the room that it takes for a moment.
fn has_room(folder: &Path) -> bool {
    let free = statvfs(folder).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    free.is_ok_and(|free| free >= LOG_FREE_BYTES_MIN)
}

/// Writes a record, looks for it, takes the file away and writes another one.
fn try_one(
    site: &Site,
    dir: &Path,
    injury: fn(&Path) -> io::Result<()>,
    counted: &mut Counted,
) -> Result<(), ()> {
    let log = Log::create(dir, site.clock).map_err(drop)?;
    let entry = [Event::BootStopped { reason: StopReason::Done }.by_system()];
    let receipt = log.append(&entry).map_err(drop)?;
    let newest = audit::records(dir, Order::NewestFirst).ok().and_then(|mut records| records.next());
    // What cannot be read is not there either.
    let is_there = newest.is_some_and(|record| record.is_ok_and(|record| record.seq == receipt.seq_first));
    injury(&dir.join(RECORDS)).map_err(drop)?;
    counted.accepted += u64::from(log.append(&entry).is_ok());
    counted.not_there += u64::from(!is_there);
    counted.logs += 1;
    Ok(())
}

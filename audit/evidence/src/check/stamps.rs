//! The time stamps: each is the answer that a proved record names, and is about a checkpoint that this log signed. Who signed
//! the answer is for `openssl ts -verify`.

use super::log::Trusted;
use super::reading::Reading;
use crate::bundle::{stamp, stamp_number, stamped};
use crate::report::Checked;
use crate::stamps::about;
use audit::{Digest, Head};
use std::collections::BTreeSet;

pub(super) fn check(reading: &Reading<'_>, trusted: &Trusted, checked: &mut Checked) {
    let paths = reading.manifest.files.iter().map(|file| file.path.as_str());
    let numbers: BTreeSet<u64> = paths.filter_map(stamp_number).collect();
    for seq in numbers {
        let (answer_path, checkpoint_path) = (stamp(seq), stamped(seq));
        let (Some(answer), Some(checkpoint)) =
            (reading.read(&answer_path, checked), reading.read(&checkpoint_path, checked))
        else {
            continue;
        };
        let record = trusted.records.get(&seq).filter(|record| record.name == "log.stamped");
        let number = |field| u64::try_from(record?.int(field)?).ok();
        let named = record.and_then(|record| record.digest("answer")).zip(number("stamped_ms"));
        let imprint = named.and_then(|(digest, time_ms)| about(&answer, digest, time_ms));
        if imprint.is_none() {
            checked.find(&answer_path, "is not the time stamp that a proved record of the log names");
            continue;
        }
        let head = Head::parse(&checkpoint).filter(|head| {
            number("size") == Some(head.checkpoint().size)
                && trusted.keys.iter().any(|key| head.is_signed_by(key))
        });
        if head.is_none() || imprint != Some(Digest::of(&checkpoint)) {
            checked.find(&checkpoint_path, "is not the checkpoint of this log that was stamped");
        }
    }
}

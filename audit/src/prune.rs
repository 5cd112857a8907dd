//! The pruning of old records. In this order: the whole log verifies, the record `log.pruned` is durable and signed, then segment after
//! segment is replaced by itself without those records. What a crash leaves in between, the next opening finishes.

use crate::durable::Disk;
use crate::error::{Error, Undone, io_error};
use crate::event::Event;
use crate::merkle::Frontier;
use crate::paths::{Paths, SEGMENT_BYTES_MAX, SEGMENT_RECORDS, files_below, read_limited};
use crate::pruned::{
    Forms, LOG_DAYS_MIN, NOT_SIGNED, Pruning, form, hash_only, leaf_of, lines, newest_ms, written_until_ms,
};
use crate::record::Record;
use crate::token::{Actor, Digest};
use crate::verify::verify;
use crate::writer::{Receipt, Writer};
use std::io;
use std::path::Path;

/// What may go now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Due {
    /// The period, in days.
    pub days: u32,
    /// The first record that is not looked at, for another pruning has been there.
    pub from: u64,
    /// Number of the first record that is not touched, nor any behind it; that of the pruning before where nothing is old enough.
    pub first: u64,
    /// How many records go.
    pub records: u64,
    /// How many before `first` stay, beside those that an earlier pruning left.
    pub kept: u64,
    /// Written time of the newest record before `first`, in milliseconds since 1970.
    pub newest_ms: Option<u64>,
}

impl Writer {
    /// What may go after so many days.
    pub fn due(&self, days: u32) -> Result<Due, Error> {
        if days < LOG_DAYS_MIN {
            return Err(Error::Refused { what: "records are kept for at least 184 days" });
        }
        if let Some(why) = self.unpruned {
            return Err(Error::Unpruned { why });
        }
        if self.is_clock_doubtful() {
            return Err(Error::Refused { what: CLOCK });
        }
        let from = self.told.pruned.map_or(0, |before| before.first);
        let mut due = Due { days, from, first: from, ..Due::default() };
        let until_ms = written_until_ms(self.clock.wall_ms(), days.into());
        // The last segment is being written.
        for index in from / SEGMENT_RECORDS..self.segment_index {
            let path = self.paths.segment(index);
            let bytes = read_limited(&path, SEGMENT_BYTES_MAX).map_err(io_error("read", &path))?;
            let what = "a record cannot be read";
            let at = (index + 1) * SEGMENT_RECORDS - 1;
            let newest = newest_ms(&bytes).ok_or(Error::Broken { what, at })?;
            if until_ms.is_none_or(|until| newest > until) {
                break;
            }
            let (_, gone) = form(&bytes);
            due.records += gone;
            due.kept += SEGMENT_RECORDS - gone;
            due.first = at + 1;
            due.newest_ms = Some(newest);
        }
        Ok(due)
    }

    /// Does exactly that.
    pub fn prune(&mut self, actor: Actor, due: Due) -> Result<Receipt, Error> {
        let now = self.due(due.days)?;
        if now.from != due.from || now.first < due.first || due.first == due.from || due.records == 0 {
            return Err(Error::Refused { what: "what was shown is not what may go now; look again" });
        }
        let report = verify(&self.paths.0, None)?;
        if report.integrity_broken {
            let what = "it does not verify as a whole, and nothing was pruned";
            return Err(Error::Broken { what, at: report.complete });
        }
        if !report.is_ok() {
            return Err(Error::Refused { what: UNVERIFIED });
        }
        let (forms, sha256) = self.forms(due.first)?;
        let records = forms.segments.iter().map(|segment| segment.due).sum();
        if records != due.records {
            return Err(Error::Broken { what: CHANGED, at: due.from });
        }
        let event = Event::LogPruned { first: due.first, sha256, days: due.days, records };
        let receipt = self.append(&[event.by(actor)])?;
        finish(&self.disk, &self.paths, &forms, &mut self.closed).map_err(|e| {
            let why = Undone::Disk(e.into());
            self.unpruned = Some(why);
            Error::Unpruned { why }
        })?;
        self.told.pruned.iter_mut().for_each(|pruning| pruning.is_done = true);
        Ok(receipt)
    }

    /// The segments before a record as they are to be. They are read anew behind a verification, so they are held against what this
    /// writer has: the pruning before, and the root over all records.
    pub fn forms(&self, first: u64) -> Result<(Forms, Digest), Error> {
        let segments = self.paths.segments();
        let failed = io_error("read", &segments);
        let from = self.told.pruned.map_or(0, |before| before.first);
        let (mut forms, mut tree, mut is_short) = (Forms::default(), Frontier::default(), false);
        let mut each = |index: u64, bytes: &[u8]| {
            let count = lines(bytes).map(|line| tree.push(leaf_of(line))).count() as u64;
            is_short |= count != SEGMENT_RECORDS;
            is_short |= index >= from / SEGMENT_RECORDS && lines(bytes).any(|line| hash_only(line).is_some());
        };
        let before = forms.read(&self.paths, from, &mut each).map_err(&failed)?;
        if self.told.pruned.is_some_and(|pruning| pruning.sha256 != before) {
            return Err(Error::Broken { what: NOT_SIGNED, at: 0 });
        }
        let sha256 = forms.read(&self.paths, first, &mut each).map_err(&failed)?;
        for index in first / SEGMENT_RECORDS..=self.segment_index {
            let bytes = read_limited(&self.paths.segment(index), SEGMENT_BYTES_MAX).map_err(&failed)?;
            lines(&bytes).for_each(|line| tree.push(leaf_of(line)));
        }
        if is_short || tree.size() != self.frontier.size() || tree.root() != self.frontier.root() {
            return Err(Error::Broken { what: CHANGED, at: from });
        }
        Ok((forms, sha256))
    }
}

const CHANGED: &str = "somebody writes to its files, and nothing was pruned";
const UNVERIFIED: &str = "the log does not verify, and nothing was pruned; no record is damaged, and a file in its folder is not as it \
                          should be: what it is says lightproof audit verify";
const CLOCK: &str = "the clock was set since the program started, or lies behind the log, and nothing was pruned; see that it is right, \
                     and start anew";

/// What a start does about a pruning that is on record and not finished. It gets by without it; why records stay.
pub(crate) fn go_on(
    (disk, paths): (&Disk, &Paths),
    forms: &Forms,
    lengths: &mut [u64],
    pruning: &mut Pruning,
    now_ms: u64,
) -> Result<Option<Undone>, Error> {
    // A record can say any time, and what goes is gone: it is to be past the period by this clock, too.
    if !pruning.is_due(forms.newest_ms, now_ms) {
        return Ok(Some(Undone::Clock));
    }
    match finish(disk, paths, forms, lengths) {
        Ok(()) => {
            pruning.is_done = true;
            Ok(None)
        }
        Err(e) if e.kind() == io::ErrorKind::InvalidData => {
            Err(io_error("finish the pruning of", &paths.segments())(e))
        }
        Err(e) => Ok(Some(Undone::Disk(e.into()))),
    }
}

/// Replaces each segment that is not as it is to be, and takes its new length over. May be repeated.
pub(crate) fn finish(disk: &Disk, paths: &Paths, forms: &Forms, lengths: &mut [u64]) -> io::Result<()> {
    for ((segment, length), index) in forms.segments.iter().zip(lengths).zip(0..) {
        if segment.due == 0 {
            continue;
        }
        let path = paths.segment(index);
        let (bytes, _) = form(&read_limited(&path, SEGMENT_BYTES_MAX)?);
        if Digest::of(&bytes) != segment.form {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "somebody writes to its files"));
        }
        disk.replace(&path, &bytes)?;
        *length = segment.len;
    }
    Ok(())
}

/// How many of the newest segments are looked through for a pruning: every start tries again, so one is told soon or not at all.
const LOOKED_THROUGH_MAX: usize = 64;

/// Number of the record of the last pruning of the log in `dir`, if that is not finished: some of what was to go is there. One that
/// lies 262,144 records back is not looked for. Not verified, and beside a running writer.
///
/// # Errors
/// `Io`.
pub fn unfinished_pruning(dir: &Path) -> Result<Option<u64>, Error> {
    let paths = Paths(dir.to_owned());
    let segments = paths.segments();
    let failed = io_error("read", &segments);
    let count = files_below(&segments).map_err(&failed)?.len() as u64;
    // What is gone meanwhile, or never had that number, has nothing.
    let read = |index| match read_limited(&paths.segment(index), SEGMENT_BYTES_MAX) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(&failed),
    };
    let is_pruning =
        |line: &&[u8]| std::str::from_utf8(line).is_ok_and(|line| line.contains("\"type\":\"log.pruned\""));
    for index in (0..count).rev().take(LOOKED_THROUGH_MAX) {
        let bytes = read(index)?;
        let last = lines(&bytes).filter(is_pruning).last().and_then(|line| Record::parse(line).ok());
        let Some((record, _)) = last else { continue };
        for index in 0..record.int("first").unwrap_or(0) / SEGMENT_RECORDS {
            if form(&read(index)?).1 > 0 {
                return Ok(Some(record.seq));
            }
        }
        return Ok(None);
    }
    Ok(None)
}

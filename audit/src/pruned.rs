//! Records that are gone by a pruning: what stands in their place, which may go, and whether exactly those went that were signed.
//!
//! A pruned record leaves its leaf hash, 64 hexadecimal digits, as its line: the tree over the log stays what was signed. A line
//! of that kind says nothing by itself, so each one is held against the digest that `log.pruned` carries: of all segments before
//! its `first`, as the pruning leaves them. Nobody takes away more than was signed.

use crate::error::{Error, io_error};
use crate::merkle::{Hash, leaf};
use crate::paths::{Paths, SEGMENT_BYTES_MAX, SEGMENT_RECORDS, read_limited};
use crate::record::Record;
use crate::token::{Digest, hex, unhex};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Types whose records go. Nothing is rebuilt from one of them, and none of them ties an act to what it was done to: a start and
/// the vault's memory read intents, keys, epochs and states of the vault; a restored backup reads people, roles, holds, erasures
/// and backups; models, stamps, certificates, incidents and their clocks, and the controls read their own records and `boot.started`,
/// `boot.stopped` and `object.viewed`. What reads one of these reads the newest ones, or counts what is there: wrong guesses
/// of late, readings of the log, a person's own list.
///
/// The list is a part of the format: a crash in the middle of a pruning is finished by it.
pub const GOES: [&str; 8] = [
    "audit.read",
    "objects.viewed",
    "posture.process",
    "request.refused",
    "session.closed",
    "session.opened",
    "token.used",
    "vault.unlock_failed",
];

/// The shortest period after which records may go: six months, which laws that demand a log ask for at least.
pub const LOG_DAYS_MIN: u32 = 184;

const DAY_MS: u64 = 86_400_000;

/// How far two clocks that are both right may lie apart: one may carry the time of another zone.
pub(crate) const CLOCKS_MS_MAX: u64 = DAY_MS;

/// A pruning, as its record says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pruning {
    /// Number of the record.
    pub seq: u64,
    /// Its written time.
    pub ts_ms: u64,
    /// The period.
    pub days: u64,
    /// First record that it did not touch: the first of a segment.
    pub first: u64,
    /// That of the pruning before.
    pub from: u64,
    /// SHA-256 of all segments before `first`, as it leaves them.
    pub sha256: Digest,
    /// Each segment is known to be as it leaves them.
    pub is_done: bool,
}

impl Pruning {
    /// Of a record `log.pruned`, which follows the pruning before; `None` if it cannot be one.
    pub fn of(record: &Record<'_>, before: Option<&Self>) -> Option<Self> {
        let (first, from) = (record.int("first")?, before.map_or(0, |before| before.first));
        let sha256 = Digest(record.text("sha256").and_then(unhex)?);
        let is_sound = first % SEGMENT_RECORDS == 0 && (from..=record.seq).contains(&first);
        let (seq, ts_ms, days) = (record.seq, record.ts_ms, record.int("days")?);
        is_sound.then_some(Self { seq, ts_ms, days, first, from, sha256, is_done: false })
    }

    /// Whether all before `first` was older than the period at that moment, the newest of it having been written then.
    pub fn is_due(&self, newest_ms: Option<u64>, now_ms: u64) -> bool {
        let until_ms = written_until_ms(now_ms.min(self.ts_ms), self.days);
        let is_older = newest_ms.zip(until_ms).is_some_and(|(newest, until)| newest <= until);
        self.days >= u64::from(LOG_DAYS_MIN) && (self.first == 0 || is_older)
    }
}

/// The last moment at which a record may have been written that goes at `now_ms` after so many days; `None` if there is none.
pub(crate) fn written_until_ms(now_ms: u64, days: u64) -> Option<u64> {
    now_ms.checked_sub(days.checked_mul(DAY_MS)?)
}

/// The leaf that a line stands for, if it is all that is left of its record.
pub(crate) fn hash_only(line: &[u8]) -> Option<Hash> {
    if line.len() != 64 {
        return None;
    }
    unhex(std::str::from_utf8(line).ok()?)
}

/// The same for who reads lines of a log elsewhere.
pub fn pruned_line(line: &[u8]) -> Option<Digest> {
    hash_only(line).map(Digest)
}

/// The leaf of a line, whether its record is there or gone.
pub(crate) fn leaf_of(line: &[u8]) -> Hash {
    hash_only(line).unwrap_or_else(|| leaf(line))
}

/// The whole lines of a segment, without their newlines.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"))
}

/// A full segment without the records that may go, and how many of them it still had. The last one stays, whatever it is: it says
/// how old they all are.
pub(crate) fn form(bytes: &[u8]) -> (Vec<u8>, u64) {
    let (mut out, mut gone) = (Vec::with_capacity(bytes.len()), 0);
    for (line, seq) in lines(bytes).zip(0..) {
        if goes(line, seq) {
            out.extend_from_slice(hex(&leaf(line)).as_bytes());
            gone += 1;
        } else {
            out.extend_from_slice(line);
        }
        out.push(b'\n');
    }
    (out, gone)
}

/// Written time of the last record of a segment; `None` if only its hash is left.
pub(crate) fn newest_ms(bytes: &[u8]) -> Option<u64> {
    Record::parse(lines(bytes).last()?).ok().map(|(record, _)| record.ts_ms)
}

/// Whether a line is a record that a pruning takes. The last one of a segment stays, whatever it is.
fn goes(line: &[u8], seq: u64) -> bool {
    !(seq + 1).is_multiple_of(SEGMENT_RECORDS)
        && Record::parse(line).is_ok_and(|(record, _)| GOES.contains(&record.name))
}

/// What prunings leave, line by line from record 0 on: for who holds lines that were handed out against `log.pruned`.
#[derive(Debug, Default)]
pub struct Left {
    all: Sha256,
    count: u64,
}

impl Left {
    /// Takes the next line in, without its newline.
    pub fn line(&mut self, line: &[u8]) {
        match goes(line, self.count) {
            true => self.all.update(hex(&leaf(line))),
            false => self.all.update(line),
        }
        self.all.update(b"\n");
        self.count += 1;
    }

    /// How many were taken in.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// What `log.pruned` signs, if it is about so many.
    pub fn digest(&self) -> Digest {
        Digest(self.all.clone().finalize().into())
    }
}

/// A segment before the end of a pruning.
#[derive(Debug)]
pub(crate) struct Form {
    /// Its bytes as they lie there.
    pub found: Digest,
    /// The same as the pruning leaves them.
    pub form: Digest,
    /// How many bytes that is.
    pub len: u64,
    /// How many records are still to go.
    pub due: u64,
}

/// What prunings leave of the segments before the last of them, read one by one.
#[derive(Debug, Default)]
pub(crate) struct Forms {
    all: Sha256,
    pub segments: Vec<Form>,
    /// Written time of the last record of all.
    pub newest_ms: Option<u64>,
}

impl Forms {
    /// Goes on to the record `first`. `each` is given the bytes as they lie there. Answers with the digest of all from the first record
    /// on, as they are to be: what an earlier pruning has done stays as it is.
    pub fn read(
        &mut self,
        paths: &Paths,
        first: u64,
        mut each: impl FnMut(u64, &[u8]),
    ) -> io::Result<Digest> {
        for index in self.segments.len() as u64..first / SEGMENT_RECORDS {
            let bytes = read_limited(&paths.segment(index), SEGMENT_BYTES_MAX)?;
            each(index, &bytes);
            self.newest_ms = newest_ms(&bytes);
            let (form, due) = form(&bytes);
            self.all.update(&form);
            let (found, len) = (Digest::of(&bytes), form.len() as u64);
            self.segments.push(Form { found, form: Digest::of(&form), len, due });
        }
        Ok(Digest(self.all.clone().finalize().into()))
    }
}

/// What a reader has seen of pruned records on its way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Each segment that has some: a digest of the bytes that were read.
    pub segments: BTreeMap<u64, Digest>,
    /// The last one.
    pub last: Option<u64>,
}

impl Seen {
    /// Takes a segment with such lines in, the last of which is that record.
    pub fn segment(&mut self, bytes: &[u8], last: Option<u64>) {
        if let Some(last) = last {
            self.segments.insert(last / SEGMENT_RECORDS, Digest::of(bytes));
            self.last = Some(last);
        }
    }

    /// The first of those segments that a second reading found with other bytes.
    pub fn differs(&self, forms: &Forms) -> Option<u64> {
        let is_other = |(index, found): &(&u64, &Digest)| {
            let at = usize::try_from(**index).unwrap_or(usize::MAX);
            forms.segments.get(at).is_none_or(|form| form.found != **found)
        };
        self.segments.iter().find(is_other).map(|(index, _)| *index)
    }
}

/// Holds what a start has seen against the last pruning. Answers with the segments where that is not finished.
///
/// # Errors
/// `Broken` where more is gone than was signed, or something else; `Io`.
pub(crate) fn check(paths: &Paths, pruning: Option<&Pruning>, seen: &Seen) -> Result<Option<Forms>, Error> {
    let end = pruning.map_or(0, |pruning| pruning.first);
    if let Some(at) = seen.last.filter(|last| *last >= end) {
        return Err(Error::Broken { what: "the content of a record is gone, and no pruning says so", at });
    }
    let Some(pruning) = pruning.filter(|pruning| !pruning.is_done) else { return Ok(None) };
    let mut forms = Forms::default();
    let found = forms.read(paths, pruning.first, |_, _| {}).map_err(io_error("read", &paths.segments()))?;
    if found != pruning.sha256 || seen.differs(&forms).is_some() {
        return Err(Error::Broken { what: NOT_SIGNED, at: pruning.from });
    }
    // Whoever has stolen the key can sign anything: nothing goes for it.
    if !pruning.is_due(forms.newest_ms, pruning.ts_ms) {
        return Err(Error::Broken {
            what: "it prunes records that are younger than a period may be",
            at: pruning.seq,
        });
    }
    Ok(forms.segments.iter().any(|segment| segment.due > 0).then_some(forms))
}

/// The sentence for it.
pub(crate) const NOT_SIGNED: &str = "what is left of pruned records is not what was signed";

/// Number of the first record from which on none was pruned in the log in `dir`; 0 where there was none at all.
///
/// # Errors
/// `Io`.
pub fn whole_from(dir: &Path) -> Result<u64, Error> {
    let paths = Paths(dir.to_owned());
    let mut from = 0;
    for index in 0.. {
        let path = paths.segment(index);
        let bytes = match read_limited(&path, SEGMENT_BYTES_MAX) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => break,
            read => read.map_err(io_error("read", &path))?,
        };
        let gone = lines(&bytes).zip(index * SEGMENT_RECORDS..).filter(|(line, _)| hash_only(line).is_some());
        from = gone.last().map_or(from, |(_, seq)| seq + 1);
    }
    Ok(from)
}

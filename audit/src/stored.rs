//! Reading records back, one by one. Not verified: for that there is [`crate::verify`].

use crate::clock::timestamp;
use crate::error::{Error, io_error};
use crate::json;
use crate::merkle::leaf;
use crate::paths::{Paths, SEGMENT_BYTES_MAX, SEGMENT_RECORDS, files_below, read_limited};
use crate::pruned::hash_only;
use crate::record::Record;
use crate::token::{Actor, Digest, JobId, Object, id_bytes, unhex};
use crate::words::Outcome;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// In which order [`records`] reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From record 0 on.
    OldestFirst,
    /// From the last record on.
    NewestFirst,
}

/// The records of the log in `dir`, read segment by segment: one segment at a time is held in memory. Works beside a
/// running writer, whose unfinished line is left out.
///
/// A line that is no record is an item `Broken` with the number that it should have, and a segment that cannot be read
/// is an item `Io`; the reading goes on behind both. Pruned records are left out.
///
/// # Errors
/// `Absent` when there are no segments; `Io` when their folder cannot be read.
pub fn records(dir: &Path, order: Order) -> Result<Records, Error> {
    let paths = Paths(dir.to_owned());
    let mut segments = files_below(&paths.segments()).map_err(io_error("read", &paths.segments()))?;
    if segments.is_empty() {
        return Err(Error::Absent { dir: dir.to_owned() });
    }
    // The next one is taken from the end.
    if order == Order::OldestFirst {
        segments.reverse();
    }
    Ok(Records { order, numbers: 0..u64::MAX, segments, bytes: Vec::new(), lines: Vec::new(), gone: None })
}

/// The records from number `first` on, oldest first; as [`records`], and what lies before is not read.
///
/// # Errors
/// As there.
pub fn records_from(dir: &Path, first: u64) -> Result<Records, Error> {
    let mut records = records(dir, Order::OldestFirst)?;
    records.segments.retain(|segment| index(segment) >= first / SEGMENT_RECORDS);
    Ok(Records { numbers: first..u64::MAX, ..records })
}

/// The records before number `end`, newest first; as [`records`], and what lies behind is not read.
///
/// # Errors
/// As there.
pub fn records_before(dir: &Path, end: u64) -> Result<Records, Error> {
    let mut records = records(dir, Order::NewestFirst)?;
    records.segments.retain(|segment| index(segment) < end.div_ceil(SEGMENT_RECORDS));
    Ok(Records { numbers: 0..end, ..records })
}

/// The record of that number; `None` if the log does not reach it.
///
/// # Errors
/// `Absent`; `Broken` if its line is no record; `Pruned` if only its hash is left; `Io`.
pub fn record(dir: &Path, seq: u64) -> Result<Option<Stored>, Error> {
    match Items(records_from(dir, seq)?).next().transpose()? {
        Some(Item::Pruned(at, _)) if at == seq => Err(Error::Pruned { seq }),
        Some(Item::Record(record)) if record.seq == seq => Ok(Some(*record)),
        _ => Ok(None),
    }
}

/// The leaf hash of the record of that number, of one that was pruned, too; `None` if the log does not reach it, or its line is no
/// record.
///
/// # Errors
/// `Absent`; `Io`.
pub fn record_leaf(dir: &Path, seq: u64) -> Result<Option<Digest>, Error> {
    match Items(records_from(dir, seq)?).next().transpose() {
        Ok(Some(Item::Pruned(at, leaf))) if at == seq => Ok(Some(leaf)),
        Ok(Some(Item::Record(record))) if record.seq == seq => Ok(Some(record.leaf())),
        Ok(_) | Err(Error::Broken { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// As [`records`], oldest first, with what is left of those that were pruned.
///
/// # Errors
/// As there.
pub fn items(dir: &Path) -> Result<Items, Error> {
    records(dir, Order::OldestFirst).map(Items)
}

/// Records that a reading came past, and of which only the hashes are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gone {
    /// Number of the first.
    pub first: u64,
    /// Number of the last.
    pub last: u64,
    /// How many there are from the one to the other; between them may be others that are whole.
    pub records: u64,
}

impl Gone {
    /// Takes one more in.
    pub(crate) fn see(gone: &mut Option<Self>, seq: u64) {
        let Self { first, last, records } = gone.unwrap_or(Self { first: seq, last: seq, records: 0 });
        *gone = Some(Self { first: first.min(seq), last: last.max(seq), records: records + 1 });
    }

    /// As JSON.
    pub fn to_json(&self) -> String {
        let Self { first, last, records } = self;
        format!("{{\"first\":{first},\"last\":{last},\"records\":{records}}}")
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last, records } = self;
        match records {
            1 => write!(f, "record {first} was pruned")?,
            _ if last - first + 1 == *records => write!(f, "the records {first} to {last} were pruned")?,
            _ => write!(f, "of the records {first} to {last} {records} were pruned")?,
        }
        f.write_str(": only the hash of each is left, and records of the type log.pruned say so")
    }
}

/// One line of a log.
#[derive(Debug)]
pub enum Item {
    /// A record.
    Record(Box<Stored>),
    /// The number of a record of which only the leaf hash is left, and that.
    Pruned(u64, Digest),
}

/// See [`items`].
#[derive(Debug)]
pub struct Items(pub(crate) Records);

impl Iterator for Items {
    type Item = Result<Item, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.item()
    }
}

/// See [`records`].
#[derive(Debug)]
pub struct Records {
    order: Order,
    /// Others are left out.
    numbers: Range<u64>,
    segments: Vec<PathBuf>,
    /// The segment in work.
    bytes: Vec<u8>,
    /// Its lines that are still to come, the next one last, with the number that each should have.
    lines: Vec<(u64, Range<usize>)>,
    gone: Option<Gone>,
}

impl Iterator for Records {
    type Item = Result<Stored, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.item()? {
                Ok(Item::Pruned(seq, _)) => Gone::see(&mut self.gone, seq),
                Ok(Item::Record(record)) => return Some(Ok(*record)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Records {
    /// Which of those that were read so far are left out, since they were pruned.
    pub fn gone(&self) -> Option<Gone> {
        self.gone
    }

    fn item(&mut self) -> Option<Result<Item, Error>> {
        loop {
            if let Some((seq, range)) = self.lines.pop() {
                let (what, line) = ("a line is no record", &self.bytes[range]);
                if let Some(hash) = hash_only(line) {
                    return Some(Ok(Item::Pruned(seq, Digest(hash))));
                }
                let record = Stored::parse(line).map(|record| Item::Record(Box::new(record)));
                return Some(record.ok_or(Error::Broken { what, at: seq }));
            }
            let segment = self.segments.pop()?;
            match read_limited(&segment, SEGMENT_BYTES_MAX) {
                Ok(bytes) => self.bytes = bytes,
                Err(e) => return Some(Err(io_error("read", &segment)(e))),
            }
            let mut start = 0;
            let ends = self.bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(end, _)| end);
            let ranges = ends.map(|end| std::mem::replace(&mut start, end + 1)..end);
            let numbered = (index(&segment).saturating_mul(SEGMENT_RECORDS)..).zip(ranges);
            self.lines = numbered.filter(|(seq, _)| self.numbers.contains(seq)).collect();
            if self.order == Order::OldestFirst {
                self.lines.reverse();
            }
        }
    }
}

/// The number in the name of a segment.
fn index(segment: &Path) -> u64 {
    segment.file_stem().and_then(|name| name.to_str()?.parse::<u64>().ok()).unwrap_or(0)
}

/// A record as it is stored. Its type and fields need not be known to this program: the schema grows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// Its number.
    pub seq: u64,
    /// When it was written, in milliseconds since 1970.
    pub ts_ms: u64,
    /// Signing epoch.
    pub epoch: u32,
    /// Name of its type, such as `vault.unlocked`.
    pub name: String,
    /// Who acted.
    pub actor: Actor,
    /// The object that it concerns.
    pub object: Option<Object>,
    /// The job that it belongs to.
    pub job: Option<JobId>,
    /// How the act ended.
    pub outcome: Outcome,
    /// The fields of its type with their values, sorted by name.
    pub fields: Vec<(String, Value)>,
    /// Leaf hash of the record before; 32 zero bytes in record 0.
    pub prev: Digest,
    line: String,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// Yes or no.
    Bool(bool),
    /// A word of a closed list, or bytes as hexadecimal or base64. Never free text.
    Word(String),
}

impl Stored {
    /// A whole number among the fields.
    pub fn int(&self, field: &str) -> Option<i64> {
        if let Value::Int(n) = self.value(field)? { Some(*n) } else { None }
    }

    /// A yes or no among the fields.
    pub fn flag(&self, field: &str) -> Option<bool> {
        if let Value::Bool(b) = self.value(field)? { Some(*b) } else { None }
    }

    /// A word among the fields.
    pub fn word(&self, field: &str) -> Option<&str> {
        if let Value::Word(text) = self.value(field)? { Some(text) } else { None }
    }

    /// A digest among the fields.
    pub fn digest(&self, field: &str) -> Option<Digest> {
        unhex(self.word(field)?).map(Digest)
    }

    /// The record as one line of canonical JSON (RFC 8785), byte for byte as it was hashed, without its newline.
    pub fn json(&self) -> &str {
        &self.line
    }

    fn value(&self, field: &str) -> Option<&Value> {
        self.fields.iter().find(|(name, _)| name == field).map(|(_, value)| value)
    }

    /// Its own leaf hash (RFC 6962), which the next record carries as `prev`.
    pub fn leaf(&self) -> Digest {
        Digest(leaf(self.line.as_bytes()))
    }

    /// Reads one line without its newline, and holds it against the schema: for lines that come from a stranger.
    ///
    /// # Errors
    /// What is wrong with it, as a part of a sentence.
    pub fn read(line: &[u8]) -> Result<Self, String> {
        let (record, members) = Record::parse(line).map_err(|flaw| flaw.to_string())?;
        record.check(&members).map_err(|flaw| flaw.to_string())?;
        Self::of(&record, line).ok_or_else(|| "a value that no record may hold".to_owned())
    }

    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let (record, _) = Record::parse(line).ok()?;
        Self::of(&record, line)
    }

    fn of(record: &Record<'_>, line: &[u8]) -> Option<Self> {
        let id = |text: &str, prefix| id_bytes(text.strip_prefix(prefix)?);
        let value = |value: &json::Value<'_>| match value {
            json::Value::Int(n) => Some(Value::Int(*n)),
            json::Value::Bool(b) => Some(Value::Bool(*b)),
            json::Value::Str(text) => Some(Value::Word((*text).to_owned())),
            json::Value::Object(_) => None,
        };
        let fields = record.fields().iter().map(|(name, v)| Some(((*name).to_owned(), value(v)?)));
        Some(Self {
            seq: record.seq,
            ts_ms: record.ts_ms,
            epoch: record.epoch,
            name: record.name.to_owned(),
            actor: match record.actor {
                "a:system" => Actor::System,
                person => Actor::Person(id(person, "a:")?),
            },
            object: record.obj.map(|text| id(text, "o:").ok_or(())).transpose().ok()?.map(Object),
            job: record.job.map(|text| id(text, "j:").ok_or(())).transpose().ok()?.map(JobId),
            outcome: Outcome::parse(record.out)?,
            fields: fields.collect::<Option<_>>()?,
            prev: Digest(record.prev),
            line: String::from_utf8(line.to_vec()).ok()?,
        })
    }
}

/// `17 2026-01-31T07:08:09.010Z vault.unlocked ok a:system role=admin slot=0`
impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (time, outcome) = (timestamp(self.ts_ms), self.outcome.word());
        write!(f, "{} {time} {} {outcome} {}", self.seq, self.name, self.actor)?;
        self.object.iter().try_for_each(|object| write!(f, " {object}"))?;
        self.job.iter().try_for_each(|job| write!(f, " {job}"))?;
        self.fields.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(n) => write!(f, "{n}"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Word(text) => f.write_str(text),
        }
    }
}

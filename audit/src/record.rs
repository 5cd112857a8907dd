//! One record and its line, in both directions.

use crate::clock::{parse_timestamp, timestamp};
use crate::entry::Entry;
use crate::event::{VERSION, schema};
use crate::json::{self, Malformed, Members, Value};
use crate::merkle::Hash;
use crate::token::{INT_MAX, Kind, base64, hex, id_bytes};
use crate::words::Outcome;
use base64ct::{Base64, Encoding};
use std::fmt;

/// Most bytes of a line, its newline included. The longest record of the schema has about 800.
pub(crate) const LINE_BYTES_MAX: u64 = 4096;

/// What the log adds to an entry.
pub(crate) struct Stamp {
    pub seq: u64,
    pub epoch: u32,
    pub ts_ms: u64,
    pub mono_ms: u64,
    pub boot: [u8; 4],
    pub nonce: [u8; 16],
    pub prev: Hash,
}

/// The line of an entry, without its newline.
pub(crate) fn line(entry: &Entry, stamp: &Stamp) -> String {
    let quoted = |text: &dyn fmt::Display| format!("\"{text}\"");
    let mut members = vec![
        ("actor", quoted(&entry.actor)),
        ("boot", quoted(&hex(&stamp.boot))),
        ("d", json::object(entry.event.fields())),
        ("epoch", stamp.epoch.to_string()),
        ("mono", stamp.mono_ms.min(INT_MAX as u64).to_string()),
        ("nonce", quoted(&hex(&stamp.nonce))),
        ("out", quoted(&entry.outcome.word())),
        ("prev", quoted(&Base64::encode_string(&stamp.prev))),
        ("seq", stamp.seq.to_string()),
        ("ts", quoted(&timestamp(stamp.ts_ms))),
        ("type", quoted(&entry.event.name())),
        ("v", VERSION.to_string()),
    ];
    members.extend(entry.object.map(|o| ("obj", quoted(&o))));
    members.extend(entry.job.map(|j| ("job", quoted(&j))));
    json::object(members)
}

/// A record read back. What the chain needs is parsed whatever the type; [`Record::check`] asks the schema.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub seq: u64,
    pub epoch: u32,
    pub ts_ms: u64,
    pub name: &'a str,
    pub out: &'a str,
    pub actor: &'a str,
    pub obj: Option<&'a str>,
    pub job: Option<&'a str>,
    pub prev: Hash,
    pub version: i64,
    d: Members<'a>,
}

/// What is wrong with one record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw<'a> {
    #[error("not canonical JSON: {0}")]
    Malformed(Malformed),
    #[error("longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
    #[error("key {0} is missing")]
    Missing(&'static str),
    #[error("key {} has a value that the schema does not allow", cut(.0))]
    Wrong(&'a str),
    #[error("unknown key {}", cut(.0))]
    UnknownKey(&'a str),
    #[error("unknown type {}", cut(.0))]
    UnknownType(&'a str),
    #[error("schema version {0} is not known to this program")]
    Version(i64),
}

/// Strings of records are printable ASCII, so cutting at a byte is safe.
fn cut(text: &str) -> &str {
    text.get(..40).unwrap_or(text)
}

const KEYS: [&str; 14] =
    ["actor", "boot", "d", "epoch", "job", "mono", "nonce", "obj", "out", "prev", "seq", "ts", "type", "v"];

impl<'a> Record<'a> {
    /// Reads a line without its newline. Keys beyond those of the header are left to [`Record::check`].
    pub fn parse(line: &'a [u8]) -> Result<(Self, Members<'a>), Flaw<'a>> {
        if line.len() as u64 >= LINE_BYTES_MAX {
            return Err(Flaw::TooLong);
        }
        let mut members = json::parse(line).map_err(Flaw::Malformed)?;
        let at = members.iter().position(|(key, _)| *key == "d").ok_or(Flaw::Missing("d"))?;
        let (_, Value::Object(d)) = members.remove(at) else { return Err(Flaw::Wrong("d")) };
        let get = |key: &'static str| {
            members.iter().find(|(k, _)| *k == key).map(|(_, v)| v).ok_or(Flaw::Missing(key))
        };
        let text = |key: &'static str| match get(key)? {
            Value::Str(text) => Ok(*text),
            _ => Err(Flaw::Wrong(key)),
        };
        let optional = |key: &'static str| if get(key).is_ok() { text(key).map(Some) } else { Ok(None) };
        let int = |key: &'static str| match get(key)? {
            Value::Int(n) => Ok(*n),
            _ => Err(Flaw::Wrong(key)),
        };
        let record = Self {
            seq: u64::try_from(int("seq")?).map_err(|_| Flaw::Wrong("seq"))?,
            epoch: u32::try_from(int("epoch")?).map_err(|_| Flaw::Wrong("epoch"))?,
            ts_ms: parse_timestamp(text("ts")?).ok_or(Flaw::Wrong("ts"))?,
            name: text("type")?,
            out: text("out")?,
            actor: text("actor")?,
            obj: optional("obj")?,
            job: optional("job")?,
            prev: base64(text("prev")?).ok_or(Flaw::Wrong("prev"))?,
            version: int("v")?,
            d,
        };
        Ok((record, members))
    }

    /// Holds the record against the schema: its type, every key, every value.
    pub fn check(&self, members: &Members<'a>) -> Result<(), Flaw<'a>> {
        if self.version != i64::from(VERSION) {
            return Err(Flaw::Version(self.version));
        }
        if let Some((key, _)) = members.iter().find(|(key, _)| !KEYS.contains(key)) {
            return Err(Flaw::UnknownKey(key));
        }
        let value = |key: &str| members.iter().find(|(k, _)| *k == key).map(|(_, v)| v);
        let hex_of = |key: &'static str, bytes| match value(key) {
            Some(v) if fits(v, Kind::Hex { bytes }) => Ok(()),
            Some(_) => Err(Flaw::Wrong(key)),
            None => Err(Flaw::Missing(key)),
        };
        hex_of("boot", 4)?;
        hex_of("nonce", 16)?;
        match value("mono") {
            Some(Value::Int(0..)) => {}
            Some(_) => return Err(Flaw::Wrong("mono")),
            None => return Err(Flaw::Missing("mono")),
        }
        let id = |text: &str, prefix| text.strip_prefix(prefix).is_some_and(|rest| id_bytes(rest).is_some());
        if self.actor != "a:system" && !id(self.actor, "a:") {
            return Err(Flaw::Wrong("actor"));
        }
        if self.obj.is_some_and(|text| !id(text, "o:")) {
            return Err(Flaw::Wrong("obj"));
        }
        if self.job.is_some_and(|text| !id(text, "j:")) {
            return Err(Flaw::Wrong("job"));
        }
        if !Outcome::WORDS.contains(&self.out) {
            return Err(Flaw::Wrong("out"));
        }
        let kind = schema(self.name).ok_or(Flaw::UnknownType(self.name))?;
        if kind.object && self.obj.is_none() {
            return Err(Flaw::Missing("obj"));
        }
        if kind.job && self.job.is_none() {
            return Err(Flaw::Missing("job"));
        }
        for (key, field) in kind.fields {
            match self.d.iter().find(|(k, _)| k == key) {
                Some((_, value)) if fits(value, *field) => {}
                Some((key, _)) => return Err(Flaw::Wrong(key)),
                None => return Err(Flaw::Missing(key)),
            }
        }
        match self.d.iter().find(|(key, _)| !kind.fields.iter().any(|(k, _)| k == key)) {
            Some((key, _)) => Err(Flaw::UnknownKey(key)),
            None => Ok(()),
        }
    }

    /// A whole number of `d`.
    pub fn int(&self, key: &str) -> Option<u64> {
        match self.field(key)? {
            Value::Int(n) => u64::try_from(*n).ok(),
            _ => None,
        }
    }

    /// How far the clock had jumped, by a record of `clock.anomaly`.
    pub fn delta_ms(&self) -> Option<i64> {
        match self.field("delta_ms")? {
            Value::Int(n) => Some(*n),
            _ => None,
        }
    }

    fn field(&self, key: &str) -> Option<&Value<'a>> {
        self.d.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// The fields of the type.
    pub fn fields(&self) -> &Members<'a> {
        &self.d
    }

    /// A string of `d`.
    pub fn text(&self, key: &str) -> Option<&'a str> {
        match self.field(key)? {
            Value::Str(text) => Some(*text),
            _ => None,
        }
    }
}

fn fits(value: &Value<'_>, kind: Kind) -> bool {
    match (value, kind) {
        (Value::Int(n), Kind::Int { min, max }) => (min..=max).contains(n),
        (Value::Bool(_), Kind::Bool) => true,
        (Value::Str(text), Kind::Token(words)) => words.iter().any(|(word, _)| word == text),
        (Value::Str(text), Kind::Hex { bytes }) => {
            base16ct::lower::decode_vec(text).is_ok_and(|b| b.len() == usize::from(bytes))
        }
        (Value::Str(text), Kind::Base64 { bytes }) => Base64::decode_vec(text)
            .is_ok_and(|b| b.len() == usize::from(bytes) && Base64::encode_string(&b) == *text),
        _ => false,
    }
}

/// `prev` must be the leaf of the record before; the first one carries 32 zero bytes.
pub(crate) const FIRST_PREV: Hash = [0; 32];

/// Salted hash of a boot id: the first four bytes of SHA-256 over the origin, a zero byte and the id.
pub(crate) fn boot_hash(origin: &str, boot_id: &[u8; 16]) -> [u8; 4] {
    let digest = crate::token::Digest::of(&[origin.as_bytes(), &[0], boot_id].concat()).0;
    [digest[0], digest[1], digest[2], digest[3]]
}

//! Facts: what a probe brings home. Like a record of the log, a fact cannot hold free text, a name or a path.

use audit::Digest;
use serde_json::Value;
use std::net::SocketAddr;

/// Largest whole number that every JSON reader keeps exact (RFC 8785, appendix D).
const COUNT_MAX: u64 = (1 << 53) - 1;
/// Longest word, the longest of which is a digest.
const WORD_CHARS_MAX: usize = 64;

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A whole number.
    Count(u64),
    /// Yes or no.
    Flag(bool),
    /// A word of the program's own, a digest, or an address.
    Word(Word),
}

/// A short word of letters, digits and `. _ : [ ] + -`, so that it holds no sentence, and no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word(String);

impl Word {
    /// The word itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._:[]+-".contains(c);
        let holds = (1..=WORD_CHARS_MAX).contains(&text.len()) && text.chars().all(fits);
        holds.then(|| Self(text.to_owned()))
    }
}

impl From<u64> for Fact {
    fn from(count: u64) -> Self {
        Self::Count(count.min(COUNT_MAX))
    }
}

impl From<bool> for Fact {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<Digest> for Fact {
    fn from(digest: Digest) -> Self {
        Self::Word(Word(digest.to_string()))
    }
}

impl From<SocketAddr> for Fact {
    fn from(address: SocketAddr) -> Self {
        Self::Word(Word(address.to_string()))
    }
}

impl Fact {
    /// A word that stands in the program's source; `None` if it is none.
    pub fn word(word: &'static str) -> Option<Self> {
        Word::parse(word).map(Self::Word)
    }

    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Count(n) => (*n).into(),
            Self::Flag(flag) => (*flag).into(),
            Self::Word(Word(text)) => text.as_str().into(),
        }
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(flag) => Some(Self::Flag(*flag)),
            Value::Number(_) => value.as_u64().filter(|n| *n <= COUNT_MAX).map(Self::Count),
            Value::String(text) => Word::parse(text).map(Self::Word),
            _ => None,
        }
    }
}

/// One thing that was tried, and what the system answered: `connect by TCP`, `EPERM`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    operation: String,
    answer: Word,
}

impl Attempt {
    /// An operation in words of the program's own, and the kernel's name for its answer; `None` if they are too long or
    /// hold anything else.
    pub fn new(operation: &'static str, answer: &'static str) -> Option<Self> {
        Self::parse(operation, answer)
    }

    /// What was tried.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// What the system answered.
    pub fn answer(&self) -> &str {
        self.answer.as_str()
    }

    /// Words that may be in a file of a stranger: no quotation marks, and nothing that could be markup.
    pub(crate) fn parse(operation: &str, answer: &str) -> Option<Self> {
        let fits = |c: char| c.is_ascii_alphanumeric() || " .,_:()[]/+-'".contains(c);
        let holds = (1..=80).contains(&operation.len()) && operation.chars().all(fits);
        let answer = Word::parse(answer)?;
        holds.then(|| Self { operation: operation.to_owned(), answer })
    }
}

/// The fact as people read it.
impl std::fmt::Display for Fact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(n) => write!(f, "{n}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Word(word) => f.write_str(word.as_str()),
        }
    }
}

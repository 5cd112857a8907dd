//! The part of canonical JSON (RFC 8785) that records need: objects, whole numbers, `true`, `false`, and strings of
//! printable ASCII that need no escape. In this part every value has exactly one spelling, so a text that parses *is*
//! canonical, and nothing has to be written again to compare.

use crate::token::INT_MAX;

/// A parsed value. Strings borrow from the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Int(i64),
    Bool(bool),
    Str(&'a str),
    Object(Members<'a>),
}

pub(crate) type Members<'a> = Vec<(&'a str, Value<'a>)>;

/// Why a text is not in canonical form, at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub(crate) struct Malformed {
    pub at: u64,
    pub what: &'static str,
}

/// Objects in objects; a record has two levels.
const DEPTH_MAX: u32 = 2;

/// Parses one object that fills the whole text.
pub(crate) fn parse(text: &[u8]) -> Result<Members<'_>, Malformed> {
    let mut parser = Parser { text, at: 0 };
    let members = parser.object(1)?;
    if parser.at != text.len() {
        return Err(parser.error("text after the object"));
    }
    Ok(members)
}

/// Writes an object from members whose values are canonical JSON already; sorts them.
pub(crate) fn object(mut members: Vec<(&'static str, String)>) -> String {
    // RFC 8785 sorts by UTF-16 code units; keys are ASCII, for which that is the order of the bytes.
    members.sort_by_key(|(key, _)| *key);
    let body: Vec<String> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
    format!("{{{}}}", body.join(","))
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Parser<'a> {
    fn error(&self, what: &'static str) -> Malformed {
        Malformed { at: self.at as u64, what }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Malformed> {
        if self.peek() != Some(byte) {
            return Err(self.error(what));
        }
        self.at += 1;
        Ok(())
    }

    fn object(&mut self, depth: u32) -> Result<Members<'a>, Malformed> {
        self.expect(b'{', "an object must start")?;
        let mut members: Members<'a> = Vec::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(members);
        }
        loop {
            let key = self.string()?;
            if members.last().is_some_and(|(last, _)| *last >= key) {
                return Err(self.error("keys are not in order"));
            }
            self.expect(b':', "a colon is missing")?;
            let value = self.value(depth)?;
            members.push((key, value));
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(members);
                }
                _ => return Err(self.error("a comma or a closing brace is missing")),
            }
        }
    }

    fn value(&mut self, depth: u32) -> Result<Value<'a>, Malformed> {
        match self.peek() {
            Some(b'"') => Ok(Value::Str(self.string()?)),
            Some(b'{') if depth < DEPTH_MAX => Ok(Value::Object(self.object(depth + 1)?)),
            Some(b't') => self.word(b"true").map(|()| Value::Bool(true)),
            Some(b'f') => self.word(b"false").map(|()| Value::Bool(false)),
            Some(b'-' | b'0'..=b'9') => self.int(),
            _ => Err(self.error("not a value that a record may hold")),
        }
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), Malformed> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.error("not a value that a record may hold"));
        }
        self.at += word.len();
        Ok(())
    }

    fn int(&mut self) -> Result<Value<'a>, Malformed> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).expect("digits are ASCII");
        match text.parse::<i64>() {
            Ok(n) if (-INT_MAX..=INT_MAX).contains(&n) && n.to_string() == text => Ok(Value::Int(n)),
            _ => Err(Malformed { at: start as u64, what: "not a canonical whole number" }),
        }
    }

    fn string(&mut self) -> Result<&'a str, Malformed> {
        self.expect(b'"', "a string must start")?;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b' '..=b'~') if self.peek() != Some(b'\\') => self.at += 1,
                _ => return Err(self.error("a character that no string may hold")),
            }
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).expect("printable ASCII is UTF-8");
        self.at += 1;
        Ok(text)
    }
}

#[cfg(test)]
#[path = "tests/json.rs"]
mod tests;

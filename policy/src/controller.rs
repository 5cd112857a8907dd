//! What the controller says of themselves: the answers that no program can give, for the papers of a bundle of evidence.

use std::collections::BTreeMap;

const SCHEMA: i64 = 1;
/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 4000;
/// Largest file that is parsed, in bytes.
pub const CONTROLLER_BYTES_MAX: usize = 64 << 10;

/// What there are answers to, in the order of the papers.
pub const CONTROLLER_KEYS: [&str; 26] = [
    "controller",
    "representative",
    "protection_officer",
    "purposes",
    "legal_basis",
    "people",
    "data",
    "recipients",
    "transfers",
    "periods",
    "measures",
    "interest",
    "necessity",
    "balance",
    "objection",
    "risks",
    "views",
    "advice",
    "decision",
    "authority",
    "staff_council",
    "host",
    "support",
    "backups",
    "monitoring",
    "contracts",
];

/// The answers, by their keys. None of them is needed.
pub type Controller = BTreeMap<&'static str, String>;

/// What is wrong with the file. No text of an answer is in it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControllerError {
    /// Not TOML.
    #[error("line {line} is no TOML: write each answer as `key = \"text\"`, and each key once")]
    Syntax {
        /// The first line that makes no sense.
        line: usize,
    },
    /// A schema number that this program does not know, or none.
    #[error("it has no schema that this program knows: write `schema = {SCHEMA}` in it")]
    Schema,
    /// The file is longer than any honest one.
    #[error("it is longer than {CONTROLLER_BYTES_MAX} bytes: shorten it")]
    TooLong,
    /// A key that nothing is asked under.
    #[error("{} is asked nowhere; the keys are schema, {}", key.as_deref().unwrap_or("a key of it"), CONTROLLER_KEYS.join(", "))]
    Unknown {
        /// As written, if it looks like one.
        key: Option<String>,
    },
    /// An answer that would be read in another order than it is written, or in other lines.
    #[error("{key} holds U+{character:04X}, which is not seen and changes how the text is read: take it out")]
    Hidden {
        /// Its key.
        key: &'static str,
        /// The character's number.
        character: u32,
    },
    /// An answer that cannot be printed.
    #[error(
        "{key} is to be a text of 1 to {ANSWER_BYTES_MAX} bytes without control characters but the end of a line"
    )]
    Answer {
        /// Its key.
        key: &'static str,
    },
}

/// A key as a person may read it again: what is none of ours is repeated only where it cannot be anything else.
pub(crate) fn plain_key(key: &str) -> Option<&str> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    ((1..=32).contains(&key.len()) && key.bytes().all(is_plain)).then_some(key)
}

/// The line that an error is in.
pub(crate) fn line_of(text: &str, error: &toml::de::Error) -> usize {
    let at = error.span().map_or(0, |span| span.start).min(text.len());
    1 + text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count()
}

/// Whether a character reorders what stands around it, or ends a line where no editor shows an end.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// Reads the file's text.
///
/// # Errors
/// What is wrong with it.
pub fn read_controller(text: &str) -> Result<Controller, ControllerError> {
    if text.len() > CONTROLLER_BYTES_MAX {
        return Err(ControllerError::TooLong);
    }
    let parsed = text.parse::<toml::Table>();
    let mut table = parsed.map_err(|error| ControllerError::Syntax { line: line_of(text, &error) })?;
    if table.remove("schema").and_then(|schema| schema.as_integer()) != Some(SCHEMA) {
        return Err(ControllerError::Schema);
    }
    let mut answers = Controller::new();
    for (key, value) in table {
        let Some(known) = CONTROLLER_KEYS.into_iter().find(|known| *known == key) else {
            return Err(ControllerError::Unknown { key: plain_key(&key).map(str::to_owned) });
        };
        // As other editors end a line, and set in a word.
        let answer = value.as_str().map(|text| text.replace("\r\n", "\n").replace('\t', " "));
        let answer = answer.as_deref().map(str::trim).filter(|text| {
            (1..=ANSWER_BYTES_MAX).contains(&text.len()) && !text.chars().any(|c| c.is_control() && c != '\n')
        });
        let answer = answer.ok_or(ControllerError::Answer { key: known })?;
        if let Some(hidden) = answer.chars().find(|c| is_hidden(*c)) {
            return Err(ControllerError::Hidden { key: known, character: hidden.into() });
        }
        answers.insert(known, answer.to_owned());
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_what_is_none_is_refused_without_repeating_it() {
        let text = "schema = 1\ncontroller = \"Example GmbH\\n1 Example Street\"\nrisks = '''\none\ntwo'''\n";
        let answers = read_controller(text).unwrap_or_default();
        assert_eq!(answers.len(), 2);
        assert_eq!(answers["controller"], "Example GmbH\n1 Example Street");
        assert_eq!(answers["risks"], "one\ntwo");
        assert_eq!(read_controller("schema = 1"), Ok(Controller::new()));
        let (long, longest) = ("x".repeat(ANSWER_BYTES_MAX + 1), "x".repeat(ANSWER_BYTES_MAX));
        let with = |answer: &str| read_controller(&format!("schema = 1\nrisks = {answer}\n"));
        assert!(with(&format!("\"{longest}\"")).is_ok());
        let refused = || Err(ControllerError::Answer { key: "risks" });
        for wrong in [
            &format!("\"{long}\""),
            "\"\"",
            "\"  \"",
            "7",
            "[\"a\"]",
            "{ a = \"b\" }",
            "\"\\u001b[2J\"",
            "\"a\\u0000\"",
        ] {
            assert_eq!(with(wrong), refused(), "{wrong}");
        }
        let read = |answer| with(answer).unwrap_or_default().remove("risks");
        assert_eq!(read("\"\"\"\r\none\r\n\ttwo\tthree\r\n\"\"\"").as_deref(), Some("one\n two three"));
        assert_eq!(read("\"one\\r\\n\\ttwo\"").as_deref(), Some("one\n two"));
        assert_eq!(with("\"a\\rb\""), refused());
        for character in (0x202a..=0x202e).chain(0x2066..=0x2069).chain(0x2028..=0x2029) {
            let hidden = Err(ControllerError::Hidden { key: "risks", character });
            assert_eq!(with(&format!("\"a\\u{character:04x}b\"")), hidden);
        }
        let hidden = ControllerError::Hidden { key: "risks", character: 0x202e };
        assert!(hidden.to_string().contains("U+202E"), "{hidden}");
        assert_eq!(with("\"secret words"), Err(ControllerError::Syntax { line: 2 }));
        assert_eq!(with("\"a\"\nrisks = \"secret words\""), Err(ControllerError::Syntax { line: 3 }));
        for wrong in ["", "schema = 2", "schema = \"1\"", "risks = \"a\""] {
            assert_eq!(read_controller(wrong), Err(ControllerError::Schema), "{wrong}");
        }
        assert_eq!(
            read_controller("schema = 1\ncontroler = \"secret words\""),
            Err(ControllerError::Unknown { key: Some("controler".into()) })
        );
        for secret in ["\"Secret Words\"", "SECRET", "secret1", &"s".repeat(33)] {
            let unknown = Err(ControllerError::Unknown { key: None });
            assert_eq!(read_controller(&format!("schema = 1\n{secret} = \"a\"")), unknown, "{secret}");
        }
        assert_eq!(read_controller(&" ".repeat(CONTROLLER_BYTES_MAX + 1)), Err(ControllerError::TooLong));
        assert!(read_controller(&format!("schema = 1\na = {}", "[".repeat(60_000))).is_err());
    }
}

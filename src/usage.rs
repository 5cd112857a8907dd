//! Help, version, and what is wrong with the arguments. A prompt may stand anywhere among them: of what was typed, only what
//! cannot be one is repeated.

use crate::exit::{Code, Failure};
use crate::output::Output;
use crate::version;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::error::Error as _;
use std::ffi::{OsStr, OsString};
use std::num::{IntErrorKind, ParseIntError};
use std::process::ExitCode;

/// Longest word that is repeated, in bytes.
const WORD_BYTES_MAX: usize = 24;
/// Verbs that take no prompt.
const WITHOUT_PROMPT: [&str; 17] = [
    "serve",
    "history",
    "vault",
    "hold",
    "token",
    "model",
    "backup",
    "status",
    "support",
    "man",
    "doctor",
    "upgrade",
    "audit",
    "evidence",
    "config",
    "completions",
    "selftest",
];

/// Help and version go to stdout, mistakes to stderr with exit code 2.
pub fn answer(error: &clap::Error) -> ExitCode {
    let out = Output::early();
    match error.kind() {
        ErrorKind::DisplayHelp => {
            out.page(&error.render().to_string());
            out.end(Code::Done)
        }
        ErrorKind::DisplayVersion => {
            out.data(&version::text());
            out.object(true, &version::json());
            out.end(Code::Done)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            out.tell(error.render().to_string().trim_end());
            ExitCode::from(Code::Usage as u8)
        }
        _ => {
            let typed: Vec<OsString> = std::env::args_os().skip(1).collect();
            out.fail(&Failure::new(Code::Usage, sentence(error, takes_no_prompt(&typed))))
        }
    }
}

/// Whether no word among them can be a part of a prompt: the first one, but for flags, is a verb that takes none.
fn takes_no_prompt(typed: &[OsString]) -> bool {
    let mut before = OsStr::new("");
    let first = typed.iter().map(OsString::as_os_str).find(|word| {
        let is_value = std::mem::replace(&mut before, *word) == "--home";
        !is_value && !word.as_encoded_bytes().starts_with(b"-")
    });
    first.is_some_and(|word| WITHOUT_PROMPT.iter().any(|verb| word == *verb))
}

/// What is wrong, and what to do.
fn sentence(error: &clap::Error, without_prompt: bool) -> String {
    let texts = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    };
    // Names of flags that the program knows.
    let known = |kind| texts(kind).join(", ");
    let argument = known(ContextKind::InvalidArg);
    match error.kind() {
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let value = known(ContextKind::InvalidValue);
            let value = if without_prompt || is_number(&value) { shown(&value) } else { None };
            let value = value.unwrap_or_else(|| "this value".into());
            let no_number = error.source().and_then(|why| why.downcast_ref()).map(no_number);
            // A fixed sentence of a parser's; the one of a flag with bounds repeats the number.
            let why = || error.source().filter(|_| value != "this value").map(|why| format!(": {why}"));
            let why = no_number.map(str::to_owned).or_else(why).unwrap_or_default();
            let words = texts(ContextKind::ValidValue).join(" or ");
            let words = if words.is_empty() { words } else { format!("; it is {words}") };
            format!("{argument} does not take {value}{why}{words}; see --help")
        }
        ErrorKind::MissingRequiredArgument => format!("{argument} is missing; see --help"),
        ErrorKind::ArgumentConflict => {
            format!("{argument} and {} do not go together; see --help", known(ContextKind::PriorArg))
        }
        ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand => {
            let near = known(ContextKind::SuggestedArg) + &known(ContextKind::SuggestedSubcommand);
            let word = argument + &known(ContextKind::InvalidSubcommand);
            // What is nearly the name of something is a mistyped name.
            let word = shown(&word).filter(|_| without_prompt || !near.is_empty());
            let tip = if near.is_empty() { String::new() } else { format!("; did you mean {near}?") };
            match word {
                Some(word) => format!("{word} is no verb or flag, or one word too many{tip}; see --help"),
                None => format!(
                    "there is a word too many, or a verb or flag that does not exist{tip}; \
                     put a prompt of several words in quotes, and see --help"
                ),
            }
        }
        _ => "the arguments make no sense together; see --help".to_owned(),
    }
}

/// Why a word is no number of that kind.
fn no_number(why: &ParseIntError) -> &'static str {
    match why.kind() {
        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => ", which is too large a number",
        _ => ": a whole number is wanted there",
    }
}

/// A word as it is repeated, if it is one: short, and of the letters that names and numbers have.
fn shown(word: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:+".contains(c);
    let is_word = (1..=WORD_BYTES_MAX).contains(&word.len()) && word.chars().all(plain);
    is_word.then(|| format!("`{word}`"))
}

fn is_number(value: &str) -> bool {
    value.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(arguments: &[&str]) -> String {
        let typed: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let error = crate::cli::Cli::parse_words(["lightproof"].iter().chain(arguments)).err().unwrap();
        sentence(&error, takes_no_prompt(&typed))
    }

    #[test]
    fn what_is_no_number_is_told_what_is_one() {
        let days = said(&["token", "create", "--scope", "read", "--days", "x"]);
        assert_eq!(days, "--days <N> does not take `x`: a whole number is wanted there; see --help");
        let steps = said(&["generate", "a", "--steps", "x"]);
        assert_eq!(steps, "--steps <N> does not take this value: a whole number is wanted there; see --help");
        assert!(said(&["serve", "--port", "99999"]).contains("99999"));
        assert!(said(&["audit", "explain", "99999999999999999999"]).contains("too large a number"));
    }

    #[test]
    fn a_word_is_repeated_where_it_can_be_no_part_of_a_prompt() {
        for (arguments, word) in [
            (&["history", "lst"][..], "`lst`"),
            (&["history", "frobnicate"], "`frobnicate`"),
            (&["audit", "tail", "--frob"], "`--frob`"),
            (&["audit", "tail", "-n", "many"], "`many`"),
            (&["history", "list", "more"], "`more`"),
            (&["backup", "list", "--operator", "x"], "`--operator`"),
            (&["token", "revoke", "lpt"], "`lpt`"),
            (&["serve", "--port", "99999"], "`99999`"),
            (&["--json", "--home", "x", "vault", "frob"], "`frob`"),
            (&["generat", "x"], "`generat`"),
            (&["generate", "x", "--step", "3"], "`--step`"),
            (&["generate", "x", "--seed", "18446744073709551616"], "`18446744073709551616`"),
        ] {
            let said = said(arguments);
            assert!(said.contains(word), "{arguments:?}: {said}");
        }
        for arguments in [
            &["quokka"][..],
            &["generate", "a", "quokka"],
            &["generate", "a", "--quokka"],
            &["generate", "--steps", "quokka", "x"],
            &["generate", "--size", "quokka", "x"],
            &["history", "a quokka at dusk"],
            &["generate", "history", "quokka"],
            &["quokka", "history"],
            &["--home", "history", "quokka"],
        ] {
            let said = said(arguments);
            assert!(!said.contains("quokka"), "{arguments:?}: {said}");
        }
    }
}

//! What people and programs see: data on stdout, talk on stderr.

use crate::cli::Global;
use crate::exit::{Code, Failure};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use serde_json::{Value, json};
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicI32, Ordering};

/// Name of the form of every JSON object on stdout.
const SCHEMA: &str = "lightproof/v1";

/// Where to print, and how.
pub struct Output {
    json: bool,
    quiet: bool,
    /// stderr is a terminal that may be redrawn.
    live: bool,
    colour: bool,
    /// Why data did not reach stdout: the system's number of the first error, 0 while there is none.
    lost: AtomicI32,
}

impl Output {
    /// As the flags say.
    pub fn new(global: &Global) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = terminal && !global.no_color && !dumb && std::env::var_os("NO_COLOR").is_none();
        let live = terminal && !dumb && !global.quiet;
        Self { json: global.json, quiet: global.quiet, live, colour, lost: AtomicI32::new(0) }
    }

    /// For errors before the flags are known.
    pub fn early() -> Self {
        let json = std::env::args_os().any(|argument| argument == "--json");
        Self { json, quiet: false, live: false, colour: false, lost: AtomicI32::new(0) }
    }

    /// Prints lines of data, unless JSON was asked for.
    pub fn data(&self, text: &str) {
        if !self.json {
            self.give(&harmless(text));
        }
    }

    /// Prints the closing JSON object, if JSON was asked for.
    pub fn object(&self, ok: bool, data: &Value) {
        if self.json {
            self.give(&format!("{}\n", json!({ "schema": SCHEMA, "ok": ok, "data": data })));
        }
    }

    /// A sentence for the person.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            talk(&format!("{}\n", harmless(text)));
        }
    }

    /// A sentence that must be seen.
    pub fn warn(&self, text: &str) {
        talk(&format!("{}: {}\n", self.coloured("33", "warning"), harmless(text)));
    }

    /// A sentence without which the person cannot go on.
    pub fn tell(&self, text: &str) {
        talk(&format!("{}\n", harmless(text)));
    }

    /// A line for whoever started the program, with JSON too. The program goes on where nobody reads it.
    pub fn ready(&self, line: &str) {
        let _ = print(&format!("{line}\n"));
    }

    /// Redraws the last line of stderr; nothing where it is no terminal. An empty text clears the line.
    pub fn progress(&self, text: &str) {
        if self.live {
            talk(&format!("\r\x1b[K{text}"));
        }
    }

    /// The exit code of a verb that came to its end: data that nobody got is no success. A reader who closed the pipe has
    /// what it wanted, and that is.
    pub fn end(&self, code: Code) -> ExitCode {
        let lost = io::Error::from_raw_os_error(self.lost.load(Ordering::Relaxed));
        if lost.raw_os_error() == Some(0) || lost.kind() == io::ErrorKind::BrokenPipe {
            return ExitCode::from(code as u8);
        }
        let what =
            format!("the result could not be printed: {lost}; what was done is done, ask again to see it");
        let code = if code == Code::Done { Code::Unexpected } else { code };
        self.complain(&what);
        ExitCode::from(code as u8)
    }

    /// Prints why a verb ended early, and gives its exit code.
    pub fn fail(&self, failure: &Failure) -> ExitCode {
        if self.json {
            let error = json!({ "code": failure.code as u8, "message": failure.what });
            let _ = print(&format!("{}\n", json!({ "schema": SCHEMA, "ok": false, "error": error })));
        }
        self.complain(&failure.what);
        ExitCode::from(failure.code as u8)
    }

    fn complain(&self, what: &str) {
        talk(&format!("{}: {}\n", self.coloured("31", "error"), harmless(what)));
    }

    /// Prints data and remembers if it went nowhere.
    fn give(&self, text: &str) {
        if let Err(error) = print(text) {
            let first = error.raw_os_error().unwrap_or_default();
            let _ = self.lost.compare_exchange(0, first, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    fn coloured(&self, colour: &str, text: &str) -> String {
        match self.colour {
            true => format!("\x1b[{colour}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

/// Help and version go to stdout, mistakes to stderr with exit code 2.
pub fn usage(error: &clap::Error) -> ExitCode {
    let help = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Some(Code::Done),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Some(Code::Usage),
        _ => None,
    };
    if let Some(code) = help {
        let _ = error.print();
        return ExitCode::from(code as u8);
    }
    // Whatever was typed may be a part of a prompt: nothing of it is repeated, only names that the program knows.
    let known = |kind| match error.get(kind) {
        Some(ContextValue::String(name)) => name.clone(),
        Some(ContextValue::Strings(names)) => names.join(", "),
        _ => String::new(),
    };
    let what = match error.kind() {
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            format!("{} does not take this value; see --help", known(ContextKind::InvalidArg))
        }
        ErrorKind::MissingRequiredArgument => {
            format!("{} is missing; see --help", known(ContextKind::InvalidArg))
        }
        ErrorKind::ArgumentConflict => {
            let (one, other) = (known(ContextKind::InvalidArg), known(ContextKind::PriorArg));
            format!("{one} and {other} do not go together; see --help")
        }
        ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand => {
            let tip = match known(ContextKind::SuggestedArg) + &known(ContextKind::SuggestedSubcommand) {
                name if name.is_empty() => String::new(),
                name => format!("; did you mean {name}?"),
            };
            format!(
                "there is a word too many, or a verb or flag that does not exist{tip}; \
                 put a prompt of several words in quotes, and see --help"
            )
        }
        _ => "the arguments make no sense together; see --help".to_owned(),
    };
    Output::early().fail(&Failure::new(Code::Usage, what))
}

/// The text with everything escaped that could control a terminal or turn the direction of writing; lines stay lines.
fn harmless(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let escaped = |c: char| (c.is_control() && c != '\n') || turns(c);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match escaped(c) {
            true => out.extend(c.escape_unicode()),
            false => out.push(c),
        }
    }
    out
}

/// A foreign text on one line: a name of a file, a prompt.
pub fn one_line(text: &str) -> String {
    text.replace('\n', "\\n")
}

/// `1 picture`, `2 pictures`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Past the standard library's handle, which takes a descriptor that cannot be written for one that was.
fn print(text: &str) -> io::Result<()> {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        match rustix::io::write(io::stdout(), rest) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Nobody listens on a closed stderr, and that keeps nothing from being done.
fn talk(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_controls_no_terminal_and_forges_no_line() {
        assert_eq!(harmless("a\x1b[31mb\u{202e}c\nd 猫"), "a\\u{1b}[31mb\\u{202e}c\nd 猫");
        assert_eq!(one_line("a\nb"), "a\\nb");
    }

    #[test]
    fn one_is_not_many() {
        let said = [0, 1, 2].map(|count| counted(count, "picture"));
        assert_eq!(said, ["0 pictures", "1 picture", "2 pictures"]);
    }
}

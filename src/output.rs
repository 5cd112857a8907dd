//! What people and programs see: data on stdout, talk on stderr.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use crate::cli::Global;
use crate::exit::{Code, Failure};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use serde_json::{Value, json};
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

/// Name of the form of every JSON object on stdout.
const SCHEMA: &str = "lightproof/v1";

/// Where to print, and how.
pub struct Output {
    json: bool,
    quiet: bool,
    /// stderr is a terminal that may be redrawn.
    live: bool,
    colour: bool,
}

impl Output {
    /// As the flags say.
    pub fn new(global: &Global) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = terminal && !global.no_color && !dumb && std::env::var_os("NO_COLOR").is_none();
        Self { json: global.json, quiet: global.quiet, live: terminal && !dumb && !global.quiet, colour }
    }

    /// For errors before the flags are known.
    pub fn plain() -> Self {
        Self { json: false, quiet: false, live: false, colour: false }
    }

    /// Prints lines of data, unless JSON was asked for.
    pub fn data(&self, text: &str) {
        if !self.json {
            print(text);
        }
    }

    /// Prints the closing JSON object, if JSON was asked for.
    pub fn object(&self, ok: bool, data: &Value) {
        if self.json {
            print(&format!("{}\n", json!({ "schema": SCHEMA, "ok": ok, "data": data })));
        }
    }

    /// A sentence for the person.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }

    /// A sentence that must be seen.
    pub fn warn(&self, text: &str) {
        eprintln!("{}: {text}", self.coloured("33", "warning"));
    }

    /// Redraws the last line of stderr; nothing where it is no terminal. An empty text clears the line.
    pub fn progress(&self, text: &str) {
        if self.live {
            eprint!("\r\x1b[K{text}");
        }
    }

    /// Prints why a verb ended early, and gives its exit code.
    pub fn fail(&self, failure: &Failure) -> ExitCode {
        if self.json {
            let error = json!({ "code": failure.code as u8, "message": failure.what });
            print(&format!("{}\n", json!({ "schema": SCHEMA, "ok": false, "error": error })));
        }
        eprintln!("{}: {}", self.coloured("31", "error"), failure.what);
        ExitCode::from(failure.code as u8)
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
    // A word too many is likely a part of a prompt without quotes, which nothing repeats.
    let surplus = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(word)) => {
            error.kind() == ErrorKind::UnknownArgument && !word.starts_with('-')
        }
        _ => false,
    };
    let what = match surplus {
        true => "there is a word too many; put a prompt of several words in quotes".to_owned(),
        false => error.render().to_string().trim_start_matches("error: ").trim_end().to_owned(),
    };
    let json = std::env::args_os().any(|argument| argument == "--json");
    Output { json, ..Output::plain() }.fail(&Failure::new(Code::Usage, what))
}

/// A closed pipe is the reader's wish, not an error.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush());
}

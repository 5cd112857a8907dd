//! What people and programs see: data on stdout, talk on stderr.

use crate::cli::Global;
use crate::door::line::Line;
use crate::door::wire::Said;
use crate::exit::{Code, Failure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat, makedev};
use serde_json::{Value, json};
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Name of the form of every JSON object on stdout.
const SCHEMA: &str = "lightproof/v1";
/// How long [`Output::pause`] waits.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };

/// System calls that the policy of this process denies beyond what is built in.
static DENIED: OnceLock<Vec<String>> = OnceLock::new();
/// Whether the closing object of JSON, or that of a failure, was printed: there is one.
static HAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// From here on a failure that a denied call may be behind says so, instead of blaming the host alone.
pub fn know_denied(calls: &[String]) {
    let _ = DENIED.set(calls.to_vec());
}

/// Where to print, and how.
pub struct Output {
    json: bool,
    quiet: bool,
    /// stderr is a terminal that may be redrawn.
    live: bool,
    colour: bool,
    /// A picture goes to stdout, and what would stand there otherwise to stderr.
    is_for_picture: AtomicBool,
    /// Why data did not reach stdout: the system's number of the first error, 0 while there is none.
    lost: AtomicI32,
    /// The closing object of JSON, kept until it is known how the verb ended: there is one, and it says that, too.
    closing: Mutex<Closing>,
    /// It is printed at the other end.
    far: Option<Arc<Line>>,
}

/// The closing object of JSON.
#[derive(Debug)]
enum Closing {
    None,
    /// Whether it is about a success, and what it holds.
    Kept(bool, Value),
    Printed,
}

impl Output {
    /// As the flags say.
    pub fn new(global: &Global) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = terminal && !global.no_color && !dumb && std::env::var_os("NO_COLOR").is_none();
        let live = terminal && !dumb && !global.quiet;
        Self { json: global.json, quiet: global.quiet, live, colour, ..Self::early() }
    }

    /// For errors before the flags are known.
    pub fn early() -> Self {
        let json = std::env::args_os().any(|argument| argument == "--json");
        let (is_for_picture, lost) = (AtomicBool::new(false), AtomicI32::new(0));
        let closing = Mutex::new(Closing::None);
        Self { json, quiet: false, live: false, colour: false, is_for_picture, lost, closing, far: None }
    }

    /// At the other end of a connection, as the flags there say.
    pub fn far(line: Arc<Line>) -> Self {
        Self { far: Some(line), ..Self::early() }
    }

    /// From here on stdout is for the bytes of a picture alone.
    ///
    /// # Errors
    /// [`Code::Refused`] at a terminal, [`Code::Usage`] with `--json`.
    pub fn reserve_for_picture(&self) -> Result<(), Failure> {
        if self.json {
            let what =
                "standard output takes the picture or the JSON object; name a file, or leave --json out";
            return Err(Failure::new(Code::Usage, what));
        }
        if io::stdout().is_terminal() {
            let what =
                "a picture is nothing for a terminal; name a file, or send standard output to one: > a.png";
            return Err(Failure::new(Code::Refused, what));
        }
        self.is_for_picture.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Prints a page of help, with JSON too.
    pub fn page(&self, text: &str) {
        self.give(text.as_bytes());
    }

    /// Prints the bytes of a picture, after [`Output::reserve_for_picture`].
    pub fn picture(&self, png: &[u8]) {
        match &self.far {
            Some(line) => line.tell_with(&Said::Picture, png),
            None => self.give(png),
        }
    }

    /// Prints a drawing of dark characters on a light ground, unless JSON was asked for: at a terminal black on white, whatever its
    /// own colours are.
    pub fn drawing(&self, lines: &[String]) {
        if self.json {
            return;
        }
        let [on, off] =
            if self.colour && io::stdout().is_terminal() { ["\x1b[30;107m", "\x1b[0m"] } else { [""; 2] };
        let drawn: String = lines.iter().map(|line| format!("{on}{line}{off}\n")).collect();
        self.give(drawn.as_bytes());
    }

    /// Prints lines of data, unless JSON was asked for.
    pub fn data(&self, text: &str) {
        if let Some(line) = &self.far {
            return line.tell(&Said::Data(text.into()));
        }
        match (self.json, self.is_for_picture.load(Ordering::Relaxed)) {
            (true, _) => {}
            (false, true) => self.say(text.trim_end_matches('\n')),
            (false, false) => self.give(harmless(text).as_bytes()),
        }
    }

    /// The same of lines that need nobody: not where a timer asks for nothing but what does (`--quiet`).
    pub fn calm(&self, text: &str) {
        match &self.far {
            Some(line) => line.tell(&Said::Calm(text.into())),
            None if self.quiet => {}
            None => self.data(text),
        }
    }

    /// Prints a line that is JSON already.
    pub fn json_line(&self, line: &str) {
        self.give(format!("{line}\n").as_bytes());
    }

    /// Whether data went nowhere, for whatever reason.
    pub fn has_lost(&self) -> bool {
        self.loss().is_some()
    }

    /// Whether stdout is `/dev/null`, which the standard library also puts where one was closed.
    pub fn leads_nowhere(&self) -> bool {
        let null = makedev(1, 3);
        fstat(io::stdout()).is_ok_and(|stat| {
            FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == null
        })
    }

    /// Waits a moment for more to print; `false` if nobody reads stdout any more.
    pub fn pause(&self) -> bool {
        let stdout = io::stdout();
        let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
        let polled = poll(&mut watched, Some(&PAUSE));
        polled.is_err() || !watched[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
    }

    /// Whether nobody reads stdout any more: its pipe is closed.
    pub fn is_left(&self) -> bool {
        self.loss().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The closing JSON object, if JSON was asked for: printed when the verb has ended, with why it ended early if it did.
    pub fn object(&self, ok: bool, data: &Value) {
        if let Some(line) = &self.far {
            return line.tell(&Said::Object(ok, data.clone()));
        }
        if self.json {
            *self.closing() = Closing::Kept(ok, data.clone());
        }
    }

    /// Prints what is kept, and says whether all data has left: for what is shown once, and is undone where nobody could see it.
    ///
    /// # Errors
    /// Nobody is at the other end any more.
    pub fn has_shown(&self) -> Result<bool, Failure> {
        if let Some(line) = &self.far {
            return line.has_shown();
        }
        self.print_closing();
        Ok(!self.has_lost())
    }

    fn closing(&self) -> MutexGuard<'_, Closing> {
        self.closing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn print_closing(&self) {
        let mut closing = self.closing();
        if let Closing::Kept(ok, data) = &*closing {
            HAS_CLOSED.store(true, Ordering::Relaxed);
            self.json_line(&json!({ "schema": SCHEMA, "ok": ok, "data": data }).to_string());
            *closing = Closing::Printed;
        }
    }

    /// A sentence for the person.
    pub fn say(&self, text: &str) {
        if let Some(line) = &self.far {
            return line.tell(&Said::Say(text.into()));
        }
        if !self.quiet {
            talk(&format!("{}\n", harmless(text)));
        }
    }

    /// A sentence that must be seen.
    pub fn warn(&self, text: &str) {
        if let Some(line) = &self.far {
            return line.tell(&Said::Warn(text.into()));
        }
        talk(&format!("{}: {}\n", self.coloured("33", "warning"), harmless(text)));
    }

    /// A sentence without which the person cannot go on.
    pub fn tell(&self, text: &str) {
        talk(&format!("{}\n", harmless(text)));
    }

    /// A line for whoever started the program; with JSON it is an object of its own, of what is ready. The program goes on where nobody
    /// reads it, and says so where it could not be printed.
    pub fn ready(&self, line: &str, what: &Value) {
        match self.json {
            true => self.json_line(&json!({ "schema": SCHEMA, "ready": what }).to_string()),
            false => self.give(format!("{line}\n").as_bytes()),
        }
        if let Some(error) = self.loss().filter(|_| !self.is_left()) {
            self.warn(&format!("this could not be printed ({error}): {line}"));
        }
    }

    /// Redraws the last line of stderr; nothing where it is no terminal. An empty text clears the line.
    pub fn progress(&self, text: &str) {
        if let Some(line) = &self.far {
            return line.tell(&Said::Progress(text.into()));
        }
        if self.live {
            talk(&format!("\r\x1b[K{text}"));
        }
    }

    /// The exit code of a verb that came to its end: data that nobody got is no success, and nothing that was found. A reader
    /// who closed the pipe has what it wanted, and that is.
    pub fn end(&self, code: Code) -> ExitCode {
        self.print_closing();
        let Some(lost) = self.loss().filter(|_| !self.is_left()) else {
            return ExitCode::from(code as u8);
        };
        let what =
            format!("the result could not be printed: {lost}; what was done is done, ask again to see it");
        let code = if matches!(code, Code::Done | Code::Found) { Code::Unexpected } else { code };
        self.complain(&what);
        ExitCode::from(code as u8)
    }

    /// Prints why a verb ended early, and gives its exit code.
    pub fn fail(&self, failure: &Failure) -> ExitCode {
        let closing = std::mem::replace(&mut *self.closing(), Closing::None);
        let what = with_denied(failure, DENIED.get().map_or(&[], Vec::as_slice));
        // One that has left had to leave at once; the exit code and stderr say the rest.
        if self.json && !matches!(closing, Closing::Printed) && !HAS_CLOSED.swap(true, Ordering::Relaxed) {
            let error = json!({ "code": failure.code as u8, "message": what });
            let mut object = json!({ "schema": SCHEMA, "ok": false, "error": error });
            let kept = match closing {
                Closing::Kept(_, data) => Some(data),
                Closing::None | Closing::Printed => None,
            };
            if let Some(done) = failure.done.clone().or(kept) {
                object["data"] = done;
            }
            self.json_line(&object.to_string());
        }
        match failure.waits() {
            true => talk(&format!("{}: {}\n", self.coloured("33", "waits"), harmless(&what))),
            false => self.complain(&what),
        }
        ExitCode::from(failure.code as u8)
    }

    fn complain(&self, what: &str) {
        talk(&format!("{}: {}\n", self.coloured("31", "error"), harmless(what)));
    }

    /// Prints data and remembers if it went nowhere.
    fn give(&self, bytes: &[u8]) {
        if let Err(error) = print(bytes) {
            let first = error.raw_os_error().unwrap_or_default();
            let _ = self.lost.compare_exchange(0, first, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Why data went nowhere, if some did.
    fn loss(&self) -> Option<io::Error> {
        Some(self.lost.load(Ordering::Relaxed)).filter(|lost| *lost != 0).map(io::Error::from_raw_os_error)
    }

    fn coloured(&self, colour: &str, text: &str) -> String {
        match self.colour {
            true => format!("\x1b[{colour}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

/// The sentence of a failure, with the calls that the policy denies where one of them may be the reason.
fn with_denied(failure: &Failure, denied: &[String]) -> String {
    let is_of_call = matches!(failure.code, Code::Unexpected | Code::Fence | Code::Log)
        || failure.what.to_lowercase().contains("not permitted");
    match denied {
        [_, ..] if is_of_call => format!(
            "{}; the policy of this machine denies system calls ({}), which may be why: take that [[deny]] out of policy.toml and try \
             again",
            failure.what,
            denied.join(", ")
        ),
        _ => failure.what.clone(),
    }
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
fn print(mut rest: &[u8]) -> io::Result<()> {
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

    #[test]
    fn a_denied_call_is_named_where_it_may_be_the_reason_and_nowhere_else() {
        let said = |code, what: &str, denied: &[String]| with_denied(&Failure::new(code, what), denied);
        let denied = ["mkdir".to_owned(), "link".to_owned()];
        let of_call = "cannot make it: Operation not permitted (os error 1)";
        for code in [Code::Unexpected, Code::Fence, Code::Log, Code::Refused] {
            assert!(said(code, of_call, &denied).contains("denies system calls (mkdir, link)"), "{code:?}");
            assert_eq!(said(code, of_call, &[]), of_call);
        }
        assert_eq!(said(Code::Usage, "a word too many", &denied), "a word too many");
    }
}

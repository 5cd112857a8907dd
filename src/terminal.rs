//! The terminal: passphrases without echo, questions, and what a panic may say.

use crate::door::line::Line;
use crate::exit::{Code, Failure};
use crate::input::{LINE_BYTES_MAX, text};
use crate::signals::{self, Signals, Wish};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use zeroize::Zeroizing;

/// ^C, where it is a character.
const INTERRUPT: u8 = 3;

/// The controlling terminal, opened before the fences.
pub struct Terminal {
    tty: Option<File>,
    /// Once a passphrase was asked for.
    signals: Option<Signals>,
    /// It is at the other end of a connection.
    far: Option<Arc<Line>>,
}

impl Terminal {
    /// Opens the controlling terminal, if there is one.
    pub fn open() -> Self {
        Self { tty: File::options().read(true).write(true).open("/dev/tty").ok(), signals: None, far: None }
    }

    /// At the other end of a connection.
    pub fn far(line: Arc<Line>) -> Self {
        Self { tty: None, signals: None, far: Some(line) }
    }

    /// Whether somebody can be asked.
    pub fn is_there(&self) -> bool {
        self.tty.is_some() || self.far.as_ref().is_some_and(|line| line.has_terminal())
    }

    /// The connection that it is at the other end of, if it is.
    pub fn far_line(&self) -> Option<&Arc<Line>> {
        self.far.as_ref()
    }

    /// Asks for a line without showing what is typed. Whatever ends or stops the program meanwhile, the echo is back first.
    ///
    /// # Errors
    /// [`Code::Locked`] without a terminal or at its end, [`Code::Interrupted`] after ^C or a signal.
    pub fn ask_secret(&mut self, question: &str) -> Result<Zeroizing<String>, Failure> {
        let mut signals = match self.signals.take() {
            Some(signals) => signals,
            None => Signals::new().map_err(no_signals)?,
        };
        let asked = self.tty().and_then(|tty| {
            loop {
                match ask_hidden(tty, &mut signals, question)? {
                    Some(line) => return Ok(line),
                    None => signals::stop().map_err(no_signals)?, // and ask again when it goes on
                }
            }
        });
        self.signals = Some(signals);
        asked
    }

    /// Asks for a visible line.
    ///
    /// # Errors
    /// As [`Terminal::ask_secret`].
    pub fn ask(&mut self, question: &str) -> Result<Zeroizing<String>, Failure> {
        if let Some(line) = &self.far {
            return line.question(question);
        }
        ask_line(self.tty()?, question, None)?.ok_or_else(interrupted)
    }

    /// From here on ^C and SIGTERM set this flag, which a job looks at, and do not end the program.
    ///
    /// # Errors
    /// What the system says.
    pub fn job_flag(&mut self) -> Result<Arc<AtomicBool>, Failure> {
        if let Some(signals) = &mut self.signals {
            signals.leave_job();
        }
        signals::job_flag().map_err(no_signals)
    }

    /// Shows a text on the terminal itself, where no redirection catches it.
    ///
    /// # Errors
    /// As [`Terminal::ask_secret`].
    pub fn show(&mut self, text: &str) -> Result<(), Failure> {
        if let Some(line) = &self.far {
            return line.show(text);
        }
        self.tty()?.write_all(text.as_bytes()).map_err(broken)
    }

    fn tty(&mut self) -> Result<&mut File, Failure> {
        self.tty.as_mut().ok_or_else(|| {
            Failure::new(
                Code::Locked,
                "a passphrase is needed and there is no terminal; use --passphrase-file FILE",
            )
        })
    }
}

/// `None` if the program is to stop for a while.
fn ask_hidden(
    tty: &mut File,
    signals: &mut Signals,
    question: &str,
) -> Result<Option<Zeroizing<String>>, Failure> {
    let before = tcgetattr(&*tty).map_err(broken)?;
    let mut hidden = before.clone();
    // ^C arrives as a character that ends the line.
    hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
    hidden.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
    hidden.local_modes.insert(LocalModes::ECHONL);
    signals.hold();
    let line = tcsetattr(&*tty, OptionalActions::Flush, &hidden)
        .map_err(broken)
        .and_then(|()| ask_line(tty, question, Some(signals)));
    let shown = tcsetattr(&*tty, OptionalActions::Flush, &before).map_err(broken);
    match signals.release() {
        Some(Wish::End) => Err(interrupted()),
        Some(Wish::Stop) => Ok(None),
        None => shown.and(line),
    }
}

/// `None` if a signal came before the end of the line.
fn ask_line(
    tty: &mut File,
    question: &str,
    mut signals: Option<&mut Signals>,
) -> Result<Option<Zeroizing<String>>, Failure> {
    tty.write_all(question.as_bytes()).map_err(broken)?;
    let mut line = Zeroizing::new(Vec::with_capacity(LINE_BYTES_MAX));
    let mut byte = [0];
    while line.len() < LINE_BYTES_MAX {
        if let Some(signals) = &mut signals
            && !signals.wait_for(tty).map_err(broken)?
        {
            tty.write_all(b"\n").map_err(broken)?;
            return Ok(None);
        }
        match tty.read(&mut byte) {
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => return text(line).map(Some),
            Ok(_) if byte[0] == INTERRUPT => {
                tty.write_all(b"\n").map_err(broken)?;
                return Err(interrupted());
            }
            Ok(_) => line.push(byte[0]),
            Err(error) => return Err(broken(error)),
        }
    }
    Err(Failure::new(Code::Locked, "nothing was typed"))
}

fn interrupted() -> Failure {
    Failure::new(Code::Interrupted, "interrupted; nothing was done")
}

fn no_signals(error: std::io::Error) -> Failure {
    Failure::new(Code::Unexpected, format!("signals cannot be handled: {error}"))
}

fn broken(error: impl Into<std::io::Error>) -> Failure {
    Failure::new(Code::Unexpected, format!("the terminal does not answer: {}", error.into()))
}

/// A panic's message could repeat what it choked on. What is printed instead is where it happened.
pub fn hide_panic_messages() {
    std::panic::set_hook(Box::new(|info| {
        let place =
            info.location().map_or_else(String::new, |l| format!(" at {}:{}", file_name(l.file()), l.line()));
        let _ = writeln!(std::io::stderr(), "lightproof: a part of the program failed unexpectedly{place}");
    }));
}

/// The last part of a source path: the rest belongs to the machine that built it.
fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

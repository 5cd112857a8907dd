//! The terminal: passphrases without echo, questions, and what a panic may say.

use crate::exit::{Code, Failure};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use zeroize::Zeroizing;

/// ^C, where it is a character.
const INTERRUPT: u8 = 3;
/// Most bytes of a passphrase file or of a typed line.
const LINE_BYTES_MAX: usize = 4096;

/// The controlling terminal, opened before the fences.
pub struct Terminal(Option<File>);

impl Terminal {
    /// Opens the controlling terminal, if there is one.
    pub fn open() -> Self {
        Self(File::options().read(true).write(true).open("/dev/tty").ok())
    }

    /// Whether somebody can be asked.
    pub fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Asks for a line without showing what is typed.
    ///
    /// # Errors
    /// [`Code::Locked`] without a terminal or at its end.
    pub fn ask_secret(&mut self, question: &str) -> Result<Zeroizing<String>, Failure> {
        let tty = self.tty()?;
        let before = tcgetattr(&*tty).map_err(broken)?;
        let mut hidden = before.clone();
        // ^C arrives as a character that ends the line, so that no signal ends the program while the echo is off.
        hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        hidden.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
        hidden.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(&*tty, OptionalActions::Flush, &hidden).map_err(broken)?;
        let line = ask_line(tty, question);
        tcsetattr(&*tty, OptionalActions::Flush, &before).map_err(broken)?;
        line
    }

    /// Asks for a visible line.
    ///
    /// # Errors
    /// As [`Terminal::ask_secret`].
    pub fn ask(&mut self, question: &str) -> Result<Zeroizing<String>, Failure> {
        ask_line(self.tty()?, question)
    }

    /// Shows a text on the terminal itself, where no redirection catches it.
    ///
    /// # Errors
    /// As [`Terminal::ask_secret`].
    pub fn show(&mut self, text: &str) -> Result<(), Failure> {
        self.tty()?.write_all(text.as_bytes()).map_err(broken)
    }

    fn tty(&mut self) -> Result<&mut File, Failure> {
        self.0.as_mut().ok_or_else(|| {
            Failure::new(
                Code::Locked,
                "a passphrase is needed and there is no terminal; use --passphrase-file FILE",
            )
        })
    }
}

fn ask_line(tty: &mut File, question: &str) -> Result<Zeroizing<String>, Failure> {
    tty.write_all(question.as_bytes()).map_err(broken)?;
    let mut line = Zeroizing::new(Vec::with_capacity(LINE_BYTES_MAX));
    let mut byte = [0];
    while line.len() < LINE_BYTES_MAX {
        match tty.read(&mut byte) {
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => return text(line),
            Ok(_) if byte[0] == INTERRUPT => {
                tty.write_all(b"\n").map_err(broken)?;
                return Err(Failure::new(Code::Interrupted, "interrupted; nothing was done"));
            }
            Ok(_) => line.push(byte[0]),
            Err(error) => return Err(broken(error)),
        }
    }
    Err(Failure::new(Code::Locked, "nothing was typed"))
}

/// The first line of a file that holds a secret, as bytes; nothing is parsed.
///
/// # Errors
/// [`Code::Locked`] if it cannot be read or is too long.
pub fn read_secret_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let failed = |what: String| Failure::new(Code::Locked, format!("{}: {what}", path.display()));
    let opened = crate::paths::open_regular(path, rustix::fs::OFlags::empty());
    let file = opened.map_err(|e| failed(format!("cannot be read: {e}")))?;
    let mut content = Zeroizing::new(Vec::with_capacity(LINE_BYTES_MAX + 1));
    file.take(LINE_BYTES_MAX as u64 + 1).read_to_end(&mut content).map_err(|e| failed(e.to_string()))?;
    let end = content.iter().position(|b| *b == b'\n').unwrap_or(content.len());
    content.truncate(end);
    match content.len() {
        0 => Err(failed("the first line is empty; it must hold the passphrase".into())),
        n if n > LINE_BYTES_MAX => {
            Err(failed(format!("the first line is longer than {LINE_BYTES_MAX} bytes")))
        }
        _ => text(content),
    }
}

/// Moves the bytes, so that no second copy is left behind.
fn text(mut line: Zeroizing<Vec<u8>>) -> Result<Zeroizing<String>, Failure> {
    match String::from_utf8(std::mem::take(&mut *line)) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(Failure::new(Code::Locked, "a passphrase must be UTF-8"))
        }
    }
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

//! What a person hands over in a file or a pipe, without the marks that an editor leaves at its ends.

use crate::boot::folders::Home;
use crate::exit::{Code, Failure};
use crate::paths::{handed_over, open_file_or_pipe, with_remedy};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use sandbox::Clean;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use vault::MACHINE_BYTES_MAX;
use zeroize::Zeroizing;

/// The mark that some editors put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// Most bytes of a passphrase file's first line.
pub const LINE_BYTES_MAX: usize = 4096;
/// How long the first line of a pipe is waited for: whatever writes it may have to ask somebody first.
const PIPE_WAIT: Duration = Duration::from_secs(60);

/// A machine secret from a file or a pipe.
#[derive(Clone)]
pub struct SecretBytes {
    /// The file, as the person named it.
    pub path: PathBuf,
    /// As that of a [`SecretLine`].
    pub others_may_read: bool,
    /// All of it, at most a byte more than may be.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// A passphrase from a file or a pipe.
pub struct SecretLine {
    /// The file, as the person named it.
    pub path: PathBuf,
    /// Another account than root and the one that runs this program may read the file.
    pub others_may_read: bool,
    /// The line as a person would type it.
    pub text: Zeroizing<String>,
    /// The line with its byte order mark, if it has one: earlier versions made vaults from it.
    pub marked: Option<Zeroizing<String>>,
}

/// Takes away a byte order mark at the start and one end of line (LF or CRLF) at the end: nobody means them.
pub fn tidy(bytes: &mut Vec<u8>) {
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
}

/// Standard input, without the buffer of the standard library, which would keep to the end what a person handed over.
///
/// # Errors
/// What the system says.
pub fn stdin() -> io::Result<File> {
    io::stdin().as_fd().try_clone_to_owned().map(File::from)
}

/// The first line of a file or pipe that holds a secret; nothing is parsed, and nothing behind the line is read: what follows
/// in a pipe is for the next reader.
///
/// # Errors
/// [`Code::Locked`] if it cannot be read, is neither, is too long, or if nothing comes; as [`Home::refuse_as_secret`].
pub fn read_secret_file(path: &Path, home: &Home, clean: &mut Clean) -> Result<SecretLine, Failure> {
    home.refuse_as_secret(path)?;
    let failed = |what: String| Failure::new(Code::Locked, format!("{}: {what}", path.display()));
    let unread = |error: io::Error| failed(format!("the passphrase cannot be read: {}", with_remedy(&error)));
    let file = open_file_or_pipe(path, clean).map_err(unread)?;
    let found = file.metadata().map_err(unread)?;
    let others_may_read = others_may_read(path, &found);
    let mut content = content(&file, LINE_BYTES_MAX, Some(b'\n'), PIPE_WAIT).map_err(unread)?;
    if content.len() > LINE_BYTES_MAX {
        return Err(failed(format!("the first line is longer than {LINE_BYTES_MAX} bytes")));
    }
    let marked = content.starts_with(BYTE_ORDER_MARK).then(|| content.clone());
    tidy(&mut content);
    if content.is_empty() {
        return Err(failed("the first line is empty; it must hold the passphrase".into()));
    }
    let text = |line| text(line).map_err(|failure| failed(failure.what));
    Ok(SecretLine {
        path: path.into(),
        others_may_read,
        text: text(content)?,
        marked: marked.map(text).transpose()?,
    })
}

/// All of a file or pipe that holds a machine secret, as it is.
///
/// # Errors
/// [`Code::Locked`] if it cannot be read, is neither, or if its end does not come; as [`Home::refuse_as_secret`].
pub fn read_secret_bytes(path: &Path, home: &Home, clean: &mut Clean) -> Result<SecretBytes, Failure> {
    home.refuse_as_secret(path)?;
    let unread = |error: io::Error| {
        let why = with_remedy(&error);
        Failure::new(Code::Locked, format!("{}: the machine secret cannot be read: {why}", path.display()))
    };
    let file = open_file_or_pipe(path, clean).map_err(unread)?;
    let others_may_read = others_may_read(path, &file.metadata().map_err(unread)?);
    let bytes = content(&file, MACHINE_BYTES_MAX, None, PIPE_WAIT).map_err(unread)?;
    Ok(SecretBytes { path: path.into(), others_may_read, bytes })
}

/// What comes up to this byte, which is the last one, or to the end, and at most a byte more than may be. What of it comes, comes
/// within `wait`.
fn content(
    file: &File,
    bytes_max: usize,
    last: Option<u8>,
    wait: Duration,
) -> io::Result<Zeroizing<Vec<u8>>> {
    let until = Instant::now() + wait;
    let mut line = Zeroizing::new(Vec::with_capacity(bytes_max + 1));
    let mut byte = Zeroizing::new([0]);
    while line.len() <= bytes_max && (last.is_none() || line.last() != last.as_ref()) {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&left)) {
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
            Ok(0) => {
                let whole = if last.is_some() { "no line" } else { "no end" };
                let what = format!("{whole} came within {} seconds", wait.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, what));
            }
            Ok(_) => {}
        }
        match rustix::io::read(file, &mut *byte) {
            Ok(0) => break,
            Ok(_) => line.push(byte[0]),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(line)
}

/// By its mode, or because it is theirs. Nobody else reaches a service manager's folder of credentials, whatever the mode of
/// the files in it.
fn others_may_read(path: &Path, found: &Metadata) -> bool {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty());
    if credentials.is_some_and(|folder| path.starts_with(folder)) {
        return false;
    }
    let ours = [0, rustix::process::geteuid().as_raw()].contains(&found.uid());
    !ours || found.mode() & 0o077 != 0
}

/// Moves the bytes, so that no second copy is left behind.
///
/// # Errors
/// [`Code::Locked`] if they are no UTF-8.
pub fn text(mut line: Zeroizing<Vec<u8>>) -> Result<Zeroizing<String>, Failure> {
    match String::from_utf8(std::mem::take(&mut *line)) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(Failure::new(Code::Locked, "a passphrase must be UTF-8"))
        }
    }
}

/// The content of a checkpoint that was kept elsewhere, in a file, or in a pipe that this process was started with; `-` is standard
/// input.
///
/// # Errors
/// It cannot be read.
pub fn read_checkpoint(path: &Path, clean: &mut Clean) -> Result<Vec<u8>, Failure> {
    let bytes_max = usize::try_from(audit::CHECKPOINT_BYTES_MAX).unwrap_or(usize::MAX);
    let of_pipe = |file| match content(&file, bytes_max, None, PIPE_WAIT) {
        Ok(bytes) if bytes.len() > bytes_max => Err(io::ErrorKind::FileTooLarge.into()),
        bytes => bytes.map(|bytes| audit::checkpoint_lines(bytes.to_vec())),
    };
    let handed_over = match path.as_os_str() == "-" {
        true => Some(stdin()),
        false => handed_over(path, clean),
    };
    let read = match handed_over {
        Some(file) => file.and_then(of_pipe),
        None => audit::read_checkpoint(path),
    };
    read.map_err(|e| {
        let what = format!(
            "cannot read the expected checkpoint {}: {e}; name the file that was kept",
            path.display()
        );
        // What is so long is no checkpoint: a picture of its code, say.
        let code = if e.kind() == io::ErrorKind::FileTooLarge { Code::Usage } else { Code::NotFound };
        Failure::new(code, what)
    })
}

/// The checkpoint in what [`read_checkpoint`] has read, behind the fences: it may be anybody's text.
///
/// # Errors
/// There is none in it.
pub fn checkpoint_of(bytes: &[u8]) -> Result<Vec<u8>, Failure> {
    audit::given_back(bytes).ok_or_else(|| {
        let what = "what --expect names holds no text of a checkpoint; name the file that `lightproof audit checkpoint -o FILE` made, or \
                    the text that a QR code of one holds, in a file (the picture itself is none)";
        Failure::new(Code::Usage, what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::fd::OwnedFd;

    #[test]
    fn a_pipe_is_read_to_the_end_of_its_first_line_and_waited_for_no_longer_than_meant() {
        let (reader, mut writer) = io::pipe().unwrap();
        let file = File::from(OwnedFd::from(reader));
        let first_line = |file, wait| content(file, LINE_BYTES_MAX, Some(b'\n'), wait);
        writer.write_all(b"seven grey herons\nand more").unwrap();
        assert_eq!(*first_line(&file, PIPE_WAIT).unwrap(), b"seven grey herons\n");
        // Half a line, and nothing more of it.
        let error = first_line(&file, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        writer.write_all(&[b'x'; LINE_BYTES_MAX + 9]).unwrap();
        assert_eq!(first_line(&file, PIPE_WAIT).unwrap().len(), LINE_BYTES_MAX + 1);
        drop(writer);
        assert_eq!(first_line(&file, PIPE_WAIT).unwrap().len(), 8);
        assert_eq!(first_line(&file, PIPE_WAIT).unwrap().len(), 0);
    }

    #[test]
    fn a_machine_secret_is_all_of_a_pipe_and_not_more_than_may_be() {
        let (reader, mut writer) = io::pipe().unwrap();
        let file = File::from(OwnedFd::from(reader));
        writer.write_all(b"one\r\ntwo\n").unwrap();
        let error = content(&file, 9, None, Duration::ZERO).unwrap_err();
        assert!(error.to_string().starts_with("no end came"), "{error}");
        writer.write_all(b"one\r\ntwo\n and more").unwrap();
        drop(writer);
        assert_eq!(
            *content(&file, 8, None, PIPE_WAIT).unwrap(),
            b"one\r\ntwo\n",
            "a byte more tells that it is too long"
        );
        assert_eq!(*content(&file, 64, None, PIPE_WAIT).unwrap(), b" and more");
    }

    #[test]
    fn only_the_marks_at_the_ends_go() {
        for (written, meant) in [
            ("\u{feff}a\r\nb\r\n", "a\r\nb"),
            ("a\n\n", "a\n"),
            ("\u{feff}\u{feff}a", "\u{feff}a"),
            ("a\r", "a\r"),
            ("\u{feff}\r\n", ""),
            ("\n", ""),
            ("", ""),
        ] {
            let mut bytes = written.as_bytes().to_vec();
            tidy(&mut bytes);
            assert_eq!(bytes, meant.as_bytes(), "{written:?}");
        }
    }
}

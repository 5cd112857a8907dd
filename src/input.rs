//! What a person hands over in a file or a pipe, without the marks that an editor leaves at its ends.

use crate::exit::{Code, Failure};
use std::fs::Metadata;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The mark that some editors put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// Most bytes of a passphrase file's first line.
pub const LINE_BYTES_MAX: usize = 4096;

/// A passphrase from a file.
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

/// The first line of a file that holds a secret; nothing is parsed.
///
/// # Errors
/// [`Code::Locked`] if it cannot be read, is no regular file, or is too long.
pub fn read_secret_file(path: &Path) -> Result<SecretLine, Failure> {
    let failed = |what: String| Failure::new(Code::Locked, format!("{}: {what}", path.display()));
    let opened = crate::paths::open_regular(path, rustix::fs::OFlags::empty());
    let file = opened.map_err(|e| failed(format!("the passphrase cannot be read: {e}")))?;
    let mut content = Zeroizing::new(Vec::with_capacity(LINE_BYTES_MAX + 1));
    let others_may_read = file.metadata().is_ok_and(|found| others_may_read(path, &found));
    file.take(LINE_BYTES_MAX as u64 + 1).read_to_end(&mut content).map_err(|e| failed(e.to_string()))?;
    let end = content.iter().position(|b| *b == b'\n').map_or(content.len(), |at| at + 1);
    content.truncate(end);
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

#[cfg(test)]
mod tests {
    use super::tidy;

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

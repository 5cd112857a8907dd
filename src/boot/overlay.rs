//! The policy file.

use crate::exit::{Code, Failure};
use crate::paths::open_regular;
use crate::processes::POLICY_VARIABLE;
use rustix::fs::OFlags;
use sandbox::Clean;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

/// The overlay's text; `None` if there is none. An engine has it from its keeper: what is changed in the file meanwhile counts
/// at the next start of the program.
///
/// # Errors
/// It cannot be read, or is too long.
pub fn of(clean: &Clean, path: &Path) -> Result<Option<String>, Failure> {
    match clean.is_kept() {
        true => Ok(std::env::var(POLICY_VARIABLE).ok()),
        false => read(path),
    }
}

/// As [`of`], from the file.
///
/// # Errors
/// As there.
pub fn read(path: &Path) -> Result<Option<String>, Failure> {
    let failed = |why: String| Failure::new(Code::Usage, format!("{}: {why}", path.display()));
    // A link could lead to a file that a grant makes writable.
    let file = match open_regular(path, OFlags::NOFOLLOW) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|e| failed(format!("the policy cannot be read: {e}")))?,
    };
    let mut text = String::new();
    file.take(policy::OVERLAY_BYTES_MAX as u64 + 1)
        .read_to_string(&mut text)
        .map_err(|e| failed(format!("the policy cannot be read: {e}")))?;
    match text.len() > policy::OVERLAY_BYTES_MAX {
        true => Err(failed(format!("the policy is longer than {} bytes", policy::OVERLAY_BYTES_MAX))),
        false => Ok(Some(text)),
    }
}

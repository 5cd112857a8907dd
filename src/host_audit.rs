//! The rules of the host's own audit, as auditd loads them at its start.

use crate::paths::open_regular;
use rustix::fs::OFlags;
use std::io::{Error, ErrorKind, Read as _};
use std::path::Path;

/// Where they lie.
pub const RULES: &str = "/etc/audit/audit.rules";
/// Name of the credential of a service manager that holds them: only root may read the file.
const CREDENTIAL: &str = "audit.rules";
/// What the credential holds where a service manager had no such file to hand over.
const ABSENT: &str = "absent";
/// Most bytes of them.
const BYTES_MAX: u64 = 1 << 20;

/// The rules, as a service manager has handed them over at the start, or as they are; `None` if the host has none.
///
/// # Errors
/// They cannot be read.
pub fn rules() -> Result<Option<String>, Error> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty());
    let handed = folder.map(|folder| text(&Path::new(&folder).join(CREDENTIAL))).transpose()?.flatten();
    match handed.filter(|handed| handed.trim() != ABSENT) {
        None => text(Path::new(RULES)),
        handed => Ok(handed),
    }
}

fn text(path: &Path) -> Result<Option<String>, Error> {
    let file = match open_regular(path, OFlags::empty()) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The folder whose changes a line watches.
pub fn watched(line: &str) -> Option<&str> {
    let words: Vec<&str> = line.split('#').next()?.split_whitespace().collect();
    let after = |flag: &str| {
        words.iter().zip(words.iter().skip(1)).find(|(word, _)| **word == flag).map(|(_, value)| *value)
    };
    let field = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let (path, rights) = match after("-w") {
        // Without `-p` everything is watched.
        Some(path) => (path, after("-p").unwrap_or("rwxa")),
        None => (field("dir").or_else(|| field("path"))?, field("perm").unwrap_or("rwxa")),
    };
    rights.contains('w').then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_rule_about_changes_counts() {
        assert_eq!(watched("-w /a/ -p wa -k x"), Some("/a/"));
        assert_eq!(watched("-w /a"), Some("/a"));
        assert_eq!(watched("-w /a -p r"), None);
        assert_eq!(watched("-a always,exit -F arch=b64 -F dir=/a -F perm=wa"), Some("/a"));
        assert_eq!(watched("# -w /a -p wa"), None);
        assert_eq!(watched("-a always,exit -F arch=b64 -S connect"), None);
    }
}

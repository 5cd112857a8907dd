//! The files that this program was loaded from.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::Error;

/// The program's own file, its loader and its libraries, as real paths: what a process needs to start it again.
///
/// # Errors
/// The kernel does not say.
pub fn program_files() -> Result<Vec<PathBuf>, Error> {
    const MAPS: &str = "/proc/self/maps";
    let maps = fs::read_to_string(MAPS).map_err(|source| Error::Read { what: MAPS, source })?;
    let files: BTreeSet<PathBuf> = maps.lines().filter_map(code_of).collect();
    Ok(files.into_iter().collect())
}

/// The file of a line of the map, if code was loaded from it: `START-END PERMISSIONS OFFSET DEVICE INODE PATH`.
fn code_of(line: &str) -> Option<PathBuf> {
    let mut fields = line.splitn(6, ' ');
    let executable = fields.nth(1)?.contains('x');
    let path = fields.nth(3)?.trim_start();
    (executable && path.starts_with('/')).then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_this_program_and_what_it_was_loaded_from() {
        let files = program_files().unwrap();
        assert!(files.contains(&std::env::current_exe().unwrap()), "{files:?}");
        assert!(files.iter().any(|file| file.to_string_lossy().contains("libc")), "{files:?}");
        assert!(files.iter().all(|file| file.is_file()), "{files:?}");
    }

    #[test]
    fn only_code_counts() {
        let code = "7f0 r-xp 00026000 fe:00 1234                       /usr/lib/a file.so";
        assert_eq!(code_of(code), Some("/usr/lib/a file.so".into()));
        assert_eq!(code_of(&code.replace("r-xp", "r--p")), None);
        assert_eq!(code_of("7ff r-xp 00000000 00:00 0                          [vdso]"), None);
        assert_eq!(code_of("7f0 rw-p 00000000 00:00 0 "), None);
    }
}

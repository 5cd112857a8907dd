//! Whether two paths lead to the same file or folder: a hard link and a second mount have names of their own.

use std::fs::Metadata;
use std::os::unix::fs::{DirEntryExt as _, MetadataExt as _};
use std::path::Path;

/// Folders below one of the program's own that are looked into: none of them is deeper.
const DEPTH_MAX: usize = 4;

/// Whether this path, whose links are resolved, lies in that folder or is it, under whatever name.
pub fn lies_in(path: &Path, folder: &Path) -> bool {
    let is_it = |own: Metadata| path.ancestors().any(|at| at.metadata().is_ok_and(|at| is_same(&at, &own)));
    path.starts_with(folder) || folder.metadata().is_ok_and(is_it)
}

/// Whether this file is that one, under whatever name.
pub fn is_at(file: &Metadata, path: &Path) -> bool {
    path.metadata().is_ok_and(|own| is_same(file, &own))
}

/// Whether this file lies in that folder or below it, under whatever name. Links there are not followed.
pub fn is_below(file: &Metadata, folder: &Path) -> bool {
    let mut folders = vec![(folder.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for entry in folder.read_dir().into_iter().flatten().flatten() {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && depth < DEPTH_MAX {
                folders.push((entry.path(), depth + 1));
            }
            // A listing has the numbers already: of many thousand files only the one that fits is asked for more.
            if entry.ino() == file.ino() && entry.metadata().is_ok_and(|own| is_same(file, &own)) {
                return true;
            }
        }
    }
    false
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_and_a_folder_are_known_by_what_they_are_and_not_by_their_names() {
        let base = std::env::temp_dir().join(format!("lightproof-same-{}", std::process::id()));
        let own = base.join("own");
        fs::create_dir_all(own.join("a/b")).expect("made");
        for name in ["own/a/b/file", "file", "beside"] {
            fs::write(base.join(name), name).expect("written");
        }
        fs::hard_link(own.join("a/b/file"), base.join("link")).expect("linked");
        std::os::unix::fs::symlink(base.join("beside"), own.join("leads-out")).expect("linked");
        let found = |name: &str| base.join(name).metadata().expect("it is there");
        assert!(is_below(&found("link"), &own) && is_at(&found("link"), &own.join("a/b/file")));
        for name in ["file", "beside"] {
            assert!(!is_below(&found(name), &own), "{name}");
        }
        assert!(!is_at(&found("file"), &own.join("a/b/file")) && !is_at(&found("file"), &own.join("none")));
        // Nothing but the name tells of a folder that is not there.
        assert!(lies_in(&base.join("none/file"), &base.join("none")));
        assert!(lies_in(&own.join("a/file"), &own) && lies_in(&own, &own) && !lies_in(&base, &own));
        fs::remove_dir_all(&base).expect("removed");
    }
}

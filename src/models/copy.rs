//! Copying a model: each file is read once, and what is hashed is what is written.

use super::manifest::{self, Line};
use super::md5::Md5;
use super::source::{Wanted, unread};
use super::store::{Store, unwritten};
use crate::exit::{Code, Failure};
use crate::paths::{make_new, open_folder, open_regular};
use diffusion::{ModelDigest, ModelFolder, Pipeline};
use rustix::fs::{OFlags, statvfs};
use sha2::{Digest as _, Sha256};
use std::fs::{self, Metadata};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Bytes that are copied at a time.
const PIECE_BYTES: usize = 1 << 20;
/// Room that is left beside a model, for the list, folders and whoever else writes, in bytes.
const SPARE_BYTES: u64 = 16 << 20;

/// A model that was copied and is durable, under the name of its part.
pub struct Copied {
    /// Digest of the list of its files, in hexadecimal digits.
    pub manifest: String,
    /// Its digest, as a start names it.
    pub model: [u8; 32],
    /// It is what was released.
    pub official: bool,
}

/// Whether there is room for so many files with so many bytes.
///
/// # Errors
/// There is not.
pub fn refuse_full(dir: &Path, files: usize, bytes: u64) -> Result<(), Failure> {
    let Ok(found) = statvfs(dir) else { return Ok(()) };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    if free < bytes.saturating_add(SPARE_BYTES) {
        let what = format!(
            "the model takes {} MiB, and {} has {} MiB left; free some space, or keep everything elsewhere with --home",
            mib(bytes.saturating_add(SPARE_BYTES)),
            dir.display(),
            free >> 20
        );
        return Err(Failure::new(Code::Space, what));
    }
    // 0 of 0 is a file system that does not count them.
    if found.f_files > 0 && found.f_favail < files as u64 + 8 {
        let what = format!(
            "{} has no room for {files} more files (inodes); remove some, and try again",
            dir.display()
        );
        return Err(Failure::new(Code::Space, what));
    }
    Ok(())
}

/// Copies the files of a model, durably; where that fails, nothing of it is left.
///
/// # Errors
/// What could not be read or written, or has changed meanwhile.
pub fn copy(
    store: &Store,
    name: &str,
    files: &[Wanted],
    tell: &mut dyn FnMut(u64) -> io::Result<()>,
) -> Result<Copied, Failure> {
    let part = store.part(name);
    let copied = copy_into(&part, files, tell);
    if copied.is_err() {
        // What cannot be removed now, the next import removes.
        let _ = fs::remove_dir_all(&part);
    }
    copied
}

fn copy_into(
    part: &Path,
    files: &[Wanted],
    tell: &mut dyn FnMut(u64) -> io::Result<()>,
) -> Result<Copied, Failure> {
    fs::create_dir(part).map_err(|e| unwritten(part, &e))?;
    let (mut model, mut lines, mut sums, mut done) = (ModelDigest::default(), Vec::new(), Vec::new(), 0);
    let mut folders = vec![part.to_path_buf()];
    for file in files {
        let to = part.join(&file.name);
        if let Some(folder) = to.parent().filter(|folder| !folder.exists()) {
            fs::create_dir(folder).map_err(|e| unwritten(folder, &e))?;
            folders.push(folder.to_path_buf());
        }
        let (sha256, md5) = copy_file(file, &to, &mut model, &mut done, tell)?;
        sums.push((file.name.as_str(), md5));
        lines.push(Line { sha256, name: file.name.clone() });
    }
    let list = manifest::text(&lines);
    let path = part.join(manifest::FILE);
    let write = || -> io::Result<()> {
        let mut file = make_new(&path)?;
        file.write_all(list.as_bytes())?;
        file.sync_all()?;
        folders.iter().rev().try_for_each(|folder| open_folder(folder)?.sync_all())
    };
    write().map_err(|e| unwritten(&path, &e))?;
    // What was judged is what was copied.
    Pipeline::files(&ModelFolder::open(part)?)?;
    let official = manifest::is_released(sums.into_iter());
    Ok(Copied { manifest: manifest::digest(&list), model: model.finish(), official })
}

fn copy_file(
    file: &Wanted,
    to: &Path,
    model: &mut ModelDigest,
    done: &mut u64,
    tell: &mut dyn FnMut(u64) -> io::Result<()>,
) -> Result<(String, [u8; 16]), Failure> {
    let failed = |e: &io::Error| unread(&file.path, e);
    let mut from = open_regular(&file.path, OFlags::NOFOLLOW).map_err(|e| failed(&e))?;
    let before = from.metadata().map_err(|e| failed(&e))?;
    let mut copy = make_new(to).map_err(|e| unwritten(to, &e))?;
    if file.made_of {
        model.file(&file.name, file.bytes);
    }
    let (mut sha256, mut md5, mut bytes) = (Sha256::new(), Md5::new(), 0);
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = from.read(&mut piece).map_err(|e| failed(&e))?;
        let piece = &piece[..count];
        bytes += count as u64;
        if count == 0 || bytes > file.bytes {
            break;
        }
        copy.write_all(piece).map_err(|e| unwritten(to, &e))?;
        sha256.update(piece);
        md5.update(piece);
        if file.made_of {
            model.content(piece);
        }
        *done += count as u64;
        // Whoever asked has ended: nobody would put it on record.
        tell(*done).map_err(|e| {
            Failure::new(Code::Unexpected, format!("nobody waits for the model any more: {e}"))
        })?;
    }
    let after = from.metadata().map_err(|e| failed(&e))?;
    let stamp = |found: &Metadata| (found.len(), found.mtime(), found.mtime_nsec());
    if bytes != file.bytes || stamp(&before) != stamp(&after) {
        let what = format!(
            "{} has changed while it was copied, and nothing was imported; stop whatever writes to it, and import again",
            file.path.display()
        );
        return Err(Failure::new(Code::Integrity, what));
    }
    copy.sync_all().map_err(|e| unwritten(to, &e))?;
    Ok((manifest::hex(&sha256.finalize()), md5.finish()))
}

//! Space set aside, so that endings and erasures can be recorded on a full disk.

use crate::durable::{Disk, is_full};
use crate::error::{Error, io_error};
use crate::paths::Paths;
use std::io;

/// Bytes that the log sets aside: room for about 500 records with their checkpoints.
pub const RESERVE_BYTES: u64 = 512 << 10;

/// Makes the reserve whole. Random bytes, because a file system may store zeros without taking space for them.
pub(crate) fn fill(disk: &Disk, paths: &Paths) -> io::Result<()> {
    let path = paths.reserve();
    if path.symlink_metadata().is_ok_and(|m| m.is_file() && m.len() == RESERVE_BYTES) {
        return Ok(());
    }
    let mut bytes = vec![0; RESERVE_BYTES as usize];
    getrandom::fill(&mut bytes).map_err(io::Error::from)?;
    disk.replace(&path, &bytes)
}

/// Gives the space back to the disk. Somebody may have done so by hand.
pub(crate) fn spend(disk: &Disk, paths: &Paths) -> io::Result<()> {
    match disk.remove(&paths.reserve()) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Does something that writes; when the disk is full, once more with the reserve given back.
pub(crate) fn or_spend<T>(
    disk: &Disk,
    paths: &Paths,
    mut act: impl FnMut() -> Result<T, Error>,
) -> Result<T, Error> {
    match act() {
        Err(Error::Io { source, .. }) if is_full(&source) && paths.reserve().exists() => {
            spend(disk, paths).map_err(io_error("remove", &paths.reserve()))?;
            act()
        }
        other => other,
    }
}

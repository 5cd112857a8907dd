//! The only unsafe code of this crate: mapping a model file into memory.

#![allow(unsafe_code)]

use bytes::Bytes;
use std::fs::File;

/// Maps `file` read-only.
///
/// The file is trusted not to shrink while it is mapped: a process that truncates it can stop this one with
/// SIGBUS, and can do no more. Its content is not trusted; every parser of it checks.
///
/// # Errors
/// What the system says.
pub fn map(file: &File) -> std::io::Result<Bytes> {
    if file.metadata()?.len() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: the mapping is private and read-only, and nothing here writes to model files. Another process
    // that changes the bytes can only change numbers that are already treated as untrusted.
    let mapping = unsafe { memmap2::Mmap::map(file)? };
    Ok(Bytes::from_owner(mapping))
}

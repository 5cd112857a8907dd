//! Limits of this process, looked at before anything is opened.

use crate::exit::{Code, Failure};
use rustix::process::{Resource, getrlimit};

/// Descriptors that a process may need at once, as many as the policy leaves it at least: some 20 for a verb, and one for each
/// connection of the server.
const DESCRIPTORS_MIN: u64 = 64;
/// Addresses that a verb needs that opens no vault: the program itself, its threads and what they read.
const ADDRESSES_BYTES_MIN: u64 = 96 << 20;

/// Stack that the first thread needs at least: the arguments of all verbs are built on it.
const STACK_BYTES_MIN: u64 = 512 << 10;

/// Before anything is opened: later, too few descriptors would look like a fault of whatever could not be opened, and where memory
/// cannot even be asked for there is nobody left to say so.
///
/// # Errors
/// This process may open too few files at once, or have too little memory or stack.
pub fn check() -> Result<(), Failure> {
    let (files, addresses) = (getrlimit(Resource::Nofile).current, getrlimit(Resource::As).current);
    if let Some(limit) = files.filter(|limit| *limit < DESCRIPTORS_MIN) {
        let what = format!(
            "this process may open no more than {limit} files at once, and {DESCRIPTORS_MIN} are needed; raise that \
             limit (ulimit -n, or LimitNOFILE= of a service)"
        );
        return Err(Failure::new(Code::Space, what));
    }
    if let Some(limit) = addresses.filter(|limit| *limit < ADDRESSES_BYTES_MIN) {
        let what = format!(
            "this process may have no more than {} MiB of memory, and {} are needed to begin with; raise that limit \
             (ulimit -v, or LimitAS= of a service)",
            limit >> 20,
            ADDRESSES_BYTES_MIN >> 20
        );
        return Err(Failure::new(Code::Space, what));
    }
    if let Some(limit) = getrlimit(Resource::Stack).current.filter(|limit| *limit < STACK_BYTES_MIN) {
        let what = format!(
            "this process may have no more than {} KiB of stack, and {} are needed; raise that limit (ulimit -s, or LimitSTACK= of a \
             service)",
            limit >> 10,
            STACK_BYTES_MIN >> 10
        );
        return Err(Failure::new(Code::Space, what));
    }
    Ok(())
}

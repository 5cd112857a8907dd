//! One process at a time: `flock` on the file `lock` of the state folder.
//!
//! The lock dies with its process; what a dead process wrote into the file means nothing. While it is held, the file
//! says who holds it: `pid N`, and once the holder has an address the lines `address URL` and `policy DIGEST`.

use std::fs::{File, TryLockError};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;
use std::{fmt, io, process, thread};

use crate::Error;
use crate::disk::{Folder, is_full};

/// Who has the vault open.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Its process id; 0 when it has not said so yet.
    pub pid: u32,
    /// Where it can be reached, if it said so.
    pub address: Option<String>,
    /// SHA-256 of the policy's file that it was started with, in hexadecimal, if it said so.
    pub policy: Option<String>,
}

/// What a process that stays tells of itself to others.
#[derive(Debug, Clone)]
pub struct Announced {
    /// Where it can be reached: one line of at most 200 bytes.
    pub address: String,
    /// SHA-256 of the text of the policy's file that it was started with, in hexadecimal; of nothing if there was none.
    pub policy: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pid, &self.address) {
            (0, _) => f.write_str("another process"),
            (pid, None) => write!(f, "process {pid}"),
            (pid, Some(address)) => write!(f, "process {pid} at {address}"),
        }
    }
}

/// The held lock. Dropping it lets others in.
pub(crate) struct Lock {
    file: File,
}

const NAME: &str = "lock";
const TEXT_BYTES_MAX: usize = 512;

impl Lock {
    /// Takes the lock, or says who has it. Asks for a second: a process that only looks holds it shortly, and one that was killed
    /// until the kernel has taken back its memory.
    pub(crate) fn take(state: &Folder) -> Result<Self, Error> {
        let file = state.file_or_new(NAME).map_err(Error::io("opening the vault's lock"))?;
        for _ in 0..100 {
            match file.try_lock() {
                Ok(()) => {
                    let lock = Self { file };
                    lock.write(None)?;
                    return Ok(lock);
                }
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(10)),
                Err(TryLockError::Error(error)) => return Err(Error::io("locking the vault")(error)),
            }
        }
        Err(Error::Busy(read(&file)))
    }

    /// Tells other processes where this one can be reached, and under which policy it runs.
    pub(crate) fn announce(&self, announced: &Announced) -> Result<(), Error> {
        let Announced { address, policy } = announced;
        if address.len() > 200 || address.contains('\n') {
            return Err(Error::Limit("an address is one line of at most 200 bytes"));
        }
        if policy.len() > 64 || policy.contains('\n') {
            return Err(Error::Limit("the digest of a policy is one line of at most 64 bytes"));
        }
        self.write(Some(announced))
    }

    fn write(&self, announced: Option<&Announced>) -> Result<(), Error> {
        let lines = |Announced { address, policy }: &Announced| {
            // The policy behind the address: a program that knows no such line reads what it knows.
            format!("address {address}\npolicy {policy}\n")
        };
        let text = format!("pid {}\n{}", process::id(), announced.map(lines).unwrap_or_default());
        let write = || {
            self.file.set_len(0)?;
            self.file.write_all_at(text.as_bytes(), 0)
        };
        // A full disk must not keep anybody from erasing: the lock holds without its text.
        match write() {
            Err(error) if !is_full(&error) => Err(Error::io("writing the lock")(error)),
            _ => Ok(()),
        }
    }
}

/// Who holds the lock of this state folder now, if anybody.
pub(crate) fn holder(state: &Path) -> Result<Option<Holder>, Error> {
    match Folder::open(state).and_then(|state| state.file(NAME, false)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("opening the vault's lock")(error)),
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(read(&file))),
            Err(TryLockError::Error(error)) => Err(Error::io("looking at the vault's lock")(error)),
        },
    }
}

fn read(file: &File) -> Holder {
    let mut bytes = [0; TEXT_BYTES_MAX];
    let count = file.read_at(&mut bytes, 0).unwrap_or(0);
    let text = String::from_utf8_lossy(&bytes[..count]);
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let clean = |text: &str| text.chars().filter(|c| !c.is_control()).collect();
    Holder {
        pid: field("pid").and_then(|pid| pid.parse().ok()).unwrap_or(0),
        address: field("address").map(clean),
        policy: field("policy").map(clean),
    }
}

//! What the kernel says about this process and its threads.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::Error;

/// Landlock and seccomp reach the calling thread and those it makes later, so there must be no other.
pub(crate) fn refuse_threads() -> Result<(), Error> {
    let count = fs::read_dir("/proc/self/task")
        .map_err(|source| Error::Read { what: "/proc/self/task", source })?
        .count();
    if count == 1 { Ok(()) } else { Err(Error::Threads { count }) }
}

/// One `status` file of procfs.
pub(crate) struct Status(BTreeMap<String, String>);

impl Status {
    /// Of the calling thread.
    pub fn of_this_thread() -> Result<Self, Error> {
        Self::read(Path::new("/proc/thread-self/status"))
    }

    /// Of every thread of the process.
    pub fn of_all_threads() -> Result<Vec<Self>, Error> {
        let broken = |source| Error::Read { what: "/proc/self/task", source };
        let mut all = Vec::new();
        for entry in fs::read_dir("/proc/self/task").map_err(broken)? {
            let path = entry.map_err(broken)?.path();
            match Self::read(&path.join("status")) {
                Ok(status) => all.push(status),
                Err(_) if !path.exists() => {} // the thread ended in between
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path)
            .map_err(|source| Error::Read { what: "the status of a thread", source })?;
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        Ok(Self(fields.map(|(key, value)| (key.to_owned(), value.trim().to_owned())).collect()))
    }

    /// The value of a field, empty if there is none.
    pub fn get(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    /// Is the capability set `CapInh`, `CapPrm`, `CapEff`, `CapBnd` or `CapAmb` empty?
    pub fn is_empty_set(&self, key: &str) -> bool {
        u64::from_str_radix(self.get(key), 16) == Ok(0)
    }
}

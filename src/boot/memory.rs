//! How much memory is left. Asked behind the fences, through files that were opened before them.

use rustix::process::{Resource, getrlimit};
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// Bytes of a page, as `/proc/self/statm` counts.
const PAGE_BYTES: u64 = 4096;

/// What the machine, the control group and the limits of this process leave.
pub struct Memory {
    /// `/proc/meminfo`.
    machine: Option<File>,
    /// `/proc/self/statm`.
    process: Option<File>,
    /// `memory.max` and `memory.stat` of the control group.
    group: Option<(File, File)>,
}

impl Memory {
    /// Opens what tells; what is not there tells nothing.
    pub fn open() -> Self {
        let open = |path: &str| File::open(path).ok();
        let group = std::fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| {
            let name =
                text.lines().find_map(|line| line.strip_prefix("0::"))?.trim_end_matches('/').to_owned();
            let file = |file: &str| open(&format!("/sys/fs/cgroup{name}/{file}"));
            Some((file("memory.max")?, file("memory.stat")?))
        });
        Self { machine: open("/proc/meminfo"), process: open("/proc/self/statm"), group }
    }

    /// Bytes that this process may still take; as many as there can be, if nothing tells.
    pub fn left_bytes(&self) -> u64 {
        let machine = self.machine.as_ref().and_then(|file| {
            let text = text(file)?;
            let kib = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
            Some(kib.trim().trim_end_matches(" kB").parse::<u64>().ok()?.saturating_mul(1024))
        });
        let group = self.group.as_ref().and_then(|(max, stat)| {
            let max: u64 = text(max)?.trim().parse().ok()?; // `max` is no number, and no limit
            let stat = text(stat)?;
            let of = |name: &str| stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
            // What the page cache holds is given back.
            Some(max.saturating_sub(of("anon ").unwrap_or(0u64) + of("kernel ").unwrap_or(0u64)))
        });
        let used = |field: usize| {
            let text = text(self.process.as_ref()?)?;
            let pages: u64 = text.split_whitespace().nth(field)?.parse().ok()?;
            Some(pages * PAGE_BYTES)
        };
        let limit = |limit: Resource, field: usize| {
            getrlimit(limit).current.map(|bytes| bytes.saturating_sub(used(field).unwrap_or(0)))
        };
        let limits = [limit(Resource::As, 0), limit(Resource::Data, 5)];
        limits.into_iter().chain([machine, group]).flatten().min().unwrap_or(u64::MAX)
    }
}

/// The text of a file of the kernel's, as it is now.
fn text(file: &File) -> Option<String> {
    let mut bytes = vec![0; 16 << 10];
    let count = file.read_at(&mut bytes, 0).ok()?;
    bytes.truncate(count);
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Rlimit, setrlimit};

    #[test]
    fn the_tightest_of_machine_and_limits_counts() {
        let memory = Memory::open();
        let free = memory.left_bytes();
        assert!((1 << 20..1 << 50).contains(&free), "{free}");
        let before = getrlimit(Resource::As);
        let used = {
            let text = text(memory.process.as_ref().unwrap()).unwrap();
            text.split_whitespace().next().unwrap().parse::<u64>().unwrap() * PAGE_BYTES
        };
        let current = Some(used + (64 << 20));
        setrlimit(Resource::As, Rlimit { current, ..before }).unwrap();
        let left = memory.left_bytes();
        setrlimit(Resource::As, before).unwrap();
        assert!(left <= 64 << 20 && left > 0, "{left}");
    }
}

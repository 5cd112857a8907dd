//! How much memory is left. Asked behind the fences, through files that were opened before them.

use rustix::process::{Resource, getrlimit};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Bytes of a page, as `/proc/self/statm` counts.
const PAGE_BYTES: u64 = 4096;

/// What the machine, the control group and the limits of this process leave.
pub struct Memory {
    /// `/proc/meminfo`.
    machine: Option<File>,
    /// `/proc/self/statm`.
    process: Option<File>,
    /// `memory.max` and `memory.stat` of the control group and of those that it lies in: each may have a limit.
    groups: Vec<[File; 2]>,
}

impl Memory {
    /// Opens what tells; what is not there tells nothing.
    pub fn open() -> Self {
        let open = |path: &str| File::open(path).ok();
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let name = own.lines().find_map(|line| line.strip_prefix("0::"));
        let groups = name.map_or_else(Vec::new, |name| groups(Path::new("/sys/fs/cgroup"), name));
        Self { machine: open("/proc/meminfo"), process: open("/proc/self/statm"), groups }
    }

    /// Bytes that this process may still take; as many as there can be, if nothing tells.
    pub fn left_bytes(&self) -> u64 {
        let machine = self.machine.as_ref().and_then(|file| {
            let text = text(file)?;
            let kib = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
            Some(kib.trim().trim_end_matches(" kB").parse::<u64>().ok()?.saturating_mul(1024))
        });
        let groups = self.groups.iter().map(|[max, stat]| {
            let max: u64 = text(max)?.trim().parse().ok()?; // `max` is no number, and no limit
            let stat = text(stat)?;
            let of = |name: &str| stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
            // What the page cache holds is given back, but for files that live in memory.
            let used = ["anon ", "kernel ", "shmem "].map(|name| of(name).unwrap_or(0u64));
            Some(max.saturating_sub(used.iter().sum()))
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
        limits.into_iter().chain([machine]).chain(groups).flatten().min().unwrap_or(u64::MAX)
    }
}

/// The files of a control group and of those that it lies in, below the folder where they are mounted; the outermost may
/// have none.
fn groups(mount: &Path, name: &str) -> Vec<[File; 2]> {
    let files = |group: &Path| {
        let open =
            |file: &str| File::open(mount.join(group.strip_prefix("/").unwrap_or(group)).join(file)).ok();
        Some([open("memory.max")?, open("memory.stat")?])
    };
    Path::new(name).ancestors().filter_map(files).collect()
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
    fn the_tightest_control_group_counts_and_its_page_cache_does_not() {
        let mount = std::env::temp_dir().join(format!("lightproof-groups-{}", std::process::id()));
        let group = |name: &str, max: &str, stat: &str| {
            let folder = mount.join(name);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("memory.max"), max).unwrap();
            std::fs::write(folder.join("memory.stat"), stat).unwrap();
        };
        let left =
            |name: &str| Memory { machine: None, process: None, groups: groups(&mount, name) }.left_bytes();
        group("outer/inner", "max\n", "anon 5\n");
        assert_eq!(left("/outer/inner"), u64::MAX);
        group("outer", "1000\n", "anon 300\nfile 600\nkernel 20\nkernel_stack 9\nshmem 7\n");
        assert_eq!((left("/outer/inner"), left("/outer"), left("/")), (673, 673, u64::MAX));
        group("outer/inner", "400\n", "anon 100\nfile 900\n");
        assert_eq!((left("/outer/inner"), left("/outer")), (300, 673));
        group("outer/inner", "400\n", "anon 500\n");
        assert_eq!(left("/outer/inner"), 0);
        std::fs::remove_dir_all(mount).unwrap();
    }

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

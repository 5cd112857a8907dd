//! The card that a person asks for: what the host has of it, found before the fences, which then grant exactly that.

use crate::paths::open_regular;
use diffusion::DeviceName;
use policy::{Card, Policy};
use rustix::fs::{Access, OFlags, access};
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// What is said where there is no other way.
const INSTEAD: &str = "or use --device cpu";

/// Nodes of the driver that are there for any card; the last one only since some version.
const OF_DRIVER: [(&str, bool); 3] = [("nvidiactl", true), ("nvidia-uvm", true), ("nvidia-uvm-tools", false)];

/// Where the driver's libraries and the tables of its toolkit lie.
const LIBRARIES: [&str; 5] = ["/usr/lib", "/usr/lib64", "/usr/local/cuda", "/opt/cuda", "/usr/share/nvidia"];

/// What the driver's library asks the kernel, besides what every host has.
const FACTS: [&str; 6] = [
    "/proc/driver/nvidia",
    "/proc/driver/nvidia-uvm",
    "/sys/module/nvidia",
    "/sys/module/nvidia_uvm",
    "/sys/bus/pci/devices",
    "/sys/devices/system/memory/block_size_bytes",
];

/// Most bytes of what the kernel says of a card that are read.
const INFORMATION_BYTES_MAX: u64 = 64 << 10;

/// What the policy may grant of the card; `None` for the processor, and for a program that can use no card, which says so itself.
/// `is_kept`: inside a keeper's fences, which has looked at the nodes; there their folder cannot be listed, and root has no number.
///
/// # Errors
/// Why there is none, and what to do.
pub fn wanted(device: DeviceName, policy: &Policy, is_kept: bool) -> Result<Option<Card>, String> {
    match device {
        DeviceName::Cuda(_) if !cfg!(feature = "cuda") => Ok(None),
        DeviceName::Cuda(_) if !policy.allows_cards() => Err(format!(
            "the policy of this machine gives no engine a card (it denies ${{card}}); take that line out, {INSTEAD}"
        )),
        // What the driver needs of /proc would let root's process write the kernel's settings.
        DeviceName::Cuda(_) if rustix::process::geteuid().is_root() => Err(format!(
            "no card is used as root, who would get more of the machine with it than a picture takes; start the program as another \
             user (sudo -u USER), {INSTEAD}"
        )),
        DeviceName::Cuda(index) => found(Path::new("/"), (!is_kept).then_some(0), index).map(Some),
        DeviceName::Cpu => Ok(None),
    }
}

/// The card of that number.
///
/// # Errors
/// Why it cannot be used, and what to do.
pub fn of_this_machine(index: usize) -> Result<Card, String> {
    found(Path::new("/"), Some(0), index)
}

/// The same, on the host at `root` whose administrator is `admin`, if that can be told.
fn found(root: &Path, admin: Option<u32>, index: usize) -> Result<Card, String> {
    let at = |name: &str| root.join("dev").join(name);
    if at(&format!("nvidia{index}")).symlink_metadata().is_err() {
        return Err(absent(root, index));
    }
    let mut nodes = vec![node(root, admin, &format!("nvidia{index}"))?];
    for (name, is_needed) in OF_DRIVER {
        if is_needed || at(name).symlink_metadata().is_ok() {
            nodes.push(node(root, admin, name)?);
        }
    }
    let mut facts = real(root, &FACTS);
    facts.extend(on_the_bus(root, index));
    Ok(Card { nodes, driver: real(root, &LIBRARIES), facts: outermost(facts) })
}

/// Says which cards there are instead.
fn absent(root: &Path, index: usize) -> String {
    let cards = match fs::read_dir(root.join("dev")) {
        Ok(cards) => cards,
        Err(error) => return format!("/dev cannot be looked at: {error}; {INSTEAD}"),
    };
    let number = |name: &str| name.strip_prefix("nvidia").and_then(|number| number.parse::<usize>().ok());
    let mut numbers: Vec<usize> =
        cards.flatten().filter_map(|entry| number(entry.file_name().to_str()?)).collect();
    numbers.sort_unstable();
    match numbers.as_slice() {
        [] => format!(
            "there is no NVIDIA card here (no /dev/nvidia{index}); load its driver (nvidia-modprobe -u -c={index}), {INSTEAD}"
        ),
        [one] => format!("cuda:{index} does not exist; the card of this machine is cuda:{one}"),
        [first, ..] => {
            format!(
                "cuda:{index} does not exist; this machine has {} cards, the first is cuda:{first}",
                numbers.len()
            )
        }
    }
}

/// A node of the driver's that this process may use, and that only an administrator can have put there.
fn node(root: &Path, admin: Option<u32>, name: &str) -> Result<PathBuf, String> {
    let shown = format!("/dev/{name}");
    let path = root.join("dev").join(name);
    let about = path.symlink_metadata().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            format!("{shown} is missing; load the driver whole (nvidia-modprobe -u -c=0), {INSTEAD}")
        }
        _ => format!("{shown} cannot be looked at: {error}; {INSTEAD}"),
    })?;
    if !about.file_type().is_char_device() {
        return Err(format!(
            "{shown} is not a device; whoever put it there is not the driver: remove it, {INSTEAD}"
        ));
    }
    if admin.is_some_and(|admin| about.uid() != admin) {
        return Err(format!(
            "{shown} belongs to user {}, who can put another device in its place; give it to root (chown root {shown}), {INSTEAD}",
            about.uid()
        ));
    }
    if access(&path, Access::READ_OK | Access::WRITE_OK).is_err() {
        return Err(format!(
            "this user may not use {shown} (mode {:o}, group {}); add the user to that group, {INSTEAD}",
            about.mode() & 0o777,
            about.gid()
        ));
    }
    Ok(path)
}

/// Those that are there, as real paths.
fn real(root: &Path, paths: &[&str]) -> Vec<PathBuf> {
    outermost(paths.iter().filter_map(|path| root.join(&path[1..]).canonicalize().ok()).collect())
}

/// Without those that lie in another, in order.
fn outermost(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    paths.sort();
    paths.dedup_by(|path, before| path.starts_with(before));
    paths
}

/// Where the card of that number is on the bus.
fn on_the_bus(root: &Path, index: usize) -> Option<PathBuf> {
    let cards = fs::read_dir(root.join("proc/driver/nvidia/gpus")).ok()?;
    let is_it = |information: &Path| {
        let mut text = String::new();
        let mut file = open_regular(information, OFlags::empty()).ok()?.take(INFORMATION_BYTES_MAX);
        file.read_to_string(&mut text).ok()?;
        let minor = text.lines().find_map(|line| line.strip_prefix("Device Minor:"));
        (minor?.trim() == index.to_string()).then_some(())
    };
    let mut cards = cards.flatten();
    let card = cards.find(|card| is_it(&card.path().join("information")).is_some())?;
    root.join("sys/bus/pci/devices").join(card.file_name()).canonicalize().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    /// A host that has what a test says of a card.
    struct Made(PathBuf);

    impl Made {
        fn with(nodes: &[&str]) -> Self {
            use std::sync::atomic::{AtomicU32, Ordering};
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let name = format!("card-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let made = Self(std::env::temp_dir().join(name));
            for folder in [
                "dev",
                "usr/lib/x86_64-linux-gnu",
                "proc/driver/nvidia/gpus/0000:65:00.0",
                "sys/bus/pci/devices",
                "sys/devices/pci/x",
            ] {
                fs::create_dir_all(made.0.join(folder)).unwrap();
            }
            symlink("../../../devices/pci/x", made.0.join("sys/bus/pci/devices/0000:65:00.0")).unwrap();
            let text = "Model: \t\t Some card\nDevice Minor: \t 0\n";
            fs::write(made.0.join("proc/driver/nvidia/gpus/0000:65:00.0/information"), text).unwrap();
            for node in nodes {
                made.node(node);
            }
            made
        }

        /// That of /dev/null plays one; only root can make it.
        fn node(&self, name: &str) {
            let path = self.0.join("dev").join(name);
            let made = rustix::fs::mknodat(
                rustix::fs::CWD,
                &path,
                rustix::fs::FileType::CharacterDevice,
                0o660.into(),
                rustix::fs::makedev(1, 3),
            );
            made.unwrap();
        }

        fn card(&self, index: usize) -> Result<Card, String> {
            found(&self.0, Some(0), index)
        }

        #[track_caller]
        fn is_refused(&self, index: usize, words: &[&str]) {
            let why = self.card(index).unwrap_err();
            assert!(words.iter().all(|word| why.contains(word)), "{why}");
        }
    }

    impl Drop for Made {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const ALL: [&str; 3] = ["nvidia0", "nvidiactl", "nvidia-uvm"];

    /// Without root's rights no test can make a node; in CI that is a failure.
    fn makes_nodes() -> bool {
        let is_root = rustix::process::geteuid().is_root();
        assert!(is_root || std::env::var_os("CI").is_none(), "only root makes nodes of devices");
        if !is_root {
            println!("not run: only root makes nodes of devices");
        }
        is_root
    }

    #[test]
    fn a_host_without_a_card_or_with_half_a_driver_says_so() {
        Made::with(&[]).is_refused(0, &["no NVIDIA card", "/dev/nvidia0", "--device cpu"]);
        if !makes_nodes() {
            return;
        }
        Made::with(&["nvidia0", "nvidiactl"])
            .is_refused(0, &["/dev/nvidia-uvm is missing", "nvidia-modprobe"]);
        Made::with(&ALL).is_refused(1, &["cuda:1 does not exist", "is cuda:0"]);
        Made::with(&["nvidia0", "nvidia3", "nvidiactl"]).is_refused(1, &["2 cards", "first is cuda:0"]);
    }

    #[test]
    fn what_somebody_else_put_there_is_no_card() {
        if !makes_nodes() {
            return;
        }
        let file = Made::with(&ALL[..2]);
        fs::write(file.0.join("dev/nvidia-uvm"), "").unwrap();
        file.is_refused(0, &["/dev/nvidia-uvm is not a device"]);
        let link = Made::with(&ALL[..2]);
        symlink("nvidiactl", link.0.join("dev/nvidia-uvm")).unwrap();
        link.is_refused(0, &["/dev/nvidia-uvm is not a device"]);
        let owned = Made::with(&ALL);
        std::os::unix::fs::chown(owned.0.join("dev/nvidiactl"), Some(1234), None).unwrap();
        owned.is_refused(0, &["/dev/nvidiactl belongs to user 1234", "chown root"]);
        // Inside a keeper's fences nobody can tell who root is.
        assert!(found(&owned.0, None, 0).is_ok());
        // The optional one counts, too, where it is there.
        let optional = Made::with(&ALL);
        fs::write(optional.0.join("dev/nvidia-uvm-tools"), "").unwrap();
        optional.is_refused(0, &["nvidia-uvm-tools is not a device"]);
    }

    #[test]
    fn the_card_is_its_nodes_its_place_on_the_bus_and_the_driver() {
        if !makes_nodes() {
            return;
        }
        let made = Made::with(&[&ALL[..], &["nvidia1", "nvidia-modeset"]].concat());
        fs::set_permissions(made.0.join("dev/nvidia0"), fs::Permissions::from_mode(0o660)).unwrap();
        let card = made.card(0).unwrap();
        let names = |paths: &[PathBuf]| -> Vec<String> {
            paths.iter().map(|path| path.strip_prefix(&made.0).unwrap().display().to_string()).collect()
        };
        assert_eq!(names(&card.nodes), ["dev/nvidia0", "dev/nvidiactl", "dev/nvidia-uvm"]);
        assert_eq!(names(&card.driver), ["usr/lib"]);
        assert_eq!(names(&card.facts), ["proc/driver/nvidia", "sys/bus/pci/devices", "sys/devices/pci/x"]);
        // Of another card that is not in the kernel's list only the place on the bus is unknown.
        assert_eq!(names(&made.card(1).unwrap().facts), ["proc/driver/nvidia", "sys/bus/pci/devices"]);
    }
}

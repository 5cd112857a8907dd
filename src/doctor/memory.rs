//! Where memory may come to lie on a disk: swap and hibernation.

use super::finding::{Asked, Finding};
use super::host::Host;
use std::path::Path;

/// The swap spaces of a host.
pub struct Swaps {
    /// All of them.
    pub used: Vec<String>,
    /// Those that lie readable on a disk.
    pub open: Vec<String>,
    /// Why that is not known of others.
    pub untold: Vec<String>,
}

/// Every swap, and whether it is encrypted.
///
/// # Errors
/// The kernel does not tell.
pub fn swaps(host: &Host) -> Asked<Swaps> {
    let swaps = host.said("/proc/swaps")?;
    let used = swaps.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    let used: Vec<String> = used.map(str::to_owned).collect();
    let (mut open, mut untold) = (Vec::new(), Vec::new());
    for name in &used {
        match is_safe(host, name) {
            Ok(true) => {}
            Ok(false) => open.push(name.clone()),
            Err(why) => untold.push(format!("whether {name} is encrypted is not known: {why}")),
        }
    }
    Ok(Swaps { used, open, untold })
}

/// Whether the kernel may put memory of this process into a swap space at all: a service manager can forbid it.
pub fn may_be_swapped(host: &Host) -> bool {
    let groups = host.text("/proc/self/cgroup").ok().flatten().unwrap_or_default();
    let Some(group) = groups.lines().find_map(|line| line.strip_prefix("0::/")) else { return true };
    // What is forbidden to a group is forbidden to those in it.
    let none_at = |group: &Path| {
        let most = Path::new("/sys/fs/cgroup").join(group).join("memory.swap.max");
        matches!(host.text(&most.to_string_lossy()), Ok(Some(most)) if most == "0")
    };
    !Path::new(group).ancestors().any(none_at)
}

/// The same for a person.
pub fn swap(host: &Host) -> Finding {
    const CHECK: &str = "swap";
    let Swaps { used, open, untold } = match swaps(host) {
        Ok(swaps) => swaps,
        Err(why) => return Finding::unknown(CHECK, why),
    };
    match (used.is_empty(), open.is_empty(), untold.is_empty()) {
        (true, ..) => Finding::fine(CHECK, "there is none"),
        (_, false, _) => Finding::needs(
            CHECK,
            format!(
                "{} is not encrypted, and what was in memory, prompts and pictures, may be written there and stay; encrypt it, \
                 or turn it off (swapoff, and its line out of /etc/fstab)",
                open.join(", ")
            ),
        ),
        (_, true, false) => Finding::unknown(CHECK, untold.join("; ")),
        (_, true, true) => {
            Finding::fine(CHECK, format!("encrypted, or in memory itself: {}", used.join(", ")))
        }
    }
}

/// Whether nothing of what is swapped there lies readable on a disk.
fn is_safe(host: &Host, name: &str) -> Asked<bool> {
    // Compressed memory.
    if name.starts_with("/dev/zram") {
        return Ok(true);
    }
    let device = match name.strip_prefix("/dev/") {
        // `/dev/mapper/x` is a link to `/dev/dm-0`.
        Some(short) => host
            .at(name)
            .canonicalize()
            .ok()
            .as_deref()
            .and_then(Path::file_name)
            .map_or_else(|| short.to_owned(), |device| device.to_string_lossy().into_owned()),
        None => host.device(&host.device_below(name)?)?,
    };
    host.is_encrypted(&device)
}

/// Whether the machine can write all of its memory to a disk, and whether that one is encrypted.
pub fn hibernation(host: &Host) -> Finding {
    const CHECK: &str = "hibernation";
    let asked = || -> Asked<Finding> {
        let can = host
            .text("/sys/power/state")?
            .is_some_and(|all| all.split_whitespace().any(|word| word == "disk"));
        let forbidden = host.text("/sys/power/disk")?.is_some_and(|all| all.contains("[disabled]"));
        if !can || forbidden {
            return Ok(Finding::fine(CHECK, "this machine cannot"));
        }
        let device = match host.text("/sys/power/resume")? {
            Some(number) if number != "0:0" => host.device(&number)?,
            _ => return Ok(Finding::fine(CHECK, "no disk is set to come back from")),
        };
        Ok(match host.is_encrypted(&device)? {
            true => Finding::fine(CHECK, format!("to {device}, which is encrypted")),
            false => Finding::needs(
                CHECK,
                format!(
                    "it would write all memory, keys among it, to {device}, which is not encrypted; forbid it (systemctl mask \
                     hibernate.target hybrid-sleep.target, and `nohibernate` on the kernel's command line), or encrypt that disk"
                ),
            ),
        })
    };
    asked().unwrap_or_else(|why| Finding::unknown(CHECK, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State::{Fine, NeedsPerson, Unknown};
    use crate::doctor::host::Made;

    const HEAD: &str = "Filename Type Size Used Priority\n";
    const CRYPT: (&str, &str) = ("/sys/class/block/dm-0/dm/uuid", "CRYPT-PLAIN-swap");
    const PLAIN: (&str, &str) = ("/sys/class/block/sda2/size", "1");

    fn of_swap(lines: &str) -> Finding {
        let swaps = format!("{HEAD}{lines}");
        swap(&Made::with(&[("/proc/swaps", swaps.as_str()), CRYPT, PLAIN]).host)
    }

    #[test]
    fn a_swap_that_is_not_encrypted_needs_a_person() {
        of_swap("").is(Fine, &["none"]);
        of_swap("/dev/zram0 partition 8 0 100\n/dev/dm-0 partition 8 0 -2\n").is(Fine, &["/dev/dm-0"]);
        of_swap("/dev/dm-0 partition 8 0 -2\n/dev/sda2 partition 8 0 -3\n")
            .is(NeedsPerson, &["/dev/sda2", "swapoff"]);
        of_swap("/dev/sdz9 partition 8 0 -2\n").is(Unknown, &["/dev/sdz9"]);
        of_swap("/gone/swapfile file 8 0 -2\n").is(Unknown, &["/gone/swapfile"]);
        of_swap("/gone/swapfile file 8 0 -2\n/dev/sda2 partition 8 0 -3\n").is(NeedsPerson, &["/dev/sda2"]);
        swap(&Made::with(&[]).host).is(Unknown, &["/proc/swaps"]);
    }

    #[test]
    fn a_group_that_must_not_swap_is_seen_by_those_in_it() {
        let group = ("/proc/self/cgroup", "0::/system.slice/lightproof.service\n");
        let of = |files: &[(&str, &str)]| may_be_swapped(&Made::with(&[files, &[group]].concat()).host);
        let [own, above] = ["system.slice/lightproof.service", "system.slice"]
            .map(|group| format!("/sys/fs/cgroup/{group}/memory.swap.max"));
        assert!(of(&[]) && of(&[(&own, "max\n")]) && of(&[(&own, "4096\n")]));
        assert!(!of(&[(&own, "0\n")]) && !of(&[(&own, "max\n"), (&above, "0\n")]));
        assert!(may_be_swapped(&Made::with(&[]).host));
    }

    #[test]
    fn a_hibernation_to_an_open_disk_needs_a_person() {
        let of = |files: &[(&str, &str)], resume: Option<&str>| {
            let made = Made::with(&[files, &[CRYPT, PLAIN]].concat());
            if let Some(device) = resume {
                let link = made.host.at("/sys/dev/block/8:2");
                std::fs::create_dir_all(link.parent().unwrap()).unwrap();
                std::os::unix::fs::symlink(format!("../../devices/pci/{device}"), link).unwrap();
            }
            hibernation(&made.host)
        };
        let can = ("/sys/power/state", "freeze mem disk\n");
        let to = ("/sys/power/resume", "8:2\n");
        of(&[], None).is(Fine, &["cannot"]);
        of(&[("/sys/power/state", "freeze mem\n")], None).is(Fine, &["cannot"]);
        of(&[can, ("/sys/power/disk", "[disabled]\n"), to], Some("sda2")).is(Fine, &["cannot"]);
        of(&[can, ("/sys/power/resume", "0:0\n")], None).is(Fine, &["no disk"]);
        of(&[can, to], Some("dm-0")).is(Fine, &["dm-0"]);
        of(&[can, to], Some("sda2")).is(NeedsPerson, &["sda2", "nohibernate"]);
        of(&[can, to], None).is(Unknown, &["8:2"]);
    }
}

//! The file systems below the folders: shares, disks that are not mounted, quotas, and what an erasure is worth there.

use super::finding::{Asked, Finding};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use vault::Grade;

/// File systems that another machine, or the one around this one, keeps.
const SHARES: [&str; 18] = [
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "davfs",
    "gfs2",
    "glusterfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "smb3",
    "smbfs",
    "virtiofs",
];
/// Options of a mount under which the kernel counts what each user, group or project has.
const QUOTAS: [&str; 12] = [
    "quota",
    "usrquota",
    "grpquota",
    "prjquota",
    "uquota",
    "gquota",
    "pquota",
    "uqnoenforce",
    "usrjquota",
    "grpjquota",
    "gqnoenforce",
    "pqnoenforce",
];
/// File systems of which such an option is all there is to a quota.
const TOLD: [&str; 6] = ["ext2", "ext3", "ext4", "xfs", "tmpfs", "vfat"];

/// One line of `/proc/self/mountinfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted.
    pub point: PathBuf,
    /// The kind of file system.
    pub kind: String,
    /// Options of the mount and of the file system.
    pub options: Vec<String>,
}

/// Everything that is mounted.
pub fn mounts(mountinfo: &str) -> Vec<Mount> {
    mountinfo.lines().filter_map(mount).collect()
}

/// `36 35 98:0 /root /point options shared:1 - ext4 /dev/sda1 rw,errors=continue`
fn mount(line: &str) -> Option<Mount> {
    let (of_mount, of_system) = line.split_once(" - ")?;
    let mut of_mount = of_mount.split(' ').skip(4);
    let mut of_system = of_system.split(' ');
    let (point, options) = (of_mount.next()?, of_mount.next()?);
    let (kind, more) = (of_system.next()?, of_system.nth(1).unwrap_or_default());
    let options = options.split(',').chain(more.split(',')).map(str::to_owned).collect();
    Some(Mount { point: path(point), kind: kind.to_owned(), options })
}

/// A path in which the kernel wrote blanks and the like as `\040`.
fn path(escaped: &str) -> PathBuf {
    let (mut bytes, mut rest) = (Vec::new(), escaped.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let code =
            after.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// What is mounted where this path lies: the innermost one, and of several at one point the last.
pub fn below<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    let found = mounts.iter().filter(|mount| path.starts_with(&mount.point));
    found.max_by_key(|mount| mount.point.components().count())
}

/// Whether the folder `name` lies on this machine.
pub fn share(name: &str, path: &Path, mounts: &Asked<Vec<Mount>>) -> Finding {
    let check = format!("{name}.share");
    let mount = match mounts.as_ref().map(|mounts| below(mounts, path)) {
        Ok(Some(mount)) => mount,
        Ok(None) => return Finding::unknown(check, format!("no mount tells where {} lies", path.display())),
        Err(why) => return Finding::unknown(check, why),
    };
    let Mount { point, kind, .. } = mount;
    if SHARES.contains(&kind.as_str()) || kind.starts_with("fuse.") {
        return Finding::needs(
            check,
            format!(
                "{} lies on {} ({kind}), which another machine or program keeps: neither locks nor an erasure can be relied on \
                 there; choose a folder on a disk of this machine",
                path.display(),
                point.display()
            ),
        );
    }
    Finding::fine(check, format!("{kind} of this machine"))
}

/// Whether the folder lies on the disk that is meant: every link on the way leads somewhere (`broken` does not), and every
/// disk that `/etc/fstab` puts on the way is mounted.
pub fn disk(
    name: &str,
    [named, real]: [&Path; 2],
    broken: Option<&Path>,
    fstab: &Asked<Option<String>>,
    mounts: &Asked<Vec<Mount>>,
) -> Finding {
    let check = format!("{name}.disk");
    if let Some(link) = broken {
        let what =
            format!("{} is a link to what is not there; mount its disk, or mend the link", link.display());
        return Finding::needs(check, what);
    }
    let (fstab, mounts) = match (fstab, mounts) {
        (Ok(fstab), Ok(mounts)) => (fstab.as_deref().unwrap_or_default(), mounts),
        (Err(why), _) | (_, Err(why)) => return Finding::unknown(check, why),
    };
    let planned = fstab.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let planned = planned.filter_map(|line| line.split_whitespace().nth(1)).map(path);
    let on_the_way =
        |point: &PathBuf| point.is_absolute() && (named.starts_with(point) || real.starts_with(point));
    let absent = planned.filter(on_the_way).find(|point| !mounts.iter().any(|mount| mount.point == *point));
    match absent {
        // The root is mounted, whatever a container shows of it.
        Some(point) if point != Path::new("/") => Finding::needs(
            check,
            format!(
                "/etc/fstab has a disk at {}, and it is not mounted: what is written now lies on another one, and is hidden \
                 once it is; mount it first",
                point.display()
            ),
        ),
        _ if named != real => {
            Finding::fine(check, format!("{} leads to {}", named.display(), real.display()))
        }
        _ => Finding::fine(check, real.display().to_string()),
    }
}

/// Whether a quota may keep the folder from growing: how much is left of one is not asked.
pub fn quota(name: &str, path: &Path, mounts: &Asked<Vec<Mount>>) -> Finding {
    let check = format!("{name}.quota");
    let mount = match mounts.as_ref().map(|mounts| below(mounts, path)) {
        Ok(Some(mount)) => mount,
        Ok(None) => return Finding::unknown(check, format!("no mount tells where {} lies", path.display())),
        Err(why) => return Finding::unknown(check, why),
    };
    let Mount { point, kind, options } = mount;
    let counts = |option: &String| QUOTAS.contains(&option.split('=').next().unwrap_or_default());
    if options.iter().any(counts) {
        let what = format!("{} counts what each user has; what is left says: quota -s", point.display());
        return Finding::unknown(check, what);
    }
    match TOLD.contains(&kind.as_str()) {
        true => Finding::fine(check, "none is set"),
        false => Finding::unknown(check, format!("{kind} does not tell of quotas by its options")),
    }
}

/// What an erasure is worth on the file system of the vault.
pub fn erasure(grade: &Asked<Grade>) -> Finding {
    const CHECK: &str = "vault.erasure";
    match grade {
        Err(why) => Finding::unknown(CHECK, why),
        Ok(grade @ Grade::InPlace) => {
            let what = "keys are overwritten where they lie; a flash drive may keep an old block of its own";
            Finding::fine(CHECK, format!("grade {}: {what}", grade.letter()))
        }
        Ok(grade @ Grade::Volatile) => Finding::needs(
            CHECK,
            format!(
                "grade {}: the vault is gone when the machine stops; keep it on a disk (--home)",
                grade.letter()
            ),
        ),
        Ok(grade @ Grade::KeepsHistory(system)) => Finding::needs(
            CHECK,
            format!(
                "grade {}: {system} may keep what was overwritten, and with it the keys of erased pictures; keep the vault on \
                 ext4 or xfs (--home), or know how long old copies live",
                grade.letter()
            ),
        ),
        Ok(other) => Finding::unknown(CHECK, format!("grade {} has no sentence yet", other.letter())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State::{Fine, NeedsPerson, Unknown};

    const INFO: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
30 22 8:2 / /srv/my\\040disk rw - xfs /dev/sdb1 rw,usrquota
31 22 0:40 / /home/a/mail rw - fuse.rclone remote: rw
32 22 0:41 / /net rw shared:5 master:2 - nfs4 server:/x rw,vers=4.2
33 22 0:42 / /pool rw - btrfs /dev/sdc rw
";

    fn all() -> Asked<Vec<Mount>> {
        Ok(mounts(INFO))
    }

    fn closed<T>() -> Asked<T> {
        Err("it cannot be read".to_owned())
    }

    #[test]
    fn a_share_needs_a_person() {
        let of = |path: &str| share("pictures", Path::new(path), &all());
        of("/home/a/pictures").is(Fine, &["ext4"]);
        of("/home/a/mail/x").is(NeedsPerson, &["fuse.rclone", "/home/a/mail"]);
        of("/net/x").is(NeedsPerson, &["nfs4"]);
        of("/network").is(Fine, &[]);
        share("log", Path::new("/x"), &Ok(Vec::new())).is(Unknown, &["/x"]);
        share("log", Path::new("/x"), &closed()).is(Unknown, &["cannot be read"]);
    }

    #[test]
    fn a_disk_that_is_not_mounted_needs_a_person() {
        let fstab = "# /dev/sdz /home/a\n/dev/sda1 / ext4 defaults 0 1\nUUID=1 /mnt/big\\040one xfs x\nUUID=2 none swap sw\n";
        let of = |named: &str, real: &str, fstab: &Asked<Option<String>>| {
            disk("pictures", [Path::new(named), Path::new(real)], None, fstab, &all())
        };
        let read = Ok(Some(fstab.to_owned()));
        of("/home/a/p", "/home/a/p", &read).is(Fine, &["/home/a/p"]);
        of("/srv/my disk/p", "/srv/my disk/p", &read).is(Fine, &[]);
        of("/mnt/big one/p", "/mnt/big one/p", &read).is(NeedsPerson, &["/mnt/big one", "mount it"]);
        of("/home/a/p", "/mnt/big one/p", &read).is(NeedsPerson, &["/mnt/big one"]);
        of("/home/a/p", "/pool/p", &read).is(Fine, &["leads to /pool/p"]);
        of("/home/a/p", "/home/a/p", &Ok(None)).is(Fine, &[]);
        of("/home/a/p", "/home/a/p", &closed()).is(Unknown, &[]);
        let link = Path::new("/home/a");
        disk("pictures", [Path::new("/home/a/p"); 2], Some(link), &read, &all())
            .is(NeedsPerson, &["/home/a is a link"]);
    }

    #[test]
    fn a_quota_is_never_called_fine() {
        let of = |path: &str| quota("pictures", Path::new(path), &all());
        of("/home").is(Fine, &["none"]);
        of("/srv/my disk/x").is(Unknown, &["quota -s"]);
        of("/pool/x").is(Unknown, &["btrfs"]);
        quota("pictures", Path::new("/x"), &closed()).is(Unknown, &[]);
    }

    #[test]
    fn a_file_system_that_keeps_old_copies_needs_a_person() {
        erasure(&Ok(Grade::InPlace)).is(Fine, &["grade B"]);
        erasure(&Ok(Grade::Volatile)).is(NeedsPerson, &["grade V"]);
        erasure(&Ok(Grade::KeepsHistory("btrfs"))).is(NeedsPerson, &["grade C", "btrfs"]);
        erasure(&closed()).is(Unknown, &[]);
    }
}

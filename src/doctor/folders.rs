//! The folders themselves: who may read or exchange them, and how much room there is.

use super::finding::{Asked, Finding};
use rustix::fs::{Access, StatVfsMountFlags, access, getxattr, statvfs};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Less room than this needs a person: a picture and its records take a few MiB.
const ROOM_BYTES_MIN: u64 = 256 << 20;
/// Fewer new files than this, too.
const FILES_MIN: u64 = 100;
/// The bits of a mode that say what it is of, and what they are of a regular file.
const FILE_KIND: u32 = 0o170_000;
const FILE: u32 = 0o100_000;
/// Longest access list that is read, in bytes.
const LIST_BYTES_MAX: usize = 4096;

/// One folder on the way to a place, the place itself last.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its path.
    pub path: PathBuf,
    /// Its mode.
    pub mode: u32,
    /// Whose it is.
    pub uid: u32,
    /// Of which group.
    pub gid: u32,
    /// Others who may read it by its access list.
    pub listed: Vec<String>,
}

/// The way to what is there of a path.
///
/// # Errors
/// A folder on it cannot be looked at.
pub fn way(path: &Path) -> Asked<Vec<Step>> {
    let there: Vec<&Path> = path.ancestors().filter(|at| at.symlink_metadata().is_ok()).collect();
    let step = |at: &&Path| {
        let found = at
            .symlink_metadata()
            .map_err(|error| format!("{} cannot be looked at: {error}", at.display()))?;
        let mut list = vec![0; LIST_BYTES_MAX];
        // Without one, or where the file system has none, the mode is all there is.
        let count = getxattr(*at, "system.posix_acl_access", &mut list[..]).unwrap_or(0);
        let listed = listed(list.get(..count).unwrap_or_default());
        Ok(Step { path: at.to_path_buf(), mode: found.mode(), uid: found.uid(), gid: found.gid(), listed })
    };
    there.iter().rev().map(step).collect()
}

/// Who may read by an access list as the kernel keeps it: entries of two bytes each for what and rights, and four for whom,
/// behind a version of four bytes.
fn listed(list: &[u8]) -> Vec<String> {
    const USER: u16 = 0x02;
    const GROUP: u16 = 0x08;
    const MASK: u16 = 0x10;
    let entry = |entry: &[u8]| {
        let [kind, kind_high, rights, _, id @ ..] = entry.first_chunk::<8>()?;
        Some((u16::from_le_bytes([*kind, *kind_high]), *rights, u32::from_le_bytes(*id)))
    };
    let entries: Vec<_> = list.get(4..).unwrap_or_default().chunks(8).filter_map(entry).collect();
    let mask = entries.iter().find(|(kind, ..)| *kind == MASK).map_or(7, |(_, rights, _)| *rights);
    let reads = entries.iter().filter(|(_, rights, _)| rights & mask & 4 != 0);
    reads
        .filter_map(|(kind, _, id)| match *kind {
            USER => Some(format!("user {id}")),
            GROUP => Some(format!("group {id}")),
            _ => None,
        })
        .collect()
}

/// Whether somebody but this user may read the folder `name`, or put another one in its place. `way` ends with the folder if
/// `is_there`, and with the one in which it will be made otherwise.
pub fn readers(name: &str, way: &Asked<Vec<Step>>, is_there: bool, own: u32) -> Finding {
    let check = format!("{name}.readers");
    let way = match way {
        Ok(way) => way,
        Err(why) => return Finding::unknown(check, why),
    };
    // A group of the user's own number is the user's alone.
    let is_shared = |step: &Step| step.gid != own;
    // From the root: up to here others get, by the right to go through.
    let (mut others_come, mut group_comes) = (true, true);
    for (at, step) in way.iter().enumerate() {
        let is_last = is_there && at + 1 == way.len();
        let writes = (others_come && step.mode & 0o002 != 0)
            || (group_comes && is_shared(step) && step.mode & 0o020 != 0);
        // In a folder like /tmp each name belongs to who made it.
        if writes && (is_last || step.mode & 0o1000 == 0) {
            let what =
                format!("others may write to {}, and put something else in its place", step.path.display());
            return Finding::needs(check, format!("{what}; take that right away (chmod go-w)"));
        }
        if is_last && step.mode & FILE_KIND == FILE {
            let what = format!("{} is a file, and no start takes it for a folder", step.path.display());
            return Finding::needs(check, format!("{what}; move it away, or choose a folder"));
        }
        if is_last {
            return last(check, step, [others_come, group_comes && is_shared(step)], own);
        }
        others_come &= step.mode & 0o001 != 0;
        group_comes &= step.mode & 0o011 != 0;
    }
    Finding::fine(check, "not made yet; it will be for this user alone")
}

fn last(check: String, step: &Step, [others_come, group_comes]: [bool; 2], own: u32) -> Finding {
    let path = step.path.display();
    if step.uid != own {
        let what = format!("{path} belongs to user {}, and this is user {own}", step.uid);
        return Finding::needs(
            check,
            format!("{what}; start the program as that user, or give it to this one (chown)"),
        );
    }
    let mut who = Vec::new();
    if others_come && step.mode & 0o004 != 0 {
        who.push("every user of this machine".to_owned());
    }
    if group_comes && step.mode & 0o040 != 0 && step.listed.is_empty() {
        who.push(format!("group {}", step.gid));
    }
    if others_come || group_comes {
        who.extend(step.listed.iter().cloned());
    }
    match who.is_empty() {
        true => Finding::fine(check, "this user, and root"),
        false => Finding::needs(
            check,
            format!(
                "{} may list {path}: what is in it is sealed, but names, times and sizes tell; close it (chmod go-rwx{})",
                who.join(" and "),
                if step.listed.is_empty() { "" } else { ", setfacl -b" }
            ),
        ),
    }
}

/// What a folder has left.
#[derive(Clone, Debug, Default)]
pub struct Room {
    /// Bytes that this user may still write.
    pub bytes: u64,
    /// Files that may still be made; `None` where they are not counted.
    pub files: Option<u64>,
    /// Why nothing can be written, whatever is left.
    pub closed: Option<String>,
}

/// What is left where a path lies, or will lie.
///
/// # Errors
/// Nobody can tell.
pub fn room_at(path: &Path) -> Asked<Room> {
    let there = path.ancestors().find(|at| at.metadata().is_ok()).unwrap_or(Path::new("/"));
    let failed = |error| format!("{} cannot be asked: {error}", there.display());
    let found = statvfs(there).map_err(failed)?;
    let rights = access(there, Access::WRITE_OK | Access::EXEC_OK).err();
    let closed = match rights {
        _ if found.f_flag.contains(StatVfsMountFlags::RDONLY) => {
            Some("its disk is mounted to be read only".to_owned())
        }
        Some(error) => Some(format!("{} cannot be written: {error}", there.display())),
        None => None,
    };
    let files = (found.f_files > 0).then_some(found.f_favail);
    Ok(Room { bytes: found.f_bavail.saturating_mul(found.f_frsize), files, closed })
}

/// Whether the folder `name` can grow; `file_bytes_max` is the longest file that this process may write, if that is limited.
pub fn room(name: &str, room: &Asked<Room>, file_bytes_max: Option<u64>) -> Finding {
    let check = format!("{name}.room");
    let room = match room {
        Ok(room) => room,
        Err(why) => return Finding::unknown(check, why),
    };
    if let Some(why) = &room.closed {
        return Finding::needs(
            check,
            format!("{why}; make it writable for this user, or choose another folder"),
        );
    }
    if room.bytes < ROOM_BYTES_MIN {
        let what =
            format!("{} MiB are left; make room, or choose a folder on another disk", room.bytes >> 20);
        return Finding::needs(check, what);
    }
    if let Some(files) = room.files.filter(|files| *files < FILES_MIN) {
        let what = format!(
            "{files} more files can be made there, however small; remove some, or choose another disk"
        );
        return Finding::needs(check, what);
    }
    if let Some(bytes) = file_bytes_max.filter(|bytes| *bytes < ROOM_BYTES_MIN) {
        let what = format!(
            "this process may write no file of more than {bytes} bytes; raise that limit (ulimit -f)"
        );
        return Finding::needs(check, what);
    }
    Finding::fine(check, format!("{:.1} GiB are left", room.bytes as f64 / f64::from(1 << 30)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State::{Fine, NeedsPerson, Unknown};

    fn step(path: &str, mode: u32, [uid, gid]: [u32; 2]) -> Step {
        Step { path: path.into(), mode, uid, gid, listed: Vec::new() }
    }

    fn of(home: u32, folder: u32) -> Finding {
        let way = vec![
            step("/", 0o755, [0, 0]),
            step("/home", 0o755, [0, 0]),
            step("/home/a", home, [7, 100]),
            step("/home/a/p", folder, [7, 100]),
        ];
        readers("pictures", &Ok(way), true, 7)
    }

    #[test]
    fn whoever_else_may_read_a_folder_is_named() {
        of(0o755, 0o700).is(Fine, &["this user"]);
        of(0o700, 0o755).is(Fine, &[]);
        of(0o755, 0o755).is(NeedsPerson, &["every user", "group 100", "chmod go-rwx"]);
        of(0o750, 0o755).is(NeedsPerson, &["group 100"]);
        of(0o755, 0o711).is(Fine, &[]);
        readers("pictures", &Err("closed".to_owned()), true, 7).is(Unknown, &["closed"]);
    }

    #[test]
    fn a_group_of_ones_own_is_nobody_else() {
        let way = vec![step("/", 0o755, [0, 0]), step("/a", 0o775, [7, 7]), step("/a/p", 0o770, [7, 7])];
        readers("log", &Ok(way), true, 7).is(Fine, &[]);
    }

    #[test]
    fn a_folder_that_others_can_exchange_needs_a_person() {
        of(0o777, 0o700).is(NeedsPerson, &["others may write to /home/a,"]);
        of(0o1777, 0o700).is(Fine, &[]);
        of(0o770, 0o700).is(NeedsPerson, &["/home/a"]);
        of(0o755, 0o1777).is(NeedsPerson, &["/home/a/p"]);
        let way = vec![step("/", 0o755, [0, 0]), step("/a", 0o700, [7, 7])];
        readers("log", &Ok(way), false, 7).is(Fine, &["not made yet"]);
        let open = vec![step("/", 0o755, [0, 0]), step("/a", 0o777, [7, 7])];
        readers("log", &Ok(open), false, 7).is(NeedsPerson, &["/a"]);
    }

    #[test]
    fn a_folder_of_somebody_else_needs_a_person() {
        let way = vec![step("/", 0o755, [0, 0]), step("/a", 0o700, [8, 8])];
        readers("vault", &Ok(way), true, 7).is(NeedsPerson, &["user 8", "user 7"]);
    }

    #[test]
    fn an_access_list_is_read() {
        let entry = |kind: u16, rights: u16, id: u32| {
            [&kind.to_le_bytes()[..], &rights.to_le_bytes(), &id.to_le_bytes()].concat()
        };
        let list = |entries: &[Vec<u8>]| [&2u32.to_le_bytes()[..], &entries.concat()].concat();
        let named = [entry(1, 7, u32::MAX), entry(2, 5, 1001), entry(8, 4, 50), entry(2, 1, 1002)];
        assert_eq!(listed(&list(&named)), ["user 1001", "group 50"]);
        let masked = [&named[..], &[entry(16, 1, u32::MAX)]].concat();
        assert!(listed(&list(&masked)).is_empty());
        assert!(listed(&[]).is_empty() && listed(&[2, 0, 0]).is_empty());
        let mut way = vec![step("/", 0o755, [0, 0]), step("/a", 0o750, [7, 100])];
        way[1].listed = vec!["user 1001".to_owned()];
        readers("vault", &Ok(way), true, 7).is(NeedsPerson, &["user 1001", "setfacl -b"]);
    }

    #[test]
    fn what_cannot_grow_needs_a_person() {
        let much = Room { bytes: 5 << 30, files: None, closed: None };
        let of = |found: Room, limit| room("pictures", &Ok(found), limit);
        of(much.clone(), None).is(Fine, &["5.0 GiB"]);
        of(Room { bytes: 3 << 20, ..much.clone() }, None).is(NeedsPerson, &["3 MiB"]);
        of(Room { files: Some(0), ..much.clone() }, None).is(NeedsPerson, &["0 more files"]);
        of(Room { closed: Some("it is shut".to_owned()), ..much.clone() }, None)
            .is(NeedsPerson, &["it is shut"]);
        of(much.clone(), Some(1024)).is(NeedsPerson, &["1024 bytes", "ulimit -f"]);
        of(much, Some(1 << 40)).is(Fine, &[]);
        room("pictures", &Err("closed".to_owned()), None).is(Unknown, &["closed"]);
    }
}

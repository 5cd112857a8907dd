//! Landlock as a hard requirement: what the kernel knows is enforced, and what it lacks is named.

use ::landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope,
};
use policy::{PathGrant, Plan, Right};
use std::ffi::CString;
use std::fs::OpenOptions;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use crate::variant::Variant;
use crate::{Error, Fence, raw};

/// Lowest ABI with which the program starts: file rules, and TCP bind and connect (Linux 6.7).
pub const ABI_MIN: i32 = 4;

/// What each later ABI adds.
const FEATURES: [(i32, &str); 6] = [
    (5, "device ioctl rights"),
    (6, "abstract socket and signal scopes"),
    (7, "denial logging flags"),
    (8, "restriction of all threads"),
    (9, "path-named socket rights"),
    (10, "UDP rights"),
];

/// The last ABI whose features the design counts on; below it the report shows amber.
pub(crate) const ABI_FULL: i32 = 7;

/// A path of the plan, opened, and the rights on it.
pub(crate) struct Rule {
    path: OwnedFd,
    folder: bool,
    procfs: bool,
    grant: PathGrant,
    at: PathBuf,
    owner: u32,
}

/// Opens every path of the plan without following a last link. A missing one is an error: a rule that
/// silently does not exist would be found out in production.
pub(crate) fn open(plan: &Plan) -> Result<Vec<Rule>, Error> {
    let mut rules = Vec::new();
    for (path, grant) in &plan.paths {
        let wrong = |source| Error::Path { path: path.clone(), source };
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_NOFOLLOW)
            .open(path)
            .map_err(wrong)?;
        let about = file.metadata().map_err(wrong)?;
        let (kind, owner) = (about.file_type(), about.uid());
        if kind.is_symlink() {
            return Err(Error::Path {
                path: path.clone(),
                source: std::io::Error::other("it is a symbolic link"),
            });
        }
        let (folder, procfs) = (kind.is_dir(), path.starts_with("/proc"));
        rules.push(Rule { path: file.into(), folder, procfs, grant: grant.clone(), at: path.clone(), owner });
    }
    Ok(rules)
}

/// Refuses a path of somebody else to which this process, as who it is now, has no way.
///
/// Without capabilities uid 0 is an ordinary owner of its own files: rules of the plan on another user's private
/// folder would hold, and every file behind them would answer EACCES. A folder that can be looked into passes,
/// also where it cannot be written: listing what lies there is worth a start.
pub(crate) fn refuse_closed(rules: &[Rule]) -> Result<(), Error> {
    for Rule { grant, at, owner, folder, .. } in rules {
        let looks = if grant.rights.contains(&Right::Read) { libc::R_OK } else { libc::W_OK };
        let how = if *folder { looks | libc::X_OK } else { looks };
        let denied = CString::new(at.as_os_str().as_bytes())
            .is_ok_and(|path| raw::may(&path, how).is_err_and(|e| e.raw_os_error() == Some(libc::EACCES)));
        if denied && *owner != raw::user_id() {
            return Err(Error::NotOurs { path: at.clone(), owner: *owner, uid: raw::user_id() });
        }
    }
    Ok(())
}

/// Restricts this thread for good. Gives back the descriptors to keep, and the ABI that is enforced.
pub(crate) fn restrict(variant: Variant, rules: Vec<Rule>) -> Result<(Vec<OwnedFd>, i32), Error> {
    let abi = variant.abi(raw::landlock_abi().map_err(Error::LandlockMissing)?);
    if abi < ABI_MIN {
        return Err(Error::LandlockTooOld { abi });
    }
    if variant.leaves_out(Fence::Landlock) {
        return Ok((Vec::new(), abi));
    }
    let known = ABI::from(abi); // the greatest that both the kernel and the crate know
    let failed = |source| Error::Landlock { source };
    // Every right the kernel knows is handled, and TCP and UDP get no rule: all denied.
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(known))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(known)))
        .map_err(failed)?;
    if abi >= 6 {
        ruleset = ruleset.scope(Scope::from_all(known)).map_err(failed)?;
    }
    let mut ruleset = ruleset.create().map_err(failed)?.set_compatibility(CompatLevel::HardRequirement);
    if abi >= 7 {
        ruleset = ruleset.log_new_exec(true).map_err(failed)?;
    }
    for rule in &rules {
        let mut access: BitFlags<AccessFs> = rule.grant.rights.iter().map(|right| rights(*right)).collect();
        // A kernel that does not keep a right apart grants it with the file.
        access &= AccessFs::from_all(known);
        if !rule.folder {
            access &= AccessFs::from_file(known);
        }
        if access.is_empty() {
            continue; // a file that may be "created" exists already
        }
        ruleset = ruleset.add_rule(PathBeneath::new(&rule.path, access)).map_err(failed)?;
    }
    let status = ruleset.restrict_self().map_err(failed)?;
    if status.ruleset != RulesetStatus::FullyEnforced || !status.no_new_privs {
        return Err(Error::LandlockPartial);
    }
    let kept = rules.into_iter().filter(|rule| rule.procfs).map(|rule| rule.path).collect();
    Ok((kept, abi))
}

/// The features that `abi` lacks, of those that the program knows.
pub(crate) fn missing(abi: i32) -> Vec<&'static str> {
    FEATURES.iter().filter(|(since, _)| abi < *since).map(|(_, feature)| *feature).collect()
}

/// No right to make links, sockets, pipes or devices exists in a plan.
fn rights(right: Right) -> BitFlags<AccessFs> {
    match right {
        Right::Read => AccessFs::ReadFile | AccessFs::ReadDir,
        Right::Write => AccessFs::WriteFile | AccessFs::Truncate,
        // Refer: moving between two folders that both have it. Landlock refuses a move that would gain a
        // right.
        Right::Create => AccessFs::MakeReg | AccessFs::MakeDir | AccessFs::Refer,
        Right::Remove => AccessFs::RemoveFile | AccessFs::RemoveDir,
        Right::Execute => AccessFs::Execute.into(),
        Right::Ioctl => AccessFs::IoctlDev.into(),
    }
}

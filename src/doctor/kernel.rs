//! What the fences need of the kernel, and whether they are up.

use super::finding::{Asked, Finding};

/// First version with all that the fences need.
const KERNEL_MIN: (u32, u32) = (6, 7);
/// Where the table of systems is.
const TABLE: &str = "the page deploy/README.md lists systems";
/// How a program gets its profile.
const PROFILE: &str = "the Debian package loads its profile (`dpkg-reconfigure lightproof` says why it did not); without it, save \
     deploy/apparmor/lightproof as /etc/apparmor.d/lightproof, with the path of this program in it, and load it with \
     apparmor_parser -r";

/// The version of the kernel. What was brought back to an old one counts: the fences ask the kernel, not its number.
pub fn kernel(release: &Asked<String>, fenced: bool) -> Finding {
    const CHECK: &str = "kernel";
    let release = match release {
        Ok(release) => release,
        Err(why) => return Finding::unknown(CHECK, why),
    };
    let (major, minor) = KERNEL_MIN;
    match version(release) {
        None => Finding::unknown(CHECK, format!("{release:?} is no version of a kernel")),
        Some(version) if version >= KERNEL_MIN => Finding::fine(CHECK, format!("Linux {release}")),
        Some(_) if fenced => Finding::fine(
            CHECK,
            format!(
                "Linux {release} is older than {major}.{minor}, and has what the fences need all the same"
            ),
        ),
        Some(_) => Finding::needs(
            CHECK,
            format!("Linux {release} is older than {major}.{minor}; start a newer kernel ({TABLE})"),
        ),
    }
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The fences of this process: each that is weaker than it could be, with its detail; or why they are not up.
pub fn fences(weaker: &Asked<Vec<String>>) -> Finding {
    const CHECK: &str = "fences";
    match weaker {
        Ok(weaker) if weaker.is_empty() => Finding::fine(CHECK, "up and tried, all of them green"),
        Ok(weaker) => Finding::fine(CHECK, format!("up and tried, amber: {}", weaker.join("; "))),
        Err(why) => Finding::needs(CHECK, why),
    }
}

/// Landlock: its ABI and what later ones add, if the fences are up; the kernel's list of security modules.
pub fn landlock(enforced: Option<(i32, &[&str])>, modules: &Asked<Option<String>>) -> Finding {
    const CHECK: &str = "landlock";
    match (enforced, modules) {
        (Some((abi, [])), _) => Finding::fine(CHECK, format!("ABI {abi}")),
        (Some((abi, missing)), _) => {
            Finding::fine(CHECK, format!("ABI {abi}, which has no {} yet", missing.join(", ")))
        }
        (None, Ok(Some(modules))) if !modules.split(',').any(|module| module == "landlock") => {
            Finding::needs(
                CHECK,
                format!(
                    "this kernel was started without it (its modules: {modules}); add landlock to the list lsm= of its \
                 command line, and start it again"
                ),
            )
        }
        (None, Ok(Some(_))) => Finding::unknown(
            CHECK,
            "this kernel has it; which ABI was not asked, since the fences are not up",
        ),
        (None, Ok(None)) => Finding::unknown(CHECK, "the fences are not up, and securityfs is not mounted"),
        (None, Err(why)) => Finding::unknown(CHECK, why),
    }
}

/// What the kernel can do with a system call that is filtered.
pub fn seccomp(actions: &Asked<Option<String>>) -> Finding {
    const CHECK: &str = "seccomp";
    match actions {
        Err(why) => Finding::unknown(CHECK, why),
        Ok(Some(actions)) if actions.split_whitespace().any(|action| action == "errno") => {
            Finding::fine(CHECK, "the kernel filters system calls")
        }
        Ok(_) => Finding::needs(
            CHECK,
            "this kernel cannot refuse system calls; start one that is built with CONFIG_SECCOMP_FILTER",
        ),
    }
}

/// Settings that decide whether an ordinary user may make a user namespace, each as its file in `/proc/sys` says.
pub struct Namespaces {
    /// `user.max_net_namespaces`
    pub networks: Asked<Option<String>>,
    /// `user.max_user_namespaces`
    pub max: Asked<Option<String>>,
    /// `kernel.unprivileged_userns_clone`, which few kernels have.
    pub clone: Asked<Option<String>>,
    /// `kernel.apparmor_restrict_unprivileged_userns`
    pub restricted: Asked<Option<String>>,
}

/// Whether this process got its empty network, and, where it did not, which setting may be why.
pub fn namespaces(settings: &Namespaces, is_root: bool, has_network: bool) -> Finding {
    const CHECK: &str = "namespaces";
    let is = |setting: &Asked<Option<String>>, value: &str| {
        setting.as_ref().is_ok_and(|found| found.as_deref() == Some(value))
    };
    let needs = |what: &str| Finding::needs(CHECK, format!("no empty network could be made; {what}"));
    if has_network {
        return Finding::fine(CHECK, if is_root { "root makes them" } else { "this user may make them" });
    }
    if is(&settings.networks, "0") {
        return needs("set user.max_net_namespaces above 0 (sysctl)");
    }
    if is(&settings.max, "0") {
        return needs("set user.max_user_namespaces above 0 (sysctl)");
    }
    if !is_root && is(&settings.clone, "0") {
        return needs("set kernel.unprivileged_userns_clone=1 (sysctl)");
    }
    if !is_root && is(&settings.restricted, "1") {
        return needs(&format!("AppArmor keeps them from ordinary users: {PROFILE}"));
    }
    match [&settings.networks, &settings.max, &settings.clone, &settings.restricted]
        .into_iter()
        .find_map(|asked| asked.as_ref().err())
    {
        Some(why) => Finding::unknown(CHECK, why),
        None => Finding::unknown(
            CHECK,
            "no setting forbids them, and none could be made; a container's filter may be in the way",
        ),
    }
}

/// AppArmor: whether the kernel has it on, which profile this process runs under, and whether it keeps user namespaces from
/// whoever has none.
pub fn apparmor(
    enabled: &Asked<Option<String>>,
    label: &Asked<Option<String>>,
    restricted: &Asked<Option<String>>,
    is_root: bool,
) -> Finding {
    const CHECK: &str = "apparmor";
    match (enabled, label, restricted) {
        (Err(why), ..) => Finding::unknown(CHECK, why),
        (Ok(enabled), ..) if enabled.as_deref() != Some("Y") => {
            Finding::fine(CHECK, "not on in this kernel; the fences do without it")
        }
        (_, Err(why), _) | (_, _, Err(why)) => Finding::unknown(CHECK, why),
        (_, Ok(None), _) => Finding::unknown(CHECK, "the kernel does not say which profile this process has"),
        (_, Ok(Some(label)), Ok(restricted)) => {
            let is_free = label == "unconfined";
            match (is_free, restricted.as_deref() == Some("1") && !is_root) {
                (true, true) => Finding::needs(
                    CHECK,
                    format!(
                        "it keeps user namespaces from programs without a profile, and this one has none: {PROFILE}"
                    ),
                ),
                (true, false) => Finding::fine(CHECK, "this program has no profile, and needs none here"),
                (false, _) => Finding::fine(CHECK, format!("this program runs under the profile {label}")),
            }
        }
    }
}

/// Where the kernel writes core files, and whether the fence is up that keeps this program from leaving one.
pub fn core_files(pattern: &Asked<Option<String>>, is_fenced: bool) -> Finding {
    const CHECK: &str = "core-files";
    match pattern {
        Err(why) if !is_fenced => Finding::unknown(CHECK, why),
        Err(_) => Finding::fine(CHECK, "this program leaves none"),
        Ok(pattern) => {
            let pattern = pattern.as_deref().unwrap_or_default();
            match is_fenced {
                true => Finding::fine(CHECK, format!("others go to `{pattern}`; this program leaves none")),
                false if pattern.is_empty() || pattern.starts_with("|/bin/false") => {
                    Finding::fine(CHECK, "none are kept on this machine")
                }
                false => Finding::needs(
                    CHECK,
                    format!(
                        "a crash would leave prompts and keys in `{pattern}`: the fence that prevents it is not up; see \
                         fences, or set kernel.core_pattern to |/bin/false"
                    ),
                ),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State::{Fine, NeedsPerson, Unknown};

    fn said(text: &str) -> Asked<Option<String>> {
        Ok(Some(text.to_owned()))
    }

    fn closed<T>() -> Asked<T> {
        Err("it cannot be read".to_owned())
    }

    #[test]
    fn an_old_kernel_is_told_unless_the_fences_are_up() {
        let of = |release: &str, fenced| kernel(&Ok(release.to_owned()), fenced);
        of("6.7.0-rc1", false).is(Fine, &["6.7.0-rc1"]);
        of("10.0", false).is(Fine, &[]);
        of("6.6.99", false).is(NeedsPerson, &["6.6.99", "newer kernel"]);
        of("5.14.0-503.el9", true).is(Fine, &["older"]);
        of("Plan 9", false).is(Unknown, &["no version"]);
        kernel(&closed(), true).is(Unknown, &["cannot be read"]);
    }

    #[test]
    fn fences_that_are_not_up_need_a_person() {
        fences(&Ok(Vec::new())).is(Fine, &["green"]);
        fences(&Ok(vec!["user 0".to_owned()])).is(Fine, &["amber: user 0"]);
        fences(&closed()).is(NeedsPerson, &["cannot be read"]);
    }

    #[test]
    fn a_kernel_without_landlock_is_told() {
        landlock(Some((7, &[])), &Ok(None)).is(Fine, &["ABI 7"]);
        landlock(Some((6, &["a", "b"])), &Ok(None)).is(Fine, &["ABI 6", "no a, b"]);
        landlock(None, &said("capability,yama,apparmor")).is(NeedsPerson, &["lsm="]);
        landlock(None, &said("capability,landlock")).is(Unknown, &["not up"]);
        landlock(None, &Ok(None)).is(Unknown, &["securityfs"]);
        landlock(None, &closed()).is(Unknown, &[]);
    }

    #[test]
    fn a_kernel_that_filters_nothing_is_told() {
        seccomp(&said("kill_process trap errno log allow")).is(Fine, &[]);
        seccomp(&said("kill_process allow")).is(NeedsPerson, &["CONFIG_SECCOMP_FILTER"]);
        seccomp(&Ok(None)).is(NeedsPerson, &[]);
        seccomp(&closed()).is(Unknown, &[]);
    }

    #[test]
    fn the_setting_that_forbids_namespaces_is_named() {
        let settings = |max: &str, clone: &str, restricted: &str| Namespaces {
            networks: said("9"),
            max: said(max),
            clone: said(clone),
            restricted: said(restricted),
        };
        namespaces(&settings("0", "0", "1"), false, true).is(Fine, &["this user"]);
        namespaces(&settings("0", "1", "0"), true, false).is(NeedsPerson, &["max_user_namespaces"]);
        namespaces(&settings("9", "0", "0"), false, false).is(NeedsPerson, &["unprivileged_userns_clone"]);
        namespaces(&settings("9", "1", "1"), false, false).is(NeedsPerson, &["deploy/apparmor/lightproof"]);
        namespaces(&settings("9", "0", "1"), true, false).is(Unknown, &["container"]);
        let none = Namespaces { networks: said("0"), ..settings("9", "1", "0") };
        namespaces(&none, true, false).is(NeedsPerson, &["max_net_namespaces"]);
        let unread = Namespaces { max: closed(), ..settings("9", "1", "0") };
        namespaces(&unread, false, false).is(Unknown, &["cannot be read"]);
    }

    #[test]
    fn a_restriction_without_a_profile_needs_a_person() {
        let of = |label: &str, restricted: &str, is_root| {
            apparmor(&said("Y"), &said(label), &said(restricted), is_root)
        };
        of("unconfined", "1", false).is(NeedsPerson, &["apparmor_parser"]);
        of("unconfined", "1", true).is(Fine, &["needs none"]);
        of("unconfined", "0", false).is(Fine, &[]);
        of("lightproof (enforce)", "1", false).is(Fine, &["lightproof"]);
        apparmor(&Ok(None), &closed(), &closed(), false).is(Fine, &["not on"]);
        apparmor(&said("Y"), &closed(), &Ok(None), false).is(Unknown, &[]);
        apparmor(&said("Y"), &Ok(None), &Ok(None), false).is(Unknown, &[]);
        apparmor(&said("Y"), &said("unconfined"), &closed(), false).is(Unknown, &[]);
    }

    #[test]
    fn a_core_file_that_could_be_left_needs_a_person() {
        core_files(&said("|/usr/lib/systemd/systemd-coredump %P"), true).is(Fine, &["leaves none"]);
        core_files(&said("/var/crash/%p"), false).is(NeedsPerson, &["/var/crash/%p", "fences"]);
        core_files(&said("|/bin/false"), false).is(Fine, &[]);
        core_files(&closed(), false).is(Unknown, &[]);
        core_files(&closed(), true).is(Fine, &[]);
    }
}

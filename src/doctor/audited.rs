//! The host's own audit: whether it watches the folders, where it is there.

use super::finding::{Asked, Finding};
use crate::host_audit::watched;
use std::path::Path;

/// What auditd loads at its start (`/etc/audit/audit.rules`), whether the file of `deploy/auditd` lies beside it, and whether
/// auditd runs. The files are asked, not the kernel.
pub fn audited(
    loaded: &Asked<Option<String>>,
    has_ours: bool,
    runs: bool,
    folders: &[(&str, &Path)],
) -> Finding {
    const CHECK: &str = "auditd";
    let loaded = match loaded {
        Err(why) => return Finding::unknown(CHECK, format!("{why}; as root: auditctl -l")),
        Ok(None) if has_ours => {
            let what =
                "its rules lie in /etc/audit/rules.d, and none are loaded; load them with: augenrules --load";
            return Finding::needs(CHECK, what);
        }
        Ok(None) => {
            let what =
                "not installed; what others do to the files is found by the program, and not who did it";
            return Finding::fine(CHECK, what);
        }
        Ok(Some(loaded)) => loaded,
    };
    let watched: Vec<&str> = loaded.lines().filter_map(watched).collect();
    let (seen, unseen): (Vec<_>, Vec<_>) =
        folders.iter().partition(|(_, path)| watched.iter().any(|watched| path.starts_with(watched)));
    let names: Vec<&str> = unseen.iter().map(|(name, _)| *name).collect();
    match (seen.is_empty(), unseen.is_empty()) {
        (true, _) if !has_ours => Finding::fine(CHECK, "no rules for these folders; deploy/auditd has some"),
        (_, false) => Finding::needs(
            CHECK,
            format!(
                "its rules do not watch the folder of: {}; write its path into /etc/audit/rules.d/lightproof.rules, and load it \
                 with: augenrules --load",
                names.join(", ")
            ),
        ),
        (_, true) if !runs => Finding::needs(
            CHECK,
            "its rules watch the folders, and it does not run; start it: systemctl start auditd",
        ),
        (_, true) => Finding::fine(
            CHECK,
            "its rules watch who writes to the folders; whether now says, as root: auditctl -l",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State::{Fine, NeedsPerson, Unknown};

    const OURS: &str = include_str!("../../deploy/auditd/lightproof.rules");

    fn of(loaded: &str, has_ours: bool, runs: bool, outputs: &str) -> Finding {
        let base = Path::new("/var/lib/lightproof");
        let (vault, audit) = (base.join("vault"), base.join("audit"));
        let folders = [("vault", &*vault), ("log", &*audit), ("pictures", Path::new(outputs))];
        audited(&Ok(Some(loaded.to_owned())), has_ours, runs, &folders)
    }

    #[test]
    fn rules_that_miss_a_folder_need_a_person() {
        let outputs = "/var/lib/lightproof/workspace/output_image";
        of(OURS, true, true, outputs).is(Fine, &["auditctl -l"]);
        of(OURS, true, false, outputs).is(NeedsPerson, &["systemctl start auditd"]);
        of(OURS, true, true, "/srv/elsewhere").is(NeedsPerson, &["pictures", "augenrules"]);
        of("-D\n", true, true, outputs).is(NeedsPerson, &["vault, log, pictures"]);
        of("-D\n", false, true, outputs).is(Fine, &["deploy/auditd"]);
        of("-w /srv/ -p wa -k zimage_audit", false, true, "/srv/x").is(NeedsPerson, &["vault, log"]);
        audited(&Ok(None), true, false, &[]).is(NeedsPerson, &["augenrules"]);
        audited(&Ok(None), false, false, &[]).is(Fine, &["not installed"]);
        audited(&Err("closed".to_owned()), true, true, &[]).is(Unknown, &["closed", "auditctl"]);
    }
}

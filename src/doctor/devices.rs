//! The device nodes of an NVIDIA card, and whose they are.

use super::finding::{Asked, Finding};
use super::host::Host;
use crate::output::counted;
use rustix::fs::{Access, access};
use std::os::unix::fs::MetadataExt as _;

/// One node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name in `/dev`.
    pub name: String,
    /// Its mode.
    pub mode: u32,
    /// Whose it is.
    pub uid: u32,
    /// Of which group.
    pub gid: u32,
    /// Whether this user may use it.
    pub is_open: bool,
}

/// The nodes that are there.
///
/// # Errors
/// They cannot be looked at.
pub fn nodes(host: &Host) -> Asked<Vec<Node>> {
    let mut names = host.names("/dev")?;
    names.retain(|name| name.starts_with("nvidia") && name != "nvidia-caps" && name != "nvidia-modeset");
    names.sort();
    let node = |name: String| {
        let path = host.at(&format!("/dev/{name}"));
        let found = path.metadata().map_err(|error| format!("/dev/{name} cannot be looked at: {error}"))?;
        let is_open = access(&path, Access::READ_OK | Access::WRITE_OK).is_ok();
        Ok(Node { name, mode: found.mode(), uid: found.uid(), gid: found.gid(), is_open })
    };
    names.into_iter().map(node).collect()
}

/// Whether a card can be used, where one is asked for by a program that is built to, and who else may use it.
pub fn gpu(nodes: &Asked<Vec<Node>>, is_wanted: bool, is_built: bool) -> Finding {
    const CHECK: &str = "gpu";
    let nodes = match nodes {
        Ok(nodes) => nodes,
        Err(why) => return Finding::unknown(CHECK, why),
    };
    let cards =
        nodes.iter().filter(|node| node.name.trim_start_matches("nvidia").parse::<u32>().is_ok()).count();
    let has = |name: &str| nodes.iter().any(|node| node.name == name);
    if !is_wanted {
        return Finding::fine(
            CHECK,
            format!("not asked for (--device cuda:0); here: {}", counted(cards, "NVIDIA card")),
        );
    }
    if !is_built {
        let what = "this program was built without CUDA; build it with --features cuda, or use --device cpu";
        return Finding::needs(CHECK, what);
    }
    if cards == 0 || !has("nvidiactl") || !has("nvidia-uvm") {
        let what = "the nodes of a card are not all there (/dev/nvidia0, nvidiactl, nvidia-uvm)";
        return Finding::needs(
            CHECK,
            format!("{what}; load its driver (nvidia-modprobe -u -c=0), or use --device cpu"),
        );
    }
    if let Some(Node { name, mode, uid, gid, .. }) = nodes.iter().find(|node| !node.is_open) {
        return Finding::needs(
            CHECK,
            format!(
                "this user may not use /dev/{name} (mode {:o}, user {uid}, group {gid}); add the user to that group, or use \
                 --device cpu",
                mode & 0o777
            ),
        );
    }
    match nodes.iter().find(|node| node.mode & 0o006 != 0) {
        Some(Node { name, mode, .. }) => Finding::needs(
            CHECK,
            format!(
                "every user of this machine may use the card (/dev/{name} has mode {:o}), and what a program leaves in its memory \
                 may be read by the next one; give its nodes to a group (NVreg_DeviceFileGID and NVreg_DeviceFileMode=0660)",
                mode & 0o777
            ),
        ),
        None => Finding::fine(CHECK, format!("{}, for some users only", counted(cards, "NVIDIA card"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State::{Fine, NeedsPerson, Unknown};
    use crate::doctor::host::Made;

    fn all(mode: u32, is_open: bool) -> Vec<Node> {
        let node = |name: &str| Node { name: name.to_owned(), mode, uid: 0, gid: 44, is_open };
        ["nvidia0", "nvidiactl", "nvidia-uvm"].map(node).to_vec()
    }

    #[test]
    fn a_card_that_cannot_be_used_or_that_all_use_needs_a_person() {
        gpu(&Ok(all(0o20660, true)), true, true).is(Fine, &["1 NVIDIA"]);
        gpu(&Ok(all(0o20666, true)), true, true).is(NeedsPerson, &["every user", "mode 666"]);
        gpu(&Ok(all(0o20660, false)), true, true).is(NeedsPerson, &["group 44"]);
        gpu(&Ok(all(0o20660, true)[..2].to_vec()), true, true).is(NeedsPerson, &["nvidia-uvm"]);
        gpu(&Ok(Vec::new()), true, true).is(NeedsPerson, &["--device cpu"]);
        gpu(&Ok(Vec::new()), false, true).is(Fine, &["0 NVIDIA"]);
        gpu(&Ok(all(0o20660, true)), true, false).is(NeedsPerson, &["--features cuda"]);
        gpu(&Err("closed".to_owned()), true, true).is(Unknown, &["closed"]);
    }

    #[test]
    fn the_nodes_are_those_of_the_machine() {
        let made = Made::with(&[("/dev/nvidia0", ""), ("/dev/nvidiactl", ""), ("/dev/null", "")]);
        let found = nodes(&made.host).unwrap();
        assert_eq!(found.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["nvidia0", "nvidiactl"]);
        assert!(found.iter().all(|node| node.is_open));
    }
}

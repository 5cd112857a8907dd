//! The device nodes of an NVIDIA card, and who may use them.

use super::finding::{Asked, Finding};
use super::host::Host;
use crate::output::counted;
use policy::Card;
use std::os::unix::fs::MetadataExt as _;

/// One node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name in `/dev`.
    pub name: String,
    /// Its mode.
    pub mode: u32,
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
        Ok(Node { name, mode: found.mode() })
    };
    names.into_iter().map(node).collect()
}

/// Whether a card can be used, where one is asked for by a program that is built to, and who else may use it.
pub fn gpu(nodes: &Asked<Vec<Node>>, wanted: Option<&Result<Card, String>>, is_built: bool) -> Finding {
    const CHECK: &str = "gpu";
    let nodes = match nodes {
        Ok(nodes) => nodes,
        Err(why) => return Finding::unknown(CHECK, why),
    };
    let cards =
        nodes.iter().filter(|node| node.name.trim_start_matches("nvidia").parse::<u32>().is_ok()).count();
    let Some(wanted) = wanted else {
        return Finding::fine(
            CHECK,
            format!("not asked for (--device cuda:0); here: {}", counted(cards, "NVIDIA card")),
        );
    };
    if !is_built {
        let what = "this program was built without CUDA; build it with --features cuda, or use --device cpu";
        return Finding::needs(CHECK, what);
    }
    if let Err(why) = wanted {
        return Finding::needs(CHECK, why);
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

    #[test]
    fn a_card_that_cannot_be_used_or_that_all_use_needs_a_person() {
        let all = |mode: u32| {
            let node = |name: &str| Node { name: name.to_owned(), mode };
            Ok(["nvidia0", "nvidiactl", "nvidia-uvm"].map(node).to_vec())
        };
        let (there, missing) = (Ok(Card::default()), Err("/dev/nvidia-uvm is missing".to_owned()));
        gpu(&all(0o20660), Some(&there), true).is(Fine, &["1 NVIDIA"]);
        gpu(&all(0o20666), Some(&there), true).is(NeedsPerson, &["every user", "mode 666"]);
        gpu(&all(0o20660), Some(&missing), true).is(NeedsPerson, &["/dev/nvidia-uvm is missing"]);
        gpu(&Ok(Vec::new()), None, true).is(Fine, &["0 NVIDIA"]);
        gpu(&all(0o20660), Some(&there), false).is(NeedsPerson, &["--features cuda"]);
        gpu(&Err("closed".to_owned()), Some(&there), true).is(Unknown, &["closed"]);
    }

    #[test]
    fn the_nodes_are_those_of_the_machine() {
        let made = Made::with(&[("/dev/nvidia0", ""), ("/dev/nvidiactl", ""), ("/dev/null", "")]);
        let found = nodes(&made.host).unwrap();
        assert_eq!(found.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["nvidia0", "nvidiactl"]);
    }
}

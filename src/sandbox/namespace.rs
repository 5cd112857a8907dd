//! An empty network namespace: every socket made later has no route. It covers protocols that no filter
//! names.

use policy::{NetworkNamespace, Plan};
use std::fs;
use std::io;

use crate::variant::Variant;
use crate::{Error, Fence, raw};

/// In which network namespace the process runs, by the kernel's name for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// Its own, made at this start: empty.
    Own(String),
    /// The one it was started in, which has no interface but loopback and could not be left.
    Given { id: String, managed: bool },
    /// The host's, because a policy line allows it.
    Missing,
}

impl Network {
    /// What the keeper tells the engine of it. The name is asked of the kernel again.
    pub fn word(&self, user_namespace: bool) -> &'static str {
        match self {
            Self::Own(_) if user_namespace => "own-user",
            Self::Own(_) => "own",
            Self::Given { managed: true, .. } => "managed",
            Self::Given { managed: false, .. } => "given",
            Self::Missing => "missing",
        }
    }
}

/// The network that a process inherits from its keeper: held against what the kernel says of it.
pub(crate) fn keep_network(word: &str, plan: &Plan, start: &str) -> Result<(Network, bool), Error> {
    let id = start.to_owned();
    let (network, user_namespace) = match word {
        "own-user" => (Network::Own(id), true),
        "own" => (Network::Own(id), false),
        "managed" => (Network::Given { id, managed: true }, false),
        "given" => (Network::Given { id, managed: false }, false),
        "missing" if plan.network_namespace == NetworkNamespace::MayBeMissing => (Network::Missing, false),
        _ => return Err(Error::HandedDown),
    };
    if network != Network::Missing && !only_loopback()? {
        return Err(Error::NetworkNamespace { source: io::Error::other("the keeper's is not empty") });
    }
    Ok((network, user_namespace))
}

/// Moves into an empty network namespace; tells also whether it took a user namespace to do so.
pub(crate) fn leave_network(
    variant: Variant,
    plan: &Plan,
    start: &str,
    managed: bool,
) -> Result<(Network, bool), Error> {
    if variant.leaves_out(Fence::NetworkNamespace) {
        return Ok((Network::Own(start.to_owned()), false));
    }
    let made =
        raw::unshare(libc::CLONE_NEWNET).map(|()| false).or_else(|_| enter_user_namespace().map(|()| true));
    match made {
        Ok(user_namespace) => {
            let id = network_id()?;
            if id == start {
                return Err(Error::NetworkNamespace {
                    source: io::Error::other("the namespace did not change"),
                });
            }
            Ok((Network::Own(id), user_namespace))
        }
        Err(_) if network_id()? != start => Err(Error::HalfEntered),
        Err(_) if only_loopback()? => Ok((Network::Given { id: start.to_owned(), managed }, false)),
        Err(_) if plan.network_namespace == NetworkNamespace::MayBeMissing => Ok((Network::Missing, false)),
        Err(source) => Err(Error::NetworkNamespace { source }),
    }
}

/// An ordinary user may make a network namespace only inside a user namespace of its own.
///
/// A host can allow the namespaces and then forbid the id maps (AppArmor on Ubuntu does), and no step can be
/// taken back. So a child tries first, and this process stays whole if it fails.
fn enter_user_namespace() -> io::Result<()> {
    let (uid, gid) = (raw::user_id(), raw::group_id()); // unknown inside, until they are mapped
    let enter = || {
        raw::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET)?;
        write_id_maps(uid, gid)
    };
    raw::try_in_child(enter)?;
    enter()
}

/// The kernel's name for the network namespace of the calling thread. Reading a link needs no Landlock right.
pub(crate) fn network_id() -> Result<String, Error> {
    let link = fs::read_link("/proc/thread-self/ns/net")
        .map_err(|source| Error::Read { what: "/proc/thread-self/ns/net", source })?;
    Ok(link.to_string_lossy().into_owned())
}

/// Which setting of the host stands in the way, as a sentence with the remedy.
pub(crate) fn host_settings() -> String {
    const SETTINGS: [(&str, &str, &str); 4] = [
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "AppArmor restricts user namespaces (kernel.apparmor_restrict_unprivileged_userns = 1): load \
             an AppArmor profile for this program with `userns,` in it, as the Debian package does, or run it as a systemd service \
             with PrivateNetwork=yes",
        ),
        (
            "/proc/sys/kernel/unprivileged_userns_clone",
            "0",
            "user namespaces are off for ordinary users: set kernel.unprivileged_userns_clone = 1",
        ),
        (
            "/proc/sys/user/max_user_namespaces",
            "0",
            "user namespaces are off: set user.max_user_namespaces to 1024 or more",
        ),
        (
            "/proc/sys/user/max_net_namespaces",
            "0",
            "network namespaces are off: set user.max_net_namespaces to 1024 or more",
        ),
    ];
    const ELSE: &str = "the container or service around this process forbids it: start that without a \
                        network (systemd PrivateNetwork=yes, container --network none) or allow unshare(2) \
                        in its filter";
    let is_set = |path: &str, value: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == value);
    let found = SETTINGS.iter().filter(|(path, value, _)| is_set(path, value));
    let found: Vec<&str> = found.map(|(_, _, sentence)| *sentence).collect();
    if found.is_empty() { ELSE.to_owned() } else { found.join("; ") }
}

/// Maps the user and the group to themselves, so that files look as before.
fn write_id_maps(uid: u32, gid: u32) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))
}

/// Interfaces that the kernel makes in every namespace when a tunnel module is loaded are down and lead
/// nowhere, but here the namespace is somebody else's: only loopback counts as empty.
fn only_loopback() -> Result<bool, Error> {
    let table = fs::read_to_string("/proc/thread-self/net/dev")
        .map_err(|source| Error::Read { what: "/proc/thread-self/net/dev", source })?;
    Ok(table.lines().filter_map(|line| line.split_once(':')).all(|(name, _)| name.trim() == "lo"))
}

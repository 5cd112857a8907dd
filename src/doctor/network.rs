//! The port, and what else keeps it to this machine.

use super::finding::{Asked, Finding};

/// Addresses that stand in the way at the same port, as `/proc/net/tcp` and `/proc/net/tcp6` write them: every address and the
/// loopback, of both kinds, and IPv4 in IPv6.
const IN_THE_WAY: [&str; 5] = [
    "00000000",
    "0100007F",
    "00000000000000000000000000000000",
    "00000000000000000000000001000000",
    "0000000000000000FFFF00000100007F",
];
/// The state of a socket that listens.
const LISTENS: &str = "0A";

/// The users whose programs listen where `serve` would, by the kernel's two tables.
pub fn listeners(tables: [&str; 2], port: u16) -> Vec<u32> {
    let rows = tables.into_iter().flat_map(|table| table.lines().skip(1));
    let listener = |row: &str| {
        let words: Vec<&str> = row.split_whitespace().collect();
        let (address, at) = words.get(1)?.split_once(':')?;
        let is_there = IN_THE_WAY.contains(&address) && u16::from_str_radix(at, 16) == Ok(port);
        (is_there && words.get(3) == Some(&LISTENS)).then(|| words.get(7)?.parse().ok())?
    };
    rows.filter_map(listener).collect()
}

/// What is known of the port.
pub struct Port {
    /// Its number; 0 is any free one.
    pub number: u16,
    /// The users whose programs listen there.
    pub listeners: Asked<Vec<u32>>,
    /// Where the program that has the vault can be reached, if there is one.
    pub holder: Asked<Option<String>>,
    /// The first port that an ordinary user may listen at.
    pub first_free: Asked<Option<String>>,
    /// The user.
    pub uid: u32,
    /// A service manager is there, which may hold the port for its service.
    pub has_manager: bool,
}

/// Whether `serve` would get its port.
pub fn port(port: &Port) -> Finding {
    const CHECK: &str = "port";
    let Port { number, uid, .. } = port;
    if *number == 0 {
        return Finding::fine(CHECK, "any free one");
    }
    let taken = match &port.listeners {
        Ok(users) => users.first(),
        Err(why) => return Finding::unknown(CHECK, why),
    };
    match (taken, &port.holder) {
        (Some(_), Ok(Some(address))) if address.ends_with(&format!(":{number}")) => {
            Finding::fine(CHECK, format!("the program that runs has {number}"))
        }
        (Some(_), Err(why)) => {
            Finding::unknown(CHECK, format!("{number} is taken; whether by this program is not known: {why}"))
        }
        (Some(0), _) if port.has_manager && *uid != 0 => Finding::unknown(
            CHECK,
            format!(
                "a program of root's listens at {number}; that is as it should be if systemctl status lightproof.socket says so"
            ),
        ),
        (Some(user), _) => Finding::needs(
            CHECK,
            format!(
                "another program, of user {user}, listens at {number}; end it, or choose another port (--port, or `listen` in the \
                 policy)"
            ),
        ),
        (None, _) if *uid == 0 => Finding::fine(CHECK, format!("{number} is free")),
        (None, _) => match &port.first_free {
            Err(why) => Finding::unknown(CHECK, why),
            Ok(first) => {
                let first = first.as_deref().and_then(|first| first.parse().ok()).unwrap_or(1024);
                match *number < first {
                    true => Finding::needs(
                        CHECK,
                        format!(
                            "an ordinary user may not listen at {number}, below {first}; choose another port (--port)"
                        ),
                    ),
                    false => Finding::fine(CHECK, format!("{number} is free")),
                }
            }
        },
    }
}

/// Where the rules of `deploy/nftables` lie, and what the host loads at its start.
pub const FIREWALL: [&str; 2] = ["/etc/nftables.d/lightproof.nft", "/etc/nftables.conf"];

/// What the rules of `deploy/nftables` are about, by their text.
pub struct Rules {
    /// The ports that they name.
    pub ports: Vec<u16>,
    /// Whether they are loaded at each start.
    pub at_start: bool,
}

impl Rules {
    /// Of their text, and that of what the host loads at its start.
    pub fn of(rules: &str, start: &str) -> Self {
        let rules = without_comments(rules);
        // `dport 7860` is not in `dport 78601`.
        let port = |rest: &str| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
        let start = without_comments(start);
        Self {
            ports: rules.split("dport ").skip(1).filter_map(port).collect(),
            at_start: [FIREWALL[0], "/etc/nftables.d/*"].iter().any(|name| start.contains(name)),
        }
    }
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split('#').next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Whether the rules of `deploy/nftables`, where they are installed, are about this port and are loaded at each start. The
/// files are asked, not the kernel.
pub fn firewall(rules: &Asked<Option<String>>, start: &Asked<Option<String>>, number: u16) -> Finding {
    const CHECK: &str = "firewall";
    let (rules, start) = match (rules, start) {
        (Ok(None), _) => {
            let what = "no rules of deploy/nftables here; the program listens on this machine only, without them too";
            return Finding::fine(CHECK, what);
        }
        (Ok(Some(rules)), Ok(start)) => (rules, start.as_deref().unwrap_or_default()),
        (Err(why), _) | (_, Err(why)) => return Finding::unknown(CHECK, why),
    };
    let Rules { ports, at_start } = Rules::of(rules, start);
    if number != 0 && !ports.contains(&number) {
        let what =
            format!("the rules in /etc/nftables.d/lightproof.nft are about another port than {number}");
        return Finding::needs(CHECK, format!("{what}; change the number in them, and load them again"));
    }
    if !at_start {
        let what = "/etc/nftables.conf does not include /etc/nftables.d/lightproof.nft: its rules are gone after a reboot";
        return Finding::needs(CHECK, format!("{what}; add the line that deploy/README.md has"));
    }
    Finding::fine(
        CHECK,
        "the rules are loaded at each start; whether they are now says: nft list table inet lightproof",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State::{Fine, NeedsPerson, Unknown};

    const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1EB4 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 100 0 0 10 0
   1: 0200007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     5        0 2 1 0 100 0 0 10 0
   2: 0100007F:1F90 0100007F:1EB4 01 00000000:00000000 00:00000000 00000000     6        0 3 1 0 100 0 0 10 0
   3: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4 1 0 100 0 0 10 0
";
    const TCP6: &str = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 00000000000000000000000001000000:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000   33 0 5
";

    #[test]
    fn whoever_listens_at_the_port_is_found() {
        let of = |port| listeners([TCP, TCP6], port);
        assert_eq!(of(7860), [1000]);
        assert_eq!(of(80), [0], "every address");
        assert_eq!(of(8081), [33], "IPv6");
        assert!(of(22).is_empty(), "another loopback address");
        assert!(of(8080).is_empty(), "it does not listen");
    }

    fn of(number: u16, listener: Option<u32>) -> Port {
        Port {
            number,
            listeners: Ok(listener.into_iter().collect()),
            holder: Ok(None),
            first_free: Ok(Some("1024".to_owned())),
            uid: 1000,
            has_manager: false,
        }
    }

    #[test]
    fn a_port_that_cannot_be_had_needs_a_person() {
        port(&of(7860, None)).is(Fine, &["free"]);
        port(&of(0, Some(1))).is(Fine, &["any"]);
        port(&of(7860, Some(33))).is(NeedsPerson, &["user 33", "--port"]);
        port(&of(80, None)).is(NeedsPerson, &["below 1024"]);
        port(&Port { uid: 0, ..of(80, None) }).is(Fine, &[]);
        port(&Port { has_manager: true, ..of(7860, Some(0)) }).is(Unknown, &["lightproof.socket"]);
        port(&Port { listeners: Err("closed".to_owned()), ..of(7860, None) }).is(Unknown, &["closed"]);
        port(&Port { first_free: Err("closed".to_owned()), ..of(7860, None) }).is(Unknown, &["closed"]);
        let held = |address: &str| Port { holder: Ok(Some(address.to_owned())), ..of(7860, Some(1000)) };
        port(&held("http://127.0.0.1:7860")).is(Fine, &["that runs"]);
        port(&held("http://127.0.0.1:17860")).is(NeedsPerson, &[]);
        port(&Port { holder: Err("not asked".to_owned()), ..of(7860, Some(1000)) })
            .is(Unknown, &["not asked"]);
    }

    #[test]
    fn rules_that_do_nothing_need_a_person() {
        let said = |text: &str| Ok(Some(text.to_owned()));
        let rules = said("tcp dport 7860 drop");
        let start = said("include \"/etc/nftables.d/lightproof.nft\"");
        firewall(&rules, &start, 7860).is(Fine, &["nft list"]);
        firewall(&rules, &said("include \"/etc/nftables.d/*.nft\""), 7860).is(Fine, &[]);
        firewall(&rules, &said("# include \"/etc/nftables.d/lightproof.nft\""), 7860)
            .is(NeedsPerson, &["reboot"]);
        firewall(&rules, &Ok(None), 7860).is(NeedsPerson, &["reboot"]);
        firewall(&rules, &start, 786).is(NeedsPerson, &["another port than 786"]);
        firewall(&said("tcp dport 78601 drop"), &start, 7860).is(NeedsPerson, &["another port"]);
        firewall(&said("# tcp dport 7860 drop"), &start, 7860).is(NeedsPerson, &["another port"]);
        firewall(&Ok(None), &start, 7860).is(Fine, &["without them"]);
        firewall(&Err("closed".to_owned()), &start, 7860).is(Unknown, &[]);
        firewall(&rules, &Err("closed".to_owned()), 7860).is(Unknown, &[]);
    }
}

//! The listen address: 127.0.0.1 and a port, or an error that says why not.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

/// 127.0.0.1 and a port. A value that exists is loopback: [`LoopbackAddr::parse`] is the only way to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoopbackAddr {
    port: u16,
}

impl LoopbackAddr {
    /// Reads `127.0.0.1:PORT`. Port 0 stands for any free port.
    pub fn parse(text: &str) -> Result<Self, ListenError> {
        let refuse = |why| ListenError { given: text.chars().take(64).collect(), why };
        let (ip, port) = match text.parse::<SocketAddr>() {
            Ok(addr) => (addr.ip(), Some(addr.port())),
            // An address without a port, or not an address at all.
            Err(_) => match text.trim_matches(['[', ']']).parse::<IpAddr>() {
                Ok(ip) => (ip, None),
                Err(_) => return Err(refuse(not_an_address(text))),
            },
        };
        match ip {
            IpAddr::V4(ip) if ip.is_unspecified() => Err(refuse(Why::EveryAddress)),
            IpAddr::V6(ip) if ip.is_unspecified() => Err(refuse(Why::EveryAddress)),
            IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some() => Err(refuse(Why::Mapped)),
            IpAddr::V6(ip) if ip.is_loopback() => Err(refuse(Why::OtherLoopback)),
            IpAddr::V4(Ipv4Addr::LOCALHOST) => match port {
                Some(port) => Ok(Self { port }),
                None => Err(refuse(Why::NoPort)),
            },
            IpAddr::V4(ip) if ip.is_loopback() => Err(refuse(Why::OtherLoopback)),
            _ => Err(refuse(Why::Reachable)),
        }
    }

    /// The port; 0 stands for any free port.
    pub fn port(self) -> u16 {
        self.port
    }

    /// The address for `bind`.
    pub fn socket_addr(self) -> SocketAddr {
        SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port))
    }
}

impl fmt::Display for LoopbackAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket_addr().fmt(f)
    }
}

fn not_an_address(text: &str) -> Why {
    let host = text.rsplit_once(':').map_or(text, |(host, _)| host);
    if host.parse::<IpAddr>().is_ok() || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        Why::NoPort
    } else if host.chars().any(|c| c.is_ascii_alphabetic()) {
        Why::Name
    } else {
        Why::Malformed
    }
}

/// An address that was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("will not listen on {given:?}: {why}. Write 127.0.0.1 and a port, as in 127.0.0.1:7860")]
pub struct ListenError {
    given: String,
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Why {
    #[error("it stands for every network card of this machine, so other machines could connect")]
    EveryAddress,
    #[error(
        "it is an IPv4 address inside an IPv6 one, and what such a socket accepts depends on settings of the host"
    )]
    Mapped,
    #[error("it is loopback, but not the one address that the checks on Host and Origin know")]
    OtherLoopback,
    #[error("other machines can reach it")]
    Reachable,
    #[error("it is a name, and what a name points to is decided elsewhere and can change")]
    Name,
    #[error("it has no valid port")]
    NoPort,
    #[error("it is not an address")]
    Malformed,
}

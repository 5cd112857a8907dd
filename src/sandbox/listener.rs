//! The only socket there is.

use policy::LoopbackAddr;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;

use crate::{Error, raw};

/// A listening TCP socket on 127.0.0.1. Keep it as long as the service runs: it also holds `[::1]` at the same port, where
/// it can.
#[derive(Debug)]
pub struct LoopbackListener {
    tcp: TcpListener,
    addr: LoopbackAddr,
    ipv6: Ipv6,
}

/// Who answers at `[::1]`, at the port of the listener.
#[derive(Debug)]
enum Ipv6 {
    /// Nobody: bound and never listening. Nobody else can take the port there, and a browser that tries `localhost` over
    /// IPv6 is refused and comes to us.
    Held { _socket: OwnedFd },
    /// Nobody: this host has no IPv6.
    Absent,
    /// Anybody: the listener was made in another network, or at a port at which this process may not bind.
    Open,
}

impl LoopbackListener {
    /// Binds and listens, and reserves `[::1]` at the same port where the host has IPv6.
    ///
    /// # Errors
    /// The port is taken on 127.0.0.1 or, by another process, on `[::1]`.
    pub fn bind(addr: LoopbackAddr) -> Result<Self, Error> {
        let tcp = TcpListener::bind(addr.socket_addr()).map_err(|source| Error::Bind { addr, source })?;
        Self::checked(tcp)
    }

    /// Takes over a socket that a service manager made, if it is a TCP listener on 127.0.0.1. Where it belongs to the network
    /// that this process sees, `[::1]` at its port is reserved, too.
    ///
    /// # Errors
    /// It is anything else; the sentence says what. Or another process has `[::1]` at its port.
    pub fn inherit(socket: OwnedFd) -> Result<Self, Error> {
        let option = |name| raw::socket_option(&socket, name).map_err(Error::HandedOver);
        let kind = (option(libc::SO_DOMAIN)?, option(libc::SO_TYPE)?, option(libc::SO_PROTOCOL)?);
        if kind != (libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_TCP) {
            return Err(Error::NotLoopback {
                what: "it is not a TCP socket of the family AF_INET".to_owned(),
            });
        }
        if option(libc::SO_ACCEPTCONN)? != 1 {
            return Err(Error::NotLoopback { what: "it does not listen".to_owned() });
        }
        Self::checked(TcpListener::from(socket))
    }

    /// The address as the kernel sees it, with the real port.
    pub fn addr(&self) -> LoopbackAddr {
        self.addr
    }

    /// Does `[::1]` at this port belong to us, too?
    pub fn holds_ipv6(&self) -> bool {
        matches!(self.ipv6, Ipv6::Held { .. })
    }

    /// Can somebody else listen on `[::1]` at this port, and answer for `localhost` in a browser?
    pub(crate) fn leaves_ipv6_open(&self) -> bool {
        matches!(self.ipv6, Ipv6::Open)
    }

    /// A second handle on the socket, for an event loop.
    pub fn handle(&self) -> io::Result<TcpListener> {
        self.tcp.try_clone()
    }

    /// Believes getsockname, not the caller.
    fn checked(tcp: TcpListener) -> Result<Self, Error> {
        let local = tcp.local_addr().map_err(Error::HandedOver)?;
        let addr = LoopbackAddr::parse(&local.to_string())
            .map_err(|refused| Error::NotLoopback { what: refused.to_string() })?;
        let ipv6 = if is_of_this_network(addr) { Ipv6::reserve(addr.port())? } else { Ipv6::Open };
        Ok(Self { tcp, addr, ipv6 })
    }
}

impl Ipv6 {
    fn reserve(port: u16) -> Result<Self, Error> {
        match raw::reserve_ipv6_loopback(port) {
            Ok(socket) => Ok(Self::Held { _socket: socket }),
            // Without IPv6 nobody can listen there either.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL)) => {
                Ok(Self::Absent)
            }
            Err(source) => Err(Error::Reserve { port, source }),
        }
    }
}

/// Whether a listener at this address is in the network that this process sees: its port is taken then.
fn is_of_this_network(addr: LoopbackAddr) -> bool {
    TcpListener::bind(addr.socket_addr()).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

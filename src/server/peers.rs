//! Which user of this machine a connection comes from, so that what one user guesses costs another nothing.
//!
//! A TCP connection does not say so, but the kernel's table of sockets does. It lies where the fences leave nothing
//! readable, and behind them it is the table of an empty network; so it is opened before them and read from then on.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Result};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tokio::sync::Mutex;

/// More than the kernel's tables hold by default; what lies behind is not looked at.
const TABLE_BYTES_MAX: u64 = 64 << 20;
/// State of a connection of which both ends are open. The user of any other is not to be relied on: a socket that its
/// process has left counts as root's.
const ESTABLISHED: &str = "01";

/// Tells users from each other, if there is a table.
pub struct Peers {
    port: u16,
    table: OnceLock<Arc<File>>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// When the reading began.
    read: Option<Instant>,
    users: HashMap<SocketAddr, u32>,
}

impl Peers {
    /// Of a server at this port.
    pub fn new(port: u16) -> Self {
        Self { port, table: OnceLock::new(), known: Mutex::default() }
    }

    /// Reads `table` from now on: `/proc/net/tcp`, opened where the listener is. A second one is not taken.
    pub fn read(&self, table: File) {
        let _ = self.table.set(Arc::new(table));
    }

    /// The user at the other end of a connection; `None` if the kernel does not tell.
    pub async fn user(&self, peer: SocketAddr) -> Option<u32> {
        let table = Arc::clone(self.table.get()?);
        let asked = Instant::now();
        // One reading answers all who asked before it began, so that many who ask cost no more than one.
        let mut known = self.known.lock().await;
        if known.read.is_none_or(|read| read < asked) {
            let (read, port) = (Instant::now(), self.port);
            let users = tokio::task::spawn_blocking(move || users(Rows { table: &table, at: 0 }, port)).await;
            *known = Known { read: Some(read), users: users.unwrap_or_default() };
        }
        known.users.get(&peer).copied()
    }
}

/// The users of all clients of a port of 127.0.0.1.
fn users(table: impl Read, port: u16) -> HashMap<SocketAddr, u32> {
    let server = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let client = |row: &str| {
        let mut fields = row.split_ascii_whitespace().skip(1);
        let (client, to, state) = (address(fields.next()?)?, address(fields.next()?)?, fields.next()?);
        let user = fields.nth(3)?.parse::<u32>().ok()?;
        (to == server && state == ESTABLISHED).then_some((SocketAddr::V4(client), user))
    };
    lines(table).map_while(Result::ok).filter_map(|row| client(&row)).collect()
}

/// The rows of one of the kernel's tables of sockets as it is now. The place at which others read the same descriptor is not moved.
pub fn rows(table: &File) -> impl Iterator<Item = Result<String>> {
    lines(Rows { table, at: 0 })
}

fn lines(table: impl Read) -> impl Iterator<Item = Result<String>> {
    BufReader::new(table.take(TABLE_BYTES_MAX)).lines()
}

/// `0100007F:1EB4` as the kernel writes 127.0.0.1:7860: the address as a number of this machine, the port as it is read.
fn address(text: &str) -> Option<SocketAddrV4> {
    let (address, port) = text.split_once(':')?;
    let address = u32::from_str_radix(address, 16).ok()?.to_ne_bytes();
    Some(SocketAddrV4::new(address.into(), u16::from_str_radix(port, 16).ok()?))
}

/// The table from its begin, without moving the place at which others read it.
struct Rows<'a> {
    table: &'a File,
    at: u64,
}

impl Read for Rows<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self.table.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::fs::MetadataExt as _;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1EB4 00000000:0000 0A 00000000:00000000 00:00000000 00000000   990        0 1 1 0 100 0 0 10 0
   1: 0100007F:1EB4 0100007F:C001 01 00000000:00000000 00:00000000 00000000   990        0 2 1 0 20 4 30 10 -1
   2: 0100007F:C001 0100007F:1EB4 01 00000000:00000000 00:00000000 00000000  1000        0 3 1 0 20 4 30 10 -1
   3: 0200007F:C001 0100007F:1EB4 01 00000000:00000000 00:00000000 00000000  1001        0 4 1 0 20 4 30 10 -1
   4: 0100007F:C002 0100007F:1EB4 04 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 30 10 -1
   5: 0100007F:C003 0100007F:1EB5 01 00000000:00000000 00:00000000 00000000  1001        0 5 1 0 20 4 30 10 -1
   6: 0100007F:C004 0100007F:1EB4 01 00000000";

    #[test]
    fn only_the_other_end_of_an_open_connection_to_us_counts() {
        let found = users(TABLE.as_bytes(), 7860);
        let at = |text: &str| text.parse().unwrap();
        assert_eq!(found, HashMap::from([(at("127.0.0.1:49153"), 1000), (at("127.0.0.2:49153"), 1001)]));
    }

    #[tokio::test]
    async fn the_kernel_tells_who_is_connected() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let peers = Peers::new(listener.local_addr().unwrap().port());
        let open = || TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let first = open();
        assert_eq!(peers.user(first.local_addr().unwrap()).await, None, "there is no table");
        peers.read(File::open("/proc/net/tcp").unwrap());
        let own = std::fs::metadata("/proc/self").unwrap().uid();
        let second = open();
        for stream in [&first, &second, &open()] {
            assert_eq!(peers.user(stream.local_addr().unwrap()).await, Some(own));
        }
        assert_eq!(peers.user("127.0.0.1:1".parse().unwrap()).await, None);
    }
}

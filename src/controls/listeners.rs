//! Who listens at the port of this program, by the kernel's tables of sockets. They are opened before the fences: behind them
//! they would be those of an empty network.

use std::fs::File;
use std::io::Result;

/// State of a socket that listens.
const LISTENS: &str = "0A";

/// A port, and the tables that say who listens there.
pub struct Listener {
    port: u16,
    tables: Vec<File>,
}

/// Sockets that listen at the port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// At 127.0.0.1.
    pub here: u64,
    /// At any other address of this host.
    pub elsewhere: u64,
}

impl Listener {
    /// At this port; `tables` are `/proc/net/tcp` and, where there is one, `/proc/net/tcp6`, of the network that it is in.
    pub fn new(port: u16, tables: Vec<File>) -> Self {
        Self { port, tables }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Reads the tables as they are now.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn count(&self) -> Result<Counted> {
        let mut counted = Counted::default();
        for table in &self.tables {
            for row in server::socket_rows(table) {
                counted.add(&row?, self.port);
            }
        }
        Ok(counted)
    }
}

impl Counted {
    /// A row of a table. `0100007F:1EB4` is 127.0.0.1:7860, the address as a number of this machine.
    fn add(&mut self, row: &str, port: u16) {
        let mut fields = row.split_ascii_whitespace().skip(1);
        let (Some(local), Some(state)) = (fields.next(), fields.nth(1)) else { return };
        let Some((address, at)) = local.split_once(':') else { return };
        if state != LISTENS || u16::from_str_radix(at, 16) != Ok(port) {
            return;
        }
        match address == format!("{:08X}", u32::from_ne_bytes([127, 0, 0, 1])) {
            true => self.here += 1,
            false => self.elsewhere += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1EB4 00000000:0000 0A 00000000:00000000 00:00000000 00000000   990        0 1 1 0 100 0 0 10 0
   1: 0100007F:1EB4 0100007F:C001 01 00000000:00000000 00:00000000 00000000   990        0 2 1 0 20 4 30 10 -1
   2: 0200007F:1EB4 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 3 1 0 100 0 0 10 0
   3: 0100007F:1EB5 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4 1 0 100 0 0 10 0
   4: 00000000000000000000000001000000:1EB4 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 5
   5: 0100007F:1EB4 0000";

    #[test]
    fn only_what_listens_at_the_port_counts() {
        let mut counted = Counted::default();
        TABLE.lines().for_each(|row| counted.add(row, 7860));
        assert_eq!(counted, Counted { here: 1, elsewhere: 2 });
    }

    #[test]
    fn the_kernel_names_another_listener() {
        let own = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = own.local_addr().unwrap().port();
        let listener = Listener::new(port, vec![File::open("/proc/net/tcp").unwrap()]);
        assert_eq!(listener.count().unwrap(), Counted { here: 1, elsewhere: 0 });
        let other = TcpListener::bind(("127.0.0.2", port)).unwrap();
        assert_eq!(listener.count().unwrap(), Counted { here: 1, elsewhere: 1 });
        drop(other);
        assert_eq!(listener.count().unwrap(), Counted { here: 1, elsewhere: 0 });
    }
}

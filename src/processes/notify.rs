//! What the service manager hears of this program (`Type=notify`): that it is ready, that its event loop goes round, that it ends.
//!
//! The keeper alone speaks to it, on one socket that is connected before its fences: three fixed lines, and nothing comes back. The
//! server, whose life they are about, has no such socket; it says a word on the channel. So a beat takes both of them.

use super::channel::Word;
use std::env;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::Duration;

/// Where it listens.
const SOCKET: &str = "NOTIFY_SOCKET";
/// How long it waits for a beat, in microseconds.
const WATCHDOG: &str = "WATCHDOG_USEC";
/// Whose beats it waits for, by number.
const WATCHED: &str = "WATCHDOG_PID";
/// How long a word may take to leave: a manager that takes none is not waited for.
const TELL_TIME_MAX: Duration = Duration::from_secs(5);

/// The way to it.
pub struct Manager(UnixDatagram);

impl Manager {
    /// Connects to the one that started this process and wants to hear; `None` if none does.
    ///
    /// # Errors
    /// It names no socket, or one that cannot be reached.
    pub fn reach() -> io::Result<Option<Self>> {
        env::var_os(SOCKET).filter(|name| !name.is_empty()).map(|name| Self::at(&name)).transpose()
    }

    fn at(name: &OsStr) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            [b'@', name @ ..] if !name.is_empty() => SocketAddr::from_abstract_name(name)?,
            _ => return Err(io::Error::new(ErrorKind::InvalidInput, "it is neither a path nor an @name")),
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        // Behind the fences it could not be set.
        socket.set_write_timeout(Some(TELL_TIME_MAX))?;
        Ok(Self(socket))
    }

    /// Says it. Where nobody hears it, there is nothing else to be done.
    pub fn tell(&self, word: Word) {
        let line: &[u8] = match word {
            Word::Ready => b"READY=1",
            Word::Beat => b"WATCHDOG=1",
            Word::Stopping => b"STOPPING=1",
        };
        let _ = self.0.send(line);
    }
}

/// How long the manager waits for a beat of this process, as a server is to hear it; `None` if it waits for none.
pub fn patience() -> Option<String> {
    let of_another = env::var(WATCHED).is_ok_and(|pid| pid != std::process::id().to_string());
    env::var(WATCHDOG).ok().filter(|_| !of_another)
}

/// Starts a program without a word of the manager: none but the keeper speaks to it.
pub fn hide(command: &mut Command) {
    for name in [SOCKET, WATCHDOG, WATCHED] {
        command.env_remove(name);
    }
}

/// The variable in which a server hears that.
pub const PATIENCE: &str = WATCHDOG;

/// How often a server's event loop is to say that it goes round: twice in the time that is waited. `None` if nobody waits.
pub fn beat() -> Option<Duration> {
    interval(&env::var(WATCHDOG).ok()?)
}

fn interval(patience_us: &str) -> Option<Duration> {
    let patience_us = patience_us.parse::<u64>().ok()?;
    Some(Duration::from_micros(patience_us / 2)).filter(|interval| !interval.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_is_reached_by_its_path_and_by_its_name() {
        let dir = env::temp_dir().join(format!("lightproof-manager-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        let name = format!("lightproof-manager-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let by_name = UnixDatagram::bind_addr(&address).unwrap();
        for (name, socket) in [(path.into_os_string(), by_path), (format!("@{name}").into(), by_name)] {
            let manager = Manager::at(&name).unwrap();
            let words =
                [(Word::Ready, "READY=1"), (Word::Beat, "WATCHDOG=1"), (Word::Stopping, "STOPPING=1")];
            for (word, line) in words {
                manager.tell(word);
                let mut heard = [0; 64];
                let count = socket.recv(&mut heard).unwrap();
                assert_eq!(&heard[..count], line.as_bytes());
            }
            drop(socket);
            manager.tell(Word::Beat); // nobody hears it
        }
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_names_no_socket_is_an_error() {
        let long = format!("/{}", "a".repeat(200));
        for name in ["@", "notify", "vsock:2:1", "/dev/null/notify", "/proc/nobody", &long] {
            assert!(Manager::at(OsStr::new(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn there_are_two_beats_in_the_time_that_is_waited() {
        assert_eq!(interval("60000000"), Some(Duration::from_secs(30)));
        for wrong in ["", "0", "1", "-5", "a", "99999999999999999999"] {
            assert_eq!(interval(wrong), None, "{wrong}");
        }
    }
}

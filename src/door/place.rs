//! Where the socket is: a name in the folder of the vault, which nobody but its owner can enter.

use rustix::fs::{FlockOperation, Mode, flock};
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{RecvFlags, recv};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Its name in the folder of the vault.
const NAME: &str = "door";

/// How long a server waits for the place of one that ends, and a verb for the end of one that no longer answers.
const LOCKED_TIME_MAX: Duration = Duration::from_secs(1);
const ENDING_TIME_MAX: Duration = Duration::from_secs(5);
const AGAIN_TIME: Duration = Duration::from_millis(10);

/// The socket of a server. Its name goes with it.
pub struct Door {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of the socket's file.
    file: (u64, u64),
    /// Locked as long as this server is there: whoever has it may replace what an earlier one left behind.
    _folder: File,
}

impl Door {
    /// Makes the socket in the folder of the vault; `None` if another server has it.
    ///
    /// # Errors
    /// What the system says; the name belongs to something else.
    pub fn make(vault: &Path) -> io::Result<Option<Self>> {
        let folder = crate::paths::open_folder(vault)?;
        let until = Instant::now() + LOCKED_TIME_MAX;
        loop {
            match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) if Instant::now() >= until => return Ok(None),
                // One that was killed has it until the kernel has taken back its memory.
                Err(Errno::WOULDBLOCK) => std::thread::sleep(AGAIN_TIME),
                locked => break locked?,
            }
        }
        let path = vault.join(NAME);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(&path)?,
            Ok(_) => {
                let what = format!("{} is there and is no socket; move it away", path.display());
                return Err(io::Error::new(ErrorKind::AlreadyExists, what));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // From its first moment on it is for nobody else.
        let umask = rustix::process::umask(Mode::RWXG | Mode::RWXO);
        let listener = UnixListener::bind(by_descriptor(&folder));
        rustix::process::umask(umask);
        let listener = listener?;
        let made = fs::symlink_metadata(&path)?;
        Ok(Some(Self { listener, path, file: (made.dev(), made.ino()), _folder: folder }))
    }

    /// Takes the name away: nobody comes any more.
    pub fn close(&self) {
        let is_own = |found: fs::Metadata| (found.dev(), found.ino()) == self.file;
        if fs::symlink_metadata(&self.path).is_ok_and(is_own) {
            // What is left behind answers nobody, and the next server replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Whoever comes next.
    ///
    /// # Errors
    /// What the system says.
    pub fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().map(|(stream, _)| stream)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.close();
    }
}

/// A connection to the server that has this vault, if one of this user is there and speaks, or is too busy to. One that was killed
/// can be connected to until the kernel has taken back its memory; nobody is behind that.
pub fn reach(vault: &Path) -> Option<UnixStream> {
    let until = Instant::now() + ENDING_TIME_MAX;
    loop {
        let stream = connect(vault)?;
        if !ends_unheard(&stream) || Instant::now() >= until {
            return Some(stream);
        }
        std::thread::sleep(AGAIN_TIME);
    }
}

/// Whether nothing comes any more and nothing came; what comes is left for whoever reads. The server speaks first.
fn ends_unheard(stream: &UnixStream) -> bool {
    let waits = stream.set_read_timeout(Some(ENDING_TIME_MAX));
    let heard = recv(stream, &mut [0; 1], RecvFlags::PEEK);
    let kept = stream.set_read_timeout(None);
    waits.and(kept).is_ok() && matches!(heard, Ok((_, 0)) | Err(Errno::CONNRESET))
}

/// A connection, whoever is behind it. Neither a folder that others may write in, nor somebody else's socket, is taken for its: a
/// passphrase goes there.
fn connect(vault: &Path) -> Option<UnixStream> {
    let own = rustix::process::geteuid();
    let folder = crate::paths::open_folder(vault).ok()?;
    let found = folder.metadata().ok()?;
    let door = fs::symlink_metadata(by_descriptor(&folder)).ok()?;
    let is_ours = found.uid() == own.as_raw() && found.mode() & 0o022 == 0 && door.uid() == own.as_raw();
    // Where no server is, no socket is made either.
    if !is_ours || !door.file_type().is_socket() {
        return None;
    }
    let stream = UnixStream::connect(by_descriptor(&folder)).ok()?;
    (socket_peercred(&stream).ok()?.uid == own).then_some(stream)
}

/// A path that is short, however long that of the folder is.
fn by_descriptor(folder: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::os::unix::fs::PermissionsExt as _;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("lightproof-door-{name}-{}", std::process::id()));
        // A path that is longer than the name of a socket may be.
        let folder = folder.join("a".repeat(120));
        fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    #[test]
    fn one_server_has_the_door_and_the_next_replaces_what_was_left() {
        let folder = folder("one");
        assert!(connect(&folder).is_none());
        let first = Door::make(&folder).expect("made").expect("free");
        assert!(Door::make(&folder).expect("looked at").is_none(), "a second server takes it away");
        assert!(connect(&folder).is_some());
        assert_eq!(fs::metadata(folder.join(NAME)).expect("there").mode() & 0o077, 0);
        drop(first);
        assert!(!folder.join(NAME).exists());
        // As a killed server leaves it.
        drop(UnixListener::bind(by_descriptor(&File::open(&folder).expect("there"))).expect("bound"));
        assert!(folder.join(NAME).exists() && connect(&folder).is_none());
        let next = Door::make(&folder).expect("made").expect("free");
        assert!(connect(&folder).is_some());
        drop(next);
        fs::remove_dir_all(folder.parent().expect("above")).expect("removed");
    }

    #[test]
    fn only_its_own_socket_is_taken_away_and_only_ones_own_is_reached() {
        let folder = folder("other");
        let door = Door::make(&folder).expect("made").expect("free");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("ours");
        assert!(connect(&folder).is_none(), "others may write there");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("ours");
        fs::remove_file(folder.join(NAME)).expect("there");
        fs::write(folder.join(NAME), "mine").expect("written");
        drop(door);
        assert_eq!(fs::read(folder.join(NAME)).expect("there"), b"mine");
        fs::remove_dir_all(folder.parent().expect("above")).expect("removed");
    }

    #[test]
    fn what_is_no_socket_stays() {
        let folder = folder("file");
        fs::write(folder.join(NAME), "mine").expect("written");
        assert_eq!(Door::make(&folder).err().expect("refused").kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(folder.join(NAME)).expect("there"), b"mine");
        assert!(connect(&folder).is_none());
        fs::remove_dir_all(folder.parent().expect("above")).expect("removed");
    }

    #[test]
    fn a_server_that_ends_before_it_speaks_is_none() {
        let folder = folder("ends");
        let place = File::open(&folder).expect("there");
        let listener = UnixListener::bind(by_descriptor(&place)).expect("bound");
        // Nobody accepts, as in a process that was killed; its sockets go some time later.
        let dying = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            drop(listener);
        });
        assert!(reach(&folder).is_none());
        dying.join().expect("it only waits");
        fs::remove_file(folder.join(NAME)).expect("it stays");

        let living = UnixListener::bind(by_descriptor(&place)).expect("bound");
        let speaks = std::thread::spawn(move || {
            let (mut stream, _) = living.accept().expect("somebody comes");
            stream.write_all(b"hello").expect("heard");
        });
        let mut heard = String::new();
        reach(&folder).expect("it speaks").read_to_string(&mut heard).expect("read");
        assert_eq!(heard, "hello", "a part was taken away");
        speaks.join().expect("it spoke");
        fs::remove_dir_all(folder.parent().expect("above")).expect("removed");
    }
}

//! Standard output and standard error of `lightproof-audit`.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, Write};

/// How long to wait between two looks at the log.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };

/// Writes data to standard output, past the standard library's handle, which takes a descriptor that cannot be written for
/// one that was. `false` if its reader has closed the pipe.
///
/// # Errors
/// What the system says; people have been told by then.
pub fn say(mut bytes: &[u8]) -> io::Result<bool> {
    while !bytes.is_empty() {
        match rustix::io::write(io::stdout(), bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::PIPE) => return Ok(false),
            Err(error) => {
                let error = io::Error::from(error);
                talk(&format!("error: what was found could not be written to standard output: {error}\n"));
                return Err(error);
            }
        }
    }
    Ok(true)
}

/// Writes to people; if nobody listens there is nothing more to do.
pub fn talk(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Waits a moment; `false` if nobody reads standard output any more.
pub fn pause() -> bool {
    let stdout = io::stdout();
    let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
    let polled = poll(&mut watched, Some(&LOOK));
    polled.is_err() || !watched[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

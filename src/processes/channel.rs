//! What keeper and server say to each other: two bytes a message, with one of them the sockets of an engine, behind another
//! one how the keeper is fenced, and behind a third why there is no engine.
//!
//! A descriptor crosses here and nowhere else: only the keeper may send one, only the server may take one, and its filter
//! allows that on this socket only.

use engine::supply::Pair;
use engine::wire::Fenced;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, recvmsg, send, sendmsg, socketpair,
};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

const ENGINE: u8 = 1;
const GAVE_UP: u8 = 2;
const END: u8 = 3;
const WORKED: u8 = 4;
const REPLACE: u8 = 5;
const FENCED: u8 = 6;
const TELL: u8 = 7;
/// The longest message.
const BYTES_MAX: usize = 2048;

/// The keeper's end.
pub struct KeeperEnd(OwnedFd);

/// The server's end.
pub struct ServerEnd(OwnedFd);

/// What the server hears.
pub enum Heard {
    /// An engine was started; its number, and its sockets.
    Engine(u8, Pair),
    /// An engine was started, and its sockets found no room here.
    Lost(u8),
    /// How the keeper is fenced.
    Fenced(Fenced),
    /// No engine will be started any more.
    GaveUp {
        /// Why none ever was, if none was: a sentence for people, and the exit code.
        why: Option<(u8, String)>,
    },
    /// Somebody asks for the program's end, or the keeper has ended.
    End {
        /// The keeper has ended.
        last: bool,
    },
}

/// What a service manager is to hear of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It answers.
    Ready,
    /// Its event loop goes round.
    Beat,
    /// It ends.
    Stopping,
}

impl Word {
    const ALL: [Self; 3] = [Self::Ready, Self::Beat, Self::Stopping];
}

/// What the keeper hears.
pub enum Asked {
    /// The engine has made a picture.
    Worked,
    /// The engine with this number is to be ended.
    Replace(u8),
    /// This is for the service manager.
    Tell(Word),
    /// The server says nothing any more.
    Nothing,
}

/// Both ends.
///
/// # Errors
/// What the system says.
pub fn pair() -> io::Result<(KeeperEnd, OwnedFd)> {
    let (keeper, server) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    Ok((KeeperEnd(keeper), server))
}

impl KeeperEnd {
    /// Hands the sockets of an engine over.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn engine(&self, number: u8, work: &UnixStream, checks: &UnixStream) -> io::Result<()> {
        let descriptors: [BorrowedFd<'_>; 2] = [work.as_fd(), checks.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        sendmsg(&self.0, &[IoSlice::new(&[ENGINE, number])], &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Says how this process is fenced.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn fenced(&self, fenced: &Fenced) -> io::Result<()> {
        say(&self.0, &[&[FENCED, 0], &fenced.encode()[..]].concat())
    }

    /// Says that no engine will be started any more, and why none ever was: the exit code and a sentence, which the server says
    /// in the place of its own, so that one process speaks.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn gave_up(&self, why: Option<(u8, &str)>) -> io::Result<()> {
        let (code, text) = why.unwrap_or_default();
        let text = &text[..text.floor_char_boundary(BYTES_MAX - 2)];
        say(&self.0, &[&[GAVE_UP, code], text.as_bytes()].concat())
    }

    /// Asks for the server's end.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn end(&self) -> io::Result<()> {
        say(&self.0, &[END, 0])
    }

    /// What the server says; call it when there is something.
    pub fn hear(&self) -> Asked {
        let mut said = [0; 2];
        match recv(&self.0, &mut said, RecvFlags::empty()) {
            Ok((_, 2)) => match said {
                [WORKED, _] => Asked::Worked,
                [REPLACE, number] => Asked::Replace(number),
                [TELL, word] => {
                    Word::ALL.get(usize::from(word)).map_or(Asked::Nothing, |word| Asked::Tell(*word))
                }
                _ => Asked::Nothing,
            },
            _ => Asked::Nothing,
        }
    }
}

impl AsFd for KeeperEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl ServerEnd {
    /// The end that was handed down.
    pub fn new(channel: OwnedFd) -> Self {
        Self(channel)
    }

    /// Waits for what the keeper says.
    pub fn hear(&self) -> Heard {
        let mut said = [0; BYTES_MAX];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let received =
                recvmsg(&self.0, &mut [IoSliceMut::new(&mut said)], &mut control, RecvFlags::CMSG_CLOEXEC);
            match received {
                Err(rustix::io::Errno::INTR) => {}
                received => break received,
            }
        };
        let mut descriptors = control.drain().flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect::<Vec<_>>(),
            _ => Vec::new(),
        });
        let bytes = received.map_or(0, |received| received.bytes);
        match (said.get(..bytes).unwrap_or_default(), descriptors.next(), descriptors.next()) {
            ([ENGINE, number], Some(work), Some(checks)) => {
                Heard::Engine(*number, Pair { work: work.into(), checks: checks.into() })
            }
            ([ENGINE, number], ..) => Heard::Lost(*number),
            ([FENCED, 0, fields @ ..], ..) => {
                Fenced::decode(fields).map_or(Heard::End { last: true }, Heard::Fenced)
            }
            ([GAVE_UP, code, text @ ..], ..) => {
                let why = (*code, String::from_utf8_lossy(text).into_owned());
                Heard::GaveUp { why: Some(why).filter(|(code, _)| *code != 0) }
            }
            ([END, _], ..) => Heard::End { last: false },
            _ => Heard::End { last: true },
        }
    }

    /// Says that the engine has made a picture. Nobody need hear it.
    pub fn worked(&self) {
        let _ = say(&self.0, &[WORKED, 0]);
    }

    /// Has a service manager told something. Where nobody hears it, this process is about to end.
    pub fn tell(&self, word: Word) {
        let _ = say(&self.0, &[TELL, word as u8]);
    }

    /// Asks for the end of an engine. Where nobody hears it, none is left.
    pub fn replace(&self, number: u8) {
        let _ = say(&self.0, &[REPLACE, number]);
    }
}

fn say(socket: &OwnedFd, message: &[u8]) -> io::Result<()> {
    match send(socket, message, SendFlags::NOSIGNAL)? {
        sent if sent == message.len() => Ok(()),
        _ => Err(ErrorKind::WriteZero.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};

    #[test]
    fn words_and_sockets_cross() {
        let (keeper, server) = pair().unwrap();
        let server = ServerEnd::new(server);
        let ((mut near, work), (_, checks)) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        keeper.engine(7, &work, &checks).unwrap();
        drop(work);
        let Heard::Engine(7, mut pair) = server.hear() else { panic!("no engine") };
        near.write_all(b"x").unwrap();
        pair.work.read_exact(&mut [0]).unwrap();
        let fenced =
            Fenced { plan: [1; 32], report: [2; 32], fences: 3, amber: 4, landlock_abi: 7, uid0: true };
        keeper.fenced(&fenced).unwrap();
        assert!(matches!(server.hear(), Heard::Fenced(found) if found == fenced));
        say(&keeper.0, &[ENGINE, 8]).unwrap();
        assert!(matches!(server.hear(), Heard::Lost(8)));
        keeper.gave_up(None).unwrap();
        keeper.gave_up(Some((6, "no \u{e9}ngine"))).unwrap();
        keeper.gave_up(Some((1, &"\u{e9}".repeat(BYTES_MAX)))).unwrap();
        keeper.end().unwrap();
        assert!(matches!(server.hear(), Heard::GaveUp { why: None }));
        let Heard::GaveUp { why: Some((6, text)) } = server.hear() else { panic!("no reason") };
        assert_eq!(text, "no \u{e9}ngine");
        let Heard::GaveUp { why: Some((1, text)) } = server.hear() else { panic!("no long reason") };
        assert_eq!(text, "\u{e9}".repeat(BYTES_MAX / 2 - 1));
        assert!(matches!(server.hear(), Heard::End { last: false }));
        server.worked();
        server.replace(7);
        assert!(matches!(keeper.hear(), Asked::Worked));
        assert!(matches!(keeper.hear(), Asked::Replace(7)));
        for word in Word::ALL {
            server.tell(word);
            assert!(matches!(keeper.hear(), Asked::Tell(heard) if heard == word));
        }
        say(&server.0, &[TELL, 9]).unwrap();
        assert!(matches!(keeper.hear(), Asked::Nothing));
        drop(keeper);
        assert!(matches!(server.hear(), Heard::End { last: true }));
        server.replace(7);
    }

    #[test]
    fn a_server_that_says_nothing_is_heard() {
        let (keeper, server) = pair().unwrap();
        drop(server);
        assert!(matches!(keeper.hear(), Asked::Nothing));
        assert!(keeper.end().is_err());
    }
}

//! One socket between the two processes: whole messages, bounded in length and in time.

use crate::Nonsense;
use crate::wire::{Answer, Ask, FIELDS_BYTES_MAX, Question};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Length of the fields, length of the pixels, number of the question.
const HEAD_BYTES: usize = 16;
/// A message that has begun is over by then.
const MESSAGE_TIME_MAX: Duration = Duration::from_secs(60);

/// Why the other end is not listened to any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It has ended.
    Ended,
    /// It said what makes no sense here.
    Nonsense,
    /// It said nothing.
    Silent,
}

impl From<Nonsense> for Fault {
    fn from(_: Nonsense) -> Self {
        Self::Nonsense
    }
}

/// As it came.
struct Message {
    number: u64,
    fields: Zeroizing<Vec<u8>>,
    pixels: Vec<u8>,
}

/// A socket, and where it is in the conversation.
pub(crate) struct Line {
    stream: UnixStream,
    /// Of the last question.
    number: u64,
}

impl Line {
    /// `wait` is how long a read waits for a byte, and a write for room.
    pub fn new(stream: UnixStream, wait: Option<Duration>) -> io::Result<Self> {
        stream.set_read_timeout(wait)?;
        stream.set_write_timeout(wait)?;
        Ok(Self { stream, number: 0 })
    }

    /// A way to end it that others may have.
    pub fn ender(&self) -> io::Result<impl Fn() + Clone + use<>> {
        let stream = Arc::new(self.stream.try_clone()?);
        // One that has ended needs no end.
        Ok(move || drop(stream.shutdown(Shutdown::Both)))
    }

    /// Asks, and gives back the number of the question.
    pub fn ask(&mut self, ask: Ask<'_>) -> Result<u64, Fault> {
        self.number += 1;
        self.send(self.number, &ask.encode(), &[])?;
        Ok(self.number)
    }

    /// How long a read waits for a byte, and a write for room, from now on.
    pub fn wait(&self, wait: Duration) -> Result<(), Fault> {
        let set = self.stream.set_read_timeout(Some(wait));
        set.and_then(|()| self.stream.set_write_timeout(Some(wait))).map_err(|_| Fault::Ended)
    }

    /// The answer to the question with this number, with at most so many bytes of pixels; number 0 is what comes unasked.
    /// `silent` is called whenever nothing has come for a while, and may give up.
    pub fn answer(
        &mut self,
        number: u64,
        pixel_bytes_max: usize,
        mut silent: impl FnMut() -> Result<(), Fault>,
    ) -> Result<Answer, Fault> {
        let message = self.receive(pixel_bytes_max, &mut silent)?;
        if message.number != number {
            return Err(Fault::Nonsense);
        }
        Ok(Answer::decode(&message.fields, message.pixels)?)
    }

    /// The next question with its number; `None` if nobody asks any more.
    pub fn question(&mut self) -> Result<Option<(u64, Question)>, Fault> {
        match self.receive(0, &mut || Ok(())) {
            Ok(Message { number, fields, .. }) => Ok(Some((number, Question::decode(&fields)?))),
            Err(Fault::Ended) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Answers the question with this number; 0 is no question.
    pub fn tell(&mut self, number: u64, answer: &Answer) -> Result<(), Fault> {
        let (fields, pixels) = answer.encode();
        self.send(number, &fields, pixels)
    }

    fn send(&mut self, number: u64, fields: &[u8], pixels: &[u8]) -> Result<(), Fault> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| Fault::Nonsense);
        let mut head = [0; HEAD_BYTES];
        head[..4].copy_from_slice(&length(fields)?.to_le_bytes());
        head[4..8].copy_from_slice(&length(pixels)?.to_le_bytes());
        head[8..].copy_from_slice(&number.to_le_bytes());
        for part in [&head, fields, pixels] {
            self.stream.write_all(part).map_err(|error| match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Fault::Silent,
                _ => Fault::Ended,
            })?;
        }
        Ok(())
    }

    fn receive(
        &mut self,
        pixel_bytes_max: usize,
        silent: &mut impl FnMut() -> Result<(), Fault>,
    ) -> Result<Message, Fault> {
        let mut begun = None;
        let mut head = [0; HEAD_BYTES];
        self.fill(&mut head, &mut begun, silent)?;
        let [a, b, c, d, e, f, g, h, number @ ..] = head;
        let (fields, pixels) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        // Held against the bounds before any room is made.
        let bounded = |bytes: u32, bytes_max: usize| {
            usize::try_from(bytes).ok().filter(|bytes| *bytes <= bytes_max).ok_or(Fault::Nonsense)
        };
        let mut fields = Zeroizing::new(vec![0; bounded(fields, FIELDS_BYTES_MAX)?]);
        let mut pixels = vec![0; bounded(pixels, pixel_bytes_max)?];
        self.fill(&mut fields, &mut begun, silent)?;
        self.fill(&mut pixels, &mut begun, silent)?;
        Ok(Message { number: u64::from_le_bytes(number), fields, pixels })
    }

    /// Reads until `bytes` is full. `begun` is when the first byte of the message came.
    fn fill(
        &mut self,
        bytes: &mut [u8],
        begun: &mut Option<Instant>,
        silent: &mut impl FnMut() -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.stream.read(rest) {
                Ok(0) => return Err(Fault::Ended),
                Ok(count) => {
                    filled += count;
                    begun.get_or_insert_with(Instant::now);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if begun.is_none() {
                        silent()?;
                    }
                }
                Err(_) => return Err(Fault::Ended),
            }
            if begun.is_some_and(|begun| begun.elapsed() > MESSAGE_TIME_MAX) {
                return Err(Fault::Silent);
            }
        }
        Ok(())
    }
}

//! What the server has of the other two processes: a thread that hears the keeper, and the engines that it hands over.

use super::channel::{Heard, ServerEnd, Word};
use crate::signals;
use engine::supply::{Pair, Supply};
use engine::wire::Fenced;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

/// The engines that the keeper starts.
pub struct Engines {
    channel: Arc<ServerEnd>,
    keeper: Arc<OnceLock<Fenced>>,
    given_up: Arc<OnceLock<(u8, String)>>,
    started: Receiver<(u8, Pair)>,
    /// Number of the last one that came.
    number: u8,
}

/// Hears the keeper from now on. A word that asks for the end is a signal to this process, as if it had come itself.
///
/// # Errors
/// No thread can be made.
pub fn listen(channel: OwnedFd) -> io::Result<Engines> {
    let end = Arc::new(ServerEnd::new(channel));
    let (start, started) = self::channel();
    let (keeper, given_up) = (Arc::<OnceLock<_>>::default(), Arc::<OnceLock<_>>::default());
    let (of_thread, fenced, why) = (Arc::clone(&end), Arc::clone(&keeper), Arc::clone(&given_up));
    thread::Builder::new().name("keeper".into()).spawn(move || hear(&of_thread, &fenced, &why, start))?;
    Ok(Engines { channel: end, keeper, given_up, started, number: 0 })
}

impl Engines {
    /// How the keeper is fenced; it has said so by the time an engine comes.
    pub fn keeper(&self) -> Arc<OnceLock<Fenced>> {
        Arc::clone(&self.keeper)
    }

    /// Why no engine ever was started, if the keeper has said so: the exit code, and a sentence.
    pub fn given_up(&self) -> Arc<OnceLock<(u8, String)>> {
        Arc::clone(&self.given_up)
    }

    /// What has a service manager told of this server.
    pub fn teller(&self) -> impl Fn(Word) + 'static {
        let channel = Arc::clone(&self.channel);
        move |word| channel.tell(word)
    }
}

fn hear(
    channel: &ServerEnd,
    keeper: &OnceLock<Fenced>,
    given_up: &OnceLock<(u8, String)>,
    start: Sender<(u8, Pair)>,
) {
    // Gone when the keeper gives up: whoever waits is told.
    let mut start = Some(start);
    loop {
        match channel.hear() {
            Heard::Engine(number, pair) => {
                // Nobody takes it once the program ends.
                let _ = start.as_ref().map(|start| start.send((number, pair)));
            }
            // Too few descriptors are left for now; the next one may find room.
            Heard::Lost(number) => channel.replace(number),
            Heard::Fenced(fenced) => drop(keeper.set(fenced)),
            Heard::GaveUp { why } => {
                // First: whoever is told that there is none asks why.
                let _ = why.map(|why| given_up.set(why));
                start = None;
            }
            Heard::End { last } => {
                let _ = signals::relay();
                if last {
                    return;
                }
            }
        }
    }
}

impl Supply for Engines {
    fn next(&mut self, wait: Duration) -> Result<Option<Pair>, String> {
        match self.started.recv_timeout(wait) {
            Ok((number, pair)) => {
                self.number = number;
                Ok(Some(pair))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(match self.number {
                0 => "no engine could be started; what is said beside this may tell why",
                _ => {
                    "the engine ended again and again before it made a picture, and is not started any more; pictures can be \
                     looked at and exported, and for new ones start the program again"
                }
            }
            .into()),
        }
    }

    fn replace(&mut self) {
        self.channel.replace(self.number);
    }

    fn worked(&mut self) {
        self.channel.worked();
    }
}

//! What the keeper hands to the processes that it starts: descriptors by number, and facts that they cannot find out
//! themselves, in one variable of the environment.
//!
//! Whoever sets it by hand deceives a process of his own, and no fence depends on it: what it says of the network is
//! verified, and a descriptor is held against what it must be.

use std::env;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use crate::{Error, raw};

/// The variable. Its value is words: `channel=N`, `listener=N`, `managed`, `network=WORD`, `keeper=PROCESS`.
pub(crate) const HANDED_DOWN: &str = "HANDED_DOWN";

/// As it was found at the start of a process.
#[derive(Default)]
pub(crate) struct Handed {
    pub channel: Option<OwnedFd>,
    pub listener: Option<OwnedFd>,
    pub managed: bool,
    /// What the keeper made of the network, for a process that is inside it.
    pub network: Option<String>,
}

/// What a command needs to start a process with it. Drop it when that process runs.
pub struct HandDown {
    value: String,
    _descriptors: Vec<OwnedFd>,
}

impl HandDown {
    /// For the server, which starts outside the keeper's fences: its end of the channel, a socket that a service manager gave, and
    /// whatever else this process was started with and is to keep its number.
    pub(crate) fn for_server(
        channel: OwnedFd,
        listener: Option<OwnedFd>,
        others: Vec<OwnedFd>,
        managed: bool,
    ) -> io::Result<Self> {
        let mut words = vec![format!("channel={}", channel.as_raw_fd())];
        words.extend(listener.as_ref().map(|listener| format!("listener={}", listener.as_raw_fd())));
        words.extend(managed.then(|| "managed".to_owned()));
        let descriptors: Vec<OwnedFd> = [channel].into_iter().chain(listener).chain(others).collect();
        descriptors.iter().try_for_each(raw::survive_exec)?;
        Ok(Self { value: words.join(" "), _descriptors: descriptors })
    }

    /// For an engine, which starts inside the keeper's fences: what the keeper made of the network.
    pub(crate) fn for_engine(network: &str) -> Self {
        Self { value: format!("network={network} keeper={}", std::process::id()), _descriptors: Vec::new() }
    }

    /// Name and value of the variable.
    pub fn variable(&self) -> (&'static str, &str) {
        (HANDED_DOWN, &self.value)
    }
}

impl Handed {
    /// Takes what was handed down, if anything was.
    pub fn take() -> Result<Self, Error> {
        let Some(text) = env::var_os(HANDED_DOWN) else { return Ok(Self::default()) };
        let text = text.into_string().map_err(|_| Error::HandedDown)?;
        let (mut handed, mut keeper) = (Self::default(), None);
        for word in text.split(' ') {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            let number = || value.parse::<i32>().ok().filter(|number| *number > 2).ok_or(Error::HandedDown);
            match key {
                "channel" if handed.channel.is_none() => handed.channel = Some(channel(number()?)?),
                "listener" if handed.listener.is_none() => {
                    handed.listener = Some(raw::take_descriptor(number()?).map_err(Error::HandedOver)?);
                }
                "managed" => handed.managed = true,
                "network" => handed.network = Some(value.to_owned()),
                "keeper" => keeper = value.parse::<u32>().ok(),
                _ => return Err(Error::HandedDown),
            }
        }
        if handed.network.is_some() {
            raw::end_with_parent().map_err(|_| Error::HandedDown)?;
            // It may have ended before: then this process ends as the kernel would have ended it, without a word.
            if keeper.ok_or(Error::HandedDown)? != std::os::unix::process::parent_id() {
                raw::end_now();
            }
        }
        Ok(handed)
    }
}

/// A channel is a socket of this machine that keeps messages apart.
fn channel(number: i32) -> Result<OwnedFd, Error> {
    let channel = raw::take_descriptor(number).map_err(Error::HandedOver)?;
    let option = |name| raw::socket_option(&channel, name).map_err(|_| Error::HandedDown);
    match (option(libc::SO_DOMAIN)?, option(libc::SO_TYPE)?) {
        (libc::AF_UNIX, libc::SOCK_SEQPACKET) => Ok(channel),
        _ => Err(Error::HandedDown),
    }
}

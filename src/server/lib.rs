//! HTTP: routes, guards, sessions, event streams, and the page that uses them. `API.md` is the contract.
//!
//! Belongs here: everything that is about requests and answers. Does not belong here: what an act does and what is put
//! on record about it (`darkroom`), fences (`sandbox`), Burn.
//!
//! A request goes through these files from the top to the bottom:
//!
//! | file | does |
//! |---|---|
//! | `connection.rs` | accepts, bounds how long and how large the head of a request may be, gives up readers that take nothing |
//! | `peers.rs` | which user of this machine a connection comes from |
//! | `headers.rs` | puts the security headers on every answer |
//! | `guard.rs` | method, Host, Origin, Sec-Fetch-Site, Upgrade, content type: before any route; then the token, as its route says |
//! | `api.rs` | the table of routes, and who may ask for each |
//! | `vault.rs`, `people.rs`, `tokens.rs`, `pending.rs`, `jobs.rs`, `events.rs`, `images.rs`, `posture.rs` | one act of the darkroom each, and its answer as JSON |
//! | `controls.rs` | the controls, which whoever starts the server brings along |
//! | `log.rs` | the log, read, verified, and a slice of it |
//! | `pages.rs` | the page's files |
//! | `gate.rs` | tries whether the guard still refuses |
//! | `doorway.rs` | the way in for verbs at the command line |
//! | `session.rs` | who may ask: tokens, guesses, the setup code, the idle lock |
//! | `retention.rs` | pictures whose period is over |
//! | `prompts.rs` | what a session keeps of what was typed in it |
//! | `problem.rs` | every error that is answered |
//!
//! One thread runs the event loop. Acts of the darkroom may wait for the disk or for argon2, so they run beside it.

mod api;
mod body;
mod connection;
mod controls;
mod doorway;
mod events;
mod gate;
mod guard;
mod headers;
mod images;
mod jobs;
mod log;
mod pages;
mod peers;
mod pending;
mod people;
mod posture;
mod problem;
mod prompts;
mod retention;
mod session;
#[cfg(test)]
mod tests;
mod tokens;
mod vault;

use darkroom::{Clock as _, Darkroom, Engine, Fenced, Queue, Rules, StopReason, SystemClock};
use policy::{KeepPrompts, Limits, Process};
use sandbox::{Report, Sandboxed};
use session::{Held, Sessions};
use std::convert::Infallible;
use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, watch};

pub use controls::{Controls, Untold, Wanted};
pub use doorway::{Doorway, Outside, Visit};
pub use gate::{Forged, Gate};
pub use peers::rows as socket_rows;
pub use session::SetupCode;

/// Requests that may wait beside the one in work.
const WAITING_MAX: usize = 8;

/// Acts that may wait side by side for the disk, argon2 and each other; more wait for one of them to end.
const ACTS_MAX: usize = 32;

/// Descriptors that the server has without anybody, and for what it opens in the middle of an act: some 33 with an open vault.
const OWN_FILES_MAX: u64 = 40;

/// What a server is made of.
pub struct Parts {
    /// Vault and log.
    pub darkroom: Darkroom,
    /// The loaded model.
    pub engine: Box<dyn Engine>,
    /// The fences, to be tried again whenever somebody asks.
    pub sandboxed: Sandboxed,
    /// What they are.
    pub report: Report,
    /// What each process of the program says of its fences at its start, this one among them.
    pub processes: Vec<(Process, Fenced)>,
    /// What tries the controls.
    pub controls: Box<dyn Controls>,
    /// The policy's limits.
    pub limits: Limits,
    /// May prompts be kept?
    pub keep_prompts: KeepPrompts,
    /// Where sealed pictures lie, for people.
    pub outputs: PathBuf,
    /// The clock that sessions are measured by.
    pub clock: SystemClock,
    /// What makes the vault on a first start.
    pub setup: Option<SetupCode>,
    /// Whether a vault that a machine secret has opened stays open while nobody asks for anything.
    pub stays_open: bool,
    /// The port of the listener, for Host and Origin.
    pub port: u16,
}

/// The server. Made before it serves, so that whoever starts it can do the last steps of the start behind it.
pub struct Server {
    house: Arc<House>,
    stop: Arc<Notify>,
    port: u16,
}

/// What every route may use.
struct House {
    queue: Arc<Queue>,
    sessions: Arc<Sessions>,
    peers: peers::Peers,
    fences: posture::Fences,
    controls: Box<dyn Controls>,
    /// Held while the controls are tried.
    trying: Mutex<()>,
    readings: log::Readings,
    guard: guard::Guard,
    clock: SystemClock,
    outputs: PathBuf,
    connections_max: usize,
    idle_s: u64,
    streams: events::Streams,
    asked: jobs::Asked,
    /// Counts changes of requests, pictures and sessions.
    changes: watch::Sender<u64>,
    stopping: AtomicBool,
    log_failed: AtomicBool,
}

/// What whoever started a server hears of its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The next connection will be answered.
    Ready,
    /// The event loop goes round.
    Round,
    /// No further connection is taken, and the end begins.
    Stopping,
}

/// Ends a server from any thread.
#[derive(Clone)]
pub struct Stop(Arc<Notify>);

impl Stop {
    /// Asks the server to end: requests fail or finish, the vault is locked, the end is on record.
    pub fn stop(&self) {
        self.0.notify_one();
    }
}

impl Server {
    /// Starts the engine's thread. Nothing is accepted yet.
    ///
    /// # Errors
    /// No thread could be started, or the system gives no randomness; the end is on record.
    pub fn new(parts: Parts) -> std::io::Result<Self> {
        let asked = match jobs::Asked::new() {
            Ok(asked) => asked,
            Err(error) => {
                let _ = parts.darkroom.leave(StopReason::Error); // the first error is the one to tell
                return Err(error);
            }
        };
        let rules =
            Rules { limits: parts.limits, keep_prompts: parts.keep_prompts, waiting_max: WAITING_MAX };
        let changes = watch::Sender::new(0);
        let tell = changes.clone();
        let notify = move || tell.send_modify(|count| *count += 1);
        let idle_s = parts.limits.idle_seconds_max;
        let connections_max = connections_max(parts.limits.open_files_max);
        let house = House {
            sessions: Arc::new(Sessions::new(
                idle_s * 1000,
                parts.setup,
                match (parts.darkroom.is_open(), parts.stays_open && parts.darkroom.is_unattended()) {
                    (true, true) => Held::ToTheEnd,
                    (true, false) => Held::ForAWhile,
                    (false, _) => Held::Not,
                },
                &parts.clock,
            )),
            peers: peers::Peers::new(parts.port),
            queue: Arc::new(Queue::start(parts.darkroom, parts.engine, rules, notify)?),
            fences: posture::Fences::new(parts.sandboxed, parts.report, parts.processes),
            controls: parts.controls,
            trying: Mutex::default(),
            readings: log::Readings::default(),
            guard: guard::Guard::new(parts.port),
            clock: parts.clock,
            outputs: parts.outputs,
            connections_max,
            idle_s,
            streams: events::Streams::default(),
            asked,
            changes,
            stopping: AtomicBool::new(false),
            log_failed: AtomicBool::new(false),
        };
        Ok(Self { house: Arc::new(house), stop: Arc::default(), port: parts.port })
    }

    /// Tells users of this machine from each other by the kernel's table of sockets, `/proc/net/tcp` of the network that
    /// the listener is in, so that one who guesses passphrases locks out nobody else. Without it all are one user.
    pub fn tell_users(&self, table: File) {
        self.house.peers.read(table);
    }

    /// The darkroom behind it.
    pub fn queue(&self) -> &Queue {
        &self.house.queue
    }

    /// Tries the fences from all threads that exist now.
    ///
    /// # Errors
    /// The first fence that did not hold.
    pub fn try_fences(&self) -> Result<(), sandbox::Error> {
        self.house.fences.try_all(self.house.clock.wall_ms(), || ()).map(drop)
    }

    /// The way in for verbs at the command line, which come by a socket that lets in this user of the machine alone.
    pub fn doorway(&self, user: u32) -> Doorway {
        Doorway::new(Arc::clone(&self.house), user)
    }

    /// What tries whether the guard in front of its routes still refuses.
    pub fn gate(&self) -> Gate {
        Gate::new(&self.house, self.port)
    }

    /// What ends it.
    pub fn stop_handle(&self) -> Stop {
        Stop(Arc::clone(&self.stop))
    }

    /// Serves until it is stopped; then ends what is in work, locks the vault and puts the end on record. `tell` hears of
    /// each [`Moment`], of [`Moment::Round`] this often; it must not wait, since the event loop calls it.
    ///
    /// # Errors
    /// The event loop could not be made, or what vault and log say at the end.
    pub fn run(
        self,
        listener: TcpListener,
        rounds: Option<Duration>,
        tell: impl Fn(Moment),
    ) -> Result<(), Error> {
        let served = self.serve(listener, rounds, tell);
        if let Err(Error::Io(_)) = served {
            let _ = self.house.queue.close(StopReason::Error); // the first error is the one to tell
        }
        served
    }

    fn serve(
        &self,
        listener: TcpListener,
        rounds: Option<Duration>,
        tell: impl Fn(Moment),
    ) -> Result<(), Error> {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().max_blocking_threads(ACTS_MAX).build()?;
        let Self { house, stop, .. } = self;
        runtime.block_on(async {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let idle = tokio::spawn(session::watch_idle(Arc::clone(house)));
            let retention = tokio::spawn(retention::watch(Arc::clone(house)));
            tell(Moment::Ready);
            let accepting =
                connection::accept(&listener, house, api::router(Arc::clone(house)), stop.notified());
            let connections = tokio::select! {
                connections = accepting => connections,
                never = going_round(rounds, &tell) => match never {},
            };
            tell(Moment::Stopping);
            house.stopping.store(true, Ordering::Relaxed);
            // Before the sessions end: a verb whose session is over cancels its request.
            house.queue.stop();
            house.sessions.end_all();
            house.changed();
            idle.abort();
            retention.abort();
            let closing = Arc::clone(house);
            let closed = tokio::task::spawn_blocking(move || closing.queue.close(StopReason::Signal)).await;
            connection::drain(&connections).await;
            closed.map_err(std::io::Error::other)?.map_err(Error::from)
        })
    }
}

/// How many connections may be open with so many descriptors: each takes one, and as many are left for what is done for it.
fn connections_max(open_files_max: u64) -> usize {
    (open_files_max / 2).min(open_files_max.saturating_sub(OWN_FILES_MAX)).clamp(16, 512) as usize
}

/// Says again and again that the event loop goes round: by the thread that answers, so that nobody says it for one that hangs.
async fn going_round(rounds: Option<Duration>, tell: &impl Fn(Moment)) -> Infallible {
    let Some(rounds) = rounds else { return std::future::pending().await };
    let mut ticks = tokio::time::interval(rounds);
    loop {
        ticks.tick().await;
        tell(Moment::Round);
    }
}

impl House {
    fn now_ms(&self) -> u64 {
        self.clock.mono_ms()
    }

    /// Wakes the event streams and the idle lock.
    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

/// Why a server ended otherwise than in order.
#[derive(Debug)]
pub enum Error {
    /// The event loop.
    Io(std::io::Error),
    /// Vault or log.
    Darkroom(darkroom::Error),
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<darkroom::Error> for Error {
    fn from(error: darkroom::Error) -> Self {
        Self::Darkroom(error)
    }
}

//! Connections: how many, how long and how large the head of a request may be, and how long an answer may lie untaken.

use crate::House;
use crate::session::Key;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_io_timeout::TimeoutStream;

/// A head must be whole after this time; a connection without a request is closed then.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// Size of a head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Fields of a head.
const HEAD_FIELDS_MAX: usize = 48;
/// A pause of the reader that ends the connection.
const READER_PAUSE_MAX: Duration = Duration::from_secs(15);
/// How long answers that are on their way may take when the server ends.
const LAST_ANSWERS_TIME_MAX: Duration = Duration::from_secs(2);
/// A pause when no descriptor is left.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts, and lets `routes` answer until `stop`; gives the number of connections that are open then.
pub async fn accept(
    listener: &TcpListener,
    house: &Arc<House>,
    routes: axum::Router,
    stop: impl Future<Output = ()>,
) -> Arc<AtomicUsize> {
    let service = TowerToHyperService::new(routes);
    let count = Arc::new(AtomicUsize::new(0));
    let mut connections = Connections { max: house.connections_max, taken: VecDeque::new() };
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => return count,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let served = serve(stream, service.clone(), Arc::clone(house), connections.take(peer));
        let open = Arc::clone(&count);
        open.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            served.await;
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Waits for the last answers to be read; what is still open then is somebody who does not read.
pub async fn drain(count: &AtomicUsize) {
    let last = async {
        while count.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(PAUSE).await;
        }
    };
    let _ = tokio::time::timeout(LAST_ANSWERS_TIME_MAX, last).await;
}

async fn serve(
    stream: TcpStream,
    service: TowerToHyperService<axum::Router>,
    house: Arc<House>,
    connection: Arc<Connection>,
) {
    let of_requests = Arc::clone(&connection);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Arc::clone(&of_requests));
        service.call(request)
    });
    // Small answers are not held back; without it they come a little later.
    let _ = stream.set_nodelay(true);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME_MAX).half_close(false);
    http.max_buf_size(HEAD_BYTES_MAX).max_headers(HEAD_FIELDS_MAX);
    let mut served = pin!(http.serve_connection(patient(stream), service));
    let mut changes = house.changes.subscribe();
    loop {
        tokio::select! {
            // Whatever ended it, the other side is gone or was told.
            _ = served.as_mut() => return,
            () = connection.leave.notified() => return,
            changed = changes.changed() => {
                if changed.is_err() || house.stopping.load(Ordering::Relaxed) {
                    served.as_mut().graceful_shutdown();
                    let _ = served.as_mut().await;
                    return;
                }
            }
        }
    }
}

/// A stream that gives up when the other side takes nothing: hyper bounds the reading of a head, not the writing of an
/// answer, and who never reads would keep a connection and its plain bytes for good.
fn patient(stream: TcpStream) -> TokioIo<Pin<Box<TimeoutStream<TcpStream>>>> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(READER_PAUSE_MAX));
    TokioIo::new(Box::pin(stream))
}

/// One of the connections that there may be.
pub struct Connection {
    /// The other end.
    peer: SocketAddr,
    /// It waits for something that was promised to it.
    stays: AtomicBool,
    /// Whose token came through it first.
    known: OnceLock<Key>,
    /// It has to make room.
    leave: Notify,
}

impl Connection {
    /// The address at the other end.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// While the answer lives, it makes room for nobody. No user may have more than a few of these.
    pub fn stay(self: &Arc<Self>) -> Stay {
        self.stays.store(true, Ordering::Relaxed);
        Stay(Arc::clone(self))
    }

    /// A request of this session came through it.
    pub fn is_known(&self, key: Key) {
        self.known.get_or_init(|| key);
    }
}

/// Keeps a place.
pub struct Stay(Arc<Connection>);

impl Drop for Stay {
    fn drop(&mut self) {
        self.0.stays.store(false, Ordering::Relaxed);
    }
}

/// All of them, the oldest first. Only the accepting task holds this.
struct Connections {
    max: usize,
    taken: VecDeque<Weak<Connection>>,
}

impl Connections {
    /// A place for one more; if there is none left, somebody makes room, unless all stay.
    fn take(&mut self, peer: SocketAddr) -> Arc<Connection> {
        self.taken.retain(|connection| connection.strong_count() > 0);
        if self.taken.len() >= self.max
            && let Some(connection) = self.next_to_leave().and_then(|at| self.taken.remove(at)?.upgrade())
        {
            connection.leave.notify_one();
        }
        let stays = AtomicBool::new(false);
        let connection = Arc::new(Connection { peer, stays, known: OnceLock::new(), leave: Notify::new() });
        self.taken.push_back(Arc::downgrade(&connection));
        connection
    }

    /// The oldest of whoever holds the most: of a session, or of all who have shown no token. Who takes more than their
    /// part pays for it themselves.
    fn next_to_leave(&self) -> Option<usize> {
        let movable = |connection: &Arc<Connection>| !connection.stays.load(Ordering::Relaxed);
        let connections = self.taken.iter().map(Weak::upgrade).enumerate();
        let keys: Vec<(usize, Option<Key>)> = connections
            .filter_map(|(at, connection)| Some((at, connection.filter(movable)?.known.get().copied())))
            .collect();
        let mut held = HashMap::new();
        keys.iter().for_each(|(_, key)| *held.entry(key).or_insert(0) += 1);
        let most = held.values().max();
        let mut leaving = keys.iter().filter(|(_, key)| held.get(key) == most);
        let oldest = leaving.clone().next();
        leaving.find(|(_, key)| key.is_none()).or(oldest).map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> SocketAddr {
        "127.0.0.1:49153".parse().unwrap()
    }

    fn key(number: u8) -> Key {
        Key::of(&number.to_string())
    }

    /// As many connections as `keys`, each taken by a session or by a stranger.
    fn full(keys: &[Option<u8>]) -> (Connections, Vec<Arc<Connection>>) {
        let mut connections = Connections { max: keys.len(), taken: VecDeque::new() };
        let taken: Vec<_> = keys.iter().map(|_| connections.take(peer())).collect();
        for (connection, number) in taken.iter().zip(keys) {
            if let Some(number) = number {
                connection.is_known(key(*number));
            }
        }
        (connections, taken)
    }

    #[test]
    fn who_holds_the_most_makes_room() {
        for (keys, leaves) in [
            (vec![Some(1), None, Some(2), None], 1),
            (vec![Some(1), Some(2), Some(2), Some(3)], 1),
            (vec![Some(1), Some(2), Some(1), Some(2)], 0),
            (vec![Some(3), Some(2), Some(2), Some(2)], 1),
            (vec![Some(1), None, Some(1), Some(1)], 0),
            (vec![Some(1), Some(1), None, None], 2),
        ] {
            let (mut connections, taken) = full(&keys);
            assert_eq!(connections.next_to_leave(), Some(leaves), "{keys:?}");
            let newcomer = connections.take(peer());
            assert_eq!(connections.taken.len(), keys.len());
            assert!(
                !connections
                    .taken
                    .iter()
                    .any(|connection| connection.ptr_eq(&Arc::downgrade(&taken[leaves])))
            );
            drop(newcomer);
        }
    }

    #[test]
    fn who_waits_for_something_promised_stays() {
        let (mut connections, taken) = full(&[None, None, None]);
        let stay = taken[0].stay();
        assert_eq!(connections.next_to_leave(), Some(1));
        let _newcomer = connections.take(peer());
        assert!(taken[0].stays.load(Ordering::Relaxed));
        drop(stay);
        assert_eq!(connections.next_to_leave(), Some(0));
    }
}

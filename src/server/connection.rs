//! Connections: how many, and how long and how large the head of a request may be.

use crate::House;
use crate::patience::Patient;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A head must be whole after this time; a connection without a request is closed then.
const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// Size of a head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Fields of a head.
const HEAD_FIELDS_MAX: usize = 48;
/// How long answers that are on their way may take when the server ends.
const LAST_ANSWERS_TIME_MAX: Duration = Duration::from_secs(2);
/// A pause when no descriptor is left.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts and answers until `stop`; gives the number of connections that are open then.
pub async fn accept(
    listener: &TcpListener,
    house: &Arc<House>,
    stop: impl Future<Output = ()>,
) -> Arc<AtomicUsize> {
    let service = TowerToHyperService::new(crate::api::router(Arc::clone(house)));
    let count = Arc::new(AtomicUsize::new(0));
    let mut places = Places { max: house.connections_max, taken: VecDeque::new() };
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => return count,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Some(place) = places.take() else { continue };
        let connection = serve(stream, service.clone(), Arc::clone(house), place);
        let open = Arc::clone(&count);
        open.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            connection.await;
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
    place: Arc<Place>,
) {
    let of_requests = Arc::clone(&place);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Arc::clone(&of_requests));
        service.call(request)
    });
    // Small answers are not held back; without it they come a little later.
    let _ = stream.set_nodelay(true);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME_MAX).half_close(false);
    http.max_buf_size(HEAD_BYTES_MAX).max_headers(HEAD_FIELDS_MAX);
    let mut connection = pin!(http.serve_connection(TokioIo::new(Patient::new(stream)), service));
    let mut changes = house.changes.subscribe();
    loop {
        tokio::select! {
            // Whatever ended it, the other side is gone or was told.
            _ = connection.as_mut() => return,
            () = place.leave.notified() => return,
            changed = changes.changed() => {
                if changed.is_err() || house.stopping.load(Ordering::Relaxed) {
                    connection.as_mut().graceful_shutdown();
                    let _ = connection.as_mut().await;
                    return;
                }
            }
        }
    }
}

/// One of the connections that there may be.
#[derive(Default)]
pub struct Place {
    /// A request with a good token came through it.
    known: AtomicBool,
    /// It has to make room.
    leave: Notify,
}

impl Place {
    /// From now on it stays when others need room.
    pub fn is_known(&self) {
        self.known.store(true, Ordering::Relaxed);
    }
}

/// All of them, the oldest first. Only the accepting task holds this.
struct Places {
    max: usize,
    taken: VecDeque<Weak<Place>>,
}

impl Places {
    /// A place for one more. If there is none left, the oldest that has shown no token makes room; if all have, nobody
    /// does, and the newcomer is turned away.
    fn take(&mut self) -> Option<Arc<Place>> {
        self.taken.retain(|place| place.strong_count() > 0);
        if self.taken.len() >= self.max {
            let stranger = |place: &Weak<Place>| {
                place.upgrade().is_some_and(|place| !place.known.load(Ordering::Relaxed))
            };
            let at = self.taken.iter().position(stranger)?;
            self.taken.remove(at).and_then(|place| place.upgrade())?.leave.notify_one();
        }
        let place = Arc::new(Place::default());
        self.taken.push_back(Arc::downgrade(&place));
        Some(place)
    }
}

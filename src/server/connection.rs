//! Connections: how many, and how long and how large the head of a request may be.

use crate::House;
use crate::patience::Patient;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

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
        let slot = Slot::take(&count, house.connections_max);
        let Some(slot) = slot else { continue };
        let connection = serve(stream, service.clone(), Arc::clone(house));
        tokio::spawn(async move {
            connection.await;
            drop(slot);
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

async fn serve(stream: TcpStream, service: TowerToHyperService<axum::Router>, house: Arc<House>) {
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
struct Slot(Arc<AtomicUsize>);

impl Slot {
    fn take(count: &Arc<AtomicUsize>, max: usize) -> Option<Self> {
        let slot = Self(Arc::clone(count));
        // The drop of a refused slot takes its count back.
        (slot.0.fetch_add(1, Ordering::Relaxed) < max).then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

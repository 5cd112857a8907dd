//! Whether the guard in front of the routes still refuses what comes by a name that is not this server's: put to the routes
//! themselves, behind the socket, since the process reaches no network, its own address neither.

use crate::{House, api};
use axum::body::Body;
use axum::http::{HeaderName, Method, Request, header};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The routes of a server, for as long as it serves.
pub struct Gate {
    house: Weak<House>,
    port: u16,
}

/// What came of requests with forged names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forged {
    /// How many were tried.
    pub tried: u64,
    /// How many of them were let in.
    pub let_in: u64,
    /// Whether a request without anything forged was: a gate that is shut refuses all.
    pub own_is_let_in: bool,
}

impl Gate {
    pub(crate) fn new(house: &Arc<House>, port: u16) -> Self {
        Self { house: Arc::downgrade(house), port }
    }

    /// Tries them; `None` once nothing is served any more. Nothing is on record, and nobody's guess is counted.
    pub fn try_forged(&self) -> Option<Forged> {
        let routes = TowerToHyperService::new(api::router(self.house.upgrade()?));
        let port = self.port;
        let own = format!("127.0.0.1:{port}");
        // Another address of the loopback, a name that somebody's name server leads here, another port, none, and what a browser
        // sends for a page of another site.
        let hosts = [
            format!("127.0.0.2:{port}"),
            format!("rebound.example:{port}"),
            format!("localhost.example:{port}"),
            format!("[::1]:{port}"),
            format!("127.0.0.1:{}", port ^ 1),
            String::new(),
        ];
        let others = [
            (header::ORIGIN, "http://rebound.example".to_owned()),
            (header::ORIGIN, format!("https://{own}")),
            (header::ORIGIN, format!("http://127.0.0.1:{}", port ^ 1)),
            (header::ORIGIN, "null".to_owned()),
            (SITE, "cross-site".to_owned()),
            (SITE, "same-site".to_owned()),
        ];
        let is_let_in = |host: &str, other: Option<&(HeaderName, String)>| {
            let mut request = Request::builder().method(Method::GET).uri("/").header(header::HOST, host);
            if let Some((name, value)) = other {
                request = request.header(name, value);
            }
            // The page's first file: it waits for nothing, and what would have to wait was let in.
            let mut answer = pin!(routes.call(request.body(Body::empty()).ok()?));
            Some(match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Ok(answer)) => !answer.status().is_client_error(),
                _ => true,
            })
        };
        let mut forged = Forged { own_is_let_in: is_let_in(&own, None)?, ..Forged::default() };
        let tried = hosts.iter().map(|host| is_let_in(host, None));
        for was_let_in in tried.chain(others.iter().map(|other| is_let_in(&own, Some(other)))) {
            forged.tried += 1;
            forged.let_in += u64::from(was_let_in?);
        }
        Some(forged)
    }
}

//! What goes on: the present state, once for who asks again and again, or as an event stream that says it anew whenever
//! it changes.

use crate::House;
use crate::body::Id;
use crate::jobs;
use crate::problem::Problem;
use crate::session::Key;
use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use darkroom::{Darkroom, JobId, Who};
use http_body::Frame;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// A comment after this time without an event: proxies stay awake, and readers that are gone are noticed.
const COMMENT_INTERVAL: Duration = Duration::from_secs(15);
/// Streams of one session at a time; with one more, its oldest gives way.
const STREAMS_MAX: usize = 8;
/// How long a reader waits that was told to give way, if it opens streams again by itself.
const REOPEN_MS: u64 = 60_000;
/// Who asked for the present state watches on for this long: previews are made for the next look.
const LOOK_TIME: Duration = Duration::from_secs(5);

/// The present state, once. A page asks for it again and again: a stream would hold one of the six connections that a
/// browser has for this program, over all its windows.
pub async fn state(
    State(house): State<Arc<House>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Value>, Problem> {
    let jobs = jobs::all(&house, &who)?;
    let watch = house.queue.watch();
    tokio::spawn(async move {
        tokio::time::sleep(LOOK_TIME).await;
        drop(watch);
    });
    let warnings = house.queue.warnings();
    Ok(Json(json!({
        "jobs": jobs, "pictures": house.queue.pictures_version(&who), "posture": house.posture(),
        "pending": house.queue.count_waiting(&who),
        "warnings": warnings.iter().map(|warning| warning.word()).collect::<Vec<_>>(),
    })))
}

/// Everything.
pub async fn all(State(house): State<Arc<House>>, Extension(key): Extension<Key>) -> Response {
    stream(house, key, None)
}

/// One request, until it has ended.
pub async fn of_job(
    State(house): State<Arc<House>>,
    Extension(key): Extension<Key>,
    Extension(who): Extension<Who>,
    Id(id): Id,
) -> Result<Response, Problem> {
    let id = JobId(id);
    house.queue.job(&who, id)?;
    Ok(stream(house, key, Some(id)))
}

fn stream(house: Arc<House>, key: Key, job: Option<JobId>) -> Response {
    let (sender, receiver) = channel(4);
    let leave = house.streams.open(key);
    tokio::spawn(async move { tell(&house, key, job, &leave, Events { sender, count: 0 }).await });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::new(Stream(receiver))).into_response()
}

/// Sends until the session, the request or the reader ends. `None` is the reader's end.
async fn tell(
    house: &Arc<House>,
    key: Key,
    only: Option<JobId>,
    leave: &Notify,
    mut events: Events,
) -> Option<()> {
    let _watch = house.queue.watch();
    let mut changes = house.changes.subscribe();
    let (mut seen, mut pictures) = (0, None);
    loop {
        // First, so that what changes from here on wakes the loop again.
        changes.borrow_and_update();
        let lives = !house.stopping.load(Ordering::Relaxed) && house.sessions.lives(key, house.now_ms());
        let who = house.sessions.who(key).filter(|_| lives);
        let Some((who, jobs)) = who.and_then(|who| Some((who, house.queue.jobs(&who).ok()?))) else {
            return events.send("locked", &json!({})).await;
        };
        let mut ended = true; // also one that is forgotten
        let mut newest = seen;
        for job in jobs {
            if only.is_some_and(|id| id != job.id) {
                continue;
            }
            if job.version > seen {
                events.send("job", &jobs::describe(&job)).await?;
            }
            newest = newest.max(job.version);
            ended = job.state.is_over();
        }
        seen = newest;
        if only.is_some() && ended {
            return Some(());
        }
        let version = house.queue.pictures_version(&who);
        if only.is_none() && pictures != Some(version) {
            let count = move |darkroom: &mut Darkroom| Ok(darkroom.page(&who, None, 0)?.total);
            if let Ok(total) = house.act(move |queue| queue.with(count)).await {
                events.send("images", &json!({ "total": total })).await?;
            }
            pictures = Some(version);
        }
        tokio::select! {
            changed = changes.changed() => changed.ok()?,
            () = leave.notified() => return events.give_way().await,
            () = tokio::time::sleep(COMMENT_INTERVAL) => events.comment().await?,
        }
    }
}

/// The streams that are open, the oldest first.
#[derive(Default)]
pub struct Streams(Mutex<Vec<(Key, Weak<Notify>)>>);

impl Streams {
    /// One more of a session, and what tells it to give way.
    fn open(&self, key: Key) -> Arc<Notify> {
        let leave = Arc::default();
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(_, leave)| leave.strong_count() > 0);
        open.push((key, Arc::downgrade(&leave)));
        let mut own = open.iter().enumerate().filter(|(_, (of, _))| *of == key).map(|(at, _)| at);
        let oldest = own.next().filter(|_| own.count() >= STREAMS_MAX);
        if let Some(oldest) = oldest.and_then(|at| open.remove(at).1.upgrade()) {
            oldest.notify_one();
        }
        leave
    }
}

struct Events {
    sender: Sender<Bytes>,
    count: u64,
}

impl Events {
    async fn send(&mut self, name: &str, data: &Value) -> Option<()> {
        self.count += 1;
        self.put(format!("id: {}\nevent: {name}\ndata: {data}\n\n", self.count)).await
    }

    async fn give_way(&mut self) -> Option<()> {
        self.put(format!("retry: {REOPEN_MS}\n")).await?;
        self.send("displaced", &json!({})).await
    }

    async fn comment(&mut self) -> Option<()> {
        self.put(": still here\n\n".to_owned()).await
    }

    async fn put(&mut self, text: String) -> Option<()> {
        // A reader that takes nothing loses its connection, and with it the other end of this.
        self.sender.send(text.into()).await.ok()
    }
}

/// The body of a stream.
struct Stream(Receiver<Bytes>);

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

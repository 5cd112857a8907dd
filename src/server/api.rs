//! The table of routes. Each one says beside its handler who may ask for it; there is no way to add one without that,
//! and an address that is not in the table is answered by nobody.

use crate::problem::Problem;
use crate::{
    House, controls, events, guard, headers, images, jobs, log, pages, pending, people, posture, tokens,
    vault,
};
use axum::Router;
use axum::handler::Handler;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodFilter, MethodRouter, on};
use darkroom::{Error, Kind, Queue, Scope};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use guard::Access::{self, Anyone, By, Look, Open, Session, Watch};

const GENERATE: Access = By(&[Scope::Generate]);
const READ: Access = By(&[Scope::Read]);
const AUDIT: Access = By(&[Scope::Audit]);

/// What is answered, to whom, and by what.
pub struct Route {
    /// `GET`, `POST` or `DELETE`.
    #[cfg_attr(not(test), expect(dead_code, reason = "for who compares the table with the contract"))]
    pub method: &'static str,
    /// The address, with `{id}` for an id.
    pub path: String,
    /// Who may ask.
    pub access: Access,
    answer: MethodRouter<Arc<House>>,
}

/// Everything that is answered.
pub fn table() -> Vec<Route> {
    let mut table = vec![
        get("/healthz", Open, posture::health),
        get("/readyz", Open, vault::ready),
        get("/api/v1/status", Open, vault::status),
        post("/api/v1/setup", Open, vault::set_up),
        post("/api/v1/session", Open, vault::unlock),
        delete("/api/v1/session", Anyone, vault::leave),
        post("/api/v1/recovery", Session, vault::replace_recovery),
        post("/api/v1/passphrase", Anyone, people::set_passphrase),
        get("/api/v1/people", Session, people::list),
        post("/api/v1/people", Session, people::add),
        post("/api/v1/people:remove", Session, people::remove),
        post("/api/v1/people:role", Session, people::set_role),
        post("/api/v1/people:resolve", Session, people::resolve),
        get("/api/v1/api-tokens", Anyone, tokens::list),
        post("/api/v1/api-tokens", Anyone, tokens::make),
        post("/api/v1/api-tokens:revoke", Anyone, tokens::revoke),
        get("/api/v1/pending", Session, pending::list),
        post("/api/v1/pending:confirm", Session, pending::confirm),
        post("/api/v1/pending:refuse", Session, pending::refuse),
        get("/api/v1/holds", Session, people::holds),
        post("/api/v1/holds", Session, people::hold),
        post("/api/v1/holds:end", Session, people::end_hold),
        get("/api/v1/state", Look, events::state),
        get("/api/v1/capabilities", By(&Scope::ALL), vault::capabilities),
        post("/api/v1/prompts", Session, jobs::prompts),
        post("/api/v1/tokens", GENERATE, jobs::measure),
        get("/api/v1/jobs", GENERATE, jobs::list),
        post("/api/v1/jobs", GENERATE, jobs::submit),
        get("/api/v1/jobs/{id}", GENERATE, jobs::show),
        delete("/api/v1/jobs/{id}", GENERATE, jobs::cancel),
        get("/api/v1/jobs/{id}/preview", GENERATE, jobs::preview),
        get("/api/v1/jobs/{id}/events", Watch, events::of_job),
        get("/api/v1/events", Watch, events::all),
        get("/api/v1/images", READ, images::list),
        post("/api/v1/images:delete", Session, images::delete_many),
        post("/api/v1/thumbnails", READ, images::thumbnails),
        get("/api/v1/images/{id}", READ, images::show),
        delete("/api/v1/images/{id}", Session, images::delete),
        get("/api/v1/images/{id}/content", READ, images::content),
        get("/api/v1/images/{id}/thumbnail", READ, images::thumbnail),
        post("/api/v1/images/{id}/export", READ, images::export),
        get("/api/v1/posture", AUDIT, posture::show),
        get("/api/v1/evidence", AUDIT, controls::show),
        post("/api/v1/evidence/run", AUDIT, controls::run),
        post("/api/v1/evidence/export", AUDIT, controls::export),
        get("/api/v1/audit", AUDIT, log::show),
        post("/api/v1/audit/verify", AUDIT, log::verify),
        get("/api/v1/audit/export", AUDIT, log::export),
        get("/", Open, async || pages::answer(&pages::FILES[0])),
    ];
    table.extend(
        pages::FILES.iter().map(|file| get(format!("/{}", file.0), Open, async move || pages::answer(file))),
    );
    table
}

fn get<T: 'static>(path: impl Into<String>, access: Access, handler: impl Handler<T, Arc<House>>) -> Route {
    Route { method: "GET", path: path.into(), access, answer: on(MethodFilter::GET, handler) }
}

fn post<T: 'static>(path: &str, access: Access, handler: impl Handler<T, Arc<House>>) -> Route {
    Route { method: "POST", path: path.into(), access, answer: on(MethodFilter::POST, handler) }
}

fn delete<T: 'static>(path: &str, access: Access, handler: impl Handler<T, Arc<House>>) -> Route {
    Route { method: "DELETE", path: path.into(), access, answer: on(MethodFilter::DELETE, handler) }
}

/// The table behind its guards; what they do not let through reaches none of it.
pub fn router(house: Arc<House>) -> Router {
    let mut router = Router::new();
    for Route { path, access, answer, .. } in table() {
        let admit = from_fn_with_state((Arc::clone(&house), access), guard::admit);
        router = router.route(&path, answer.route_layer(admit));
    }
    router
        .fallback(async || Problem::NOT_FOUND)
        .method_not_allowed_fallback(async || Problem::NO_METHOD)
        .layer(from_fn_with_state(Arc::clone(&house), guard::stand))
        .layer(from_fn(headers::put))
        .with_state(house)
}

impl House {
    /// An act of the darkroom, beside the event loop.
    pub async fn act<T: Send + 'static>(
        self: &Arc<Self>,
        act: impl FnOnce(&Queue) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Problem> {
        self.beside(|house| act(&house.queue).map_err(Problem::from)).await
    }

    /// Anything that may wait, beside the event loop.
    pub async fn beside<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err(Error::Stopping.into());
        }
        // A panic is no answer of its own; where it happened is on stderr.
        let house = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || work(&house)).await.unwrap_or(Err(Problem::INTERNAL));
        let failed = |problem: &Problem| matches!(problem.kind(), Some(Kind::Log | Kind::Unrecorded));
        let log_failed = done.as_ref().is_err_and(failed);
        self.log_failed.fetch_or(log_failed, Ordering::Relaxed);
        done
    }
}

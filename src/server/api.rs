//! The table of routes.

use crate::problem::Problem;
use crate::{House, events, guard, headers, images, jobs, pages, posture, vault};
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use darkroom::{Error, Queue};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Everything that is answered; what the guard does not let through reaches none of it.
pub fn router(house: Arc<House>) -> Router {
    let v1 = Router::new()
        .route("/status", get(vault::status))
        .route("/setup", post(vault::set_up))
        .route("/session", post(vault::unlock).delete(vault::lock))
        .route("/capabilities", get(vault::capabilities))
        .route("/jobs", get(jobs::list).post(jobs::submit))
        .route("/jobs/{id}", get(jobs::show).delete(jobs::cancel))
        .route("/jobs/{id}/preview", get(jobs::preview))
        .route("/jobs/{id}/events", get(events::of_job))
        .route("/events", get(events::all))
        .route("/images", get(images::list))
        .route("/images:delete", post(images::delete_many))
        .route("/images/{id}", get(images::show).delete(images::delete))
        .route("/images/{id}/content", get(images::content))
        .route("/images/{id}/thumbnail", get(images::thumbnail))
        .route("/images/{id}/export", post(images::export))
        .route("/posture", get(posture::show));
    Router::new()
        .nest("/api/v1", v1)
        .route("/healthz", get(async || axum::Json(serde_json::json!({ "status": "ok" }))))
        .route("/readyz", get(vault::ready))
        .fallback(pages::file)
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
        let log_failed = done.as_ref().is_err_and(|problem| problem.parts().0 == "log");
        self.log_failed.fetch_or(log_failed, Ordering::Relaxed);
        done
    }
}

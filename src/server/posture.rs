//! What holds, tried now.

use crate::House;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use darkroom::Clock as _;
use sandbox::{ProbeReport, Report, Sandboxed, State as Held};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The fences of this process.
pub struct Fences {
    sandboxed: Sandboxed,
    report: Report,
    /// Something that they forbid has worked.
    open: AtomicBool,
}

impl Fences {
    /// As they were put up at the start.
    pub fn new(sandboxed: Sandboxed, report: Report) -> Self {
        Self { sandboxed, report, open: AtomicBool::new(false) }
    }

    /// `green`, `amber` or `red`.
    pub fn state(&self) -> &'static str {
        match (self.are_open(), self.report.overall()) {
            (true, _) => "red",
            (false, Held::Green) => "green",
            (false, _) => "amber",
        }
    }

    /// Whether one was found open. It stays so: what came through may have stayed.
    pub fn are_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Tries everything that they forbid. `found` is called when one is found open for the first time.
    ///
    /// # Errors
    /// The first that did not hold.
    pub fn try_all(&self, found: impl FnOnce()) -> Result<ProbeReport, sandbox::Error> {
        sandbox::probe(&self.sandboxed).inspect_err(|_| {
            if !self.open.swap(true, Ordering::Relaxed) {
                found();
            }
        })
    }
}

/// That the process serves. It waits for nothing, so no answer means that nobody is there.
pub async fn health(State(house): State<Arc<House>>) -> Json<Value> {
    Json(json!({ "status": "ok", "posture": house.fences.state() }))
}

/// The report, and what was tried just now.
pub async fn show(State(house): State<Arc<House>>) -> Result<Json<Value>, Problem> {
    let tried = house.beside(|house| {
        // What cannot be recorded is answered all the same: the page turns red.
        let found = || drop(house.queue.with(|darkroom| darkroom.record_open_fence()));
        Ok(house.fences.try_all(found))
    });
    let tried = tried.await?;
    let report = &house.fences.report;
    let (probe, broken) = match &tried {
        Ok(probe) => (Some(probe), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let fences: Vec<Value> = report
        .fences
        .iter()
        .map(|fence| {
            let of_it = probe.iter().flat_map(|p| &p.tried).filter(|tried| tried.fence == fence.fence);
            json!({ "fence": fence.fence, "state": fence.state, "detail": fence.detail,
                    "tried": of_it.collect::<Vec<_>>() })
        })
        .collect();
    Ok(Json(json!({
        "state": house.fences.state(), "checked_ms": house.clock.wall_ms(), "broken": broken,
        "threads_checked": probe.map(|p| p.threads_checked), "fences": fences,
        "listen": report.listen, "holds_ipv6_loopback": report.holds_ipv6_loopback,
        "landlock_abi": report.landlock_abi, "landlock_missing": report.landlock_missing, "uid": report.uid,
    })))
}

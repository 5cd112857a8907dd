//! What holds, tried now.

use crate::House;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use darkroom::{Clock as _, Fenced};
use policy::Process;
use sandbox::{Fence, FenceReport, ProbeReport, Report, Sandboxed, State as Held};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// The fences of this process, and what the others have said of theirs.
pub struct Fences {
    sandboxed: Sandboxed,
    report: Report,
    /// Each process at its start, this one among them.
    processes: Vec<(Process, Fenced)>,
    /// Something that they forbid has worked: the fence that it came through, if the error names one.
    open: OnceLock<Option<Fence>>,
    /// When all of it was tried last, in milliseconds since 1970.
    tried_ms: AtomicU64,
}

impl Fences {
    /// As they were put up at the start.
    pub fn new(sandboxed: Sandboxed, report: Report, processes: Vec<(Process, Fenced)>) -> Self {
        Self { sandboxed, report, processes, open: OnceLock::new(), tried_ms: AtomicU64::new(0) }
    }

    /// `green`, `amber` or `red`.
    pub fn state(&self) -> &'static str {
        let all_green = self.processes.iter().all(|(_, fenced)| fenced.amber == 0);
        match (self.are_open(), self.report.overall()) {
            (true, _) => "red",
            (false, Held::Green) if all_green => "green",
            (false, _) => "amber",
        }
    }

    /// Whether one was found open. It stays so: what came through may have stayed.
    pub fn are_open(&self) -> bool {
        self.open.get().is_some()
    }

    /// Tries everything that they forbid, at `now_ms` of the wall clock. `found` is called when one is found open for the
    /// first time.
    ///
    /// # Errors
    /// The first that did not hold.
    pub fn try_all(&self, now_ms: u64, found: impl FnOnce()) -> Result<ProbeReport, sandbox::Error> {
        self.tried_ms.store(now_ms, Ordering::Relaxed);
        sandbox::probe(&self.sandboxed).inspect_err(|error| {
            if self.open.set(error.fence()).is_ok() {
                found();
            }
        })
    }

    /// What is known of them without trying anything, which anybody may know.
    pub fn summary(&self) -> Value {
        let of = |fence: &FenceReport| json!({ "fence": fence.fence, "state": self.word(fence) });
        let fences: Vec<Value> = self.report.fences.iter().map(of).collect();
        json!({ "fences": fences, "tried_ms": self.tried_ms.load(Ordering::Relaxed) })
    }

    /// How far one holds, as its state at the start or what was found since.
    fn word(&self, fence: &FenceReport) -> Value {
        match self.open.get() {
            Some(Some(open)) if *open == fence.fence => "red".into(),
            _ => json!(fence.state),
        }
    }
}

impl House {
    /// `green`, `amber` or `red`: the fences, and amber while a vault is open that no person has opened, or the newest
    /// checkpoint is not copied to where the policy says.
    pub fn posture(&self) -> &'static str {
        match self.fences.state() {
            "green" if self.queue.is_unattended() => "amber",
            "green" if self.queue.copy_state().trouble().is_some() => "amber",
            state => state,
        }
    }

    /// Tries everything that the fences forbid; one that is found open is on record.
    ///
    /// # Errors
    /// The first that did not hold.
    pub fn try_fences(&self) -> Result<ProbeReport, sandbox::Error> {
        // What cannot be recorded is answered all the same: the page turns red.
        let found = || drop(self.queue.with(|darkroom| darkroom.record_open_fence()));
        self.fences.try_all(self.clock.wall_ms(), found)
    }
}

/// That the process serves. It waits for nothing, so no answer means that nobody is there.
pub async fn health(State(house): State<Arc<House>>) -> Json<Value> {
    Json(json!({ "status": "ok", "posture": house.posture() }))
}

/// The copy of the newest checkpoint that the policy asks for: how far it goes, and what keeps it from going further.
fn copy(house: &House) -> Option<Value> {
    let state = house.queue.copy_state();
    let coverage = state.coverage();
    state.is_wanted().then(|| {
        json!({ "covers": coverage.map(|of| of.covers), "records": coverage.map(|of| of.records),
            "uncovered_since_ms": coverage.and_then(|of| of.uncovered_since_ms), "trouble": state.trouble() })
    })
}

/// The report, and what was tried just now.
pub async fn show(State(house): State<Arc<House>>) -> Result<Json<Value>, Problem> {
    let (tried, copy) = house.beside(|house| Ok((house.try_fences(), copy(house)))).await?;
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
            json!({ "fence": fence.fence, "state": house.fences.word(fence), "detail": fence.detail,
                    "tried": of_it.collect::<Vec<_>>() })
        })
        .collect();
    let of = |(process, fenced): &(Process, Fenced)| {
        let state = if fenced.amber == 0 { Held::Green } else { Held::Amber };
        json!({ "process": process, "state": state, "landlock_abi": fenced.landlock_abi })
    };
    let processes: Vec<Value> = house.fences.processes.iter().map(of).collect();
    Ok(Json(json!({
        "processes": processes, "state": house.posture(), "checked_ms": house.clock.wall_ms(), "broken": broken,
        "unattended": house.queue.is_unattended(), "checkpoint_copy": copy,
        "threads_checked": probe.map(|p| p.threads_checked), "fences": fences,
        "listen": report.listen, "holds_ipv6_loopback": report.holds_ipv6_loopback,
        "landlock_abi": report.landlock_abi, "landlock_missing": report.landlock_missing, "uid": report.uid,
    })))
}

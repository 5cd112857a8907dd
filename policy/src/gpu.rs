//! What an engine and its keeper may do besides, where a person asks for a card.

use std::collections::BTreeMap;

use crate::{CallGrant, Grants, PathGrant, Plan, Process, Refusal, Since};

/// The profile of a run with a card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OfGpu {
    /// Why calls that are not named are allowed.
    pub others: String,
    /// Of the engine; its calls are those that are narrowed.
    pub grants: Grants,
    /// The keeper's paths.
    pub of_keeper: BTreeMap<String, PathGrant>,
    /// Calls that are refused.
    pub refused: BTreeMap<String, Refusal>,
}

impl OfGpu {
    /// The paths that a process has besides; none but engine and keeper have any.
    pub fn paths(&self, process: Process) -> Option<&BTreeMap<String, PathGrant>> {
        match process {
            Process::Engine => Some(&self.grants.paths),
            Process::Keeper => Some(&self.of_keeper),
            Process::Server | Process::Client | Process::Import => None,
        }
    }

    /// What the profile names, to be taken away from.
    pub fn all_paths(&mut self) -> [&mut BTreeMap<String, PathGrant>; 2] {
        [&mut self.grants.paths, &mut self.of_keeper]
    }

    /// Turns the plan of an engine, or of its keeper, into that of a run with a card.
    ///
    /// An engine is started inside the fences of its keeper, and has of calls what both let pass. So a keeper has what the engine
    /// has, and of its own what it is a keeper by.
    pub fn apply(&self, plan: &mut Plan) {
        let own = std::mem::take(&mut plan.calls);
        plan.others = Some(self.others.clone());
        plan.absent.extend(self.grants.absent.clone());
        plan.calls = self.grants.calls.clone();
        plan.refused = self.refused.clone();
        if plan.process != Process::Keeper {
            return;
        }
        // The engine's second step is its own: nothing is refused to a keeper later on.
        plan.refused.retain(|_, refusal| refusal.since == Since::Start);
        for (name, grant) in own {
            let is_refused = plan.refused.remove(&name).is_some();
            let wider = |theirs: &CallGrant| match (grant.only, theirs.only) {
                (None, _) => true,
                (Some(ours), Some(theirs)) => ours.covers(theirs),
                (Some(_), None) => false,
            };
            if is_refused || plan.calls.get(&name).is_some_and(wider) {
                plan.calls.insert(name, grant);
            }
        }
    }
}

//! What was tried on the fences, as facts.

use evidence::{Attempt, Reading};
use sandbox::{Error, Fence, FenceReport, ProbeReport, Report, State};

/// Both controls that rest on one trial: the fences, and the network behind them. `None` if it could not be made.
pub fn readings(
    begun: impl Fn() -> Reading,
    report: &Report,
    probe: impl FnOnce() -> Result<ProbeReport, Error>,
) -> Option<[Reading; 2]> {
    let (mut whole, mut network) = (begun(), begun());
    let (tried, worked) = match probe() {
        Ok(report) => (report.tried, 0),
        Err(Error::Open { .. }) => (Vec::new(), 1),
        Err(_) => return None,
    };
    let missing = report.fences.iter().filter(|fence| fence.state == State::Missing);
    whole.fact("fences_missing", missing.count() as u64);
    whole.fact("attempts", tried.len() as u64 + worked);
    whole.fact("attempts_that_worked", worked);
    let attempts = tried.iter().filter_map(|tried| Attempt::new(tried.operation, tried.answer));
    for attempt in attempts {
        if is_of_network(attempt.operation()) {
            network.attempt(attempt.clone());
        }
        whole.attempt(attempt);
    }
    let own = |fence: &FenceReport| fence.fence == Fence::NetworkNamespace && fence.state == State::Green;
    network.fact("own_network", report.fences.iter().any(own));
    network.fact("attempts", network.attempts().len() as u64);
    network.fact("attempts_that_worked", worked);
    Some([whole, network])
}

/// Whether what was tried would have led to a network.
fn is_of_network(operation: &str) -> bool {
    let whole = ["connect", "bind", "listen", "empty network"];
    operation.contains("socket") || operation.starts_with("send ") || whole.contains(&operation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_to_a_network_is_told_from_the_rest() {
        for operation in ["make a Unix socket", "connect", "send with TCP Fast Open", "empty network"] {
            assert!(is_of_network(operation), "{operation}");
        }
        for operation in ["mount", "umask 077", "make memory executable"] {
            assert!(!is_of_network(operation), "{operation}");
        }
    }
}

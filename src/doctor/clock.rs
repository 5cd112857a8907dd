//! The clock, by which the log dates its records.

use super::finding::Finding;
use super::host::Host;

/// So much later than now may a file be: two programs read the clock at slightly different times.
const AHEAD_MS_MAX: u64 = 120_000;
/// Services that set the clock, and what each leaves in `/run` while it runs.
const OTHERS: [(&str, &str, &str); 4] = [
    ("/run/chrony", "chrony", "chronyc tracking"),
    ("/run/chronyd.pid", "chrony", "chronyc tracking"),
    ("/run/ntpd.pid", "ntpd", "ntpq -p"),
    ("/run/openntpd", "openntpd", "ntpctl -s status"),
];

/// Whether something sets the clock, and whether the newest file of the log is later than now.
pub fn clock(host: &Host, log_ms: Option<u64>, now_ms: u64) -> Finding {
    const CHECK: &str = "clock";
    let ahead_ms = log_ms.unwrap_or(0).saturating_sub(now_ms);
    if ahead_ms > AHEAD_MS_MAX {
        return Finding::needs(
            CHECK,
            format!(
                "the log was written {} min later than this clock says it is; set the clock",
                ahead_ms / 60_000
            ),
        );
    }
    if host.has("/run/systemd/timesync/synchronized") {
        return Finding::fine(CHECK, "systemd-timesyncd has synchronised it");
    }
    if host.has("/run/systemd/timesync") {
        let what = "systemd-timesyncd runs, and has not reached a server since the machine started; see: timedatectl";
        return Finding::needs(CHECK, what);
    }
    match OTHERS.iter().find(|(path, ..)| host.has(path)) {
        Some((_, service, command)) => {
            Finding::unknown(CHECK, format!("{service} sets it; whether it is synchronised says: {command}"))
        }
        None => Finding::unknown(
            CHECK,
            "no service was found that sets it (systemd-timesyncd, chrony, ntpd); compare it with another clock",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State::{Fine, NeedsPerson, Unknown};
    use crate::doctor::host::Made;

    #[test]
    fn a_clock_that_nobody_sets_or_that_went_back_is_told() {
        let of = |path: &str, log_ms| clock(&Made::with(&[(path, "")]).host, log_ms, 1_000_000);
        of("/run/systemd/timesync/synchronized", None).is(Fine, &[]);
        of("/run/systemd/timesync/synchronized", Some(1_060_000)).is(Fine, &[]);
        of("/run/systemd/timesync/synchronized", Some(1_600_000)).is(NeedsPerson, &["10 min later"]);
        of("/run/systemd/timesync/other", None).is(NeedsPerson, &["timedatectl"]);
        of("/run/chrony/chronyd.pid", None).is(Unknown, &["chronyc"]);
        of("/run/other", None).is(Unknown, &["another clock"]);
    }
}

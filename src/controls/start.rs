//! Whether what the program was started with is still what it was: the policy, the files of the model, its own, the process itself;
//! and what the host does for it.

use super::listeners::Listener;
use super::reading::{Read, timed};
use super::site::Site;
use crate::boot::seen::{Firewall, Watched};
use audit::{Digest, Order};
use evidence::Reason;
use sandbox::left_behind;

/// The controls that are tried here.
pub fn tried(site: &Site, now: &dyn Fn() -> u64) -> [(&'static str, Read); 7] {
    [
        ("INT-03", policy(site, now)),
        ("SAF-02", model(site, now)),
        ("CRY-02", process(now)),
        ("OPS-03", host(site, now)),
        ("INT-01", program(site, now)),
        ("NET-04", firewall(site, now)),
        ("KEY-03", swap(site, now)),
    ]
}

/// The policy's file against what was read of it, and what is in force against the record of the start.
fn policy(site: &Site, now: &dyn Fn() -> u64) -> Read {
    timed(now, |reading| {
        let seen = site.seen.as_ref().ok_or(Reason::TrialFailed)?;
        let file = seen.policy.now().map_err(|_| Reason::TrialFailed)?;
        let (record, recorded) = newest(site, "boot.started", "policy").ok_or(Reason::TrialFailed)?;
        reading.fact("file_replaced", file.replaced);
        reading.fact("file_now", file.digest);
        reading.fact("file_at_start", seen.policy.at_start);
        reading.fact("policy_in_force", site.policy);
        reading.fact("policy_on_record", recorded);
        reading.record(record);
        Ok(())
    })
}

/// The files are not read again: of the released model they take minutes, and the engine's process alone may.
fn model(site: &Site, now: &dyn Fn() -> u64) -> Read {
    timed(now, |reading| {
        let loaded = site.model.ok_or(Reason::NoModelLoaded)?;
        let files = site.seen.as_ref().and_then(|seen| seen.model.as_ref()).ok_or(Reason::NoModelFiles)?;
        let (record, recorded) = newest(site, "boot.ready", "model").ok_or(Reason::TrialFailed)?;
        let changed = files.iter().filter(|file| !file.is_as_it_was()).count();
        reading.fact("model_files", files.len() as u64);
        reading.fact("model_files_changed", changed as u64);
        reading.fact("model_now", loaded);
        reading.fact("model_on_record", recorded);
        reading.record(record);
        Ok(())
    })
}

fn process(now: &dyn Fn() -> u64) -> Read {
    timed(now, |reading| {
        let left = left_behind().map_err(|_| Reason::TrialFailed)?;
        reading.fact("core_bytes_max", left.core_bytes_max);
        reading.fact("dumpable", left.dumpable);
        Ok(())
    })
}

fn host(site: &Site, now: &dyn Fn() -> u64) -> Read {
    timed(now, |reading| match site.seen.as_ref().map(|seen| seen.watched) {
        Some(Watched::Folders(watched, folders)) => {
            reading.fact("folders", folders);
            reading.fact("folders_watched", watched);
            Ok(())
        }
        Some(Watched::NoAudit) => Err(Reason::NoHostAudit),
        Some(Watched::Closed) => Err(Reason::NeedsRoot),
        None => Err(Reason::TrialFailed),
    })
}

fn program(site: &Site, now: &dyn Fn() -> u64) -> Read {
    timed(now, |reading| {
        let file = site.seen.as_ref().and_then(|seen| seen.program.as_ref()).ok_or(Reason::TrialFailed)?;
        let (record, recorded) = newest(site, "boot.started", "binary").ok_or(Reason::TrialFailed)?;
        reading.fact("program_file_changed", !file.is_as_it_was());
        reading.fact("program_now", site.binary);
        reading.fact("program_on_record", recorded);
        reading.record(record);
        Ok(())
    })
}

fn firewall(site: &Site, now: &dyn Fn() -> u64) -> Read {
    timed(now, |reading| match site.seen.as_ref().map(|seen| &seen.firewall) {
        Some(Firewall::Rules(rules)) => {
            let port = site.listener.as_ref().map_or(site.port, Listener::port);
            reading.fact("rules_about_this_port", rules.ports.contains(&port));
            reading.fact("rules_loaded_at_start", rules.at_start);
            Ok(())
        }
        Some(Firewall::None) => Err(Reason::NoHostFirewall),
        Some(Firewall::Closed) => Err(Reason::NeedsRoot),
        None => Err(Reason::TrialFailed),
    })
}

fn swap(site: &Site, now: &dyn Fn() -> u64) -> Read {
    timed(now, |reading| {
        let seen = site.seen.as_ref().ok_or(Reason::TrialFailed)?;
        reading.fact("may_be_swapped", seen.may_be_swapped);
        match seen.swaps {
            Some((all, open)) => {
                reading.fact("swaps", all);
                reading.fact("open_swaps", if seen.may_be_swapped { open } else { 0 });
            }
            None if !seen.may_be_swapped => reading.fact("open_swaps", 0u64),
            None => return Err(Reason::TrialFailed),
        }
        Ok(())
    })
}

/// The digest in the newest record of a type, with its number.
fn newest(site: &Site, name: &str, field: &str) -> Option<(u64, Digest)> {
    let mut records = audit::records(&site.audit, Order::NewestFirst).ok()?.flatten();
    let record = records.find(|record| record.name == name)?;
    Some((record.seq, record.digest(field)?))
}

//! `lightproof audit prune`: records that are past the period of the policy go, once somebody has seen how many that are.

use crate::Done;
use crate::boot::{self, Booted, Wants};
use crate::cli::{Global, Keys};
use crate::exit::{Code, Failure};
use crate::output::{Output, counted};
use crate::pictures;
use audit::{Clock as _, PRUNED_TYPES, timestamp};
use darkroom::Darkroom;
use sandbox::Clean;
use serde_json::json;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, asked: (bool, bool), keys: &Keys, out: &Output) -> Done {
    let busy =
        "nothing was pruned: it is done while no server runs; end the server, prune, and start it again";
    let fenced = boot::boot(clean, global, &Wants::with(keys))?;
    let unfinished = audit::unfinished_pruning(&fenced.place_and_time().0.audit).unwrap_or_default();
    let (mut booted, mut darkroom) = fenced.darkroom().map_err(|failure| failure.if_busy(busy))?;
    // Whoever only asks what is due, or mistypes their passphrase, is told what this start has done.
    if let (Some(seq), Ok(None)) = (unfinished, audit::unfinished_pruning(&booted.folders.audit)) {
        out.warn(&format!("the pruning of record {seq}, which had been cut off, is finished by this start"));
    }
    let result = prune(&mut booted, &mut darkroom, asked, out);
    boot::leave(darkroom, result)
}

fn prune(booted: &mut Booted, darkroom: &mut Darkroom, (dry_run, yes): (bool, bool), out: &Output) -> Done {
    let Some(days) = booted.plan.log_days_max else {
        let what = "the policy sets no period after which records go (log_days_max); nothing was done";
        return Err(Failure::new(Code::Refused, what));
    };
    let who = booted.unlock(darkroom, out)?;
    let due = darkroom.due_records(&who, days)?;
    let (newest, now) = (due.newest_ms.map(timestamp), timestamp(booted.clock.wall_ms()));
    let (mut record, mut backups) = (None, Vec::new());
    match &newest {
        Some(newest) if due.records > 0 => {
            out.data(&format!(
                "{} of the records {} to {} go, {} stay; the newest of them is of {newest}, the period is {days} days, and by the clock of this machine it is {now}\n",
                due.records,
                due.from,
                due.first - 1,
                due.kept
            ));
            out.say(&format!("they are of the types {}, and of no other", PRUNED_TYPES.join(", ")));
            if !dry_run {
                if !out.has_shown()? {
                    let what = "what goes could not be shown, and nothing was pruned; see that standard output leads somewhere";
                    return Err(Failure::new(Code::Unexpected, what));
                }
                if !yes {
                    confirm(booted, due.records, newest, &now)?;
                }
                backups = darkroom.backups()?;
                let receipt = darkroom.prune_records(&who, due)?;
                record = Some(receipt.seq_first);
                let done = "pruned; the hashes stay, and the log verifies";
                out.data(&format!("record {}: {done}\n", receipt.seq_first));
                out.say("backups, exports and copies of the log from before keep what they have");
                pictures::warn_of_backups(&backups, out);
            }
        }
        _ => out.say(&format!(
            "no record goes: they go by whole blocks of 4,096, once the last of a block is older than {days} days"
        )),
    }
    out.object(
        true,
        &json!({ "days": days, "from": due.from, "first": due.first, "due": due.records, "kept": due.kept, "newest": newest, "now": now,
            "record": record, "types": PRUNED_TYPES, "backups": backups.len() }),
    );
    Ok(Code::Done)
}

fn confirm(booted: &mut Booted, count: u64, newest: &str, now: &str) -> Result<(), Failure> {
    let records = counted(usize::try_from(count).unwrap_or(usize::MAX), "record");
    if !booted.terminal.is_there() {
        let what = format!("this takes the content of {records} away for good; say so with --yes");
        return Err(Failure::new(Code::Refused, what));
    }
    let question = format!(
        "This takes the content of {records} away for good, the newest of {newest}; by the clock of this machine it is {now}. Their hashes \
         stay.\nType {count} to go on: "
    );
    match booted.terminal.ask(&question)?.trim() == count.to_string() {
        true => Ok(()),
        false => Err(Failure::new(Code::Refused, "nothing was pruned")),
    }
}

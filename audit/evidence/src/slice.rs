//! A slice of the log: the records of a period, with what leads from the first key to them. The files are those of a bundle.
//!
//! ```text
//! VERIFY.md                          how to check it with others' programs
//! audit/origin checkpoint vkeys      the log's name, its newest signed head, its keys from the first on
//! audit/hand-overs.jsonl             how each key handed over to the next
//! audit/records.jsonl                the records of the period in a row, and the hash of each that was pruned
//! audit/around.json                  where it has hashes: what proves their places
//! audit/cited/N.json                 the last of them, and where some were pruned the record that says so, byte for byte
//! audit/proofs/N.tlog-proof          that it is in the log under that head
//! ```

use crate::assemble::{cite, signatures, with_log};
use crate::error::Error;
use crate::folder::NewFolder;
use crate::period::{Row, Written};
use audit::{Item, Proofs};
use std::path::Path;

/// How to check a slice without any program of ours.
const VERIFY: &str = include_str!("SLICE.md");

/// Makes the slice in `dir`, which is made, too, of the log in `log`, beside its writer if there is one: the signed records
/// whose times lie in the period, in milliseconds since 1970. How many they are. Each is held against the newest checkpoint
/// first. Where it ends with an error nothing is left behind.
///
/// # Errors
/// [`Error::Exists`]; [`Error::Record`] for one that is not what was signed; what log and disk say.
pub fn slice(log: &Path, dir: &Path, (since_ms, until_ms): (Option<u64>, Option<u64>)) -> Result<u64, Error> {
    let proofs = Proofs::read(log)?;
    let mut folder = NewFolder::make(dir)?;
    let period = (since_ms.unwrap_or(0), until_ms.unwrap_or(u64::MAX));
    match fill(&mut folder, log, &proofs, period) {
        Ok(count) => Ok(count),
        Err(error) => {
            folder.remove();
            Err(error)
        }
    }
}

/// Whether a folder holds what a slice or a bundle has of a log, which is no log.
pub fn is_part_of_log(dir: &Path) -> bool {
    dir.join("hand-overs.jsonl").is_file() && !dir.join("checkpoints.log").exists()
}

fn fill(
    folder: &mut NewFolder,
    log: &Path,
    proofs: &Proofs,
    (since, until): (u64, u64),
) -> Result<u64, Error> {
    signatures(folder, proofs)?;
    let mut row = Row::begin(folder)?;
    for item in audit::items(log)? {
        let record = match item? {
            Item::Pruned(_, leaf) => {
                row.gone(leaf);
                continue;
            }
            Item::Record(record) => record,
        };
        let seq = record.seq;
        let Some(proof) = proofs.of(seq) else { break };
        row.see(&record);
        if !(since..=until).contains(&record.ts_ms) {
            row.pass(record.ts_ms > until);
            continue;
        }
        if !proof.holds_for(record.json().as_bytes()) {
            return Err(Error::Record { seq, what: "it is not the one that was signed" });
        }
        row.add(&record)?;
    }
    let count = row.count;
    let Written { last, pruning, .. } = row.end(folder, proofs)?;
    let pruning = pruning.filter(|pruning| last.as_ref().is_none_or(|last| last.seq != pruning.seq));
    last.iter().chain(&pruning).try_for_each(|record| cite(folder, proofs, record))?;
    folder.write("VERIFY.md", with_log(VERIFY).as_bytes())?;
    folder.seal()?;
    Ok(count)
}

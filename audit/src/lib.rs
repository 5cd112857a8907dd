//! The log: what this appliance did, without content, signed as it happens, verifiable by a stranger.
//!
//! Belongs here: the record schema, the append path, recovery, the verifier, and proofs for strangers. (`lightproof-audit` is
//! the program of `evidence`, beside.)
//! Does not belong here: whatever the events are about. This crate has never heard of prompts, pixels or passphrases,
//! and no field of an event can hold text.
//!
//! `FORMAT.md` describes every byte. The constructions are published ones: canonical JSON (RFC 8785), Merkle tree (RFC
//! 6962), Ed25519 (RFC 8032), signed notes, checkpoints and tiles (c2sp.org).
//!
//! ```no_run
//! use audit::{Event, Log, SystemClock};
//! # fn main() -> Result<(), audit::Error> {
//! let dir = std::path::Path::new("audit");
//! let (log, recovery) = Log::open(dir, SystemClock::new())?;
//! for intent in log.unfinished()?.open_intents { /* look into it, append recovery.reconciled */ }
//! let receipt = log.append(&[Event::VaultUnlockFailed {}.by_system()])?; // durable and signed
//! # Ok(()) }
//! ```

mod clock;
mod commit;
mod copy;
mod der;
mod durable;
mod entry;
mod error;
mod event;
mod explain;
mod export;
mod exported;
#[cfg(test)]
mod faults;
mod handover;
mod intent;
mod journal;
mod json;
mod keeping;
mod log;
mod memory;
mod merkle;
mod note;
mod ocsf;
mod open;
mod outside;
mod page;
mod paths;
mod proof;
mod proofs;
mod prune;
mod pruned;
mod record;
mod remembered;
mod replay;
mod report;
mod reserve;
mod schema;
mod selection;
mod spool;
mod stamp;
mod stored;
mod tail;
mod tile;
mod token;
mod told;
mod verify;
pub mod words;
mod writer;

pub use clock::{Clock, SystemClock, timestamp};
pub use copy::{
    CopiedFile, FoundFiles, copied_files, files_there, found_files, holds_private_key, is_there, put_file,
    read_file,
};
pub use entry::Entry;
pub use error::{Error, SystemError, Undone};
pub use event::{Event, SCHEMA, VERSION, schema};
pub use explain::{Explanation, Fact};
pub use export::{Form, Lines, export};
pub use exported::{Exported, ExportedError, last_record, read_exported};
pub use intent::{KnownBackup, OpenIntent, Unfinished, VaultState, backups};
pub use log::{ENTRIES_MAX, Log};
pub use note::{Checkpoint, VerifyKey, given_back};
pub use ocsf::ocsf;
pub use open::{Recovery, Truncated};
pub use outside::{Coverage, OUTSIDE_NAME, Outside, OutsideError, OutsideFlaw, OutsideWriter};
pub use page::{LOOKED_MAX, Page, page};
pub use paths::{CHECKPOINT_BYTES_MAX, SEGMENT_BYTES_MAX, checkpoint_lines, read_checkpoint};
pub use proof::{HandOver, Head, Proof, root, root_around};
pub use proofs::Proofs;
pub use prune::{Due, unfinished_pruning};
pub use pruned::{GOES as PRUNED_TYPES, LOG_DAYS_MIN, Left, pruned_line, whole_from};
pub use remembered::MemoryKey;
pub use report::{Cause, Doubt, Finding, Report, Subject};
pub use reserve::RESERVE_BYTES;
pub use schema::Type;
pub use selection::{Selection, Senseless, Typed};
pub use spool::{SpoolError, Spooled, spool};
pub use stamp::{
    STAMP_BYTES_MAX, Stamp, StampFlaw, StampRequest, checkpoint_of, newest_checkpoint, read_stamp,
};
pub use stored::{
    Gone, Item, Items, Order, Records, Stored, Value, items, record, record_leaf, records, records_before,
    records_from,
};
pub use tail::{Follower, Newest, line, tail};
pub use token::{Actor, Digest, JobId, Kind, Object, PublicKey, actor, object};
pub use verify::verify;
pub use writer::{Mark, Receipt};

#[cfg(test)]
mod tests;

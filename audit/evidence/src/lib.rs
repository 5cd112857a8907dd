//! Evidence: what is claimed, what was found, and a folder that a stranger checks with other people's programs.
//!
//! Belongs here: the catalogue of controls, the judgement of what probes bring home, runs, bundles and their check. Does
//! not belong here: the probes themselves, which need vault, fences and server and are the program's. This crate knows the
//! log and nothing else of ours, and builds in seconds.
//!
//! A probe brings facts. Whether a control is satisfied follows from them and from the conditions in the catalogue, which
//! are in every bundle, so that anybody can judge again. No fact can hold free text.
//!
//! A certificate of erasure is the smaller folder, for somebody who asked that a picture be destroyed: what the log has of its end, with
//! proofs.

mod archive;
mod articles;
mod assemble;
mod bundle;
mod catalogue;
mod certificate;
mod check;
mod clocks;
mod control;
mod describe;
mod dsse;
mod erasures;
mod error;
mod export;
mod fact;
mod folder;
mod html;
mod json;
mod kept;
mod made;
mod models;
mod of_claims;
mod of_history;
mod of_log;
mod oscal;
mod papers;
mod period;
mod readme;
mod rehearsal;
mod report;
mod run;
mod slice;
mod stamps;
mod subject;
mod unread;
mod update;
mod verdict;

pub use archive::archive;
pub use articles::{ARTICLES, Article};
pub use assemble::{finish, is_signed, is_unfinished};
pub use catalogue::{control, controls};
pub use certificate::{
    CERTIFIED_MAX, Certificate, Certified, CheckedCertificate, ErasedPicture, check_certificate,
    is_certificate,
};
pub use check::{check, check_made};
pub use clocks::{CLOCKS, Clock, Incident, Incidents, Law, Running, describe_incident, incidents};
pub use control::{Clauses, Condition, Control, Framework, Language, Must, Reason, Text, Trial};
pub use describe::{control as describe_control, controls as describe_controls};
pub use dsse::ExportKey;
pub use error::Error;
pub use export::{Answers, Export, Exported};
pub use fact::{Attempt, Fact, Word};
pub use folder::{files, take_back};
pub use kept::{Kept, RUNS_KEPT_MAX, keep, kept};
pub use made::{MadeFile, made_files};
pub use models::Embedded;
pub use of_claims::try_claims;
pub use of_history::{Held, Periods, try_history};
pub use of_log::{LOG_FREE_BYTES_MIN, try_log};
pub use papers::controller_keys;
pub use rehearsal::Rehearsal;
pub use report::{Checked, Expected, Finding};
pub use run::Run;
pub use slice::{is_part_of_log, slice};
pub use stamps::{KeptStamp, keep_stamp, stamps};
pub use subject::{Subject, SubjectPicture, Told};
pub use unread::{Kept as KeptUnread, Unread};
pub use update::{CheckedUpdate, FileState, Installed, Step, UPDATE, UpdateError, UpdateKey, check_update};
pub use verdict::{Outcome, Reading, Verdict};

#[cfg(test)]
mod tests;

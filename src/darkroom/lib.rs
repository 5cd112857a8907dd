//! The transaction: a request becomes intend, generate, mark, seal, record, answer; likewise look, export, erase.
//!
//! Belongs here: the order of effects, once, for every door (command line, server); what may be asked; the PNG and
//! its marks; the seam to the engine. Does not belong here: HTTP, terminals, Burn, fences.
//!
//! The rule behind every function: the intent is durable in the log before anything is done, the outcome is
//! durable before anything is answered. A crash between any two effects leaves a request that is either done or
//! not done, and the next unlock says on record which. Clock and randomness are arguments.
//!
//! | act | order of effects | function |
//! |---|---|---|
//! | generate | `generate.requested`, engine, per picture (sealed file, vault record, `object.created`, answer), `generate.finished` | [`Darkroom::generate`] |
//! | look | decrypt, `object.viewed`, answer | [`Darkroom::view`] |
//! | export | `object.export_requested`, decrypt, plain file, `object.exported`, answer | [`Darkroom::export`] |
//! | ask | `generate.requested`, answer; later, from the queue, the rest of generate | [`Queue::submit`] |
//! | erase | `object.erase_requested`, roll, `object.erased` each, answer | [`Darkroom::erase`] |

mod acts;
mod engine;
mod error;
mod generate;
mod marks;
mod metadata;
mod name;
mod queue;
mod reconcile;
mod request;
mod room;
mod secret;
mod step;
#[cfg(test)]
mod tests;

/// What this interface speaks of, so that a door needs to know no other crate.
pub use audit::words::{RequestRefusal, StartRefusal, StopReason};
pub use audit::{Clock, Job as JobId, SystemClock};
pub use vault::{Erasure, Grade, KdfParams, ObjectId, RecoveryCode, Secret};

pub use acts::{Export, Page};
pub use engine::{Engine, EngineError, Model, Pixels, Progress};
pub use error::{Error, Trouble};
pub use generate::{News, Tell};
pub use metadata::{Metadata, Summary, hex};
pub use queue::{Job, JobState, Queue, Rules};
pub use request::{Ask, GUIDANCE_MAX, Refusal, Request, SEED_MAX};
pub use room::{Darkroom, Places, Posture, Start};

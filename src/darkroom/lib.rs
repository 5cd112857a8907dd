//! The transaction: a request becomes intend, generate, mark, seal, record, answer; likewise look, export, erase.
//!
//! Belongs here: the order of effects, once, for every door (command line, server); what may be asked; the PNG and
//! its marks; the seam to the engine. Does not belong here: HTTP, terminals, Burn, fences, and the
//! words of any door.
//!
//! The rule behind every function: the intent is durable in the log before anything is done, the outcome is
//! durable before anything is answered. A crash between any two effects leaves a request that is either done or
//! not done, and the next unlock says on record which. Who does it is an argument. The darkroom hands the vault
//! the system's randomness, which tests replace; the log draws the ids of jobs and the nonces of its records itself.
//!
//! | act | order of effects | function |
//! |---|---|---|
//! | ask | parse, limits, the model's own check; `request.refused`, or `generate.requested`, answer | [`Queue::check`], [`Queue::submit`] |
//! | generate | engine, per picture (sealed file, vault record, `object.sealed`), `generate.finished` | `queue/worker.rs`, `keep.rs` |
//! | look | decrypt, `object.viewed`, answer | [`Queue::view`] |
//! | export | `object.export_requested`, decrypt, plain file, `object.exported` and its digest, answer | [`Queue::export`] |
//! | prove | compare with every `object.export_digest`, answer | [`Darkroom::departures`] |
//! | erase | `object.erase_requested` and the names, roll, `object.erased` each, answer | [`Darkroom::erase`] |
//! | a period is over | `retention.begun`, and as erase, by the program or an admin | `retention.rs` |
//! | that of a name is over | `slot.name_due`, roll, `slot.name_destroyed`, for each person who was removed | `names.rs` |
//! | destroy the vault | as erase, all of it; `vault.destroy_requested`, both keys, `vault.destroyed`, answer | [`Darkroom::destroy_vault`] |
//! | certify | `certificate.key_drawn`, the signed folder, its own check, `certificate.issued`, answer | `certificate.rs` |
//! | somebody comes or goes | `vault.secret_requested`, the slot and its role, roll, `slot.added` or `slot.removed`, answer | `people.rs` |
//! | a program gets a token | `token.made`, the vault remembers its digest, answer; `token.used` on its first use of a day | `tokens.rs` |
//! | an act takes two | `act.asked`, the vault remembers it; `act.confirmed`, the act itself, answer | [`Darkroom::confirm`] |
//! | back up | `backup.begun`, the vault remembers the log, the file, `backup.written`, answer | [`Darkroom::back_up`] |
//! | put a backup back | all of it is opened, `backup.restore_begun`, sealed files, the vault without what was erased since, `backup.restored`, answer | [`restore`] |
//! | new secret | `vault.secret_requested` and the slot, roll, `vault.secret_changed`, answer | [`Darkroom::change_secret`] |

mod backup;
mod behind;
mod certificate;
mod checked;
mod compared;
mod departure;
mod destroy;
mod erase;
mod error;
mod evidence;
mod export;
mod hold;
mod holds;
mod joint;
mod keep;
mod keyed;
mod list;
mod machine;
mod marks;
mod metadata;
mod models;
mod moment;
mod name;
mod names;
mod outside;
mod pending;
mod people;
mod period;
mod queue;
mod reading;
mod reconcile;
mod remember;
mod request;
mod retention;
mod rights;
mod roles;
mod room;
mod second;
mod secret;
mod shrink;
mod since;
mod sought;
mod step;
#[cfg(test)]
mod tests;
mod token;
mod tokens;
mod unlock;
mod view;
mod warning;
mod who;
mod whose;

/// What this interface speaks of, so that a door needs to know no other crate.
pub use audit::words::{
    FreezeReason, HoldReason, Left, Reading, RequestRefusal, ResolveReason, SecondAct, StartRefusal,
    StopReason,
};
pub use audit::{Actor, Clock, JobId, KnownBackup, Selection, SystemClock, Typed};
pub use audit::{page as log_page, verify as verify_log};
pub use engine::wire::Fenced;
pub use engine::{Device, Engine, Model, Pixels, PromptLength};
pub use vault::{Erasure, Grade, KdfParams, ObjectId, PersonName, RecoveryCode, Secret};

pub use backup::{BackedUp, Looked, Meant, Restored, back_up, look_into_backup, restore};
pub use certificate::{Asked, Erasures};
pub use checked::Checked;
pub use compared::{Counted, Holdings};
pub use departure::Departure;
pub use destroy::Destroyed;
pub use erase::Erased;
pub use error::{Error, Kind};
pub use evidence::{Laws, PersonHeld, freeze_without_vault};
pub use export::{Export, export_to, hand_over, write_new};
pub use hold::Hold;
pub use holds::Held;
pub use list::Page;
pub use machine::MachineUse;
pub use marks::Marked;
pub use metadata::{Metadata, Summary};
pub use models::ModelRecord;
pub use name::is_name;
pub use names::{NamesDestroyed, NamesDue};
pub use outside::{CopyPlace, CopyState, copy_trouble, unusable};
pub use people::{Person, Pictures, Removed};
pub use queue::{Job, JobState, Name, Queue, Rules};
pub use request::{Ask, Defaults, GUIDANCE_MAX, Refusal, SEED_MAX};
pub use retention::Due;
pub use rights::{Act, Scope, Scopes, TABLE as RIGHTS};
pub use room::{Darkroom, Folders, Start};
pub use second::{Confirmed, Waiting};
pub use sought::Sought;
pub use token::Token;
pub use tokens::{TOKEN_DAYS, TOKEN_DAYS_MAX, TOKEN_LABEL, TOKEN_PREFIX};
pub use view::{Previews, newest_marks, verify, verify_as};
pub use warning::Warning;
pub use who::{Door, Role, Who};

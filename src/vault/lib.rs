//! Sealed files that can be destroyed for good.
//!
//! A vault keeps *objects*: a name, metadata, a preview and a content, all of them opaque bytes here. Each object is one
//! file of ciphertext in the outputs folder. Its key is random and exists in one place only: the sealed log in the state
//! folder. Erasing an object rewrites the log without it under new keys and overwrites the old epoch key in the anchor;
//! from then on no copy of anything opens it.
//!
//! What belongs here: the formats (FORMAT.md), key slots, the order of writes, erasure. What does not: images, prompts,
//! what people do, the network, the clock. Times and randomness are arguments.
//!
//! Reading order: [`Locked::open`] and [`Locked::unlock`] in `open.rs`, [`Vault`] in `vault.rs`, [`Vault::erase`] in
//! `roll.rs`; `home.rs` names the files and `repair.rs` puts them in order; `cobblestone.rs` has all ciphers,
//! `disk.rs` all writes.

mod alike;
mod anchor;
mod backup;
mod cobblestone;
mod destroy;
mod disk;
mod error;
mod format;
mod home;
mod item;
mod joint;
mod kdf;
mod keys;
mod lock;
mod log;
mod machine;
mod marks;
mod name;
mod object;
mod open;
mod outputs;
mod people;
mod random;
mod rebuild;
mod repair;
mod restore;
mod roll;
mod secret;
mod slot;
mod survey;
mod vault;
mod verify;

#[cfg(test)]
mod crash;
#[cfg(test)]
mod fuzz;

pub use anchor::{Grade, grade};
pub use backup::{Backup, Kept, Place, Snapshot, Written};
pub use destroy::{Destroyed, finish_destruction};
pub use error::{Damage, Error};
pub use format::{ObjectId, Role, SlotId, SlotInfo, SlotKind, VaultId};
pub use home::{LOG_MEMORY, Paths};
pub use item::{
    CONTENT_BYTES_MAX, MARK_BYTES_MAX, MARK_LONG, MARK_LONG_BYTES_MAX, METADATA_BYTES_MAX, NAME_BYTES_MAX,
    ObjectInfo, PREVIEW_BYTES_MAX, Tombstone,
};
pub use kdf::KdfParams;
pub use lock::{Announced, Holder};
pub use log::{Public, State};
pub use name::{PERSON_NAME_BYTES_MAX, PersonName};
pub use object::{NewObject, Opener, SUFFIX, Sealer, Staged};
pub use open::{AuditorView, Locked, Unlocked};
pub use people::{Forgotten, Person};
pub use random::{OsRandom, Random};
pub use restore::{Changes, Restoring};
pub use roll::{Erasure, Rolled};
pub use secret::{MACHINE_BYTES_MAX, PASSPHRASE_CHARS_MIN, RecoveryCode, Secret};
pub use slot::Slots;
pub use survey::{Survey, is_of_pictures, survey};
pub use vault::{DamagedCopy, Notice, Receipt, RemainingKey, Vault};
pub use verify::{Verification, VerifyReport};

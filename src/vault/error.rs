//! What can go wrong, and what to do about it.

use std::path::PathBuf;
use std::{fmt, io};

use crate::disk::is_full;
use crate::lock::Holder;
use crate::{ObjectId, SlotId};

/// Why the vault did not do what was asked. Never holds a secret.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// There is no vault in the state folder.
    NoVault(PathBuf),
    /// There is a vault, or a part of one, where a new one was to be made.
    VaultExists(PathBuf),
    /// Another process has the vault open.
    Busy(Holder),
    /// A folder or file that the vault relies on is not what it must be.
    Unsafe {
        /// What was looked at.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No slot opens with this secret. Never says which slot came close.
    WrongSecret,
    /// The typed recovery code has a typing error; found without touching the vault.
    RecoveryCodeMistyped,
    /// A new passphrase is too weak or not usable.
    WeakSecret(&'static str),
    /// Key derivation parameters lie outside what is accepted; nothing was allocated.
    KdfOutOfRange,
    /// The file has a format, suite or flag that this program does not know.
    Unsupported {
        /// The file, for people.
        what: &'static str,
        /// The format number found.
        format: u16,
    },
    /// The public part of the vault file was changed.
    HeaderTampered,
    /// The anchor holds no key for the vault file's epoch: an older or foreign vault file, or another anchor.
    EpochKeyGone {
        /// The epoch that the vault file claims.
        epoch: u64,
    },
    /// The sealed log is damaged before its end.
    LogDamaged {
        /// The first record that does not open.
        record: u64,
    },
    /// The outputs folder is not there: perhaps its disk is not mounted. No object is missing for that.
    OutputsAbsent(PathBuf),
    /// The outputs folder is another one: it does not carry this vault's file, and none of its objects lie there.
    OutputsNotOurs(PathBuf),
    /// This user may not look into the outputs folder.
    OutputsForbidden(PathBuf),
    /// The outputs folder cannot be read.
    OutputsUnreadable {
        /// The folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// An object's file is gone; its key still exists.
    ObjectMissing(ObjectId),
    /// This user may not read an object's file. It is neither missing nor damaged.
    ObjectForbidden(ObjectId),
    /// An object's file was changed, swapped or cut.
    ObjectDamaged {
        /// The object.
        id: ObjectId,
        /// What does not hold.
        why: Damage,
    },
    /// No such object, now or ever.
    UnknownObject(ObjectId),
    /// The object was erased.
    Erased(ObjectId),
    /// An object of this id exists or existed.
    IdTaken(ObjectId),
    /// A file of this name is in the outputs folder.
    NameTaken,
    /// A name, metadata, preview, content or mark breaks a limit.
    Limit(&'static str),
    /// The range lies outside the content.
    Range {
        /// Plaintext bytes of the content.
        content_bytes: u64,
    },
    /// No such slot.
    UnknownSlot(SlotId),
    /// The last passphrase slot that opens pictures cannot be removed.
    LastSlot,
    /// There are already as many slots as a vault file holds.
    SlotsFull,
    /// An earlier sync failed, so what is on disk is not known, and no reading can tell: lock the vault and unlock it
    /// again, which writes anew what it finds; then compare the state.
    Poisoned,
    /// A roll is in place, durably, but for the wiping of the old epoch key. The vault in memory is the new epoch:
    /// everything can be read and written, and [`crate::Vault::wipe_old_key`] (or the next roll or unlock) ends it.
    /// Until then who has older copies and this anchor opens what was erased.
    Unfinished(io::Error),
    /// Putting a roll's new file in place failed: it may or may not be there after a power cut. The vault in memory is
    /// the old epoch and [`Error::Poisoned`]; locking and unlocking decides.
    Unsettled(io::Error),
    /// The key of another epoch lies in the anchor and could not be wiped. Nothing else was done.
    OldKeyRemains(io::Error),
    /// The disk, a quota or a limit on file sizes is full; nothing changed.
    DiskFull,
    /// The random generator failed.
    Random(io::Error),
    /// The operating system refused.
    Io {
        /// What was being done.
        doing: &'static str,
        /// Its answer.
        source: io::Error,
    },
}

/// What does not hold about an object's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// It is a link, folder, pipe or device.
    NotAFile,
    /// Its header is not the one that was sealed for this object.
    Header,
    /// Its length is not the one that its header states.
    Length,
    /// A section was made under another key or for another place, or its head is damaged.
    Commitment {
        /// 1 preview, 2 content.
        section: u8,
    },
    /// A chunk of 16 KiB is damaged.
    Chunk {
        /// 1 preview, 2 content.
        section: u8,
        /// Counted from 0.
        chunk: u64,
    },
}

impl Error {
    /// Whether the operating system refused for want of a permission.
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
    }

    /// Turns an I/O error into one that says what was being done; a full disk gets its own variant.
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| if is_full(&source) { Self::DiskFull } else { Self::Io { doing, source } }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVault(path) => write!(f, "there is no vault in {}; create one first", path.display()),
            Self::VaultExists(path) => {
                write!(f, "{} already exists; move it away by hand if a new vault is really wanted", path.display())
            }
            Self::Busy(holder) => write!(f, "the vault is in use by {holder}; use that program or stop it"),
            Self::Unsafe { path, why } => write!(f, "{} {why}; correct that and try again", path.display()),
            Self::WrongSecret => f.write_str("wrong passphrase or recovery code; try again"),
            Self::RecoveryCodeMistyped => {
                f.write_str("the recovery code has a typing error; compare it with your copy, group by group")
            }
            Self::WeakSecret(why) => write!(f, "this passphrase cannot be used: {why}; choose another"),
            Self::KdfOutOfRange => f.write_str(
                "the vault file asks for key derivation outside the accepted limits; restore the mirror or a copy",
            ),
            Self::Unsupported { what, format } => {
                write!(f, "{what} has format {format}, which this version cannot read; use a newer version")
            }
            Self::HeaderTampered => {
                f.write_str("the vault file's header was changed; restore the mirror or a copy of this vault file")
            }
            Self::EpochKeyGone { epoch } => write!(
                f,
                "the key of epoch {epoch} is gone: this is an older or foreign vault file, or the anchor was \
                 replaced; put the current vault file and anchor back"
            ),
            Self::LogDamaged { record } => {
                write!(f, "the vault file is damaged at record {record}; restore the mirror or a copy")
            }
            Self::OutputsAbsent(path) => write!(
                f,
                "the folder of sealed files, {}, is not there; mount its disk, or name the right folder with --outputs; \
                 only if it is lost for good, make an empty one in its place",
                path.display()
            ),
            Self::OutputsNotOurs(path) => write!(
                f,
                "{} is not the folder of this vault's sealed files; mount its disk, or name the right folder with \
                 --outputs",
                path.display()
            ),
            Self::OutputsForbidden(path) => write!(
                f,
                "this user may not look into {}; give this user the folder (chown, chmod u+rwx) and try again",
                path.display()
            ),
            Self::OutputsUnreadable { path, source } => {
                write!(f, "{} cannot be read ({source}); check its disk and try again", path.display())
            }
            Self::ObjectForbidden(id) => write!(
                f,
                "this user may not read the sealed file of {id}; give this user the file (chown, chmod u+r) and try again"
            ),
            Self::ObjectMissing(id) => {
                write!(f, "the sealed file of {id} is missing; put it back, or erase the object to destroy its key")
            }
            Self::ObjectDamaged { id, why } => {
                write!(f, "the sealed file of {id} is damaged ({why}); restore this one file from any copy")
            }
            Self::UnknownObject(id) => write!(f, "there is no object {id}; list the objects to find the right id"),
            Self::Erased(id) => write!(f, "object {id} was erased; it cannot be brought back"),
            Self::IdTaken(id) => write!(f, "object id {id} is taken; draw another one"),
            Self::NameTaken => f.write_str("a file of this name exists in the outputs folder; choose another name"),
            Self::Limit(what) => write!(f, "{what}"),
            Self::Range { content_bytes } => {
                write!(f, "the range lies outside the content, which has {content_bytes} bytes")
            }
            Self::UnknownSlot(id) => write!(f, "there is no key slot {id}; list the slots to find the right one"),
            Self::LastSlot => f.write_str("this is the last passphrase that opens pictures; add another one first"),
            Self::SlotsFull => f.write_str("all key slots are in use; remove one first"),
            Self::Poisoned => {
                f.write_str("an earlier write to the vault failed; lock the vault and unlock it again before the next one")
            }
            Self::Unfinished(source) => write!(
                f,
                "the change is in place but the old key is not wiped yet ({source}); see that the file `anchor` can be \
                 written and try again, which finishes it"
            ),
            Self::Unsettled(source) => write!(
                f,
                "whether the change is in place is not known ({source}); lock the vault and unlock it again, which \
                 decides"
            ),
            Self::OldKeyRemains(source) => write!(
                f,
                "an old key could not be wiped ({source}), so what was erased earlier may still be opened from old \
                 copies; see that the file `anchor` can be written and try again"
            ),
            Self::DiskFull => {
                f.write_str("the disk or your quota is full; nothing was changed; free some space and try again")
            }
            Self::Random(source) => write!(f, "the system's random generator failed ({source}); nothing was changed"),
            Self::Io { doing, source } => write!(f, "{doing} failed: {source}; nothing was acknowledged"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unfinished(source)
            | Self::Unsettled(source)
            | Self::OldKeyRemains(source)
            | Self::Random(source)
            | Self::OutputsUnreadable { source, .. }
            | Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let section = |number: &u8| if *number == 1 { "preview" } else { "content" };
        match self {
            Self::NotAFile => f.write_str("it is not a regular file"),
            Self::Header => f.write_str("its header is not this object's"),
            Self::Length => f.write_str("its length is wrong"),
            Self::Commitment { section: number } => {
                write!(f, "its {} is foreign or damaged at the start", section(number))
            }
            Self::Chunk { section: number, chunk } => write!(f, "chunk {chunk} of its {}", section(number)),
        }
    }
}

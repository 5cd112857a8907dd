//! What can go wrong, and what to do about it.

use std::io;
use std::path::PathBuf;

use crate::disk::is_full;
use crate::lock::Holder;
use crate::{ObjectId, SlotId};

/// Why the vault did not do what was asked. Never holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no vault in the state folder.
    #[error("there is no vault in {0}; create one first")]
    NoVault(PathBuf),
    /// There is a vault, or a part of one, where a new one was to be made.
    #[error("{0} already exists; move it away by hand if a new vault is really wanted")]
    VaultExists(PathBuf),
    /// Another process has the vault open.
    #[error("the vault is in use by {0}; use that program or stop it")]
    Busy(Holder),
    /// A folder or file that the vault relies on is not what it must be.
    #[error("{path} {why}; correct that and try again")]
    Unsafe {
        /// What was looked at.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No slot opens with this secret. Never says which slot came close.
    #[error("wrong passphrase or recovery code; try again")]
    WrongSecret,
    /// A passphrase of this vault goes with the machine secret, which is not at hand. Says nothing about the passphrase.
    #[error(
        "passphrases of this vault open it only together with the machine secret, which this program does not have; start it, or \
         the server that runs, with --machine-secret-file FILE, or use the recovery code"
    )]
    HalfNeeded,
    /// The same for a passphrase that is to be set: who proved theirs has not guessed.
    #[error(
        "passphrases of this vault are set together with the machine secret, which this program does not have; start it, or the server \
         that runs, with --machine-secret-file FILE"
    )]
    HalfAbsent,
    /// The machine secret is not the one that the passphrases of the vault go with. Said only where the vault is open.
    #[error(
        "this is not the machine secret that the passphrases of this vault go with; name the right file, or none with the recovery \
         code"
    )]
    OtherHalf,
    /// Two people open this vault together, and what was typed is not theirs: that of one of them, or of two others.
    #[error(
        "this vault opens for two of the people who hold it, together: name both, each with their passphrase \
         (--second-operator and --second-passphrase-file for the other one), or use the recovery code"
    )]
    JointNeeded,
    /// Several people use this vault, and nobody said which of them.
    #[error("several people use this vault; say who you are")]
    NameNeeded,
    /// A name that cannot be one.
    #[error("this cannot be a person's name: {0}; choose another")]
    BadName(&'static str),
    /// Somebody has, or had, this name.
    #[error("this name is taken, perhaps by somebody who was removed; choose another")]
    NameOfAnother,
    /// It looks like that of somebody else.
    #[error("this name looks like that of somebody else who is or was here; choose another")]
    NameAlike,
    /// Nobody has this name.
    #[error("nobody in this vault has this name")]
    UnknownName,
    /// The typed recovery code has a typing error; found without touching the vault.
    #[error("the recovery code has a typing error; compare it with your copy, group by group")]
    RecoveryCodeMistyped,
    /// A new passphrase is too weak or not usable.
    #[error("this passphrase cannot be used: {0}; choose another")]
    WeakSecret(&'static str),
    /// Key derivation parameters lie outside what is accepted; nothing was allocated.
    #[error(
        "the vault file asks for key derivation outside the accepted limits; restore the mirror or a copy"
    )]
    KdfOutOfRange,
    /// The file has a format, suite or flag that this program does not know.
    #[error("{what} has format {format}, which this version cannot read; use a newer version")]
    Unsupported {
        /// The file, for people.
        what: &'static str,
        /// The format number found.
        format: u16,
    },
    /// The public part of the vault file was changed.
    #[error("the vault file's header was changed; restore the mirror or a copy of this vault file")]
    HeaderTampered,
    /// The anchor holds no key for the vault file's epoch: an older or foreign vault file, or another anchor.
    #[error(
        "the key of epoch {epoch} is gone: this is an older or foreign vault file, or the anchor was replaced; put the \
         current vault file and anchor back"
    )]
    EpochKeyGone {
        /// The epoch that the vault file claims.
        epoch: u64,
    },
    /// The sealed log is damaged before its end.
    #[error("the vault file is damaged at record {record}; restore the mirror or a copy")]
    LogDamaged {
        /// The first record that does not open.
        record: u64,
    },
    /// The outputs folder is not there: perhaps its disk is not mounted. No object is missing for that.
    #[error(
        "the folder of sealed files, {0}, is not there; mount its disk, or name the right folder with --outputs; \
         only if it is lost for good, make an empty one in its place"
    )]
    OutputsAbsent(PathBuf),
    /// The outputs folder is another one: it does not carry this vault's file, and none of its objects lie there.
    #[error(
        "{0} is not the folder of this vault's sealed files; mount its disk, or name the right folder with \
         --outputs"
    )]
    OutputsNotOurs(PathBuf),
    /// The outputs folder is this vault's already, where a vault is made of a backup.
    #[error(
        "{0} is the folder of this vault's sealed files already: if that vault lives on elsewhere, two would share them, and what \
         is erased in one would be gone from the other; name another folder with --outputs"
    )]
    OutputsInUse(PathBuf),
    /// This user may not look into the outputs folder.
    #[error("this user may not look into {0}; give this user the folder (chown, chmod u+rwx) and try again")]
    OutputsForbidden(PathBuf),
    /// The outputs folder cannot be read.
    #[error("{path} cannot be read ({source}); check its disk and try again")]
    OutputsUnreadable {
        /// The folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// An object's file is gone; its key still exists.
    #[error("the sealed file of {0} is missing; put it back, or erase the object to destroy its key")]
    ObjectMissing(ObjectId),
    /// This user may not read an object's file. It is neither missing nor damaged.
    #[error(
        "this user may not read the sealed file of {0}; give this user the file (chown, chmod u+r) and try again"
    )]
    ObjectForbidden(ObjectId),
    /// An object's file was changed, swapped or cut.
    #[error("the sealed file of {id} is damaged ({why}); restore this one file from any copy")]
    ObjectDamaged {
        /// The object.
        id: ObjectId,
        /// What does not hold.
        why: Damage,
    },
    /// No such object, now or ever.
    #[error("there is no object {0}; list the objects to find the right id")]
    UnknownObject(ObjectId),
    /// The object was erased.
    #[error("object {0} was erased; it cannot be brought back")]
    Erased(ObjectId),
    /// An object of this id exists or existed.
    #[error("object id {0} is taken; draw another one")]
    IdTaken(ObjectId),
    /// A file of this name is in the outputs folder.
    #[error("a file of this name exists in the outputs folder; choose another name")]
    NameTaken,
    /// A name, metadata, preview, content or mark breaks a limit.
    #[error("{0}")]
    Limit(&'static str),
    /// The range lies outside the content.
    #[error("the range lies outside the content, which has {content_bytes} bytes")]
    Range {
        /// Plaintext bytes of the content.
        content_bytes: u64,
    },
    /// No such slot.
    #[error("there is no key slot {0}; list the slots to find the right one")]
    UnknownSlot(SlotId),
    /// The last passphrase slot that opens pictures cannot be removed.
    #[error("this is the last passphrase that opens pictures; add another one first")]
    LastSlot,
    /// The vault has a machine secret already.
    #[error(
        "the vault has a machine secret, in key slot {0}; remove it first: lightproof vault machine remove"
    )]
    MachineSecretThere(SlotId),
    /// A passphrase of the vault goes with a machine secret already.
    #[error(
        "the passphrase of key slot {0} goes with a machine secret already; take that back first: lightproof vault machine \
         remove, and a new passphrase for each person whose slot still asks for it (lightproof vault passwd)"
    )]
    HalfThere(SlotId),
    /// Two people open the vault together, and what was asked for would open it alone.
    #[error(
        "two people open this vault together, and a machine secret would open it alone; end that first: lightproof vault joint end"
    )]
    JointThere,
    /// Two people open the vault together, and one of them would be left.
    #[error(
        "two people are needed to open this vault, and no two would be left; name others first, or end that: lightproof vault \
         joint set, lightproof vault joint end"
    )]
    JointLast,
    /// Two people open the vault together, and none of those who hold it could end that.
    #[error(
        "of those who open this vault together one at least is an admin, since nobody else ends that; name others first, or end it: \
         lightproof vault joint set, lightproof vault joint end"
    )]
    JointAdmin,
    /// Each passphrase opens the vault alone.
    #[error("each passphrase opens this vault alone already; nothing was changed")]
    NotJoint,
    /// The vault has no machine secret.
    #[error("the vault has no machine secret; add one with: lightproof vault machine add")]
    NoMachineSecret,
    /// There are already as many slots as a vault file holds.
    #[error("all key slots are in use; remove one first")]
    SlotsFull,
    /// Each number that a slot can have was given out, and none is given out twice.
    #[error(
        "every number that a key slot can have was given out, and none is given out twice; give a slot that is there a \
         new passphrase in place of adding one, or make a new vault"
    )]
    SlotNumbersSpent,
    /// An earlier sync failed, so what is on disk is not known, and no reading can tell: lock the vault and unlock it
    /// again, which writes anew what it finds; then compare the state.
    #[error("an earlier write to the vault failed; lock the vault and unlock it again before the next one")]
    Poisoned,
    /// A roll is in place, durably, but for the wiping of the old epoch key. The vault in memory is the new epoch:
    /// everything can be read and written, and [`crate::Vault::wipe_old_key`] (or the next roll or unlock) ends it.
    /// Until then who has older copies and this anchor opens what was erased.
    #[error(
        "the change is in place but the old key is not wiped yet ({0}); see that the file `anchor` can be written \
         and try again, which finishes it"
    )]
    Unfinished(#[source] io::Error),
    /// Putting a roll's new file in place failed: it may or may not be there after a power cut. The vault in memory is
    /// the old epoch and [`Error::Poisoned`]; locking and unlocking decides.
    #[error(
        "whether the change is in place is not known ({0}); lock the vault and unlock it again, which decides"
    )]
    Unsettled(#[source] io::Error),
    /// The key of another epoch lies in the anchor and could not be wiped. Nothing else was done.
    #[error(
        "an old key could not be wiped ({0}), so what was erased earlier may still be opened from old copies; \
         see that the file `anchor` can be written and try again"
    )]
    OldKeyRemains(#[source] io::Error),
    /// The disk, a quota or a limit on file sizes is full; nothing changed.
    #[error("the disk or your quota is full; nothing was changed; free some space and try again")]
    DiskFull,
    /// A file that is no backup.
    #[error("this is no backup of a vault; name a file that `lightproof backup create` has written")]
    NotABackup,
    /// A backup that was changed, or that ends before its end.
    #[error(
        "the backup is damaged or was cut off, at its record {record}; nothing was taken from it; use another copy of it"
    )]
    BackupDamaged {
        /// The first record that does not hold.
        record: u64,
    },
    /// An auditor's secret, where one is needed that opens objects.
    #[error("an auditor's passphrase opens no picture, and no backup; use another one")]
    AuditorsSlot,
    /// The secret belongs to a slot that was removed since.
    #[error("this passphrase was removed from the vault after the backup was made; use another one")]
    SlotRemoved,
    /// The random generator failed.
    #[error("the system's random generator failed ({0}); nothing was changed")]
    Random(#[source] io::Error),
    /// The operating system refused.
    #[error("{doing} failed: {source}; nothing was acknowledged")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Its answer.
        source: io::Error,
    },
}

/// What does not hold about an object's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// It is a link, folder, pipe or device.
    #[error("it is not a regular file")]
    NotAFile,
    /// Its header is not the one that was sealed for this object.
    #[error("its header is not this object's")]
    Header,
    /// Its length is not the one that its header states.
    #[error("its length is wrong")]
    Length,
    /// A section was made under another key or for another place, or its head is damaged.
    #[error("its {} is foreign or damaged at the start", section_name(*.section))]
    Commitment {
        /// 1 preview, 2 content.
        section: u8,
    },
    /// A chunk of 16 KiB is damaged.
    #[error("chunk {chunk} of its {}", section_name(*.section))]
    Chunk {
        /// 1 preview, 2 content.
        section: u8,
        /// Counted from 0.
        chunk: u64,
    },
}

fn section_name(section: u8) -> &'static str {
    if section == 1 { "preview" } else { "content" }
}

impl Error {
    /// Whether the operating system refused for want of a permission.
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
    }

    /// The system refused what a backup needs.
    pub fn of_backup(source: io::Error) -> Self {
        Self::io("writing or reading the backup")(source)
    }

    /// Turns an I/O error into one that says what was being done; a full disk gets its own variant.
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| if is_full(&source) { Self::DiskFull } else { Self::Io { doing, source } }
    }
}

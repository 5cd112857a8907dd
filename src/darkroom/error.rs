//! What can go wrong, and which kind of trouble it is.

mod kinds;

use crate::request::Refusal;
use crate::rights::Act;
pub(crate) use kinds::{is_full, refusal_word, vault_failure};
use kinds::{is_memory, lacks_room, log_kind, refusal_kind, vault_kind};
use std::path::PathBuf;

/// Why an act was not done. No text repeats a prompt or a secret, and none speaks of a door's own words.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request breaks a rule of the machine or of the model; nothing was done.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The engine began and did not end; no picture of this seed was made.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// The engine panicked; the job failed, the darkroom goes on.
    #[error("the engine crashed, and this picture was not made; the next request starts it anew")]
    EnginePanic,
    /// The picture could not be encoded.
    #[error("the picture could not be encoded: {0}")]
    Encode(#[from] png::EncodingError),
    /// The vault refused or failed.
    #[error(transparent)]
    Vault(#[from] vault::Error),
    /// The log refused or failed, and nothing was done.
    #[error(transparent)]
    Log(audit::Error),
    /// Something is done for good, and its record could not be written.
    #[error(
        "{done}; but the log could not record it ({source}): start the program again, and the next unlock records what it finds"
    )]
    Unrecorded {
        /// What is done, as a sentence without its end.
        done: String,
        /// What the log said.
        source: audit::Error,
    },
    /// A change is on record that failed, and that it failed could not be recorded.
    #[error(
        "nothing has changed ({failed}), but the log says that it has, and could not record that it has not ({log}): once there is \
         room, start the program again and ask for it again; what is done then holds"
    )]
    Misrecorded {
        /// Why it failed.
        #[source]
        failed: Box<Error>,
        /// What the log said.
        log: audit::Error,
    },
    /// A secret was wrong, and that could not be put on record, or not be remembered.
    #[error(transparent)]
    Guessed(Box<Error>),
    /// Nobody has unlocked the vault, or it was locked since.
    #[error("the vault is locked; give its passphrase")]
    Locked,
    /// There is no vault yet.
    #[error("there is no vault yet")]
    NoVault,
    /// Their role may not do it; on record.
    #[error("your role does not let you {}; ask an admin", .0.words())]
    NotPermitted(Act),
    /// Their token is not for this; on record.
    #[error("this token is not for this: it does not let a program {}; nothing was done", .0.words())]
    OutOfScope(Act),
    /// No token that opens anything is this one.
    #[error("this token opens nothing: it was never made, has expired, or was revoked")]
    UnknownToken,
    /// There is no token of this number, or it is somebody else's.
    #[error("no token of yours that opens anything has the number {number}")]
    NoToken {
        /// What was named.
        number: u64,
    },
    /// Somebody with pictures is to go, and nobody said what becomes of the pictures.
    #[error(
        "{count} sealed pictures are theirs: say whether they are kept, handed over or erased; nothing was done"
    )]
    PicturesUndecided {
        /// How many.
        count: usize,
    },
    /// Somebody must be able to manage people.
    #[error("this is the last admin, who stays; make somebody else an admin first")]
    LastAdmin,
    /// The policy asks for the word of a second admin; on record.
    #[error(
        "nothing is done yet: the policy asks for a second admin, who confirms or refuses it as number {number}; it waits for \
         {hours} hours"
    )]
    Waits {
        /// By which it is confirmed or refused: that of its record.
        number: u64,
        /// How long it waits.
        hours: u64,
    },
    /// Another admin has asked for exactly this, so who asks now is the second one.
    #[error(
        "nothing is done yet: another admin has asked for exactly this, and it waits as number {number}; you are the second one, so \
         confirm it"
    )]
    WaitsForYou {
        /// By which it is confirmed.
        number: u64,
    },
    /// The policy asks for a second admin, and there is none; on record.
    #[error(
        "the policy asks for the word of a second admin, and this vault has none: make somebody else an admin first; nothing was \
         done"
    )]
    OneAdmin,
    /// Nothing waits under this number.
    #[error("nothing waits for a second admin as number {number}")]
    NoPending {
        /// What was named.
        number: u64,
    },
    /// Who asked for it confirms it; on record.
    #[error("you asked for this yourself: another admin confirms it; nothing was done")]
    OwnWord,
    /// What was to be done has changed since it was asked for.
    #[error(
        "what this is about has changed since it was asked for, and it waits no longer; nothing was done: whoever needs it asks \
         again"
    )]
    TargetChanged,
    /// Their passphrase was set with the recovery code not long ago; on record.
    #[error(
        "your passphrase was set with the recovery code: until {until} you neither ask for what takes two admins nor confirm it; \
         nothing was done"
    )]
    NoWord {
        /// When that ends.
        until: String,
    },
    /// Nobody has this pseudonym; on record.
    #[error("nobody of this vault has this pseudonym")]
    UnknownPseudonym,
    /// The name behind this pseudonym was destroyed; on record.
    #[error(
        "the name behind this pseudonym was destroyed at {when}, since the period of the policy (names_days_max) was over: this vault \
         cannot tell any more who it was, and no backup from before says so once it is restored with the log"
    )]
    NameDestroyed {
        /// When.
        when: String,
    },
    /// These pictures are under a hold already.
    #[error("a hold on these pictures stands already; end it first to set another")]
    HoldStands,
    /// There is no such hold.
    #[error("no hold on these pictures stands")]
    NoHold,
    /// An auditor's passphrase was given where a picture is needed.
    #[error(
        "this passphrase is an auditor's: the vault is the one that the log tells of; it opens no picture, and an auditor signs in at the page, while somebody has the vault open"
    )]
    AuditorOnly,
    /// The vault is older than the state that the log names.
    #[error(
        "the vault is older than its log: the log knows epoch {epoch}, record {seq}; \
         an old copy was put back, bring the newest vault folder back"
    )]
    RolledBack {
        /// The epoch on record.
        epoch: u64,
        /// The vault's record count on record.
        seq: u64,
    },
    /// The vault was opened before, and remembers no log.
    #[error(
        "the vault remembers no log although it was opened before; an old copy was put back, \
         bring the newest vault folder back"
    )]
    NoMark,
    /// There is a vault, and its log is gone.
    #[error("the log that belongs to this vault is missing from {}; bring the folder back", dir.display())]
    LogMissing {
        /// The log's folder.
        dir: PathBuf,
    },
    /// A log is there that is not the one that a backup belongs to, or ends before it.
    #[error(
        "the log in {} is not the one of this backup, or ends before the backup was made; move it away, or put the right \
         one there; nothing was done",
        dir.display()
    )]
    ForeignLog {
        /// The log's folder.
        dir: PathBuf,
    },
    /// The wall clock was set while the program ran, and a period depends on it.
    #[error(
        "the clock was set since the program started, so nothing is erased by its period; see that the clock is right, and start \
         the program again"
    )]
    ClockMoved,
    /// Parts of a log are there that are not those of a backup, without the file that names it.
    #[error(
        "parts of a log are in {}, without its file `origin`; bring that back, or move the folder away; nothing was done",
        dir.display()
    )]
    LogInParts {
        /// The log's folder.
        dir: PathBuf,
    },
    /// A log is there that ends where a backup was made.
    #[error(
        "the log in {} ends where the backup was made, perhaps since an attempt has laid down the backup's own; nobody knows what \
         was erased since; nothing was done",
        dir.display()
    )]
    LogEnds {
        /// The log's folder.
        dir: PathBuf,
    },
    /// Records that were exported do not say what was erased since a backup was made.
    #[error(transparent)]
    Exported(#[from] audit::ExportedError),
    /// No backup that may exist has this name.
    #[error("no backup of this name may exist: it is taken for destroyed, or was never made")]
    NoBackup,
    /// It is being written.
    #[error("this backup is being written; wait until that has ended")]
    BackupInWork,
    /// There is a log, and the vault that it tells of is gone.
    #[error(
        "the vault that this log tells of is gone from {}; bring the folder back, with its file `anchor`, or put a \
         backup of it back and leave the log where it is. If neither can be, move it and the folder of the log away, and start anew",
        dir.display()
    )]
    VaultMissing {
        /// The vault's folder.
        dir: PathBuf,
    },
    /// As many requests wait as may wait.
    #[error("as many requests as may wait are waiting already ({waiting}); try again when one has ended")]
    QueueFull {
        /// How many.
        waiting: usize,
    },
    /// The asker's name for a request was given to another one before.
    #[error("this name was given to another request before; give each request a name of its own")]
    KeyReused,
    /// There is no such request, or it is forgotten.
    #[error("there is no such request any more; the pictures that it made are in the history")]
    NoJob,
    /// The request has ended.
    #[error("the request has ended already")]
    JobEnded,
    /// The program is about to end.
    #[error("the program is stopping; start it again")]
    Stopping,
    /// An act ended in a panic: what it left in memory is not trusted any more.
    #[error("a part of the program failed; stop it and start it again, which finishes what was begun")]
    Broken,
    /// There is no such picture.
    #[error("there is no picture {id}")]
    NotFound {
        /// What was asked for.
        id: String,
    },
    /// A certificate is asked for of a picture whose key still exists.
    #[error(
        "{id} is not erased: {}its key still exists",
        if *missing { "its sealed file was removed by hand, and " } else { "" }
    )]
    NotErased {
        /// What was asked for.
        id: String,
        /// Whether its sealed file is gone.
        missing: bool,
    },
    /// Nothing on record is such an erasure, or it is somebody else's.
    #[error(
        "no erasure on record is of {id}: name the pseudonym that its erasure was answered with, o: and 22 characters, or its id"
    )]
    NoErasure {
        /// What was asked for.
        id: String,
    },
    /// Too few characters to tell one picture from another by.
    #[error("an id can be shortened to its first {chars_min} characters, and {id} has fewer")]
    ShortId {
        /// What was asked for.
        id: String,
        /// Characters that are enough.
        chars_min: usize,
    },
    /// The plain copy could not be written.
    #[error(
        "cannot write {}: {source}; {}",
        path.display(),
        if *remains { "the plain picture, or a part of it, stays there: remove it" } else { "nothing was exported" }
    )]
    ExportFile {
        /// The target.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
        /// What was written of it could not be removed again.
        remains: bool,
    },
    /// A crash simulated between two effects.
    #[cfg(test)]
    #[error("simulated crash")]
    Crash,
}

/// Kinds of trouble. Each door has its own word and number for each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The prompt is empty, too long, or no text.
    Prompt,
    /// The size is not possible.
    Size,
    /// The number of steps is not possible.
    Steps,
    /// The seed is not possible.
    Seed,
    /// Another value is not possible.
    Parameter,
    /// A new passphrase is too weak.
    WeakSecret,
    /// A rule of the machine forbids it.
    Policy,
    /// It waits for a second person.
    Waits,
    /// It takes a second admin, who is none, or is not they.
    SecondAdmin,
    /// An auditor's secret opens no picture.
    AuditorOnly,
    /// Their role may not do it.
    NotPermitted,
    /// A legal hold keeps the pictures.
    Held,
    /// There is such a hold already.
    HoldStands,
    /// Several people use the vault, and nobody said which of them.
    NameNeeded,
    /// A name that cannot be one, or is taken.
    Name,
    /// Too many requests wait.
    QueueFull,
    /// A name of a request was used for another one.
    KeyReused,
    /// The request has ended.
    JobEnded,
    /// The program ends.
    Stopping,
    /// Locked, or locked since.
    Locked,
    /// There is no vault.
    NoVault,
    /// A secret opens nothing.
    WrongSecret,
    /// A token opens nothing.
    WrongToken,
    /// There is a vault already.
    VaultExists,
    /// There is no such thing.
    NotFound,
    /// It is there already, or may not be changed so.
    Conflict,
    /// Another process holds it.
    Busy,
    /// Does not fit on the disk.
    Disk,
    /// Does not fit in memory.
    Memory,
    /// A plain copy could not be written.
    ExportFile,
    /// What is stored does not hold, or is gone.
    Damaged,
    /// The engine failed.
    Engine,
    /// Somebody cancelled it.
    Cancelled,
    /// The log cannot be written; nothing was done.
    Log,
    /// It is done, and not on record.
    Unrecorded,
    /// It is done but for the end of an old key.
    Unfinished,
    /// The key of an earlier roll remains, and nothing more is destroyed or changed before it is wiped.
    OldKeyRemains,
    /// A write failed, and only a new opening of the vault can tell what is on the disk.
    Uncertain,
    /// The folder of sealed pictures is absent, another one, or may not be read.
    Outputs,
    /// Anything else.
    Internal,
}

impl From<audit::Error> for Error {
    fn from(error: audit::Error) -> Self {
        Self::Log(error)
    }
}

impl Error {
    /// Which kind of trouble this is.
    pub fn kind(&self) -> Kind {
        match self.own_kind() {
            kind @ (Kind::Log | Kind::Internal) => lacks_room(self).unwrap_or(kind),
            kind => kind,
        }
    }

    /// Whether a secret was looked at and was wrong, whatever else this says. A right one after which something failed is no wrong
    /// guess. Beside a damaged vault file, whose mirror a right one may open, every other one counts.
    pub fn is_wrong_guess(&self) -> bool {
        use vault::Error as E;
        let is_damage = |error: &E| crate::room::is_damage(error) && !matches!(error, E::NoVault(_));
        match self {
            Self::Guessed(_) => true,
            // Whatever was typed was right.
            Self::Vault(E::JointNeeded) => false,
            Self::Vault(error) if is_damage(error) => true,
            _ => self.own_kind() == Kind::WrongSecret,
        }
    }

    fn own_kind(&self) -> Kind {
        match self {
            Self::Refused(Refusal { reason, .. }) => refusal_kind(*reason),
            Self::Misrecorded { failed, .. } => failed.own_kind(),
            Self::Engine(engine::Error::Refused { rule, .. }) => refusal_kind(refusal_word(*rule)),
            Self::Engine(engine::Error::Failed { cause, .. }) => match cause {
                engine::Cause::Cancelled => Kind::Cancelled,
                engine::Cause::Memory => Kind::Memory,
                engine::Cause::NonFinite
                | engine::Cause::Panic
                | engine::Cause::Gone
                | engine::Cause::Other => Kind::Engine,
            },
            Self::Encode(png::EncodingError::IoError(system)) if is_memory(system) => Kind::Memory,
            Self::EnginePanic | Self::Encode(_) => Kind::Engine,
            Self::Vault(error) => vault_kind(error),
            Self::Log(error) => log_kind(error),
            Self::Guessed(error) => error.own_kind(),
            Self::Unrecorded { .. } => Kind::Unrecorded,
            Self::Locked => Kind::Locked,
            Self::NoVault => Kind::NoVault,
            Self::AuditorOnly => Kind::AuditorOnly,
            Self::NotPermitted(_) | Self::OutOfScope(_) => Kind::NotPermitted,
            Self::UnknownToken => Kind::WrongToken,
            Self::PicturesUndecided { .. } => Kind::Parameter,
            Self::HoldStands => Kind::HoldStands,
            Self::Waits { .. } | Self::WaitsForYou { .. } => Kind::Waits,
            Self::OneAdmin | Self::OwnWord | Self::NoWord { .. } => Kind::SecondAdmin,
            Self::NoHold
            | Self::UnknownPseudonym
            | Self::NameDestroyed { .. }
            | Self::NoPending { .. }
            | Self::NoToken { .. } => Kind::NotFound,
            Self::LastAdmin | Self::ClockMoved | Self::TargetChanged => Kind::Conflict,
            Self::RolledBack { .. }
            | Self::NoMark
            | Self::LogMissing { .. }
            | Self::ForeignLog { .. }
            | Self::LogInParts { .. }
            | Self::LogEnds { .. }
            | Self::Exported(_)
            | Self::VaultMissing { .. } => Kind::Damaged,
            Self::QueueFull { .. } => Kind::QueueFull,
            Self::KeyReused => Kind::KeyReused,
            Self::NotFound { .. }
            | Self::NoErasure { .. }
            | Self::ShortId { .. }
            | Self::NoJob
            | Self::NoBackup => Kind::NotFound,
            Self::NotErased { .. } => Kind::Conflict,
            Self::BackupInWork => Kind::Busy,
            Self::JobEnded => Kind::JobEnded,
            Self::Stopping => Kind::Stopping,
            Self::Broken => Kind::Internal,
            Self::ExportFile { source, .. } => match is_full(source) {
                true => Kind::Disk,
                false => Kind::ExportFile,
            },
            #[cfg(test)]
            Self::Crash => Kind::Internal,
        }
    }
}

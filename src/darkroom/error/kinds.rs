//! Which kind of trouble the errors of vault and log are, and what breaks a rule.

use super::Kind;
use audit::words::{ObjectFailure, RequestRefusal};

/// Of what the log says.
pub(super) fn log_kind(error: &audit::Error) -> Kind {
    match error {
        audit::Error::Busy { .. } => Kind::Busy,
        audit::Error::DiskFull => Kind::Disk,
        audit::Error::Unpruned { why } if why.is_full() => Kind::Disk,
        audit::Error::Refused { .. } => Kind::Conflict,
        audit::Error::Absent { .. } | audit::Error::Pruned { .. } => Kind::NotFound,
        audit::Error::Lost { .. } | audit::Error::Broken { .. } | audit::Error::Diverged { .. } => {
            Kind::Damaged
        }
        _ => Kind::Log,
    }
}

/// Of what the vault says.
pub(super) fn vault_kind(error: &vault::Error) -> Kind {
    use vault::Error as E;
    match error {
        E::NoVault(_) => Kind::NoVault,
        E::WrongSecret | E::HalfNeeded | E::JointNeeded | E::RecoveryCodeMistyped | E::SlotRemoved => {
            Kind::WrongSecret
        }
        E::AuditorsSlot => Kind::AuditorOnly,
        E::WeakSecret(_) => Kind::WeakSecret,
        E::NameNeeded => Kind::NameNeeded,
        E::BadName(_) | E::NameOfAnother | E::NameAlike => Kind::Name,
        E::Limit(_) | E::Range { .. } => Kind::Parameter,
        E::VaultExists(_) => Kind::VaultExists,
        E::NameTaken
        | E::IdTaken(_)
        | E::LastSlot
        | E::SlotsFull
        | E::SlotNumbersSpent
        | E::HalfAbsent
        | E::OtherHalf
        | E::HalfThere(_)
        | E::JointThere
        | E::JointLast
        | E::JointAdmin
        | E::MachineSecretThere(_) => Kind::Conflict,
        E::UnknownObject(_)
        | E::Erased(_)
        | E::UnknownSlot(_)
        | E::UnknownName
        | E::NoMachineSecret
        | E::NotJoint => Kind::NotFound,
        E::Busy(_) => Kind::Busy,
        E::DiskFull => Kind::Disk,
        E::OutputsAbsent(_)
        | E::OutputsNotOurs(_)
        | E::OutputsInUse(_)
        | E::OutputsForbidden(_)
        | E::OutputsUnreadable { .. } => Kind::Outputs,
        E::ObjectForbidden(_) => Kind::Outputs,
        E::Unfinished(_) => Kind::Unfinished,
        E::OldKeyRemains(_) => Kind::OldKeyRemains,
        E::Poisoned | E::Unsettled(_) => Kind::Uncertain,
        E::NotABackup
        | E::BackupDamaged { .. }
        | E::KdfOutOfRange
        | E::Unsupported { .. }
        | E::HeaderTampered
        | E::EpochKeyGone { .. }
        | E::LogDamaged { .. }
        | E::ObjectMissing(_)
        | E::ObjectDamaged { .. } => Kind::Damaged,
        _ => Kind::Internal,
    }
}

/// Of what breaks a rule.
pub(super) fn refusal_kind(reason: RequestRefusal) -> Kind {
    use RequestRefusal as R;
    match reason {
        R::PromptEmpty | R::PromptLength | R::PromptEncoding => Kind::Prompt,
        R::Size => Kind::Size,
        R::Steps => Kind::Steps,
        R::Seed => Kind::Seed,
        R::Policy | R::Permission => Kind::Policy,
        R::Hold => Kind::Held,
        R::Locked => Kind::Locked,
        R::Busy => Kind::QueueFull,
        R::DiskFull => Kind::Disk,
        R::Memory => Kind::Memory,
        R::Engine => Kind::Engine,
        R::NotFound => Kind::NotFound,
        _ => Kind::Parameter,
    }
}

/// The log's word for what the vault says about an object.
pub(crate) fn vault_failure(error: &vault::Error) -> ObjectFailure {
    match error {
        vault::Error::DiskFull => ObjectFailure::DiskFull,
        vault::Error::ObjectMissing(_) => ObjectFailure::Missing,
        vault::Error::ObjectDamaged { .. } => ObjectFailure::Damaged,
        _ => ObjectFailure::Vault,
    }
}

/// Whether an error says that the disk is full, or somebody's share of it, or that a file may not grow.
pub(crate) fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded => true,
        // From the system it is about a write; the log's own is about a file that nobody would read.
        FileTooLarge => error.raw_os_error().is_some(),
        _ => false,
    }
}

/// Whether the system gives no memory.
pub(super) fn is_memory(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::OutOfMemory
}

/// Whether an error comes down to memory, a disk, a quota or a limit on the length of files.
pub(super) fn lacks_room(error: &(dyn std::error::Error + 'static)) -> Option<Kind> {
    match error.downcast_ref::<std::io::Error>() {
        Some(system) if is_memory(system) => Some(Kind::Memory),
        Some(system) if is_full(system) => Some(Kind::Disk),
        _ => error.source().and_then(lacks_room),
    }
}

/// The log's word for what a model refuses.
pub(crate) fn refusal_word(rule: engine::Rule) -> RequestRefusal {
    match rule {
        engine::Rule::PromptLength => RequestRefusal::PromptLength,
        engine::Rule::PromptEncoding => RequestRefusal::PromptEncoding,
        engine::Rule::Size => RequestRefusal::Size,
        engine::Rule::Parameter => RequestRefusal::Parameter,
        engine::Rule::Memory => RequestRefusal::Memory,
    }
}

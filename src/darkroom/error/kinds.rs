//! Which kind of trouble the errors of vault and log are, and what breaks a rule.

use super::Kind;
use audit::words::{ObjectFailure, RequestRefusal};

/// Of what the log says.
pub(super) fn log_kind(error: &audit::Error) -> Kind {
    match error {
        audit::Error::Busy { .. } => Kind::Busy,
        audit::Error::DiskFull => Kind::Disk,
        audit::Error::Absent { .. } => Kind::NotFound,
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
        E::WrongSecret | E::HalfNeeded | E::RecoveryCodeMistyped | E::SlotRemoved => Kind::WrongSecret,
        E::AuditorsSlot => Kind::AuditorOnly,
        E::WeakSecret(_) => Kind::WeakSecret,
        E::NameNeeded => Kind::NameNeeded,
        E::BadName(_) | E::NameOfAnother => Kind::Name,
        E::Limit(_) | E::Range { .. } => Kind::Parameter,
        E::VaultExists(_) => Kind::VaultExists,
        E::NameTaken
        | E::IdTaken(_)
        | E::LastSlot
        | E::SlotsFull
        | E::SlotNumbersSpent
        | E::OtherHalf
        | E::HalfThere(_)
        | E::MachineSecretThere(_) => Kind::Conflict,
        E::UnknownObject(_) | E::Erased(_) | E::UnknownSlot(_) | E::UnknownName | E::NoMachineSecret => {
            Kind::NotFound
        }
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

//! An event with its circumstances: who, about what, for which job, and how it ended.

use crate::event::{Event, schema};
use crate::token::{Actor, JobId, Object};
use crate::words::Outcome;

/// One event with its circumstances: what [`crate::Log::append`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What happened.
    pub event: Event,
    /// Who did it.
    pub actor: Actor,
    /// Which object it concerns.
    pub object: Option<Object>,
    /// Which job it belongs to.
    pub job: Option<JobId>,
    /// How it ended.
    pub outcome: Outcome,
}

impl Event {
    /// The event as an act of `actor`, outcome `ok`.
    pub fn by(self, actor: Actor) -> Entry {
        Entry { event: self, actor, object: None, job: None, outcome: Outcome::Ok }
    }

    /// The event as an act of the program itself, outcome `ok`.
    pub fn by_system(self) -> Entry {
        self.by(Actor::System)
    }

    /// Whether the event may use the space that is set aside for a full disk: endings, erasures, what the log says about
    /// itself, and the start and unlocking without which nothing can be erased. A wrong secret is not among them, or
    /// guessing could use up the space.
    pub(crate) fn may_use_reserve(&self) -> bool {
        let name = self.name();
        ["object.eras", "key.", "recovery.", "vault.key_"].iter().any(|group| name.starts_with(group))
            || matches!(
                self,
                Self::BootStarted { .. }
                    | Self::BootRefused { .. }
                    | Self::PostureRecorded { .. }
                    | Self::BootReady { .. }
                    | Self::BootStopped { .. }
                    | Self::VaultUnlocked { .. }
                    | Self::VaultUnlockedWith { .. }
                    | Self::VaultLocked { .. }
                    | Self::VaultSecretChanged { .. }
                    | Self::VaultSecretFailed { .. }
                    | Self::VaultRolled { .. }
                    | Self::VaultRolledBack { .. }
                    | Self::VaultHealed { .. }
                    | Self::VaultMirrorDamaged { .. }
                    | Self::VaultDamaged {}
                    | Self::LogMarkMissed { .. }
                    | Self::SessionOpened { .. }
                    | Self::FenceFoundOpen {}
                    | Self::ModelMayChange { .. }
                    | Self::ObjectMissing {}
                    | Self::ObjectSealed { .. }
                    | Self::GenerateFailed { .. }
                    | Self::GenerateFinished { .. }
                    | Self::ObjectExportFailed { .. }
                    | Self::DiskReserveLow {}
            )
    }
}

impl Entry {
    /// The same, concerning `object`.
    pub fn object(self, object: Object) -> Self {
        Self { object: Some(object), ..self }
    }

    /// The same, belonging to `job`.
    pub fn job(self, job: JobId) -> Self {
        Self { job: Some(job), ..self }
    }

    /// The same, refused by a rule.
    pub fn denied(self) -> Self {
        Self { outcome: Outcome::Denied, ..self }
    }

    /// The same, tried and not done.
    pub fn failed(self) -> Self {
        Self { outcome: Outcome::Failed, ..self }
    }

    /// Whether the event has the object and the job that its type requires.
    pub(crate) fn is_complete(&self) -> bool {
        schema(self.event.name())
            .is_some_and(|t| (!t.object || self.object.is_some()) && (!t.job || self.job.is_some()))
    }
}

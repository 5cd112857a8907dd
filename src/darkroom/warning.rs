//! What whoever works here should know, and what each act goes on in spite of.

use crate::room::{Darkroom, Room};
use audit::words::IntentKind;
use std::fmt;
use vault::Notice;

/// Something that is not as it should be. It is on record where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// What was erased with the last roll is not gone for good yet.
    OldKeyRemains,
    /// A key that nothing was erased with could not be wiped.
    UnusedKeyRemains,
    /// What the vault held at its opening may not outlive a power cut.
    Unproven,
    /// On a full disk an erasure might not fit.
    NoReserve,
    /// The clock was set since the start: nothing is erased by its period.
    ClockMoved,
    /// The vault file or its mirror was damaged, and the other one took its place.
    Healed,
    /// A machine secret opened the vault, and no person.
    Unattended,
    /// The copy of the newest checkpoint that the policy asks for is not made.
    NoCopy,
    /// An earlier session was cut off when it had drawn a recovery code.
    CodeUnseen,
    /// An erasure or a change of a secret was cut off, and nobody has opened the vault since.
    Interrupted,
    /// A pruning of the log is on record and not finished.
    Unpruned,
}

impl Warning {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::OldKeyRemains,
        Self::UnusedKeyRemains,
        Self::Unproven,
        Self::NoReserve,
        Self::ClockMoved,
        Self::Healed,
        Self::Unattended,
        Self::NoCopy,
        Self::CodeUnseen,
        Self::Interrupted,
        Self::Unpruned,
    ];

    /// A word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::OldKeyRemains => "old_key_remains",
            Self::UnusedKeyRemains => "unused_key_remains",
            Self::Unproven => "unproven",
            Self::NoReserve => "no_reserve",
            Self::ClockMoved => "clock_moved",
            Self::Healed => "healed",
            Self::Unattended => "unattended",
            Self::NoCopy => "no_copy",
            Self::CodeUnseen => "code_unseen",
            Self::Interrupted => "interrupted",
            Self::Unpruned => "unpruned",
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OldKeyRemains => {
                "the key of an erasure could not be wiped: with old copies of the files, what was erased still opens. See \
                 that the vault's file `anchor` can be written; the next act tries again"
            }
            Self::UnusedKeyRemains => {
                "the key that an interrupted erasure or change of a secret had made could not be wiped; nothing was erased with \
                 it. See that the vault's file `anchor` can be written; the next act tries again"
            }
            Self::Unproven => {
                "the vault could not be written at its opening, so the newest pictures may not outlive a power cut; make \
                 room on its disk, or make it writable"
            }
            Self::NoReserve => {
                "no space could be set aside for erasing on a full disk; make room on the vault's disk"
            }
            Self::ClockMoved => {
                "the clock was set since the program started, so nothing is erased by its period; see that the clock is right, and \
                 start the program again"
            }
            Self::Healed => {
                "the vault file or its mirror was damaged and was made whole from the other; this is on record: find out \
                 what happened to the disk"
            }
            Self::Unattended => {
                "the vault was opened by a machine secret, and by no person: whoever starts this machine as it is opens it"
            }
            Self::NoCopy => {
                "the newest checkpoint of the log could not be copied to where the policy says; why not, and what to do, says: lightproof status"
            }
            Self::CodeUnseen => {
                "an earlier session was cut off when it had drawn a new recovery code: the one from before opens nothing, and perhaps nobody \
                 has seen the new one. Draw another: lightproof vault recovery"
            }
            Self::Interrupted => {
                "an erasure or a change of a secret was cut off: until somebody opens the vault, which ends it, what it was to end may \
                 open still"
            }
            Self::Unpruned => {
                "a pruning of the log is on record and not finished, so some of what was to go is there; why, and what to do, says: \
                 lightproof audit prune"
            }
        })
    }
}

impl Darkroom {
    /// What there is to know about the open vault; while it is locked, what the log says of it.
    pub fn warnings(&self) -> Vec<Warning> {
        let no_copy = self.copy_state.trouble().map(|_| Warning::NoCopy);
        let unpruned = self.log.unpruned().ok().flatten().map(|_| Warning::Unpruned);
        let of_log = no_copy.into_iter().chain(unpruned);
        let Room::Open(open) = &self.room else {
            let Ok(known) = self.log.unfinished() else { return Vec::new() };
            let old = known.key_remains.map(|_| Warning::OldKeyRemains);
            let unused = known.key_unused.map(|_| Warning::UnusedKeyRemains);
            let rolls = |kind| matches!(kind, IntentKind::Erase | IntentKind::Secret | IntentKind::Name);
            let is_cut_off = old.is_none() && known.open_intents.iter().any(|intent| rolls(intent.kind));
            let interrupted = is_cut_off.then_some(Warning::Interrupted);
            return old.into_iter().chain(unused).chain(interrupted).chain(of_log).collect();
        };
        let healed = open.vault.healed().or(open.vault.damaged_mirror()).map(|_| Warning::Healed);
        let noticed = open.vault.notices().into_iter().filter_map(|notice| match notice {
            Notice::OldKeyRemains => Some(Warning::OldKeyRemains),
            Notice::UnusedKeyRemains => Some(Warning::UnusedKeyRemains),
            Notice::Unproven => Some(Warning::Unproven),
            Notice::NoReserve => Some(Warning::NoReserve),
            _ => None,
        });
        let moved = self.clock_moved().then_some(Warning::ClockMoved);
        let unattended = open.is_unattended.then_some(Warning::Unattended);
        let unseen = open.is_code_unseen.then_some(Warning::CodeUnseen);
        let of_vault = healed.into_iter().chain(noticed).chain(moved);
        of_vault.chain(unattended).chain(unseen).chain(of_log).collect()
    }
}

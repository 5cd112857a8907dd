//! Whether a server may open the vault by a machine secret.

/// May a server open the vault at its start with a secret that the machine keeps, and does the idle lock hold then? Later ones
/// allow more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unattended {
    /// It may not.
    Refuse,
    /// It may, and locks the vault when nobody has asked for anything for a while.
    IdleLock,
    /// It may, and keeps the vault open until it ends.
    StayOpen,
}

impl Unattended {
    /// The word used in the profile.
    pub fn word(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::IdleLock => "idle-lock",
            Self::StayOpen => "stay-open",
        }
    }
}

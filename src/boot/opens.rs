//! What a verb is opened with.

use serde::{Deserialize, Serialize};
use vault::{Error, PersonName, Secret};
use zeroize::Zeroizing;

/// What the second of two people has typed, and who they say they are.
pub type Typed = (Zeroizing<String>, Option<PersonName>);

/// What a running server says of a passphrase that it was shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The person is in.
    Opened,
    /// It is wrong.
    Wrong,
    /// A second one opens the vault with them; it was not tried.
    AsksSecond,
}

/// The secrets that a verb takes from whoever wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opens {
    /// A passphrase.
    Passphrase,
    /// A passphrase or the recovery code.
    Any,
    /// The same for what the recovery code has no word in: it is not asked for.
    Own,
    /// The recovery code and nothing else.
    Recovery,
}

impl Opens {
    /// The question to the person.
    pub fn question(self) -> &'static str {
        match self {
            Self::Passphrase | Self::Own => "Passphrase: ",
            Self::Any => "Passphrase or recovery code: ",
            Self::Recovery => "Recovery code: ",
        }
    }

    /// The secret that was typed.
    ///
    /// # Errors
    /// It can be none of these.
    pub fn parse(self, text: &str) -> Result<Secret, Error> {
        match self {
            Self::Passphrase => Secret::passphrase(text),
            Self::Any | Self::Own => Secret::any(text),
            Self::Recovery => Secret::recovery(text),
        }
    }

    /// Whether a name goes with it, where several people use the vault: the recovery code is everybody's.
    pub fn names_somebody(self) -> bool {
        self != Self::Recovery
    }
}

/// Whose new passphrase is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NewOf {
    /// That of the first person of a vault.
    First,
    /// That of who asks, or in whose place the recovery code is shown.
    Own,
    /// That of somebody who comes.
    Theirs,
}

impl NewOf {
    /// The question to the person.
    pub fn question(self) -> &'static str {
        match self {
            Self::First => "Choose a passphrase (12 characters or more): ",
            Self::Own => "New passphrase (12 characters or more): ",
            Self::Theirs => "Their passphrase (12 characters or more): ",
        }
    }

    /// What is said where nobody can be asked.
    pub fn unasked(self) -> &'static str {
        match self {
            Self::First => "a passphrase is needed and there is no terminal; use --passphrase-file FILE",
            Self::Own => {
                "the new passphrase is typed at a terminal, and there is none; use --new-passphrase-file FILE"
            }
            Self::Theirs => {
                "their passphrase is typed at a terminal, and there is none; use --new-passphrase-file FILE"
            }
        }
    }
}

//! Acts that take the word of a second admin.

use serde::Deserialize;

/// Acts that one admin asks for and a second one confirms, where the policy names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TwoPerson {
    /// Asking who is behind a pseudonym.
    Resolve,
    /// Erasing all pictures of somebody else, or handing them over.
    Pictures,
    /// Ending a legal hold.
    Hold,
    /// Destroying the vault.
    Destroy,
    /// Making somebody an admin, and removing an admin or taking that role away.
    Admin,
}

impl TwoPerson {
    const ALL: [Self; 5] = [Self::Resolve, Self::Pictures, Self::Hold, Self::Destroy, Self::Admin];

    fn word(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Pictures => "pictures",
            Self::Hold => "hold",
            Self::Destroy => "destroy",
            Self::Admin => "admin",
        }
    }
}

/// Some of these acts. One who could make a second admin alone would be two people: whichever are named, `admin` is among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TwoPersons(u8);

impl TwoPersons {
    /// Those, and `admin` if there is any.
    pub fn of(acts: &[TwoPerson]) -> Self {
        let implied = acts.first().map(|_| TwoPerson::Admin);
        Self(acts.iter().copied().chain(implied).fold(0, |bits, act| bits | 1 << act as u8))
    }

    /// Whether this act takes two.
    pub fn needs(self, act: TwoPerson) -> bool {
        self.0 & 1 << act as u8 != 0
    }

    /// Whether none does.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those of both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Their words, in a fixed order.
    pub fn words(self) -> String {
        let named = TwoPerson::ALL.into_iter().filter(|act| self.needs(*act));
        named.map(TwoPerson::word).collect::<Vec<_>>().join(", ")
    }
}

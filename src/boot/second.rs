//! What is said of the second of two people who open a vault together.

use crate::input::SecretLine;
use vault::PersonName;

/// What was said of the second one at the start.
pub struct Second {
    /// Their passphrase, if it is in a file.
    pub line: Option<SecretLine>,
    /// Who they are.
    pub operator: Option<PersonName>,
}

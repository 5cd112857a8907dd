//! A token of a program, as it is told, and as the vault remembers it: the SHA-256 of its text, sealed, so that who reads the vault
//! has no token.

use crate::rights::{Scope, Scopes};
use crate::roles::role_of;
use audit::words::{Role, TokenEnd};
use serde_json::{Value, json};
use vault::{MARK_LONG, MARK_LONG_BYTES_MAX, PersonName, SlotId, Vault};

/// Tokens of all people: so many, with the longest labels, the vault can remember.
pub(crate) const ALL_MAX: usize = MARK_LONG_BYTES_MAX / (HEAD_BYTES + vault::PERSON_NAME_BYTES_MAX);
/// Bytes of one before its label: number 8, slot 2, role 1, scopes 1, end 8, day of use 4, SHA-256 32, bytes of the label 1.
const HEAD_BYTES: usize = 57;
/// A day.
pub(crate) const DAY_MS: u64 = 24 * 3600 * 1000;
/// The roles as they are stored.
const ROLES: [Role; 3] = [Role::Operator, Role::Auditor, Role::Admin];

/// A token, without what opens anything.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its number.
    pub number: u64,
    /// Slot of the person.
    pub slot: u16,
    /// Who that is; `None` where nobody has a name.
    pub of: Option<PersonName>,
    /// Whether that is the one who asks.
    pub is_own: bool,
    /// What it is for, in the words of its person.
    pub label: Option<PersonName>,
    /// What it may do.
    pub scopes: Scopes,
    /// When it ends by itself, in milliseconds since 1970.
    pub expires_ms: u64,
    /// The begin of the day on which it was used last, in milliseconds since 1970.
    pub used_day_ms: Option<u64>,
}

impl Token {
    /// All that is known of it, for programs.
    pub fn facts(&self) -> Value {
        let text = |name: &Option<PersonName>| name.as_ref().map(|name| name.as_str().to_owned());
        let scopes: Vec<&str> = self.scopes.all().map(Scope::word).collect();
        json!({
            "number": self.number, "slot": self.slot, "of": text(&self.of), "you": self.is_own, "label": text(&self.label),
            "scopes": scopes, "expires_ms": self.expires_ms, "used_day": self.used_day(),
        })
    }

    /// The day on which it was used last; `None` if it never was.
    pub fn used_day(&self) -> Option<String> {
        self.used_day_ms.map(|ms| audit::timestamp(ms).chars().take_while(|c| *c != 'T').collect())
    }
}

/// One as the vault remembers it.
#[derive(Clone)]
pub(crate) struct Kept {
    /// Number of its record `token.made`.
    pub number: u64,
    /// Slot of its person.
    pub slot: u16,
    /// What its person might do when it was made.
    pub role: Role,
    /// What it may do.
    pub scopes: Scopes,
    /// When it ends by itself, in milliseconds since 1970.
    pub expires_ms: u64,
    /// The day on which it was used last, in days since 1970; 0 for never.
    pub used_day: u32,
    /// Of its text.
    pub sha256: [u8; 32],
    /// What it is for.
    pub label: Option<PersonName>,
}

impl Kept {
    fn encode(&self) -> Vec<u8> {
        let label = self.label.as_ref().map_or("", PersonName::as_str);
        let role = ROLES.iter().position(|role| *role == self.role).unwrap_or_default() as u8;
        let length = label.len() as u8; // at most 64
        [
            &self.number.to_be_bytes()[..],
            &self.slot.to_be_bytes(),
            &[role, self.scopes.bits()],
            &self.expires_ms.to_be_bytes(),
            &self.used_day.to_be_bytes(),
            &self.sha256,
            &[length],
            label.as_bytes(),
        ]
        .concat()
    }

    /// One, and what is behind it.
    fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (number, rest) = bytes.split_first_chunk()?;
        let (slot, rest) = rest.split_first_chunk()?;
        let ([role, scopes], rest) = rest.split_first_chunk()?;
        let (expires_ms, rest) = rest.split_first_chunk()?;
        let (used_day, rest) = rest.split_first_chunk()?;
        let (sha256, rest) = rest.split_first_chunk()?;
        let ([length], rest) = rest.split_first_chunk()?;
        let (label, rest) = rest.split_at_checked(usize::from(*length))?;
        let label = match label {
            [] => None,
            label => Some(PersonName::new(std::str::from_utf8(label).ok()?).ok()?),
        };
        let kept = Self {
            number: u64::from_be_bytes(*number),
            slot: u16::from_be_bytes(*slot),
            role: *ROLES.get(usize::from(*role))?,
            scopes: Scopes::of_bits(*scopes)?,
            expires_ms: u64::from_be_bytes(*expires_ms),
            used_day: u32::from_be_bytes(*used_day),
            sha256: *sha256,
            label,
        };
        Some((kept, rest))
    }

    /// Why it opens nothing any more, if so.
    pub fn ended(&self, vault: &Vault, now_ms: u64) -> Option<TokenEnd> {
        let person = vault.slot_infos().find(|info| info.id == SlotId(self.slot));
        match person.map(|info| role_of(vault, info)) {
            role if role != Some(self.role) => Some(TokenEnd::Person),
            _ if self.expires_ms <= now_ms => Some(TokenEnd::Expired),
            _ => None,
        }
    }
}

/// All that the vault remembers.
pub(crate) fn all(vault: &Vault) -> Vec<Kept> {
    let (mut bytes, mut all) = (vault.mark(MARK_LONG).unwrap_or_default(), Vec::new());
    while let Some((kept, rest)) = Kept::parse(bytes) {
        all.push(kept);
        bytes = rest;
    }
    all
}

/// The bytes of the mark with them.
pub(crate) fn encode(all: &[Kept]) -> Vec<u8> {
    all.iter().flat_map(Kept::encode).collect()
}

/// Whether the vault knows the token of this number.
pub(crate) fn is_known(vault: &Vault, number: u64) -> bool {
    all(vault).iter().any(|kept| kept.number == number)
}

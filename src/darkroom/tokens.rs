//! Tokens of programs: each belongs to a person, and opens some of what that person may do, while somebody has the vault open.
//!
//! The vault keeps the SHA-256 of each, sealed: who reads the vault has no token. There is no key in one, so that it opens
//! nothing by itself. Each is known by the number of its record `token.made`, which is no other's, ever.

use crate::pending::role_at;
use crate::rights::{Act, Scope, Scopes};
use crate::room::Darkroom;
use crate::{Error, Who};
use audit::words::{Role, TokenEnd};
use audit::{Digest, Event};
use base16ct::lower::encode_string as hex;
use serde_json::{Value, json};
use vault::{MARK_LONG, MARK_LONG_BYTES_MAX, PersonName, SlotId, Vault};
use zeroize::Zeroizing;

/// What every token begins with, so that one that lies where it should not is told from other text.
pub const TOKEN_PREFIX: &str = "lpt_";
/// How long one lasts where nobody says.
pub const TOKEN_DAYS: u32 = 30;
/// How long one lasts at most.
pub const TOKEN_DAYS_MAX: u32 = 366;

/// Tokens of one person, and of all: so many, with the longest labels, the vault can remember.
const OWN_MAX: usize = 8;
const ALL_MAX: usize = MARK_LONG_BYTES_MAX / (HEAD_BYTES + vault::PERSON_NAME_BYTES_MAX);
/// Bytes of one before its label: number 8, slot 2, role 1, scopes 1, end 8, day of use 4, SHA-256 32, bytes of the label 1.
const HEAD_BYTES: usize = 57;
const DAY_MS: u64 = 24 * 3600 * 1000;
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
struct Kept {
    number: u64,
    slot: u16,
    /// What its person might do when it was made.
    role: Role,
    scopes: Scopes,
    expires_ms: u64,
    /// The day on which it was used last, in days since 1970; 0 for never.
    used_day: u32,
    sha256: [u8; 32],
    label: Option<PersonName>,
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
    fn ended(&self, vault: &Vault, now_ms: u64) -> Option<TokenEnd> {
        match role_at(vault, self.slot) {
            role if role != Some(self.role) => Some(TokenEnd::Person),
            _ if self.expires_ms <= now_ms => Some(TokenEnd::Expired),
            _ => None,
        }
    }
}

fn all(vault: &Vault) -> Vec<Kept> {
    let (mut bytes, mut all) = (vault.mark(MARK_LONG).unwrap_or_default(), Vec::new());
    while let Some((kept, rest)) = Kept::parse(bytes) {
        all.push(kept);
        bytes = rest;
    }
    all
}

fn encode(all: &[Kept]) -> Vec<u8> {
    all.iter().flat_map(Kept::encode).collect()
}

/// Whether the vault knows the token of this number.
pub(crate) fn is_known(vault: &Vault, number: u64) -> bool {
    all(vault).iter().any(|kept| kept.number == number)
}

impl Darkroom {
    /// Makes a token for a program of `who`, who has proved it once more if they came in a while ago. It lasts `days`. Its text is
    /// handed out here and never again.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record, also for a scope whose acts are not theirs; as many tokens as there can be; what vault and
    /// log say: then there is no such token.
    pub fn make_token(
        &mut self,
        who: &Who,
        scopes: Scopes,
        days: u32,
        label: Option<PersonName>,
    ) -> Result<(Token, Zeroizing<String>), Error> {
        let limit = |what| Err(vault::Error::Limit(what).into());
        for scope in scopes.all() {
            self.vault_of(who, scope.first_act())?;
        }
        self.vault_of(who, Act::OwnTokens)?;
        if scopes.is_empty() {
            return limit("a token is for one or more of: generate, read, audit");
        }
        if !(1..=TOKEN_DAYS_MAX).contains(&days) {
            return limit("a token lasts 1 to 366 days");
        }
        self.end_tokens()?;
        let now_ms = self.now_ms();
        let (open, random, log) = self.parts(who, Act::OwnTokens)?;
        let role = role_at(&open.vault, who.slot).ok_or(Error::Locked)?;
        let mut kept = all(&open.vault);
        let own = kept.iter().filter(|kept| kept.slot == who.slot).count();
        if own >= OWN_MAX || kept.len() >= ALL_MAX {
            return limit(
                "there are as many tokens as there can be, 8 of each person and 33 of all; revoke one",
            );
        }
        let mut key = Zeroizing::new([0; 32]);
        random.fill(&mut *key).map_err(vault::Error::Random)?;
        let digits = Zeroizing::new(hex(&*key));
        let text = Zeroizing::new(format!("{TOKEN_PREFIX}{}", *digits));
        let expires_ms = now_ms.saturating_add(u64::from(days) * DAY_MS);
        let slot = who.slot.into();
        let has = |scope| scopes.has(scope);
        let (generate, read, audit) = (has(Scope::Generate), has(Scope::Read), has(Scope::Audit));
        let made = Event::TokenMade { slot, generate, read, audit, expires_ms };
        let number = log.append(&[made.by(who.actor)])?.seq_first;
        let sha256 = Digest::of(text.as_bytes()).0;
        let new = Kept { number, slot: who.slot, role, scopes, expires_ms, used_day: 0, sha256, label };
        kept.push(new.clone());
        let failed = Event::TokenEnded { token: number, slot, reason: TokenEnd::Failed }.by_system().failed();
        open.set_recorded(log, random, (MARK_LONG, &encode(&kept)), failed)?;
        Ok((described(&open.vault, who, &new), text))
    }

    /// One's own tokens that open something.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; [`Error::Locked`].
    pub fn own_tokens(&self, who: &Who) -> Result<Vec<Token>, Error> {
        let vault = self.vault_of(who, Act::OwnTokens)?;
        Ok(self.described(vault, who).into_iter().filter(|token| token.is_own).collect())
    }

    /// Everybody's.
    ///
    /// # Errors
    /// As there.
    pub fn tokens_of_all(&self, who: &Who) -> Result<Vec<Token>, Error> {
        Ok(self.described(self.vault_of(who, Act::AnyTokens)?, who))
    }

    /// Those that `who` may revoke.
    ///
    /// # Errors
    /// As there.
    pub fn tokens(&self, who: &Who) -> Result<Vec<Token>, Error> {
        match Act::AnyTokens.is_open_to(who.role()) {
            true => self.tokens_of_all(who),
            false => self.own_tokens(who),
        }
    }

    /// From here on this token opens nothing.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; [`Error::NoToken`]: there is none of this number, or it is somebody else's and they are no
    /// admin; what vault and log say: then it opens what it did.
    pub fn revoke_token(&mut self, who: &Who, number: u64) -> Result<(), Error> {
        self.end_tokens()?;
        if !self.tokens(who)?.iter().any(|token| token.number == number) {
            return Err(Error::NoToken { number });
        }
        let actor = who.actor;
        self.drop_tokens(&[(number, TokenEnd::Revoked)], |event| event.by(actor))
    }

    /// Whoever a token with this SHA-256 lets in, for one request. Its first use of a day is on record.
    ///
    /// # Errors
    /// [`Error::Locked`] while the vault is; [`Error::UnknownToken`]; what vault and log say.
    pub fn enter_by_token(&mut self, sha256: &[u8; 32]) -> Result<Who, Error> {
        let now_ms = self.now_ms();
        let vault = &self.open_vault()?.vault;
        // All of them, and each to its last byte, whatever is found.
        let is_it =
            |kept: &Kept| kept.sha256.iter().zip(sha256).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0;
        let mut kept = all(vault);
        let found = kept.iter().enumerate().filter(|(_, kept)| is_it(kept)).map(|(at, _)| at).max();
        let at = found.ok_or(Error::UnknownToken)?;
        let ended = kept.get(at).is_none_or(|kept| kept.ended(vault, now_ms).is_some());
        if ended {
            self.end_tokens()?;
            return Err(Error::UnknownToken);
        }
        let (open, random, log) = self.open_parts()?;
        let info = |kept: &Kept| open.vault.slot_infos().find(|info| info.id == SlotId(kept.slot));
        let (Some(token), Some(info)) = (kept.get(at).cloned(), kept.get(at).and_then(info)) else {
            return Err(Error::UnknownToken);
        };
        let who = Who::behind(info, crate::Door::Token, open.number, &mut open.vault, random)?
            .by_token(token.number, token.scopes);
        let day = u32::try_from(now_ms / DAY_MS).unwrap_or(u32::MAX);
        if token.used_day != day {
            let used = Event::TokenUsed { token: token.number, slot: token.slot.into() };
            log.append(&[used.by(who.actor)])?;
            kept.iter_mut().filter(|kept| kept.number == token.number).for_each(|kept| kept.used_day = day);
            open.cover_with_next(log)?;
            open.vault.set_mark(MARK_LONG, &encode(&kept), random)?;
        }
        Ok(who)
    }

    /// Ends the tokens whose time is over, or whose person is not who made them any more, on record.
    ///
    /// # Errors
    /// What vault and log say.
    pub(crate) fn end_tokens(&mut self) -> Result<(), Error> {
        let (now_ms, vault) = (self.now_ms(), &self.open_vault()?.vault);
        let why = |kept: Kept| kept.ended(vault, now_ms).map(|end| (kept.number, end));
        let ended: Vec<(u64, TokenEnd)> = all(vault).into_iter().filter_map(why).collect();
        self.drop_tokens(&ended, Event::by_system)
    }

    /// Each is on record as ended before it is; where the vault does not take that, the log says so.
    fn drop_tokens(
        &mut self,
        ended: &[(u64, TokenEnd)],
        by: impl Fn(Event) -> audit::Entry,
    ) -> Result<(), Error> {
        for (number, reason) in ended {
            let (open, random, log) = self.open_parts()?;
            let mut kept = all(&open.vault);
            let Some(at) = kept.iter().position(|kept| kept.number == *number) else { continue };
            let (token, slot) = (*number, kept.remove(at).slot.into());
            log.append(&[by(Event::TokenEnded { token, slot, reason: *reason })])?;
            let back = Event::TokenEndFailed { token, slot }.by_system().failed();
            open.set_recorded(log, random, (MARK_LONG, &encode(&kept)), back)?;
        }
        Ok(())
    }

    fn described(&self, vault: &Vault, who: &Who) -> Vec<Token> {
        let now_ms = self.now_ms();
        let lives = |kept: &Kept| kept.ended(vault, now_ms).is_none();
        all(vault).iter().filter(|kept| lives(kept)).map(|kept| described(vault, who, kept)).collect()
    }
}

fn described(vault: &Vault, who: &Who, kept: &Kept) -> Token {
    let person = vault.people().into_iter().find(|person| person.slot.0 == kept.slot);
    Token {
        number: kept.number,
        slot: kept.slot,
        of: person.and_then(|person| person.name),
        is_own: kept.slot == who.slot,
        label: kept.label.clone(),
        scopes: kept.scopes,
        expires_ms: kept.expires_ms,
        used_day_ms: (kept.used_day > 0).then(|| u64::from(kept.used_day) * DAY_MS),
    }
}

//! Tokens of programs: each belongs to a person, and opens some of what that person may do, while somebody has the vault open.
//!
//! There is no key in one, so that it opens nothing by itself. Each is known by the number of its record `token.made`, which is no
//! other's, ever.

use crate::pending::role_at;
use crate::rights::{Act, Scope, Scopes};
use crate::room::Darkroom;
use crate::token::{ALL_MAX, DAY_MS, Kept, Token, all, encode};
use crate::{Error, Who};
use audit::words::TokenEnd;
use audit::{Digest, Event};
use base16ct::lower::encode_string as hex;
use vault::{MARK_LONG, PersonName, SlotId, Vault};
use zeroize::Zeroizing;

/// What every token begins with, so that one that lies where it should not is told from other text.
pub const TOKEN_PREFIX: &str = "lpt_";
/// How long one lasts where nobody says.
pub const TOKEN_DAYS: u32 = 30;
/// How long one lasts at most.
pub const TOKEN_DAYS_MAX: u32 = 366;
/// What a label of one is, for whoever gave another.
pub const TOKEN_LABEL: &str = "a label is 1 to 64 bytes, without line breaks and others that cannot be seen";

/// Tokens of one person.
const OWN_MAX: usize = 8;

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
        let (open, random, _) = self.open_parts()?;
        let info = |kept: &Kept| open.vault.slot_infos().find(|info| info.id == SlotId(kept.slot));
        let (Some(token), Some(info)) = (kept.get(at).cloned(), kept.get(at).and_then(info)) else {
            return Err(Error::UnknownToken);
        };
        let who = Who::behind(info, crate::Door::Token, open.number, &mut open.vault, random)?
            .by_token(token.number, token.scopes);
        let day = u32::try_from(now_ms / DAY_MS).unwrap_or(u32::MAX);
        if token.used_day != day {
            // Once, also where the vault does not take the day: a program that asks again and again must not fill the log.
            if !self.tokens_used.contains(&(token.number, day)) {
                let used = Event::TokenUsed { token: token.number, slot: token.slot.into() };
                self.log.append(&[used.by(who.actor)])?;
                self.tokens_used.insert((token.number, day));
            }
            kept.iter_mut().filter(|kept| kept.number == token.number).for_each(|kept| kept.used_day = day);
            let (open, random, log) = self.open_parts()?;
            open.cover_with_next(log)?;
            match open.vault.set_mark(MARK_LONG, &encode(&kept), random) {
                // A full disk keeps nobody out: it goes with the vault's next record.
                Err(vault::Error::DiskFull) => open.vault.remember(MARK_LONG, &encode(&kept))?,
                set => drop(set?),
            }
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

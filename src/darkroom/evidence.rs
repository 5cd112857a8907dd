//! Evidence on record: that the controls were tried, and what was handed out. What was found is no matter of the darkroom.

use crate::metadata::{Metadata, pseudonym};
use crate::request::Refusal;
use crate::roles::role_of;
use crate::who::pseudonym_of;
use crate::{Act, Darkroom, Error, Who, behind, whose};
use audit::words::{FreezeReason, RequestRefusal, Role};
use audit::{Actor, Digest, Entry, Event, JobId, Log, Object, PublicKey, Receipt, SystemClock};
use policy::TwoPerson;
use std::path::Path;
use vault::PersonName;

/// Which laws ask for reports within hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Laws {
    /// The GDPR.
    pub gdpr: bool,
    /// DORA.
    pub dora: bool,
    /// The Cyber Resilience Act.
    pub cra: bool,
}

/// What the vault holds about one person.
pub struct PersonHeld {
    /// Number of their slot.
    pub slot: u16,
    /// What they are called; `None` where nobody has a name.
    pub name: Option<PersonName>,
    /// What they may do; `None` if they were removed.
    pub role: Option<Role>,
    /// Their pictures: pseudonym, name, time, bytes, and whether the prompt is kept.
    pub pictures: Vec<(Object, String, u64, u64, bool)>,
}

/// Pins the state where there is a log and no vault that opens: nobody did it but the program.
///
/// # Errors
/// What the log says, which may be that it is damaged: then nothing is pinned.
pub fn freeze_without_vault(
    log: &Path,
    clock: SystemClock,
    reason: FreezeReason,
    laws: Laws,
) -> Result<(JobId, Receipt), Error> {
    freeze(&Log::open(log, clock)?.0, Actor::System, reason, laws)
}

fn freeze(log: &Log, actor: Actor, reason: FreezeReason, laws: Laws) -> Result<(JobId, Receipt), Error> {
    let (job, mark) = (JobId::random()?, log.mark());
    let Laws { gdpr, dora, cra } = laws;
    let frozen = Event::EvidenceFrozen { reason, gdpr, dora, cra, size: mark.size, root: mark.root };
    Ok((job, log.append(&[frozen.by(actor).job(job)])?))
}

impl Darkroom {
    /// Whether they may try the controls, and see what was found of them.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; [`Error::Locked`] if the vault was locked since `who` came in.
    pub fn may_try_controls(&self, who: &Who) -> Result<(), Error> {
        self.vault_of(who, Act::Controls).map(drop)
    }

    /// Whether the log, as it lies on the disk, goes on from what the open vault remembers of it. Reads all records up to there.
    ///
    /// # Errors
    /// As [`Darkroom::may_try_controls`]; the log cannot be read.
    pub fn continues_mark(&self, who: &Who) -> Result<bool, Error> {
        match self.compare_mark(self.vault_of(who, Act::Controls)?, Log::check_mark_anew) {
            Ok(()) => Ok(true),
            Err(Error::NoMark | Error::Log(audit::Error::Lost { .. } | audit::Error::Diverged { .. })) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Puts on record that the controls were tried. The file with what was found is durable by then.
    ///
    /// # Errors
    /// What the log says; as [`Darkroom::may_try_controls`].
    pub fn record_tried(&self, who: Option<&Who>, run: Digest, not_satisfied: u32) -> Result<Receipt, Error> {
        Ok(self.log.append(&[self.entry(Event::EvidenceTried { run, not_satisfied }, who)?])?)
    }

    /// Puts the key of a bundle on record, before it signs anything. The bundle goes by the request that is handed back: that of the
    /// incident, if it is for one.
    ///
    /// # Errors
    /// As [`Darkroom::record_tried`].
    pub fn record_key_drawn(
        &self,
        who: Option<&Who>,
        key: PublicKey,
        incident: Option<JobId>,
    ) -> Result<(JobId, Receipt), Error> {
        let job = incident.map_or_else(JobId::random, Ok)?;
        let entry = self.entry(Event::EvidenceKeyDrawn { key }, who)?.job(job);
        Ok((job, self.log.append(&[entry])?))
    }

    /// Puts on record that a bundle is handed out, before it is; with how many findings of its own check it tells of.
    ///
    /// # Errors
    /// As [`Darkroom::record_tried`].
    pub fn record_exported(
        &self,
        who: Option<&Who>,
        job: JobId,
        (manifest, findings): (Digest, u32),
    ) -> Result<Receipt, Error> {
        let event = match findings {
            0 => Event::EvidenceExported { manifest },
            findings => Event::EvidenceExportedFailing { manifest, findings },
        };
        Ok(self.log.append(&[self.entry(event, who)?.job(job)])?)
    }

    /// Puts on record that a bundle for support is about to leave. It takes no right: nothing of anybody's is in it.
    ///
    /// # Errors
    /// What the log says.
    pub fn record_support(&self, sha256: Digest) -> Result<Receipt, Error> {
        Ok(self.log.append(&[Event::SupportBundled { sha256 }.by_system()])?)
    }

    /// Pins the state: names the newest checkpoint before this record, and starts the clocks of these laws. The incident goes by
    /// the request that is handed back. Who sees a breach starts its clocks, whatever else they may do.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; what the log says; [`Error::Locked`] if the vault was locked since `who` came in.
    pub fn freeze(
        &self,
        who: Option<&Who>,
        reason: FreezeReason,
        laws: Laws,
    ) -> Result<(JobId, Receipt), Error> {
        if let Some(who) = who {
            self.vault_of(who, Act::Freeze)?;
        }
        freeze(&self.log, who.map_or(Actor::System, |who| who.actor), reason, laws)
    }

    /// Whether somebody who is signed in may do that. To ask is no try, and no record.
    pub fn is_open_to(&self, who: &Who, act: Act) -> bool {
        self.open_vault().is_ok_and(|open| open.admit(who).is_ok() && who.permitted(act, &open.vault).is_ok())
    }

    /// Puts on record that somebody says that what an incident asked for is done.
    ///
    /// # Errors
    /// As [`Darkroom::may_try_controls`]; what the log says.
    pub fn settle_incident(&self, who: &Who, incident: JobId) -> Result<Receipt, Error> {
        Ok(self.log.append(&[self.entry(Event::EvidenceSettled {}, Some(who))?.job(incident)])?)
    }

    /// What the vault holds about the person of this pseudonym: for themselves, or whoever may ask for anybody's. Where it takes two
    /// to say who is behind a pseudonym, for themselves alone.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], on record; it would say alone what takes two: refused, on record; [`Error::UnknownPseudonym`];
    /// [`Error::NameDestroyed`]; [`Error::Locked`].
    pub fn held_about(&self, who: &Who, actor: Actor) -> Result<PersonHeld, Error> {
        let vault = self.may_hold_about(who, actor == who.actor)?;
        let is_theirs = |person: &vault::Person| pseudonym_of(vault, person.slot.0) == Some(actor);
        let unknown = || behind::unknown(behind::nameless(vault, actor));
        let person = vault.people().into_iter().find(is_theirs).ok_or_else(unknown)?;
        let slot = person.slot.0;
        let entries = match vault.has_names() {
            true => whose::of_slot(vault, slot),
            false => vault.list().collect(),
        };
        let picture = |entry: &&vault::ObjectInfo| {
            let keeps =
                Metadata::of(entry).is_some_and(|of| of.prompt.is_some() || of.negative_prompt.is_some());
            let object = pseudonym(entry.id, entry.salt);
            (object, entry.name.clone(), entry.created_ms, entry.content_bytes, keeps)
        };
        Ok(PersonHeld {
            slot,
            name: person.name,
            role: vault.slot_infos().find(|info| info.id == person.slot).map(|info| role_of(vault, info)),
            pictures: entries.iter().map(picture).collect(),
        })
    }

    /// The pseudonym of the person of this name, for whoever may ask what is held about them: that says as much, the other way round.
    ///
    /// # Errors
    /// As [`Darkroom::held_about`]; nobody has the name.
    pub fn pseudonym_for(&self, who: &Who, name: &PersonName) -> Result<Actor, Error> {
        // Whoever is gone, too: what is held about them is held still.
        let is_theirs = |person: &vault::Person| person.name.as_ref().is_some_and(|known| known.is(name));
        let slot_of =
            |vault: &vault::Vault| vault.people().into_iter().find(is_theirs).map(|person| person.slot.0);
        // What somebody is called they know, and whether somebody else is called so takes the right to ask.
        let own = slot_of(&self.open_vault()?.vault) == Some(who.slot);
        let vault = self.may_hold_about(who, own)?;
        let slot = slot_of(vault).ok_or(vault::Error::UnknownName)?;
        pseudonym_of(vault, slot).ok_or(Error::UnknownPseudonym)
    }

    /// The vault, for whoever may say what is held about themselves, or about somebody.
    fn may_hold_about(&self, who: &Who, own: bool) -> Result<&vault::Vault, Error> {
        let act = if own { Act::OwnRecords } else { Act::AnyRecords };
        let vault = self.vault_of(who, act)?;
        if act == Act::AnyRecords && self.two_person.needs(TwoPerson::Resolve) {
            let reason = RequestRefusal::Policy;
            self.log.append(&[Event::RequestRefused { reason }.by(who.actor).denied()])?;
            let text = "this would say who is behind a pseudonym, for which the policy asks for a second admin: ask with `operator \
                        resolve`, which waits for one, and whoever it is about asks for what is held about themselves; nothing \
                        was done";
            return Err(Refusal::new(reason, text).into());
        }
        Ok(vault)
    }

    /// Puts on record that what is held about a person is handed out, before it is.
    ///
    /// # Errors
    /// As [`Darkroom::held_about`].
    pub fn record_subject(
        &self,
        who: &Who,
        actor: Actor,
        (slot, records, file): (u16, u64, Digest),
    ) -> Result<Receipt, Error> {
        self.held_about(who, actor)?;
        let event = Event::EvidenceSubject { slot: slot.into(), records, file };
        Ok(self.log.append(&[event.by(who.actor)])?)
    }

    /// Puts on record that an authority outside has stamped the checkpoint of this many records, by its clock then. The file with
    /// its answer is durable by now. It takes no right: who has the answer of an authority can add nothing to it.
    ///
    /// # Errors
    /// What the log says.
    pub fn record_stamp(&self, answer: Digest, size: u64, stamped_ms: u64) -> Result<Receipt, Error> {
        Ok(self.log.append(&[Event::LogStamped { answer, size, stamped_ms }.by_system()])?)
    }

    /// By whoever opened the vault; while it is shut, by the program, which needs no key for this.
    fn entry(&self, event: Event, who: Option<&Who>) -> Result<Entry, Error> {
        let Some(who) = who else { return Ok(event.by_system()) };
        self.vault_of(who, Act::Controls)?;
        Ok(event.by(who.actor))
    }
}

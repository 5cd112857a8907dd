//! Where the controls are tried: what every probe may read.

use super::listeners::Listener;
use crate::boot::Booted;
use crate::boot::seen::Seen;
use crate::exit::{Code, Failure};
use audit::{Digest, SystemClock};
use darkroom::{Act, Darkroom, Error, Marked, Queue, Who, newest_marks, verify_as};
use evidence::{Answers, Law, Periods};
use policy::{Controller, Erase, KeepPrompts};
use sandbox::Report;
use server::Gate;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use vault::VerifyReport;

/// What is known of this process and its folders since its start.
pub struct Site {
    /// Folder of the log.
    pub audit: PathBuf,
    /// Folder of the vault.
    pub vault: PathBuf,
    /// Folder of the sealed pictures.
    pub outputs: PathBuf,
    /// Folder of what was found.
    pub evidence: PathBuf,
    /// The fences, as they were put up.
    pub report: Report,
    /// SHA-256 of the program.
    pub binary: Digest,
    /// The policy in the words of any machine.
    pub rules: String,
    /// Digest of the policy in force, as the start put it on record.
    pub policy: Digest,
    /// The periods that the policy names.
    pub periods: Periods,
    /// The laws whose clocks an incident starts by it.
    pub incident_laws: Vec<Law>,
    /// How old the run before may be when the controls are tried, as it says.
    pub run_age_seconds_max: u64,
    /// What else it says that the controller's papers rest on.
    pub answers: Answers,
    /// What was seen before the fences.
    pub seen: Option<Arc<Seen>>,
    /// Digest of the loaded model, if one is.
    pub model: Option<Digest>,
    /// The clock that the log is written by.
    pub clock: SystemClock,
    /// The port that the policy names.
    pub port: u16,
    /// Where the program listens, if it does.
    pub listener: Option<Listener>,
    /// The routes that it serves there, once it does.
    pub gate: OnceLock<Gate>,
}

impl Site {
    /// Of a process that was started to try controls, and listens nowhere.
    ///
    /// # Errors
    /// It was not.
    pub fn of(booted: &Booted) -> Result<Self, Failure> {
        let none = || Failure::new(Code::Unexpected, "there is no folder for what was found");
        let periods = booted.plan.periods;
        Ok(Self {
            audit: booted.folders.audit.clone(),
            vault: booted.folders.vault.clone(),
            outputs: booted.folders.outputs.clone(),
            evidence: booted.folders.evidence.clone().ok_or_else(none)?,
            report: booted.report.clone(),
            binary: Digest(booted.binary),
            rules: booted.rules.clone(),
            policy: Digest(booted.plan.digest()),
            periods: Periods {
                key_days_max: periods.key_days_max,
                drill_days_max: periods.drill_days_max,
                backup_days_max: periods.backup_days_max,
                stamp_days_max: periods.stamp_days_max,
            },
            run_age_seconds_max: u64::from(periods.run_days()) * 24 * 3600,
            answers: Answers {
                keeps_prompts: booted.plan.keep_prompts == KeepPrompts::Allow,
                erases: booted.plan.erase == Erase::Allow,
                picture_days_max: booted.plan.picture_days_max,
                log_days_max: booted.plan.log_days_max,
                names_days_max: booted.plan.names_days_max,
                asks_a_second_admin: !booted.plan.two_person.is_empty(),
            },
            incident_laws: booted.incident_laws(),
            seen: booted.seen.clone(),
            model: None,
            clock: booted.clock,
            port: booted.plan.listen.port(),
            listener: None,
            gate: OnceLock::new(),
        })
    }

    /// What the controller says of themselves.
    ///
    /// # Errors
    /// The file makes no sense, or is another one since the start, and behind the fences nobody can read it: in words, without any
    /// of its text.
    pub fn controller(&self) -> Result<Controller, String> {
        let Some(seen) = self.seen.as_deref() else { return Ok(Controller::new()) };
        let again = if self.listener.is_some() { "start the server again" } else { "try again" };
        if !seen.controller_file.is_as_it_was() {
            let path = seen.controller_file.path().display();
            return Err(format!(
                "{path}: it was changed after the start, and is read at the start alone; {again}"
            ));
        }
        match (&seen.controller, &self.listener) {
            (Ok(controller), _) => Ok(controller.clone()),
            (Err(failure), Some(_)) => Err(format!("{}; mend it, then {again}", failure.what)),
            (Err(failure), None) => Err(failure.what.clone()),
        }
    }
}

/// The darkroom whose controls are tried.
pub enum Room<'a> {
    /// This process's alone.
    Own(&'a mut Darkroom),
    /// A server's: others have it between two moments, and what is in work goes on.
    Shared(&'a Queue),
}

impl Room<'_> {
    /// Has it for one moment.
    ///
    /// # Errors
    /// What is done in it says; that the server stops.
    pub fn with<T>(&mut self, act: impl FnOnce(&mut Darkroom) -> Result<T, Error>) -> Result<T, Error> {
        match self {
            Self::Own(darkroom) => act(darkroom),
            Self::Shared(queue) => queue.with(act),
        }
    }

    /// What the newest picture says of its making.
    ///
    /// # Errors
    /// As [`newest_marks`].
    pub fn newest_marks(&mut self, who: &Who) -> Result<Option<Marked>, Error> {
        match self {
            Self::Own(darkroom) => newest_marks(*darkroom, who),
            Self::Shared(queue) => newest_marks(&mut &**queue, who),
        }
    }

    /// Opens every picture in memory, and puts on record what was found.
    ///
    /// # Errors
    /// As [`Darkroom::verify`].
    pub fn verify(&mut self, who: &Who) -> Result<VerifyReport, Error> {
        match self {
            Self::Own(darkroom) => verify_as(*darkroom, who, Act::Controls),
            Self::Shared(queue) => verify_as(&mut &**queue, who, Act::Controls),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_papers_ask_for_every_key_and_for_no_other() {
        let (mut asked, mut known) = (evidence::controller_keys(), policy::CONTROLLER_KEYS.to_vec());
        asked.sort_unstable();
        known.sort_unstable();
        assert_eq!(asked, known);
    }
}

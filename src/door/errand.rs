//! Which verbs a running server does the work of.

use super::place;
use crate::boot::folders::Home;
use crate::cli::{
    Backup, Batch, Evidence, Export, Freeze, Generate, Global, History, HistoryVerb, Hold, Keys, Machine,
    Operator, Token, Vault, Verb,
};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A verb that a running server can do the work of.
pub enum Errand<'a> {
    /// `vault status`.
    Status(Option<&'a Path>),
    /// `generate`.
    Generate(&'a Generate),
    /// `batch`.
    Batch(&'a Batch),
    /// `evidence run`, which nobody need sign in for.
    TryControls(&'a Keys),
    /// `evidence export`, likewise.
    Export(&'a Export),
    /// `evidence freeze`, likewise.
    Freeze(&'a Freeze),
    /// `evidence settled`: its name.
    Settled(&'a str, &'a Keys),
    /// `evidence subject`: whom it is about, and where it goes.
    Subject(Option<&'a str>, &'a Path, &'a Keys),
    /// `history`.
    History(&'a History),
    /// `token`.
    Token(&'a Token),
    /// `hold`.
    Hold(&'a Hold),
    /// Those of `vault` that go on with it afterwards.
    Vault(&'a Vault, &'a Keys),
    /// `operator`.
    Operator(&'a Operator),
    /// `backup create`: where it goes.
    Backup(&'a Path, &'a Keys),
    /// `backup destroyed`: its name.
    BackupDestroyed(&'a str, &'a Keys),
}

impl<'a> Errand<'a> {
    fn of(verb: &'a Verb) -> Option<Self> {
        match verb {
            Verb::Vault(Vault::Status(pictures)) => Some(Self::Status(pictures.outputs.as_deref())),
            Verb::Vault(
                verb @ (Vault::Verify(keys)
                | Vault::Passwd { keys, .. }
                | Vault::Recovery(keys)
                | Vault::Machine(Machine::Add { keys, .. } | Machine::Remove(keys))
                | Vault::Retain { keys, .. }
                | Vault::Rotate(keys)
                | Vault::Drill(keys)),
            ) => Some(Self::Vault(verb, keys)),
            Verb::Evidence(Evidence::Run(keys)) => Some(Self::TryControls(keys)),
            Verb::Evidence(Evidence::Export(arguments)) => Some(Self::Export(arguments)),
            Verb::Evidence(Evidence::Freeze(arguments)) => Some(Self::Freeze(arguments)),
            Verb::Evidence(Evidence::Settled { incident, keys }) => Some(Self::Settled(incident, keys)),
            Verb::Evidence(Evidence::Subject { pseudonym, output, keys }) => {
                Some(Self::Subject(pseudonym.as_deref(), output, keys))
            }
            Verb::Generate(arguments) => Some(Self::Generate(arguments)),
            Verb::Batch(arguments) => Some(Self::Batch(arguments)),
            Verb::History(arguments) => Some(Self::History(arguments)),
            Verb::Token(arguments) => Some(Self::Token(arguments)),
            Verb::Hold(arguments) => Some(Self::Hold(arguments)),
            Verb::Operator(arguments) => Some(Self::Operator(arguments)),
            Verb::Backup(Backup::Create { output, keys }) => Some(Self::Backup(output, keys)),
            Verb::Backup(Backup::Destroyed { id, keys }) => Some(Self::BackupDestroyed(id, keys)),
            _ => None,
        }
    }

    /// Vault and pictures, as the person named them.
    pub fn keys(&self) -> Option<&'a Keys> {
        match *self {
            Self::Status(_) => None,
            Self::TryControls(keys) => Some(keys),
            Self::Generate(arguments) => Some(&arguments.keys),
            Self::Batch(arguments) => Some(&arguments.keys),
            Self::History(arguments) => Some(&arguments.keys),
            Self::Export(arguments) => Some(&arguments.bundle.keys),
            Self::Freeze(arguments) => Some(&arguments.bundle.keys),
            Self::Backup(_, keys)
            | Self::BackupDestroyed(_, keys)
            | Self::Settled(_, keys)
            | Self::Vault(_, keys)
            | Self::Subject(_, _, keys) => Some(keys),
            Self::Operator(arguments) => Some(&arguments.keys),
            Self::Token(arguments) => Some(&arguments.keys),
            Self::Hold(arguments) => Some(&arguments.keys),
        }
    }

    /// The folder that is made, if one is.
    pub fn folder(&self) -> Option<&'a Path> {
        match *self {
            Self::History(History { verb: HistoryVerb::Certificate(asked), .. }) => Some(&asked.output),
            Self::Export(arguments) => Some(&arguments.bundle.output),
            Self::Freeze(arguments) => Some(&arguments.bundle.output),
            Self::Subject(_, output, _) => Some(output),
            _ => None,
        }
    }

    /// Whether somebody has to sign in: a timer that tries the controls has nobody to ask.
    pub fn signs_in(&self) -> bool {
        match self {
            Self::TryControls(_) | Self::Export(_) | Self::Freeze(_) => {
                self.keys().is_some_and(|keys| keys.passphrase_file.is_some())
            }
            _ => self.keys().is_some(),
        }
    }

    /// The folder of pictures, if the person named one.
    pub fn outputs(&self) -> Option<&'a Path> {
        match *self {
            Self::Status(outputs) => outputs,
            _ => self.keys()?.pictures.outputs.as_deref(),
        }
    }
}

/// The verb and a connection, if a server has the vault and this is one that it does the work of.
pub fn reach<'a>(verb: &'a Verb, global: &Global) -> Option<(Errand<'a>, UnixStream)> {
    let errand = Errand::of(verb)?;
    let vault = Home::new(global).ok()?.vault;
    Some((errand, place::reach(&vault)?))
}

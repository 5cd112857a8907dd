//! What the verbs of `evidence` say alike.

use crate::boot::Booted;
use crate::controls;
use crate::exit::{Code, Failure};
use crate::output::Output;
use darkroom::{Darkroom, Who};
use evidence::{Error, Finding, Outcome, Run};
use serde_json::{Map, Value};

/// A server that has the vault tries the controls itself.
pub fn beside(mut failure: Failure) -> Failure {
    if failure.code == Code::Busy {
        failure.what +=
            "; if that is a server, its page tries the controls and exports evidence, too: Compliance";
    }
    failure
}

/// Who gave a passphrase. The vault is opened for nobody else: a timer has nobody to ask.
///
/// # Errors
/// As every verb that opens the vault.
pub fn signed_in(booted: &mut Booted, darkroom: &mut Darkroom, out: &Output) -> Result<Option<Who>, Failure> {
    Ok(if booted.has_passphrase() { Some(booted.unlock(darkroom, out)?) } else { None })
}

/// An outcome in words.
pub fn word(outcome: Outcome) -> String {
    outcome.word().replace('_', " ")
}

/// `15 satisfied, 0 not satisfied, 2 not applicable, 47 not measured`.
pub fn counts(run: &Run) -> String {
    Outcome::ALL.map(|outcome| format!("{} {}", run.count(outcome), word(outcome))).join(", ")
}

/// The same as JSON.
pub fn counts_json(run: &Run) -> Value {
    let counts = Outcome::ALL.map(|outcome| (outcome.word().to_owned(), run.count(outcome).into()));
    Value::Object(Map::from_iter(counts))
}

/// Why the controls were not tried, or a bundle not made.
pub fn untold(error: controls::Error) -> Failure {
    match error {
        controls::Error::Evidence(error) => failed(error),
        controls::Error::Darkroom(error) => error.into(),
        controls::Error::Controller(what) => Failure::new(Code::Usage, what),
        controls::Error::NotWhole(Finding { file, text, .. }) => {
            let what = format!(
                "the bundle does not pass its own check, and is not handed out: {file}: {text}; verify the log with: \
                 lightproof audit verify; to hand it out all the same, and have it say so: --include-failures"
            );
            Failure::new(Code::Integrity, what)
        }
    }
}

/// What the files of evidence say.
pub fn failed(error: Error) -> Failure {
    error.into()
}

//! Why a policy or its places were refused.

use std::path::PathBuf;

use crate::ListenError;
use crate::controller::{line_of, plain_key};

/// Everything that can be wrong with a profile, an overlay or the places of a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not TOML, an unknown key, a missing key or a wrong type.
    #[error("the policy cannot be read: {0}")]
    Syntax(#[source] toml::de::Error),
    /// A schema number that this program does not know.
    #[error("the policy has schema {found}, and this program knows schema {known}: write `schema = {known}`")]
    Schema {
        /// The number in the file.
        found: u32,
        /// The number of this program.
        known: u32,
    },
    /// The overlay is longer than any honest one.
    #[error("the policy is {bytes} bytes long; {bytes_max} are the most that is read")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// An address that is not 127.0.0.1 and a port.
    #[error("{0}")]
    Listen(#[from] ListenError),
    /// A grant or denial without a `why`.
    #[error("{at}: each grant and each denial needs a `why`, one sentence on one line")]
    NoReason {
        /// The path or call.
        at: String,
    },
    /// A path grant with no right in it.
    #[error("{at}: the grant allows nothing; leave it out")]
    EmptyGrant {
        /// The path.
        at: String,
    },
    /// The same path or call twice.
    #[error("{at} is granted twice; write it once")]
    Doubled {
        /// The path or call.
        at: String,
    },
    /// A placeholder that stands for nothing, or a relative path.
    #[error(
        "{at:?} is no place: write an absolute path or ${{vault}}, ${{audit}}, ${{outputs}}, ${{model}}, ${{models}}, \
         ${{source}}, ${{export}}, ${{reference}}, ${{program}}, ${{card}}, ${{driver}}, ${{card-facts}}"
    )]
    UnknownPlace {
        /// As written.
        at: String,
    },
    /// A place that is relative, has `.` or `..` in it, or is the root.
    #[error("{path:?} cannot be granted: write an absolute path without . and .., other than /")]
    PlaceNotPlain {
        /// As given.
        path: PathBuf,
    },
    /// An overlay tries to allow more than the base.
    #[error("{key} would allow more than the built-in policy; an overlay can only tighten: remove the line")]
    Loosens {
        /// Its key.
        key: String,
    },
    /// A period that makes no sense.
    #[error("{key} is {value}; it is a number of days from 1 to {days_max}")]
    Days {
        /// Its key.
        key: &'static str,
        /// What was asked for.
        value: u32,
        /// The longest there is.
        days_max: u32,
    },
    /// Records are to go before the law lets them.
    #[error(
        "log_days_max is {value}; records are kept for at least 184 days, six months: write a number from 184 to 36500, or leave the line \
         out, which keeps them for ever"
    )]
    LogDays {
        /// What was asked for.
        value: u32,
    },
    /// Pictures are to go by themselves, and none may be erased.
    #[error(
        "picture_days_max erases pictures, and erase = \"never\" keeps all of them; leave one of the two lines out"
    )]
    Contradiction,
    /// A limit with which nothing could run.
    #[error("limits.{key} = {value} leaves nothing that could run; raise it")]
    LimitTooLow {
        /// Its key.
        key: &'static str,
        /// Its value.
        value: u64,
    },
    /// A denial of something that the base does not grant.
    #[error(
        "{at} is not granted by the built-in policy: if it is spelt right there is nothing to deny, since what is not granted is \
         refused already; remove the denial (of a card's driver alone each call passes that is not refused by name: to do without that, \
         deny path ${{card}})"
    )]
    NothingToDeny {
        /// The path or call.
        at: String,
    },
    /// A denial of a call without which nothing runs.
    #[error(
        "the system call {at} cannot be denied: it is for {purpose}, and nothing runs without it; remove that [[deny]]"
    )]
    Needed {
        /// The call.
        at: String,
        /// What it is for.
        purpose: &'static str,
    },
    /// A denial that names neither a path nor a call, or both.
    #[error("a [[deny]] names either `path` (with or without `rights`) or `call`, and says why")]
    DenyWhat,
    /// A writable grant covers the folder of the policy.
    #[error(
        "{by:?} would be writable and overlaps the folder of the policy, {config:?}: no process may write its own \
         policy. Choose another folder, such as a new one in it"
    )]
    PolicyWritable {
        /// The path of the grant.
        by: PathBuf,
        /// The folder of the policy.
        config: PathBuf,
    },
    /// A writable grant covers the model folder.
    #[error(
        "{by:?} would be writable and overlaps the model folder, {model:?}: weights are read, never written. Choose \
         another folder"
    )]
    ModelWritable {
        /// The path of the grant.
        by: PathBuf,
        /// The model folder.
        model: PathBuf,
    },
    /// A grant to a process without keys covers a folder of the one that has them.
    #[error(
        "{by:?} would be read by a process without keys and overlaps {closed:?}, which is closed to it. Choose another \
         folder"
    )]
    Closed {
        /// The path of the grant.
        by: PathBuf,
        /// The folder that must stay closed.
        closed: PathBuf,
    },
    /// A right to execute that a profile gives to a process other than the keeper, or for another file than the program's.
    #[error("{at}: only the keeper may execute, and only ${{program}}")]
    Executes {
        /// The path of the grant.
        at: String,
    },
    /// A writable grant covers the golden values of a self-test.
    #[error(
        "{by:?} would be writable and overlaps the golden values of the self-test, {reference:?}: they are read, \
         never written. Choose another folder"
    )]
    ReferenceWritable {
        /// The path of the grant.
        by: PathBuf,
        /// The folder of the golden values.
        reference: PathBuf,
    },
}

impl Error {
    /// The same in words, without a word of the text that it was found in: another file may have been meant.
    pub fn without_text(&self, text: &str) -> String {
        let Self::Syntax(error) = self else { return self.to_string() };
        let line = line_of(text, error);
        let named = |what: &str| {
            let rest = error.message().strip_prefix(what)?.strip_prefix(" field `")?;
            rest.split('`').next().map(plain_key)
        };
        // The parser has these names from the program, and not from the text.
        match named("missing").flatten() {
            Some("schema") => {
                return "the first line is missing: write `schema = 1` above everything else".to_owned();
            }
            Some(key) => return format!("line {line}: the key {key} is missing in what begins there"),
            None => {}
        }
        match named("unknown") {
            Some(Some(key)) => format!("line {line}: {key} is no key of a policy"),
            Some(None) => format!("line {line} has a key that a policy has not"),
            None => format!(
                "the policy cannot be read: line {line} is no TOML, or has a value of another kind than its key takes"
            ),
        }
    }
}

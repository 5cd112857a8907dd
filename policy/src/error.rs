//! Why a policy or its places were refused.

use std::fmt;
use std::path::PathBuf;

use crate::ListenError;

/// Everything that can be wrong with a profile, an overlay or the places of a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// Not TOML, an unknown key, a missing key or a wrong type.
    Syntax(toml::de::Error),
    /// A schema number that this program does not know.
    Schema {
        /// The number in the file.
        found: u32,
        /// The number of this program.
        known: u32,
    },
    /// The overlay is longer than any honest one.
    TooLong {
        /// Its length.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// An address that is not 127.0.0.1 and a port.
    Listen(ListenError),
    /// A grant or denial without a `why`.
    NoReason {
        /// The path or call.
        at: String,
    },
    /// A path grant with no right in it.
    EmptyGrant {
        /// The path.
        at: String,
    },
    /// The same path or call twice.
    Doubled {
        /// The path or call.
        at: String,
    },
    /// A placeholder that stands for nothing, or a relative path.
    UnknownPlace {
        /// As written.
        at: String,
    },
    /// A place that is relative, has `.` or `..` in it, or is the root.
    PlaceNotPlain {
        /// As given.
        path: PathBuf,
    },
    /// An overlay tries to allow more than the base.
    Loosens {
        /// Its key.
        key: String,
    },
    /// A limit with which nothing could run.
    LimitTooLow {
        /// Its key.
        key: &'static str,
        /// Its value.
        value: u64,
    },
    /// A denial of something that the base does not grant.
    NothingToDeny {
        /// The path or call.
        at: String,
    },
    /// A denial that names neither a path nor a call, or both.
    DenyWhat,
    /// A writable grant covers the folder of the policy.
    PolicyWritable {
        /// The path of the grant.
        by: PathBuf,
        /// The folder of the policy.
        config: PathBuf,
    },
    /// A writable grant covers the model folder.
    ModelWritable {
        /// The path of the grant.
        by: PathBuf,
        /// The model folder.
        model: PathBuf,
    },
    /// A writable grant covers the golden values of a self-test.
    ReferenceWritable {
        /// The path of the grant.
        by: PathBuf,
        /// The folder of the golden values.
        reference: PathBuf,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(source) => write!(f, "the policy cannot be read: {source}"),
            Self::Schema { found, known } => {
                write!(
                    f,
                    "the policy has schema {found}, and this program knows schema {known}: write `schema \
                        = {known}`"
                )
            }
            Self::TooLong { bytes, bytes_max } => {
                write!(f, "the policy is {bytes} bytes long; {bytes_max} are the most that is read")
            }
            Self::Listen(source) => source.fmt(f),
            Self::NoReason { at } => {
                write!(f, "{at}: each grant and each denial needs a `why`, one sentence on one line")
            }
            Self::EmptyGrant { at } => write!(f, "{at}: the grant allows nothing; leave it out"),
            Self::Doubled { at } => write!(f, "{at} is granted twice; write it once"),
            Self::UnknownPlace { at } => {
                write!(
                    f,
                    "{at:?} is no place: write an absolute path or ${{vault}}, ${{audit}}, ${{outputs}}, \
                        ${{model}}, ${{export}}, ${{reference}}"
                )
            }
            Self::PlaceNotPlain { path } => {
                write!(f, "{path:?} cannot be granted: write an absolute path without . and .., other than /")
            }
            Self::Loosens { key } => {
                write!(
                    f,
                    "{key} would allow more than the built-in policy; an overlay can only tighten: \
                        remove the line"
                )
            }
            Self::LimitTooLow { key, value } => {
                write!(f, "limits.{key} = {value} leaves nothing that could run; raise it")
            }
            Self::NothingToDeny { at } => write!(
                f,
                "{at} is not granted by the built-in policy, so it cannot be denied: check the spelling"
            ),
            Self::DenyWhat => {
                write!(f, "a [[deny]] names either `path` (with or without `rights`) or `call`, and says why")
            }
            Self::PolicyWritable { by, config } => write!(
                f,
                "{by:?} would be writable and overlaps the folder of the policy, {config:?}: no process \
                 may write its own policy. Choose another folder"
            ),
            Self::ModelWritable { by, model } => write!(
                f,
                "{by:?} would be writable and overlaps the model folder, {model:?}: weights are read, \
                 never written. Choose another folder"
            ),
            Self::ReferenceWritable { by, reference } => write!(
                f,
                "{by:?} would be writable and overlaps the golden values of the self-test, {reference:?}: \
                 they are read, never written. Choose another folder"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Syntax(source) => Some(source),
            Self::Listen(source) => Some(source),
            _ => None,
        }
    }
}

impl From<ListenError> for Error {
    fn from(source: ListenError) -> Self {
        Self::Listen(source)
    }
}

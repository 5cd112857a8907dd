//! An update that is carried by hand: one signed statement of the files that belong to it, for which machine they are, and where they
//! stand in the order of versions. Whoever installs it checks it first, with the program that runs, since the new one cannot speak
//! for itself.

use crate::dsse::{Envelope, SPKI_HEAD, key_id};
use crate::folder::{measure, read};
use crate::json::{has_only, number, text};
use audit::{Digest, PublicKey};
use base64ct::{Base64, Encoding as _};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Its name in the folder of an update.
pub const UPDATE: &str = "lightproof.update";
/// What the statement is about.
const PREDICATE: &str = "urn:lightproof:update:v1";
/// What the updates are of.
const PRODUCT: &str = "lightproof";
/// Bytes of a statement.
const STATEMENT_BYTES_MAX: u64 = 1 << 20;
/// Files of an update.
const FILES_MAX: usize = 64;
/// Bytes of one of them.
const FILE_BYTES_MAX: u64 = 4 << 30;
/// Bytes of its name.
const NAME_BYTES_MAX: usize = 120;
/// Endings of what a person installs with a pattern, as in `dpkg -i lightproof_*.deb`.
const INSTALLED: [&str; 2] = [".deb", ".tar.gz"];

/// The key that must have signed an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateKey(PublicKey);

impl UpdateKey {
    /// A public key of Ed25519 as `openssl pkey -pubout` writes it, or the one line of that between the first and the last.
    pub fn parse(text: &str) -> Option<Self> {
        let line = match text.trim().strip_prefix("-----BEGIN PUBLIC KEY-----") {
            Some(rest) => rest.strip_suffix("-----END PUBLIC KEY-----")?.trim(),
            None => text.trim(),
        };
        let bytes = Base64::decode_vec(line).ok()?;
        bytes.strip_prefix(&SPKI_HEAD)?.try_into().ok().map(|key| Self(PublicKey(key)))
    }

    /// SHA-256 of it, by which it is named.
    pub fn id(self) -> String {
        key_id(self.0)
    }
}

/// The program that an update is held against.
#[derive(Clone, Copy, Debug)]
pub struct Installed<'a> {
    /// Its version, three numbers.
    pub version: &'a str,
    /// The commit that it was made from, as far as it is known.
    pub commit: Option<&'a str>,
    /// When that was made, in seconds; none where that is not known.
    pub committed_s: Option<u64>,
    /// Its operating system.
    pub system: &'a str,
    /// Its processor.
    pub architecture: &'a str,
}

/// Where an update stands from the program that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is newer.
    Newer,
    /// It was made from the same commit.
    Same,
}

/// What became of a file of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// It is what was signed.
    Whole,
    /// It is not there, and was perhaps not carried.
    Absent,
    /// Something is there that is not what was signed.
    Changed,
}

impl FileState {
    /// As people and programs read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Absent => "absent",
            Self::Changed => "changed",
        }
    }
}

/// An update that is signed, for this machine, and no step back; its files are whole or not.
#[derive(Debug)]
pub struct CheckedUpdate {
    /// Its version.
    pub version: String,
    /// The commit that it was made from.
    pub commit: String,
    /// Where it stands.
    pub step: Step,
    /// Its files in the order in which they were signed.
    pub files: Vec<(String, FileState)>,
    /// What lies beside it under a name that would be installed with it, and was not signed.
    pub strangers: Vec<String>,
}

impl CheckedUpdate {
    /// Whether it may be installed: every file that is there is whole, one is there, and nothing else is.
    pub fn is_ok(&self) -> bool {
        let has = |state| self.files.iter().any(|(_, found)| *found == state);
        !has(FileState::Changed) && has(FileState::Whole) && self.strangers.is_empty()
    }

    /// The files in a state.
    pub fn names(&self, state: FileState) -> impl Iterator<Item = &str> {
        self.files.iter().filter(move |(_, found)| *found == state).map(|(name, _)| name.as_str())
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let file = |(name, state): &(String, FileState)| json!({ "name": name, "state": state.word() });
        json!({
            "version": self.version, "commit": self.commit, "is_newer": self.step == Step::Newer,
            "files": self.files.iter().map(file).collect::<Vec<_>>(), "not_signed": self.strangers,
        })
    }
}

impl fmt::Display for CheckedUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "update   lightproof {}, from commit {}", self.version, self.commit)?;
        writeln!(f, "signed   by the key that it must be signed by")?;
        let step = match self.step {
            Step::Newer => "newer than the program that runs",
            Step::Same => "from the same commit as the program that runs",
        };
        writeln!(f, "order    {step}, and for this kind of machine")?;
        for (name, state) in &self.files {
            writeln!(f, "{:<8} {name}", state.word())?;
        }
        for name in &self.strangers {
            // One line, whatever somebody called it.
            writeln!(f, "foreign  {}", name.escape_debug())?;
        }
        Ok(())
    }
}

/// Why something is no update for this program.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}; bring it again, or name the file {UPDATE} beside the packages")]
    Unread {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no statement of this form.
    #[error(
        "{path} is no signed update, or was cut or changed on the way; nothing in it can be relied on: bring it again, and name the \
         file {UPDATE} beside the packages"
    )]
    Form {
        /// Which.
        path: PathBuf,
    },
    /// It has another signature.
    #[error(
        "{path} is not signed by the key {wanted}{found}; nothing in it can be relied on: do not install what lies beside it, and ask \
         whoever handed it to you"
    )]
    Signature {
        /// Which.
        path: PathBuf,
        /// By which key it must be signed.
        wanted: String,
        /// What it says of its own.
        found: String,
    },
    /// It is for another machine.
    #[error("the update is of {found}, and this program is {wanted}; ask for the one for this machine")]
    Other {
        /// What it is of.
        found: String,
        /// What runs.
        wanted: String,
    },
    /// It is a step back.
    #[error(
        "the update is {found}, and {installed} runs: it is older, and weaknesses that were mended since are in it; ask for a newer one"
    )]
    Older {
        /// What it is.
        found: String,
        /// What runs.
        installed: String,
    },
    /// Nobody can tell which of the two is newer.
    #[error(
        "the update is {found}, and {installed} runs: which of the two is newer cannot be told, so it is refused; compare their commits \
         by hand"
    )]
    Incomparable {
        /// What it is.
        found: String,
        /// What runs.
        installed: String,
    },
}

/// What the statement says beside its files.
struct Statement<'a> {
    version: &'a str,
    commit: &'a str,
    committed_s: u64,
    system: &'a str,
    architecture: &'a str,
    product: &'a str,
}

impl<'a> Statement<'a> {
    fn read(predicate: &'a Value) -> Option<Self> {
        let members = ["architecture", "commit", "committed_s", "product", "system", "version"];
        let word = |key| text(predicate, key).filter(|word| is_plain(word));
        Some(Self {
            version: word("version")?,
            commit: word("commit")?,
            committed_s: number(predicate, "committed_s")?,
            system: word("system")?,
            architecture: word("architecture")?,
            product: word("product")?,
        })
        .filter(|_| has_only(predicate, &members))
    }

    /// Where it stands from the program that runs.
    fn step_from(&self, installed: &Installed<'_>) -> Result<Step, UpdateError> {
        let [found, named] = [format!("version {}", self.version), format!("version {}", installed.version)];
        let incomparable = || UpdateError::Incomparable { found: found.clone(), installed: named.clone() };
        let (Some(new), Some(old)) = (numbers(self.version), numbers(installed.version)) else {
            return Err(incomparable());
        };
        // Of one version there may be several, and the later commit is the newer one.
        let order = match (new.cmp(&old), installed.committed_s) {
            (std::cmp::Ordering::Equal, Some(committed_s)) => self.committed_s.cmp(&committed_s),
            (std::cmp::Ordering::Equal, None) => return Err(incomparable()),
            (order, _) => order,
        };
        match order {
            std::cmp::Ordering::Greater => Ok(Step::Newer),
            // Two of the same second have no order.
            std::cmp::Ordering::Equal if installed.commit != Some(self.commit) => Err(incomparable()),
            std::cmp::Ordering::Equal => Ok(Step::Same),
            std::cmp::Ordering::Less if new == old => Err(UpdateError::Older {
                found: format!("{found} from an earlier commit"),
                installed: format!("{named} from a later one"),
            }),
            std::cmp::Ordering::Less => Err(UpdateError::Older { found, installed: named }),
        }
    }
}

/// Checks an update and the files beside it. Who signed it comes first: of one with another signature nothing else is read.
///
/// # Errors
/// Why it is no update for this program. What is wrong with a file is in what is returned.
pub fn check_update(
    path: &Path,
    key: UpdateKey,
    installed: &Installed<'_>,
) -> Result<CheckedUpdate, UpdateError> {
    let unread = |path: &Path| {
        let path = path.to_owned();
        move |source| UpdateError::Unread { path, source }
    };
    let form = || UpdateError::Form { path: path.to_owned() };
    let bytes = read(path, STATEMENT_BYTES_MAX).map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge => form(),
        _ => unread(path)(error),
    })?;
    let envelope = Envelope::parse(&bytes, PREDICATE).ok_or_else(form)?;
    if !envelope.is_signed_by(key.0) {
        let named = envelope.key_id();
        let found = match named == key.id() {
            true => ", or was changed after that".to_owned(),
            false if is_plain(named) => format!(", but, as it says, by {named}"),
            false => String::new(),
        };
        return Err(UpdateError::Signature { path: path.to_owned(), wanted: key.id(), found });
    }
    let statement = Statement::read(&envelope.predicate).ok_or_else(form)?;
    let names: BTreeSet<&str> = envelope.subjects.iter().map(|(name, _)| name.as_str()).collect();
    let are_names = names.len() == envelope.subjects.len() && names.iter().all(|name| is_plain(name));
    if !are_names || names.is_empty() || names.len() > FILES_MAX {
        return Err(form());
    }
    let of = [statement.product, statement.system, statement.architecture];
    let wanted = [PRODUCT, installed.system, installed.architecture];
    if of != wanted {
        let [found, wanted] =
            [of, wanted].map(|[product, system, processor]| format!("{product} for {system} on {processor}"));
        return Err(UpdateError::Other { found, wanted });
    }
    let step = statement.step_from(installed)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let file = |(name, digest): &(String, Digest)| {
        let at = folder.join(name);
        let state = match measure(&at, FILE_BYTES_MAX) {
            Ok((_, found)) if found == *digest => FileState::Whole,
            // A link, a folder or a pipe is not what was signed either.
            Ok(_) => FileState::Changed,
            Err(error) if error.kind() == ErrorKind::InvalidInput => FileState::Changed,
            Err(error) if error.kind() == ErrorKind::NotFound => FileState::Absent,
            Err(error) => return Err(unread(&at)(error)),
        };
        Ok((name.clone(), state))
    };
    let files = envelope.subjects.iter().map(file).collect::<Result<_, _>>()?;
    let strangers = strangers(folder, &names).map_err(unread(folder))?;
    let [version, commit] = [statement.version, statement.commit].map(str::to_owned);
    Ok(CheckedUpdate { version, commit, step, files, strangers })
}

/// What lies in the folder under a name that a pattern of ours would take with it, and is not of the update.
fn strangers(folder: &Path, names: &BTreeSet<&str>) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let would_be_taken = name.starts_with(PRODUCT) && INSTALLED.iter().any(|end| name.ends_with(end));
        if would_be_taken && !names.contains(name.as_str()) {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

/// Three numbers with dots between them.
fn numbers(version: &str) -> Option<[u32; 3]> {
    let number = |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?;
    version.split('.').map(number).collect::<Option<Vec<u32>>>()?.try_into().ok()
}

/// Whether it can be a name of a file in this folder and no other, and a word in a line of a terminal.
fn is_plain(word: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_alphanumeric() || b"._+~-".contains(&b);
    word.len() <= NAME_BYTES_MAX
        && word.bytes().all(is_letter)
        && word.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
#[path = "tests/update.rs"]
mod tests;

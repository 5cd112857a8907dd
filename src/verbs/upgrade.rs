//! `lightproof upgrade verify`: whether an update that was carried here may be installed.

use crate::boot::folders::{Bundle, FolderUse, Home};
use crate::boot::{self, Wants};
use crate::cli::{Global, Upgrade};
use crate::exit::{Code, Failure};
use crate::output::{Output, one_line};
use crate::paths::{open_regular, real, with_remedy};
use crate::{Done, version};
use evidence::{CheckedUpdate, FileState, Installed, Step, UPDATE, UpdateError, UpdateKey, check_update};
use rustix::fs::OFlags;
use sandbox::Clean;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// Bytes of the file with a public key.
const KEY_BYTES_MAX: u64 = 4096;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, verb: &Upgrade, out: &Output) -> Done {
    let Upgrade::Verify { file, key } = verb;
    let key = key_of(version::UPDATE_KEY, key.as_deref())?;
    let file = real(file)?;
    if file.is_dir() {
        let what = format!("{} is a folder; name the file {UPDATE} in it", file.display());
        return Err(Failure::new(Code::NotFound, what));
    }
    // Only the folder can be granted: what the file names lies beside it.
    let folder = file.parent().unwrap_or(Path::new("/"));
    refuse_own_folders(&Home::new(global)?, folder)?;
    let wants = Wants { folder_use: FolderUse::Read, bundle: Some(Bundle::Read(folder)), ..Wants::default() };
    let booted = boot::boot(clean, global, &wants)?.without_darkroom()?;
    let [version, commit] = version::named();
    let installed = Installed {
        version,
        commit: Some(commit),
        committed_s: version::committed_s(),
        system: std::env::consts::OS,
        architecture: std::env::consts::ARCH,
    };
    let checked = check_update(&file, key, &installed);
    drop(booted);
    Ok(tell(&checked.map_err(refused)?, folder, out))
}

/// In a person's home, say: nobody who reads what was brought from outside may read these, too.
fn refuse_own_folders(home: &Home, folder: &Path) -> Result<(), Failure> {
    let own = [&home.config, &home.vault, &home.audit, &home.evidence, &home.models, &home.outputs];
    let lies_there = |own: &&PathBuf| own.canonicalize().as_ref().unwrap_or(own).starts_with(folder);
    match own.iter().find(|own| lies_there(own)) {
        None => Ok(()),
        Some(own) => {
            let what = format!(
                "{} lies in {} too, and is not for this to read; put the update into a folder of its own",
                own.display(),
                folder.display()
            );
            Err(Failure::new(Code::Refused, what))
        }
    }
}

/// The key that an update must be signed by. A build that pins one takes no other: whoever hands over an update hands over a key to it
/// just as easily.
fn key_of(pinned: Option<&str>, given: Option<&Path>) -> Result<UpdateKey, Failure> {
    match (pinned, given) {
        (Some(_), Some(_)) => {
            let what = "this build pins the key of its updates, and takes no other; leave --key out";
            Err(Failure::new(Code::Refused, what))
        }
        (Some(pinned), None) => UpdateKey::parse(pinned).ok_or_else(|| {
            Failure::new(Code::Integrity, "the key that this build pins is none; build it anew")
        }),
        (None, Some(path)) => read_key(path),
        (None, None) => {
            let what = "this build pins no key for updates, since nobody stands behind it who signs any (lightproof --version), so \
                        nothing can be verified; with --key FILE it is held against a public key that you have got by another way";
            Err(Failure::new(Code::Refused, what))
        }
    }
}

fn read_key(path: &Path) -> Result<UpdateKey, Failure> {
    let mut text = String::new();
    let read = open_regular(path, OFlags::empty())
        .and_then(|file| file.take(KEY_BYTES_MAX).read_to_string(&mut text));
    match read {
        Ok(_) => UpdateKey::parse(&text).ok_or_else(|| {
            let what = "is no public key of Ed25519 as `openssl pkey -pubout` writes it";
            Failure::new(Code::Usage, format!("{} {what}", path.display()))
        }),
        Err(error) => {
            let why = with_remedy(&error);
            Err(Failure::new(Code::NotFound, format!("the key {} cannot be read: {why}", path.display())))
        }
    }
}

fn refused(error: UpdateError) -> Failure {
    let code = match error {
        UpdateError::Unread { ref source, .. } => match source.kind() {
            ErrorKind::NotFound | ErrorKind::InvalidInput => Code::NotFound,
            ErrorKind::PermissionDenied => Code::Refused,
            _ => Code::Unexpected,
        },
        UpdateError::Form { .. } | UpdateError::Signature { .. } => Code::Integrity,
        UpdateError::Other { .. } | UpdateError::Older { .. } | UpdateError::Incomparable { .. } => {
            Code::Refused
        }
    };
    Failure::new(code, error)
}

fn tell(checked: &CheckedUpdate, folder: &Path, out: &Output) -> Code {
    out.data(&checked.to_string());
    out.object(checked.is_ok(), &checked.to_json());
    let names = |state| checked.names(state).collect::<Vec<_>>().join(" ");
    let folder = one_line(&folder.display().to_string());
    let has_changed = checked.names(FileState::Changed).next().is_some();
    if has_changed {
        out.warn(&format!(
            "not what was signed: {}; install nothing of this, and bring it again",
            names(FileState::Changed)
        ));
    }
    if !checked.strangers.is_empty() {
        let strangers = one_line(&checked.strangers.join(" "));
        out.warn(&format!(
            "not of this update, and a command such as `dpkg -i lightproof_*.deb` would take it: {strangers}; give each update a folder \
             of its own"
        ));
    }
    if checked.names(FileState::Whole).next().is_none() {
        out.warn(&format!("nothing of this update lies in {folder}; copy its packages there, too"));
        return if has_changed { Code::Integrity } else { Code::NotFound };
    }
    match (has_changed, checked.is_ok()) {
        (true, _) => return Code::Integrity,
        (false, false) => return Code::Refused,
        (false, true) => {}
    }
    let packages: Vec<&str> = checked.names(FileState::Whole).filter(|name| name.ends_with(".deb")).collect();
    if checked.step == Step::Same {
        out.say("it is what runs already: there is nothing to gain by installing it");
    } else if !packages.is_empty() {
        out.say(&format!("to install it, as root and in {folder}: dpkg -i {}", packages.join(" ")));
    }
    Code::Done
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410, 10.1.
    const KEY: &str = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";

    #[test]
    fn a_build_that_pins_a_key_takes_no_other_and_one_without_says_so() {
        assert_eq!(key_of(Some(KEY), None).unwrap(), UpdateKey::parse(KEY).unwrap());
        let refused = |pinned, given| key_of(pinned, given).unwrap_err();
        let failure = refused(Some(KEY), Some(Path::new("another.pem")));
        assert!(failure.code == Code::Refused && failure.what.contains("takes no other"), "{failure:?}");
        let failure = refused(None, None);
        assert!(failure.code == Code::Refused && failure.what.contains("pins no key"), "{failure:?}");
        assert_eq!(refused(Some("none"), None).code, Code::Integrity);
    }
}

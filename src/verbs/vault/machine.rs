//! `lightproof vault machine`: the secret with which a server opens the vault where nobody types anything, or which passphrases go
//! with.

use crate::Done;
use crate::boot;
use crate::boot::backup::Opened;
use crate::boot::folders::Home;
use crate::boot::machine::checked;
use crate::cli::{Machine, Vault};
use crate::exit::{Code, Failure};
use crate::input;
use crate::output::{Output, counted};
use crate::proven::Proven;
use darkroom::{Hold as _, MachineUse, Who};
use sandbox::Clean;
use serde_json::json;
use std::io::Write as _;
use std::path::Path;
use vault::{OsRandom, Secret};
use zeroize::Zeroizing;

/// The secret that is in a file, if one was named.
///
/// # Errors
/// It cannot be read, or can be none.
pub fn given(
    verb: &Vault,
    home: &Home,
    clean: &mut Clean,
    out: &Output,
) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let Vault::Machine(Machine::Add { secret_file: Some(path), .. }) = verb else { return Ok(None) };
    checked(input::read_secret_bytes(path, home, clean)?, out).map(Some)
}

/// The file that one is drawn into, if that was asked for.
pub fn drawn_to(verb: &Vault) -> Option<&Path> {
    match verb {
        Vault::Machine(Machine::Add { new_secret_file, .. }) => new_secret_file.as_deref(),
        _ => None,
    }
}

/// The same, made.
pub struct Drawn<'a> {
    /// It.
    pub file: Opened,
    /// As the person named it.
    pub path: &'a Path,
    /// Passphrases are to go with it, so it is kept where one may already.
    goes_with_passphrases: bool,
}

impl<'a> Drawn<'a> {
    /// The file that the verb draws one into, once it is there.
    pub fn of(verb: &'a Vault, file: Option<Opened>) -> Option<Self> {
        let goes_with_passphrases =
            matches!(verb, Vault::Machine(Machine::Add { with_passphrases: true, .. }));
        file.zip(drawn_to(verb)).map(|(file, path)| Self { file, path, goes_with_passphrases })
    }
}

/// A new secret, in its file before it opens anything: one that is lost could not be told from one that somebody has. None at all
/// without a file.
///
/// # Errors
/// It cannot be written.
pub fn draw(drawn: Option<&Drawn<'_>>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let Some(drawn) = drawn else { return Ok(Zeroizing::default()) };
    let bytes = Secret::draw_machine(&mut OsRandom).map_err(darkroom::Error::from)?;
    let written = (&drawn.file.file).write_all(&bytes).and_then(|()| drawn.file.settle());
    written.map_err(|error| unwritten(drawn, &error))?;
    Ok(bytes)
}

/// Whatever was drawn opens nothing, or nobody knows: whoever has it in hand is told. It is emptied, but where a passphrase may need
/// it by now.
pub fn lost(mut failure: Failure, drawn: Option<&Drawn<'_>>) -> Failure {
    if let Some(drawn) = drawn {
        // Whatever ends with another code may have been done.
        let is_undone =
            matches!(failure.code, Code::Usage | Code::NotFound | Code::Refused | Code::Locked | Code::Busy);
        let is_empty = || drawn.file.file.metadata().is_ok_and(|file| file.len() == 0);
        if drawn.goes_with_passphrases && !is_undone && !is_empty() {
            failure.what += &format!(
                "; keep {}: your passphrase may go with it already, which lightproof vault status tells",
                drawn.path.display()
            );
            return failure;
        }
        let left = if wipe(&drawn.file) { "is empty" } else { "could not be emptied; destroy it" };
        failure.what += &format!("; {} {left}", drawn.path.display());
    }
    failure
}

/// Adds this secret, or removes the one that there is, as `who`, alone or through a running server.
///
/// # Errors
/// What the darkroom says.
pub fn act(verb: &Vault, room: &mut Proven<'_>, who: &Who, secret: Zeroizing<Vec<u8>>, out: &Output) -> Done {
    match verb {
        Vault::Machine(Machine::Add { with_passphrases: true, .. }) => {
            let secret = Secret::machine(secret).map_err(darkroom::Error::from)?;
            let slot = room.add_machine_secret(who, (&secret, MachineUse::WithPassphrases))?;
            out.say(&format!(
                "your passphrase opens this vault only together with the machine secret, and neither opens it alone. Every program that \
                 opens it takes the secret with --machine-secret-file, or from a service manager as the credential `{}`; keep it apart \
                 from copies of the vault. If it is lost, the recovery code alone opens the vault: see that yours does, with lightproof \
                 vault drill",
                boot::CREDENTIAL
            ));
            // It is done: nothing that fails from here on may look as if it were not.
            let (_, alone) = room.with(|darkroom| Ok(darkroom.halves())).unwrap_or_default();
            if alone > 0 {
                let still =
                    match (alone == 1, room.with(|darkroom| Ok(darkroom.is_joint())).unwrap_or_default()) {
                        (true, false) => "opens it alone",
                        (false, false) => "open it alone",
                        (true, true) => "goes without the machine secret",
                        (false, true) => "go without the machine secret",
                    };
                out.warn(&format!(
                    "{} of this vault still {still}, until it is set anew: lightproof vault passwd, by each person",
                    counted(alone, "passphrase"),
                ));
            }
            out.object(true, &json!({ "slot": slot, "alone": alone }));
            Ok(Code::Done)
        }
        Vault::Machine(Machine::Add { .. }) => {
            let secret = Secret::machine(secret).map_err(darkroom::Error::from)?;
            let slot = room.add_machine_secret(who, (&secret, MachineUse::Alone))?;
            out.say(&format!(
                "the machine secret opens this vault: whoever has it and these files opens everything. `lightproof serve` takes it \
                 with --machine-secret-file, or from a service manager as the credential `{}`, where the policy says unattended",
                boot::CREDENTIAL
            ));
            out.object(true, &json!({ "slot": slot }));
            Ok(Code::Done)
        }
        Vault::Machine(Machine::Remove(_)) => {
            let slot = room.remove_machine_secret(who)?;
            match room.with(|darkroom| Ok(darkroom.halves())).unwrap_or_default().0 {
                0 => out.say(
                    "the machine secret opens nothing any more; destroy the file, and take it out of the service",
                ),
                count => out.warn(&format!(
                    "your passphrase opens this vault alone; {} still {} with the machine secret, until it is set anew: keep the file \
                     until each person has done so, with lightproof vault passwd",
                    counted(count, "passphrase"),
                    if count == 1 { "goes" } else { "go" }
                )),
            }
            out.object(true, &json!({ "removed": slot }));
            Ok(Code::Done)
        }
        _ => Err(Failure::new(Code::Unexpected, "this is none of the verbs of a machine secret")),
    }
}

fn wipe(file: &Opened) -> bool {
    file.file.set_len(0).and_then(|()| file.file.sync_all()).is_ok()
}

fn unwritten(drawn: &Drawn<'_>, error: &std::io::Error) -> Failure {
    let code = if error.kind() == std::io::ErrorKind::StorageFull { Code::Space } else { Code::Unexpected };
    let left = if wipe(&drawn.file) { "nothing was added" } else { "nothing was added; destroy the file" };
    Failure::new(code, format!("cannot write {}: {error}; {left}", drawn.path.display()))
}

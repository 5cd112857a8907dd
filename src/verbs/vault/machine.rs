//! `lightproof vault machine`: the secret with which a server opens the vault where nobody types anything.

use crate::Done;
use crate::boot;
use crate::boot::backup::Opened;
use crate::boot::folders::Home;
use crate::boot::machine::checked;
use crate::cli::{Machine, Vault};
use crate::exit::{Code, Failure};
use crate::input;
use crate::output::Output;
use crate::proven::Proven;
use darkroom::Who;
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

/// Whatever was drawn opens nothing, or nobody knows: whoever has it in hand is told.
pub fn lost(mut failure: Failure, drawn: Option<&Drawn<'_>>) -> Failure {
    if let Some(drawn) = drawn {
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
        Vault::Machine(Machine::Add { .. }) => {
            let secret = Secret::machine(secret).map_err(darkroom::Error::from)?;
            let slot = room.add_machine_secret(who, &secret)?;
            out.say(&format!(
                "the machine secret opens this vault: whoever has it and these files opens everything. `lightproof serve` takes it \
                 with --machine-secret-file, or from a service manager as the credential `{}`, where the policy says unattended",
                boot::machine::CREDENTIAL
            ));
            out.object(true, &json!({ "slot": slot }));
            Ok(Code::Done)
        }
        Vault::Machine(Machine::Remove(_)) => {
            let slot = room.remove_machine_secret(who)?;
            out.say(
                "the machine secret opens nothing any more; destroy the file, and take it out of the service",
            );
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

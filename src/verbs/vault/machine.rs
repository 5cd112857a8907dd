//! `lightproof vault machine`: the secret with which a server opens the vault where nobody types anything.

use crate::Done;
use crate::boot::backup::{BackupFile, Opened};
use crate::boot::machine::secret;
use crate::boot::{self, Wants};
use crate::cli::{Global, Machine};
use crate::exit::{Code, Failure};
use crate::input;
use crate::output::Output;
use darkroom::{Darkroom, Who};
use sandbox::Clean;
use serde_json::json;
use std::io::Write as _;
use std::path::Path;
use vault::{OsRandom, Secret};

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(mut clean: Clean, global: &Global, verb: &Machine, out: &Output) -> Done {
    let (read, wants) = match verb {
        Machine::Add { secret_file, new_secret_file, keys } => {
            let read =
                secret_file.as_deref().map(|path| input::read_secret_bytes(path, &mut clean)).transpose()?;
            let new = new_secret_file.as_deref().map(BackupFile::Secret);
            (read, Wants { backup: new, ..Wants::with(keys) })
        }
        Machine::Remove(keys) => (None, Wants::with(keys)),
    };
    let given = read.map(|file| secret(file, out)).transpose()?;
    let (mut booted, mut darkroom) = boot::boot(clean, global, &wants)?.darkroom()?;
    let new = booted.backup.take();
    let result = booted.prove_self(&mut darkroom, out).and_then(|(who, proof)| match verb {
        Machine::Add { new_secret_file, .. } => {
            let made = new.as_ref().zip(new_secret_file.as_deref());
            add(&mut darkroom, (&who, &proof), given, made, out)
        }
        Machine::Remove(_) => {
            let slot = darkroom.remove_machine_secret(&who, &proof)?;
            out.say(
                "the machine secret opens nothing any more; destroy the file, and take it out of the service",
            );
            out.object(true, &json!({ "removed": slot }));
            Ok(Code::Done)
        }
    });
    boot::leave(darkroom, result)
}

/// A secret that was drawn is in its file before it opens anything: one that is lost could not be told from one that somebody has.
fn add(
    darkroom: &mut Darkroom,
    (who, proof): (&Who, &Secret),
    given: Option<Secret>,
    made: Option<(&Opened, &Path)>,
    out: &Output,
) -> Done {
    let secret = match (given, made) {
        (Some(secret), _) => secret,
        (None, Some((file, path))) => {
            let bytes = Secret::draw_machine(&mut OsRandom).map_err(darkroom::Error::from)?;
            let written = (&file.file).write_all(&bytes).and_then(|()| file.settle());
            written.map_err(|error| unwritten(file, path, &error))?;
            Secret::machine(bytes).map_err(darkroom::Error::from)?
        }
        (None, None) => return Err(Failure::new(Code::Usage, "no machine secret was named")),
    };
    let slot = darkroom.add_machine_secret(who, proof, &secret).map_err(|error| {
        let mut failure = Failure::from(error);
        // It opens nothing, or nobody knows: whoever has it in hand is told.
        if let Some((file, path)) = made {
            let left = if wipe(file) { "is empty" } else { "could not be emptied; destroy it" };
            failure.what += &format!("; {} {left}", path.display());
        }
        failure
    })?;
    out.say(&format!(
        "the machine secret opens this vault: whoever has it and these files opens everything. `lightproof serve` takes it with \
         --machine-secret-file, or from a service manager as the credential `{}`, where the policy says unattended",
        boot::machine::CREDENTIAL
    ));
    out.object(true, &json!({ "slot": slot }));
    Ok(Code::Done)
}

fn wipe(file: &Opened) -> bool {
    file.file.set_len(0).and_then(|()| file.file.sync_all()).is_ok()
}

fn unwritten(file: &Opened, path: &Path, error: &std::io::Error) -> Failure {
    let code = if error.kind() == std::io::ErrorKind::StorageFull { Code::Space } else { Code::Unexpected };
    let left = if wipe(file) { "nothing was added" } else { "nothing was added; destroy the file" };
    Failure::new(code, format!("cannot write {}: {error}; {left}", path.display()))
}

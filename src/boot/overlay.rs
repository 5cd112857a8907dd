//! The policy file, and the other one beside it: what the controller says of themselves.

use super::folders::of_any_machine;
use crate::exit::{Code, Failure};
use crate::output::know_denied;
use crate::paths::{open_regular, with_remedy};
use crate::processes::POLICY_VARIABLE;
use policy::{CONTROLLER_BYTES_MAX, Controller, OVERLAY_BYTES_MAX, Policy, Process, read_controller};
use rustix::fs::OFlags;
use sandbox::Clean;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

/// Name of the file in which the controller says something of themselves.
pub const CONTROLLER: &str = "controller.toml";

/// The overlay's text; `None` if there is none. An engine has it from its keeper: what is changed in the file meanwhile counts
/// at the next start of the program.
///
/// # Errors
/// It cannot be read, or is too long.
pub fn of(clean: &Clean, path: &Path) -> Result<Option<String>, Failure> {
    match clean.is_kept() {
        true => Ok(std::env::var(POLICY_VARIABLE).ok()),
        false => read(path),
    }
}

/// As [`of`], from the file.
///
/// # Errors
/// As there.
pub fn read(path: &Path) -> Result<Option<String>, Failure> {
    text(path, "the policy", OVERLAY_BYTES_MAX)
}

/// What the controller says of themselves, in `controller.toml` of that folder; nothing if there is no such file.
///
/// # Errors
/// The file cannot be read, or makes no sense. Nothing of its text is in the failure.
pub fn controller(config: &Path) -> Result<Controller, Failure> {
    let path = config.join(CONTROLLER);
    let Some(text) = text(&path, "the file", CONTROLLER_BYTES_MAX)? else { return Ok(Controller::new()) };
    read_controller(&text).map_err(|error| Failure::new(Code::Usage, format!("{}: {error}", path.display())))
}

/// The built-in profiles, tightened by the text of that file.
///
/// # Errors
/// The text makes no sense.
pub fn policy(file: &Path, overlay: Option<&str>) -> Result<Policy, Failure> {
    let wrong = |error| Failure::new(Code::Usage, format!("{}: {error}", file.display()));
    let policy = Policy::read(overlay).map_err(wrong)?;
    know_denied(policy.denied());
    Ok(policy)
}

/// What the policy lets each process do, on any machine.
pub fn rules(policy: &Policy) -> Result<String, Failure> {
    let folders = of_any_machine();
    let plan = |process: Process| {
        let plan = policy.plan(process, &folders).map_err(|error| Failure::new(Code::Usage, error))?;
        Ok(format!("process {}\n{}", process.word(), plan.explain()))
    };
    Process::ALL.into_iter().map(plan).collect()
}

fn text(path: &Path, what: &str, bytes_max: usize) -> Result<Option<String>, Failure> {
    let failed = |why: String| Failure::new(Code::Usage, format!("{}: {why}", path.display()));
    // A link could lead to a file that a grant makes writable.
    let file = match open_regular(path, OFlags::NOFOLLOW) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|e| failed(format!("{what} cannot be read: {}", with_remedy(&e))))?,
    };
    let mut text = String::new();
    file.take(bytes_max as u64 + 1)
        .read_to_string(&mut text)
        .map_err(|e| failed(format!("{what} cannot be read: {}", with_remedy(&e))))?;
    match text.len() > bytes_max {
        true => Err(failed(format!("{what} is longer than {bytes_max} bytes"))),
        false => Ok(Some(text)),
    }
}

/// Why no server opens the vault with a machine secret where the policy does not say that one may.
pub fn refused_unattended() -> Failure {
    let what = "the policy of this machine lets no server open the vault with a machine secret; nothing was opened. Put \
                unattended = \"idle-lock\" or \"stay-open\" into the policy, or start without the secret";
    Failure::new(Code::Refused, what)
}

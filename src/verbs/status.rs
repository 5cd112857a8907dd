//! `lightproof status`: one screen on the appliance.

use crate::Done;
use crate::boot::folders::FolderUse;
use crate::boot::{self, Wants};
use crate::cli::{self, Global};
use crate::exit::Code;
use crate::output::Output;
use crate::status::Status;
use sandbox::Clean;

/// Runs the verb.
///
/// # Errors
/// The log or the vault's folder cannot be read.
pub fn run(clean: Clean, global: &Global, arguments: &cli::Status, out: &Output) -> Done {
    let outputs = arguments.pictures.outputs.as_deref();
    let wants = Wants { folder_use: FolderUse::Read, outputs, ..Wants::default() };
    let (booted, refusal) = boot::boot(clean, global, &wants)?.looking();
    let status = Status::of(&booted)?;
    let mut needs = status.needs();
    needs.extend(refusal.map(|failure| format!("no start would be allowed: {}", failure.what)));
    if arguments.metrics {
        out.data(&status.numbers(needs.len()));
    } else {
        for (key, text) in status.lines() {
            out.data(&format!("{key:<10}{text}\n"));
        }
    }
    for need in &needs {
        out.warn(need);
    }
    out.object(needs.is_empty(), &status.describe(&needs));
    Ok(if needs.is_empty() { Code::Done } else { Code::Found })
}

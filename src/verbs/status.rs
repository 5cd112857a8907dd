//! `lightproof status`: one screen on the appliance.

use crate::Done;
use crate::boot::folders::{FolderUse, Home};
use crate::boot::{self, Wants, models, overlay};
use crate::cli::{self, Global};
use crate::exit::Code;
use crate::output::Output;
use crate::status::{Status, policy_now};
use sandbox::Clean;
use serde_json::json;

/// Runs the verb.
///
/// # Errors
/// The log or the vault's folder cannot be read.
pub fn run(clean: Clean, global: &Global, arguments: &cli::Status, out: &Output) -> Done {
    // What a start would take where no flag names another: as there it is read before the fences.
    let home = Home::new(global)?;
    let model = models::in_use(&home);
    let policy = overlay::read(&home.config.join("policy.toml")).ok();
    let outputs = arguments.pictures.outputs.as_deref();
    let wants = Wants { folder_use: FolderUse::Read, outputs, ..Wants::default() };
    let (booted, refusal) = boot::boot(clean, global, &wants)?.looking();
    let status = Status::of(&booted)?;
    let mut needs = status.needs();
    needs.extend(policy.map(policy_now).and_then(|now| status.need_of_policy(&now)));
    let refusals = refusal.iter().chain(model.as_ref().err());
    needs.extend(refusals.map(|failure| format!("no start would be allowed: {}", failure.what)));
    let name = model.map(|model| model.map_or_else(|| "demo".to_owned(), |model| model.name)).ok();
    if arguments.metrics {
        out.data(&status.numbers(needs.len()));
    } else {
        for (key, text) in status.lines() {
            out.data(&format!("{key:<10}{text}\n"));
        }
        let name = name.as_deref().unwrap_or("unknown");
        out.data(&format!("{:<10}{name}, where --model names no other\n", "model"));
    }
    for need in &needs {
        out.warn(need);
    }
    let mut object = status.describe(&needs);
    object["model"] = json!(name);
    out.object(needs.is_empty(), &object);
    Ok(if needs.is_empty() { Code::Done } else { Code::Found })
}

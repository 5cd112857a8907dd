//! `lightproof completions`: what a shell offers at the key Tab, made from the same definitions as the help. It reads nothing and
//! builds no fence.

use crate::Done;
use crate::cli::{Cli, Completions, Shell};
use crate::exit::Code;
use crate::output::Output;
use clap::Command;
use serde_json::json;

/// Runs the verb.
///
/// # Errors
/// None of its own.
pub fn run(arguments: &Completions, out: &Output) -> Done {
    let shell = match arguments.shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown(&Cli::definitions()), "lightproof", &mut script);
    let script = String::from_utf8_lossy(&script);
    out.data(&script);
    out.object(true, &json!({ "script": script }));
    Ok(Code::Done)
}

/// The verbs that help shows: what is made for shells knows no hidden ones.
fn shown(all: &Command) -> Command {
    let verbs = all.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned();
    Command::new("lightproof")
        .version(env!("CARGO_PKG_VERSION"))
        .args(all.get_arguments().cloned())
        .subcommands(verbs)
}

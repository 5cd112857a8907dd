//! `lightproof completions`: what a shell offers at the key Tab, made from the same definitions as the help. It reads nothing and
//! builds no fence.

use crate::Done;
use crate::cli::{Cli, Completions, Shell};
use crate::exit::Code;
use crate::output::Output;
use clap::{Arg, Command};
use serde_json::json;
use std::fmt::Write as _;

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
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if arguments.shell == Shell::Fish {
        script += &below_two(&Cli::definitions());
    }
    out.data(&script);
    out.object(true, &json!({ "script": script }));
    Ok(Code::Done)
}

/// The flags of verbs of three words, which what is made for fish does not have by itself.
fn below_two(all: &Command) -> String {
    let mut lines = String::new();
    for first in all.get_subcommands() {
        for second in first.get_subcommands() {
            for third in second.get_subcommands() {
                for flag in third.get_arguments().filter(|flag| !flag.is_positional()) {
                    let words = [first, second, third].map(Command::get_name);
                    // Writing to a text cannot fail.
                    let _ = writeln!(lines, "{}", of_flag(words, flag));
                }
            }
        }
    }
    lines
}

fn of_flag([first, second, third]: [&str; 3], flag: &Arg) -> String {
    let names = flag.get_short().map(|short| format!(" -s {short}")).into_iter();
    let names = names.chain(flag.get_long().map(|long| format!(" -l {long}"))).collect::<String>();
    let says = flag.get_help().map(ToString::to_string).unwrap_or_default();
    let says = says.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', " ");
    let value = if flag.get_action().takes_values() { " -r -F" } else { "" };
    format!(
        "complete -c lightproof -n \"__fish_lightproof_using_subcommand {first}; and __fish_seen_subcommand_from {second}; and \
         __fish_seen_subcommand_from {third}\"{names} -d '{says}'{value}"
    )
}

/// The verbs that help shows: what is made for shells knows no hidden ones.
fn shown(all: &Command) -> Command {
    let verbs = all.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned();
    Command::new("lightproof")
        .version(env!("CARGO_PKG_VERSION"))
        .args(all.get_arguments().cloned())
        .subcommands(verbs)
}

//! `lightproof`: arguments, boot order, and one function per verb.

mod adapter;
mod batch;
mod boot;
mod certificates;
mod cli;
mod controls;
mod doctor;
mod door;
mod examples;
mod exit;
mod host_audit;
mod input;
mod making;
mod models;
mod operational_log;
mod output;
mod paths;
mod pictures;
mod processes;
mod proven;
mod signals;
mod status;
mod terminal;
mod usage;
// The build script reads it; here it is only tried.
#[cfg(test)]
mod vendor;
mod verbs;
mod version;

use cli::{Cli, Verb};
use exit::{Code, Failure};
use std::panic::catch_unwind;
use std::process::ExitCode;

/// Freed memory is wiped: prompts, pixels and keys do not outlive their use.
#[global_allocator]
static ALLOCATOR: sandbox::WipingAllocator = sandbox::WipingAllocator;

/// Variables of ours that a clean environment keeps.
const OWN_VARIABLES: [&str; 4] =
    ["LIGHTPROOF_HOME", "LIGHTPROOF_LOG", boot::operator::VARIABLE, processes::POLICY_VARIABLE];

fn main() -> ExitCode {
    // What went wrong stands on stderr, without a word of the input; what it means for who asked is said here.
    catch_unwind(start).unwrap_or_else(|_| {
        let what = "a part of the program failed unexpectedly, and it had to end; what was done is on record, and the next start looks \
                    into what was left: report it";
        output::Output::early().fail(&Failure::new(Code::Unexpected, what))
    })
}

fn start() -> ExitCode {
    // First, while one thread exists and nothing was read.
    let limits = boot::limits::check();
    let handed = paths::descriptors(std::env::args_os());
    let clean =
        limits.and_then(|()| sandbox::clean_environment(&OWN_VARIABLES, &handed).map_err(Failure::from));
    let clean = match clean {
        Ok(clean) => clean,
        Err(failure) => return output::Output::early().fail(&failure),
    };
    terminal::hide_panic_messages();
    let mut cli = match Cli::of_process() {
        Ok(cli) => cli,
        Err(error) => return usage::answer(&error),
    };
    let out = output::Output::new(&cli.global);
    if let Err(failure) = operational_log::install() {
        return out.fail(&failure);
    }
    // A server that has the vault does the verb's work, with the model that it has.
    if let Some((errand, stream)) = door::errand::reach(&cli.verb, &cli.global) {
        return end(&out, door::client::run(clean, &cli.global, errand, stream, &out));
    }
    if let Err(failure) = verbs::evidence::rehearse::prepare(&mut cli, clean.has_keeper()) {
        return out.fail(&failure);
    }
    if let Err(failure) = boot::models::choose(&mut cli) {
        return out.fail(&failure);
    }
    let global = &cli.global;
    // Whoever makes pictures needs a process for the model, and one that starts it again.
    if let Some(engine) = cli.verb.engine().filter(|_| !clean.has_keeper()) {
        return processes::keeper::run(clean, global, &engine, &out);
    }
    // Fences of a keeper's making, and the policy that it hands down, are for the engine alone.
    if clean.is_kept() && !matches!(cli.verb, Verb::Engine(_)) {
        return out.fail(&sandbox::Error::HandedDown.into());
    }
    let done = match &cli.verb {
        Verb::Serve(arguments) => verbs::serve::run(clean, global, arguments, &out),
        Verb::Generate(arguments) => verbs::generate::run(clean, global, arguments, &out),
        Verb::Batch(arguments) => verbs::batch::run(clean, global, arguments, &out),
        Verb::History(verb) => verbs::history::run(clean, global, verb, &out),
        Verb::Vault(verb) => verbs::vault::run(clean, global, verb, &out),
        Verb::Operator(verb) => verbs::operator::run(clean, global, verb, &out),
        Verb::Token(verb) => verbs::token::run(clean, global, verb, &out),
        Verb::Model(verb) => verbs::model::run(clean, global, verb, &out),
        Verb::Hold(verb) => verbs::hold::run(clean, global, verb, &out),
        Verb::Status(arguments) => verbs::status::run(clean, global, arguments, &out),
        Verb::Backup(verb) => verbs::backup::run(clean, global, verb, &out),
        Verb::Doctor(arguments) => verbs::doctor::run(clean, global, arguments, &out),
        Verb::Support(verb) => verbs::support::run(clean, global, verb, &out),
        Verb::Upgrade(verb) => verbs::upgrade::run(clean, global, verb, &out),
        Verb::Audit(verb) => verbs::audit::run(clean, global, verb, &out),
        Verb::Evidence(verb) => verbs::evidence::run(clean, global, verb, &out),
        Verb::Config(verb) => verbs::config::run(global, verb, &out),
        Verb::Completions(arguments) => verbs::completions::run(arguments, &out),
        Verb::Man(arguments) => verbs::man::run(arguments, &out),
        Verb::Selftest(arguments) => verbs::selftest::run(clean, global, arguments, &out),
        Verb::Engine(arguments) => processes::engine::run(clean, global, arguments),
        Verb::ModelsProcess(arguments) => processes::models::run(clean, global, arguments),
    };
    end(&out, done)
}

/// Says how it ended, and gives the exit code.
fn end(out: &output::Output, done: Done) -> ExitCode {
    let code = done.as_ref().map_or_else(|failure| failure.code, |code| *code);
    tracing::info!(event = "ended", code = code as u8);
    match done {
        Ok(code) => out.end(code),
        Err(failure) => out.fail(&failure),
    }
}

/// The result of a verb: its exit code, or why it ended early.
type Done = Result<Code, Failure>;

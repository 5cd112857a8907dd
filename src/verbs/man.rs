//! `lightproof man`: manual pages, made from the same definitions as the help. It reads nothing and builds no fence.

use crate::Done;
use crate::cli::{Cli, Man};
use crate::exit::{Code, Failure};
use crate::output::{Output, counted};
use clap::Command;
use serde_json::json;
use std::io::ErrorKind;

/// Runs the verb.
///
/// # Errors
/// There is no such verb, or a page cannot be written.
pub fn run(arguments: &Man, out: &Output) -> Done {
    let mut all = Cli::definitions().disable_help_subcommand(true);
    all.build();
    if let Some(folder) = &arguments.output {
        let count = pages(&all);
        let cannot = |error| {
            let hint =
                "name a folder that this user may write to, or one that is to be made in such a folder";
            Failure::new(Code::Refused, format!("cannot write to {}: {error}; {hint}", folder.display()))
        };
        match std::fs::create_dir(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(cannot(error)),
            _ => clap_mangen::generate_to(all, folder).map_err(cannot)?,
        }
        out.say(&format!("{} in {}; one is shown by: man -l FILE", counted(count, "page"), folder.display()));
        out.object(true, &json!({ "pages": count }));
        return Ok(Code::Done);
    }
    let mut page = &all;
    for word in &arguments.verb {
        let none = || Failure::new(Code::NotFound, "there is no verb of that name; see: lightproof help");
        page = page.find_subcommand(word).filter(|verb| !verb.is_hide_set()).ok_or_else(none)?;
    }
    let mut text = Vec::new();
    let written = clap_mangen::Man::new(page.clone()).render(&mut text);
    written
        .map_err(|error| Failure::new(Code::Unexpected, format!("the page could not be made: {error}")))?;
    let text = String::from_utf8_lossy(&text);
    out.data(&text);
    out.object(true, &json!({ "page": text }));
    Ok(Code::Done)
}

/// How many pages there are: one of each verb that is shown.
fn pages(command: &Command) -> usize {
    1 + command.get_subcommands().filter(|verb| !verb.is_hide_set()).map(pages).sum::<usize>()
}

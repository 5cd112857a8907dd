//! What waits for a second admin: shown, confirmed.

use super::person::{describe, line};
use crate::exit::{Code, Failure};
use crate::output::{Output, counted};
use crate::proven::{At, Proven};
use crate::terminal::Terminal;
use crate::{Done, pictures};
use darkroom::{Confirmed, Error, Hold, Left, PersonName, Role, SecondAct, Waiting, Who};
use serde_json::{Map, Value, json};

/// What waits.
///
/// # Errors
/// None.
pub fn list(all: &[Waiting], out: &Output) -> Done {
    for waiting in all {
        let by = waiting.by.as_ref().map_or("somebody", PersonName::as_str);
        let own = if waiting.is_own { " (you)" } else { "" };
        let until = audit::timestamp(waiting.until_ms);
        out.data(&format!("{}  {}, asked for by {by}{own}, until {until}\n", waiting.number, words(waiting)));
    }
    out.say(match all {
        [] => "nothing waits for a second admin",
        _ => {
            "each begins with its number: another admin than who asked does it with: lightproof operator confirm NUMBER; without that it \
             goes by itself at the time that it names"
        }
    });
    out.object(true, &json!({ "pending": all.iter().map(Waiting::facts).collect::<Vec<_>>() }));
    Ok(Code::Done)
}

/// Confirms one, and says what came of it.
///
/// # Errors
/// What cannot be undone is not said to be meant; what the darkroom says.
pub fn confirm(
    room: &mut Proven<'_>,
    who: &Who,
    (number, yes): (u64, bool),
    At { terminal, vault, outputs, .. }: At<'_>,
    out: &Output,
) -> Done {
    // First: nobody is asked whether they mean what cannot be done any more.
    room.with(|darkroom| darkroom.check_waits(who, number))?;
    let found =
        room.with(|darkroom| darkroom.pending(who))?.into_iter().find(|waiting| waiting.number == number);
    let waiting = found.ok_or(Error::NoPending { number })?;
    let said = words(&waiting);
    if !waiting.is_own {
        room.check_confirm(who, number)?;
        if !yes {
            ask(terminal, &waiting, &said)?;
        }
    }
    let facts: Map<String, Value> =
        [("confirmed".into(), number.into()), ("act".into(), waiting.act.word().into())]
            .into_iter()
            .collect();
    match room.confirm(who, number)? {
        Confirmed::Resolved(person) => {
            out.data(&format!("{}\n", line(&person)));
            out.object(true, &describe(&person));
            Ok(Code::Done)
        }
        Confirmed::Erased(erased, names) => pictures::report_erasure(&erased, &names, outputs, out),
        Confirmed::Destroyed(done) => pictures::report_end(&done, (0, false), (vault, outputs), out),
        Confirmed::Removed(removed) => {
            out.say(&format!("done: {said}"));
            pictures::report_removal(&removed, (waiting.pictures, facts), outputs, out)
        }
        Confirmed::HoldEnded | Confirmed::RoleChanged(_) => {
            out.say(&format!("done: {said}"));
            out.object(true, &facts.into());
            Ok(Code::Done)
        }
    }
}

/// Asks whether what cannot be undone is meant.
fn ask(terminal: &mut Terminal, waiting: &Waiting, said: &str) -> Result<(), Failure> {
    let is_final = match waiting.act {
        SecondAct::Erase | SecondAct::Destroy => true,
        SecondAct::Remove => waiting.left == Some(Left::Erased),
        _ => false,
    };
    if !is_final {
        return Ok(());
    }
    let refused = |what: &str| Err(Failure::new(Code::Refused, what));
    if !terminal.is_there() {
        return refused(&format!("this cannot be undone: {said}; say so with --yes"));
    }
    let question = format!("This cannot be undone: {said}.\nType {} to go on: ", waiting.number);
    match terminal.ask(&question)?.trim() == waiting.number.to_string() {
        true => Ok(()),
        false => refused("nothing was done"),
    }
}

/// What is to be done.
fn words(waiting: &Waiting) -> String {
    let of = waiting.of.as_ref().map_or("everybody", PersonName::as_str);
    let count = counted(waiting.pictures, "picture");
    match waiting.act {
        SecondAct::Resolve => waiting.pseudonym.map_or_else(String::new, |(pseudonym, reason)| {
            format!("say who is behind {pseudonym} ({})", reason.word())
        }),
        SecondAct::Erase => format!("erase all pictures of {of} ({count})"),
        SecondAct::Remove => {
            let left = match (waiting.left, &waiting.to) {
                (Some(Left::Kept), _) => format!(" and keep their pictures ({count})"),
                (Some(Left::Erased), _) => format!(" and erase their pictures ({count})"),
                (Some(Left::HandedOver), Some(to)) => {
                    format!(" and hand their pictures over to {} ({count})", to.as_str())
                }
                _ => String::new(),
            };
            format!("remove {of}{left}")
        }
        SecondAct::EndHold => format!("end the hold on the pictures of {of}"),
        SecondAct::Destroy => format!("destroy the vault with everything in it ({count})"),
        _ => match waiting.role {
            Some(Role::Admin) => format!("make {of} an admin"),
            _ => format!("make {of} an operator, and no admin any more"),
        },
    }
}

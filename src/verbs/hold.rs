//! `lightproof hold`: legal holds, which keep pictures from every erasure.

use crate::Done;
use crate::boot::operator::name_of;
use crate::boot::{self, Booted, Wants};
use crate::cli::{Global, Hold, HoldVerb};
use crate::exit::{Code, Failure};
use crate::output::{Output, counted};
use darkroom::{Darkroom, Held, HoldReason, PersonName};
use sandbox::Clean;
use serde_json::{Value, json};

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, arguments: &Hold, out: &Output) -> Done {
    let verb = Asked::new(&arguments.verb)?;
    let (mut booted, mut darkroom) = boot::boot(clean, global, &Wants::with(&arguments.keys))?.darkroom()?;
    let result = act(&mut booted, &mut darkroom, &verb, out);
    boot::leave(darkroom, result)
}

/// A verb whose words make sense.
enum Asked {
    Set(Option<PersonName>, HoldReason),
    List,
    End(Option<PersonName>),
}

impl Asked {
    fn new(verb: &HoldVerb) -> Result<Self, Failure> {
        let name = |of: &Option<String>| of.as_deref().map(name_of).transpose();
        Ok(match verb {
            HoldVerb::Set { of, reason } => {
                let reason = HoldReason::parse(reason).ok_or_else(|| {
                    Failure::new(Code::Usage, "the reason is one of: litigation, investigation, order, audit")
                })?;
                Self::Set(name(of)?, reason)
            }
            HoldVerb::List => Self::List,
            HoldVerb::End { of } => Self::End(name(of)?),
        })
    }
}

fn act(booted: &mut Booted, darkroom: &mut Darkroom, verb: &Asked, out: &Output) -> Done {
    let who = booted.unlock(darkroom, out)?;
    match verb {
        Asked::Set(of, reason) => {
            darkroom.hold(&who, of.as_ref(), *reason)?;
            out.say("from now on none of these pictures can be erased, by anybody, until the hold is ended");
        }
        Asked::List => {}
        Asked::End(of) => {
            darkroom.end_hold(&who, of.as_ref())?;
            out.say("the hold has ended");
        }
    }
    let holds = darkroom.holds(&who)?;
    for held in &holds {
        out.data(&format!("{}\n", line(held)));
    }
    if holds.is_empty() {
        out.say("no hold stands");
    }
    out.object(true, &json!({ "holds": holds.iter().map(describe).collect::<Vec<_>>() }));
    Ok(Code::Done)
}

fn line(held: &Held) -> String {
    let of = held.name.as_ref().map_or("everybody", PersonName::as_str);
    let since = audit::timestamp(held.since_ms);
    format!("{of}: {}, since {since}, {} kept", held.reason.word(), counted(held.pictures, "picture"))
}

fn describe(held: &Held) -> Value {
    json!({
        "of": held.name.as_ref().map(PersonName::as_str), "slot": held.slot, "reason": held.reason.word(),
        "since_ms": held.since_ms, "pictures": held.pictures,
    })
}

//! `lightproof hold`: legal holds, which keep pictures from every erasure.

use crate::Done;
use crate::boot::operator::name_of;
use crate::boot::{self, Wants};
use crate::cli::{self, Global, HoldVerb};
use crate::exit::{Code, Failure};
use crate::output::{Output, counted};
use darkroom::{Held, Hold, HoldReason, PersonName, Who};
use sandbox::Clean;
use serde_json::{Value, json};

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, arguments: &cli::Hold, out: &Output) -> Done {
    let asked = Asked::new(&arguments.verb)?;
    let (mut booted, mut darkroom) = boot::boot(clean, global, &Wants::with(&arguments.keys))?.darkroom()?;
    let who = booted.unlock(&mut darkroom, out);
    let result = who.and_then(|who| act(&mut darkroom, &who, &asked, out));
    boot::leave(darkroom, result)
}

/// A verb whose words make sense.
pub enum Asked {
    Set(Option<PersonName>, HoldReason),
    List,
    End(Option<PersonName>),
}

impl Asked {
    /// Looks at its words.
    ///
    /// # Errors
    /// They make none.
    pub fn new(verb: &HoldVerb) -> Result<Self, Failure> {
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

/// Does it as `who`, alone or through a running server.
///
/// # Errors
/// What the darkroom says.
pub fn act(room: &mut impl Hold, who: &Who, asked: &Asked, out: &Output) -> Done {
    match asked {
        Asked::Set(of, reason) => {
            room.with(|darkroom| darkroom.hold(who, of.as_ref(), *reason))?;
            out.say("from now on none of these pictures can be erased, by anybody, until the hold is ended");
        }
        Asked::List => {}
        Asked::End(of) => {
            room.with(|darkroom| darkroom.end_hold(who, of.as_ref()))?;
            out.say("the hold has ended");
        }
    }
    let holds = room.with(|darkroom| darkroom.holds(who))?;
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

//! `lightproof operator`: the people who use the vault.

mod person;
mod waiting;

use crate::boot::operator::name_of;
use crate::boot::{self, Booted, Wants};
use crate::cli::{Global, Operator, OperatorVerb};
use crate::exit::{Code, Failure};
use crate::input::{self, SecretLine};
use crate::output::{Output, counted};
use crate::{Done, pictures};
use audit::words::ResolveReason;
use darkroom::{Actor, Darkroom, Hold, Person, PersonName, Pictures, Role, Secret, Who};
use person::{describe, line};
use sandbox::Clean;
use serde_json::json;
use vault::SlotKind;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(mut clean: Clean, global: &Global, arguments: &Operator, out: &Output) -> Done {
    let own = arguments.keys.operator.as_deref().map(name_of).transpose()?;
    let verb = Asked::new(&arguments.verb, own, &mut clean)?;
    let (mut booted, mut darkroom) = boot::boot(clean, global, &Wants::with(&arguments.keys))?.darkroom()?;
    let result = act(&mut booted, &mut darkroom, verb, out);
    boot::leave(darkroom, result)
}

/// A verb whose words make sense.
enum Asked {
    Add { name: PersonName, role: Role, own: Option<PersonName>, new: Option<SecretLine> },
    Remove { name: PersonName, pictures: Option<Pictures>, yes: bool },
    Passwd { name: Option<PersonName>, new: Option<SecretLine> },
    Role { name: PersonName, role: Role },
    Confirm { number: u64, yes: bool },
    SignedIn(SignedIn),
}

/// A verb for which somebody signs in and proves no more than that; a running server does it, too.
pub enum SignedIn {
    /// Everybody.
    List,
    /// Who is behind a pseudonym.
    Resolve {
        /// Of the log.
        pseudonym: Actor,
        /// Why somebody wants to know.
        reason: ResolveReason,
    },
    /// What waits for a second admin.
    Pending,
    /// It waits no longer.
    Refuse {
        /// Its number.
        number: u64,
    },
}

impl SignedIn {
    /// Looks at its words.
    ///
    /// # Errors
    /// They make no sense, or it is none of these.
    pub fn new(verb: &OperatorVerb) -> Result<Self, Failure> {
        Ok(match verb {
            OperatorVerb::List => Self::List,
            OperatorVerb::Pending => Self::Pending,
            OperatorVerb::Refuse { number } => Self::Refuse { number: *number },
            OperatorVerb::Resolve { pseudonym, reason } => Self::Resolve {
                pseudonym: Actor::parse(pseudonym).ok_or_else(|| {
                    usage("a person goes by their pseudonym, `a:` and 22 characters, as the records have it")
                })?,
                reason: ResolveReason::parse(reason)
                    .ok_or_else(|| usage("the reason is one of: incident, order, access, audit"))?,
            },
            _ => return Err(Failure::new(Code::Unexpected, "this verb takes a passphrase once more")),
        })
    }

    /// Does it as `who`, alone or through a running server.
    ///
    /// # Errors
    /// What the darkroom says.
    pub fn act(&self, room: &mut impl Hold, who: &Who, out: &Output) -> Done {
        match *self {
            Self::List => {
                let (people, public) =
                    room.with(|darkroom| Ok((darkroom.people(who)?, darkroom.public()?)))?;
                let machine = public.slots.into_iter().find(|slot| slot.kind == SlotKind::Machine);
                list(&people, machine.map(|slot| slot.id.0), out)
            }
            Self::Pending => waiting::list(&room.with(|darkroom| darkroom.pending(who))?, out),
            Self::Refuse { number } => {
                room.with(|darkroom| darkroom.refuse_pending(who, number))?;
                out.say("it waits no longer; nothing of it was done");
                out.object(true, &json!({ "refused": number }));
                Ok(Code::Done)
            }
            Self::Resolve { pseudonym, reason } => {
                let person = room.with(|darkroom| darkroom.resolve(who, pseudonym, reason))?;
                out.data(&format!("{}\n", line(&person)));
                out.object(true, &describe(&person));
                Ok(Code::Done)
            }
        }
    }
}

impl Asked {
    fn new(verb: &OperatorVerb, own: Option<PersonName>, clean: &mut Clean) -> Result<Self, Failure> {
        let mut secret = |file: &Option<std::path::PathBuf>| {
            file.as_deref().map(|path| input::read_secret_file(path, clean)).transpose()
        };
        Ok(match verb {
            OperatorVerb::Add { name, role, new_passphrase_file } => {
                let (name, role) = (name_of(name)?, role_of(role)?);
                Self::Add { name, role, own, new: secret(new_passphrase_file)? }
            }
            OperatorVerb::Role { name, role } => Self::Role { name: name_of(name)?, role: role_of(role)? },
            OperatorVerb::Confirm { number, yes } => Self::Confirm { number: *number, yes: *yes },
            OperatorVerb::Remove { name, keep_pictures, hand_over_to, erase_pictures, yes } => Self::Remove {
                name: name_of(name)?,
                pictures: match (keep_pictures, hand_over_to, erase_pictures) {
                    (true, ..) => Some(Pictures::Keep),
                    (_, Some(to), _) => Some(Pictures::HandOver(name_of(to)?)),
                    (.., true) => Some(Pictures::Erase),
                    _ => None,
                },
                yes: *yes,
            },
            OperatorVerb::Passwd { name, new_passphrase_file } => Self::Passwd {
                name: name.as_deref().map(name_of).transpose()?,
                new: secret(new_passphrase_file)?,
            },
            other => Self::SignedIn(SignedIn::new(other)?),
        })
    }
}

fn usage(what: &str) -> Failure {
    Failure::new(Code::Usage, what)
}

fn role_of(text: &str) -> Result<Role, Failure> {
    let role = Role::parse(text).filter(|role| *role != Role::Recovery);
    role.ok_or_else(|| usage("a role is one of: operator, admin, auditor"))
}

fn act(booted: &mut Booted, darkroom: &mut Darkroom, verb: Asked, out: &Output) -> Done {
    match verb {
        Asked::Add { name, role, own, new } => add(booted, darkroom, (name, role), own, new.as_ref(), out),
        Asked::SignedIn(asked) => {
            let who = booted.unlock(darkroom, out)?;
            asked.act(darkroom, &who, out)
        }
        Asked::Remove { name, pictures, yes } => remove(booted, darkroom, &name, pictures.as_ref(), yes, out),
        Asked::Passwd { name, new } => {
            let Some(name) = name else { return booted.change_passphrase(darkroom, new.as_ref(), out) };
            booted.speak_of(name);
            let is_wrong =
                |failure: &Failure| failure.code == Code::Locked && failure.what.starts_with("wrong ");
            booted.change_passphrase(darkroom, new.as_ref(), out).map_err(|mut failure| {
                if is_wrong(&failure) {
                    failure.what += "; a new passphrase of somebody takes their old one, or the recovery code, and no other's, an \
                                     admin's neither";
                }
                failure
            })
        }
        Asked::Role { name, role } => {
            let (who, proof) = booted.prove(darkroom, out)?;
            let slot = darkroom.set_role(&who, &proof, &name, role)?;
            out.say(&format!("from now on {} is an {}", name.as_str(), role.word()));
            out.object(true, &json!({ "name": name.as_str(), "role": role.word(), "slot": slot }));
            Ok(Code::Done)
        }
        Asked::Confirm { number, yes } => waiting::confirm(booted, darkroom, number, yes, out),
    }
}

fn add(
    booted: &mut Booted,
    darkroom: &mut Darkroom,
    (name, role): (PersonName, Role),
    own: Option<PersonName>,
    new: Option<&SecretLine>,
    out: &Output,
) -> Done {
    let (who, proof) = booted.prove(darkroom, out)?;
    // By the flag alone: a variable that was left over names nobody for ever.
    let own = match (darkroom.name_of(&who)?, own) {
        (Some(_), _) => None,
        (None, Some(own)) => Some(own),
        (None, None) => {
            let what = "you have no name in this vault yet, and with a second person you need one; give it with \
                        --operator NAME";
            return Err(usage(what));
        }
    };
    if new.is_none() && !booted.terminal.is_there() {
        let what =
            "their passphrase is typed at a terminal, and there is none; use --new-passphrase-file FILE";
        return Err(Failure::new(Code::Locked, what));
    }
    let secret = booted.new_secret(new, "Their passphrase (12 characters or more): ", out)?;
    let secret: Secret = secret.of(Some(name.clone()));
    let slot = darkroom.add_person_named(&who, &proof, own.as_ref(), &secret, role)?;
    if let Some(own) = own {
        out.say(&format!(
            "from now on you sign in as {}: --operator, or the field in the page",
            own.as_str()
        ));
    }
    out.say(&format!("{} can sign in, as {}", name.as_str(), role.word()));
    out.object(true, &json!({ "name": name.as_str(), "role": role.word(), "slot": slot }));
    Ok(Code::Done)
}

fn list(people: &[Person], machine: Option<u16>, out: &Output) -> Done {
    for person in people {
        out.data(&format!("{}\n", line(person)));
    }
    if let Some(slot) = machine {
        out.data(&format!("slot {slot:>3}  machine    a secret that a machine keeps, and nobody's\n"));
    }
    let people: Vec<_> = people.iter().map(describe).collect();
    out.object(true, &json!({ "people": people, "machine_slot": machine }));
    Ok(Code::Done)
}

fn remove(
    booted: &mut Booted,
    darkroom: &mut Darkroom,
    name: &PersonName,
    pictures: Option<&Pictures>,
    yes: bool,
    out: &Output,
) -> Done {
    let (who, proof) = booted.prove(darkroom, out)?;
    let is_theirs = |person: &&Person| person.name.as_ref().is_some_and(|known| known.is(name));
    let count = darkroom.people(&who)?.iter().find(is_theirs).map_or(0, |person| person.pictures);
    if pictures == Some(&Pictures::Erase) && count > 0 && !yes {
        pictures::confirm_erasure(&mut booted.terminal, count)?;
    }
    let removed = darkroom.remove_person(&who, &proof, name, pictures)?;
    let left = match pictures {
        _ if count == 0 => String::new(),
        Some(Pictures::HandOver(to)) => {
            format!("; {} passed on to {}", counted(count, "picture"), to.as_str())
        }
        Some(Pictures::Erase) => format!("; the keys of {} are destroyed", counted(count, "picture")),
        _ => format!("; {} kept, and nobody sees them", counted(count, "picture")),
    };
    out.say(&format!("the passphrase of {} opens nothing any more{left}", name.as_str()));
    pictures::report_removal(&removed, (count, serde_json::Map::new()), &booted.folders.outputs, out)
}

//! `lightproof operator`: the people who use the vault.

mod person;
mod waiting;

use crate::boot::folders::Home;
use crate::boot::opens::{NewOf, Opens};
use crate::boot::operator::name_of;
use crate::boot::passphrase::new_secret;
use crate::boot::{self, Booted, Wants};
use crate::cli::{Global, Operator, OperatorVerb};
use crate::exit::{Code, Failure};
use crate::input::{self, SecretLine};
use crate::output::{Output, counted};
use crate::proven::{At, Proven};
use crate::terminal::Terminal;
use crate::{Done, pictures};
use audit::words::ResolveReason;
use darkroom::{Actor, Darkroom, Hold, Person, PersonName, Pictures, Role, Who};
use person::{describe, line};
use sandbox::Clean;
use serde_json::json;
use vault::{Public, SlotKind};

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(mut clean: Clean, global: &Global, arguments: &Operator, out: &Output) -> Done {
    let asked = Asked::new(&arguments.verb, arguments.keys.operator.as_deref())?;
    let new = new_passphrase(&arguments.verb, &Home::new(global)?, &mut clean)?;
    let (mut booted, mut darkroom) = boot::boot(clean, global, &Wants::with(&arguments.keys))?.darkroom()?;
    let result = alone(&mut booted, &mut darkroom, &asked, new.as_ref(), out);
    boot::leave(darkroom, result)
}

/// Does it in the darkroom of this process.
///
/// # Errors
/// Why it ended early.
pub fn alone(
    booted: &mut Booted,
    darkroom: &mut Darkroom,
    asked: &Asked,
    new: Option<&SecretLine>,
    out: &Output,
) -> Done {
    if let Some(name) = asked.speaks_of() {
        booted.speak_of(name.clone());
    }
    let proven = booted.prove(darkroom, asked.opens(), out);
    let (who, proof) = proven.map_err(|failure| asked.explain(failure))?;
    let Booted { terminal, folders, .. } = booted;
    let at = At { terminal, new, vault: &folders.vault, outputs: &folders.outputs };
    asked.act(&mut Proven::Alone(darkroom, &proof), &who, at, out)
}

/// The passphrase that is to be set, if it is in a file. Nothing of it is parsed.
///
/// # Errors
/// It cannot be read.
pub fn new_passphrase(
    verb: &OperatorVerb,
    home: &Home,
    clean: &mut Clean,
) -> Result<Option<SecretLine>, Failure> {
    let (OperatorVerb::Add { new_passphrase_file, .. } | OperatorVerb::Passwd { new_passphrase_file, .. }) =
        verb
    else {
        return Ok(None);
    };
    new_passphrase_file.as_deref().map(|path| input::read_secret_file(path, home, clean)).transpose()
}

/// A verb whose words make sense.
pub enum Asked {
    /// Somebody comes, and who asks may get a name by that.
    Add {
        /// What they are called.
        name: PersonName,
        /// What they may do.
        role: Role,
        /// What who asks is called, by the flag alone: a variable that was left over names nobody for ever.
        own: Option<PersonName>,
    },
    /// Somebody goes.
    Remove {
        /// What they are called.
        name: PersonName,
        /// What becomes of their pictures.
        pictures: Option<Pictures>,
        /// Nobody is asked.
        yes: bool,
    },
    /// A new passphrase of this person, or of who asks.
    Passwd {
        /// Whose.
        name: Option<PersonName>,
    },
    /// Somebody may do something else.
    Role {
        /// What they are called.
        name: PersonName,
        /// What they may do from here on.
        role: Role,
        /// Nobody is asked.
        yes: bool,
    },
    /// What another admin has asked for is done.
    Confirm {
        /// Its number.
        number: u64,
        /// Nobody is asked.
        yes: bool,
    },
    /// No proof is needed for it.
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
                list(&people, &public, out)
            }
            Self::Pending => waiting::list(&room.with(|darkroom| darkroom.pending_now(who))?, out),
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
    /// Looks at its words. `own` is the name in the flag of who asks.
    ///
    /// # Errors
    /// They make no sense.
    pub fn new(verb: &OperatorVerb, own: Option<&str>) -> Result<Self, Failure> {
        let own = own.map(name_of).transpose()?;
        Ok(match verb {
            OperatorVerb::Add { name, role, .. } => {
                Self::Add { name: name_of(name)?, role: role_of(role)?, own }
            }
            OperatorVerb::Role { name, role, yes } => {
                Self::Role { name: name_of(name)?, role: role_of(role)?, yes: *yes }
            }
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
            OperatorVerb::Passwd { name, .. } => {
                Self::Passwd { name: name.as_deref().map(name_of).transpose()? }
            }
            other => Self::SignedIn(SignedIn::new(other)?),
        })
    }

    /// What it is opened with.
    pub fn opens(&self) -> Opens {
        match self {
            Self::SignedIn(_) => Opens::Passphrase,
            Self::Confirm { .. } => Opens::Own,
            Self::Add { .. } | Self::Remove { .. } | Self::Passwd { .. } | Self::Role { .. } => Opens::Any,
        }
    }

    /// Whose secret is asked for, where it is not simply that of who asks.
    pub fn speaks_of(&self) -> Option<&PersonName> {
        match self {
            Self::Passwd { name } => name.as_ref(),
            _ => None,
        }
    }

    /// The same failure, with what somebody may have tried.
    pub fn explain(&self, mut failure: Failure) -> Failure {
        if self.speaks_of().is_some() && failure.code == Code::Locked && failure.what.starts_with("wrong ") {
            failure.what += "; a new passphrase of somebody takes their old one, or the recovery code, and no other's, an \
                             admin's neither";
        }
        failure
    }

    /// Does it as `who`, alone or through a running server.
    ///
    /// # Errors
    /// What the darkroom says; nobody answers.
    pub fn act(&self, room: &mut Proven<'_>, who: &Who, at: At<'_>, out: &Output) -> Done {
        match self {
            Self::Add { name, role, own } => add(room, who, (name, *role), own.as_ref(), at, out),
            Self::SignedIn(asked) => asked.act(room, who, out),
            Self::Remove { name, pictures, yes } => {
                remove(room, who, name, (pictures.as_ref(), *yes), at, out)
            }
            Self::Passwd { .. } => passwd(room, who, at, out).map_err(|failure| self.explain(failure)),
            Self::Role { name, role, yes } => {
                if *role != Role::Admin && !yes {
                    confirm_own(room, who, name, at.terminal)?;
                }
                let slot = room.set_role(who, name, *role)?;
                out.say(&format!("from now on {} is an {}", name.as_str(), role.word()));
                out.object(true, &json!({ "name": name.as_str(), "role": role.word(), "slot": slot }));
                Ok(Code::Done)
            }
            Self::Confirm { number, yes } => waiting::confirm(room, who, (*number, *yes), at, out),
        }
    }
}

fn usage(what: &str) -> Failure {
    Failure::new(Code::Usage, what)
}

fn role_of(text: &str) -> Result<Role, Failure> {
    let role = Role::parse(text).filter(|role| *role != Role::Recovery);
    role.ok_or_else(|| usage("a role is one of: operator, admin, auditor"))
}

fn add(
    room: &mut Proven<'_>,
    who: &Who,
    (name, role): (&PersonName, Role),
    own: Option<&PersonName>,
    at: At<'_>,
    out: &Output,
) -> Done {
    let own = match (room.with(|darkroom| darkroom.name_of(who))?, own) {
        (Some(_), _) => None,
        (None, Some(own)) => Some(own),
        (None, None) => {
            let what = "you have no name in this vault yet, and with a second person you need one; give it with \
                        --operator NAME";
            return Err(usage(what));
        }
    };
    let secret = new_secret(at.terminal, at.new, NewOf::Theirs, out)?;
    let slot = room.add_person(who, own, &secret.of(Some(name.clone())), role)?;
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

fn passwd(room: &mut Proven<'_>, who: &Who, at: At<'_>, out: &Output) -> Done {
    let new = new_secret(at.terminal, at.new, NewOf::Own, out)?;
    room.change_secret(who, &new)?;
    out.say("the passphrase was changed; the old one opens nothing any more");
    out.object(true, &json!({ "changed": true }));
    Ok(Code::Done)
}

fn list(people: &[Person], public: &Public, out: &Output) -> Done {
    let slots = &public.slots;
    let of_kind = |kind| slots.iter().filter(move |slot| slot.kind == kind).map(|slot| slot.id.0);
    let machine = of_kind(SlotKind::Machine).next();
    let halves: Vec<u16> = of_kind(SlotKind::PassphraseAndMachine).collect();
    let holders: Vec<u16> = public.holders().into_iter().map(|slot| slot.0).collect();
    for person in people {
        let joint = if holders.contains(&person.slot) { ", with another one who holds it" } else { "" };
        let half = if halves.contains(&person.slot) { ", with the machine secret" } else { "" };
        out.data(&format!("{}{half}{joint}\n", line(person)));
    }
    if let Some(slot) = machine {
        out.data(&format!("slot {slot:>3}  machine    a secret that a machine keeps, and nobody's\n"));
    }
    let people: Vec<_> = people.iter().map(describe).collect();
    out.object(
        true,
        &json!({ "people": people, "machine_slot": machine, "with_machine": halves, "joint": holders }),
    );
    Ok(Code::Done)
}

/// An admin who takes their own rights away says that they mean it, where that can be: only another admin gives them back.
fn confirm_own(
    room: &mut Proven<'_>,
    who: &Who,
    name: &PersonName,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    if !room.with(|darkroom| darkroom.name_of(who))?.is_some_and(|own| own.is(name)) {
        return Ok(());
    }
    let people = room.with(|darkroom| darkroom.people(who))?;
    if people.iter().filter(|person| person.role == Some(Role::Admin)).count() < 2 {
        return Ok(()); // the last one stays
    }
    let what = "you would take your own rights as an admin away, and only another admin gives them back";
    if !terminal.is_there() {
        return Err(Failure::new(Code::Refused, format!("{what}; say so with --yes")));
    }
    let question = format!("{what}.\nType {} to go on: ", name.as_str());
    match terminal.ask(&question)?.trim() == name.as_str() {
        true => Ok(()),
        false => Err(Failure::new(Code::Refused, "nothing was changed")),
    }
}

fn remove(
    room: &mut Proven<'_>,
    who: &Who,
    name: &PersonName,
    (pictures, yes): (Option<&Pictures>, bool),
    at: At<'_>,
    out: &Output,
) -> Done {
    let is_theirs = |person: &&Person| person.name.as_ref().is_some_and(|known| known.is(name));
    let people = room.with(|darkroom| darkroom.people(who))?;
    let person = people.iter().find(is_theirs);
    let (count, was_gone) = person.map_or((0, false), |person| (person.pictures, person.role.is_none()));
    if !yes && (count == 0 || pictures.is_some()) {
        confirm_own(room, who, name, at.terminal)?;
    }
    if pictures == Some(&Pictures::Erase) && count > 0 && !yes {
        pictures::confirm_erasure(at.terminal, count)?;
    }
    let removed = room.remove_person(who, name, pictures)?;
    let left = match pictures {
        _ if count == 0 => String::new(),
        Some(Pictures::HandOver(to)) => {
            format!("; {} passed on to {}", counted(count, "picture"), to.as_str())
        }
        Some(Pictures::Erase) => format!("; the keys of {} are destroyed", counted(count, "picture")),
        _ => format!("; {} kept, and nobody sees them", counted(count, "picture")),
    };
    let name = name.as_str();
    out.say(&match was_gone {
        true => format!("{name} was removed before{left}"),
        false => format!("the passphrase of {name} opens nothing any more{left}"),
    });
    pictures::report_removal(&removed, (count, serde_json::Map::new()), at.outputs, out)
}

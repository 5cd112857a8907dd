//! `evidence subject`: what is held about one person, for that person.

use crate::Done;
use crate::boot::folders::{Bundle, what_is_left};
use crate::boot::{self, Wants};
use crate::cli::{Global, Keys};
use crate::exit::{Code, Failure};
use crate::output::{Output, counted};
use crate::paths::absolute;
use audit::Clock as _;
use darkroom::{Actor, Hold, PersonName, Who};
use evidence::{Subject, SubjectPicture, Told};
use sandbox::Clean;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

/// The sentences of the page about the types of records, in Chinese.
const IN_CHINESE: &str = include_str!("../../server/pages/records.zh-CN.json");

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(
    clean: Clean,
    global: &Global,
    (whom, output, keys): (Option<&str>, &Path, &Keys),
    out: &Output,
) -> Done {
    let whom = whom.map(named).transpose()?;
    let wants = Wants { bundle: Some(Bundle::Made(output)), ..Wants::with(keys) };
    let made = absolute(output)?;
    let left = |failure| what_is_left(failure, &made);
    let (mut booted, mut darkroom) = boot::boot(clean, global, &wants)?.darkroom().map_err(left)?;
    let done = booted.unlock(&mut darkroom, out).and_then(|who| {
        let dir = booted.folders.bundle.clone().unwrap_or_default();
        let log = (&*booted.folders.audit, booted.clock.wall_ms());
        hand_over((&mut darkroom, &who), whom, log, &dir, |told| Ok(told.write(&dir)?), out)
    });
    boot::leave(darkroom, done.map_err(left))
}

/// Who is meant.
pub enum Whom {
    /// Whoever has this pseudonym.
    Pseudonym(Actor),
    /// Whoever is called so.
    Called(PersonName),
}

/// Whom somebody means, by a pseudonym or a name.
///
/// # Errors
/// It is neither.
pub fn named(text: &str) -> Result<Whom, Failure> {
    let what =
        "a person goes by their name, or by their pseudonym, `a:` and 22 characters, as the records have it";
    let none = || Failure::new(Code::Usage, what);
    match text.starts_with("a:") {
        true => Actor::parse(text).map(Whom::Pseudonym).ok_or_else(none),
        false => PersonName::new(text).map(Whom::Called).map_err(|_| none()),
    }
}

/// Puts on record that it leaves, and has it written in `dir`: of the log in this folder at this moment.
///
/// # Errors
/// They may not; there is no such person; what log and disk say.
pub fn hand_over(
    (room, who): (&mut impl Hold, &Who),
    whom: Option<Whom>,
    (log, now_ms): (&Path, u64),
    dir: &Path,
    write: impl FnOnce(&Told) -> Result<(), Failure>,
    out: &Output,
) -> Done {
    let actor = match whom {
        None => who.actor(),
        Some(Whom::Pseudonym(actor)) => actor,
        Some(Whom::Called(name)) => room.with(|darkroom| darkroom.pseudonym_for(who, &name))?,
    };
    let held = room.with(|darkroom| darkroom.held_about(who, actor))?;
    let pictures: Vec<SubjectPicture> = held
        .pictures
        .iter()
        .map(|(object, name, created_ms, bytes, keeps_prompt)| SubjectPicture {
            object: object.to_string(),
            name: name.clone(),
            created_ms: *created_ms,
            bytes: *bytes,
            keeps_prompt: *keeps_prompt,
        })
        .collect();
    let chinese: BTreeMap<String, String> = serde_json::from_str(IN_CHINESE).unwrap_or_default();
    let subject = Subject {
        log,
        actor,
        slot: held.slot.into(),
        name: held.name.as_ref().map(PersonName::as_str),
        role: held.role.map(darkroom::Role::word),
        pictures: &pictures,
        in_chinese: &|name| chinese.get(&format!("record.{name}")).cloned(),
        version: env!("CARGO_PKG_VERSION"),
        made_ms: now_ms,
    };
    let told = subject.tell()?;
    let (file, records, pruned_before) = (told.file, told.records, told.pruned_before);
    // Before the first byte is on the disk: whoever ends the program in between keeps nothing that no record tells of.
    let receipt = room.with(|darkroom| darkroom.record_subject(who, actor, (held.slot, records, file)))?;
    write(&told)?;
    let count = counted(usize::try_from(records).unwrap_or(usize::MAX), "record");
    out.data(&format!(
        "{}: {count}, {}\n  {actor}, record {}\n",
        dir.display(),
        counted(pictures.len(), "picture"),
        receipt.seq_first
    ));
    if pruned_before > 0 {
        out.say(&format!("before record {pruned_before} some were pruned: whether any of those were about them, nobody can tell"));
    }
    out.say("subject.html in it is for the person; it names them: hand it to nobody else");
    out.object(
        true,
        &json!({ "dir": dir.display().to_string(), "pseudonym": actor.to_string(), "records": records,
            "pictures": pictures.len(), "pruned_before": pruned_before, "file": file.to_string(), "record": receipt.seq_first }),
    );
    Ok(Code::Done)
}

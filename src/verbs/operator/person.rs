//! A person, as people and programs see them at the command line.

use crate::output::counted;
use darkroom::{Person, PersonName, Role};
use serde_json::{Value, json};

/// A person on one line.
pub fn line(person: &Person) -> String {
    format!(
        "slot {:>3}  {:<9}  {:>12}  {}{}",
        person.slot,
        person.role.map_or("removed", Role::word),
        counted(person.pictures, "picture"),
        person.name.as_ref().map_or("(no name)", PersonName::as_str),
        if person.is_self { "  (you)" } else { "" }
    )
}

/// A person, for programs.
pub fn describe(person: &Person) -> Value {
    json!({
        "slot": person.slot, "name": person.name.as_ref().map(PersonName::as_str),
        "role": person.role.map(Role::word), "pictures": person.pictures, "you": person.is_self,
    })
}

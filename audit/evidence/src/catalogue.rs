//! The catalogue: 64 controls, each an item of data.

mod access;
mod log;
mod operation;
mod people;
mod storage;

use crate::control::Control;

/// The controls, group by group.
const GROUPS: [&[Control]; 5] =
    [access::ACCESS, storage::STORAGE, log::LOG, people::PEOPLE, operation::OPERATION];

/// Every control, in the order of the catalogue.
pub fn controls() -> impl Iterator<Item = &'static Control> {
    GROUPS.into_iter().flatten()
}

/// The control of that id.
pub fn control(id: &str) -> Option<&'static Control> {
    controls().find(|control| control.id == id)
}

#[cfg(test)]
#[path = "tests/catalogue.rs"]
mod tests;

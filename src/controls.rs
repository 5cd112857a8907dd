//! The controls, tried: by the verb alone, and by a running server beside whatever is in work. One code, two doors.
//!
//! The probes bring facts, and whether a control is satisfied follows from them in `evidence`, where what a log shows by
//! itself is tried, too. The server knows no control: it is handed what tries them, and what is to be answered.

mod bundle;
mod fences;
mod injuries;
mod kept;
mod listeners;
mod page;
mod probes;
mod reading;
mod rehearsal;
mod site;
mod sought;
mod start;
mod unwritable;

pub use bundle::{Chosen, Handed, hand_over};
pub use injuries::{PEOPLE, POLICY, PROMPT, cut_short, rows};
pub use kept::{Error, Tried, on_record, try_now};
pub use listeners::Listener;
pub use page::Page;
pub use rehearsal::{Failed, Rehearsed, rehearse};
pub use site::{Room, Site};

//! The studio as a person meets it: the real program, its page, and headless Chromium.
//!
//! - `driver`: a WebDriver client and a browser of its own for each test
//! - `studio`: what a person does in the page, and what must hold at the end of every session
//! - `network`: whom a browser spoke to
//! - `newcomer`: from the link on the terminal to a picture and its end
//! - `gate`: locking, unlocking, two languages, two names of the host
//! - `jobs`: a request is cancelled, or outlives its page
//! - `recovery`: a code that is shown once, and drawn anew
//! - `posture`: the badge and what lies behind it
//! - `compliance`: the controls, and what was found of them
//! - `log`: the log, in words
//! - `axe`: what axe-core finds on a screen
//! - `asking`: what the form says before anything is sent
//! - `history`: tabs that agree, deleting many, and saving many
//! - `gallery`: many pictures under one's hands, one large, and those of one request side by side
//! - `many`: hundreds of pictures, and thousands
//! - `windows`: more windows than a browser has connections, and a badge that says what was answered just now
//! - `traces`: where a prompt must not be found after its picture was made
//! - `hostile`: a page of somebody else, and code that gets into ours
//! - `reach`: narrow windows, the keyboard alone, and a name for everything

mod asking;
mod axe;
mod compliance;
pub mod driver;
mod gallery;
mod gate;
mod history;
mod hostile;
mod jobs;
mod log;
mod many;
mod network;
mod newcomer;
mod people;
mod posture;
mod reach;
mod recovery;
pub mod studio;
mod traces;
mod windows;

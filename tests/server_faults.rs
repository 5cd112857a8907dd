//! The server when something goes wrong around it, or ends: what it promised holds all the same.
//!
//! - `broken`: a fence that is found open
//! - `ends`: signals, a port that is taken, a vault that is in use
//! - `idle`: nobody asks any more
//! - `killed`: killed at any moment, and a full disk
//! - `traced`: the sockets of a whole session
//! - `traces`: where a prompt and a passphrase must not be found afterwards
//! - `ordinary`: without root's rights
//! - `unrecorded`: what is done, and cannot be put on record

mod broken;
mod ends;
mod idle;
mod killed;
mod ordinary;
mod traced;
mod traces;
mod unrecorded;

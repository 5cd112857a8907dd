//! Verbs through a running server. The vault has one owner at a time; so while a server has it, a verb of the same user asks that
//! server over a named socket in the folder of the vault, and says what it would have said alone.
//!
//! An `errand` is a verb that can be done so. The verb's process is the `client`: it has the terminal, the connection, which it made before its fences, and the files that a
//! person named, and writes in a `made` folder. The `host` is a part of the server: it signs the person in, does the verb's own work with the server's vault, and
//! sends what is to be printed, asked or written to the other end of the `line`. `brought` is what a verb needs from before its fences, `place` where the socket is, `wire` what goes
//! over it.

mod brought;
pub mod client;
pub mod errand;
mod guests;
pub mod host;
pub mod line;
mod made;
pub mod place;
mod reaching;
pub mod wire;

//! The program's three processes: the keeper starts the other two, the server has the keys, the engine has the model.
//!
//! `keeper` is the first one's whole life, `engine` that of the process with the model; the server is a verb as ever, and
//! `kept` is what it has of the other two. `channel` is what keeper and server say to each other.

mod channel;
pub mod engine;
pub mod keeper;
pub mod kept;

/// Text of the policy file, for an engine: what is changed on the disk meanwhile counts at the next start of the program.
pub const POLICY_VARIABLE: &str = "LIGHTPROOF_POLICY";

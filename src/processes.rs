//! The program's processes: the keeper starts the next two, the server has the keys, the engine has the model; and one looks after
//! the models that were brought in.
//!
//! `keeper` is the first one's whole life, `engine` that of the process with the model; the server is a verb as ever, and
//! `kept` is what it has of the other two. `channel` is what keeper and server say to each other.
//! `notify` is what a service manager hears from the keeper.
//! `models` is the whole life of the one that looks after the models, and `keeping` what the verbs about them have of it.

pub mod channel;
pub mod engine;
pub mod keeper;
pub mod keeping;
pub mod kept;
pub mod models;
pub mod notify;

/// Text of the policy file, for an engine: what is changed on the disk meanwhile counts at the next start of the program.
pub const POLICY_VARIABLE: &str = "LIGHTPROOF_POLICY";

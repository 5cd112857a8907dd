//! The models that were brought in: a folder of models, each in a folder of its own with the list of its files.
//!
//! What is here runs in the process that looks after them (`processes/models.rs`), behind fences that know the folder of the models
//! and the one that is copied from, and nothing of vault, log or pictures.

pub mod copy;
pub mod manifest;
mod md5;
pub mod name;
pub mod source;
pub mod store;

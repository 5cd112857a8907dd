//! Tests of the whole crate: parity with the reference, runs of the demo model, and model folders that are wrong.

mod claims;
mod copy;
mod files;
mod folders;
mod fuzz;
mod gpu;
mod levels;
mod memory;
mod parity;
mod runs;
mod tokenizers;

//! Tests of the whole crate: parity with the reference, runs of the demo model, and model folders that are wrong.

mod folders;
mod parity;
mod runs;

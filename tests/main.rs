//! Black-box tests of the program: they start it as a person would, and look at what it says and leaves behind.
//! They know its command line and its formats, never its crates.
//!
//! - `harness`: a home of its own for each test, the program started in it, and a search through what it left
//! - `start`: what works without a vault, a model or a picture

// A test says what is wrong by panicking; the harness is called by tests only.
#![allow(clippy::panic)]

mod harness;
mod start;

//! The wire, and an engine in another process that does all that it should not.

mod far;
mod near;
mod start;
mod starter;
mod toy;
mod wire;

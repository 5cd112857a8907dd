//! Faults for tests: the disk fails once, or the machine stops, before the n-th effect.

use std::io;
use std::sync::{Arc, Mutex};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The power goes: this effect and all later ones do not happen.
    Stop,
    /// As `Stop`, but half of the bytes of an append or overwrite get through.
    Torn,
    /// This one effect fails with the error; later ones work.
    Error(io::ErrorKind),
    /// Every write fails with `StorageFull` from here on, until a file is removed.
    Full,
}

#[derive(Debug, Default)]
struct State {
    steps: Vec<&'static str>,
    plan: Option<(usize, Fault)>,
    stopped: bool,
    torn: bool,
    full: bool,
    names: Option<&'static str>,
}

#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<State>>);

impl Faults {
    /// Does `fault` at step `at`, counted from now.
    pub fn plan(&self, at: usize, fault: Fault) {
        *self.0.lock().unwrap() = State { plan: Some((at, fault)), ..State::default() };
    }

    /// Fails the first step of that name, from now on.
    pub fn fail_named(&self, name: &'static str, fault: Fault) {
        *self.0.lock().unwrap() = State { plan: Some((0, fault)), names: Some(name), ..State::default() };
    }

    /// Steps taken since the plan was made.
    pub fn steps(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().steps.clone()
    }

    pub fn is_torn(&self) -> bool {
        self.0.lock().unwrap().torn
    }

    pub fn stop(&self) {
        self.0.lock().unwrap().stopped = true;
    }

    pub fn step(&self, name: &'static str) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let dead = || io::Error::other("the machine has stopped");
        if state.stopped {
            return Err(dead());
        }
        if state.names.is_none_or(|wanted| wanted == name) {
            state.steps.push(name);
        } else if !state.full {
            return Ok(());
        }
        let due = state.plan.is_some_and(|(at, _)| state.steps.len() == at + 1);
        match state.plan {
            Some((_, Fault::Stop)) if due => {
                state.stopped = true;
                return Err(dead());
            }
            Some((_, Fault::Torn)) if due => {
                if name != "append" && name != "overwrite" {
                    state.stopped = true;
                    return Err(dead());
                }
                state.torn = true;
            }
            Some((_, Fault::Error(kind))) if due => return Err(kind.into()),
            Some((_, Fault::Full)) if due => state.full = true,
            _ => {}
        }
        if state.full {
            match name {
                "remove" => state.full = false,
                "append" | "create" | "replace: write" | "derive: write" => {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

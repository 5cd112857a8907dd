//! `lightproof doctor`: whether this machine is fit, on the screen.

use crate::Done;
use crate::cli::{Doctor, Global};
use crate::doctor::{Examined, Finding, State, examine};
use crate::exit::Code;
use crate::output::Output;
use sandbox::Clean;
use serde_json::{Value, json};

/// Runs the verb.
///
/// # Errors
/// The arguments make no sense.
pub fn run(clean: Clean, global: &Global, arguments: &Doctor, out: &Output) -> Done {
    let Examined { findings, .. } = examine(clean, global, arguments, None)?;
    Ok(tell(&findings, out))
}

/// Prints what was found.
fn tell(findings: &[Finding], out: &Output) -> Code {
    let count = |state| findings.iter().filter(|finding| finding.state == state).count();
    let (needs, unknown) = (count(State::NeedsPerson), count(State::Unknown));
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    for Finding { check, state, says } in findings {
        out.data(&format!("{:<14}  {check:<width$}  {says}\n", state.word()));
    }
    out.data(&format!("{} checks: {needs} need a person, {unknown} could not be asked\n", findings.len()));
    let object = |finding: &Finding| json!({ "check": finding.check, "state": finding.state.word(), "says": finding.says });
    let checks: Vec<Value> = findings.iter().map(object).collect();
    out.object(needs + unknown == 0, &json!({ "checks": checks, "needs": needs, "unknown": unknown }));
    match (needs, unknown) {
        (0, 0) => Code::Done,
        (0, _) => Code::Partial,
        _ => Code::Found,
    }
}

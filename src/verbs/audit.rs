//! `lightproof audit`: the newest records, and the check of all of them. Reads only; works beside a running server.

use crate::Done;
use crate::boot::folders::FolderUse;
use crate::boot::{self, Wants};
use crate::cli::{Audit, Global};
use crate::exit::{Code, Failure};
use crate::output::Output;
use sandbox::Clean;
use serde_json::{Value, json};

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, verb: &Audit, out: &Output) -> Done {
    let expect = match verb {
        Audit::Verify { expect: Some(path) } => Some(read_checkpoint(path)?),
        _ => None,
    };
    let wants = Wants { folder_use: FolderUse::Read, ..Wants::default() };
    let booted = boot::boot(clean, global, &wants)?.without_darkroom()?;
    let dir = &booted.folders.audit;
    let failed = |error: audit::Error| match error {
        audit::Error::Absent { dir } => {
            let hint = "a first start makes it; if it lies elsewhere, say where with --home";
            Failure::new(Code::NotFound, format!("there is no log in {}; {hint}", dir.display()))
        }
        error => Failure::from(darkroom::Error::from(error)),
    };
    match verb {
        Audit::Tail { count } if global.json => {
            let lines = audit::tail_json(dir, *count as u64).map_err(failed)?;
            let records: Vec<Value> =
                lines.iter().map(|line| serde_json::from_str(line).unwrap_or_default()).collect();
            out.object(true, &json!({ "records": records }));
            Ok(Code::Done)
        }
        Audit::Tail { count } => {
            let lines = audit::tail(dir, *count as u64).map_err(failed)?;
            lines.iter().for_each(|line| out.data(&format!("{line}\n")));
            Ok(Code::Done)
        }
        Audit::Verify { .. } => {
            let report = audit::verify(dir, expect.as_deref()).map_err(failed)?;
            out.data(&format!("{report}\n"));
            let value: Value = serde_json::from_str(&report.to_json()).unwrap_or_default();
            out.object(report.is_ok(), &value["data"]);
            Ok(match (report.is_ok(), report.integrity_broken) {
                (true, _) => Code::Done,
                (false, false) => Code::Found,
                (false, true) => Code::Integrity,
            })
        }
    }
}

fn read_checkpoint(path: &std::path::Path) -> Result<Vec<u8>, Failure> {
    audit::read_checkpoint(path).map_err(|e| {
        let what = format!(
            "cannot read the expected checkpoint {}: {e}; name the file that was kept",
            path.display()
        );
        Failure::new(Code::NotFound, what)
    })
}

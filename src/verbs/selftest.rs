//! `lightproof selftest`: how far the engine is from the reference, tensor by tensor.

use crate::Done;
use crate::boot::folders::FolderUse;
use crate::boot::{self, Wants};
use crate::cli::{Global, Selftest};
use crate::exit::Code;
use crate::output::{Output, counted};
use diffusion::reference::{Check, Measured, check};
use diffusion::{DeviceName, ModelFolder, Pipeline, demo};
use policy::Process;
use sandbox::Clean;
use serde_json::json;
use std::collections::BTreeSet;

/// Runs the verb.
///
/// # Errors
/// What keeps the comparison from running.
pub fn run(clean: Clean, global: &Global, arguments: &Selftest, out: &Output) -> Done {
    let Some(reference) = &arguments.reference else {
        return fences(clean, global, out);
    };
    let own_model = reference.join("model");
    let model = match &arguments.model {
        Some(model) => Some(model.clone()),
        None => own_model.is_dir().then_some(own_model),
    };
    let wants = Wants {
        process: Process::Engine,
        folder_use: FolderUse::Read,
        model: model.as_deref(),
        reference: Some(reference),
        ..Wants::default()
    };
    let booted = boot::boot(clean, global, &wants)?.without_darkroom()?;
    sandbox::probe(&booted.sandboxed)?;
    let folder = match &booted.folders.model {
        Some(path) => ModelFolder::open(path)?,
        None => demo::folder(),
    };
    let pipeline = Pipeline::load(&folder, DeviceName::Cpu)?;
    let reference = booted.folders.reference.clone().unwrap_or_default();
    let (mut checks, mut bad) = (Vec::new(), 0);
    check(&reference, &folder, &pipeline, &mut |check| {
        bad += usize::from(!check.measured.holds());
        out.data(&line(&check));
        checks.push(json!({ "case": check.case, "tensor": check.tensor, "ok": check.measured.holds(),
            "measured": words(&check.measured) }));
    })?;
    out.data(&format!("{}, {bad} beyond their bound\n", counted(checks.len(), "comparison")));
    out.object(bad == 0 && !checks.is_empty(), &json!({ "checks": checks, "beyond": bad }));
    Ok(if bad == 0 && !checks.is_empty() { Code::Done } else { Code::Found })
}

/// Without a reference: the fences are tried, and the embedded model is loaded and makes a picture.
fn fences(clean: Clean, global: &Global, out: &Output) -> Done {
    let wants = Wants { process: Process::Engine, folder_use: FolderUse::Read, ..Wants::default() };
    let booted = boot::boot(clean, global, &wants)?.without_darkroom()?;
    let probed = sandbox::probe(&booted.sandboxed)?;
    out.data(&booted.report.explain());
    out.data(&format!("{} forbidden operations were tried, each was denied\n", probed.tried.len()));
    let pipeline = Pipeline::load(&demo::folder(), DeviceName::Cpu)?;
    let recipe = diffusion::Recipe {
        prompt: "a red apple".into(),
        negative_prompt: String::new(),
        width: demo::SIDE_PX,
        height: demo::SIDE_PX,
        steps: 8,
        guidance: 0.0,
        guidance_norm_max: None,
        guidance_time_max: 1.0,
        seeds: vec![42],
    };
    let pictures = pipeline.generate(&recipe)?;
    let colours: BTreeSet<&[u8]> = pictures.iter().flat_map(|picture| picture.rgb.chunks(3)).collect();
    let lively = colours.len() > 100;
    out.data(&format!("the demo model made a picture of {}\n", counted(colours.len(), "colour")));
    out.object(
        lively,
        &json!({ "fences": booted.report.explain().lines().collect::<Vec<_>>(), "denied": probed.tried.len(),
            "colours": colours.len() }),
    );
    Ok(if lively { Code::Done } else { Code::Found })
}

fn line(check: &Check) -> String {
    let mark = if check.measured.holds() { "ok  " } else { "FAIL" };
    format!("{mark} {:<20} {:<24} {}\n", check.case, check.tensor, words(&check.measured))
}

fn words(measured: &Measured) -> String {
    match measured {
        Measured::Error { found, bound } => format!("error {found:.3e}, bound {bound:.3e}"),
        Measured::GreyLevels { found, bound } => {
            format!("{:.4} % off by more than one grey level, bound {:.4} %", found * 100.0, bound * 100.0)
        }
        Measured::Different { found } => format!("{found} elements differ, bound 0"),
        Measured::NoRule => "no rule compares this tensor".into(),
    }
}

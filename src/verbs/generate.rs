//! `lightproof generate`: a prompt becomes sealed, recorded pictures.

use crate::boot::folders::FolderUse;
use crate::boot::{self, Booted, Wants};
use crate::cli::{Generate, Global};
use crate::exit::{Code, Failure};
use crate::making::Making;
use crate::output::{Output, counted};
use crate::paths::{Exporting, open_regular};
use crate::{Done, input, pictures};
use darkroom::{Ask, JobState};
use diffusion::DeviceName;
use rustix::fs::OFlags;
use sandbox::Clean;
use serde_json::{Value, json};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use zeroize::Zeroizing;

/// A prompt file is read up to here, so that the refusal can say how long it is.
const PROMPT_FILE_BYTES_MAX: u64 = 64 << 20;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, arguments: &Generate, out: &Output) -> Done {
    arguments.computing.device.parse::<DeviceName>().map_err(|e| Failure::new(Code::Usage, e))?;
    let export = arguments.export.as_deref().map(|path| Exporting::new(path, out)).transpose()?;
    let mut prompt = prompt_before_fences(arguments)?;
    let wants = Wants {
        folder_use: FolderUse::Made,
        model: arguments.computing.model.as_deref(),
        plain_copy: export.is_some(),
        export: export.as_ref().and_then(Exporting::folder),
        ..Wants::with(&arguments.keys)
    };
    let fenced = boot::boot(clean, global, &wants)?;
    if prompt.is_none() {
        let failed = |e| Failure::new(Code::Unexpected, format!("the prompt cannot be read: {e}"));
        prompt = Some(read_to_end(input::stdin().map_err(failed)?)?);
    }
    let (mut booted, darkroom) = fenced.darkroom()?;
    let making = Making::start(&mut booted, darkroom, out)?;
    let settings = &arguments.settings;
    if settings.negative.is_some() && settings.guidance.is_none_or(|guidance| guidance == 0.0) {
        out.warn("at guidance 0 a negative prompt has no effect; add --guidance, from 1 on, or leave --negative out");
    }
    let ask = settings.ask(prompt.unwrap_or_default());
    let result = draw(&making, &mut booted, ask, export.as_ref(), out);
    boot::close(&making.queue, result)
}

/// Checks, unlocks, asks, waits and exports.
fn draw(making: &Making, booted: &mut Booted, ask: Ask, exporting: Option<&Exporting>, out: &Output) -> Done {
    let queue = &making.queue;
    let checked = queue.check(None, ask)?;
    if let Some(exporting) = exporting {
        exporting.check(checked.count())?;
    }
    let who = queue.hold(|darkroom| booted.unlock(darkroom, out))??;
    let interrupted = booted.terminal.job_flag()?;
    let job = queue.submit(&who, checked, None)?;
    let mut made = Vec::new();
    let job = making.wait(&who, job.id, &interrupted, out, |picture| {
        out.data(&format!("sealed {}\n", pictures::line(&picture)));
        made.push(picture);
        Ok(())
    })?;
    if job.state != JobState::Done {
        if !made.is_empty() {
            let kept =
                if exporting.is_some() { "sealed and kept, and not exported" } else { "sealed and kept" };
            let (made, asked) = (made.len(), counted(job.count, "picture"));
            out.warn(&format!("{kept}: {made} of {asked}; see: lightproof history list"));
        }
        return Err(match &job.error {
            Some(error) => Failure::from(&**error),
            None => Failure::new(Code::Interrupted, "cancelled"),
        });
    }
    let mut described: Vec<Value> = Vec::new();
    for (index, summary) in made.iter().enumerate() {
        let mut value = pictures::describe(summary);
        if let Some(exporting) = exporting {
            let path = exporting.path(index, made.len(), &summary.name);
            value["export"] = making.copy(&who, summary, path, &booted.folders.outputs, out)?;
        }
        described.push(value);
    }
    out.object(true, &json!({ "pictures": described, "elapsed_ms": job.elapsed.as_millis() as u64 }));
    Ok(Code::Done)
}

/// The prompt's bytes, unless they come from stdin; nothing is parsed.
fn prompt_before_fences(arguments: &Generate) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    if let Some(path) = &arguments.prompt_file {
        let failed =
            |e| Failure::new(Code::NotFound, format!("{}: the prompt cannot be read: {e}", path.display()));
        return read_to_end(open_regular(path, OFlags::empty()).map_err(failed)?).map(Some);
    }
    let typed = arguments.prompt.as_ref().filter(|p| *p != "-");
    Ok(typed.map(|prompt| Zeroizing::new(prompt.as_bytes().to_vec())))
}

fn read_to_end(source: impl std::io::Read) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    source
        .take(PROMPT_FILE_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(|e| Failure::new(Code::Unexpected, format!("the prompt cannot be read: {e}")))?;
    input::tidy(&mut bytes);
    Ok(bytes)
}

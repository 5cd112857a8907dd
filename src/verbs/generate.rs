//! `lightproof generate`: a prompt becomes sealed, recorded pictures.

use crate::boot::folders::FolderUse;
use crate::boot::{self, Booted, Wants};
use crate::cli::{Generate, Global, Settings};
use crate::exit::{Code, Failure};
use crate::making::Making;
use crate::output::{Output, counted};
use crate::paths::{Exporting, open_regular, with_remedy};
use crate::{Done, input, pictures};
use darkroom::{Ask, Checked, JobState, Who};
use diffusion::DeviceName;
use rustix::fs::OFlags;
use sandbox::Clean;
use serde_json::{Value, json};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use zeroize::Zeroizing;

/// A prompt file is read up to here, so that the refusal can say how long it is.
const PROMPT_FILE_BYTES_MAX: u64 = 64 << 20;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, arguments: &Generate, out: &Output) -> Done {
    let device =
        arguments.computing.device.parse::<DeviceName>().map_err(|e| Failure::new(Code::Usage, e))?;
    let export = arguments.export.as_deref().map(|path| Exporting::new(path, out)).transpose()?;
    let mut prompt = prompt_before_fences(arguments)?;
    let wants = Wants {
        folder_use: FolderUse::Made,
        model: arguments.computing.model.as_deref(),
        device,
        plain_copy: export.is_some(),
        export: export.as_ref().and_then(Exporting::folder),
        ..Wants::with(&arguments.keys)
    };
    let fenced = boot::boot(clean, global, &wants)?;
    if prompt.is_none() {
        prompt = Some(prompt_of_stdin()?);
    }
    let (mut booted, darkroom) = fenced.darkroom()?;
    let making = Making::start(&mut booted, darkroom, out)?;
    let ask = ask(&arguments.settings, prompt.unwrap_or_default(), out);
    let result = draw(&making, &mut booted, ask, export.as_ref(), out);
    boot::close(&making.queue, result)
}

/// The request, and a word about what has no effect in it.
pub fn ask(settings: &Settings, prompt: Zeroizing<Vec<u8>>, out: &Output) -> Ask {
    if settings.negative.is_some() && settings.guidance.is_none_or(|guidance| guidance == 0.0) {
        out.warn("at guidance 0 a negative prompt has no effect; add --guidance, from 1 on, or leave --negative out");
    }
    settings.ask(prompt)
}

/// Checks, unlocks, and makes it.
fn draw(making: &Making, booted: &mut Booted, ask: Ask, exporting: Option<&Exporting>, out: &Output) -> Done {
    let checked = check(making, None, ask, exporting)?;
    let who = making.queue.hold(|darkroom| booted.unlock(darkroom, out))??;
    let interrupted = booted.terminal.job_flag()?;
    make(making, &who, &interrupted, checked, exporting, &booted.folders.outputs, out)
}

/// Holds a request against everything that can be known before there is work.
///
/// # Errors
/// What is wrong with it.
pub fn check(
    making: &Making,
    who: Option<&Who>,
    ask: Ask,
    exporting: Option<&Exporting>,
) -> Result<Checked, Failure> {
    let checked = making.queue.check(who, ask)?;
    exporting.map_or(Ok(()), |exporting| exporting.check(checked.count()))?;
    Ok(checked)
}

/// Asks, waits and exports.
///
/// # Errors
/// Why it ended early.
pub fn make(
    making: &Making,
    who: &Who,
    interrupted: &AtomicBool,
    checked: Checked,
    exporting: Option<&Exporting>,
    outputs: &Path,
    out: &Output,
) -> Done {
    let job = making.queue.submit(who, checked, None)?;
    let mut made = Vec::new();
    let job = making.wait(who, job.id, interrupted, out, |picture| {
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
            value["export"] = making.copy(who, summary, exporting, (index, made.len()), outputs, out)?;
        }
        described.push(value);
    }
    out.object(true, &json!({ "pictures": described, "elapsed_ms": job.elapsed.as_millis() as u64 }));
    Ok(Code::Done)
}

/// The prompt's bytes, unless they come from stdin; nothing is parsed.
///
/// # Errors
/// The file cannot be read.
pub fn prompt_before_fences(arguments: &Generate) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    if let Some(path) = &arguments.prompt_file {
        let failed = |e| {
            let what = format!("{}: the prompt cannot be read: {}", path.display(), with_remedy(&e));
            Failure::new(Code::NotFound, what)
        };
        return read_to_end(open_regular(path, OFlags::empty()).map_err(failed)?).map(Some);
    }
    let typed = arguments.prompt.as_ref().filter(|p| *p != "-");
    Ok(typed.map(|prompt| Zeroizing::new(prompt.as_bytes().to_vec())))
}

/// The prompt's bytes from standard input.
///
/// # Errors
/// It cannot be read.
pub fn prompt_of_stdin() -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |e| Failure::new(Code::Unexpected, format!("the prompt cannot be read: {e}"));
    read_to_end(input::stdin().map_err(failed)?)
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

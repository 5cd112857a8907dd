//! `lightproof generate`: a prompt becomes sealed, recorded pictures.

use crate::boot::folders::FolderUse;
use crate::boot::{self, Booted, Wants};
use crate::cli::{Generate, Global};
use crate::exit::{Code, Failure};
use crate::output::{Output, counted};
use crate::paths::{Exporting, open_regular};
use crate::{Done, input, pictures};
use darkroom::{Ask, Engine as _, Job, JobId, JobState, Queue, Rules, Summary, Who};
use diffusion::DeviceName;
use rustix::fs::OFlags;
use sandbox::Clean;
use serde_json::{Value, json};
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;
use zeroize::Zeroizing;

/// A prompt file is read up to here, so that the refusal can say how long it is.
const PROMPT_FILE_BYTES_MAX: u64 = 64 << 20;
/// A signal is looked for this often.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, arguments: &Generate, out: &Output) -> Done {
    arguments.device.parse::<DeviceName>().map_err(|e| Failure::new(Code::Usage, e))?;
    let export = arguments.export.as_deref().map(|path| Exporting::new(path, out)).transpose()?;
    let mut prompt = prompt_before_fences(arguments)?;
    let wants = Wants {
        folder_use: FolderUse::Made,
        model: arguments.model.as_deref(),
        plain_copy: export.is_some(),
        export: export.as_ref().and_then(Exporting::folder),
        ..Wants::with(&arguments.keys)
    };
    let fenced = boot::boot(clean, global, &wants)?;
    if prompt.is_none() {
        // Not through the buffer of the standard library, which would keep the prompt to the end.
        let stdin = std::io::stdin().as_fd().try_clone_to_owned().map(std::fs::File::from);
        let failed = |e| Failure::new(Code::Unexpected, format!("the prompt cannot be read: {e}"));
        prompt = Some(read_to_end(stdin.map_err(failed)?)?);
    }
    let (mut booted, darkroom) = fenced.darkroom()?;
    let loaded = booted.check_outputs(&darkroom).and_then(|()| booted.engine(&darkroom, out));
    let engine = match loaded {
        Ok(engine) => engine,
        Err(failure) => return boot::leave(darkroom, Err(failure)),
    };
    if let Err(error) = darkroom.record_ready(engine.model()) {
        return boot::leave(darkroom, Err(error.into()));
    }
    let rules = Rules { limits: booted.plan.limits, keep_prompts: booted.plan.keep_prompts, waiting_max: 1 };
    let (changed, changes) = sync_channel(1);
    // One word that waits says all.
    let notify = move || changed.try_send(()).unwrap_or_default();
    let queue = Queue::start(darkroom, Box::new(engine), rules, notify)
        .map_err(|e| Failure::new(Code::Unexpected, format!("no thread could be started: {e}")))?;
    if arguments.negative.is_some() && arguments.guidance.is_none_or(|guidance| guidance == 0.0) {
        out.warn("at guidance 0 a negative prompt has no effect; add --guidance, from 1 on, or leave --negative out");
    }
    let ask = ask(arguments, prompt.unwrap_or_default());
    let result = draw(&queue, &changes, &mut booted, ask, export.as_ref(), out);
    boot::close(&queue, result)
}

/// Checks, unlocks, asks, waits and exports.
fn draw(
    queue: &Queue,
    changes: &Receiver<()>,
    booted: &mut Booted,
    ask: Ask,
    exporting: Option<&Exporting>,
    out: &Output,
) -> Done {
    let checked = queue.check(None, ask)?;
    if let Some(exporting) = exporting {
        exporting.check(checked.count())?;
    }
    let who = queue.hold(|darkroom| booted.unlock(darkroom, out))??;
    let interrupted = booted.terminal.job_flag()?;
    let job = queue.submit(&who, checked, None)?;
    let (job, made) = wait(queue, changes, &who, job.id, &interrupted, out)?;
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
            let exported = match exporting.path(index, made.len(), &summary.name) {
                Some(path) => queue.export(&who, summary.id, &path).map(|export| (export, Some(path))),
                None => queue.hand_over(&who, summary.id).map(|(export, png)| {
                    out.picture(&png);
                    (export, None)
                }),
            };
            let (export, path) = exported
                .map_err(|error| pictures::trouble(&error, &booted.folders.outputs, &summary.name))?;
            out.data(&pictures::exported(&export, path.as_deref()));
            value["export"] = pictures::describe_export(&export, path.as_deref());
        }
        described.push(value);
    }
    out.object(true, &json!({ "pictures": described, "elapsed_ms": job.elapsed.as_millis() as u64 }));
    Ok(Code::Done)
}

/// Tells how far the request is until it has ended; a signal cancels it. The pictures that it made.
fn wait(
    queue: &Queue,
    changes: &Receiver<()>,
    who: &Who,
    id: JobId,
    interrupted: &AtomicBool,
    out: &Output,
) -> Result<(Job, Vec<Summary>), Failure> {
    let (mut made, mut step, mut cancelled) = (Vec::new(), 0, false);
    loop {
        let job = queue.job(who, id)?;
        if job.step != step && !job.state.is_over() {
            step = job.step;
            tracing::debug!(event = "step", step = step, count = job.steps);
            let (picture, count, steps) = (job.picture + 1, job.count, job.steps);
            out.progress(&format!("picture {picture} of {count}, step {step} of {steps}"));
        }
        for image in &job.images[made.len()..] {
            let summary = queue.with(|darkroom| darkroom.picture(who, *image))?;
            tracing::info!(event = "sealed");
            out.progress("");
            out.data(&format!("sealed {}\n", pictures::line(&summary)));
            made.push(summary);
        }
        if job.state.is_over() {
            out.progress("");
            return Ok((job, made));
        }
        if interrupted.load(Ordering::Relaxed) && !cancelled {
            cancelled = true;
            // It may have ended at this very moment.
            let _ = queue.cancel(who, id);
        }
        let _ = changes.recv_timeout(LOOK_INTERVAL);
    }
}

fn ask(arguments: &Generate, prompt: Zeroizing<Vec<u8>>) -> Ask {
    Ask {
        prompt,
        negative_prompt: arguments.negative.as_ref().map(|n| Zeroizing::new(n.as_bytes().to_vec())),
        size: arguments.size,
        steps: arguments.steps,
        guidance: arguments.guidance,
        seed: arguments.seed,
        count: arguments.count,
        remember_prompt: arguments.remember_prompt,
    }
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

//! `lightproof generate`: a prompt becomes sealed, recorded pictures.

use crate::boot::{self, Booted, Wants};
use crate::cli::{Generate, Global};
use crate::engine::Diffusion;
use crate::exit::{Code, Failure};
use crate::output::Output;
use crate::paths::{Targets, open_regular};
use crate::{Done, history};
use audit::words::GenerateFailure;
use darkroom::{Ask, Darkroom, Engine as _, News, Request, Summary};
use diffusion::Place;
use rustix::fs::OFlags;
use sandbox::Clean;
use serde_json::{Value, json};
use std::io::Read as _;
use std::ops::ControlFlow;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use zeroize::Zeroizing;

/// A prompt file is read up to here, so that the refusal can say how long it is.
const PROMPT_FILE_BYTES_MAX: u64 = 64 << 20;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, arguments: &Generate, out: &Output) -> Done {
    let place: Place = arguments.device.parse().map_err(|e| Failure::new(Code::Usage, e))?;
    let mut prompt = prompt_before_fences(arguments)?;
    let targets = arguments.export.as_deref().map(Targets::new).transpose()?;
    let wants = Wants {
        model: arguments.model.as_deref(),
        export: targets.as_ref().map(|t| t.folder.as_path()),
        ..Wants::default()
    };
    let mut booted = boot::boot(clean, global, &wants)?;
    if prompt.is_none() {
        // Not through the buffer of the standard library, which would keep the prompt to the end.
        let stdin = std::io::stdin().as_fd().try_clone_to_owned().map(std::fs::File::from);
        let failed = |e| Failure::new(Code::Unexpected, format!("the prompt cannot be read: {e}"));
        prompt = Some(read_to_end(stdin.map_err(failed)?)?);
    }
    let mut darkroom = booted.darkroom()?;
    let loaded = booted.check_outputs(&darkroom).and_then(|()| booted.engine(&darkroom, place));
    let mut engine = match loaded {
        Ok(engine) => engine,
        Err(failure) => return boot::leave(darkroom, Err(failure)),
    };
    let result = darkroom.record_ready(engine.model()).map_err(Failure::from).and_then(|()| {
        let ask = ask(arguments, prompt.unwrap_or_default());
        pictures(&mut darkroom, &mut booted, &mut engine, ask, targets.as_ref(), out)
    });
    boot::leave(darkroom, result)
}

/// Parses, unlocks, generates and exports.
fn pictures(
    darkroom: &mut Darkroom,
    booted: &mut Booted,
    engine: &mut Diffusion,
    ask: Ask,
    targets: Option<&Targets>,
    out: &Output,
) -> Done {
    let (limits, keep) = (&booted.plan.limits, booted.plan.keep_prompts);
    let request = match Request::parse(ask, limits, keep, engine.model(), darkroom.draw_seed()?) {
        Ok(request) => request,
        Err(refusal) => {
            darkroom.refuse(refusal.reason)?;
            return Err(darkroom::Error::from(refusal).into());
        }
    };
    if let Some(targets) = targets {
        targets.check(request.seeds.len())?;
    }
    booted.unlock(darkroom, out)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))
            .map_err(|e| Failure::new(Code::Unexpected, format!("signals cannot be handled: {e}")))?;
    }
    let started = Instant::now();
    let count = request.seeds.len();
    let mut sealed = 0;
    let made = darkroom.generate(&request, engine, &mut |news| {
        match news {
            News::Step { picture, index, count: steps, .. } => {
                tracing::debug!(event = "step", step = index, count = steps);
                out.progress(&format!("picture {} of {count}, step {index} of {steps}", picture + 1));
            }
            News::Made => {}
            News::Sealed(summary) => {
                tracing::info!(event = "sealed");
                out.progress("");
                out.data(&line(summary));
                sealed += 1;
            }
        }
        match interrupted.load(Ordering::Relaxed) {
            true => ControlFlow::Break(GenerateFailure::Cancelled),
            false => ControlFlow::Continue(()),
        }
    });
    out.progress("");
    if made.is_err() && sealed > 0 {
        out.warn(&format!(
            "{sealed} of {count} pictures are sealed and kept, none was exported; see: lightproof history list"
        ));
    }
    let made = made?;
    let elapsed_ms = started.elapsed().as_millis() as u64;
    let mut described: Vec<Value> = Vec::new();
    for (index, summary) in made.iter().enumerate() {
        let mut value = history::describe(summary);
        if let Some(targets) = targets {
            let path = targets.path(index, made.len(), &summary.name);
            let export = darkroom.export(summary.id, &path)?;
            out.data(&format!("exported {} ({} bytes, plain)\n", path.display(), export.bytes));
            value["export"] = json!(path.display().to_string());
        }
        described.push(value);
    }
    out.object(true, &json!({ "pictures": described, "elapsed_ms": elapsed_ms }));
    Ok(Code::Done)
}

fn line(summary: &Summary) -> String {
    let facts = summary.metadata.as_ref().map_or_else(String::new, |m| {
        format!("  {}x{}, {} steps, seed {}", m.width, m.height, m.steps, m.seed)
    });
    format!("sealed {}  {}{facts}\n", summary.id, summary.name)
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
    // A file or a pipe ends with a newline that nobody means.
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    Ok(bytes)
}

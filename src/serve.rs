//! `lightproof serve`: the studio on 127.0.0.1, until a signal ends it.

use crate::Done;
use crate::boot::{self, Wants};
use crate::cli::{Global, Serve};
use crate::engine::Diffusion;
use crate::exit::{Code, Failure};
use crate::output::Output;
use audit::words::StartRefusal;
use darkroom::{Darkroom, Engine as _, StopReason};
use diffusion::Place;
use sandbox::Clean;
use serde_json::json;
use server::{Parts, Server, SetupCode, Stop};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Runs the verb.
///
/// # Errors
/// Why it did not start, or did not end in order.
pub fn run(clean: Clean, global: &Global, arguments: &Serve, out: &Output) -> Done {
    let place: Place = arguments.device.parse().map_err(|e| Failure::new(Code::Usage, e))?;
    let wants = Wants { model: arguments.model.as_deref(), listen: Some(arguments.port), ..Wants::default() };
    let mut booted = boot::boot(clean, global, &wants)?;
    let mut darkroom = booted.darkroom()?;
    let broken = |error| Failure::new(Code::Unexpected, format!("the server cannot be started: {error}"));
    let prepared = prepare(&mut darkroom, &mut booted, place, out).and_then(|engine| {
        let new = (!darkroom.has_vault()).then(|| SetupCode::new(&booted.clock));
        Ok((engine, new.transpose().map_err(broken)?))
    });
    let (engine, setup) = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => return boot::leave(darkroom, Err(failure)),
    };
    let model = engine.model().clone();
    let listener = booted.listener.ok_or_else(|| Failure::new(Code::Unexpected, "there is no listener"))?;
    let socket = listener.handle().map_err(broken)?;
    let address = address(listener.addr().port());
    let code = setup.as_ref().map(|(_, text)| text.clone());
    let server = Server::new(Parts {
        darkroom,
        engine: Box::new(engine),
        sandboxed: booted.sandboxed,
        report: booted.report,
        limits: booted.plan.limits,
        keep_prompts: booted.plan.keep_prompts,
        outputs: booted.places.outputs,
        clock: booted.clock,
        setup: setup.map(|(code, _)| code),
        port: listener.addr().port(),
    })
    .map_err(broken)?;
    end_on_signal(server.stop_handle()).map_err(broken)?;
    // Tried again now that the engine's thread is there: ready means that it is fenced, too. Later ones inherit it.
    if let Err(error) = server.try_fences() {
        server.queue().with(|darkroom| darkroom.record_refusal(StartRefusal::Probe))?;
        server.queue().close(StopReason::Error)?;
        return Err(error.into());
    }
    server.queue().with(|darkroom| darkroom.record_ready(&model))?;
    let ready = || {
        out.ready(&format!("Running on local URL: {address}"));
        if let Some(code) = code {
            out.tell(&format!(
                "\nThere is no vault yet. Open this link within 10 minutes to choose a passphrase; it works once:\n\n    \
                 {address}/#setup={}\n",
                *code
            ));
        }
        tracing::info!(event = "ready", pid = std::process::id());
    };
    let ended = server.run(socket, ready);
    drop(listener);
    ended.map_err(|error| match error {
        server::Error::Darkroom(error) => error.into(),
        server::Error::Io(error) => broken(error),
    })?;
    out.say("the vault is locked and the end is on record");
    out.object(true, &json!({ "address": address }));
    Ok(Code::Done)
}

/// What must be there before anybody is answered: a place for pictures, a model, and a vault, if a passphrase was given.
fn prepare(
    darkroom: &mut Darkroom,
    booted: &mut boot::Booted,
    place: Place,
    out: &Output,
) -> Result<Diffusion, Failure> {
    booted.check_outputs(darkroom)?;
    let engine = booted.engine(darkroom, place)?;
    if let Some(listener) = &booted.listener {
        darkroom.announce(&address(listener.addr().port()))?;
    }
    if booted.has_passphrase() {
        booted.unlock(darkroom, out)?;
    }
    Ok(engine)
}

fn address(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// The first signal ends the server in order, a second one at once: what is half done then is found by the next start.
fn end_on_signal(stop: Stop) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let wait = move || {
        let mut seen = 0;
        for _ in signals.forever() {
            seen += 1;
            match seen {
                1 => stop.stop(),
                _ => std::process::exit(i32::from(Code::Interrupted as u8)),
            }
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(wait).map(drop)
}

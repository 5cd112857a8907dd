//! `lightproof serve`: the studio on 127.0.0.1, until a signal ends it.

use crate::Done;
use crate::boot::folders::FolderUse;
use crate::boot::{self, Wants};
use crate::cli::{Global, Serve};
use crate::controls::{Listener, Page, Site};
use crate::door::host::{self, Guests, Host};
use crate::door::place::Door;
use crate::exit::{Code, Failure};
use crate::output::Output;
use crate::processes::channel::Word;
use crate::processes::notify;
use crate::signals::RELAYED;
use crate::verbs::backup;
use audit::words::{StartRefusal, StopReason};
use darkroom::{CopyPlace, Darkroom, Engine as _, Model};
use diffusion::DeviceName;
use engine::far::Far;
use policy::Unattended;
use sandbox::Clean;
use serde_json::json;
use server::{Moment, Parts, Server, SetupCode, Stop};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use vault::Announced;

/// Where a certificate is made, in the folder of what was found.
const CERTIFICATE: &str = "certificate";

/// Runs the verb.
///
/// # Errors
/// Why it did not start, or did not end in order.
pub fn run(clean: Clean, global: &Global, arguments: &Serve, out: &Output) -> Done {
    let device =
        arguments.computing.device.parse::<DeviceName>().map_err(|e| Failure::new(Code::Usage, e))?;
    let policy = backup::policy(global)?;
    let wants = Wants {
        folder_use: FolderUse::Made,
        model: arguments.computing.model.as_deref(),
        device,
        listen: Some(arguments.port),
        evidence: true,
        ..Wants::with(&arguments.keys)
    };
    let fenced = boot::boot(clean, global, &wants)?;
    // Before the first record: who asks for the end while the model is read gets it in order, too.
    let ends = Ends::hear().map_err(broken)?;
    let (mut booted, mut darkroom) = fenced.darkroom()?;
    let listener = booted.listener.take();
    let door = std::mem::replace(&mut booted.door, Ok(None)).unwrap_or_else(|error| {
        out.warn(&format!(
            "no verb can work through this server, and each is refused while it runs: {error}"
        ));
        None
    });
    let door = door.map(Arc::new);
    let teller = booted.teller();
    let prepared = prepare(&mut darkroom, &mut booted, &ends, out).and_then(|engine| {
        let listener =
            listener.as_ref().ok_or_else(|| Failure::new(Code::Unexpected, "there is no listener"))?;
        let socket = listener.handle().map_err(broken)?;
        let port = listener.addr().port();
        let policy = booted.seen.as_ref().map(|seen| seen.policy.at_start.to_string()).unwrap_or_default();
        darkroom.announce(Announced { address: address(port), policy })?;
        let new = (!darkroom.has_vault()).then(|| SetupCode::new(&booted.clock));
        Ok((engine, socket, port, new.transpose().map_err(broken)?, Site::of(&booted)?))
    });
    let (engine, socket, port, setup, site) = match prepared {
        Ok(prepared) => prepared,
        Err(failure) if failure.code == Code::Interrupted && ends.are_asked() => {
            darkroom.leave(StopReason::Signal)?;
            return Ok(in_order(out, None));
        }
        Err(failure) => return boot::leave(darkroom, Err(failure)),
    };
    let model = engine.model().clone();
    let (address, code) = (address(port), setup.as_ref().map(|(_, text)| text.clone()));
    let certificate = Mutex::new(site.evidence.join(CERTIFICATE));
    let site = Arc::new(Site {
        listener: Some(listening(&mut booted, port)),
        model: Some(audit::Digest(model.digest)),
        ..site
    });
    if let Err(what) = site.controller() {
        out.warn(&format!("no bundle of evidence can be made: {what}"));
    }
    if booted.copy.as_ref().is_some_and(|copy| copy.is_beside_log) {
        out.warn(
            "the copy of the newest checkpoint goes to the log's own disk: who puts back an older state of that one puts back both. Name a \
             folder on another disk, in the policy, or see that it is mounted",
        );
    }
    if let Some(CopyPlace::Unusable { folder, why }) = booted.copy.as_ref().map(|copy| &copy.place) {
        out.warn(&darkroom::unusable(folder, why));
    }
    let user = booted.report.uid;
    // If it cannot be made, the end is on record.
    let server = Server::new(Parts {
        darkroom,
        engine: Box::new(engine),
        sandboxed: booted.sandboxed,
        report: booted.report,
        processes: booted.processes,
        controls: Box::new(Page(Arc::clone(&site))),
        limits: booted.plan.limits,
        keep_prompts: booted.plan.keep_prompts,
        outputs: booted.folders.outputs,
        clock: booted.clock,
        setup: setup.map(|(code, _)| code),
        stays_open: booted.plan.unattended == Unattended::StayOpen,
        port,
    })
    .map_err(broken)?;
    let _ = site.gate.set(server.gate()); // nobody has set it before
    let host = Host {
        doorway: server.doorway(user),
        build: booted.binary,
        vault: booted.folders.vault,
        site,
        policy,
        certificate,
    };
    let host = door.clone().map(|door| (door, host));
    if let Some(sockets) = booted.sockets {
        server.tell_users(sockets);
    }
    let guests = match last_steps(&server, &model, &ends, host) {
        Ok(guests) => guests,
        Err(failure) => return boot::close(server.queue(), Err(failure)),
    };
    // It works once, and is gone when it was said.
    let code = Cell::new(code);
    let ready = || {
        out.ready(&format!("Running on local URL: {address}"), &json!({ "address": address }));
        if let Some(code) = code.take() {
            out.tell(&format!(
                "\nThere is no vault yet. Open this link within 10 minutes to choose a passphrase; it works once:\n\n    \
                 {address}/#setup={}\n",
                *code
            ));
        }
        tracing::info!(event = "ready", pid = std::process::id());
    };
    let tell = |moment| {
        if moment == Moment::Ready {
            ready();
        }
        let word = match moment {
            Moment::Ready => Word::Ready,
            Moment::Round => Word::Beat,
            Moment::Stopping => Word::Stopping,
        };
        if let Some(teller) = &teller {
            teller(word);
        }
    };
    let ended = server.run(socket, notify::beat(), tell);
    drop(listener);
    if let Some(door) = door {
        door.close();
    }
    guests.see_off();
    ended.map_err(|error| match error {
        server::Error::Darkroom(error) => error.into(),
        server::Error::Io(error) => broken(error),
    })?;
    Ok(in_order(out, Some(&address)))
}

/// Says that it ended in order, and where it was to be reached, if it ever was.
fn in_order(out: &Output, address: Option<&str>) -> Code {
    out.say("the vault is locked and the end is on record");
    out.object(true, &json!({ "address": address }));
    Code::Done
}

/// Where it listens, and the kernel's tables that say who else does.
fn listening(booted: &mut boot::Booted, port: u16) -> Listener {
    // The first of them is read by the server, too, to tell users apart.
    let shared = booted.sockets.as_ref().and_then(|table| table.try_clone().ok());
    Listener::new(port, shared.into_iter().chain(booted.sockets_ipv6.take()).collect())
}

/// What must be there before anybody is answered: a place for pictures, a model, and a vault, if a passphrase was given.
fn prepare(
    darkroom: &mut Darkroom,
    booted: &mut boot::Booted,
    ends: &Ends,
    out: &Output,
) -> Result<Far, Failure> {
    booted.check_outputs(darkroom)?;
    booted.refuse_unattended(darkroom)?;
    let engine = booted.engine(darkroom, out, &|| !ends.are_asked())?;
    // A person's passphrase is more than the machine's.
    if booted.has_passphrase() {
        booted.unlock(darkroom, out)?;
    } else if !darkroom.has_vault() {
        booted.warn_of_others(out);
    } else {
        booted.unlock_unattended(darkroom, out)?;
    }
    Ok(engine)
}

/// What is left to do once every thread is there but those of the runtime.
fn last_steps(
    server: &Server,
    model: &Model,
    ends: &Ends,
    host: Option<(Arc<Door>, Host)>,
) -> Result<Guests, Failure> {
    ends.stop(server.stop_handle());
    // Tried again now that the engine's thread is there: ready means that it is fenced, too. Later ones inherit it.
    if let Err(error) = server.try_fences() {
        server.queue().with(|darkroom| darkroom.record_refusal(StartRefusal::Probe))?;
        return Err(error.into());
    }
    server.queue().with(|darkroom| darkroom.record_ready(model))?;
    let guests = host.map(|(door, host)| host::open(door, host)).transpose().map_err(broken)?;
    Ok(guests.unwrap_or_default())
}

fn broken(error: std::io::Error) -> Failure {
    Failure::new(Code::Unexpected, format!("the server cannot be started: {error}"))
}

fn address(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// What comes so soon behind the first signal is the same wish: a supervisor asks each process of a group, and itself once more.
const SAME_WISH_TIME_MAX: Duration = Duration::from_secs(1);

/// Whether somebody has asked for the end, and what ends then.
struct Ends {
    asked: Arc<AtomicBool>,
    stop: Arc<OnceLock<Stop>>,
}

impl Ends {
    /// The first signal ends the server in order, a later one at once: what is half done then is found by the next start. One that
    /// came by way of the keeper may be the same as one that came directly, so the two are counted apart.
    ///
    /// # Errors
    /// What the system says.
    fn hear() -> std::io::Result<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, RELAYED])?;
        let (asked, stop) = (Arc::<AtomicBool>::default(), Arc::<OnceLock<Stop>>::default());
        let ends = Self { asked: Arc::clone(&asked), stop: Arc::clone(&stop) };
        let wait = move || {
            let mut first = [None, None];
            for signal in signals.forever() {
                let first: &mut Option<Instant> = &mut first[usize::from(signal == RELAYED)];
                match first {
                    None => {
                        *first = Some(Instant::now());
                        // In this order: whoever says what ends looks afterwards whether it is asked for.
                        asked.store(true, Ordering::SeqCst);
                        let _ = stop.get().map(Stop::stop);
                    }
                    Some(first) if first.elapsed() < SAME_WISH_TIME_MAX => {}
                    Some(_) => std::process::exit(i32::from(Code::Interrupted as u8)),
                }
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(wait)?;
        Ok(ends)
    }

    /// Whether somebody has asked.
    fn are_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// What ends from here on, at once if somebody has asked before.
    fn stop(&self, stop: Stop) {
        let stop = self.stop.get_or_init(|| stop);
        if self.are_asked() {
            stop.stop();
        }
    }
}

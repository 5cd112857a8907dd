//! The process with the model. It has no key and no file but the model's, and answers on the two sockets that are its standard
//! input and output.

use crate::Done;
use crate::adapter::Diffusion;
use crate::boot::folders::FolderUse;
use crate::boot::{self, Wants};
use crate::cli::{EngineProcess, Global};
use crate::exit::{Code, Failure, code_of_model};
use crate::signals;
use diffusion::{DeviceName, LoadProgress, ModelFolder};
use engine::near::Near;
use engine::wire::{Greeting, Unready};
use policy::Process;
use sandbox::Clean;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// Its life.
///
/// # Errors
/// Nobody listens, or a fence cannot be built.
pub fn run(clean: Clean, global: &Global, arguments: &EngineProcess) -> Done {
    let device_name: DeviceName = arguments.device.parse().map_err(|e| Failure::new(Code::Usage, e))?;
    // The terminal's signals go to every process of the program. Who ends this one is the keeper, or the server that is gone.
    signals::ignore_all().map_err(broken)?;
    let mut near =
        socket(io::stdin()).and_then(|work| Near::new(work, socket(io::stdout())?)).map_err(|_| {
            Failure::new(Code::Usage, "this is a part of the program that it starts itself; see --help")
        })?;
    let wants = Wants {
        process: Process::Engine,
        folder_use: FolderUse::Read,
        model: arguments.model.as_deref(),
        device: device_name,
        outputs: arguments.pictures.outputs.as_deref(),
        ..Wants::default()
    };
    let mut booted = boot::boot(clean, global, &wants)?.without_darkroom()?;
    sandbox::probe(&booted.sandboxed)?;
    let greeting = Greeting { build: booted.binary, fenced: booted.fenced() };
    // A server that has ended says why itself: this process has nothing to say then.
    let unheard = Ok(Code::Unexpected);
    if near.greet(greeting).is_err() {
        return unheard;
    }
    if let Some(why) = booted.no_card.take() {
        let _ = near.not_ready(Unready::Device, why);
        return unheard;
    }
    let found = match device_name.find() {
        Ok(found) => found,
        Err(error) => {
            let _ = near.not_ready(why(&error), error.to_string());
            return unheard;
        }
    };
    // A card has computed: what its driver needs was loaded. Only now a file is parsed.
    if booted.sandboxed.refuse_the_rest()? {
        sandbox::probe(&booted.sandboxed)?;
    }
    let folder = match &booted.folders.model {
        Some(path) => ModelFolder::open(path),
        None => Ok(diffusion::demo::folder()),
    };
    let mut tell = |progress: LoadProgress| {
        // Where nobody hears it, the next word tells.
        let _ = near.loading(progress.bytes_done, progress.bytes_total);
    };
    let memory = Arc::clone(&booted.memory);
    match folder.and_then(|folder| Diffusion::load(&folder, &found, memory, &mut tell)) {
        Ok(mut engine) => {
            near.answer(&mut engine, || std::process::exit(0)).map_err(broken)?;
            Ok(Code::Done)
        }
        Err(error) => {
            // It says the sentence, if it is there.
            let _ = near.not_ready(why(&error), error.to_string());
            unheard
        }
    }
}

fn socket(stream: impl AsFd) -> io::Result<UnixStream> {
    let socket = UnixStream::from(stream.as_fd().try_clone_to_owned()?);
    socket.peer_addr()?; // which only a socket has
    Ok(socket)
}

fn why(error: &diffusion::Error) -> Unready {
    match code_of_model(error) {
        _ if matches!(error, diffusion::Error::Threads(_)) => Unready::Threads,
        Code::NotFound => Unready::Missing,
        Code::Space => Unready::Memory,
        Code::Refused if matches!(error, diffusion::Error::Device(_)) => Unready::Device,
        Code::Refused => Unready::Forbidden,
        _ => Unready::Damaged,
    }
}

fn broken(error: io::Error) -> Failure {
    Failure::new(Code::Unexpected, format!("the engine's process cannot go on: {error}"))
}

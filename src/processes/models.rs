//! The process that looks after the models: it brings them in, checks them, and removes them. It has no key, and no file of ours
//! but the models; it runs none. What it finds it says, a line of JSON each, to the process that started it, on its standard
//! output; before it changes anything that is to go on record it waits for a line on its standard input.

use crate::Done;
use crate::boot::folders::FolderUse;
use crate::boot::{self, Booted, OfModels, Wants};
use crate::cli::{Global, ModelsProcess};
use crate::exit::{Code, Failure};
use crate::models::copy::{copy, refuse_full};
use crate::models::manifest::hex;
use crate::models::name::{DEMO, of_import};
use crate::models::source::{around, wanted};
use crate::models::store::{Model, Store};
use policy::Process;
use sandbox::Clean;
use serde_json::{Value, json};
use std::io::{self, Write as _};
use std::path::PathBuf;

/// Bytes between two words about how far it is.
const TELL_BYTES: u64 = 32 << 20;
/// Longest line that it is told.
const LINE_BYTES_MAX: usize = 256;

/// Its life.
///
/// # Errors
/// None that it does not say.
pub fn run(clean: Clean, global: &Global, arguments: &ModelsProcess) -> Done {
    match act(clean, global, arguments) {
        Ok(()) => Ok(Code::Done),
        Err(Failure { code, what, .. }) => {
            // Where nobody hears it, nothing is left to be done.
            let _ = say(&json!({ "failed": { "code": code as u8, "what": what } }));
            Ok(code)
        }
    }
}

fn act(clean: Clean, global: &Global, arguments: &ModelsProcess) -> Result<(), Failure> {
    let source = arguments.source.as_deref().map(crate::paths::real).transpose()?;
    let around = source.as_deref().map(around).transpose()?;
    let act = arguments.act.as_str();
    let wants = Wants {
        process: Process::Import,
        folder_use: FolderUse::Read,
        models: OfModels { written: matches!(act, "import" | "use" | "remove"), source: around.as_deref() },
        ..Wants::default()
    };
    let booted = boot::boot(clean, global, &wants)?.without_darkroom()?;
    sandbox::probe(&booted.sandboxed)?;
    let fenced = booted.fenced();
    say(&json!({ "fenced": {
        "plan": hex(&fenced.plan), "report": hex(&fenced.report), "fences": fenced.fences, "amber": fenced.amber,
        "landlock_abi": fenced.landlock_abi, "uid0": fenced.uid0,
    } }))?;
    let dir = of_models(&booted);
    let name = arguments.name.as_deref().unwrap_or_default();
    match (act, source, around) {
        ("import", Some(source), Some(_)) => {
            import(&Store::lock(&dir)?, &dir, (&source, &booted), arguments.name.as_deref())
        }
        ("use", ..) => choose(&Store::lock(&dir)?, name),
        ("remove", ..) => remove(&Store::lock(&dir)?, name),
        ("verify", ..) => verify(&Store::look(&dir), name),
        ("look", ..) => look(&Store::look(&dir), name),
        _ => {
            Err(Failure::new(Code::Usage, "this is a part of the program that it starts itself; see --help"))
        }
    }
}

fn of_models(booted: &Booted) -> PathBuf {
    booted.folders.models.clone().unwrap_or_default()
}

fn import(
    store: &Store,
    dir: &std::path::Path,
    (source, booted): (&std::path::Path, &Booted),
    name: Option<&str>,
) -> Result<(), Failure> {
    let name = of_import(name, source)?;
    store.refuse_taken(&name)?;
    store.clear()?;
    let around = booted.folders.source.clone().unwrap_or_default();
    let (files, beside) = wanted(source, &around)?;
    let bytes: u64 = files.iter().map(|file| file.bytes).fold(0, u64::saturating_add);
    refuse_full(dir, files.len(), bytes)?;
    say(&json!({ "ready": { "name": name, "files": files.len(), "bytes": bytes, "beside": beside } }))?;
    wait()?;
    let copied = copy(store, &name, &files, &mut progress(bytes))?;
    let model = hex(&copied.model);
    say(&json!({ "ready": {
        "manifest": copied.manifest, "model": model, "official": copied.official, "files": files.len(), "bytes": bytes,
    } }))
    .and_then(|()| wait())
    .inspect_err(|_| drop(store.clear()))?;
    store.publish(&name)?;
    say(&json!({ "done": true }))
}

/// Checks a model, and makes it the one in use with the digest that it is told.
fn choose(store: &Store, name: &str) -> Result<(), Failure> {
    if name == DEMO {
        say(&json!({ "ready": {} }))?;
        wait()?;
        store.set_in_use(None)?;
        return say(&json!({ "done": true }));
    }
    let model = store.model(name)?;
    let differs = store.verify(&model, &mut progress(model.bytes))?;
    if !differs.is_empty() {
        let what = format!(
            "{name} is not what was imported, and is not taken: {}; remove it, and import it again",
            differs.join("; ")
        );
        return Err(Failure::new(Code::Integrity, what));
    }
    say(&json!({ "ready": { "manifest": model.manifest } }))?;
    let digest = wait()?;
    store.set_in_use(Some((name, &digest)))?;
    say(&json!({ "done": true }))
}

fn remove(store: &Store, name: &str) -> Result<(), Failure> {
    let model = store.model(name)?;
    if store.in_use().is_some_and(|(in_use, _)| in_use == name) {
        let what = format!(
            "{name} is in use; choose another one first: lightproof model use NAME, where NAME may be demo"
        );
        return Err(Failure::new(Code::Refused, what));
    }
    say(&json!({ "ready": { "manifest": model.manifest, "bytes": model.bytes } }))?;
    wait()?;
    store.remove(name)?;
    say(&json!({ "done": true }))
}

fn verify(store: &Store, asked: &str) -> Result<(), Failure> {
    let names = if asked.is_empty() { store.names()?.0 } else { vec![asked.to_owned()] };
    let mut found = Vec::new();
    for name in names {
        let model = store.model(&name)?;
        let differs = store.verify(&model, &mut progress(model.bytes))?;
        found.push(json!({ "name": name, "manifest": model.manifest, "listed_ms": model.listed_ms,
            "files": model.files.len(), "differs": differs }));
    }
    let absent = if asked.is_empty() { absent(store, &store.names()?.0) } else { None };
    say(&json!({ "answer": { "models": found, "absent": absent } }))
}

fn look(store: &Store, name: &str) -> Result<(), Failure> {
    let (all, left) = store.names()?;
    let in_use = store.in_use().map(|(name, _)| name);
    let absent = absent(store, &all);
    let names = if name.is_empty() { all } else { vec![name.to_owned()] };
    let describe = |name: &String| {
        let Model { name, manifest, files, bytes, listed_ms } = store.model(name)?;
        let files: Vec<Value> =
            files.iter().map(|line| json!({ "name": line.name, "sha256": line.sha256 })).collect();
        let folder = store.folder(&name);
        Ok(
            json!({ "in_use": in_use.as_ref() == Some(&name), "name": name, "manifest": manifest, "files": files,
            "bytes": bytes, "listed_ms": listed_ms, "folder": folder.to_string_lossy() }),
        )
    };
    let models = names.iter().map(describe).collect::<Result<Vec<_>, Failure>>()?;
    say(&json!({ "answer": { "models": models, "left": left, "absent": absent } }))
}

/// The model in use, where it is gone, or what names it makes no sense: then by an empty name.
fn absent(store: &Store, names: &[String]) -> Option<String> {
    if store.is_senseless() {
        return Some(String::new());
    }
    store.in_use().map(|(name, _)| name).filter(|name| !names.contains(name))
}

/// Says how far it is, now and then.
fn progress(total: u64) -> impl FnMut(u64) -> io::Result<()> {
    let mut told = 0;
    move |done| {
        if done >= told + TELL_BYTES {
            told = done;
            print(&json!({ "progress": [done, total] }))?;
        }
        Ok(())
    }
}

fn say(value: &Value) -> Result<(), Failure> {
    print(value).map_err(|e| Failure::new(Code::Unexpected, format!("nobody hears what is found: {e}")))
}

fn print(value: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{value}")?;
    out.flush()
}

/// The word to go on. Without one, whoever asked has ended.
fn wait() -> Result<String, Failure> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < LINE_BYTES_MAX {
        match rustix::io::read(io::stdin(), &mut byte) {
            Ok(0) => break,
            Ok(_) if byte == *b"\n" => {
                let word = String::from_utf8(line).unwrap_or_default();
                return Ok(word);
            }
            Ok(_) => line.push(byte[0]),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => break,
        }
    }
    Err(Failure::new(Code::Unexpected, "whoever asked has ended, and nothing was changed"))
}

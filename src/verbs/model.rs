//! `lightproof model`: the models that were brought in. Another process has their files (`processes/models.rs`); this one has
//! vault and log, and puts on record what becomes of them, before it does.

use crate::Done;
use crate::boot::folders::{FolderUse, Home};
use crate::boot::{self, Booted, Wants};
use crate::cli::{Global, Keys, Model};
use crate::exit::{Code, Failure};
use crate::models::name::DEMO;
use crate::models::store::Store;
use crate::output::{Output, counted, one_line};
use crate::pictures::checkpoint;
use crate::processes::keeping::{Keeping, digest};
use audit::{Order, Receipt, timestamp};
use darkroom::{Darkroom, ModelRecord, Who};
use policy::Process;
use sandbox::Clean;
use serde_json::{Value, json};

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, verb: &Model, out: &Output) -> Done {
    match verb {
        Model::Info { name }
        | Model::Use { name, .. }
        | Model::Rm { name, .. }
        | Model::Verify { name: Some(name) }
            if name.is_empty() =>
        {
            Err(Failure::new(Code::Usage, "name a model; see: lightproof model list"))
        }
        Model::Info { name } | Model::Verify { name: Some(name) } if name == DEMO => {
            out.say("the demo model is a part of the program, whose digest every start records; there is nothing of it to look at");
            out.object(true, &json!({ "name": DEMO }));
            Ok(Code::Done)
        }
        Model::Import { path, name, keys } => {
            let keeping = Keeping::start(global, "import", name.as_deref(), Some(path))?;
            change(clean, global, keys, keeping, out, import)
        }
        Model::Use { name, keys } => {
            if name != DEMO {
                refuse_absent(global, name)?;
            }
            let keeping = Keeping::start(global, "use", Some(name), None)?;
            change(clean, global, keys, keeping, out, |acting| choose(acting, name))
        }
        Model::Rm { name, keys } => {
            if name == DEMO {
                return Err(Failure::new(
                    Code::Refused,
                    "the demo model is a part of the program, and stays",
                ));
            }
            refuse_absent(global, name)?;
            let keeping = Keeping::start(global, "remove", Some(name), None)?;
            change(clean, global, keys, keeping, out, |acting| remove(acting, name))
        }
        Model::List => look(clean, global, ("look", None), out, list),
        Model::Info { name } => look(clean, global, ("look", Some(name)), out, info),
        Model::Verify { name } => look(clean, global, ("verify", name.as_deref()), out, verify),
    }
}

/// A name that was mistyped is told before anybody waits for the vault or is asked for a passphrase.
fn refuse_absent(global: &Global, name: &str) -> Result<(), Failure> {
    Store::look(&Home::new(global)?.models).refuse_absent(name)
}

/// Somebody who may change the models, and the process that does.
struct Acting<'a> {
    booted: &'a mut Booted,
    darkroom: &'a mut Darkroom,
    keeping: Keeping,
    out: &'a Output,
}

/// Vault and log are there first, then what the other process finds, and only then is anybody asked for a passphrase.
fn change(
    clean: Clean,
    global: &Global,
    keys: &Keys,
    keeping: Keeping,
    out: &Output,
    act: impl FnOnce(Acting<'_>) -> Done,
) -> Done {
    let (mut booted, mut darkroom) = boot::boot(clean, global, &Wants::with(keys))?.darkroom()?;
    let result = keeping.fenced().and_then(|(keeping, fenced)| {
        darkroom.record_process(Process::Import, &fenced)?;
        act(Acting { booted: &mut booted, darkroom: &mut darkroom, keeping, out })
    });
    boot::leave(darkroom, result)
}

fn import(acting: Acting<'_>) -> Done {
    let Acting { booted, darkroom, mut keeping, out } = acting;
    let found = keeping.hear("ready", out)?;
    let name = found["name"].as_str().unwrap_or_default().to_owned();
    let size = |found: &Value| -> Result<(u32, u64), Failure> {
        let files = found["files"].as_u64().and_then(|files| u32::try_from(files).ok());
        // What a record can hold.
        files.zip(found["bytes"].as_u64().filter(|bytes| *bytes < 1 << 53)).ok_or_else(Keeping::senseless)
    };
    let (files, bytes) = size(&found)?;
    let beside = found["beside"].as_u64().unwrap_or(0);
    out.say(&format!("{name}: {}, {} MiB", counted(files as usize, "file"), bytes >> 20));
    if beside > 0 {
        let left = counted(usize::try_from(beside).unwrap_or(usize::MAX), "other file");
        out.say(&format!("{left} of the folder, which no model takes, stay where they are"));
    }
    let who = booted.unlock(darkroom, out)?;
    darkroom.may_manage_models(&who)?;
    keeping.go("")?;
    let copied = keeping.hear("ready", out)?;
    let (files, bytes) = size(&copied)?;
    let (manifest, model) = (digest(&copied["manifest"])?, digest(&copied["model"])?);
    let official = copied["official"] == true;
    let record = ModelRecord::Imported { manifest, model, files, bytes, official };
    let receipt = done(&mut keeping, darkroom, (&who, record), "", out)?;
    let same = if official { "the files that were released" } else { "not the released ones" };
    if !official {
        out.warn(
            "these are not the files of the released Z-Image-Turbo: if they should be, remove the model, and take it from a source \
             that you trust",
        );
    }
    out.data(&format!(
        "imported {name}: {}, {bytes} bytes, {same}\n{}",
        counted(files as usize, "file"),
        on_record(&receipt)
    ));
    out.say(&format!("take it from now on with: lightproof model use {name}"));
    out.object(
        true,
        &json!({ "name": name, "files": files, "bytes": bytes, "official": official, "manifest": manifest.to_string(),
            "model": model.to_string(), "record": receipt.seq_first }),
    );
    Ok(Code::Done)
}

/// The record, and then the act; if that fails, a record of it.
fn done(
    keeping: &mut Keeping,
    darkroom: &Darkroom,
    (who, record): (&Who, ModelRecord),
    word: &str,
    out: &Output,
) -> Result<Receipt, Failure> {
    let receipt = darkroom.record_model(who, record)?;
    if let Err(failure) = keeping.go(word).and_then(|()| keeping.hear("done", out).map(drop)) {
        darkroom.record_model_failed(who, record)?;
        return Err(failure);
    }
    Ok(receipt)
}

fn choose(acting: Acting<'_>, name: &str) -> Done {
    let Acting { booted, darkroom, mut keeping, out } = acting;
    let found = keeping.hear("ready", out)?;
    let (record, word) = match name {
        DEMO => (ModelRecord::EmbeddedUsed, String::new()),
        _ => {
            let manifest = digest(&found["manifest"])?;
            let imported = Imported::of(booted, &found)?.ok_or_else(|| {
                let what = format!(
                    "the list of the files of {name} is not on record as imported: somebody changed it, or put it there; remove \
                     it, and import the model again"
                );
                Failure::new(Code::Integrity, what)
            })?;
            (ModelRecord::Used { manifest, model: imported.model }, imported.model.to_string())
        }
    };
    let who = booted.unlock(darkroom, out)?;
    let receipt = done(&mut keeping, darkroom, (&who, record), &word, out)?;
    out.data(&format!("in use from the next start on: {name}\n{}", on_record(&receipt)));
    out.object(true, &json!({ "name": name, "record": receipt.seq_first }));
    Ok(Code::Done)
}

fn remove(acting: Acting<'_>, name: &str) -> Done {
    let Acting { booted, darkroom, mut keeping, out } = acting;
    let found = keeping.hear("ready", out)?;
    // Of a list that somebody changed nothing is known.
    let manifest = digest(&found["manifest"]).unwrap_or(audit::Digest([0; 32]));
    let who = booted.unlock(darkroom, out)?;
    let receipt = done(&mut keeping, darkroom, (&who, ModelRecord::Removed { manifest }), "", out)?;
    out.data(&format!("removed {name}\n{}", on_record(&receipt)));
    out.object(true, &json!({ "name": name, "record": receipt.seq_first }));
    Ok(Code::Done)
}

/// What needs no passphrase, and goes on no record.
fn look(
    clean: Clean,
    global: &Global,
    (act, name): (&str, Option<&str>),
    out: &Output,
    tell: impl FnOnce(&Booted, &Value, &Output) -> Done,
) -> Done {
    let keeping = Keeping::start(global, act, name, None)?;
    let wants = Wants { folder_use: FolderUse::Read, ..Wants::default() };
    let booted = boot::boot(clean, global, &wants)?.without_darkroom()?;
    let (mut keeping, _) = keeping.fenced()?;
    let answer = keeping.hear("answer", out)?;
    tell(&booted, &answer, out)
}

fn list(booted: &Booted, answer: &Value, out: &Output) -> Done {
    let models = answer["models"].as_array().map_or(&[][..], Vec::as_slice);
    let mut all = Vec::new();
    for model in models {
        let imported = Imported::of(booted, model)?;
        let bytes = model["bytes"].as_u64().unwrap_or(0);
        let (mut line, mut of_record) = (String::new(), json!(null));
        match &imported {
            Some(imported) => {
                let kind = if imported.official { "as released" } else { "not the released one" };
                line +=
                    &format!("imported {}, record {}, {kind}", timestamp(imported.ts_ms), imported.record);
                of_record = imported.json();
            }
            None => line += "not on record",
        }
        let mark = if model["in_use"] == true { "  in use" } else { "" };
        let name = model["name"].as_str().unwrap_or_default();
        out.data(&format!("{name:<24} {:>7} MiB  {line}{mark}\n", bytes >> 20));
        all.push(json!({ "name": name, "bytes": bytes, "in_use": model["in_use"], "imported": of_record }));
    }
    let absent = answer["absent"].as_str();
    if let Some(name) = absent {
        let shown = if name.is_empty() { "?" } else { name };
        out.data(&format!("{:<24} {:>7}      is not there  in use\n", one_line(shown), ""));
        out.warn(&gone(name));
    }
    let demo_in_use = absent.is_none() && !models.iter().any(|model| model["in_use"] == true);
    let mark = if demo_in_use { "  in use" } else { "" };
    out.data(&format!("{DEMO:<24} {:>7}      inside the program{mark}\n", ""));
    let left = answer["left"].as_array().map_or(0, Vec::len);
    if left > 0 {
        out.warn("an import or a removal was interrupted; the next import clears away what it left");
    }
    let object = json!({ "models": all, "demo_in_use": demo_in_use, "absent": absent, "interrupted": left });
    out.object(absent.is_none(), &object);
    Ok(if absent.is_none() { Code::Done } else { Code::Found })
}

fn info(booted: &Booted, answer: &Value, out: &Output) -> Done {
    let model = &answer["models"][0];
    let imported = Imported::of(booted, model)?;
    let text = |value: &Value| one_line(value.as_str().unwrap_or("none"));
    out.data(&format!(
        "{}\n  folder    {}\n  manifest  {}\n",
        text(&model["name"]),
        text(&model["folder"]),
        text(&model["manifest"])
    ));
    match &imported {
        Some(imported) => out.data(&format!(
            "  model     {}\n  imported  {}, record {}\n  official  {}\n",
            imported.model,
            timestamp(imported.ts_ms),
            imported.record,
            if imported.official { "yes, the files that were released" } else { "no" },
        )),
        None => out.data("  imported  not on record\n"),
    }
    for file in model["files"].as_array().map_or(&[][..], Vec::as_slice) {
        out.data(&format!("  {}  {}\n", text(&file["sha256"]), text(&file["name"])));
    }
    let mut object = model.clone();
    object["imported"] = imported.as_ref().map_or(json!(null), Imported::json);
    out.object(true, &object);
    Ok(Code::Done)
}

fn verify(booted: &Booted, answer: &Value, out: &Output) -> Done {
    let (mut all, mut sound) = (Vec::new(), true);
    for model in answer["models"].as_array().map_or(&[][..], Vec::as_slice) {
        let name = model["name"].as_str().unwrap_or_default();
        let of_model = model["differs"].as_array().map_or(&[][..], Vec::as_slice);
        let mut differs: Vec<String> =
            of_model.iter().filter_map(|text| text.as_str().map(one_line)).collect();
        let imported = Imported::of(booted, model)?;
        if imported.is_none() {
            differs.push("the list of its files is not on record as imported".into());
        }
        match &imported {
            Some(imported) if differs.is_empty() => {
                let files = usize::try_from(model["files"].as_u64().unwrap_or(0)).unwrap_or(0);
                out.data(&format!(
                    "{name}: {}, each as imported, record {}\n",
                    counted(files, "file"),
                    imported.record
                ));
            }
            _ => differs.iter().for_each(|text| out.data(&format!("{name}: {text}\n"))),
        }
        sound &= differs.is_empty();
        all.push(
            json!({ "name": name, "differs": differs, "record": imported.map(|imported| imported.record) }),
        );
    }
    let absent = answer["absent"].as_str();
    if let Some(name) = absent {
        out.warn(&gone(name));
    }
    if all.is_empty() && absent.is_none() {
        out.say("no model was imported; the demo model is a part of the program, whose digest every start records");
    }
    if !sound {
        out.say("remove what differs, and import it again from a source that you trust");
    }
    out.object(sound && absent.is_none(), &json!({ "models": all, "absent": absent }));
    Ok(match (sound, absent) {
        (false, _) => Code::Integrity,
        (true, Some(_)) => Code::Found,
        (true, None) => Code::Done,
    })
}

/// Of the model in use.
fn gone(name: &str) -> String {
    let then = "no picture is made until it is back, or another one is chosen: lightproof model use NAME, where NAME may be demo";
    match name {
        "" => format!("what names the model in use makes no sense: {then}"),
        name => format!("{} is in use, and is not there: {then}", one_line(name)),
    }
}

/// What the log says of an import.
struct Imported {
    record: u64,
    ts_ms: u64,
    model: audit::Digest,
    official: bool,
}

impl Imported {
    /// The import of this model: the first one with its list of files since that list was written, or the newest one if the list
    /// was touched since.
    fn of(booted: &Booted, model: &Value) -> Result<Option<Self>, Failure> {
        let Ok(manifest) = digest(&model["manifest"]) else { return Ok(None) };
        let listed_ms = model["listed_ms"].as_u64().unwrap_or(u64::MAX);
        let records = match audit::records(&booted.folders.audit, Order::NewestFirst) {
            Ok(records) => records,
            // A log that was never made knows of none.
            Err(_) if !booted.folders.audit.join("origin").exists() => return Ok(None),
            Err(error) => return Err(darkroom::Error::from(error).into()),
        };
        let imports = records.flatten().filter(|record| record.name == "model.imported");
        let mut found = None;
        for record in imports.filter(|record| record.digest("manifest") == Some(manifest)) {
            let is_later = record.ts_ms >= listed_ms;
            if found.is_none() || is_later {
                found = Some(record);
            }
            if !is_later {
                break;
            }
        }
        Ok(found.and_then(|record| {
            Some(Self {
                record: record.seq,
                ts_ms: record.ts_ms,
                model: record.digest("model")?,
                official: record.flag("official")?,
            })
        }))
    }

    fn json(&self) -> Value {
        json!({ "record": self.record, "ts_ms": self.ts_ms, "model": self.model.to_string(), "official": self.official })
    }
}

fn on_record(receipt: &Receipt) -> String {
    format!("  record {}, {}\n", receipt.seq_first, checkpoint(receipt))
}

//! `lightproof config`: the settings in force, and whether a file would be a policy, or the other one beside it. It ends where a start has read its policy:
//! it builds no fence, since it goes on to nothing.

use crate::Done;
use crate::boot::folders::Home;
use crate::boot::models::in_use;
use crate::boot::overlay;
use crate::cli::{Config, Global};
use crate::exit::{Code, Failure};
use crate::output::Output;
use crate::paths::absolute;
use policy::{CONTROLLER_KEYS, Folders, Origin, Policy, Process, Setting};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// No server is asked: the file is what a start goes by.
const FROM_NEXT_START: &str = "a policy holds from the next start on; whether a server that runs was started with the one of now says: \
                               lightproof status";

/// One line of `config show`.
struct Line {
    key: String,
    value: String,
    origin: String,
}

/// Runs the verb.
///
/// # Errors
/// What is wrong with the policy, or that there is no such file.
pub fn run(global: &Global, verb: &Config, out: &Output) -> Done {
    let home = Home::new(global)?;
    match verb {
        Config::Show { origin, pictures } => show(&home, pictures.outputs.as_deref(), *origin, out),
        Config::Check { file } => check(&home, file, out),
    }
}

fn show(home: &Home, outputs: Option<&Path>, with_origin: bool, out: &Output) -> Done {
    let file = home.config.join("policy.toml");
    let overlay = overlay::read(&file)?;
    let settings = settings(&file, overlay.as_deref())?;
    let of_policy = settings.iter().find(|setting| setting.key == "outputs");
    let [of_config, of_state, of_outputs] = home.origins.map(|origin| origin.to_string());
    let outputs = match (outputs, of_policy) {
        (Some(outputs), _) => (absolute(outputs)?, "flag --outputs".to_owned()),
        (None, Some(setting)) => (PathBuf::from(&setting.value), "policy file".to_owned()),
        (None, None) => (home.outputs.clone(), of_outputs),
    };
    let line = |key: &str, value: String, origin: String| Line { key: key.into(), value, origin };
    let path = |key, path: &Path, origin: &str| line(key, path.display().to_string(), origin.into());
    let absent = if overlay.is_none() { " (absent)" } else { "" };
    let mut lines = vec![
        line("policy file", format!("{}{absent}", file.display()), of_config),
        path("vault", &home.vault, &of_state),
        path("log", &home.audit, &of_state),
        path("evidence", &home.evidence, &of_state),
        path("pictures", &outputs.0, &outputs.1),
    ];
    lines.push(path("models", &home.models, &of_state));
    lines.push(match in_use(home) {
        Ok(Some(in_use)) => line("model", in_use.name, "lightproof model use".into()),
        Ok(None) => line("model", "demo".into(), "built in".into()),
        Err(failure) => line("model", failure.what, "lightproof model use".into()),
    });
    let level = std::env::var("LIGHTPROOF_LOG").ok().filter(|level| !level.is_empty());
    lines.push(match level {
        Some(level) => line("operational log", level, "variable LIGHTPROOF_LOG".into()),
        None => line("operational log", "off".into(), "built in".into()),
    });
    let rest = settings.iter().filter(|setting| setting.key != "outputs");
    lines.extend(rest.map(|setting| {
        let origin = if setting.origin == Origin::BuiltIn { "built in" } else { "policy file" };
        line(&setting.key, setting.value.clone(), origin.into())
    }));
    let width =
        |of: fn(&Line) -> &String| lines.iter().map(|line| of(line).chars().count()).max().unwrap_or(0);
    let (keys, values) = (width(|line| &line.key), width(|line| &line.value));
    for Line { key, value, origin } in &lines {
        out.data(&match with_origin {
            true => format!("{key:<keys$}  {value:<values$}  {origin}\n"),
            false => format!("{key:<keys$}  {value}\n"),
        });
    }
    let object = |Line { key, value, origin }: &Line| json!({ "key": key, "value": value, "origin": origin });
    out.say(FROM_NEXT_START);
    out.object(true, &json!({ "settings": lines.iter().map(object).collect::<Vec<Value>>() }));
    Ok(Code::Done)
}

fn check(home: &Home, file: &Path, out: &Output) -> Done {
    if file.file_name().is_some_and(|name| name == overlay::CONTROLLER) {
        return check_controller(file, out);
    }
    let Some(text) = overlay::read(file)? else {
        return Err(Failure::new(Code::NotFound, format!("{} is not there", file.display())));
    };
    // It may be a draft of the other file: nothing of it is repeated.
    let wrong = |error: policy::Error| {
        Failure::new(Code::Usage, format!("{}: {}", file.display(), error.without_text(&text)))
    };
    let settings = Policy::settings(Some(&text)).map_err(wrong)?;
    let policy = Policy::read(Some(&text)).map_err(wrong)?;
    let folders = Folders {
        config: home.config.clone(),
        vault: home.vault.clone(),
        audit: home.audit.clone(),
        outputs: policy.outputs().unwrap_or(&home.outputs).to_path_buf(),
        checkpoint_copy: policy.checkpoint_copy().map(Path::to_path_buf),
        ..Folders::default()
    };
    for process in Process::ALL {
        policy.plan(process, &folders).map_err(wrong)?;
    }
    let said: Vec<&Setting> = settings.iter().filter(|setting| setting.origin == Origin::Overlay).collect();
    out.data(&format!("{} would be taken as the policy; it says:\n", file.display()));
    for Setting { key, value, .. } in &said {
        out.data(&format!("  {key} {value}\n"));
    }
    if said.is_empty() {
        out.data("  nothing: what is built in holds\n");
    }
    out.say(FROM_NEXT_START);
    let object = |setting: &&Setting| json!({ "key": setting.key, "value": setting.value });
    out.object(true, &json!({ "settings": said.iter().map(object).collect::<Vec<Value>>() }));
    Ok(Code::Done)
}

/// What the controller says of themselves goes by its name, and no answer is repeated.
fn check_controller(file: &Path, out: &Output) -> Done {
    let answers = overlay::controller(file.parent().unwrap_or(Path::new("")))?;
    if file.symlink_metadata().is_err() {
        return Err(Failure::new(Code::NotFound, format!("{} is not there", file.display())));
    }
    let said: Vec<&str> = answers.keys().copied().collect();
    let open: Vec<&str> = CONTROLLER_KEYS.into_iter().filter(|key| !answers.contains_key(key)).collect();
    let words = |keys: &[&str]| if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") };
    out.data(&format!("{} would be taken into the papers of a bundle\n", file.display()));
    out.data(&format!("  answers {}\n  leaves open {}\n", words(&said), words(&open)));
    out.object(true, &json!({ "answers": said, "open": open }));
    Ok(Code::Done)
}

fn settings(file: &Path, overlay: Option<&str>) -> Result<Vec<Setting>, Failure> {
    let wrong = |error| Failure::new(Code::Usage, format!("{}: {error}", file.display()));
    Policy::settings(overlay).map_err(wrong)
}

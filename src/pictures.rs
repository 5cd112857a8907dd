//! Pictures as people and programs see them at the command line.

use crate::Done;
use crate::exit::Code;
use crate::output::{self, Output};
use darkroom::{Darkroom, Summary, Who};
use serde_json::{Value, json};

/// A picture on one line, without the end of the line.
pub fn line(picture: &Summary) -> String {
    let facts = picture.metadata.as_ref().map_or_else(String::new, |m| {
        format!("  {}x{}, {} steps, seed {}", m.width, m.height, m.steps, m.seed)
    });
    format!("{}  {}{facts}", picture.id, picture.name)
}

/// A picture as JSON.
pub fn describe(picture: &Summary) -> Value {
    let mut value = json!({
        "id": picture.id.to_string(),
        "name": picture.name,
        "created_ms": picture.created_ms,
        "bytes": picture.content_bytes,
        "pseudonym": picture.pseudonym.to_string(),
        "missing": picture.missing,
    });
    if let Some(metadata) = &picture.metadata {
        value["width"] = metadata.width.into();
        value["height"] = metadata.height.into();
        value["steps"] = metadata.steps.into();
        value["seed"] = metadata.seed.into();
        value["guidance"] = (f64::from(metadata.guidance_milli) / 1000.0).into();
        value["model"] = metadata.model.as_str().into();
        value["prompt"] = metadata.prompt.as_deref().into();
        value["negative_prompt"] = metadata.negative_prompt.as_deref().into();
    }
    value
}

/// Opens every picture and tells what it found: `vault verify` and `history verify`.
///
/// # Errors
/// What keeps the whole vault from being read.
pub fn verify(darkroom: &mut Darkroom, who: &Who, out: &Output) -> Done {
    let report = darkroom.verify(who)?;
    out.data(&format!("{} pictures are whole ({} bytes)\n", report.sound, report.bytes));
    for (id, error) in &report.damaged {
        out.data(&format!("damaged: {id}: {error}\n"));
    }
    for id in &report.missing {
        out.data(&format!("missing: {id}: its sealed file is gone, its key still exists\n"));
    }
    for id in &report.forbidden {
        out.data(&format!("closed: {id}: this user may not read its sealed file\n"));
    }
    for name in &report.orphans {
        let name = output::one_line(name);
        out.data(&format!("foreign: {name}: a sealed file that this vault does not know\n"));
    }
    if !report.mirror_agrees {
        out.warn("the mirror of the vault file is not a copy of it; the next write renews it");
    }
    let ids = |ids: &[vault::ObjectId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let damaged: Vec<_> = report.damaged.iter().map(|(id, _)| *id).collect();
    out.object(
        report.is_sound(),
        &json!({ "sound": report.sound, "damaged": ids(&damaged), "missing": ids(&report.missing),
            "forbidden": ids(&report.forbidden),
            "orphans": report.orphans, "mirror_agrees": report.mirror_agrees }),
    );
    Ok(if !report.damaged.is_empty() {
        Code::Integrity
    } else if !report.is_sound() {
        Code::Found
    } else {
        Code::Done
    })
}

//! The models of a bundle's period.

use super::forged::{change, sign_anew};
use super::*;
use audit::words::Device;
use audit::{Actor, Entry};

const INSIDE: Digest = Digest([6; 32]);
const BROUGHT: Digest = Digest([8; 32]);
const FOLDER: Digest = Digest([9; 32]);

fn import(model: Digest) -> Entry {
    let imported =
        Event::ModelImported { manifest: Digest([7; 32]), model, files: 3, bytes: 5, official: true };
    imported.by(Actor::Person([1; 16]))
}

fn ask(model: Digest) -> Entry {
    let asked = Event::GenerateRequested {
        width: 16,
        height: 16,
        steps: 1,
        images: 1,
        guidance_milli: 0,
        model,
        device: Device::Cpu,
        remembers_prompt: false,
    };
    asked.by(Actor::Person([1; 16])).job(JobId([1; 16]))
}

#[test]
fn the_models_of_the_period_are_those_of_its_records_whatever_somebody_signs() {
    let mut tried = Tried::new("");
    tried.log.append(&[import(BROUGHT)]).unwrap();
    let imported = tried.log.append(&[import(BROUGHT)]).unwrap().seq_first;
    // One that was not brought in after all.
    tried.log.append(&[import(FOLDER)]).unwrap();
    tried.log.append(&[import(FOLDER).failed()]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2));
    let first = tried.log.append(&[ask(BROUGHT)]).unwrap().seq_first;
    for model in [BROUGHT, INSIDE, FOLDER] {
        tried.log.append(&[ask(model)]).unwrap();
    }
    tried.try_all("");
    let since = audit::record(&tried.audit(), first).unwrap().unwrap().ts_ms;
    let (dir, key, _) = tried.export("bundle", |export| export.since_ms = Some(since));
    assert_eq!(blamed(&dir), [] as [String; 0], "{}", checked(&dir));
    let said: Value = serde_json::from_slice(&std::fs::read(dir.join("models.json")).unwrap()).unwrap();
    assert_eq!(said["embedded"], json!({ "name": "demo", "digest": EMBEDDED.digest }));
    let of = |at: usize| {
        let model = &said["models"][at];
        (model["source"].as_str().unwrap(), model["requests"].as_u64().unwrap(), model["name"].as_str())
    };
    assert_eq!(
        [of(0), of(1), of(2)],
        [("embedded", 1, Some("demo")), ("imported", 2, None), ("folder", 1, None)]
    );
    // The newest record of its import comes from before the period, and is proved.
    assert_eq!(said["models"][1]["imported"]["record"], imported);
    assert!(dir.join(format!("audit/cited/{imported}.json")).exists());
    type Change = fn(&str) -> String;
    let changes: [Change; 5] = [
        |text| text.replacen("\"requests\":2", "\"requests\":3", 1),
        |text| text.replacen("\"source\":\"folder\"", "\"source\":\"embedded\"", 1),
        |text| text.replacen("\"official\":true", "\"official\":false", 1),
        |text| text.replacen(EMBEDDED.digest, &BROUGHT.to_string(), 1),
        |text| text.replacen("\"imported\":null", "\"imported\":{\"record\":0}", 1),
    ];
    for edit in changes {
        let forged = copy(&dir);
        change(&forged.0, "models.json", edit);
        sign_anew(&forged.0, &key);
        assert_eq!(blamed(&forged.0), ["models.json"]);
    }
    // A bundle of a version that had no such file verifies as it did.
    std::fs::remove_file(dir.join("models.json")).unwrap();
    sign_anew(&dir, &key);
    assert_eq!(blamed(&dir), [] as [String; 0]);
}

//! Model folders that are not what they seem: each is refused with the file and what is wrong with it, and on record.

use crate::harness::{Home, Ran};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// A checkpoint of the released layout with random weights, 3 MB.
pub const TINY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/diffusion/testdata/zimage-tiny");
const VAE: &str = "vae/diffusion_pytorch_model.safetensors";
const TEXT_ENCODER: &str = "text_encoder/model.safetensors";

pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap_or_else(|error| panic!("{}: {error}", to.display()));
    let entries = std::fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    for entry in entries.map(|entry| entry.unwrap_or_else(|error| panic!("{}: {error}", from.display()))) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), &to).unwrap_or_else(|error| panic!("{entry:?}: {error}"));
        }
    }
}

/// A copy of the checkpoint, spoilt by `spoil`.
fn spoilt(home: &Home, spoil: impl FnOnce(&Path)) -> PathBuf {
    let model = home.path().join("model");
    if model.exists() {
        std::fs::remove_dir_all(&model).expect("it was ours");
    }
    copy(&Path::new(TINY).join("model"), &model);
    spoil(&model);
    model
}

/// The header of a safetensors file can be changed by `change`; the data stays.
fn with_header(file: &Path, change: impl FnOnce(&mut Map<String, Value>)) {
    let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let (length, rest) = bytes.split_first_chunk().expect("it has a header");
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let mut header: Map<String, Value> = serde_json::from_slice(header).expect("the header is JSON");
    change(&mut header);
    let header = Value::Object(header).to_string();
    let all = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat();
    std::fs::write(file, all).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}

/// A tensor of two dimensions that differ.
fn oblong(header: &Map<String, Value>) -> (String, u64, u64) {
    let sides = |tensor: &Value| {
        let shape = tensor["shape"].as_array()?;
        let (rows, columns) = (shape.first()?.as_u64()?, shape.get(1)?.as_u64()?);
        (shape.len() == 2 && rows != columns).then_some((rows, columns))
    };
    let found = header.iter().find_map(|(key, tensor)| sides(tensor).map(|(r, c)| (key.clone(), r, c)));
    found.expect("a text encoder has such a tensor")
}

#[track_caller]
fn refused(home: &Home, model: &Path, code: i32, words: &[&str]) -> Ran {
    let before = home.count_records(&["boot.refused denied", "reason=model"]);
    let model = model.to_str().expect("a readable path");
    let ran =
        home.ask(&["generate", "x", "--size", "32x32", "--steps", "1", "--model", model]).ends(code, words);
    assert_eq!(ran.stdout, "", "{ran:#?}");
    assert!(ran.stderr.starts_with("error: ") && ran.stderr.lines().count() == 1, "{ran:#?}");
    assert_eq!(home.count_records(&["boot.refused denied", "reason=model"]), before + 1, "{ran:#?}");
    ran
}

#[test]
fn a_model_folder_that_is_damaged_is_refused() {
    let home = Home::with_picture("damaged-model");
    let empty = home.path().join("empty");
    std::fs::create_dir(&empty).expect("a home can be written");
    refused(&home, &empty, 5, &["empty"]);
    home.generate(&["x", "--model", "/nonexistent"]).ends(5, &["/nonexistent"]);

    for file in [VAE, TEXT_ENCODER] {
        let model = spoilt(&home, |model| {
            let bytes = std::fs::read(model.join(file)).expect("it was copied");
            std::fs::write(model.join(file), &bytes[..bytes.len() / 2]).expect("it can be written");
        });
        refused(&home, &model, 11, &[file]);
        let model = spoilt(&home, |model| std::fs::write(model.join(file), b"").expect("it can be written"));
        refused(&home, &model, 11, &[file]);
        let model = spoilt(&home, |model| std::fs::remove_file(model.join(file)).expect("it was copied"));
        refused(&home, &model, 5, &[file]);
    }
    let tokenizer = "tokenizer/tokenizer.json";
    let model =
        spoilt(&home, |model| std::fs::write(model.join(tokenizer), b"{").expect("it can be written"));
    refused(&home, &model, 11, &["tokenizer"]);
    let config = "transformer/config.json";
    let model =
        spoilt(&home, |model| std::fs::write(model.join(config), b"\xff{}").expect("it can be written"));
    refused(&home, &model, 11, &[config]);
    home.is_whole(1);
}

#[test]
fn a_model_file_that_lies_about_itself_is_refused() {
    let home = Home::with_picture("lying-model");
    let model = spoilt(&home, |model| {
        let mut bytes = std::fs::read(model.join(VAE)).expect("it was copied");
        bytes[..8].copy_from_slice(&(1_u64 << 60).to_le_bytes());
        std::fs::write(model.join(VAE), bytes).expect("it can be written");
    });
    refused(&home, &model, 11, &[VAE, "header"]);

    let mut turned = String::new();
    let model = spoilt(&home, |model| {
        with_header(&model.join(TEXT_ENCODER), |header| {
            let (key, rows, columns) = oblong(header);
            header[&key]["shape"] = json!([columns, rows]);
            turned = key;
        });
    });
    refused(&home, &model, 11, &[TEXT_ENCODER, &turned, "shape", "wanted"]);

    let model = spoilt(&home, |model| {
        with_header(&model.join(TEXT_ENCODER), |header| {
            let (key, ..) = oblong(header);
            header[&key]["dtype"] = json!("I8");
        });
    });
    refused(&home, &model, 11, &[TEXT_ENCODER]);

    let model = spoilt(&home, |model| {
        with_header(&model.join(TEXT_ENCODER), |header| {
            let shape = |tensor: &Value| tensor["shape"].clone();
            let names: Vec<String> = header.keys().filter(|key| *key != "__metadata__").cloned().collect();
            let twins = names.iter().enumerate().find_map(|(at, one)| {
                names[at + 1..]
                    .iter()
                    .find(|other| shape(&header[*other]) == shape(&header[one]))
                    .map(|o| (one, o))
            });
            let (one, other) = twins.expect("a text encoder has tensors of one shape");
            header[other]["data_offsets"] = header[one]["data_offsets"].clone();
        });
    });
    refused(&home, &model, 11, &[TEXT_ENCODER]);

    let model = spoilt(&home, |model| {
        with_header(&model.join(TEXT_ENCODER), |header| {
            let (key, ..) = oblong(header);
            header[&key]["data_offsets"] = json!([u64::MAX - 8, u64::MAX]);
        });
    });
    refused(&home, &model, 11, &[TEXT_ENCODER]);
    home.is_whole(1);
}

#[test]
fn a_link_out_of_the_model_folder_is_refused() {
    let home = Home::with_picture("linked-model");
    let blob = home.path().join("blob");
    let model = spoilt(&home, |model| {
        std::fs::rename(model.join(VAE), &blob).expect("one file system");
        std::os::unix::fs::symlink(&blob, model.join(VAE)).expect("a home can be written");
    });
    refused(&home, &model, 6, &["cp -rL"]);
    let index = "transformer/diffusion_pytorch_model.safetensors.index.json";
    let model = spoilt(&home, |model| {
        let text = std::fs::read_to_string(model.join(index)).expect("it was copied");
        let outside =
            text.replace("diffusion_pytorch_model-00001", "../../blob/diffusion_pytorch_model-00001");
        std::fs::write(model.join(index), outside).expect("it can be written");
    });
    refused(&home, &model, 11, &["transformer/"]);
    home.is_whole(1);
}

#[test]
fn a_sound_model_folder_makes_a_picture() {
    let home = Home::furnished("model");
    let model = spoilt(&home, |_| ());
    let model = model.to_str().expect("a readable path");
    let arguments =
        ["generate", "a red apple", "--size", "32x32", "--steps", "1", "--model", model, "--json"];
    let made = home.ask(&arguments).ends(0, &[]).data();
    let demo = home.generate(&["a red apple", "--json"]).ends(0, &[]).data();
    assert_ne!(
        made["pictures"][0]["model"], demo["pictures"][0]["model"],
        "the digest tells which model it was"
    );
    home.is_whole(2);
}

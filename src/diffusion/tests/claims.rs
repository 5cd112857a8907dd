//! What files claim is bounded by what the configuration asks for, before anything is taken.

use super::copy::{Copy, VAE};
use std::fs::File;
use std::path::Path;

/// Writes a safetensors file of this header, with a hole of `data_bytes` bytes behind it.
fn write(copy: &Copy, file: &str, header: &str, data_bytes: u64) {
    let content = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
    std::fs::write(copy.0.join(file), &content).unwrap();
    let file = File::options().write(true).open(copy.0.join(file)).unwrap();
    file.set_len(content.len() as u64 + data_bytes).unwrap();
}

#[test]
fn a_hole_of_128_gib_is_refused_by_name() {
    let copy = Copy::new("sparse");
    let file = File::options().write(true).open(copy.0.join(VAE)).unwrap();
    file.set_len(128 << 30).unwrap();
    copy.check(&[VAE, "bytes of tensors"]);
    let header = r#"{"decoder.conv_in.bias": {"dtype": "F32", "shape": [34359738368],
        "data_offsets": [0, 137438953472]}}"#;
    write(&copy, VAE, header, 128 << 30);
    copy.check(&[VAE, "decoder.conv_in.bias", "[34359738368]", "[32]"]);
    let header = r#"{"decoder.conv_in.biases": {"dtype": "F32", "shape": [34359738368],
        "data_offsets": [0, 137438953472]}}"#;
    write(&copy, "text_encoder/model.safetensors", header, 128 << 30);
    copy.check(&["text_encoder", "missing"]);
}

#[test]
fn a_configuration_that_asks_for_more_than_there_is() {
    let copy = Copy::new("asks");
    copy.edit_json("text_encoder/config.json", |json| json["vocab_size"] = (1 << 20).into());
    copy.check(&["text_encoder/model.safetensors", "model.embed_tokens.weight", "[1048576, "]);
    let copy = Copy::new("asks-vae");
    copy.edit_json("vae/config.json", |json| json["block_out_channels"] = [4096, 4096, 4096, 4096].into());
    copy.check(&["vae/config.json", "2^30 parameters"]);
}

#[test]
fn parts_of_two_models_are_refused() {
    let copy = Copy::new("two-models");
    let theirs = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/model/transformer");
    let ours = copy.0.join("transformer");
    std::fs::remove_dir_all(&ours).unwrap();
    std::fs::create_dir(&ours).unwrap();
    for entry in std::fs::read_dir(theirs).unwrap().flatten() {
        std::fs::copy(entry.path(), ours.join(entry.file_name())).unwrap();
    }
    copy.check(&["transformer/config.json", "cap_feat_dim", "hidden_size"]);
}

#[test]
fn a_header_with_room_for_a_million_tensors_is_refused_unread() {
    let copy = Copy::new("million");
    let entry = |i: u32| format!(r#""t{i}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#);
    let entries: Vec<String> = (0..1_600_000).map(entry).collect();
    write(&copy, VAE, &format!("{{{}}}", entries.join(",")), 0);
    copy.check(&[VAE, "a header of", "at most"]);
    // As many as the bound lets through, none of which the configuration asks for.
    write(&copy, VAE, &format!("{{{}}}", entries[..1000].join(",")), 0);
    copy.check(&[VAE, "missing"]);
}

#[test]
fn a_tensor_of_too_many_axes_and_a_file_too_short_for_a_header() {
    let copy = Copy::new("axes");
    let shape = vec!["1"; 1000].join(",");
    let header = format!(r#"{{"x": {{"dtype": "F32", "shape": [{shape}], "data_offsets": [0, 4]}}}}"#);
    write(&copy, VAE, &header, 4);
    copy.check(&[VAE, "1000 axes"]);
    copy.edit(VAE, |content| content.truncate(7));
    copy.check(&[VAE, "too few for a header"]);
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    let copy = Copy::new("twice");
    copy.edit("transformer/config.json", |content| {
        *content = String::from_utf8_lossy(content).replacen('{', "{\"dim\": 96,", 1).into();
    });
    copy.check(&["transformer/config.json", "\"dim\"", "twice"]);
    let copy = Copy::new("twice-header");
    let entry = r#""decoder.conv_in.bias": {"dtype": "F32", "shape": [32], "data_offsets": [0, 128]}"#;
    write(&copy, VAE, &format!("{{{entry}, {entry}}}"), 128);
    copy.check(&[VAE, "decoder.conv_in.bias", "twice"]);
}

#[test]
fn what_is_quoted_from_a_file_is_short_and_harmless() {
    let copy = Copy::new("quoted");
    let name = format!("Evil\n\u{1b}[2J\u{202e}{}", "x".repeat(100_000));
    copy.edit_json("model_index.json", |json| json["_class_name"] = name.clone().into());
    copy.check(&["this is a \"Evil\\n\\u{1b}[2J\\u{202e}xxx"]);
    copy.edit_json("model_index.json", |json| json["_class_name"] = "x".repeat(60 << 20).into());
    copy.check(&["model_index.json", "at most 1048576 are read"]);

    let copy = Copy::new("quoted-key");
    let name = format!("Evil\n{}", "x".repeat(10_000));
    let key = format!("a\\n{}", "y".repeat(10_000));
    let header = format!(r#"{{"{key}": {{"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}}}"#);
    let index = "transformer/diffusion_pytorch_model.safetensors.index.json";
    copy.edit_json(index, |json| json["weight_map"][name.as_str()] = "../x".into());
    copy.check(&[index, "\"../x\""]);
    copy.edit_json(index, |json| json["weight_map"][name.as_str()] = "x.safetensors".into());
    write(&copy, "transformer/x.safetensors", &header, 4);
    copy.check(&["transformer/x.safetensors", "promises tensor \"Evil\\n"]);
    copy.edit_json(index, |json| {
        let map = json["weight_map"].as_object_mut().unwrap();
        map.remove(&name);
        map.insert(format!("a\n{}", "y".repeat(10_000)), "x.safetensors".into());
    });
    copy.check(&["transformer/x.safetensors", "does not have", "\"a\\nyyy"]);
}

//! Model folders that are wrong in one way each: the error names the file, the tensor and what was wanted.

use super::copy::{Copy, TRANSFORMER, VAE};
use crate::{DeviceName, ModelFolder, Pipeline};
use std::path::Path;

#[test]
fn an_untouched_copy_loads() {
    let copy = Copy::new("untouched");
    Pipeline::load(&ModelFolder::open(&copy.0).unwrap(), DeviceName::Cpu).unwrap();
}

#[test]
fn missing_and_empty_folders() {
    let missing = ModelFolder::open(Path::new("/nonexistent/model")).unwrap_err().to_string();
    assert!(missing.contains("/nonexistent/model"), "{missing}");
    let copy = Copy::new("empty");
    std::fs::remove_dir_all(&copy.0).unwrap();
    std::fs::create_dir(&copy.0).unwrap();
    copy.check(&["model_index.json"]);
}

#[test]
fn a_missing_shard() {
    let copy = Copy::new("shard");
    std::fs::remove_file(copy.0.join(TRANSFORMER)).unwrap();
    copy.check(&[TRANSFORMER]);
}

#[test]
fn a_truncated_file() {
    let copy = Copy::new("truncated");
    copy.edit(VAE, |content| content.truncate(content.len() / 2));
    copy.check(&[VAE, "damaged or incomplete"]);
    copy.edit(VAE, |content| content.truncate(5));
    copy.check(&[VAE]);
    copy.edit(VAE, |content| content.clear());
    copy.check(&[VAE]);
}

#[test]
fn a_header_of_2_to_the_60_bytes() {
    let copy = Copy::new("header");
    copy.edit(VAE, |content| content[..8].copy_from_slice(&(1_u64 << 60).to_le_bytes()));
    copy.check(&[VAE]);
}

#[test]
fn overlapping_offsets() {
    let copy = Copy::new("overlap");
    copy.edit(VAE, |content| {
        let start = content.windows(16).position(|w| w == b"\"data_offsets\":[").unwrap() + 16;
        // The first tensor of the header starts somewhere; now it starts one byte later or earlier.
        let digit = content[start..].iter().position(|b| *b == b',').unwrap() + start - 1;
        content[digit] = if content[digit] == b'9' { b'8' } else { content[digit] + 1 };
    });
    copy.check(&[VAE]);
}

#[test]
fn a_tensor_of_the_wrong_shape() {
    let copy = Copy::new("shape");
    copy.edit("transformer/config.json", |content| {
        *content =
            String::from_utf8_lossy(content).replace("\"cap_feat_dim\": 48", "\"cap_feat_dim\": 64").into();
    });
    copy.check(&["cap_embedder.0.weight", "[48]", "[64]", "safetensors"]);
}

#[test]
fn a_tensor_of_the_wrong_type() {
    let copy = Copy::new("type");
    copy.edit_header(VAE, "\"BF16\"", "\"I16\" ");
    copy.check(&[VAE, "I16", "wanted BF16"]);
}

#[test]
fn a_tensor_under_another_name() {
    let copy = Copy::new("name");
    copy.edit_header(VAE, "decoder.conv_in.bias", "decoder.conv_in.bits");
    copy.check(&[VAE, "decoder.conv_in.bias", "missing", "[32]"]);
}

#[test]
fn surplus_tensors() {
    let copy = Copy::new("surplus");
    copy.edit("transformer/config.json", |content| {
        *content = String::from_utf8_lossy(content).replace("\"n_layers\": 2", "\"n_layers\": 1").into();
    });
    copy.check(&["layers.1.", "does not have"]);
}

#[test]
fn a_promise_of_the_index_that_no_shard_keeps() {
    let copy = Copy::new("index");
    copy.edit("transformer/diffusion_pytorch_model.safetensors.index.json", |content| {
        *content =
            String::from_utf8_lossy(content).replace("layers.0.ffn_norm1", "layers.9.ffn_norm1").into();
    });
    copy.check(&["layers.9.ffn_norm1"]);
}

#[test]
fn an_index_that_names_a_file_elsewhere() {
    // A shard before the configuration would be hashed out of order.
    for elsewhere in ["../../../etc/passwd", "a.safetensors"] {
        let copy = Copy::new("elsewhere");
        copy.edit("transformer/diffusion_pytorch_model.safetensors.index.json", |content| {
            let name = "diffusion_pytorch_model-00001-of-00004.safetensors";
            *content = String::from_utf8_lossy(content).replace(name, elsewhere).into();
        });
        copy.check(&[elsewhere]);
    }
}

#[test]
fn a_link_that_leaves_the_folder_is_refused_with_the_remedy() {
    let (copy, outside) = (Copy::new("link"), Copy::new("outside"));
    std::fs::remove_file(copy.0.join(VAE)).unwrap();
    std::os::unix::fs::symlink(outside.0.join(VAE), copy.0.join(VAE)).unwrap();
    copy.check(&[VAE, "cp -rL"]);
    // A link that stays inside is followed.
    std::fs::remove_file(copy.0.join(VAE)).unwrap();
    std::fs::copy(outside.0.join(VAE), copy.0.join("vae/weights")).unwrap();
    std::os::unix::fs::symlink("weights", copy.0.join(VAE)).unwrap();
    Pipeline::load(&ModelFolder::open(&copy.0).unwrap(), DeviceName::Cpu).unwrap();
}

#[test]
fn broken_json_and_another_pipeline() {
    let copy = Copy::new("json");
    copy.edit("transformer/config.json", |content| content.truncate(20));
    copy.check(&["transformer/config.json"]);
    copy.edit("model_index.json", |content| {
        *content = String::from_utf8_lossy(content).replace("ZImagePipeline", "FluxPipeline").into();
    });
    copy.check(&["FluxPipeline"]);
}

//! A checkpoint that a test may spoil.

use crate::checkpoint::Checkpoint;
use crate::device::Precision;
use crate::{DeviceName, ModelFolder};
use serde_json::Value;
use std::path::{Path, PathBuf};

pub const TRANSFORMER: &str = "transformer/diffusion_pytorch_model-00001-of-00004.safetensors";
pub const VAE: &str = "vae/diffusion_pytorch_model.safetensors";

/// A copy of the tiny checkpoint that goes away with the test.
pub struct Copy(pub PathBuf);

impl Copy {
    pub fn new(name: &str) -> Self {
        let to = std::env::temp_dir().join(format!("diffusion-{name}-{}", std::process::id()));
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/zimage-tiny/model");
        for part in ["tokenizer", "text_encoder", "transformer", "vae", "scheduler", "."] {
            std::fs::create_dir_all(to.join(part)).unwrap();
            for entry in std::fs::read_dir(from.join(part)).unwrap().flatten() {
                if entry.file_type().unwrap().is_file() {
                    std::fs::copy(entry.path(), to.join(part).join(entry.file_name())).unwrap();
                }
            }
        }
        Self(to)
    }

    pub fn edit(&self, file: &str, edit: impl Fn(&mut Vec<u8>)) {
        let mut content = std::fs::read(self.0.join(file)).unwrap();
        edit(&mut content);
        std::fs::write(self.0.join(file), content).unwrap();
    }

    /// Replaces text in the header of a safetensors file, which keeps its length.
    pub fn edit_header(&self, file: &str, from: &str, to: &str) {
        assert_eq!(from.len(), to.len());
        self.edit(file, |content| {
            let at = content.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
            content[at..at + to.len()].copy_from_slice(to.as_bytes());
        });
    }

    /// Edits a JSON file.
    pub fn edit_json(&self, file: &str, edit: impl Fn(&mut Value)) {
        self.edit(file, |content| {
            let mut json = serde_json::from_slice(content).unwrap();
            edit(&mut json);
            *content = serde_json::to_vec(&json).unwrap();
        });
    }

    pub fn folder(&self) -> ModelFolder {
        ModelFolder::open(&self.0).unwrap()
    }

    /// The error of checking this folder, which reads no weight, has all of `wanted` in it, and is short.
    pub fn check(&self, wanted: &[&str]) {
        let choose = |parameters| Precision::choose(DeviceName::Cpu, parameters);
        let error = Checkpoint::open(&self.folder(), choose).err().expect("the folder is right").to_string();
        wanted.iter().for_each(|w| assert!(error.contains(w), "{error:?} lacks {w:?}"));
        assert!(error.len() < 500 && !error.contains(char::is_control), "{error:?}");
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

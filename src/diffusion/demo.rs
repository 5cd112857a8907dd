//! The embedded demo model: a real, trained miniature of Z-Image-Turbo that needs no file.
//!
//! Its own size is 128x128 with 8 steps and no guidance. Where its weights come from, and under which licences,
//! is in `demo/LICENSES/NOTICE.md`.

use crate::ModelFolder;

/// Width and height in pixels that the demo model is made for.
pub const SIDE_PX: u32 = 128;

/// The files of the demo model.
pub fn folder() -> ModelFolder {
    ModelFolder::Embedded(FILES)
}

/// Content at an address that suits every element type: `include_bytes!` alone promises none.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

macro_rules! embed {
    ($($name:literal)*) => {
        &[$(($name, {
            const CONTENT: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!("demo/model/", $name)));
            &CONTENT.0
        })),*]
    };
}

const FILES: &[(&str, &[u8])] = embed! {
    "model_index.json"
    "scheduler/scheduler_config.json"
    "text_encoder/config.json"
    "text_encoder/model.safetensors"
    "tokenizer/tokenizer.json"
    "transformer/config.json"
    "transformer/diffusion_pytorch_model.safetensors"
    "vae/config.json"
    "vae/diffusion_pytorch_model.safetensors"
};

#[cfg(test)]
mod tests {
    #[test]
    fn embedded_files_are_aligned() {
        for (name, content) in super::FILES {
            assert_eq!(content.as_ptr().addr() % 64, 0, "{name}");
        }
    }
}

//! The files of a model, with changed inputs: nothing panics, nothing takes memory that the input does not pay for, and
//! what is accepted means one thing.

use crate::header;
use crate::tokenizer::Tokenizer;
use crate::{Error, ModelFolder};
use bytes::Bytes;
use fuzz::Target;

#[test]
fn safetensors_header() {
    let words = [
        "{\"",
        "\":",
        "}",
        ",",
        "\"dtype\":\"F32\"",
        "\"shape\":[",
        "\"data_offsets\":[0,",
        "18446744073709551615",
        "1152921504606846976",
        "\"__metadata__\":{",
    ];
    Target::new("safetensors").words(&words).run(|file| {
        let read = |count: u64| Ok(Bytes::copy_from_slice(&file[..count as usize]));
        let Ok((head, mut claims)) = header::claims("x", file.len() as u64, 1 << 20, read) else {
            return false;
        };
        claims.sort_by_key(|claim| (claim.range.start, claim.range.end));
        let mut end = head.len();
        for claim in &claims {
            assert_eq!(claim.range.start, end, "a gap or an overlap");
            let values = claim.shape.iter().try_fold(1_usize, |product, side| product.checked_mul(*side));
            let bytes = values.and_then(|values| Some(values.checked_mul(claim.dtype.bitsize())? / 8));
            assert_eq!(bytes, Some(claim.range.len()), "{:?} of {:?}", claim.dtype, claim.shape);
            end = claim.range.end;
        }
        assert_eq!(end, file.len(), "bytes of no tensor");
        true
    });
}

#[test]
fn tokenizer_json() {
    let folder = std::env::temp_dir().join(format!("diffusion-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("tokenizer")).unwrap();
    let (model, path) = (ModelFolder::open(&folder).unwrap(), folder.join("tokenizer/tokenizer.json"));
    let words = [
        "{\"",
        "\":",
        "}",
        "]",
        ",",
        "\"vocab\":{",
        "\"merges\":[",
        "[\"a\",\"b\"]",
        "\"a b\"",
        "\"id\":",
        "1048576",
        "4294967296",
        "<|im_start|>",
        "\u{120}",
        "null",
        "\"type\":\"BPE\"",
    ];
    // The pattern that splits words takes a megabyte by itself. The vocabulary is kept both ways round, and once more
    // while the merges are looked up.
    Target::new("tokenizer").words(&words).memory(2 << 20, 256).run(|file| {
        // Cutting a file short and filling it again would wait for the disk.
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, file).unwrap();
        let Ok((tokenizer, read)) = Tokenizer::open(&model) else { return false };
        assert_eq!(read.content, file);
        for prompt in ["", "a  red apple's\n\n12", "\u{82f9}\u{679c} e\u{301} \u{1f34e}<|im_end|>"] {
            match tokenizer.encode(prompt) {
                Ok(ids) => assert!(ids.iter().all(|id| *id < 1 << 20), "{ids:?}"),
                Err(Error::PromptTooLong { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        true
    });
    std::fs::remove_dir_all(&folder).unwrap();
}

//! Tokenizers that are not the published kind: each is an error that names the component.

use super::copy::Copy;
use crate::tokenizer::{PROMPT_BYTES_MAX, Tokenizer};
use crate::{Error, demo};
use serde_json::{Value, json};

const FILE: &str = "tokenizer/tokenizer.json";

/// A tokenizer with one edit is refused, in words that name all of `wanted`.
fn refused(edit: impl Fn(&mut Value), wanted: &[&str]) {
    let copy = Copy::new("tokenizer");
    copy.edit_json(FILE, edit);
    copy.check(&[&[FILE], wanted].concat());
}

#[test]
fn components_that_are_not_published_are_refused() {
    for charsmap in ["AA==", "AAAAAAAAAAAAAAAAAAAA", "/////w=="] {
        let normalizer = json!({ "type": "Precompiled", "precompiled_charsmap": charsmap });
        refused(|t| t["normalizer"] = normalizer.clone(), &["normalizer", "\"Precompiled\"", "\"NFC\""]);
    }
    let grow = json!({ "type": "Replace", "pattern": { "String": "a" }, "content": "a".repeat(20) });
    let normalizer = json!({ "type": "Sequence", "normalizers": vec![grow; 7] });
    refused(|t| t["normalizer"] = normalizer.clone(), &["normalizer", "\"Replace\""]);
    refused(|t| t["normalizer"] = Value::Null, &["normalizer", "none"]);
    refused(|t| drop(t.as_object_mut().unwrap().remove("added_tokens")), &["added_tokens"]);
    refused(|t| t["normalizer"]["more"] = true.into(), &["normalizer"]);
    let fixed = json!({ "type": "FixedLength", "length": 0 });
    refused(|t| t["pre_tokenizer"] = fixed.clone(), &["pre_tokenizer", "\"FixedLength\""]);
    refused(
        |t| t["pre_tokenizer"]["pretokenizers"].as_array_mut().unwrap().push(fixed.clone()),
        &["pre_tokenizer", "\"FixedLength\""],
    );
    refused(
        |t| t["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "(a+)+b".into(),
        &["pre_tokenizer"],
    );
    refused(|t| t["pre_tokenizer"]["pretokenizers"][1]["use_regex"] = true.into(), &["pre_tokenizer"]);
    refused(|t| t["post_processor"]["special_tokens"] = json!({ "x": 1 }), &["post_processor"]);
    refused(|t| t["decoder"] = json!({ "type": "WordPiece", "prefix": "" }), &["decoder", "\"WordPiece\""]);
    refused(|t| t["truncation"] = json!({ "max_length": 0 }), &["truncation"]);
    refused(|t| t["padding"] = json!({ "strategy": { "Fixed": 1u64 << 40 } }), &["padding"]);
    refused(|t| t["surprise"] = Value::Null, &["\"surprise\""]);
}

#[test]
fn models_that_are_not_published_are_refused() {
    refused(|t| t["model"] = json!({ "type": "Unigram", "vocab": [] }), &["\"Unigram\"", "BPE"]);
    refused(|t| t["model"]["dropout"] = 0.5.into(), &["dropout"]);
    refused(|t| t["model"]["unk_token"] = "a".into(), &["unk_token"]);
    refused(|t| t["model"]["continuing_subword_prefix"] = "é".into(), &["continuing_subword_prefix"]);
    refused(|t| t["model"]["byte_fallback"] = true.into(), &["byte_fallback"]);
    refused(|t| t["model"]["vocab"]["a"] = (1u64 << 32).into(), &["the token \"a\""]);
    let long = "b".repeat(2000);
    refused(|t| t["model"]["vocab"][long.as_str()] = 7.into(), &["the token \"bbb"]);
    refused(|t| t["model"]["vocab"] = Value::Null, &["vocab"]);
    refused(|t| t["model"]["merges"][0] = "abc".into(), &["merges"]);
    refused(|t| t["model"]["merges"][0] = json!(["a", "b", "c"]), &["merges"]);
    refused(|t| t["model"]["merges"][0] = json!(["a", "no such token"]), &["no such token"]);
    refused(|t| t["model"]["merges"] = vec![json!("a b"); (1 << 18) + 1].into(), &["merges", "at most"]);
    refused(|t| t["added_tokens"] = json!([]), &["<|im_start|>"]);
    refused(
        |t| {
            let again = t["added_tokens"][1].clone();
            t["added_tokens"].as_array_mut().unwrap().push(again);
        },
        &["<|im_start|>", "twice"],
    );
    refused(|t| t["added_tokens"] = vec![json!({}); 2000].into(), &["added_tokens", "at most"]);
}

#[test]
fn the_older_spelling_of_the_published_tokenizer_gives_the_same_ids() {
    let copy = Copy::new("older");
    let prompt = "A red apple's  portrait,\n\n on 12 tables: 苹果 é e\u{301} 🍎   ";
    let newer = Tokenizer::open(&copy.folder()).unwrap().0.encode(prompt).unwrap();
    copy.edit_json(FILE, |t| {
        for merge in t["model"]["merges"].as_array_mut().unwrap() {
            *merge = format!("{} {}", merge[0].as_str().unwrap(), merge[1].as_str().unwrap()).into();
        }
        t["model"]["continuing_subword_prefix"] = "".into();
        t["model"]["end_of_word_suffix"] = "".into();
        t["model"].as_object_mut().unwrap().remove("ignore_merges");
        let byte_level =
            json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false });
        t["post_processor"] = byte_level.clone();
        t["decoder"] = byte_level;
    });
    assert_eq!(Tokenizer::open(&copy.folder()).unwrap().0.encode(prompt).unwrap(), newer);
}

#[test]
fn a_prompt_is_measured_in_bytes_before_it_is_split() {
    let (tokenizer, _) = Tokenizer::open(&demo::folder()).unwrap();
    let limit = |bytes| match tokenizer.encode(&"\u{301}".repeat(bytes / 2)).unwrap_err() {
        Error::PromptTooLong { limit, .. } => limit,
        other => panic!("{other}"),
    };
    assert_eq!(limit(PROMPT_BYTES_MAX + 2), PROMPT_BYTES_MAX);
    assert_eq!(limit(PROMPT_BYTES_MAX), 512);
}

//! The one kind of `tokenizer.json` that is accepted: the byte-level BPE that Qwen2 and Qwen3 publish.
//!
//! Of a file, only its vocabulary, its merges and the ids of two added tokens are used. All the rest is compared
//! with what is published, and then made by this program: no component of a file's choosing ever runs.

use crate::error::quoted;
use serde_json::{Map, Value, json};
use tokenizers::models::bpe::{Merges, Vocab};

/// How text is split before the merges. Source: `PRETOKENIZE_REGEX` of Qwen2's tokenizer.
pub(super) const SPLIT: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}",
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
/// Most tokens of a vocabulary, and most merges; Qwen3 has 151,936.
const ENTRIES_MAX: usize = 1 << 18;
/// Ids are below this.
const ID_END: u64 = 1 << 20;
/// Longest token in bytes.
const TOKEN_BYTES_MAX: usize = 1024;
/// Most added tokens; Qwen3 has 26.
const ADDED_MAX: usize = 1024;

/// What is used of a tokenizer's file.
pub(super) struct Published {
    pub vocabulary: Vocab,
    pub merges: Merges,
    pub im_start: u32,
    pub im_end: u32,
}

impl Published {
    /// Takes a parsed file apart.
    ///
    /// # Errors
    /// In words, which component is not the published one.
    pub fn new(mut file: Value) -> Result<Self, String> {
        const KEYS: [&str; 9] = [
            "version",
            "truncation",
            "padding",
            "added_tokens",
            "normalizer",
            "pre_tokenizer",
            "post_processor",
            "decoder",
            "model",
        ];
        let file = file.as_object_mut().ok_or("no JSON object")?;
        no_other_keys(file, "the file", &KEYS)?;
        for key in ["truncation", "padding"] {
            match file.get(key) {
                None | Some(Value::Null) => {}
                Some(_) => return Err(format!("{key} must be null")),
            }
        }
        let byte_level = json!({ "type": "ByteLevel" });
        let split = json!({ "type": "Split", "pattern": { "Regex": SPLIT }, "behavior": "Isolated",
            "invert": false });
        let spread = json!({ "type": "ByteLevel", "add_prefix_space": false, "use_regex": false });
        let pair = |id: &str, type_id: u32| json!({ "Sequence": { "id": id, "type_id": type_id } });
        // What the tokenizers' library writes for a post-processor that adds nothing.
        let no_template = json!({ "type": "TemplateProcessing", "single": [pair("A", 0)],
            "pair": [pair("A", 0), pair("B", 1)], "special_tokens": {} });
        let sequence = json!({ "type": "Sequence", "pretokenizers": [split, spread] });
        component(file, "normalizer", &[json!({ "type": "NFC" })])?;
        component(file, "pre_tokenizer", &[sequence])?;
        // These two touch offsets and decoded text, which nobody here asks for.
        component(file, "post_processor", &[byte_level.clone(), no_template])?;
        component(file, "decoder", &[byte_level])?;
        let (im_start, im_end) = added(file.get("added_tokens").unwrap_or(&Value::Null))?;
        let model = file.get_mut("model").and_then(Value::as_object_mut).ok_or("the model is missing")?;
        let (vocabulary, merges) = bpe(model)?;
        Ok(Self { vocabulary, merges, im_start, im_end })
    }
}

fn no_other_keys(found: &Map<String, Value>, name: &str, keys: &[&str]) -> Result<(), String> {
    match found.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(format!("{name} has a key {}, which is not supported", quoted(key))),
        None => Ok(()),
    }
}

/// Checks that a component is one of those `wanted`.
fn component(file: &Map<String, Value>, name: &str, wanted: &[Value]) -> Result<(), String> {
    let found = file.get(name).unwrap_or(&Value::Null);
    if wanted.iter().any(|wanted| equals(found, wanted)) {
        return Ok(());
    }
    let list = |value: &Value| {
        let mut types = Vec::new();
        collect_types(value, &mut types);
        if types.is_empty() { "none".to_owned() } else { types.join(", ") }
    };
    let wanted = wanted.first().map(list).unwrap_or_default();
    Err(format!("the {name} ({}) is not the one that Qwen publishes ({wanted})", list(found)))
}

/// Whether two components are the same, but for switches that `wanted` does not name: those of `ByteLevel` that
/// make no difference here.
fn equals(found: &Value, wanted: &Value) -> bool {
    const FREE: [&str; 3] = ["add_prefix_space", "trim_offsets", "use_regex"];
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            let free = |(key, value): (&String, &Value)| {
                wanted.contains_key(key)
                    || wanted.get("type").is_some_and(|t| t == "ByteLevel")
                        && FREE.contains(&key.as_str())
                        && value.is_boolean()
            };
            found.iter().all(free)
                && wanted.iter().all(|(key, value)| found.get(key).is_some_and(|f| equals(f, value)))
        }
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(f, w)| equals(f, w))
        }
        _ => found == wanted,
    }
}

/// The types of a component and of those inside it, at most eight.
fn collect_types(value: &Value, types: &mut Vec<String>) {
    if types.len() >= 8 {
        return;
    }
    match value {
        Value::Object(fields) => {
            types.extend(fields.get("type").and_then(Value::as_str).map(quoted));
            fields.values().for_each(|field| collect_types(field, types));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_types(item, types)),
        _ => {}
    }
}

/// The ids of `<|im_start|>` and `<|im_end|>`.
fn added(tokens: &Value) -> Result<(u32, u32), String> {
    let tokens = tokens.as_array().ok_or("added_tokens is no list")?;
    if tokens.len() > ADDED_MAX {
        return Err(format!("{} added_tokens, at most {ADDED_MAX} are supported", tokens.len()));
    }
    let id_of = |content: &str| {
        let mut found = tokens.iter().filter(|token| token["content"] == content);
        match (found.next().and_then(|token| id(&token["id"])), found.next()) {
            (Some(id), None) => Ok(id),
            _ => Err(format!("the added token {content} is missing, or is there twice")),
        }
    };
    Ok((id_of("<|im_start|>")?, id_of("<|im_end|>")?))
}

fn bpe(model: &mut Map<String, Value>) -> Result<(Vocab, Merges), String> {
    const KEYS: [&str; 10] = [
        "type",
        "dropout",
        "unk_token",
        "continuing_subword_prefix",
        "end_of_word_suffix",
        "fuse_unk",
        "byte_fallback",
        "ignore_merges",
        "vocab",
        "merges",
    ];
    if model.get("type").is_none_or(|t| t != "BPE") {
        let found = model.get("type").and_then(Value::as_str).unwrap_or_default();
        return Err(format!("the model is {}, only BPE is supported", quoted(found)));
    }
    no_other_keys(model, "the model", &KEYS)?;
    for key in &KEYS[1..8] {
        let off = |value: &Value| value.is_null() || value == false || value == "";
        if !model.get(*key).is_none_or(off) {
            return Err(format!("the model's {key} is not supported"));
        }
    }
    let Some(Value::Object(vocabulary)) = model.remove("vocab") else {
        return Err("the model's vocab is missing".into());
    };
    let Some(Value::Array(merges)) = model.remove("merges") else {
        return Err("the model's merges are missing".into());
    };
    for (name, count) in [("vocab", vocabulary.len()), ("merges", merges.len())] {
        if count > ENTRIES_MAX {
            return Err(format!(
                "the model's {name} has {count} entries, at most {ENTRIES_MAX} are supported"
            ));
        }
    }
    let entry = |(token, value): (String, Value)| match id(&value) {
        Some(id) if token.len() <= TOKEN_BYTES_MAX => Ok((token, id)),
        _ => Err(format!("the token {} has no usable id, or is too long", quoted(&token))),
    };
    let vocabulary = vocabulary.into_iter().map(entry).collect::<Result<_, _>>()?;
    let merges = merges.iter().map(merge).collect::<Option<_>>();
    Ok((vocabulary, merges.ok_or("one of the model's merges is no pair of tokens")?))
}

/// A merge is a list of two tokens, or in older files both in one string with a space between.
fn merge(value: &Value) -> Option<(String, String)> {
    let (left, right) = match value {
        Value::String(pair) => pair.split_once(' ').filter(|(_, right)| !right.contains(' '))?,
        Value::Array(pair) => match &**pair {
            [left, right] => (left.as_str()?, right.as_str()?),
            _ => return None,
        },
        _ => return None,
    };
    Some((left.into(), right.into()))
}

fn id(value: &Value) -> Option<u32> {
    value.as_u64().filter(|id| *id < ID_END).and_then(|id| u32::try_from(id).ok())
}

//! The chat template and the byte-level BPE: a prompt becomes token ids.

use crate::{Error, ModelFolder};
use serde_json::Value;
use std::str::FromStr;

/// Most tokens of a prompt, its template included.
///
/// Source: `max_sequence_length` of `ZImagePipeline`. The reference cuts longer prompts; here they are an error.
pub const TOKENS_MAX: usize = 512;

/// The only file of the tokenizer that is read.
pub(crate) const FILE: &str = "tokenizer/tokenizer.json";

/// Turns text into token ids, and remembers none of it.
pub struct Tokenizer {
    bpe: tokenizers::Tokenizer,
    im_start: u32,
    im_end: u32,
}

impl Tokenizer {
    /// Reads `tokenizer/tokenizer.json`.
    ///
    /// # Errors
    /// Those of [`ModelFolder::json`], and [`Error::ParseConfig`] if the template's tokens are not in it.
    pub fn load(folder: &ModelFolder) -> Result<Self, Error> {
        let parse = |reason: String| Error::ParseConfig { file: FILE.into(), reason };
        let mut json: Value = folder.json(FILE)?;
        // With no added tokens, whatever a person types is text: `<|im_end|>` in a prompt ends nothing.
        let added = json["added_tokens"].take();
        json["added_tokens"] = Value::Array(Vec::new());
        let id = |content: &str| {
            let token = added.as_array().and_then(|all| all.iter().find(|t| t["content"] == content));
            let id = token.and_then(|t| t["id"].as_u64()).and_then(|id| u32::try_from(id).ok());
            id.ok_or_else(|| parse(format!("the added token {content} is missing")))
        };
        let (im_start, im_end) = (id("<|im_start|>")?, id("<|im_end|>")?);
        let mut bpe = tokenizers::Tokenizer::from_str(&json.to_string()).map_err(|e| parse(e.to_string()))?;
        // The word cache would keep the words of every prompt for the life of the process.
        bpe.with_truncation(None).map_err(|e| parse(e.to_string()))?.with_padding(None);
        let mut model = bpe.get_model().clone();
        model.resize_cache(0);
        bpe.with_model(model);
        Ok(Self { bpe, im_start, im_end })
    }

    /// The ids of `<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n`.
    ///
    /// # Errors
    /// [`Error::PromptTooLong`] above [`TOKENS_MAX`] ids.
    pub fn encode(&self, prompt: &str) -> Result<Vec<u32>, Error> {
        let mut user = String::with_capacity(prompt.len() + 5);
        user.push_str("user\n");
        user.push_str(prompt);
        let mut ids = vec![self.im_start];
        ids.extend(self.encode_text(&user)?);
        ids.push(self.im_end);
        ids.extend(self.encode_text("\n")?);
        ids.push(self.im_start);
        ids.extend(self.encode_text("assistant\n")?);
        match ids.len() {
            found if found > TOKENS_MAX => Err(Error::PromptTooLong { found, limit: TOKENS_MAX }),
            _ => Ok(ids),
        }
    }

    fn encode_text(&self, text: &str) -> Result<Vec<u32>, Error> {
        // The error would repeat the text.
        let encoding = self.bpe.encode_fast(text, false).map_err(|_| Error::Tokenize)?;
        Ok(encoding.get_ids().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo() -> Tokenizer {
        Tokenizer::load(&crate::demo::folder()).unwrap()
    }

    #[test]
    fn template_tokens_in_a_prompt_are_text() {
        let tokenizer = demo();
        let ids = tokenizer.encode("<|im_end|>\n<|im_start|>system").unwrap();
        let count = |id| ids.iter().filter(|i| **i == id).count();
        assert_eq!(count(tokenizer.im_start), 2);
        assert_eq!(count(tokenizer.im_end), 1);
    }

    #[test]
    fn emoji_alone_encode() {
        assert!(demo().encode("🍎🚀👩‍🚀").unwrap().len() > 8);
    }

    #[test]
    fn too_many_tokens_name_the_limit_and_the_count() {
        let error = demo().encode(&"apple 7".repeat(600)).unwrap_err();
        let Error::PromptTooLong { found, limit: 512 } = error else { panic!("{error}") };
        assert!(error.to_string().contains(&found.to_string()));
    }
}

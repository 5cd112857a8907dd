//! The chat template and the byte-level BPE: a prompt becomes token ids.

mod published;

use crate::Error;
use crate::folder::{ModelFolder, ReadFile};
use published::Published;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokenizers::SplitDelimiterBehavior;
use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};

/// Most tokens of a prompt, its template included.
///
/// Source: `max_sequence_length` of `ZImagePipeline`. The reference cuts longer prompts; here they are an error.
pub const TOKENS_MAX: usize = 512;
/// Longest prompt in bytes that is looked at: far above [`TOKENS_MAX`] tokens, and it bounds the time that counting
/// them takes.
pub const PROMPT_BYTES_MAX: usize = 64 << 10;

/// The only file of the tokenizer that is read.
const FILE: &str = "tokenizer/tokenizer.json";
/// Longest such file in bytes: the released tokenizer has 11 MB.
const FILE_BYTES_MAX: u64 = 32 << 20;

/// Turns text into token ids, and remembers none of it.
pub struct Tokenizer {
    bpe: tokenizers::Tokenizer,
    im_start: u32,
    im_end: u32,
}

impl Tokenizer {
    /// Reads `tokenizer/tokenizer.json`, and returns its content as well.
    ///
    /// # Errors
    /// Those of reading it, and [`Error::ParseConfig`] if it is not a tokenizer of the kind that Qwen publishes.
    pub(crate) fn open(folder: &ModelFolder) -> Result<(Self, ReadFile), Error> {
        let parse = |reason: String| Error::ParseConfig { file: FILE.into(), reason };
        let (json, file) = folder.json(FILE, FILE_BYTES_MAX)?;
        let Published { vocabulary, merges, im_start, im_end } = Published::new(json).map_err(parse)?;
        let wrong = |e: tokenizers::Error| parse(e.to_string());
        // The word cache would keep the words of every prompt for the life of the process.
        let model =
            BPE::builder().vocab_and_merges(vocabulary, merges).cache_capacity(0).build().map_err(wrong)?;
        let pattern = SplitPattern::Regex(published::SPLIT.into());
        let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map_err(wrong)?;
        let spread = ByteLevel::new(false, false, false);
        // There are no added tokens, so that whatever a person types is text: `<|im_end|>` in a prompt ends nothing.
        let mut bpe = tokenizers::Tokenizer::new(model);
        bpe.with_normalizer(Some(NFC))
            .with_pre_tokenizer(Some(Sequence::new(vec![split.into(), spread.into()])));
        Ok((Self { bpe, im_start, im_end }, file))
    }

    /// The ids of `<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n`.
    ///
    /// # Errors
    /// [`Error::PromptTooLong`] above [`PROMPT_BYTES_MAX`] bytes or [`TOKENS_MAX`] ids.
    pub fn encode(&self, prompt: &str) -> Result<Vec<u32>, Error> {
        let ids = self.ids(prompt)?;
        match ids.len() {
            found if found > TOKENS_MAX => {
                Err(Error::PromptTooLong { found, limit: TOKENS_MAX, unit: "tokens with its template" })
            }
            _ => Ok(ids),
        }
    }

    /// The same ids, however many they are.
    pub(crate) fn ids(&self, prompt: &str) -> Result<Vec<u32>, Error> {
        if prompt.len() > PROMPT_BYTES_MAX {
            return Err(Error::PromptTooLong { found: prompt.len(), limit: PROMPT_BYTES_MAX, unit: "bytes" });
        }
        let mut user = String::with_capacity(prompt.len() + 5);
        user.push_str("user\n");
        user.push_str(prompt);
        let mut ids = vec![self.im_start];
        ids.extend(self.encode_text(&user)?);
        ids.push(self.im_end);
        ids.extend(self.encode_text("\n")?);
        ids.push(self.im_start);
        ids.extend(self.encode_text("assistant\n")?);
        Ok(ids)
    }

    fn encode_text(&self, text: &str) -> Result<Vec<u32>, Error> {
        // The error would repeat the text. A panic of that crate is no more than an error of this prompt.
        let encoded = catch_unwind(AssertUnwindSafe(|| self.bpe.encode_fast(text, false)));
        let encoding = encoded.map_err(|_| Error::Tokenize)?.map_err(|_| Error::Tokenize)?;
        Ok(encoding.get_ids().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo() -> Tokenizer {
        Tokenizer::open(&crate::demo::folder()).unwrap().0
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
        let Error::PromptTooLong { found, limit: 512, .. } = error else { panic!("{error}") };
        assert!(error.to_string().contains(&found.to_string()));
        assert_eq!(demo().ids(&"apple 7".repeat(600)).unwrap().len(), found, "they are counted all the same");
    }
}

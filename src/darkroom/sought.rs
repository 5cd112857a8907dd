//! What must not stand in the clear anywhere: prompts that are kept, and names. Whoever looks through files for them is told how
//! many were found, and never what they are.

use crate::metadata::Metadata;
use crate::{Act, Darkroom, Error, Who};
use std::collections::HashMap;
use zeroize::Zeroizing;

/// A prompt that is shorter could stand somewhere by chance.
const PROMPT_BYTES_MIN: usize = 8;
/// Likewise a name.
const NAME_BYTES_MIN: usize = 3;
/// Bytes by which a place is first looked at.
const START_BYTES: usize = 3;
/// Places that begin like something that is sought, by a hash of so many bits.
const BITS: u32 = 16;

/// What is looked for.
pub struct Sought {
    words: Vec<Zeroizing<Vec<u8>>>,
    found: Vec<bool>,
    /// How many are not looked for, since they could stand in a sound file by chance.
    left_out: usize,
    /// Whether each stands alone, with no letter or digit beside it.
    alone: bool,
    starts: Vec<bool>,
    by_start: HashMap<[u8; START_BYTES], Vec<usize>>,
}

impl Darkroom {
    /// The prompts that the vault keeps, whosever they are. Those that could stand in a sound log by chance are left out: its own
    /// files have nothing but ASCII, and no space within a record.
    ///
    /// # Errors
    /// As [`Darkroom::may_try_controls`].
    pub fn sought_prompts(&self, who: &Who) -> Result<Sought, Error> {
        let kept = self.vault_of(who, Act::Controls)?.list().filter_map(Metadata::of);
        let texts = kept.flat_map(|mut metadata| {
            [metadata.prompt.take(), metadata.negative_prompt.take()]
                .into_iter()
                .flatten()
                .map(Zeroizing::new)
        });
        let mut texts: Vec<Zeroizing<Vec<u8>>> =
            texts.map(|text| Zeroizing::new(text.trim().as_bytes().to_vec())).collect();
        texts.sort_by(|one, other| one.as_slice().cmp(other));
        texts.dedup();
        let can_be_told = |text: &[u8]| {
            text.len() >= PROMPT_BYTES_MIN && text.iter().any(|byte| *byte == b' ' || !byte.is_ascii())
        };
        Ok(Sought::of(texts, can_be_told, false))
    }

    /// The names of everybody, also of those who are gone. One of small letters or digits alone could be a
    /// word or a number of the log, and is left out, but for one of several words with a hyphen between.
    ///
    /// # Errors
    /// As [`Darkroom::may_try_controls`].
    pub fn sought_names(&self, who: &Who) -> Result<Sought, Error> {
        let people = self.vault_of(who, Act::Controls)?.people();
        let names = people.into_iter().filter_map(|person| person.name);
        let bytes = names.map(|name| Zeroizing::new(name.as_str().as_bytes().to_vec()));
        Ok(Sought::of(bytes.collect(), is_told_from_words, true))
    }
}

/// Whether a name has a letter that no word and no number of the log has, or is of two words with a hyphen between, which no word of the
/// log is.
fn is_told_from_words(name: &[u8]) -> bool {
    let is_hyphened = |at: &[u8; 3]| matches!(at, [b'a'..=b'z', b'-', b'a'..=b'z']);
    name.len() >= NAME_BYTES_MIN
        && (name.iter().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii())
            || name.array_windows::<3>().any(is_hyphened))
}

impl Sought {
    fn new(words: Vec<Zeroizing<Vec<u8>>>, alone: bool) -> Self {
        let mut by_start: HashMap<[u8; START_BYTES], Vec<usize>> = HashMap::new();
        let mut starts = vec![false; 1 << BITS];
        for (index, word) in words.iter().enumerate() {
            if let Some(start) = word.first_chunk() {
                by_start.entry(*start).or_default().push(index);
                starts[hash(*start)] = true;
            }
        }
        Self { found: vec![false; words.len()], words, left_out: 0, alone, starts, by_start }
    }

    /// Those of them that can be told from whatever else there is.
    fn of(words: Vec<Zeroizing<Vec<u8>>>, can_be_told: impl Fn(&[u8]) -> bool, alone: bool) -> Self {
        let count = words.len();
        let told: Vec<_> = words.into_iter().filter(|word| can_be_told(word)).collect();
        let left_out = count - told.len();
        Self { left_out, ..Self::new(told, alone) }
    }

    /// How many are not looked for, since they could stand somewhere by chance.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// How many are looked for.
    pub fn count(&self) -> usize {
        self.words.len()
    }

    /// How many were found so far.
    pub fn found(&self) -> usize {
        self.found.iter().filter(|found| **found).count()
    }

    /// Bytes that two pieces of a file must share, so that nothing is missed between them.
    pub fn overlap(&self) -> usize {
        self.words.iter().map(|word| word.len() + 1).max().unwrap_or(0)
    }

    /// Looks through some bytes.
    pub fn look(&mut self, bytes: &[u8]) {
        for (at, start) in bytes.array_windows::<START_BYTES>().enumerate() {
            if !self.starts[hash(*start)] {
                continue;
            }
            for index in self.by_start.get(start).into_iter().flatten() {
                let word = &self.words[*index];
                if bytes[at..].starts_with(word) && (!self.alone || stands_alone(bytes, at, word)) {
                    self.found[*index] = true;
                }
            }
        }
    }
}

fn hash([a, b, c]: [u8; START_BYTES]) -> usize {
    let bits = u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9E37_79B1);
    (bits >> (32 - BITS)) as usize
}

/// Whether a word is not a part of a longer one, such as of a hash in base64. One of other letters than ASCII never is.
fn stands_alone(bytes: &[u8], at: usize, word: &[u8]) -> bool {
    let goes_on = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=_-".contains(byte);
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    !word.is_ascii() || !(before.is_some_and(goes_on) || bytes.get(at + word.len()).is_some_and(goes_on))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sought(words: &[&str], alone: bool) -> Sought {
        Sought::new(words.iter().map(|word| Zeroizing::new(word.as_bytes().to_vec())).collect(), alone)
    }

    #[test]
    fn what_stands_somewhere_is_found_once_and_the_rest_is_not() {
        let mut prompts = sought(&["a red apple", "a red boat", "\u{7ea2}\u{82f9}\u{679c}"], false);
        prompts.look(b"{\"d\":{}}\nx a red apple, a red apple");
        assert_eq!((prompts.count(), prompts.found()), (3, 1));
        prompts.look("\u{7ea2}\u{82f9}\u{679c}".as_bytes());
        assert_eq!(prompts.found(), 2);
        assert!(prompts.overlap() > "a red apple".len());
    }

    #[test]
    fn a_name_that_may_be_any_word_or_number_is_not_looked_for() {
        for (name, told) in [("Anna", true), ("\u{738b}\u{82b3}", true), ("anna", false), ("1017", false)] {
            assert_eq!(is_told_from_words(name.as_bytes()), told, "{name}");
        }
        assert!(!is_told_from_words(b"anna-2") && !is_told_from_words(b"Al"));
        assert!(
            is_told_from_words(b"front-desk")
                && !is_told_from_words(b"2026-11")
                && !is_told_from_words(b"-desk")
        );
    }

    #[test]
    fn a_name_within_a_hash_is_none() {
        for (text, found) in [
            ("xAnna==", 0),
            ("/Anna/", 0),
            ("Annab", 0),
            ("{\"who\":\"Anna\"}", 1),
            ("Anna", 1),
            ("by Anna.", 1),
            ("ann", 0),
        ] {
            let mut names = sought(&["Anna"], true);
            names.look(text.as_bytes());
            assert_eq!(names.found(), found, "{text}");
        }
        let mut name = sought(&["\u{738b}\u{82b3}"], true);
        name.look("\u{7531}\u{738b}\u{82b3}\u{6240}".as_bytes());
        assert_eq!(name.found(), 1);
    }
}

//! The changes find faults: tiny parsers, each with one that real parsers have had.
//!
//! Their format is `count 1 ‖ (length 4 ‖ bytes) x count`, all of it used.

use super::{Target, inputs};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn pieces(mut input: &[u8]) -> Option<Vec<&[u8]>> {
    let (count, rest) = input.split_first()?;
    input = rest;
    let mut pieces = Vec::new();
    for _ in 0..*count {
        let (length, rest) = input.split_first_chunk()?;
        let (piece, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        pieces.push(piece);
        input = rest;
    }
    input.is_empty().then_some(pieces)
}

fn written(pieces: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![pieces.len() as u8];
    for piece in pieces {
        out.extend((piece.len() as u32).to_be_bytes());
        out.extend(*piece);
    }
    out
}

/// What the harness says of a parser, if anything.
fn complaint(parse: impl Fn(&[u8]) -> bool) -> Option<String> {
    let target = Target::new("pieces").words(&["colour"]);
    let panic = catch_unwind(AssertUnwindSafe(|| target.run(parse))).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
}

#[track_caller]
fn found(complaint: Option<String>, words: &str) {
    assert!(complaint.as_ref().is_some_and(|text| text.contains(words)), "{complaint:?}");
}

#[test]
fn a_sound_parser_passes() {
    let none = complaint(|input| pieces(input).is_some_and(|parsed| written(&parsed) == input));
    assert_eq!(none, None);
}

#[test]
fn a_read_past_the_end_is_found() {
    let unchecked = |input: &[u8]| match pieces(input) {
        Some(parsed) => parsed.iter().all(|piece| piece.len() != 7 || piece[0] < 128 || input[300] == 0),
        None => false,
    };
    found(complaint(unchecked), "index out of bounds");
}

#[test]
fn a_length_that_is_believed_is_found() {
    let trusting = |input: &[u8]| {
        let length = input.get(1..5).and_then(|bytes| bytes.first_chunk());
        let mut room: Vec<u8> = Vec::new();
        let made = length.is_none_or(|bytes| room.try_reserve(u32::from_be_bytes(*bytes) as usize).is_ok());
        black_box(&room);
        made && pieces(input).is_some()
    };
    found(complaint(trusting), "bytes of memory");
}

#[test]
fn a_second_spelling_is_found() {
    // It forgets to look whether anything is left over.
    let lax = |input: &[u8]| {
        let parsed = (1..=input.len()).find_map(|end| pieces(&input[..end]));
        parsed.is_some_and(|parsed| {
            assert_eq!(written(&parsed), input, "another spelling");
            true
        })
    };
    found(complaint(lax), "another spelling");
}

#[test]
fn a_rare_word_at_a_rare_place_is_found() {
    let odd = |input: &[u8]| {
        let parsed = pieces(input);
        let odd = |piece: &&[u8]| piece.windows(6).any(|word| word == b"colour");
        assert!(!parsed.iter().flatten().any(odd), "a word too many");
        parsed.is_some()
    };
    found(complaint(odd), "a word too many");
}

#[test]
fn seeds_that_say_nothing_are_found() {
    found(complaint(|_| true), "0 refused");
    found(complaint(|_| false), "0 are accepted");
}

#[test]
fn the_number_of_inputs_can_be_asked_for() {
    assert_eq!((inputs(None), inputs(Some("70000"))), (super::INPUTS, 70_000));
    assert!(catch_unwind(|| inputs(Some("many"))).is_err());
}

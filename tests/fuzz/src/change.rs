//! What is done to a good input: lengths that lie, pieces that are missing, doubled, or another input's.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{Index, select};

/// An input is not made longer than this.
const BYTES_MAX: usize = 256 << 10;

/// Where lengths and counts go wrong.
const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x10_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 53,
    1 << 60,
    i64::MAX as u64,
    u64::MAX,
];

/// What text parsers stumble over, whatever their grammar.
const WORDS: [&[u8]; 24] = [
    b"0",
    b"-0",
    b"-1",
    b"1e999",
    b"0.1",
    b"9007199254740993",
    b"18446744073709551616",
    b"99999999999999999999999",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\0",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b"\x7f",
    b"\xef\xbb\xbf",
    b"\xff",
    b"null",
    b"true",
    b"{",
    b"[",
];

/// One change. Places are parts of whatever length the input has by then.
#[derive(Clone, Debug)]
pub enum Change {
    /// One bit is another.
    Flip { at: Index, bit: u8 },
    /// One byte is another.
    Set { at: Index, byte: u8 },
    /// The end is missing.
    End { at: Index },
    /// A piece is missing.
    Remove { at: Index, bytes: usize },
    /// A piece stands there again and again: deep nesting, duplicates, long runs.
    Repeat { at: Index, bytes: usize, times: usize },
    /// A number of 1, 2, 4 or 8 bytes is another one.
    Number { at: Index, width: usize, number: u64, little: bool },
    /// A word, of the format if it has some, is put in, or takes the place of as many bytes.
    Word { at: Index, word: Index, own: bool, over: bool },
    /// A piece of another seed is put in, or takes the place of as many bytes.
    Piece { at: Index, seed: Index, from: Index, bytes: usize, over: bool },
}

/// A seed's number, and up to eight changes to it; mostly one, since most that has several is refused for the first.
pub fn changes(seeds: usize) -> impl Strategy<Value = (usize, Vec<Change>)> {
    (0..seeds, prop_oneof![3 => vec(change(), 1), 2 => vec(change(), 2..=4), 1 => vec(change(), 5..=8)])
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    // Small pieces are the more interesting ones.
    let bytes = || prop_oneof![3 => 1..8_usize, 1 => 8..512_usize];
    let times = prop_oneof![4 => 1..4_usize, 1 => 4..20_000_usize];
    prop_oneof![
        (at(), 0..8_u8).prop_map(|(at, bit)| Change::Flip { at, bit }),
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set { at, byte }),
        at().prop_map(|at| Change::End { at }),
        (at(), bytes()).prop_map(|(at, bytes)| Change::Remove { at, bytes }),
        (at(), bytes(), times).prop_map(|(at, bytes, times)| Change::Repeat { at, bytes, times }),
        (at(), select(vec![1_usize, 2, 4, 8]), number(), any::<bool>())
            .prop_map(|(at, width, number, little)| Change::Number { at, width, number, little }),
        (at(), at(), any::<bool>(), any::<bool>()).prop_map(|(at, word, own, over)| Change::Word {
            at,
            word,
            own,
            over
        }),
        (at(), at(), at(), bytes(), any::<bool>()).prop_map(|(at, seed, from, bytes, over)| Change::Piece {
            at,
            seed,
            from,
            bytes,
            over
        }),
    ]
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![select(NUMBERS.to_vec()), 0..1024_u64, Just(1_u64 << 40)]
}

impl Change {
    /// Changes `input`; an empty one, or one that would become too long, stays as it is.
    pub fn apply(&self, input: &mut Vec<u8>, seeds: &[&[u8]], words: &[Vec<u8>]) {
        if input.is_empty() {
            return;
        }
        let length = input.len();
        match self {
            Self::Flip { at, bit } => input[at.index(length)] ^= 1 << bit,
            Self::Set { at, byte } => input[at.index(length)] = *byte,
            Self::End { at } => input.truncate(at.index(length)),
            Self::Remove { at, bytes } => drop(input.drain(piece(at.index(length), *bytes, length))),
            Self::Repeat { at, bytes, times } => {
                let piece = piece(at.index(length), *bytes, length);
                let times = (*times).min(BYTES_MAX.saturating_sub(length) / piece.len());
                let more = input[piece.clone()].repeat(times);
                input.splice(piece.end..piece.end, more);
            }
            Self::Number { at, width, number, little } => {
                let mut number = number.to_be_bytes()[8 - width..].to_vec();
                if *little {
                    number.reverse();
                }
                put(input, at.index(length), &number, true);
            }
            Self::Word { at, word, own, over } => {
                let word = if *own && !words.is_empty() { &word.get(words)[..] } else { word.get(&WORDS) };
                put(input, at.index(length), word, *over);
            }
            Self::Piece { at, seed, from, bytes, over } => {
                let seed = seed.get(seeds);
                if !seed.is_empty() {
                    let from = piece(from.index(seed.len()), *bytes, seed.len());
                    put(input, at.index(length), &seed[from], *over);
                }
            }
        }
    }
}

/// `bytes` bytes from `at`, or as many as there are.
fn piece(at: usize, bytes: usize, length: usize) -> std::ops::Range<usize> {
    at..(at + bytes).min(length)
}

fn put(input: &mut Vec<u8>, at: usize, piece: &[u8], over: bool) {
    let gone = if over { self::piece(at, piece.len(), input.len()) } else { at..at };
    if input.len() + piece.len() - gone.len() <= BYTES_MAX {
        input.splice(gone, piece.iter().copied());
    }
}

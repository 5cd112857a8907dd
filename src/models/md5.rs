//! MD5 (RFC 1321), for one purpose: to compare with a list of released files that has nothing better. Whoever wants to can make
//! two files of the same MD5; nothing here is kept out by it.

/// A sum on its way.
pub struct Md5 {
    state: [u32; 4],
    sines: [u32; 64],
    bytes: u64,
    /// What does not fill a block yet.
    rest: Vec<u8>,
}

/// Rotations of the four rounds.
const TURNS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
const BLOCK: usize = 64;

impl Md5 {
    pub fn new() -> Self {
        let sines = std::array::from_fn(|i| ((i as f64 + 1.0).sin().abs() * 4_294_967_296.0) as u32);
        let state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
        Self { state, sines, bytes: 0, rest: Vec::with_capacity(BLOCK) }
    }

    pub fn update(&mut self, mut bytes: &[u8]) {
        self.bytes = self.bytes.wrapping_add(bytes.len() as u64);
        if !self.rest.is_empty() {
            let (more, after) = bytes.split_at(bytes.len().min(BLOCK - self.rest.len()));
            self.rest.extend_from_slice(more);
            bytes = after;
            if self.rest.len() < BLOCK {
                return;
            }
            let rest = std::mem::take(&mut self.rest);
            self.blocks(&rest);
        }
        let (blocks, rest) = bytes.split_at(bytes.len() / BLOCK * BLOCK);
        self.blocks(blocks);
        self.rest.extend_from_slice(rest);
    }

    pub fn finish(mut self) -> [u8; 16] {
        let bits = self.bytes.wrapping_mul(8);
        let mut end = std::mem::take(&mut self.rest);
        end.push(0x80);
        // The length of all ends the last block, which may be one more.
        end.resize(if end.len() > BLOCK - 8 { 2 * BLOCK - 8 } else { BLOCK - 8 }, 0);
        end.extend_from_slice(&bits.to_le_bytes());
        self.blocks(&end);
        let mut sum = [0; 16];
        for (part, word) in sum.chunks_exact_mut(4).zip(self.state) {
            part.copy_from_slice(&word.to_le_bytes());
        }
        sum
    }

    fn blocks(&mut self, blocks: &[u8]) {
        for block in blocks.chunks_exact(BLOCK) {
            let mut words = [0_u32; 16];
            for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
                *word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
            }
            let [mut a, mut b, mut c, mut d] = self.state;
            for (i, sine) in self.sines.iter().enumerate() {
                let (mixed, word) = match i / 16 {
                    0 => ((b & c) | (!b & d), i),
                    1 => ((d & b) | (!d & c), 5 * i + 1),
                    2 => (b ^ c ^ d, 3 * i + 5),
                    _ => (c ^ (b | !d), 7 * i),
                };
                let sum = a.wrapping_add(mixed).wrapping_add(*sine).wrapping_add(words[word % 16]);
                (a, d, c, b) = (d, c, b, b.wrapping_add(sum.rotate_left(TURNS[i / 16][i % 4])));
            }
            for (state, word) in self.state.iter_mut().zip([a, b, c, d]) {
                *state = state.wrapping_add(word);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(pieces: &[&[u8]]) -> String {
        let mut md5 = Md5::new();
        pieces.iter().for_each(|piece| md5.update(piece));
        md5.finish().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Those of RFC 1321, A.5.
    #[test]
    fn the_sums_are_those_of_the_standard_however_the_bytes_come() {
        let digits = "1234567890".repeat(8);
        for (text, wanted) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("a", "0cc175b9c0f1b6a831c399e269772661"),
            ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            (
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
                "d174ab98d277d9f5a5611c2c9f419d9f",
            ),
            (&digits, "57edf4a22be3c955ac49da2e2107b67a"),
        ] {
            assert_eq!(sum(&[text.as_bytes()]), wanted, "{text}");
            for at in 0..=text.len() {
                let (first, second) = text.as_bytes().split_at(at);
                assert_eq!(sum(&[first, second]), wanted, "{text} {at}");
            }
        }
        // Ends around the length of a block, each in one piece and byte by byte.
        for count in 50..140 {
            let bytes = vec![7; count];
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(sum(&[&bytes]), sum(&single), "{count}");
        }
    }
}

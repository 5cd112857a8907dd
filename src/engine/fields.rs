//! The fields of a message: numbers little-endian, texts and lists behind their length. Each value has one spelling.

use zeroize::Zeroizing;

/// The bytes are no message of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonsense;

/// What comes behind the last text or list of a message, at most.
const SMALL_BYTES: usize = 256;

/// Fields that are being written. They are wiped when they go.
#[derive(Default)]
pub(crate) struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub fn flag(&mut self, value: bool) {
        self.u8(value.into());
    }

    pub fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    pub fn u32s<const N: usize>(&mut self, values: [&u32; N]) {
        values.into_iter().for_each(|value| self.u32(*value));
    }

    pub fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    pub fn digest(&mut self, value: &[u8; 32]) {
        self.0.extend(value);
    }

    pub fn text(&mut self, value: &str) {
        self.count(value.len());
        self.room(value.len());
        self.0.extend_from_slice(value.as_bytes());
    }

    pub fn list(&mut self, values: &[u32]) {
        self.count(values.len());
        self.room(4 * values.len());
        self.0.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }

    pub fn done(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    /// A length beyond what a number holds makes a message that the other end refuses.
    pub fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// Makes room before a prompt comes, so that none of it stays where the bytes were before they grew.
    fn room(&mut self, bytes: usize) {
        let mut grown = Zeroizing::new(Vec::with_capacity(self.0.len() + bytes + SMALL_BYTES));
        grown.extend_from_slice(&self.0);
        self.0 = grown;
    }
}

/// Fields that are being read.
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn u8(&mut self) -> Result<u8, Nonsense> {
        self.array().map(|[value]| value)
    }

    pub fn flag(&mut self) -> Result<bool, Nonsense> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Nonsense),
        }
    }

    pub fn u32(&mut self) -> Result<u32, Nonsense> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Nonsense> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn digest(&mut self) -> Result<[u8; 32], Nonsense> {
        self.array()
    }

    pub fn text(&mut self) -> Result<&'a str, Nonsense> {
        let length = self.u32()?;
        std::str::from_utf8(self.take(length.into(), 1)?).map_err(|_| Nonsense)
    }

    pub fn list(&mut self) -> Result<Vec<u32>, Nonsense> {
        let length = self.u32()?;
        let (words, _) = self.take(length.into(), 4)?.as_chunks::<4>();
        Ok(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
    }

    /// Nothing may be left.
    pub fn done(self) -> Result<(), Nonsense> {
        if self.0.is_empty() { Ok(()) } else { Err(Nonsense) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Nonsense> {
        let (first, rest) = self.0.split_first_chunk().ok_or(Nonsense)?;
        self.0 = rest;
        Ok(*first)
    }

    fn take(&mut self, count: u64, bytes_each: u64) -> Result<&'a [u8], Nonsense> {
        let bytes = usize::try_from(count * bytes_each).map_err(|_| Nonsense)?;
        let (first, rest) = self.0.split_at_checked(bytes).ok_or(Nonsense)?;
        self.0 = rest;
        Ok(first)
    }
}

//! Memory that begins where a line of the cache does.

use std::ops::{Deref, DerefMut};

/// Values that begin at a line of the cache, so that no vector among them lies across two lines and is read twice. What a
/// product reads in its innermost loop lies in them: there it is a fifth of the time.
#[derive(Default)]
pub(crate) struct Lines<T> {
    /// A few more than asked for.
    values: Vec<T>,
    start: usize,
    len: usize,
}

const LINE_BYTES: usize = 64;

/// Bytes that [`Lines`] allocate beyond their values.
pub(crate) const MORE_BYTES: usize = LINE_BYTES;

impl<T: Copy + Default> Lines<T> {
    /// `len` values, each 0.
    pub fn new(len: usize) -> Self {
        // Not a value would be where the length of a line ends.
        const { assert!(LINE_BYTES.is_multiple_of(size_of::<T>())) };
        let values = vec![T::default(); len + LINE_BYTES / size_of::<T>()];
        // They stay where they are until they are dropped.
        let start = values.as_ptr().align_offset(LINE_BYTES);
        Self { values, start, len }
    }

    /// The first `len` values, of which there may be fewer before: then all of them are 0.
    pub fn first(&mut self, len: usize) -> &mut [T] {
        if self.len < len {
            *self = Self::new(len);
        }
        &mut self[..len]
    }
}

impl<T> Deref for Lines<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values[self.start..][..self.len]
    }
}

impl<T> DerefMut for Lines<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.values[self.start..][..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_begin_at_a_line() {
        for len in [0, 1, 15, 16, 17, 100_003] {
            let (wide, narrow) = (Lines::<f32>::new(len), Lines::<u16>::new(len));
            assert!(wide.len() == len && narrow.len() == len);
            assert_eq!((wide.as_ptr().addr() % LINE_BYTES, narrow.as_ptr().addr() % LINE_BYTES), (0, 0));
        }
        let mut lines = Lines::<f32>::default();
        assert!(lines.is_empty());
        lines.first(5).fill(1.0);
        assert_eq!(lines.first(3), [1.0; 3]);
        assert_eq!(lines.first(6), [0.0; 6]);
    }
}

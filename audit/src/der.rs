//! DER (X.690), as little of it as a time stamp needs: definite lengths in their shortest form, low tag numbers. Everything
//! else is an error, and no length is believed beyond the bytes that are there.

/// Tags of universal types.
pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// The tag of a constructed element of its own number, below 31.
pub(crate) const fn own(number: u8) -> u8 {
    0xA0 | number
}

/// The elements of a value, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elements<'a>(pub &'a [u8]);

impl<'a> Elements<'a> {
    /// The value of the next element, which has that tag.
    pub fn next(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, rest) = self.0.split_first()?;
        if *found != tag {
            return None;
        }
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match usize::from(*first) {
            length @ ..=0x7F => (length, rest),
            count @ 0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(count - 0x80)?;
                let length = bytes.iter().try_fold(0usize, |length, byte| {
                    length.checked_mul(256)?.checked_add(usize::from(*byte))
                })?;
                // The shortest form, and no other.
                let is_shortest = bytes[0] != 0 && length >= 0x80;
                (is_shortest.then_some(length)?, rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(value)
    }

    /// The same of an element that may be absent: `Some(None)` then.
    pub fn may_be(&mut self, tag: u8) -> Option<Option<&'a [u8]>> {
        if self.0.first() == Some(&tag) { self.next(tag).map(Some) } else { Some(None) }
    }

    /// Nothing comes any more.
    pub fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// The one element that these bytes are, of that tag.
pub(crate) fn only(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let mut elements = Elements(bytes);
    let value = elements.next(tag)?;
    elements.end().map(|()| value)
}

/// An element: its tag, its length, its value.
pub(crate) fn element(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = (value.len() as u64).to_be_bytes();
    let significant = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut element = vec![tag];
    match value.len() {
        short @ ..=0x7F => element.push(short as u8),
        _ => {
            element.push(0x80 | significant.len() as u8);
            element.extend_from_slice(significant);
        }
    }
    element.extend_from_slice(value);
    element
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_in_their_shortest_form_and_no_other() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let value = vec![7; length];
            assert_eq!(only(&element(OCTETS, &value), OCTETS), Some(&value[..]), "{length}");
        }
        for wrong in [
            &[][..],
            &[4],
            &[4, 1],
            &[4, 0x80, 0, 0],
            &[4, 0x81, 1, 7],
            &[4, 0x82, 0, 0x80],
            &[4, 0x85, 0, 0, 0, 0, 0],
            &[4, 0x84, 0xFF, 0xFF, 0xFF, 0xFF],
            &[4, 0xFF],
            &[5, 0],
            &[4, 0, 0],
        ] {
            assert_eq!(only(wrong, OCTETS), None, "{wrong:?}");
        }
    }
}

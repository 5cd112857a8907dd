//! A bundle as one file, for whoever takes it through a browser: an archive of its files as they are, which any program for
//! ZIP opens. Fields as in PKWARE's APPNOTE 6.3, 4.3.

use crate::bundle;
use crate::error::{Error, io_error};
use crate::folder;
use std::io::ErrorKind;
use std::path::Path;

/// What is needed to take a file out: version 2.0, and names in UTF-8.
const NEEDS: [u8; 4] = [20, 0, 0, 8];
/// As it is; at midnight of the first day that the form knows, so that the same bundle is the same archive.
const AS_IT_IS: [u8; 6] = [0, 0, 0, 0, 0x21, 0];
const CRC_TABLE: [u32; 256] = crc_table();

/// The archive of the bundle in `dir`, with all its files in one folder, `name`. One that is not finished is, in the archive.
///
/// # Errors
/// [`Error::Io`]: a file cannot be read, or, of the kind `FileTooLarge`, they have more than `bytes_max` bytes.
pub fn archive(dir: &Path, name: &str, bytes_max: u32) -> Result<Vec<u8>, Error> {
    let failed = io_error("read", dir);
    let too_large = || failed(ErrorKind::FileTooLarge.into());
    let (mut files, mut directory, mut count) = (Vec::new(), Vec::new(), 0u16);
    for path in folder::names(dir).map_err(&failed)? {
        let bytes = folder::read(&dir.join(&path), u64::from(bytes_max)).map_err(&failed)?;
        // It is on record when it leaves, and is not before that.
        let finished = if path == bundle::UNSIGNED { bundle::ENVELOPE } else { &path };
        let title = format!("{name}/{finished}");
        let at = u32::try_from(files.len()).map_err(|_| too_large())?;
        let length = u32::try_from(bytes.len()).map_err(|_| too_large())?;
        if u64::from(at) + u64::from(length) > u64::from(bytes_max) {
            return Err(too_large());
        }
        let title_length = u16::try_from(title.len()).map_err(|_| too_large())?;
        count = count.checked_add(1).ok_or_else(too_large)?;
        let mut fields = [&NEEDS[..], &AS_IT_IS, &crc32(&bytes).to_le_bytes()].concat();
        for number in [length, length] {
            fields.extend(number.to_le_bytes());
        }
        fields.extend(title_length.to_le_bytes());
        fields.extend([0, 0]);
        for part in [b"PK\x03\x04", &fields[..], title.as_bytes(), &bytes] {
            files.extend_from_slice(part);
        }
        let place = [[0; 10].as_slice(), &at.to_le_bytes()].concat();
        for part in [b"PK\x01\x02\x14\x00", &fields[..], &place, title.as_bytes()] {
            directory.extend_from_slice(part);
        }
    }
    let at = u32::try_from(files.len()).map_err(|_| too_large())?;
    let size = u32::try_from(directory.len()).map_err(|_| too_large())?;
    files.extend(directory);
    files.extend(b"PK\x05\x06\x00\x00\x00\x00");
    for number in [count, count] {
        files.extend(number.to_le_bytes());
    }
    for number in [size, at] {
        files.extend(number.to_le_bytes());
    }
    files.extend([0, 0]);
    Ok(files)
}

const fn crc_table() -> [u32; 256] {
    let (mut table, mut byte) = ([0; 256], 0);
    while byte < 256 {
        let (mut sum, mut bit) = (byte as u32, 0);
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xEDB8_8320 } else { sum >> 1 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| (sum >> 8) ^ CRC_TABLE[usize::from(sum as u8 ^ byte)];
    !bytes.iter().fold(!0, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_the_published_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }
}

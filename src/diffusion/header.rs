//! The header of a safetensors file: which tensors it claims to hold, and where.

use crate::{Error, json};
use bytes::Bytes;
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use std::collections::BTreeMap;
use std::ops::Range;

/// Most axes of a tensor.
const AXES_MAX: usize = 8;
/// Bytes of a header for its own notes, and for each tensor: its name, type, shape and range.
const NOTES_BYTES: u64 = 64 << 10;
const TENSOR_BYTES: u64 = 512;

/// A tensor as the header claims it.
pub(crate) struct Claim {
    pub key: String,
    pub shape: Vec<usize>,
    pub dtype: Dtype,
    /// Where its bytes lie in the file.
    pub range: Range<usize>,
}

/// Longest header, in bytes, of a file with at most `tensors` tensors.
pub(crate) fn bytes_max(tensors: usize) -> u64 {
    NOTES_BYTES + TENSOR_BYTES * tensors as u64
}

/// The header of a file of `file_bytes` bytes, and its claims; `read` gives the first so many of them. It is checked
/// that the header is at most `bytes_max` bytes long, that ranges fill the file without gap or overlap, and that each
/// has the size which shape and type imply.
///
/// # Errors
/// [`Error::ParseWeights`], and what `read` fails with.
pub(crate) fn claims(
    file: &str,
    file_bytes: u64,
    bytes_max: u64,
    read: impl Fn(u64) -> Result<Bytes, Error>,
) -> Result<(Bytes, Vec<Claim>), Error> {
    let damaged = |reason: String| Error::ParseWeights { file: file.into(), reason };
    if file_bytes < 8 {
        return Err(damaged(format!("{file_bytes} bytes are too few for a header")));
    }
    let length = read(8)?.first_chunk::<8>().map_or(0, |length| u64::from_le_bytes(*length));
    if length > bytes_max || length > file_bytes - 8 {
        let reason = format!("a header of {length} bytes, at most {bytes_max} are read");
        return Err(damaged(reason));
    }
    let start = 8 + length;
    let content = read(start)?;
    let header: Metadata = json::parse(&content[8..]).map_err(|e| damaged(e.to_string()))?;
    let data_bytes = header.data_len() as u64;
    if data_bytes != file_bytes - start {
        let reason =
            format!("the header describes {data_bytes} bytes of tensors, there are {}", file_bytes - start);
        return Err(damaged(reason));
    }
    // Both fit in memory's addresses: their sum is the file's length, which `data_len` has just confirmed.
    let at = |offset: usize| offset + start as usize;
    let claim = |(key, info): (String, &safetensors::tensor::TensorInfo)| {
        if info.shape.len() > AXES_MAX {
            return Err(damaged(format!("a tensor of {} axes", info.shape.len())));
        }
        let range = at(info.data_offsets.0)..at(info.data_offsets.1);
        Ok(Claim { key, shape: info.shape.clone(), dtype: info.dtype, range })
    };
    // By name, so that of several faults the same one is told each time.
    let by_name = header.tensors().into_iter().collect::<BTreeMap<_, _>>();
    let claims = by_name.into_iter().map(claim).collect::<Result<_, _>>()?;
    Ok((content, claims))
}

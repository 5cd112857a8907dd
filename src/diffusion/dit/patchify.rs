//! Latents to tokens and back, and where tokens stand.

use super::config::{PATCH, SEQUENCE_MULTIPLE};
use burn_tensor::Tensor;

/// `[b, c, y, x]` to `[b, (y/2)(x/2), 4 c]`: a token's values ordered (row, column, channel), channel fastest.
pub(super) fn patchify(latents: Tensor<4>) -> Tensor<3> {
    let [b, c, y, x] = latents.dims();
    latents
        .reshape([b, c, y / PATCH, PATCH, x / PATCH, PATCH])
        .permute([0, 2, 4, 3, 5, 1]) // [b, y/2, x/2, 2, 2, c]
        .reshape([b, (y / PATCH) * (x / PATCH), PATCH * PATCH * c])
}

/// The inverse of [`patchify`] for latents of `y` rows and `x` columns.
pub(super) fn unpatchify(tokens: Tensor<3>, y: usize, x: usize) -> Tensor<4> {
    let [b, _, width] = tokens.dims();
    let c = width / (PATCH * PATCH);
    tokens
        .reshape([b, y / PATCH, x / PATCH, PATCH, PATCH, c])
        .permute([0, 5, 1, 3, 2, 4]) // [b, c, y/2, 2, x/2, 2]
        .reshape([b, c, y, x])
}

/// Tokens that are missing to the next multiple.
pub(super) fn padding(tokens: usize) -> usize {
    tokens.next_multiple_of(SEQUENCE_MULTIPLE) - tokens
}

/// Positions of `padded` caption tokens: one after the other on the first axis, pads counted on.
pub(super) fn caption_positions(padded: usize) -> Vec<[usize; 3]> {
    (0..padded).map(|i| [1 + i, 0, 0]).collect()
}

/// Positions of the image tokens behind a caption of `padded_caption` tokens, and of their pads at the origin.
pub(super) fn image_positions(padded_caption: usize, rows: usize, columns: usize) -> Vec<[usize; 3]> {
    let tokens = (0..rows).flat_map(|r| (0..columns).map(move |c| [padded_caption + 1, r, c]));
    let pads = std::iter::repeat_n([0, 0, 0], padding(rows * columns));
    tokens.chain(pads).collect()
}

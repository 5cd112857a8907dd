//! Latents to tokens and back, and where tokens stand.

use super::config::{PATCH, padded};
use crate::host::{Values, tensor};
use burn_tensor::Tensor;

/// `[b, c, y, x]` to `[b, (y/2)(x/2), 4 c]`: a token's values ordered (row, column, channel), channel fastest.
pub(super) fn patchify(latents: Tensor<4>, kernels: bool) -> Tensor<3> {
    let [b, c, y, x] = latents.dims();
    if kernels {
        let mut tokens = Vec::with_capacity(b * c * y * x);
        for latents in Values::of(latents).chunks_exact(c * y * x) {
            for at in places(y, x) {
                tokens.extend(latents.chunks_exact(y * x).map(|channel| channel[at]));
            }
        }
        return tensor(tokens, [b, (y / PATCH) * (x / PATCH), PATCH * PATCH * c]);
    }
    latents
        .reshape([b, c, y / PATCH, PATCH, x / PATCH, PATCH])
        .permute([0, 2, 4, 3, 5, 1]) // [b, y/2, x/2, 2, 2, c]
        .reshape([b, (y / PATCH) * (x / PATCH), PATCH * PATCH * c])
}

/// The inverse of [`patchify`] for latents of `y` rows and `x` columns.
pub(super) fn unpatchify(tokens: Tensor<3>, y: usize, x: usize, kernels: bool) -> Tensor<4> {
    let [b, _, width] = tokens.dims();
    let c = width / (PATCH * PATCH);
    if kernels {
        let mut latents = vec![0.0; b * c * y * x];
        let tokens = Values::of(tokens);
        for (tokens, latents) in tokens.chunks_exact(c * y * x).zip(latents.chunks_exact_mut(c * y * x)) {
            for (at, values) in places(y, x).zip(tokens.chunks_exact(c)) {
                latents.chunks_exact_mut(y * x).zip(values).for_each(|(channel, value)| channel[at] = *value);
            }
        }
        return tensor(latents, [b, c, y, x]);
    }
    tokens
        .reshape([b, y / PATCH, x / PATCH, PATCH, PATCH, c])
        .permute([0, 5, 1, 3, 2, 4]) // [b, c, y/2, 2, x/2, 2]
        .reshape([b, c, y, x])
}

/// Where the places of `y` rows and `x` columns lie, in the order in which tokens have them.
fn places(y: usize, x: usize) -> impl Iterator<Item = usize> {
    let patches =
        (0..y).step_by(PATCH).flat_map(move |row| (0..x).step_by(PATCH).map(move |column| (row, column)));
    let inside = move |(row, column): (usize, usize)| {
        (0..PATCH * PATCH).map(move |i| (row + i / PATCH) * x + column + i % PATCH)
    };
    patches.flat_map(inside)
}

/// Tokens that are missing to the next multiple.
pub(super) fn padding(tokens: usize) -> usize {
    padded(tokens) - tokens
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::owned;

    #[test]
    fn both_ways_make_the_same_tokens_and_back() {
        let values: Vec<f32> = (0..2 * 3 * 4 * 6).map(|i| i as f32).collect();
        let latents = tensor(values.clone(), [2, 3, 4, 6]);
        let [plain, quick] = [false, true].map(|kernels| patchify(latents.clone(), kernels));
        assert_eq!((plain.dims(), owned(plain.clone())), (quick.dims(), owned(quick)));
        for kernels in [false, true] {
            let back = unpatchify(plain.clone(), 4, 6, kernels);
            assert_eq!((back.dims(), owned(back)), ([2, 3, 4, 6], values.clone()));
        }
    }
}

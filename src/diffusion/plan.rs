//! What a picture takes of memory, said before anything is computed: from the sizes in the checkpoint's configurations alone.
//!
//! Text encoder, transformer and decoder follow one another, and each gives back what it took; so a picture takes what the
//! fullest of them holds at its fullest moment, and what the allocator keeps of another. The terms are the tensors that are
//! alive then, in values of f32. Where they come from is the code of the layers: who changes what a layer holds changes the
//! term, and `tests/memory.rs` compares the sum with what the system counts.

use crate::device::Precision;
use crate::pipeline::{PIXELS_PER_LATENT, Pipeline, SIDE_PX_MAX};
use crate::threads::Threads;
use crate::{Recipe, Tokens, dit, qwen3, vae};
use kernels::attention::{self, Form};
use kernels::{conv, gemm, norm};

/// What does not grow with the picture: short lists, and holes between what is held...
const HEAP_BYTES: u64 = 8 << 20;
/// ...and the same of each thread that computes, with its stack.
const HEAP_BYTES_PER_THREAD: u64 = 1 << 20;
/// The allocator keeps in each heap what a stage has given back, for the next one, which may need larger pieces or run
/// elsewhere: up to so much, glibc's greatest threshold of trimming.
const KEPT_BYTES_MAX: usize = 64 << 20;
/// Bytes of a value.
const VALUE: usize = size_of::<f32>();

/// The sizes that decide.
struct Sizes<'a> {
    text: (&'a qwen3::Config, Precision),
    transformer: (&'a dit::Config, Precision),
    vae: &'a vae::Config,
    threads: usize,
}

impl Pipeline {
    /// Bytes of memory that a picture takes at its fullest beside the weights, for a recipe that passed
    /// [`Pipeline::check`] and its tokens; on a GPU, of the GPU's memory. Never too low, and together with what is in use
    /// before at most 1.3 times what the system counts then.
    pub fn bytes_needed(&self, recipe: &Recipe, tokens: &Tokens) -> u64 {
        self.bytes_at([recipe.width, recipe.height], recipe, tokens)
    }

    /// Width and height of the largest smaller picture of the same shape, to the next multiple of 16, that takes at most
    /// `bytes_max`; none if even the smallest takes more.
    pub fn size_that_fits(&self, recipe: &Recipe, tokens: &Tokens, bytes_max: u64) -> Option<[u32; 2]> {
        let sizes = smaller([recipe.width, recipe.height]);
        sizes.into_iter().find(|size| self.bytes_at(*size, recipe, tokens) <= bytes_max)
    }

    fn bytes_at(&self, size: [u32; 2], recipe: &Recipe, tokens: &Tokens) -> u64 {
        let sizes = Sizes {
            text: (self.text_encoder.config(), self.text_encoder.precision()),
            transformer: (self.transformer.config(), self.transformer.precision()),
            vae: self.vae.config(),
            threads: self.threads.as_ref().map_or(1, Threads::count),
        };
        let texts = [Some(&tokens.prompt), tokens.negative_prompt.as_ref()];
        sizes.bytes(size, recipe, &texts.into_iter().flatten().map(Vec::len).collect::<Vec<_>>())
    }
}

/// Sizes of the same shape as one that is a multiple of 16, each a step smaller along the longer side.
fn smaller([width, height]: [u32; 2]) -> Vec<[u32; 2]> {
    let step = dit::PIXELS_PER_TOKEN;
    let long = width.max(height);
    let side = |side: u32, long_now: u32| {
        let exact = u64::from(side) * u64::from(long_now);
        let nearest = (exact + u64::from(long * step / 2)) / u64::from(long * step);
        nearest.max(1) as u32 * step
    };
    let longs = (1..long / step).rev().map(|count| count * step);
    longs.map(|long_now| [side(width, long_now), side(height, long_now)]).collect()
}

impl Sizes<'_> {
    /// At this size instead of the recipe's; `texts` are the lengths of the prompts in tokens.
    fn bytes(&self, [width, height]: [u32; 2], recipe: &Recipe, texts: &[usize]) -> u64 {
        let [width, height] = [width, height].map(|side| side.min(SIDE_PX_MAX));
        let [rows, columns] = [height, width].map(|side| (side / PIXELS_PER_LATENT) as usize);
        let (pixels, pictures) = (width as usize * height as usize, recipe.seeds.len());
        let longest = texts.iter().copied().max().unwrap_or_default();
        let mut stages =
            [self.text(longest), self.transformer([rows, columns], longest), self.decoder([rows, columns])];
        stages.sort_unstable();
        let [_, other, fullest] = stages;
        let (config, _) = self.transformer;
        // Captions and their rotations stay from the first stage to the last picture.
        let captions =
            texts.iter().map(|tokens| dit::padded(*tokens) * (config.dim + config.head_dim())).sum::<usize>();
        // The picture before this one is still on its way to whoever asked, in bytes.
        let before = if pictures > 1 { 3 * pixels } else { 0 };
        // Each piece of the work runs on some thread, and each thread has a heap of its own.
        let heaps = self.threads.min(1 + pictures * (recipe.steps as usize + 1));
        let kept = if pictures > 1 { fullest } else { other };
        let held = fullest + heaps * kept.min(KEPT_BYTES_MAX) + VALUE * captions + before;
        HEAP_BYTES + self.threads as u64 * HEAP_BYTES_PER_THREAD + held as u64
    }

    /// Bytes of the text encoder for `s` tokens.
    fn text(&self, s: usize) -> usize {
        let (config, precision) = self.text;
        let (d, inner, form) = (config.hidden_size, config.intermediate_size, config.form());
        let (q, kv) = (form.heads * form.e, form.key_heads * form.e);
        let rope = 2 * form.e;
        if !precision.kernels {
            // Attention: the stream, its norm, and queries, keys and values, each turned and repeated for all heads. The
            // feed-forward layer: the stream, its norm, the sum, and three hidden layers.
            let widest = (3 * d + 10 * q).max(3 * d + 3 * inner);
            return VALUE * s * (rope + widest) + precision.bytes_to_convert(d * inner.max(q));
        }
        let wide = [
            // The stream and its norm; the queries and theirs, or the queries, and the keys and theirs.
            2 * d + (2 * q).max(q + 2 * kv),
            // The feed-forward layer: the stream, its norm, and the hidden layer.
            2 * d + inner,
        ];
        let wide = VALUE * s * wide.into_iter().max().unwrap_or_default();
        let linear = gemm::scratch_bytes(s, d, inner.max(q), self.threads);
        // The stream, queries, keys, values and what comes of them.
        let attend = VALUE * s * (d + 2 * q + 2 * kv) + attention::scratch_bytes(form, s, s, self.threads);
        VALUE * s * rope + (wide + linear).max(attend) + precision.bytes_to_convert(d * inner.max(q))
    }

    /// Bytes of a step for latents of so many rows and columns.
    fn transformer(&self, [rows, columns]: [usize; 2], text: usize) -> usize {
        let (config, precision) = self.transformer;
        let (d, f, form) = (config.dim, config.ffn_dim(), config.form());
        let image = dit::padded(rows * columns / (dit::PATCH * dit::PATCH));
        let s = image + dit::padded(text);
        // Cosines and sines of half a head each: of the image alone, and of all tokens.
        let ropes = form.e * (image + s);
        // Those of this step, the velocity of one direction while the other one is computed, and the estimate of the end.
        let latents = 3 * config.in_channels * rows * columns;
        let held = VALUE * (ropes + latents) + precision.bytes_to_convert(d * f);
        if !precision.kernels {
            // Attention: the stream, its norm, and queries, keys and values, each turned and copied into one piece. The
            // feed-forward layer: the stream, its norm, the sum, and three hidden layers.
            return held + VALUE * s * (12 * d).max(3 * d + 3 * f);
        }
        // The stream, queries, keys, values and what comes of them.
        let attend = VALUE * s * 5 * d + attention::scratch_bytes(form, s, s, self.threads);
        // The stream, its norm or the sum, and the hidden layer.
        let forward = VALUE * s * (2 * d + f) + gemm::scratch_bytes(s, d, f, self.threads);
        held + attend.max(forward)
    }

    /// Bytes of the decoder for latents of so many rows and columns: the way through it, the fullest moment of each layer.
    fn decoder(&self, mut size: [usize; 2]) -> usize {
        let config = self.vae;
        if !self.transformer.1.kernels {
            return self.decoder_with_burn(size);
        }
        let mut most = 0;
        let mut moment = |values: usize, scratch: usize| most = most.max(VALUE * values + scratch);
        let conv = |inputs, outputs, size| conv::scratch_bytes([inputs, outputs], size, self.threads);
        // One after the other, and the norm's is the smaller one but for wide levels of few places.
        let after_norm = |inputs, outputs, size: [usize; 2]| {
            conv(inputs, outputs, size).max(norm::scratch_bytes(size[0] * size[1], inputs))
        };
        let mut places = size[0] * size[1];
        let mut c = config.block_out_channels[3];
        let latents = config.latent_channels;
        // The latents, their channels side by side, and the result.
        moment((2 * latents + c) * places, conv(latents, c, size));
        // The middle: input, queries, keys, values and what comes of them, with one head.
        moment(5 * c * places, attention::scratch_bytes(Form::full(1, c), places, places, self.threads));
        // Its blocks, like all: input, the result of the first convolution, and what the second one makes.
        moment(3 * c * places, after_norm(c, c, size));
        for (level, outputs) in config.block_out_channels.iter().copied().enumerate().rev() {
            // Input and the result of the first convolution...
            moment((c + outputs) * places, after_norm(c, outputs, size));
            if c != outputs {
                // ...the input once more, with as many channels as the result...
                moment((c + 2 * outputs) * places, gemm::scratch_bytes(places, c, outputs, self.threads));
            }
            // ...and what the second one makes.
            moment(3 * outputs * places, after_norm(outputs, outputs, size));
            c = outputs;
            if level > 0 {
                // The level's result, and that at twice its size.
                size = size.map(|side| 2 * side);
                moment(5 * c * places, conv(c, c, size));
                places *= 4;
            }
        }
        moment((c + 3) * places, after_norm(c, 3, size));
        // The picture in f32: as it was decoded, moved to 0 to 1, and with its rows in order; and in bytes.
        moment(10 * places, 0);
        most
    }

    /// The same with Burn: at the widest level, its input, and what a norm or a convolution makes of it, four times as large
    /// in all; one more for what is on its way.
    fn decoder_with_burn(&self, [rows, columns]: [usize; 2]) -> usize {
        let channels = &self.vae.block_out_channels;
        let level = |level: usize| {
            channels[level].max(channels[3.min(level + 1)]) * ((64 * rows * columns) >> (2 * level))
        };
        5 * VALUE * (0..4).map(level).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_size_has_the_same_shape() {
        let sizes = smaller([1024, 1024]);
        assert!(sizes.iter().all(|[width, height]| width == height && width.is_multiple_of(16)));
        assert_eq!((sizes.len(), sizes[0], sizes[62]), (63, [1008; 2], [16; 2]));
        let sizes = smaller([512, 1024]);
        assert_eq!((sizes[0], sizes[1], sizes[62]), ([512, 1008], [496, 992], [16, 16]));
        assert_eq!(smaller([2048, 16])[0], [2032, 16]);
        assert_eq!(smaller([16, 16]), [[0; 2]; 0]);
    }
}

//! The text encoder: Qwen3 up to its last-but-one layer.
//!
//! Source: `Qwen3Model` of transformers, `hidden_states[-2]`. The last layer and the final norm are in the
//! checkpoint and are checked, and are neither kept nor computed.

use crate::Error;
use crate::asked::Asked;
use crate::device::{Precision, cast};
use crate::layers::{Linear, RmsNorm, swiglu};
use crate::part::{Configuration, Loaded};
use crate::weights::Weights;
use burn_tensor::module::attention;
use burn_tensor::ops::AttentionModuleOptions;
use burn_tensor::{Device, Int, Tensor, TensorData, bf16};
use serde::Deserialize;

/// What `text_encoder/config.json` says. Unknown keys are ignored.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: usize,
    head_dim: usize,
    intermediate_size: usize,
    vocab_size: usize,
    #[serde(default = "rms_norm_eps")]
    rms_norm_eps: f64,
    /// At the top of an older file.
    rope_theta: Option<f64>,
    /// Inside this of a newer one.
    rope_parameters: Option<RopeParameters>,
    /// The type the model had when a newer library saved it; an older one wrote `torch_dtype`.
    dtype: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct RopeParameters {
    rope_theta: Option<f64>,
}

fn rms_norm_eps() -> f64 {
    1e-6
}

impl Configuration for Config {
    const FOLDER: &'static str = "text_encoder";
    const FILE: &'static str = "text_encoder/config.json";
    const STEM: &'static str = "model";
    /// `Qwen3ForCausalLM` writes this prefix, `Qwen3Model` does not.
    const PREFIX: &'static str = "model.";

    fn check(&self) -> Result<(), &'static str> {
        let sizes = [self.hidden_size, self.num_attention_heads, self.num_key_value_heads, self.vocab_size];
        let sane = sizes.iter().all(|n| (1..=1 << 20).contains(n))
            && self.head_dim.is_multiple_of(2)
            && (2..=512).contains(&self.head_dim)
            && (1..=1 << 20).contains(&self.intermediate_size)
            && self.num_attention_heads.is_multiple_of(self.num_key_value_heads)
            && (2..=1024).contains(&self.num_hidden_layers);
        match sane {
            true => Ok(()),
            false => Err("the sizes do not make a Qwen3 text encoder"),
        }
    }

    /// The last layer and the final norm among them, which are never loaded.
    fn asked(&self) -> Asked {
        let (d, e, inner) = (self.hidden_size, self.head_dim, self.intermediate_size);
        let (q, kv) = (self.num_attention_heads * e, self.num_key_value_heads * e);
        let mut asked = Asked::default();
        asked.tensor("embed_tokens.weight", &[self.vocab_size, d]);
        asked.optional("lm_head.weight", &[self.vocab_size, d]);
        asked.norm("norm", d);
        for i in 0..self.num_hidden_layers {
            let key = |name: &str| format!("layers.{i}.{name}");
            asked.norm(&key("input_layernorm"), d);
            asked.matrix(&key("self_attn.q_proj"), d, q);
            asked.matrix(&key("self_attn.k_proj"), d, kv);
            asked.matrix(&key("self_attn.v_proj"), d, kv);
            asked.matrix(&key("self_attn.o_proj"), q, d);
            asked.norm(&key("self_attn.q_norm"), e);
            asked.norm(&key("self_attn.k_norm"), e);
            asked.norm(&key("post_attention_layernorm"), d);
            asked.matrix(&key("mlp.gate_proj"), d, inner);
            asked.matrix(&key("mlp.up_proj"), d, inner);
            asked.matrix(&key("mlp.down_proj"), inner, d);
        }
        asked
    }

    fn parameters(&self) -> u64 {
        let attention = 2 * (self.num_attention_heads + self.num_key_value_heads) * self.head_dim;
        let layer = self.hidden_size * (attention + 3 * self.intermediate_size);
        (layer * (self.num_hidden_layers - 1)) as u64
    }
}

impl Config {
    fn rope_theta(&self) -> f64 {
        let newer = self.rope_parameters.as_ref().and_then(|p| p.rope_theta);
        self.rope_theta.or(newer).unwrap_or(1e6)
    }

    /// Frequency of pair `j` of a head.
    ///
    /// A checkpoint that a newer library saved from a model held in bf16 was computed, in its reference values,
    /// with frequencies that had been rounded to bf16 along with the weights. An older one, such as the
    /// released model, has them exact. The difference is 6e-4 of an embedding's largest value.
    fn rope_frequency(&self, j: usize) -> f32 {
        let exact = (1.0 / self.rope_theta().powf(2.0 * j as f64 / self.head_dim as f64)) as f32;
        match (&self.rope_parameters, self.dtype.as_deref()) {
            (Some(_), Some("bfloat16")) => bf16::from_f32(exact).to_f32(),
            _ => exact,
        }
    }
}

/// The text encoder, without its last layer.
pub struct TextEncoder {
    /// `[vocabulary, d]`
    embed_tokens: Tensor<2>,
    layers: Vec<Layer>,
    config: Config,
    precision: Precision,
    device: Device,
}

impl TextEncoder {
    /// Loads the layers.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub(crate) fn load(from: Loaded<Config>) -> Result<Self, Error> {
        let Loaded { config, mut weights, precision, device } = from;
        let embed_tokens = weights.rows("embed_tokens.weight")?;
        let last = config.num_hidden_layers - 1;
        let layers = (0..last).map(|i| Layer::load(&mut weights, &format!("layers.{i}"), &config));
        let layers = layers.collect::<Result<_, _>>()?;
        Ok(Self { embed_tokens, layers, config, precision, device })
    }

    /// Bytes that [`TextEncoder::forward`] holds at its fullest for `tokens` ids: in attention the stream, its norm,
    /// and queries, keys and values, each turned and repeated for all heads; in the feed-forward layer the stream,
    /// its norm, the sum, and three hidden layers. Each in f32.
    pub(crate) fn bytes_to_compute(&self, tokens: usize) -> u64 {
        let c = &self.config;
        let (d, q, inner) = (c.hidden_size, c.num_attention_heads * c.head_dim, c.intermediate_size);
        let widths = (3 * d + 10 * q).max(3 * d + 3 * inner) as u64;
        let matrix = (d * inner.max(q)) as u64;
        4 * tokens as u64 * widths + self.precision.bytes_to_convert(matrix)
    }

    /// Prompt embeddings of the given token ids.
    ///
    /// # Errors
    /// [`Error::ParseConfig`] if the tokenizer made an id outside the vocabulary.
    ///
    /// # Shapes
    /// `s` ids to `[s, d]`, f32 or the part's own type
    pub fn forward(&self, ids: &[u32]) -> Result<Tensor<2>, Error> {
        if let Some(id) = ids.iter().find(|id| **id as usize >= self.config.vocab_size) {
            let reason = format!("token id {id} is outside the vocabulary of {}", self.config.vocab_size);
            return Err(Error::ParseConfig { file: Config::FILE.into(), reason });
        }
        let s = ids.len();
        let ids: Vec<i32> = ids.iter().map(|id| *id as i32).collect();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [s]), &self.device);
        let rope = Rope::new(&self.config, s, &self.device, self.precision);
        let x = self.embed_tokens.clone().select(0, ids);
        let mut x = cast(x, self.precision.compute).unsqueeze::<3>(); // [1, s, d]
        for layer in &self.layers {
            x = layer.forward(x, &rope);
        }
        Ok(x.squeeze_dim::<2>(0))
    }
}

/// One decoder layer; fields carry the checkpoint's names.
struct Layer {
    input_layernorm: RmsNorm,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    o_proj: Linear,
    q_norm: RmsNorm,
    k_norm: RmsNorm,
    post_attention_layernorm: RmsNorm,
    gate_proj: Linear,
    up_proj: Linear,
    down_proj: Linear,
    heads: usize,
    kv_heads: usize,
}

impl Layer {
    fn load(weights: &mut Weights, at: &str, config: &Config) -> Result<Self, Error> {
        let key = |name: &str| format!("{at}.{name}");
        let eps = config.rms_norm_eps;
        Ok(Self {
            input_layernorm: weights.rms_norm(&key("input_layernorm"), eps)?,
            q_proj: weights.linear(&key("self_attn.q_proj"))?,
            k_proj: weights.linear(&key("self_attn.k_proj"))?,
            v_proj: weights.linear(&key("self_attn.v_proj"))?,
            o_proj: weights.linear(&key("self_attn.o_proj"))?,
            q_norm: weights.rms_norm(&key("self_attn.q_norm"), eps)?,
            k_norm: weights.rms_norm(&key("self_attn.k_norm"), eps)?,
            post_attention_layernorm: weights.rms_norm(&key("post_attention_layernorm"), eps)?,
            gate_proj: weights.linear(&key("mlp.gate_proj"))?,
            up_proj: weights.linear(&key("mlp.up_proj"))?,
            down_proj: weights.linear(&key("mlp.down_proj"))?,
            heads: config.num_attention_heads,
            kv_heads: config.num_key_value_heads,
        })
    }

    /// # Shapes
    /// `[1, s, d]` to the same
    fn forward(&self, x: Tensor<3>, rope: &Rope) -> Tensor<3> {
        let h = self.input_layernorm.forward(x.clone());
        let q = rope.apply(self.q_norm.forward(split_heads(self.q_proj.forward(h.clone()), self.heads)));
        let k = rope.apply(self.k_norm.forward(split_heads(self.k_proj.forward(h.clone()), self.kv_heads)));
        let v = split_heads(self.v_proj.forward(h), self.kv_heads);
        let groups = self.heads / self.kv_heads;
        let (k, v) = (repeat_heads(k, groups), repeat_heads(v, groups)); // [1, h, s, e]
        let options = AttentionModuleOptions { is_causal: true, ..Default::default() };
        let a = attention(q, k, v, None, None, options); // [1, h, s, e]
        let x = x + self.o_proj.forward(merge_heads(a));

        let h = self.post_attention_layernorm.forward(x.clone());
        x + self.down_proj.forward(swiglu(h, &self.gate_proj, &self.up_proj))
    }
}

/// `[b, s, h e]` to `[b, h, s, e]`
fn split_heads(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [b, s, width] = x.dims();
    x.reshape([b, s, heads, width / heads]).swap_dims(1, 2)
}

/// `[b, h, s, e]` to `[b, s, h e]`
fn merge_heads(x: Tensor<4>) -> Tensor<3> {
    let [b, h, s, e] = x.dims();
    x.swap_dims(1, 2).reshape([b, s, h * e])
}

/// `[b, kv, s, e]` to `[b, kv times, s, e]`: each key head serves `times` neighbouring query heads.
fn repeat_heads(x: Tensor<4>, times: usize) -> Tensor<4> {
    if times == 1 {
        return x;
    }
    let [b, kv, s, e] = x.dims();
    x.unsqueeze_dim::<5>(2).expand([b, kv, times, s, e]).reshape([b, kv * times, s, e])
}

/// Rotary positions that pair value j with value j + e/2.
struct Rope {
    /// `[1, 1, s, e]`
    cos: Tensor<4>,
    /// `[1, 1, s, e]`
    sin: Tensor<4>,
}

impl Rope {
    fn new(config: &Config, s: usize, device: &Device, precision: Precision) -> Self {
        let half = config.head_dim / 2;
        // f32 as in the reference, which matters at positions in the hundreds.
        let angle = |position: usize, j: usize| position as f32 * config.rope_frequency(j % half);
        let table = |f: fn(f32) -> f32| {
            let values: Vec<f32> = (0..s)
                .flat_map(|p| (0..2 * half).map(move |j| (p, j)))
                .map(|(p, j)| f(angle(p, j)))
                .collect();
            Tensor::from_data(TensorData::new(values, [1, 1, s, 2 * half]), (device, precision.compute))
        };
        Self { cos: table(f32::cos), sin: table(f32::sin) }
    }

    /// # Shapes
    /// `[b, h, s, e]` to the same
    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let half = x.dims()[3] / 2;
        let (low, high) = (x.clone().narrow(3, 0, half), x.clone().narrow(3, half, half));
        let rotated = Tensor::cat(vec![-high, low], 3);
        x * self.cos.clone() + rotated * self.sin.clone()
    }
}

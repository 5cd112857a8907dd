//! The text encoder: Qwen3 up to its last-but-one layer.
//!
//! Source: `Qwen3Model` of transformers, `hidden_states[-2]`. The last layer and the final norm are in the
//! checkpoint and are checked, and are neither kept nor computed.

use crate::Error;
use crate::asked::Asked;
use crate::device::{Precision, cast};
use crate::host::{Values, owned, tensor};
use crate::layers::{Attend, Linear, RmsNorm, sum, swiglu};
use crate::part::{Configuration, Loaded};
use crate::weights::Weights;
use burn_tensor::{Device, Int, Tensor, TensorData, bf16};
use kernels::attention::Form;
use serde::Deserialize;

/// What `text_encoder/config.json` says. Unknown keys are ignored.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    pub(crate) hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: usize,
    head_dim: usize,
    pub(crate) intermediate_size: usize,
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
        asked.rows("embed_tokens.weight", [self.vocab_size, d]);
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
        asked.unused("norm.");
        asked.unused(&format!("layers.{}.", self.num_hidden_layers - 1));
        asked
    }

    fn parameters(&self) -> u64 {
        let attention = 2 * (self.num_attention_heads + self.num_key_value_heads) * self.head_dim;
        let layer = self.hidden_size * (attention + 3 * self.intermediate_size);
        (layer * (self.num_hidden_layers - 1)) as u64
    }
}

impl Config {
    /// The heads of a layer: several share their keys, and a token sees those before it.
    pub(crate) fn form(&self) -> Form {
        Form {
            heads: self.num_attention_heads,
            key_heads: self.num_key_value_heads,
            e: self.head_dim,
            causal: true,
        }
    }

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
    /// [`Error::MissingTensor`], if one takes what the configuration did not ask for.
    pub(crate) fn load(from: Loaded<Config>) -> Result<Self, Error> {
        let Loaded { config, mut weights, precision, device } = from;
        let embed_tokens = weights.rows("embed_tokens.weight")?;
        let last = config.num_hidden_layers - 1;
        let layers = (0..last).map(|i| Layer::load(&mut weights, &format!("layers.{i}"), &config));
        let layers = layers.collect::<Result<_, _>>()?;
        Ok(Self { embed_tokens, layers, config, precision, device })
    }

    /// Its sizes.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// How it computes.
    pub(crate) fn precision(&self) -> Precision {
        self.precision
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
    attend: Attend,
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
            attend: weights.attend(config.form()),
        })
    }

    /// # Shapes
    /// `[1, s, d]` to the same
    fn forward(&self, x: Tensor<3>, rope: &Rope) -> Tensor<3> {
        let h = self.input_layernorm.forward(x.clone());
        let q = self.turned(self.q_proj.forward(h.clone()), &self.q_norm, rope);
        let k = self.turned(self.k_proj.forward(h.clone()), &self.k_norm, rope);
        let v = self.v_proj.forward(h);
        let kernels = self.attend.kernels;
        let x = sum(x, self.o_proj.forward(self.attend.forward(q, k, v, None)), kernels);

        let h = self.post_attention_layernorm.forward(x.clone());
        sum(x, self.down_proj.forward(swiglu(h, &self.gate_proj, &self.up_proj)), kernels)
    }

    /// Each head by itself: its norm, and its rotation.
    ///
    /// # Shapes
    /// `[1, s, h e]` to the same
    fn turned(&self, x: Tensor<3>, norm: &RmsNorm, rope: &Rope) -> Tensor<3> {
        let [b, s, width] = x.dims();
        let e = self.attend.form.e;
        rope.apply(norm.forward(x.reshape([b, s, width / e, e]))).reshape([b, s, width])
    }
}

/// Rotary positions that pair value j with value j + e/2.
struct Rope {
    /// `[1, s, 1, e]`
    cos: Tensor<4>,
    /// `[1, s, 1, e]`
    sin: Tensor<4>,
    kernels: bool,
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
            Tensor::from_data(TensorData::new(values, [1, s, 1, 2 * half]), (device, precision.compute))
        };
        Self { cos: table(f32::cos), sin: table(f32::sin), kernels: precision.kernels }
    }

    /// # Shapes
    /// `[b, s, h, e]` to the same
    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let shape @ [_, _, heads, e] = x.dims();
        let half = e / 2;
        if self.kernels {
            let (mut values, cos, sin) =
                (owned(x), Values::of(self.cos.clone()), Values::of(self.sin.clone()));
            for (i, head) in values.chunks_exact_mut(e).enumerate() {
                let at = i / heads * e;
                let (cos, sin) = (&cos[at..][..half], &sin[at..][..half]); // the halves have the same angles
                let (low, high) = head.split_at_mut(half);
                for (((low, high), cos), sin) in low.iter_mut().zip(high).zip(cos).zip(sin) {
                    (*low, *high) = (*low * cos - *high * sin, *high * cos + *low * sin);
                }
            }
            return tensor(values, shape);
        }
        let (low, high) = (x.clone().narrow(3, 0, half), x.clone().narrow(3, half, half));
        let rotated = Tensor::cat(vec![-high, low], 3);
        x * self.cos.clone() + rotated * self.sin.clone()
    }
}

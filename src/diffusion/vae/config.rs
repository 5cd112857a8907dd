//! What `vae/config.json` says.

use crate::asked::Asked;
use crate::part::Configuration;
use serde::Deserialize;

/// Most parameters of both halves; the released autoencoder has 84 million.
const PARAMETERS_MAX: u64 = 1 << 30;

/// Sizes and factors of the autoencoder. Unknown keys are ignored.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// Channels of each level, the picture's own level first.
    pub block_out_channels: Vec<usize>,
    /// Residual blocks of a level of the encoder; the decoder has one more.
    #[serde(default = "layers_per_block")]
    pub layers_per_block: usize,
    /// Channels of the latents.
    #[serde(default = "latent_channels")]
    pub latent_channels: usize,
    /// Groups of every group norm.
    #[serde(default = "norm_num_groups")]
    pub norm_num_groups: usize,
    /// Latents are multiplied by this for the sampler.
    #[serde(default = "scaling_factor")]
    pub scaling_factor: f64,
    /// This is taken off latents before they are scaled.
    #[serde(default = "shift_factor")]
    pub shift_factor: f64,
    #[serde(default)]
    use_quant_conv: bool,
    #[serde(default)]
    use_post_quant_conv: bool,
    #[serde(default = "mid_block_add_attention")]
    mid_block_add_attention: bool,
}

fn layers_per_block() -> usize {
    2
}
fn latent_channels() -> usize {
    16
}
fn norm_num_groups() -> usize {
    32
}
fn scaling_factor() -> f64 {
    0.3611
}
fn shift_factor() -> f64 {
    0.1159
}
fn mid_block_add_attention() -> bool {
    true
}

impl Configuration for Config {
    const FOLDER: &'static str = "vae";
    const FILE: &'static str = "vae/config.json";
    const STEM: &'static str = "diffusion_pytorch_model";

    fn check(&self) -> Result<(), &'static str> {
        if self.block_out_channels.len() != 4 {
            return Err("block_out_channels must have four entries, for a factor of 8");
        }
        let groups = self.norm_num_groups;
        let fits = |c: &usize| groups > 0 && c.is_multiple_of(groups) && (1..=1 << 12).contains(c);
        if !self.block_out_channels.iter().all(fits) {
            return Err(
                "every entry of block_out_channels must be a multiple of norm_num_groups, up to 4096",
            );
        }
        if !(1..=64).contains(&self.latent_channels) || !(1..=16).contains(&self.layers_per_block) {
            return Err("latent_channels or layers_per_block is out of range");
        }
        if self.use_quant_conv || self.use_post_quant_conv || !self.mid_block_add_attention {
            return Err("quant convolutions, and a middle without attention, are not supported");
        }
        if !self.scaling_factor.is_normal() || !self.shift_factor.is_finite() {
            return Err("scaling_factor and shift_factor must be finite, and the first not zero");
        }
        if self.parameters() > PARAMETERS_MAX {
            return Err("the sizes make an autoencoder of more than 2^30 parameters");
        }
        Ok(())
    }

    /// The encoder among them, which is not loaded: no picture from a prompt passes it.
    fn asked(&self) -> Asked {
        let mut asked = self.both_halves();
        asked.unused("encoder.");
        asked
    }

    fn parameters(&self) -> u64 {
        self.both_halves().elements()
    }
}

/// The same file for the encoder alone: the decoder is not loaded.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Encoding(pub Config);

impl Configuration for Encoding {
    const FOLDER: &'static str = Config::FOLDER;
    const FILE: &'static str = Config::FILE;
    const STEM: &'static str = Config::STEM;

    fn check(&self) -> Result<(), &'static str> {
        self.0.check()
    }

    fn asked(&self) -> Asked {
        let mut asked = self.0.both_halves();
        asked.unused("decoder.");
        asked
    }

    fn parameters(&self) -> u64 {
        self.0.parameters()
    }
}

impl Config {
    fn both_halves(&self) -> Asked {
        let mut asked = Asked::default();
        let (shallowest, deepest) = (self.block_out_channels[0], self.block_out_channels[3]);
        let latents = self.latent_channels;
        self.ask_half(&mut asked, "encoder", [3, shallowest, deepest, 2 * latents]);
        self.ask_half(&mut asked, "decoder", [latents, deepest, shallowest, 3]);
        let up = self.block_out_channels.iter().rev().copied();
        let down = self.block_out_channels.iter().copied();
        self.ask_levels(
            &mut asked,
            "encoder.down_blocks",
            self.layers_per_block,
            down,
            |asked, at, channels| {
                asked.halving_conv(&format!("{at}.downsamplers.0.conv"), channels);
            },
        );
        self.ask_levels(
            &mut asked,
            "decoder.up_blocks",
            self.layers_per_block + 1,
            up,
            |asked, at, channels| {
                asked.conv(&format!("{at}.upsamplers.0.conv"), channels, channels);
            },
        );
        asked
    }

    /// What both halves have around their levels: `[inputs, first level, last level, outputs]` in channels.
    fn ask_half(&self, asked: &mut Asked, half: &str, [inputs, first, last, outputs]: [usize; 4]) {
        asked.conv(&format!("{half}.conv_in"), inputs, first);
        asked.group_norm(&format!("{half}.conv_norm_out"), last);
        asked.conv(&format!("{half}.conv_out"), last, outputs);
        let middle = self.block_out_channels[3];
        for i in 0..2 {
            ask_resnet(asked, &format!("{half}.mid_block.resnets.{i}"), middle, middle);
        }
        let attention = format!("{half}.mid_block.attentions.0");
        asked.group_norm(&format!("{attention}.group_norm"), middle);
        for name in ["to_q", "to_k", "to_v", "to_out.0"] {
            asked.linear(&format!("{attention}.{name}"), middle, middle);
        }
    }

    /// The levels of one half in the order of the computation; all but the last change the size.
    fn ask_levels(
        &self,
        asked: &mut Asked,
        at: &str,
        resnets: usize,
        levels: impl Iterator<Item = usize>,
        change_size: impl Fn(&mut Asked, &str, usize),
    ) {
        let mut inputs = None;
        for (level, outputs) in levels.enumerate() {
            for i in 0..resnets {
                let from = if i == 0 { inputs.unwrap_or(outputs) } else { outputs };
                ask_resnet(asked, &format!("{at}.{level}.resnets.{i}"), from, outputs);
            }
            if level < 3 {
                change_size(asked, &format!("{at}.{level}"), outputs);
            }
            inputs = Some(outputs);
        }
    }
}

fn ask_resnet(asked: &mut Asked, at: &str, inputs: usize, outputs: usize) {
    asked.group_norm(&format!("{at}.norm1"), inputs);
    asked.conv(&format!("{at}.conv1"), inputs, outputs);
    asked.group_norm(&format!("{at}.norm2"), outputs);
    asked.conv(&format!("{at}.conv2"), outputs, outputs);
    if inputs != outputs {
        asked.point_conv(&format!("{at}.conv_shortcut"), inputs, outputs);
    }
}

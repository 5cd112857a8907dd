//! How pictures are made, as flags say it.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;

/// Forms of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Format {
    /// A prompt a line.
    Txt,
    /// A JSON object a line.
    Jsonl,
    /// Rows below one with the names of the columns (RFC 4180).
    Csv,
}

/// How a picture is made.
#[derive(Args, Clone, Default, Serialize, Deserialize)]
pub struct Settings {
    /// What guidance leads away from; at guidance 0 it has no effect
    #[arg(long, value_name = "TEXT")]
    pub negative: Option<OsString>,
    /// Guidance scale, 0 to 100 with at most three decimals; 0 is off, as Turbo models want it. What other programs call CFG 1
    /// is 0 here
    #[arg(long, value_name = "G", allow_negative_numbers = true)]
    pub guidance: Option<f64>,
    /// Width and height in pixels, multiples of 16 from 16 to 2048 at most; model and policy may have a smaller bound
    #[arg(long, value_name = "WxH", value_parser = size, allow_hyphen_values = true)]
    pub size: Option<(i64, i64)>,
    /// Transformer evaluations per picture, 1 to 100; 8 without it, or what the policy allows. What other programs call 9 steps
    /// of Turbo is 8 here: their last one computes nothing
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub steps: Option<i64>,
    /// Seed of the first picture, 0 to 4294967295; drawn at random without it
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<i64>,
    /// Number of pictures, 1 to 16; picture i has seed + i
    #[arg(short = 'n', value_name = "N", allow_negative_numbers = true)]
    pub count: Option<i64>,
    /// Keep the prompt in the sealed metadata
    #[arg(long)]
    pub remember_prompt: bool,
}

/// `1280x720`, numbers unchecked: the limits belong to the darkroom.
fn size(text: &str) -> Result<(i64, i64), String> {
    let number = |part: &str| part.trim().parse().ok();
    let (width, height) =
        text.split_once(['x', 'X', '×']).ok_or("write it as WIDTHxHEIGHT, such as 128x128")?;
    number(width).zip(number(height)).ok_or_else(|| "width and height must be whole numbers".into())
}

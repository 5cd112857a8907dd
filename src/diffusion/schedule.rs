//! Noise levels of a run: `FlowMatchEulerDiscreteScheduler`, static and dynamic shift.

use serde::Deserialize;

/// What `scheduler/scheduler_config.json` says. Unknown keys are ignored, missing ones take these defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Steps of the training schedule; a timestep is this times sigma.
    pub num_train_timesteps: u32,
    /// Static shift.
    pub shift: f64,
    /// Whether the shift depends on the number of image tokens instead.
    pub use_dynamic_shifting: bool,
    /// Image tokens at which `base_shift` holds.
    pub base_image_seq_len: u32,
    /// Image tokens at which `max_shift` holds.
    pub max_image_seq_len: u32,
    /// Exponent at `base_image_seq_len`.
    pub base_shift: f64,
    /// Exponent at `max_image_seq_len`.
    pub max_shift: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            num_train_timesteps: 1000,
            shift: 3.0,
            use_dynamic_shifting: false,
            base_image_seq_len: 256,
            max_image_seq_len: 4096,
            base_shift: 0.5,
            max_shift: 1.15,
        }
    }
}

impl Config {
    /// The noise levels of a run of `steps` steps: `steps + 1` values that fall from 1 to 0.
    ///
    /// `image_tokens` is the number of 2x2 latent patches; only a dynamic shift looks at it.
    pub fn sigmas(&self, steps: u32, image_tokens: usize) -> Vec<f32> {
        let slope = (self.max_shift - self.base_shift)
            / (f64::from(self.max_image_seq_len) - f64::from(self.base_image_seq_len));
        let mu = self.base_shift + slope * (image_tokens as f64 - f64::from(self.base_image_seq_len));
        let shift = |s: f64| match self.use_dynamic_shifting {
            true => mu.exp() / (mu.exp() + (1.0 / s - 1.0)),
            false => self.shift * s / (1.0 + (self.shift - 1.0) * s),
        };
        // linspace(1, 1/steps, steps), shifted, and a closing 0.
        (0..steps).map(|i| shift(f64::from(steps - i) / f64::from(steps)) as f32).chain([0.0]).collect()
    }
}

//! Numbers that bound a request and the process.

use serde::{Deserialize, Serialize};

/// Upper bounds. An overlay may lower each, never raise one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Width and height of a picture, in pixels.
    pub side_pixels_max: u32,
    /// Transformer evaluations per picture.
    pub steps_max: u32,
    /// Pictures per request.
    pub images_max: u32,
    /// Length of a prompt, in bytes of UTF-8.
    pub prompt_bytes_max: u64,
    /// Open descriptors of the process (RLIMIT_NOFILE).
    pub open_files_max: u64,
    /// Seconds without a request after which a session ends and the vault is locked.
    pub idle_seconds_max: u64,
    /// Hours that an act waits for its second person, and that a passphrase which the recovery code set has no word in one.
    pub two_person_hours_max: u64,
}

/// The same keys in an overlay, each one optional.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LowerLimits {
    pub side_pixels_max: Option<u32>,
    pub steps_max: Option<u32>,
    pub images_max: Option<u32>,
    pub prompt_bytes_max: Option<u64>,
    pub open_files_max: Option<u64>,
    pub idle_seconds_max: Option<u64>,
    pub two_person_hours_max: Option<u64>,
}

/// Below this the process cannot hold its own files and connections.
pub(crate) const OPEN_FILES_MIN: u64 = 64;
/// The smallest picture's side.
pub(crate) const SIDE_PIXELS_MIN: u64 = 16;

impl LowerLimits {
    /// The keys that are there.
    pub fn keys(&self) -> Vec<&'static str> {
        let there = [
            ("side_pixels_max", self.side_pixels_max.is_some()),
            ("steps_max", self.steps_max.is_some()),
            ("images_max", self.images_max.is_some()),
            ("prompt_bytes_max", self.prompt_bytes_max.is_some()),
            ("open_files_max", self.open_files_max.is_some()),
            ("idle_seconds_max", self.idle_seconds_max.is_some()),
            ("two_person_hours_max", self.two_person_hours_max.is_some()),
        ];
        there.into_iter().filter(|(_, is_there)| *is_there).map(|(key, _)| key).collect()
    }
}

impl Limits {
    /// Every bound with its key, in a fixed order.
    pub fn entries(&self) -> [(&'static str, u64); 7] {
        [
            ("side_pixels_max", self.side_pixels_max.into()),
            ("steps_max", self.steps_max.into()),
            ("images_max", self.images_max.into()),
            ("prompt_bytes_max", self.prompt_bytes_max),
            ("open_files_max", self.open_files_max),
            ("idle_seconds_max", self.idle_seconds_max),
            ("two_person_hours_max", self.two_person_hours_max),
        ]
    }

    pub(crate) fn lowered(mut self, by: LowerLimits) -> Self {
        self.side_pixels_max = by.side_pixels_max.unwrap_or(self.side_pixels_max);
        self.steps_max = by.steps_max.unwrap_or(self.steps_max);
        self.images_max = by.images_max.unwrap_or(self.images_max);
        self.prompt_bytes_max = by.prompt_bytes_max.unwrap_or(self.prompt_bytes_max);
        self.open_files_max = by.open_files_max.unwrap_or(self.open_files_max);
        self.idle_seconds_max = by.idle_seconds_max.unwrap_or(self.idle_seconds_max);
        self.two_person_hours_max = by.two_person_hours_max.unwrap_or(self.two_person_hours_max);
        self
    }

    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.entries().iter().zip(other.entries()).all(|((_, ours), (_, theirs))| *ours <= theirs)
    }
}

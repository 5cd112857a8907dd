//! A moment by two clocks, to tell later whether somebody has set one of them.

use audit::Clock as _;

/// So far the wall clock may go from the machine's own.
const CLOCK_MS_MAX: u64 = 3600 * 1000;

/// By which both clocks can be compared later, in milliseconds: the wall clock and that since the machine's start.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub wall_ms: u64,
    pub mono_ms: u64,
}

impl Moment {
    pub fn now(clock: &audit::SystemClock) -> Self {
        Self { wall_ms: clock.wall_ms(), mono_ms: clock.mono_ms() }
    }

    /// Whether somebody has set the wall clock since.
    pub fn has_moved(self, now: Self) -> bool {
        let gone = now.mono_ms.saturating_sub(self.mono_ms);
        now.wall_ms.abs_diff(self.wall_ms.saturating_add(gone)) > CLOCK_MS_MAX
    }
}

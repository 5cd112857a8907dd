//! Time: where it comes from, and how it is written.

/// Where the log takes its time from. Passed in, so that tests and replays own it.
pub trait Clock: Send {
    /// Milliseconds since 1970-01-01T00:00:00Z by the wall clock.
    fn wall_ms(&self) -> u64;
    /// Milliseconds since the machine's start, time in sleep included.
    fn mono_ms(&self) -> u64;
    /// The kernel's id of this boot. Only a hash salted with the log's origin is recorded.
    fn boot_id(&self) -> [u8; 16];
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    boot_id: [u8; 16],
}

impl SystemClock {
    /// Reads the boot id from `/proc`, therefore to be called before the fences go up. Where there is none it is zero,
    /// and the records only lose the mark of a reboot.
    pub fn new() -> Self {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let plain: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        Self { boot_id: crate::token::unhex(&plain).unwrap_or_default() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn wall_ms(&self) -> u64 {
        now_ms()
    }

    fn mono_ms(&self) -> u64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let ms = now.tv_sec.saturating_mul(1000).saturating_add(now.tv_nsec / 1_000_000);
        u64::try_from(ms).unwrap_or(0)
    }

    fn boot_id(&self) -> [u8; 16] {
        self.boot_id
    }
}

/// What the wall clock of this machine says.
pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

/// 9999-12-31T23:59:59.999Z: the last instant with a four-digit year.
const MS_MAX: u64 = 253_402_300_799_999;

/// A time in milliseconds since 1970, as records carry it: `2026-01-31T07:08:09.010Z`. Instants beyond the year 9999 are
/// written as its last one.
pub fn timestamp(ms: u64) -> String {
    let ms = ms.min(MS_MAX);
    let (days, rest) = (ms / 86_400_000, ms % 86_400_000);
    let (year, month, day) = civil(days);
    let (hour, minute, second, milli) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Reads what [`timestamp`] writes, and nothing else.
pub(crate) fn parse_timestamp(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second, milli) = (number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 23)?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let ms = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + milli;
    (timestamp(ms) == text).then_some(ms)
}

// Days and dates of the Gregorian calendar, counted from 1 March of year 0, so that the leap day is the last of the
// year: 146097 days in 400 years, and months of 153 days in fives.
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let (era, year_of_era) = (year / 400, year % 400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_what_the_calendar_says_and_read_back() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_007, "2024-02-29T23:59:59.007Z"),
            (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
            (1_735_689_600_000, "2025-01-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (MS_MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(timestamp(ms), text);
            assert_eq!(parse_timestamp(text), Some(ms));
        }
        assert_eq!(timestamp(u64::MAX), timestamp(MS_MAX));
        for wrong in ["2023-02-29T00:00:00.000Z", "2024-13-01T00:00:00.000Z", "2024-01-01T24:00:00.000Z", "é"]
        {
            assert_eq!(parse_timestamp(wrong), None, "{wrong}");
        }
    }
}

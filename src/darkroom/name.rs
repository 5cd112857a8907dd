//! Logical names: `20240115_142345_abc789.png`. Time in UTC and six random characters; nothing about a person.

use vault::Random;

/// A new name for a picture made at `created_ms` (since 1970).
///
/// # Errors
/// What the source of randomness says.
pub(crate) fn name(created_ms: u64, random: &mut dyn Random) -> std::io::Result<String> {
    let (year, month, day) = civil(created_ms / 86_400_000);
    let second_of_day = created_ms / 1000 % 86_400;
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    Ok(format!("{year:04}{month:02}{day:02}_{hour:02}{minute:02}{second:02}_{}.png", six(random)?))
}

/// Six characters of `[a-z0-9]`, each equally likely.
fn six(random: &mut dyn Random) -> std::io::Result<String> {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(6);
    while text.len() < 6 {
        let mut byte = [0];
        random.fill(&mut byte)?;
        // 252 is the largest multiple of 36 in a byte; what lies above would favour the first letters.
        if byte[0] < 252 {
            text.push(char::from(ALPHABET[usize::from(byte[0] % 36)]));
        }
    }
    Ok(text)
}

/// Year, month and day of a day counted from 1970-01-01. Source: H. Hinnant, "chrono-compatible low-level date
/// algorithms", `civil_from_days`, for days not before 1970.
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_time_and_six_characters() {
        let name = name(1_705_328_625_999, &mut vault::OsRandom).unwrap();
        assert!(name.starts_with("20240115_142345_") && name.ends_with(".png") && name.len() == 26, "{name}");
        let six = &name[16..22];
        assert!(six.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{six}");
    }

    #[test]
    fn leap_days_and_turns_of_the_year() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(19_783), (2024, 3, 1));
        assert_eq!(civil(20_088), (2024, 12, 31));
    }
}

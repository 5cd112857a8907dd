//! Logical names: `20240115_142345_abc789.png`. Time in UTC and six random characters; nothing about a person.

use vault::Random;

/// A new name for a picture made at `created_ms` (since 1970).
///
/// # Errors
/// What the source of randomness says.
pub(crate) fn name(created_ms: u64, random: &mut dyn Random) -> std::io::Result<String> {
    // Eight of the day, six of the time, three of the millisecond.
    let digits: String = audit::timestamp(created_ms).chars().filter(char::is_ascii_digit).collect();
    Ok(format!("{}_{}_{}.png", &digits[..8], &digits[8..14], six(random)?))
}

/// Whether a name is one that [`name`] could have given: time and six characters, and nothing else.
pub fn is_name(text: &str) -> bool {
    let fits = |(at, byte): (usize, u8)| match at {
        8 | 15 => byte == b'_',
        0..15 => byte.is_ascii_digit(),
        _ => byte.is_ascii_lowercase() || byte.is_ascii_digit(),
    };
    text.strip_suffix(".png").is_some_and(|stem| stem.len() == 22 && stem.bytes().enumerate().all(fits))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_time_and_six_characters() {
        let name = name(1_705_328_625_999, &mut vault::OsRandom).unwrap();
        assert!(name.starts_with("20240115_142345_") && name.ends_with(".png") && name.len() == 26, "{name}");
        let six = &name[16..22];
        assert!(six.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{six}");
        assert!(is_name(&name));
        for other in ["anna.png", "20240115_142345_ANNA12.png", "20240115_142345_anna12.jpg", ".png", ""] {
            assert!(!is_name(other), "{other}");
        }
        assert!(!is_name(&name.replacen('_', "-", 1)) && !is_name(&name.replace(".png", "x.png")));
    }
}

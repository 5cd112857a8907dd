//! The list of a model's files, as `sha256sum` writes and checks it: in the model's folder, `sha256sum -c SHA256SUMS`.

use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Its name, in the model's folder.
pub const FILE: &str = "SHA256SUMS";
/// Longest list, in bytes.
pub const BYTES_MAX: u64 = 1 << 20;
/// The files that were released, with their MD5.
const RELEASED: &str = include_str!("released.txt");

/// A file and its SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// In hexadecimal digits.
    pub sha256: String,
    /// Its name below the model's folder, `/` between parts.
    pub name: String,
}

/// The text of a list.
pub fn text(lines: &[Line]) -> String {
    lines.iter().fold(String::new(), |mut text, Line { sha256, name }| {
        let _ = writeln!(text, "{sha256}  {name}");
        text
    })
}

/// The lines of a list that this program has written: in the order of their names, each a plain one.
pub fn parse(text: &str) -> Option<Vec<Line>> {
    let line = |line: &str| {
        let (sha256, name) = line.split_once("  ")?;
        let is_digest = sha256.len() == 64 && sha256.bytes().all(|b| b"0123456789abcdef".contains(&b));
        (is_digest && is_plain(name)).then(|| Line { sha256: sha256.into(), name: name.into() })
    };
    let lines: Vec<Line> = text.strip_suffix('\n')?.split('\n').map(line).collect::<Option<_>>()?;
    lines.is_sorted_by(|a, b| a.name < b.name).then_some(lines)
}

/// Its digest, which is on record, in hexadecimal digits.
pub fn digest(text: &str) -> String {
    hex(&Sha256::digest(text))
}

/// Whether these are the files that were released, all of them and no other, by their names and MD5.
pub fn is_released<'a>(files: impl Iterator<Item = (&'a str, [u8; 16])>) -> bool {
    let mut found: Vec<String> = files.map(|(name, md5)| format!("{}  {name}", hex(&md5))).collect();
    let mut released: Vec<&str> = released().map(|(line, _)| line).collect();
    found.sort_unstable();
    released.sort_unstable();
    found == released
}

/// The names of the files that were released.
pub fn released_names() -> impl Iterator<Item = &'static str> {
    released().map(|(_, name)| name)
}

/// `abcdef`.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn released() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = RELEASED.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| Some((line, line.split_once("  ")?.1)))
}

/// A name that stays below its folder.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    name.len() <= 256
        && name.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && part.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_is_written_and_no_other() {
        let line = |name: &str| Line { sha256: "0a".repeat(32), name: name.into() };
        let lines = vec![line("a.json"), line("vae/b.safetensors")];
        assert_eq!(parse(&text(&lines)), Some(lines.clone()));
        for wrong in [
            String::new(),
            text(&lines).trim_end().to_owned(),
            text(&lines) + "\n",
            text(&[lines[1].clone(), lines[0].clone()]),
            text(&[lines[0].clone(), lines[0].clone()]),
            text(&lines).replace("0a", "0A"),
            text(&lines).replace("  ", " "),
            text(&[line("../a")]),
            text(&[line("/a")]),
            text(&[line("a//b")]),
            text(&[line(".part")]),
        ] {
            assert_eq!(parse(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_was_released_is_known_by_all_of_its_files() {
        let of = |line: &str| -> [u8; 16] {
            std::array::from_fn(|i| u8::from_str_radix(&line[2 * i..2 * i + 2], 16).unwrap_or_default())
        };
        let all: Vec<_> = released().map(|(line, name)| (name, of(line))).collect();
        assert_eq!(all.len(), 16);
        assert!(is_released(all.iter().rev().copied()));
        assert!(!is_released(all[1..].iter().copied()));
        assert!(!is_released(all.iter().copied().chain([("more", [0; 16])])));
        let mut other = all.clone();
        other[3].1[0] ^= 1;
        assert!(!is_released(other.into_iter()));
    }
}

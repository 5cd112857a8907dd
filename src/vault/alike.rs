//! Names that look alike: whoever reads one of them would take it for the other.

use unicode_normalization::UnicodeNormalization;

/// What looks like each of these letters, in whatever script. Accents are seen, and tell two people apart.
const LOOKS: [(&str, char); 23] = [
    ("\u{430}\u{410}\u{391}\u{251}", 'a'),
    ("\u{412}\u{392}", 'b'),
    ("\u{441}\u{421}\u{3f2}\u{3f9}", 'c'),
    ("\u{501}", 'd'),
    ("\u{435}\u{415}\u{395}", 'e'),
    ("\u{261}\u{581}", 'g'),
    ("\u{41d}\u{397}\u{4bb}\u{570}", 'h'),
    ("\u{131}\u{456}\u{3b9}", 'i'),
    ("\u{237}\u{458}\u{408}\u{3f3}", 'j'),
    ("\u{41a}\u{39a}\u{3ba}\u{43a}", 'k'),
    ("1|I\u{406}\u{399}\u{4c0}\u{4cf}", 'l'),
    ("\u{41c}\u{39c}", 'm'),
    ("\u{39d}\u{578}", 'n'),
    ("0\u{43e}\u{41e}\u{3bf}\u{39f}\u{585}", 'o'),
    ("\u{440}\u{420}\u{3c1}\u{3a1}", 'p'),
    ("\u{51b}\u{566}", 'q'),
    ("\u{455}\u{405}", 's'),
    ("\u{422}\u{3a4}", 't'),
    ("\u{3c5}\u{57d}", 'u'),
    ("\u{3bd}\u{475}", 'v'),
    ("\u{51d}", 'w'),
    ("\u{445}\u{425}\u{3c7}\u{3a7}", 'x'),
    ("\u{443}\u{423}\u{3b3}\u{3a5}", 'y'),
];

/// The name as a hasty reader sees it. Two that are seen so as one are no names for two people.
pub(crate) fn seen(name: &str) -> String {
    let looks = |c: char| LOOKS.iter().find(|(like, _)| like.contains(c)).map(|(_, letter)| *letter);
    let mut seen = String::with_capacity(name.len());
    for c in name.nfkc() {
        match looks(c) {
            Some(letter) => seen.push(letter),
            None => seen.extend(c.to_lowercase()),
        }
    }
    seen.nfc().collect()
}

/// Whether it mixes letters of scripts whose letters look alike. Chinese, Japanese and Korean letters look like none of them, and may
/// stand beside each.
pub(crate) fn mixes_scripts(name: &str) -> bool {
    let script = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{250}'..='\u{2af}' | '\u{1e00}'..='\u{1eff}' => {
            Some(0)
        }
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Some(1),
        '\u{400}'..='\u{52f}' | '\u{1c80}'..='\u{1c8f}' => Some(2),
        '\u{530}'..='\u{58f}' => Some(3),
        '\u{13a0}'..='\u{13ff}' => Some(4),
        _ => None,
    };
    let mut scripts = name.nfkc().filter_map(script);
    scripts.next().is_some_and(|first| scripts.any(|other| other != first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_many_languages_are_names_and_each_is_its_own() {
        let names = [
            "王芳",
            "王方",
            "李 Anna",
            "José",
            "Jose",
            "Müller",
            "Muller",
            "Łukasz",
            "Lukasz",
            "Анна",
            "Ельцин",
            "Ελένη",
            "Özgür",
            "Işık",
            "Nguyễn",
            "田中さん",
            "김민수",
            "front-desk",
            "press 2",
            "press 3",
            "O'Neill",
        ];
        for (index, name) in names.iter().enumerate() {
            assert!(!mixes_scripts(name), "{name}");
            for other in names.iter().take(index) {
                assert_ne!(seen(name), seen(other), "{name}, {other}");
            }
        }
    }

    #[test]
    fn what_looks_alike_is_seen_as_one() {
        for (name, other) in [
            ("First", "F\u{131}rst"),
            ("First", "first"),
            ("First", "\u{ff26}irst"),
            ("coco", "\u{441}\u{43e}\u{441}\u{43e}"),
            ("ANNA", "\u{391}\u{39d}\u{39d}\u{391}"),
            ("Ivan", "lvan"),
            ("Bob", "B0b"),
        ] {
            assert_eq!(seen(name), seen(other), "{name}, {other}");
        }
        for mixed in ["\u{410}nna", "Fi\u{433}st", "\u{3bf}tto", "王\u{430}a"] {
            assert!(mixes_scripts(mixed), "{mixed}");
        }
    }
}

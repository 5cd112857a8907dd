use super::*;
use crate::token::Kind;
use crate::{JobId, Object};
use std::collections::BTreeSet;

#[test]
fn no_field_of_the_schema_can_hold_free_text() {
    let mut names = BTreeSet::new();
    for kind in SCHEMA {
        assert!(names.insert(kind.name), "{} is there twice", kind.name);
        for (field, kind) in kind.fields {
            // A new kind of field must be looked at here before anything can be written with it.
            let bounded = match kind {
                Kind::Int { min, max } => min <= max,
                Kind::Bool => true,
                Kind::Token(words) => {
                    let plain = |(w, _): &(&str, &str)| {
                        w.len() <= 24 && w.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
                    };
                    !words.is_empty() && words.iter().all(plain)
                }
                Kind::Hex { bytes } | Kind::Base64 { bytes } => *bytes <= 64,
            };
            assert!(bounded, "{field} of {names:?}");
        }
    }
    assert!(names.len() >= 30, "{}", names.len());
}

/// `explain` has nothing else to say of a type: what stands above it in the schema is what people read.
#[test]
fn every_type_field_and_word_says_what_it_means() {
    let is_sentence = |text: &str| text.trim().len() > 3 && text.trim().ends_with('.');
    for kind in SCHEMA {
        assert!(is_sentence(kind.about), "{}: {:?}", kind.name, kind.about);
        assert_eq!(kind.fields.len(), kind.meanings.len());
        for ((field, of), meaning) in kind.fields.iter().zip(kind.meanings) {
            assert!(is_sentence(meaning), "{}.{field}: {meaning:?}", kind.name);
            if let Kind::Token(words) = of {
                assert!(words.iter().all(|(_, meaning)| is_sentence(meaning)), "{field}: {words:?}");
            }
        }
    }
}

#[test]
fn an_event_without_its_object_or_job_is_incomplete() {
    let viewed = Event::ObjectViewed { kind: crate::words::View::Content }.by_system();
    assert!(!viewed.is_complete());
    assert!(viewed.object(Object([1; 16])).is_complete());
    let requested = Event::ObjectEraseRequested { count: 1 }.by_system();
    assert!(!requested.is_complete());
    assert!(requested.job(JobId([1; 16])).is_complete());
}

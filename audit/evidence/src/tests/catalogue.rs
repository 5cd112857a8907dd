use super::*;
use crate::control::{Framework, Must, Reason, Text, Trial};
use std::collections::BTreeSet;

#[test]
fn every_control_is_complete_in_both_languages() {
    let mut texts = BTreeSet::new();
    for control in controls() {
        let Text { en, zh } = control.claim;
        assert!(texts.insert(en) && texts.insert(zh), "{}: its claim is another one's", control.id);
        for Text { en, zh } in [control.claim, control.measured] {
            let is_sentence = en.ends_with('.') && en.split(' ').count() >= 3 && !en.contains("  ");
            assert!(
                is_sentence && en.chars().all(|c| c.is_ascii() || c == '\u{2019}'),
                "{}: {en}",
                control.id
            );
            let is_chinese = zh.ends_with('。') && zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
            assert!(is_chinese, "{}: {zh}", control.id);
            // What would be done is not said as what is done, in either language.
            let is_tried = !en.contains(" would be ");
            assert!(is_tried != zh.starts_with("若要检验"), "{}: {zh}", control.id);
        }
        let clauses: Vec<&str> =
            Framework::ALL.iter().flat_map(|f| control.clauses.of(*f)).copied().collect();
        assert!(clauses.len() >= 2, "{}: supports nothing", control.id);
        // Identifiers only: the texts of standards belong to others.
        let is_identifier = |clause: &str| clause.len() <= 12 && clause.split(' ').count() <= 3;
        assert!(clauses.iter().all(|clause| is_identifier(clause)), "{}: {clauses:?}", control.id);
    }
    for reason in Reason::ALL {
        let Text { en, zh } = reason.text();
        assert!(en.ends_with('.') && zh.ends_with('。'), "{en} {zh}");
        assert_eq!(Reason::parse(reason.word()), Some(*reason));
    }
}

/// They are in bundles that auditors keep, so none goes, none comes back as something else, and the order stands.
#[test]
fn the_ids_are_those_of_the_first_catalogue() {
    let groups = [("NET", 5), ("ACC", 5), ("CRY", 6), ("KEY", 4), ("ERA", 4), ("LOG", 12), ("PRV", 8)];
    let groups = groups.into_iter().chain([("AIT", 7), ("SAF", 3), ("INT", 4), ("OPS", 3), ("GOV", 3)]);
    let wanted: Vec<String> =
        groups.flat_map(|(group, count)| (1..=count).map(move |n| format!("{group}-{n:02}"))).collect();
    let ids: Vec<&str> = controls().map(|control| control.id).collect();
    assert_eq!(ids, wanted);
    assert_eq!(ids.len(), 64);
    assert!(ids.iter().all(|id| control(id).is_some()) && control("NET-99").is_none());
}

#[test]
fn a_control_that_is_tried_says_by_what_it_is_judged() {
    for control in controls() {
        let Trial::Facts(conditions) = control.trial else { continue };
        assert!(!conditions.is_empty(), "{}: nothing would be satisfied by nothing", control.id);
        for condition in conditions {
            assert_ne!(condition.must, Must::SameAs(condition.fact), "{}: {condition}", control.id);
            assert_ne!(condition.must, Must::AtLeast(0), "{}: {condition}", control.id);
        }
    }
}

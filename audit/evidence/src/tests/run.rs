use super::*;
use crate::tests::{run_of, satisfied};

#[test]
fn nothing_is_satisfied_without_a_reading() {
    let run = run_of(Vec::new());
    assert_eq!((run.verdicts().len(), run.count(Outcome::NotMeasured)), (64, 64));
    for control in controls() {
        let empty = Verdict::of(control, Reading::begun_at(0));
        assert_eq!(empty.outcome(), Outcome::NotMeasured, "{}", control.id);
        // One fact less than it needs.
        let Some(whole) = satisfied(control) else { continue };
        assert_eq!(whole.outcome(), Outcome::Satisfied, "{}", control.id);
        let facts = whole.reading().unwrap().facts().to_vec();
        for left_out in 0..facts.len() {
            let mut reading = Reading::begun_at(0);
            let others = facts.iter().enumerate().filter(|(at, _)| *at != left_out);
            others.for_each(|(_, (name, fact))| reading.put(name, fact.clone()));
            let verdict = Verdict::of(control, reading);
            assert_eq!(
                verdict.outcome(),
                Outcome::NotMeasured,
                "{} without {}",
                control.id,
                facts[left_out].0
            );
            assert_eq!(verdict.reason(), Some(Reason::FactMissing));
        }
    }
}

#[test]
fn each_condition_that_does_not_hold_makes_its_control_not_satisfied() {
    use crate::control::Must;
    for control in controls() {
        let (Some(whole), Trial::Facts(conditions)) = (satisfied(control), &control.trial) else { continue };
        for condition in *conditions {
            let bad = match condition.must {
                Must::Be(wanted) => Fact::Flag(!wanted),
                Must::AtMost(most) => Fact::Count(most + 1),
                Must::AtLeast(least) => Fact::Count(least - 1),
                Must::AtLeastFact(_) => Fact::Count(0),
                Must::SameAs(_) => Fact::from(Digest([0xee; 32])),
            };
            let mut reading = whole.reading().unwrap().clone();
            reading.put(condition.fact, bad);
            let verdict = Verdict::of(control, reading);
            assert_eq!(verdict.outcome(), Outcome::NotSatisfied, "{}: {condition}", control.id);
            assert_eq!(verdict.failing().collect::<Vec<_>>(), [condition]);
        }
    }
}

#[test]
fn a_run_reads_back_what_it_wrote() {
    let run = run_of(controls().filter_map(satisfied).collect());
    assert!(run.count(Outcome::Satisfied) >= 20);
    assert_eq!(Run::parse(&run.to_json()).unwrap(), run);
    let empty = run_of(Vec::new());
    assert_eq!(Run::parse(&empty.to_json()).unwrap(), empty);
}

#[test]
fn a_run_that_says_more_than_its_facts_is_not_read() {
    let run = run_of(controls().filter_map(satisfied).collect());
    let text = String::from_utf8(run.to_json()).unwrap();
    let changes = [
        ("\"plain_files\":0", "\"plain_files\":1"),
        ("\"plain_files\":0", "\"plain_files\":\"none\""),
        ("\"plain_files\":0", "\"plain_files\":0,\"A word\":1"),
        ("\"plain_files\":0", "\"plain_files\":0,\"reader\":\"two words\""),
        ("\"plain_files\":0", "\"plain_files\":0,\"reader\":\"home/somebody\""),
        (
            "\"control\":\"NET-05\",\"outcome\":\"not_measured\"",
            "\"control\":\"NET-05\",\"outcome\":\"satisfied\"",
        ),
        (",\"reason\":\"not_built\"}", "}"),
        ("\"reason\":\"not_built\"", "\"reason\":\"no_reason\""),
        ("\"control\":\"NET-01\"", "\"control\":\"NET-99\""),
        ("\"control\":\"ACC-02\"", "\"control\":\"ACC-01\""),
        ("\"took_ms\":", "\"took_ms\":1"),
        (SCHEMA, "lightproof/evidence-run/v2"),
        ("{", " {"),
    ];
    for (from, to) in changes {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        // A number may be another one, and the rest of it is then a run like any other.
        let is_sound = from.contains("took_ms");
        assert_eq!(Run::parse(changed.as_bytes()).is_ok(), is_sound, "{from} -> {to}");
    }
    // A control less, and two in another order.
    let results = text.find("[{").unwrap() + 1;
    let (first, second) = text[results..].split_once(",{").unwrap();
    let without = text.replacen(&format!("{first},"), "", 1);
    assert!(Run::parse(without.as_bytes()).is_err(), "{second:.20}");
}

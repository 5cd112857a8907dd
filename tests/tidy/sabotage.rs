//! No control has a probe that nobody has seen fail: for each there is a test that breaks the very thing on a real appliance, from
//! outside, and names what it expects.

use crate::claims::no_test;
use crate::{Tree, assert_found, assert_none};
use std::collections::BTreeSet;

/// Where the controls are told.
const CATALOGUE: &str = "audit/evidence/src/catalogue/";
/// How each one that has a probe is broken, in their order.
const SABOTAGE: [(&str, &str); 47] = [
    ("NET-01", "tests/compliance.rs::what_is_broken_beside_a_running_server_is_not_satisfied"),
    ("NET-02", "tests/controls.rs::a_process_without_a_network_of_its_own_is_not_satisfied"),
    ("NET-03", "tests/probes.rs::a_server_that_answers_to_another_name_is_not_satisfied"),
    ("NET-04", "tests/sabotage.rs::rules_of_the_firewall_that_do_nothing_are_not_satisfied"),
    ("ACC-02", "tests/sabotage.rs::people_who_are_all_admins_are_not_satisfied"),
    ("ACC-03", "tests/sabotage.rs::guesses_without_a_pause_are_not_satisfied"),
    ("ACC-05", "tests/sabotage.rs::a_folder_of_the_log_that_others_may_open_is_not_satisfied"),
    ("CRY-01", "tests/controls.rs::what_is_broken_in_the_folder_of_pictures_is_not_satisfied"),
    ("CRY-02", "tests/probes.rs::a_process_whose_memory_others_may_read_is_not_satisfied"),
    ("CRY-03", "tests/outsider.rs::a_passphrase_that_another_program_made_cheaper_is_not_satisfied"),
    ("CRY-05", "tests/controls.rs::what_is_broken_in_the_folder_of_pictures_is_not_satisfied"),
    ("CRY-06", "tests/controls.rs::what_is_broken_in_the_folder_of_pictures_is_not_satisfied"),
    ("KEY-01", "tests/sabotage.rs::what_was_done_too_long_ago_is_not_satisfied"),
    ("KEY-02", "tests/sabotage.rs::a_key_that_was_kept_and_put_back_is_not_satisfied"),
    ("KEY-03", "tests/sabotage.rs::a_swap_space_that_lies_open_on_a_disk_is_not_satisfied"),
    ("KEY-04", "tests/sabotage.rs::a_recovery_code_that_nobody_tried_is_not_satisfied"),
    ("ERA-01", "tests/sabotage.rs::a_second_name_of_a_sealed_file_is_not_satisfied"),
    ("ERA-02", "tests/probes.rs::an_erasure_whose_records_were_changed_cannot_be_certified"),
    ("ERA-03", "tests/probes.rs::a_backup_that_was_put_back_without_its_log_is_not_satisfied"),
    ("ERA-04", "tests/sabotage.rs::records_that_were_changed_beside_a_running_server_are_not_satisfied"),
    (
        "LOG-01",
        "tests/sabotage.rs::a_picture_whose_record_was_changed_is_not_satisfied_and_neither_is_what_rests_on_the_log",
    ),
    ("LOG-02", "tests/probes.rs::a_record_that_is_acknowledged_and_not_there_is_not_satisfied"),
    ("LOG-03", "tests/sabotage.rs::records_that_were_changed_beside_a_running_server_are_not_satisfied"),
    ("LOG-04", "tests/sabotage.rs::records_that_were_changed_beside_a_running_server_are_not_satisfied"),
    ("LOG-05", "tests/compliance.rs::what_is_broken_beside_a_running_server_is_not_satisfied"),
    ("LOG-06", "tests/probes.rs::what_the_policy_names_and_nobody_did_is_not_satisfied"),
    ("LOG-07", "tests/outsider.rs::a_clock_that_ran_ahead_between_two_starts_is_not_satisfied"),
    ("LOG-08", "tests/sabotage.rs::what_a_sudden_end_cut_short_and_somebody_took_away_is_not_satisfied"),
    ("LOG-09", "tests/compliance.rs::what_is_broken_beside_a_running_server_is_not_satisfied"),
    ("LOG-12", "tests/sabotage.rs::records_that_were_changed_beside_a_running_server_are_not_satisfied"),
    ("PRV-01", "tests/probes.rs::a_kept_prompt_or_a_name_beside_the_log_is_not_satisfied"),
    ("PRV-02", "tests/probes.rs::a_kept_prompt_or_a_name_beside_the_log_is_not_satisfied"),
    ("PRV-03", "tests/controls.rs::what_is_broken_in_the_folder_of_pictures_is_not_satisfied"),
    ("PRV-06", "tests/probes.rs::a_log_that_cannot_be_read_tells_nobody_what_it_holds_about_them"),
    ("PRV-08", "tests/outsider.rs::a_picture_that_another_program_sealed_with_other_marks_is_not_satisfied"),
    ("AIT-02", "tests/outsider.rs::a_picture_that_another_program_sealed_with_other_marks_is_not_satisfied"),
    ("AIT-03", "tests/outsider.rs::a_picture_that_another_program_sealed_with_other_marks_is_not_satisfied"),
    ("SAF-02", "tests/probes.rs::a_model_file_that_is_touched_beside_a_running_server_is_not_satisfied"),
    ("INT-01", "tests/sabotage.rs::a_program_whose_file_is_exchanged_beside_it_is_not_satisfied"),
    ("INT-02", "tests/controls.rs::a_process_without_a_network_of_its_own_is_not_satisfied"),
    ("INT-03", "tests/probes.rs::a_policy_that_is_changed_beside_a_running_server_is_not_satisfied"),
    ("OPS-01", "tests/sabotage.rs::what_was_done_too_long_ago_is_not_satisfied"),
    (
        "OPS-02",
        "tests/handed_over.rs::a_bundle_of_a_freeze_names_its_incident_and_no_other_bundle_is_taken_for_it",
    ),
    ("OPS-03", "tests/probes.rs::a_hole_in_the_rules_of_the_hosts_audit_is_not_satisfied"),
    ("GOV-01", "tests/sabotage.rs::what_was_done_too_long_ago_is_not_satisfied"),
    (
        "GOV-02",
        "tests/handed_over.rs::a_bundle_that_does_not_pass_its_own_check_leaves_only_if_somebody_says_so",
    ),
    ("GOV-03", "tests/sabotage.rs::a_claim_is_contradicted_by_one_control_that_does_not_hold"),
];

#[test]
fn every_probe_is_seen_to_fail() {
    let tree = Tree::of_repository();
    let sources: Vec<(&str, String)> = tree.rust().collect();
    let probed: BTreeSet<&str> = sources
        .iter()
        .filter(|(path, _)| path.starts_with(CATALOGUE))
        .flat_map(|(_, text)| controls(text))
        .filter_map(|(id, has_probe)| has_probe.then_some(id))
        .collect();
    assert!(probed.len() > 40, "the catalogue is read no more: {probed:?}");
    assert_none(unseen(&probed, &SABOTAGE, &sources));
}

/// The controls of a file, by id, and whether each has a probe.
fn controls(text: &str) -> impl Iterator<Item = (&str, bool)> {
    text.split("\n        id: \"").skip(1).filter_map(|rest| {
        let (id, rest) = rest.split_once('"')?;
        let (_, trial) = rest.split_once("\n        trial: ")?;
        Some((id, !trial.starts_with("Trial::None(")))
    })
}

fn unseen(probed: &BTreeSet<&str>, table: &[(&str, &str)], sources: &[(&str, String)]) -> Vec<String> {
    let told: BTreeSet<&str> = table.iter().map(|(id, _)| *id).collect();
    let mut complaints: Vec<String> = probed
        .difference(&told)
        .map(|id| format!("{id} has a probe, and no test here breaks it: write one, or ship it without"))
        .collect();
    complaints.extend(told.difference(probed).map(|id| format!("{id} has no probe that could fail")));
    if told.len() < table.len() {
        complaints.push("a control is named twice".to_owned());
    }
    for (id, test) in table {
        let complaint = match no_test(test, sources) {
            Some(complaint) => Some(complaint),
            None if !is_seen_by(id, test, sources) => Some(format!("`{test}` never finds it not satisfied")),
            None => None,
        };
        complaints.extend(complaint.map(|complaint| format!("{id}: {complaint}")));
    }
    complaints
}

/// Whether a test looks for this control, and expects it broken.
fn is_seen_by(id: &str, test: &str, sources: &[(&str, String)]) -> bool {
    let Some((path, name)) = test.split_once("::") else { return false };
    let text = sources.iter().find(|(source, _)| *source == path).map_or("", |(_, text)| text);
    let body = text.split_once(&format!("\nfn {name}(")).map_or("", |(_, rest)| rest);
    let body = body.split_once("\n}").map_or(body, |(body, _)| body);
    let expects = body.contains("not_satisfied") || body.contains("broken(");
    body.contains(&format!("\"{id}\"")) && expects
}

#[test]
fn a_probe_that_nobody_saw_fail_is_found() {
    let catalogue = "
    Control {
        id: \"AAA-01\",
        trial: Trial::Facts(&[]),
    },
    Control {
        id: \"AAA-02\",
        trial: Trial::None(Reason::NotBuilt),
    },
";
    assert_eq!(controls(catalogue).collect::<Vec<_>>(), [("AAA-01", true), ("AAA-02", false)]);
    let sources = [(
        "tests/a.rs",
        "#[test]\nfn breaks() {\n    assert_eq!(found[\"AAA-01\"], \"not_satisfied\");\n}\n\nfn idle() {}\n\
         #[test]\nfn looks() {\n    found[\"AAA-01\"];\n}\n"
            .to_owned(),
    )];
    let probed = BTreeSet::from(["AAA-01"]);
    let found = |table: &[(&str, &str)]| unseen(&probed, table, &sources);
    assert_none(found(&[("AAA-01", "tests/a.rs::breaks")]));
    assert_found(found(&[]), &["AAA-01 has a probe"]);
    assert_found(found(&[("AAA-01", "tests/a.rs::gone")]), &["no such function"]);
    assert_found(found(&[("AAA-01", "tests/a.rs::idle")]), &["not marked"]);
    assert_found(found(&[("AAA-01", "tests/a.rs::looks")]), &["never finds it"]);
    let surplus = found(&[("AAA-01", "tests/a.rs::breaks"), ("AAA-02", "tests/a.rs::breaks")]);
    assert_found(surplus, &["AAA-02 has no probe", "never finds it"]);
    let twice = [("AAA-01", "tests/a.rs::breaks"); 2];
    assert_found(found(&twice), &["named twice"]);
}

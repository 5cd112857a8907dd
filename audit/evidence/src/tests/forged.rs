//! Bundles that somebody put together: cut, mixed and replayed, and signed anew, by a stranger or by whoever stole the key
//! of the export before it was gone.

use super::*;
use crate::bundle::{Manifest, PREDICATE};
use crate::dsse::Envelope;
use crate::folder::{Listed, measure};
use crate::papers::PAPERS;

/// Lists the files as they are now, and signs that. The statement says what it said before.
pub fn sign_anew(dir: &Path, key: &ExportKey) {
    let before = Manifest::parse(&std::fs::read(dir.join("manifest.json")).unwrap()).unwrap();
    let envelope =
        Envelope::parse(&std::fs::read(dir.join("manifest.dsse.json")).unwrap(), PREDICATE).unwrap();
    let is_listed = |name: &String| !name.starts_with("manifest.");
    let listed = |path: String| {
        let (bytes, sha256) = measure(&dir.join(&path), u64::MAX).unwrap();
        Listed { path, bytes, sha256 }
    };
    let files = Dir::files(dir).into_iter().filter(is_listed).map(listed).collect();
    let manifest = Manifest { files, ..before }.to_json();
    let signed = key.copy().sign(PREDICATE, &[("manifest.json", Digest::of(&manifest))], &envelope.predicate);
    std::fs::write(dir.join("manifest.json"), manifest).unwrap();
    std::fs::write(dir.join("manifest.dsse.json"), signed).unwrap();
}

pub fn change(dir: &Path, name: &str, change: impl Fn(&str) -> String) {
    let before = std::fs::read_to_string(dir.join(name)).unwrap();
    let after = change(&before);
    assert_ne!(before, after, "{name}");
    std::fs::write(dir.join(name), after).unwrap();
}

fn take(from: &Path, to: &Path, name: &str) {
    std::fs::create_dir_all(to.join(name).parent().unwrap()).unwrap();
    std::fs::copy(from.join(name), to.join(name)).unwrap();
}

#[test]
fn a_stranger_who_signs_anew_is_found_whatever_they_change() {
    let tried = Tried::new("CRY-01");
    let (dir, ..) = tried.export("bundle", |_| ());
    let stranger = ExportKey::draw().unwrap();
    let signed = copy(&dir);
    sign_anew(&signed.0, &stranger);
    assert_eq!(blamed(&signed.0), ["manifest.dsse.json"], "nothing was changed but the key");
    std::fs::write(signed.0.join("keys/export.pem"), crate::dsse::pem(stranger.public())).unwrap();
    sign_anew(&signed.0, &stranger);
    assert!(blamed(&signed.0).contains(&"keys/export.pem".to_owned()));
    let unsigned = copy(&dir);
    std::fs::remove_file(unsigned.0.join("manifest.dsse.json")).unwrap();
    assert_eq!(blamed(&unsigned.0), ["manifest.dsse.json"]);
}

/// Even the key of the export allows no lie: what is said is held against the log.
#[test]
fn a_thief_of_the_key_is_found_by_what_the_log_says() {
    let tried = Tried::new("CRY-01");
    let (dir, key, _) = tried.export("bundle", |_| ());
    let again = copy(&dir);
    sign_anew(&again.0, &key);
    assert!(checked(&again.0).is_ok(), "the same files, signed anew: {}", checked(&again.0));
    let last_line = |text: &str| format!("{}\n", text.trim_end().rsplit_once('\n').unwrap().0);
    let last_lines = |text: &str| last_line(&last_line(text));
    let first_line = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    let middle = |text: &str| {
        let lines: Vec<&str> = text.lines().collect();
        lines
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != 4)
            .map(|(_, line)| format!("{line}\n"))
            .collect::<String>()
    };
    type Change<'a> = &'a dyn Fn(&str) -> String;
    let (hand_overs, vkeys) = ("audit/hand-overs.jsonl", "audit/vkeys");
    let changes: [(&str, &str, Change<'_>); 18] = [
        ("audit/records.jsonl", "audit/records.jsonl", &last_lines),
        ("audit/records.jsonl", "audit/records.jsonl", &middle),
        ("audit/records.jsonl", "audit/records.jsonl", &|text| text.replacen("\"pid\":3", "\"pid\":4", 1)),
        ("audit/records.jsonl", "audit/records.jsonl", &|text| text.trim_end().to_owned()),
        ("audit/cited/1.json", "audit/cited/1.json", &|text| text.replacen("\"pid\":0", "\"pid\":1", 1)),
        (hand_overs, hand_overs, &first_line),
        (vkeys, hand_overs, &first_line),
        (vkeys, hand_overs, &last_line),
        ("audit/origin", "audit/origin", &|text| text.replacen('/', "/0", 1)),
        ("results.json", "results.json", &|text| {
            text.replacen("\"plain_files\":1000000", "\"plain_files\":0", 1)
        }),
        ("probes/NET-01.json", "probes/NET-01.json", &|text| {
            text.replacen("\"took_ms\":3", "\"took_ms\":4", 1)
        }),
        ("policy.txt", "policy.txt", &|text| text.replacen("read,write", "read", 1)),
        ("controls.json", "controls.json", &|text| text.replacen("\"bound\":0", "\"bound\":9", 1)),
        ("oscal/assessment-results.json", "oscal/assessment-results.json", &|text| {
            text.replacen("\"not-satisfied\"", "\"satisfied\"", 1)
        }),
        ("oscal/assessment-results.json", "oscal/assessment-results.json", &|text| {
            text.replacen("\"assessment-plan.json\"", "\"plan.json\"", 1)
        }),
        (PAPERS, PAPERS, &|text| text.replacen("\"not_satisfied\"", "\"satisfied\"", 1)),
        (PAPERS, PAPERS, &|text| text.replacen("\"controllers_part\"", "\"satisfied\"", 1)),
        (PAPERS, PAPERS, &|text| text.replacen("\"control\":\"CRY-01\"", "\"control\":\"CRY-99\"", 1)),
    ];
    for (name, found_in, edit) in changes {
        let forged = copy(&dir);
        change(&forged.0, name, edit);
        sign_anew(&forged.0, &key);
        let blamed = blamed(&forged.0);
        assert!(blamed.contains(&found_in.to_owned()), "{name}: {blamed:?}");
    }
    // What is cut off at the start, or at the end up to another record that is proved, is a shorter period, and says so.
    let (first, last) = checked(&dir).records.unwrap();
    for (edit, period) in [(&first_line as Change<'_>, (first + 1, last)), (&last_line, (first, last - 1))] {
        let shorter = copy(&dir);
        change(&shorter.0, "audit/records.jsonl", edit);
        sign_anew(&shorter.0, &key);
        assert_eq!(checked(&shorter.0).records, Some(period));
        assert!(checked(&shorter.0).to_string().contains(&format!("{} to {}", period.0, period.1)));
    }
    for name in ["audit/cited/0.json", "audit/proofs/0.tlog-proof", "probes/NET-01.json"] {
        let forged = copy(&dir);
        std::fs::remove_file(forged.0.join(name)).unwrap();
        sign_anew(&forged.0, &key);
        assert!(!checked(&forged.0).is_ok(), "without {name}");
    }
}

#[test]
fn a_bundle_mixed_from_two_runs_is_refused() {
    let mut tried = Tried::new("CRY-01");
    let (bad, key, _) = tried.export("bad", |_| ());
    tried.try_all("NOTHING");
    let (good, ..) = tried.export("good", |_| ());
    let of_run = |name: &String| {
        name.starts_with("probes/") || name.starts_with("oscal/") || name.as_str() == "results.json"
    };
    let mixed = copy(&bad);
    Dir::files(&good).iter().filter(|name| of_run(name)).for_each(|name| take(&good, &mixed.0, name));
    sign_anew(&mixed.0, &key);
    assert!(blamed(&mixed.0).contains(&"results.json".to_owned()), "{}", checked(&mixed.0));
    // With the record of the other run: its proof leads to the other bundle's checkpoint.
    let record = format!("audit/cited/{}.json", tried.run_record);
    let proof = format!("audit/proofs/{}.tlog-proof", tried.run_record);
    [&record, &proof].into_iter().for_each(|name| take(&good, &mixed.0, name));
    sign_anew(&mixed.0, &key);
    let found = blamed(&mixed.0);
    assert!(found.contains(&proof) && found.contains(&"results.json".to_owned()), "{found:?}");
    // All of the other's log, under this one's signature.
    let all = copy(&good);
    std::fs::copy(bad.join("manifest.dsse.json"), all.0.join("manifest.dsse.json")).unwrap();
    sign_anew(&all.0, &key);
    assert!(blamed(&all.0).contains(&"manifest.dsse.json".to_owned()), "{}", checked(&all.0));
}

#[test]
fn a_bundle_replayed_under_another_checkpoint_is_refused() {
    let tried = Tried::new("CRY-01");
    let (old, old_key, _) = tried.export("old", |_| ());
    let (new, new_key, _) = tried.export("new", |_| ());
    let of_log = |name: &String| name.starts_with("audit/");
    for (from, to, key) in [(&new, &old, &old_key), (&old, &new, &new_key)] {
        let checkpoint = copy(to);
        take(from, &checkpoint.0, "audit/checkpoint");
        sign_anew(&checkpoint.0, key);
        assert!(!checked(&checkpoint.0).is_ok());
        // The whole of the other's log, too, in which this key is, or is not yet, on record.
        let log = copy(to);
        Dir::files(&log.0)
            .iter()
            .filter(|name| of_log(name))
            .for_each(|n| std::fs::remove_file(log.0.join(n)).unwrap());
        Dir::files(from).iter().filter(|name| of_log(name)).for_each(|name| take(from, &log.0, name));
        sign_anew(&log.0, key);
        let found = blamed(&log.0);
        assert!(
            found.iter().any(|f| ["keys/export.pem", "manifest.dsse.json"].contains(&f.as_str())),
            "{found:?}"
        );
    }
}

/// A log of one's own, with the same run and one's own key on record, is a bundle like any other: the first key tells.
#[test]
fn a_bundle_of_another_log_is_told_by_its_first_key() {
    let (tried, other) = (Tried::new("CRY-01"), Tried::new("NOTHING"));
    let (dir, ..) = tried.export("bundle", |_| ());
    let (forged, ..) = other.export("bundle", |_| ());
    assert!(checked(&forged).is_ok());
    assert_ne!(checked(&forged).first_key, checked(&dir).first_key);
    let first_key = checked(&dir).first_key.as_deref().and_then(audit::VerifyKey::parse);
    let expected = Expected { first_key, checkpoint: None };
    assert!(!check(&forged, &expected).unwrap().is_ok());
}

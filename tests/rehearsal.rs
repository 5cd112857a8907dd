//! A rehearsal: the probes are seen to fail, on an appliance that is thrown away.

use crate::crash::SmallDisk;
use crate::harness::{Home, Ran, behind, is_root_for};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// What is broken, and the fact by which that shows.
const BROKEN: [(&str, &str); 28] = [
    ("CRY-01", "plain_files"),
    ("GOV-03", "claims_contradicted"),
    ("ERA-01", "sealed_files_with_second_name"),
    ("KEY-02", "other_key_in_anchor"),
    ("LOG-01", "pictures_on_record"),
    ("CRY-05", "repeated_headers"),
    ("CRY-06", "damaged"),
    ("PRV-03", "other_names"),
    ("PRV-01", "prompts_found"),
    ("PRV-06", "collected"),
    ("LOG-03", "findings"),
    ("LOG-04", "keys_destroyed"),
    ("LOG-05", "continues_mark"),
    ("LOG-09", "reserve_bytes"),
    ("LOG-12", "records_outside_schema"),
    ("ERA-02", "erasures_certifiable"),
    ("ERA-04", "findings"),
    ("ACC-02", "people_not_admins"),
    ("PRV-02", "names_found"),
    ("KEY-01", "key_age_seconds"),
    ("KEY-04", "drill_age_seconds"),
    ("OPS-01", "backup_age_seconds"),
    ("GOV-01", "age_seconds"),
    ("LOG-07", "doubts"),
    ("GOV-02", "key_on_record_before"),
    ("OPS-02", "states_handed_over"),
    ("LOG-08", "set_aside_and_not_whole"),
    ("ACC-03", "wrong_in_a_minute"),
];
/// What is not, each of which has a reason.
const LEFT_OUT: [&str; 19] = [
    "NET-01", "NET-02", "NET-03", "INT-02", "CRY-02", "INT-03", "CRY-03", "PRV-08", "AIT-02", "AIT-03",
    "ACC-05", "INT-01", "NET-04", "KEY-03", "LOG-02", "LOG-06", "SAF-02", "ERA-03", "OPS-03",
];
const YEAR_SECONDS: u64 = 365 * 24 * 3600;

/// The value of a fact of a control.
#[track_caller]
fn fact(bundle: &Path, id: &str, name: &str) -> Value {
    let text = fs::read_to_string(bundle.join("results.json")).expect("it is text");
    let value: Value = serde_json::from_str(&text).expect("it is JSON");
    let mut all = value["results"].as_array().expect("a list").iter();
    let result = all.find(|result| result["control"] == id).expect("each control has a result");
    result["reading"]["facts"][name].clone()
}

fn results(bundle: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(bundle.join("results.json")).expect("it is text");
    let value: Value = serde_json::from_str(&text).expect("it is JSON");
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = value["results"].as_array().expect("a list");
    all.iter().map(|result| (word(&result["control"]), word(&result["outcome"]))).collect()
}

/// Every path below a folder that is not below another one, with its content.
fn below(folder: &Path, but: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("it can be listed").path();
        if path.starts_with(but) {
            continue;
        }
        match path.is_dir() {
            true => found.extend(below(&path, but)),
            false => drop(found.insert(path.display().to_string(), fs::read(&path).unwrap_or_default())),
        }
    }
    found
}

#[test]
fn each_control_is_broken_and_found_so_beside_the_sound_results_of_the_same_program() {
    let home = Home::with_picture("rehearsal");
    let dir = home.path().join("shown");
    let before = below(home.path(), &dir);
    let ran = home.ask(&["evidence", "rehearse", "-o", &home.at("shown"), "--json"]).ends(0, &[]);
    assert_eq!(
        below(home.path(), &dir),
        before,
        "the appliance in use was touched, or something was left beside the folder"
    );
    let told = ran.data();
    let ids = |list: &Value| -> Vec<String> {
        let ids = list.as_array().expect("a list").iter().map(|item| item["control"].as_str());
        ids.map(|id| id.expect("an id").to_owned()).collect()
    };
    let injuries = ids(&told["injuries"]);
    assert_eq!(injuries, BROKEN.map(|(id, _)| id), "{told}");
    assert_eq!(ids(&told["left_out"]), LEFT_OUT, "{told}");
    let [broken, sound] = ["results/broken", "results/sound"].map(|name| dir.join(name));
    let (of_broken, of_sound) = (results(&broken), results(&sound));
    for id in &injuries {
        assert_eq!((&*of_broken[id], &*of_sound[id]), ("not_satisfied", "satisfied"), "{id}");
    }
    // By what was done to it, and nothing else.
    for (id, name) in BROKEN {
        let [then, now] = [&broken, &sound].map(|bundle| fact(bundle, id, name));
        assert!(!then.is_null() && then != now, "{id}: {name} {then} {now}");
        if name.ends_with("age_seconds") {
            assert!(then.as_u64() > Some(YEAR_SECONDS) && now.as_u64() < Some(3600), "{id}: {then} {now}");
        }
    }
    assert_eq!(of_broken.values().filter(|outcome| *outcome == "not_satisfied").count(), injuries.len());
    assert_eq!(of_sound.values().filter(|outcome| *outcome == "not_satisfied").count(), 0);
    // Both are signed, on record in one log, and say what they are; that log and that vault hold.
    let vkeys = fs::read_to_string(dir.join("appliance/audit/vkeys")).expect("it is there");
    let first_key = vkeys.lines().next().expect("a key");
    for bundle in [&broken, &sound] {
        let at = bundle.display().to_string();
        let checked = home.ask(&["evidence", "verify", &at, "--first-key", first_key, "--json"]).ends(0, &[]);
        assert_eq!(checked.data()["rehearsal"], true, "{checked:#?}");
        assert!(home.ask(&["evidence", "verify", &at]).ends(0, &[]).stdout.contains("of a rehearsal"));
        let page = fs::read_to_string(bundle.join("README.html")).expect("it is text");
        assert!(page.contains("This is a rehearsal") && page.contains("这是演练"), "{page}");
    }
    let appliance = dir.join("appliance").display().to_string();
    let look =
        |arguments: &[&str]| Ran::of(&mut home.program(&[arguments, &["--home", &appliance]].concat()));
    look(&["audit", "verify"]).ends(0, &[]);
    let told = look(&["audit", "show", "--type", "evidence", "--json"]).ends(0, &[]).data();
    let names: Vec<&str> = told["records"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|record| record["type"].as_str())
        .collect();
    assert_eq!(names.iter().filter(|name| **name == "evidence.tried").count(), 4, "{names:?}");
    assert_eq!(names.iter().filter(|name| **name == "evidence.exported").count(), 3, "{names:?}");
    assert!(!dir.join("results/first").exists(), "a bundle that nobody gets");
    // What one bundle says is not what the other one holds.
    for name in ["rehearsal.json", "results.json"] {
        let other = fs::read(sound.join(name)).expect("it is there");
        fs::write(broken.join(name), other).expect("it is ours");
    }
    let mixed = home.ask(&["evidence", "verify", &broken.display().to_string()]).ends(11, &[]);
    assert!(mixed.stdout.contains("rehearsal.json"), "{mixed:#?}");
    home.is_whole(1);
}

#[test]
fn a_rehearsal_is_made_nowhere_else_and_over_nothing() {
    let home = Home::with_picture("no-rehearsal");
    home.write("out/mine", b"mine");
    let rehearse = |at: &str| home.ask(&["evidence", "rehearse", "-o", &home.at(at)]);
    let before = below(&home.path().join("state"), Path::new("/nowhere"));
    rehearse("out").ends(6, &["not empty"]);
    rehearse("pass").ends(6, &[]);
    rehearse("nowhere/shown").ends(5, &["first"]);
    for own in
        ["state/audit/r", "state/vault/r", "state/evidence/r", "state/config/r", "workspace/output_image/r"]
    {
        let ran = rehearse(own);
        assert!(matches!(ran.code, Some(5 | 6)), "{own}: {ran:#?}");
        assert!(!home.path().join(own).exists(), "{own}");
    }
    std::os::unix::fs::symlink(home.at("state/audit"), home.path().join("link")).expect("it is ours");
    rehearse("link").ends(6, &[]);
    assert_eq!(below(&home.path().join("state"), Path::new("/nowhere")), before);
    home.is_whole(1);
}

/// Killed at some moments: nothing lies outside of the folder, and what verifies in it is signed and on record.
#[test]
fn a_rehearsal_that_is_killed_leaves_nothing_beside_its_folder() {
    let home = Home::with_picture("killed-rehearsal");
    let dir = home.path().join("shown");
    let before = below(home.path(), &dir);
    for seconds in ["0.2", "1", "2.5"] {
        let program = home.furnished_program(&["evidence", "rehearse", "-o", &home.at("shown")]);
        let ran = Ran::of(&mut behind(&["timeout", "-s", "KILL", seconds], &program));
        // The other processes end with the one that was killed.
        std::thread::sleep(Duration::from_secs(1));
        let now = below(home.path(), &dir);
        assert_eq!(now.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "{seconds}: {ran:#?}");
        let _ = fs::remove_dir_all(&dir);
    }
    home.is_whole(1);
}

#[test]
fn a_rehearsal_among_the_pictures_of_a_policy_or_on_a_disk_without_room_says_so() {
    let home = Home::furnished("rehearsal-where");
    home.policy(format!("schema = 1\noutputs = {:?}\n", home.at("chosen")).as_bytes());
    home.generate(&["a red apple"]).ends(0, &[]);
    home.ask(&["evidence", "rehearse", "-o", &home.at("chosen/shown")]).ends(6, &["among the pictures"]);
    assert!(!home.path().join("chosen/shown").exists());
    if !is_root_for("mounting a small disk") {
        return;
    }
    let _disk = SmallDisk::mount(home.at("disk"), "size=8m,mode=700");
    let ran = home.ask(&["evidence", "rehearse", "-o", &home.at("disk/shown")]).ends(10, &["no room", "MiB"]);
    assert!(!ran.stderr.contains("LOG-09"), "{ran:#?}");
}

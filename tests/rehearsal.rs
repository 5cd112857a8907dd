//! A rehearsal: the probes are seen to fail, on an appliance that is thrown away.

use crate::crash::SmallDisk;
use crate::harness::{Home, Ran, behind, is_root_for};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

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
    let injuries: Vec<String> = told["injuries"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|injury| injury["control"].as_str().expect("an id").to_owned())
        .collect();
    assert!(injuries.len() > 10, "{told}");
    let [broken, sound] = ["results/broken", "results/sound"].map(|name| dir.join(name));
    let (of_broken, of_sound) = (results(&broken), results(&sound));
    for id in &injuries {
        assert_eq!((&*of_broken[id], &*of_sound[id]), ("not_satisfied", "satisfied"), "{id}");
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
    assert_eq!(names.iter().filter(|name| **name == "evidence.tried").count(), 3, "{names:?}");
    assert_eq!(names.iter().filter(|name| **name == "evidence.exported").count(), 2, "{names:?}");
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

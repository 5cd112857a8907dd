//! The log for other programs: lines from where they are, events of OCSF, and files in a folder that they empty.

use crate::harness::Home;
use serde_json::Value;
use std::path::Path;

/// Each line as an object.
fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn files(folder: &Path) -> Vec<String> {
    let names =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().expect("a name")).collect();
    names.sort();
    names
}

#[test]
fn audit_export_gives_each_record_once_in_both_forms() {
    let home = Home::with_picture("siem");
    let all = home.ask(&["audit", "export", "--json"]).ends(0, &[]).data();
    let next = all["next"].as_u64().expect("a number");
    let records = all["records"].as_array().expect("a list");
    assert!(records.iter().map(|record| record["seq"].as_u64()).eq((0..next).map(Some)));
    let shown = home.ask(&["audit", "show", "--json"]).ends(0, &[]).data();
    assert_eq!(&shown["records"], &all["records"]);
    // Every event of a real log is one of the schema, by the names and numbers of its record.
    let events = objects(&home.ask(&["audit", "export", "--format", "ocsf"]).ends(0, &[]).stdout);
    assert_eq!(events.len(), records.len());
    for (event, record) in events.iter().zip(records) {
        assert_eq!(event["metadata"]["sequence"], record["seq"]);
        assert_eq!(event["metadata"]["event_code"], record["type"]);
        assert_eq!(
            event["metadata"]["uid"],
            format!("{}/{}", all["log"].as_str().expect("a name"), record["seq"])
        );
        assert_eq!(event["unmapped"]["lightproof"]["d"], record["d"]);
        assert_ne!(event["class_uid"], 0, "{event}");
    }
    home.ask(&["vault", "verify"]).ends(0, &[]);
    let since = home.ask(&["audit", "export", "--json", "--after", &next.to_string()]).ends(0, &[]).data();
    assert_eq!(since["records"][0]["seq"], next);
    let none = home.ask(&["audit", "export", "--after", &since["next"].to_string()]);
    none.ends(0, &[&format!("--after {}", since["next"])]);
    home.ask(&["audit", "export", "--after", "100000"]).ends(11, &["cut back", "--expect"]);
    home.ask(&["audit", "export", "--format", "cef"]).ends(2, &["ocsf"]);
}

#[test]
fn audit_export_fills_a_spool_from_where_it_stands() {
    let home = Home::with_picture("siem-spool");
    let (spool, name) = (home.at("spool"), "lightproof-000000000000.jsonl");
    let export = |more: &[&str]| home.ask(&[&["audit", "export", "--spool", &spool][..], more].concat());
    export(&["--after", "0"]).ends(5, &["spool"]);
    std::fs::create_dir(&spool).expect("a folder");
    let spool = Path::new(&spool);
    export(&[]).ends(5, &["no cursor", "--after"]);
    let made = export(&["--after", "0", "--format", "ocsf"]).ends(0, &[]);
    assert!(made.stdout.starts_with(name), "{made:?}");
    assert_eq!(files(spool), ["cursor", name]);
    let first = objects(&std::fs::read_to_string(spool.join(name)).expect("a file"));
    export(&["--format", "ocsf"]).ends(0, &["nothing is new"]);
    export(&["--after", "0"]).ends(2, &["leave --after out"]);
    // The agent takes it away; what follows comes by itself.
    std::fs::remove_file(spool.join(name)).expect("a file");
    home.ask(&["vault", "verify"]).ends(0, &[]);
    // Without the form that it was begun in nothing leaves, and its cursor stays.
    export(&[]).ends(2, &["events of OCSF (--format ocsf) so far", "ask for its own form"]);
    assert_eq!(files(spool), ["cursor"]);
    let second = export(&["--format", "ocsf", "--json"]).ends(0, &[]).data();
    let name = second["files"][0]["name"].as_str().expect("a name");
    let more = objects(&std::fs::read_to_string(spool.join(name)).expect("a file"));
    let numbers = first.iter().chain(&more).map(|event| event["metadata"]["sequence"].as_u64());
    assert!(numbers.eq((0..second["next"].as_u64().expect("a number")).map(Some)));
    // Another log under the same name.
    std::fs::write(spool.join("cursor"), "quokka").expect("a file");
    export(&[]).ends(11, &["damaged", "remove the file"]);
    let own = home.at("state/audit");
    home.ask(&["audit", "export", "--spool", &own, "--after", "0"]).ends(6, &["choose another folder"]);
}

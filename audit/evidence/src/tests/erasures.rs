//! The erasures of a bundle's period: as they are made, and as somebody changes them who has the key of the export.

use super::forged::{change, sign_anew};
use super::oracles::follow;
use super::*;
use audit::words::ObjectFailure;

const LINES: &str = "erasures/certificates.jsonl";
const OTHERS: &str = "erasures/records.jsonl";
const OF_ALL: &str = "erasures/erasures.json";

fn back_up(tried: &Tried, number: u8) -> u64 {
    let begun = Event::BackupBegun { objects: 1 };
    tried.log.append(&[begun.by(ONE).job(JobId([number; 16]))]).unwrap().seq_first
}

fn time(tried: &Tried, seq: u64) -> u64 {
    audit::record(&tried.audit(), seq).unwrap().unwrap().ts_ms
}

/// Pictures 1 and 2 end in the period, which begins with the end of 1 and ends with that of 2; 3 and 4 before and after it, and 5
/// never.
fn used() -> (Tried, (u64, u64)) {
    let mut tried = Tried::new("");
    for number in 1..=5 {
        make(&tried.log, number);
    }
    about(&tried.log, 1, Event::ObjectExportRequested {});
    about(&tried.log, 1, Event::ObjectExported { bytes: 1234 });
    erase(&tried.log, 3);
    back_up(&tried, 50);
    let first = erase(&tried.log, 1).seq_first;
    // A backup and an export that begin in the period and are given up when it is over.
    back_up(&tried, 52);
    about(&tried.log, 2, Event::ObjectExportRequested {});
    let last = erase(&tried.log, 2).seq_first;
    about(&tried.log, 2, Event::ObjectExportFailed { reason: ObjectFailure::Io });
    let failed = Event::BackupFailed { reason: ObjectFailure::Io };
    tried.log.append(&[failed.by(ONE).job(JobId([52; 16]))]).unwrap();
    erase(&tried.log, 4);
    back_up(&tried, 51);
    tried.try_all("");
    let period = (time(&tried, first), time(&tried, last));
    (tried, period)
}

fn lines(dir: &Path, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(dir.join(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_erasure_of_the_period_has_its_certificate_and_no_other_has_one() {
    let (tried, (first, last)) = used();
    let (dir, _, exported) =
        tried.export("some", |export| (export.since_ms, export.until_ms) = (Some(first), Some(last)));
    let found = checked(&dir);
    assert!(found.is_ok(), "{found}");
    assert_eq!((found.erasures, exported.erasures), (Some(2), 2));
    assert!(found.to_string().contains("erasures  2") && found.to_json().contains("\"erasures\":2"));
    let certificates = lines(&dir, LINES);
    let named: Vec<&str> = certificates.iter().map(|of| of["object"].as_str().unwrap()).collect();
    assert_eq!(named, [1, 2].map(|number| Object([number; 16]).to_string()));
    assert_eq!(certificates[0]["not_destroyed"]["exports"][0]["bytes"], 1234);
    assert_eq!(certificates[0]["not_destroyed"]["backups"], 1, "the later one does not hold it");
    assert_eq!(certificates[1]["not_destroyed"]["exports"], json!([]), "it did not leave");
    assert_eq!(certificates[1]["destroyed"]["grade"], "b");
    // What they rest on from before the period is there as well, and nothing else of that time.
    let others = lines(&dir, OTHERS);
    let of_others: Vec<&str> = others.iter().map(|record| record["type"].as_str().unwrap()).collect();
    let wanted = [
        "object.sealed",
        "object.sealed",
        "object.exported",
        "backup.begun",
        "object.erase_requested",
        "object.export_failed",
        "backup.failed",
    ];
    assert_eq!(of_others, wanted);
    let of_all: Value = serde_json::from_slice(&std::fs::read(dir.join(OF_ALL)).unwrap()).unwrap();
    assert_eq!((&of_all["grades"], &of_all["backups"].as_array().unwrap().len()), (&json!({ "b": 2 }), &1));
    let page = std::fs::read_to_string(dir.join("erasures/erasures.html")).unwrap();
    for number in 1..=5 {
        let named = page.matches(&Object([number; 16]).to_string()).count();
        assert_eq!(named, if number <= 2 { 2 } else { 0 }, "{number}, in two languages");
    }
    assert!(page.contains("Erasures: 2.") && page.contains("删除数量：2。") && !page.contains("<script"));
    let readme = std::fs::read_to_string(dir.join("README.html")).unwrap();
    assert!(
        readme.contains("each with its certificate: 2; of these")
            && readme.contains("已销毁密钥并各附证明：2")
    );
}

#[test]
fn a_whole_log_needs_no_other_records_and_a_period_without_erasures_says_so() {
    let (tried, (first, _)) = used();
    let (dir, _, exported) = tried.export("all", |_| ());
    assert_eq!((blamed(&dir), exported.erasures), (vec![], 4));
    assert!(!dir.join(OTHERS).exists() && lines(&dir, LINES).len() == 4);
    let (dir, _, exported) = tried.export("none", |export| export.until_ms = Some(first - 1_000));
    assert_eq!((blamed(&dir), exported.erasures, checked(&dir).erasures), (vec![], 0, Some(0)));
    assert!(!dir.join(LINES).exists());
    let page = std::fs::read_to_string(dir.join("erasures/erasures.html")).unwrap();
    assert!(page.contains("No picture was erased"), "{page}");
}

/// Whoever stole the key of the export can sign whatever they like: the records say otherwise.
#[test]
fn a_certificate_that_is_changed_missing_or_added_is_found_and_named() {
    let (tried, (first, last)) = used();
    let (dir, key, _) =
        tried.export("bundle", |export| (export.since_ms, export.until_ms) = (Some(first), Some(last)));
    let [one, two, four] = [1, 2, 4].map(|number| Object([number; 16]).to_string());
    let with = |text: &str, change: &dyn Fn(&mut Vec<String>)| -> String {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        change(&mut lines);
        lines.iter().map(|line| format!("{line}\n")).collect()
    };
    type Change<'a> = &'a dyn Fn(&str) -> String;
    let changes: [(&str, &str, String, Change<'_>); 11] = [
        (LINES, LINES, format!("says of {one} what"), &|text| text.replacen("1234", "1235", 1)),
        (LINES, LINES, format!("says of {two} what"), &|text| {
            with(text, &|lines| lines[1] = lines[1].replacen("\"grade\":\"b\"", "\"grade\":\"a\"", 1))
        }),
        (LINES, LINES, format!("says of {one} what"), &|text| {
            text.replacen("\"backups\":1", "\"backups\":0", 1)
        }),
        (LINES, LINES, format!("no certificate of {one},"), &|text| {
            with(text, &|lines| drop(lines.remove(0)))
        }),
        (LINES, LINES, format!("no certificate of {one} and 1 more,"), &|_| "\n".into()),
        (LINES, LINES, format!("certificate of {four},"), &|text| {
            with(text, &|lines| lines.push(lines[0].replace(&one, &four)))
        }),
        (LINES, LINES, format!("certificate of {one},"), &|text| {
            with(text, &|lines| lines.push(lines[0].clone()))
        }),
        (LINES, LINES, "in the order".into(), &|text| with(text, &|lines| lines.swap(0, 1))),
        (OTHERS, OTHERS, "lead to the checkpoint".into(), &|text| text.replacen("1234", "1235", 1)),
        (OTHERS, OTHERS, "lead to the checkpoint".into(), &|text| with(text, &|lines| drop(lines.remove(0)))),
        (OF_ALL, OF_ALL, "what their records do not say".into(), &|text| {
            text.replacen("{\"b\":2}", "{\"a\":2}", 1)
        }),
    ];
    for (name, found_in, words, edit) in changes {
        let forged = copy(&dir);
        change(&forged.0, name, edit);
        sign_anew(&forged.0, &key);
        let found = checked(&forged.0);
        let is_it = |f: &crate::Finding| f.file == found_in && f.text.contains(&words);
        assert!(found.findings.iter().any(is_it), "{name}: {words}: {found}");
        let of_others = found.findings.iter().filter(|f| !f.file.starts_with("erasures/")).count();
        assert_eq!(of_others, 0, "{found}");
    }
    // Those of another export of the same log are not taken for these, nor is one file too few.
    for name in [LINES, OTHERS, OF_ALL] {
        let forged = copy(&dir);
        std::fs::remove_file(forged.0.join(name)).unwrap();
        sign_anew(&forged.0, &key);
        assert!(blamed(&forged.0).iter().any(|file| file.starts_with("erasures/")), "{name}");
    }
}

/// Nothing of ours: Python alone, as VERIFY.md says, finds what was left out, added or changed.
#[test]
fn what_verify_md_says_of_erasures_holds_and_finds_each_forgery() {
    let (tried, (first, last)) = used();
    let (dir, ..) =
        tried.export("bundle", |export| (export.since_ms, export.until_ms) = (Some(first), Some(last)));
    let judge = |dir: &Path| {
        let output = &follow(dir)[4];
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (is_ok, said) = judge(&dir);
    assert!(is_ok && said.contains("erasures: 2 in the period"), "{said}");
    let (none, ..) = tried.export("none", |export| export.until_ms = Some(1));
    assert!(judge(&none).0);
    for (name, from, to) in [
        (LINES, "1234", "1235"),
        (LINES, "\"grade\":\"b\"", "\"grade\":\"a\""),
        (LINES, "\"backups\":1", "\"backups\":2"),
        (LINES, "{\"asked\"", "\n{\"asked\""),
        (OTHERS, "1234", "1235"),
        (OF_ALL, "\"hashes\":[\"", "\"hashes\":[\"00\",\""),
    ] {
        let changed = copy(&dir);
        change(&changed.0, name, |text| text.replacen(from, to, 1));
        assert!(!judge(&changed.0).0, "{name}: {from}");
    }
    let changed = copy(&dir);
    change(&changed.0, LINES, |text| text.split_once('\n').unwrap().1.to_owned());
    assert!(!judge(&changed.0).0, "one is missing");
}

/// A bundle of a version that had none of these files verifies as it did.
#[test]
fn a_bundle_of_an_older_version_verifies() {
    let (tried, _) = used();
    let (dir, key, _) = tried.export("older", |_| ());
    std::fs::remove_dir_all(dir.join("erasures")).unwrap();
    sign_anew(&dir, &key);
    let found = checked(&dir);
    assert!(found.is_ok() && found.erasures.is_none() && !found.to_string().contains("erasures"), "{found}");
}

//! A log that is carried elsewhere.

use super::*;
use crate::copy::{copied_files, is_there, put_file};
use crate::paths::files_below;

#[test]
fn a_copy_is_the_log_and_goes_on() {
    let (dir, copy) = (Dir::new(), Dir::new());
    rich(&dir);
    std::fs::create_dir(&copy.0).unwrap();
    let files = copied_files(&dir.0).unwrap();
    let is_there_too = |wanted: &str| files.iter().any(|file| file.name.starts_with(wanted));
    assert!(is_there_too("epoch.key") && is_there_too("quarantine/") && is_there_too("seg/"));
    let whole = std::fs::read(dir.0.join("checkpoint")).unwrap();
    // What is written behind that moment is in none of them.
    let log = open(&dir, &Faults::default()).unwrap();
    log.append(&job(6)).unwrap();
    drop(log);
    for file in &files {
        assert!(!is_there(&copy.0), "{}", file.name);
        put_file(&copy.0, &file.name, &file.read(&dir.0).unwrap()).unwrap();
    }
    assert!(is_there(&copy.0));
    assert_eq!(std::fs::read(copy.0.join("checkpoint")).unwrap(), whole);
    let log = open(&copy, &Faults::default()).unwrap();
    log.append(&job(7)).unwrap();
    drop(log);
    let report = crate::verify(&copy.0, Some(&whole)).unwrap();
    assert!(report.is_ok(), "{report}");
}

#[test]
fn no_name_leads_out_of_the_folder() {
    let dir = Dir::new();
    for name in [
        "",
        "..",
        "../origin",
        "seg/../../x",
        "/etc/x",
        "a/b/c",
        ".hidden",
        "seg/",
        "x.new",
        "a\u{0}b",
        "seg/..",
    ] {
        assert!(put_file(&dir.0, name, b"x").is_err(), "{name:?}");
    }
    assert_eq!(files_below(&dir.0).unwrap().len(), 0);
    assert!(matches!(copied_files(&dir.0), Err(Error::Absent { .. })));
}

//! A log that is carried elsewhere.

use super::*;
use crate::copy::{copied_files, is_there, put_file, read_file};
use crate::paths::files_below;

#[test]
fn a_copy_is_the_log_and_goes_on() {
    let (dir, copy) = (Dir::new(), Dir::new());
    rich(&dir);
    std::fs::create_dir(&copy.0).unwrap();
    let names = copied_files(&dir.0).unwrap();
    assert!(
        names.iter().any(|name| name == "epoch.key")
            && names.iter().any(|name| name.starts_with("quarantine/"))
    );
    for name in &names {
        assert!(!is_there(&copy.0), "{name}");
        put_file(&copy.0, name, &read_file(&dir.0, name).unwrap()).unwrap();
    }
    assert!(is_there(&copy.0));
    let whole = std::fs::read(dir.0.join("checkpoint")).unwrap();
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

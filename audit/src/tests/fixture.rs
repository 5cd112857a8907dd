//! A log that this version wrote, frozen: every later version must verify, open and continue it.

use super::*;

fn frozen() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/v1")
}

#[test]
fn the_frozen_log_verifies_and_can_be_continued() {
    let report = verify(&frozen(), None).unwrap();
    assert!(report.is_ok(), "{report}");
    assert_eq!((report.complete, report.epochs), (9, 2));
    let dir = Dir::new();
    copy_folder(&frozen(), &dir.0);
    let log = open(&dir, &Faults::default()).unwrap();
    log.append(&job(7)).unwrap();
    drop(log);
    let kept = std::fs::read(frozen().join("checkpoint")).unwrap();
    let report = verify(&dir.0, Some(&kept)).unwrap();
    assert!(report.is_ok(), "{report}");
}

/// Makes `testdata/v1` anew. Only for a new format version, in a folder of its own.
#[test]
#[ignore = "writes into the source tree; run by hand when a new format version is frozen"]
fn freeze() {
    let dir = Dir::new();
    small(&dir);
    let _ = std::fs::remove_dir_all(frozen());
    copy_folder(&dir.0, &frozen());
    // The reserve is half a megabyte of noise; opening makes it again.
    std::fs::remove_file(frozen().join("reserve")).unwrap();
}

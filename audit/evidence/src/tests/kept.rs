//! The last runs are there, the oldest go, and what was changed is not taken for a run.

use super::*;
use crate::controls;
use crate::tests::{Dir, satisfied};

fn run(started_ms: u64) -> Run {
    let found = controls().filter_map(satisfied).collect();
    Run::new(started_ms, 250, Digest([1; 32]), Digest([2; 32]), found)
}

#[test]
fn the_last_ten_runs_are_kept_the_newest_first() {
    let dir = Dir::new();
    for number in 0..13 {
        let run = run(1000 + number);
        assert_eq!(keep(&dir.0, &run).unwrap(), run.digest());
        assert_eq!(keep(&dir.0, &run).unwrap(), run.digest(), "once more is the same file");
    }
    let found = kept(&dir.0).unwrap();
    let started: Vec<u64> = found.runs.iter().map(|run| run.started_ms).collect();
    assert_eq!((started, found.others), ((1003..1013).rev().collect(), 0));
    assert_eq!(Dir::files(&dir.0).len(), RUNS_KEPT_MAX);
    assert_eq!(found.runs[0], run(1012));
}

#[test]
fn what_is_no_run_is_counted_and_left() {
    let dir = Dir::new();
    let digest = keep(&dir.0, &run(1000)).unwrap();
    let path = dir.0.join(format!("{digest}.json"));
    let whole = std::fs::read(&path).unwrap();
    // Cut short by a crash, changed by somebody, under another name, and a file of somebody.
    std::fs::write(dir.0.join(format!("{}.json", run(1001).digest())), &whole[..100]).unwrap();
    std::fs::write(dir.0.join(format!("{}.json", run(1002).digest())), &whole).unwrap();
    std::fs::write(dir.0.join("notes"), "x").unwrap();
    std::os::unix::fs::symlink(&path, dir.0.join("link.json")).unwrap();
    let found = kept(&dir.0).unwrap();
    assert_eq!((found.runs.len(), found.others), (1, 4));
    // The file that a crash cut short is written whole the next time.
    keep(&dir.0, &run(1001)).unwrap();
    let found = kept(&dir.0).unwrap();
    assert_eq!((found.runs.len(), found.others), (2, 3));
    let nowhere = kept(&dir.0.join("nowhere")).unwrap();
    assert_eq!((nowhere.runs.len(), nowhere.others), (0, 0));
    assert!(keep(&dir.0.join("nowhere"), &run(1000)).is_err());
}

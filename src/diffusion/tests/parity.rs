//! Every golden tensor of both reference folders.

use crate::reference::{Check, check};
use crate::{ModelFolder, Pipeline, Place, demo};
use std::path::Path;

fn testdata(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// Runs a folder and wants `count` comparisons, all of which hold.
fn parity(name: &str, model: &ModelFolder, count: usize) {
    let pipeline = Pipeline::load(model, Place::Cpu).unwrap();
    let mut checks: Vec<Check> = Vec::new();
    check(&testdata(name), &pipeline, &mut |check| checks.push(check)).unwrap();
    let failed: Vec<&Check> = checks.iter().filter(|c| !c.measured.holds()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(checks.len(), count);
}

#[test]
fn tiny_checkpoint_equals_the_reference() {
    let model = ModelFolder::open(&testdata("zimage-tiny/model")).unwrap();
    parity("zimage-tiny", &model, 94);
}

#[test]
fn demo_model_equals_the_reference() {
    parity("demo-golden", &demo::folder(), 84);
}

//! What only a card can show; `tests/gpu` runs it on one. The variable LIGHTPROOF_GPU names the device; `cpu` there rehearses the
//! tests themselves.

use super::levels::apple;
use super::parity::testdata;
use crate::device::Precision;
use crate::reference::{Measured, check};
use crate::{DeviceName, ModelFolder, Pipeline, demo};
use std::collections::BTreeMap;
use std::time::Instant;

fn device() -> DeviceName {
    std::env::var("LIGHTPROOF_GPU").unwrap().parse().unwrap()
}

/// Loads with the types of a card.
fn load(folder: &ModelFolder, device: DeviceName) -> Pipeline {
    let choose = |parameters| Precision::choose(DeviceName::Cuda(0), parameters);
    Pipeline::load_with(folder, &device.find().unwrap(), choose, u64::MAX, None, &mut |_| ()).unwrap()
}

/// What was found of each golden tensor: its error and the bound in f32, or whether it is the same.
fn errors(name: &str, model: &ModelFolder, pipeline: &Pipeline) -> BTreeMap<String, Measured> {
    let mut all = BTreeMap::new();
    let mut keep = |found: crate::reference::Check| {
        all.insert(format!("{} {}", found.case, found.tensor), found.measured);
    };
    check(&testdata(name), model, pipeline, &mut keep).unwrap();
    all
}

/// The bound: the golden values are those of f32. A card computes in bf16, with 8 bits of mantissa, and so does the processor
/// here, with the same model code in the same types: what differs is the order in which a product is summed. So an error may be
/// three times as large as the processor's, or the bound of f32, whichever is greater; what is no matter of rounding (tokens,
/// noise, schedules) is the same.
#[test]
#[ignore = "needs an NVIDIA card: tests/gpu"]
fn every_golden_tensor_is_as_near_as_its_types_allow() {
    let tiny = ModelFolder::open(&testdata("zimage-tiny/model")).unwrap();
    let mut beyond = Vec::new();
    for (name, model, count) in [("zimage-tiny", tiny, 94), ("demo-golden", demo::folder(), 84)] {
        let [card, processor] =
            [device(), DeviceName::Cpu].map(|device| errors(name, &model, &load(&model, device)));
        assert_eq!((card.len(), processor.len()), (count, count));
        for (tensor, found) in &card {
            let holds = match (found, &processor[tensor]) {
                (Measured::Error { found, bound }, Measured::Error { found: theirs, .. })
                | (Measured::GreyLevels { found, bound }, Measured::GreyLevels { found: theirs, .. }) => {
                    *found <= bound.max(3.0 * theirs)
                }
                (found, _) => found.holds(),
            };
            if !holds {
                beyond.push(format!("{name} {tensor}: {found:?}, the processor {:?}", processor[tensor]));
            }
        }
    }
    assert!(beyond.is_empty(), "{} comparisons: {beyond:#?}", beyond.len());
}

/// Ten pictures, with their medians; the model is the folder that LIGHTPROOF_GPU_MODEL names, else the demo model.
#[test]
#[ignore = "needs an NVIDIA card: tests/gpu"]
fn ten_pictures() {
    let folder = std::env::var_os("LIGHTPROOF_GPU_MODEL");
    let folder = folder.map_or_else(demo::folder, |path| ModelFolder::open(path.as_ref()).unwrap());
    let device = device();
    let (side, steps) = if device == DeviceName::Cpu { (64, 1) } else { (1024, 8) };
    let started = Instant::now();
    let pipeline = load(&folder, device);
    println!("loading: {:.2} s", started.elapsed().as_secs_f64());
    let mut seconds = Vec::new();
    let mut first = None;
    for picture in 0..=10 {
        let recipe = apple([side, side], steps);
        let started = Instant::now();
        let rgb = pipeline.generate(&recipe).unwrap().remove(0).rgb;
        let taken = started.elapsed().as_secs_f64();
        // The first one compiles the kernels.
        if picture == 0 {
            println!("first picture, {side}x{side} in {steps} steps: {taken:.2} s");
        } else {
            seconds.push(taken);
        }
        // The same seed, the same card, the same bytes.
        assert_eq!(*first.get_or_insert_with(|| rgb.clone()), rgb, "picture {picture} is another one");
    }
    seconds.sort_by(f64::total_cmp);
    println!(
        "ten more: median {:.3} s, {:.3} to {:.3} s",
        (seconds[4] + seconds[5]) / 2.0,
        seconds[0],
        seconds[9]
    );
}

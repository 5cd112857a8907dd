//! Every golden tensor of both reference folders.

use super::levels::{Way, levels};
use crate::device::Precision;
use crate::drawing::host;
use crate::reference::{Check, check};
use crate::threads::Threads;
use crate::{DeviceName, ModelFolder, Pipeline, demo, noise};
use burn_tensor::{DType, Tensor, TensorData};
use std::path::Path;

pub fn testdata(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// Runs both folders in one way, and wants all of their comparisons, each of which holds.
fn parity(way: Way) {
    let tiny = ModelFolder::open(&testdata("zimage-tiny/model")).unwrap();
    for (name, model, count) in [("zimage-tiny", tiny, 94), ("demo-golden", demo::folder(), 84)] {
        let mut checks: Vec<Check> = Vec::new();
        check(&testdata(name), &model, &way.load(&model), &mut |check| checks.push(check)).unwrap();
        let failed: Vec<&Check> = checks.iter().filter(|c| !c.measured.holds()).collect();
        assert!(failed.is_empty(), "{way:?}: {failed:#?}");
        assert_eq!(checks.len(), count);
    }
}

#[test]
fn the_kernels_equal_the_reference_at_every_level() {
    for level in levels() {
        parity(Way { level, ..Way::kernels() });
    }
}

#[test]
fn burn_equals_the_reference() {
    parity(Way { kernels: false, ..Way::kernels() });
}

#[test]
fn weights_that_stay_bf16_equal_the_reference() {
    parity(Way { widen: false, ..Way::kernels() });
}

/// Largest distance of a picture's values from the f32 one, as a share of the range.
fn distance(precision: Precision) -> f64 {
    let picture = |precision: Precision| {
        let threads = Some(Threads::start().unwrap());
        let folder = demo::folder();
        let pipeline = Pipeline::load_with(
            &folder,
            &DeviceName::Cpu.find().unwrap(),
            |_| precision,
            u64::MAX,
            threads,
            &mut |_| (),
        )
        .unwrap();
        let ids = pipeline.tokenizer.encode("a red apple").unwrap();
        let caption = pipeline.transformer.caption(pipeline.text_encoder.forward(&ids).unwrap());
        let noise = TensorData::new(noise::randn(42, 4096).unwrap(), [1, 16, 16, 16]);
        let noise = Tensor::from_data(noise, &pipeline.device);
        host(pipeline.transformer.forward(noise, 0.37, &caption)).unwrap().try_to_vec::<f32>().unwrap()
    };
    let (exact, found) = (picture(precision.in_f32()), picture(precision));
    let range = exact.iter().fold(0.0_f32, |max, v| max.max(v.abs()));
    let error = exact.iter().zip(&found).fold(0.0_f32, |max, (e, f)| max.max((e - f).abs()));
    f64::from(error / range)
}

#[test]
fn weights_that_stay_bf16_in_memory_compute_the_same() {
    for kernels in [true, false] {
        let kept = Precision { compute: DType::F32, widen: false, kernels };
        assert!(distance(kept) <= 1e-5, "{}", distance(kept));
    }
}

#[test]
fn the_precision_of_a_gpu_stays_near_the_reference() {
    // bf16 has 8 bits of mantissa; eight layers add up to a few per cent. This runs the GPU's arithmetic on the
    // CPU: it shows that types fit together everywhere, not what a GPU computes.
    let gpu = Precision::choose(DeviceName::Cuda(0), 1);
    let distance = distance(gpu);
    assert!((1e-4..0.1).contains(&distance), "{distance}");
}

//! Every golden tensor of both reference folders.

use crate::device::Precision;
use crate::drawing::host;
use crate::reference::{Check, check};
use crate::{DeviceName, ModelFolder, Pipeline, demo, noise};
use burn_tensor::{DType, Tensor, TensorData};
use std::path::Path;

fn testdata(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// Runs a folder and wants `count` comparisons, all of which hold.
fn parity(name: &str, model: &ModelFolder, count: usize) {
    let pipeline = Pipeline::load(model, DeviceName::Cpu).unwrap();
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

/// Largest distance of a picture's values from the f32 one, as a share of the range.
fn distance(precision: Precision) -> f64 {
    let picture = |precision: Precision| {
        let pipeline =
            Pipeline::load_with(&demo::folder(), DeviceName::Cpu, |_| precision, u64::MAX, &mut |_| ())
                .unwrap();
        let ids = pipeline.tokenizer.encode("a red apple").unwrap();
        let caption = pipeline.transformer.caption(pipeline.text_encoder.forward(&ids).unwrap());
        let noise = TensorData::new(noise::randn(42, 4096).unwrap(), [1, 16, 16, 16]);
        let noise = Tensor::from_data(noise, &pipeline.device);
        host(pipeline.transformer.forward(noise, 0.37, &caption)).unwrap().try_to_vec::<f32>().unwrap()
    };
    let (exact, found) = (picture(Precision::F32), picture(precision));
    let range = exact.iter().fold(0.0_f32, |max, v| max.max(v.abs()));
    let error = exact.iter().zip(&found).fold(0.0_f32, |max, (e, f)| max.max((e - f).abs()));
    f64::from(error / range)
}

#[test]
fn weights_that_stay_bf16_in_memory_compute_the_same() {
    let kept = Precision { compute: DType::F32, widen: false };
    assert!(distance(kept) <= 1e-5, "{}", distance(kept));
}

#[test]
fn the_precision_of_a_gpu_stays_near_the_reference() {
    // bf16 has 8 bits of mantissa; eight layers add up to a few per cent. This runs the GPU's arithmetic on the
    // CPU: it shows that types fit together everywhere, not what a GPU computes.
    let gpu = Precision::choose(DeviceName::Cuda(0), 1);
    let distance = distance(gpu);
    assert!((1e-4..0.1).contains(&distance), "{distance}");
}

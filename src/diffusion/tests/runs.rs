//! Runs of the demo model: previews, cancelling, limits, and what happens to numbers that are none.

use crate::pipeline::host;
use crate::{Error, Pipeline, Place, Progress, Recipe, Reply, Tokens, demo};
use burn_tensor::module::avg_pool2d;
use burn_tensor::ops::AvgPoolOptions;
use burn_tensor::{Tensor, TensorData};
use std::ops::ControlFlow::{Break, Continue};

fn demo_pipeline() -> Pipeline {
    Pipeline::load(&demo::folder(), Place::Cpu).unwrap()
}

fn recipe() -> Recipe {
    Recipe {
        prompt: "a red apple".into(),
        negative_prompt: String::new(),
        width: 64,
        height: 48,
        steps: 3,
        guidance: 0.0,
        guidance_norm_max: None,
        guidance_time_max: 1.0,
        seeds: vec![7],
    }
}

/// All pictures of a recipe.
fn pictures(pipeline: &Pipeline, recipe: &Recipe) -> Vec<Vec<u8>> {
    let mut pictures = Vec::new();
    let mut tell = |progress: Progress| {
        if let Progress::Picture(_, picture) = progress {
            assert_eq!((picture.width, picture.height), (recipe.width, recipe.height));
            pictures.push(picture.rgb);
        }
        Continue(())
    };
    pipeline.generate(recipe, &mut tell).unwrap();
    pictures
}

#[test]
fn every_seed_is_its_own_picture_whatever_its_neighbours() {
    let pipeline = demo_pipeline();
    let both = pictures(&pipeline, &Recipe { seeds: vec![7, 8], ..recipe() });
    let second = pictures(&pipeline, &Recipe { seeds: vec![8], ..recipe() });
    assert_eq!(both.len(), 2);
    assert_ne!(both[0], both[1]);
    assert_eq!(both[1], second[0]);
}

#[test]
fn a_preview_decodes_the_pooled_estimate_of_its_own_step() {
    // Golden latents before and after a step give the reference's own estimate of the finished latents.
    let golden = crate::reference::Tensors::read(
        concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/demo-golden/en_apple.safetensors").as_ref(),
    )
    .unwrap();
    let pipeline = demo_pipeline();
    let sigmas = golden.f32("sigmas").unwrap();
    let mut previews = Vec::new();
    let full = Recipe { width: 128, height: 128, steps: 8, seeds: vec![42], ..recipe() };
    let mut tell = |progress: Progress| {
        if let Progress::Step(step) = progress {
            previews.push(step.preview.unwrap());
        }
        Reply::GoOn { preview: true }
    };
    pipeline.draw(&full, &pipeline.tokens(&full).unwrap(), &mut tell).unwrap();
    assert_eq!(previews.len(), 8);
    let mut before = golden.f32("noise").unwrap();
    for (i, preview) in previews.iter().enumerate() {
        let velocity = golden.f32(&format!("velocity_step{}", i + 1)).unwrap();
        let estimate: Vec<f32> = before.iter().zip(&velocity).map(|(l, v)| l - sigmas[i] * v).collect();
        let estimate = Tensor::<4>::from_data(TensorData::new(estimate, [1, 16, 16, 16]), &pipeline.device);
        let pooled = avg_pool2d(estimate, AvgPoolOptions::new([2, 2]).with_stride([2, 2]));
        let wanted = crate::Picture::new(&host(pipeline.vae.decode(pooled)).unwrap(), 0).unwrap();
        assert_eq!((preview.width, preview.height), (64, 64));
        let off = preview.rgb.iter().zip(&wanted.rgb).filter(|(a, b)| a.abs_diff(**b) > 1).count();
        assert!(off * 1000 <= wanted.rgb.len(), "step {}: {off} values differ", i + 1);
        before = golden.f32(&format!("latents_step{}", i + 1)).unwrap();
    }
}

#[test]
fn cancelling_ends_the_run_within_one_step() {
    let mut steps = 0;
    let mut tell = |progress: Progress| match progress {
        Progress::Step(step) if step.index == 2 => Break(()),
        Progress::Step(_) => {
            steps += 1;
            Continue(())
        }
        Progress::Begun => Continue(()),
        Progress::Picture(..) => panic!("a cancelled run made a picture"),
    };
    let error = demo_pipeline().generate(&recipe(), &mut tell).unwrap_err();
    assert!(matches!(error, Error::Cancelled { steps_done: 2, step_count: 3 }), "{error}");
    assert_eq!(steps, 1);
}

#[test]
fn cancelling_at_the_beginning_computes_nothing() {
    let mut told = 0;
    let mut tell = |_: Progress| {
        told += 1;
        Break(())
    };
    let error = demo_pipeline().generate(&recipe(), &mut tell).unwrap_err();
    assert!(matches!(error, Error::Cancelled { steps_done: 0, step_count: 3 }), "{error}");
    assert_eq!(told, 1);
}

#[test]
fn a_preview_comes_with_the_step_after_it_was_asked_for() {
    let pipeline = demo_pipeline();
    let mut previews = Vec::new();
    let mut tell = |progress: Progress| {
        let preview = match progress {
            Progress::Step(step) => {
                previews.push((step.index, step.preview.is_some()));
                step.index == 1
            }
            _ => false,
        };
        Reply::GoOn { preview }
    };
    pipeline.draw(&recipe(), &pipeline.tokens(&recipe()).unwrap(), &mut tell).unwrap();
    assert_eq!(previews, [(1, false), (2, true), (3, false)]);
}

#[test]
fn tokens_from_elsewhere_are_checked() {
    let pipeline = demo_pipeline();
    let draw = |prompt: Vec<u32>| {
        let tokens = Tokens { prompt, negative_prompt: None };
        pipeline.draw(&recipe(), &tokens, &mut |_| Reply::GoOn { preview: false }).unwrap_err().to_string()
    };
    assert!(draw(vec![1; 513]).contains("the limit is 512"));
    assert!(draw(vec![1 << 30]).contains("outside the vocabulary"));
    assert!(draw(Vec::new()).contains("could not encode"));
}

#[test]
fn a_pipeline_can_be_asked_while_it_computes() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&demo_pipeline());
}

#[test]
fn non_finite_latents_fail_the_job_at_their_step() {
    let pipeline = demo_pipeline();
    let captions = pipeline.captions(&pipeline.tokens(&recipe()).unwrap()).unwrap();
    let shape = pipeline.latents_shape(&recipe(), 1);
    let mut noise = vec![0.5; shape.iter().product()];
    noise[3] = f32::NAN;
    let noise = Tensor::from_data(TensorData::new(noise, shape), &pipeline.device);
    let error = pipeline.sample(noise, &captions, &recipe(), &mut |_, _, _| Continue(())).unwrap_err();
    assert!(matches!(error, Error::NonFinite { step_index: 1, step_count: 3 }), "{error}");
}

#[test]
fn impossible_recipes_are_refused_before_any_work() {
    let pipeline = demo_pipeline();
    let check = |recipe: Recipe, want: &str| {
        let mut worked = false;
        let mut tell = |_: Progress| {
            worked = true;
            Continue(())
        };
        let error = pipeline.generate(&recipe, &mut tell).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
        assert!(!worked);
    };
    check(Recipe { width: 0, ..recipe() }, "the width must be a multiple of 16 from 16 to 1024");
    check(Recipe { height: 17, ..recipe() }, "the height must be a multiple of 16");
    check(Recipe { width: 1040, ..recipe() }, "1024"); // axes_lens of the demo model
    check(Recipe { width: 4096, ..recipe() }, "1024");
    check(Recipe { steps: 0, ..recipe() }, "1 to 100");
    check(Recipe { steps: 1000, ..recipe() }, "1 to 100");
    check(Recipe { guidance: f32::NAN, ..recipe() }, "guidance");
    check(Recipe { prompt: "apple 7 ".repeat(600), ..recipe() }, "the limit is 512");
}

#[test]
fn the_smallest_picture_has_a_preview() {
    let small = Recipe { width: 16, height: 16, steps: 1, ..recipe() };
    let mut sides = Vec::new();
    let mut tell = |progress: Progress| {
        if let Progress::Step(step) = progress {
            let preview = step.preview.unwrap();
            sides.push((preview.width, preview.height));
        }
        Reply::GoOn { preview: true }
    };
    let pipeline = demo_pipeline();
    pipeline.draw(&small, &pipeline.tokens(&small).unwrap(), &mut tell).unwrap();
    assert_eq!(sides, [(8, 8)]);
}

#[test]
fn a_device_that_is_not_there_says_what_is_missing() {
    let error = Pipeline::load(&demo::folder(), Place::Cuda(0)).err().unwrap().to_string();
    let wanted = if cfg!(feature = "cuda") { "libcuda.so.1" } else { "--features cuda" };
    assert!(error.contains(wanted), "{error}");
    assert!("gpu".parse::<Place>().is_err());
}

#[test]
fn debug_output_of_a_recipe_has_no_prompt() {
    assert!(!format!("{:?}", recipe()).contains("apple"));
}

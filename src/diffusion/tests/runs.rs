//! Runs of the demo model: previews, cancelling, limits, and what happens to numbers that are none.

use crate::drawing::host;
use crate::{DeviceName, Drawing, Error, Picture, Pipeline, Progress, Recipe, Tokens, demo};
use burn_tensor::module::avg_pool2d;
use burn_tensor::ops::AvgPoolOptions;
use burn_tensor::{Tensor, TensorData};

fn demo_pipeline() -> Pipeline {
    Pipeline::load(&demo::folder(), DeviceName::Cpu).unwrap()
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
    let pictures = pipeline.generate(recipe).unwrap().into_iter();
    let sized =
        |picture: &Picture| assert_eq!((picture.width, picture.height), (recipe.width, recipe.height));
    pictures.inspect(sized).map(|picture| picture.rgb).collect()
}

fn begun(pipeline: &Pipeline, recipe: &Recipe) -> Drawing {
    pipeline.begin(recipe, pipeline.tokens(recipe).unwrap()).unwrap()
}

/// The previews of all steps, each of which is asked for one if `wanted` says yes to its index, counted from 1.
fn previews(pipeline: &Pipeline, recipe: &Recipe, wanted: fn(usize) -> bool) -> Vec<Option<Picture>> {
    let mut drawing = begun(pipeline, recipe);
    assert!(matches!(pipeline.advance(&mut drawing, true).unwrap(), Some(Progress::Prompts)));
    let mut previews = Vec::new();
    while let Some(piece) = pipeline.advance(&mut drawing, wanted(previews.len() + 1)).unwrap() {
        if let Progress::Step { preview } = piece {
            previews.push(preview);
        }
    }
    previews
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
    let full = Recipe { width: 128, height: 128, steps: 8, seeds: vec![42], ..recipe() };
    let previews: Vec<_> = previews(&pipeline, &full, |_| true).into_iter().flatten().collect();
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
fn work_comes_in_pieces_of_one_order_and_is_over_with_the_last() {
    let pipeline = demo_pipeline();
    let two = Recipe { seeds: vec![7, 8], ..recipe() };
    let whole = pictures(&pipeline, &two);
    let mut drawing = begun(&pipeline, &two);
    let (mut pieces, mut drawn) = (String::new(), Vec::new());
    while !drawing.is_over() {
        match pipeline.advance(&mut drawing, false).unwrap().unwrap() {
            Progress::Prompts => pieces.push('p'),
            Progress::Step { preview } => pieces.push(if preview.is_none() { 's' } else { '!' }),
            Progress::Picture(picture) => {
                pieces.push('P');
                drawn.push(picture.rgb);
            }
        }
        // Nothing is computed between two pieces, so others may be.
        let _ = begun(&pipeline, &recipe());
    }
    assert_eq!(pieces, "psssPsssP");
    assert!(drawn == whole);
    assert!(pipeline.advance(&mut drawing, false).unwrap().is_none());
}

#[test]
fn a_preview_comes_with_the_step_that_is_asked_for_it_and_changes_no_picture() {
    let pipeline = demo_pipeline();
    let came: Vec<bool> =
        previews(&pipeline, &recipe(), |step| step == 2).iter().map(Option::is_some).collect();
    assert_eq!(came, [false, true, false]);
    let mut drawing = begun(&pipeline, &recipe());
    let mut drawn = Vec::new();
    while let Some(piece) = pipeline.advance(&mut drawing, true).unwrap() {
        if let Progress::Picture(picture) = piece {
            drawn.push(picture.rgb);
        }
    }
    assert!(drawn == pictures(&pipeline, &recipe()));
}

#[test]
fn an_error_in_the_middle_ends_the_work() {
    let pipeline = demo_pipeline();
    let tokens = Tokens { prompt: vec![1 << 30], negative_prompt: None };
    let mut drawing = pipeline.begin(&recipe(), tokens).unwrap();
    assert!(!drawing.is_over());
    let error = pipeline.advance(&mut drawing, false).err().unwrap().to_string();
    assert!(error.contains("outside the vocabulary"), "{error}");
    assert!(drawing.is_over());
    assert!(pipeline.advance(&mut drawing, false).unwrap().is_none());
}

#[test]
fn noise_that_no_memory_holds_is_an_error() {
    let error = crate::noise::randn(1, usize::MAX).unwrap_err();
    assert!(matches!(error, Error::Memory { bytes: u64::MAX }), "{error}");
}

#[test]
fn tokens_from_elsewhere_are_checked() {
    let pipeline = demo_pipeline();
    let begin = |prompt: Vec<u32>| {
        let tokens = Tokens { prompt, negative_prompt: None };
        pipeline.begin(&recipe(), tokens).err().unwrap().to_string()
    };
    assert!(begin(vec![1; 513]).contains("the limit is 512"));
    assert!(begin(Vec::new()).contains("could not encode"));
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
    let mut sampling = pipeline.sampling(noise, &recipe());
    let error = pipeline.step(&mut sampling, &captions, &recipe()).unwrap_err();
    assert!(matches!(error, Error::NonFinite { step_index: 1, step_count: 3 }), "{error}");
}

#[test]
fn impossible_recipes_are_refused_before_any_work() {
    let pipeline = demo_pipeline();
    let check = |recipe: Recipe, want: &str| {
        let tokens = Tokens { prompt: vec![1; 5], negative_prompt: None };
        let begun = match pipeline.tokens(&recipe) {
            Ok(_) => pipeline.begin(&recipe, tokens).err(),
            Err(error) => Some(error),
        };
        let error = begun.unwrap().to_string();
        assert!(error.contains(want), "{error}");
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
    let previews = previews(&demo_pipeline(), &small, |_| true);
    let sides: Vec<_> = previews.iter().flatten().map(|preview| (preview.width, preview.height)).collect();
    assert_eq!(sides, [(8, 8)]);
}

#[test]
fn a_device_that_is_not_there_says_what_is_missing() {
    let error = Pipeline::load(&demo::folder(), DeviceName::Cuda(0)).err().unwrap().to_string();
    let wanted = if cfg!(feature = "cuda") { "libcuda.so.1" } else { "--features cuda" };
    assert!(error.contains(wanted), "{error}");
    assert!("gpu".parse::<DeviceName>().is_err());
}

#[test]
fn debug_output_of_a_recipe_has_no_prompt() {
    assert!(!format!("{:?}", recipe()).contains("apple"));
}

//! The ways to compute one picture: instructions, threads, kernels or Burn.

use crate::device::Precision;
use crate::threads::Threads;
use crate::{DeviceName, ModelFolder, Pipeline, Recipe, demo};
use burn_tensor::DType;
use kernels::Level;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub level: Level,
    pub threads: usize,
    pub kernels: bool,
    /// Whether matrices are converted to f32 at load.
    pub widen: bool,
}

impl Way {
    /// As this machine does it, but with two threads.
    pub fn kernels() -> Self {
        Self { level: Level::here(), threads: 2, kernels: true, widen: true }
    }

    pub fn load(self, folder: &ModelFolder) -> Pipeline {
        let precision = Precision { compute: DType::F32, widen: self.widen, kernels: self.kernels };
        let threads = Some(Threads::of(self.level, self.threads).unwrap());
        Pipeline::load_with(
            folder,
            &DeviceName::Cpu.find().unwrap(),
            |_| precision,
            u64::MAX,
            threads,
            &mut |_| (),
        )
        .unwrap()
    }

    /// A picture of the demo model.
    fn picture(self, size: [u32; 2], steps: u32) -> Vec<u8> {
        self.load(&demo::folder()).generate(&apple(size, steps)).unwrap().remove(0).rgb
    }
}

/// One picture, without guidance.
pub fn apple([width, height]: [u32; 2], steps: u32) -> Recipe {
    Recipe {
        prompt: "a red apple on a table".into(),
        negative_prompt: String::new(),
        width,
        height,
        steps,
        guidance: 0.0,
        guidance_norm_max: None,
        guidance_time_max: 1.0,
        seeds: vec![5],
    }
}

/// The levels that this processor has; says which it lacks.
pub fn levels() -> Vec<Level> {
    let (found, lacking): (Vec<Level>, Vec<Level>) =
        Level::ALL.into_iter().partition(|level| level.is_available());
    if !lacking.is_empty() {
        println!("not on this processor: {lacking:?}");
    }
    found
}

#[test]
fn a_picture_does_not_depend_on_the_number_of_threads() {
    for kernels in [true, false] {
        let way = Way { kernels, threads: 1, ..Way::kernels() };
        let alone = way.picture([208, 112], 2);
        for threads in [2, 3, 7] {
            assert!(
                Way { threads, ..way }.picture([208, 112], 2) == alone,
                "{threads} threads, kernels: {kernels}"
            );
        }
    }
}

#[test]
fn a_picture_is_the_same_at_every_level_within_a_grey_level() {
    let size = [demo::SIDE_PX; 2];
    let burn = Way { kernels: false, ..Way::kernels() }.picture(size, 8);
    for level in levels() {
        for widen in [true, false] {
            let picture = Way { level, widen, ..Way::kernels() }.picture(size, 8);
            let off = picture.iter().zip(&burn).filter(|(a, b)| a.abs_diff(**b) > 1).count();
            assert!(off * 1000 <= burn.len(), "{level:?}, widened: {widen}: {off} of {} values", burn.len());
        }
    }
}

#[test]
fn a_panic_of_a_thread_is_the_callers() {
    let pipeline = Way::kernels().load(&demo::folder());
    let caught = catch_unwind(AssertUnwindSafe(|| pipeline.compute(|| panic!("quokka"))));
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"quokka"));
    assert_eq!(pipeline.compute(|| 7), 7);
}

#[test]
fn threads_that_the_system_refuses_are_a_sentence() {
    // No room for their stacks.
    let before = getrlimit(Resource::As);
    setrlimit(Resource::As, Rlimit { current: Some(1 << 20), ..before }).unwrap();
    let error = Threads::of(Level::here(), 2).err();
    setrlimit(Resource::As, before).unwrap();
    let text = error.expect("there was no room for a stack").to_string();
    assert!(text.contains("thread") && text.contains("ulimit -u"), "{text}");
}

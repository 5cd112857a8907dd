//! Fuzzing as an ordinary test, on stable Rust: what a crate parses is fed with good inputs that are cut and changed.
//!
//! Belongs here: seeds, changes, and what holds for every parser. Does not belong here: any format. A target names its
//! corpus and checks what its own parser made of an input:
//!
//! ```no_run
//! # fn parse(_: &[u8]) -> Option<Vec<u8>> { None }
//! # let specimen = b"";
//! fuzz::Target::new("note").seed("frozen", specimen).run(|input| {
//!     let Some(parsed) = parse(input) else { return false };
//!     assert_eq!(parsed, input, "what is accepted has one spelling");
//!     true
//! });
//! ```
//!
//! The inputs are the seeds, each seed cut at every byte, and changed seeds from a fixed random seed: the same in every
//! run. `LIGHTPROOF_FUZZ_INPUTS` says how many changed ones there are; `tests/run --full` sets it.

// It is called by tests only, and a test says what is wrong by panicking and printing.
#![allow(clippy::panic, clippy::print_stderr)]

mod change;
#[cfg(test)]
mod tests;

use change::{Change, changes};
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

/// Changed inputs of a run that is not told otherwise.
const INPUTS: u32 = 10_000;
/// The variable that tells it otherwise.
const INPUTS_VARIABLE: &str = "LIGHTPROOF_FUZZ_INPUTS";
/// Where the random numbers start.
const RANDOM_SEED: u64 = 0x6c69_6768_7470_726f;
/// Places at which one seed is cut.
const CUTS_MAX: usize = 1024;

/// One parser under attack.
pub struct Target {
    name: String,
    seeds: Vec<(String, Vec<u8>)>,
    words: Vec<Vec<u8>>,
    memory: (u64, u64),
}

impl Target {
    /// A target of this name, whose hand-made inputs are the files of `testdata/fuzz/NAME` in the crate that has the test.
    pub fn new(name: &str) -> Self {
        // A test runs in the folder of its crate.
        let corpus = Path::new("testdata/fuzz").join(name);
        let mut files: Vec<PathBuf> = std::fs::read_dir(&corpus)
            .unwrap_or_else(|error| panic!("{}: {error}", corpus.display()))
            .map(|entry| entry.expect("the folder can be listed").path())
            .collect();
        files.sort();
        let read = |path: PathBuf| {
            let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.display().to_string(), bytes)
        };
        let seeds = files.into_iter().map(read).collect();
        Self { name: name.to_owned(), seeds, words: Vec::new(), memory: (64 << 10, 64) }
    }

    /// One more input to start from: a frozen specimen, which lies elsewhere, or what this version writes.
    pub fn seed(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.seeds.push((name.to_owned(), bytes.into()));
        self
    }

    /// Pieces of the format that are put in here and there.
    pub fn words(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|word| word.as_bytes().to_vec()));
        self
    }

    /// What the parser may have allocated at any one time: so many bytes, and so many more for each byte of input.
    pub fn memory(mut self, bytes: u64, bytes_per_byte: u64) -> Self {
        self.memory = (bytes, bytes_per_byte);
        self
    }

    /// Gives all inputs to `parse`, which says whether it accepted one, and panics when it accepted wrongly.
    ///
    /// # Panics
    /// When `parse` panics, when it takes too much memory, and when it accepts or refuses everything: then the seeds say
    /// nothing about it. The smallest input that was found is kept in the folder for temporary files, and named.
    #[track_caller]
    pub fn run(&self, parse: impl Fn(&[u8]) -> bool) {
        let accepted = Cell::new((0_u32, 0_u32));
        let once = |input: &[u8]| {
            let (yes, no) = accepted.get();
            let accepts = self.once(input, &parse);
            accepted.set(if accepts { (yes + 1, no) } else { (yes, no + 1) });
        };
        for (name, bytes) in &self.seeds {
            let step = (bytes.len() / CUTS_MAX).max(1);
            let ends = (0..bytes.len()).step_by(step).chain([bytes.len()]);
            ends.for_each(|end| self.telling(&bytes[..end], &format!("{name} cut at {end}"), &once));
        }
        let (yes, no) = accepted.get();
        assert!(
            yes > 0 && no > 0,
            "{}: of the seeds and their parts {yes} are accepted, {no} refused",
            self.name
        );

        let config = Config {
            cases: inputs(std::env::var(INPUTS_VARIABLE).ok().as_deref()),
            rng_seed: RngSeed::Fixed(RANDOM_SEED),
            failure_persistence: None,
            max_shrink_iters: 4096,
            ..Config::default()
        };
        let found = TestRunner::new(config).run(&changes(self.seeds.len()), |(seed, changes)| {
            once(&self.changed(seed, &changes));
            Ok(())
        });
        match found {
            Ok(()) => {}
            // Once more in the open, so that the panic says where it is.
            Err(TestError::Fail(_, (seed, changes))) => {
                let from = format!("{} after {changes:?}", self.seeds[seed].0);
                self.telling(&self.changed(seed, &changes), &from, &once);
                panic!("{}: {from} fails, and not each time", self.name);
            }
            Err(TestError::Abort(reason)) => panic!("{}: {reason}", self.name),
        }
    }

    fn changed(&self, seed: usize, changes: &[Change]) -> Vec<u8> {
        let seeds: Vec<&[u8]> = self.seeds.iter().map(|(_, bytes)| &bytes[..]).collect();
        let mut input = seeds[seed].to_vec();
        changes.iter().for_each(|change| change.apply(&mut input, &seeds, &self.words));
        input
    }

    /// One input, with what it may cost.
    fn once(&self, input: &[u8], parse: &impl Fn(&[u8]) -> bool) -> bool {
        let mut outcome = Ok(false);
        // A panic must not leave the counter in the middle of its measurement.
        let counted = allocation_counter::measure(|| {
            outcome = catch_unwind(AssertUnwindSafe(|| parse(input)));
        });
        let accepted = outcome.unwrap_or_else(|panic| resume_unwind(panic));
        let (bytes, bytes_per_byte) = self.memory;
        let bytes_max = bytes + bytes_per_byte * input.len() as u64;
        let took = counted.bytes_max;
        assert!(
            took <= bytes_max,
            "{} bytes of input took {took} bytes of memory, not {bytes_max}",
            input.len()
        );
        accepted
    }

    /// Keeps and names the input if it fails.
    fn telling(&self, input: &[u8], from: &str, once: &impl Fn(&[u8])) {
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| once(input))) else { return };
        let path = std::env::temp_dir().join(format!("fuzz-{}-{}", self.name, std::process::id()));
        let kept = std::fs::write(&path, input).is_ok();
        eprintln!("{}: {} bytes fail: {from}", self.name, input.len());
        eprintln!("  {}", input[..input.len().min(1024)].escape_ascii());
        if kept {
            eprintln!(
                "  they are in {}; copy them into the corpus once the parser is mended",
                path.display()
            );
        }
        resume_unwind(panic);
    }
}

fn inputs(asked: Option<&str>) -> u32 {
    let count =
        asked.map(|text| text.parse().unwrap_or_else(|_| panic!("{INPUTS_VARIABLE}={text}: no number")));
    count.unwrap_or(INPUTS)
}

//! Files that are none, files that change, and the digest of what is in use.

use super::copy::{Copy, VAE};
use crate::checkpoint::Checkpoint;
use crate::device::Precision;
use crate::reference::{Tensors, check};
use crate::threads::Threads;
use crate::{DeviceName, Error, LoadProgress, ModelFolder, Pipeline, Recipe, demo};
use burn_tensor::{DType, Device};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use sha2::{Digest, Sha256};
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

const TEXT: &str = "text_encoder/model.safetensors";

/// The files that make the digest, in the order of their names.
fn hashed() -> Vec<String> {
    let shard = |i| format!("transformer/diffusion_pytorch_model-0000{i}-of-00004.safetensors");
    let before =
        ["scheduler/scheduler_config.json", "text_encoder/config.json", TEXT, "tokenizer/tokenizer.json"];
    let mut names: Vec<String> = before.map(String::from).into();
    names.push("transformer/config.json".into());
    names.extend((1..=4).map(shard));
    names.extend(["vae/config.json", VAE].map(String::from));
    names
}

fn digest(folder: &Path) -> [u8; 32] {
    let mut hash = Sha256::new();
    for name in hashed() {
        let content = std::fs::read(folder.join(&name)).unwrap();
        hash.update([name.as_bytes(), &[0], &(content.len() as u64).to_be_bytes(), &content].concat());
    }
    hash.finalize().into()
}

fn widened(_: u64) -> Precision {
    Precision { compute: DType::F32, widen: true, kernels: true }
}

fn kept(_: u64) -> Precision {
    Precision { widen: false, ..widened(0) }
}

fn load(copy: &Copy, choose: fn(u64) -> Precision) -> Pipeline {
    let threads = Some(Threads::start().unwrap());
    Pipeline::load_with(
        &copy.folder(),
        &DeviceName::Cpu.find().unwrap(),
        choose,
        u64::MAX,
        threads,
        &mut |_| (),
    )
    .unwrap()
}

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// Gives a file another time of change than any clock gave it.
fn touch(path: &Path) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn what_is_no_regular_file_is_refused_by_name_in_every_place() {
    let copy = Copy::new("pipe");
    let index = "transformer/diffusion_pytorch_model.safetensors.index.json".to_owned();
    for name in hashed().into_iter().chain(["model_index.json".into(), index]) {
        let path = copy.0.join(&name);
        let content = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        fifo(&path);
        copy.check(&[&name, "no regular file"]);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        copy.check(&[&name, "no regular file"]);
        std::fs::remove_dir(&path).unwrap();
        mknodat(CWD, &path, FileType::Socket, Mode::RUSR | Mode::WUSR, 0).unwrap();
        copy.check(&[&name]);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, content).unwrap();
    }
    Pipeline::load(&copy.folder(), DeviceName::Cpu).unwrap();
}

#[test]
fn a_pipe_among_the_golden_files_is_refused_by_name() {
    let copy = Copy::new("golden");
    let pipeline = Pipeline::load(&demo::folder(), DeviceName::Cpu).unwrap();
    let refused = |name: &str| {
        let error = check(&copy.0, &demo::folder(), &pipeline, &mut |_| ()).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("no regular file"), "{error}");
    };
    fifo(&copy.0.join("cases.json"));
    refused("cases.json");
    std::fs::remove_file(copy.0.join("cases.json")).unwrap();
    std::fs::write(copy.0.join("cases.json"), "{}").unwrap();
    for name in ["schedules.safetensors", "torch_randn.safetensors"] {
        fifo(&copy.0.join(name));
        refused(name);
        std::fs::remove_file(copy.0.join(name)).unwrap();
    }
    assert!(Tensors::read(&copy.0).is_err());
}

#[test]
fn the_digest_is_over_all_files_in_the_order_of_their_names() {
    let copy = Copy::new("digest");
    let mut last = LoadProgress { bytes_done: 0, bytes_total: 0 };
    let mut tell = |progress: LoadProgress| {
        assert!(progress.bytes_done >= last.bytes_done);
        last = progress;
    };
    let pipeline =
        Pipeline::load_telling(&copy.folder(), &DeviceName::Cpu.find().unwrap(), u64::MAX, &mut tell)
            .unwrap();
    assert_eq!(pipeline.digest(), digest(&copy.0));
    let bytes: u64 = hashed().iter().map(|name| copy.0.join(name).metadata().unwrap().len()).sum();
    assert_eq!(last, LoadProgress { bytes_done: bytes, bytes_total: bytes });
    let mapped = load(&copy, kept);
    assert_eq!(mapped.digest(), pipeline.digest());
}

#[test]
fn a_file_that_is_put_in_the_place_of_another_is_neither_used_nor_hashed() {
    let copy = Copy::new("swapped");
    let before = digest(&copy.0);
    for choose in [widened, kept] {
        let checkpoint = Checkpoint::open(&copy.folder(), choose).unwrap();
        for name in hashed() {
            let path = copy.0.join(&name);
            let mut content = std::fs::read(&path).unwrap();
            *content.last_mut().unwrap() ^= 1;
            std::fs::write(copy.0.join("new"), content).unwrap();
            std::fs::rename(copy.0.join("new"), &path).unwrap();
        }
        assert_ne!(digest(&copy.0), before);
        let parts = checkpoint.load(&Device::flex(), &mut |_| ()).unwrap();
        assert_eq!(parts.digest, before);
        // The second round flips the bits back.
        hashed().iter().for_each(|name| copy.edit(name, |content| *content.last_mut().unwrap() ^= 1));
        assert_eq!(digest(&copy.0), before);
    }
}

#[test]
fn a_file_that_is_written_to_while_it_loads_is_refused() {
    let copy = Copy::new("written");
    for name in hashed() {
        for choose in [widened, kept] {
            let checkpoint = Checkpoint::open(&copy.folder(), choose).unwrap();
            copy.edit(&name, |content| *content.last_mut().unwrap() ^= 0);
            touch(&copy.0.join(&name));
            let error = checkpoint.load(&Device::flex(), &mut |_| ()).err().expect("it loaded");
            assert!(matches!(&error, Error::FileChanged { file } if file.ends_with(&name)), "{error}");
            std::fs::copy(copy.0.join(&name), copy.0.join("fresh")).unwrap();
            std::fs::rename(copy.0.join("fresh"), copy.0.join(&name)).unwrap();
        }
    }
}

#[test]
fn mapped_weights_that_others_may_write_are_told_and_their_change_fails_the_next_picture() {
    let copy = Copy::new("mapped");
    let mode = |mode| {
        std::fs::set_permissions(copy.0.join(TEXT), Permissions::from_mode(mode)).unwrap();
        [widened as fn(u64) -> Precision, kept].map(|choose| load(&copy, choose))
    };
    hashed().iter().for_each(|name| {
        std::fs::set_permissions(copy.0.join(name), Permissions::from_mode(0o644)).unwrap();
    });
    assert_eq!(mode(0o644).map(|p| p.weights_may_change()), [false, false]);
    assert_eq!(mode(0o664).map(|p| p.weights_may_change()), [false, true]);
    let [widened, kept] = mode(0o646);
    assert_eq!([&widened, &kept].map(Pipeline::weights_may_change), [false, true]);

    let recipe = Recipe {
        prompt: "a red apple".into(),
        negative_prompt: String::new(),
        width: 32,
        height: 32,
        steps: 1,
        guidance: 0.0,
        guidance_norm_max: None,
        guidance_time_max: 1.0,
        seeds: vec![1],
    };
    kept.generate(&recipe).unwrap();
    touch(&copy.0.join(TEXT));
    widened.generate(&recipe).unwrap();
    let error = kept.generate(&recipe).err().unwrap();
    assert!(matches!(&error, Error::FileChanged { file } if file.ends_with(TEXT)), "{error}");
}

#[test]
fn a_folder_is_told_from_a_file() {
    let copy = Copy::new("file");
    assert!(ModelFolder::open(&copy.0.join(VAE)).is_err());
}

//! `model`: a model brought in from a folder, pinned, on record, taken by the next start, and gone again; and what it is not.

use crate::checkpoint::{TINY, copy};
use crate::crash::SmallDisk;
use crate::harness::{Home, Ran, behind, is_root_for};
use crate::served::Served;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

const VAE: &str = "vae/diffusion_pytorch_model.safetensors";

/// A home with a vault, and the checkpoint in the folder `stick/Turbo`.
fn home(test: &str) -> (Home, PathBuf) {
    let home = Home::furnished(test);
    home.ask(&["vault", "init"]).ends(0, &[]);
    let source = home.path().join("stick/Turbo");
    copy(&Path::new(TINY).join("model"), &source);
    (home, source)
}

fn import(home: &Home, source: &Path, more: &[&str]) -> Ran {
    let source = source.to_str().expect("a readable path");
    home.ask(&[&["model", "import", source], more].concat())
}

/// Nothing was brought in, and nothing is left of it.
#[track_caller]
fn nothing_is_there(home: &Home) {
    let listed = home.ask(&["model", "list", "--json"]).ends(0, &[]).data();
    assert_eq!((&listed["models"], &listed["interrupted"]), (&serde_json::json!([]), &0.into()), "{listed}");
    assert_eq!(home.count_records(&["model.imported ok"]), 0);
}

#[track_caller]
fn models(home: &Home) -> Vec<Value> {
    let listed = home.ask(&["model", "list", "--json"]).ends(0, &[]).data();
    listed["models"].as_array().unwrap_or_else(|| panic!("{listed}")).clone()
}

/// The field of the newest record of a type.
#[track_caller]
fn field(home: &Home, kind: &str, name: &str) -> String {
    let records = home.records();
    let record =
        records.iter().rev().find(|record| record.contains(kind)).unwrap_or_else(|| panic!("{records:#?}"));
    let value = record.split(' ').find_map(|word| word.strip_prefix(&format!("{name}=")));
    value.unwrap_or_else(|| panic!("{record}")).to_owned()
}

/// The plain bytes of a new picture.
fn picture(home: &Home, file: &str, more: &[&str]) -> Vec<u8> {
    let file = home.at(&format!("out/{file}"));
    let fixed =
        ["generate", "a red apple", "--seed", "7", "--size", "32x32", "--steps", "1", "--export", &file];
    home.ask(&[&fixed, more].concat()).ends(0, &[]);
    let png = fs::read(&file).expect("it was exported");
    let mut pixels = Vec::new();
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().expect("a PNG");
    pixels.resize(reader.output_buffer_size().expect("it fits"), 0);
    reader.next_frame(&mut pixels).expect("a PNG");
    pixels
}

#[test]
fn a_model_is_brought_in_pinned_used_and_removed() {
    let (home, source) = home("model");
    fs::write(source.join("README.md"), "x").expect("it is ours");
    fs::write(source.join("run.py"), "x").expect("it is ours");
    // What no model needs is no reason to refuse one.
    symlink("/", source.join("elsewhere")).expect("it is ours");
    fs::create_dir(source.join("private")).expect("it is ours");
    fs::set_permissions(source.join("private"), fs::Permissions::from_mode(0o000)).expect("it is ours");
    let ran = import(&home, &source, &["--json"]).ends(0, &["4 other files of the folder"]);
    let data = ran.data();
    assert_eq!((&data["name"], &data["official"]), (&"turbo".into(), &false.into()), "{data}");
    let folder = home.path().join("state/models/turbo");
    assert!(!folder.join("run.py").exists() && !folder.join("README.md").exists());
    // What is pinned is what other people's programs find.
    let mut sums = std::process::Command::new("sha256sum");
    sums.args(["-c", "--strict", "SHA256SUMS"]).current_dir(&folder);
    Ran::of(&mut sums).ends(0, &[]);
    assert_eq!(home.count_records(&["posture.process ok", "process=import"]), 1);
    home.ask(&["model", "verify"]).ends(0, &[]);
    home.ask(&["model", "info", "turbo"]).ends(0, &[]);
    assert_eq!(models(&home)[0]["in_use"], false);

    // The same twice, and the demo model until it is chosen.
    import(&home, &source, &[]).ends(6, &["a model named turbo is there already", "--name"]);
    let demo = picture(&home, "demo.png", &[]);
    home.ask(&["model", "use", "turbo"]).ends(0, &[]);
    let shown = home.ask(&["config", "show", "--origin"]).ends(0, &[]).stdout;
    assert!(shown.lines().any(|line| line.starts_with("model ") && line.contains("turbo")), "{shown}");
    let chosen = picture(&home, "chosen.png", &[]);
    assert_eq!(field(&home, "boot.ready", "model"), field(&home, "model.imported", "model"));
    let named = picture(&home, "named.png", &["--model", source.to_str().expect("a readable path")]);
    assert!(chosen == named && chosen != demo);
    assert_eq!(models(&home)[0]["in_use"], true);
    // A server that has it makes the pictures of verbs with it, too.
    let served = Served::start(&home);
    assert!(picture(&home, "through.png", &[]) == chosen);
    // A name that was mistyped is told before the vault is waited for.
    for verb in ["use", "rm"] {
        home.ask(&["model", verb, "turbot"]).ends(5, &["there is no model turbot"]);
    }
    home.ask(&["model", "use", "turbo"]).ends(9, &[]);
    served.stop().ends(0, &[]);
    home.ask(&["model", "rm", "turbo"]).ends(6, &["turbo is in use", "demo"]);
    home.ask(&["model", "use", "demo"]).ends(0, &[]);
    home.ask(&["model", "rm", "turbo"]).ends(0, &[]);
    home.ask(&["model", "rm", "turbo"]).ends(5, &["there is no model turbo"]);
    home.ask(&["model", "rm", "demo"]).ends(6, &["part of the program"]);
    home.ask(&["model", "use", "other"]).ends(5, &["no model other"]);
    assert!(!folder.exists() && models(&home).is_empty());
    for kind in ["model.imported ok", "model.used ok", "model.embedded_used ok", "model.removed ok"] {
        assert_eq!(home.count_records(&[kind]), 1, "{kind}");
    }
    home.is_whole(4);
    // No record has a name.
    assert_eq!(home.count_records(&["turbo"]), 0);
}

#[test]
fn what_is_changed_afterwards_is_found_and_not_taken() {
    let (home, source) = home("model-changed");
    import(&home, &source, &["--name", "a"]).ends(0, &[]);
    import(&home, &source, &["--name", "b"]).ends(0, &[]);
    home.ask(&["model", "use", "a"]).ends(0, &[]);
    // With the folder the choice is gone, and no start takes another model for it.
    let (models, aside) = (home.path().join("state/models"), home.path().join("aside"));
    fs::rename(&models, &aside).expect("it is ours");
    home.generate(&["x"]).ends(5, &["a model was chosen", "mount its disk"]);
    fs::rename(&aside, &models).expect("it is ours");
    home.generate(&["x"]).ends(0, &[]);
    let file = home.path().join("state/models/a").join(VAE);
    let mut bytes = fs::read(&file).expect("it was imported");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&file, &bytes).expect("it is ours");
    let ran = home.ask(&["model", "verify", "--json"]).ends(11, &[]);
    assert!(
        ran.data()["models"][0]["differs"][0].as_str().is_some_and(|text| text.contains(VAE)),
        "{ran:#?}"
    );
    assert_eq!(ran.data()["models"][1]["differs"], serde_json::json!([]));
    home.ask(&["model", "use", "a"]).ends(11, &["is not what was imported", VAE]);
    // A start reads every byte, and knows it, too.
    let refused = ["generate", "x", "--size", "32x32", "--steps", "1"];
    home.ask(&refused).ends(11, &["not the one that was imported", "model verify"]);
    assert_eq!(
        home.count_records(&["boot.refused denied", "reason=model"]),
        2,
        "and the one without the folder"
    );
    fs::remove_file(&file).expect("it is ours");
    fs::write(file.with_file_name("more.py"), "x").expect("it is ours");
    let said = home.ask(&["model", "verify", "a"]).ends(11, &[]).stdout;
    assert!(said.contains("is missing") && said.contains("vae/more.py was not imported"), "{said}");
    // A list that goes with changed files is not on record.
    let b = home.path().join("state/models/b");
    fs::write(b.join("vae/config.json"), "{}").expect("it is ours");
    let sums = std::process::Command::new("sh")
        .args([
            "-c",
            "export LC_ALL=C; find * -type f ! -name SHA256SUMS | sort | xargs sha256sum > SHA256SUMS",
        ])
        .current_dir(&b)
        .status();
    assert!(sums.is_ok_and(|status| status.success()));
    home.ask(&["model", "verify", "b"]).ends(11, &[]);
    home.ask(&["model", "use", "b"]).ends(11, &["not on record"]);
    // Gone, or named by what makes no sense.
    fs::remove_dir_all(home.path().join("state/models/a")).expect("it is ours");
    home.ask(&refused).ends(5, &["the model in use, a, is not in", "model use NAME"]);
    // That is told by what looks, too.
    home.ask(&["model", "list"]).ends(4, &["a is in use, and is not there"]);
    home.ask(&["model", "verify", "a"]).ends(5, &["no model a"]);
    home.write("state/models/in-use", b"../../etc 0\n");
    home.ask(&["model", "list"]).ends(4, &["what names the model in use makes no sense"]);
    home.ask(&refused).ends(11, &["makes no sense"]);
    home.ask(&["model", "use", "demo"]).ends(0, &[]);
    home.generate(&["x"]).ends(0, &[]);
}

/// A cache of downloads: a snapshot of links into blobs.
fn cache(home: &Home, source: &Path) -> PathBuf {
    let cache = home.path().join("hub/models--Tongyi-MAI--Z-Image-Turbo");
    let snapshot = cache.join("snapshots/5f4b9cbb80cc95ba44fe6667dfd75710f7db2947");
    fs::create_dir_all(cache.join("blobs")).expect("a home can be written");
    fs::create_dir_all(cache.join("refs")).expect("a home can be written");
    fs::write(cache.join("refs/main"), "5f4b9cbb80cc95ba44fe6667dfd75710f7db2947").expect("it is ours");
    copy(source, &snapshot);
    let mut count = 0;
    let mut folders = vec![snapshot.clone()];
    while let Some(folder) = folders.pop() {
        let up = if folder == snapshot { "../../blobs" } else { "../../../blobs" };
        for entry in fs::read_dir(&folder).expect("it is ours").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            count += 1;
            fs::rename(entry.path(), cache.join(format!("blobs/{count}"))).expect("it is ours");
            symlink(format!("{up}/{count}"), entry.path()).expect("it is ours");
        }
    }
    cache
}

#[test]
fn a_cache_of_downloads_is_taken_with_its_links_resolved() {
    let (home, source) = home("model-cache");
    let cache = cache(&home, &source);
    import(&home, &cache, &[]).ends(0, &[]);
    assert_eq!(models(&home)[0]["name"], "z-image-turbo");
    let snapshot = cache.join("snapshots/5f4b9cbb80cc95ba44fe6667dfd75710f7db2947");
    import(&home, &snapshot, &["--name", "again"]).ends(0, &[]);
    home.ask(&["model", "verify"]).ends(0, &[]);
    let of = |name: &str| home.path().join("state/models").join(name).join(VAE);
    assert!(of("again").symlink_metadata().expect("it was copied").is_file());
    assert_eq!(fs::read(of("again")).ok(), fs::read(source.join(VAE)).ok());
    // A download that was cut off.
    let target = snapshot.join(VAE).canonicalize().expect("a link");
    fs::rename(&target, target.with_extension("incomplete")).expect("it is ours");
    import(&home, &cache, &["--name", "c"]).ends(5, &[VAE, "not complete", ".incomplete"]);
    fs::write(cache.join("refs/main"), "0123").expect("it is ours");
    import(&home, &cache, &["--name", "c"]).ends(5, &["refs/main", "not complete"]);
    // A link that leaves the cache.
    fs::remove_file(snapshot.join(VAE)).expect("it is ours");
    symlink(source.join(VAE), snapshot.join(VAE)).expect("it is ours");
    import(&home, &snapshot, &["--name", "c"]).ends(6, &["leads out of the folder", "cp -rL"]);
    assert_eq!(models(&home).len(), 2);
}

/// The fault, the code, and words of its sentence.
type Fault<'a> = (&'a dyn Fn(&Path), i32, &'a [&'a str]);

#[test]
fn what_is_no_model_is_refused_with_its_sentence() {
    let (home, source) = home("model-faults");
    let at = |name: &str| home.path().join(name);
    fs::write(at("a.gguf"), "GGUF").expect("it is ours");
    fs::write(at("a.safetensors"), "x").expect("it is ours");
    fs::write(at("a.ckpt"), "x").expect("it is ours");
    fs::write(at("a.zip"), "x").expect("it is ours");
    mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a home can be written");
    for (name, code, words) in [
        ("a.gguf", 2, "GGUF"),
        ("a.safetensors", 2, "a model is a folder"),
        ("a.ckpt", 2, "pickle"),
        ("a.zip", 2, "unpack"),
        ("pipe", 2, "no folder"),
        ("absent", 5, "absent"),
        ("stick", 5, "Turbo in it may be one"),
        ("out", 5, "no model_index.json"),
    ] {
        import(&home, &at(name), &[]).ends(code, &[words]);
    }
    let write = |path: PathBuf, content: &[u8]| fs::write(path, content).expect("it is ours");
    let gone = |path: PathBuf| fs::remove_file(path).expect("it was copied");
    let pointer = b"version git-lfs/spec/v1\noid sha256:00\nsize 123\n";
    let faults: &[Fault<'_>] = &[
        (&|m| write(m.join(VAE), pointer), 11, &[VAE, "Git LFS", "git lfs pull"]),
        (&|m| write(m.join("tokenizer/tokenizer.json"), pointer), 11, &["tokenizer.json", "Git LFS"]),
        (
            &|m| write(m.join(VAE), &fs::read(m.join(VAE)).expect("it was copied")[..9999]),
            11,
            &[VAE, "incomplete"],
        ),
        (&|m| write(m.join(VAE), &[0xff; 64]), 11, &[VAE]),
        (&|m| gone(m.join(VAE)), 5, &[VAE]),
        (&|m| gone(m.join("tokenizer/tokenizer.json")), 5, &["tokenizer.json"]),
        (&|m| fs::rename(m.join(VAE), m.join("vae/a.bin")).expect("it is ours"), 2, &["a.bin", "pickle"]),
        (&|m| fs::rename(m.join(VAE), m.join("vae/a.gguf")).expect("it is ours"), 2, &["a.gguf", "GGUF"]),
        (
            &|m| {
                gone(m.join(VAE));
                let index = br#"{"weight_map": {"x": "shard-00001-of-00002.safetensors"}}"#;
                write(m.join(format!("{VAE}.index.json")), index);
            },
            5,
            &["shard-00001"],
        ),
        (
            &|m| {
                gone(m.join(VAE));
                symlink("diffusion_pytorch_model.safetensors", m.join(VAE)).expect("it is ours");
            },
            6,
            &[VAE, "leads back to itself"],
        ),
        (
            &|m| {
                gone(m.join(VAE));
                symlink("/etc/passwd", m.join(VAE)).expect("it is ours");
            },
            6,
            &[VAE, "leads out of the folder"],
        ),
        (
            &|m| {
                gone(m.join(VAE));
                mknodat(CWD, m.join(VAE), FileType::Fifo, Mode::RUSR, 0).expect("it is ours");
            },
            6,
            &[VAE, "a pipe where a file should be"],
        ),
        (
            &|m| {
                gone(m.join("model_index.json"));
                fs::create_dir(m.join("diffusion_models")).expect("it is ours");
            },
            5,
            &["ComfyUI"],
        ),
    ];
    let model = at("spoilt");
    for (spoil, code, words) in faults {
        copy(&source, &model);
        spoil(&model);
        let ran = import(&home, &model, &[]).ends(*code, words);
        assert!(ran.stderr.starts_with("error: ") && ran.stderr.lines().count() == 1, "{ran:#?}");
        fs::remove_dir_all(&model).expect("it is ours");
    }
    import(&home, &source, &["--name", "../x"]).ends(2, &["small letters"]);
    import(&home, &source, &["--name", "demo"]).ends(2, &["inside the program"]);
    // A source that holds the vault, or the models themselves.
    import(&home, &at("state"), &[]).ends(2, &["overlaps"]);
    if is_root_for("giving a folder to nobody") {
        fs::set_permissions(source.join(VAE), fs::Permissions::from_mode(0o000)).expect("it is ours");
        std::os::unix::fs::chown(source.join(VAE), Some(1), Some(1)).expect("root may");
        import(&home, &source, &[]).ends(6, &[VAE, "denied"]);
    }
    nothing_is_there(&home);
}

#[test]
fn nobody_without_the_passphrase_and_nobody_but_an_admin_changes_the_models() {
    let (home, source) = home("model-rights");
    home.write("wrong", b"not the right words at all\n");
    let (state, wrong) = (home.at("state"), home.at("wrong"));
    let source = source.to_str().expect("a readable path");
    let locked = ["model", "import", source, "--home", &state, "--passphrase-file", &wrong];
    Ran::from(home.run(&locked)).ends(7, &[]);
    nothing_is_there(&home);
    home.write("theirs", b"eight white herons at dusk\n");
    let theirs = home.at("theirs");
    home.ask(&["operator", "add", "second", "--new-passphrase-file", &theirs, "--operator", "first"])
        .ends(0, &[]);
    let as_second =
        ["model", "import", source, "--home", &state, "--passphrase-file", &theirs, "--operator", "second"];
    Ran::from(home.run(&as_second)).ends(6, &[]);
    nothing_is_there(&home);
    // Nobody asks for a passphrase to look.
    home.ask(&["model", "verify"]).ends(0, &[]);
}

/// The import with `how` in the place of a call about a path below the folder of the models.
fn disturbed(home: &Home, source: &Path, call: &str, path: &str, how: &str) -> Ran {
    let source = source.to_str().expect("a readable path");
    let (trace, path) = (home.at("tmp/trace"), home.at(&format!("state/models{path}")));
    let (only, inject) = (format!("trace={call}"), format!("inject={call}:{how}:when=1"));
    let strace = ["strace", "-f", "-qq", "-o", &trace, "-P", &path, "-e", &only, "-e", &inject];
    Ran::of(&mut behind(&strace, &home.furnished_program(&["model", "import", source])))
}

#[test]
fn an_import_killed_at_any_moment_is_repeated_and_one_whose_sync_fails_is_none() {
    let (home, source) = home("model-killed");
    for (call, path) in [
        ("mkdir", "/.part-turbo/vae"),
        ("fsync", "/.part-turbo/vae/diffusion_pytorch_model.safetensors"),
        ("fsync", "/.part-turbo/SHA256SUMS"),
        ("rename", "/.part-turbo"),
        ("fsync", ""),
    ] {
        disturbed(&home, &source, call, path, "signal=KILL").ends(1, &["without a word"]);
        let left = models(&home);
        // Where it has its name it is whole, and on record.
        assert_eq!(left.len(), usize::from(path.is_empty()), "{call} {path}: {left:?}");
        for model in left {
            assert!(model["imported"]["record"].is_u64(), "{call} {path}: {model}");
            home.ask(&["model", "verify"]).ends(0, &[]);
            fs::remove_dir_all(home.path().join("state/models/turbo")).expect("it is ours");
        }
        import(&home, &source, &[]).ends(0, &[]);
        let listed = home.ask(&["model", "list", "--json"]).ends(0, &[]).data();
        assert_eq!(listed["interrupted"], 0, "{call} {path}: {listed}");
        fs::remove_dir_all(home.path().join("state/models/turbo")).expect("it is ours");
    }
    let before = home.count_records(&["model.imported ok"]);
    for (path, error, code, words) in [
        ("/.part-turbo/vae/diffusion_pytorch_model.safetensors", "EIO", 1, "cannot write"),
        ("/.part-turbo/SHA256SUMS", "ENOSPC", 10, "disk is full"),
        ("/.part-turbo/transformer", "EDQUOT", 10, "quota"),
    ] {
        disturbed(&home, &source, "fsync", path, &format!("error={error}")).ends(code, &[words]);
        assert!(!home.path().join("state/models/.part-turbo").exists(), "{path}");
    }
    assert_eq!(home.count_records(&["model.imported ok"]), before);
    assert!(models(&home).is_empty());
}

#[test]
fn two_at_once_are_one_and_a_sentence() {
    let (home, source) = home("model-two");
    fs::create_dir_all(home.path().join("state/models")).expect("a home can be written");
    let lock = fs::File::create(home.path().join("state/models/lock")).expect("it is ours");
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).expect("nobody has it");
    import(&home, &source, &[]).ends(9, &["another import"]);
    drop(lock);
    // What an interruption left does not stay.
    fs::create_dir_all(home.path().join("state/models/.part-old/vae")).expect("it is ours");
    home.ask(&["model", "list"]).ends(0, &["was interrupted"]);
    import(&home, &source, &[]).ends(0, &[]);
    assert!(!home.path().join("state/models/.part-old").exists());
}

#[test]
fn a_disk_without_room_is_found_before_the_copy() {
    if !is_root_for("mounting a small disk") {
        return;
    }
    let (home, source) = home("model-full");
    let _disk = SmallDisk::mount(home.at("state/models"), "size=8m,mode=700");
    import(&home, &source, &[]).ends(10, &["MiB left", "free some space"]);
    nothing_is_there(&home);
    drop(_disk);
    let _disk = SmallDisk::mount(home.at("state/models"), "size=64m,nr_inodes=9,mode=700");
    import(&home, &source, &[]).ends(10, &["inodes"]);
    drop(_disk);
    // A limit on the size of files, which only the copy meets.
    let source = source.to_str().expect("a readable path");
    let program = home.furnished_program(&["model", "import", source]);
    let limited = ["prlimit", "--fsize=600000"];
    Ran::of(&mut behind(&limited, &program)).ends(10, &["ulimit -f"]);
    nothing_is_there(&home);
}

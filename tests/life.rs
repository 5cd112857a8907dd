//! A picture from its making to its erasure, and the marks it carries.

use crate::harness::{Home, Ran, SMALL};
use serde_json::Value;
use std::process::Command;

/// Width, height and RGB values of a PNG.
#[track_caller]
pub fn pixels(png: &[u8]) -> (u32, u32, Vec<u8>) {
    let decoder = png::Decoder::new(std::io::Cursor::new(png));
    let mut reader = decoder.read_info().unwrap_or_else(|error| panic!("{error}"));
    let mut rgb = vec![0; reader.output_buffer_size().expect("a small picture fits")];
    let info = reader.next_frame(&mut rgb).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
    rgb.truncate(info.buffer_size());
    (info.width, info.height, rgb)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// `20240115_142345_abc789.png`
fn is_name(name: &str) -> bool {
    let pattern = b"dddddddd_dddddd_xxxxxx.png";
    name.len() == pattern.len()
        && name.bytes().zip(pattern).all(|(byte, kind)| match kind {
            b'd' => byte.is_ascii_digit(),
            b'x' => byte.is_ascii_digit() || byte.is_ascii_lowercase(),
            literal => byte == *literal,
        })
}

#[test]
fn from_the_prompt_to_the_erasure() {
    let home = Home::furnished("life");
    let first = home.at("out/first.png");
    let demo = ["generate", "a red apple", "--seed", "42", "--json", "--export", &first];
    let made = home.ask(&demo).ends(0, &["a new vault was made"]).data()["pictures"][0].clone();
    assert!(is_name(text(&made["name"])), "{made}");
    let (width, height, rgb) = pixels(&std::fs::read(&first).expect("it was exported"));
    assert_eq!((width, height), (128, 128));
    assert_eq!((made["width"].as_u64(), made["height"].as_u64()), (Some(128), Some(128)));
    let colours: std::collections::BTreeSet<&[u8]> = rgb.chunks(3).collect();
    assert!(colours.len() > 100, "a picture of {} colours", colours.len());

    // Its sealed file lies under its name, readable by its owner alone.
    let sealed = home.path().join(format!("workspace/output_image/{}.sealed", text(&made["name"])));
    let metadata = std::fs::metadata(&sealed).unwrap_or_else(|error| panic!("{}: {error}", sealed.display()));
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");

    let listed = home.pictures();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0]["id"], made["id"]);
    let id = text(&made["id"]);
    for name in [id, &id[..8], text(&made["name"])] {
        let shown = home.ask(&["history", "show", name, "--json"]).ends(0, &[]).data();
        assert_eq!((&shown["id"], &shown["seed"]), (&made["id"], &Value::from(42)), "{shown}");
        assert!(shown["prompt"].is_null(), "nobody asked to remember the prompt: {shown}");
    }
    home.ask(&["history", "show", &id[..7]]).ends(5, &["first 8 characters", "history list"]);
    let shown = home.ask(&["history", "show", id]).ends(0, &[]).stdout;
    let fact = |name: &str| {
        let line = shown.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{shown}"));
        line[12..].to_owned() // aligned
    };
    assert_eq!((fact("picture "), fact("name ")), (id.to_owned(), text(&made["name"]).to_owned()));
    assert_eq!(
        (fact("size "), fact("seed "), fact("guidance ")),
        ("128x128 pixels".into(), "42".into(), "off".into())
    );
    assert_eq!(fact("sealed file "), sealed.to_string_lossy());
    let made_at: String = fact("made ").chars().filter(char::is_ascii_digit).collect();
    assert_eq!(made_at[..14], text(&made["name"])[..15].replace('_', ""), "{shown}");

    let again = home.at("out/again.png");
    home.ask(&["history", "export", id, "-o", &again]).ends(0, &[]);
    assert_eq!(std::fs::read(&again).ok(), std::fs::read(&first).ok(), "a copy is a copy");
    let refused = home.ask(&["history", "export", id, "-o", &again]).ends(6, &["is there already"]);
    assert_eq!(refused.stdout, "");

    // The same seed gives the same pixels, in a picture of its own.
    let twin = home.at("out/twin.png");
    home.ask(&["generate", "a red apple", "--seed", "42", "--export", &twin]).ends(0, &[]);
    let twin = std::fs::read(&twin).expect("it was exported");
    assert_eq!(pixels(&twin), (width, height, rgb));
    assert_ne!(Some(twin), std::fs::read(&first).ok(), "each has an identifier of its own");
    home.is_whole(2);

    home.ask(&["history", "rm", "--all"]).ends(6, &["2 pictures", "--yes"]);
    home.is_whole(2);
    let erased = home.ask(&["history", "rm", "--all", "--yes", "--json"]).ends(0, &[]).data();
    assert_eq!(erased["erased"], 2, "{erased}");
    assert_eq!(home.pictures(), Vec::<Value>::new());
    assert!(!sealed.exists());
    home.ask(&["history", "show", id]).ends(5, &["no picture"]);
    assert_eq!(home.count_records(&["object.sealed ok"]), 2);
    assert_eq!(home.count_records(&["object.exported ok"]), 3);
    assert_eq!(home.count_records(&["object.erased ok"]), 2);
    home.is_whole(0);
}

#[test]
fn several_pictures_have_seeds_that_follow_each_other() {
    let home = Home::furnished("several");
    let folder = home.at("out");
    let made = home.generate(&["a boat", "--seed", "7", "-n", "2", "--json", "--export", &folder]);
    let made = made.ends(0, &[]).data()["pictures"].clone();
    assert_eq!((&made[0]["seed"], &made[1]["seed"]), (&Value::from(7), &Value::from(8)), "{made}");
    assert_ne!(made[0]["id"], made[1]["id"]);
    let exported = |name: &str| pixels(&std::fs::read(home.path().join("out").join(name)).expect("exported"));
    let second = exported(text(&made[1]["name"]));
    assert_ne!(exported(text(&made[0]["name"])), second);
    home.generate(&["a boat", "--seed", "8", "--export", &home.at("out/alone.png")]).ends(0, &[]);
    assert_eq!(exported("alone.png"), second, "picture 2 of seed 7 is picture 1 of seed 8");

    let numbered = home.at("out/boat.png");
    home.generate(&["a boat", "-n", "2", "--export", &numbered]).ends(0, &[]);
    assert!(home.path().join("out/boat-1.png").exists() && home.path().join("out/boat-2.png").exists());
    // A name that is taken is noticed before any work, and nothing is overwritten.
    home.generate(&["a boat", "-n", "2", "--export", &numbered]).ends(6, &["boat-1.png is there already"]);
    // A mistyped folder is no beginning of names.
    let mistyped = home.at("out/mistyped");
    let hints = ["the folder", "make it first", "mistyped.png"];
    home.generate(&["a boat", "-n", "2", "--export", &mistyped]).ends(5, &hints);
    let ids: Vec<String> = home.pictures().iter().map(|picture| text(&picture["id"]).to_owned()).collect();
    home.ask(&["history", "export", &ids[0], &ids[1], "-o", &mistyped]).ends(5, &hints);
    home.is_whole(5);
    assert_eq!(home.pictures().len(), 5);
}

#[test]
fn a_prompt_is_kept_only_if_asked_for() {
    let home = Home::furnished("remember");
    let prompt = "a nightingale over the moor";
    let kept = home.generate(&[prompt, "--remember-prompt", "--json"]).ends(0, &[]).data();
    let id = text(&kept["pictures"][0]["id"]).to_owned();
    let shown = home.ask(&["history", "show", &id, "--json"]).ends(0, &[]).data();
    assert_eq!(shown["prompt"], prompt);
    assert_eq!(home.files_with(b"nightingale"), Vec::<std::path::PathBuf>::new(), "kept is sealed");
    home.policy(b"schema = 1\nkeep_prompts = \"never\"\n");
    home.generate(&[prompt, "--remember-prompt"]).ends(6, &["forbids keeping prompts"]);
    assert_eq!(home.count_records(&["request.refused denied", "reason=policy"]), 1);
    home.generate(&[prompt]).ends(0, &[]);
    home.is_whole(2);
}

#[test]
fn a_new_passphrase_replaces_the_old_one() {
    let home = Home::with_picture("passwd");
    home.write("new", b"another passphrase of length\n");
    home.write("short", b"short\n");
    home.ask(&["vault", "passwd", "--new-passphrase-file", &home.at("short")])
        .ends(2, &["12", &home.at("short")]);
    home.is_whole(1);
    // The old one still opens everything.
    home.ask(&["vault", "passwd", "--new-passphrase-file", &home.at("pass")])
        .ends(2, &["the one that is to be replaced", "choose another"]);
    home.is_whole(1);
    let new = home.at("new");
    home.ask(&["vault", "passwd", "--new-passphrase-file", &new]).ends(0, &["the passphrase was changed"]);
    let old = home.ask(&["history", "list"]).ends(7, &["passphrase"]);
    assert_eq!(old.stdout, "");
    assert_eq!(home.count_records(&["vault.unlock_failed denied"]), 1);
    assert_eq!(home.count_records(&["vault.secret_changed ok", "by=passphrase"]), 1);
    // From here on the home's own passphrase is the new one.
    std::fs::copy(home.path().join("new"), home.path().join("pass")).expect("a home can be written");
    home.is_whole(1);
}

#[test]
fn a_picture_carries_two_marks_and_no_other_text() {
    let home = Home::furnished("marks");
    let exported = home.at("out/apple.png");
    let made = home.generate(&["a red apple", "--json", "--export", &exported]).ends(0, &[]).data();
    let pseudonym = text(&made["pictures"][0]["pseudonym"]);
    let read = Command::new("exiftool").args(["-j", "-a", "-G1", &exported]).output();
    let read =
        read.unwrap_or_else(|error| panic!("exiftool: {error}; apt-get install libimage-exiftool-perl"));
    let tags: Value =
        serde_json::from_slice(&read.stdout).unwrap_or_else(|error| panic!("{error}: {read:?}"));
    let source = text(&tags[0]["XMP-iptcExt:DigitalSourceType"]);
    assert_eq!(source, "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia");
    let fields = tags[0].as_object().unwrap_or_else(|| panic!("{tags}"));
    // Later versions of exiftool spell it as the standard does.
    let label = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("XMP-TC260:AIGC"));
    let (_, label) = label.unwrap_or_else(|| panic!("no label: {tags}"));
    let label: Value = match label.as_str() {
        Some(text) => serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")),
        None => label.clone(),
    };
    assert_eq!(label["Label"].to_string().trim_matches('"'), "1", "{label}");
    assert_eq!(label["ProduceID"], pseudonym, "{label}");
    assert_eq!(text(&label["ContentProducer"]), "Lightproof");

    let png = std::fs::read(&exported).expect("it was exported");
    assert_eq!(chunks(&png), ["IHDR", "sRGB", "iTXt", "IDAT", "IEND"]);
}

/// The kinds of a PNG's chunks, each once.
fn chunks(png: &[u8]) -> Vec<String> {
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let (mut kinds, mut rest) = (Vec::new(), &png[8..]);
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        kinds.push(String::from_utf8_lossy(&after[..4]).into_owned());
        rest = &after[4 + u32::from_be_bytes(*length) as usize + 4..];
    }
    kinds.dedup();
    kinds
}

#[test]
fn folders_can_be_chosen() {
    let home = Home::furnished("folders");
    let pass = home.at("pass");
    let generate = [&["generate", "x", "--passphrase-file", &pass], &SMALL[..]].concat();
    let sealed_in = |folder: &str| {
        let entries =
            std::fs::read_dir(home.path().join(folder)).map_or_else(|_| Vec::new(), Iterator::collect);
        entries.iter().flatten().filter(|e| e.file_name().to_string_lossy().ends_with(".png.sealed")).count()
    };
    // The environment names the home.
    let mut command = home.program(&generate);
    Ran::of(command.env("LIGHTPROOF_HOME", home.at("by variable"))).ends(0, &[]);
    assert!(home.path().join("by variable/vault/anchor").exists());
    assert!(home.path().join("by variable/audit/checkpoint").exists());
    assert_eq!(sealed_in("workspace/output_image"), 1);
    // The flag wins over the variable.
    let mut command =
        home.program(&[&generate[..], &["--home", "by flag", "--outputs", "pictures"]].concat());
    Ran::of(command.env("LIGHTPROOF_HOME", home.at("by variable"))).ends(0, &[]);
    assert!(home.path().join("by flag/vault/anchor").exists());
    assert_eq!((sealed_in("workspace/output_image"), sealed_in("pictures")), (1, 1));
    // A new vault whose pictures would lie among those of another may be a mistyped home.
    let another = "holds sealed pictures of another vault";
    let mut command = home.program(&["vault", "init", "--passphrase-file", &pass, "--home", "mistyped"]);
    Ran::of(&mut command).ends(0, &[another, "--home"]);
    let ran =
        Ran::of(&mut home.program(&["history", "list", "--passphrase-file", &pass, "--home", "mistyped"]));
    assert!(!ran.ends(0, &[]).stderr.contains(another));
    // Without either, the folders of the XDG specification.
    let mut command = home.program(&generate);
    command.env("XDG_STATE_HOME", home.at("xdg/state")).env("XDG_CONFIG_HOME", home.at("xdg/config"));
    Ran::of(&mut command).ends(0, &[]);
    assert!(home.path().join("xdg/state/lightproof/vault/anchor").exists());
    Ran::of(&mut home.program(&generate)).ends(0, &[]);
    assert!(home.path().join(".local/state/lightproof/vault/anchor").exists());
    // Without any home at all it says what to do.
    Ran::of(home.program(&generate).env_remove("HOME")).ends(2, &["--home"]);
}

#[test]
fn a_plain_copy_goes_anywhere_but_above_the_policy() {
    let home = Home::furnished("here");
    let pass = home.at("pass");
    let export = |to: &str| {
        let arguments = ["generate", "x", "--passphrase-file", &pass, "--export", to];
        Ran::of(&mut home.program(&[&arguments[..], &SMALL].concat()))
    };
    // The working folder is the user's home, and a folder that may be written may not hold the policy.
    export("x.png").ends(2, &["policy", "Choose another folder"]);
    assert!(!home.path().join("x.png").exists());
    export("out/x.png").ends(0, &[]);
    pixels(&std::fs::read(home.path().join("out/x.png")).expect("it was exported"));
    export("missing/x.png").ends(5, &["missing"]);
}

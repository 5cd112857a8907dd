//! A checkpoint that is kept elsewhere: given out, in characters and as a picture, or copied by itself to where the policy says; and what a
//! log is that does not go on from it.

use crate::abuse::token_of;
use crate::checkpoint::copy;
use crate::harness::{Home, PASSPHRASE, Ran, behind, is_root_for};
use crate::http::Request;
use crate::people::Studio;
use crate::served::Served;
use rustix::process::Signal;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Light modules around a code.
const MARGIN: usize = 4;

#[test]
fn a_checkpoint_is_given_out_and_a_log_that_was_cut_back_does_not_go_on_from_it() {
    let home = Home::with_picture("elsewhere");
    let audit = home.path().join("state/audit");
    copy(&audit, &home.path().join("older"));
    home.generate(&["x"]).ends(0, &[]);
    let kept = std::fs::read_to_string(audit.join("checkpoint")).expect("the log has one");
    let count = home.records().len();
    let printed = home.ask(&["audit", "checkpoint"]).ends(0, &[&format!("covers {count} records")]);
    assert_eq!(printed.stdout, kept);
    assert_eq!(home.ask(&["audit", "checkpoint", "-o", "-", "--quiet"]).ends(0, &[]).stdout, kept);
    let ran = home.ask(&["audit", "checkpoint", "-o", &home.at("kept"), "--json"]).ends(0, &[]).data();
    assert_eq!((&ran["checkpoint"], &ran["records"]), (&kept.as_str().into(), &count.into()), "{ran}");
    let file = home.path().join("kept");
    assert_eq!(std::fs::read_to_string(&file).expect("it was written"), kept);
    let mode = std::fs::metadata(&file).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Nothing is overwritten, made among the program's own files, or made in a folder that is not there.
    let own = ["state/audit/mine", "state/config/policy.toml", "state/evidence", "state/models"];
    for path in ["kept", "none/kept", "folder/"].into_iter().chain(own) {
        let code = [("none/kept", 5), ("folder/", 2)].iter().find(|(known, _)| *known == path);
        let code = code.map_or(6, |(_, code)| *code);
        home.ask(&["audit", "checkpoint", "-o", &home.at(path)]).ends(code, &[path]);
    }
    assert!(!audit.join("mine").exists());
    // The log goes on from it, by whichever way it came back.
    home.generate(&["y"]).ends(0, &[]);
    home.write("mailed", format!("{}\r\n", kept.trim_end().replace('\n', "\r\n")).as_bytes());
    home.write("photographed", kept.trim_end().as_bytes());
    // Readers of QR codes guess how the bytes of the dash are meant, some lose the line breaks, and one says what it read.
    let (text, signatures) = kept.split_once("\n\n").expect("a note");
    home.write("latin", kept.replace('\u{2014}', "\u{e2}\u{80}\u{94}").as_bytes());
    home.write("kanji", kept.replace("\u{2014} ", "\u{7aba}\u{fffd}").as_bytes());
    home.write("no-empty-line", format!("{text}\n{signatures}").as_bytes());
    home.write("one-line", format!("QR-Code:{}", kept.replace('\n', " ")).as_bytes());
    home.write("marked", format!("\u{feff}{kept}").as_bytes());
    let read = ["latin", "kanji", "no-empty-line", "one-line", "marked"];
    for name in ["kept", "mailed", "photographed"].into_iter().chain(read) {
        home.ask(&["audit", "verify", "--expect", &home.at(name)]).ends(0, &[]);
    }
    // Or through a pipe.
    let through = |name: &str, by: &str| {
        let script = format!("cat '{}' | \"$@\" audit verify --expect {by}", home.at(name));
        let program = home.program(&["--home", &home.at("state")]);
        Ran::of(&mut behind(&["bash", "-c", &script, "bash"], &program))
    };
    for by in ["-", "/dev/stdin", "/dev/fd/0", "<(cat)"] {
        through("mailed", by).ends(0, &[]);
        through("pass", by).ends(2, &["no text of a checkpoint"]);
    }
    // Another log's is none of this one.
    let other = Home::with_picture("elsewhere-other");
    let strange = other.ask(&["audit", "verify", "--expect", &home.at("kept")]).ends(11, &[]);
    assert!(strange.stdout.contains("belongs to another log"), "{strange:?}");
    std::fs::remove_dir_all(&audit).expect("it was there");
    copy(&home.path().join("older"), &audit);
    home.ask(&["audit", "verify"]).ends(0, &[]);
    let shorter = home.ask(&["audit", "verify", "--expect", &home.at("kept")]).ends(11, &[]);
    assert!(shorter.stdout.contains("it was cut back"), "{shorter:?}");
    let nobody = Home::new("elsewhere-none");
    nobody.ask(&["audit", "checkpoint", "-o", &nobody.at("kept")]).ends(5, &["no log", "left empty"]);
    nobody.ask(&["audit", "checkpoint"]).ends(5, &["no log"]);
}

#[test]
fn a_code_of_a_checkpoint_says_the_checkpoint() {
    let home = Home::with_picture("elsewhere-code");
    let kept = std::fs::read(home.path().join("state/audit/checkpoint")).expect("the log has one");
    let printed = home.ask(&["audit", "checkpoint", "--qr", "--quiet"]).ends(0, &[]).stdout;
    let mut rows: Vec<Vec<bool>> = Vec::new();
    for line in printed.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        rows.push(line.chars().map(|c| matches!(c, '\u{2588}' | '\u{2580}')).collect());
        rows.push(line.chars().map(|c| matches!(c, '\u{2588}' | '\u{2584}')).collect());
    }
    assert_eq!(text_of(&rows), kept);
    let hint = ["--expect FILE, where FILE holds the text", "not the code itself"];
    home.ask(&["audit", "checkpoint", "--qr", "-o", &home.at("code.svg")]).ends(0, &hint);
    // The paper says what it is of, and the picture is no checkpoint and nothing that is wrong with the log.
    home.ask(&["audit", "verify", "--expect", &home.at("code.svg")])
        .ends(2, &["no text of a checkpoint", "QR code"]);
    let note = String::from_utf8(kept.clone()).expect("a text");
    let mut lines = note.lines();
    let (origin, records) = (lines.next().expect("a name"), lines.next().expect("a number"));
    let svg = std::fs::read_to_string(home.path().join("code.svg")).expect("it was written");
    let mut drawn = vec![vec![false; rows[0].len()]; rows[0].len()];
    let captions: Vec<&str> =
        svg.split("<text").skip(1).filter_map(|line| line.split(['>', '<']).nth(1)).collect();
    assert!(captions[0] == origin && captions[1].ends_with(&format!(", {records} records")), "{captions:?}");
    assert!(captions[2].starts_with("given out 20") && captions.len() == 4, "{captions:?}");
    let id = captions[1].strip_prefix("key ").and_then(|rest| rest.get(..8)).expect("a key");
    assert!(id.bytes().all(|digit| digit.is_ascii_hexdigit()), "{captions:?}");
    let path = svg.rsplit("d=\"").next().and_then(|rest| rest.split('"').next()).expect("it has a path");
    for module in path.split('M').skip(1) {
        let at = module.strip_suffix("h1v1h-1z").expect("it is a square");
        let (x, y) = at.split_once(' ').expect("two numbers");
        drawn[y.parse::<usize>().expect("a number")][x.parse::<usize>().expect("a number")] = true;
    }
    assert_eq!(text_of(&drawn), kept);
    let said = home.ask(&["audit", "checkpoint", "--qr", "--json"]).ends(0, &[]).data();
    assert_eq!(said["checkpoint"].as_str().map(str::as_bytes), Some(&*kept));
}

/// A home with a picture, whose policy names the folder `stick/log`.
fn with_policy(test: &str) -> (Home, PathBuf) {
    let home = Home::with_picture(test);
    std::fs::create_dir(home.path().join("stick")).expect("a home can be written");
    home.policy(format!("schema = 1\ncheckpoint_copy = \"{}\"\n", home.at("stick/log")).as_bytes());
    let folder = home.path().join("stick/log");
    (home, folder)
}

fn kept(folder: &Path) -> Option<Vec<u8>> {
    std::fs::read(folder.join("lightproof.checkpoint")).ok()
}

fn newest(home: &Home) -> Option<Vec<u8>> {
    std::fs::read(home.path().join("state/audit/checkpoint")).ok()
}

/// What is to become so by itself, within some seconds.
fn becomes(holds: impl Fn() -> bool) -> bool {
    (0..300).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        holds()
    })
}

#[test]
fn the_copy_follows_by_itself_and_finds_a_log_that_was_cut_back() {
    let (home, folder) = with_policy("copied");
    let audit = home.path().join("state/audit");
    copy(&audit, &home.path().join("older"));
    // Its disk is absent: everything goes on, and says so.
    home.generate(&["x"]).ends(0, &["could not be copied"]);
    home.ask(&["status"]).ends(4, &["stick/log", "was not there", "start again"]);
    let doctor = |state: &str, words: &str| {
        let told = home.ask(&["doctor"]).stdout;
        let line = told.lines().find(|line| line.contains(" checkpoint-copy ")).unwrap_or_default();
        assert!(line.starts_with(state) && line.contains(words), "{told}");
    };
    doctor("needs a person", "was not there");
    home.ask(&["audit", "verify"]).ends(0, &["not held against it", "was not there"]);
    std::fs::create_dir(&folder).expect("a home can be written");
    home.ask(&["audit", "verify"]).ends(0, &["there is none yet"]);
    home.generate(&["x"]).ends(0, &[]);
    assert_eq!(kept(&folder), newest(&home));
    let told = home.ask(&["status", "--json"]).ends(0, &[]).data();
    assert_eq!(told["checkpoint_copy"]["covers"], told["records"], "{told}");
    doctor("ok", "covers all");
    // A server's goes on while it runs, beside verbs that only look, and outlives its end by force.
    let studio = Studio { served: Served::start(&home) };
    let token = token_of(&studio.sign_in(None, PASSPHRASE).is(201));
    assert!(becomes(|| kept(&folder).is_some() && kept(&folder) == newest(&home)));
    home.ask(&["audit", "verify"]).ends(0, &["held against the checkpoint in"]);
    let posture = studio.ask(&token, Request::get("/api/v1/posture")).is(200).json();
    let told = &posture["checkpoint_copy"];
    assert!(told["covers"].is_u64() && told["trouble"].is_null(), "{posture}");
    // Taken out, it is amber; back, it goes on.
    std::fs::rename(&folder, home.path().join("out-of-it")).expect("it is ours");
    let warns = || {
        let state = studio.ask(&token, Request::get("/api/v1/state")).is(200).json();
        state["warnings"].to_string().contains("no_copy")
    };
    assert!(becomes(warns));
    let posture = studio.ask(&token, Request::get("/api/v1/posture")).is(200).json();
    assert_ne!(posture["state"], "green");
    assert!(
        posture["checkpoint_copy"]["trouble"].to_string().contains("see that its disk is there"),
        "{posture}"
    );
    std::fs::rename(home.path().join("out-of-it"), &folder).expect("it is ours");
    assert!(becomes(|| !warns() && kept(&folder) == newest(&home)));
    studio.served.kill();
    drop(studio);
    let at_the_kill = kept(&folder);
    home.ask(&["audit", "verify"]).ends(0, &["held against"]);
    home.generate(&["y"]).ends(0, &[]);
    assert_ne!(kept(&folder), at_the_kill);
    // Cut back behind it: found by whoever verifies, by `status`, and by the next start, which writes nothing over it.
    std::fs::remove_dir_all(&audit).expect("it was there");
    copy(&home.path().join("older"), &audit);
    let left = kept(&folder);
    let verified = home.ask(&["audit", "verify"]).ends(11, &[]);
    assert!(verified.stdout.contains("it was cut back"), "{verified:?}");
    home.ask(&["status"]).ends(4, &["the log was cut back", "nothing is written over it"]);
    doctor("needs a person", "the log was cut back");
    let _ = home.ask(&["evidence", "run"]);
    assert_eq!(kept(&folder), left);
}

#[test]
fn a_copy_that_is_not_of_this_log_stays_and_what_is_no_folder_keeps_nobody() {
    let (home, folder) = with_policy("copied-other");
    std::fs::create_dir(&folder).expect("a home can be written");
    let other = Home::with_picture("copied-foreign");
    std::fs::copy(other.path().join("state/audit/checkpoint"), folder.join("lightproof.checkpoint"))
        .expect("both are ours");
    let left = kept(&folder);
    home.generate(&["x"]).ends(0, &["belongs to another log", "move the copy away"]);
    home.ask(&["status"]).ends(4, &["belongs to another log", "move the copy away"]);
    let verified = home.ask(&["audit", "verify"]).ends(11, &[]);
    assert!(verified.stdout.contains("belongs to another log"), "{verified:?}");
    assert_eq!(kept(&folder), left);
    // A pipe, a link and a file of its name, then in the place of the folder.
    let place = folder.join("lightproof.checkpoint");
    for spoil in ["mkfifo", "ln -s ../../state/audit/origin", "mkdir"] {
        std::fs::remove_file(&place).or_else(|_| std::fs::remove_dir(&place)).expect("it was there");
        shell(&format!("{spoil} {}", place.display()));
        home.generate(&["x"]).ends(0, &[]);
        home.ask(&["status"]).ends(4, &["it is no regular file", "move away"]);
        let verified = home.ask(&["audit", "verify"]).ends(11, &["it is no regular file", "move away"]);
        assert!(verified.stdout.contains("complete up to"), "the log itself was not looked at: {verified:?}");
    }
    std::fs::remove_dir(&place).expect("it was there");
    for (content, words) in [(vec![b'x'; 1 << 20], "too large"), (b"quokka\n".to_vec(), "is no checkpoint")] {
        std::fs::write(&place, content).expect("it can be written");
        let verified = home.ask(&["audit", "verify"]).ends(11, &[words, "lightproof.checkpoint"]);
        assert!(verified.stdout.contains("complete up to"), "the log itself was not looked at: {verified:?}");
        let object = home.ask(&["audit", "verify", "--json"]).object();
        assert_eq!(object["ok"], false, "{object}");
        assert!(object["data"]["checkpoint_copy"].to_string().contains(words), "{object}");
        home.ask(&["audit", "verify", "--expect", &home.at("state/audit/checkpoint")]).ends(0, &[]);
    }
    std::fs::remove_dir_all(&folder).expect("it was there");
    let origin = std::fs::read(home.path().join("state/audit/origin"));
    for spoil in ["mkfifo", "touch"] {
        shell(&format!("{spoil} {}", folder.display()));
        home.generate(&["x"]).ends(0, &[]);
        home.ask(&["status"]).ends(4, &["it is no folder"]);
        std::fs::remove_file(&folder).expect("it was there");
    }
    assert_eq!(std::fs::read(home.path().join("state/audit/origin")).ok(), origin.ok());
    // Nor is it one of the program's own, or around one, by whatever name.
    shell(&format!("ln -s {} {}", home.at("state"), folder.display()));
    for named in ["stick/log", "state/audit", "state/vault/in-it", "state", "workspace/output_image"] {
        home.policy(format!("schema = 1\ncheckpoint_copy = \"{}\"\n", home.at(named)).as_bytes());
        home.generate(&["x"]).ends(6, &["name a folder of its own"]);
    }
    home.policy(b"schema = 1\ncheckpoint_copy = \"stick\"\n");
    home.generate(&["x"]).ends(2, &["stick"]);
}

#[test]
fn a_disk_that_is_full_or_read_only_keeps_nobody_and_the_copy_is_made_when_it_can_be() {
    if !is_root_for("mounting a small disk") {
        return;
    }
    let (home, folder) = with_policy("copied-full");
    std::fs::create_dir(&folder).expect("a home can be written");
    let at = folder.display();
    shell(&format!(
        "mount -t tmpfs -o size=16k,mode=0700 none {at} && (head -c 99999 /dev/zero > {at}/full || true)"
    ));
    let unmount = Unmount(folder.clone());
    let studio = Studio { served: Served::start(&home) };
    let token = token_of(&studio.sign_in(None, PASSPHRASE).is(201));
    let trouble = |words: &str| {
        let posture = studio.ask(&token, Request::get("/api/v1/posture")).is(200).json();
        posture["checkpoint_copy"]["trouble"].to_string().contains(words)
    };
    assert!(becomes(|| trouble("make room on its disk")));
    // Whoever only looks is told why, too, and not only that it is old.
    let obstacle =
        |word: &str| home.ask(&["status", "--json"]).object()["data"]["checkpoint_copy"]["obstacle"] == word;
    home.ask(&["status"]).ends(4, &["not copied to where the policy says", "its disk is full", "make room"]);
    assert!(obstacle("full"));
    std::fs::remove_file(folder.join("full")).expect("it was there");
    assert!(becomes(|| kept(&folder).is_some() && kept(&folder) == newest(&home)));
    shell(&format!("mount -o remount,ro {at}"));
    studio.ask(&token, Request::new("DELETE", "/api/v1/session")).is(204);
    let token = token_of(&studio.sign_in(None, PASSPHRASE).is(201));
    let trouble = || {
        let posture = studio.ask(&token, Request::get("/api/v1/posture")).is(200).json();
        posture["checkpoint_copy"]["trouble"].to_string().contains("make its disk writable")
    };
    assert!(becomes(trouble));
    home.ask(&["status"]).ends(4, &["its disk is read-only", "make it writable"]);
    assert!(obstacle("read_only"));
    shell(&format!("mount -o remount,rw {at}"));
    assert!(becomes(|| kept(&folder) == newest(&home)));
    // Taken out by force: the fences know the disk that was there, and nothing goes to what lies under it.
    shell(&format!("umount -l {at}"));
    drop(unmount);
    assert!(becomes(|| {
        let posture = studio.ask(&token, Request::get("/api/v1/posture")).is(200).json();
        posture["checkpoint_copy"]["trouble"].to_string().contains("next start")
    }));
    studio.served.signal(Signal::TERM);
    studio.served.wait().ends(0, &[]);
    assert_eq!(kept(&folder), None, "it went to the disk below");
    home.is_whole(1);
}

/// Unmounts what a test that failed has left.
struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[track_caller]
fn shell(script: &str) {
    Ran::of(Command::new("bash").args(["-c", script])).ends(0, &[]);
}

/// The text of a code of version 11 with the level M, which is that of a checkpoint; nothing is corrected. Written from ISO/IEC 18004.
fn text_of(rows: &[Vec<bool>]) -> Vec<u8> {
    let side = 61;
    assert!(rows.iter().all(|row| row.len() == side + 2 * MARGIN) && rows.len() >= side + 2 * MARGIN);
    let dark = |x: usize, y: usize| rows[y + MARGIN][x + MARGIN];
    let is_margin = |at: usize| at < MARGIN || at >= side + MARGIN;
    for (y, row) in rows.iter().enumerate() {
        assert!(row.iter().enumerate().all(|(x, dark)| !dark || !(is_margin(x) || is_margin(y))), "{y}");
    }
    let around = (0..6).map(|y| (8, y)).chain([(8, 7), (8, 8), (7, 8)]).chain((0..6).rev().map(|x| (x, 8)));
    let format = around.enumerate().fold(0, |sum, (bit, (x, y))| sum | u32::from(dark(x, y)) << bit) ^ 0x5412;
    assert_eq!(format >> 13, 0, "the level is not M");
    let mask = |x: usize, y: usize| match format >> 10 & 7 {
        0 => (x + y).is_multiple_of(2),
        1 => y.is_multiple_of(2),
        2 => x.is_multiple_of(3),
        3 => (x + y).is_multiple_of(3),
        4 => (x / 3 + y / 2).is_multiple_of(2),
        5 => x * y % 2 + x * y % 3 == 0,
        6 => (x * y % 2 + x * y % 3).is_multiple_of(2),
        _ => ((x + y) % 2 + x * y % 3).is_multiple_of(2),
    };
    let centres = [6, 30, 54];
    let is_aligning = |x: usize, y: usize| {
        let near = |at: usize| centres.into_iter().find(|centre| at.abs_diff(*centre) <= 2);
        near(x).zip(near(y)).is_some_and(|pair| ![(6, 6), (6, 54), (54, 6)].contains(&pair))
    };
    let is_fixed = |x: usize, y: usize| {
        let corner = |x: usize, y: usize| x < 9 && y < 9;
        let far = |at: usize| at + 8 >= side;
        let version = |x: usize, y: usize| x + 11 >= side && y < 6;
        corner(x, y)
            || (far(x) && y < 9)
            || (x < 9 && far(y))
            || (x == 6 || y == 6)
            || is_aligning(x, y)
            || version(x, y)
            || version(y, x)
    };
    let mut bits = Vec::new();
    let pairs = (0..side).rev().filter(|x| *x > 6).step_by(2).chain([5, 3, 1]);
    for (turn, right) in pairs.enumerate() {
        for row in 0..side {
            let y = if turn.is_multiple_of(2) { side - 1 - row } else { row };
            let free = [right, right - 1].into_iter().filter(|x| !is_fixed(*x, y));
            bits.extend(free.map(|x| dark(x, y) != mask(x, y)));
        }
    }
    let byte = |bits: &[bool]| bits.iter().fold(0_u8, |byte, bit| byte << 1 | u8::from(*bit));
    let mut words = bits.chunks_exact(8).map(byte);
    let (lengths, mut blocks) = ([50, 51, 51, 51, 51], vec![Vec::new(); 5]);
    for turn in 0..51 {
        for (block, length) in blocks.iter_mut().zip(lengths) {
            block.extend((turn < length).then(|| words.next().expect("there are 254 of them")));
        }
    }
    let data = blocks.concat();
    let half = |at: usize| data[at / 2] >> (4 * (1 - at % 2)) & 15;
    let eight = |at: usize| half(at) << 4 | half(at + 1);
    assert_eq!(half(0), 4, "it is not one text of bytes");
    let length = usize::from(eight(1)) << 8 | usize::from(eight(3));
    (0..length).map(|at| eight(5 + 2 * at)).collect()
}

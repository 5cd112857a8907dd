//! A checkpoint that is kept elsewhere: given out, in characters and as a picture, and what a log is that does not go on from it.

use crate::checkpoint::copy;
use crate::harness::Home;
use std::os::unix::fs::PermissionsExt as _;

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
    for path in ["kept", "state/audit/mine", "none/kept"] {
        let code = if path.starts_with("none") { 5 } else { 6 };
        home.ask(&["audit", "checkpoint", "-o", &home.at(path)]).ends(code, &[path]);
    }
    assert!(!audit.join("mine").exists());
    // The log goes on from it, by whichever way it came back.
    home.generate(&["y"]).ends(0, &[]);
    home.write("mailed", format!("{}\r\n", kept.trim_end().replace('\n', "\r\n")).as_bytes());
    home.write("photographed", kept.trim_end().as_bytes());
    for name in ["kept", "mailed", "photographed"] {
        home.ask(&["audit", "verify", "--expect", &home.at(name)]).ends(0, &[]);
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
    home.ask(&["audit", "checkpoint", "--qr", "-o", &home.at("code.svg")]).ends(0, &[]);
    let svg = std::fs::read_to_string(home.path().join("code.svg")).expect("it was written");
    let mut drawn = vec![vec![false; rows[0].len()]; rows[0].len()];
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

//! How long the controls take, and a bundle, of an appliance that was used for long: 1,000 pictures, 100 that were erased, each of which
//! has its certificate in the bundle, and 100,000 records.

use crate::harness::Home;
use crate::median;
use audit::words::StopReason;
use audit::{Event, Log, SystemClock};
use std::process::Stdio;
use std::time::{Duration, Instant};

const PICTURES: usize = 1000;
const ERASED: usize = 100;
const RECORDS: usize = 100_000;
const ROUNDS: usize = 5;

pub fn measure() {
    let home = Home::furnished("bench-evidence");
    // As small as pictures get: it is their number that counts here.
    home.write("lines.txt", "a red apple\n".repeat((PICTURES + ERASED).div_ceil(16)).as_bytes());
    let small = ["--size", "16x16", "--steps", "1", "-n16"];
    home.ask(&[&["batch", "lines.txt"], &small[..]].concat()).ends(0, &[]);
    let pictures = home.pictures();
    let erased: Vec<&str> =
        pictures.iter().take(ERASED).filter_map(|picture| picture["id"].as_str()).collect();
    assert_eq!(erased.len(), ERASED);
    home.ask(&[&["history", "rm", "--yes"], &erased[..]].concat()).ends(0, &[]);
    {
        let (log, _) = Log::open(&home.path().join("state/audit"), SystemClock::new()).unwrap();
        let entry = Event::BootStopped { reason: StopReason::Done }.by_system();
        for _ in 0..RECORDS / 1000 {
            log.append(&vec![entry; 1000]).unwrap();
        }
    }
    home.ask(&["evidence", "run"]).ends(0, &[]);
    println!(
        "| evidence, of {} pictures, {ERASED} erased, and {RECORDS} records and more | | in all | beside the derivation |",
        home.pictures().len()
    );
    let kept = home.at("kept");
    row("`evidence run`, with the start and a passphrase", &home, &["evidence", "run"]);
    let itself = (0..ROUNDS).map(|_| {
        let run = home.ask(&["evidence", "run", "--json"]).ends(0, &[]).data();
        run["took_ms"].as_f64().unwrap() / 1000.0
    });
    println!(
        "| the controls by themselves, by the record of the run | {:.2} s | | |",
        median(itself.collect())
    );
    row("`evidence export`, likewise", &home, &["evidence", "export", "-o", &home.at("bundle")]);
    home.ask(&["evidence", "export", "-o", &kept]).ends(0, &[]);
    row("`evidence verify`", &home, &["evidence", "verify", &kept]);
}

/// Memory of one derivation of a key, which a version may raise and nobody lowers.
const DERIVATION_KIB: u64 = 256 << 10;

/// Median seconds, and the most memory of any run: in all, and once the derivation of a key has given its own back.
fn row(what: &str, home: &Home, arguments: &[&str]) {
    let (mut peak_kib, mut own_kib) = (0, 0);
    let mut run = |_| {
        let _ = std::fs::remove_dir_all(home.path().join("bundle"));
        let started = Instant::now();
        let mut command = home.furnished_program(arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        let (mut own_of_run_kib, mut is_given_back) = (0, true);
        let ended = loop {
            if let Some(ended) = child.try_wait().unwrap() {
                break ended;
            }
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let kib = |name: &str| -> u64 {
                let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0 kB");
                line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
            };
            peak_kib = kib("VmHWM:").max(peak_kib);
            // On its way up and down a derivation passes through every size.
            let now_kib = kib("VmRSS:");
            // Half given back, it is the derivation's still.
            (own_of_run_kib, is_given_back) = match now_kib {
                now_kib if now_kib >= DERIVATION_KIB => (0, false),
                now_kib if is_given_back || now_kib < DERIVATION_KIB / 2 => {
                    (now_kib.max(own_of_run_kib), true)
                }
                _ => (own_of_run_kib, false),
            };
            std::thread::sleep(Duration::from_millis(1));
        };
        own_kib = own_of_run_kib.max(own_kib);
        assert!(ended.success(), "{arguments:?}");
        started.elapsed().as_secs_f64()
    };
    let seconds = median((0..ROUNDS).map(&mut run).collect());
    println!("| {what} | {seconds:.2} s | {} MiB | {} MiB |", peak_kib >> 10, own_kib >> 10);
}

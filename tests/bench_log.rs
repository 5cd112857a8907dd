//! The log at size: what a start costs with so many records, and what writing and verifying them does.

use crate::harness::Home;
use crate::served::Served;
use crate::{Scratch, median, row, time_of};
use audit::{Event, Log, SystemClock};
use std::path::Path;
use std::time::Instant;

const SIZES: [u64; 2] = [100_000, 1_000_000];
const OPENINGS: usize = 7;
const STARTS: usize = 5;
const KEY: audit::MemoryKey = [7; 32];

pub fn measure() {
    println!("\n| what | |\n|---|---|");
    let home = Home::with_picture("bench-log");
    let (state, folder) = (home.path().join("state"), Scratch::new());
    let (log, memory) = (folder.0.join("log"), folder.0.join("memory"));
    drop(Log::create(&log, SystemClock::new()).unwrap());
    println!("| records | {} |", records(&state.join("audit")));
    starts(&home);
    for size in SIZES {
        let (rate, verified) = grow(&log, size);
        println!("| records | {} |", records(&log));
        println!("| appending in batches of 128, durable and signed | {rate:.0} records/s |");
        println!("| verifying, every signature | {verified:.0} records/s |");
        openings(&log, &memory);
        grow(&state.join("audit"), size);
        println!("| records | {} |", records(&state.join("audit")));
        starts(&home);
    }
}

/// Brings a log to so many records; how many were appended and verified in a second.
fn grow(dir: &Path, size: u64) -> (f64, f64) {
    let (log, _) = Log::open(dir, SystemClock::new()).unwrap();
    let batch = vec![Event::VaultUnlockFailed {}.by_system(); 128];
    let (first, started) = (log.mark().size, Instant::now());
    while log.mark().size < size {
        log.append(&batch).unwrap();
    }
    let rate = (log.mark().size - first) as f64 / started.elapsed().as_secs_f64();
    drop(log);
    let seconds = time_of(1, || assert!(audit::verify(dir, None).unwrap().is_ok()));
    (rate, records(dir) as f64 / seconds)
}

fn records(dir: &Path) -> u64 {
    let (log, _) = Log::open(dir, SystemClock::new()).unwrap();
    log.mark().size
}

/// The log by itself, in turn: all records read, and what is new since the last session, which ended in order.
fn openings(dir: &Path, memory: &Path) {
    let end_session = || {
        let (log, _) = Log::open_remembered(dir, memory, SystemClock::new()).unwrap();
        log.prove(&KEY).unwrap();
        log.append(&[Event::VaultUnlockFailed {}.by_system()]).unwrap();
        log.remember();
    };
    let (mut all, mut new) = (Vec::new(), Vec::new());
    for _ in 0..OPENINGS {
        let started = Instant::now();
        let opened = Log::open(dir, SystemClock::new()).unwrap();
        all.push(started.elapsed().as_secs_f64());
        drop(opened);
        end_session();
        let started = Instant::now();
        let (log, _) = Log::open_remembered(dir, memory, SystemClock::new()).unwrap();
        log.prove(&KEY).unwrap();
        new.push(started.elapsed().as_secs_f64());
    }
    row("the log by itself: opened by reading all", median(all));
    row("the log by itself: opened by what is new, and proven", median(new));
}

/// The server, in turn: without what the vault remembers, as every start was, and with it.
fn starts(home: &Home) {
    let memory = home.path().join("state/vault/log.memory");
    let (mut all, mut new) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        for (without, seconds) in [(true, &mut all), (false, &mut new)] {
            home.ask(&["history", "list"]).ends(0, &[]);
            if without {
                std::fs::remove_file(&memory).unwrap();
            }
            let started = Instant::now();
            let served = Served::start(home);
            seconds.push(started.elapsed().as_secs_f64());
            served.stop().ends(0, &[]);
        }
    }
    row("server: start to ready, all records read", median(all));
    row("server: start to ready, what is new read", median(new));
}

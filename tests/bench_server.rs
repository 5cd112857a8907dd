//! The server from outside: how long it takes to be there, what a request costs, and what it costs when nobody asks.

use crate::family::Family;
use crate::harness::{Home, PASSPHRASE};
use crate::http::Request;
use crate::served::Served;
use crate::{ROUNDS, median, processor_s, row, time_of};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const STARTS: usize = 7;
const CALLS: usize = 200;
const IDLE: Duration = Duration::from_secs(10);

pub fn measure() {
    let home = Home::furnished("bench-server");
    home.generate(&["x"]).ends(0, &[]);
    let (mut ready, mut first) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let started = Instant::now();
        let served = Served::start(&home);
        ready.push(started.elapsed().as_secs_f64());
        let token = unlock(&served);
        first.push(picture(&served, &token));
        served.stop().ends(0, &[]);
    }
    row("server: start to ready", median(ready));
    row("server: first picture", median(first));

    let served = Served::start(&home);
    let at_start = memory(&served);
    let token = unlock(&served);
    row(
        "server: a picture, over HTTP",
        time_of(ROUNDS, || {
            picture(&served, &token);
        }),
    );
    let listed = served.ask(&Request::get("/api/v1/images").token(&token)).is(200).json();
    let id = listed["images"][0]["id"].as_str().unwrap().to_owned();
    let call = |target: &str| {
        let request = Request::get(target).token(&token);
        time_of(CALLS, || drop(served.ask(&request).is(200)))
    };
    println!("| server: pictures in the list | {} |", listed["total"]);
    row("server: list", call("/api/v1/images"));
    row("server: thumbnail, look on record", call(&format!("/api/v1/images/{id}/thumbnail")));
    row("server: page", call("/"));
    let before = processor(&served);
    std::thread::sleep(IDLE);
    let used_s = processor(&served) - before;
    row(&format!("server: processor time of {} s without a request", IDLE.as_secs()), used_s);
    println!("| server: memory when ready | {at_start} |");
    println!("| server: memory after pictures | {} |", memory(&served));
    served.stop().ends(0, &[]);
}

fn unlock(served: &Served) -> String {
    let request = Request::post("/api/v1/session", &json!({ "passphrase": PASSPHRASE }));
    served.ask(&request).is(201).json()["token"].as_str().unwrap().to_owned()
}

/// Seconds from the request until its picture is sealed and on record. Nobody watches, so there are no previews.
fn picture(served: &Served, token: &str) -> f64 {
    let started = Instant::now();
    let ask = Request::post("/api/v1/jobs", &json!({ "prompt": "a red apple" })).token(token);
    let id = served.ask(&ask).is(202).json()["id"].as_str().unwrap().to_owned();
    loop {
        let job: Value = served.ask(&Request::get(&format!("/api/v1/jobs/{id}")).token(token)).is(200).json();
        match job["status"].as_str() {
            Some("waiting" | "running") => std::thread::sleep(Duration::from_millis(1)),
            Some("done") => return started.elapsed().as_secs_f64(),
            _ => panic!("{job}"),
        }
    }
}

/// Of all processes; a page that several of them share counts in parts.
fn memory(served: &Served) -> String {
    let kib = |pid: &u32| -> u64 {
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    format!("{} kB", Family::of(served.pid()).pids().iter().map(kib).sum::<u64>())
}

/// Of all processes.
fn processor(served: &Served) -> f64 {
    Family::of(served.pid()).pids().iter().map(|pid| processor_s(&pid.to_string())).sum()
}

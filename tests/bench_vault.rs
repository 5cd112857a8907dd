//! The vault at size: what opening, sealing, erasing and a page of the gallery cost with 100,000 pictures.

use crate::driver::Browser;
use crate::harness::{Home, PASSPHRASE};
use crate::http::Request;
use crate::served::Served;
use crate::{Scratch, median, row, time_of};
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};
use vault::{KdfParams, Locked, NewObject, ObjectId, OsRandom, Paths, Role, Secret, Unlocked, Vault};

const PICTURES: usize = 100_000;
const ROUNDS: usize = 7;
/// How many are sealed for a median.
const SEALED: usize = 500;
const PAGES: usize = 50;

pub fn measure() {
    println!("\n| what, with {PICTURES} pictures | |\n|---|---|");
    by_itself();
    through_the_server();
}

/// The vault without the program around it.
fn by_itself() {
    let folder = Scratch::new();
    let paths = Paths { state: folder.0.join("vault"), outputs: folder.0.join("outputs") };
    let secret = Secret::passphrase("correct horse battery").unwrap();
    let created = Vault::create(paths, &secret, Role::Operator, KdfParams::FLOOR, &mut OsRandom);
    let mut vault = created.unwrap().0;
    let content = [7; 512];
    fill(&mut vault, &content, SEALED);
    let (few, bare) = in_turn(&mut vault, &content, &folder.0);
    fill(&mut vault, &content, PICTURES);
    let (many, bare_again) = in_turn(&mut vault, &content, &folder.0);
    row("sealing a small picture with few there, durable", few);
    row("the same with all there", many);
    row("a file of that size, its folder and a line behind another file, each synced", bare.min(bare_again));
    println!(
        "| sealing by the three of that round: few there, all there | {:.2}, {:.2} |",
        few / bare,
        many / bare_again
    );

    let (mut opened, mut derived, mut erased) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let locked: Locked = vault.lock();
        let started = Instant::now();
        let Ok(Unlocked::Vault(open, _)) = locked.unlock(&secret, |_| true) else { panic!("it opens") };
        opened.push(started.elapsed().as_secs_f64());
        vault = *open;
        let started = Instant::now();
        vault.authenticate(&secret).unwrap();
        derived.push(started.elapsed().as_secs_f64());
        let middle = vault.list().nth(PICTURES / 2).unwrap().id;
        let started = Instant::now();
        vault.erase(&[middle], 1, 1, &mut OsRandom).unwrap();
        erased.push(started.elapsed().as_secs_f64());
    }
    let (opened, derived) = (median(opened), median(derived));
    row("opening, beside the derivation of the key", opened - derived);
    row("erasing one of them", median(erased));
}

fn fill(vault: &mut Vault, content: &[u8], to: usize) {
    while vault.list().len() < to {
        put(vault, content);
    }
}

fn put(vault: &mut Vault, content: &[u8]) {
    let new = NewObject {
        id: ObjectId::random(&mut OsRandom).unwrap(),
        salt: [1; 16],
        name: &format!("{}.png", vault.list().len()),
        created_ms: 1,
        metadata: b"{\"width\":16,\"height\":16,\"steps\":1,\"seed\":1}",
        preview: &content[..256],
        content,
    };
    vault.put(&new, &mut OsRandom).unwrap();
}

/// Sealing, and what it cannot do without, in turn: medians.
fn in_turn(vault: &mut Vault, content: &[u8], folder: &Path) -> (f64, f64) {
    let bare = folder.join("bare");
    std::fs::create_dir_all(&bare).unwrap();
    let mut behind = OpenOptions::new().create(true).append(true).open(folder.join("behind")).unwrap();
    let (mut sealed, mut written) = (Vec::new(), Vec::new());
    for at in 0..SEALED {
        let started = Instant::now();
        put(vault, content);
        sealed.push(started.elapsed().as_secs_f64());
        let started = Instant::now();
        let mut file = File::create(bare.join(at.to_string())).unwrap();
        file.write_all(content).unwrap();
        file.sync_all().unwrap();
        File::open(&bare).unwrap().sync_all().unwrap();
        behind.write_all(&content[..256]).unwrap();
        behind.sync_data().unwrap();
        written.push(started.elapsed().as_secs_f64());
    }
    std::fs::remove_dir_all(&bare).unwrap();
    (median(sealed), median(written))
}

/// An appliance with so many, as its page meets it. One picture is made; the others are sealed beside it with its metadata
/// and its bytes, as a queue of hours would have.
fn through_the_server() {
    let home = Home::furnished("bench-vault");
    let small =
        ["generate", "a red apple", "--size", "16x16", "--steps", "1", "--seed", "1", "--remember-prompt"];
    home.ask(&small).ends(0, &[]);
    let with_one = started(&home);
    fill_as_the_first(&home);
    row("server: start to ready, with one picture", with_one);
    row("server: the same with all", started(&home));
    let served = Served::start(&home);
    let begun = Instant::now();
    let request = Request::post("/api/v1/session", &json!({ "passphrase": PASSPHRASE }));
    let token = served.ask(&request).is(201).json()["token"].as_str().unwrap().to_owned();
    row("server: signing in, its derivation included", begun.elapsed().as_secs_f64());
    let list = |target: &str| served.ask(&Request::get(target).token(&token)).is(200).json();
    let first = list("/api/v1/images?limit=60");
    println!("| server: pictures in the list | {} |", first["total"]);
    row("server: the first page of the gallery", time_of(PAGES, || drop(list("/api/v1/images?limit=60"))));
    let deep = (0..PICTURES / 200 / 2).fold(first["next"].clone(), |next, _| {
        list(&format!("/api/v1/images?limit=200&cursor={}", next.as_str().unwrap()))["next"].clone()
    });
    let deep = format!("/api/v1/images?limit=60&cursor={}", deep.as_str().unwrap());
    row("server: a page in the middle of it", time_of(PAGES, || drop(list(&deep))));
    let mut images = list("/api/v1/images?limit=60")["images"].as_array().unwrap().clone().into_iter();
    row(
        "server: erasing a picture, on record",
        time_of(ROUNDS, || {
            let id = images.next().unwrap()["id"].as_str().unwrap().to_owned();
            served.ask(&Request::new("DELETE", &format!("/api/v1/images/{id}")).token(&token)).is(200);
        }),
    );
    let left = list("/api/v1/images?limit=1")["total"].as_u64().unwrap();
    in_the_page(&home, &served, left);
    served.stop().ends(0, &[]);
}

/// Start to ready: the median.
fn started(home: &Home) -> f64 {
    let starts = (0..ROUNDS).map(|_| {
        let begun = Instant::now();
        let served = Served::start(home);
        let seconds = begun.elapsed().as_secs_f64();
        served.stop().ends(0, &[]);
        seconds
    });
    median(starts.collect())
}

fn fill_as_the_first(home: &Home) {
    let paths =
        Paths { state: home.path().join("state/vault"), outputs: home.path().join("workspace/output_image") };
    let secret = Secret::passphrase(PASSPHRASE).unwrap();
    let locked = Locked::open(paths).unwrap();
    let Ok(Unlocked::Vault(mut vault, _)) = locked.unlock(&secret, |_| true) else { panic!("it opens") };
    let first = vault.list().next().unwrap().clone();
    let (preview, content) = {
        let opener = vault.opener(first.id).unwrap();
        (opener.preview().unwrap(), opener.content().unwrap())
    };
    for number in 1..PICTURES as u64 {
        let new = NewObject {
            id: ObjectId::random(&mut OsRandom).unwrap(),
            salt: first.salt,
            name: &format!("20260101_000000_{number:06}.png"),
            created_ms: first.created_ms + number * 60_000,
            metadata: &first.metadata,
            preview: &preview,
            content: &content,
        };
        vault.put(&new, &mut OsRandom).unwrap();
    }
    drop(vault.lock());
}

/// What a person in the gallery waits for: all of the list, which has `left` pictures, once, and each search in it.
fn in_the_page(home: &Home, served: &Served, left: u64) {
    let browser = Browser::open(home);
    browser.goto(&served.origin());
    browser.fill("#passphrase", PASSPHRASE);
    browser.click("#unlock");
    browser.see("#prompt");
    let begun = Instant::now();
    browser.click("#to-gallery");
    let said = || browser.text(".bar [role=status]");
    browser.until("read the list", Duration::from_secs(300), || {
        said().starts_with(&format!("{},{:03} ", left / 1000, left % 1000)).then_some(())
    });
    row("page: all of the list read, once, by the gallery", begun.elapsed().as_secs_f64());
    let found = |words: [&str; ROUNDS]| {
        let each = words.map(|words| browser.script_async(SEARCH, &[words]).as_f64().unwrap() / 1000.0);
        median(each.to_vec())
    };
    row(
        "page: the first search, by a word",
        browser.script_async(SEARCH, &["red"]).as_f64().unwrap() / 1000.0,
    );
    row(
        "page: a search by date",
        found(["2026-11", "2026-12-0", "2026-12-01", "2026-12", "2027", "2027-01", "2027-01-1"]),
    );
    row(
        "page: a search by size",
        found(["16x16", "32x16", "16x16 red", "16", "16x16 a", "64x64", "16x16 apple"]),
    );
    browser.quit();
}

/// From the typing to the frame behind the one that shows what was found, in milliseconds.
const SEARCH: &str = "const field = document.querySelector('#search');
    const begun = performance.now();
    field.value = arguments[0];
    field.dispatchEvent(new Event('input', { bubbles: true }));
    await new Promise(requestAnimationFrame);
    return performance.now() - begun;";

//! The vault at size: what opening, sealing, erasing and a page of the gallery cost with 100,000 pictures.

use crate::harness::{Home, PASSPHRASE};
use crate::http::Request;
use crate::served::Served;
use crate::{Scratch, median, row, time_of};
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;
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

/// An appliance with so many, as its page meets it.
fn through_the_server() {
    let home = Home::furnished("bench-vault");
    home.write("lines.txt", "a red apple\n".repeat(PICTURES.div_ceil(16)).as_bytes());
    let small = ["--size", "16x16", "--steps", "1", "-n16"];
    home.ask(&[&["batch", "lines.txt"], &small[..]].concat()).ends(0, &[]);
    let started = Instant::now();
    let served = Served::start(&home);
    row("server: start to ready", started.elapsed().as_secs_f64());
    let started = Instant::now();
    let request = Request::post("/api/v1/session", &json!({ "passphrase": PASSPHRASE }));
    let token = served.ask(&request).is(201).json()["token"].as_str().unwrap().to_owned();
    row("server: signing in, its derivation included", started.elapsed().as_secs_f64());
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
    served.stop().ends(0, &[]);
}

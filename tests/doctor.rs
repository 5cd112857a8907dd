//! `doctor`: what it says of a machine on which something was broken from outside, and that it leaves nothing behind.

use crate::checkpoint;
use crate::crash::SmallDisk;
use crate::harness::{Home, Ran, behind, is_root_for};
use crate::looks::beneath;
use crate::served::Served;
use serde_json::Value;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

/// What is asked, wherever the program runs.
const CHECKS: [&str; 33] = [
    "kernel",
    "fences",
    "landlock",
    "seccomp",
    "namespaces",
    "apparmor",
    "core-files",
    "swap",
    "hibernation",
    "clock",
    "firewall",
    "auditd",
    "policy",
    "vault.disk",
    "vault.share",
    "vault.cloud",
    "vault.readers",
    "vault.room",
    "vault.quota",
    "vault.erasure",
    "log.disk",
    "log.share",
    "log.cloud",
    "log.readers",
    "log.room",
    "log.quota",
    "pictures.disk",
    "pictures.share",
    "pictures.cloud",
    "pictures.readers",
    "pictures.room",
    "pictures.quota",
    "port",
];

/// What it found, and that its exit code says so.
struct Found(Value);

impl Found {
    #[track_caller]
    fn by(ran: &Ran) -> Found {
        let data = ran.data();
        let code = match (data["needs"].as_u64(), data["unknown"].as_u64()) {
            (Some(0), Some(0)) => 0,
            (Some(0), Some(_)) => 3,
            _ => 4,
        };
        assert_eq!(ran.code, Some(code), "{ran:#?}");
        assert_eq!(ran.object()["ok"], code == 0, "{ran:#?}");
        Found(data)
    }

    #[track_caller]
    fn of(home: &Home, arguments: &[&str]) -> Found {
        Found::by(&home.ask(&[&["doctor", "--json"], arguments].concat()))
    }

    fn checks(&self) -> &[Value] {
        self.0["checks"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The check ended so, and its sentence has these words.
    #[track_caller]
    fn has(&self, check: &str, state: &str, words: &[&str]) {
        let of_check: Vec<_> = self.checks().iter().filter(|found| found["check"] == check).collect();
        let [found] = of_check[..] else { panic!("{check} is not there once: {}", self.0) };
        assert_eq!(found["state"], state, "{found}");
        let says = found["says"].as_str().unwrap_or_default();
        for word in words {
            assert!(says.contains(word), "`{word}` is not in {found}");
        }
    }

    #[track_caller]
    fn needs(&self, check: &str, words: &[&str]) {
        self.has(check, "needs a person", words);
    }

    #[track_caller]
    fn is_fine(&self, check: &str) {
        self.has(check, "ok", &[]);
    }
}

#[test]
fn every_check_is_made_and_nothing_is_left_behind() {
    let home = Home::furnished("doctor");
    let before = beneath(home.path());
    let found = Found::of(&home, &["--port", "0"]);
    let mut names: Vec<&str> = found.checks().iter().filter_map(|check| check["check"].as_str()).collect();
    names.sort_unstable();
    let mut wanted = [&CHECKS[..], &["gpu", "model"]].concat();
    wanted.sort_unstable();
    assert_eq!(names, wanted);
    let count = |state: &str| found.checks().iter().filter(|check| check["state"] == state).count();
    assert_eq!(found.0["needs"], count("needs a person"), "{}", found.0);
    assert_eq!(found.0["unknown"], count("unknown"), "{}", found.0);
    assert_eq!(count("ok") + count("needs a person") + count("unknown"), wanted.len());
    for check in [
        "kernel",
        "fences",
        "seccomp",
        "namespaces",
        "policy",
        "vault.room",
        "pictures.cloud",
        "port",
        "model",
    ] {
        found.is_fine(check);
    }
    assert_eq!(beneath(home.path()), before, "a verb that looks makes nothing");

    // The same for people, with and without a vault.
    let said = home.ask(&["doctor"]);
    assert_eq!(said.stderr, "", "{said:#?}");
    assert_eq!(said.stdout.lines().count(), wanted.len() + 1, "{said:#?}");
    home.generate(&["a red apple"]).ends(0, &[]);
    let before = beneath(home.path());
    let records = home.count_records(&[]);
    Found::of(&home, &["--port", "0"]).is_fine("vault.disk");
    assert_eq!(beneath(home.path()), before, "a verb that looks makes nothing");
    assert_eq!(home.count_records(&[]), records, "and no record");
}

#[test]
fn folders_that_others_reach_are_told() {
    let home = Home::furnished("doctor-folders");
    // Somewhere that every user of the machine gets to, but for some testers' own folders for such files.
    let open = std::env::temp_dir().join(format!("lightproof-doctor-open-{}", std::process::id()));
    std::fs::create_dir(&open).expect("a folder can be made there");
    let lets_through = |at: &Path| at.metadata().is_ok_and(|found| found.permissions().mode() & 0o001 != 0);
    let is_reached = open.ancestors().skip(1).all(lets_through);
    let outputs = open.to_str().expect("its path is readable").to_owned();
    let with_mode = |mode: u32| {
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(mode)).expect("it is ours");
        Found::of(&home, &["--outputs", &outputs])
    };
    let open_to_all = with_mode(0o755);
    let writable = with_mode(0o777);
    let closed = with_mode(0o700);
    std::fs::remove_dir(&open).expect("it is ours");
    if is_reached {
        open_to_all.needs("pictures.readers", &["every user", "chmod go-rwx"]);
        writable.needs("pictures.readers", &["others may write"]);
    } else {
        // A folder above it keeps others out, whatever its own mode is.
        open_to_all.is_fine("pictures.readers");
    }
    closed.is_fine("pictures.readers");
}

#[test]
fn folders_that_a_cloud_copies_are_told() {
    let home = Home::furnished("doctor-cloud");
    std::fs::create_dir_all(home.path().join("shared/.stfolder")).expect("a home can be written");
    std::fs::create_dir_all(home.path().join("shared/pictures")).expect("a home can be written");
    let found = Found::of(&home, &["--outputs", &home.at("shared/pictures")]);
    found.needs("pictures.cloud", &["Syncthing", "shared away"]);
    found.is_fine("vault.cloud");

    // A home that is a link to such a folder.
    std::fs::create_dir_all(home.path().join("Dropbox/private")).expect("a home can be written");
    symlink(home.path().join("Dropbox/private"), home.path().join("linked")).expect("a home can be written");
    let ask = |state: &str| {
        Found::by(&Ran::of(&mut home.program(&["doctor", "--json", "--home", &home.at(state)])))
    };
    let linked = ask("linked");
    for name in ["vault", "log"] {
        linked.needs(&format!("{name}.cloud"), &["Dropbox is named"]);
        linked.has(&format!("{name}.disk"), "ok", &["leads to", "Dropbox/private"]);
    }
    // And one whose disk is gone.
    symlink(home.path().join("gone"), home.path().join("broken")).expect("a home can be written");
    ask("broken").needs("vault.disk", &["broken is a link to what is not there"]);
}

#[test]
fn a_port_that_another_program_has_is_told() {
    let home = Home::furnished("doctor-port");
    for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0"] {
        // A machine may have no IPv6.
        let Ok(socket) = TcpListener::bind(address) else { continue };
        let port = socket.local_addr().expect("it is bound").port().to_string();
        Found::of(&home, &["--port", &port]).needs("port", &["another program", &port]);
        drop(socket);
    }
    home.generate(&["a red apple"]).ends(0, &[]);
    let served = Served::start(&home);
    let port = served.port.to_string();
    Found::of(&home, &["--port", &port]).has("port", "ok", &["that runs"]);
    Found::of(&Home::furnished("doctor-other"), &["--port", &port]).needs("port", &["another program"]);
    // With a model to look at nothing of the vault may be, and that is said.
    let model = format!("{}/model", checkpoint::TINY);
    Found::of(&home, &["--port", &port, "--model", &model]).has("port", "unknown", &["--model"]);
}

#[test]
fn a_model_that_is_not_whole_is_told() {
    let home = Home::furnished("doctor-model");
    let model = home.at("model");
    let ask = || Found::of(&home, &["--model", &model]);
    ask().needs("model", &["cannot be used"]);
    checkpoint::copy(&Path::new(checkpoint::TINY).join("model"), Path::new(&model));
    ask().is_fine("model");
    let file = Path::new(&model).join("vae/diffusion_pytorch_model.safetensors");
    let bytes = std::fs::read(&file).expect("the checkpoint has it");
    std::fs::write(&file, &bytes[..bytes.len() - 1]).expect("it is a copy");
    ask().needs("model", &["vae/diffusion_pytorch_model.safetensors"]);
    std::fs::remove_file(&file).expect("it is a copy");
    let found = ask();
    found.needs("model", &["vae/"]);
    found.is_fine("fences");
}

#[test]
fn a_disk_that_is_full_is_told() {
    if !is_root_for("mounting a small disk") {
        return;
    }
    let home = Home::furnished("doctor-full");
    let disk = SmallDisk::mount(home.at("disk"), "size=64k,mode=700");
    disk.fill();
    let found = Found::of(&home, &["--outputs", &home.at("disk")]);
    found.needs("pictures.room", &["0 MiB are left"]);
    found.is_fine("vault.room");
    drop(disk);
    let none = SmallDisk::mount(home.at("disk"), "size=1g,nr_inodes=3,mode=700");
    let state = home.at("disk/state");
    let ran = Ran::of(&mut home.program(&["doctor", "--json", "--home", &state]));
    let found = Found::by(&ran);
    found.needs("vault.room", &["more files"]);
    found.needs("vault.erasure", &["grade V"]);
    drop(none);
}

/// Where no fence can be built the rest is told all the same.
#[test]
fn a_machine_without_namespaces_is_told() {
    let home = Home::furnished("doctor-namespaces");
    let none = "echo 0 > /proc/sys/user/max_net_namespaces && echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
    let outer = ["unshare", "--user", "--map-root-user", "sh", "-c", none, "sh"];
    let model = format!("{}/model", checkpoint::TINY);
    let arguments = ["doctor", "--json", "--model", &model];
    let found = Found::by(&Ran::of(&mut behind(&outer, &home.furnished_program(&arguments))));
    found.needs("fences", &["network-namespace"]);
    found.needs("namespaces", &["user.max_net_namespaces"]);
    found.has("model", "unknown", &["fences"]);
    found.is_fine("kernel");
    found.is_fine("pictures.cloud");
}

#[test]
fn a_policy_that_makes_no_sense_is_told_beside_the_rest() {
    let home = Home::furnished("doctor-policy");
    home.policy(b"listen = \"0.0.0.0:7860\"\n");
    let found = Found::of(&home, &[]);
    found.needs("policy", &["policy.toml", "no start is allowed"]);
    found.is_fine("fences");
    home.ask(&["doctor", "--device", "abacus"]).ends(6, &["not a device"]);
}

//! Controls that hold vault, log, people, program and host against each other: each is satisfied on a sound appliance, and not on
//! one that somebody broke from outside.

use crate::abuse::Opened;
use crate::controls::found_by;
use crate::harness::{Home, PASSPHRASE, Ran, behind, is_root_for};
use crate::http::Request;
use crate::served::Served;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

type Found = BTreeMap<String, String>;

/// What the verb finds with the vault open.
#[track_caller]
fn tried(home: &Home, more: &[&str]) -> Found {
    found_by(&home.ask(&[&["evidence", "run", "--json"], more].concat()).data())
}

/// A server with somebody signed in.
fn opened(home: Home) -> Opened {
    let served = Served::start(&home);
    let token = Opened::unlock(&served);
    Opened { home, served, token }
}

/// What a running server finds.
#[track_caller]
fn found(opened: &Opened) -> Found {
    found_by(&opened.ask(Request::post("/api/v1/evidence/run", &json!({}))).is(200).json())
}

fn sealed(home: &Home) -> PathBuf {
    let outputs = home.path().join("workspace/output_image");
    let entries =
        outputs.read_dir().expect("it is there").map(|entry| entry.expect("it can be listed").path());
    let mut sealed = entries.filter(|path| path.extension().is_some_and(|end| end == "sealed"));
    sealed.next().expect("a sealed picture")
}

#[test]
fn a_key_that_was_kept_and_put_back_is_not_satisfied() {
    let home = Home::with_picture("key-kept");
    home.generate(&["a blue boat"]).ends(0, &[]);
    let anchor = home.path().join("state/vault/anchor");
    let before = fs::read(&anchor).expect("it is there");
    let id = home.pictures()[0]["id"].as_str().expect("an id").to_owned();
    home.ask(&["history", "rm", &id, "--yes"]).ends(0, &[]);
    let opened = opened(home);
    let sound = found(&opened);
    assert_eq!((&*sound["KEY-02"], &*sound["ERA-01"]), ("satisfied", "satisfied"));
    // Whoever kept a copy of the anchor from before the erasure puts the key back that the erasure overwrote.
    let now = fs::read(&anchor).expect("it is there");
    let wiped = [0, 2048].into_iter().find(|at| now[*at..at + 64].ends_with(b"lp1/wipe"));
    let at = wiped.expect("one of the two was overwritten");
    assert!(!before[at..at + 64].ends_with(b"lp1/wipe"), "it had a key before");
    let file = fs::File::options().write(true).open(&anchor).expect("it is ours");
    file.write_all_at(&before[at..at + 64], at as u64).expect("it is ours");
    let broken = found(&opened);
    assert_eq!((&*broken["KEY-02"], &*broken["ERA-01"]), ("not_satisfied", "not_satisfied"));
    // Nor does it hide behind a byte too many.
    fs::write(&anchor, [&fs::read(&anchor).expect("it is there")[..], &[0]].concat()).expect("it is ours");
    let longer = found(&opened);
    assert_eq!((&*longer["KEY-02"], &*longer["ERA-01"]), ("not_satisfied", "not_satisfied"));
    fs::write(&anchor, &now).expect("it is ours");
    assert_eq!(found(&opened)["KEY-02"], "satisfied");
    opened.end(1);
}

#[test]
fn a_second_name_of_a_sealed_file_is_not_satisfied() {
    let home = Home::with_picture("second-name");
    assert_eq!(tried(&home, &[])["ERA-01"], "satisfied");
    fs::hard_link(sealed(&home), home.path().join("kept")).expect("it is ours");
    let broken = tried(&home, &[]);
    assert_eq!((&*broken["ERA-01"], &*broken["KEY-02"]), ("not_satisfied", "satisfied"));
    fs::remove_file(home.path().join("kept")).expect("it is there");
    assert_eq!(tried(&home, &[])["ERA-01"], "satisfied");
}

#[test]
fn a_picture_whose_record_was_changed_is_not_satisfied_and_neither_is_what_rests_on_the_log() {
    let opened = opened(Home::with_picture("unrecorded-picture"));
    let sound = found(&opened);
    assert_eq!((&*sound["LOG-01"], &*sound["GOV-03"]), ("satisfied", "satisfied"));
    let segment = opened.home.path().join("state/audit/seg/00000000.jsonl");
    let text = fs::read_to_string(&segment).expect("it is text");
    fs::write(&segment, text.replacen("object.sealed", "object.sealex", 1)).expect("it is ours");
    let broken = found(&opened);
    assert_eq!((&*broken["LOG-01"], &*broken["GOV-03"]), ("not_satisfied", "not_satisfied"));
    fs::write(&segment, text).expect("it is ours");
}

#[test]
fn a_claim_is_contradicted_by_one_control_that_does_not_hold() {
    let home = Home::with_picture("contradicted");
    assert_eq!(tried(&home, &[])["GOV-03"], "satisfied");
    fs::write(home.path().join("workspace/output_image/apple.png"), b"\x89PNG\r\n\x1a\n")
        .expect("it is ours");
    assert_eq!(tried(&home, &[])["GOV-03"], "not_satisfied");
}

#[test]
fn what_a_sudden_end_cut_short_and_somebody_took_away_is_not_satisfied() {
    let home = Home::with_picture("cut-short");
    assert_eq!(tried(&home, &[])["LOG-08"], "not_applicable nothing_cut_short");
    let segment = home.path().join("state/audit/seg/00000000.jsonl");
    let mut bytes = fs::read(&segment).expect("it is there");
    bytes.extend(b"{\"v\":1,\"se");
    fs::write(&segment, bytes).expect("it is ours");
    assert_eq!(tried(&home, &[])["LOG-08"], "satisfied");
    let quarantine = home.path().join("state/audit/quarantine");
    let kept = quarantine.read_dir().expect("it is there").next().expect("a file").expect("it can be listed");
    fs::remove_file(kept.path()).expect("it is ours");
    assert_eq!(tried(&home, &[])["LOG-08"], "not_satisfied");
}

#[test]
fn a_folder_of_the_log_that_others_may_open_is_not_satisfied() {
    let opened = opened(Home::with_picture("log-readers"));
    let folder = opened.home.path().join("state/audit");
    let mode = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).expect("it is ours");
    assert_eq!(found(&opened)["ACC-05"], "satisfied");
    for open in [0o755, 0o701, 0o704] {
        mode(open);
        assert_eq!(found(&opened)["ACC-05"], "not_satisfied", "{open:o}");
    }
    mode(0o700);
    assert_eq!(found(&opened)["ACC-05"], "satisfied");
    opened.end(1);
}

#[test]
fn people_who_are_all_admins_are_not_satisfied() {
    let home = Home::with_picture("all-admins");
    assert_eq!(tried(&home, &[])["ACC-02"], "not_applicable one_person");
    home.write("second", b"the words of the second one\n");
    let second = home.at("second");
    let first = ["--operator", "First"];
    home.ask(&["operator", "add", "Second", "--operator", "First", "--new-passphrase-file", &second])
        .ends(0, &[]);
    assert_eq!(tried(&home, &first)["ACC-02"], "satisfied");
    home.ask(&["operator", "role", "Second", "admin", "--operator", "First"]).ends(0, &[]);
    assert_eq!(tried(&home, &first)["ACC-02"], "not_satisfied");
    home.ask(&["operator", "role", "Second", "operator", "--operator", "First"]).ends(0, &[]);
    assert_eq!(tried(&home, &first)["ACC-02"], "satisfied");
}

/// Nothing slows down whoever has this user's account but the work of each guess.
#[test]
fn guesses_without_a_pause_are_not_satisfied() {
    let home = Home::with_picture("guesses");
    assert_eq!(tried(&home, &[])["ACC-03"], "satisfied");
    home.write("pass", b"no words of anybody at all\n");
    for _ in 0..13 {
        home.ask(&["history", "list"]).ends(7, &[]);
    }
    home.write("pass", format!("{PASSPHRASE}\n").as_bytes());
    assert_eq!(tried(&home, &[])["ACC-03"], "not_satisfied");
}

#[test]
fn a_program_whose_file_is_exchanged_beside_it_is_not_satisfied() {
    let home = Home::with_picture("other-program");
    let (own, state) = (home.path().join("lightproof"), home.at("state"));
    let program = home.program(&[]).get_program().to_owned();
    fs::copy(&program, &own).expect("a home can be written");
    let mut command = Command::new(&own);
    command.args(["serve", "--port", "0", "--home", &state]).env_clear().current_dir(home.path());
    command.env("HOME", home.path()).env("PATH", "/usr/bin:/bin").env("TMPDIR", home.path().join("tmp"));
    let served = Served::run(&mut command);
    let token = Opened::unlock(&served);
    let opened = Opened { home, served, token };
    assert_eq!(found(&opened)["INT-01"], "satisfied");
    let new = own.with_extension("new");
    fs::copy(&program, &new).expect("a home can be written");
    fs::rename(&new, &own).expect("it is ours");
    assert_eq!(found(&opened)["INT-01"], "not_satisfied", "another file of the same bytes");
    fs::remove_file(&own).expect("it is ours");
    assert_eq!(found(&opened)["INT-01"], "not_satisfied", "none");
    let home = opened.end(1);
    assert_eq!(tried(&home, &[])["INT-01"], "satisfied");
}

/// The verb, where `script` has put other files in the place of the host's.
fn on_another_host(home: &Home, script: &str, control: &str) -> String {
    let script = format!("{script} && exec \"$@\"");
    let outer = ["unshare", "--mount", "sh", "-c", &script, "sh"];
    let ran = Ran::of(&mut behind(&outer, &home.furnished_program(&["evidence", "run", "--json"])));
    found_by(&ran.data())[control].clone()
}

#[test]
fn rules_of_the_firewall_that_do_nothing_are_not_satisfied() {
    if !is_root_for("mounting another /etc") {
        return;
    }
    let home = Home::with_picture("host-firewall");
    let etc = home.path().join("etc");
    fs::create_dir_all(etc.join("nftables.d")).expect("a home can be written");
    fs::copy("/etc/passwd", etc.join("passwd")).expect("it is there");
    let found = || on_another_host(&home, &format!("mount --bind '{}' /etc", etc.display()), "NET-04");
    assert_eq!(found(), "not_measured no_host_firewall");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/nftables/lightproof.nft");
    let rules = fs::read_to_string(shipped).expect("it is text");
    let write = |name: &str, text: &str| fs::write(etc.join(name), text).expect("it is ours");
    write("nftables.d/lightproof.nft", &rules);
    assert_eq!(found(), "not_satisfied", "nobody loads them");
    write("nftables.conf", "# include \"/etc/nftables.d/*.nft\"\n");
    assert_eq!(found(), "not_satisfied", "nobody loads them");
    write("nftables.conf", "include \"/etc/nftables.d/*.nft\"\n");
    assert_eq!(found(), "satisfied");
    write("nftables.d/lightproof.nft", &rules.replace("dport 7860", "dport 7861"));
    assert_eq!(found(), "not_satisfied", "another port");
}

#[test]
fn a_swap_space_that_lies_open_on_a_disk_is_not_satisfied() {
    if !is_root_for("mounting another table of swap spaces") {
        return;
    }
    const HEAD: &str = "Filename Type Size Used Priority\n";
    let home = Home::with_picture("host-swap");
    let found = |lines: &str| {
        home.write("swaps", format!("{HEAD}{lines}").as_bytes());
        let script = format!("mount --bind '{}' /proc/swaps", home.at("swaps"));
        on_another_host(&home, &script, "KEY-03")
    };
    assert_eq!(found(""), "satisfied");
    assert_eq!(found("/dev/zram0 partition 8 0 100\n"), "satisfied");
    assert_eq!(found("/nowhere/swapfile file 8 0 -2\n"), "not_measured trial_failed");
    // A disk of this host that nothing encrypts, if it shows one.
    let disks = fs::read_dir("/sys/class/block").into_iter().flatten().flatten();
    let plain = disks.map(|disk| disk.path()).find(|disk| {
        let below = fs::read_dir(disk.join("slaves")).map(Iterator::count).unwrap_or(0);
        below == 0 && !disk.join("dm").exists()
    });
    let name =
        plain.as_deref().and_then(Path::file_name).expect("a block device").to_string_lossy().into_owned();
    assert_eq!(found(&format!("/dev/{name} partition 8 0 -2\n")), "not_satisfied");
}

#[test]
fn a_recovery_code_that_nobody_tried_is_not_satisfied() {
    let home = Home::furnished("drill-control");
    let served = Served::start(&home);
    let wish = json!({ "code": served.setup_code(), "passphrase": PASSPHRASE });
    let made = served.ask(&Request::post("/api/v1/setup", &wish)).is(201).json();
    served.stop().ends(0, &[]);
    home.write("code", made["recovery_code"].as_str().expect("a code").as_bytes());
    assert_eq!(tried(&home, &[])["KEY-04"], "not_measured no_period");
    home.policy(b"schema = 1\ndrill_days_max = 365\n");
    assert_eq!(tried(&home, &[])["KEY-04"], "not_satisfied");
    let (state, code) = (home.at("state"), home.at("code"));
    let drill = ["vault", "drill", "--home", &state, "--passphrase-file", &code];
    Ran::of(&mut home.program(&drill)).ends(0, &[]);
    assert_eq!(tried(&home, &[])["KEY-04"], "satisfied");
}

/// Beside a running server, and put back again: it writes at the end of the same file meanwhile.
#[test]
fn records_that_were_changed_beside_a_running_server_are_not_satisfied() {
    let home = Home::with_picture("records-changed");
    home.ask(&["history", "rm", "--all", "--yes"]).ends(0, &[]);
    let opened = opened(home);
    let segment = opened.home.path().join("state/audit/seg/00000000.jsonl");
    let file = fs::File::options().write(true).open(&segment).expect("it is ours");
    let ids = ["LOG-03", "LOG-04", "LOG-12", "ERA-04"];
    let all_hold = || {
        let found = found(&opened);
        ids.iter().for_each(|id| assert_eq!(found[*id], "satisfied", "{id}"));
    };
    all_hold();
    // A text where there is none, a key that nobody says is gone, another size of a picture, and another process.
    for (id, before, after) in [
        ("LOG-12", "\"steps\":1", "\"apple\":1"),
        ("LOG-04", "\"key.destroyed\"", "\"key.destroyex\""),
        ("LOG-03", "\"width\":16", "\"width\":61"),
        ("ERA-04", "\"width\":16", "\"width\":61"),
    ] {
        let text = fs::read_to_string(&segment).expect("it is text");
        let at = text.find(before).unwrap_or_else(|| panic!("{before}: {text}")) as u64;
        file.write_all_at(after.as_bytes(), at).expect("it is ours");
        assert_eq!(found(&opened)[id], "not_satisfied", "{id}");
        file.write_all_at(before.as_bytes(), at).expect("it is ours");
        all_hold();
    }
    opened.end(0);
}

/// The records say the year 2001 for a while: nobody waits so long here.
#[test]
fn what_was_done_too_long_ago_is_not_satisfied() {
    let home = Home::furnished("long-ago");
    let served = Served::start(&home);
    let wish = json!({ "code": served.setup_code(), "passphrase": PASSPHRASE });
    let made = served.ask(&Request::post("/api/v1/setup", &wish)).is(201).json();
    served.stop().ends(0, &[]);
    home.write("code", made["recovery_code"].as_str().expect("a code").as_bytes());
    home.policy(b"schema = 1\nkey_days_max = 3650\ndrill_days_max = 3650\nbackup_days_max = 3650\n");
    home.ask(&["backup", "create", "-o", &home.at("out/a.backup")]).ends(0, &[]);
    let (state, code) = (home.at("state"), home.at("code"));
    Ran::of(&mut home.program(&["vault", "drill", "--home", &state, "--passphrase-file", &code]))
        .ends(0, &[]);
    tried(&home, &[]);
    let opened = opened(home);
    let segment = opened.home.path().join("state/audit/seg/00000000.jsonl");
    let file = fs::File::options().write(true).open(&segment).expect("it is ours");
    for (id, records) in [
        ("KEY-01", "\"vault_epoch\":"),
        ("KEY-04", "\"role\":\"recovery\""),
        ("OPS-01", "\"backup."),
        ("GOV-01", "\"evidence.tried\""),
    ] {
        assert_eq!(found(&opened)[id], "satisfied", "{id}");
        let (text, mut at, mut years) = (fs::read_to_string(&segment).expect("it is text"), 0, Vec::new());
        for line in text.split_inclusive('\n') {
            if line.contains(records) {
                let year = line.find("\"ts\":\"").expect("each has a time") + 6;
                years.push(((at + year) as u64, line[year..year + 4].to_owned()));
            }
            at += line.len();
        }
        assert!(!years.is_empty(), "{records}: {text}");
        let write = |year: &str, at: u64| file.write_all_at(year.as_bytes(), at).expect("it is ours");
        years.iter().for_each(|(at, _)| write("2001", *at));
        assert_eq!(found(&opened)[id], "not_satisfied", "{id}");
        years.iter().for_each(|(at, year)| write(year, *at));
        assert_eq!(found(&opened)[id], "satisfied", "{id}");
    }
    opened.end(0);
}

//! Everything in one file, lost, and back; and what does not come back.

use crate::abuse::Opened;
use crate::harness::{Home, PASSPHRASE, Ran, SMALL, behind};
use crate::http::Request;
use crate::served::Served;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

fn create(home: &Home, name: &str) -> String {
    let file = home.at(name);
    home.ask(&["backup", "create", "-o", &file]).ends(0, &["destroy it when it is out of date"]);
    file
}

/// The disk with the vault is lost, that with the pictures too; the log has survived.
fn lose_all_but_the_log(home: &Home) {
    for part in ["state/vault", "workspace"] {
        fs::remove_dir_all(home.path().join(part)).expect("it was there");
    }
}

fn ids(home: &Home) -> Vec<String> {
    home.pictures().iter().map(|picture| picture["id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn everything_is_lost_and_comes_back_but_for_what_was_erased() {
    let home = Home::furnished("backup");
    home.policy(b"schema = 1\nkeep_prompts = \"allow\"\n");
    for prompt in ["a red apple", "a blue boat"] {
        home.generate(&[prompt, "--remember-prompt"]).ends(0, &[]);
    }
    let file = create(&home, "out/first.backup");
    let [kept, doomed] = <[String; 2]>::try_from(ids(&home)).expect("two pictures");
    let bytes = fs::read(&file).expect("it is there");
    for canary in ["red apple", "boat", PASSPHRASE, "origin", "keep_prompts"] {
        assert!(!bytes.windows(canary.len()).any(|window| window == canary.as_bytes()), "{canary}");
    }
    let looked = home.ask(&["backup", "verify", &file, "--json"]).ends(0, &[]).data();
    assert_eq!((&looked["pictures"], &looked["lacking"]), (&2.into(), &0.into()));
    let policy = home.ask(&["backup", "policy", &file]).ends(0, &[]).stdout;
    assert_eq!(policy, "schema = 1\nkeep_prompts = \"allow\"\n");

    let erased =
        home.ask(&["history", "rm", &doomed, "--yes"]).ends(0, &["1 backup on record may still hold"]);
    assert!(erased.stdout.contains("erased 1 picture"), "{erased:#?}");
    home.generate(&["a later one"]).ends(0, &[]);
    lose_all_but_the_log(&home);
    home.ask(&["history", "list"]).ends(7, &[]);
    home.ask(&["status"]).ends(4, &["lightproof backup restore"]);
    fs::remove_file(home.path().join("state/config/policy.toml")).expect("lost, too");
    let back = home.ask(&["backup", "restore", &file]).ends(
        0,
        &[
            "not brought back: 1 picture",
            "and lost, for no backup holds them: 1 picture",
            "backup policy FILE",
            "make a new backup",
        ],
    );
    assert!(back.stdout.contains("1 picture"), "{back:#?}");
    assert_eq!(ids(&home), [&kept[..]]);
    home.ask(&["history", "show", &doomed]).ends(5, &[]);
    home.ask(&["history", "show", &kept]).ends(0, &[]);
    home.ask(&["history", "verify"]).ends(0, &[]);
    home.ask(&["audit", "verify"]).ends(0, &[]);
    home.generate(&["work goes on"]).ends(0, &[]);
    assert_eq!(home.count_records(&["backup.restored ok"]), 1);
    assert_eq!(home.count_records(&["backup.restore_begun ok", "erased=1", "log_survived=true"]), 1);
    // A drill beside the vault that lives does not share its pictures.
    let drill = home.at("drill");
    let program = [
        "backup",
        "restore",
        &file,
        "--without-log",
        "--home",
        &drill,
        "--passphrase-file",
        &home.at("pass"),
    ];
    Ran::of(&mut home.program(&program)).ends(6, &["two would share them", "--same-pictures", "--outputs"]);
    // Where there is a vault none is put back.
    home.ask(&["backup", "restore", &file]).ends(6, &["there is a vault", "--home"]);
    home.is_whole(2);
}

#[test]
fn what_left_by_export_stands_in_for_a_lost_log() {
    let home = Home::with_picture("backup-records");
    home.generate(&["another one"]).ends(0, &[]);
    let file = create(&home, "out/a.backup");
    let [kept, doomed] = <[String; 2]>::try_from(ids(&home)).expect("two pictures");
    let spool = home.at("spool");
    fs::create_dir(&spool).expect("a folder");
    home.ask(&["audit", "export", "--spool", &spool, "--after", "0"]).ends(0, &[]);
    home.ask(&["history", "rm", &doomed, "--yes"]).ends(0, &[]);
    home.ask(&["audit", "export", "--spool", &spool]).ends(0, &[]);
    let files = fs::read_dir(&spool).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some()).collect();
    files.sort();
    let [first, second] = &files[..] else { panic!("{files:?}") };
    let read = |path: &Path| fs::read(path).expect("a file");
    home.write("records", &[read(first), read(second)].concat());
    lose_all_but_the_log(&home);
    fs::remove_dir_all(home.path().join("state/audit")).expect("lost, too");
    home.ask(&["backup", "restore", &file]).ends(6, &["--records", "--without-log"]);
    let restore = |records: &str| home.ask(&["backup", "restore", &file, "--json", "--records", records]);
    restore(&home.at("nowhere")).ends(5, &["nowhere"]);
    restore(&spool).ends(5, &["no regular file"]);
    home.write("ocsf", b"{\"class_uid\":3002}\n");
    restore(&home.at("ocsf")).ends(11, &["line 1", "nothing was done"]);
    restore(&second.display().to_string()).ends(11, &["line 1", "some are missing"]);
    assert!(!home.path().join("state/vault/vault").exists(), "a refusal made a vault");
    let back = restore(&home.at("records"))
        .ends(0, &["by the exported records, and not brought back: 1 picture"])
        .data();
    assert_eq!((&back["erased"], &back["log_survived"]), (&1.into(), &false.into()));
    assert!(back["exported_until"].is_string(), "{back}");
    assert_eq!(ids(&home), [kept]);
    home.ask(&["audit", "verify"]).ends(0, &[]);
    home.is_whole(1);
}

#[test]
fn without_any_log_it_says_what_nobody_knows() {
    let home = Home::with_picture("backup-without-log");
    let file = create(&home, "out/a.backup");
    let [id] = <[String; 1]>::try_from(ids(&home)).expect("one picture");
    home.ask(&["history", "rm", &id, "--yes"]).ends(0, &[]);
    let checkpoint = home.at("checkpoint");
    fs::copy(home.path().join("state/audit/checkpoint"), &checkpoint).expect("kept elsewhere");
    lose_all_but_the_log(&home);
    fs::remove_dir_all(home.path().join("state/audit")).expect("lost, too");
    home.ask(&["backup", "restore", &file]).ends(6, &["no log is in", "--without-log", "comes back"]);
    // A refusal leaves nothing behind.
    let (new, pictures, wrong) = (home.at("new/state"), home.at("new/pictures"), home.at("wrong"));
    home.write("wrong", b"not the words of anybody\n");
    let restore = |file: &str, more: &[&str]| {
        let words = ["backup", "restore", file, "--home", &new, "--outputs", &pictures];
        Ran::of(&mut home.program(&[&words, more].concat()))
    };
    restore(&file, &["--passphrase-file", &wrong]).ends(6, &["no log is in"]);
    restore(&home.at("nowhere"), &["--without-log", "--passphrase-file", &wrong]).ends(5, &["nowhere"]);
    restore(&file, &["--without-log", "--passphrase-file", &home.at("nowhere")]).ends(7, &["nowhere"]);
    assert!(!home.path().join("new").exists(), "a refusal made folders");
    // Behind the fences none can be removed, so they are named.
    let refused = restore(&file, &["--without-log", "--passphrase-file", &wrong]);
    refused.ends(7, &["left empty", &home.at("new/state/vault"), &home.at("new/state/audit"), &pictures]);
    home.ask(&["backup", "restore", &file, "--without-log"]).ends(0, &["no log has survived", "is back"]);
    assert_eq!(ids(&home), [id]);
    home.ask(&["audit", "verify"]).ends(0, &[]);
    // Whoever kept a later checkpoint sees that this is not the log that it was.
    home.ask(&["audit", "verify", "--expect", &checkpoint]).ends(11, &[]);
    home.is_whole(1);
}

#[test]
fn a_place_that_makes_no_sense_is_refused_before_anything_is_on_record() {
    let home = Home::with_picture("backup-places");
    let before = home.records().len();
    home.write("out/there", b"somebody's");
    for (place, words) in [
        (home.at("out/there"), "is there already"),
        (home.at("state/vault/x.backup"), "which is the program's own"),
        (home.at("state/audit/x.backup"), "which is the program's own"),
        (home.at("workspace/output_image/x.backup"), "which is the program's own"),
        (home.at("out"), "is there already"),
    ] {
        home.ask(&["backup", "create", "-o", &place]).ends(6, &[words]);
    }
    home.ask(&["backup", "create", "-o", &home.at("nowhere/x.backup")]).ends(5, &["nowhere"]);
    home.ask(&["backup", "create", "-o", "-", "--json"]).ends(2, &["standard output"]);
    assert_eq!(home.records().len(), before);
    assert_eq!(fs::read(home.path().join("out/there")).expect("still there"), b"somebody's");
}

#[test]
fn what_is_no_backup_or_was_changed_is_told_and_nothing_is_made_of_it() {
    let home = Home::with_picture("backup-damaged");
    let file = create(&home, "out/a.backup");
    let bytes = fs::read(&file).expect("it is there");
    let mut changed = bytes.clone();
    changed[bytes.len() / 2] ^= 1;
    home.write("out/changed", &changed);
    home.write("out/cut", &bytes[..bytes.len() - 20]);
    home.write("out/empty", b"");
    let other = Home::furnished("backup-damaged-elsewhere");
    for (name, words) in [("changed", "damaged or was cut off"), ("cut", "cut off"), ("empty", "no backup")] {
        let name = home.at(&format!("out/{name}"));
        home.ask(&["backup", "verify", &name]).ends(11, &[words]);
        other.ask(&["backup", "restore", &name, "--without-log"]).ends(11, &[words]);
        assert!(!other.path().join("state/vault/vault").exists());
        assert!(!other.path().join("state/audit/origin").exists());
    }
    home.ask(&["backup", "verify", &home.at("out")]).ends(5, &["no regular file"]);
    home.ask(&["backup", "verify", &home.at("out/nothing")]).ends(5, &["nothing"]);
    home.write("pass", b"some other words here\n");
    home.ask(&["backup", "verify", &file]).ends(7, &["wrong passphrase"]);
    home.ask(&["backup", "destroyed", "j:nothing"]).ends(2, &["backup list"]);
}

#[test]
fn a_backup_goes_through_a_pipe_and_a_full_disk_leaves_none() {
    let home = Home::with_picture("backup-pipe");
    let output = home.furnished_program(&["backup", "create", "-o", "-"]).output().expect("it starts");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    home.write("out/piped", &output.stdout);
    home.ask(&["backup", "verify", &home.at("out/piped")]).ends(0, &[]);
    let full = fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    let ran = Ran::of(home.furnished_program(&["backup", "create", "-o", "-"]).stdout(full));
    ran.ends(10, &["the disk or your quota is full"]);
    let nowhere = fs::File::options().write(true).open("/dev/null").expect("Linux has it");
    let before = home.count_records(&["backup.begun"]);
    let ran = Ran::of(home.furnished_program(&["backup", "create", "-o", "-"]).stdout(nowhere));
    ran.ends(6, &["leads nowhere"]);
    assert_eq!(home.count_records(&["backup.begun"]), before);
    // A limit on the length of files is a full disk, too.
    let file = home.at("out/limited");
    let program = home.furnished_program(&["backup", "create", "-o", &file]);
    let mut limited = behind(&["bash", "-c", "ulimit -f 8 && exec \"$@\"", "bash"], &program);
    Ran::of(&mut limited).ends(10, &[]);
    assert_eq!(fs::metadata(&file).expect("left").len(), 0);
    assert!(home.count_records(&["backup.failed failed", "reason=disk_full"]) >= 1);
    let listed = home.ask(&["backup", "list", "--json"]).ends(0, &[]).data();
    let listed = listed["backups"].as_array().expect("a list");
    assert_eq!(listed.len(), 1, "{listed:?}");
    let id = listed[0]["backup"].as_str().expect("a name");
    // What a failed try left is no obstacle.
    home.ask(&["backup", "create", "-o", &file]).ends(0, &[]);
    home.ask(&["backup", "create", "-o", &file]).ends(6, &["is there already"]);
    let second = home.ask(&["backup", "list", "--json"]).ends(0, &[]).data()["backups"][1]["backup"].clone();
    home.ask(&["backup", "destroyed", second.as_str().expect("a name")]).ends(0, &[]);
    home.ask(&["backup", "destroyed", id]).ends(0, &[]);
    home.ask(&["backup", "destroyed", id]).ends(5, &["no backup"]);
    home.ask(&["backup", "list"]).ends(0, &["no backup is on record"]);
    home.is_whole(1);
}

#[test]
fn a_backup_comes_back_beside_the_policy_that_it_was_made_under() {
    let home = Home::with_picture("backup-policy");
    home.policy(b"schema = 1\n");
    let file = create(&home, "out/a.backup");
    lose_all_but_the_log(&home);
    let back = home.ask(&["backup", "restore", &file]).ends(0, &["make a new backup"]);
    assert!(!back.stderr.contains("is not the one here"), "{back:#?}");
    home.is_whole(1);
    lose_all_but_the_log(&home);
    home.policy(b"schema = 1\nkeep_prompts = \"never\"\n");
    home.ask(&["backup", "restore", &file]).ends(0, &["is not the one here"]);
}

#[test]
fn a_running_server_makes_one_and_goes_on_with_its_work() {
    let home = Home::with_picture("backup-served");
    home.policy(b"schema = 1\n");
    let same = |text: &str| {
        // A name may happen to have no digit.
        let differs = |word: &&str| word.starts_with("j:") || word.chars().any(|c| c.is_ascii_digit());
        let words = text.split_whitespace().filter(|word| !differs(word));
        words.collect::<Vec<_>>().join(" ")
    };
    let ask = |name: &str| home.ask(&["backup", "create", "-o", &home.at(name)]);
    let alone = ask("out/alone").ends(0, &[]);
    let served = Served::start(&home);
    let token = Opened::unlock(&served);
    let opened = Opened { served, home, token };
    let job = opened.busy();
    let home = &opened.home;
    let ask = |name: &str| home.ask(&["backup", "create", "-o", &home.at(name)]);
    let through = ask("out/through").ends(0, &[]);
    assert_eq!(same(&through.stdout), same(&alone.stdout).replace("alone", "through"));
    assert_eq!(same(&through.stderr), same(&alone.stderr));
    assert_eq!(opened.job(&job)["status"], "running");
    let mode = fs::metadata(home.path().join("out/through")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o077, 0);
    let said = |verb| home.ask(&["backup", verb, &home.at("out/through")]).ends(0, &[]).stdout;
    assert!(said("verify").contains("each of which opens") && said("policy").contains("schema = 1"));
    // To standard output, to a full one and to none, into its own folder, over another, and to a file that may not grow.
    let output = home.furnished_program(&["backup", "create", "-o", "-"]).output().expect("it starts");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    home.write("out/piped", &output.stdout);
    home.ask(&["backup", "verify", &home.at("out/piped")]).ends(0, &[]);
    for (place, code) in [("/dev/full", 10), ("/dev/null", 6)] {
        let stdout = fs::File::options().write(true).open(place).expect("Linux has it");
        Ran::of(home.furnished_program(&["backup", "create", "-o", "-"]).stdout(stdout)).ends(code, &[]);
    }
    ask("state/vault/a.backup").ends(6, &["which is the program's own"]);
    ask("out/through").ends(6, &["is there already"]);
    let failed = home.count_records(&["backup.failed failed"]);
    let file = home.at("out/limited");
    let program = home.furnished_program(&["backup", "create", "-o", &file]);
    let mut limited = behind(&["bash", "-c", "ulimit -f 8 && exec \"$@\"", "bash"], &program);
    Ran::of(&mut limited).ends(10, &[]);
    assert_eq!(fs::metadata(&file).expect("left").len(), 0);
    assert_eq!(home.count_records(&["backup.failed failed"]), failed + 1);
    let id = through.stdout.split_whitespace().find(|word| word.starts_with("j:")).expect("its name");
    home.ask(&["backup", "destroyed", id.trim_end_matches(',')]).ends(0, &[]);
    home.ask(&["backup", "destroyed", "j:nothing"]).ends(2, &["backup list"]);
    assert_eq!(opened.job(&job)["status"], "running");
    // What a pipe took before somebody was signed out may exist, and nothing of it is whole.
    let whole = home.count_records(&["backup.written"]);
    let begun = home.count_records(&["backup.begun"]);
    let mut program = home.furnished_program(&["backup", "create", "-o", "-"]);
    let stopped = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    while home.count_records(&["backup.begun"]) == begun {
        std::thread::sleep(Duration::from_millis(20));
    }
    opened.ask(Request::new("DELETE", "/api/v1/session")).is(204);
    let ran = Ran::from(stopped.wait_with_output().expect("it ends"));
    assert!(matches!(ran.code, Some(0 | 7)), "{ran:#?}");
    assert_eq!(home.count_records(&["backup.written"]) - whole, usize::from(ran.code == Some(0)), "{ran:#?}");
    let Opened { served, home, .. } = opened;
    served.stop().ends(0, &[]);
    // The request may have come to some.
    home.is_whole(home.pictures().len() as u64);
}

#[test]
fn a_verb_or_a_server_that_is_gone_leaves_a_backup_that_may_exist_and_says_so() {
    let home = Home::with_picture("backup-killed");
    // More than fits into a pipe.
    home.ask(&["generate", "a house", "--size", "256x256", "--steps", "1"]).ends(0, &[]);
    let served = Served::start(&home);
    let begun = || home.count_records(&["backup.begun"]);
    // Nobody reads what it writes, so it stays in the middle.
    let begin = || {
        let before = begun();
        let mut program = home.furnished_program(&["backup", "create", "-o", "-"]);
        let child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let until = Instant::now() + Duration::from_secs(60);
        while begun() == before {
            assert!(Instant::now() < until, "it does not begin");
            std::thread::sleep(Duration::from_millis(20));
        }
        child
    };
    // Killed while it writes: nobody knows where it is, so it is one that may exist, and the server goes on.
    let mut child = begin();
    child.kill().expect("it is there: nobody reads what it writes");
    child.wait().expect("it is our child");
    let listed = home.ask(&["backup", "list", "--json"]).ends(0, &[]).data();
    let unwritten =
        listed["backups"].as_array().expect("a list").iter().filter(|backup| backup["bytes"].is_null());
    assert_eq!(unwritten.count(), 1, "{listed}");
    create(&home, "out/b.backup");
    // An empty file that another verb has just made is nobody else's.
    home.write("out/taken", b"");
    fs::set_permissions(home.path().join("out/taken"), fs::Permissions::from_mode(0o600))
        .expect("it is ours");
    let taken = fs::File::open(home.path().join("out/taken")).expect("it is there");
    rustix::fs::flock(&taken, rustix::fs::FlockOperation::LockExclusive).expect("nobody has it");
    home.ask(&["backup", "create", "-o", &home.at("out/taken")]).ends(6, &["is there already"]);
    drop(taken);
    create(&home, "out/taken");
    // The server is killed: what the pipe took stays where it went.
    let child = begin();
    served.kill();
    let ran = Ran::from(child.wait_with_output().expect("it ends"));
    ran.ends(1, &["the running server ended", "what went to standard output", "destroy it"]);
    served.wait();
    home.ask(&["history", "list"]).ends(0, &[]);
    let status = home.ask(&["status", "--json"]).ends(0, &[]).data();
    assert!(status["backup_ms"].is_u64(), "{status}");
    home.is_whole(2);
}

#[test]
fn an_operator_makes_none_and_puts_none_back() {
    let home = Home::with_picture("backup-roles");
    let second = home.add_second();
    let state = home.at("state");
    let ask = |home: &Home, state: &str, arguments: &[&str]| {
        let more = ["--home", state, "--passphrase-file", &second, "--operator", "second"];
        Ran::of(&mut home.program(&[arguments, &more].concat()))
    };
    ask(&home, &state, &["backup", "create", "-o", &home.at("out/no.backup")])
        .ends(6, &["your role does not let you"]);
    ask(&home, &state, &[&["generate", "a boat"], &SMALL[..]].concat()).ends(0, &[]);
    let file = home.at("out/yes.backup");
    home.ask(&["backup", "create", "-o", &file, "--operator", "First"]).ends(0, &[]);
    let other = home.at("other");
    let outputs = home.at("other-pictures");
    let restore = ["backup", "restore", &file, "--without-log", "--outputs", &outputs];
    ask(&home, &other, &restore).ends(6, &["your role does not let you", "put a backup back"]);
    assert!(!Path::new(&other).join("vault/vault").exists());
    let more = ["--home", &other, "--passphrase-file", &home.at("pass"), "--operator", "First"];
    Ran::of(&mut home.program(&[&restore[..], &more].concat())).ends(0, &[]);
    // Everybody is back, with what is theirs.
    let list = ["history", "list", "--json", "--outputs", &outputs];
    let theirs = ask(&home, &other, &list).ends(0, &[]).data();
    assert_eq!(theirs["pictures"].as_array().map(Vec::len), Some(1));
}

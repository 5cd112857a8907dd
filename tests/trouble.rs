//! Wrong secrets, folders, policies and neighbours: a clear error, a record where there can be one, and nothing lost.

use crate::harness::{Home, Ran, SMALL};
use crate::served::Processes;
use rustix::process::Signal;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

fn outputs(home: &Home) -> PathBuf {
    home.path().join("workspace/output_image")
}

#[test]
fn a_wrong_passphrase_is_on_record_and_opens_nothing() {
    let home = Home::with_picture("wrong");
    home.write("wrong", b"eight grey herons at dawn\n");
    home.write("empty", b"\n");
    home.write("long", &[b'x'; 5000]);
    let with = |file: &str, verb: &[&str]| {
        let (state, file) = (home.at("state"), home.at(file));
        Ran::of(&mut home.program(&[verb, &["--home", &state, "--passphrase-file", &file]].concat()))
    };
    let verbs: [&[&str]; 5] = [
        &["history", "list"],
        &["history", "rm", "--all", "--yes"],
        &["vault", "verify"],
        &["vault", "passwd"],
        &["generate", "x"],
    ];
    for (index, verb) in verbs.iter().enumerate() {
        let ran = with("wrong", verb).ends(7, &["wrong passphrase", &home.at("wrong")]);
        assert!(ran.stdout.is_empty() && !ran.stderr.contains("herons"), "{ran:#?}");
        assert_eq!(home.count_records(&["vault.unlock_failed denied"]), index + 1, "{verb:?}");
    }
    home.write("broken", b"seven grey \xff herons\n");
    with("broken", &["history", "list"]).ends(7, &["UTF-8", &home.at("broken")]);
    with("empty", &["history", "list"]).ends(7, &["first line is empty"]);
    with("long", &["history", "list"]).ends(7, &["longer than"]);
    with("missing", &["history", "list"]).ends(7, &["cannot be read", "see that the name is right"]);
    // Nobody there to ask.
    let state = home.at("state");
    Ran::of(&mut home.program(&["history", "list", "--home", &state])).ends(7, &["--passphrase-file"]);
    home.is_whole(1);
}

#[test]
fn a_passphrase_file_that_others_may_read_is_taken_with_a_warning() {
    let home = Home::with_picture("open-secret");
    let pass = home.at("pass");
    let mode = |mode: u32| {
        std::fs::set_permissions(&pass, std::fs::Permissions::from_mode(mode)).expect("its owner may");
    };
    let warning = format!("warning: others may read {pass}");
    let is_warned = |ran: &Ran| ran.stderr.lines().filter(|line| line.starts_with(&warning)).count();
    for (bits, warnings) in [(0o600, 0), (0o400, 0), (0o640, 1), (0o604, 1), (0o622, 1)] {
        mode(bits);
        let ran = home.ask(&["history", "list"]).ends(0, &[]);
        assert_eq!((is_warned(&ran), ran.stderr.lines().count()), (warnings, warnings), "{bits:o}: {ran:#?}");
    }
    // One that becomes the passphrase is looked at, too.
    let passwd = home.ask(&["vault", "passwd", "--new-passphrase-file", &pass]).ends(2, &["to be replaced"]);
    assert_eq!(is_warned(&passwd), 2, "{passwd:#?}");
    // Nobody else can enter a service manager's folder of credentials.
    let ran = Ran::of(home.furnished_program(&["history", "list"]).env("CREDENTIALS_DIRECTORY", home.path()));
    assert_eq!(ran.ends(0, &[]).stderr, "");
    mode(0o600);
    if rustix::process::geteuid().is_root() {
        // It is read before root gives its rights away.
        std::os::unix::fs::chown(&pass, Some(65534), Some(65534)).expect("root may");
        assert_eq!(is_warned(&home.ask(&["history", "list"]).ends(0, &[])), 1);
        std::os::unix::fs::chown(&pass, Some(0), Some(0)).expect("root may");
    }
    mode(0o600);
    home.is_whole(1);
}

#[test]
fn an_output_folder_that_cannot_be_written_is_refused() {
    let home = Home::with_picture("read-only");
    let folder = outputs(&home);
    // Root without capabilities is an owner like any other.
    let mode = |mode: u32| std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode));
    mode(0o500).expect("its owner may");
    let ran = home.generate(&["x", "--json"]).ends(6, &["output_image", "--outputs"]);
    assert_eq!(ran.object()["ok"], false);
    assert_eq!(home.count_records(&["boot.refused denied", "reason=outputs"]), 1);
    // What is there can still be looked at.
    assert_eq!(home.pictures().len(), 1);
    mode(0o700).expect("its owner may");
    home.is_whole(1);
    assert_eq!(home.count_records(&["object.sealed ok"]), 1);
    home.generate(&["x"]).ends(0, &[]);
    home.is_whole(2);
}

#[test]
fn an_output_folder_of_another_user_is_refused() {
    let home = Home::with_picture("foreign");
    if !rustix::process::geteuid().is_root() {
        // Only root can give a folder away; root's own folders are foreign to everybody else.
        home.generate(&["x", "--outputs", "/lost+found/pictures"]).ends(6, &["/lost+found/pictures"]);
        return home.is_whole(1);
    }
    let foreign = home.path().join("foreign");
    std::fs::create_dir(&foreign).expect("a home can be written");
    std::fs::set_permissions(&foreign, std::fs::Permissions::from_mode(0o755)).expect("its owner may");
    std::os::unix::fs::chown(&foreign, Some(65534), Some(65534)).expect("root may");
    home.generate(&["x", "--outputs", &home.at("foreign")]).ends(6, &["foreign", "--outputs"]);
    assert_eq!(std::fs::read_dir(&foreign).expect("root may").count(), 0, "nothing was written there");
    home.is_whole(1);
}

#[test]
fn sealed_files_removed_by_hand_are_noticed_once_and_can_be_erased() {
    let home = Home::furnished("by-hand");
    home.generate(&["x", "-n", "3"]).ends(0, &[]);
    let pictures = home.pictures();
    let name = |index: usize| pictures[index]["name"].as_str().expect("a picture has a name").to_owned();
    let id = |index: usize| pictures[index]["id"].as_str().expect("a picture has an id").to_owned();
    for index in [0, 1] {
        std::fs::remove_file(outputs(&home).join(format!("{}.sealed", name(index)))).expect("it is there");
    }
    let listed =
        home.ask(&["history", "list"]).ends(0, &["2 sealed files are gone from the folder", "history rm"]);
    assert_eq!(listed.stdout.matches("(sealed file missing)").count(), 2, "{listed:#?}");
    home.ask(&["history", "list"]).ends(0, &[]);
    assert_eq!(home.count_records(&["object.missing failed"]), 2, "once each: {:#?}", home.records());
    let out = home.at("out");
    let sealed = |index: usize| format!("output_image/{}.sealed", name(index));
    home.ask(&["history", "export", &id(0), "-o", &out]).ends(11, &["missing", &sealed(0)]);
    let verified = home.ask(&["history", "verify"]).ends(4, &[]).stdout;
    assert_eq!(verified.matches("missing: ").count(), 2, "{verified}");
    assert!([0, 1].iter().all(|index| verified.contains(&sealed(*index))), "{verified}");
    home.ask(&["history", "export", &id(2), "-o", &out]).ends(0, &[]);
    // The erasure that a person began with rm is finished.
    home.ask(&["history", "rm", &id(0), &id(1), "--yes"]).ends(0, &[]);
    assert_eq!(home.count_records(&["object.erased ok"]), 2);
    home.is_whole(1);
    let left = home.pictures();
    assert_eq!((left.len(), left[0]["id"].as_str()), (1, Some(id(2).as_str())));
}

/// What is left of an erased picture is noise, and whoever is to remove it is told which file it is.
#[test]
fn a_sealed_file_that_cannot_be_removed_is_named() {
    let home = Home::with_picture("stays");
    let name = home.pictures()[0]["name"].as_str().expect("a picture has a name").to_owned();
    let mode = |mode| std::fs::set_permissions(outputs(&home), std::fs::Permissions::from_mode(mode));
    mode(0o500).expect("its owner may");
    let ran = home.ask(&["history", "rm", "--all", "--yes"]);
    mode(0o700).expect("its owner may");
    ran.ends(0, &["by hand", &format!("output_image/{name}.sealed")]);
    home.ask(&["history", "list"]).ends(0, &[]);
}

#[test]
fn a_flipped_byte_is_found_and_costs_one_picture() {
    let home = Home::furnished("flipped");
    home.generate(&["x", "-n", "2"]).ends(0, &[]);
    let pictures = home.pictures();
    let path = outputs(&home).join(format!("{}.sealed", pictures[0]["name"].as_str().expect("a name")));
    let sound = std::fs::read(&path).expect("it is there");
    let id = pictures[0]["id"].as_str().expect("an id");
    let plain = home.at("out/sound.png");
    home.ask(&["history", "export", id, "-o", &plain]).ends(0, &[]);
    for at in [0, 9, sound.len() / 2, sound.len() - 1] {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).expect("it can be written");
        let ran = home.ask(&["history", "verify"]).ends(11, &[]);
        assert!(
            ran.stdout.contains("1 picture is whole")
                && ran.stdout.contains(id)
                && ran.stdout.contains(&*path.to_string_lossy()),
            "byte {at}: {ran:#?}"
        );
        // The preview and the picture are sealed apart: a copy is whole or is not made.
        let copy = home.at(&format!("out/{at}.png"));
        let ran = home.ask(&["history", "export", id, "-o", &copy]);
        match ran.code {
            Some(0) => assert_eq!(std::fs::read(&copy).ok(), std::fs::read(&plain).ok(), "byte {at}"),
            Some(11) => {
                assert!(!PathBuf::from(copy).exists(), "byte {at}: a damaged picture was exported");
                assert!(ran.stderr.contains(&*path.to_string_lossy()), "byte {at}: {ran:#?}");
            }
            other => panic!("byte {at}: exit code {other:?}"),
        }
    }
    std::fs::write(&path, &sound).expect("it can be written");
    home.is_whole(2);
}

#[test]
fn a_flipped_byte_of_the_vault_file_is_found_or_mended() {
    let home = Home::with_picture("vault-byte");
    let file = home.path().join("state/vault/vault");
    let sound = std::fs::read(&file).expect("it is there");
    for at in (0..sound.len()).step_by(sound.len() / 6) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x40;
        std::fs::write(&file, &bytes).expect("it can be written");
        let ran = home.ask(&["history", "verify", "--json"]);
        // Read from its mirror, or refused with a sentence; never a panic, and never fewer pictures.
        match ran.code {
            Some(0) => assert_eq!(ran.data()["sound"], 1, "byte {at}: {ran:#?}"),
            Some(7 | 11) => assert_eq!(ran.object()["ok"], false, "byte {at}: {ran:#?}"),
            _ => panic!("byte {at}: {ran:#?}"),
        }
        std::fs::write(&file, &sound).expect("it can be written");
        std::fs::write(file.with_file_name("vault.mirror"), &sound).expect("it can be written");
    }
}

#[test]
fn a_policy_that_makes_no_sense_keeps_the_program_from_starting() {
    let home = Home::with_picture("policy");
    let senseless: [(&[u8], &str); 8] = [
        (b"schema = 1\nnonsense = true\n", "nonsense"),
        (b"schema = 2\n", "schema"),
        (b"schema = 1\nlisten = \"0.0.0.0:7860\"\n", "will not listen"),
        (b"schema = 1\nlisten = \"192.168.1.1:7860\"\n", "will not listen"),
        (b"schema = 1\nlisten = \"[::]:7860\"\n", "will not listen"),
        (b"schema = 1\n[limits]\nsteps_max = 101\n", "steps_max"),
        (b"schema = \n", "policy"),
        (b"\xff\xfe", "policy"),
    ];
    for (index, (policy, word)) in senseless.iter().enumerate() {
        home.policy(policy);
        let ran = home.ask(&["history", "list"]).ends(2, &[word]);
        assert_eq!(ran.stdout, "");
        std::fs::remove_file(home.path().join("state/config/policy.toml")).expect("it is there");
        assert_eq!(home.count_records(&["boot.refused denied", "reason=policy"]), index + 1, "{word}");
    }
    home.policy(&vec![b'#'; 2 << 20]);
    home.generate(&["x"]).ends(2, &["longer than"]);
    // No verb goes on under another policy than the site's, not even one that opens no darkroom.
    let verbs: [&[&str]; 6] = [
        &["selftest"],
        &["selftest", "--reference", crate::checkpoint::TINY],
        &["audit", "tail"],
        &["audit", "verify"],
        &["vault", "status"],
        &["serve", "--port", "0"],
    ];
    for (policy, word) in &senseless[..2] {
        home.policy(policy);
        for verb in verbs {
            let ran = home.ask(verb).ends(2, &[word]);
            assert_eq!(ran.stdout, "", "{verb:?}");
        }
    }
    std::fs::remove_file(home.path().join("state/config/policy.toml")).expect("it is there");
    std::fs::create_dir(home.path().join("state/config/policy.toml")).expect("a home can be written");
    for verb in verbs {
        home.ask(verb).ends(2, &["policy.toml", "no regular file"]);
    }
    std::fs::remove_dir(home.path().join("state/config/policy.toml")).expect("it is there");
    home.policy(b"schema = 1\n[limits]\nsteps_max = 3\nside_pixels_max = 64\n");
    home.ask(&["generate", "x", "--size", "16x16", "--steps", "4"]).ends(2, &["1 to 3"]);
    home.ask(&["generate", "x", "--steps", "3", "--size", "80x16"]).ends(2, &["16 to 64"]);
    home.is_whole(1);
}

/// A long job, once it is on record.
fn long_job(home: &Home) -> Child {
    let before = home.count_records(&["generate.requested ok"]);
    let arguments = ["generate", "x", "--size", "128x128", "--steps", "100", "-n", "16"];
    let mut command = home.furnished_program(&arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    while home.count_records(&["generate.requested ok"]) == before {
        if let Ok(Some(status)) = child.try_wait() {
            panic!("the job ended early: {status}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

/// The process of a job that holds the vault.
fn server(job: &Child) -> u32 {
    Processes::of(job.id()).expect("its processes are there while it works").server
}

#[test]
fn two_processes_do_not_share_a_vault() {
    let home = Home::with_picture("busy");
    let job = long_job(&home);
    let server = server(&job);
    Processes::signal(server, Signal::STOP);
    let pid = server.to_string();
    let verbs: [&[&str]; 7] = [
        &["history", "list"],
        &["history", "rm", "--all", "--yes"],
        &["history", "verify"],
        &["vault", "verify"],
        &["vault", "status"],
        &["vault", "passwd"],
        &["generate", "x", SMALL[0], SMALL[1]],
    ];
    for verb in verbs {
        let ran = home.ask(verb).ends(9, &[&pid]);
        assert_eq!(ran.stdout, "", "{verb:?}");
    }
    // The log can be read beside it.
    home.ask(&["audit", "verify"]).ends(0, &[]);
    Processes::signal(server, Signal::CONT);
    Processes::signal(job.id(), Signal::TERM);
    let ended = Ran::from(job.wait_with_output().expect("it is our child"));
    ended.ends(130, &["cancelled"]);
    assert_eq!(home.count_records(&["generate.failed failed", "reason=cancelled"]), 1);
    let kept = home.pictures().len() as u64;
    assert!(kept >= 1);
    home.is_whole(kept);
}

/// Who removes the vault's lock file makes room for a second lock, and not for a second program: the log has a lock of its own.
#[test]
fn a_removed_lock_file_lets_no_second_process_in() {
    let home = Home::with_picture("unlocked");
    let job = long_job(&home);
    let server = server(&job);
    Processes::signal(server, Signal::STOP);
    std::fs::remove_file(home.path().join("state/vault/lock")).expect("it is there");
    let verbs: [&[&str]; 4] = [
        &["history", "list"],
        &["history", "rm", "--all", "--yes"],
        &["vault", "passwd"],
        &["generate", "x", SMALL[0], SMALL[1]],
    ];
    for verb in verbs {
        let ran = home.ask(verb).ends(9, &[]);
        assert_eq!(ran.stdout, "", "{verb:?}");
    }
    Processes::signal(server, Signal::CONT);
    Processes::signal(job.id(), Signal::TERM);
    Ran::from(job.wait_with_output().expect("it is our child")).ends(130, &["cancelled"]);
    let kept = home.pictures().len() as u64;
    assert!(kept >= 1);
    home.is_whole(kept);
}

#[test]
fn pictures_do_not_lie_among_the_files_of_vault_and_log() {
    let home = Home::with_picture("overlap");
    for (flag, place) in
        [("--outputs", "audit"), ("--export", "audit/x.png"), ("--export", "vault/vault.new")]
    {
        let path = home.at(&format!("state/{place}"));
        home.generate(&["x", flag, &path]).ends(6, &["choose another folder"]);
    }
    home.generate(&["x", "--export", "/proc/x.png"]).ends(6, &["choose another folder"]);
    home.is_whole(1);
}

#[test]
fn a_pipe_keeps_no_start_waiting_and_a_policy_is_no_link() {
    let home = Home::with_picture("pipes");
    let pipe = home.at("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("coreutils").success());
    home.generate(&["--prompt-file", &pipe]).ends(5, &["no regular file"]);
    let state = home.at("state");
    for secret in [&home.at("out"), "/dev/stdin", "/dev/zero"] {
        for verb in [&["history", "list"][..], &["vault", "passwd", "--new-passphrase-file", secret]] {
            let asked = [verb, &["--home", &state, "--passphrase-file", secret]].concat();
            Ran::of(&mut home.program(&asked)).ends(7, &[secret, "no regular file"]);
        }
    }
    for checkpoint in [&pipe, &home.at("out")] {
        home.ask(&["audit", "verify", "--expect", checkpoint]).ends(5, &[checkpoint, "no regular file"]);
    }
    // A secret is the first line of a file, however long the file is.
    let huge = std::fs::File::options().append(true).open(home.at("pass")).expect("it is ours");
    huge.set_len(1 << 40).expect("the file system knows holes");
    home.ask(&["history", "list"]).ends(0, &[]);
    let config = home.path().join("policy-link");
    std::fs::write(&config, "schema = 1\n").expect("a home can be written");
    let policy = home.path().join("state/config/policy.toml");
    std::os::unix::fs::symlink(&config, &policy).expect("a home can be written");
    home.generate(&["x"]).ends(2, &["policy"]);
    std::fs::remove_file(&policy).expect("it is ours");
    home.is_whole(1);
}

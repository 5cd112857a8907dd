//! The machine secret: a server that opens the vault without a person, where the policy lets it.

use crate::abuse::token_of;
use crate::harness::{Home, PASSPHRASE, Ran};
use crate::http::Request;
use crate::people::Studio;
use crate::served::Served;
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

const OPEN: &[u8] = b"schema = 1\nunattended = \"stay-open\"\n[limits]\nidle_seconds_max = 2\n";

fn serve(home: &Home, secret: &str) -> Command {
    let state = home.at("state");
    home.program(&["serve", "--port", "0", "--home", &state, "--machine-secret-file", secret])
}

/// A home with a picture, and the file of its machine secret.
fn with_secret(test: &str) -> (Home, String) {
    let home = Home::with_picture(test);
    let file = home.at("machine");
    let added = home.ask(&["vault", "machine", "add", "--new-secret-file", &file, "--json"]).ends(0, &[]);
    assert_eq!(added.data()["slot"], 3);
    (home, file)
}

#[test]
fn without_the_line_of_the_policy_no_server_opens_the_vault_by_itself() {
    let (home, file) = with_secret("machine-policy");
    let mode = std::fs::metadata(&file).expect("it was made").permissions().mode();
    let secret = std::fs::read(&file).expect("it was made");
    assert_eq!((mode & 0o777, secret.len()), (0o600, 32));
    Ran::of(&mut serve(&home, &file)).ends(6, &["unattended", "nothing was opened"]);
    // A credential of the service manager is no other way.
    std::fs::copy(&file, home.path().join("unlock")).expect("copied");
    let state = home.at("state");
    let mut handed = home.program(&["serve", "--port", "0", "--home", &state]);
    Ran::of(handed.env("CREDENTIALS_DIRECTORY", home.path())).ends(6, &["unattended"]);
    assert_eq!(home.count_records(&["boot.refused", "reason=policy"]), 2);
    assert_eq!(home.count_records(&["vault.unlocked", "role=machine"]), 0);
    // It is no passphrase, there is one at most, and no file is written over.
    let words = ["vault", "machine", "add", "--new-secret-file", &file];
    home.ask(&words).ends(6, &["is there already"]);
    home.ask(&["vault", "machine", "add", "--secret-file", &file])
        .ends(6, &["key slot 3", "remove it first"]);
    home.ask(&["vault", "machine", "add", "--new-secret-file", "-"]).ends(2, &["a new file"]);
    assert!(!home.path().join("-").exists());
    home.write("wrong", b"not the words of anybody\n");
    let wrong =
        ["vault", "machine", "add", "--new-secret-file", &home.at("denied"), "--home", &home.at("state")];
    Ran::of(&mut home.program(&[&wrong[..], &["--passphrase-file", &home.at("wrong")]].concat()))
        .ends(7, &["wrong passphrase", "is empty"]);
    let other = home.at("other");
    home.ask(&["vault", "machine", "add", "--new-secret-file", &other])
        .ends(6, &["remove it first", "is empty"]);
    assert_eq!(std::fs::read(&file).ok(), Some(secret.clone()));
    for (verb, words) in
        [(["vault", "status"], "slot 3 is a machine's"), (["operator", "list"], "slot   3  machine")]
    {
        let told = home.ask(&verb).ends(0, &[]).stdout;
        assert!(told.contains(words), "{told}");
    }
    // Gone, it opens nothing, and that is said and on record.
    home.ask(&["vault", "machine", "remove"]).ends(0, &["opens nothing any more"]);
    home.ask(&["vault", "machine", "remove"]).ends(5, &["no machine secret"]);
    home.policy(OPEN);
    Ran::of(&mut serve(&home, &file)).ends(7, &["does not open this vault"]);
    // Without the line of the policy it waits for a passphrase, and says why.
    std::fs::remove_file(home.path().join("state/config/policy.toml")).expect("it is ours");
    let studio = Studio { served: Served::run(&mut serve(&home, &file)) };
    assert!(
        studio.served.stderr().contains("does not open this vault, which has none"),
        "{}",
        studio.served.stderr()
    );
    studio.sign_in(None, PASSPHRASE).is(201);
    studio.served.stop().ends(0, &[]);
    assert_eq!(home.count_records(&["slot.removed ok", "role=machine"]), 1);
    assert_eq!(
        home.count_records(&["vault.unlock_failed denied"]),
        2,
        "a passphrase, and the secret that was"
    );
    assert_eq!(home.files_with(&secret), [home.path().join("machine"), home.path().join("unlock")]);
    home.is_whole(1);
}

/// What lies beside the vault, and changes with it or lies in each copy of the log, is no secret, wherever one is asked for.
#[test]
fn no_file_of_the_programs_own_is_taken_for_a_secret() {
    let home = Home::with_picture("own-secret");
    home.policy(OPEN);
    let sealed = home.pictures()[0]["name"].as_str().expect("a name").to_owned();
    let sealed = std::fs::read_dir(home.path().join("workspace/output_image"))
        .expect("it is there")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.to_string_lossy().contains(sealed.trim_end_matches(".png")))
        .expect("its sealed file");
    std::os::unix::fs::symlink(home.path().join("state/vault"), home.path().join("link")).expect("made");
    let own = ["state/vault/vault", "state/audit/epoch.key", "state/config/policy.toml", "link/anchor"];
    // By another name it is the same file.
    let linked = ["state/vault/vault", "state/audit/seg/00000000.jsonl", "state/config/policy.toml"];
    let links = linked.iter().enumerate().map(|(index, name)| {
        std::fs::hard_link(home.path().join(name), home.path().join(format!("hard-{index}"))).expect("made");
        home.at(&format!("hard-{index}"))
    });
    let own = own.map(|name| home.at(name)).into_iter().chain([sealed.display().to_string()]).chain(links);
    let state = home.at("state");
    for file in own.chain(["-".into()]) {
        let (code, words) = if file == "-" { (2, "/dev/stdin") } else { (6, "of the program's own") };
        for verb in [
            &["vault", "machine", "add", "--secret-file", &file][..],
            &["vault", "passwd", "--new-passphrase-file", &file],
            &["operator", "passwd", "--new-passphrase-file", &file],
            &["operator", "add", "Second", "--operator", "First", "--new-passphrase-file", &file],
        ] {
            home.ask(verb).ends(code, &[words, "nothing was done"]);
        }
        let list = ["history", "list", "--home", &state, "--passphrase-file", &file];
        Ran::of(&mut home.program(&list)).ends(code, &[words]);
        Ran::of(&mut serve(&home, &file)).ends(code, &[words]);
    }
    // The log goes on with no file that has a second name.
    for index in 0..linked.len() {
        std::fs::remove_file(home.path().join(format!("hard-{index}"))).expect("it is ours");
    }
    assert_eq!(home.count_records(&[" vault.secret_requested "]), 0);
    // What a person keeps beside the policy is theirs.
    std::fs::copy(home.path().join("pass"), home.path().join("state/config/pass")).expect("copied");
    let list = ["history", "list", "--home", &state, "--passphrase-file", &home.at("state/config/pass")];
    Ran::of(&mut home.program(&list)).ends(0, &[]);
    // Through a server the verb's own process refuses it.
    let served = Served::start(&home);
    home.ask(&["vault", "machine", "add", "--secret-file", &home.at("state/vault/vault")]).ends(6, &["own"]);
    served.stop().ends(0, &[]);
    home.is_whole(1);
}

#[test]
fn a_server_opens_the_vault_by_itself_says_so_and_shows_nothing_to_nobody() {
    let (home, file) = with_secret("machine-open");
    home.policy(OPEN);
    let studio = Studio { served: Served::run(&mut serve(&home, &file)) };
    let status = studio.served.ask(&Request::get("/api/v1/status")).is(200).json();
    assert_eq!((&status["vault"], &status["unattended"]), (&json!("unlocked"), &json!(true)));
    assert_ne!(status["posture"], "green");
    studio.served.ask(&Request::get("/api/v1/images")).is(401);
    assert!(studio.served.stderr().contains("by no person"), "{}", studio.served.stderr());
    // Verbs do not repeat it, but those that say how the vault is.
    let list = home.ask(&["history", "list"]).ends(0, &[]);
    assert!(!list.stderr.contains("by no person"), "{list:?}");
    home.ask(&["vault", "status"]).ends(0, &["by no person"]);
    let told = home.ask(&["status"]).ends(0, &[]).stdout;
    assert!(told.contains("by a machine secret") && told.contains("posture   amber"), "{told}");
    // Somebody comes with their own passphrase, sees their picture, and leaves.
    let token = token_of(&studio.sign_in(None, PASSPHRASE).is(201));
    assert_eq!(studio.total(&token), json!(1));
    let state = studio.ask(&token, Request::get("/api/v1/state")).is(200).json();
    assert!(state["warnings"].to_string().contains("unattended"), "{state}");
    studio.ask(&token, Request::new("DELETE", "/api/v1/session")).is(204);
    std::thread::sleep(std::time::Duration::from_secs(4));
    let status = studio.served.ask(&Request::get("/api/v1/status")).is(200).json();
    assert_eq!(status["vault"], "unlocked", "the idle lock does not hold");
    studio.served.stop().ends(0, &[]);
    assert_eq!(home.count_records(&["vault.unlocked ok a:system", "role=machine", "slot=3"]), 1);
    assert_eq!(home.count_records(&["session.opened", "slot=3"]), 0);
    home.is_whole(1);
}

#[test]
fn with_idle_lock_it_locks_and_a_person_opens_it_again() {
    let (home, file) = with_secret("machine-idle");
    home.policy(b"schema = 1\nunattended = \"idle-lock\"\n[limits]\nidle_seconds_max = 2\n");
    let studio = Studio { served: Served::run(&mut serve(&home, &file)) };
    let locked = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        let status = studio.served.ask(&Request::get("/api/v1/status")).is(200).json();
        status["vault"] == "locked" && status["unattended"] == false
    });
    assert!(locked);
    studio.sign_in(None, PASSPHRASE).is(201);
    let status = studio.served.ask(&Request::get("/api/v1/status")).is(200).json();
    assert_eq!((&status["vault"], &status["unattended"]), (&json!("unlocked"), &json!(false)));
    let of_person = || {
        let told = home.ask(&["status"]).ends(0, &[]).stdout;
        assert!(told.contains("vault     unlocked\n"), "{told}");
    };
    of_person();
    studio.served.stop().ends(0, &[]);
    // Nor is it told of a later start that a person opens.
    let studio = Studio { served: Served::start(&home) };
    studio.sign_in(None, PASSPHRASE).is(201);
    of_person();
    studio.served.stop().ends(0, &[]);
}

/// Through a pipe, after new keys, another passphrase, and from a backup; and nothing after the end.
#[test]
fn it_goes_through_new_keys_a_passphrase_a_backup_and_ends_with_the_vault() {
    let (home, file) = with_secret("machine-life");
    home.policy(OPEN);
    home.ask(&["vault", "rotate"]).ends(0, &[]);
    home.write("new", b"a new passphrase of hers\n");
    home.ask(&["vault", "passwd", "--new-passphrase-file", &home.at("new")]).ends(0, &["was changed"]);
    home.write("pass", b"a new passphrase of hers\n");
    let backup = home.at("backup");
    home.ask(&["backup", "create", "-o", &backup]).ends(0, &[]);
    let opens = |state: &str| {
        let command = format!(
            "exec \"$0\" serve --port 0 --home '{state}' --outputs '{state}/pictures' --machine-secret-file <(cat '{file}')"
        );
        let program = home.program(&[]);
        let mut shell = Command::new("bash");
        shell.arg("-c").arg(command).arg(program.get_program()).env_clear();
        shell
            .envs(program.get_envs().filter_map(|(key, value)| Some((key, value?))))
            .env("PATH", "/usr/bin:/bin");
        shell
    };
    let restored = home.at("restored");
    let pictures = format!("{restored}/pictures");
    let words = [
        "backup",
        "restore",
        &backup,
        "--without-log",
        "--home",
        &restored,
        "--outputs",
        &pictures,
        "--passphrase-file",
        &home.at("pass"),
    ];
    Ran::of(&mut home.program(&words)).ends(0, &[]);
    std::fs::create_dir_all(format!("{restored}/config")).expect("made");
    std::fs::write(format!("{restored}/config/policy.toml"), OPEN).expect("written");
    let served = Served::run(&mut opens(&restored));
    assert_eq!(served.ask(&Request::get("/api/v1/status")).is(200).json()["vault"], "unlocked");
    served.stop().ends(0, &[]);
    home.ask(&["vault", "destroy", "--yes"]).ends(0, &[]);
    let served = Served::run(&mut serve(&home, &file));
    assert_eq!(served.ask(&Request::get("/api/v1/status")).is(200).json()["vault"], "none");
    served.stop().ends(0, &[]);
}

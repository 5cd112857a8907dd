//! Several people with one vault: at the command line and at the server, each with a passphrase of their own.

use crate::abuse::token_of;
use crate::harness::{Home, PASSPHRASE, Ran, SMALL};
use crate::http::{Answer, Request};
use crate::served::Served;
use serde_json::{Value, json};

pub const SECOND: &str = "the words of the second one";
pub const THIRD: &str = "the words of the third one";

/// A home in which the first person has a picture, and a name since the second one was added.
pub fn two(test: &str) -> Home {
    let home = Home::with_picture(test);
    home.write("second", SECOND.as_bytes());
    home.write("third", THIRD.as_bytes());
    add(&home, &["add", "Second"], "second")
        .ends(0, &["from now on you sign in as First", "Second can sign in"]);
    home
}

pub fn add(home: &Home, arguments: &[&str], file: &str) -> Ran {
    let file = home.at(file);
    let more = ["--operator", "First", "--new-passphrase-file", &file];
    home.ask(&[&["operator"], arguments, &more].concat())
}

/// What somebody asks of the program with the passphrase in this file of theirs.
pub fn as_who(home: &Home, (name, file): (&str, &str), arguments: &[&str]) -> Ran {
    let (state, file) = (home.at("state"), home.at(file));
    let more = ["--home", &state, "--passphrase-file", &file, "--operator", name];
    Ran::of(&mut home.program(&[arguments, &more].concat()))
}

pub const FIRST: (&str, &str) = ("first", "pass");
pub const OTHER: (&str, &str) = ("second", "second");

fn ids(home: &Home, who: (&str, &str)) -> Vec<String> {
    let listed = as_who(home, who, &["history", "list", "--json"]).ends(0, &[]).data();
    let pictures = listed["pictures"].as_array().expect("a list").clone();
    pictures.iter().map(|picture| picture["id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn two_people_share_a_vault_and_see_their_own_pictures() {
    let home = two("two-people");
    as_who(&home, OTHER, &[&["generate", "a yellow star"], &SMALL[..]].concat()).ends(0, &[]);
    let (own, theirs) = (ids(&home, FIRST), ids(&home, OTHER));
    assert_eq!((own.len(), theirs.len()), (1, 1));
    assert_ne!(own, theirs);
    as_who(&home, FIRST, &["history", "show", &theirs[0]]).ends(5, &["there is no picture"]);
    as_who(&home, OTHER, &["history", "rm", &own[0], "--yes"]).ends(5, &["there is no picture"]);
    as_who(&home, OTHER, &["history", "rm", "--all", "--yes"]).ends(0, &[]);
    assert_eq!((ids(&home, FIRST).len(), ids(&home, OTHER).len()), (1, 0));
    // Two people are two actors.
    let actors = |kind: &str| {
        let records = home.records();
        let of_kind = records.iter().filter(|record| record.contains(&format!(" {kind} ")));
        of_kind
            .map(|record| record.split(' ').find(|word| word.starts_with("a:")).map(str::to_owned))
            .collect()
    };
    let sealed: std::collections::BTreeSet<Option<String>> = actors("object.sealed");
    assert_eq!(sealed.len(), 2, "{sealed:?}");
    for record in home.records() {
        assert!(!record.to_lowercase().contains("second"), "a name is in the log: {record}");
    }
}

#[test]
fn who_signs_in_says_who_they_are() {
    let home = two("who");
    let pass = home.at("pass");
    let state = home.at("state");
    let nameless = ["history", "list", "--home", &state, "--passphrase-file", &pass];
    Ran::of(&mut home.program(&nameless)).ends(2, &["several people use this vault", "--operator NAME"]);
    let mut by_variable = home.program(&nameless);
    Ran::of(by_variable.env("LIGHTPROOF_OPERATOR", "FIRST")).ends(0, &[]);
    for wrong in [("second", "pass"), ("nobody", "pass"), ("first", "second")] {
        as_who(&home, wrong, &["history", "list"]).ends(7, &["wrong passphrase", "this operator"]);
    }
    as_who(&home, ("\u{202e}tsrif", "pass"), &["history", "list"]).ends(2, &["cannot be seen"]);
    assert_eq!(home.count_records(&["vault.unlock_failed"]), 3);
}

#[test]
fn roles_hold_at_the_command_line() {
    let home = two("roles");
    let refused = ["your role does not let you", "ask an admin"];
    as_who(&home, OTHER, &["operator", "list"]).ends(6, &refused);
    as_who(&home, OTHER, &["history", "verify"]).ends(6, &refused);
    assert_eq!(home.count_records(&["request.refused", "denied", "permission"]), 2);
    // What was made for a verb that is refused is not left without a word.
    let (file, folder) = (home.at("out/x.backup"), home.at("certificate"));
    let said = [refused[0], "is left empty"];
    as_who(&home, OTHER, &["backup", "create", "-o", &file]).ends(6, &said);
    as_who(&home, OTHER, &["vault", "destroy", "--yes", "--certificate", &folder]).ends(6, &said);
    add(&home, &["add", "revision", "--role", "auditor"], "third").ends(0, &[]);
    as_who(&home, ("revision", "third"), &["history", "list"]).ends(7, &["auditor's"]);
    let listed = as_who(&home, FIRST, &["operator", "list", "--json"]).ends(0, &[]).data();
    let told =
        |field: &str| listed["people"].as_array().expect("a list").iter().map(|p| p[field].clone()).collect();
    let (names, roles): (Vec<Value>, Vec<Value>) = (told("name"), told("role"));
    assert_eq!(names, ["First", "Second", "revision"]);
    assert_eq!(roles, ["admin", "operator", "auditor"]);
    // The log tells slots and pseudonyms; who is behind one is told to an admin, on record.
    let records = home.records();
    let of_second = records.iter().rfind(|record| record.contains(" request.refused ")).expect("a refusal");
    let pseudonym = of_second.split(' ').find(|word| word.starts_with("a:")).expect("an actor");
    let ask = ["operator", "resolve", pseudonym, "--reason", "incident"];
    let told = as_who(&home, FIRST, &ask).ends(0, &[]).stdout;
    assert!(told.contains("Second"), "{told}");
    as_who(&home, OTHER, &ask).ends(6, &refused);
    assert_eq!(home.count_records(&["slot.resolved", "incident"]), 1);
    for bad in [["a:xyz", "incident"], [pseudonym, "curiosity"]] {
        as_who(&home, FIRST, &["operator", "resolve", bad[0], "--reason", bad[1]]).ends(2, &[]);
    }
}

/// Whoever reads the list of people, or types a name into a form, must not take one for the other.
#[test]
fn a_name_that_looks_like_another_one_is_refused() {
    let home = Home::with_picture("alike");
    home.write("second", SECOND.as_bytes());
    // Before the vault is made one of several people, too.
    add(&home, &["add", "F\u{131}rst"], "second").ends(2, &["looks like that of somebody else"]);
    add(&home, &["add", "\u{410}nna"], "second").ends(2, &["scripts that look alike"]);
    home.ask(&["vault", "status"]).ends(0, &[]);
    home.is_whole(1);
    add(&home, &["add", "Second"], "second").ends(0, &[]);
    let named = |name: &str| add(&home, &["add", name], "second");
    for (name, words) in [
        ("F\u{131}rst", "looks like"),
        ("\u{ff33}econd", "looks like"),
        ("Sec\u{43e}nd", "scripts"),
        ("second", "is taken"),
    ] {
        named(name).ends(2, &[words]);
    }
    for name in ["\u{738b}\u{82b3}", "\u{41e}\u{43b}\u{44c}\u{433}\u{430}", "Se\u{e7}ond"] {
        named(name).ends(0, &["can sign in"]);
    }
}

#[test]
fn an_erasure_without_the_folder_of_pictures_says_what_is_the_case() {
    let home = two("goes-without-folder");
    as_who(&home, OTHER, &[&["generate", "a yellow star"], &SMALL[..]].concat()).ends(0, &[]);
    let (pictures, away) = (home.path().join("workspace/output_image"), home.path().join("away"));
    std::fs::rename(&pictures, &away).expect("a home can be written");
    let remove = ["operator", "remove", "second", "--erase-pictures", "--yes"];
    let ran = as_who(&home, FIRST, &remove).ends(0, &["the keys are gone", "is not there", "by hand then: "]);
    assert_eq!(home.count_records(&["object.erased", "cleanup_pending=true"]), 1);
    // As it was said: what comes back is the file that was named, and opens for nobody.
    std::fs::rename(&away, &pictures).expect("a home can be written");
    let entries = std::fs::read_dir(&pictures).expect("it is there");
    let files = entries.map(|entry| entry.expect("an entry").path().display().to_string());
    let left: Vec<String> = files.filter(|file| ran.stderr.contains(file)).collect();
    assert_eq!((left.len(), ids(&home, FIRST).len()), (1, 1), "{ran:#?}");
    std::fs::remove_file(&left[0]).expect("it is ours");
    as_who(&home, FIRST, &["history", "verify"]).ends(0, &[]);
}

#[test]
fn somebody_goes_and_their_pictures_go_where_it_was_said() {
    let home = two("goes");
    as_who(&home, OTHER, &[&["generate", "a yellow star"], &SMALL[..]].concat()).ends(0, &[]);
    let theirs = ids(&home, OTHER);
    // An admin who holds a copy learns who took it, and whose pictures they are told nothing else of.
    let copy = home.at("out/theirs.png");
    as_who(&home, OTHER, &["history", "export", &theirs[0], "-o", &copy]).ends(0, &[]);
    let told = as_who(&home, FIRST, &["history", "prove", &copy, "--json"]).ends(0, &[]).data();
    assert_eq!(told["exports"][0]["id"], theirs[0].as_str(), "{told}");
    let remove = |more: &[&str]| as_who(&home, FIRST, &[&["operator", "remove", "second"], more].concat());
    remove(&[]).ends(2, &["1 sealed pictures are theirs", "--hand-over-to NAME"]);
    remove(&["--erase-pictures"]).ends(6, &["--yes"]);
    remove(&["--hand-over-to", "second"]).ends(2, &[]);
    remove(&["--hand-over-to", "nobody"]).ends(5, &["nobody in this vault has this name"]);
    assert_eq!(ids(&home, OTHER), theirs, "nothing was done");
    remove(&["--hand-over-to", "first"]).ends(0, &["opens nothing any more", "passed on to first"]);
    as_who(&home, OTHER, &["history", "list"]).ends(7, &[]);
    remove(&["--hand-over-to", "first"]).ends(0, &["second was removed before"]);
    assert_eq!(ids(&home, FIRST).len(), 2);
    let out = home.at("out/star.png");
    as_who(&home, FIRST, &["history", "export", &theirs[0], "-o", &out]).ends(0, &[]);
    as_who(&home, FIRST, &["history", "rm", "--of", "nobody", "--yes"]).ends(5, &["nobody in this vault"]);
    as_who(&home, FIRST, &["history", "rm", "--of", "second", "--yes"]).ends(0, &["nothing to erase"]);
    as_who(&home, FIRST, &["history", "rm", "--of", "first"]).ends(6, &["--yes"]);
    // The name stays theirs, and the last admin stays.
    add(&home, &["add", "Second"], "second").ends(2, &["this name is taken"]);
    as_who(&home, FIRST, &["operator", "remove", "first", "--keep-pictures"])
        .ends(6, &["this is the last admin"]);
    for (kind, count) in [("slot.pictures", 1), ("slot.added", 1), ("slot.removed", 1)] {
        assert_eq!(home.count_records(&[&format!(" {kind} ")]), count, "{kind}");
    }
    as_who(&home, FIRST, &["history", "verify"]).ends(0, &[]);
}

/// Where somebody has no name yet, the first addition asks for it, and makes nothing without.
#[test]
fn nothing_is_half_added() {
    let home = Home::with_picture("half");
    home.write("second", SECOND.as_bytes());
    let file = home.at("second");
    home.ask(&["operator", "add", "Second", "--new-passphrase-file", &file])
        .ends(2, &["you have no name in this vault yet"]);
    home.write("weak", b"short");
    add(&home, &["add", "Second"], "weak").ends(2, &["fewer than 12"]);
    add(&home, &["add", "Second", "--role", "root"], "second").ends(2, &["operator, admin, auditor"]);
    add(&home, &["add", "\t"], "second").ends(2, &["cannot be a person's name"]);
    add(&home, &["add", "FIRST"], "second").ends(2, &["this name is taken"]);
    let mut by_variable =
        home.furnished_program(&["operator", "add", "Second", "--new-passphrase-file", &file]);
    Ran::of(by_variable.env("LIGHTPROOF_OPERATOR", "left over"))
        .ends(2, &["you have no name in this vault yet"]);
    let mut looks = home.program(&["vault", "status", "--home", &home.at("state")]);
    Ran::of(looks.env("LIGHTPROOF_OPERATOR", "\u{202e}")).ends(0, &[]);
    assert_eq!(home.count_records(&["slot.added"]) + home.count_records(&["vault.secret_requested"]), 0);
    home.is_whole(1);
    // The vault as it was: nobody needs a name.
    assert_eq!(home.pictures().len(), 1);
}

#[test]
fn a_hold_is_set_listed_and_ended() {
    let home = Home::with_picture("hold");
    home.ask(&["hold", "set", "--reason", "because"]).ends(2, &["litigation, investigation, order, audit"]);
    home.ask(&["hold", "set", "--of", "nobody", "--reason", "order"]).ends(5, &["nobody in this vault"]);
    home.ask(&["hold", "list"]).ends(0, &["no hold stands"]);
    home.ask(&["hold", "set", "--reason", "litigation"]).ends(0, &["until the hold is ended"]);
    home.ask(&["hold", "set", "--reason", "audit"]).ends(6, &["stands already"]);
    let held = home.ask(&["hold", "list", "--json"]).ends(0, &[]).data();
    assert_eq!(
        (&held["holds"][0]["reason"], &held["holds"][0]["pictures"]),
        (&json!("litigation"), &json!(1))
    );
    home.ask(&["history", "rm", "--all", "--yes"]).ends(6, &["a legal hold keeps 1", "lightproof hold list"]);
    let served = Served::start(&home);
    let token = token_of(
        &served.ask(&Request::post("/api/v1/session", &json!({ "passphrase": PASSPHRASE }))).is(201),
    );
    let ask = |request: Request| served.ask(&request.token(&token));
    let delete = || ask(Request::post("/api/v1/images:delete", &json!({ "all": true, "confirm": 1 })));
    assert_eq!(delete().is(403).json()["code"], "held");
    assert_eq!(ask(Request::get("/api/v1/holds")).is(200).json()["holds"][0]["pictures"], 1);
    assert_eq!(
        ask(Request::post("/api/v1/holds", &json!({ "reason": "order" }))).is(409).json()["code"],
        "held"
    );
    ask(Request::post("/api/v1/holds:end", &json!({}))).is(204);
    assert_eq!(ask(Request::post("/api/v1/holds:end", &json!({}))).status, 404);
    ask(Request::post("/api/v1/holds", &json!({ "reason": "order" }))).is(201);
    // At the command line beside the server: its own hold, and the page's.
    home.ask(&["hold", "end"]).ends(0, &["the hold has ended", "no hold stands"]);
    home.ask(&["hold", "set", "--reason", "audit"]).ends(0, &["until the hold is ended"]);
    assert_eq!(delete().is(403).json()["code"], "held");
    drop(served);
    home.ask(&["hold", "end"]).ends(0, &["the hold has ended"]);
    home.ask(&["history", "rm", "--all", "--yes"]).ends(0, &[]);
    home.is_whole(0);
}

/// The code in the safe is tried without a change, and gives somebody who has lost theirs a new passphrase.
#[test]
fn the_recovery_code_in_the_safe_is_tried_and_used() {
    let home = Home::furnished("drill");
    let served = Served::start(&home);
    let wish = json!({ "code": served.setup_code(), "passphrase": PASSPHRASE });
    let made = served.ask(&Request::post("/api/v1/setup", &wish)).is(201).json();
    drop(served);
    home.write("code", made["recovery_code"].as_str().expect("a code").as_bytes());
    home.write("second", SECOND.as_bytes());
    home.write("third", THIRD.as_bytes());
    add(&home, &["add", "Second"], "second").ends(0, &[]);
    let (state, code) = (home.at("state"), home.at("code"));
    let with_code = ["--home", &state, "--passphrase-file", &code];
    let run = |words: &[&str]| Ran::of(&mut home.program(&[words, &with_code].concat()));
    let rolled = home.count_records(&["vault.secret_requested"]);
    run(&["vault", "drill"]).ends(0, &["the recovery code opens this vault"]);
    assert_eq!(home.count_records(&["vault.unlocked", "role=recovery"]), 1);
    assert_eq!(home.count_records(&["vault.secret_requested"]), rolled, "nothing changed");
    home.ask(&["vault", "drill"]).ends(7, &["typing error"]);
    run(&["history", "list"]).ends(2, &["several people"]);

    let new = home.at("third");
    let words = ["operator", "passwd", "second", "--new-passphrase-file", &new];
    run(&words).ends(0, &["the passphrase was changed"]);
    run(&["operator", "passwd", "nobody", "--new-passphrase-file", &new]).ends(5, &["nobody in this vault"]);
    as_who(&home, OTHER, &["history", "list"]).ends(7, &[]);
    home.ask(&words)
        .ends(7, &["wrong passphrase", "or the recovery code, and no other's, an admin's neither"]);
    as_who(&home, ("second", "third"), &["history", "list"]).ends(0, &[]);
    as_who(&home, FIRST, &["history", "list"]).ends(0, &[]);
}

pub struct Studio {
    pub served: Served,
}

impl Studio {
    pub fn sign_in(&self, operator: Option<&str>, passphrase: &str) -> Answer {
        let mut body = json!({ "passphrase": passphrase });
        if let Some(name) = operator {
            body["operator"] = name.into();
        }
        self.served.ask(&Request::post("/api/v1/session", &body))
    }

    pub fn ask(&self, token: &str, request: Request) -> Answer {
        self.served.ask(&request.token(token))
    }

    pub fn total(&self, token: &str) -> Value {
        self.ask(token, Request::get("/api/v1/images")).is(200).json()["total"].clone()
    }

    /// Makes a picture and waits for its end.
    fn generate(&self, token: &str) -> String {
        let wish = json!({ "prompt": "a yellow star", "width": 16, "height": 16, "steps": 1 });
        let job = self.ask(token, Request::post("/api/v1/jobs", &wish)).is(202).json();
        let id = job["id"].as_str().expect("an id").to_owned();
        loop {
            let job = self.ask(token, Request::get(&format!("/api/v1/jobs/{id}"))).is(200).json();
            match job["status"].as_str() {
                Some("done") => return id,
                Some("waiting" | "running") => std::thread::sleep(std::time::Duration::from_millis(20)),
                other => panic!("{other:?}: {job}"),
            }
        }
    }
}

#[test]
fn two_people_sit_at_the_studio() {
    let home = Home::with_picture("two-at-once");
    let studio = Studio { served: Served::start(&home) };
    let status = |studio: &Studio| studio.served.ask(&Request::get("/api/v1/status")).json();
    assert_eq!(status(&studio)["names"], false);
    let first = token_of(&studio.sign_in(None, PASSPHRASE).is(201));
    assert_eq!(
        studio
            .ask(
                &first,
                Request::post("/api/v1/people:remove", &json!({ "name": "x", "passphrase": PASSPHRASE }))
            )
            .status,
        404
    );
    let you = studio.ask(&first, Request::get("/api/v1/capabilities")).is(200).json()["you"].clone();
    assert_eq!(you, json!({ "name": null, "role": "admin" }));
    let newcomer = json!({
        "name": "Second", "role": "operator", "new_passphrase": SECOND, "passphrase": PASSPHRASE,
    });
    let add = |body: &Value| studio.ask(&first, Request::post("/api/v1/people", body));
    assert_eq!(add(&newcomer).is(422).json()["code"], "name_needed");
    let mut named = newcomer.clone();
    named["own_name"] = "First".into();
    let mut wrong = named.clone();
    wrong["passphrase"] = SECOND.into();
    assert_eq!(add(&wrong).is(401).json()["code"], "passphrase");
    assert_eq!(add(&named).is(201).json()["slot"], 3);
    assert_eq!(add(&newcomer).is(422).json()["code"], "name");

    assert_eq!(status(&studio)["names"], true);
    assert_eq!(studio.sign_in(None, PASSPHRASE).is(422).json()["code"], "name_needed");
    assert_eq!(studio.sign_in(Some("second"), PASSPHRASE).is(401).json()["code"], "passphrase");
    let second = token_of(&studio.sign_in(Some(" SECOND"), SECOND).is(201));
    let job = studio.generate(&second);
    assert_eq!((studio.total(&first), studio.total(&second)), (json!(1), json!(1)));
    assert_eq!(studio.ask(&first, Request::get(&format!("/api/v1/jobs/{job}"))).status, 404);
    let jobs = studio.ask(&first, Request::get("/api/v1/jobs")).is(200).json();
    assert_eq!(jobs["jobs"], json!([]));
    for (method, path, body) in [
        ("GET", "/api/v1/people", None),
        ("POST", "/api/v1/people:remove", Some(json!({ "name": "first", "passphrase": SECOND }))),
        ("POST", "/api/v1/recovery", Some(json!({ "passphrase": SECOND }))),
    ] {
        let request = body.map_or_else(|| Request::new(method, path), |body| Request::post(path, &body));
        assert_eq!(studio.ask(&second, request).is(403).json()["code"], "role", "{path}");
    }
    let new = json!({ "passphrase": SECOND, "new_passphrase": THIRD });
    studio.ask(&second, Request::post("/api/v1/passphrase", &new)).is(204);

    let alone = json!({ "name": "First", "passphrase": PASSPHRASE });
    assert_eq!(
        studio.ask(&first, Request::post("/api/v1/people:remove", &alone)).is(409).json()["code"],
        "state"
    );
    // Who leaves leaves alone; the last one locks.
    studio.ask(&second, Request::new("DELETE", "/api/v1/session")).is(204);
    assert_eq!(studio.ask(&second, Request::get("/api/v1/jobs")).status, 401);
    assert_eq!(status(&studio)["vault"], "unlocked");
    assert_eq!(studio.sign_in(Some("second"), SECOND).status, 401, "the old passphrase");
    let second = token_of(&studio.sign_in(Some("second"), THIRD).is(201));

    // Who is removed is out at once.
    let remove = |more: Value| {
        let mut body = json!({ "name": "Second", "passphrase": PASSPHRASE });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        studio.ask(&first, Request::post("/api/v1/people:remove", &body))
    };
    assert_eq!(remove(json!({})).is(422).json()["code"], "parameter");
    assert_eq!(studio.total(&second), json!(1), "nothing was done");
    remove(json!({ "pictures": "hand_over", "hand_over_to": "First" })).is(204);
    assert_eq!(studio.ask(&second, Request::get("/api/v1/images")).status, 401);
    assert_eq!(studio.total(&first), json!(2));
    studio.ask(&first, Request::new("DELETE", "/api/v1/session")).is(204);
    assert_eq!(status(&studio)["vault"], "locked");
    drop(studio);
    assert_eq!(home.files_with(b"Second"), Vec::<std::path::PathBuf>::new());
    assert_eq!(home.files_with(SECOND.as_bytes()), Vec::<std::path::PathBuf>::new());
}

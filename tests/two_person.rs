//! Acts that take two admins where the policy says so: at the command line, and at the server.

use crate::abuse::token_of;
use crate::harness::{Home, PASSPHRASE, SMALL};
use crate::http::{Answer, Request};
use crate::people::{FIRST, OTHER, SECOND, Studio, THIRD, add, as_who, two};
use crate::served::Served;
use serde_json::json;

const POLICY: &[u8] = b"schema = 1\ntwo_person = [\"resolve\", \"pictures\", \"hold\", \"destroy\"]\n";

/// "First" and "Second" are admins; "Third" is an operator with a picture. The policy asks for two.
fn two_admins(test: &str) -> Home {
    let home = two(test);
    add(&home, &["add", "Third"], "third").ends(0, &[]);
    as_who(&home, ("third", "third"), &[&["generate", "a yellow star"], &SMALL[..]].concat()).ends(0, &[]);
    as_who(&home, FIRST, &["operator", "role", "Second", "admin"]).ends(0, &["Second is an admin"]);
    home.policy(POLICY);
    home
}

/// The number that an act waits under.
fn number(home: &Home, act: &[&str]) -> String {
    let said = as_who(home, FIRST, act).ends(6, &["nothing is done yet", "operator pending"]).stderr;
    let number = said.split("as number ").nth(1).and_then(|rest| rest.split(';').next());
    number.unwrap_or_else(|| panic!("no number: {said}")).to_owned()
}

#[test]
fn one_person_asks_and_a_second_one_confirms() {
    let home = two_admins("two-person");
    as_who(&home, FIRST, &["hold", "set", "--of", "Third", "--reason", "order"]).ends(0, &[]);
    let records = home.records();
    let of_third = records.iter().rfind(|record| record.contains(" generate.requested ")).expect("a request");
    let pseudonym = of_third.split(' ').find(|word| word.starts_with("a:")).expect("an actor");
    let hold = number(&home, &["hold", "end", "--of", "Third"]);
    assert_eq!(number(&home, &["hold", "end", "--of", "Third"]), hold, "asked for twice it waits once");
    let resolve = number(&home, &["operator", "resolve", pseudonym, "--reason", "incident"]);
    let erase = number(&home, &["history", "rm", "--of", "Third", "--yes"]);
    let listed = as_who(&home, OTHER, &["operator", "pending"]).ends(0, &[]).stdout;
    for words in [
        format!("{hold}  end the hold on the pictures of Third, asked for by First, until "),
        format!("{resolve}  say who is behind {pseudonym} (incident), asked for by First, until "),
        format!("{erase}  erase all pictures of Third (1 picture), asked for by First, until "),
    ] {
        assert!(listed.contains(&words), "{words}: {listed}");
    }
    let own = as_who(&home, FIRST, &["operator", "pending"]).ends(0, &[]).stdout;
    assert!(own.contains("asked for by First (you)"), "{own}");
    let confirm = |who, number: &str, more: &[&str]| {
        as_who(&home, who, &[&["operator", "confirm", number], more].concat())
    };
    confirm(FIRST, &hold, &[]).ends(6, &["you asked for this yourself"]);
    confirm(("third", "third"), &hold, &[]).ends(6, &["your role does not let you"]);
    confirm(OTHER, "1", &[]).ends(5, &["nothing waits for a second admin as number 1"]);
    confirm(OTHER, &erase, &[]).ends(6, &["cannot be undone", "--yes"]);
    confirm(OTHER, &erase, &["--yes"]).ends(6, &["a legal hold keeps 1 of these pictures"]);
    confirm(OTHER, &hold, &[]).ends(0, &["done: end the hold on the pictures of Third"]);
    confirm(OTHER, &hold, &[]).ends(5, &[]);
    let told = confirm(OTHER, &resolve, &["--json"]).ends(0, &[]).data();
    assert_eq!(told["name"], "Third", "{told}");
    let erased = confirm(OTHER, &erase, &["--yes"]).ends(0, &["history certificate"]).stdout;
    assert!(erased.contains("erased 1 picture"), "{erased}");
    for (kind, count) in [("act.asked", 3), ("act.confirmed", 4), ("hold.ended", 1), ("slot.resolved", 1)] {
        assert_eq!(home.count_records(&[&format!(" {kind} ")]), count, "{kind}");
    }
    for record in home.records() {
        let record = record.to_lowercase();
        assert!(!record.contains("second ") && !record.contains("third"), "a name is in the log: {record}");
    }

    // By no other way alone, and what says so leaves no folder.
    let subject = ["evidence", "subject", pseudonym, "-o", &home.at("about")];
    as_who(&home, FIRST, &subject).ends(6, &["operator resolve", "second admin"]);
    let named = ["evidence", "subject", "Third", "-o", &home.at("about")];
    as_who(&home, FIRST, &named).ends(6, &["operator resolve", "second admin"]);
    let own = as_who(&home, FIRST, &["evidence", "subject", "-o", &home.at("own")]);
    own.ends(0, &[]);
    let certified = ["vault", "destroy", "--yes", "--certificate", &home.at("certificate")];
    as_who(&home, FIRST, &certified).ends(6, &["certificates first: lightproof history certificate"]);
    assert!(!home.path().join("certificate").exists());

    // Refused, or taken back, it is over; the end of the vault is confirmed like the rest.
    let remove = number(&home, &["operator", "remove", "Second"]);
    as_who(&home, OTHER, &["operator", "refuse", &remove]).ends(0, &["nothing of it was done"]);
    confirm(OTHER, &remove, &[]).ends(5, &[]);
    let admin = number(&home, &["operator", "role", "Third", "admin"]);
    as_who(&home, FIRST, &["operator", "refuse", &admin]).ends(0, &[]);
    add(&home, &["add", "Fourth", "--role", "admin"], "third").ends(6, &["add them as an operator"]);
    let destroy = number(&home, &["vault", "destroy", "--yes"]);
    confirm(OTHER, &destroy, &[]).ends(6, &["destroy the vault with everything in it (1 picture)", "--yes"]);
    let done = confirm(OTHER, &destroy, &["--yes"]).ends(0, &["the log stays"]).stdout;
    assert!(done.contains("destroyed the vault and 1 picture"), "{done}");
    home.ask(&["audit", "verify"]).ends(0, &[]);
}

#[test]
fn what_has_changed_since_is_listed_no_more_and_nobody_is_asked_whether_they_mean_it() {
    let home = two_admins("two-person-changed");
    let erase = ["history", "rm", "--of", "Third", "--yes"];
    let [first, third] = [FIRST, ("third", "third")];
    let one_more = || as_who(&home, third, &[&["generate", "a boat"], &SMALL[..]].concat()).ends(0, &[]);
    let confirmed = number(&home, &erase);
    one_more();
    let said = as_who(&home, OTHER, &["operator", "confirm", &confirmed]).ends(6, &["changed"]).stderr;
    assert!(!said.contains("--yes"), "{said}");
    let listed = number(&home, &erase);
    one_more();
    as_who(&home, first, &["operator", "pending"]).ends(0, &["nothing waits for a second admin"]);
    assert_eq!(home.ask(&["status", "--json"]).ends(0, &[]).data()["pending"], json!([]));
    as_who(&home, OTHER, &["operator", "confirm", &listed, "--yes"]).ends(5, &["nothing waits"]);
    assert_eq!(home.count_records(&[" act.lapsed "]), 2);
    as_who(&home, OTHER, &["operator", "confirm", &number(&home, &erase), "--yes"]).ends(0, &[]);
}

/// It says the same with a second admin's word as without.
#[test]
fn a_removal_that_erases_says_what_it_erased() {
    let remove = ["operator", "remove", "Third", "--erase-pictures", "--yes"];
    let alone = two_admins("removal-alone");
    alone.policy(b"schema = 1\n");
    let waiting = two_admins("removal-confirmed");
    let number = number(&waiting, &remove);
    let told = [
        as_who(&alone, FIRST, &[&remove[..], &["--json"]].concat()).ends(0, &[]).data(),
        as_who(&waiting, OTHER, &["operator", "confirm", &number, "--yes", "--json"]).ends(0, &[]).data(),
    ];
    for told in &told {
        let facts =
            ["removed", "pictures", "erased", "backups", "cleanup_pending"].map(|fact| told[fact].clone());
        assert_eq!(json!(facts), json!([true, 1, 1, 0, false]), "{told}");
        let object = told["records"][0]["pseudonym"].as_str().unwrap_or_else(|| panic!("{told}"));
        assert_eq!(told["certificate"], format!("lightproof history certificate {object} -o DIR"));
        assert!(told["checkpoint"].is_object(), "{told}");
    }
    assert_eq!((&told[1]["act"], told[1]["confirmed"].to_string()), (&json!("remove"), number));
}

/// The line destroys nothing and locks nobody out.
#[test]
fn a_house_with_one_admin_is_told_what_it_lacks() {
    let home = two("one-admin");
    home.policy(POLICY);
    for act in [&["vault", "destroy", "--yes"][..], &["history", "rm", "--of", "Second", "--yes"]] {
        as_who(&home, OTHER, act).ends(6, &["your role does not let you"]);
    }
    as_who(&home, FIRST, &["vault", "destroy", "--yes"]).ends(6, &["make somebody else an admin first"]);
    as_who(&home, FIRST, &["operator", "role", "First", "operator"]).ends(6, &["last admin"]);
    as_who(&home, FIRST, &["operator", "role", "Second", "auditor"]).ends(2, &["opens other keys"]);
    as_who(&home, FIRST, &["operator", "role", "Second", "king"]).ends(2, &["a role is one of"]);
    as_who(&home, FIRST, &["operator", "pending"]).ends(0, &["nothing waits"]);
    as_who(&home, FIRST, &["operator", "role", "Second", "admin"]).ends(0, &[]);
    for own in
        [&["operator", "role", "first", "operator"][..], &["operator", "remove", "First", "--keep-pictures"]]
    {
        as_who(&home, FIRST, own).ends(6, &["your own rights as an admin", "--yes"]);
    }
    let destroy = number(&home, &["vault", "destroy", "--yes"]);
    let pending =
        as_who(&home, FIRST, &["operator", "pending"]).ends(0, &["operator confirm NUMBER", "by itself"]);
    assert!(pending.stdout.starts_with(&format!("{destroy}  ")), "{pending:?}");
    home.policy(b"schema = 1\ntwo_person = [\"everything\"]\n");
    home.ask(&["history", "list"]).ends(2, &["two_person"]);
}

#[test]
fn the_server_asks_for_the_second_one() {
    let home = two_admins("two-person-served");
    let studio = Studio { served: Served::start(&home) };
    let first = token_of(&studio.sign_in(Some("first"), PASSPHRASE).is(201));
    let second = token_of(&studio.sign_in(Some("second"), SECOND).is(201));
    let third = token_of(&studio.sign_in(Some("third"), THIRD).is(201));
    let post = |token: &str, path: &str, body| -> Answer {
        studio.ask(token, Request::post(&format!("/api/v1/{path}"), &body))
    };
    let pending =
        |token: &str| studio.ask(token, Request::get("/api/v1/pending")).is(200).json()["pending"].clone();
    let code = |answer: Answer, status: u16| answer.is(status).json()["code"].clone();
    let remove = json!({ "name": "Third", "pictures": "erase", "passphrase": PASSPHRASE });
    assert_eq!(code(post(&first, "people:remove", remove), 409), "waits");
    assert_eq!(studio.total(&third), json!(1), "nothing is done");
    let waiting = pending(&second)[0].clone();
    let told = ["act", "by", "of", "left", "pictures", "you"].map(|field| waiting[field].clone());
    assert_eq!(
        told,
        [json!("remove"), "First".into(), "Third".into(), "erased".into(), 1.into(), false.into()]
    );
    let word = |passphrase: &str| json!({ "number": waiting["number"], "passphrase": passphrase });
    assert_eq!(code(studio.ask(&third, Request::get("/api/v1/pending")), 403), "role");
    assert_eq!(code(post(&first, "pending:confirm", word(PASSPHRASE)), 403), "second_admin");
    assert_eq!(code(post(&second, "pending:confirm", word(PASSPHRASE)), 401), "passphrase");
    let done = post(&second, "pending:confirm", word(SECOND)).is(200).json();
    let told = ["erased", "grade", "cleanup_pending", "backups"].map(|field| done[field].clone());
    assert!(["b", "v", "c"].iter().any(|grade| told[1] == *grade), "{done}");
    assert_eq!([&told[0], &told[2], &told[3]], [&json!(1), &json!(false), &json!(0)], "as of any erasure");
    assert_eq!(studio.ask(&third, Request::get("/api/v1/images")).status, 401, "who is removed is out");
    assert_eq!(code(post(&second, "pending:confirm", word(SECOND)), 404), "not_found");
    assert_eq!(home.count_records(&[" slot.removed "]), 1);

    // A role that is taken away ends what they are signed in for.
    let role = json!({ "name": "first", "role": "operator", "passphrase": SECOND });
    assert_eq!(code(post(&second, "people:role", role), 409), "waits");
    let number = pending(&first)[0]["number"].clone();
    post(&first, "pending:confirm", json!({ "number": number, "passphrase": PASSPHRASE })).is(200);
    assert_eq!(studio.ask(&first, Request::get("/api/v1/images")).status, 401);
    let first = token_of(&studio.sign_in(Some("first"), PASSPHRASE).is(201));
    assert_eq!(code(studio.ask(&first, Request::get("/api/v1/people")), 403), "role");
    let last = json!({ "name": "second", "role": "operator", "passphrase": SECOND });
    assert_eq!(code(post(&second, "people:role", last), 409), "state");
    studio.ask(&first, Request::new("DELETE", "/api/v1/session")).is(204);
    drop(studio);
    assert_eq!(home.files_with(b"Third"), Vec::<std::path::PathBuf>::new());
}

/// Nobody need sign in to see that something waits: the monitor does, and whoever is at the page.
#[test]
fn what_waits_is_seen_without_asking_for_it() {
    let home = two_admins("two-person-seen");
    let status = |code: i32| home.ask(&["status", "--json"]).ends(code, &[]).data();
    let waiting = |code: i32| home.ask(&["status", "--metrics"]).ends(code, &[]).stdout;
    assert_eq!(status(0)["pending"], json!([]));
    assert!(waiting(0).contains("\nlightproof_acts_waiting 0\n"));
    let said = as_who(&home, FIRST, &["operator", "role", "Third", "admin"]).ends(6, &[]);
    assert!(said.stderr.starts_with("waits: nothing is done yet"), "{}", said.stderr);
    let number =
        said.stderr.split("as number ").nth(1).and_then(|rest| rest.split(';').next()).expect("a number");
    // The second one, who asks for the same, is told what to do, and does it.
    let confirm = format!("confirm it: lightproof operator confirm {number}");
    as_who(&home, OTHER, &["operator", "role", "Third", "admin"]).ends(6, &["waits: ", &confirm]);
    let told = status(4);
    assert_eq!(told["pending"][0]["number"].to_string(), number, "{told}");
    assert_eq!(
        (&told["pending"][0]["act"], told["pending"].as_array().map(Vec::len)),
        (&json!("role"), Some(1))
    );
    assert!(waiting(4).contains("\nlightproof_acts_waiting 1\n"));
    home.ask(&["status"]).ends(4, &["1 act waits for a second admin", "lightproof operator pending"]);
    assert!(!told.to_string().contains("Third"), "{told}");

    let studio = Studio { served: Served::start(&home) };
    let pending = |name: &str, passphrase: &str| {
        let token = token_of(&studio.sign_in(Some(name), passphrase).is(201));
        studio.ask(&token, Request::get("/api/v1/state")).is(200).json()["pending"].clone()
    };
    assert_eq!(pending("first", PASSPHRASE), 0, "one's own waits for others");
    assert_eq!(pending("second", SECOND), 1);
    assert_eq!(pending("third", THIRD), 0);
    drop(studio);
    as_who(&home, OTHER, &["operator", "confirm", number]).ends(0, &["done: make Third an admin"]);
    let told = home.ask(&["status", "--json"]).data();
    assert_eq!(told["pending"], json!([]), "{told}");
}

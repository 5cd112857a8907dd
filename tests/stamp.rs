//! Time from outside: a request goes to a time stamping authority that openssl makes, its answer comes back, is on record, and is
//! in a bundle, where openssl checks whose it is.

use crate::harness::{Home, Ran};
use std::path::Path;
use std::process::Command;

/// A certificate authority and a time stamping authority, in files.
const AUTHORITY: &str = r#"set -eu
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=root -days 30
openssl req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=clock
printf 'extendedKeyUsage = critical, timeStamping\n' > ext
openssl x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile ext -out tsa.pem
printf '01\n' > serial
cat > tsa.cnf <<'CNF'
[tsa]
default_tsa = here
[here]
serial = serial
signer_cert = tsa.pem
certs = ca.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
accuracy = secs:1
ordering = yes
tsa_name = yes
CNF
"#;

fn shell(dir: &Path, script: &str) -> Ran {
    Ran::of(Command::new("bash").args(["-c", script]).current_dir(dir))
}

#[test]
fn a_stamp_goes_the_whole_circle_and_what_is_changed_is_not_taken() {
    let home = Home::with_picture("stamp");
    let dir = home.path().join("authority");
    std::fs::create_dir(&dir).expect("it can be made");
    let at = |name: &str| dir.join(name).display().to_string();
    shell(&dir, AUTHORITY).ends(0, &[]);
    let asked = home.ask(&["audit", "stamp", "request", "-o", &at("asked.tsq")]).ends(0, &[]);
    assert!(asked.stdout.contains("asks for a stamp over"), "{asked:?}");
    // A file that is there is not overwritten.
    home.ask(&["audit", "stamp", "request", "-o", &at("asked.tsq")]).ends(6, &["is there already"]);
    home.ask(&["audit", "stamp", "request", "-o", &home.at("state/config/policy.toml")])
        .ends(6, &["the program's own"]);
    home.ask(&["audit", "stamp", "request", "-o", "-"]).ends(2, &["to a file"]);
    home.ask(&["audit", "stamp", "request", "-o", &at("other.tsq")]).ends(0, &[]);
    let reply = "openssl ts -reply -config tsa.cnf -section here -queryfile asked.tsq -out answer.tsr";
    shell(&dir, reply).ends(0, &[]);
    let import = |answer: &str, request: &str| {
        home.ask(&["audit", "stamp", "import", &at(answer), "--request", &at(request)])
    };
    // An answer to another request over the same checkpoint, what is no answer, and a refusal.
    import("answer.tsr", "other.tsq").ends(11, &["another request"]);
    import("asked.tsq", "asked.tsq").ends(11, &["no answer"]);
    import("answer.tsr", "answer.tsr").ends(11, &["no request"]);
    import("nothing", "asked.tsq").ends(5, &["cannot read"]);
    shell(&dir, "head -c 20000 /dev/urandom > noise; mkfifo pipe; head -c 99999 /dev/zero > long")
        .ends(0, &[]);
    import("noise", "asked.tsq").ends(11, &["no answer"]);
    import("pipe", "asked.tsq").ends(5, &["cannot read"]);
    import("long", "asked.tsq").ends(5, &["cannot read"]);
    // Of another log.
    let other = Home::with_picture("stamp-other");
    other
        .ask(&["audit", "stamp", "import", &at("answer.tsr"), "--request", &at("asked.tsq")])
        .ends(11, &["no checkpoint of this log"]);
    assert_eq!(home.count_records(&["log.stamped"]), 0);
    home.ask(&["audit", "stamp", "list"]).ends(0, &[]);
    let taken = import("answer.tsr", "asked.tsq").ends(0, &["openssl ts -verify"]);
    assert!(taken.stdout.contains("records were there at"), "{taken:?}");
    assert_eq!(home.count_records(&["log.stamped ok"]), 1);
    let listed = home.ask(&["audit", "stamp", "list", "--json"]).ends(0, &[]).data();
    assert_eq!(
        (&listed["stamps"][0]["holds"], listed["stamps"].as_array().map(Vec::len)),
        (&true.into(), Some(1))
    );
    // In a bundle, where others' programs find whose it is.
    home.ask(&["evidence", "export", "-o", &home.at("bundle")]).ends(0, &[]);
    home.ask(&["evidence", "verify", &home.at("bundle")]).ends(0, &[]);
    let bundle = home.path().join("bundle");
    let stamps: Vec<_> = std::fs::read_dir(bundle.join("audit/stamps")).expect("they are there").collect();
    assert_eq!(stamps.len(), 2);
    let readme = std::fs::read_to_string(bundle.join("README.html")).expect("it is text");
    assert!(readme.contains("Newest time stamp"), "{readme}");
    let text = std::fs::read_to_string(bundle.join("VERIFY.md")).expect("it is text");
    let block = text.split("```sh\n").last().and_then(|rest| rest.split_once("\n```")).expect("a block").0;
    let trusted = format!("export TSA_CERTIFICATES='{}'\n{block}", at("ca.pem"));
    assert!(shell(&bundle, &trusted).ends(0, &[]).stdout.contains("time: every stamp holds"));
    // Not by somebody else's certificates, and not over another checkpoint.
    shell(&dir, "openssl req -x509 -newkey rsa:2048 -nodes -keyout x.key -out x.pem -subj /CN=root -days 30")
        .ends(0, &[]);
    let foreign = format!("export TSA_CERTIFICATES='{}'\n{block}", at("x.pem"));
    assert_ne!(shell(&bundle, &foreign).code, Some(0));
    // What is kept is held against its record.
    let kept = home.path().join("state/evidence/stamps");
    let file = std::fs::read_dir(kept).expect("it is there").next().expect("a stamp").expect("a name").path();
    let mut bytes = std::fs::read(&file).expect("it is there");
    *bytes.last_mut().expect("it is not empty") ^= 1;
    std::fs::write(&file, bytes).expect("it can be written");
    home.ask(&["audit", "stamp", "list"]).ends(11, &[]);
}

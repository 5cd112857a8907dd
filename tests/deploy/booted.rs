//! A machine that is installed, used, restarted, upgraded and taken down with the commands of the page.

use crate::abuse::{small, token_of};
use crate::deploy::alone;
use crate::deploy::machine::Machine;
use crate::deploy::page::Page;
use crate::harness::PASSPHRASE;
use crate::http::{Answer, Request};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const PORT: u16 = 7860;
const AS_SERVICE: &str =
    "runuser -u lightproof -- env HOME=/var/lib/lightproof XDG_CONFIG_HOME=/etc XDG_STATE_HOME=/var/lib";

#[test]
fn a_machine_from_its_installation_to_its_end() {
    if !alone(concat!(module_path!(), "::a_machine_from_its_installation_to_its_end"), "booting a machine") {
        return;
    }
    let page = Page::read("README.md");
    let mut machine = Machine::new("booted");
    machine.boot();

    machine.type_in(&page.take("Install"));
    machine.type_in(&page.take("The passphrase, and the first start"));
    // The vault was made from the credential, and is open without a person. Who asks before it is ready waits.
    assert_eq!(vault(), "unlocked");
    let said = machine.type_in(&page.take("Look whether it runs"));
    assert!(said.starts_with("active\n"), "{said}");
    assert!(said.contains("Running on local URL: http://127.0.0.1:7860"), "{said}");
    let made = picture();
    is_fenced(&machine);

    // Killed, it comes back by itself; whoever asks meanwhile waits in the socket and is answered.
    machine.type_in("systemctl kill --signal=KILL lightproof.service");
    assert_eq!(vault(), "unlocked");
    until("it was started again", || shown(&machine, "NRestarts") == "1");
    holds(&[&made]);

    // After a reboot, too.
    machine.halt();
    machine.boot();
    assert_eq!(vault(), "unlocked");
    holds(&[&made]);
    let log = machine.type_in(&page.take("Verify the log"));
    assert!(log.contains("verified"), "{log}");
    // Beside the service, by the socket in its own folder.
    assert!(log.contains("key slot"), "{log}");

    let backup = machine.type_in(&page.take("Back up, and put a backup back"));
    assert!(backup.contains("1 picture, each of which opens"), "{backup}");
    assert_eq!(vault(), "unlocked");

    machine.type_in(&page.take("Upgrade"));
    assert_eq!(vault(), "unlocked");
    let second = picture();
    holds(&[&second, &made]);

    machine.type_in(&page.take("Open it by hand after each start"));
    assert_eq!(vault(), "locked");
    holds(&[&second, &made]);
    machine.type_in(&page.take("Open it by itself again"));
    assert_eq!(vault(), "unlocked");

    machine.type_in(&page.take("Firewall"));
    assert_eq!(vault(), "unlocked");
    let listed = machine.type_in("nft list counters table inet lightproof");
    assert_eq!(listed.matches("packets 0").count(), 2, "{listed}");

    // A passphrase that is no longer the vault's is tried once and not again and again.
    machine.type_in(
        "cp /etc/credstore.encrypted/lightproof.passphrase /run/right
        echo twelve wrong herons | systemd-creds encrypt --name=lightproof.passphrase - \
            /etc/credstore.encrypted/lightproof.passphrase
        systemctl restart lightproof.service",
    );
    until("it gave up", || shown(&machine, "ActiveState") == "failed");
    assert_eq!((shown(&machine, "ExecMainStatus"), shown(&machine, "NRestarts")), ("7".into(), "0".into()));
    // Whoever starts it again and again all the same is stopped.
    until("there were too many starts", || {
        !machine.answer("systemctl start lightproof.service").status.success()
    });
    machine.type_in("mv /run/right /etc/credstore.encrypted/lightproof.passphrase");
    machine.type_in(&page.take("After it gave up"));
    assert_eq!(vault(), "unlocked");

    machine.type_in("systemctl stop lightproof.socket lightproof.service");
    assert_eq!(
        (shown(&machine, "Result"), shown(&machine, "ExecMainStatus")),
        ("success".into(), "0".into())
    );
    let end = machine.type_in(&format!("{AS_SERVICE} lightproof audit tail -n 1"));
    assert!(end.contains("boot.stopped") && end.contains("reason=signal"), "{end}");
    machine.type_in("systemctl start lightproof.service");

    let said = machine.type_in(&page.take("End of life: the keys"));
    assert!(said.contains("destroyed the vault and 2 pictures"), "{said}");
    machine.type_in(&page.take("End of life: the files"));
    let left = machine.type_in(
        "find /etc /var/lib /usr/bin /run -xdev -name '*lightproof*'; getent passwd lightproof || true",
    );
    assert_eq!(left, "");
    page.is_done();
}

/// Asks, and waits while the service starts behind its socket.
#[track_caller]
fn ask(request: &Request) -> Answer {
    request.send(PORT).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
pub fn vault() -> String {
    let status = ask(&Request::get("/api/v1/status")).is(200).json();
    status["vault"].as_str().unwrap_or_else(|| panic!("{status}")).to_owned()
}

/// Begins a session, as a person does in the page.
#[track_caller]
fn session() -> String {
    token_of(&ask(&Request::post("/api/v1/session", &json!({"passphrase": PASSPHRASE}))).is(201))
}

/// Makes a picture, and gives its number.
#[track_caller]
pub fn picture() -> String {
    let token = session();
    let job = ask(&Request::post("/api/v1/jobs", &small()).token(&token)).is(202).json();
    let path = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap_or_else(|| panic!("{job}")));
    let status = || ask(&Request::get(&path).token(&token)).is(200).json();
    until("the picture is made", || status()["status"] == "done");
    let job = status();
    job["images"][0].as_str().unwrap_or_else(|| panic!("{job}")).to_owned()
}

/// The pictures are these, newest first, and each opens.
#[track_caller]
pub fn holds(ids: &[&str]) {
    let token = session();
    let page = ask(&Request::get("/api/v1/images").token(&token)).is(200).json();
    let known: Vec<&str> =
        page["images"].as_array().into_iter().flatten().filter_map(|i| i["id"].as_str()).collect();
    assert_eq!(known, ids, "{page}");
    for id in ids {
        let picture = ask(&Request::get(&format!("/api/v1/images/{id}/content")).token(&token)).is(200);
        assert!(picture.body.starts_with(b"\x89PNG"), "{id}");
    }
}

/// A property of the service.
fn shown(machine: &Machine, property: &str) -> String {
    machine
        .type_in(&format!("systemctl show --value --property={property} lightproof.service"))
        .trim()
        .to_owned()
}

/// What the unit says is so for the process, and the program's own fences are up within.
#[track_caller]
fn is_fenced(machine: &Machine) {
    let posture = ask(&Request::get("/api/v1/posture").token(&session())).is(200).json();
    let fences: Vec<Value> = posture["fences"].as_array().unwrap_or_else(|| panic!("{posture}")).clone();
    for fence in &fences {
        // The listener is from another network, which the program says; see the page.
        let amber =
            fence["fence"] == "descriptors" || fence["fence"] == "landlock" && fence["state"] == "amber";
        assert_eq!(fence["state"], if amber { "amber" } else { "green" }, "{fence}");
    }
    let network =
        fences.iter().find(|fence| fence["fence"] == "network-namespace").map(|fence| &fence["detail"]);
    let network = network.and_then(Value::as_str).unwrap_or_default();
    assert!(network.starts_with("given by the service manager"), "{posture}");

    let pid = shown(machine, "MainPID");
    let process = machine.type_in(&format!(
        "cat /proc/{pid}/status; cat /proc/{pid}/limits; cat /proc/{pid}/mountinfo
        readlink /proc/{pid}/ns/net /proc/1/ns/net /proc/{pid}/ns/user /proc/1/ns/user"
    ));
    let lines: Vec<&str> = process.lines().collect();
    let has = |name: &str, value: &str| {
        let found = lines.iter().find_map(|line| line.strip_prefix(name));
        assert!(
            found.is_some_and(|found| found.split_whitespace().any(|word| word == value)),
            "{name}: {found:?}"
        );
    };
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        has(set, "0000000000000000");
    }
    has("NoNewPrivs:", "1");
    has("Seccomp:", "2");
    has("Max core file size", "0");
    let links = &lines[lines.len() - 4..];
    assert!(links[0] != links[1] && links[2] != links[3], "{links:?}");
    // What can be written cannot be run, and the rest cannot be written. The last mount at a place is the one that is seen.
    let mounts: BTreeMap<&str, Vec<&str>> = lines
        .iter()
        .filter_map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            Some((*words.get(4)?, words.get(5)?.split(',').collect()))
        })
        .collect();
    let written = mounts.iter().filter(|(_, options)| options.contains(&"rw"));
    let (closed, open): (Vec<_>, Vec<_>) = written.partition(|(_, options)| options.contains(&"noexec"));
    assert!(closed.iter().any(|(at, _)| **at == "/var/lib/lightproof"), "{mounts:#?}");
    // Root's own, and what the container's engine put there.
    let known = |at: &str| at == "/dev/hugepages" || at.starts_with("/run/host/");
    assert!(open.iter().all(|(at, _)| known(at)), "{open:#?}");
    for at in ["/", "/run"] {
        assert!(mounts[at].contains(&"ro"), "{at}: {mounts:#?}");
    }
    // Where the rules of auditd look.
    for folder in ["workspace/output_image", "vault", "audit"] {
        assert!(machine.has(&format!("/var/lib/lightproof/{folder}")), "{folder}");
    }
    let folders = machine.type_in("stat -c '%U %a %n' /var/lib/lightproof /etc/lightproof");
    assert_eq!(folders, "lightproof 700 /var/lib/lightproof\nroot 750 /etc/lightproof\n");
}

#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

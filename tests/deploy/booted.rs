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
    // The vault was made from the credential, and is open without a person. The command came back when it was ready.
    assert_eq!(shown(&machine, "ActiveState"), "active");
    assert_eq!(vault(), "unlocked");
    let said = machine.type_in(&page.take("Look whether it runs"));
    assert!(said.starts_with("active\n"), "{said}");
    assert!(said.contains("Running on local URL: http://127.0.0.1:7860"), "{said}");
    let made = picture();
    is_fenced(&machine);

    // Killed, it comes back by itself; whoever asks meanwhile waits in the socket and is answered.
    let killed = shown(&machine, "MainPID");
    machine.type_in("systemctl kill --signal=KILL lightproof.service");
    assert_eq!(vault(), "unlocked");
    let next = shown(&machine, "MainPID");
    assert!(next != killed && next != "0", "{next}: {}", journal(&machine));
    holds(&[&made]);

    hangs(&mut machine);
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
    let help = machine.type_in(&page.take("Ask somebody for help"));
    let kept =
        machine.type_in("cat /var/lib/lightproof/for-support.json; rm /var/lib/lightproof/for-support.json");
    assert!(help == kept && help.contains("lightproof_server{state=\\\"running\\\"} 1"), "{help}");
    let record = machine.type_in(&format!("{AS_SERVICE} lightproof audit tail -n 5"));
    assert!(record.contains("support.bundled"), "{record}");

    by_timers(&machine, &page);
    while_it_is_stopped(&machine, &page);
    on_a_card(&machine);

    machine.type_in(&page.take("Upgrade"));
    assert_eq!(vault(), "unlocked");
    let second = picture();
    holds(&[&second, &made]);

    machine.type_in(&page.take("Open it by hand after each start"));
    assert_eq!(vault(), "locked");
    holds(&[&second, &made]);
    machine.type_in(&page.take("Open it by itself again"));
    assert_eq!(vault(), "unlocked");

    by_nobodys_secret(&mut machine, &page);
    holds(&[&second, &made]);

    machine.type_in(&page.take("Firewall"));
    assert_eq!(vault(), "unlocked");
    let listed = machine.type_in("nft list counters table inet lightproof");
    assert_eq!(listed.matches("packets 0").count(), 2, "{listed}");

    // A passphrase that is no longer the vault's is tried once and not again and again.
    machine.type_in(
        "cp /etc/credstore.encrypted/lightproof.passphrase /run/right
        echo twelve wrong herons | systemd-creds encrypt --name=lightproof.passphrase - \
            /etc/credstore.encrypted/lightproof.passphrase",
    );
    // It never was ready, and whoever started it hears that.
    assert!(!machine.answer("systemctl restart lightproof.service").status.success());
    until("it gave up", || shown(&machine, "ActiveState") == "failed");
    assert_eq!((shown(&machine, "ExecMainStatus"), shown(&machine, "NRestarts")), ("7".into(), "0".into()));
    // Whoever starts it again and again all the same is stopped.
    until("there were too many starts", || {
        machine.answer("systemctl start lightproof.service");
        machine.type_in("journalctl --unit=lightproof.service --no-pager").contains("repeated too quickly")
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

/// What the timers start, each through the running service and, the controls and the numbers, without it.
#[track_caller]
fn by_timers(machine: &Machine, page: &Page) {
    let first = shown(machine, "MainPID");
    let log = || machine.type_in(&format!("{AS_SERVICE} lightproof audit tail -n 1000"));
    let tried = || log().matches("evidence.tried").count();

    let listed = machine.type_in(&page.take("Try the controls every day"));
    assert!(listed.contains("lightproof-evidence.timer") && tried() >= 1, "{listed}");
    let before = tried();
    machine.type_in("systemctl start lightproof-evidence.service");
    assert_eq!(tried(), before + 1);
    // What the service cannot see it does not call unread, and the host's audit it is told of.
    let found = machine.type_in(&format!("{AS_SERVICE} lightproof evidence run || true"));
    let says = |control: &str, reason: &str| {
        let line = found.lines().find(|line| line.contains(control)).unwrap_or_else(|| panic!("{found}"));
        assert!(line.starts_with("not measured") && line.contains(reason), "{line}");
    };
    says("NET-01", "made in another network");
    says("OPS-03", "keeps no audit of its own");

    let numbers = machine.type_in(&page.take("Numbers for a monitor"));
    assert!(numbers.contains("\nlightproof_server{state=\"running\"} 1\n"), "{numbers}");
    let seen = machine.type_in("runuser -u nobody -- cat /var/lib/lightproof-metrics/lightproof.prom; ls /var/lib/lightproof-metrics");
    assert!(
        seen.ends_with("\nlightproof.prom\n") && seen.contains("# TYPE lightproof_vault gauge"),
        "{seen}"
    );

    let backup = machine.type_in(&page.take("Back up, and put a backup back"));
    assert!(backup.contains(".backup\n") && backup.contains("1 picture, each of which opens"), "{backup}");
    let written = log().matches("backup.written").count();
    assert!(written >= 2 && written == log().matches("backup.begun").count(), "{backup}");
    let listed =
        machine.type_in("stat -c '%U %a %s' /var/backups/lightproof/*.backup; ls /var/backups/lightproof");
    assert!(!listed.contains("next.backup"), "{listed}");
    assert!(listed.lines().filter(|line| line.starts_with("lightproof 600 ")).count() == written, "{listed}");
    // The service went on all the while, and has the vault open as before.
    assert_eq!((vault(), shown(machine, "MainPID")), ("unlocked".to_owned(), first));

    // A service that is down is no reason to know nothing of it, and a control that does not hold is seen.
    machine.type_in(
        "systemctl stop lightproof.socket lightproof.service; systemctl start lightproof-evidence.service",
    );
    // One that the timer has just started was begun before.
    until("the numbers tell of it", || {
        let numbers = machine.type_in(
            "systemctl start lightproof-metrics.service; cat /var/lib/lightproof-metrics/lightproof.prom",
        );
        numbers.contains("\nlightproof_server{state=\"stopped\"} 1\n")
    });
    let plain = "/var/lib/lightproof/workspace/output_image/apple.png";
    machine.type_in(&format!("printf '\\211PNG\\r\\n\\032\\n' >{plain}; chown lightproof {plain}"));
    assert!(!machine.answer("systemctl start lightproof-evidence.service").status.success());
    machine.type_in(&format!("systemctl is-failed lightproof-evidence.service; rm {plain}
        systemctl reset-failed lightproof-evidence.service; systemctl start lightproof.socket lightproof.service"));
    assert_eq!(vault(), "unlocked");
}

/// What takes the vault for itself, each once, and the service goes on afterwards.
#[track_caller]
fn while_it_is_stopped(machine: &Machine, page: &Page) {
    let log = || machine.type_in(&format!("{AS_SERVICE} lightproof audit tail -n 1000"));
    // Nobody does so much within a minute, after which a start is no accident.
    let take = |heading: &str| {
        machine.type_in("systemctl reset-failed lightproof.service");
        machine.type_in(&page.take(heading))
    };
    take("New keys");
    assert!(log().contains("vault.rolled ") && vault() == "unlocked");
    let said = take("An auditor's visit");
    assert!(said.contains("CRY-01") || said.contains("manifest"), "{said}");
    let said = take("An incident");
    assert!(said.contains("GDPR 33(1)") && log().contains("evidence.frozen"), "{said}");
    take("A person asks what is held about them");
    assert!(log().contains("evidence.subject"));
    let said = take("A program that asks");
    assert!(said.contains("\"images\":[{") && log().contains("token.used"), "{said}");
    let kept = machine.type_in("stat -c '%U %a %s' /run/gallery-wall.token; rm /run/gallery-wall.token");
    assert_eq!(kept, "root 600 69\n");
    take("What only the controller knows");
    assert_eq!(vault(), "unlocked");
    let made = machine.type_in(
        "cd /var/lib/lightproof; stat -c '%U %a %n' for-the-auditor at-the-incident for-the-person
        rm -r for-the-auditor at-the-incident for-the-person",
    );
    let wanted = ["for-the-auditor", "at-the-incident", "for-the-person"];
    assert_eq!(made, wanted.map(|name| format!("lightproof 700 {name}\n")).concat());
    assert_eq!(vault(), "unlocked");
}

/// The machine's secret opens the vault after a reboot, with no passphrase on the machine, and opens nothing once it is removed.
#[track_caller]
fn by_nobodys_secret(machine: &mut Machine, page: &Page) {
    let passphrase = "/etc/credstore.encrypted/lightproof.passphrase";
    machine.type_in(
        "systemctl stop lightproof.socket lightproof.service; systemctl reset-failed lightproof.service
        printf 'schema = 1\nunattended = \"idle-lock\"\n' >/etc/lightproof/policy.toml
        chgrp lightproof /etc/lightproof/policy.toml; chmod 640 /etc/lightproof/policy.toml",
    );
    machine.type_in(&page.take("Open it by itself with a secret that is nobody's"));
    machine.type_in(&format!("mv {passphrase} /var/tmp/passphrase; test ! -e /run/lightproof.new"));
    machine.halt();
    machine.boot();
    assert_eq!(vault(), "unlocked");
    let said = machine.type_in(&format!("{AS_SERVICE} lightproof status || true"));
    assert!(said.contains("unlocked, by a machine secret and by no person"), "{said}");

    machine.type_in(&format!(
        "mv /var/tmp/passphrase {passphrase}; cp /etc/credstore.encrypted/unlock /var/tmp/unlock"
    ));
    machine.type_in(&page.take("Open it by a passphrase again"));
    assert_eq!(vault(), "unlocked");
    // A copy of that secret is no secret any more.
    machine.type_in("systemctl stop lightproof.socket lightproof.service");
    let old = "systemd-creds decrypt --name=unlock /var/tmp/unlock - | runuser -u lightproof -- env HOME=/var/lib/lightproof \
        XDG_CONFIG_HOME=/etc XDG_STATE_HOME=/var/lib lightproof serve --machine-secret-file /dev/stdin";
    let refused = machine.answer(old);
    assert!(!refused.status.success(), "{refused:?}");
    machine.type_in(
        "rm /var/tmp/unlock /etc/lightproof/policy.toml; systemctl start lightproof.socket lightproof.service",
    );
    assert_eq!(vault(), "unlocked");
}

/// The file for a card: its nodes are in the /dev of the service, and can be opened; a node that may be missing is missing, and one
/// of another card is not there. The nodes are those of other devices, since the machine has no card.
#[track_caller]
fn on_a_card(machine: &Machine) {
    let (drop_in, look) =
        ("/etc/systemd/system/lightproof.service.d", "/run/systemd/system/lightproof.service.d");
    let nodes = ["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"];
    let make = nodes.map(|node| format!("touch /dev/{node}; mount --bind /dev/null /dev/{node}\n")).concat();
    machine.type_in(&format!(
        "{make}install -D -m 644 deploy/systemd/gpu.conf {drop_in}/gpu.conf; mkdir -p {look}
        cat >{look}/look.conf <<'END'
[Service]
Type=oneshot
WatchdogSec=0
ExecStart=
ExecStart=/bin/sh -c 'cd /dev && echo seen: * && : >nvidia0 && : >nvidiactl && : >nvidia-uvm && echo each opens; ls kmsg nvidia1 nvidia-uvm-tools'
SuccessExitStatus=2
END
        systemctl stop lightproof.socket lightproof.service; systemctl daemon-reload
        systemctl reset-failed lightproof.service; systemctl start lightproof.service
        systemctl stop lightproof.socket lightproof.service",
    ));
    let said = machine.type_in("journalctl --unit=lightproof.service --output=cat --no-pager -n 20");
    let seen = said.lines().find(|line| line.starts_with("seen: ")).unwrap_or_else(|| panic!("{said}"));
    for node in ["nvidia0", "nvidiactl", "nvidia-uvm", "null", "urandom"] {
        assert!(seen.split(' ').any(|name| name == node), "{node}: {said}");
    }
    for node in ["nvidia1", "nvidia-uvm-tools", "kmsg", "console"] {
        assert!(!seen.split(' ').any(|name| name == node), "{node}: {said}");
    }
    assert!(said.contains("each opens"), "{said}");
    // Without a node that it cannot do without, it does not start, and says which.
    machine.type_in("umount /dev/nvidia-uvm; rm /dev/nvidia-uvm");
    assert!(!machine.answer("systemctl start lightproof.service").status.success());
    let said = machine.type_in("journalctl --unit=lightproof.service --output=cat --no-pager -n 20");
    assert!(said.contains("/dev/nvidia-uvm") && said.contains("226/NAMESPACE"), "{said}");
    machine.type_in(&format!(
        "rm -r {drop_in}/gpu.conf {look}; umount /dev/nvidia0 /dev/nvidia1 /dev/nvidiactl; rm /dev/nvidia*
        systemctl daemon-reload; systemctl reset-failed lightproof.socket lightproof.service
        systemctl start lightproof.socket lightproof.service",
    ));
    assert_eq!(vault(), "unlocked");
}

/// A server that hangs is started again, and so is one whose first process hangs. A minute is shortened
/// for it.
#[track_caller]
fn hangs(machine: &mut Machine) {
    assert_eq!(shown(machine, "WatchdogUSec"), "1min");
    let shorter = "/run/systemd/system/lightproof.service.d";
    machine.type_in(&format!(
        "mkdir -p {shorter}; printf '[Service]\\nWatchdogSec=10s\\n' >{shorter}/shorter.conf
        systemctl daemon-reload; systemctl restart lightproof.service; systemctl reset-failed lightproof.service"
    ));
    // Those of the service that run this file under their own name: an engine has another word behind it.
    let server = "pgrep -f '^/usr/bin/lightproof serve' --parent $(systemctl show --value --property=MainPID lightproof.service)";
    for hanging in [server, "systemctl show --value --property=MainPID lightproof.service"] {
        let before = shown(machine, "MainPID");
        machine.type_in(&format!("kill -STOP $({hanging})"));
        until("it was ended", || shown(machine, "MainPID") != before);
        until("it is ready", || shown(machine, "ActiveState") == "active");
        if let Err(error) = Request::get("/api/v1/status").send(PORT) {
            panic!("{error}: {}", journal(machine));
        }
        assert_eq!(vault(), "unlocked");
    }
    let journal = machine.type_in("journalctl --unit=lightproof.service --no-pager");
    assert_eq!(journal.matches("Watchdog timeout").count(), 2, "{journal}");
    machine.type_in(&format!("rm -r {shorter}; systemctl daemon-reload"));
}

/// What was said of the service, and what runs, for whoever looks why it did not come back.
fn journal(machine: &Machine) -> String {
    machine.type_in(
        "journalctl --unit=lightproof.service --no-pager | tail -n 40; ps -ef | tail -n 30; ss -ltnp",
    )
}

/// Asks, and waits while the service starts behind its socket.
#[track_caller]
fn ask(request: &Request) -> Answer {
    match request.send(PORT) {
        Ok(answer) => answer,
        // Not in a closure, which would be where it panicked.
        Err(error) => panic!("{error}"),
    }
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

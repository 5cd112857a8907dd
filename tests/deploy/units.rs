//! What systemd says of the units without running them.

use crate::deploy::{run, said, shipped, text};
use crate::harness::Home;
use std::process::Command;

/// The score may be no higher, times ten; 0 is best.
const EXPOSURE_MAX: &str = "5";

/// What systemd is shown.
const UNITS: [&str; 8] = [
    "lightproof.service",
    "lightproof.socket",
    "lightproof-evidence.service",
    "lightproof-evidence.timer",
    "lightproof-backup.service",
    "lightproof-backup.timer",
    "lightproof-metrics.service",
    "lightproof-metrics.timer",
];
/// What the first one has besides where it computes on a card, and what it may cost.
const CARD: &str = "gpu.conf";
const CARD_EXPOSURE_MAX: &str = "8";
/// What the services beside the first one have of it, in a folder that systemd reads for each of them.
const FENCES: &str = "lightproof-.service.d/fences.conf";

/// The units as they are shipped, but for the program, which is the one under test.
fn units(test: &str) -> Home {
    let home = Home::new(test);
    std::fs::create_dir(home.at("lightproof-.service.d")).expect("a home can be written");
    for name in UNITS.into_iter().chain([FENCES]) {
        let unit = text(&format!("systemd/{name}"));
        let (shipped, tested) = ("=/usr/bin/lightproof ", env!("CARGO_BIN_EXE_lightproof"));
        assert_eq!(unit.contains(shipped), name.ends_with(".service"), "{unit}");
        home.write(name, unit.replace(shipped, &format!("={tested} ")).as_bytes());
    }
    home
}

fn exposure(home: &Home, service: &str, most: &str) -> std::process::Output {
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["security", "--offline=true", "--no-pager", "--threshold", most]);
    let output = analyze.arg(home.at(service)).output();
    output.unwrap_or_else(|error| panic!("systemd-analyze (the package systemd): {error}"))
}

#[test]
fn systemd_reads_the_units_without_a_word() {
    let home = units("verify");
    let files = UNITS.map(|name| home.at(name));
    let verify = || Command::new("systemd-analyze");
    let said = run(verify().args(["verify", "--man=no"]).args(&files));
    assert!(!said.contains("lightproof"), "{said}");

    // It would say something, of what lies beside a unit, too.
    for (name, from, to) in [
        ("lightproof.socket", "BindToDevice=", "BindToDevices="),
        ("lightproof-backup.timer", "Persistent=", "Persistents="),
        (FENCES, "PrivateTmp=", "PrivateTmps="),
    ] {
        let broken = text(&format!("systemd/{name}")).replace(from, to);
        home.write(name, broken.as_bytes());
        let said = run(verify().args(["verify", "--man=no"]).args(&files));
        assert!(said.contains(to.trim_end_matches('=')), "{said}");
    }
}

#[test]
fn the_services_are_exposed_to_next_to_nothing() {
    let home = units("exposure");
    let services = || UNITS.into_iter().filter(|name| name.ends_with(".service"));
    for service in services() {
        let output = exposure(&home, service, EXPOSURE_MAX);
        assert!(output.status.success(), "{service}: {}", said(&output));
    }

    // It is the lines of the unit that are judged.
    for (name, services) in [("lightproof.service", 1), (FENCES, 3)] {
        let open = text(&format!("systemd/{name}")).replace("PrivateNetwork=yes\n", "").replace("User=", "#");
        home.write(name, open.as_bytes());
        let worse = UNITS.into_iter().filter(|name| {
            name.ends_with(".service") && !exposure(&home, name, EXPOSURE_MAX).status.success()
        });
        assert_eq!(worse.count(), if name == FENCES { services + 1 } else { services }, "{name}");
    }
}

/// The service on a card is the same with a few lines more, and those cost next to nothing, too.
#[test]
fn the_service_on_a_card_is_exposed_to_little_more() {
    let home = units("card");
    let tested = text(&format!("systemd/{CARD}"))
        .replace("=/usr/bin/lightproof ", concat!("=", env!("CARGO_BIN_EXE_lightproof"), " "));
    std::fs::create_dir(home.at("lightproof.service.d")).expect("a home can be written");
    let lay = |text: &str| home.write(&format!("lightproof.service.d/{CARD}"), text.as_bytes());
    lay(&tested);
    let verify = || {
        let mut verify = Command::new("systemd-analyze");
        run(verify
            .args(["verify", "--man=no"])
            .args([home.at("lightproof.service"), home.at("lightproof.socket")]))
    };
    let output = exposure(&home, "lightproof.service", CARD_EXPOSURE_MAX);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("/dev/nvidia0:rw"), "{}", said(&output));
    assert!(!verify().contains("lightproof"), "{}", verify());
    // It is these lines that are judged.
    lay(&tested.replace("BindPaths=", "BindPath="));
    assert!(verify().contains("BindPath"), "{}", verify());
    lay(&format!("{tested}PrivateDevices=no\nDevicePolicy=auto\nCapabilityBoundingSet=~\n"));
    assert!(!exposure(&home, "lightproof.service", CARD_EXPOSURE_MAX).status.success());
}

/// They were copied, and stay the same; what a service has beyond them is its own.
#[test]
fn the_services_beside_the_first_one_have_its_fences() {
    let service = text("systemd/lightproof.service");
    let of_service: Vec<&str> = service.lines().collect();
    let fences = text(&format!("systemd/{FENCES}"));
    let lines: Vec<&str> =
        fences.lines().filter(|line| line.contains('=') && !line.starts_with('#')).collect();
    let own = ["After=lightproof.service", "Type=oneshot"];
    assert!(lines.len() > 40);
    for line in lines {
        assert!(of_service.contains(&line) || own.contains(&line), "{line}");
    }
    // And the other way round: what it does not have is about serving, or about a model.
    let serves = [
        "Type=",
        "NotifyAccess=",
        "Timeout",
        "WatchdogSec=",
        "Restart",
        "Memory",
        "OOMPolicy=",
        "TasksMax=",
        "ExecStart=",
        "LoadCred",
        "SetCred",
        "UMask=",
    ];
    let settings =
        service.split("[Service]").nth(1).and_then(|rest| rest.split("[Install]").next()).expect("a service");
    for line in settings.lines().filter(|line| line.contains('=') && !line.starts_with('#')) {
        assert!(fences.contains(line) || serves.iter().any(|start| line.starts_with(start)), "{line}");
    }
}

/// A line is copied easily, and a reason is not.
#[test]
fn every_line_of_a_unit_has_its_reason() {
    for name in UNITS.into_iter().chain([FENCES, CARD]).map(|name| format!("systemd/{name}")) {
        assert_eq!(unreasoned(&text(&name)), Vec::<String>::new(), "{}", shipped(&name).display());
    }
    let unit = "[Unit]\nDescription=a\n\n[Service]\n# why\nA=1\nB=2\n\nC=3\n\n[Install]\nWantedBy=a\n";
    assert_eq!(unreasoned(unit), ["C=3"]);
}

/// Settings in a paragraph that does not begin with a comment; what a unit is called and who wants it speaks for itself.
fn unreasoned(unit: &str) -> Vec<String> {
    let (mut reasoned, mut installs, mut found) = (false, false, Vec::new());
    for line in unit.lines() {
        match line {
            "" => reasoned = false,
            _ if line.starts_with('[') => installs = line == "[Install]",
            _ if line.starts_with('#') => reasoned = true,
            _ if reasoned || installs || line.starts_with("Description=") => {}
            _ => found.push(line.to_owned()),
        }
    }
    found
}

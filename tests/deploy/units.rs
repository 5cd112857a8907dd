//! What systemd says of the units without running them.

use crate::deploy::{run, said, shipped, text};
use crate::harness::Home;
use std::process::Command;

/// The score may be no higher, times ten; 0 is best.
const EXPOSURE_MAX: &str = "5";

/// The units as they are shipped, but for the program, which is the one under test.
fn units(test: &str) -> Home {
    let home = Home::new(test);
    let service = text("systemd/lightproof.service");
    let (shipped, tested) = ("ExecStart=/usr/bin/lightproof ", env!("CARGO_BIN_EXE_lightproof"));
    assert!(service.contains(shipped), "{service}");
    home.write("lightproof.service", service.replace(shipped, &format!("ExecStart={tested} ")).as_bytes());
    home.write("lightproof.socket", text("systemd/lightproof.socket").as_bytes());
    home
}

fn exposure(home: &Home) -> std::process::Output {
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE_MAX]);
    let output = analyze.arg(home.at("lightproof.service")).output();
    output.unwrap_or_else(|error| panic!("systemd-analyze (the package systemd): {error}"))
}

#[test]
fn systemd_reads_the_units_without_a_word() {
    let home = units("verify");
    let files = ["lightproof.service", "lightproof.socket"].map(|name| home.at(name));
    let verify = || Command::new("systemd-analyze");
    let said = run(verify().args(["verify", "--man=no"]).args(&files));
    assert!(!said.contains("lightproof"), "{said}");

    // It would say something.
    let broken = text("systemd/lightproof.socket").replace("BindToDevice=", "BindToDevices=");
    home.write("lightproof.socket", broken.as_bytes());
    let said = run(verify().args(["verify", "--man=no"]).args(&files));
    assert!(said.contains("BindToDevices"), "{said}");
}

#[test]
fn the_service_is_exposed_to_next_to_nothing() {
    let home = units("exposure");
    let output = exposure(&home);
    assert!(output.status.success(), "{}", said(&output));

    // It is the lines of the unit that are judged.
    let open = text("systemd/lightproof.service").replace("PrivateNetwork=yes\n", "").replace("User=", "#");
    home.write("lightproof.service", open.as_bytes());
    assert!(!exposure(&home).status.success());
}

/// A line is copied easily, and a reason is not.
#[test]
fn every_line_of_a_unit_has_its_reason() {
    for name in ["systemd/lightproof.service", "systemd/lightproof.socket"] {
        assert_eq!(unreasoned(&text(name)), Vec::<String>::new(), "{}", shipped(name).display());
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

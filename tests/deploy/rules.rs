//! The rules for auditd, by a grammar that is stricter than auditctl's. Nothing is loaded: the kernel's audit belongs to the
//! whole machine.

use crate::deploy::text;

/// The form that the rules keep to: what is watched, for whom, under which key.
#[derive(Debug, PartialEq)]
struct Rule<'a> {
    arch: &'a str,
    dir: &'a str,
    not_by: Option<&'a str>,
    key: &'a str,
}

fn parse(line: &str) -> Result<Rule<'_>, String> {
    let wrong = |what: &str| format!("{what}: {line}");
    let mut words = line.split(' ');
    if (words.next(), words.next()) != (Some("-a"), Some("always,exit")) {
        return Err(wrong("no rule at the exit of a call"));
    }
    let mut fields = Vec::new();
    while let Some(option) = words.next() {
        match (option, words.next()) {
            ("-F", Some(field)) => fields.push(field),
            _ => return Err(wrong("something else than -F FIELD")),
        }
    }
    let mut fields = fields.into_iter().peekable();
    let mut next = |name: &str| {
        let value = fields.next_if(|field| field.starts_with(name)).map(|field| &field[name.len()..]);
        value.filter(|value| !value.is_empty())
    };
    let rule = Rule {
        arch: next("arch=").ok_or_else(|| wrong("no arch"))?,
        dir: next("dir=").ok_or_else(|| wrong("no dir"))?,
        // Writes and changes of attributes, and nothing that would record each read.
        not_by: match next("perm=") {
            Some("wa") => next("uid!="),
            _ => return Err(wrong("not what writes and changes")),
        },
        key: next("key=").ok_or_else(|| wrong("no key"))?,
    };
    let is_key = |key: &str| key.len() <= 31 && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let is_path = |path: &str| path.starts_with('/') && !path.ends_with('/') && !path.contains("..");
    match ["b64", "b32"].contains(&rule.arch) && is_path(rule.dir) && is_key(rule.key) {
        true if fields.next().is_none() => Ok(rule),
        _ => Err(wrong("a value or a field that does not belong here")),
    }
}

#[test]
fn each_place_is_watched_for_both_kinds_of_programs() {
    let text = text("auditd/lightproof.rules");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let rules: Vec<Rule<'_>> =
        lines.map(|line| parse(line).unwrap_or_else(|what| panic!("{what}"))).collect();
    // The folders are those of the unit; `booted` finds them there.
    let service = Some("lightproof");
    let wanted = [
        ("/var/lib/lightproof/workspace/output_image", service, "lightproof_outputs"),
        ("/var/lib/lightproof/vault", service, "lightproof_vault"),
        ("/var/lib/lightproof/audit", service, "lightproof_log"),
        ("/etc/lightproof", None, "lightproof_policy"),
    ];
    let wanted = wanted
        .iter()
        .flat_map(|(dir, not_by, key)| ["b64", "b32"].map(|arch| Rule { arch, dir, not_by: *not_by, key }));
    assert_eq!(rules, wanted.collect::<Vec<_>>());
}

/// The short form, which people know and type.
fn is_watch(line: &str) -> bool {
    let words: Vec<&str> = line.split(' ').collect();
    matches!(words[..], ["auditctl", "-w", path, "-p", "wa", "-k", key]
        if (path.starts_with('/') || path.starts_with("~/")) && !key.is_empty() && key.len() <= 31)
}

#[test]
fn the_page_spells_the_watch_and_how_it_is_read() {
    let page = text("README.md");
    let watches: Vec<&str> = page.lines().filter(|line| line.starts_with("auditctl ")).collect();
    assert_eq!(watches, ["auditctl -w ~/workspace/output_image/ -p wa -k zimage_audit"]);
    assert!(watches.iter().all(|line| is_watch(line)));
    assert!(page.lines().any(|line| line == "ausearch -k zimage_audit"));
    for wrong in
        ["auditctl -w ~/a -p wa", "auditctl -w a -p wa -k b", "auditctl -w /a -p r -k b", "auditctl -e 2"]
    {
        assert!(!is_watch(wrong), "{wrong}");
    }
}

#[test]
fn a_rule_that_auditctl_would_take_otherwise_is_found() {
    let good = "-a always,exit -F arch=b64 -F dir=/a -F perm=wa -F uid!=lightproof -F key=a_key";
    assert!(parse(good).is_ok());
    for (from, to) in [
        ("-a always,exit", "-e 2"),
        ("-a always,exit", "-a never,exit"),
        ("arch=b64", "arch=b16"),
        ("-F arch=b64 ", ""),
        ("dir=/a", "dir=a"),
        ("dir=/a", "dir=/a/"),
        ("dir=/a", "path=/a"),
        ("perm=wa", "perm=r"),
        ("-F perm=wa ", ""),
        ("uid!=", "uid="),
        ("key=a_key", "key="),
        ("key=a_key", "key=a_key_of_more_than_thirty_one_bytes"),
        ("-F key=a_key", "-k a_key"),
        ("-F key=a_key", "-F key=a_key -F success=0"),
    ] {
        assert!(good.contains(from) && parse(&good.replace(from, to)).is_err(), "{from} {to}");
    }
}

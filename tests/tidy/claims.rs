//! `SECURITY.md` promises nothing that nobody keeps, attacks or witnesses. A claim is a paragraph or list item:
//!
//! ```text
//! **C7** No answer leaves before its record is durable. *Keeps:* `darkroom::Darkroom::generate`
//! *Attacks:* `src/darkroom/tests/crash.rs::no_answer_before_its_record` *Witness:* `generate.finished`
//! ```
//!
//! - *Keeps:* functions or types of a crate, `crate::module::Type::function`; `lightproof` is the binary.
//! - *Attacks:* `path/from/the/root.rs::test_function`. An unproven claim says `[test pending]` instead.
//! - *Witness:* types of audit records, or `none`, and in words why there is none.

use crate::{Tree, assert_found, assert_none, is_test};

const PARTS: [&str; 3] = ["*Keeps:*", "*Attacks:*", "*Witness:*"];
const PENDING: &str = "[test pending]";

/// One numbered claim, its lines joined.
struct Claim {
    number: String,
    text: String,
}

#[test]
fn every_claim_is_kept_attacked_and_witnessed() {
    let tree = Tree::of_repository();
    let sources: Vec<(&str, String)> = tree.rust().collect();
    let claims = parse(&tree.text("SECURITY.md").expect("it is text"));
    assert!(!claims.is_empty(), "SECURITY.md has no claim");
    assert_none(misnumbered(&claims));
    assert_none(claims.iter().flat_map(|claim| unproven(claim, &sources)).collect());
}

fn parse(text: &str) -> Vec<Claim> {
    let mut claims: Vec<Claim> = Vec::new();
    let (mut within, mut fenced) = (false, false);
    for line in text.lines().map(str::trim) {
        fenced ^= line.starts_with("```");
        let start = line
            .trim_start_matches(['-', '*', '#', ' ', '|'])
            .strip_prefix('C')
            .and_then(|r| r.split_once("**"));
        match start.filter(|(number, _)| {
            !fenced && number.chars().all(|c| c.is_ascii_digit()) && line.contains("**C")
        }) {
            Some((number, rest)) => {
                claims.push(Claim { number: number.to_owned(), text: rest.to_owned() });
                within = true;
            }
            None if line.is_empty() || line.starts_with('#') => within = false,
            None if within => {
                let claim = claims.last_mut().expect("within a claim");
                claim.text = format!("{} {line}", claim.text);
            }
            None => {}
        }
    }
    claims
}

/// Numbers are for ever: a claim that is gone leaves its number behind, so they rise and need not be dense.
fn misnumbered(claims: &[Claim]) -> Vec<String> {
    let number = |claim: &Claim| claim.number.parse::<u32>().unwrap_or(0);
    let wrong = claims.windows(2).filter(|pair| number(&pair[0]) >= number(&pair[1]));
    wrong.map(|pair| format!("C{} stands before C{}", pair[0].number, pair[1].number)).collect()
}

fn unproven(claim: &Claim, sources: &[(&str, String)]) -> Vec<String> {
    let pending = claim.text.contains(PENDING);
    let mut complaints = Vec::new();
    for part in PARTS {
        let Some(told) = part_of(&claim.text, part) else {
            if !pending {
                complaints.push(format!("it has no {part}"));
            }
            continue;
        };
        let names: Vec<&str> = told.split('`').skip(1).step_by(2).collect();
        let reasoned =
            part == PARTS[2] && told.trim_start().starts_with("none") && told.split_whitespace().count() > 4;
        if names.is_empty() && !reasoned && !told.contains(PENDING) {
            complaints.push(format!("{part} names nothing"));
        }
        complaints.extend(names.iter().filter_map(|name| match part {
            "*Keeps:*" => no_keeper(name, sources),
            "*Attacks:*" => no_test(name, sources),
            _ if reasoned => None,
            _ => no_record(name, sources),
        }));
    }
    complaints.iter().map(|complaint| format!("SECURITY.md: C{}: {complaint}", claim.number)).collect()
}

/// The text of a part, up to the next one.
fn part_of<'a>(text: &'a str, part: &str) -> Option<&'a str> {
    let told = text.split_once(part)?.1;
    let end = PARTS.iter().filter_map(|next| told.find(next)).min().unwrap_or(told.len());
    Some(&told[..end])
}

fn no_keeper(name: &str, sources: &[(&str, String)]) -> Option<String> {
    let complaint = Some(format!("keeper `{name}` does not exist"));
    let parts: Vec<&str> = name.trim_end_matches("()").split("::").collect();
    let (&[krate, .., item], true) = (&parts[..], parts.len() >= 2) else {
        return Some(format!("keeper `{name}` is not `crate::item`"));
    };
    let of_crate = |path: &str| match krate {
        "lightproof" => path.strip_prefix("src/").is_some_and(|name| !name.contains('/')),
        _ => {
            path.starts_with(&format!("src/{krate}/"))
                || format!("/{path}").contains(&format!("/{krate}/src/"))
        }
    };
    let is_type = |name: &str| name.starts_with(|c: char| c.is_ascii_uppercase());
    let within = &parts[1..parts.len() - 1];
    let holds = |(path, text): &(&str, String)| {
        within.iter().all(|part| match is_type(part) {
            true => defines(text, part, &["impl", "for", "struct", "enum", "trait"]),
            false => path.split(['/', '.']).any(|step| step == *part) || defines(text, part, &["mod"]),
        }) && defines(text, item, &["fn", "struct", "enum", "trait", "const", "static"])
    };
    let mut files = sources.iter().filter(|(path, _)| of_crate(path) && !is_test(path));
    if files.any(holds) { None } else { complaint }
}

/// Whether `name` stands behind one of the words, as a whole word, outside comments.
fn defines(text: &str, name: &str, words: &[&str]) -> bool {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| {
        let mut parts =
            line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|part| !part.is_empty());
        let mut before = "";
        // `impl<'a> Name` has words between the two.
        let generic = line.trim_start().starts_with("impl");
        parts.any(|part| {
            let found = part == name && (words.contains(&before) || (generic && words.contains(&"impl")));
            before = part;
            found
        })
    })
}

/// Why there is no such test, if there is none.
pub fn no_test(name: &str, sources: &[(&str, String)]) -> Option<String> {
    let Some((path, function)) = name.split_once(".rs::") else {
        return Some(format!("attack `{name}` is not `path/from/the/root.rs::test_function`"));
    };
    let Some((_, text)) = sources.iter().find(|(source, _)| *source == format!("{path}.rs")) else {
        return Some(format!("attack `{name}`: no file {path}.rs"));
    };
    let function = function.rsplit("::").next().unwrap_or(function);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let Some(at) = lines.iter().position(|line| line.contains(&format!("fn {function}("))) else {
        return Some(format!("attack `{name}`: no such function"));
    };
    let above =
        lines[..at].iter().rev().take_while(|line| line.starts_with(['#', '/']) || line.ends_with(']'));
    let is_test = above.clone().any(|line| line.contains("test]") || line.contains("test("));
    let silenced = above.clone().any(|line| *line == "#[ignore]");
    match (is_test, silenced) {
        (false, _) => Some(format!("attack `{name}` is not marked as a test")),
        (true, true) => Some(format!("attack `{name}` is ignored and does not say why")),
        (true, false) => None,
    }
}

fn no_record(name: &str, sources: &[(&str, String)]) -> Option<String> {
    let literal = format!("\"{name}\"");
    let mut schema = sources.iter().filter(|(path, _)| path.starts_with("audit/src/") && !is_test(path));
    let known = name.contains('.') && schema.any(|(_, text)| text.contains(&literal));
    (!known).then(|| format!("witness `{name}` is no type of record"))
}

#[cfg(test)]
fn found(claim: &str) -> Vec<String> {
    let text = |text: &str| text.to_owned();
    let sources = [
        (
            "src/vault/seal.rs",
            text("impl<R: Read> Sealer<R> {\n    pub fn put(&self) {}\n}\n// fn get() {}\n"),
        ),
        ("src/main.rs", text("fn boot() {}")),
        (
            "src/vault/tests.rs",
            text("#[test]\nfn flips() {}\n\nfn idle() {}\n#[test]\n#[ignore]\nfn sleeps() {}\n"),
        ),
        ("audit/src/event.rs", text("\"object.sealed\" Sealed {}")),
    ];
    let claims = parse(&format!("# Security\n\n{claim}\n"));
    assert_eq!(claims.len(), 1, "{claim}");
    unproven(&claims[0], &sources)
}

#[test]
fn a_proven_claim_passes() {
    for keeper in ["vault::seal::Sealer::put", "vault::Sealer::put", "vault::put", "lightproof::boot"] {
        assert_none(found(&format!(
            "**C1** Said.\n*Keeps:* `{keeper}`\n*Attacks:* `src/vault/tests.rs::flips` *Witness:* `object.sealed`"
        )));
    }
    let attack = "*Attacks:* `src/vault/tests.rs::flips`";
    assert_none(found(&format!(
        "- **C1** Said. *Keeps:* `vault::put` {attack} *Witness:* none, since nothing happens then"
    )));
    assert_none(found("**C1** Said. *Keeps:* `vault::put` [test pending]"));
}

#[test]
fn an_empty_claim_is_found() {
    let parts =
        ["*Keeps:* `vault::put`", "*Attacks:* `src/vault/tests.rs::flips`", "*Witness:* `object.sealed`"];
    let with = |at: usize, part: &str| {
        let mut parts = parts;
        parts[at] = part;
        found(&format!("**C2** Said. {}", parts.join(" ")))
    };
    for keeper in
        ["vault::get", "vault::seal::Opener::put", "vault::open::put", "audit::put", "lightproof::put", "put"]
    {
        assert_found(with(0, &format!("*Keeps:* `{keeper}`")), &["keeper"]);
    }
    assert_found(with(0, ""), &["no *Keeps:*"]);
    assert_found(with(0, "*Keeps:* us"), &["*Keeps:* names nothing"]);
    assert_found(with(0, "*Keeps:* `vault::get` [test pending]"), &["keeper"]);
    assert_found(with(1, "*Attacks:* `src/vault/tests.rs::gone`"), &["no such function"]);
    assert_found(with(1, "*Attacks:* `src/vault/gone.rs::flips`"), &["no file"]);
    assert_found(with(1, "*Attacks:* `src/vault/tests.rs::idle`"), &["not marked"]);
    assert_found(with(1, "*Attacks:* `src/vault/tests.rs::sleeps`"), &["does not say why"]);
    assert_found(with(2, "*Witness:* `object.vanished`"), &["no type of record"]);
    assert_found(with(2, "*Witness:* none"), &["names nothing"]);
    let claims = parse("**C1** a\n\n**C3** b\n\n**C2** c\n\nthe C4** d\n");
    assert_eq!(claims.len(), 3);
    assert_found(misnumbered(&claims), &["C3 stands before C2"]);
}

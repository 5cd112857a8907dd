//! What no source may say: unsafe code outside its fence, user content in a log line, a free text in the log's schema,
//! a stand-in for the engine, a claim that is too strong, and names of machines, hosts and persons.

use std::collections::BTreeSet;

use crate::manifest::Manifest;
use crate::{Exceptions, Tree, assert_found, assert_none, is_test, owner};

#[test]
fn unsafe_code_is_forbidden_or_fenced_in_one_module() {
    let tree = Tree::of_repository();
    let manifests = tree.manifests();
    let root = manifests.iter().find(|manifest| manifest.folder().is_empty()).expect("a root manifest");
    assert_eq!(root.value("workspace.lints.rust", "unsafe_code"), Some("forbid"), "Cargo.toml");
    let folders: Vec<&str> = manifests.iter().map(Manifest::folder).collect();
    let named: Vec<(&str, String)> =
        judged(&tree).filter(|(path, text)| is_rust(path) && names_unsafe(text)).collect();
    for manifest in &manifests {
        let own =
            named.iter().map(|(path, _)| *path).filter(|path| owner(path, &folders) == manifest.folder());
        assert_none(unfenced(manifest, &own.collect::<Vec<_>>()));
        assert_none(lost_lints(manifest, root));
    }
}

#[test]
fn no_log_line_can_hold_what_a_user_typed() {
    let tree = Tree::of_repository();
    assert_none(
        judged(&tree)
            .filter(|(path, _)| is_rust(path))
            .flat_map(|(path, text)| talkative(path, &text))
            .collect(),
    );
}

#[test]
fn the_schema_of_the_log_has_no_text() {
    let tree = Tree::of_repository();
    let schema = tree.text("audit/src/schema.rs").expect("it is text");
    assert!(
        events_are_copy(&schema),
        "audit/src/schema.rs: `enum Event` must derive Copy, which no String can"
    );
    let audit = tree.rust().filter(|(path, _)| path.starts_with("audit/"));
    assert_none(audit.flat_map(|(path, text)| text_fields(path, &text)).collect());
}

#[test]
fn the_only_engine_is_the_real_one() {
    let tree = Tree::of_repository();
    assert_none(
        judged(&tree)
            .filter(|(path, _)| is_rust(path))
            .filter_map(|(path, text)| stand_in(path, &text))
            .collect(),
    );
}

#[test]
fn names_no_machine_host_or_person() {
    let tree = Tree::of_repository();
    let exceptions = Exceptions::of_repository(&tree);
    let hosts: BTreeSet<&str> = exceptions.names("hosts").map(String::as_str).collect();
    let mut complaints = Vec::new();
    for (path, text) in judged(&tree) {
        complaints.extend(notes(path, &text));
        let named = machine_paths(path, &text);
        match (exceptions.allow("machine_paths", path), named.is_empty()) {
            (true, true) => {
                complaints.push(format!("{path}: its exception in tests/tidy.toml is not needed"))
            }
            (true, false) => {}
            (false, _) => complaints.extend(named),
        }
        complaints.extend(strange_hosts(path, &text, &hosts));
        complaints.extend(addresses(path, &text));
    }
    assert_none(complaints);
}

/// Claims that are wrong or too strong, and their neighbours: a product cannot make a processing lawful, an unlinked file is
/// not gone, and who cannot be told from others by name is still a person. `SECURITY.md` and `TRUST.md` say what holds instead.
const NEVER_CLAIMED: [&str; 70] = [
    "gdpr compliant",
    "gdpr-compliant",
    "gdpr exempt",
    "exempt from",
    "gdpr does not apply",
    "no personal data",
    "fully compliant",
    "guarantees compliance",
    "ensures compliance",
    "unrecoverable",
    "irrecoverable",
    "irreversible",
    "no dpa ",
    "just weights",
    "tamper-proof",
    "tamperproof",
    "unbreakable",
    "military-grade",
    "bank-grade",
    "100% secure",
    "完全合规",
    "不可恢复",
    "绝对安全",
    "不适用 gdpr",
    // Without a network nothing is transferred; what people carry out is.
    "no transfer to a third",
    "no third-country transfer",
    "no international transfer",
    "no transfer because",
    "no transfer takes place",
    "不存在跨境传输",
    "不涉及数据出境",
    "没有跨境传输",
    // Every account of the machine reaches its loopback, and so does every page in a browser.
    "only you can reach",
    "only you can access",
    "nobody else can reach",
    "loopback means",
    "localhost means",
    "localhost, so only",
    "loopback, so only",
    "只有您能访问",
    "只有本人能访问",
    "只有本机用户能访问",
    // A breach is assessed whether or not the data were sealed.
    "no breach duty",
    "no breach notification",
    "not a breach because",
    "no duty to notify",
    "need not be notified",
    "无需通知监管",
    "不构成个人数据泄露",
    "没有通知义务",
    // A random name, its time and a shift plan tell who it was.
    "contains no identifier",
    "random name is no identifier",
    "identifies nobody",
    "identify nobody",
    "不含标识符",
    "随机文件名不是标识符",
    // A watch of the host's audit sees no reading, and tries nothing.
    "is regular testing",
    "as regular testing",
    "the regular testing of",
    "即为定期测试",
    "视为定期测试",
    // Staff are rarely free to refuse.
    "staff have consented",
    "staff consent to",
    "employees consent",
    "员工已同意",
    "经员工同意",
    // Who goes by a pseudonym is a person still.
    "is anonymous",
    "are anonymous",
    "anonymised",
    "匿名",
];

#[test]
fn nothing_is_claimed_that_no_program_can_keep() {
    let tree = Tree::of_repository();
    assert_none(judged(&tree).flat_map(|(path, text)| overclaims(path, &text)).collect());
}

fn overclaims(path: &str, text: &str) -> Vec<String> {
    let found = |line: &str| NEVER_CLAIMED.into_iter().find(|claim| line.to_lowercase().contains(claim));
    let wrong = text.lines().filter_map(|line| Some((found(line)?, line.trim())));
    wrong.map(|(claim, line)| format!("{path}: `{claim}` is never claimed: {line}")).collect()
}

/// What the words are looked for in: everything but these rules, which are full of bad examples.
fn judged(tree: &Tree) -> impl Iterator<Item = (&str, String)> {
    tree.own_texts().filter(|(path, _)| !path.starts_with("tests/tidy/"))
}

fn is_rust(path: &str) -> bool {
    path.ends_with(".rs")
}

fn unfenced(manifest: &Manifest, files: &[&str]) -> Vec<String> {
    let path = &manifest.path;
    if manifest.value("lints", "workspace") == Some("true") {
        return files.iter().map(|file| format!("{file}: names `unsafe`, which its crate forbids")).collect();
    }
    let Some(entry) = manifest.entries.iter().find(|e| e.table == "lints.rust" && e.key == "unsafe_code")
    else {
        return vec![format!(
            "{path}: `[lints] workspace = true` is missing, so nothing forbids unsafe code"
        )];
    };
    let above =
        manifest.tables.iter().find(|(table, _)| *table == entry.table).map_or("", |(_, above)| above);
    let reasoned = [above, &entry.reason].iter().any(|reason| reason.split_whitespace().count() >= 4);
    match (entry.value == "\"deny\"" && reasoned, files) {
        (false, _) => {
            vec![format!("{path}: `unsafe_code` must be \"deny\" here, with a `#` sentence that says why")]
        }
        (true, files) if is_one_module(files) => Vec::new(),
        (true, _) => vec![format!("{path}: `unsafe` belongs in exactly one module, is in {files:?}")],
    }
}

/// A file, and files in the folder of its name.
fn is_one_module(files: &[&str]) -> bool {
    let Some(root) = files.iter().min_by_key(|file| file.len()) else { return false };
    let folder = format!("{}/", root.trim_end_matches(".rs"));
    files.iter().all(|file| file == root || file.starts_with(&folder))
}

/// A crate that does not inherit the workspace's lints repeats them, all but the one it is about.
fn lost_lints(manifest: &Manifest, root: &Manifest) -> Vec<String> {
    if manifest.value("lints", "workspace") == Some("true") {
        return Vec::new();
    }
    let wanted = root.entries.iter().filter_map(|e| Some((e.table.strip_prefix("workspace.")?, e)));
    let wanted = wanted.filter(|(table, e)| table.starts_with("lints.") && e.key != "unsafe_code");
    let lost = wanted.filter(|(table, e)| manifest.value(table, &e.key) != Some(e.value.trim_matches('"')));
    lost.map(|(table, e)| format!("{}: [{table}] lacks `{} = {}`", manifest.path, e.key, e.value)).collect()
}

/// Code that uses the keyword, not prose or a longer word.
fn names_unsafe(text: &str) -> bool {
    text.lines().map(|line| line.split("//").next().unwrap_or(line)).any(|line| {
        let before =
            |at: usize| line[..at].chars().next_back().is_none_or(|c| !is_word(c) && c != '"' && c != '`');
        let after = |at: usize| {
            let rest = line[at + "unsafe".len()..].trim_start();
            ["{", "fn ", "impl ", "impl<", "extern ", "trait "].iter().any(|next| rest.starts_with(next))
                || rest.is_empty()
        };
        line.match_indices("unsafe").any(|(at, _)| before(at) && after(at))
    })
}

/// `#[instrument]` logs every argument; `?value` logs a value's whole inside.
fn talkative(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (at, _) in text.match_indices("instrument") {
        let attribute = text[..at].trim_end_matches("tracing::").ends_with("#[");
        let end =
            text[at..].find(")]").or_else(|| text[at..].find(']')).map_or(text.len(), |length| at + length);
        if attribute && !text[at..end].contains("skip_all") {
            complaints.push(format!("{path}: `#[instrument]` without `skip_all` logs every argument"));
        }
    }
    for name in
        ["trace", "debug", "info", "warn", "error", "event", "span", "trace_span", "debug_span", "info_span"]
    {
        for (at, opening) in text.match_indices(&format!("{name}!(")) {
            if text[..at].chars().next_back().is_some_and(is_word) {
                continue;
            }
            let arguments = until_closed(&text[at + opening.len()..]);
            let sigil = |(at, _): (usize, &str)| {
                matches!(arguments[..at].trim_end().chars().next_back(), None | Some('(' | ',' | '='))
            };
            if arguments.match_indices('?').any(sigil) {
                complaints.push(format!(
                    "{path}: `{name}!` with `?` logs a value's whole inside: {}",
                    first_line(arguments)
                ));
            }
        }
    }
    complaints
}

fn until_closed(text: &str) -> &str {
    let mut depth = 1;
    for (at, c) in text.char_indices() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        if depth == 0 {
            return &text[..at];
        }
    }
    text
}

fn events_are_copy(text: &str) -> bool {
    let before = text.split("pub enum Event ").next().filter(|before| before.len() < text.len());
    let attributes = before.and_then(|before| before.rsplit("\n\n").next());
    attributes
        .is_some_and(|lines| lines.lines().any(|line| line.contains("derive(") && line.contains("Copy")))
}

fn text_fields(path: &str, text: &str) -> Vec<String> {
    let fields = text.lines().filter_map(|line| line.split_once("Field for ").map(|(_, of)| of.trim()));
    let texts =
        fields.filter(|of| of.split(|c: char| !is_word(c)).any(|word| ["String", "str"].contains(&word)));
    texts.map(|of| format!("{path}: a field of type {of} could hold a prompt")).collect()
}

fn stand_in(path: &str, text: &str) -> Option<String> {
    let names = |line: &str| [" Engine for ", "::Engine for "].iter().any(|name| line.contains(name));
    let engine = text.lines().find(|line| line.starts_with("impl") && names(line))?;
    (!["src/adapter.rs", "src/engine/far.rs"].contains(&path) && !is_test(path)).then(|| {
        format!("{path}: `{engine}`: outside tests, only the adapter is an engine, and its far end in another process")
    })
}

/// Whatever was written beside the repository while it was built is unknown to its readers.
fn notes(path: &str, text: &str) -> Vec<String> {
    let found = ["DESIGN.md", "../shared/", "issue #"];
    let numbered = |text: &str| {
        let mut issues = text.match_indices("issue ").map(|(at, word)| &text[at + word.len()..]);
        issues.any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let lines = text.lines().filter(|line| found.iter().any(|word| line.contains(word)) || numbered(line));
    lines.map(|line| format!("{path}: points outside the repository: {}", line.trim())).collect()
}

fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let roots = if is_test(path) { &["/work/", "/root/"][..] } else { &["/work/", "/root/", "/tmp/"] };
    let starts = |line: &str, root: &str| {
        let before = |at: usize| line[..at].chars().next_back();
        line.match_indices(root)
            .any(|(at, _)| before(at).is_none_or(|c| !is_word(c) && !"~./-}$".contains(c)))
    };
    let found = text.lines().filter(|line| roots.iter().any(|root| starts(line, root)));
    found.map(|line| format!("{path}: a path of some machine: {}", line.trim())).collect()
}

/// Loopback and reserved names need no permission (RFC 2606, RFC 6761).
fn strange_hosts(path: &str, text: &str, known: &BTreeSet<&str>) -> Vec<String> {
    let urls = ["http://", "https://"]
        .iter()
        .flat_map(|scheme| text.match_indices(scheme).map(|(at, s)| at + s.len()));
    let host = |at: usize| {
        let rest = &text[at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !".-".contains(c)).unwrap_or(rest.len());
        rest[..end].trim_end_matches('.')
    };
    let own =
        |host: &str| host.is_empty() || host == "localhost" || host.starts_with("127.") || is_reserved(host);
    let strange: BTreeSet<&str> = urls.map(host).filter(|host| !own(host) && !known.contains(host)).collect();
    strange
        .iter()
        .map(|host| format!("{path}: host {host}; list it in tests/tidy.toml with a reason"))
        .collect()
}

fn addresses(path: &str, text: &str) -> Vec<String> {
    // Units of systemd have an `@` too.
    let units = ["service", "socket", "timer", "target", "mount", "slice"];
    let mut found = Vec::new();
    for (at, _) in text.match_indices('@') {
        let part = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
        let local = text[..at].chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric());
        let domain = text[at + 1..].split(|c| !part(c)).next().unwrap_or_default().trim_end_matches('.');
        let top = domain.rsplit_once('.').map_or("", |(_, top)| top);
        let is_address = local && top.len() >= 2 && top.chars().all(|c| c.is_ascii_alphabetic());
        if is_address && !units.contains(&top) && !is_reserved(domain) {
            found.push(format!("{path}: an address of somebody: ...@{domain}"));
        }
    }
    found
}

fn is_reserved(host: &str) -> bool {
    let last = |count: usize| host.rsplit('.').take(count).collect::<Vec<_>>();
    ["example", "invalid", "test", "localhost"].contains(&last(1)[0])
        || matches!(last(2)[..], ["com" | "org" | "net", "example"])
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default()
}

#[test]
fn unfenced_unsafe_is_found() {
    for text in ["unsafe { f() }", "pub unsafe fn f() {", "    let a = unsafe {"] {
        assert!(names_unsafe(text), "{text}");
    }
    for text in [
        "// unsafe { }",
        "let unsafe_count = 1;",
        "unsafe_code = \"forbid\"",
        "\"unsafe { }\"",
        "is_unsafe {",
    ] {
        assert!(!names_unsafe(text), "{text}");
    }
    let manifest =
        |lints: &str| Manifest::parse("a/Cargo.toml", &format!("[package]\nname = \"a\"\n{lints}\n"));
    assert_found(unfenced(&manifest(""), &[]), &["is missing"]);
    assert_found(unfenced(&manifest("[lints]\nworkspace = true"), &["a/b.rs"]), &["a/b.rs"]);
    assert_found(
        unfenced(&manifest("[lints.rust]\nunsafe_code = \"allow\" # one two three four"), &["b"]),
        &["deny"],
    );
    assert_found(unfenced(&manifest("[lints.rust]\nunsafe_code = \"deny\""), &["b"]), &["says why"]);
    let fenced = manifest("[lints.rust]\n# Maps the weights into memory.\nunsafe_code = \"deny\"");
    assert_found(unfenced(&fenced, &["b.rs", "c.rs"]), &["exactly one module"]);
    assert_found(unfenced(&fenced, &[]), &["exactly one module"]);
    assert_none(unfenced(&fenced, &["b"]));
    assert_none(unfenced(&fenced, &["b.rs", "b/c.rs"]));
    assert_found(unfenced(&fenced, &["b.rs", "bc.rs"]), &["exactly one module"]);
    assert_eq!(
        ["src/a.rs", "src/b/c.rs", "src/bc/d.rs"].map(|path| owner(path, &["", "src/b"])),
        ["", "src/b", ""]
    );
}

#[test]
fn a_talkative_line_is_found() {
    let bad = [
        "#[instrument]",
        "#[tracing::instrument(skip(self))]",
        "debug!(?request)",
        "info!(id = 1, body = ?body)",
    ];
    for text in bad.into_iter().chain(["tracing::warn!(\n    id,\n    ?body,\n)"]) {
        assert_eq!(talkative("a.rs", text).len(), 1, "{text}");
    }
    for text in
        ["#[instrument(skip_all, fields(id = %id))]", "info!(count = next()?, \"made\")", "my_debug!(?a)"]
    {
        assert_none(talkative("a.rs", text));
    }
}

#[test]
fn free_text_in_the_schema_and_a_stand_in_are_found() {
    assert!(events_are_copy("x\n\n/// E\n#[derive(Clone, Copy)]\n#[a]\npub enum Event {"));
    assert!(!events_are_copy("#[derive(Clone, Copy)]\nstruct A;\n\n#[derive(Clone)]\npub enum Event {"));
    assert!(!events_are_copy("#[derive(Clone, Copy)]\nstruct A;"));
    assert_found(
        text_fields("a.rs", "impl Field for u64 {\nimpl Field for &'static str {"),
        &["&'static str"],
    );

    for code in [
        "impl Engine for Fake {",
        "struct Fake;\nimpl engine::Engine for Fake {",
        "impl<T> Engine for Fake<T> {",
    ] {
        assert!(stand_in("src/darkroom/queue.rs", code).is_some(), "{code}");
    }
    assert!(
        stand_in("src/darkroom/queue.rs", "// impl Engine for Fake {\nimpl MyEngine for Fake {").is_none()
    );
    assert!(stand_in("src/darkroom/tests.rs", "impl Engine for Fake {").is_none());
    assert!(stand_in("src/adapter.rs", "impl Engine for Painter {").is_none());
    assert!(stand_in("src/engine/far.rs", "impl Engine for Far {").is_none());
}

#[test]
fn a_claim_too_strong_is_found() {
    let text = "It is GDPR-compliant.\nIt supports Art. 32.\n删除后不可恢复。";
    assert_found(overclaims("a.md", text), &["gdpr-compliant", "不可恢复"]);
}

/// Each phrase is met by a sentence that somebody may well write, and no sound sentence by any.
#[test]
fn the_neighbours_of_a_claim_too_strong_are_found() {
    let strong = include_str!("claimed.txt").lines().filter(|line| !line.starts_with('#'));
    let (mut met, mut count) = (BTreeSet::new(), 0);
    for line in strong.filter(|line| !line.is_empty()) {
        assert_eq!(overclaims("a.md", line).len(), 1, "{line}");
        met.extend(NEVER_CLAIMED.into_iter().filter(|claim| line.to_lowercase().contains(claim)));
        count += 1;
    }
    let unmet: Vec<&str> = NEVER_CLAIMED.into_iter().filter(|claim| !met.contains(claim)).collect();
    assert!(unmet.is_empty() && count == NEVER_CLAIMED.len(), "{unmet:?}");
    for sound in [
        "The log names people by pseudonyms. They are personal data all the same.",
        "That the data were sealed does not end the duty to assess.",
        "The consent of staff is rarely free: look for another basis.",
        "It listens on the loopback address, where every local account reaches it.",
        "The program cannot reach a network. What people carry out leaves with them.",
        "员工的同意很少是自由作出的：应另寻依据。",
        "数据已加密并不免除评估义务。",
    ] {
        assert_none(overclaims("a.md", sound));
    }
}

#[test]
fn a_strange_name_is_found() {
    assert_found(notes("a.md", "see issue 3\nan issue of 3\n"), &["see issue 3"]);
    let work = "let a = \"/work/x\";\n~/work/x\n/workspace/\n";
    assert_found(machine_paths("a.rs", work), &["let a"]);
    assert_eq!(machine_paths("a.rs", "\"/tmp/x\"").len(), 1);
    assert_none(machine_paths("a/tests.rs", "\"/tmp/x\""));
    let text = "http://127.0.0.1:7860 http://a.example/ https://c2sp.org/a, http://evil.org";
    assert_found(strange_hosts("a.md", text, &BTreeSet::from(["c2sp.org"])), &["evil.org"]);
    let text = "me@corp.io, you@site.example, x@y.service, #[a] @media.x b@2.0";
    assert_found(addresses("a.md", text), &["corp.io"]);
}

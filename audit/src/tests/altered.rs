//! The altered logs of `testdata/altered`: both verifiers give the verdict that the tables give.

use super::*;

struct Case {
    name: String,
    verdict: String,
    edits: Vec<Vec<String>>,
}

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

fn cases(table: &str) -> Vec<Case> {
    let table = testdata("altered").join(table);
    let mut cases: Vec<Case> = Vec::new();
    for line in std::fs::read_to_string(table).unwrap().lines().filter(|line| !line.starts_with('#')) {
        let mut columns = line.split('\t').map(str::to_owned);
        let (name, verdict) = (columns.next().unwrap(), columns.next().unwrap());
        if cases.last().is_none_or(|case| case.name != name) {
            cases.push(Case { name, verdict, edits: Vec::new() });
        }
        cases.last_mut().unwrap().edits.push(columns.collect());
    }
    cases
}

/// `%41` is an `A`; everything else stands for itself.
fn bytes(text: &str) -> Vec<u8> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend(&part.as_bytes()[2..]);
    }
    bytes
}

fn apply(dir: &Path, edit: &[String]) {
    let [kind, name, arguments @ ..] = edit else { panic!("{edit:?}") };
    let path = dir.join(name);
    let text = |at: usize| bytes(arguments.get(at).map_or("", String::as_str));
    let number = |at: usize| arguments[at].parse::<usize>().unwrap();
    let change = |act: &dyn Fn(&mut Vec<u8>)| {
        let mut content = std::fs::read(&path).unwrap();
        act(&mut content);
        std::fs::write(&path, content).unwrap();
    };
    match kind.as_str() {
        "put" => change(&|content| drop(content.splice(number(0)..number(0) + text(1).len(), text(1)))),
        "insert" => change(&|content| drop(content.splice(number(0)..number(0), text(1)))),
        "cut" => change(&|content| drop(content.drain(number(0)..number(0) + number(1)))),
        "write" => {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text(0)).unwrap();
        }
        "delete" => std::fs::remove_file(&path).unwrap(),
        "rename" => std::fs::rename(&path, dir.join(String::from_utf8(text(0)).unwrap())).unwrap(),
        "link" => std::os::unix::fs::symlink(String::from_utf8(text(0)).unwrap(), &path).unwrap(),
        "pipe" => assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success()),
        "folder" => std::fs::create_dir(&path).unwrap(),
        other => panic!("{other}"),
    }
}

#[test]
fn both_verifiers_give_every_altered_log_the_verdict_of_the_table() {
    judge("cases.tsv", "v1", 112);
}

#[test]
fn both_verifiers_give_every_altered_log_that_was_pruned_the_verdict_of_the_table() {
    judge("pruned.tsv", "pruned", 14);
}

fn judge(table: &str, frozen: &str, count_min: usize) {
    let (cases, frozen) = (cases(table), testdata(frozen));
    assert!(cases.len() >= count_min, "{}", cases.len());
    let dirs: Vec<Dir> = cases
        .iter()
        .map(|case| {
            let dir = Dir::new();
            copy_folder(&frozen, &dir.0);
            case.edits.iter().for_each(|edit| apply(&dir.0, edit));
            dir
        })
        .collect();
    let mut wrong = Vec::new();
    for ((Case { name, verdict, .. }, dir), accepts) in
        cases.iter().zip(&dirs).zip(reader::python_each(&dirs))
    {
        let report = dir.verify();
        let ours = match (report.is_ok(), report.integrity_broken) {
            (true, _) => "verified",
            (false, false) => "form",
            (false, true) => "broken",
        };
        if ours != verdict || accepts != (verdict == "verified") {
            wrong.push(format!("{name}: wanted {verdict}, Python accepts: {accepts}\n{report}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

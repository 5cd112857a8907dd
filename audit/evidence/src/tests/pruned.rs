//! What is handed out of a log from which old records were pruned: what stayed, with the hash of what went, proved as before.

use super::forged::{change, sign_anew};
use super::oracles::follow;
use super::*;
use crate::certificate::certifiable;
use crate::subject::{Subject, Told};
use audit::words::Door;
use audit::{Clock, Item, LOG_DAYS_MIN, pruned_line};

const DAY_MS: u64 = 86_400_000;

/// A clock of long ago.
struct Ago(SystemClock);

impl Clock for Ago {
    fn wall_ms(&self) -> u64 {
        self.0.wall_ms() - u64::from(LOG_DAYS_MIN + 16) * DAY_MS
    }
    fn mono_ms(&self) -> u64 {
        1
    }
    fn boot_id(&self) -> [u8; 16] {
        [1; 16]
    }
}

/// A log with a segment of long ago: pictures 1, 2 and 3, of which 1 was erased, and what somebody did at the door. Of now are
/// picture 4, and the ends of 2 and 4.
fn aged() -> Tried {
    let dir = Dir::new();
    let audit = dir.0.join("audit");
    let log = Log::create(&audit, Ago(SystemClock::new())).unwrap();
    for number in 1..=3 {
        make(&log, number);
    }
    erase(&log, 1);
    let came = || Event::SessionOpened { door: Door::Terminal, slot: 7 }.by(ONE);
    let many: Vec<_> = (0..4200).map(|_| came()).collect();
    for part in many.chunks(1000) {
        log.append(part).unwrap();
    }
    drop(log);
    let log = Log::open(&audit, SystemClock::new()).unwrap().0;
    make(&log, 4);
    erase(&log, 2);
    erase(&log, 4);
    let mut tried = Tried { dir, log, run: run_of(Vec::new()), posture: json!({}), run_record: 0 };
    tried.try_all("");
    tried
}

/// How many went.
fn prune(tried: &Tried) -> u64 {
    let due = tried.log.due(LOG_DAYS_MIN).unwrap();
    tried.log.prune(ONE, due).unwrap();
    let whole = audit::whole_from(&tried.audit()).unwrap();
    assert_eq!(whole, 4095, "the last record of the segment stays");
    due.records
}

fn page(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("README.html")).unwrap()
}

fn passes(dir: &Path) -> bool {
    follow(dir).iter().all(|output| output.status.success())
}

fn with<'a>(lines: &[&'a str], at: usize, line: &'a str) -> Vec<&'a str> {
    let mut changed = lines.to_vec();
    changed[at] = line;
    changed
}

fn held_against(dir: &Path, checkpoint: &[u8]) -> Checked {
    check(dir, &Expected { first_key: None, checkpoint: Some(checkpoint.to_vec()) }).unwrap()
}

#[test]
fn a_bundle_has_all_that_stayed_and_the_hash_of_what_went_and_is_proved() {
    let tried = aged();
    let kept = std::fs::read(tried.audit().join("checkpoint")).unwrap();
    let (dir, _, before) = tried.export("before", |_| ());
    assert!(
        checked(&dir).is_ok()
            && !page(&dir).contains("log.pruned")
            && !dir.join("audit/around.json").exists()
    );
    assert_eq!((before.erasures, before.pruned), (3, 0));
    let gone = prune(&tried);
    let (dir, _, exported) = tried.export("after", |_| ());
    let found = checked(&dir);
    assert!(found.is_ok(), "{found}");
    assert!(
        found.to_string().contains(&format!("of {gone} of these records only the hash is left")),
        "{found}"
    );
    assert_eq!(
        (exported.erasures, exported.pruned),
        (3, gone),
        "what was erased long ago has its certificate"
    );
    assert_eq!(exported.records + gone, tried.log.mark().size);
    for words in [format!("only the hash is here: {gone}."), format!("仅存哈希的记录数：{gone}。")]
    {
        assert!(page(&dir).contains(&words), "{words}");
    }
    for output in follow(&dir) {
        assert!(output.status.success(), "{output:?}");
    }
    // It goes on from what was kept before the pruning.
    assert!(held_against(&dir, &kept).is_ok(), "{}", held_against(&dir, &kept));
    let early = tried.dir.0.join("other");
    drop(Log::create(&early, SystemClock::new()).unwrap());
    let other = std::fs::read(early.join("checkpoint")).unwrap();
    assert!(!held_against(&dir, &other).is_ok(), "another log's");
    // Of a time behind them it is what it always was, and of a time before it has what stayed.
    let now_ms = SystemClock::new().wall_ms();
    let (dir, _, exported) = tried.export("now", |export| export.since_ms = Some(now_ms - DAY_MS));
    assert!(checked(&dir).is_ok() && exported.pruned == 0 && !page(&dir).contains("log.pruned"));
    assert_eq!(exported.erasures, 2);
    let (dir, _, exported) = tried.export("long-ago", |export| export.until_ms = Some(now_ms - 198 * DAY_MS));
    assert!(checked(&dir).is_ok() && passes(&dir), "{}", checked(&dir));
    assert_eq!((exported.erasures, exported.pruned), (1, gone), "the period of an old incident");
}

/// The times of the last record that stayed before those that went, and of the first behind them.
fn around_what_went(audit: &Path) -> (u64, u64) {
    let mut before = 0;
    let mut items = audit::items(audit).unwrap().map(Result::unwrap);
    for item in items.by_ref() {
        match item {
            Item::Record(record) => before = record.ts_ms,
            Item::Pruned(..) => break,
        }
    }
    let behind =
        items.find_map(|item| if let Item::Record(record) = item { Some(record.ts_ms) } else { None });
    (before, behind.unwrap())
}

/// A hash has no time, so what went where a period begins or ends is told beside it, and never is nothing.
#[test]
fn what_went_where_a_period_begins_or_ends_is_told() {
    let tried = aged();
    let gone = prune(&tried);
    let (before, behind) = around_what_went(&tried.audit());
    assert!(before + 1 < behind, "there is a time between the two");
    for (since, until, holds_records) in
        [(None, Some(before), true), (Some(before + 1), Some(behind - 1), false), (Some(behind), None, true)]
    {
        let (dir, _, exported) = tried.export(&format!("{since:?}"), |export| {
            (export.since_ms, export.until_ms) = (since, until);
        });
        assert!(checked(&dir).is_ok() && passes(&dir), "{}", checked(&dir));
        assert_eq!((exported.pruned, exported.pruned_beside), (0, gone), "{since:?} {until:?}");
        assert_eq!(exported.records > 0, holds_records);
        for words in [format!("nothing is here: {gone}."), format!("没有任何内容的记录数：{gone}。")]
        {
            assert!(page(&dir).contains(&words), "{words}");
        }
        let slice = tried.dir.0.join(format!("slice-{since:?}"));
        assert_eq!(crate::slice(&tried.audit(), &slice, (since, until)).unwrap() > 0, holds_records);
        let pruning = std::fs::read_dir(slice.join("audit/cited")).unwrap().map(|file| file.unwrap().path());
        let is_pruning = |path: PathBuf| std::fs::read_to_string(path).unwrap().contains("log.pruned");
        assert_eq!(
            pruning.filter(|path| is_pruning(path.clone())).count(),
            1,
            "it says up to where some went"
        );
        assert!(passes(&slice), "{:?}", follow(&slice));
    }
    // Of a time far from them it is not told.
    let now_ms = SystemClock::new().wall_ms();
    let (.., exported) = tried.export("now", |export| export.since_ms = Some(now_ms - DAY_MS));
    assert_eq!((exported.pruned, exported.pruned_beside), (0, 0));
}

#[test]
fn a_row_with_hashes_in_it_is_held_against_the_tree_line_by_line() {
    let tried = aged();
    prune(&tried);
    let (dir, key, _) = tried.export("bundle", |_| ());
    let text = std::fs::read_to_string(dir.join("audit/records.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let is_gone = |line: &str| pruned_line(line.as_bytes()).is_some();
    let at = lines.iter().position(|line| is_gone(line)).unwrap();
    let flipped = if lines[at].starts_with('0') { "1" } else { "0" }.to_owned() + &lines[at][1..];
    let without = |at: usize| [&lines[..at], &lines[at + 1..]].concat();
    let mut swapped = lines.clone();
    swapped.swap(at, at + 1);
    // The record before the first hash is tied to it by nothing but the tree.
    let nonce = lines[at - 1].find("\"nonce\":\"").unwrap() + 9;
    let digit = if lines[at - 1][nonce..].starts_with('0') { "1" } else { "0" };
    let other = format!("{}{digit}{}", &lines[at - 1][..nonce], &lines[at - 1][nonce + 1..]);
    let erased = lines.iter().position(|line| line.contains("object.erased")).unwrap();
    let leaf = audit::record_leaf(&tried.audit(), erased as u64).unwrap().unwrap().to_string();
    let forgeries = [
        ("another hash", with(&lines, at, &flipped)),
        ("two in each other's place", swapped),
        ("one left out", without(at)),
        ("one twice", [&lines[..at], &lines[at..=at], &lines[at..]].concat()),
        ("another record before them", with(&lines, at - 1, &other)),
        ("a kept record left out", without(at - 1)),
    ];
    for (what, changed) in &forgeries {
        let forged = copy(&dir);
        change(&forged.0, "audit/records.jsonl", |_| changed.join("\n") + "\n");
        sign_anew(&forged.0, &key);
        assert!(
            blamed(&forged.0).contains(&"audit/records.jsonl".to_owned()),
            "{what}: {}",
            checked(&forged.0)
        );
        assert!(!follow(&forged.0)[2].status.success(), "{what}");
    }
    // A record that stayed, as its hash: that leads to the same root.
    let hidden = copy(&dir);
    change(&hidden.0, "audit/records.jsonl", |_| with(&lines, erased, &leaf).join("\n") + "\n");
    sign_anew(&hidden.0, &key);
    assert!(
        checked(&hidden.0).to_string().contains("a record that was not pruned"),
        "{}",
        checked(&hidden.0)
    );
    assert!(!follow(&hidden.0)[2].status.success());
    let bare = copy(&dir);
    std::fs::remove_file(bare.0.join("audit/around.json")).unwrap();
    sign_anew(&bare.0, &key);
    assert!(blamed(&bare.0).contains(&"audit/records.jsonl".to_owned()));
    assert!(!follow(&bare.0)[2].status.success());
    let until_ms = SystemClock::new().wall_ms() - 198 * DAY_MS;
    let (dir, key, _) = tried.export("long-ago", |export| export.until_ms = Some(until_ms));
    let other = copy(&dir);
    change(&other.0, "audit/around.json", |text| text.replacen("\"hashes\":[\"", "\"hashes\":[\"00", 1));
    sign_anew(&other.0, &key);
    assert!(!checked(&other.0).is_ok() && !follow(&other.0)[2].status.success());
}

#[test]
fn a_slice_has_what_stayed_and_a_certificate_can_still_be_made() {
    let tried = aged();
    let erased = || [1, 2, 4].into_iter().map(|number| Object([number; 16]));
    let ends = certifiable(&tried.audit(), erased()).unwrap();
    let gone = prune(&tried);
    assert_eq!(certifiable(&tried.audit(), [Object([1; 16])].into_iter()).unwrap(), ends[..1]);
    let dir = tried.dir.0.join("slice");
    let count = crate::slice(&tried.audit(), &dir, (None, None)).unwrap();
    assert_eq!(count + gone, tried.log.mark().size);
    let [output] = &follow(&dir)[..] else { panic!("one block") };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("records 0 to "), "{output:?}");
    assert!(text.contains(&format!("of {gone} of which only the hash is left")), "{text}");
    let forged = copy(&dir);
    change(&forged.0, "audit/records.jsonl", |text| {
        let at = text.lines().position(|line| pruned_line(line.as_bytes()).is_some()).unwrap();
        let lines = text.lines().enumerate().filter(|(line, _)| *line != at - 1);
        lines.map(|(_, line)| format!("{line}\n")).collect()
    });
    assert!(!passes(&forged.0), "a record that stayed is left out");
}

#[test]
fn a_person_is_told_what_is_left_about_them_and_that_some_is_gone() {
    let tried = aged();
    let audit = tried.audit();
    let tell = |slot| -> Told {
        let subject = Subject {
            log: &audit,
            actor: ONE,
            slot,
            name: None,
            role: Some("operator"),
            pictures: &[],
            in_chinese: &|_| None,
            version: "0.1.0",
            made_ms: 1_705_328_700_000,
        };
        subject.tell().unwrap()
    };
    let read = |told: &Told, name: &str| {
        let found = told.files().into_iter().find(|(file, _)| *file == name).unwrap();
        String::from_utf8(found.1.to_vec()).unwrap()
    };
    let before = tell(7);
    assert_eq!(before.pruned_before, 0);
    prune(&tried);
    let (whole, after) = (4095, tell(7));
    assert_eq!(after.pruned_before, whole);
    // What they did at the door is gone, up to the last record of the segment; the pruning is theirs.
    let gone = before.records + 1 - after.records;
    assert!(gone > 4000 && after.records > 100, "{gone} of {}", before.records);
    let json: Value = serde_json::from_str(&read(&after, "subject.json")).unwrap();
    assert_eq!(json["pruned_before"], whole);
    let records = json["records"].as_array().unwrap();
    let of =
        |name: &str| records.iter().filter(|told| told["record"].as_str().unwrap().contains(name)).count();
    assert_eq!((of("\"object.sealed\""), of("\"object.erased\"")), (4, 3));
    for (told, is_said) in [(&before, false), (&after, true)] {
        let page = read(told, "subject.html");
        assert_eq!(page.contains("Before record 4095 some are gone"), is_said);
        assert_eq!(page.contains("记录 4095 之前"), is_said);
    }
}

//! What is handed out of a log from which old records were pruned: it begins behind them, says so, and is proved as before.

use super::oracles::follow;
use super::*;
use crate::certificate::certifiable;
use crate::subject::{Subject, Told};
use audit::words::Door;
use audit::{Clock, LOG_DAYS_MIN};

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

fn prune(tried: &Tried) -> u64 {
    tried.log.prune(ONE, tried.log.due(LOG_DAYS_MIN).unwrap()).unwrap();
    let whole = audit::whole_from(&tried.audit()).unwrap();
    assert_eq!(whole, 4095, "the last record of the segment stays");
    whole
}

fn page(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("README.html")).unwrap()
}

#[test]
fn a_bundle_begins_behind_what_was_pruned_says_so_and_is_proved() {
    let tried = aged();
    let (dir, _, before) = tried.export("before", |_| ());
    assert!(checked(&dir).is_ok() && !page(&dir).contains("log.pruned"));
    assert_eq!((before.erasures, before.pruned_before), (3, None));
    let whole = prune(&tried);
    let (dir, _, exported) = tried.export("after", |_| ());
    let found = checked(&dir);
    assert!(found.is_ok(), "{found}");
    assert_eq!((exported.erasures, exported.pruned_before), (2, Some(whole)));
    assert_eq!(exported.records, tried.log.mark().size - whole);
    for words in ["begins here with record 4095", "从记录 4095 开始"] {
        assert!(page(&dir).contains(words), "{words}");
    }
    // Of the end of picture 2 its making is proved, too, which is older.
    let others = std::fs::read_to_string(dir.join("erasures/records.jsonl")).unwrap();
    assert!(others.lines().any(|line| line.contains("object.sealed")), "{others}");
    for output in follow(&dir) {
        assert!(output.status.success(), "{output:?}");
    }
    // One of a time behind them is what it always was; one of before has nothing, and says why.
    let now_ms = SystemClock::new().wall_ms();
    let (dir, _, exported) = tried.export("now", |export| export.since_ms = Some(now_ms - DAY_MS));
    assert!(checked(&dir).is_ok() && exported.pruned_before.is_none() && !page(&dir).contains("log.pruned"));
    assert_eq!(exported.erasures, 2);
    let (dir, _, exported) = tried.export("long-ago", |export| export.until_ms = Some(now_ms - 198 * DAY_MS));
    assert!(checked(&dir).is_ok() && exported.pruned_before == Some(whole));
    assert!(page(&dir).contains("log.pruned") && exported.erasures == 0);
}

#[test]
fn a_slice_begins_behind_what_was_pruned_and_a_certificate_can_still_be_made() {
    let tried = aged();
    let erased = || [1, 2, 4].into_iter().map(|number| Object([number; 16]));
    let ends = certifiable(&tried.audit(), erased()).unwrap();
    let whole = prune(&tried);
    assert_eq!(certifiable(&tried.audit(), [Object([1; 16])].into_iter()).unwrap(), ends[..1]);
    let dir = tried.dir.0.join("slice");
    let count = crate::slice(&tried.audit(), &dir, (None, None)).unwrap();
    assert_eq!(count, tried.log.mark().size - whole);
    let [output] = &follow(&dir)[..] else { panic!("one block") };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains(&format!("records {whole} to ")), "{output:?}");
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
    let whole = prune(&tried);
    let after = tell(7);
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

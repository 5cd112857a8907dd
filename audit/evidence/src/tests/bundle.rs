//! Bundles as they are made, and what is changed by accident or by somebody without a key.

use super::*;
use crate::folder::NewFolder;
use crate::report::Finding;
use crate::{Error, Framework, Language, Outcome};

#[test]
fn a_bundle_that_was_made_verifies() {
    let tried = Tried::new("CRY-01");
    let (dir, _, exported) = tried.export("bundle", |_| ());
    let checked = checked(&dir);
    assert!(checked.is_ok(), "{checked}");
    let whole = (Some((0, checked.size - 1)), checked.size);
    assert_eq!((checked.records, exported.records), whole, "the whole log is in it");
    assert_eq!(exported.files, Dir::files(&dir).len() as u64);
    assert_eq!(exported.manifest, Digest::of(&std::fs::read(dir.join("manifest.json")).unwrap()));
    let counts = Outcome::ALL.map(|of| (of, tried.run.count(of)));
    assert_eq!((checked.outcomes, checked.other_catalogue), (Some(counts), None));
    assert!(counts.contains(&(Outcome::NotSatisfied, 1)), "{counts:?}");
    // The record that names the bundle comes after it, and the log that goes on does not change what was handed out.
    let done = Event::EvidenceExported { manifest: exported.manifest }.by_system().job(JobId([3; 16]));
    tried.log.append(&[done]).unwrap();
    assert!(super::checked(&dir).is_ok());
}

#[test]
fn a_period_is_handed_over_without_a_gap() {
    let tried = Tried::new("CRY-01");
    let records: Vec<audit::Stored> =
        audit::records(&tried.audit(), audit::Order::OldestFirst).unwrap().map(Result::unwrap).collect();
    let (first, last) = (records[3].ts_ms, records[records.len() - 2].ts_ms);
    let (dir, _, exported) = tried.export("some", |export| {
        (export.since_ms, export.until_ms) = (Some(first), Some(last));
    });
    let wanted = records.iter().filter(|record| (first..=last).contains(&record.ts_ms)).count() as u64;
    let checked = checked(&dir);
    let (from, to) = checked.records.unwrap();
    assert!(checked.is_ok() && to - from + 1 == exported.records, "{checked}");
    assert!(exported.records >= wanted, "{} of {wanted}", exported.records);
    // One without a record in its period still proves what it cites.
    let (dir, _, exported) = tried.export("none", |export| export.until_ms = Some(1));
    assert_eq!(exported.records, 0);
    assert!(super::checked(&dir).is_ok());
}

#[test]
fn what_the_log_does_not_name_is_not_exported_and_nothing_is_left() {
    let tried = Tried::new("CRY-01");
    let dir = tried.dir.0.join("bundle");
    let attempt = |run_record: u64, key_record: u64| {
        let (audit, key) = (tried.audit(), ExportKey::draw().unwrap());
        let export = Export {
            log: &audit,
            run: &tried.run,
            run_record,
            key_record,
            since_ms: None,
            until_ms: None,
            stamps: &[],
            policy: "",
            posture: &tried.posture,
            sbom: None,
            embedded: EMBEDDED,
            answers: crate::Answers::default(),
            controller: &Default::default(),
            framework: None,
            language: None,
            incident: None,
            rehearsal: None,
            failures: &[],
            version: "0.1.0",
            made_ms: 0,
        };
        export.make(&dir, key)
    };
    for (run_record, key_record) in [(1, 2), (tried.run_record, 2), (tried.run_record, 1_000_000)] {
        let error = attempt(run_record, key_record).unwrap_err();
        assert!(matches!(error, Error::Record { .. }), "{error}");
        assert!(!dir.exists());
    }
    // What was there is not removed.
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("mine"), "a").unwrap();
    assert!(matches!(attempt(1, 2), Err(Error::Exists { .. })));
    assert!(dir.join("mine").exists());
    std::fs::remove_dir_all(&dir).unwrap();
    std::os::unix::fs::symlink(&tried.dir.0, &dir).unwrap();
    assert!(matches!(attempt(1, 2), Err(Error::Exists { .. })), "a link is no folder");
    assert!(tried.audit().exists());
}

/// Every file, at several places.
#[test]
fn one_changed_byte_in_any_file_is_found_and_named() {
    let tried = Tried::new("CRY-01");
    let (dir, ..) = tried.export("bundle", |_| ());
    let files = Dir::files(&dir);
    assert!(files.len() > 40, "{files:?}");
    let mut drawn = 1u64;
    for name in &files {
        let path = dir.join(name);
        let whole = std::fs::read(&path).unwrap();
        let count = whole.len();
        assert!(count > 0, "{name}");
        for round in 0..6 {
            drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = match round {
                0 => 0,
                1 => count - 1,
                _ => (drawn >> 33) as usize % count,
            };
            let mut changed = whole.clone();
            changed[at] ^= 1 << (drawn >> 20 & 7);
            std::fs::write(&path, changed).unwrap();
            let blamed = blamed(&dir);
            assert!(blamed.contains(name), "{name}, byte {at}: {blamed:?}");
        }
        std::fs::write(&path, whole).unwrap();
    }
    assert!(checked(&dir).is_ok());
}

#[test]
fn a_file_too_few_or_too_many_is_found_and_named() {
    let tried = Tried::new("CRY-01");
    let (dir, ..) = tried.export("bundle", |_| ());
    for name in Dir::files(&dir).iter().filter(|name| *name != "manifest.json") {
        let path = dir.join(name);
        let whole = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(blamed(&dir).contains(name), "{name}");
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        assert!(blamed(&dir).contains(name), "a link in place of {name}");
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(blamed(&dir).contains(name), "{name} cut");
        std::fs::write(&path, whole).unwrap();
    }
    for name in ["more", "audit/cited/1000.json", "oscal/.hidden", "probes/NET-01.json.new"] {
        std::fs::write(dir.join(name), "x").unwrap();
        assert_eq!(blamed(&dir), [name]);
        std::fs::remove_file(dir.join(name)).unwrap();
    }
    std::fs::remove_file(dir.join("manifest.json")).unwrap();
    assert!(matches!(check(&dir, &Expected::default()), Err(Error::Absent { .. })));
}

#[test]
fn a_bundle_is_held_against_what_was_kept() {
    let tried = Tried::new("CRY-01");
    let kept = std::fs::read(tried.audit().join("checkpoint")).unwrap();
    let (dir, ..) = tried.export("bundle", |_| ());
    let newest = std::fs::read(dir.join("audit/checkpoint")).unwrap();
    let first = std::fs::read_to_string(dir.join("audit/vkeys")).unwrap().lines().next().unwrap().to_owned();
    let other = Tried::new("CRY-01");
    let (dir_of_other, ..) = other.export("bundle", |_| ());
    let first_key = audit::VerifyKey::parse(&first);
    let held = |dir: &Path, checkpoint: &[u8]| {
        let expected = Expected { first_key: first_key.clone(), checkpoint: Some(checkpoint.to_vec()) };
        check(dir, &expected).unwrap().findings
    };
    assert_eq!((held(&dir, &newest), held(&dir, &kept)), (vec![], vec![]));
    tried.log.append(&[Event::BootStopped { reason: StopReason::Done }.by_system()]).unwrap();
    let later = std::fs::read(tried.audit().join("checkpoint")).unwrap();
    // Without the records from the first on nothing can be said of an earlier one.
    let (some, ..) = tried.export("some", |export| export.since_ms = Some(u64::MAX));
    // The root of another log of the same name and size, which no key of this one signed.
    let forged = String::from_utf8(kept.clone()).unwrap();
    let root = forged.lines().nth(2).unwrap();
    let forged = forged.replacen(root, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 1).into_bytes();
    for (dir, checkpoint, file) in [
        (&dir, &later, "audit/checkpoint"),
        (&dir, &forged, "audit/checkpoint"),
        (&some, &kept, "audit/checkpoint"),
        (&dir, &b"x".to_vec(), "audit/checkpoint"),
        (&dir_of_other, &newest, "audit/vkeys"),
    ] {
        let findings = held(dir, checkpoint);
        assert_eq!(findings.first().map(|f| f.file.as_str()), Some(file), "{findings:?}");
    }
}

/// The folder of the log names the machine, and whoever uses it; nothing of it may go out.
#[test]
fn no_path_of_the_machine_is_in_a_bundle() {
    let tried = Tried::new("CRY-01");
    let (dir, ..) = tried.export("bundle", |_| ());
    let path = tried.dir.0.to_str().unwrap();
    for name in Dir::files(&dir) {
        let text = String::from_utf8(std::fs::read(dir.join(&name)).unwrap()).expect("a bundle is text");
        assert!(!text.contains(path) && !text.contains("PRIVATE"), "{name}");
    }
}

#[test]
fn the_report_is_for_people_in_both_languages_and_holds_no_script() {
    let tried = Tried::new("CRY-01");
    let page = |framework: Option<Framework>, language: Option<Language>| {
        let name = format!("{framework:?}{language:?}").replace(['(', ')'], "");
        let (dir, ..) = tried.export(&name, |e| (e.framework, e.language) = (framework, language));
        assert!(checked(&dir).is_ok());
        std::fs::read_to_string(dir.join("README.html")).unwrap()
    };
    let whole = page(None, None);
    for control in controls() {
        assert!(whole.contains(control.claim.en) && whole.contains(control.claim.zh), "{}", control.id);
    }
    assert!(whole.contains("plain_files = 1000000") && whole.contains("plain_files &lt;= 0"));
    // It links to the papers and the erasures beside it, and to nothing else.
    let own = whole.replace("<a href=\"gdpr/", "").replace("<a href=\"erasures/", "");
    for forbidden in ["<script", "http", "src=", "href", "url(", "@import", "onload"] {
        assert!(!own.to_lowercase().contains(forbidden), "{forbidden}");
    }
    let not_satisfied = whole.find("class=\"not_satisfied\"").unwrap();
    assert!(not_satisfied < whole.find("class=\"satisfied\"").unwrap(), "what does not hold comes first");
    for article in crate::ARTICLES {
        assert!(whole.contains(article.left.en) && whole.contains(article.left.zh), "{}", article.number);
    }
    let english = page(None, Some(Language::En));
    assert!(!english.contains("证据") && english.contains("Evidence"));
    let chinese = page(Some(Framework::Cn), Some(Language::Zh));
    assert!(chinese.contains("NET-02") && !chinese.contains("NET-01") && !chinese.contains("Evidence"));
    assert!(!chinese.contains("控制者负责的部分"), "those of the GDPR only where it is about the GDPR");
}

#[test]
fn a_list_of_parts_is_in_the_bundle_or_the_page_says_that_there_is_none() {
    let tried = Tried::new("CRY-01");
    let page = |dir: &Path| std::fs::read_to_string(dir.join("README.html")).unwrap();
    let (without, ..) = tried.export("without", |_| ());
    assert!(
        !without.join("sbom.cdx.json").exists() && page(&without).contains("carries no list of its parts")
    );
    assert_eq!(blamed(&without), [] as [String; 0]);
    let parts = "{ \"specVersion\": \"1.6\", \"bomFormat\": \"CycloneDX\", \"version\": 1 }\n";
    let (with, ..) = tried.export("with", |export| export.sbom = Some(parts));
    let text = std::fs::read_to_string(with.join("sbom.cdx.json")).unwrap();
    assert_eq!(text, "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\"version\":1}");
    assert!(page(&with).contains("sbom.cdx.json lists") && !page(&with).contains("carries no list"));
    assert_eq!(blamed(&with), [] as [String; 0]);
    // Another list is not taken for it, nor is what is none.
    let (other, ..) = tried.export("other", |export| export.sbom = Some("{\"bomFormat\":\"SPDX\"}"));
    assert_eq!(blamed(&other), ["sbom.cdx.json"]);
    for wrong in ["parts", "{\"version\":1.5}"] {
        let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            tried.export("wrong", |export| export.sbom = Some(wrong));
        }));
        assert!(made.is_err() && !tried.dir.0.join("wrong").exists(), "{wrong}");
    }
}

/// Of two who make something in one empty folder the second one ends, and takes nothing of the first one with it.
#[test]
fn who_comes_second_takes_nothing_away() {
    let dir = Dir::new();
    let place = dir.0.join("place");
    let mut first = NewFolder::make(&place).unwrap();
    let mut second = NewFolder::make(&place).unwrap();
    first.write("audit/origin", b"first").unwrap();
    assert!(matches!(second.write("audit/origin", b"second"), Err(Error::Exists { .. })));
    second.write("probes/own.json", b"second").unwrap();
    second.remove();
    assert_eq!(Dir::files(&place), ["audit/origin"]);
    assert!(!place.join("probes").exists());
    first.remove();
    assert!(!place.exists());
}

/// Until it is on record its signature has no name, so that nobody takes it for one.
#[test]
fn a_bundle_that_was_given_up_before_its_end_is_none() {
    let tried = Tried::new("CRY-01");
    let (dir, ..) = tried.export("bundle", |_| ());
    std::fs::rename(dir.join("manifest.dsse.json"), dir.join("manifest.dsse.part")).unwrap();
    assert_eq!(blamed(&dir), ["manifest.dsse.part", "manifest.dsse.json"]);
    assert_eq!(crate::check_made(&dir).unwrap().findings, []);
    let archived = crate::archive(&dir, "a", 1 << 20).unwrap();
    let has = |name: &[u8]| archived.windows(name.len()).any(|window| window == name);
    assert!(has(b"a/manifest.dsse.json") && !has(b"a/manifest.dsse.part"));
    crate::finish(&dir).unwrap();
    assert_eq!(blamed(&dir), [] as [String; 0]);
}

#[test]
fn a_bundle_says_that_its_own_check_failed_and_which_incident_it_is_for() {
    let tried = Tried::new("CRY-01");
    let frozen = Event::EvidenceFrozen {
        reason: audit::words::FreezeReason::Breach,
        gdpr: true,
        dora: false,
        cra: false,
        size: 7,
        root: Digest([4; 32]),
    };
    let record = tried.log.append(&[frozen.by_system().job(JobId([8; 16]))]).unwrap().seq_first;
    let failures = vec![Finding::new("policy.txt", "was <changed>")];
    let (dir, ..) = tried.export("bundle", |export| {
        export.incident = Some(record);
        export.failures = Box::leak(failures.into_boxed_slice());
    });
    assert_eq!((blamed(&dir), checked(&dir).failures), (vec![], 1));
    assert!(checked(&dir).to_string().contains("see findings.json"));
    let text = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    assert!(text("incident.json").contains(&JobId([8; 16]).to_string()));
    assert!(text("README.html").contains("<code>policy.txt</code> was &lt;changed&gt;"));
    let (plain, ..) = tried.export("plain", |_| ());
    assert!(!plain.join("incident.json").exists() && !plain.join("findings.json").exists());
    assert_eq!(checked(&plain).failures, 0);
    // Another record pins nothing.
    let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        tried.export("wrong", |export| export.incident = Some(1));
    }));
    assert!(made.is_err() && !tried.dir.0.join("wrong").exists());
}

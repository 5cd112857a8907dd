//! Looking, exporting, erasing, and the secrets.

use super::*;
use crate::{Erased, Kind};

#[test]
fn a_look_is_on_record_before_its_bytes() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let who = darkroom.who;
    let id = generate(&mut darkroom, 1, Mood::Works).unwrap()[0].id;
    let content = darkroom.view(&who, id).unwrap();
    assert!(content.starts_with(b"\x89PNG\r\n\x1a\n"));
    darkroom.view_previews(&who, &[id]).unwrap();
    let kinds: Vec<String> =
        home.records().into_iter().filter(|(n, _)| n == "object.viewed").map(|(_, l)| l).collect();
    assert!(
        kinds.len() == 2 && kinds[0].contains("kind=content") && kinds[1].contains("kind=preview"),
        "{kinds:?}"
    );
}

#[test]
fn an_export_is_whole_or_not_there() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let who = darkroom.who;
    let id = generate(&mut darkroom, 1, Mood::Works).unwrap()[0].id;
    let target = home.0.join("plain/a.png");
    let export = darkroom.export(&who, id, &target).unwrap();
    let plain = std::fs::read(&target).unwrap();
    assert_eq!(plain.len() as u64, export.bytes);
    assert_eq!(plain, *darkroom.view(&who, id).unwrap());
    // What is there already is not touched.
    let error = darkroom.export(&who, id, &target).err().unwrap();
    assert_eq!(error.kind(), Kind::ExportFile);
    assert_eq!(std::fs::read(&target).unwrap(), plain);
    // Nor is anything made where nothing can be.
    darkroom.export(&who, id, &home.0.join("nowhere/a.png")).err().unwrap();
    let failed: Vec<_> = home.records().into_iter().filter(|(n, _)| n == "object.export_failed").collect();
    assert!(failed.len() == 2 && failed[0].1.contains("reason=exists"), "{failed:?}");
    home.log_verifies();
}

#[test]
fn a_copy_that_is_handed_over_is_on_record_as_one() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let who = darkroom.who;
    let id = generate(&mut darkroom, 1, Mood::Works).unwrap()[0].id;
    let content = darkroom.export_content(&who, id).unwrap();
    assert_eq!(*content, *darkroom.view(&who, id).unwrap());
    let names: Vec<_> = home.records().into_iter().map(|(name, _)| name).collect();
    assert!(
        names.ends_with(
            &["object.export_requested", "object.exported", "object.export_digest", "object.viewed"]
                .map(str::to_owned)
        )
    );
    std::fs::remove_dir_all(home.places().outputs).unwrap();
    darkroom.export_content(&who, id).err().unwrap();
    assert_eq!(home.count("object.export_failed"), 1);
}

#[test]
fn pages_hold_every_picture_once() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let who = darkroom.who;
    generate(&mut darkroom, 3, Mood::Works).unwrap();
    generate(&mut darkroom, 2, Mood::Works).unwrap();
    let all: Vec<_> = darkroom.pictures().iter().map(|p| p.id).collect();
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = darkroom.page(&who, after, 2).unwrap();
        assert_eq!(page.total, 5);
        paged.extend(page.pictures.iter().map(|p| p.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, all);
    assert!(matches!(darkroom.page(&who, Some(vault::ObjectId([0; 16])), 2), Err(Error::NotFound { .. })));
    // Whoever was at a picture that is erased meanwhile is told so, and begins anew.
    darkroom.erase(&who, &all[1..2]).unwrap();
    assert!(darkroom.page(&who, Some(all[1]), 2).is_err());
}

#[test]
fn an_open_vault_does_not_spare_the_passphrase() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let wrong = Secret::passphrase("incorrect horse battery").unwrap();
    assert!(matches!(darkroom.unlock(&wrong, Door::Terminal), Err(Error::Vault(vault::Error::WrongSecret))));
    assert_eq!(home.count("vault.unlock_failed"), 1);
    assert!(darkroom.is_open(), "a wrong guess must not lock out who works");
    darkroom.unlock(&secret(), Door::Terminal).unwrap();
    assert_eq!(home.count("vault.unlocked"), 2);
}

#[test]
fn an_unlock_that_does_not_come_to_its_end_leaves_the_vault_locked() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    generate(&mut darkroom, 1, Mood::Works).unwrap();
    darkroom.lock(None).unwrap();
    crash_at(After::Reconciled, 1);
    darkroom.unlock(&secret(), Door::Terminal).unwrap_err();
    assert!(darkroom.has_vault() && !darkroom.is_open());
    darkroom.unlock_as(&secret()).unwrap();
    assert_eq!(darkroom.pictures().len(), 1);
}

#[test]
fn a_lock_needs_nothing_from_the_disk() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let (vault, aside) = (home.0.join("vault"), home.0.join("aside"));
    std::fs::rename(&vault, &aside).unwrap();
    darkroom.lock(None).ok();
    assert!(darkroom.has_vault() && !darkroom.is_open());
    std::fs::rename(&aside, &vault).unwrap();
    darkroom.unlock(&secret(), Door::Terminal).unwrap();
}

#[test]
fn an_erased_picture_is_gone_from_list_disk_and_vault() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let who = darkroom.who;
    let made = generate(&mut darkroom, 2, Mood::Works).unwrap();
    let Erased { erasure, records, receipt, backups } = darkroom.erase(&who, &[made[0].id]).unwrap();
    assert!(backups.is_empty());
    assert_eq!((erasure.erased, erasure.state.epoch), (1, 2));
    assert_eq!(records, [(made[0].pseudonym, receipt.unwrap().seq_first)]);
    assert_eq!(darkroom.pictures().len(), 1);
    assert!(matches!(darkroom.view(&who, made[0].id), Err(Error::Vault(vault::Error::Erased(_)))));
    let outputs = std::fs::read_dir(home.0.join("outputs")).unwrap().flatten();
    let files = outputs.filter(|f| f.file_name().to_string_lossy().ends_with(".sealed")).count();
    assert_eq!(files, 1);
    let erased = home.records().into_iter().find(|(name, _)| name == "object.erased").unwrap().1;
    assert!(erased.contains(&made[0].pseudonym.to_string()) && erased.contains("vault_epoch=2"), "{erased}");
    // Erasing what was erased changes nothing and is no success.
    assert_eq!(darkroom.erase(&who, &[made[0].id]).err().unwrap().kind(), Kind::NotFound);
    home.log_verifies();
}

#[test]
fn a_file_removed_by_hand_is_one_record_and_can_still_be_erased() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let id = generate(&mut darkroom, 2, Mood::Works).unwrap()[0].id;
    let name = darkroom.pictures().iter().find(|p| p.id == id).unwrap().name.clone();
    darkroom.leave(StopReason::Done).unwrap();
    std::fs::remove_file(home.0.join("outputs").join(format!("{name}.sealed"))).unwrap();
    for _ in 0..2 {
        drop(home.unlocked());
    }
    assert_eq!(home.count("object.missing"), 1);
    let mut darkroom = home.unlocked();
    let who = darkroom.who;
    assert_eq!(darkroom.pictures().iter().filter(|p| p.missing).count(), 1);
    assert_eq!(darkroom.view(&who, id).err().unwrap().kind(), Kind::Damaged);
    darkroom.erase(&who, &[id]).unwrap();
    assert_eq!(darkroom.pictures().len(), 1);
}

#[test]
fn a_wrong_passphrase_is_on_record_while_the_vault_is_locked() {
    let home = Home::new();
    drop(home.unlocked());
    let mut darkroom = home.open().unwrap();
    let wrong = Secret::passphrase("wrong horse battery").unwrap();
    assert_eq!(darkroom.unlock(&wrong, Door::Terminal).err().unwrap().kind(), Kind::WrongSecret);
    assert!(!darkroom.is_open());
    assert_eq!(home.count("vault.unlock_failed"), 1);
    darkroom.unlock(&secret(), Door::Terminal).unwrap();
    home.log_verifies();
}

#[test]
fn an_open_vault_does_not_spare_the_proof_of_a_new_passphrase() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let who = darkroom.who;
    let (wrong, new) = ("wrong horse battery", "another horse battery");
    let (wrong, new) = (Secret::passphrase(wrong).unwrap(), Secret::passphrase(new).unwrap());
    assert_eq!(darkroom.change_secret(&who, &wrong, &new).err().unwrap().kind(), Kind::WrongSecret);
    assert_eq!(home.count("vault.unlock_failed"), 1);
    darkroom.change_secret(&who, &secret(), &new).unwrap();
    assert_eq!(home.count("vault.secret_changed"), 1);
}

#[test]
fn the_recovery_code_sets_a_new_passphrase() {
    let home = Home::new();
    let mut darkroom = home.open().unwrap();
    let (who, code) = darkroom.create_vault(&secret(), Door::Terminal).unwrap();
    let mut darkroom = Room { darkroom: Some(darkroom), who };
    generate(&mut darkroom, 1, Mood::Works).unwrap();
    darkroom.leave(StopReason::Done).unwrap();
    let mut darkroom = home.open().unwrap();
    let new = Secret::passphrase("a third horse battery").unwrap();
    let code = Secret::any(&code.text()).unwrap();
    let who = darkroom.unlock(&code, Door::Terminal).unwrap();
    darkroom.change_secret(&who, &code, &new).unwrap();
    darkroom.leave(StopReason::Done).unwrap();
    let mut darkroom = home.open().unwrap();
    assert!(darkroom.unlock(&secret(), Door::Terminal).is_err());
    let who = darkroom.unlock(&new, Door::Terminal).unwrap();
    assert_eq!(darkroom.list(&who).unwrap().len(), 1);
    assert!(home.records().iter().any(|(n, l)| n == "vault.secret_changed" && l.contains("by=recovery")));
}

#[test]
fn every_picture_carries_its_marks_and_no_other_text() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let who = darkroom.who;
    let made = generate(&mut darkroom, 1, Mood::Works).unwrap();
    for bytes in [
        darkroom.view(&who, made[0].id).unwrap(),
        darkroom.view_previews(&who, &[made[0].id]).unwrap().remove(0).1,
    ] {
        let reader = png::Decoder::new(std::io::Cursor::new(&bytes[..])).read_info().unwrap();
        let info = reader.info();
        assert!(info.uncompressed_latin1_text.is_empty() && info.compressed_latin1_text.is_empty());
        let [packet] = &info.utf8_text[..] else { panic!("not one text chunk") };
        assert_eq!(packet.keyword, "XML:com.adobe.xmp");
        let text = packet.get_text().unwrap();
        assert!(text.contains("trainedAlgorithmicMedia") && text.contains("TC260:AIGC"), "{text}");
        assert!(text.contains(&made[0].pseudonym.to_string()) && !text.contains("canary"), "{text}");
    }
}

/// The recovery code is another slot, and so another person to the log.
#[test]
fn what_two_people_do_is_on_record_as_the_doing_of_each() {
    let home = Home::new();
    let mut darkroom = home.open().unwrap();
    let (first, code) = darkroom.create_vault(&secret(), Door::Page).unwrap();
    let mut darkroom = Room { darkroom: Some(darkroom), who: first };
    let id = generate(&mut darkroom, 1, Mood::Works).unwrap()[0].id;
    let second = darkroom.unlock(&Secret::any(&code.text()).unwrap(), Door::Terminal).unwrap();
    darkroom.view(&second, id).unwrap();
    darkroom.view(&first, id).unwrap();
    darkroom.erase(&second, &[id]).unwrap();
    let actor = |who: &Who| who.actor.to_string();
    assert_ne!(actor(&first), actor(&second));
    let doers = |name: &str| -> Vec<String> {
        let lines = home.records().into_iter().filter(|(n, _)| n == name).map(|(_, line)| line);
        lines.map(|line| line.split(' ').find(|part| part.starts_with("a:")).unwrap().to_owned()).collect()
    };
    assert_eq!(doers("object.viewed"), [actor(&second), actor(&first)]);
    assert_eq!(doers("object.erased"), [actor(&second)]);
    assert_eq!(doers("object.sealed"), [actor(&first)]);
    assert_eq!(doers("session.opened"), [actor(&first), actor(&second)]);
    let doors: Vec<_> = home.records().into_iter().filter(|(n, _)| n == "session.opened").collect();
    assert!(doors[0].1.contains("door=page") && doors[1].1.contains("door=terminal"), "{doors:?}");
    // A lock ends what both may do.
    darkroom.lock(Some(&second)).unwrap();
    assert_eq!(doers("vault.locked"), [actor(&second)]);
    darkroom.unlock(&secret(), Door::Page).unwrap();
    for who in [first, second] {
        assert!(matches!(darkroom.list(&who), Err(Error::Locked)));
        assert!(matches!(darkroom.view(&who, id), Err(Error::Locked)));
        assert!(matches!(darkroom.erase(&who, &[id]), Err(Error::Locked)));
    }
}

#[test]
fn a_page_of_previews_is_one_record() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let who = darkroom.who;
    let ids: Vec<_> = generate(&mut darkroom, 3, Mood::Works).unwrap().iter().map(|p| p.id).collect();
    let seen = darkroom.view_previews(&who, &ids).unwrap();
    assert!(seen.len() == 3 && seen.iter().all(|(_, png)| png.starts_with(b"\x89PNG")));
    assert_eq!((home.count("objects.viewed"), home.count("object.viewed")), (1, 0));
    assert!(home.records().last().unwrap().1.contains("count=3"));
    assert!(darkroom.view_previews(&who, &[]).unwrap().is_empty());
}

#[test]
fn what_is_in_the_log_ties_no_kept_file_to_its_pseudonym() {
    use sha2::{Digest as _, Sha256};
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let made = generate(&mut darkroom, 1, Mood::Works).unwrap();
    let path = home.0.join("outputs").join(format!("{}.sealed", made[0].name));
    let sealed = std::fs::read(path).unwrap();
    let sha256 = base16ct::lower::encode_string(&Sha256::digest(&sealed));
    let line = home.records().into_iter().find(|(n, _)| n == "object.sealed").unwrap().1;
    assert!(!line.contains(&sha256) && !line.contains(&sealed.len().to_string()), "{line}");
    assert_eq!(home.count("object.created"), 0);
}

#[test]
fn a_policy_of_never_refuses_every_erasure_on_record() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let id = generate(&mut darkroom, 1, Mood::Works).unwrap()[0].id;
    darkroom.leave(StopReason::Done).unwrap();
    let mut darkroom = home.open_with(Erase::Never).unwrap();
    let who = darkroom.unlock(&secret(), Door::Terminal).unwrap();
    assert_eq!(darkroom.erase(&who, &[id]).err().unwrap().kind(), Kind::Policy);
    darkroom.view(&who, id).unwrap();
    let refused = home.records().into_iter().find(|(n, _)| n == "request.refused").unwrap().1;
    assert!(refused.contains("reason=policy") && refused.contains(&who.actor.to_string()), "{refused}");
    assert_eq!(home.count("object.erase_requested"), 0);
}

/// A folder that is not there, or another one, says nothing about any picture.
#[test]
fn an_absent_or_foreign_folder_is_no_deletion() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    generate(&mut darkroom, 2, Mood::Works).unwrap();
    darkroom.leave(StopReason::Done).unwrap();
    let (outputs, aside) = (home.0.join("outputs"), home.0.join("aside"));
    std::fs::rename(&outputs, &aside).unwrap();
    for foreign in [false, true] {
        if foreign {
            std::fs::create_dir(&outputs).unwrap();
        }
        let darkroom = home.unlocked();
        assert_eq!(darkroom.list(&darkroom.who).err().unwrap().kind(), Kind::Outputs);
        assert_eq!(home.count("object.missing"), 0);
        assert_eq!(outputs.exists(), foreign, "a look made a folder");
        darkroom.leave(StopReason::Done).unwrap();
    }
    // It comes back while the vault is open, and everything is there.
    let mut darkroom = home.unlocked();
    let who = darkroom.who;
    generate(&mut darkroom, 1, Mood::Works).err().unwrap();
    std::fs::remove_dir(&outputs).unwrap();
    std::fs::rename(&aside, &outputs).unwrap();
    assert_eq!(darkroom.pictures().len(), 2);
    generate(&mut darkroom, 1, Mood::Works).unwrap();
    assert!(darkroom.verify(&who).unwrap().is_sound());
    darkroom.leave(StopReason::Done).unwrap();
    // Lost for good: a person says so, on record, and only then the pictures are missing.
    std::fs::remove_dir_all(&outputs).unwrap();
    let mut darkroom = home.unlocked();
    assert_eq!(darkroom.accept_missing(&who).err().unwrap().kind(), Kind::Locked);
    let who = darkroom.who;
    assert_eq!(darkroom.accept_missing(&who).unwrap().len(), 3);
    assert_eq!((home.count("outputs.accepted"), home.count("object.missing")), (1, 3));
    assert!(darkroom.pictures().iter().all(|picture| picture.missing));
    generate(&mut darkroom, 1, Mood::Works).unwrap();
    home.log_verifies();
}

#[test]
fn whoever_has_the_last_number_can_come_in() {
    let home = Home::new();
    home.unlocked().leave(StopReason::Done).unwrap();
    let last = Secret::passphrase("the last one's words").unwrap();
    let mut vault = home.beside();
    vault.set_mark(16 + 238, &[7; 32], &mut vault::OsRandom).unwrap();
    vault.add_slot(vault::Role::Operator, &last, KdfParams::FLOOR, &mut vault::OsRandom).unwrap();
    drop(vault);
    let mut darkroom = home.open().unwrap();
    let who = darkroom.unlock(&last, Door::Terminal).unwrap();
    assert_eq!((who.slot, darkroom.list(&who).unwrap().len()), (239, 0));
}

/// Whoever holds a copy and the vault can show that it left; the log alone shows nothing, and nobody once the picture is erased.
#[test]
fn a_copy_that_left_is_proved_with_the_vault_and_never_after_the_erasure() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let who = darkroom.who;
    let ids: Vec<_> = generate(&mut darkroom, 2, Mood::Works).unwrap().iter().map(|p| p.id).collect();
    let target = home.0.join("plain/a.png");
    let first = darkroom.export(&who, ids[0], &target).unwrap();
    let (second, png) = darkroom.hand_over(&who, ids[0]).unwrap();
    let (other, another) = darkroom.hand_over(&who, ids[1]).unwrap();
    let sha256 = audit::Digest::of(&std::fs::read(&target).unwrap());
    assert_eq!(sha256, audit::Digest::of(&png));
    let seqs = |darkroom: &Darkroom, bytes: &[u8]| -> Vec<u64> {
        let found = darkroom.departures(&who, &audit::Digest::of(bytes)).unwrap();
        found.iter().map(|left| left.record).collect()
    };
    let found = darkroom.departures(&who, &sha256).unwrap();
    assert!(found.iter().all(|left| (left.id, left.object) == (ids[0], first.object)), "{found:?}");
    assert!(found.iter().all(|left| left.actor == who.actor), "{found:?}");
    assert_eq!(seqs(&darkroom, &png), [first.receipt.seq_first, second.receipt.seq_first]);
    assert_eq!(seqs(&darkroom, &another), [other.receipt.seq_first]);
    assert_eq!(seqs(&darkroom, &png[1..]), [0; 0]);

    // Two copies of one picture, and no record holds a plain digest of either.
    let hex = sha256.to_string();
    let macs: Vec<_> = home.records().into_iter().filter(|(n, _)| n == "object.export_digest").collect();
    assert!(macs.len() == 3 && home.records().iter().all(|(_, line)| !line.contains(&hex)), "{macs:?}");

    darkroom.erase(&who, &ids[..1]).unwrap();
    assert_eq!(seqs(&darkroom, &png), [0; 0]);
    assert_eq!(seqs(&darkroom, &another), [other.receipt.seq_first]);
    darkroom.lock(None).unwrap();
    assert!(matches!(darkroom.departures(&who, &sha256), Err(Error::Locked)));
    home.log_verifies();
}

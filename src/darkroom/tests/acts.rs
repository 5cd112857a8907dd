//! Looking, exporting, erasing, and the secrets.

use super::*;
use crate::Trouble;

#[test]
fn a_look_is_on_record_before_its_bytes() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let id = generate(&mut darkroom, 1, Mood::Works).unwrap()[0].id;
    let content = darkroom.view(id).unwrap();
    assert!(content.starts_with(b"\x89PNG\r\n\x1a\n"));
    darkroom.view_preview(id).unwrap();
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
    let id = generate(&mut darkroom, 1, Mood::Works).unwrap()[0].id;
    let target = home.0.join("plain/a.png");
    let export = darkroom.export(id, &target).unwrap();
    let plain = std::fs::read(&target).unwrap();
    assert_eq!(plain.len() as u64, export.bytes);
    assert_eq!(plain, *darkroom.view(id).unwrap());
    // What is there already is not touched.
    let error = darkroom.export(id, &target).err().unwrap();
    assert_eq!(error.trouble(), Trouble::Refused);
    assert_eq!(std::fs::read(&target).unwrap(), plain);
    // Nor is anything made where nothing can be.
    darkroom.export(id, &home.0.join("nowhere/a.png")).err().unwrap();
    let failed: Vec<_> = home.records().into_iter().filter(|(n, _)| n == "object.export_failed").collect();
    assert!(failed.len() == 2 && failed[0].1.contains("reason=exists"), "{failed:?}");
    home.log_verifies();
}

#[test]
fn a_copy_that_is_handed_over_is_on_record_as_one() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let id = generate(&mut darkroom, 1, Mood::Works).unwrap()[0].id;
    let content = darkroom.export_content(id).unwrap();
    assert_eq!(*content, *darkroom.view(id).unwrap());
    let names: Vec<_> = home.records().into_iter().map(|(name, _)| name).collect();
    assert!(
        names.ends_with(&["object.export_requested", "object.exported", "object.viewed"].map(str::to_owned))
    );
    std::fs::remove_dir_all(home.places().outputs).unwrap();
    darkroom.export_content(id).err().unwrap();
    assert_eq!(home.count("object.export_failed"), 1);
}

#[test]
fn pages_hold_every_picture_once() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    generate(&mut darkroom, 3, Mood::Works).unwrap();
    generate(&mut darkroom, 2, Mood::Works).unwrap();
    let all: Vec<_> = darkroom.list().unwrap().iter().map(|p| p.id).collect();
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = darkroom.page(after, 2).unwrap();
        assert_eq!(page.total, 5);
        paged.extend(page.pictures.iter().map(|p| p.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, all);
    assert!(matches!(darkroom.page(Some(vault::ObjectId([0; 16])), 2), Err(Error::NotFound { .. })));
    // Whoever was at a picture that is erased meanwhile is told so, and begins anew.
    darkroom.erase(&all[1..2]).unwrap();
    assert!(darkroom.page(Some(all[1]), 2).is_err());
}

#[test]
fn an_open_vault_does_not_spare_the_passphrase() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let wrong = Secret::passphrase("incorrect horse battery").unwrap();
    assert!(matches!(darkroom.unlock(&wrong), Err(Error::Vault(vault::Error::WrongSecret))));
    assert_eq!(home.count("vault.unlock_failed"), 1);
    assert!(darkroom.is_open(), "a wrong guess must not lock out who works");
    darkroom.unlock(&secret()).unwrap();
    assert_eq!(home.count("vault.unlocked"), 2);
}

#[test]
fn an_unlock_that_does_not_come_to_its_end_leaves_the_vault_locked() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    generate(&mut darkroom, 1, Mood::Works).unwrap();
    darkroom.lock().unwrap();
    crash_at(After::Reconciled, 1);
    darkroom.unlock(&secret()).unwrap_err();
    assert!(darkroom.has_vault() && !darkroom.is_open());
    darkroom.unlock(&secret()).unwrap();
    assert_eq!(darkroom.list().unwrap().len(), 1);
}

#[test]
fn a_lock_needs_nothing_from_the_disk() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let (vault, aside) = (home.0.join("vault"), home.0.join("aside"));
    std::fs::rename(&vault, &aside).unwrap();
    darkroom.lock().ok();
    assert!(darkroom.has_vault() && !darkroom.is_open());
    std::fs::rename(&aside, &vault).unwrap();
    darkroom.unlock(&secret()).unwrap();
}

#[test]
fn an_erased_picture_is_gone_from_list_disk_and_vault() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let made = generate(&mut darkroom, 2, Mood::Works).unwrap();
    let erasure = darkroom.erase(&[made[0].id]).unwrap();
    assert_eq!((erasure.erased, erasure.state.epoch), (1, 2));
    assert_eq!(darkroom.list().unwrap().len(), 1);
    assert!(matches!(darkroom.view(made[0].id), Err(Error::Vault(vault::Error::Erased(_)))));
    let files = std::fs::read_dir(home.0.join("outputs")).unwrap().count();
    assert_eq!(files, 1);
    let erased = home.records().into_iter().find(|(name, _)| name == "object.erased").unwrap().1;
    assert!(erased.contains(&made[0].pseudonym.to_string()) && erased.contains("vault_epoch=2"), "{erased}");
    // Erasing what was erased changes nothing and is no success.
    assert_eq!(darkroom.erase(&[made[0].id]).err().unwrap().trouble(), Trouble::NotFound);
    home.log_verifies();
}

#[test]
fn a_file_removed_by_hand_is_one_record_and_can_still_be_erased() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let id = generate(&mut darkroom, 2, Mood::Works).unwrap()[0].id;
    let name = darkroom.list().unwrap().iter().find(|p| p.id == id).unwrap().name.clone();
    darkroom.leave(audit::words::StopReason::Done).unwrap();
    std::fs::remove_file(home.0.join("outputs").join(format!("{name}.sealed"))).unwrap();
    for _ in 0..2 {
        drop(home.unlocked());
    }
    assert_eq!(home.count("object.missing"), 1);
    let mut darkroom = home.unlocked();
    assert_eq!(darkroom.list().unwrap().iter().filter(|p| p.missing).count(), 1);
    assert_eq!(darkroom.view(id).err().unwrap().trouble(), Trouble::Integrity);
    darkroom.erase(&[id]).unwrap();
    assert_eq!(darkroom.list().unwrap().len(), 1);
}

#[test]
fn a_wrong_passphrase_is_on_record_while_the_vault_is_locked() {
    let home = Home::new();
    drop(home.unlocked());
    let mut darkroom = home.open().unwrap();
    let wrong = Secret::passphrase("wrong horse battery").unwrap();
    assert_eq!(darkroom.unlock(&wrong).err().unwrap().trouble(), Trouble::Locked);
    assert!(!darkroom.is_open());
    assert_eq!(home.count("vault.unlock_failed"), 1);
    darkroom.unlock(&secret()).unwrap();
    home.log_verifies();
}

#[test]
fn an_open_vault_does_not_spare_the_proof_of_a_new_passphrase() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let (wrong, new) = ("wrong horse battery", "another horse battery");
    let (wrong, new) = (Secret::passphrase(wrong).unwrap(), Secret::passphrase(new).unwrap());
    assert_eq!(darkroom.change_secret(&wrong, &new).err().unwrap().trouble(), Trouble::Locked);
    assert_eq!(home.count("vault.unlock_failed"), 1);
    darkroom.change_secret(&secret(), &new).unwrap();
    assert_eq!(home.count("vault.secret_changed"), 1);
}

#[test]
fn the_recovery_code_sets_a_new_passphrase() {
    let home = Home::new();
    let mut darkroom = home.open().unwrap();
    let code = darkroom.create_vault(&secret()).unwrap();
    generate(&mut darkroom, 1, Mood::Works).unwrap();
    darkroom.leave(audit::words::StopReason::Done).unwrap();
    let mut darkroom = home.open().unwrap();
    let new = Secret::passphrase("a third horse battery").unwrap();
    darkroom.change_secret(&Secret::any(&code.text()).unwrap(), &new).unwrap();
    darkroom.leave(audit::words::StopReason::Done).unwrap();
    let mut darkroom = home.open().unwrap();
    assert!(darkroom.unlock(&secret()).is_err());
    darkroom.unlock(&new).unwrap();
    assert_eq!(darkroom.list().unwrap().len(), 1);
    assert!(home.records().iter().any(|(n, l)| n == "vault.secret_changed" && l.contains("by=recovery")));
}

#[test]
fn every_picture_carries_its_marks_and_no_other_text() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let made = generate(&mut darkroom, 1, Mood::Works).unwrap();
    for bytes in [darkroom.view(made[0].id).unwrap(), darkroom.view_preview(made[0].id).unwrap()] {
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

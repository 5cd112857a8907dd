//! A vault that is opened by a machine secret, and by no person.

use super::*;
use crate::{Kind, MachineUse, Role, Warning};
use zeroize::Zeroizing;

/// The machine secret of these tests.
pub fn machine() -> Secret {
    Secret::machine(Zeroizing::new((0..40).collect())).unwrap()
}

#[test]
fn it_opens_the_vault_for_nobody_and_a_person_signs_in_beside_it() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    let who = room.who;
    // What somebody signs in with would lie beside the vault.
    let long = "a rather long passphrase of one person";
    let [own, beside] =
        [Secret::passphrase(long), Secret::machine(Zeroizing::new(format!("{long}\r\n").into()))];
    let (own, beside) = (own.unwrap(), beside.unwrap());
    room.change_secret(&who, &secret(), &own).unwrap();
    assert_eq!(
        room.add_machine_secret(&who, &own, (&beside, MachineUse::Alone)).unwrap_err().kind(),
        Kind::WeakSecret
    );
    room.change_secret(&who, &own, &secret()).unwrap();
    assert_eq!(room.add_machine_secret(&who, &secret(), (&machine(), MachineUse::Alone)).unwrap(), 3);
    let again = room.add_machine_secret(&who, &secret(), (&machine(), MachineUse::Alone)).unwrap_err();
    assert_eq!(again.kind(), Kind::Conflict);
    assert!(!room.is_unattended());
    room.lock(Some(&who)).unwrap();
    // What a person types opens nothing without them.
    assert_eq!(room.unlock_unattended(&secret()).unwrap_err().kind(), Kind::WrongSecret);
    let sessions = home.count("session.opened");
    room.unlock_unattended(&machine()).unwrap();
    assert!(room.is_unattended() && room.warnings().contains(&Warning::Unattended));
    assert_eq!(home.count("session.opened"), sessions, "nobody came in");
    assert!(room.list(&who).is_err(), "who was in before the lock is not in now");
    room.retain_by_itself().unwrap();
    let who = room.unlock(&secret(), Door::Page).unwrap();
    assert_eq!(who.role(), Role::Admin);
    room.list(&who).unwrap();
    assert!(room.is_unattended(), "it goes on");
    assert_eq!(room.remove_machine_secret(&who, &secret()).unwrap(), 3);
    room.lock(Some(&who)).unwrap();
    assert!(!room.is_unattended());
    assert_eq!(room.unlock_unattended(&machine()).unwrap_err().kind(), Kind::WrongSecret);
    home.log_verifies();
}

const BOTH: MachineUse = MachineUse::WithPassphrases;

/// How many records of this type say this.
fn said(home: &Home, name: &str, text: &str) -> usize {
    home.records().iter().filter(|(n, line)| n == name && line.contains(text)).count()
}

/// A darkroom of a program that has been started with this machine secret.
fn started(home: &Home, half: Option<&Secret>) -> Darkroom {
    let mut darkroom = home.open().unwrap();
    half.into_iter().for_each(|half| darkroom.give_half(half));
    darkroom
}

#[test]
fn a_passphrase_that_goes_with_it_opens_nothing_alone_and_that_is_on_record() {
    let home = Home::in_memory();
    let mut room = home.unlocked();
    let who = room.who;
    assert_eq!(room.halves(), (0, 1));
    assert_eq!(room.add_machine_secret(&who, &secret(), (&machine(), BOTH)).unwrap(), 1);
    assert_eq!((room.halves(), said(&home, "slot.machine_half", "needed=true slot=1")), ((1, 0), 1));
    for opens in [BOTH, MachineUse::Alone] {
        let again = room.add_machine_secret(&who, &secret(), (&machine(), opens)).unwrap_err();
        assert_eq!(again.kind(), Kind::Conflict);
    }
    // The program that was told of it keeps it while the vault is locked.
    room.lock(Some(&who)).unwrap();
    let who = room.unlock(&secret(), Door::Page).unwrap();
    let code = room.replace_recovery(&who).unwrap();
    assert_eq!(home.count("slot.machine_half"), 1, "the recovery code goes with nothing");
    let new = Secret::passphrase("other words of hers").unwrap();
    room.change_secret(&who, &secret(), &new).unwrap();
    assert_eq!(said(&home, "slot.machine_half", "needed=true slot=1"), 2);
    drop(room);
    // Another program is told that it lacks it, whatever was typed, and that is a guess like any other.
    for (half, typed) in [
        (None, new),
        (None, secret()),
        (Some(Secret::machine(Zeroizing::new((9..80).collect())).unwrap()), secret()),
    ] {
        let failed = home.count("vault.unlock_failed");
        let error = started(&home, half.as_ref()).unlock(&typed, Door::Terminal).unwrap_err();
        assert_eq!((error.kind(), error.is_of_machine_half()), (Kind::WrongSecret, half.is_none()));
        assert_eq!(home.count("vault.unlock_failed"), failed + 1);
    }
    let mut darkroom = started(&home, None);
    assert_eq!(darkroom.unlock_unattended(&machine()).unwrap_err().kind(), Kind::WrongSecret);
    // Without it the recovery code sets one that opens alone, which is on record, and opens what it opened.
    let who = darkroom.unlock(&code.secret(), Door::Terminal).unwrap();
    darkroom.change_secret(&who, &code.secret(), &secret()).unwrap();
    assert_eq!(said(&home, "slot.machine_half", "needed=false slot=1"), 1);
    let who = darkroom.unlock(&secret(), Door::Terminal).unwrap();
    let error = darkroom.change_secret(&who, &secret(), &Secret::passphrase("more words of hers").unwrap());
    assert!(
        error.unwrap_err().is_of_machine_half(),
        "what is asked is not forgotten by changing it once more"
    );
    assert_eq!(darkroom.remove_machine_secret(&who, &secret()).unwrap(), 1);
    assert_eq!(darkroom.remove_machine_secret(&who, &secret()).unwrap_err().kind(), Kind::NotFound);
    drop(darkroom);
    started(&home, None).unlock(&secret(), Door::Terminal).unwrap();
    home.log_verifies();
}

#[test]
fn a_crash_in_the_middle_leaves_it_done_or_not_done_and_told() {
    let home = Home::new();
    let mut room = home.unlocked();
    let who = room.who;
    crash_at(After::Rolled, 1);
    room.add_machine_secret(&who, &secret(), (&machine(), BOTH)).unwrap_err();
    drop(room);
    let mut darkroom = started(&home, Some(&machine()));
    let who = darkroom.unlock(&secret(), Door::Terminal).unwrap();
    assert_eq!((said(&home, "slot.machine_half", "needed=true"), home.count("vault.secret_changed")), (1, 1));
    crash_at(After::Rolled, 1);
    darkroom.remove_machine_secret(&who, &secret()).unwrap_err();
    drop(darkroom);
    started(&home, None).unlock(&secret(), Door::Terminal).unwrap();
    assert_eq!(
        (said(&home, "slot.machine_half", "needed=false"), home.count("vault.secret_changed")),
        (1, 2)
    );
    home.log_verifies();
}

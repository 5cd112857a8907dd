//! A vault that is opened by a machine secret, and by no person.

use super::*;
use crate::{Kind, Role, Warning};
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
    assert_eq!(room.add_machine_secret(&who, &own, &beside).unwrap_err().kind(), Kind::WeakSecret);
    room.change_secret(&who, &own, &secret()).unwrap();
    assert_eq!(room.add_machine_secret(&who, &secret(), &machine()).unwrap(), 3);
    let again = room.add_machine_secret(&who, &secret(), &machine()).unwrap_err();
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

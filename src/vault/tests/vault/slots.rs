//! Who can open what.

use std::fs;

use vault::{
    Error, KdfParams, Locked, OsRandom, PersonName, Role, Secret, SlotId, SlotKind, Unlocked, Vault,
};

use super::{PASSPHRASE, Place, check_object, put, secret};

const FLOOR: KdfParams = KdfParams::FLOOR;

#[test]
fn the_recovery_code_opens_and_sets_a_new_passphrase() {
    let place = Place::new();
    let (mut vault, code) = place.create();
    let id = put(&mut vault, "a", 100);
    drop(vault);
    let typed = Secret::recovery(&code.text().to_lowercase()).expect("as typed");
    let mut vault = place.unlock_with(&typed).expect("opens");
    let rolled =
        vault.change_secret(&typed, &secret("a new passphrase"), FLOOR, &mut OsRandom).expect("changed");
    assert_eq!((rolled.slot, rolled.state.epoch), (SlotId(1), 2));
    drop(vault);
    assert!(matches!(place.unlock(), Err(Error::WrongSecret)), "the lost one opens nothing");
    check_object(&place.unlock_with(&secret("a new passphrase")).expect("opens"), id, 100);
    check_object(&place.unlock_with(&typed).expect("the code still opens"), id, 100);
}

#[test]
fn a_changed_passphrase_opens_no_older_copy_either() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let old = fs::read(place.state("vault")).expect("a copy");
    vault
        .change_secret(&secret(PASSPHRASE), &secret("a new passphrase"), FLOOR, &mut OsRandom)
        .expect("changed");
    drop(vault);
    for name in ["vault", "vault.mirror"] {
        fs::write(place.state(name), &old).expect("replayed");
    }
    assert!(matches!(place.unlock(), Err(Error::EpochKeyGone { epoch: 1 })));
}

#[test]
fn a_new_recovery_code_ends_the_old_one() {
    let place = Place::new();
    let (mut vault, old) = place.create();
    let (_, new) = vault.replace_recovery(FLOOR, &mut OsRandom).expect("replaced");
    drop(vault);
    assert!(matches!(place.unlock_with(&old.secret()), Err(Error::WrongSecret)));
    drop(place.unlock_with(&new.secret()).expect("opens"));
    drop(place.unlock().expect("the passphrase is as it was"));
}

#[test]
fn an_auditor_opens_no_object_and_wraps_no_master_key() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    put(&mut vault, "a", 100);
    let auditor = secret("an auditor's words");
    let slot = vault.add_slot(Role::Auditor, &auditor, FLOOR, &mut OsRandom).expect("added").slot;
    assert_eq!(vault.authenticate(&auditor).expect("known").role, Role::Auditor);
    let public = vault.public();
    drop(vault);
    let Ok(Unlocked::Auditor(view)) = Locked::open(place.paths()).expect("there").unlock(&auditor, |_| true)
    else {
        panic!("not an auditor's view")
    };
    assert_eq!(view.public(), &public);
    // The slot's role is bound into its seals: one that claims to be an operator's opens nothing.
    drop(view);
    let mut file = fs::read(place.state("vault")).expect("read");
    let at = 64 + 256 * public.slots.iter().position(|info| info.id == slot).expect("listed");
    assert_eq!(file[at + 1], Role::Auditor as u8);
    file.truncate(64 + 256 * public.slots.len() + 144); // without records there is no check to recompute
    for role in [Role::Operator, Role::Admin] {
        file[at + 1] = role as u8;
        fs::write(place.state("vault"), &file).expect("written");
        fs::write(place.state("vault.mirror"), &file).expect("written");
        let refused = place.unlock_with(&auditor).err();
        assert!(matches!(refused, Some(Error::WrongSecret)), "{refused:?}");
    }
}

#[test]
fn a_change_by_an_auditor_stays_an_auditor() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let (old, new) = (secret("an auditor's words"), secret("an auditor's new words"));
    vault.add_slot(Role::Auditor, &old, FLOOR, &mut OsRandom).expect("added");
    vault.change_secret(&old, &new, FLOOR, &mut OsRandom).expect("changed");
    assert_eq!(vault.authenticate(&new).expect("known").role, Role::Auditor);
    assert!(matches!(vault.authenticate(&old), Err(Error::WrongSecret)));
}

#[test]
fn a_passphrase_that_is_set_already_is_no_new_one() {
    let place = Place::new();
    let (mut vault, code) = place.create();
    let own = |name: &str| secret(PASSPHRASE).of(Some(PersonName::new(name).expect("a name")));
    let refuses = |vault: &mut Vault, proof: &Secret, same: &Secret| {
        let state = vault.state();
        let changed = vault.change_secret(proof, same, FLOOR, &mut OsRandom);
        assert!(matches!(changed, Err(Error::WeakSecret(why)) if why.contains("replaced")), "{changed:?}");
        assert_eq!(vault.state(), state, "nothing was changed");
    };
    refuses(&mut vault, &secret(PASSPHRASE), &secret(PASSPHRASE));
    refuses(&mut vault, &code.secret(), &secret(PASSPHRASE));
    let first = PersonName::new("First").expect("a name");
    vault.name_slot(&secret(PASSPHRASE), &first, Role::Admin, FLOOR, &mut OsRandom).expect("named");
    let second = secret("a second passphrase").of(Some(PersonName::new("Second").expect("a name")));
    vault.add_slot(Role::Auditor, &second, FLOOR, &mut OsRandom).expect("added");
    refuses(&mut vault, &own("First"), &secret(PASSPHRASE));
    refuses(&mut vault, &code.secret().of(Some(first)), &secret(PASSPHRASE));
    refuses(&mut vault, &second, &secret("a second passphrase"));
    // Somebody else's is none of theirs: where people have names nobody is told that it is in use.
    vault.change_secret(&second, &secret(PASSPHRASE), FLOOR, &mut OsRandom).expect("changed");
}

#[test]
fn slots_come_and_go_but_the_last_stays() {
    let place = Place::new();
    let (mut vault, code) = place.create();
    assert!(matches!(vault.remove_slot(SlotId(1), &mut OsRandom), Err(Error::LastSlot)));
    assert!(matches!(vault.remove_slot(SlotId(9), &mut OsRandom), Err(Error::UnknownSlot(_))));
    let second = secret("a second passphrase");
    let added = vault.add_slot(Role::Operator, &second, FLOOR, &mut OsRandom).expect("added");
    assert_eq!(added.slot, SlotId(3));
    let again = vault.add_slot(Role::Auditor, &second, FLOOR, &mut OsRandom);
    assert!(matches!(again, Err(Error::WeakSecret(_))), "two people with one passphrase");
    vault.remove_slot(SlotId(1), &mut OsRandom).expect("another one opens");
    drop(vault);
    assert!(matches!(place.unlock(), Err(Error::WrongSecret)));
    let vault = place.unlock_with(&second).expect("opens");
    let infos = vault.public().slots;
    assert_eq!(
        infos.iter().map(|i| (i.id.0, i.kind)).collect::<Vec<_>>(),
        [(2, SlotKind::Recovery), (3, SlotKind::Passphrase)]
    );
    drop(vault);
    drop(place.unlock_with(&code.secret()).expect("the recovery code is as it was"));
}

/// What belongs to a number outlives its slot; a successor must not inherit it.
#[test]
fn a_removed_slots_number_is_never_given_out_again() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let add = |vault: &mut Vault, number: u16| {
        let typed = secret(&format!("passphrase number {number}"));
        vault.add_slot(Role::Auditor, &typed, FLOOR, &mut OsRandom).expect("added").slot
    };
    assert_eq!(add(&mut vault, 3), SlotId(3));
    vault.remove_slot(SlotId(3), &mut OsRandom).expect("removed");
    drop(vault);
    let mut vault = place.unlock().expect("opens");
    assert_eq!(vault.mark(2), Some(&[0, 3][..]));
    assert_eq!([add(&mut vault, 4), add(&mut vault, 5)], [SlotId(4), SlotId(5)]);
    vault.remove_slot(SlotId(4), &mut OsRandom).expect("removed");
    vault.remove_slot(SlotId(5), &mut OsRandom).expect("removed");
    assert_eq!(vault.mark(2), Some(&[0, 5][..]));
    // A vault of before: nothing but the mark of a slot that was tells of it.
    vault.set_mark(16 + 9, b"salt", &mut OsRandom).expect("set");
    assert_eq!(add(&mut vault, 10), SlotId(10));
    assert!(matches!(vault.set_mark(2, b"", &mut OsRandom), Err(Error::Limit(_))));
    assert!(matches!(vault.remember(2, b""), Err(Error::Limit(_))));
}

#[test]
fn sixteen_slots_are_the_most() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    for number in 3..=16 {
        let typed = secret(&format!("passphrase number {number}"));
        // A passphrase is compared with all others: let auditors' slots be the many, so that the test stays short.
        vault.add_slot(Role::Auditor, &typed, FLOOR, &mut OsRandom).expect("added");
    }
    let more = vault.add_slot(Role::Operator, &secret("one too many..."), FLOOR, &mut OsRandom);
    assert!(matches!(more, Err(Error::SlotsFull)));
    drop(vault);
    drop(place.unlock().expect("opens"));
}

#[test]
fn weak_first_secrets_make_no_vault() {
    let place = Place::new();
    for weak in ["too short", "passwordpassword"] {
        let made = Vault::create(place.paths(), &secret(weak), Role::Admin, FLOOR, &mut OsRandom);
        assert!(matches!(made, Err(Error::WeakSecret(_))));
    }
    let auditor = Vault::create(place.paths(), &secret(PASSPHRASE), Role::Auditor, FLOOR, &mut OsRandom);
    assert!(matches!(auditor, Err(Error::Limit(_))));
    assert!(!place.paths().vault_exists());
}

#[test]
fn absurd_kdf_parameters_are_refused_before_any_memory_is_taken() {
    let place = Place::new();
    drop(place.create());
    let good = fs::read(place.state("vault")).expect("read");
    fs::remove_file(place.state("vault.mirror")).expect("removed");
    for (field, value) in [(0, u32::MAX), (0, 0), (0, 19 * 1024 - 1), (1, 0), (1, 65), (2, 0), (2, 1 << 24)] {
        let mut bad = good.clone();
        bad[64 + 4 + 4 * field..64 + 8 + 4 * field].copy_from_slice(&value.to_be_bytes());
        fs::write(place.state("vault"), &bad).expect("written");
        assert!(matches!(Locked::open(place.paths()), Err(Error::KdfOutOfRange)), "{field} {value}");
    }
    assert_eq!(KdfParams::DEFAULT.numbers(), [256 * 1024, 3, 4]);
}

/// The last number that has a mark can be given out, and nothing behind it: who came in there could be told from nobody.
#[test]
fn the_numbers_of_slots_end_where_their_marks_do() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    vault.set_mark(16 + 238, b"somebody was here", &mut OsRandom).expect("set");
    let last =
        vault.add_slot(Role::Operator, &secret("the last one's words"), FLOOR, &mut OsRandom).expect("added");
    assert_eq!(last.slot, SlotId(239));
    for removed in [false, true] {
        if removed {
            vault.remove_slot(last.slot, &mut OsRandom).expect("removed");
        }
        let state = vault.state();
        let more = vault.add_slot(Role::Operator, &secret("one too many of them"), FLOOR, &mut OsRandom);
        assert!(matches!(more, Err(Error::SlotNumbersSpent)), "{more:?}");
        assert_eq!(vault.state(), state, "nothing was changed");
    }
    // What the error advises.
    let new = secret("a new passphrase");
    vault.change_secret(&secret(PASSPHRASE), &new, FLOOR, &mut OsRandom).expect("changed");
    vault.replace_recovery(FLOOR, &mut OsRandom).expect("it has its number");
}

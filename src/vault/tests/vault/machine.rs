//! A machine secret: what it opens, what it survives, and what ends it.

use std::fs;

use vault::{
    Backup, Changes, Error, KdfParams, OsRandom, PersonName, Restoring, Role, Secret, SlotId, SlotKind, Vault,
};
use zeroize::Zeroizing;

use super::reader::{hex, read_bytes};
use super::{PASSPHRASE, Place, check_object, put, secret};

const FLOOR: KdfParams = KdfParams::FLOOR;
/// No text, and with what a program that reads text would take away at its ends.
const BYTES: &[u8] = b"\xef\xbb\xbf\0\xff32 bytes of a machine, or so\r\n";

fn machine(bytes: &[u8]) -> Secret {
    Secret::machine(Zeroizing::new(bytes.to_vec())).expect("usable bytes")
}

/// A vault with one, and its number.
fn with_machine(place: &Place) -> (Vault, vault::RecoveryCode, SlotId) {
    let (mut vault, code) = place.create();
    let rolled = vault.add_machine_slot(&machine(BYTES), FLOOR, &mut OsRandom).expect("added");
    assert_eq!(vault.machine_slot().map(|info| (info.id, info.role)), Some((rolled.slot, Role::Operator)));
    (vault, code, rolled.slot)
}

#[test]
fn it_opens_the_vault_byte_for_byte_and_through_every_roll() {
    let place = Place::new();
    let (mut vault, code, slot) = with_machine(&place);
    assert_eq!(slot, SlotId(3));
    let (id, doomed) = (put(&mut vault, "a", 700), put(&mut vault, "b", 7));
    vault.erase(&[doomed], 1, 1, &mut OsRandom).expect("erased");
    vault.change_secret(&secret(PASSPHRASE), &secret("a new passphrase"), FLOOR, &mut OsRandom).expect("set");
    // Whoever has lost theirs is told apart although there are three slots.
    vault.change_secret(&code.secret(), &secret(PASSPHRASE), FLOOR, &mut OsRandom).expect("set");
    let (_, code) = vault.replace_recovery(FLOOR, &mut OsRandom).expect("replaced");
    vault.set_mark(3, b"x", &mut OsRandom).expect("set");
    vault.set_mark(3, b"y", &mut OsRandom).expect("set");
    vault.compact(0, &mut OsRandom).expect("rolled");
    drop(vault);
    for typed in [machine(BYTES), secret(PASSPHRASE), code.secret()] {
        check_object(&place.unlock_with(&typed).expect("opens"), id, 700);
    }
    // Each byte counts, and what a person types is no machine secret, nor the other way round.
    for other in [&BYTES[..BYTES.len() - 1], &BYTES[3..], &[BYTES, b"\n"].concat()] {
        assert!(matches!(place.unlock_with(&machine(other)), Err(Error::WrongSecret)));
    }
    let text = "thirty-two characters and some more";
    let mut vault = place.unlock().expect("opens");
    vault.remove_slot(slot, &mut OsRandom).expect("removed");
    vault.add_machine_slot(&machine(text.as_bytes()), FLOOR, &mut OsRandom).expect("added");
    drop(vault);
    assert!(matches!(place.unlock_with(&secret(text)), Err(Error::WrongSecret)));
    drop(place.unlock_with(&machine(text.as_bytes())).expect("opens"));
    let long = [PASSPHRASE; 3].concat();
    assert!(matches!(place.unlock_with(&machine(long.as_bytes())), Err(Error::WrongSecret)));
}

#[test]
fn what_is_short_long_or_no_secret_is_refused_and_there_is_one_at_most() {
    let weak = |bytes: Vec<u8>| matches!(Secret::machine(Zeroizing::new(bytes)), Err(Error::WeakSecret(_)));
    let counted = |count: usize| (0..=u8::MAX).cycle().take(count).collect::<Vec<u8>>();
    assert!(weak(counted(31)) && !weak(counted(32)) && !weak(counted(4096)) && weak(counted(4097)));
    assert!(weak(vec![0; 32]) && weak(b"abcdefg".repeat(9)) && !weak(b"abcdefgh".repeat(4)));
    let drawn = [(); 2].map(|()| Secret::draw_machine(&mut OsRandom).expect("drawn"));
    assert!(drawn[0] != drawn[1] && !weak(drawn[0].to_vec()));
    let place = Place::new();
    let (mut vault, code, slot) = with_machine(&place);
    let state = vault.state();
    let refused = vault.add_machine_slot(&machine(&counted(40)), FLOOR, &mut OsRandom);
    assert!(matches!(refused, Err(Error::MachineSecretThere(there)) if there == slot), "{refused:?}");
    let changed = vault.change_secret(&machine(BYTES), &secret("a new passphrase"), FLOOR, &mut OsRandom);
    assert!(matches!(changed, Err(Error::WrongSecret)), "it is no proof of a person: {changed:?}");
    assert!(
        matches!(vault.remove_slot(SlotId(1), &mut OsRandom), Err(Error::LastSlot)),
        "nobody could sign in"
    );
    assert_eq!(vault.state(), state);
    vault.remove_slot(slot, &mut OsRandom).expect("removed");
    for person in [secret("somebody's passphrase"), code.secret()] {
        let refused = vault.add_machine_slot(&person, FLOOR, &mut OsRandom);
        assert!(matches!(refused, Err(Error::WeakSecret(_))), "{refused:?}");
    }
    let refused = vault.add_slot(Role::Operator, &machine(BYTES), FLOOR, &mut OsRandom);
    assert!(matches!(refused, Err(Error::WeakSecret(_))), "{refused:?}");
}

#[test]
fn one_that_was_removed_opens_no_older_copy_and_its_number_is_not_given_out_again() {
    let place = Place::new();
    let (mut vault, _, slot) = with_machine(&place);
    let id = put(&mut vault, "a", 9);
    let old = fs::read(place.state("vault")).expect("a copy");
    vault.remove_slot(slot, &mut OsRandom).expect("removed");
    let second = vault.add_machine_slot(&machine(BYTES), FLOOR, &mut OsRandom).expect("added").slot;
    assert_eq!((slot, second), (SlotId(3), SlotId(4)));
    vault.remove_slot(second, &mut OsRandom).expect("removed");
    drop(vault);
    assert!(matches!(place.unlock_with(&machine(BYTES)), Err(Error::WrongSecret)));
    let mut vault = place.unlock().expect("opens");
    check_object(&vault, id, 9);
    let next = vault.add_slot(Role::Operator, &secret("a second passphrase"), FLOOR, &mut OsRandom);
    assert_eq!(next.expect("added").slot, SlotId(5));
    drop(vault);
    for name in ["vault", "vault.mirror"] {
        fs::write(place.state(name), &old).expect("replayed");
    }
    assert!(matches!(place.unlock_with(&machine(BYTES)), Err(Error::EpochKeyGone { epoch: 2 })));
}

/// It is no person: nobody needs a name because of it, and it has none where everybody has one.
#[test]
fn it_is_none_of_the_people() {
    let place = Place::new();
    let (mut vault, code, slot) = with_machine(&place);
    let first = PersonName::new("First").expect("a name");
    vault.name_slot(&secret(PASSPHRASE), &first, Role::Admin, FLOOR, &mut OsRandom).expect("named");
    assert_eq!(vault.people().iter().map(|person| person.slot.0).collect::<Vec<_>>(), [1]);
    vault
        .change_secret(&code.secret(), &secret("a new passphrase"), FLOOR, &mut OsRandom)
        .expect("one person");
    vault.change_secret(&code.secret(), &secret(PASSPHRASE), FLOOR, &mut OsRandom).expect("one person");
    drop(vault);
    drop(place.unlock().expect("opens without a name"));
    let vault = place.unlock_with(&machine(BYTES)).expect("opens");
    assert_eq!(vault.authenticate(&machine(BYTES)).expect("known").id, slot);
    drop(place.unlock_with(&machine(BYTES).of(Some(first))).err()); // a name changes nothing about it
}

#[test]
fn a_backup_brings_it_back_unless_it_was_removed_since_and_a_destroyed_vault_opens_for_it_no_more() {
    let place = Place::new();
    let (mut vault, _, slot) = with_machine(&place);
    let id = put(&mut vault, "a", 9);
    let mut bytes = Vec::new();
    vault
        .snapshot([9; 16], 1)
        .expect("taken")
        .write(std::iter::empty(), &mut bytes, &mut OsRandom)
        .expect("written");
    let restored = |removed: &[SlotId], typed: Secret| {
        let (place, mut backup) = (Place::new(), Backup::open(&bytes[..], &typed)?);
        let restoring = Restoring::begin(place.paths(), backup.vault_id(), true)?;
        while let Some(file) = backup.next_file()? {
            if file.place == vault::Place::Object {
                restoring.put(&file)?;
            }
        }
        let changes = Changes { removed: removed.to_vec(), slot_highest: 3, ..Changes::default() };
        drop(restoring.commit(&backup, &changes, &mut OsRandom)?);
        Ok::<_, Error>(place)
    };
    let there = restored(&[], secret(PASSPHRASE)).expect("restored");
    check_object(&there.unlock_with(&machine(BYTES)).expect("opens"), id, 9);
    let gone = restored(&[slot], secret(PASSPHRASE)).expect("restored");
    assert!(matches!(gone.unlock_with(&machine(BYTES)), Err(Error::WrongSecret)));
    let mut vault_there = gone.unlock().expect("opens");
    let next = vault_there.add_machine_slot(&machine(BYTES), FLOOR, &mut OsRandom).expect("added").slot;
    assert_eq!(next, SlotId(4));
    assert!(matches!(restored(&[slot], machine(BYTES)), Err(Error::SlotRemoved)));
    let file = fs::read(place.state("vault")).expect("read");
    vault.destroy(&mut OsRandom).expect("destroyed");
    fs::write(place.state("vault"), file).expect("put back");
    assert!(matches!(place.unlock_with(&machine(BYTES)), Err(Error::EpochKeyGone { epoch: 2 })));
}

#[test]
fn python_opens_a_vault_with_it_and_knows_its_kind() {
    let place = Place::new();
    let (mut vault, ..) = with_machine(&place);
    put(&mut vault, "a", 9);
    let output = read_bytes(&place, BYTES);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains(&hex(&vault.state().root)) && text.contains("\"name\": \"a\""), "{text}");
    assert_eq!(read_bytes(&place, &BYTES[3..]).status.code(), Some(2));
    assert!(vault.public().slots.iter().any(|info| info.kind == SlotKind::Machine));
}

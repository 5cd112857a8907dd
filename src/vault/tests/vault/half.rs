//! A passphrase that opens the vault together with the machine secret alone.

use std::fs;

use vault::{
    Backup, Error, KdfParams, Locked, OsRandom, PersonName, Role, Secret, SlotId, SlotKind, Unlocked, Vault,
};
use zeroize::Zeroizing;

use super::reader::{hex, read_halves};
use super::{PASSPHRASE, Place, check_object, put, secret};

const FLOOR: KdfParams = KdfParams::FLOOR;
/// No text, with a line end, which counts.
const BYTES: &[u8] = b"\0\xff32 bytes that a machine keeps, say\r\n";
const SECOND: &str = "the second one's words";

fn machine(bytes: &[u8]) -> Secret {
    Secret::machine(Zeroizing::new(bytes.to_vec())).expect("usable bytes")
}

fn name(text: &str) -> PersonName {
    PersonName::new(text).expect("a name")
}

fn of(text: &str, person: &str) -> Secret {
    secret(text).of(Some(name(person)))
}

/// Opens the vault where this machine secret is at hand.
fn opened(place: &Place, half: Option<&[u8]>, typed: &Secret) -> Result<Vault, Error> {
    let mut locked = Locked::open(place.paths())?;
    half.into_iter().for_each(|bytes| locked.give_half(&machine(bytes)));
    match locked.unlock(typed, |_| true).map_err(|(_, error)| error)? {
        Unlocked::Vault(vault, _) => Ok(*vault),
        _ => unreachable!("nobody here is an auditor"),
    }
}

fn kinds(vault: &Vault) -> Vec<(u16, SlotKind)> {
    vault.slot_infos().map(|info| (info.id.0, info.kind)).collect()
}

#[test]
fn neither_half_opens_anything_and_the_recovery_code_does_alone() {
    let place = Place::new();
    let (mut vault, code) = place.create();
    let id = put(&mut vault, "a", 700);
    let alone = fs::read(place.state("vault")).expect("a copy");
    vault.ask_half(&secret(PASSPHRASE), &machine(BYTES), FLOOR, &mut OsRandom).expect("asked");
    assert_eq!(kinds(&vault), [(1, SlotKind::PassphraseAndMachine), (2, SlotKind::Recovery)]);
    check_object(&vault, id, 700);
    drop(vault);
    check_object(&opened(&place, Some(BYTES), &secret(PASSPHRASE)).expect("both"), id, 700);
    check_object(&opened(&place, None, &code.secret()).expect("the code alone"), id, 700);
    // Which half is wrong nobody is told, and each byte of the secret counts.
    for (half, typed) in [
        (BYTES, secret("another passphrase")),
        (&BYTES[..BYTES.len() - 1], secret(PASSPHRASE)),
        (&BYTES[1..], secret("another passphrase")),
        (BYTES, machine(BYTES)),
    ] {
        assert!(matches!(opened(&place, Some(half), &typed), Err(Error::WrongSecret)));
    }
    // The right passphrase and a wrong one without the secret are the same, and the secret alone is no slot's.
    for typed in [PASSPHRASE, "another passphrase"] {
        assert!(matches!(opened(&place, None, &secret(typed)), Err(Error::HalfNeeded)));
    }
    assert!(matches!(opened(&place, None, &machine(BYTES)), Err(Error::WrongSecret)));
    // What the passphrase opened alone opens no more.
    for name in ["vault", "vault.mirror"] {
        fs::write(place.state(name), &alone).expect("replayed");
    }
    let older = opened(&place, None, &secret(PASSPHRASE));
    assert!(matches!(older, Err(Error::EpochKeyGone { epoch: 1 })), "{older:?}");
}

#[test]
fn whoever_claims_another_kind_for_the_slot_opens_nothing() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    vault.ask_half(&secret(PASSPHRASE), &machine(BYTES), FLOOR, &mut OsRandom).expect("asked");
    drop(vault);
    let mut file = fs::read(place.state("vault")).expect("read");
    assert_eq!(file[64], 5);
    for (kind, typed) in [(1, secret(PASSPHRASE)), (3, machine(BYTES))] {
        file[64] = kind;
        file.truncate(64 + 2 * 256 + 144); // without records there is no check to recompute
        for name in ["vault", "vault.mirror"] {
            fs::write(place.state(name), &file).expect("written");
        }
        assert!(matches!(opened(&place, Some(BYTES), &typed), Err(Error::WrongSecret)), "{kind}");
    }
    file[64] = 6;
    fs::write(place.state("vault"), &file).expect("written");
    fs::write(place.state("vault.mirror"), &file).expect("written");
    let later = opened(&place, Some(BYTES), &secret(PASSPHRASE));
    assert!(matches!(later, Err(Error::Unsupported { what: "a key slot", format: 6 })), "{later:?}");
}

#[test]
fn every_passphrase_that_is_set_later_goes_with_it_until_it_is_taken_back() {
    let place = Place::new();
    let (mut vault, code) = place.create();
    let first = name("First");
    vault.name_slot(&secret(PASSPHRASE), &first, Role::Admin, FLOOR, &mut OsRandom).expect("named");
    vault.add_slot(Role::Operator, &of(SECOND, "Second"), FLOOR, &mut OsRandom).expect("added");
    vault.ask_half(&of(PASSPHRASE, "First"), &machine(BYTES), FLOOR, &mut OsRandom).expect("asked");
    vault.add_slot(Role::Operator, &of("a third one's words", "Third"), FLOOR, &mut OsRandom).expect("added");
    let both = SlotKind::PassphraseAndMachine;
    let people = [(1, both), (2, SlotKind::Recovery), (3, SlotKind::Passphrase), (4, both)];
    assert_eq!(kinds(&vault), people);
    vault.compact(0, &mut OsRandom).expect("rolled");
    drop(vault);
    // Who was there opens it alone, on a machine without the secret, and nobody new comes in there.
    let mut vault = opened(&place, None, &of(SECOND, "Second")).expect("alone");
    for (wrong, person) in
        [(SECOND, "First"), (PASSPHRASE, "First"), (PASSPHRASE, "Nobody"), (PASSPHRASE, "Second")]
    {
        assert!(matches!(vault.authenticate(&of(wrong, person)), Err(Error::HalfNeeded)), "{person}");
    }
    let state = vault.state();
    let new = "a newer one's words";
    let added = vault.add_slot(Role::Operator, &of(new, "Fourth"), FLOOR, &mut OsRandom);
    assert!(matches!(added, Err(Error::HalfAbsent)), "{added:?}");
    let set = vault.change_secret(&of(SECOND, "Second"), &secret(new), FLOOR, &mut OsRandom);
    assert!(matches!(set, Err(Error::HalfAbsent)), "{set:?}");
    drop(vault);
    // Nor with another secret: the two would not go together.
    let mut vault = opened(&place, Some(&BYTES[1..]), &of(SECOND, "Second")).expect("alone");
    for proof in [of(SECOND, "Second"), code.secret().of(Some(name("Second")))] {
        let set = vault.change_secret(&proof, &secret(new), FLOOR, &mut OsRandom);
        assert!(matches!(set, Err(Error::OtherHalf)), "{set:?}");
    }
    assert_eq!(vault.state(), state);
    drop(vault);
    let mut vault = opened(&place, Some(BYTES), &of(SECOND, "Second")).expect("opens");
    vault.change_secret(&of(SECOND, "Second"), &secret(new), FLOOR, &mut OsRandom).expect("set");
    drop(vault);
    assert!(matches!(opened(&place, None, &of(new, "Second")), Err(Error::HalfNeeded)));
    // The secret is lost: the recovery code sets a passphrase that opens alone, and what is asked is taken back.
    let mut vault = opened(&place, None, &code.secret()).expect("the code alone");
    let reset = code.secret().of(Some(first));
    vault.change_secret(&reset, &secret("found words of the first"), FLOOR, &mut OsRandom).expect("set");
    let found = of("found words of the first", "First");
    assert!(vault.asks_half() && vault.authenticate(&found).expect("known").kind == SlotKind::Passphrase);
    // One person after the other, since a second secret would leave out who goes with the first.
    vault.release_half(&found, FLOOR, &mut OsRandom).expect("taken back");
    assert!(matches!(vault.release_half(&found, FLOOR, &mut OsRandom), Err(Error::NoMachineSecret)));
    for refused in [
        vault.ask_half(&found, &machine(BYTES), FLOOR, &mut OsRandom),
        vault.add_machine_slot(&machine(BYTES), FLOOR, &mut OsRandom),
    ] {
        assert!(matches!(refused, Err(Error::HalfThere(SlotId(3)))), "{refused:?}");
    }
    let reset = code.secret().of(Some(name("Second")));
    vault.change_secret(&reset, &secret(SECOND), FLOOR, &mut OsRandom).expect("set");
    vault.remove_slot(SlotId(4), &mut OsRandom).expect("removed");
    vault.add_machine_slot(&machine(BYTES), FLOOR, &mut OsRandom).expect("nothing goes with one");
    let refused = vault.ask_half(&found, &machine(BYTES), FLOOR, &mut OsRandom);
    assert!(
        matches!(refused, Err(Error::MachineSecretThere(_))),
        "what opens it alone is no half: {refused:?}"
    );
}

#[test]
fn a_lost_secret_makes_way_for_one_that_opens_the_vault_alone() {
    let place = Place::new();
    let (mut vault, code) = place.create();
    vault.ask_half(&secret(PASSPHRASE), &machine(BYTES), FLOOR, &mut OsRandom).expect("asked");
    drop(vault);
    let mut vault = opened(&place, None, &code.secret()).expect("the code alone");
    vault.change_secret(&code.secret(), &secret(SECOND), FLOOR, &mut OsRandom).expect("set");
    vault.add_machine_slot(&machine(&BYTES[1..]), FLOOR, &mut OsRandom).expect("added");
    assert!(!vault.asks_half());
    vault
        .change_secret(&secret(SECOND), &secret(PASSPHRASE), FLOOR, &mut OsRandom)
        .expect("nothing goes with it");
}

#[test]
fn what_is_no_half_is_refused_and_the_vault_stays_as_it_was() {
    let place = Place::new();
    let (mut vault, code) = place.create();
    let state = vault.state();
    for proof in [secret("another passphrase"), code.secret()] {
        let refused = vault.ask_half(&proof, &machine(BYTES), FLOOR, &mut OsRandom);
        assert!(matches!(refused, Err(Error::WrongSecret)), "{refused:?}");
    }
    let typed = vault.ask_half(&secret(PASSPHRASE), &secret(SECOND), FLOOR, &mut OsRandom);
    assert!(matches!(typed, Err(Error::WeakSecret(_))), "{typed:?}");
    assert!(matches!(vault.set_mark(16, b"", &mut OsRandom), Err(Error::Limit(_))), "it is the vault's own");
    assert!(vault.state() == state && !vault.asks_half());
    vault.ask_half(&secret(PASSPHRASE), &machine(BYTES), FLOOR, &mut OsRandom).expect("asked");
    let last = vault.remove_slot(SlotId(1), &mut OsRandom);
    assert!(matches!(last, Err(Error::LastSlot)), "it is a person's all the same: {last:?}");
    assert_eq!(vault.people().iter().map(|person| person.slot.0).collect::<Vec<_>>(), [1]);
    // A first name changes nothing about what opens it.
    vault.name_slot(&secret(PASSPHRASE), &name("First"), Role::Admin, FLOOR, &mut OsRandom).expect("named");
    drop(vault);
    assert!(matches!(place.unlock(), Err(Error::HalfNeeded)));
    drop(opened(&place, Some(BYTES), &of(PASSPHRASE, "first")).expect("opens"));
}

#[test]
fn a_backup_asks_for_both_and_python_agrees() {
    let place = Place::new();
    let (mut vault, code) = place.create();
    put(&mut vault, "a", 9);
    vault.ask_half(&secret(PASSPHRASE), &machine(BYTES), FLOOR, &mut OsRandom).expect("asked");
    let mut bytes = Vec::new();
    let snapshot = vault.snapshot([9; 16], 1).expect("taken");
    snapshot.write(std::iter::empty(), &mut bytes, &mut OsRandom).expect("written");
    let open = |typed: Secret| Backup::open(&bytes[..], &typed).map(drop);
    open(secret(PASSPHRASE).beside(Some(&machine(BYTES)))).expect("both");
    open(code.secret()).expect("the code alone");
    assert!(matches!(open(secret(PASSPHRASE)), Err(Error::HalfNeeded)));
    let wrong = secret(PASSPHRASE).beside(Some(&machine(&BYTES[1..])));
    assert!(matches!(open(wrong), Err(Error::WrongSecret)));
    let root = hex(&vault.state().root);
    drop(vault);
    let read = |typed: &str, half: Option<&[u8]>| read_halves(&place, typed, half);
    let output = read(PASSPHRASE, Some(BYTES));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains(&root) && text.contains("\"name\": \"a\""), "{text}");
    for (typed, half) in [(PASSPHRASE, None), (PASSPHRASE, Some(&BYTES[1..])), (SECOND, Some(BYTES))] {
        assert_eq!(read(typed, half).status.code(), Some(2));
    }
    assert_eq!(read(&code.text(), None).status.code(), Some(0));
}

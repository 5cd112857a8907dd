//! Two people who open the vault together, and nobody alone.

use std::collections::BTreeSet;
use std::fs;

use vault::{
    Backup, Changes, Error, KdfParams, Locked, OsRandom, PersonName, RecoveryCode, Restoring, Role, Secret,
    SlotId, SlotKind, Unlocked, Vault,
};
use zeroize::Zeroizing;

use super::reader::{hex, read, read_both};
use super::{PASSPHRASE, Place, check_object, put, secret};

const FLOOR: KdfParams = KdfParams::FLOOR;
/// Slot 2 is that of the recovery code.
const FIRST: (&str, &str) = (PASSPHRASE, "First");
const SECOND: (&str, &str) = ("the second one's words", "Second");
const THIRD: (&str, &str) = ("a third one's words", "Third");
const AUDITOR: (&str, &str) = ("an auditor's words", "Auditor");
const ONE: SlotId = SlotId(1);
const TWO: SlotId = SlotId(3);
const THREE: SlotId = SlotId(4);

fn name(text: &str) -> PersonName {
    PersonName::new(text).expect("a name")
}

fn of((text, person): (&str, &str)) -> Secret {
    secret(text).of(Some(name(person)))
}

fn both(one: (&str, &str), other: (&str, &str)) -> Secret {
    of(one).together(Some(of(other)))
}

fn holders(slots: &[SlotId]) -> BTreeSet<SlotId> {
    slots.iter().copied().collect()
}

/// The recovery code that there is then; `None` where nobody holds it.
fn set(vault: &mut Vault, people: &[(&str, &str)]) -> Result<Option<RecoveryCode>, Error> {
    let typed: Vec<Secret> = people.iter().map(|person| of(*person)).collect();
    let typed: Vec<&Secret> = typed.iter().collect();
    vault.set_holders(ONE, &typed, FLOOR, &mut OsRandom).map(|(_, code)| code)
}

fn joint_of(vault: &Vault) -> Vec<u16> {
    let joint = vault.slot_infos().filter(|info| info.kind == SlotKind::Joint);
    joint.map(|info| info.id.0).collect()
}

/// A vault of three people who may open pictures, and an auditor.
fn of_three(place: &Place) -> (Vault, RecoveryCode) {
    let (mut vault, code) = place.create();
    vault.name_slot(&secret(PASSPHRASE), &name("First"), Role::Admin, FLOOR, &mut OsRandom).expect("named");
    for (role, who) in [(Role::Admin, SECOND), (Role::Operator, THIRD), (Role::Auditor, AUDITOR)] {
        vault.add_slot(role, &of(who), FLOOR, &mut OsRandom).expect("added");
    }
    (vault, code)
}

fn is_needed(opened: &Result<Vault, Error>) -> bool {
    matches!(opened, Err(Error::JointNeeded))
}

#[test]
fn any_two_of_three_open_it_nobody_does_alone_and_the_recovery_code_does() {
    let place = Place::new();
    let (mut vault, older) = of_three(&place);
    let id = put(&mut vault, "a", 700);
    let alone = fs::read(place.state("vault")).expect("a copy");
    let code = set(&mut vault, &[FIRST, SECOND, THIRD]).expect("set").expect("another one");
    assert_eq!((vault.holders(), joint_of(&vault)), (holders(&[ONE, TWO, THREE]), vec![0x103, 0x104, 0x304]));
    check_object(&vault, id, 700);
    let ended = vault.state().epoch - 1;
    // The next number is that of nobody yet, whatever those of joint slots are.
    assert_eq!(vault.free_slot().expect("one is free"), SlotId(6));
    drop(vault);
    for (one, other) in [(FIRST, SECOND), (SECOND, FIRST), (THIRD, FIRST), (SECOND, THIRD)] {
        check_object(&place.unlock_with(&both(one, other)).expect("both"), id, 700);
    }
    check_object(&place.unlock_with(&code.secret()).expect("the code alone"), id, 700);
    assert!(matches!(place.unlock_with(&older.secret()), Err(Error::WrongSecret)), "whoever has seen that");
    for alone in [FIRST, SECOND, THIRD] {
        assert!(is_needed(&place.unlock_with(&of(alone))), "{alone:?}");
        assert!(is_needed(&place.unlock_with(&both(alone, alone))), "twice the same: {alone:?}");
    }
    // Which of both is wrong nobody is told, and an auditor is no second one.
    let wrong = |person| ("not the words of anybody", person);
    for (one, other) in [
        (wrong("First"), SECOND),
        (FIRST, wrong("Second")),
        (wrong("First"), wrong("Second")),
        (FIRST, (SECOND.0, "Third")),
        (FIRST, wrong("Nobody")),
    ] {
        assert!(matches!(place.unlock_with(&both(one, other)), Err(Error::WrongSecret)), "{one:?} {other:?}");
    }
    assert!(is_needed(&place.unlock_with(&both(FIRST, AUDITOR))));
    // What a passphrase opened alone opens no more.
    for name in ["vault", "vault.mirror"] {
        fs::write(place.state(name), &alone).expect("replayed");
    }
    let older = place.unlock_with(&of(FIRST));
    assert!(matches!(older, Err(Error::EpochKeyGone { epoch }) if epoch == ended), "{older:?}");
}

/// Cryptographically, and not by a rule: a head that claims that nobody is needed beside leads to no key.
#[test]
fn whoever_takes_the_joint_slots_out_of_the_head_opens_nothing_alone() {
    let place = Place::new();
    let (mut vault, _) = of_three(&place);
    set(&mut vault, &[FIRST, SECOND]).expect("set");
    let count = vault.slot_infos().count();
    drop(vault);
    let file = fs::read(place.state("vault")).expect("read");
    let head = 64 + 256 * count;
    let joint = head - 256;
    assert_eq!(file[joint..joint + 4], [4, 1, 1, 3], "the last one is that of slots 1 and 3");
    let written = |bytes: &[u8]| {
        for name in ["vault", "vault.mirror"] {
            fs::write(place.state(name), bytes).expect("written");
        }
    };
    let mut without = [&file[..joint], &file[head..head + 144]].concat();
    without[57] -= 1;
    written(&without);
    let opened = place.unlock_with(&of(FIRST));
    assert!(matches!(opened, Err(Error::HeaderTampered)), "{opened:?}");
    // The joint slot said to be another kind, another one's, or of nobody.
    for (at, byte) in [(0, 3), (1, 3), (3, 4), (2, 0), (2, 3), (3, 2), (2, 9)] {
        let mut changed = file[..head + 144].to_vec();
        changed[joint + at] = byte;
        written(&changed);
        for typed in [of(FIRST), both(FIRST, SECOND), both(FIRST, THIRD)] {
            let opened = place.unlock_with(&typed);
            assert!(
                matches!(opened, Err(Error::HeaderTampered | Error::JointNeeded)),
                "{at} {byte}: {opened:?}"
            );
        }
    }
    // Two who are no two of those who hold it.
    written(&file);
    for (one, other) in [(FIRST, THIRD), (THIRD, SECOND)] {
        assert!(is_needed(&place.unlock_with(&both(one, other))), "{one:?} {other:?}");
    }
    place.unlock_with(&both(SECOND, FIRST)).expect("whole again");
}

#[test]
fn everybody_signs_in_alone_to_an_open_vault_and_an_auditor_to_a_shut_one() {
    let place = Place::new();
    let (mut vault, _) = of_three(&place);
    let code = set(&mut vault, &[FIRST, SECOND]).expect("set").expect("another one");
    for (who, slot) in [(FIRST, 1), (SECOND, 3), (THIRD, 4), (AUDITOR, 5)] {
        assert_eq!(vault.authenticate(&of(who)).expect("known").id, SlotId(slot));
    }
    assert_eq!(vault.authenticate(&code.secret()).expect("known").id, SlotId(2));
    let state = vault.state();
    drop(vault);
    let opened = Locked::open(place.paths()).expect("there").unlock(&of(AUDITOR), |_| true);
    let Ok(Unlocked::Auditor(view)) = opened else { panic!("{opened:?}") };
    assert_eq!((view.slot().id, view.public().state), (SlotId(5), state));
}

#[test]
fn passphrases_change_people_come_and_go_and_two_are_needed_all_the_same() {
    let place = Place::new();
    let (mut vault, _) = of_three(&place);
    let id = put(&mut vault, "a", 9);
    let code = set(&mut vault, &[FIRST, SECOND, THIRD]).expect("set").expect("another one");
    let newer = ("newer words of the second", "Second");
    vault.change_secret(&of(SECOND), &of(newer), FLOOR, &mut OsRandom).expect("set anew");
    let reset = code.secret().of(Some(name("Third")));
    let found = ("found words of the third", "Third");
    vault.change_secret(&reset, &of(found), FLOOR, &mut OsRandom).expect("reset");
    let fourth = ("a fourth one's words", "Fourth");
    vault.add_slot(Role::Admin, &of(fourth), FLOOR, &mut OsRandom).expect("added");
    vault.replace_recovery(FLOOR, &mut OsRandom).expect("another code");
    vault.rotate(&mut OsRandom).expect("rolled");
    vault.set_mark(3, b"1", &mut OsRandom).expect("set");
    vault.set_mark(3, b"2", &mut OsRandom).expect("set");
    vault.compact(0, &mut OsRandom).expect("rolled");
    drop(vault);
    for gone in [both(FIRST, SECOND), both(THIRD, FIRST)] {
        assert!(matches!(place.unlock_with(&gone), Err(Error::WrongSecret)));
    }
    assert!(is_needed(&place.unlock_with(&both(FIRST, fourth))), "who comes holds nothing");
    let mut vault = place.unlock_with(&both(newer, found)).expect("both");
    check_object(&vault, id, 9);
    // One of three may go, and then no other.
    vault.remove_slot(TWO, &mut OsRandom).expect("removed");
    assert_eq!(vault.holders(), holders(&[ONE, THREE]));
    for last in [ONE, THREE] {
        let refused = vault.remove_slot(last, &mut OsRandom);
        assert!(matches!(refused, Err(Error::JointLast)), "{refused:?}");
    }
    drop(vault);
    assert!(matches!(place.unlock_with(&both(FIRST, newer)), Err(Error::WrongSecret)));
    let mut vault = place.unlock_with(&both(FIRST, found)).expect("both");
    // Others hold it, and then nobody does: the numbers of joint slots were spent on nobody.
    set(&mut vault, &[FIRST, fourth]).expect("set");
    vault.remove_slot(THREE, &mut OsRandom).expect("removed");
    assert!(set(&mut vault, &[]).expect("ended").is_none(), "the code stays");
    assert_eq!((joint_of(&vault), vault.free_slot().expect("one is free")), (vec![], SlotId(7)));
    assert!(matches!(set(&mut vault, &[]), Err(Error::NotJoint)));
    drop(vault);
    check_object(&place.unlock_with(&of(FIRST)).expect("alone"), id, 9);
    // A second passphrase that nobody asks for is not looked at.
    place.unlock_with(&both(FIRST, ("not the words of anybody", "Nobody"))).expect("alone");
}

/// One of them alone would open it with what both have.
#[test]
fn two_with_one_passphrase_are_one() {
    let place = Place::new();
    let (mut vault, _) = of_three(&place);
    let twin = (FIRST.0, "Twin");
    vault.add_slot(Role::Operator, &of(twin), FLOOR, &mut OsRandom).expect("added");
    let state = vault.state();
    for people in [&[FIRST, twin][..], &[SECOND, FIRST, twin]] {
        let refused = set(&mut vault, people).map(drop);
        assert!(matches!(refused, Err(Error::WeakSecret(_))), "{refused:?}");
    }
    assert_eq!(vault.state(), state);
    set(&mut vault, &[SECOND, twin]).expect("set");
}

#[test]
fn who_cannot_hold_it_and_what_would_open_it_alone_are_refused() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    assert!(matches!(set(&mut vault, &[FIRST, SECOND]), Err(Error::Limit(_))), "nobody has a name");
    drop(vault);
    let place = Place::new();
    let (mut vault, code) = of_three(&place);
    let state = vault.state();
    for (people, wanted) in [
        (&[FIRST][..], "JointLast"),
        (&[], "NotJoint"),
        (&[FIRST, (PASSPHRASE, "Nobody")], "WrongSecret"),
        (&[FIRST, (PASSPHRASE, "Second")], "WrongSecret"),
        (&[FIRST, FIRST], "Limit"),
        (&[FIRST, AUDITOR], "Limit"),
    ] {
        let refused = set(&mut vault, people).map_err(|error| format!("{error:?}"));
        let refused = refused.err();
        assert!(refused.as_ref().is_some_and(|error| error.starts_with(wanted)), "{wanted}: {refused:?}");
    }
    let refused = vault.set_holders(ONE, &[&of(FIRST), &code.secret()], FLOOR, &mut OsRandom).map(drop);
    assert!(matches!(refused, Err(Error::Limit(_))), "{refused:?}");
    assert_eq!(vault.state(), state);
    let machine = Secret::machine(Zeroizing::new((0..32).collect())).expect("usable bytes");
    set(&mut vault, &[FIRST, SECOND]).expect("set");
    let refused = vault.add_machine_slot(&machine, FLOOR, &mut OsRandom);
    assert!(matches!(refused, Err(Error::JointThere)), "{refused:?}");
    set(&mut vault, &[]).expect("ended");
    vault.add_machine_slot(&machine, FLOOR, &mut OsRandom).expect("added");
    let refused = set(&mut vault, &[FIRST, SECOND]).map(drop);
    assert!(matches!(refused, Err(Error::MachineSecretThere(SlotId(6)))), "{refused:?}");
    vault.remove_slot(SlotId(6), &mut OsRandom).expect("removed");
    // Slots 1 to 5, and six more: with five people who hold it there would be 21.
    let people: Vec<_> =
        (7..13).map(|number| (format!("the words of {number}"), format!("Person {number}"))).collect();
    for (words, person) in &people {
        vault.add_slot(Role::Operator, &of((words, person)), FLOOR, &mut OsRandom).expect("added");
    }
    let [seventh, eighth] = [&people[0], &people[1]].map(|(words, person)| (&**words, &**person));
    let five = [FIRST, SECOND, THIRD, seventh, eighth];
    assert!(matches!(set(&mut vault, &five), Err(Error::Limit(_))), "too many");
    set(&mut vault, &five[..3]).expect("3 more are 14");
    assert_eq!(vault.slot_infos().count(), 14);
}

#[test]
fn a_passphrase_with_the_machine_secret_is_one_of_two_as_well() {
    let place = Place::new();
    let (mut vault, _) = of_three(&place);
    let machine = Secret::machine(Zeroizing::new((0..32).collect())).expect("usable bytes");
    vault.ask_half(&of(FIRST), &machine, FLOOR, &mut OsRandom).expect("asked");
    set(&mut vault, &[FIRST, SECOND]).expect("set");
    drop(vault);
    assert!(matches!(place.unlock_with(&both(FIRST, SECOND)), Err(Error::HalfNeeded)));
    let mut locked = Locked::open(place.paths()).expect("there");
    locked.give_half(&machine);
    let locked = match locked.unlock(&of(FIRST), |_| true) {
        Err((locked, Error::JointNeeded)) => locked,
        other => panic!("{other:?}"),
    };
    assert!(matches!(locked.unlock(&both(SECOND, FIRST), |_| true), Ok(Unlocked::Vault(..))));
}

#[test]
fn a_backup_takes_two_what_is_put_back_does_and_python_agrees() {
    let place = Place::new();
    let (mut vault, _) = of_three(&place);
    let id = put(&mut vault, "a", 9);
    let code = set(&mut vault, &[FIRST, SECOND, THIRD]).expect("set").expect("another one");
    let mut bytes = Vec::new();
    let snapshot = vault.snapshot([9; 16], 1).expect("taken");
    snapshot.write(std::iter::empty(), &mut bytes, &mut OsRandom).expect("written");
    let (vault_id, root) = (vault.vault_id(), hex(&vault.state().root));
    drop(vault);
    let open = |typed: &Secret| Backup::open(&bytes[..], typed);
    assert!(matches!(open(&of(FIRST)), Err(Error::JointNeeded)));
    assert!(matches!(open(&both(FIRST, (PASSPHRASE, "Second"))), Err(Error::WrongSecret)));
    open(&code.secret()).expect("the code alone");
    let opened = |output: &std::process::Output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains(&root) && text.contains(&id.to_string()), "{text}");
    };
    opened(&read_both(&place, FIRST, THIRD));
    opened(&read_both(&place, THIRD, FIRST));
    opened(&read(&place, (&code.text(), None), None));
    let alone = read(&place, (FIRST.0, Some(FIRST.1)), None);
    assert_eq!(alone.status.code(), Some(1), "{alone:?}");
    assert!(
        String::from_utf8_lossy(&alone.stderr).contains("two people open this vault together"),
        "{alone:?}"
    );
    assert_eq!(read_both(&place, FIRST, AUDITOR).status.code(), Some(1));
    assert_eq!(read_both(&place, FIRST, (PASSPHRASE, "Second")).status.code(), Some(2));
    // Put back, it opens as it did, and who was removed since opens nothing, nor lets anybody else.
    let restored = |typed: &Secret, removed: &[SlotId], place: &Place| {
        let mut backup = open(typed).expect("opens");
        let restoring = Restoring::begin(place.paths(), vault_id, false).expect("empty");
        while let Some(file) = backup.next_file().expect("whole") {
            if file.place == vault::Place::Object {
                restoring.put(&file).expect("written");
            }
        }
        let changes = Changes { removed: removed.to_vec(), ..Changes::default() };
        restoring.commit(&backup, &changes, &mut OsRandom).map(drop)
    };
    let again = Place::new();
    let refused = restored(&both(FIRST, SECOND), &[TWO], &again);
    assert!(matches!(refused, Err(Error::SlotRemoved)), "{refused:?}");
    restored(&both(FIRST, THIRD), &[TWO], &again).expect("put back");
    assert!(is_needed(&again.unlock_with(&of(FIRST))));
    assert!(matches!(again.unlock_with(&both(FIRST, SECOND)), Err(Error::WrongSecret)));
    let vault = again.unlock_with(&both(THIRD, FIRST)).expect("both");
    check_object(&vault, id, 9);
    assert_eq!(vault.holders(), holders(&[ONE, THREE]));
}

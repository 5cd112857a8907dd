//! A key that a roll could not wipe: said, on record, and wiped by whichever act comes when it can be.

use super::remember::Failing;
use super::*;
use crate::Warning;

type Act = fn(&mut Room, vault::ObjectId);

const ACTS: [(&str, Act); 6] = [
    ("look", |room, id| drop(room.darkroom.as_mut().unwrap().view(&room.who, id).unwrap())),
    ("page", |room, id| drop(room.darkroom.as_mut().unwrap().view_previews(&room.who, &[id]).unwrap())),
    ("export", |room, id| drop(room.darkroom.as_mut().unwrap().export_content(&room.who, id).unwrap())),
    ("check", |room, _| drop(room.darkroom.as_mut().unwrap().verify(&room.who).unwrap())),
    ("picture", |room, _| drop(generate(room, 1, Mood::Works).unwrap())),
    ("sign in", |room, _| assert!(room.unlock(&secret(), Door::Page).is_ok())),
];

/// Lets the n-th draw fail from now on, 0 for none; how often it was drawn.
fn draws(room: &mut Room, at: u32) -> Arc<AtomicU32> {
    let drawn = Arc::default();
    room.random = Box::new(Failing { at, drawn: Arc::clone(&drawn) });
    drawn
}

/// Three pictures, of which one is erased in order and one up to the wipe of its key, which a roll draws for last; and the
/// third one.
fn unfinished(home: &Home) -> (Room, vault::ObjectId) {
    let mut room = home.unlocked();
    let ids: Vec<_> = generate(&mut room, 3, Mood::Works).unwrap().iter().map(|p| p.id).collect();
    let who = room.who;
    let drawn = draws(&mut room, 0);
    room.erase(&who, &ids[..1]).unwrap();
    draws(&mut room, drawn.load(Ordering::Relaxed));
    let error = room.erase(&who, &ids[1..2]).err().unwrap();
    assert!(matches!(error, Error::Vault(vault::Error::Unfinished(_))), "{error}");
    draws(&mut room, 0);
    assert_eq!(room.warnings(), [Warning::OldKeyRemains]);
    assert_eq!((home.count("vault.key_remains"), home.count("object.erased")), (1, 1));
    (room, ids[2])
}

#[test]
fn every_act_is_the_next_chance_for_a_key_that_remains() {
    for (name, act) in ACTS {
        let home = Home::new();
        let (mut room, id) = unfinished(&home);
        // As long as it cannot be written everything goes on, and what is on record already is not said again.
        let (anchor, aside) = (home.0.join("vault/anchor"), home.0.join("aside"));
        std::fs::rename(&anchor, &aside).unwrap();
        std::fs::create_dir(&anchor).unwrap();
        for (_, act) in ACTS {
            act(&mut room, id);
        }
        assert_eq!(room.warnings(), [Warning::OldKeyRemains], "{name}");
        assert_eq!((home.count("vault.key_remains"), home.count("vault.key_wiped")), (1, 0), "{name}");
        std::fs::remove_dir(&anchor).unwrap();
        std::fs::rename(&aside, &anchor).unwrap();
        act(&mut room, id);
        assert_eq!(room.warnings(), [], "{name}");
        let counted =
            ["vault.key_wiped", "object.erased", "recovery.reconciled"].map(|name| home.count(name));
        assert_eq!(counted, [1, 2, 1], "{name}");
        home.log_verifies();
    }
}

#[test]
fn a_new_secret_is_not_called_set_while_the_old_key_remains() {
    let home = Home::new();
    let mut room = home.unlocked();
    let id = generate(&mut room, 1, Mood::Works).unwrap()[0].id;
    let (who, other) = (room.who, Secret::passphrase("another horse battery").unwrap());
    let drawn = draws(&mut room, 0);
    room.change_secret(&who, &secret(), &other).unwrap();
    draws(&mut room, drawn.load(Ordering::Relaxed));
    let failed = room.change_secret(&who, &other, &secret()).err().unwrap();
    assert!(matches!(failed, Error::Vault(vault::Error::Unfinished(_))), "{failed}");
    draws(&mut room, 0);
    assert_eq!(home.count("vault.secret_changed"), 1);
    room.view(&who, id).unwrap();
    assert_eq!((home.count("vault.secret_changed"), home.count("vault.key_wiped")), (2, 1));
}

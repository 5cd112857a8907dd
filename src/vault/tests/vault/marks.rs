//! Small sealed values of the caller's.

use vault::{Error, Notice, OsRandom};

use super::{Place, put};

#[test]
fn a_pending_mark_goes_with_the_next_record() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    let before = vault.state();
    vault.remember(1, b"first").expect("pending");
    vault.remember(1, b"last").expect("pending");
    vault.remember(3, b"other").expect("pending");
    assert_eq!((vault.state(), vault.mark(1)), (before, None), "nothing is written yet");
    let id = put(&mut vault, "a", 10);
    assert_eq!(vault.state().seq, before.seq + 1, "one record for all of it");
    assert_eq!([1, 3].map(|tag| vault.mark(tag)), [Some(&b"last"[..]), Some(b"other")]);
    vault.remember(1, b"dropped").expect("pending");
    vault.remember(1, b"last").expect("as it is");
    vault.remember(4, b"pending").expect("pending");
    vault.remember(5, b"pending").expect("pending");
    vault.set_mark(5, b"set", &mut OsRandom).expect("set");
    assert_eq!([1, 4, 5].map(|tag| vault.mark(tag).map(<[u8]>::len)), [Some(4), Some(7), Some(3)]);
    vault.remember(6, b"with the roll").expect("pending");
    vault.erase(&[id], 1, 1, &mut OsRandom).expect("erased");
    let seq = vault.state().seq;
    assert_eq!(vault.mark(6), Some(&b"with the roll"[..]));
    drop(vault);
    let mut vault = place.unlock().expect("opens");
    assert_eq!(vault.state().seq, seq);
    assert_eq!([1, 3, 6].map(|tag| vault.mark(tag).map(<[u8]>::len)), [Some(4), Some(5), Some(13)]);
    assert!(matches!(vault.remember(1, &[0; 257]), Err(Error::Limit(_))));
}

#[test]
fn superseded_marks_are_dropped_once_they_are_many() {
    let place = Place::new();
    let (mut vault, _) = place.create();
    put(&mut vault, "a", 10);
    vault.set_mark(9, b"kept", &mut OsRandom).expect("set");
    // The value that counts and five that do not are not enough.
    for number in 0..6_u32 {
        vault.set_mark(1, &number.to_be_bytes(), &mut OsRandom).expect("set");
    }
    assert_eq!(vault.compact(5, &mut OsRandom).expect("looked"), None);
    vault.set_mark(1, b"the last", &mut OsRandom).expect("set");
    vault.remember(7, b"pending").expect("pending");
    let state = vault.compact(5, &mut OsRandom).expect("rolled").expect("six are superseded");
    assert_eq!((state, state.epoch), (vault.state(), 2));
    assert!(state.seq < 5, "{state:?}");
    assert_eq!(
        [1, 7, 9].map(|tag| vault.mark(tag)),
        [Some(&b"the last"[..]), Some(b"pending"), Some(b"kept")]
    );
    assert_eq!(vault.compact(0, &mut OsRandom).expect("looked"), None);
    drop(vault);
    let vault = place.unlock().expect("opens");
    assert_eq!([1, 7, 9].map(|tag| vault.mark(tag).map(<[u8]>::len)), [Some(8), Some(7), Some(4)]);
    assert_eq!((vault.list().count(), vault.notices()), (1, Vec::<Notice>::new()));
}

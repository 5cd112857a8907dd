//! The end of a vault, disturbed at every effect: it opens whole, or nothing opens it and the next look ends it.

use super::{EIO, PASSPHRASE, Place, put};
use crate::disk::faults::{self, Fault};
use crate::{KdfParams, ObjectId, OsRandom, Role, Secret, Vault, finish_destruction};

#[test]
fn an_interrupted_destruction_is_before_or_after() {
    let source = Place::empty();
    let secret = Secret::passphrase(PASSPHRASE).expect("text");
    let (mut vault, _) =
        Vault::create(source.paths(), &secret, Role::Admin, KdfParams::FLOOR, &mut OsRandom).expect("made");
    let id = ObjectId::random(&mut OsRandom).expect("random");
    put(&mut vault, id, "doomed").expect("put");
    drop(vault);
    let files = source.files();
    for fault in [Fault::Kill, Fault::Torn, Fault::Errno(EIO)] {
        let (mut fired, mut outcomes) = (true, [0, 0]);
        for at in 1.. {
            if !fired {
                break;
            }
            let place = Place::with(&files);
            let vault = place.unlock().expect("opens");
            faults::arm(Some((at, fault)));
            let done = vault.destroy(&mut OsRandom);
            (fired, _) = faults::disarm();
            match finish_destruction(place.paths()).expect("looked") {
                Some(_) => {
                    outcomes[1] += 1;
                    assert!(!place.paths().vault_exists(), "{fault:?} at {at}");
                    assert!(place.unlock().is_err(), "{fault:?} at {at}");
                }
                None => {
                    outcomes[0] += 1;
                    assert!(done.is_err(), "{fault:?} at {at}: acknowledged, and the keys are there");
                    let vault = place.unlock().unwrap_or_else(|error| panic!("{fault:?} at {at}: {error}"));
                    assert!(vault.open_content(id).is_ok(), "{fault:?} at {at}");
                }
            }
        }
        // Half a cell is no key any more.
        assert!((outcomes[0] > 0 || fault == Fault::Torn) && outcomes[1] > 0, "{fault:?}: {outcomes:?}");
    }
}

//! A backup that is put back, disturbed at every effect: there is no vault, or the whole one, and what was erased is gone.

use super::{EIO, ENOSPC, PASSPHRASE, Place, put};
use crate::disk::faults::{self, Fault};
use crate::{Backup, Changes, Error, KdfParams, ObjectId, OsRandom, Restoring, Role, Secret, Vault};

fn restore(place: &Place, (bytes, secret): (&[u8], &Secret), changes: &Changes) -> Result<(), Error> {
    let mut backup = Backup::open(bytes, secret)?;
    let restoring = Restoring::begin(place.paths(), backup.vault_id(), true)?;
    while let Some(file) = backup.next_file()? {
        restoring.put(&file)?;
    }
    restoring.commit(&backup, changes, &mut OsRandom).map(drop)
}

#[test]
fn an_interrupted_restoration_leaves_no_vault_or_a_whole_one() {
    let source = Place::empty();
    let secret = Secret::passphrase(PASSPHRASE).expect("text");
    let (mut vault, _) =
        Vault::create(source.paths(), &secret, Role::Admin, KdfParams::FLOOR, &mut OsRandom).expect("made");
    let ids = [(); 2].map(|()| ObjectId::random(&mut OsRandom).expect("random"));
    put(&mut vault, ids[0], "doomed").expect("put");
    put(&mut vault, ids[1], "kept").expect("put");
    let mut bytes = Vec::new();
    let snapshot = vault.snapshot([1; 16], 1).expect("taken");
    snapshot.write(std::iter::empty(), &mut bytes, &mut OsRandom).expect("written");
    let changes = Changes { erased: vec![ids[0]], ..Changes::default() };
    for fault in [Fault::Kill, Fault::Torn, Fault::Errno(ENOSPC), Fault::Errno(EIO)] {
        let (mut refused, mut fired) = (0, true);
        for at in 1.. {
            if !fired {
                break;
            }
            let place = Place::empty();
            faults::arm(Some((at, fault)));
            let done = restore(&place, (&bytes, &secret), &changes);
            (fired, _) = faults::disarm();
            if done.is_err() {
                refused += 1;
                let whole = place.paths().vault_exists();
                assert!(!(whole && matches!(fault, Fault::Errno(_))), "{fault:?} at {at}: refused, but made");
                if !whole {
                    restore(&place, (&bytes, &secret), &changes)
                        .unwrap_or_else(|error| panic!("{fault:?} at {at}: {error}"));
                }
            }
            let vault = place.unlock().unwrap_or_else(|error| panic!("{fault:?} at {at}, {done:?}: {error}"));
            assert!(vault.open_content(ids[1]).is_ok(), "{fault:?} at {at}");
            assert!(matches!(vault.open_content(ids[0]), Err(Error::Erased(_))), "{fault:?} at {at}");
        }
        let steps = if fault == Fault::Torn { 4 } else { 16 };
        assert!(refused >= steps, "{fault:?}: only {refused} refused");
    }
}

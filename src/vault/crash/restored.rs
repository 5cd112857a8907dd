//! A backup that is put back, disturbed at every effect: there is no vault, or the whole one, and what was erased is gone.

use super::{PASSPHRASE, Place, check_making, put};
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
    let is_sound = |vault: &Vault| {
        vault.open_content(ids[1]).is_ok() && matches!(vault.open_content(ids[0]), Err(Error::Erased(_)))
    };
    check_making(|place| restore(place, (&bytes, &secret), &changes), [4, 16], is_sound);
}

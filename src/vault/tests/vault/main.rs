//! The vault as its callers use it, and as attackers and accidents treat it.

mod abuse;
mod backup;
mod destroy;
mod erase;
mod fixture;
mod full_disk;
mod half;
mod joint;
mod life;
mod machine;
mod marks;
mod outputs;
mod people;
mod pipes;
mod reader;
mod residue;
mod slots;
mod survey;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{fs, process};

use vault::{
    Error, KdfParams, Locked, NewObject, ObjectId, OsRandom, Paths, RecoveryCode, Role, Secret, Unlocked,
    Vault,
};

/// The passphrase of every vault that a test makes.
const PASSPHRASE: &str = "a test passphrase";

/// A folder of a test's own, removed at its end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("vault-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder under target");
        Self(path)
    }

    fn paths(&self) -> Paths {
        Paths { state: self.0.join("state"), outputs: self.0.join("outputs") }
    }

    fn state(&self, name: &str) -> PathBuf {
        self.paths().state.join(name)
    }

    fn sealed(&self, name: &str) -> PathBuf {
        self.paths().outputs.join(format!("{name}.sealed"))
    }

    fn create(&self) -> (Vault, RecoveryCode) {
        Vault::create(self.paths(), &secret(PASSPHRASE), Role::Admin, KdfParams::FLOOR, &mut OsRandom)
            .expect("a new vault")
    }

    fn unlock(&self) -> Result<Vault, Error> {
        self.unlock_with(&secret(PASSPHRASE))
    }

    fn unlock_with(&self, secret: &Secret) -> Result<Vault, Error> {
        match Locked::open(self.paths())?.unlock(secret, |_| true).map_err(|(_, error)| error)? {
            Unlocked::Vault(vault, _) => Ok(*vault),
            _ => unreachable!("no test unlocks with an auditor's passphrase here"),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn secret(text: &str) -> Secret {
    Secret::passphrase(text).expect("usable text")
}

/// Puts an object whose sections can be told from its name.
fn put(vault: &mut Vault, name: &str, bytes: usize) -> ObjectId {
    let id = ObjectId::random(&mut OsRandom).expect("random");
    let (preview, content) = (preview_of(name), content_of(name, bytes));
    let new = NewObject {
        salt: [7; 16],
        id,
        name,
        created_ms: 1_700_000_000_000,
        metadata: name.as_bytes(),
        preview: &preview,
        content: &content,
    };
    let receipt = vault.put(&new, &mut OsRandom).expect("put");
    assert_eq!((receipt.id, receipt.state), (id, vault.state()));
    id
}

fn preview_of(name: &str) -> Vec<u8> {
    format!("preview of {name}").into_bytes()
}

fn content_of(name: &str, bytes: usize) -> Vec<u8> {
    name.bytes().cycle().zip(0..bytes).map(|(byte, index)| byte ^ (index / 251) as u8).collect()
}

fn check_object(vault: &Vault, id: ObjectId, bytes: usize) {
    let entry = vault.get(id).expect("listed");
    assert_eq!(&vault.open_preview(id).expect("preview")[..], preview_of(&entry.name));
    assert_eq!(&vault.open_content(id).expect("content")[..], content_of(&entry.name, bytes));
    assert_eq!(&entry.metadata[..], entry.name.as_bytes());
}

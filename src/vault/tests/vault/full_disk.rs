//! A disk that is full to the last block, or out of inodes: a put fails cleanly, an erasure succeeds.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use vault::{Error, Grade, NewObject, Notice, ObjectId, OsRandom, Receipt, Vault};

use super::{Place, check_object, put};

/// A small tmpfs, unmounted at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts it, or says why that cannot be.
    fn mount(place: &Place, options: &str) -> Result<Self, String> {
        let at = place.0.clone();
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&at).output();
        let output = output.expect("mount (package mount) is needed");
        let why = || String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(Self(at)) } else { Err(why()) }
    }
}

/// Runs a test again where an ordinary user may mount: in namespaces of its own.
fn run_in_namespaces(test: &str, why: &str) {
    const INSIDE: &str = "VAULT_TEST_INSIDE";
    assert!(std::env::var_os(INSIDE).is_none(), "no tmpfs can be mounted in a user namespace: {why}");
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "--"])
        .arg(std::env::current_exe().expect("this test"))
        .args(["--exact", &format!("full_disk::{test}")])
        .env(INSIDE, "1")
        .output()
        .expect("unshare (package util-linux) is needed");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "this test fills a small disk of its own and has to mount one. Run it as root, or allow user namespaces \
         (on Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0).\nmount: {why}\nunshare: {said}"
    );
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_a_put_and_allows_an_erasure() {
    let place = Place::new();
    let disk = match SmallDisk::mount(&place, "size=6m") {
        Ok(disk) => disk,
        Err(why) => return run_in_namespaces("a_full_disk_refuses_a_put_and_allows_an_erasure", &why),
    };
    let (mut vault, _) = place.create();
    let ids: Vec<_> = (0..20).map(|n| put(&mut vault, &format!("n{n}"), 50_000)).collect();
    assert_eq!(vault.grade(), Grade::Volatile);
    fill(&disk.0.join("ballast"));
    let state = vault.state();
    assert!(matches!(put_more(&mut vault, &[1; 50_000]), Err(Error::DiskFull)));
    assert_eq!(vault.state(), state);
    assert!(!place.sealed(MORE).exists());
    // Records are smaller than objects: go on until the vault file itself cannot grow.
    let mut refused = false;
    for n in 0..200 {
        match vault.set_mark(1, &[n; 256], &mut OsRandom) {
            Ok(_) => {}
            Err(Error::DiskFull) => refused = true,
            Err(other) => panic!("{other:?}"),
        }
        if refused {
            break;
        }
    }
    assert!(refused, "the vault file never met the full disk");
    drop(vault);
    let mut vault = place.unlock().expect("opens on a full disk");
    let erasure = vault.erase(&ids[..1], 1, 1, &mut OsRandom).expect("the reserve is there for this");
    assert_eq!((erasure.erased, erasure.state.epoch), (1, 2));
    ids[1..].iter().for_each(|id| check_object(&vault, *id, 50_000));
    fill(&disk.0.join("ballast"));
    let erasure = vault.erase(&ids[1..2], 1, 1, &mut OsRandom).expect("and again");
    assert_eq!(erasure.erased, 1);
    drop(vault);
    fs::remove_file(disk.0.join("ballast")).expect("removed");
    let mut vault = place.unlock().expect("opens");
    vault.sweep().expect("swept");
    let report = vault.verify().expect("verifies");
    assert!(report.is_sound() && report.mirror_agrees && report.sound == 18, "{report:?}");
    assert_eq!(vault.notices(), []);
    put(&mut vault, MORE, 50_000);
    drop(vault);
    drop(disk);
}

#[test]
fn a_disk_without_inodes_refuses_a_put_and_allows_erasures() {
    let place = Place::new();
    let disk = match SmallDisk::mount(&place, "size=16m,nr_inodes=40") {
        Ok(disk) => disk,
        Err(why) => {
            return run_in_namespaces("a_disk_without_inodes_refuses_a_put_and_allows_erasures", &why);
        }
    };
    let (mut vault, _) = place.create();
    let ids: Vec<_> = (0..6).map(|n| put(&mut vault, &format!("n{n}"), 5_000)).collect();
    let ballast = disk.0.join("ballast");
    fs::create_dir(&ballast).expect("made");
    for (number, id) in ids[..5].iter().enumerate() {
        while fs::write(ballast.join(ObjectId::random(&mut OsRandom).expect("random").to_string()), "")
            .is_ok()
        {}
        if number % 2 == 1 {
            drop(vault);
            vault = place.unlock().expect("opens without an inode");
            assert_eq!(vault.notices(), [Notice::Unproven]);
        }
        assert!(matches!(put_more(&mut vault, b""), Err(Error::DiskFull)));
        let erasure = vault.erase(&[*id], 1, 1, &mut OsRandom).expect("the reserve is there for this");
        assert_eq!((erasure.erased, erasure.cleanup_pending, vault.notices()), (1, false, vec![]));
        check_object(&vault, ids[5], 5_000);
    }
    drop(vault);
    fs::remove_dir_all(&ballast).expect("removed");
    let mut vault = place.unlock().expect("opens");
    assert_eq!(vault.notices(), []);
    put(&mut vault, MORE, 5_000);
    drop(vault);
    drop(disk);
}

/// What does not fit, until there is room.
const MORE: &str = "more";

fn put_more(vault: &mut Vault, content: &[u8]) -> Result<Receipt, Error> {
    let new = NewObject {
        salt: [7; 16],
        id: ObjectId::random(&mut OsRandom).expect("random"),
        name: MORE,
        created_ms: 1,
        metadata: b"",
        preview: b"",
        content,
    };
    vault.put(&new, &mut OsRandom)
}

/// Writes until nothing fits.
fn fill(path: &std::path::Path) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("opens");
    for block in [64 * 1024, 4096, 512, 1] {
        while file.write_all(&vec![7; block]).is_ok() {}
    }
}

//! What is left on the raw medium after an erasure, and whether the grade says so. Needs root, loop devices and
//! mkfs.ext4, so these run only when asked for: `cargo test --release -p vault --test vault -- --ignored residue`

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use vault::{Grade, OsRandom};

use super::{Place, check_object, put};

/// An ext4 image with a vault on it.
struct Image {
    place: Place,
    image: PathBuf,
    outside: Place,
}

impl Image {
    fn mount(mkfs: &[&str], options: &str) -> Self {
        let (place, outside) = (Place::new(), Place::new());
        let image = outside.0.join("image");
        fs::File::create(&image).and_then(|file| file.set_len(64 << 20)).expect("a sparse image");
        must(Command::new("mkfs.ext4").args(["-q", "-F"]).args(mkfs).arg(&image));
        must(Command::new("mount").args(["-o", &format!("loop,{options}")]).arg(&image).arg(&place.0));
        Self { place, image, outside }
    }

    /// Unmounts and counts where the bytes lie on the raw medium.
    fn count(&self, needle: &[u8]) -> usize {
        must(Command::new("umount").arg(&self.place.0));
        let raw = fs::read(&self.image).expect("the raw medium");
        raw.windows(needle.len()).filter(|window| *window == needle).count()
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.place.0).output();
        let _ = fs::remove_dir_all(&self.outside.0);
    }
}

fn must(command: &mut Command) {
    let output =
        command.output().expect("mkfs.ext4, mount and umount (packages e2fsprogs, mount) are needed");
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} (needs root and loop devices): {why}");
}

/// Puts two objects, erases one; returns the epoch key that was live before.
fn erase_on(image: &Image) -> (Vec<u8>, Grade) {
    let (mut vault, _) = image.place.create();
    let (doomed, kept) = (put(&mut vault, "doomed", 50_000), put(&mut vault, "kept", 50_000));
    let old_key = fs::read(image.place.state("anchor")).expect("read")[2048 + 8..2048 + 40].to_vec();
    let erasure = vault.erase(&[doomed], 1, 1, &mut OsRandom).expect("erased");
    check_object(&vault, kept, 50_000);
    (old_key, erasure.grade)
}

#[test]
#[ignore = "needs root, loop devices and mkfs.ext4"]
fn ext4_keeps_no_copy_of_an_old_epoch_key_and_is_graded_b() {
    let image = Image::mount(&[], "defaults");
    let (old_key, grade) = erase_on(&image);
    assert_eq!((grade, image.count(&old_key)), (Grade::InPlace, 0));
}

#[test]
#[ignore = "needs root, loop devices and mkfs.ext4"]
fn ext4_with_inline_data_keeps_none_either() {
    let image = Image::mount(&["-O", "inline_data", "-I", "1024"], "defaults");
    let (old_key, grade) = erase_on(&image);
    assert_eq!((grade, image.count(&old_key)), (Grade::InPlace, 0));
}

/// The control: where the journal keeps data, the search finds the key, and the grade says C.
#[test]
#[ignore = "needs root, loop devices and mkfs.ext4"]
fn ext4_with_data_journal_keeps_copies_and_is_graded_c() {
    let image = Image::mount(&[], "data=journal");
    let (old_key, grade) = erase_on(&image);
    assert!(matches!(grade, Grade::KeepsHistory(_)), "{grade:?}");
    assert!(image.count(&old_key) > 0, "the search would not have found a key");
}

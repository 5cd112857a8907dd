//! What the kernel and the files of the host say, read and never written.

use super::finding::Asked;
use crate::paths::open_regular;
use rustix::fs::{OFlags, major, minor};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Most bytes of a file that are read.
const TEXT_BYTES_MAX: u64 = 4 << 20;
/// Block devices may stand on each other so deep.
const LAYERS_MAX: usize = 16;

/// The machine.
pub struct Host {
    /// `/`, but in tests.
    root: PathBuf,
}

impl Host {
    /// This machine.
    pub fn this() -> Self {
        Self { root: PathBuf::from("/") }
    }

    /// Where something of the machine lies.
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The text of a file, without white space around it; `None` if it is not there.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn text(&self, path: &str) -> Asked<Option<String>> {
        let failed = |error: std::io::Error| format!("{path} cannot be read: {error}");
        let file = match open_regular(&self.at(path), OFlags::empty()) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            opened => opened.map_err(failed)?,
        };
        let mut bytes = Vec::new();
        file.take(TEXT_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
        Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned()))
    }

    /// The text of a file that should be there.
    ///
    /// # Errors
    /// It is not, or cannot be read.
    pub fn said(&self, path: &str) -> Asked<String> {
        self.text(path)?.ok_or_else(|| format!("{path} is not there"))
    }

    /// Whether there is something of that name.
    pub fn has(&self, path: &str) -> bool {
        self.at(path).symlink_metadata().is_ok()
    }

    /// The names in a folder; none if it is not there.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn names(&self, folder: &str) -> Asked<Vec<String>> {
        let failed = |error: std::io::Error| format!("{folder} cannot be read: {error}");
        match self.at(folder).read_dir() {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(failed(error)),
            Ok(entries) => entries
                .map(|entry| Ok(entry.map_err(failed)?.file_name().to_string_lossy().into_owned()))
                .collect(),
        }
    }

    /// Whether what is written to this block device (`sda2`) reaches the disk encrypted.
    ///
    /// # Errors
    /// The kernel does not tell of it.
    pub fn is_encrypted(&self, device: &str) -> Asked<bool> {
        self.is_encrypted_below(device, LAYERS_MAX)
    }

    fn is_encrypted_below(&self, device: &str, layers: usize) -> Asked<bool> {
        let folder = format!("/sys/class/block/{device}");
        if layers == 0 || !self.has(&folder) {
            return Err(format!("the kernel does not tell what is below {device}"));
        }
        let uuid = self.text(&format!("{folder}/dm/uuid"))?.unwrap_or_default();
        // These two check what is read, and hide nothing.
        let hides = |kind: &str| !kind.starts_with("VERITY") && !kind.starts_with("INTEGRITY");
        if uuid.strip_prefix("CRYPT-").is_some_and(hides) {
            return Ok(true);
        }
        let below = self.names(&format!("{folder}/slaves"))?;
        for device in &below {
            if !self.is_encrypted_below(device, layers - 1)? {
                return Ok(false);
            }
        }
        Ok(!below.is_empty())
    }

    /// The name of the block device with this number (`8:2`).
    ///
    /// # Errors
    /// There is none: the file system has a number of its own.
    pub fn device(&self, number: &str) -> Asked<String> {
        let link = self.at(&format!("/sys/dev/block/{number}"));
        let target = link.read_link().ok();
        let name =
            target.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        name.ok_or_else(|| format!("no block device has the number {number}"))
    }

    /// The number of the device that a file lies on.
    ///
    /// # Errors
    /// The file cannot be looked at.
    pub fn device_below(&self, path: &str) -> Asked<String> {
        let found =
            self.at(path).metadata().map_err(|error| format!("{path} cannot be looked at: {error}"))?;
        Ok(format!("{}:{}", major(found.dev()), minor(found.dev())))
    }
}

/// A machine of a test's making, removed at its end.
#[cfg(test)]
pub struct Made {
    /// The machine.
    pub host: Host,
}

#[cfg(test)]
impl Made {
    /// With these files.
    pub fn with(files: &[(&str, &str)]) -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("lightproof-doctor-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let made = Self { host: Host { root: std::env::temp_dir().join(name) } };
        std::fs::create_dir_all(&made.host.root).unwrap();
        for (path, text) in files {
            let path = made.host.at(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        made
    }
}

#[cfg(test)]
impl Drop for Made {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.host.root);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_encrypted_if_all_that_is_below_it_is() {
        let made = Made::with(&[
            ("/sys/class/block/sda2/size", "1"),
            ("/sys/class/block/dm-0/dm/uuid", "CRYPT-LUKS2-0123-name\n"),
            ("/sys/class/block/dm-1/dm/uuid", "LVM-abc\n"),
            ("/sys/class/block/dm-1/slaves/dm-0", ""),
            ("/sys/class/block/dm-2/dm/uuid", "LVM-def\n"),
            ("/sys/class/block/dm-2/slaves/dm-0", ""),
            ("/sys/class/block/dm-2/slaves/sda2", ""),
            ("/sys/class/block/dm-3/dm/uuid", "CRYPT-VERITY-0123-name\n"),
            ("/sys/class/block/dm-3/slaves/sda2", ""),
            ("/sys/class/block/dm-4/slaves/gone", ""),
        ]);
        for (device, encrypted) in
            [("sda2", Some(false)), ("dm-0", Some(true)), ("dm-1", Some(true)), ("dm-2", Some(false))]
        {
            assert_eq!(made.host.is_encrypted(device).ok(), encrypted, "{device}");
        }
        assert_eq!(made.host.is_encrypted("dm-3").ok(), Some(false), "it only checks what is read");
        assert_eq!(made.host.is_encrypted("dm-4").ok(), None, "what is not told is not fine");
    }

    #[test]
    fn what_is_absent_is_told_from_what_cannot_be_read() {
        let made = Made::with(&[("/etc/a", " text \n")]);
        assert_eq!(made.host.text("/etc/a"), Ok(Some("text".to_owned())));
        assert_eq!(made.host.text("/etc/b"), Ok(None));
        assert!(made.host.text("/etc").is_err_and(|why| why.contains("cannot be read")));
        assert!(made.host.said("/etc/b").is_err_and(|why| why.contains("is not there")));
    }
}

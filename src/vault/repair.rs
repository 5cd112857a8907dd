//! Bringing the files of the state folder in order: at opening, and before the first write.
//!
//! What a start reads may lie in the kernel's memory only: a sync that failed earlier has left it there, and no reading
//! and no second sync can tell. So an opening writes the copy that it accepts anew, byte for byte, before anything relies
//! on it, and overwrites every key but the newest in the anchor, whatever seems to lie there.

use std::io;

use crate::anchor::Anchor;
use crate::disk::{self, Folder, Replace, is_full};
use crate::format::ObjectId;
use crate::home::{DAMAGED, MAIN, MIRROR, MIRROR_NEW, NEW, RESERVE, TORN, TORN_NEW};
use crate::object::PART_SUFFIX;
use crate::vault::Vault;
use crate::{Error, OsRandom};

impl Vault {
    /// Wipes the key of another epoch that [`crate::Notice::OldKeyRemains`] tells of: an erasure is worth nothing while
    /// it lies there. `true`: it had remained and is wiped now. `false`: there was none. To be called at every act.
    ///
    /// # Errors
    /// [`Error::OldKeyRemains`]: it remains, and why. [`Error::Poisoned`]: whether it is still needed is not known.
    pub fn wipe_old_key(&mut self) -> Result<bool, Error> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        if !self.old_key_remains {
            return Ok(false);
        }
        if self.unproven {
            let bytes = self.home.read(self.name)?;
            self.prove(&bytes, true).map_err(Error::OldKeyRemains)?;
        }
        self.anchor().settle(self.header.epoch, &mut OsRandom).map_err(Error::OldKeyRemains)?;
        self.old_key_remains = false;
        Ok(true)
    }

    /// What an opening does before anything relies on what it read: `bytes`, the accepted copy.
    pub(crate) fn begin(&mut self, bytes: &[u8], copies_agree: bool) {
        self.remove_parts();
        let wiped = self.anchor().is_wiped(self.header.epoch + 1).unwrap_or(false);
        // An interrupted roll must come to its end: that is what the reserve is for.
        self.unproven = self.prove(bytes, !wiped).is_err();
        self.open_files(copies_agree);
        // A roll wipes the old key once its file is durable. If that is not known the old key may still be needed, unless
        // the wipe has begun.
        let settled = || self.anchor().settle(self.header.epoch, &mut OsRandom).is_ok();
        self.old_key_remains = self.unproven && !wiped || !settled();
    }

    /// Writes the copy in use anew, durably; when asked, out of the reserve.
    pub(crate) fn prove(&mut self, bytes: &[u8], spend_reserve: bool) -> io::Result<()> {
        match self.home.renew(self.name, bytes) {
            Err(error) if spend_reserve && is_full(&error) => {
                self.spend_reserve(bytes).map_err(|_| error)?;
                self.home.state.publish(NEW, self.name, Replace::Yes)?;
            }
            result => result?,
        }
        self.unproven = false;
        self.file = open_copy(&self.home.state, self.name);
        Ok(())
    }

    /// Makes `bytes` durable as the vault file to be, on a full disk in the place of the reserve.
    pub(crate) fn prepare_new(&mut self, bytes: &[u8]) -> io::Result<()> {
        let prepared = match self.home.state.prepare(NEW, bytes) {
            Err(error) if is_full(&error) => self.spend_reserve(bytes).map_err(|_| error),
            result => result,
        };
        prepared.inspect_err(|_| drop(self.home.drop_new()))
    }

    fn spend_reserve(&mut self, bytes: &[u8]) -> io::Result<()> {
        let spent = self.home.state.prepare_in(RESERVE, NEW, bytes);
        self.reserve_bytes = self.home.state.bytes(RESERVE);
        spent
    }

    /// Brings both copies into order before the first append: heals the vault file from the mirror, keeps and cuts off a
    /// torn tail, renews the mirror.
    pub(crate) fn repair(&mut self) -> Result<(), Error> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        let doing = || Error::io("repairing the vault file");
        let clean = self.name == MAIN && self.chain.tail_bytes == 0;
        if clean && self.mirror.is_some() && !self.unproven {
            return Ok(());
        }
        let mut bytes = self.home.read(self.name)?;
        if self.unproven {
            self.prove(&bytes, false).map_err(doing())?;
        }
        let tail = bytes.split_off((self.chain.end as usize).min(bytes.len()));
        if self.name == MIRROR {
            self.heal(&bytes, false).map_err(doing())?;
        } else if !tail.is_empty() {
            let _ = self.home.state.write(TORN_NEW, TORN, &tail); // evidence; a full disk must not stop the work
            let Some(file) = &self.file else { return Err(Error::Poisoned) };
            if let Err(error) = disk::truncate(file, &self.path(), self.chain.end) {
                self.poisoned = true;
                return Err(doing()(error));
            }
        }
        self.chain.tail_bytes = 0;
        if self.mirror.is_none() || !tail.is_empty() {
            self.renew_mirror(&bytes);
        }
        Ok(())
    }

    /// Puts the mirror in the place of the damaged vault file, which is kept unless the disk is full.
    fn heal(&mut self, bytes: &[u8], spend_reserve: bool) -> io::Result<()> {
        match self.home.state.prepare(NEW, bytes) {
            // From here to the next rename there is the mirror alone, durably.
            Ok(()) => drop(self.home.state.rename(MAIN, DAMAGED)),
            Err(error) if spend_reserve && is_full(&error) => self.spend_reserve(bytes).map_err(|_| error)?,
            Err(error) => return Err(error),
        }
        self.home.state.publish(NEW, MAIN, Replace::Yes)?;
        self.name = MAIN;
        self.open_files(false);
        Ok(())
    }

    /// Before a roll: from its first step on a mirror of the old epoch could not stand in any more.
    pub(crate) fn heal_for_roll(&mut self) -> Result<(), Error> {
        if self.name == MAIN {
            return Ok(());
        }
        let mut bytes = self.home.read(MIRROR)?;
        bytes.truncate(self.chain.end as usize);
        self.heal(&bytes, true).map_err(Error::io("repairing the vault file"))?;
        self.chain.tail_bytes = 0;
        self.fill_reserve();
        Ok(())
    }

    /// Best effort: a vault works without a mirror, and says so.
    pub(crate) fn renew_mirror(&mut self, bytes: &[u8]) {
        let renewed = self.home.renew(MIRROR, bytes);
        self.mirror = renewed.and_then(|()| self.home.state.file(MIRROR, true)).ok();
    }

    /// Best effort: half again of what a roll needs now, or just that, unless what is set aside is enough.
    pub(crate) fn fill_reserve(&mut self) {
        let needed = self.chain.end + (64 << 10);
        if self.reserve_bytes >= needed {
            return;
        }
        let plenty = self.chain.end + self.chain.end / 2 + (256 << 10);
        // Where neither fits, what was set aside before stays.
        let _ = [plenty, needed].iter().any(|bytes| self.home.state.reserve(RESERVE, *bytes).is_ok());
        self.reserve_bytes = self.home.state.bytes(RESERVE);
    }

    /// Opens the copy in use and, if it is one, the mirror.
    pub(crate) fn open_files(&mut self, copies_agree: bool) {
        self.file = open_copy(&self.home.state, self.name);
        self.mirror = if copies_agree { self.home.state.file(MIRROR, true).ok() } else { None };
    }

    pub(crate) fn anchor(&self) -> Anchor<'_> {
        self.home.anchor()
    }

    /// Best effort: what a crash left half-written is noise.
    fn remove_parts(&mut self) {
        let state = &self.home.state;
        let _ = self.home.drop_new();
        for name in [MIRROR_NEW, TORN_NEW] {
            if state.has(name).unwrap_or(false) {
                let _ = state.remove(name);
            }
        }
        self.reserve_bytes = state.bytes(RESERVE);
        let Ok(outputs) = self.outputs_folder() else { return };
        for name in outputs.names().unwrap_or_default() {
            if name.strip_suffix(PART_SUFFIX).and_then(ObjectId::parse).is_some() {
                let _ = outputs.remove(&name);
            }
        }
    }
}

/// On a read-only disk the file opens for reading, and the first write says what is wrong.
fn open_copy(state: &Folder, name: &str) -> Option<std::fs::File> {
    state.file(name, true).or_else(|_| state.file(name, false)).ok()
}

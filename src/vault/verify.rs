//! Reading everything, to know that it can be read.

use crate::Error;
use crate::anchor::Grade;
use crate::disk::Folder;
use crate::format::ObjectId;
use crate::home::{MAIN, MIRROR};
use crate::log::{self, State};
use crate::object::{self, Opener, PART_SUFFIX, SUFFIX};
use crate::vault::{Notice, Vault};

/// What a full check found.
#[derive(Debug)]
#[non_exhaustive]
pub struct VerifyReport {
    /// The state that the vault file on disk adds up to.
    pub state: State,
    /// Objects whose preview and content opened completely.
    pub sound: u64,
    /// Plaintext bytes that were opened.
    pub bytes: u64,
    /// Objects whose file is gone.
    pub missing: Vec<ObjectId>,
    /// Objects whose file does not open, with the reason.
    pub damaged: Vec<(ObjectId, Error)>,
    /// Objects whose file this user may not read: neither missing nor damaged.
    pub forbidden: Vec<ObjectId>,
    /// Files that are left of erased objects: noise, removed by a sweep.
    pub dead: Vec<String>,
    /// Sealed or half-written files that belong to no object of this vault: reported, never touched.
    pub orphans: Vec<String>,
    /// Whether the mirror is a copy of the vault file, byte for byte.
    pub mirror_agrees: bool,
    /// What erasing is worth here.
    pub grade: Grade,
    /// What opening found.
    pub notices: Vec<Notice>,
}

impl VerifyReport {
    /// Whether everything that was put and not erased can be read.
    pub fn is_sound(&self) -> bool {
        self.missing.is_empty() && self.damaged.is_empty() && self.forbidden.is_empty()
    }
}

/// A full check that goes on, object by object.
#[derive(Debug)]
pub struct Verification {
    report: VerifyReport,
    /// What is still to be opened, the oldest last.
    left: Vec<ObjectId>,
}

impl Verification {
    /// Takes note of what [`Opener::check`] said.
    pub fn add(&mut self, id: ObjectId, checked: Result<u64, Error>) {
        let report = &mut self.report;
        match checked {
            Ok(bytes) => {
                report.sound += 1;
                report.bytes += bytes;
            }
            Err(Error::ObjectMissing(id)) => report.missing.push(id),
            Err(Error::ObjectForbidden(id)) => report.forbidden.push(id),
            Err(error) => report.damaged.push((id, error)),
        }
    }
}

impl Vault {
    /// Reads the vault file again from disk and opens both sections of every object. Errors of single objects are in the
    /// report; an error here means that the vault file itself cannot be read or is not the one that was opened.
    pub fn verify(&self) -> Result<VerifyReport, Error> {
        let mut verification = self.begin_verification()?;
        while let Some(opener) = self.next_to_verify(&mut verification)? {
            verification.add(opener.id(), opener.check());
        }
        self.end_verification(verification)
    }

    /// Reads the vault file again from disk: the begin of a check whose objects are opened beside the vault.
    ///
    /// # Errors
    /// The vault file cannot be read or is not the one that was opened.
    pub fn begin_verification(&self) -> Result<Verification, Error> {
        let file = self.home.read(self.name)?;
        if file.get(..self.header.sealed_size()) != Some(&self.header.encode()[..]) {
            return Err(Error::HeaderTampered);
        }
        let (chain, _) = log::read(&self.header, &self.key, &file)?;
        if chain.state() != self.state() {
            return Err(Error::LogDamaged { record: chain.state().seq });
        }
        let other = self.home.read(if self.name == MAIN { MIRROR } else { MAIN });
        let report = VerifyReport {
            state: chain.state(),
            sound: 0,
            bytes: 0,
            missing: Vec::new(),
            damaged: Vec::new(),
            forbidden: Vec::new(),
            dead: Vec::new(),
            orphans: Vec::new(),
            mirror_agrees: other.is_ok_and(|other| other == file),
            grade: self.grade(),
            notices: self.notices(),
        };
        Ok(Verification { report, left: self.list().rev().map(|entry| entry.id).collect() })
    }

    /// The next object to check; one that was erased since the begin is none.
    ///
    /// # Errors
    /// What the vault file or the outputs folder as a whole says.
    pub fn next_to_verify(&self, verification: &mut Verification) -> Result<Option<Opener>, Error> {
        while let Some(id) = verification.left.pop() {
            if self.index.get(id).is_some() {
                return self.opener(id).map(Some);
            }
        }
        Ok(None)
    }

    /// Looks for files that belong to no object, and ends the check.
    ///
    /// # Errors
    /// What the outputs folder as a whole says.
    pub fn end_verification(&self, mut verification: Verification) -> Result<VerifyReport, Error> {
        let Verification { report, .. } = &mut verification;
        self.look_for_orphans(&self.outputs_folder()?, report)?;
        // What was erased meanwhile is not to be found, as it should be.
        let is_there = |id: &ObjectId| self.index.get(*id).is_some();
        report.missing.retain(is_there);
        report.forbidden.retain(is_there);
        report.damaged.retain(|(id, _)| is_there(id));
        Ok(verification.report)
    }

    fn look_for_orphans(&self, outputs: &Folder, report: &mut VerifyReport) -> Result<(), Error> {
        let known: std::collections::HashSet<String> = self.list().map(object::file_name).collect();
        for name in outputs.names().map_err(Error::io("listing the outputs folder"))? {
            if known.contains(&name) || !(name.ends_with(SUFFIX) || name.ends_with(PART_SUFFIX)) {
                continue;
            }
            let owner = object::owner(outputs, &name, self.vault_id());
            let dead = owner.is_some_and(|id| self.tombstone(id).is_some());
            if dead { &mut report.dead } else { &mut report.orphans }.push(name);
        }
        report.dead.sort();
        report.orphans.sort();
        Ok(())
    }
}

//! Making proofs for strangers, from a log as it lies there.

use crate::error::{Error, io_error};
use crate::merkle::Tree;
use crate::note::{Checkpoint, NOTE_BYTES_MAX, Note, VerifyKey};
use crate::paths::{Paths, SEGMENT_BYTES_MAX, SEGMENT_RECORDS, read_limited};
use crate::proof::{HandOver, Proof};
use crate::pruned::{leaf_of, lines};
use crate::record::Record;
use crate::token::{Digest, PublicKey, base64};
use std::io;
use std::path::Path;

/// What can be proved of a log under its newest checkpoint. Holds some 64 bytes for each record.
///
/// The records are those that the checkpoint signs, or there are no proofs; whether the checkpoint is signed by the right
/// key is for [`crate::verify`] and for whoever gets the proofs.
#[derive(Debug)]
pub struct Proofs {
    paths: Paths,
    note: Note,
    tree: Tree,
    /// Keys of all epochs, as the records name them.
    keys: Vec<VerifyKey>,
    /// The record that ends each epoch but the last, with its number.
    ends: Vec<(usize, String)>,
}

impl Proofs {
    /// Reads the log in `dir`. Works beside a running writer: what it signs later is left out.
    ///
    /// # Errors
    /// `Absent`, `Lost`, `Broken`, `Io`.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let paths = Paths(dir.to_owned());
        let path = paths.checkpoint();
        let bytes = match read_limited(&path, NOTE_BYTES_MAX) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Absent { dir: dir.to_owned() });
            }
            other => other.map_err(io_error("read", &path))?,
        };
        let broken = |what, at| Error::Broken { what, at };
        let note = Note::parse(&bytes).ok_or(broken("its newest checkpoint cannot be read", 0))?;
        let size = note.checkpoint.size;
        let count =
            usize::try_from(size).map_err(|_| broken("no log is as long as its checkpoint says", size))?;
        let (mut leaves, mut keys, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..size.div_ceil(SEGMENT_RECORDS) {
            let path = paths.segment(index);
            let bytes = match read_limited(&path, SEGMENT_BYTES_MAX) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => break,
                other => other.map_err(io_error("read", &path))?,
            };
            for line in lines(&bytes).take(count - leaves.len()) {
                if let Some((is_end, key)) = named_key(line) {
                    keys.push(VerifyKey::new(&note.checkpoint.origin, key));
                    if is_end {
                        ends.push((leaves.len(), String::from_utf8_lossy(line).into_owned()));
                    }
                }
                leaves.push(leaf_of(line));
            }
        }
        let found = leaves.len() as u64;
        if found < size {
            return Err(Error::Lost { found, signed: size });
        }
        let tree = Tree::new(leaves);
        if tree.root(count) != note.checkpoint.root.0 {
            return Err(broken("the records are not those that its newest checkpoint signs", size));
        }
        Ok(Self { paths, note, tree, keys, ends })
    }

    /// The newest checkpoint.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.note.checkpoint
    }

    /// The newest checkpoint as it stands in a file, with its signatures.
    pub fn note(&self) -> Vec<u8> {
        self.note.bytes()
    }

    /// The keys of all epochs, the root of trust first.
    pub fn keys(&self) -> &[VerifyKey] {
        &self.keys
    }

    /// The proof for a record; `None` if the checkpoint covers no such record.
    pub fn of(&self, seq: u64) -> Option<Proof> {
        let index = usize::try_from(seq).ok().filter(|index| *index < self.tree.size())?;
        Some(Proof::new(seq, self.tree.path(index, self.tree.size()), self.note.clone()))
    }

    /// What these records, by rising numbers, need to lead to the newest checkpoint all at once: see [`crate::root_around`]. `None`
    /// if it does not cover one of them.
    pub fn around(&self, seqs: &[u64]) -> Option<Vec<Digest>> {
        let is_covered = seqs.last().is_none_or(|last| *last < self.note.checkpoint.size);
        is_covered.then(|| self.tree.around(seqs).into_iter().map(Digest).collect())
    }

    /// The hand-overs that lead from the first key to the newest, in their order.
    ///
    /// # Errors
    /// `Io`; `Broken` when the checkpoint of one is not that of its records.
    pub fn hand_overs(&self) -> Result<Vec<HandOver>, Error> {
        let mut all = Vec::with_capacity(self.ends.len());
        for (epoch, (index, record)) in (1u32..).zip(&self.ends) {
            let path = self.paths.epoch_note(epoch);
            let bytes = read_limited(&path, NOTE_BYTES_MAX).map_err(io_error("read", &path))?;
            let size = index + 1;
            let fits = |note: &Note| {
                note.checkpoint.size == size as u64 && note.checkpoint.root.0 == self.tree.root(size)
            };
            let what = "a file in epochs is not the checkpoint of its hand-over";
            let note = Note::parse(&bytes).filter(fits).ok_or(Error::Broken { what, at: size as u64 })?;
            let proof = Proof::new(*index as u64, self.tree.path(*index, size), note);
            all.push(HandOver { record: record.clone(), proof });
        }
        Ok(all)
    }
}

/// The key that a record names, and whether its epoch ends there. Few records name one, so most are not parsed.
fn named_key(line: &[u8]) -> Option<(bool, PublicKey)> {
    let text = std::str::from_utf8(line).ok()?;
    let kinds = [("log.created", false), ("key.epoch_rotated", true)];
    let (kind, is_end) = kinds.into_iter().find(|(kind, _)| text.contains(kind))?;
    let (record, _) = Record::parse(line).ok().filter(|(record, _)| record.name == kind)?;
    Some((is_end, base64(record.text("key")?).map(PublicKey)?))
}

//! The records of a period as `audit/records.jsonl` has them: in a row, each byte for byte, with the leaf hash in the place of one that
//! was pruned.
//!
//! A record proves the one before it, and a hash proves nothing. So where there is one, `audit/around.json` has the hashes over all
//! that lies before and behind the row: with those the row leads to the checkpoint, and each line of it has its place.

use crate::bundle::{AROUND, RECORDS};
use crate::error::Error;
use crate::folder::{NewFile, NewFolder};
use crate::json::{canonical, parse, text, unhex};
use audit::{Digest, Proofs, Stored};
use serde_json::json;

const SCHEMA: &str = "lightproof/records-around/v1";

/// A row that is being written.
pub(crate) struct Row {
    file: NewFile,
    first: Option<u64>,
    /// The last record that is written.
    last: Option<Stored>,
    /// How many records there are.
    pub count: u64,
    gone: Pruned,
    /// The newest record of the log that says what was pruned.
    pruning: Option<Stored>,
    /// Hashes behind the last record that stayed: of the period if records of it stand on both sides.
    waiting: Vec<Digest>,
    /// The period is over.
    is_over: bool,
}

/// Records that were pruned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pruned {
    /// Between the first record of the period that stayed and the last one: of these there is the hash.
    pub within: u64,
    /// Between those and the next ones of other times: which of them are of the period nobody can tell, for a hash has no time.
    pub beside: u64,
}

/// A row that is written.
pub(crate) struct Written {
    pub first: Option<u64>,
    pub last: Option<Stored>,
    pub gone: Pruned,
    /// Where some are: the record that says up to where some were pruned, and what is left.
    pub pruning: Option<Stored>,
}

impl Row {
    pub fn begin(folder: &mut NewFolder) -> Result<Self, Error> {
        let file = folder.begin(RECORDS)?;
        let (gone, waiting) = (Pruned::default(), Vec::new());
        Ok(Self { file, first: None, last: None, count: 0, gone, pruning: None, waiting, is_over: false })
    }

    /// A record of the log, of the period or not.
    pub fn see(&mut self, record: &Stored) {
        if record.name == "log.pruned" {
            self.pruning = Some(record.clone());
        }
    }

    /// The next one is gone, and this its hash.
    pub fn gone(&mut self, leaf: Digest) {
        if !self.is_over {
            self.waiting.push(leaf);
        }
    }

    /// The next one is of another time: before the period, or behind it.
    pub fn pass(&mut self, is_behind: bool) {
        if is_behind && !self.is_over {
            self.gone.beside += self.waiting.len() as u64;
            self.is_over = true;
        }
        if self.first.is_none() {
            self.waiting.clear();
        }
    }

    /// The next one is of the period.
    pub fn add(&mut self, record: &Stored) -> Result<(), Error> {
        match self.first {
            Some(_) => self.gone.within += self.waiting.len() as u64,
            None => self.gone.beside += std::mem::take(&mut self.waiting).len() as u64,
        }
        for leaf in self.waiting.drain(..) {
            self.file.write(format!("{leaf}\n").as_bytes())?;
        }
        self.file.write(record.json().as_bytes())?;
        self.file.write(b"\n")?;
        self.count += 1;
        self.first = self.first.or(Some(record.seq));
        self.last = Some(record.clone());
        Ok(())
    }

    /// Ends it.
    pub fn end(self, folder: &mut NewFolder, proofs: &Proofs) -> Result<Written, Error> {
        let Self { file, first, last, gone, pruning, .. } = self;
        folder.end(file)?;
        if let (Some(first), Some(last), 1..) = (first, &last, gone.within) {
            let (seq, row) = (last.seq, (first..=last.seq).collect::<Vec<_>>());
            let hashes =
                proofs.around(&row).ok_or(Error::Record { seq, what: "no checkpoint covers it yet" })?;
            let hashes: Vec<String> = hashes.iter().map(ToString::to_string).collect();
            folder.write(AROUND, &canonical(&json!({ "hashes": hashes, "schema": SCHEMA })))?;
        }
        Ok(Written { first, last, gone, pruning: pruning.filter(|_| gone != Pruned::default()) })
    }
}

/// The hashes in such a file.
pub(crate) fn hashes_around(bytes: &[u8]) -> Option<Vec<Digest>> {
    let said = parse(bytes).filter(|said| text(said, "schema") == Some(SCHEMA))?;
    let hashes = said.get("hashes")?.as_array()?.iter();
    hashes.map(|hash| hash.as_str().and_then(unhex).map(Digest)).collect()
}

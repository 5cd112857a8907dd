//! That a record is in the log, as a text that a stranger checks without it: c2sp.org/tlog-proof.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! index 17
//! gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
//!
//! lightproof/0f1e2d3c4b5a69788796a5b4c3d2e1f0
//! 18
//! nND/nri/U0xuHUrYSy0HtMeal2vzD9V4k/BO79C+QeI=
//!
//! — lightproof/0f1e2d3c4b5a69788796a5b4c3d2e1f0 Az3grlgtz...
//! ```

use crate::merkle::{self, Frontier, Hash, leaf, root_of_path};
use crate::note::{Checkpoint, Note, VerifyKey};
use crate::stored::Stored;
use crate::token::{Digest, PublicKey, base64, hex};
use base64ct::{Base64, Encoding};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// Hashes of the longest path: a tree of 2^64 leaves has no more levels.
const PATH_MAX: usize = 64;

/// The place of one record under one checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    index: u64,
    path: Vec<Hash>,
    note: Note,
}

impl Proof {
    pub(crate) fn new(index: u64, path: Vec<Hash>, note: Note) -> Self {
        Self { index, path, note }
    }

    /// Number of the record.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The checkpoint that it leads to.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.note.checkpoint
    }

    /// The checkpoint as it stands in a file, with its signatures.
    pub fn note(&self) -> Vec<u8> {
        self.note.bytes()
    }

    /// Whether `record`, a line without its newline, is the one at that place of that checkpoint.
    pub fn holds_for(&self, record: &[u8]) -> bool {
        let Checkpoint { size, root, .. } = self.note.checkpoint;
        root_of_path(&leaf(record), self.index, size, &self.path) == Some(root.0)
    }

    /// Whether `key` signed the checkpoint.
    pub fn is_signed_by(&self, key: &VerifyKey) -> bool {
        key.name() == self.note.checkpoint.origin && self.note.is_signed_by(key)
    }

    /// The proof as it stands in a file.
    pub fn text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\nindex {}\n", self.index);
        for hash in &self.path {
            text += &Base64::encode_string(hash);
            text.push('\n');
        }
        text + "\n" + &String::from_utf8_lossy(&self.note.bytes())
    }

    /// Reads what [`Proof::text`] writes, and nothing else: no extra data, no signature of others.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (head, note) = std::str::from_utf8(text).ok()?.split_once("\n\n")?;
        let mut lines = head.split('\n');
        lines.next().filter(|line| *line == FIRST_LINE)?;
        let index = lines.next()?.strip_prefix("index ")?;
        let index = index.parse::<u64>().ok().filter(|n| n.to_string() == index)?;
        let path: Vec<Hash> = lines.take(PATH_MAX + 1).map(base64).collect::<Option<_>>()?;
        let note = Note::parse(note.as_bytes())?;
        (path.len() <= PATH_MAX).then_some(Self { index, path, note })
    }
}

/// The change from one signing key to the next: the record that names the next key, proved to be the last one of its
/// epoch by a checkpoint that both keys signed. A row of them leads from the first key to the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOver {
    /// The record `key.epoch_rotated`, a line without its newline.
    pub record: String,
    /// Its place: the last one under the checkpoint of the hand-over.
    pub proof: Proof,
}

impl HandOver {
    /// The key of epoch `next`, if `key`, that of the epoch before, handed over to it here.
    pub fn next_key(&self, key: &VerifyKey, next: u32) -> Option<VerifyKey> {
        let record = Stored::read(self.record.as_bytes()).ok()?;
        let named = base64(record.word("key")?).map(PublicKey)?;
        let next_key = VerifyKey::new(key.name(), named);
        let is_hand_over = record.name == "key.epoch_rotated" && record.int("next") == Some(next.into());
        let is_last = record.seq == self.proof.index && self.proof.checkpoint().size == record.seq + 1;
        let is_signed = self.proof.is_signed_by(key) && self.proof.is_signed_by(&next_key);
        // Both signed it, so the one that is handed over to would pass for the one that hands over.
        let is_other = next_key != *key;
        let holds =
            is_hand_over && is_last && is_signed && is_other && self.proof.holds_for(self.record.as_bytes());
        holds.then_some(next_key)
    }
}

/// The signed head of a log as a stranger got it in a file: what [`crate::Proofs::note`] gave out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head(Note);

impl Head {
    /// Reads one of our own checkpoints, and nothing else.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Note::parse(bytes).map(Self)
    }

    /// Name, size and root.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.0.checkpoint
    }

    /// The checkpoint as it stands in a file, with its signatures.
    pub fn note(&self) -> Vec<u8> {
        self.0.bytes()
    }

    /// The ids of the keys that signed it, as they stand in the middle of a key's line.
    pub fn key_ids(&self) -> Vec<String> {
        self.0.signatures.iter().map(|(id, _)| hex(id)).collect()
    }

    /// Whether `key` signed it.
    pub fn is_signed_by(&self, key: &VerifyKey) -> bool {
        key.name() == self.0.checkpoint.origin && self.0.is_signed_by(key)
    }
}

/// The root over leaf hashes (see [`Stored::leaf`]), from record 0 on: what a checkpoint of their number signs.
pub fn root(leaves: &[Digest]) -> Digest {
    let mut frontier = Frontier::default();
    leaves.iter().for_each(|leaf| frontier.push(leaf.0));
    Digest(frontier.root())
}

/// The root over `size` records that these lead to, by rising numbers and each with its leaf hash, with the hashes over all that
/// lies between them (see [`crate::Proofs::around`]); `None` if it takes other hashes than those.
pub fn root_around(size: u64, leaves: &[(u64, Digest)], hashes: &[Digest]) -> Option<Digest> {
    let leaves: Vec<_> = leaves.iter().map(|(seq, leaf)| (*seq, leaf.0)).collect();
    let hashes: Vec<_> = hashes.iter().map(|hash| hash.0).collect();
    merkle::root_around(size, &leaves, &hashes).map(Digest)
}

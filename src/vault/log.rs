//! The sealed log: frames, the root chain, and what the entries add up to.
//!
//! A record is `length 4 ‖ check 4 ‖ sealed entries`. The check needs no key: it tells a damaged length from an append
//! that a crash cut off. The root after a record is SHA-256(root before ‖ whole record), so anybody can compute it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::cobblestone::{self, Key};
use crate::format::{FORMAT_NAMED, Header, ObjectId, SlotId, SlotInfo, VaultId};
use crate::item::{Item, ObjectInfo, Tombstone};
use crate::name::PersonName;
use crate::random::{self, Random};
use crate::{Error, KdfParams};

/// Sealed bytes of a record at most. Ours stay below 140 KiB.
const RECORD_BYTES_MAX: u32 = 1 << 20;
/// Length and check.
pub(crate) const FRAME_BYTES: usize = 8;

/// Where the sealed log stands. Anybody can compute it from the vault file; the audit log binds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Counts rolls, from 1.
    pub epoch: u64,
    /// Records in this epoch's log.
    pub seq: u64,
    /// Digest of the vault file up to its last record.
    pub root: [u8; 32],
}

/// What anybody can read without a secret. Only an unlocked vault has checked it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Public {
    /// The vault's id.
    pub vault_id: VaultId,
    /// Epoch, records and root as they lie on disk. A record that a crash cut short inside may still be counted.
    pub state: State,
    /// Whether everybody with a passphrase has a name, which goes with it when they sign in.
    pub named: bool,
    /// The key slots.
    pub slots: Vec<SlotInfo>,
    /// What a guess at each of them costs, in their order.
    pub costs: Vec<KdfParams>,
}

impl Public {
    pub(crate) fn of(header: &Header, chain: &Chain) -> Self {
        let (slots, costs) = header.slots.iter().map(|slot| (slot.info, slot.kdf)).unzip();
        let named = header.format == FORMAT_NAMED;
        Self { vault_id: header.vault_id, state: chain.state(), named, slots, costs }
    }
}

/// A vault file that was opened to its end.
pub(crate) struct Log {
    pub(crate) header: Header,
    pub(crate) key: Key,
    pub(crate) chain: Chain,
    pub(crate) index: Index,
    /// Of the vault file or its mirror: where it was read from.
    pub(crate) name: &'static str,
}

/// Where one record lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    /// Offset of the sealed entries in the vault file.
    pub(crate) at: u64,
    /// Sealed bytes.
    pub(crate) bytes: u32,
    /// The root before this record.
    root: [u8; 32],
}

/// The records of a vault file, from its first to its last sound one.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    epoch: u64,
    pub(crate) pages: Vec<Page>,
    root: [u8; 32],
    /// Where the next record goes.
    pub(crate) end: u64,
    /// Bytes behind `end` that a crash may have left.
    pub(crate) tail_bytes: u64,
}

impl Chain {
    /// The chain of a file without records.
    pub(crate) fn new(header: &Header, head: &[u8]) -> Self {
        let root = Sha256::digest(head).into();
        Self { epoch: header.epoch, pages: Vec::new(), root, end: head.len() as u64, tail_bytes: 0 }
    }

    /// Walks the frames without any key. A cut-off tail is one of: fewer bytes than a frame; a sound frame with too few
    /// bytes behind it; zeros to the end. (A fourth shape needs the key: see [`read`].) Anything else is damage.
    pub(crate) fn walk(header: &Header, file: &[u8]) -> Result<Self, Error> {
        let (head, mut rest) = file.split_at_checked(header.size()).ok_or(Error::HeaderTampered)?;
        let mut chain = Self::new(header, head);
        while !rest.is_empty() {
            let Some((frame, body)) = rest.split_first_chunk::<FRAME_BYTES>() else { break };
            let Some(bytes) = chain.record_bytes(frame) else {
                if rest.iter().all(|byte| *byte == 0) {
                    break;
                }
                // The first check also binds the head, which is likelier to be what was changed.
                let record = chain.pages.len() as u64;
                return Err(if record == 0 { Error::HeaderTampered } else { Error::LogDamaged { record } });
            };
            let Some((body, after)) = body.split_at_checked(bytes as usize) else { break };
            chain.push(frame, body);
            rest = after;
        }
        chain.tail_bytes = rest.len() as u64;
        Ok(chain)
    }

    /// What the audit log is told.
    pub(crate) fn state(&self) -> State {
        State { epoch: self.epoch, seq: self.pages.len() as u64, root: self.root }
    }

    /// The root after record `seq`.
    pub(crate) fn root_at(&self, seq: u64) -> Option<[u8; 32]> {
        let seq = usize::try_from(seq).ok()?;
        match self.pages.get(seq) {
            Some(page) => Some(page.root),
            None => (seq == self.pages.len()).then_some(self.root),
        }
    }

    /// Seals `entries` as the next record, appends it to `out` and to the chain.
    pub(crate) fn append(
        &mut self,
        key: &Key,
        entries: &[u8],
        out: &mut Vec<u8>,
        random: &mut dyn Random,
    ) -> Result<(), Error> {
        let sealed_bytes = cobblestone::sealed_bytes(entries.len() as u64);
        let bytes = u32::try_from(sealed_bytes).map_err(|_| Error::Limit("a record has at most 1 MiB"))?;
        let [l0, l1, l2, l3] = bytes.to_be_bytes();
        let [c0, c1, c2, c3] = self.check(bytes);
        let frame = [l0, l1, l2, l3, c0, c1, c2, c3];
        let salt = random::salt(random)?;
        out.extend_from_slice(&frame);
        let body = out.len();
        cobblestone::seal(key, &[&context(self.pages.len(), &self.root)], &salt, entries, out);
        self.push(&frame, &out[body..]);
        Ok(())
    }

    /// Opens the record `index`, whose sealed bytes are `sealed`.
    pub(crate) fn open(&self, key: &Key, index: usize, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let damaged = Error::LogDamaged { record: index as u64 };
        match self.pages.get(index) {
            Some(page) => cobblestone::open(key, &[&context(index, &page.root)], sealed).map_err(|_| damaged),
            None => Err(damaged),
        }
    }

    /// Sealed bytes of the next record by its length and check; `None` if they do not belong there.
    pub(crate) fn record_bytes(&self, frame: &[u8; FRAME_BYTES]) -> Option<u32> {
        let [l0, l1, l2, l3, check @ ..] = *frame;
        let bytes = u32::from_be_bytes([l0, l1, l2, l3]);
        (check == self.check(bytes) && bytes <= RECORD_BYTES_MAX).then_some(bytes)
    }

    /// Adds the next record, and opens it.
    pub(crate) fn open_next(
        &mut self,
        key: &Key,
        frame: &[u8; FRAME_BYTES],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.push(frame, sealed);
        self.open(key, self.pages.len() - 1, sealed)
    }

    /// Takes back the last record, which becomes the tail.
    pub(crate) fn pop(&mut self) {
        if let Some(page) = self.pages.pop() {
            self.root = page.root;
            self.end = page.at - FRAME_BYTES as u64;
            self.tail_bytes = FRAME_BYTES as u64 + u64::from(page.bytes);
        }
    }

    fn push(&mut self, frame: &[u8; FRAME_BYTES], body: &[u8]) {
        let at = self.end + FRAME_BYTES as u64;
        let bytes = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
        self.pages.push(Page { at, bytes, root: self.root });
        self.root =
            Sha256::new().chain_update(self.root).chain_update(frame).chain_update(body).finalize().into();
        self.end = at + u64::from(bytes);
    }

    /// SHA-256("lp1/length" ‖ seq 8 ‖ root 32 ‖ length 4)[..4].
    fn check(&self, bytes: u32) -> [u8; 4] {
        let digest = Sha256::new()
            .chain_update(b"lp1/length")
            .chain_update((self.pages.len() as u64).to_be_bytes())
            .chain_update(self.root)
            .chain_update(bytes.to_be_bytes())
            .finalize();
        [digest[0], digest[1], digest[2], digest[3]]
    }
}

/// "lp1/record" ‖ seq 8 ‖ root 32.
fn context(index: usize, root: &[u8; 32]) -> [u8; 50] {
    let mut out = [0; 50];
    out[..10].copy_from_slice(b"lp1/record");
    out[10..18].copy_from_slice(&(index as u64).to_be_bytes());
    out[18..].copy_from_slice(root);
    out
}

/// What the log adds up to. Holds no key.
#[derive(Default)]
pub(crate) struct Index {
    /// In the order of their records.
    pub(crate) entries: Vec<ObjectInfo>,
    by_id: HashMap<ObjectId, usize>,
    /// The hashes of all names: a name whose hash is not here is nobody's, however many there are.
    name_hashes: HashSet<u64>,
    hasher: RandomState,
    pub(crate) tombstones: BTreeMap<ObjectId, Tombstone>,
    /// The record with each slot's secret.
    pub(crate) slots: BTreeMap<SlotId, usize>,
    pub(crate) marks: BTreeMap<u8, Zeroizing<Vec<u8>>>,
    /// The name behind each slot, also of slots that are no more.
    pub(crate) names: BTreeMap<SlotId, PersonName>,
    /// The record of each mark that counts.
    mark_pages: BTreeMap<u8, usize>,
    /// Records that hold nothing but marks.
    marks_only: BTreeSet<usize>,
}

impl Index {
    pub(crate) fn get(&self, id: ObjectId) -> Option<&ObjectInfo> {
        self.entries.get(*self.by_id.get(&id)?)
    }

    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.name_hashes.contains(&self.hasher.hash_one(name))
            && self.entries.iter().any(|entry| entry.name == name)
    }

    /// How many records hold nothing but marks that no longer count.
    pub(crate) fn superseded(&self) -> usize {
        let counting: BTreeSet<_> = self.mark_pages.values().collect();
        self.marks_only.len() - counting.into_iter().filter(|page| self.marks_only.contains(page)).count()
    }

    /// Adds what one record says.
    pub(crate) fn add(&mut self, items: Vec<Item>, page: usize) {
        if items.iter().all(|item| matches!(item, Item::Mark { .. })) {
            self.marks_only.insert(page);
        }
        for item in items {
            match item {
                Item::Put { entry, .. } => {
                    self.by_id.insert(entry.id, self.entries.len());
                    self.name_hashes.insert(self.hasher.hash_one(&*entry.name));
                    self.entries.push(entry);
                }
                Item::Tombstone(tombstone) => drop(self.tombstones.insert(tombstone.id, tombstone)),
                Item::Slot { id, .. } => drop(self.slots.insert(id, page)),
                Item::Mark { tag, value } => {
                    self.marks.insert(tag, value);
                    self.mark_pages.insert(tag, page);
                }
                Item::Name { slot, name } => drop(self.names.insert(slot, name)),
            }
        }
    }
}

/// Reads the whole log of `file`. A last record that does not open and ends exactly at the end of the file counts as a
/// cut-off append: the fourth shape. Only a comparison with the audit log can tell it from damage.
pub(crate) fn read(header: &Header, key: &Key, file: &[u8]) -> Result<(Chain, Index), Error> {
    let mut chain = Chain::walk(header, file)?;
    let mut index = Index::default();
    for number in 0..chain.pages.len() {
        match page_items(&chain, key, file, number) {
            Ok(items) => index.add(items, number),
            Err(_) if number + 1 == chain.pages.len() && chain.tail_bytes == 0 => chain.pop(),
            Err(error) => return Err(error),
        }
    }
    if header.slots.iter().any(|slot| !index.slots.contains_key(&slot.info.id)) {
        return Err(Error::LogDamaged { record: chain.pages.len() as u64 });
    }
    check_names(header, &index)?;
    Ok((chain, index))
}

/// In the first format nobody has a name; in the next one everybody has one that belongs to their slot.
fn check_names(header: &Header, index: &Index) -> Result<(), Error> {
    if header.format < FORMAT_NAMED {
        return match index.names.is_empty() {
            true => Ok(()),
            false => Err(Error::Unsupported { what: "an entry of the vault file", format: header.format }),
        };
    }
    let people = header.slots.iter().filter(|slot| slot.info.kind.is_persons());
    let is_named = |slot: &crate::format::RawSlot| {
        index.names.get(&slot.info.id).is_some_and(|name| slot.is_of(header.vault_id, name))
    };
    if people.into_iter().all(is_named) { Ok(()) } else { Err(Error::HeaderTampered) }
}

/// The entries of one record of a vault file.
pub(crate) fn page_items(chain: &Chain, key: &Key, file: &[u8], number: usize) -> Result<Vec<Item>, Error> {
    let damaged = || Error::LogDamaged { record: number as u64 };
    let page = chain.pages.get(number).ok_or_else(damaged)?;
    let sealed = file.get(page.at as usize..page.at as usize + page.bytes as usize).ok_or_else(damaged)?;
    let record = chain.open(key, number, sealed)?;
    Item::parse_all(&record, number).map_err(|error| match error {
        Error::HeaderTampered => damaged(),
        other => other,
    })
}

//! What replaying a log up to some size leaves behind, as bytes: so that the next start reads what came since.
//!
//! The file is no part of the log and lies elsewhere. It is the vault's memory: its seal is under a key that lies sealed in
//! there. A start comes before any secret, so it goes on from what the file says and holds it against the signed
//! checkpoint; whoever unlocks the vault proves the seal before anything follows from it. A log that does not hold what is
//! remembered is refused then, with its record, as one that does not hold the vault's mark.
//!
//! ```text
//! form        32   SHA-256 of the sources that read records and this file: another program begins anew
//! origin      16   the log
//! size         8   records, n
//! prev        32   leaf of record n - 1
//! ts_ms        8   its written time
//! epoch        4   its signing epoch, e
//! epoch_start  8   first record of that epoch
//! keys        32   SHA-256 of the first e + 1 lines of `vkeys`
//! segments     8   bytes of each segment that they fill, ceil(n / 4096) times
//! edge        32   the unfinished tile of each level, hash by hash, the leaves first
//! told             what the records say: see the code
//! digest      32   SHA-256 of everything before
//! seal        32   HMAC-SHA-256 of the digest
//! ```
//!
//! Numbers are big-endian; a list begins with its length in 4 bytes, what may be absent with a byte 0 or 1.

use crate::intent::{Intents, KnownBackup, OpenIntent, Unfinished, VaultState};
use crate::merkle::Hash;
use crate::note::ORIGIN_PREFIX;
use crate::paths::SEGMENT_RECORDS;
use crate::pruned::Pruning;
use crate::tile::{Tiles, edge_len};
use crate::token::{Actor, Digest, JobId, Object, unhex};
use crate::told::Told;
use crate::words::{IntentKind, Proof, Role};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// A key that only the vault has.
pub type MemoryKey = [u8; 32];

/// A log as it was replayed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub origin: [u8; 16],
    pub size: u64,
    pub prev: Hash,
    pub ts_ms: u64,
    pub epoch: u32,
    pub epoch_start: u64,
    pub keys: Digest,
    /// How many bytes of each segment the records fill.
    pub segments: Vec<u64>,
    pub edge: Vec<Hash>,
    pub told: Told,
}

/// Digest and seal of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    digest: Digest,
    mac: [u8; 32],
}

impl Seal {
    const BYTES: usize = 64;

    /// Whether it was made with this key. In constant time.
    pub fn is_by(&self, key: &MemoryKey) -> bool {
        mac(key, &self.digest).verify_slice(&self.mac).is_ok()
    }
}

fn mac(key: &MemoryKey, digest: &Digest) -> Hmac<Sha256> {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.chain_update(b"log memory v1\0").chain_update(digest.0)
}

/// Another way of reading records leaves something else behind.
fn form() -> Digest {
    let sources = [
        include_str!("intent.rs"),
        include_str!("told.rs"),
        include_str!("pruned.rs"),
        include_str!("remembered.rs"),
    ];
    Digest::of(sources.concat().as_bytes())
}

impl Remembered {
    /// The file, sealed.
    pub fn bytes(&self, key: &MemoryKey) -> Vec<u8> {
        let mut out = self.body();
        let digest = Digest::of(&out);
        out.extend_from_slice(&digest.0);
        out.extend_from_slice(&mac(key, &digest).finalize().into_bytes());
        out
    }

    /// Reads a file; `None` if it is torn, changed by chance, or another program's. The seal remains to be proven.
    pub fn parse(bytes: &[u8]) -> Option<(Self, Seal)> {
        let (body, seal) = bytes.split_at_checked(bytes.len().checked_sub(Seal::BYTES)?)?;
        let (digest, mac) = seal.split_first_chunk()?;
        let seal = Seal { digest: Digest(*digest), mac: mac.try_into().ok()? };
        if Digest::of(body) != seal.digest {
            return None;
        }
        let mut input = Input(body);
        let remembered = Self::read(&mut input)?;
        // One spelling: nothing behind it, and no word or flag in another form.
        (input.0.is_empty() && remembered.body() == body).then_some((remembered, seal))
    }

    /// Whether it is of the log with this name.
    pub fn is_of(&self, origin: &str) -> bool {
        origin.strip_prefix(ORIGIN_PREFIX).and_then(unhex) == Some(self.origin)
    }

    /// How many records there were, and the root over them; `None` if the hashes make no tree.
    pub fn tree(&self) -> Option<(u64, Digest)> {
        let tiles = Tiles::at(self.size, &self.edge)?;
        Some((self.size, Digest(tiles.frontier(self.size)?.root())))
    }

    fn body(&self) -> Vec<u8> {
        let Self { origin, size, prev, ts_ms, epoch, epoch_start, keys, segments, edge, told } = self;
        let mut out = Output(Vec::new());
        out.bytes(&form().0).bytes(origin).u64(*size).bytes(prev).u64(*ts_ms);
        out.u32(*epoch).u64(*epoch_start).bytes(&keys.0);
        segments.iter().for_each(|len| {
            out.u64(*len);
        });
        edge.iter().for_each(|hash| {
            out.bytes(hash);
        });
        let Told { truncated, destroyed, intents, pruned } = told;
        out.list(truncated, |out, digest| {
            out.bytes(&digest.0);
        })
        .u32(*destroyed);
        put_unfinished(&mut out, &intents.unfinished());
        out.option(pruned.as_ref(), |out, pruning| {
            let Pruning { seq, ts_ms, days, first, from, sha256, is_done } = pruning;
            out.u64(*seq).u64(*ts_ms).u64(*days).u64(*first).u64(*from);
            out.bytes(&sha256.0).u32(u32::from(*is_done));
        });
        out.0
    }

    fn read(input: &mut Input<'_>) -> Option<Self> {
        if input.array()? != form().0 {
            return None;
        }
        let (origin, size) = (input.array()?, input.u64()?);
        let (prev, ts_ms) = (input.array()?, input.u64()?);
        let (epoch, epoch_start, keys) = (input.u32()?, input.u64()?, Digest(input.array()?));
        let segments = input.take(usize::try_from(size.div_ceil(SEGMENT_RECORDS)).ok()?.checked_mul(8)?)?;
        let segments = segments.as_chunks().0.iter().map(|len| u64::from_be_bytes(*len)).collect();
        let edge = input.take(edge_len(size).checked_mul(32)?)?.as_chunks().0.to_vec();
        let truncated = input.list(|input| Some(Digest(input.array()?)))?;
        let destroyed = input.u32()?;
        let intents = Intents::resume(unfinished(input)?);
        let pruned = input.option(|input| {
            let (seq, ts_ms, days) = (input.u64()?, input.u64()?, input.u64()?);
            let (first, from, sha256) = (input.u64()?, input.u64()?, Digest(input.array()?));
            Some(Pruning { seq, ts_ms, days, first, from, sha256, is_done: input.u32()? != 0 })
        })?;
        let told = Told { truncated, destroyed, intents, pruned };
        Some(Self { origin, size, prev, ts_ms, epoch, epoch_start, keys, segments, edge, told })
    }
}

fn put_unfinished(out: &mut Output, unfinished: &Unfinished) {
    let Unfinished { open_intents, backups, destruction, vault, key_remains, key_unused } = unfinished;
    out.list(open_intents, put_intent);
    out.list(backups, |out, backup| {
        let KnownBackup { job, seq, ts_ms, objects, written } = backup;
        out.bytes(&job.0).u64(*seq).u64(*ts_ms).u64(*objects);
        out.option(written.as_ref(), |out, (bytes, digest)| {
            out.u64(*bytes).bytes(&digest.0);
        });
    });
    out.option(destruction.as_ref(), |out, job| {
        out.bytes(&job.0);
    });
    out.option(vault.as_ref(), put_vault);
    out.option(key_remains.as_ref(), |out, epoch| {
        out.u64(*epoch);
    });
    out.option(key_unused.as_ref(), |out, epoch| {
        out.u64(*epoch);
    });
}

fn unfinished(input: &mut Input<'_>) -> Option<Unfinished> {
    let open_intents = input.list(intent)?;
    let backups = input.list(|input| {
        let (job, seq, ts_ms, objects) = (JobId(input.array()?), input.u64()?, input.u64()?, input.u64()?);
        let written = input.option(|input| Some((input.u64()?, Digest(input.array()?))))?;
        Some(KnownBackup { job, seq, ts_ms, objects, written })
    })?;
    let destruction = input.option(|input| Some(JobId(input.array()?)))?;
    let vault = input.option(vault)?;
    let (key_remains, key_unused) = (input.option(Input::u64)?, input.option(Input::u64)?);
    Some(Unfinished { open_intents, backups, destruction, vault, key_remains, key_unused })
}

fn put_intent(out: &mut Output, intent: &OpenIntent) {
    let OpenIntent { kind, job, seq, ts_ms, actor, object, .. } = intent;
    let OpenIntent { objects, objects_done, objects_seen, objects_named, .. } = intent;
    let OpenIntent { proof, slot, role, removes, vault, .. } = intent;
    let person = match actor {
        Actor::System => None,
        Actor::Person(id) => Some(id),
    };
    out.word(kind.word()).bytes(&job.0).u64(*seq).u64(*ts_ms);
    out.option(person, |out, id| {
        out.bytes(id);
    });
    out.option(object.as_ref(), |out, object| {
        out.bytes(&object.0);
    });
    out.u64(*objects).u64(*objects_done);
    for objects in [objects_seen, objects_named] {
        out.list(objects, |out, object| {
            out.bytes(&object.0);
        });
    }
    out.word(proof.map_or("", Proof::word));
    out.option(slot.as_ref(), |out, slot| {
        out.u32(*slot);
    });
    out.word(role.map_or("", Role::word)).u32(u32::from(*removes));
    out.option(vault.as_ref(), put_vault);
}

fn intent(input: &mut Input<'_>) -> Option<OpenIntent> {
    let kind = IntentKind::parse(input.word()?)?;
    let (job, seq, ts_ms) = (JobId(input.array()?), input.u64()?, input.u64()?);
    let actor = input.option(Input::array)?.map_or(Actor::System, Actor::Person);
    let object = |input: &mut Input<'_>| Some(Object(input.array()?));
    Some(OpenIntent {
        kind,
        job,
        seq,
        ts_ms,
        actor,
        object: input.option(object)?,
        objects: input.u64()?,
        objects_done: input.u64()?,
        objects_seen: input.list(object)?,
        objects_named: input.list(object)?,
        proof: Proof::parse(input.word()?),
        slot: input.option(Input::u32)?,
        role: Role::parse(input.word()?),
        removes: input.u32()? != 0,
        vault: input.option(vault)?,
    })
}

fn put_vault(out: &mut Output, vault: &VaultState) {
    let VaultState { epoch, seq, root } = vault;
    out.u64(*epoch).u64(*seq).bytes(&root.0);
}

fn vault(input: &mut Input<'_>) -> Option<VaultState> {
    Some(VaultState { epoch: input.u64()?, seq: input.u64()?, root: Digest(input.array()?) })
}

struct Output(Vec<u8>);

impl Output {
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn u32(&mut self, number: u32) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    fn u64(&mut self, number: u64) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    fn word(&mut self, word: &str) -> &mut Self {
        self.u32(u32::try_from(word.len()).unwrap_or(u32::MAX)).bytes(word.as_bytes())
    }

    fn list<T>(&mut self, items: &[T], put: impl Fn(&mut Self, &T)) -> &mut Self {
        self.u32(u32::try_from(items.len()).unwrap_or(u32::MAX));
        items.iter().for_each(|item| put(self, item));
        self
    }

    fn option<T>(&mut self, item: Option<&T>, put: impl Fn(&mut Self, &T)) -> &mut Self {
        self.bytes(&[u8::from(item.is_some())]);
        item.into_iter().for_each(|item| put(self, item));
        self
    }
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn word(&mut self) -> Option<&'a str> {
        let len = usize::try_from(self.u32()?).ok()?;
        std::str::from_utf8(self.take(len)?).ok()
    }

    /// Takes no memory before the bytes are there: an item has at least one.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.u32()?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Some(items)
    }

    fn option<T>(&mut self, item: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.take(1)? {
            [0] => Some(None),
            [1] => item(self).map(Some),
            _ => None,
        }
    }
}

//! What the files of a part claim to hold is checked first; then their bytes are taken.
//!
//! [`Claims::open`] reads the headers alone and compares them with what the configuration asks for. Only what
//! passed is mapped, read, hashed or given memory.

use crate::Error;
use crate::asked::{Asked, Asking, Purpose};
use crate::device::Precision;
use crate::error::quoted;
use crate::folder::{ModelFile, ModelFiles, ModelFolder};
use crate::header::{self, Claim};
use crate::loading::{Loading, RUN_BYTES};
use crate::room::room;
use crate::weights::{Stored, Weights, bytes_laid_out, values_on_the_way};
use burn_tensor::Device;
use safetensors::Dtype;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Most files that one part is split into.
const SHARDS_MAX: usize = 64;

/// The weights of one part, checked and not yet read: exactly what its configuration asks for.
pub(crate) struct Claims {
    shards: Vec<Shard>,
    /// Where a missing tensor should have been: the file, or the index of the shards.
    origin: String,
    /// What may stand before the names in the files.
    prefix: &'static str,
    asked: Asked,
}

/// One file of a part.
struct Shard {
    file: ModelFile,
    /// The file's first bytes, which `claims` were read from.
    header: bytes::Bytes,
    claims: Vec<Claim>,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Claims {
    /// Opens `{part}/{stem}.safetensors`, or the shards that `{part}/{stem}.safetensors.index.json` names, and
    /// checks that their tensors are those `asked` for. `prefix` may stand before a file's names.
    ///
    /// # Errors
    /// Any that names a file that cannot be opened, or a tensor that is missing, surplus, misshapen, or of a type
    /// that is not computed with.
    pub fn open(
        folder: &ModelFolder,
        part: &str,
        stem: &str,
        prefix: &'static str,
        asked: Asked,
    ) -> Result<Self, Error> {
        let single = format!("{part}/{stem}.safetensors");
        let index_file = format!("{single}.index.json");
        let (origin, names, promises) = match folder.holds(&index_file) {
            true => {
                let promises = index(folder, &index_file, &asked)?;
                let names: BTreeSet<&String> = promises.values().collect();
                let names = names.into_iter().map(|shard| format!("{part}/{shard}")).collect();
                (index_file, names, promises)
            }
            false => (single.clone(), vec![single], BTreeMap::new()),
        };
        let mut shards = Vec::new();
        let mut found = BTreeSet::new();
        let bytes_max = header::bytes_max(asked.count());
        for name in names {
            let file = folder.file(&name)?;
            let (header, claims) =
                header::claims(&name, file.bytes(), bytes_max, |count| file.read_start(count))?;
            for claim in &claims {
                if let Some(Asking { shape, .. }) = asked.get(bare(&claim.key, prefix)) {
                    compare(&name, claim, shape)?;
                }
                if !found.insert(bare(&claim.key, prefix).to_owned()) {
                    let reason = format!("tensor {} is there twice", quoted(&claim.key));
                    return Err(Error::ParseWeights { file: name, reason });
                }
            }
            shards.push(Shard { file, header, claims });
        }
        if let Some((key, shard)) = promises.iter().find(|(key, _)| !found.contains(bare(key, prefix))) {
            let reason = format!("the index promises tensor {}, which is not there", quoted(key));
            return Err(Error::ParseWeights { file: format!("{part}/{shard}"), reason });
        }
        if let Some((key, asking)) = asked.iter().find(|(key, a)| !a.optional && !found.contains(*key)) {
            let (key, wanted) = (key.clone(), asking.shape.clone());
            return Err(Error::MissingTensor { file: origin, key, wanted });
        }
        no_surplus(&shards, |key| asked.get(bare(key, prefix)).is_some())?;
        Ok(Self { shards, origin, prefix, asked })
    }

    /// Adds its files.
    pub fn name_files(&self, files: &mut ModelFiles) {
        let names = self.shards.iter().map(|shard| shard.file.name().to_owned());
        files.made_of.extend(names);
        if !files.made_of.contains(&self.origin) {
            files.indexes.push(self.origin.clone());
        }
    }

    /// Length of the part's files in bytes.
    pub fn bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.file.bytes()).sum()
    }

    /// Bytes of memory that the weights take, and how many more at most while one of them is laid out, beside
    /// [`COPIES_BYTES_MAX`](crate::loading::COPIES_BYTES_MAX): its values in f32, and the copies of tensors that are larger than
    /// [`RUN_BYTES`]. Mapped files count as nothing: the system drops and reads their pages as it likes.
    pub fn bytes_to_load(&self, precision: Precision) -> (u64, u64) {
        let (mut kept, mut copies) = (0, 0);
        for claim in self.shards.iter().flat_map(|shard| &shard.claims) {
            let purpose = self.purpose(&claim.key);
            kept += bytes_laid_out(purpose, claim, precision);
            if precision.widen && purpose != Purpose::Unused && claim.range.len() > RUN_BYTES {
                copies = copies.max(2 * claim.range.len() as u64);
            }
        }
        (kept, copies + 4 * self.values_on_the_way(precision) as u64)
    }

    fn values_on_the_way(&self, precision: Precision) -> usize {
        let claims = self.shards.iter().flat_map(|shard| &shard.claims);
        let values = claims.map(|claim| values_on_the_way(self.purpose(&claim.key), claim, precision));
        values.max().unwrap_or_default()
    }

    fn purpose(&self, key: &str) -> Purpose {
        self.asked.get(bare(key, self.prefix)).map_or(Purpose::Unused, |asking| asking.purpose)
    }

    /// Takes the bytes, in the order of the files, and lays them out. A part that is converted at load is read into memory, where
    /// nobody can change it, a run of tensors at a time; one that stays as it lies in the file is mapped.
    ///
    /// # Errors
    /// [`Error::ReadFile`], [`Error::Memory`], or [`Error::FileChanged`].
    pub fn load(
        mut self,
        loading: &mut Loading<'_>,
        device: &Device,
        precision: Precision,
    ) -> Result<Weights, Error> {
        let mut f32s = room(self.values_on_the_way(precision))?;
        let shards = std::mem::take(&mut self.shards);
        let mut weights = Weights::new(self.origin.clone(), device, precision);
        for Shard { file, header, claims } in shards {
            let begun = loading.begin(file, header, precision.widen)?;
            for (bytes, claims) in self.runs(claims) {
                let run = loading.read(&begun, bytes.clone())?;
                for Claim { key, shape, dtype, range } in claims {
                    let purpose = self.purpose(&key);
                    let content = run.piece(range.start - bytes.start..range.end - bytes.start);
                    let laid_out = loading.beside(|| {
                        Stored { shape, dtype, content }.laid_out(purpose, device, precision, &mut f32s)
                    })?;
                    weights.put(bare(&key, self.prefix), laid_out);
                }
                loading.push(run);
            }
            loading.end(begun);
        }
        Ok(weights)
    }

    /// What is read at a time: one tensor, or as many as fit [`RUN_BYTES`], with those that are used.
    fn runs(&self, mut claims: Vec<Claim>) -> Vec<(Range<usize>, Vec<Claim>)> {
        claims.sort_by_key(|claim| claim.range.start);
        let mut runs: Vec<(Range<usize>, Vec<Claim>)> = Vec::new();
        for claim in claims {
            let is_used = self.purpose(&claim.key) != Purpose::Unused;
            // What is not used needs not be in one piece.
            let step = if is_used { claim.range.len().max(1) } else { RUN_BYTES };
            for start in claim.range.clone().step_by(step) {
                let end = claim.range.end.min(start + step);
                match runs.last_mut() {
                    Some((bytes, _)) if end - bytes.start <= RUN_BYTES => bytes.end = end,
                    _ => runs.push((start..end, Vec::new())),
                }
            }
            if is_used && let Some((_, of_run)) = runs.last_mut() {
                of_run.push(claim);
            }
        }
        runs
    }
}

/// The index of a part's shards: which shard holds which tensor.
fn index(folder: &ModelFolder, file: &str, asked: &Asked) -> Result<BTreeMap<String, String>, Error> {
    let (index, _) = folder.json::<Index>(file, header::bytes_max(asked.count()))?;
    let wrong = |reason: String| Error::ParseWeights { file: file.into(), reason };
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    for shard in index.weight_map.values() {
        // The digest takes the files in the order of their names, and the configuration comes first.
        let follows = shard.as_str() > "config.json";
        let good = shard.len() <= 128 && shard.chars().all(plain) && !shard.contains("..") && follows;
        if !good || !shard.ends_with(".safetensors") {
            return Err(wrong(format!("{} is not the name of a shard beside it", quoted(shard))));
        }
    }
    let shards = index.weight_map.values().collect::<BTreeSet<_>>().len();
    match shards {
        1..=SHARDS_MAX => Ok(index.weight_map),
        _ => Err(wrong(format!("{shards} shards, wanted 1 to {SHARDS_MAX}"))),
    }
}

/// The name of a tensor without the prefix that some files give it.
fn bare<'a>(key: &'a str, prefix: &str) -> &'a str {
    key.strip_prefix(prefix).unwrap_or(key)
}

/// Compares a claim with the shape that is asked for under its name.
fn compare(file: &str, claim: &Claim, wanted: &[usize]) -> Result<(), Error> {
    let (file, key) = (file.to_owned(), claim.key.clone());
    if claim.shape != wanted {
        return Err(Error::TensorShape { file, key, found: claim.shape.clone(), wanted: wanted.into() });
    }
    match claim.dtype {
        Dtype::BF16 | Dtype::F16 | Dtype::F32 => Ok(()),
        other => Err(Error::TensorType { file, key, found: format!("{other:?}") }),
    }
}

fn no_surplus(shards: &[Shard], is_asked: impl Fn(&str) -> bool) -> Result<(), Error> {
    let claims = shards.iter().flat_map(|shard| shard.claims.iter().map(move |claim| (shard, claim)));
    let surplus: Vec<_> = claims.filter(|(_, claim)| !is_asked(&claim.key)).collect();
    match surplus.iter().min_by_key(|(_, claim)| &claim.key) {
        None => Ok(()),
        Some((shard, first)) => Err(Error::SurplusTensors {
            file: shard.file.name().into(),
            count: surplus.len(),
            key: quoted(&first.key),
            found: first.shape.clone(),
        }),
    }
}

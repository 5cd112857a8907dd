//! The tensors of one part of a checkpoint: their claims are checked first, then their bytes are taken.
//!
//! [`Claims::open`] reads the headers alone and compares them with what the configuration asks for. Only what
//! passed is mapped, read, hashed or given memory.

use crate::Error;
use crate::asked::{Asked, Asking};
use crate::device::Precision;
use crate::error::quoted;
use crate::folder::{ModelFile, ModelFiles, ModelFolder};
use crate::header::{self, Claim};
use crate::layers::{Attend, Conv2d, Filter, GroupNorm, HalvingConv2d, Linear, Matrix, PointConv2d, RmsNorm};
use crate::loading::Loading;
use crate::room::room;
use burn_tensor::{AllocationProperty, Bytes, DType, Device, Tensor, TensorData, f16};
use kernels::attention::Form;
use kernels::conv;
use kernels::gemm::Packed;
use safetensors::Dtype;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Most files that one part is split into.
const SHARDS_MAX: usize = 64;

/// The weights of one part, checked and not yet read: exactly what its configuration asks for.
pub(crate) struct Claims {
    shards: Vec<Shard>,
    /// Where a missing tensor should have been: the file, or the index of the shards.
    origin: String,
    /// What may stand before the names in the files.
    prefix: &'static str,
    /// Elements of all tensors, and of the largest one.
    elements: (u64, u64),
    /// Bytes of all tensors as the kernels hold them.
    bytes_packed: u64,
}

/// One file of a part.
struct Shard {
    file: ModelFile,
    /// The file's first bytes, which `claims` were read from.
    header: bytes::Bytes,
    claims: Vec<Claim>,
}

/// The tensors of a part that nobody has taken yet.
pub(crate) struct Weights {
    tensors: BTreeMap<String, Stored>,
    origin: String,
    device: Device,
    precision: Precision,
}

/// One tensor as it lies in its file.
struct Stored {
    shape: Vec<usize>,
    dtype: Dtype,
    content: bytes::Bytes,
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
        asked: &Asked,
    ) -> Result<Self, Error> {
        let single = format!("{part}/{stem}.safetensors");
        let index_file = format!("{single}.index.json");
        let (origin, names, promises) = match folder.holds(&index_file) {
            true => {
                let promises = index(folder, &index_file, asked)?;
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
        let claims = shards.iter().flat_map(|shard| &shard.claims);
        let bytes_packed = claims.map(|claim| bytes_packed(bare(&claim.key, prefix), claim)).sum();
        Ok(Self { shards, origin, prefix, elements: asked.elements(), bytes_packed })
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

    /// Most bytes of memory that loading takes at one time, and bytes that stay taken. Mapped files count as
    /// nothing: the system drops and reads their pages as it likes.
    pub fn bytes_to_load(&self, precision: Precision) -> (u64, u64) {
        let (all, largest) = self.elements;
        let kept = if precision.kernels { self.bytes_packed } else { 4 * all };
        match precision.widen {
            // The files, all tensors as they are kept, and the largest one once more, in f32, while it is transposed or packed.
            true => (self.bytes() + kept + 4 * largest, kept),
            false => (0, 0),
        }
    }

    /// Takes the bytes. A part that is converted at load is read into memory, where nobody can change it; one that
    /// stays as it lies in the file is mapped.
    ///
    /// # Errors
    /// [`Error::ReadFile`] or [`Error::Memory`].
    pub fn load(
        self,
        loading: &mut Loading<'_>,
        device: &Device,
        precision: Precision,
    ) -> Result<Weights, Error> {
        let mut tensors = BTreeMap::new();
        for Shard { file, header, claims } in self.shards {
            let name = file.name().to_owned();
            let content = match precision.widen {
                true => loading.read(file)?,
                false => loading.map(file)?,
            };
            let end = claims.iter().map(|claim| claim.range.end).max().unwrap_or_default();
            if !content.starts_with(&header) || content.len() < end {
                return Err(Error::FileChanged { file: name.into() });
            }
            for Claim { key, shape, dtype, range } in claims {
                tensors.insert(
                    bare(&key, self.prefix).to_owned(),
                    Stored { shape, dtype, content: content.slice(range) },
                );
            }
        }
        Ok(Weights { tensors, origin: self.origin, device: device.clone(), precision })
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

impl Weights {
    fn take<const D: usize>(&mut self, key: &str) -> Result<(Stored, [usize; D]), Error> {
        let found = self.tensors.remove(key);
        let found = found.and_then(|stored| Some((<[usize; D]>::try_from(&*stored.shape).ok()?, stored)));
        // What is taken and what the configuration asks for are written down in two places of this crate.
        let (shape, stored) = found.ok_or_else(|| Error::MissingTensor {
            file: self.origin.clone(),
            key: key.into(),
            wanted: Vec::new(),
        })?;
        Ok((stored, shape))
    }

    /// A small tensor, in the type that the part computes with.
    pub fn tensor<const D: usize>(&mut self, key: &str) -> Result<Tensor<D>, Error> {
        let (stored, shape) = self.take::<D>(key)?;
        let data = TensorData::new(stored.to_f32()?, shape);
        Ok(Tensor::from_data(data, (&self.device, self.precision.compute)))
    }

    /// A large matrix `[rows, columns]` in the file's own type: a table from which rows are picked.
    pub fn rows(&mut self, key: &str) -> Result<Tensor<2>, Error> {
        let (stored, _) = self.take::<2>(key)?;
        self.as_stored(stored)
    }

    fn as_stored(&self, stored: Stored) -> Result<Tensor<2>, Error> {
        // A slice would keep the whole of a file in memory for one tensor of it.
        let (data, dtype) = stored.into_data(self.precision.widen)?;
        Ok(Tensor::from_data(data, (&self.device, dtype)))
    }

    /// `{key}.weight` `[outputs, inputs]` and, if the layer has one, `{key}.bias` `[outputs]`.
    pub fn linear(&mut self, key: &str) -> Result<Linear, Error> {
        let name = format!("{key}.weight");
        let (stored, [outputs, inputs]) = self.take(&name)?;
        let weight = match self.precision {
            Precision { widen: true, .. } => self.matrix(&stored, outputs, inputs)?,
            // Multiplied where it lies in the file.
            Precision { kernels: true, .. } if stored.dtype == Dtype::BF16 => {
                Matrix::Packed(Packed::mapped(Box::new(stored.content), outputs, inputs))
            }
            _ => Matrix::Tensor(self.as_stored(stored)?.transpose()),
        };
        let bias = format!("{key}.bias");
        let bias = match self.tensors.contains_key(&bias) {
            true => Some(self.tensor(&bias)?),
            false => None,
        };
        Ok(Linear { weight, bias })
    }

    /// Values `[outputs, inputs]` as weights to multiply with.
    fn matrix(&self, stored: &Stored, outputs: usize, inputs: usize) -> Result<Matrix, Error> {
        if self.precision.kernels {
            return Ok(Matrix::Packed(match stored.dtype {
                // Half the memory to take and to read, and widened where they are used.
                Dtype::BF16 => Packed::bf16(&stored.content, outputs, inputs),
                _ => Packed::new(&stored.to_f32()?, outputs, inputs),
            }));
        }
        let values = stored.to_f32()?;
        // Row-major [inputs, outputs] multiplies 1.6 times faster on the CPU than a transposed view.
        let data = TensorData::new(transpose(&values, outputs, inputs)?, [inputs, outputs]);
        Ok(Matrix::Tensor(Tensor::from_data(data, (&self.device, self.precision.compute))))
    }

    /// `{key}.weight` and `{key}.bias` of a 3x3 convolution that keeps the size.
    pub fn conv(&mut self, key: &str) -> Result<Conv2d, Error> {
        let name = format!("{key}.weight");
        let weight = match self.precision.kernels {
            true => {
                let (stored, [outputs, inputs, ..]) = self.take::<4>(&name)?;
                let pack = if is_quick(key) { conv::Weights::new } else { conv::Weights::direct };
                Filter::Packed(pack(&stored.to_f32()?, outputs, inputs))
            }
            false => Filter::Tensor(self.tensor(&name)?),
        };
        Ok(Conv2d { weight, bias: self.tensor(&format!("{key}.bias"))? })
    }

    /// `{key}.weight` and `{key}.bias` of a 3x3 convolution that halves the size.
    pub fn halving_conv(&mut self, key: &str) -> Result<HalvingConv2d, Error> {
        let weight = self.tensor(&format!("{key}.weight"))?;
        Ok(HalvingConv2d { weight, bias: self.tensor(&format!("{key}.bias"))? })
    }

    /// `{key}.weight` `[outputs, inputs, 1, 1]` and `{key}.bias` of a 1x1 convolution.
    pub fn point_conv(&mut self, key: &str) -> Result<PointConv2d, Error> {
        let (stored, [outputs, inputs, ..]) = self.take::<4>(&format!("{key}.weight"))?;
        let weight = self.matrix(&stored, outputs, inputs)?;
        Ok(PointConv2d(Linear { weight, bias: Some(self.tensor(&format!("{key}.bias"))?) }))
    }

    /// Attention, which has no weights of its own.
    pub fn attend(&self, form: Form) -> Attend {
        Attend { form, kernels: self.precision.kernels }
    }

    /// `{key}.weight` of an RMS norm.
    pub fn rms_norm(&mut self, key: &str, eps: f64) -> Result<RmsNorm, Error> {
        let kernels = self.precision.kernels;
        Ok(RmsNorm { weight: self.tensor(&format!("{key}.weight"))?, eps, kernels })
    }

    /// `{key}.weight` and `{key}.bias` of a group norm.
    pub fn group_norm(&mut self, key: &str, groups: usize) -> Result<GroupNorm, Error> {
        let mut column = |name: &str| {
            let x = self.tensor::<1>(&format!("{key}.{name}"))?;
            let channels = x.dims()[0];
            Ok(x.reshape([1, channels, 1, 1]))
        };
        let (weight, bias) = (column("weight")?, column("bias")?);
        Ok(GroupNorm { weight, bias, groups, kernels: self.precision.kernels })
    }
}

impl Stored {
    /// The values, whatever the type in the file.
    fn to_f32(&self) -> Result<Vec<f32>, Error> {
        let mut values = room(self.shape.iter().product())?;
        match self.dtype {
            Dtype::BF16 => values
                .extend(pairs(&self.content).map(|b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16))),
            Dtype::F16 => values.extend(pairs(&self.content).map(|b| f16::from_le_bytes(b).to_f32())),
            _ => values.extend(self.content.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b))),
        }
        Ok(values)
    }

    /// The bytes as they lie in the file; without a copy if they are aligned for their type and none is asked for.
    fn into_data(self, copy: bool) -> Result<(TensorData, DType), Error> {
        let dtype = match self.dtype {
            Dtype::BF16 => DType::BF16,
            Dtype::F16 => DType::F16,
            _ => DType::F32,
        };
        let aligned = self.content.as_ptr().addr().is_multiple_of(dtype.size());
        let content = match aligned && !copy {
            true => Bytes::from_shared(self.content, AllocationProperty::Other),
            false => {
                let mut bytes = room(self.content.len())?;
                bytes.extend_from_slice(&self.content);
                Bytes::from_bytes_vec(bytes)
            }
        };
        Ok((TensorData::from_bytes(content, self.shape, dtype), dtype))
    }
}

/// Most bytes of a tensor as the kernels hold it: in panels, the last of which may be almost empty; a matrix in bf16 as it is,
/// and a filter that may be quick with 36 values for its 9.
fn bytes_packed(key: &str, claim: &Claim) -> u64 {
    const PANEL_COLUMNS_MAX: usize = 32;
    let padded = |outputs: usize| outputs.next_multiple_of(PANEL_COLUMNS_MAX);
    let is_matrix = matches!(*claim.shape, [_, _] | [_, _, 1, 1]);
    let value_bytes = if is_matrix && claim.dtype == Dtype::BF16 { 2 } else { 4 };
    let shape = match *claim.shape {
        [outputs, inputs] => vec![padded(outputs), inputs],
        [outputs, inputs, 3, 3] if is_quick(key) => vec![padded(outputs), inputs, 36],
        [outputs, inputs, y, x] => vec![padded(outputs), inputs, y, x],
        _ => claim.shape.clone(),
    };
    value_bytes * shape.into_iter().map(|n| n as u64).product::<u64>()
}

/// Whether a convolution may take four times the room to be quicker. The encoder may not: a picture from a prompt never
/// passes it.
fn is_quick(key: &str) -> bool {
    !key.starts_with("encoder.")
}

fn pairs(content: &[u8]) -> impl Iterator<Item = [u8; 2]> {
    content.as_chunks::<2>().0.iter().copied()
}

/// `[rows, columns]` to `[columns, rows]`, in tiles that stay in the cache.
fn transpose(values: &[f32], rows: usize, columns: usize) -> Result<Vec<f32>, Error> {
    const TILE: usize = 32;
    let mut out = room(values.len())?;
    out.resize(values.len(), 0.0);
    for r0 in (0..rows).step_by(TILE) {
        for c0 in (0..columns).step_by(TILE) {
            for r in r0..(r0 + TILE).min(rows) {
                for c in c0..(c0 + TILE).min(columns) {
                    out[c * rows + r] = values[r * columns + c];
                }
            }
        }
    }
    Ok(out)
}

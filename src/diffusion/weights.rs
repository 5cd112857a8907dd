//! The weights of a part, each laid out once for its use, as its bytes come; then the layers take them.

use crate::Error;
use crate::asked::Purpose;
use crate::device::Precision;
use crate::header::Claim;
use crate::layers::{Attend, Conv2d, Filter, GroupNorm, HalvingConv2d, Linear, Matrix, PointConv2d, RmsNorm};
use crate::loading::Piece;
use crate::room::room;
use burn_tensor::{AllocationProperty, Bytes, DType, Device, Tensor, TensorData, f16};
use kernels::attention::Form;
use kernels::conv;
use kernels::gemm::Packed;
use safetensors::Dtype;
use std::collections::BTreeMap;

/// The weights of a part that no layer has taken yet.
pub(crate) struct Weights {
    laid_out: BTreeMap<String, LaidOut>,
    /// Where one that is missing should have been.
    origin: String,
    device: Device,
    precision: Precision,
}

/// One of them, as its [`Purpose`] wants it.
pub(crate) enum LaidOut {
    /// In f32.
    Values(TensorData),
    Rows(Tensor<2>),
    Matrix(Matrix),
    Filter(Filter),
}

/// One tensor as it lies in its file.
pub(crate) struct Stored<'a> {
    pub shape: Vec<usize>,
    pub dtype: Dtype,
    pub content: Piece<'a>,
}

impl Weights {
    /// None yet.
    pub fn new(origin: String, device: &Device, precision: Precision) -> Self {
        Self { laid_out: BTreeMap::new(), origin, device: device.clone(), precision }
    }

    /// One more.
    pub fn put(&mut self, key: &str, laid_out: LaidOut) {
        self.laid_out.insert(key.to_owned(), laid_out);
    }

    /// Takes one that `wanted` knows.
    fn take<T>(&mut self, key: &str, wanted: impl FnOnce(LaidOut) -> Option<T>) -> Result<T, Error> {
        // What is taken and what the configuration asks for are written down in two places of this crate.
        self.laid_out.remove(key).and_then(wanted).ok_or_else(|| Error::MissingTensor {
            file: self.origin.clone(),
            key: key.into(),
            wanted: Vec::new(),
        })
    }

    /// A tensor that is used in its own order, in the type that the part computes with.
    pub fn tensor<const D: usize>(&mut self, key: &str) -> Result<Tensor<D>, Error> {
        let data = self.take(key, |laid_out| match laid_out {
            LaidOut::Values(data) if data.shape().len() == D => Some(data),
            _ => None,
        })?;
        Ok(Tensor::from_data(data, (&self.device, self.precision.compute)))
    }

    /// A large matrix `[rows, columns]` in the file's own type: a table from which rows are picked.
    pub fn rows(&mut self, key: &str) -> Result<Tensor<2>, Error> {
        self.take(key, |laid_out| match laid_out {
            LaidOut::Rows(rows) => Some(rows),
            _ => None,
        })
    }

    fn matrix(&mut self, key: &str) -> Result<Matrix, Error> {
        self.take(key, |laid_out| match laid_out {
            LaidOut::Matrix(matrix) => Some(matrix),
            _ => None,
        })
    }

    /// `{key}.weight` `[outputs, inputs]` and, if the layer has one, `{key}.bias` `[outputs]`.
    pub fn linear(&mut self, key: &str) -> Result<Linear, Error> {
        let weight = self.matrix(&format!("{key}.weight"))?;
        let bias = format!("{key}.bias");
        let bias = match self.laid_out.contains_key(&bias) {
            true => Some(self.tensor(&bias)?),
            false => None,
        };
        Ok(Linear { weight, bias })
    }

    /// `{key}.weight` and `{key}.bias` of a 3x3 convolution that keeps the size.
    pub fn conv(&mut self, key: &str) -> Result<Conv2d, Error> {
        let weight = self.take(&format!("{key}.weight"), |laid_out| match laid_out {
            LaidOut::Filter(filter) => Some(filter),
            _ => None,
        })?;
        Ok(Conv2d { weight, bias: self.tensor(&format!("{key}.bias"))? })
    }

    /// `{key}.weight` and `{key}.bias` of a 3x3 convolution that halves the size.
    pub fn halving_conv(&mut self, key: &str) -> Result<HalvingConv2d, Error> {
        let weight = self.tensor(&format!("{key}.weight"))?;
        Ok(HalvingConv2d { weight, bias: self.tensor(&format!("{key}.bias"))? })
    }

    /// `{key}.weight` `[outputs, inputs, 1, 1]` and `{key}.bias` of a 1x1 convolution.
    pub fn point_conv(&mut self, key: &str) -> Result<PointConv2d, Error> {
        let weight = self.matrix(&format!("{key}.weight"))?;
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

impl Stored<'_> {
    /// Its values in the order and type that its use wants, by way of `f32s` where [`values_on_the_way`] says so.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub fn laid_out(
        self,
        purpose: Purpose,
        device: &Device,
        precision: Precision,
        f32s: &mut Vec<f32>,
    ) -> Result<LaidOut, Error> {
        Ok(match (purpose, &*self.shape) {
            (Purpose::Rows, _) => LaidOut::Rows(self.unchanged(device, precision)?),
            (Purpose::Matrix, &([outputs, inputs] | [outputs, inputs, 1, 1])) => {
                LaidOut::Matrix(self.matrix([outputs, inputs], device, precision, f32s)?)
            }
            (Purpose::Filter, &[outputs, inputs, 3, 3]) => LaidOut::Filter(match precision.kernels {
                true => Filter::Packed(conv::Weights::new(self.widened(f32s)?, outputs, inputs)),
                false => Filter::Tensor(Tensor::from_data(self.values()?, (device, precision.compute))),
            }),
            _ => LaidOut::Values(self.values()?),
        })
    }

    /// `[outputs, inputs]` as weights to multiply with.
    fn matrix(
        self,
        [outputs, inputs]: [usize; 2],
        device: &Device,
        precision: Precision,
        f32s: &mut Vec<f32>,
    ) -> Result<Matrix, Error> {
        Ok(match precision {
            Precision { kernels: true, widen, .. } if self.dtype == Dtype::BF16 => {
                Matrix::Packed(match self.content {
                    // Multiplied where it lies in the file.
                    Piece::Shared(content) if !widen => Packed::mapped(Box::new(content), outputs, inputs),
                    // Half the memory to take and to read, and widened where they are used.
                    content => Packed::bf16(&content, outputs, inputs),
                })
            }
            Precision { kernels: true, widen: true, .. } => {
                Matrix::Packed(Packed::new(self.widened(f32s)?, outputs, inputs))
            }
            Precision { widen: true, .. } => {
                // Row-major [inputs, outputs] multiplies 1.6 times faster on the CPU than a transposed view.
                let values = transpose(self.widened(f32s)?, outputs, inputs)?;
                let data = TensorData::new(values, [inputs, outputs]);
                Matrix::Tensor(Tensor::from_data(data, (device, precision.compute)))
            }
            _ => Matrix::Tensor(self.unchanged(device, precision)?.transpose()),
        })
    }

    /// The values, whatever the type in the file.
    fn widened<'f>(&self, f32s: &'f mut Vec<f32>) -> Result<&'f [f32], Error> {
        let count = self.shape.iter().product();
        f32s.clear();
        if f32s.capacity() < count {
            *f32s = room(count)?;
        }
        match self.dtype {
            Dtype::BF16 => f32s
                .extend(pairs(&self.content).map(|b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16))),
            Dtype::F16 => f32s.extend(pairs(&self.content).map(|b| f16::from_le_bytes(b).to_f32())),
            _ => f32s.extend(self.content.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b))),
        }
        Ok(f32s)
    }

    fn values(self) -> Result<TensorData, Error> {
        let mut values = Vec::new();
        self.widened(&mut values)?;
        Ok(TensorData::new(values, self.shape))
    }

    /// `[rows, columns]` in the file's own type; without a copy if it stays where it is, aligned for its type.
    fn unchanged(self, device: &Device, precision: Precision) -> Result<Tensor<2>, Error> {
        let dtype = match self.dtype {
            Dtype::BF16 => DType::BF16,
            Dtype::F16 => DType::F16,
            _ => DType::F32,
        };
        let aligned = self.content.as_ptr().addr().is_multiple_of(dtype.size());
        let content = match self.content {
            Piece::Shared(content) if aligned && !precision.widen => {
                Bytes::from_shared(content, AllocationProperty::Other)
            }
            content => {
                let mut bytes = room(content.len())?;
                bytes.extend_from_slice(&content);
                Bytes::from_bytes_vec(bytes)
            }
        };
        Ok(Tensor::from_data(TensorData::from_bytes(content, self.shape, dtype), (device, dtype)))
    }
}

/// How many values of a tensor are in f32 on their way into what is made of them: in memory that the next one has again, which leaves
/// no holes between what stays.
pub(crate) fn values_on_the_way(purpose: Purpose, claim: &Claim, precision: Precision) -> usize {
    let is_kept_in_bf16 = purpose == Purpose::Matrix && precision.kernels && claim.dtype == Dtype::BF16;
    let is_packed = purpose == Purpose::Matrix || (purpose == Purpose::Filter && precision.kernels);
    match precision.widen && is_packed && !is_kept_in_bf16 {
        true => claim.shape.iter().product(),
        false => 0,
    }
}

/// Most bytes of memory that a tensor takes once it is laid out. What the kernels hold is in panels, the last of which may be almost
/// empty; a matrix in bf16 as it is, and a filter with 36 values for its 9. What stays mapped takes none, unless it does not lie where
/// its type may.
pub(crate) fn bytes_laid_out(purpose: Purpose, claim: &Claim, precision: Precision) -> u64 {
    const PANEL_COLUMNS_MAX: usize = 32;
    let padded = |outputs: usize| outputs.next_multiple_of(PANEL_COLUMNS_MAX);
    let unchanged = claim.range.len() as u64;
    let values = |shape: &[usize]| shape.iter().map(|n| *n as u64).product::<u64>();
    let stored_value_bytes = if claim.dtype == Dtype::F32 { 4 } else { 2 };
    let is_bf16 = claim.dtype == Dtype::BF16;
    match (purpose, &*claim.shape) {
        (Purpose::Unused, _) => 0,
        (Purpose::Matrix, _) if !precision.widen && precision.kernels && is_bf16 => 0,
        (Purpose::Rows | Purpose::Matrix, _) if !precision.widen => {
            if claim.range.start.is_multiple_of(stored_value_bytes) { 0 } else { unchanged }
        }
        (Purpose::Rows, _) => unchanged,
        (Purpose::Matrix, [outputs, rest @ ..]) if precision.kernels => {
            let value_bytes = if is_bf16 { 2 } else { 4 };
            value_bytes * padded(*outputs) as u64 * values(rest)
        }
        (Purpose::Filter, [outputs, inputs, ..]) if precision.kernels => {
            4 * 36 * values(&[padded(*outputs), *inputs])
        }
        (_, shape) => 4 * values(shape),
    }
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

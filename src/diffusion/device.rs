//! Where to compute, and how precisely.

use crate::Error;
use burn_tensor::{DType, Device, FloatDType, Tensor};
use std::fmt;
use std::str::FromStr;

/// A device that a person may name. Which of them can be used depends on the build and the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceName {
    /// The processor.
    Cpu,
    /// An NVIDIA GPU, by its index.
    Cuda(usize),
}

impl FromStr for DeviceName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let cuda = |index: &str| index.parse().ok().map(Self::Cuda);
        match text {
            "cpu" => Some(Self::Cpu),
            "cuda" => Some(Self::Cuda(0)),
            _ => text.strip_prefix("cuda:").and_then(cuda),
        }
        .ok_or_else(|| Error::Device(format!("{text:?} is not a device; use cpu or cuda:0")))
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => write!(f, "cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl DeviceName {
    /// Finds the device.
    ///
    /// # Errors
    /// [`Error::Device`], with what is missing: the feature at build time, or the driver and the card now.
    pub(crate) fn find(self) -> Result<Device, Error> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            Self::Cuda(index) => find_cuda(index),
        }
    }
}

#[cfg(not(feature = "cuda"))]
fn find_cuda(index: usize) -> Result<Device, Error> {
    Err(Error::Device(format!(
        "this program was built without CUDA, so cuda:{index} cannot be used; \
         build it with --features cuda, or use --device cpu"
    )))
}

#[cfg(feature = "cuda")]
fn find_cuda(index: usize) -> Result<Device, Error> {
    use burn_tensor::DeviceType;
    // Enumerating asks the driver library and answers with an empty list where there is none. Touching
    // `Device::cuda(0)` first would panic in a thread of its own.
    let found =
        std::panic::catch_unwind(|| Device::enumerate(DeviceType::Cuda).into_vec()).unwrap_or_default();
    let count = found.len();
    found.into_iter().nth(index).ok_or_else(|| {
        Error::Device(match count {
            0 => "no CUDA device: the NVIDIA driver (libcuda.so.1) or its device nodes are missing; \
                  install the driver, check nvidia-smi, or use --device cpu"
                .to_owned(),
            _ => format!(
                "cuda:{index} does not exist, this machine has {count} CUDA devices, the first is cuda:0"
            ),
        })
    })
}

/// In which types a part of the model holds its weights and computes.
#[derive(Clone, Copy, Debug)]
pub struct Precision {
    /// Type of the activations and of small tensors.
    pub(crate) compute: DType,
    /// Whether large matrices are converted to `compute` once, at load; otherwise they keep the file's type and
    /// are converted, if they must be, as they are used.
    pub(crate) widen: bool,
    /// Whether the layers compute with the kernels, which know the CPU and f32, or with Burn.
    pub(crate) kernels: bool,
}

/// Weights in f32 up to this size are converted at load: twice the speed of converting at each use.
const WIDENED_BYTES_MAX: u64 = 4 << 30;

impl Precision {
    /// The precision for a part with `parameters` parameters at `place`.
    ///
    /// The CPU computes in f32. A GPU multiplies bf16 as it lies in the file.
    pub(crate) fn choose(device_name: DeviceName, parameters: u64) -> Self {
        match device_name {
            DeviceName::Cpu => {
                Self { compute: DType::F32, widen: parameters * 4 <= WIDENED_BYTES_MAX, kernels: true }
            }
            DeviceName::Cuda(_) => Self { compute: DType::BF16, widen: false, kernels: false },
        }
    }

    /// Bytes that a matrix of so many elements takes for the time of its use: one that was not converted at load is
    /// converted then, and copied once more into one piece.
    pub(crate) fn bytes_to_convert(self, elements: usize) -> usize {
        if self.widen { 0 } else { 8 * elements }
    }

    /// The same with f32 everywhere, for the autoencoder: half precision is what makes other programs' pictures turn
    /// black.
    pub(crate) fn in_f32(self) -> Self {
        Self { compute: DType::F32, widen: true, ..self }
    }
}

/// The tensor in another type; itself if it has it already.
pub(crate) fn cast<const D: usize>(x: Tensor<D>, dtype: DType) -> Tensor<D> {
    match x.dtype() == dtype {
        true => x,
        false => x.cast(FloatDType::from(dtype)),
    }
}

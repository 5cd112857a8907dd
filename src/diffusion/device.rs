//! Where to compute, and how precisely.

use crate::Error;
use burn_tensor::{DType, Device, FloatDType, Tensor};
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
        .ok_or_else(|| {
            Error::Device(format!("{text:?} is not a device; use cpu, or cuda:N for the card of that number"))
        })
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

/// A device that was found. A card has computed something by now.
#[derive(Clone)]
pub struct FoundDevice {
    pub(crate) name: DeviceName,
    pub(crate) device: Device,
}

impl FoundDevice {
    /// Which one it is.
    pub fn name(&self) -> DeviceName {
        self.name
    }
}

impl DeviceName {
    /// Finds the device, and has a card compute something small: what its driver needs to do so is loaded then.
    ///
    /// # Errors
    /// [`Error::Device`], with what is missing: the feature at build time, or the driver and the card now; [`Error::CardFull`].
    pub fn find(self) -> Result<FoundDevice, Error> {
        let device = match self {
            Self::Cpu => Device::flex(),
            Self::Cuda(index) => find_cuda(index)?,
        };
        Ok(FoundDevice { name: self, device })
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
    configure();
    // Enumerating asks the driver library and answers with an empty list where there is none. Touching
    // `Device::cuda(0)` first would panic in a thread of its own.
    let found = catch_unwind(|| Device::enumerate(DeviceType::Cuda).into_vec()).unwrap_or_default();
    let count = found.len();
    // The fences grant one card, so that the driver sees no other.
    let at = if count == 1 { 0 } else { index };
    let device = found.into_iter().nth(at).ok_or_else(|| {
        Error::Device(match count {
            0 => "the NVIDIA driver finds no card: its library (libcuda.so.1) is missing or of another version than the \
                  kernel's part; nvidia-smi says which; or use --device cpu"
                .to_owned(),
            _ => format!(
                "cuda:{index} does not exist, this machine has {count} CUDA devices, the first is cuda:0"
            ),
        })
    })?;
    guarded(true, || warm_up(&device)).map_err(|error| match error {
        Error::CardFull => error,
        error => Error::Device(format!(
            "the card cuda:{index} is there and cannot be used: {error}; see what nvidia-smi and the kernel's log say, or use \
             --device cpu"
        )),
    })?;
    Ok(device)
}

/// Sets in code what CubeCL and Burn would look for in files and variables; nothing is kept from one run to the next.
#[cfg(feature = "cuda")]
fn configure() {
    use burn_std::config::BurnConfig;
    use cubecl_runtime::config::{CubeClRuntimeConfig, RuntimeConfig as _};
    let mut cubecl = CubeClRuntimeConfig::default();
    cubecl.throughput.disable_cache = true;
    // Whoever asks again, in a test, has set the same.
    CubeClRuntimeConfig::try_set(cubecl);
    BurnConfig::try_set(BurnConfig::default());
}

/// Has a device compute something small whose result is known, so that what it needs is loaded.
///
/// # Errors
/// [`Error::Compute`].
#[cfg_attr(not(feature = "cuda"), allow(dead_code))] // a test has the processor do it
pub(crate) fn warm_up(device: &Device) -> Result<(), Error> {
    const SIDE: usize = 64;
    let values = burn_tensor::TensorData::new(vec![0.125_f32; SIDE * SIDE], [SIDE, SIDE]);
    let x = Tensor::<2>::from_data(values, device);
    let host = |x: Tensor<2>| x.try_into_data().map_err(|error| Error::Compute(error.to_string()));
    let [product, sine] = [x.clone().matmul(x.clone()), x.sin()].map(host);
    let is = |data: &burn_tensor::TensorData, wanted: f32| {
        data.as_slice::<f32>().is_ok_and(|values| values.iter().all(|value| (value - wanted).abs() < 1e-3))
    };
    match is(&product?, 1.0) && is(&sine?, 0.124_674_73) {
        true => Ok(()),
        false => Err(Error::Compute("it computes something else than it was asked".to_owned())),
    }
}

/// What a card does, with an error for a panic: Burn's runtime panics where the driver fails.
pub(crate) fn guarded<T>(is_card: bool, act: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    if !is_card {
        return act();
    }
    let done =
        catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| Err(Error::Compute(words(&*panic))));
    done.map_err(|error| match error {
        Error::Compute(text) if says_full(&text) => Error::CardFull,
        error => error,
    })
}

/// The first line of what a panic says, cut.
fn words(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.and_then(|text| text.lines().next()).unwrap_or("no reason was given").chars().take(200).collect()
}

/// Whether a driver's words mean that the memory of the card is spent.
fn says_full(text: &str) -> bool {
    let letters: String = text.chars().filter(char::is_ascii_alphabetic).collect();
    let letters = letters.to_ascii_lowercase();
    ["outofmemory", "buffertoobig", "memoryallocation"].iter().any(|words| letters.contains(words))
}

/// In which types a part of the model holds its weights and computes.
#[derive(Clone, Copy, Debug)]
pub struct Precision {
    /// Type of the activations and of small tensors.
    pub(crate) compute: DType,
    /// Whether large matrices are read into memory and laid out for their use once, at load: in `compute`, but one in bf16, which
    /// keeps its type in the kernels' panels. Otherwise they stay as they lie in the file, and are converted, if they must be, as
    /// they are used.
    pub(crate) widen: bool,
    /// Whether the layers compute with the kernels, which know the CPU and f32, or with Burn.
    pub(crate) kernels: bool,
}

/// Weights that take no more than this in f32 are laid out at load: that is faster than to do it at each use.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_computes_rightly_is_warm() {
        warm_up(&Device::flex()).unwrap();
    }

    #[test]
    fn a_fault_of_a_card_is_an_error_with_a_sentence() {
        let failing = |text: &'static str| {
            guarded::<()>(true, || std::panic::panic_any(format!("{text}\nand a second line")))
        };
        for full in ["CUDA_ERROR_OUT_OF_MEMORY", "an OutOfMemory happened", "Error: BufferTooBig(12)"] {
            let error = failing(full).unwrap_err().to_string();
            assert!(
                error.contains("no memory left on the card") && error.contains("--device cpu"),
                "{error}"
            );
        }
        let error = failing("CUDA_ERROR_ILLEGAL_ADDRESS").unwrap_err().to_string();
        assert!(error.contains("ILLEGAL_ADDRESS") && !error.contains("second line"), "{error}");
        let error = guarded::<()>(true, || Err(Error::Compute("out of memory".to_owned()))).unwrap_err();
        assert!(matches!(error, Error::CardFull));
        // Another error stays what it is, and the processor's panics are caught elsewhere.
        assert!(matches!(guarded::<()>(true, || Err(Error::Tokenize)), Err(Error::Tokenize)));
        assert!(catch_unwind(|| guarded::<()>(false, || std::panic::panic_any("x"))).is_err());
    }
}

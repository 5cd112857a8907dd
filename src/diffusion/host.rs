//! The door between Burn's tensors and the kernels: values that lie in this program's memory.

use crate::device::cast;
use crate::spare::{give, take};
use burn_flex::{Flex, FlexTensor};
use burn_tensor::{DType, Device, Tensor, TensorData};
use std::ops::Deref;

/// The values of a tensor in f32, in the order of its axes.
pub(crate) enum Values {
    /// Those of the tensor itself, shared with it.
    Shared(FlexTensor),
    /// A copy, of a tensor that is elsewhere.
    Copied(Vec<f32>),
}

impl Values {
    /// Copies nothing if they lie in order in this program's memory.
    pub fn of<const D: usize>(x: Tensor<D>) -> Self {
        let x = cast(x, DType::F32);
        match x.clone().try_into_primitive::<Flex>() {
            Ok(shared) => Self::Shared(shared.to_contiguous()),
            Err(_) => Self::Copied(owned(x)),
        }
    }

    /// They are done with: where nobody else holds them, what comes next may have their memory.
    pub fn spent(self) {
        match self {
            // All that was allocated, and nothing beside it.
            Self::Shared(x) if x.is_unique() && 4 * x.layout().num_elements() == x.bytes().len() => {
                give(x.into_data().try_into_vec().unwrap_or_default());
            }
            Self::Shared(_) => {}
            Self::Copied(values) => give(values),
        }
    }
}

impl Deref for Values {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Self::Shared(x) => &x.storage()[x.layout().start_offset()..][..x.layout().num_elements()],
            Self::Copied(values) => values,
        }
    }
}

/// The values of a tensor in f32, to be changed: its own if nobody else holds them, else a copy.
pub(crate) fn owned<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    let data = cast(x, DType::F32).into_data();
    // They are f32 by now; were they not, the lengths would differ, which each kernel checks.
    data.try_into_vec().unwrap_or_default()
}

/// A tensor of these values on the CPU. They are not copied.
pub(crate) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

/// The values of a picture `[b, c, y, x]`, the channels of a place side by side: `[b, y, x, c]`.
pub(crate) fn channels_last(x: Tensor<4>) -> Values {
    Values::of(x.permute([0, 2, 3, 1]))
}

/// The picture `[b, c, y, x]` of values `[b, y, x, c]`.
pub(crate) fn channels_first(values: Vec<f32>, shape: [usize; 4]) -> Tensor<4> {
    tensor(values, shape).permute([0, 3, 1, 2])
}

/// Each value of a picture `[b, c, y, x]` turned into another, in the order of the axes.
pub(crate) fn in_order(x: Tensor<4>, turn: impl Fn(f32) -> f32) -> Tensor<4> {
    let shape @ [b, c, y, x_len] = x.dims();
    let places = y * x_len;
    let values = channels_last(x);
    let mut out = take(b * c * places);
    for (from, to) in values.chunks_exact(c * places).zip(out.chunks_exact_mut(c * places)) {
        for (channel, plane) in to.chunks_exact_mut(places).enumerate() {
            plane.iter_mut().zip(from.chunks_exact(c)).for_each(|(to, from)| *to = turn(from[channel]));
        }
    }
    values.spent();
    tensor(out, shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spare::Spare;

    #[test]
    fn values_come_in_the_order_of_the_axes_whatever_the_memory_looks_like() {
        let x = tensor((0..6).map(|i| i as f32).collect(), [2, 3]);
        assert_eq!(*Values::of(x.clone()), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(*Values::of(x.clone().transpose()), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(*Values::of(x.clone().narrow(0, 1, 1)), [3.0, 4.0, 5.0]);
        assert_eq!(*Values::of(cast(x.clone(), DType::BF16)), *Values::of(x));
    }

    #[test]
    fn a_picture_of_channels_that_lie_together_is_put_in_order() {
        let picture = channels_first((0..12).map(|i| i as f32).collect(), [1, 2, 2, 3]);
        let planes = [0.0, 3.0, 6.0, 9.0, 1.0, 4.0, 7.0, 10.0, 2.0, 5.0, 8.0, 11.0].map(|value| value + 0.5);
        let ordered = in_order(picture, |value| value + 0.5);
        assert_eq!((ordered.dims(), owned(ordered)), ([1, 3, 2, 2], planes.to_vec()));
    }

    #[test]
    fn what_is_spent_is_spare_unless_somebody_holds_it() {
        let _spare = Spare::keep();
        let of = |value: f32| tensor(vec![value; 64], [8, 8]);
        let (alone, held) = (of(1.0), of(2.0));
        Values::of(held.clone()).spent();
        Values::of(of(3.0).narrow(0, 0, 1)).spent();
        let at = Values::of(alone.clone()).as_ptr();
        Values::of(alone).spent();
        let (again, another) = (take(64), take(64));
        assert_eq!((again.as_ptr(), again[0], another[0]), (at, 1.0, 0.0));
        assert_eq!(*Values::of(held), [2.0; 64]);
    }

    #[test]
    fn nothing_is_copied_without_need() {
        let values = vec![1.0; 64];
        let at = values.as_ptr();
        let x = tensor(values, [8, 8]);
        assert_eq!(Values::of(x.clone()).as_ptr(), at);
        let (copy, same) = (owned(x.clone()), owned(x));
        assert_ne!(copy.as_ptr(), at);
        assert_eq!(same.as_ptr(), at);
    }
}

//! Attention among tokens.

use super::norms::RmsNorm;
use crate::device::cast;
use crate::host::{Values, tensor};
use burn_tensor::module::attention;
use burn_tensor::ops::AttentionModuleOptions;
use burn_tensor::{DType, Tensor};
use kernels::attention::{self as kernel, Form, Heads, Turn};

/// `softmax(q k^T / sqrt(e)) v` in each of some heads.
pub(crate) struct Attend {
    pub form: Form,
    pub kernels: bool,
}

/// What happens to each head of the queries and keys before: a norm, and a rotation by the token's position.
#[derive(Clone, Copy)]
pub(crate) struct Turns<'a> {
    pub norm_q: &'a RmsNorm,
    pub norm_k: &'a RmsNorm,
    /// `[1, s, 1, e / 2]`
    pub cos: &'a Tensor<4>,
    /// `[1, s, 1, e / 2]`
    pub sin: &'a Tensor<4>,
}

impl Attend {
    /// # Shapes
    /// `[b, s, h e]`, and `[b, s, kv e]` each for keys and values, to `[b, s, h e]`
    pub fn forward(&self, q: Tensor<3>, k: Tensor<3>, v: Tensor<3>, turns: Option<Turns<'_>>) -> Tensor<3> {
        if self.kernels {
            return self.run(q, k, v, turns);
        }
        let Form { heads, key_heads, e, causal } = self.form;
        let [b, s, d] = q.dims();
        let dtype = q.dtype();
        let split = |x: Tensor<3>, heads: usize| x.reshape([b, s, heads, e]); // [b, s, h, e]
        let (mut q, mut k, v) = (split(q, heads), split(k, key_heads), split(v, key_heads));
        if let Some(turns) = turns {
            // Norm and rotation run in f32; the products run in the part's own type.
            let turned =
                |x: Tensor<4>, norm: &RmsNorm| cast(turns.rotate(norm.forward(cast(x, DType::F32))), dtype);
            (q, k) = (turned(q, turns.norm_q), turned(k, turns.norm_k));
        }
        let [q, k, v] = [q, k, v].map(|x| x.swap_dims(1, 2)); // [b, h, s, e]
        let [k, v] = [k, v].map(|x| repeat_heads(x, heads / key_heads));
        // An explicit scale, even the default one, would keep a GPU off its fused kernel.
        let options = AttentionModuleOptions { is_causal: causal, ..Default::default() };
        let a = attention(q, k, v, None, None, options); // [b, h, s, e]
        a.swap_dims(1, 2).reshape([b, s, d])
    }

    fn run(&self, q: Tensor<3>, k: Tensor<3>, v: Tensor<3>, turns: Option<Turns<'_>>) -> Tensor<3> {
        let shape @ [_, s, d] = q.dims();
        let width = k.dims()[2];
        let [q, k, v] = [q, k, v].map(Values::of);
        let turns = turns.map(|turns| {
            let tables = [turns.cos, turns.sin].map(|table| Values::of(table.clone()));
            let weight = |norm: &RmsNorm| (Values::of(norm.weight.clone()), norm.eps as f32);
            (tables, [turns.norm_q, turns.norm_k].map(weight))
        });
        let turns = turns.as_ref().map(|([cos, sin], norms)| {
            norms.each_ref().map(|(weight, eps)| Turn { weight, eps: *eps, cos, sin })
        });
        let mut out = vec![0.0; q.len()];
        for (i, out) in out.chunks_exact_mut(s * d).enumerate() {
            let [q, k, v] = [(&q, d), (&k, width), (&v, width)].map(|(x, stride)| Heads {
                data: &x[i * s * stride..][..s * stride],
                stride,
                offset: 0,
            });
            kernel::attention(self.form, q, k, v, turns, out);
        }
        tensor(out, shape)
    }
}

/// `[b, kv, s, e]` to `[b, kv times, s, e]`: each head of keys serves `times` neighbouring heads of queries.
fn repeat_heads(x: Tensor<4>, times: usize) -> Tensor<4> {
    if times == 1 {
        return x;
    }
    let [b, kv, s, e] = x.dims();
    x.unsqueeze_dim::<5>(2).expand([b, kv, times, s, e]).reshape([b, kv * times, s, e])
}

impl Turns<'_> {
    /// Turns each pair of neighbouring values by its token's angle. Computes in f32.
    ///
    /// # Shapes
    /// `[b, s, h, e]` to the same
    fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, s, h, e] = x.dims();
        let x = x.reshape([b, s, h, e / 2, 2]);
        let real = x.clone().narrow(4, 0, 1).reshape([b, s, h, e / 2]);
        let imag = x.narrow(4, 1, 1).reshape([b, s, h, e / 2]);
        let (cos, sin) = (self.cos.clone(), self.sin.clone());
        let turned_real = real.clone() * cos.clone() - imag.clone() * sin.clone();
        let turned_imag = real * sin + imag * cos;
        Tensor::stack::<5>(vec![turned_real, turned_imag], 4).reshape([b, s, h, e])
    }
}

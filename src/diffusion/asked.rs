//! The tensors that a configuration asks for, written down before anything is read.

use std::collections::BTreeMap;

/// Names, shapes and purposes of all tensors of a part.
#[derive(Default)]
pub(crate) struct Asked(BTreeMap<String, Asking>);

/// One tensor that is asked for.
pub(crate) struct Asking {
    pub shape: Vec<usize>,
    /// Whether the checkpoint may lack it.
    pub optional: bool,
    pub purpose: Purpose,
}

/// What a tensor is for, which decides how it is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It belongs to the model, and no picture needs it.
    Unused,
    /// Used in their own order: of a norm, a bias, a token, or a convolution that halves the size.
    Values,
    /// Rows that are looked up.
    Rows,
    /// `[outputs, inputs]`, or `[outputs, inputs, 1, 1]`: multiplied with.
    Matrix,
    /// `[outputs, inputs, 3, 3]`, of a convolution that keeps the size.
    Filter,
}

impl Asked {
    fn ask(&mut self, key: String, shape: &[usize], purpose: Purpose) {
        self.0.insert(key, Asking { shape: shape.into(), optional: false, purpose });
    }

    /// A tensor that is used in its own order.
    pub fn tensor(&mut self, key: impl Into<String>, shape: &[usize]) {
        self.ask(key.into(), shape, Purpose::Values);
    }

    /// A table from which rows are picked.
    pub fn rows(&mut self, key: &str, shape: [usize; 2]) {
        self.ask(key.into(), &shape, Purpose::Rows);
    }

    /// A tensor that some checkpoints have, and that is not used.
    pub fn optional(&mut self, key: &str, shape: &[usize]) {
        self.0.insert(key.into(), Asking { shape: shape.into(), optional: true, purpose: Purpose::Unused });
    }

    /// Whatever was asked for below `prefix` is not used.
    pub fn unused(&mut self, prefix: &str) {
        let below = self.0.iter_mut().filter(|(key, _)| key.starts_with(prefix));
        below.for_each(|(_, asking)| asking.purpose = Purpose::Unused);
    }

    /// A linear layer without bias.
    pub fn matrix(&mut self, key: &str, inputs: usize, outputs: usize) {
        self.ask(format!("{key}.weight"), &[outputs, inputs], Purpose::Matrix);
    }

    /// A linear layer with its bias.
    pub fn linear(&mut self, key: &str, inputs: usize, outputs: usize) {
        self.matrix(key, inputs, outputs);
        self.tensor(format!("{key}.bias"), &[outputs]);
    }

    /// A 3x3 convolution that keeps the size.
    pub fn conv(&mut self, key: &str, inputs: usize, outputs: usize) {
        self.ask(format!("{key}.weight"), &[outputs, inputs, 3, 3], Purpose::Filter);
        self.tensor(format!("{key}.bias"), &[outputs]);
    }

    /// A 3x3 convolution that halves the size.
    pub fn halving_conv(&mut self, key: &str, channels: usize) {
        self.tensor(format!("{key}.weight"), &[channels, channels, 3, 3]);
        self.tensor(format!("{key}.bias"), &[channels]);
    }

    /// A 1x1 convolution.
    pub fn point_conv(&mut self, key: &str, inputs: usize, outputs: usize) {
        self.ask(format!("{key}.weight"), &[outputs, inputs, 1, 1], Purpose::Matrix);
        self.tensor(format!("{key}.bias"), &[outputs]);
    }

    /// The weight of a norm.
    pub fn norm(&mut self, key: &str, width: usize) {
        self.tensor(format!("{key}.weight"), &[width]);
    }

    /// Weight and bias of a group norm.
    pub fn group_norm(&mut self, key: &str, channels: usize) {
        self.norm(key, channels);
        self.tensor(format!("{key}.bias"), &[channels]);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// One of them.
    pub fn get(&self, key: &str) -> Option<&Asking> {
        self.0.get(key)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Asking)> {
        self.0.iter()
    }

    /// Elements of all tensors.
    pub fn elements(&self) -> u64 {
        self.0.values().map(|asking| asking.shape.iter().map(|n| *n as u64).product::<u64>()).sum()
    }
}

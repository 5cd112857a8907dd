//! The tensors that a configuration asks for, written down before anything is read.

use std::collections::BTreeMap;

/// Names and shapes of all tensors of a part.
#[derive(Default)]
pub(crate) struct Asked(BTreeMap<String, Asking>);

/// One tensor that is asked for.
pub(crate) struct Asking {
    pub shape: Vec<usize>,
    /// Whether the checkpoint may lack it.
    pub optional: bool,
}

impl Asked {
    /// A tensor.
    pub fn tensor(&mut self, key: impl Into<String>, shape: &[usize]) {
        self.0.insert(key.into(), Asking { shape: shape.into(), optional: false });
    }

    /// A tensor that some checkpoints have, and that is not used.
    pub fn optional(&mut self, key: &str, shape: &[usize]) {
        self.0.insert(key.into(), Asking { shape: shape.into(), optional: true });
    }

    /// A linear layer without bias.
    pub fn matrix(&mut self, key: &str, inputs: usize, outputs: usize) {
        self.tensor(format!("{key}.weight"), &[outputs, inputs]);
    }

    /// A linear layer with its bias.
    pub fn linear(&mut self, key: &str, inputs: usize, outputs: usize) {
        self.matrix(key, inputs, outputs);
        self.tensor(format!("{key}.bias"), &[outputs]);
    }

    /// A square convolution.
    pub fn conv(&mut self, key: &str, inputs: usize, outputs: usize, side: usize) {
        self.tensor(format!("{key}.weight"), &[outputs, inputs, side, side]);
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

    /// Elements of all tensors, and of the largest one.
    pub fn elements(&self) -> (u64, u64) {
        let each = || self.0.values().map(|asking| asking.shape.iter().map(|n| *n as u64).product::<u64>());
        (each().sum(), each().max().unwrap_or_default())
    }
}

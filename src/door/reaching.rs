//! A backup on its way to the file that the client has made for it.

use crate::verbs::backup::{self, Target};
use std::path::Path;

/// It.
pub struct Reaching<'a> {
    /// Where it goes.
    pub target: Target,
    /// As the person named it.
    pub path: &'a Path,
    /// It is whole and durable.
    pub is_settled: bool,
}

impl Reaching<'_> {
    /// What becomes of it when nobody says any more.
    pub fn end(&self) -> String {
        if self.is_settled {
            return format!("; {0} may be whole: lightproof backup verify {0}", self.path.display());
        }
        match self.target.undo() {
            true => "; nothing of the backup is left".to_owned(),
            false => backup::target::what_is_left(self.path),
        }
    }
}

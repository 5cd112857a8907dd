//! What a paper is made of.

use crate::control::{Language, Text};
use crate::export::Answers;

/// One paper.
#[derive(Debug)]
pub(crate) struct Paper {
    /// Its name in the bundle.
    pub id: &'static str,
    /// The article that it is about.
    pub article: &'static str,
    pub title: Text,
    /// What it is for, and what it is not.
    pub about: Text,
    pub fields: &'static [Field],
}

/// One field of a paper.
#[derive(Debug)]
pub(crate) struct Field {
    pub label: Text,
    pub author: Author,
}

/// Who fills a field.
#[derive(Debug)]
pub(crate) enum Author {
    /// The program, with what is so in every installation; and the controls that show it.
    Program(Text, &'static [&'static str]),
    /// The program, from the policy; and the controls that show it.
    Policy(fn(&Answers, Language) -> String, &'static [&'static str]),
    /// The controller: the key that they answer under, and what is asked.
    Controller(&'static str, Text),
}

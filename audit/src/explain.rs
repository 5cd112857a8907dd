//! A record in words: what stands above its type in the schema, and what each of its fields means.

use crate::clock::timestamp;
use crate::event::schema;
use crate::report::quote;
use crate::stored::Stored;
use crate::token::{Actor, Kind};
use crate::words::Outcome;
use std::fmt;

/// A record in words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// When, who, about what, for which request, and what happened.
    pub sentence: String,
    /// What happened, for a list that says when and by whom beside it.
    pub about: String,
    /// What else it says.
    pub facts: Vec<Fact>,
    line: String,
}

/// One thing that a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fact {
    /// Its key.
    pub name: String,
    /// Its value, as the record has it.
    pub value: String,
    /// What that means.
    pub meaning: String,
}

impl Stored {
    /// The record in words. A type that a later version brought is said to be one, and its values are given.
    pub fn explain(&self) -> Explanation {
        let kind = schema(&self.name);
        let who = match self.actor {
            Actor::System => "the program itself".to_owned(),
            person => format!("a person ({person})"),
        };
        let object = self.object.map_or_else(String::new, |object| format!(", about the object {object}"));
        let job = self.job.map_or_else(String::new, |job| format!(", for the request {job}"));
        let name = &self.name;
        let about = kind.map_or_else(
            || format!("{name}, a type that this program does not know: a later version wrote it."),
            |kind| plain(kind.about),
        );
        // A type begins as it is written.
        let what = if kind.is_some() { uncapitalised(&about) } else { about.clone() };
        let when = timestamp(self.ts_ms);
        let fact = |name: &str, value: String, meaning: String| Fact { name: name.into(), value, meaning };
        let outcome = self.outcome.word();
        let mut facts = vec![
            fact("seq", self.seq.to_string(), "Number of the record.".into()),
            fact("type", self.name.clone(), "What kind of event it is.".into()),
            fact("out", outcome.into(), plain(meaning_of(Outcome::MEANINGS, outcome))),
            fact("epoch", self.epoch.to_string(), "Signing epoch: which key signed it.".into()),
        ];
        for (name, value) in &self.fields {
            let at =
                kind.and_then(|kind| kind.fields.iter().position(|(field, _)| field == name).zip(Some(kind)));
            let value = value.to_string();
            let meaning = at.map_or_else(String::new, |(at, kind)| {
                let of_word = match kind.fields[at].1 {
                    Kind::Token(words) => meaning_of(words, &value),
                    _ => "",
                };
                plain(&format!("{}{of_word}", kind.meanings[at]))
            });
            facts.push(fact(name, value, meaning));
        }
        let sentence = format!("At {when}, {who}{object}{job}: {what}");
        Explanation { sentence, about, facts, line: self.json().to_owned() }
    }
}

impl Explanation {
    /// One JSON object: the record as it is stored, the sentence, and each fact.
    pub fn to_json(&self) -> String {
        let fact = |Fact { name, value, meaning }: &Fact| {
            let (name, value, meaning) = (quote(name), quote(value), quote(meaning));
            format!("{{\"name\":{name},\"value\":{value},\"meaning\":{meaning}}}")
        };
        let facts: Vec<String> = self.facts.iter().map(fact).collect();
        let (line, sentence, about) = (&self.line, quote(&self.sentence), quote(&self.about));
        format!(
            "{{\"record\":{line},\"sentence\":{sentence},\"about\":{about},\"facts\":[{}]}}",
            facts.join(",")
        )
    }
}

/// The sentence, and under it a line for each fact.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.sentence)?;
        let width = self.facts.iter().map(|fact| fact.name.len()).max().unwrap_or_default();
        for Fact { name, value, meaning } in &self.facts {
            write!(f, "\n{name:<width$}  {value}\n{:<width$}  {meaning}", "")?;
        }
        Ok(())
    }
}

fn meaning_of(words: &[(&'static str, &'static str)], word: &str) -> &'static str {
    words.iter().find(|(known, _)| *known == word).map_or("", |(_, meaning)| meaning)
}

/// Without the marks of the source.
fn plain(text: &str) -> String {
    text.trim().replace('`', "")
}

fn uncapitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

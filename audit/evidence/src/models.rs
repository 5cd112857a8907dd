//! The models that the records of a period name: which one, where it came from, and what was asked of it. A model is known by its
//! digest; of names the log has none.

use audit::words::Outcome;
use audit::{Digest, Stored};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SCHEMA: &str = "lightproof/evidence-models/v1";

/// The model inside the program that makes a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedded<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its digest, as `boot.ready` names it, in hexadecimal digits.
    pub digest: &'a str,
}

/// The models of a period, as far as its records were seen.
#[derive(Debug, Default)]
pub(crate) struct Models(BTreeMap<Digest, Named>);

#[derive(Debug)]
struct Named {
    first: u64,
    last: u64,
    /// How often pictures were asked for.
    requests: u64,
}

/// The records by which models were brought in, by the digest of the model.
pub(crate) type Imports = BTreeMap<Digest, Stored>;

impl Models {
    /// Takes in the next record of the period.
    pub fn see(&mut self, record: &Stored) {
        let Some(model) = record.digest("model") else { return };
        let seq = record.seq;
        let named = self.0.entry(model).or_insert(Named { first: seq, last: seq, requests: 0 });
        named.last = seq;
        named.requests += u64::from(record.name == "generate.requested");
    }

    /// Whether any record named it.
    pub fn has(&self, model: Digest) -> bool {
        self.0.contains_key(&model)
    }

    /// What a bundle says of them.
    pub fn to_json(&self, embedded: &Embedded<'_>, imports: &Imports) -> Value {
        let model = |(digest, Named { first, last, requests }): (&Digest, &Named)| {
            let digest_text = digest.to_string();
            let is_embedded = digest_text == embedded.digest;
            let imported = imports.get(digest).map(|record| {
                json!({ "record": record.seq, "manifest": record.word("manifest"), "official": record.flag("official") })
            });
            let source = match &imported {
                _ if is_embedded => "embedded",
                Some(_) => "imported",
                None => "folder",
            };
            json!({ "digest": digest_text, "name": is_embedded.then_some(embedded.name), "source": source,
                "imported": imported, "first_record": first, "last_record": last, "requests": requests })
        };
        json!({
            "schema": SCHEMA, "embedded": { "name": embedded.name, "digest": embedded.digest },
            "models": self.0.iter().map(model).collect::<Vec<_>>(),
        })
    }
}

/// Takes in the next record of the log: a model is brought in when its record says so and none says later that it was not.
pub(crate) fn see_import(imports: &mut Imports, record: &Stored) {
    if record.name != "model.imported" {
        return;
    }
    let Some(model) = record.digest("model") else { return };
    match record.outcome {
        Outcome::Ok => imports.insert(model, record.clone()),
        _ => imports.remove(&model),
    };
}

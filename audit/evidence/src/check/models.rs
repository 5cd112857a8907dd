//! The models: each is what the records of the period say, and was brought in as a proved record says. Bundles of older versions do
//! not speak of them.

use super::log::Trusted;
use super::reading::Reading;
use crate::bundle::{MODELS, RECORDS};
use crate::json::{number, parse, text, unhex};
use crate::models::{Embedded, Imports, Models, see_import};
use crate::report::Checked;
use serde_json::Value;

pub(super) fn check(reading: &Reading<'_>, trusted: &Trusted, checked: &mut Checked) {
    // What is wrong with the records is found already, and nothing can be told from them.
    if !reading.lists(MODELS) || checked.findings.iter().any(|finding| finding.file == RECORDS) {
        return;
    }
    let Some(said) = reading.read(MODELS, checked) else { return };
    let wanted = parse(&said).and_then(|said| Some((wanted(reading, trusted, &said)?, said)));
    if wanted.is_none_or(|(wanted, said)| wanted != said) {
        checked.find(MODELS, "says of models what the records do not say");
    }
}

/// What it should say, if it is in this form.
fn wanted(reading: &Reading<'_>, trusted: &Trusted, said: &Value) -> Option<Value> {
    let embedded = said.get("embedded")?;
    let embedded = Embedded { name: text(embedded, "name")?, digest: text(embedded, "digest")? };
    unhex::<32>(embedded.digest)?;
    let (mut models, mut imports) = (Models::default(), Imports::new());
    let named =
        said.get("models")?.as_array()?.iter().filter_map(|model| number(model.get("imported")?, "record"));
    named.filter_map(|seq| trusted.records.get(&seq)).for_each(|record| see_import(&mut imports, record));
    reading.records(RECORDS, &[b"\"model\""], |record| models.see(record)).ok()?;
    Some(models.to_json(&embedded, &imports))
}

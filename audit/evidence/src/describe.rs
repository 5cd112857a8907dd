//! The catalogue as JSON: what is claimed, which clauses it supports, and by which conditions it is judged.

use crate::articles::{ARTICLES, Article};
use crate::catalogue::controls as all;
use crate::control::{Control, Framework, Must, Reason, Text, Trial};
use serde_json::{Map, Value, json};

/// Every control, and every reason for a control not being measured.
pub fn controls() -> Value {
    let reasons: Map<String, Value> =
        Reason::ALL.iter().map(|reason| (reason.word().to_owned(), text(reason.text()))).collect();
    json!({
        "schema": "lightproof/controls/v1",
        "controls": all().map(control).collect::<Vec<_>>(), "reasons": reasons,
    })
}

/// One control.
pub fn control(control: &Control) -> Value {
    let clauses = Framework::ALL.into_iter().filter(|f| !control.clauses.of(*f).is_empty());
    let clauses: Map<String, Value> =
        clauses.map(|f| (f.word().to_owned(), json!(control.clauses.of(f)))).collect();
    let mut value = json!({
        "id": control.id, "claim": text(control.claim), "measured": text(control.measured), "clauses": clauses,
    });
    match control.trial {
        Trial::Facts(conditions) => {
            let conditions = conditions.iter().map(|condition| {
                let (word, bound) = match condition.must {
                    Must::Be(flag) => ("be", json!(flag)),
                    Must::AtMost(count) => ("at_most", json!(count)),
                    Must::AtLeast(count) => ("at_least", json!(count)),
                    Must::AtLeastFact(other) => ("at_least_fact", json!(other)),
                    Must::SameAs(other) => ("same_as", json!(other)),
                };
                json!({ "fact": condition.fact, "must": word, "bound": bound })
            });
            value["conditions"] = conditions.collect();
        }
        Trial::None(reason) => value["not_measured"] = reason.word().into(),
    }
    value
}

/// The articles of the GDPR that matter here.
pub(crate) fn articles() -> Value {
    let article = |article: &Article| {
        json!({ "article": article.number, "does": text(article.does), "left": text(article.left),
            "controls": article.controls })
    };
    json!({ "schema": "lightproof/articles/v1", "articles": ARTICLES.iter().map(article).collect::<Vec<_>>() })
}

fn text(text: Text) -> Value {
    json!({ "en": text.en, "zh": text.zh })
}

//! Whether what a bundle says of the articles of law is what the controls show.

use crate::articles::ARTICLES;
use crate::catalogue::control;
use crate::verdict::{Outcome, Reading, Verdict};

/// Tries that, of what a run has `found`. `now` tells the time, in milliseconds since 1970.
pub fn try_claims(found: &[Verdict], now: &dyn Fn() -> u64) -> Option<Verdict> {
    let mut reading = Reading::begun_at(now());
    let [mut shown, mut contradicted] = [0u64; 2];
    for article in ARTICLES {
        let ends = |outcome| {
            let is_of_article = |verdict: &&Verdict| article.controls.contains(&verdict.control().id);
            found.iter().filter(is_of_article).any(|verdict| verdict.outcome() == outcome)
        };
        match (ends(Outcome::NotSatisfied), ends(Outcome::Satisfied)) {
            (true, _) => contradicted += 1,
            (false, true) => shown += 1,
            (false, false) => {}
        }
    }
    let claims = ARTICLES.len() as u64;
    reading.fact("claims", claims);
    reading.fact("claims_shown", shown);
    reading.fact("claims_contradicted", contradicted);
    reading.fact("claims_not_shown", claims - shown - contradicted);
    Some(Verdict::of(control("GOV-03")?, reading))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Reason;

    fn outcome(found: &[Verdict]) -> Outcome {
        try_claims(found, &|| 0).unwrap().outcome()
    }

    #[test]
    fn an_article_is_contradicted_by_one_control_that_does_not_hold() {
        let verdict = |id, findings: u64| {
            let mut reading = Reading::begun_at(0);
            reading.fact("records_outside_schema", findings);
            Verdict::of(control(id).unwrap(), reading)
        };
        let (holds, fails) = (verdict("LOG-12", 0), verdict("LOG-12", 1));
        let open = Verdict::not_measured(control("PRV-02").unwrap(), Reason::Locked);
        assert_eq!(outcome(&[open.clone(), holds]), Outcome::Satisfied);
        assert_eq!(outcome(&[open.clone(), fails]), Outcome::NotSatisfied);
        assert_eq!(outcome(&[open]), Outcome::NotSatisfied, "nothing is shown at all");
    }

    #[test]
    fn no_article_names_a_control_that_is_none() {
        for article in ARTICLES {
            assert!(article.controls.iter().all(|id| control(id).is_some()), "{}", article.number);
        }
    }
}

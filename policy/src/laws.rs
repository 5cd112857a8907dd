//! Laws that ask for reports of an incident.

use serde::Deserialize;
use std::collections::BTreeSet;

/// A law whose clocks the pinning of an incident starts, where the policy names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IncidentLaw {
    /// Regulation (EU) 2016/679.
    Gdpr,
    /// Regulation (EU) 2022/2554, on the resilience of financial entities.
    Dora,
    /// Regulation (EU) 2024/2847, the Cyber Resilience Act.
    Cra,
}

impl IncidentLaw {
    /// Its word, as `evidence freeze --law` takes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gdpr => "gdpr",
            Self::Dora => "dora",
            Self::Cra => "cra",
        }
    }
}

/// Their words, in a fixed order.
pub(crate) fn words(laws: &BTreeSet<IncidentLaw>) -> String {
    laws.iter().map(|law| law.word()).collect::<Vec<_>>().join(", ")
}

//! The text form of Prometheus (version 0.0.4): what a family means, of which kind it is, and its samples.

use std::fmt::Write as _;

/// The samples of one name.
pub struct Family {
    name: &'static str,
    help: &'static str,
    kind: &'static str,
    samples: Vec<String>,
}

impl Family {
    /// What can go up and down.
    pub fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { name, help, kind: "gauge", samples: Vec::new() }
    }

    /// What only goes up.
    pub fn counter(name: &'static str, help: &'static str) -> Self {
        Self { name, help, kind: "counter", samples: Vec::new() }
    }

    /// With a whole number, if it is known: what is not has no sample.
    pub fn whole(mut self, value: impl Into<Option<u64>>) -> Self {
        self.samples.extend(value.into().map(|value| format!(" {value}")));
        self
    }

    /// With a moment in seconds, if it is known, from milliseconds since 1970.
    pub fn moment(mut self, ms: Option<u64>) -> Self {
        self.samples.extend(ms.map(|ms| format!(" {}.{:03}", ms / 1000, ms % 1000)));
        self
    }

    /// With a whole number, if it is known, for what these labels say.
    pub fn labelled(mut self, labels: &[(&str, &str)], value: impl Into<Option<u64>>) -> Self {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value, true))).collect();
        self.samples.extend(value.into().map(|value| format!("{{{}}} {value}", labels.join(","))));
        self
    }

    /// With 1 for the state that is, and 0 for each other one that there is.
    pub fn one_of(self, states: &[&'static str], is: &str) -> Self {
        states
            .iter()
            .fold(self, |family, state| family.labelled(&[("state", state)], u64::from(*state == is)))
    }
}

/// The text of all of them; a family without a sample says nothing.
pub fn text(families: &[Family]) -> String {
    let mut text = String::new();
    for Family { name, help, kind, samples } in families.iter().filter(|family| !family.samples.is_empty()) {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", escaped(help, false));
        for sample in samples {
            let _ = writeln!(text, "{name}{sample}");
        }
    }
    text
}

fn escaped(text: &str, is_quoted: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if is_quoted { text.replace('"', "\\\"") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_spelt_as_it_must_be() {
        let families = [
            Family::gauge("a", "One\\two").whole(7),
            Family::gauge("b_seconds", "When").moment(Some(1_002)).moment(None),
            Family::gauge("nothing", "Not known").whole(None),
            Family::counter("c_total", "How many").labelled(&[("x", "a\"b\\c\nd"), ("y", "z")], 3),
            Family::gauge("d", "Which").one_of(&["up", "down"], "down"),
        ];
        let wanted = "# HELP a One\\\\two\n# TYPE a gauge\na 7\n\
            # HELP b_seconds When\n# TYPE b_seconds gauge\nb_seconds 1.002\n\
            # HELP c_total How many\n# TYPE c_total counter\nc_total{x=\"a\\\"b\\\\c\\nd\",y=\"z\"} 3\n\
            # HELP d Which\n# TYPE d gauge\nd{state=\"up\"} 0\nd{state=\"down\"} 1\n";
        assert_eq!(text(&families), wanted);
    }
}

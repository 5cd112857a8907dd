//! The same for programs: OSCAL 1.2.1 (pages.nist.gov/OSCAL). A catalog of the controls, the component that implements
//! them, and what was found. Every reference is relative or leads to a resource of the same file.
//!
//! OSCAL knows two states. What was not measured, or does not apply, is `not-satisfied` there with the reason `other` and
//! a remark that says our word: it is never taken for satisfied.

use crate::bundle;
use crate::control::{Control, Framework};
use crate::export::Export;
use crate::verdict::{Outcome, Verdict};
use audit::{Digest, timestamp};
use serde_json::{Value, json};

const OSCAL_VERSION: &str = "1.2.1";
/// Namespace of our own properties.
const NAMESPACE: &str = "urn:lightproof:evidence";

pub(crate) const CATALOG: &str = "oscal/catalog.json";
pub(crate) const COMPONENT: &str = "oscal/component-definition.json";
pub(crate) const PLAN: &str = "oscal/assessment-plan.json";
pub(crate) const RESULTS: &str = "oscal/assessment-results.json";

/// All files with their paths.
pub(crate) fn files(export: &Export<'_>, id: [u8; 16]) -> [(&'static str, Value); 4] {
    let maker = Maker { export, id };
    [
        (CATALOG, maker.catalog()),
        (COMPONENT, maker.component()),
        (PLAN, maker.plan()),
        (RESULTS, maker.results()),
    ]
}

struct Maker<'a> {
    export: &'a Export<'a>,
    id: [u8; 16],
}

impl Maker<'_> {
    /// The form of a random UUID (RFC 9562, version 4), drawn from the bundle's random id: the same name is the same id
    /// in all files of a bundle.
    fn uuid(&self, name: &str) -> String {
        let digest = Digest::of(&[b"uuid/v1\0", &self.id[..], name.as_bytes()].concat()).0;
        let mut hex = base16ct::lower::encode_string(&digest[..16]).into_bytes();
        hex[12] = b'4';
        hex[16] = [b'8', b'9', b'a', b'b'][usize::from(digest[8] & 3)];
        let text = String::from_utf8_lossy(&hex);
        let cuts = [0..8, 8..12, 12..16, 16..20, 20..32];
        cuts.map(|cut| text[cut].to_owned()).join("-")
    }

    fn metadata(&self, title: &str) -> Value {
        json!({
            "title": title, "last-modified": timestamp(self.export.made_ms), "version": self.export.version,
            "oscal-version": OSCAL_VERSION,
        })
    }

    fn controls(&self) -> impl Iterator<Item = &'static Control> {
        self.export.chosen().map(Verdict::control)
    }

    fn catalog(&self) -> Value {
        let controls: Vec<Value> = self
            .controls()
            .map(|control| {
                let clauses = Framework::ALL.into_iter().flat_map(|framework| {
                    let clause = move |clause: &&str| property(framework.word(), clause);
                    control.clauses.of(framework).iter().map(clause).collect::<Vec<_>>()
                });
                json!({
                    "id": id_of(control), "title": control.claim.en, "props": clauses.collect::<Vec<_>>(),
                    "parts": [
                        { "id": format!("{}_smt", id_of(control)), "name": "statement", "prose": control.claim.en },
                        { "id": format!("{}_obj", id_of(control)), "name": "assessment-objective",
                          "prose": control.measured.en },
                    ],
                })
            })
            .collect();
        json!({ "catalog": {
            "uuid": self.uuid("catalog"), "metadata": self.metadata("Controls of Lightproof"), "controls": controls,
        } })
    }

    fn component(&self) -> Value {
        let requirements: Vec<Value> = self
            .controls()
            .map(|control| {
                json!({
                    "uuid": self.uuid(&format!("requirement {}", control.id)), "control-id": id_of(control),
                    "description": control.claim.en,
                })
            })
            .collect();
        let implementation = json!({
            "uuid": self.uuid("implementation"), "source": "catalog.json",
            "description": "What the program claims, control by control. The assessment results say what was found.",
            "implemented-requirements": requirements,
        });
        json!({ "component-definition": {
            "uuid": self.uuid("component-definition"), "metadata": self.metadata("Lightproof as a component"),
            "components": [{
                "uuid": self.uuid("component"), "type": "software", "title": "Lightproof",
                "description": "A sealed darkroom for AI images.",
                "props": [property("binary-sha256", &self.export.run.binary.to_string())],
                "control-implementations": [implementation],
            }],
        } })
    }

    fn reviewed(&self) -> Value {
        let all: Vec<Value> =
            self.controls().map(|control| json!({ "control-id": id_of(control) })).collect();
        json!({ "control-selections": [{ "include-controls": all }] })
    }

    /// The program tries itself, so there is no plan of somebody else; the validator demands one.
    fn plan(&self) -> Value {
        json!({ "assessment-plan": {
            "uuid": self.uuid("plan"), "metadata": self.metadata("How Lightproof is tried"),
            "import-ssp": { "href": format!("#{}", self.uuid("no-ssp")) },
            "reviewed-controls": self.reviewed(),
            "back-matter": { "resources": [{
                "uuid": self.uuid("no-ssp"), "title": "There is no system security plan in this bundle",
                "description": "Which system the program is part of is the controller's to say. How each control is \
                                judged stands in controls.json.",
                "rlinks": [{ "href": "../controls.json" }],
            }] },
        } })
    }

    fn results(&self) -> Value {
        let run = self.export.run;
        let measured = self.export.chosen().filter(|verdict| verdict.reading().is_some());
        let observations: Vec<Value> = measured.map(|verdict| self.observation(verdict)).collect();
        let findings: Vec<Value> = self.export.chosen().map(|verdict| self.finding(verdict)).collect();
        let mut result = json!({
            "uuid": self.uuid("result"), "title": "One run over all controls",
            "description": "The program tried itself. Each finding follows from the facts of its observation.",
            "start": timestamp(run.started_ms), "end": timestamp(run.started_ms.saturating_add(run.took_ms)),
            "props": [property("policy", &run.policy.to_string()), property("binary-sha256", &run.binary.to_string())],
            "reviewed-controls": self.reviewed(), "findings": findings,
        });
        // An empty list is no list there.
        if !observations.is_empty() {
            result["observations"] = observations.into();
        }
        json!({ "assessment-results": {
            "uuid": self.uuid("assessment-results"), "metadata": self.metadata("What was found"),
            "import-ap": { "href": "assessment-plan.json" }, "results": [result],
        } })
    }

    fn observation(&self, verdict: &Verdict) -> Value {
        let control = verdict.control();
        let started_ms = verdict.reading().map_or(0, |reading| reading.started_ms);
        json!({
            "uuid": self.uuid(&format!("observation {}", control.id)), "title": control.id,
            "description": control.measured.en, "methods": ["TEST"], "collected": timestamp(started_ms),
            "relevant-evidence": [{
                "href": format!("../{}", bundle::probe(control.id)), "description": "The facts as they were read.",
            }],
        })
    }

    fn finding(&self, verdict: &Verdict) -> Value {
        let control = verdict.control();
        let (state, reason) = match verdict.outcome() {
            Outcome::Satisfied => ("satisfied", "pass"),
            Outcome::NotSatisfied => ("not-satisfied", "fail"),
            Outcome::NotApplicable | Outcome::NotMeasured => ("not-satisfied", "other"),
        };
        let mut target = json!({
            "type": "objective-id", "target-id": format!("{}_obj", id_of(control)),
            "status": { "state": state, "reason": reason },
        });
        if let Some(reason) = verdict.reason() {
            let word = verdict.outcome().word();
            target["status"]["remarks"] = format!("{word}: {}", reason.text().en).into();
        }
        if verdict.outcome() == Outcome::NotApplicable {
            target["implementation-status"] = json!({ "state": "not-applicable" });
        }
        let mut finding = json!({
            "uuid": self.uuid(&format!("finding {}", control.id)), "title": control.id,
            "description": control.claim.en, "target": target,
            "props": [property("outcome", verdict.outcome().word())],
        });
        if verdict.reading().is_some() {
            let observation = self.uuid(&format!("observation {}", control.id));
            finding["related-observations"] = json!([{ "observation-uuid": observation }]);
        }
        finding
    }
}

/// Ids are lower-case there.
pub(crate) fn id_of(control: &Control) -> String {
    control.id.to_lowercase()
}

fn property(name: &str, value: &str) -> Value {
    json!({ "name": name, "ns": NAMESPACE, "value": value })
}

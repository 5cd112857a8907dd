//! Changed overlays: none panics, none takes memory that its text does not pay for, none loosens.
#![allow(clippy::unwrap_used)] // helpers of tests, which clippy takes for production code

use fuzz::Target;
use policy::{Folders, NetworkNamespace, Plan, Policy, Process};
use std::path::Path;

const OUTPUTS: &str = "/srv/pictures";
const WORDS: [&str; 27] = [
    "schema = 1\n",
    "listen = \"127.0.0.1:80\"\n",
    "outputs = \"/",
    "keep_prompts = \"allow\"\n",
    "erase = \"allow\"\n",
    "picture_days_max = 30\n",
    "log_days_max = 365\n",
    "names_days_max = 30\n",
    "two_person = [\"hold\"]\n",
    "key_days_max = 90\n",
    "run_days_max = 1\n",
    "missing_network_namespace = \"refuse\"\n",
    "unattended = \"refuse\"\n",
    "[limits]\n",
    "steps_max = ",
    "idle_seconds_max = ",
    "[[deny]]\n",
    "[[path]]\n",
    "[[call]]\n",
    "path = \"${vault}\"\n",
    "rights = [\"write\"]\n",
    "call = \"openat\"\n",
    "why = \"this site does not need it\"\n",
    "'''",
    "\"\"\"",
    "..",
    "1979-05-27",
];

fn plan(policy: &Policy, process: Process, outputs: &Path) -> Option<Plan> {
    let places = Folders {
        config: "/etc/studio".into(),
        vault: "/var/lib/studio/vault".into(),
        audit: "/var/lib/studio/audit".into(),
        outputs: outputs.into(),
        model: Some("/srv/models/turbo".into()),
        program: vec!["/usr/bin/studio".into()],
        ..Folders::default()
    };
    policy.plan(process, &places).ok()
}

#[test]
fn overlay() {
    let built_in = Policy::read(None).unwrap();
    let base = Process::ALL.map(|process| plan(&built_in, process, Path::new(OUTPUTS)).unwrap());
    let target = Target::new("overlay");
    // The parser keeps the text, a list of events and a table, and a table with one key takes some hundred bytes.
    target.words(&WORDS).memory(1 << 20, 1024).run(|input| {
        let Ok(text) = std::str::from_utf8(input) else { return false };
        // What is wrong with it is said in words.
        let policy = match Policy::read(Some(text)) {
            Ok(policy) => policy,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return false;
            }
        };
        // The folder that it chooses may be one that no plan is made with.
        drop(policy.outputs().map(|outputs| plan(&policy, Process::Server, outputs)));
        for base in &base {
            let plan = plan(&policy, base.process, Path::new(OUTPUTS)).unwrap();
            let tight = Plan { network_namespace: NetworkNamespace::Required, ..plan };
            assert!(tight.is_within(base), "it loosens");
        }
        true
    });
}

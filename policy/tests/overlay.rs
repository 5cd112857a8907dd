//! An overlay only tightens.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests, which clippy takes for production code

use policy::{
    BUILT_IN, Erase, Folders, NEEDED, NetworkNamespace, Periods, Plan, Policy, Process, Profiles, TwoPerson,
    TwoPersons,
};

fn places() -> Folders {
    Folders {
        config: "/etc/studio".into(),
        vault: "/var/lib/studio/vault".into(),
        audit: "/var/lib/studio/audit".into(),
        evidence: Some("/var/lib/studio/evidence".into()),
        bundle: Some("/home/ann/bundle".into()),
        bundle_is_read: false,
        outputs: "/srv/pictures".into(),
        model: Some("/srv/models/turbo".into()),
        models: Some("/var/lib/studio/models".into()),
        source: Some("/media/stick/turbo".into()),
        export: Some("/home/ann/exports".into()),
        checkpoint_copy: Some("/media/stick/log".into()),
        reference: Some("/srv/golden".into()),
        program: vec!["/usr/bin/studio".into()],
        card: None,
    }
}

fn base() -> Plan {
    plan(None, Process::Server).unwrap()
}

fn with(overlay: &str) -> Plan {
    let text = format!("schema = 1\n{overlay}");
    plan(Some(&text), Process::Server).unwrap_or_else(|e| panic!("{overlay}: {e}"))
}

fn plan(overlay: Option<&str>, process: Process) -> Result<Plan, policy::Error> {
    Policy::read(overlay)?.plan(process, &places())
}

fn refused(overlay: &str, why: &str) {
    let text = format!("schema = 1\n{overlay}");
    let error = Policy::read(Some(&text)).expect_err(overlay).to_string();
    assert!(error.contains(why), "{overlay}: {error}");
}

/// Small deterministic generator (SplitMix64), so that a failure can be repeated from its seed.
struct Dice(u64);
impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }
}

/// Any overlay but for the loosening line; some of its values try to raise what the base says.
fn any_overlay(dice: &mut Dice) -> String {
    let base = base();
    let plans = Process::ALL.map(|process| plan(None, process).unwrap());
    let needed = |call: &&String| NEEDED.iter().any(|(_, calls)| calls.contains(&call.as_str()));
    let calls: Vec<_> =
        plans.iter().flat_map(|plan| plan.calls.keys()).filter(|call| !needed(call)).collect();
    let paths = [
        "${vault}",
        "${audit}",
        "${outputs}",
        "${checkpoint-copy}",
        "${model}",
        "${export}",
        "${reference}",
        "${program}",
        "/proc/meminfo",
        "/etc",
        "/",
    ];
    let rights = ["read", "write", "create", "remove"];
    let mut text = String::from("schema = 1\n");
    if dice.roll(2) == 0 {
        text += &format!("listen = \"127.0.0.1:{}\"\n", dice.roll(65536));
    }
    if dice.roll(2) == 0 {
        text += ["keep_prompts = \"never\"\n", "keep_prompts = \"allow\"\n"][dice.roll(2)];
    }
    if dice.roll(2) == 0 {
        text += ["erase = \"never\"\n", "erase = \"allow\"\n"][dice.roll(2)];
    }
    if dice.roll(3) == 0 {
        text += ["two_person = []\n", "two_person = [\"hold\", \"resolve\"]\n"][dice.roll(2)];
    }
    if dice.roll(3) == 0 {
        text += ["incident_laws = []\n", "incident_laws = [\"cra\", \"dora\"]\n"][dice.roll(2)];
    }
    if dice.roll(3) == 0 {
        text += "unattended = \"refuse\"\n";
    }
    if dice.roll(3) == 0 {
        text += "missing_network_namespace = \"refuse\"\n";
    }
    if dice.roll(2) == 0 {
        text += "[limits]\n";
        for (key, value) in base.limits.entries() {
            if dice.roll(3) == 0 {
                text += &format!("{key} = {}\n", dice.roll(2 * usize::try_from(value).unwrap()));
            }
        }
    }
    for _ in 0..dice.roll(4) {
        match dice.roll(3) {
            0 => text += &format!("[[deny]]\ncall = {:?}\n", calls[dice.roll(calls.len())]),
            1 => text += &format!("[[deny]]\npath = {:?}\n", paths[dice.roll(paths.len())]),
            _ => {
                text += &format!(
                    "[[deny]]\npath = {:?}\nrights = [{:?}]\n",
                    paths[dice.roll(paths.len())],
                    rights[dice.roll(4)]
                );
            }
        }
        text += "why = \"this site does not need it\"\n";
    }
    text
}

#[test]
fn any_overlay_stays_within_the_base() {
    let (mut accepted, mut strict, mut refused) = (0, 0, 0);
    for process in Process::ALL {
        let base = plan(None, process).unwrap();
        for seed in 0..1000 {
            let text = any_overlay(&mut Dice(seed));
            match plan(Some(&text), process) {
                Ok(plan) => {
                    assert!(plan.is_within(&base), "seed {seed} loosens:\n{text}");
                    accepted += 1;
                    strict += i32::from(!base.is_within(&plan));
                }
                Err(_) => refused += 1,
            }
        }
    }
    // The law would be empty if nearly everything were refused, or nothing tightened.
    assert!(accepted > 500 && strict > 300 && refused > 100, "{accepted} {strict} {refused}");
}

#[test]
fn the_order_on_plans_notices_every_loosening() {
    let base = base();
    let tight = with("keep_prompts = \"never\"");
    assert!(tight.is_within(&base) && !base.is_within(&tight));
    let tight = with("erase = \"never\"");
    assert!(tight.is_within(&base) && !base.is_within(&tight));
    let tight = with("[limits]\nsteps_max = 8");
    assert!(tight.is_within(&base) && !base.is_within(&tight));
    let tight = with(
        "[[deny]]\npath = \"${outputs}\"\nrights = [\"remove\"]\nwhy = \"files are removed by hand here\"",
    );
    assert!(tight.is_within(&base) && !base.is_within(&tight));
    let tight = with("[[deny]]\ncall = \"link\"\nwhy = \"no second names on this host\"");
    assert!(tight.is_within(&base) && !base.is_within(&tight));
}

#[test]
fn a_denial_holds_in_every_process_that_has_the_grant() {
    let has = |overlay: &str, process, call: &str| {
        let overlay = format!("schema = 1\n{overlay}");
        plan(Some(&overlay), process).unwrap().calls.contains_key(call)
    };
    let deny = "[[deny]]\ncall = \"times\"\nwhy = \"nobody asks here\"";
    for process in Process::ALL {
        assert!(has("", process, "times") && !has(deny, process, "times"), "{process:?}");
    }
    // One that a single process has.
    let deny = "[[deny]]\ncall = \"syncfs\"\nwhy = \"nobody asks here\"";
    assert!(has("", Process::Server, "syncfs") && !has(deny, Process::Server, "syncfs"));
    let text = "schema = 1\n[[deny]]\npath = \"${model}\"\nwhy = \"only the demo model on this host\"";
    let engine = plan(Some(text), Process::Engine).unwrap();
    assert!(!engine.paths.contains_key(std::path::Path::new("/srv/models/turbo")));
    assert!(engine.is_within(&plan(None, Process::Engine).unwrap()));
}

#[test]
fn the_order_on_plans_compares_one_process_with_itself() {
    let [keeper, server, engine, client, _] = Process::ALL.map(|process| plan(None, process).unwrap());
    assert!(!engine.is_within(&server) && !server.is_within(&engine) && !engine.is_within(&keeper));
    assert!(keeper.digest() != server.digest() && server.digest() != engine.digest());
    assert!(!client.is_within(&server) && client.digest() != server.digest());
}

#[test]
fn one_line_loosens_and_nothing_else_with_it() {
    let plan = with("missing_network_namespace = \"allow\"");
    assert_eq!(plan.network_namespace, NetworkNamespace::MayBeMissing);
    assert!(!plan.is_within(&base()));
    let back = Plan { network_namespace: NetworkNamespace::Required, ..plan };
    assert_eq!(back, base());
}

#[test]
fn raising_a_limit_is_refused() {
    for (key, value) in base().limits.entries() {
        refused(&format!("[limits]\n{key} = {}", value + 1), key);
        refused(&format!("[limits]\n{key} = 0"), "raise it");
    }
    refused("[limits]\nopen_files_max = 8", "raise it");
    refused("[limits]\nside_pixels_max = 15", "raise it");
}

#[test]
fn a_stricter_base_cannot_be_loosened() {
    let parse = |server: &str| Policy::parse(Profiles { server, ..BUILT_IN }).unwrap();
    let strict = parse(&BUILT_IN.server.replace("keep_prompts = \"allow\"", "keep_prompts = \"never\""));
    let error = strict.tighten("schema = 1\nkeep_prompts = \"allow\"").unwrap_err().to_string();
    assert!(error.contains("keep_prompts would allow more"), "{error}");
    let strict = parse(&BUILT_IN.server.replace("erase = \"allow\"", "erase = \"never\""));
    let error = strict.tighten("schema = 1\nerase = \"allow\"").unwrap_err().to_string();
    assert!(error.contains("erase would allow more"), "{error}");
}

#[test]
fn a_site_can_forbid_every_erasure() {
    assert_eq!(base().erase, Erase::Allow);
    assert_eq!(with("erase = \"allow\""), base());
    let kept = with("erase = \"never\"");
    assert_eq!(kept.erase, Erase::Never);
    assert!(kept.explain().contains("\nerase never\n"), "what is in force is in the digest of a start");
    assert_ne!(kept.digest(), base().digest());
    // Nothing else changes with it.
    assert_eq!(Plan { erase: Erase::Allow, ..kept }, base());
}

/// A policy that does not name it reads as seven days and keeps its digest; one that names it is never looser.
#[test]
fn a_site_can_have_the_controls_tried_more_often() {
    assert_eq!((base().periods.run_days_max, base().periods.run_days()), (None, 7));
    assert!(!base().explain().contains("run_days_max"));
    let daily = with("run_days_max = 1");
    assert_eq!(daily.periods.run_days(), 1);
    assert!(daily.explain().contains("\nrun_days_max 1\n"), "what is in force is in the digest of a start");
    assert!(daily.is_within(&base()) && !base().is_within(&daily));
    // The same in other words.
    let weekly = with("run_days_max = 7");
    assert!(weekly.is_within(&base()) && base().is_within(&weekly));
    for looser in ["run_days_max = 8", "run_days_max = 366"] {
        refused(looser, "run_days_max");
    }
    refused("run_days_max = 0", "from 1 to 7");
    refused("run_days_max = \"daily\"", "invalid type");
}

/// A period only gets shorter, and does not stand beside a line that keeps everything.
#[test]
fn a_site_can_say_when_pictures_go() {
    assert_eq!(base().picture_days_max, None);
    let month = with("picture_days_max = 30");
    assert_eq!(month.picture_days_max, Some(30));
    assert!(
        month.explain().contains("\npicture_days_max 30\n"),
        "what is in force is in the digest of a start"
    );
    assert!(month.is_within(&base()) && !base().is_within(&month));
    assert_eq!(Plan { picture_days_max: None, ..month }, base());
    for wrong in ["picture_days_max = 0", "picture_days_max = 36501"] {
        refused(wrong, "from 1 to 36500");
    }
    refused("picture_days_max = -1", "invalid value");
    refused("picture_days_max = 30\nerase = \"never\"", "leave one of the two lines out");
    let of_log = with("log_days_max = 365");
    assert_eq!((base().log_days_max, of_log.log_days_max), (None, Some(365)));
    assert!(of_log.explain().contains("\nlog_days_max 365\n"), "{}", of_log.explain());
    assert!(of_log.is_within(&base()) && !base().is_within(&of_log));
    assert!(with("log_days_max = 184").is_within(&of_log));
    refused("log_days_max = 183", "at least 184 days");
    refused("log_days_max = 0", "from 184 to 36500");
    refused("log_days_max = 36501", "from 184 to 36500");
    let base = Policy::read(Some("schema = 1\npicture_days_max = 30")).unwrap();
    let error = base.tighten("schema = 1\npicture_days_max = 31").unwrap_err().to_string();
    assert!(error.contains("picture_days_max would allow more"), "{error}");
}

/// Names go by themselves beside a line that keeps every picture, and sooner alone is stricter.
#[test]
fn a_site_can_say_when_the_names_of_who_was_removed_go() {
    assert_eq!(base().names_days_max, None);
    let month = with("names_days_max = 30");
    assert_eq!(month.names_days_max, Some(30));
    assert!(month.explain().contains("\nnames_days_max 30\n"), "it is in the digest of a start");
    assert!(month.is_within(&base()) && !base().is_within(&month));
    assert_eq!(Plan { names_days_max: None, ..month }, base());
    for wrong in ["names_days_max = 0", "names_days_max = 36501"] {
        refused(wrong, "from 1 to 36500");
    }
    refused("names_days_max = -1", "invalid value");
    assert_eq!(with("names_days_max = 1\nerase = \"never\"").names_days_max, Some(1));
    let base = Policy::read(Some("schema = 1\nnames_days_max = 30")).unwrap();
    let error = base.tighten("schema = 1\nnames_days_max = 31").unwrap_err().to_string();
    assert!(error.contains("names_days_max would allow more"), "{error}");
}

#[test]
fn a_site_names_the_laws_whose_clocks_an_incident_starts() {
    assert!(with("incident_laws = []") == base());
    let laws = with("incident_laws = [\"dora\", \"dora\"]");
    assert!(laws.explain().contains("\nincident_laws dora\n"), "{}", laws.explain());
    assert!(laws.is_within(&base()) && !base().is_within(&laws), "more clocks are no less");
    let more = Policy::read(Some("schema = 1\nincident_laws = [\"dora\"]")).unwrap();
    let more = more
        .tighten("schema = 1\nincident_laws = [\"cra\"]")
        .unwrap()
        .plan(Process::Server, &places())
        .unwrap();
    assert!(more.explain().contains("\nincident_laws dora, cra\n"), "{}", more.explain());
    refused("incident_laws = [\"sox\"]", "unknown variant");
}

/// Whichever acts take two people, making a second admin is among them; and what a base asks for stays.
#[test]
fn a_site_can_ask_for_a_second_person() {
    assert!(base().two_person.is_empty() && with("two_person = []") == base());
    let two = with("two_person = [\"hold\", \"hold\", \"destroy\"]");
    assert_eq!(two.two_person, TwoPersons::of(&[TwoPerson::Hold, TwoPerson::Destroy]));
    for (act, is_named) in [
        (TwoPerson::Resolve, false),
        (TwoPerson::Pictures, false),
        (TwoPerson::Hold, true),
        (TwoPerson::Destroy, true),
        (TwoPerson::Admin, true),
    ] {
        assert_eq!(two.two_person.needs(act), is_named, "{act:?}");
    }
    assert!(
        two.explain().contains("\ntwo_person hold, destroy, admin\n"),
        "what is in force is in the digest of a start"
    );
    assert!(two.is_within(&base()) && !base().is_within(&two));
    assert_eq!(Plan { two_person: TwoPersons::default(), ..two.clone() }, base());
    let strict = Policy::read(Some("schema = 1\ntwo_person = [\"hold\", \"destroy\"]")).unwrap();
    let more = strict.tighten("schema = 1\ntwo_person = []").unwrap();
    assert_eq!(more.plan(Process::Server, &places()).unwrap(), two);
    refused("two_person = \"hold\"", "invalid type");
    refused("two_person = [\"everything\"]", "unknown variant");
    refused("[limits]\ntwo_person_hours_max = 0", "raise it");
}

/// The other line that loosens: without it no server opens a vault by itself.
#[test]
fn only_an_explicit_line_lets_a_server_open_the_vault_by_a_machine_secret() {
    use policy::Unattended::{IdleLock, Refuse, StayOpen};
    assert_eq!((base().unattended, with("unattended = \"refuse\"")), (Refuse, base()));
    let (idle, open) = (with("unattended = \"idle-lock\""), with("unattended = \"stay-open\""));
    assert_eq!((idle.unattended, open.unattended), (IdleLock, StayOpen));
    assert!(
        open.explain().contains("\nunattended stay-open\n"),
        "what is in force is in the digest of a start"
    );
    assert!(base().is_within(&idle) && idle.is_within(&open));
    assert!(!open.is_within(&idle) && !idle.is_within(&base()));
    assert_eq!(Plan { unattended: Refuse, ..open }, base(), "it changes nothing else");
    refused("unattended = true", "wanted string");
    refused("unattended = \"always\"", "unknown variant");
}

/// What controls are held against: it only gets shorter, and changes nothing else.
#[test]
fn a_site_can_say_how_old_keys_backups_and_stamps_may_be() {
    assert_eq!(base().periods, Periods::default());
    for (key, _) in Periods::default().entries().into_iter().filter(|(key, _)| *key != "run_days_max") {
        let month = with(&format!("{key} = 30"));
        assert!(month.periods.entries().contains(&(key, Some(30))), "{key}");
        assert!(month.explain().contains(&format!("\n{key} 30\n")), "{key}");
        assert!(month.is_within(&base()) && !base().is_within(&month), "{key}");
        assert_eq!(Plan { periods: Periods::default(), ..month }, base(), "{key}");
        for wrong in [0, 36_501] {
            refused(&format!("{key} = {wrong}"), "from 1 to 36500");
        }
        let base = Policy::read(Some(&format!("schema = 1\n{key} = 30"))).unwrap();
        let error = base.tighten(&format!("schema = 1\n{key} = 31")).unwrap_err().to_string();
        assert!(error.contains(&format!("{key} would allow more")), "{error}");
    }
}

#[test]
fn unknown_keys_are_errors() {
    refused("colour = \"red\"", "unknown field");
    refused("[limits]\nsteps = 4", "unknown field");
    refused("[[path]]\nat = \"/\"\nallow = [\"read\"]\nwhy = \"because I want to\"", "unknown field");
    refused("[[call]]\nnames = [\"socket\"]\nwhy = \"because I want to\"", "unknown field");
    refused("[[deny]]\ncall = \"read\"\nwhy = \"because I want to\"\nwho = \"me\"", "unknown field");
    refused("sandbox = false", "unknown field");
    refused("keep_prompts = \"maybe\"", "unknown variant");
    refused("erase = \"later\"", "unknown variant");
}

#[test]
fn a_call_without_which_nothing_runs_cannot_be_denied() {
    let granted: Vec<_> =
        Process::ALL.into_iter().flat_map(|process| plan(None, process).unwrap().calls).collect();
    for (purpose, calls) in NEEDED {
        for call in calls {
            // What no process has would be refused anyway, with another reason.
            assert!(granted.iter().any(|(name, _)| name == call), "{call}");
            let deny = format!("[[deny]]\ncall = \"{call}\"\nwhy = \"never needed here\"");
            refused(&deny, &format!("the system call {call} cannot be denied: it is for {purpose}"));
        }
    }
    let policy = "schema = 1\n[[deny]]\ncall = \"link\"\nwhy = \"never needed here\"";
    assert_eq!(Policy::read(Some(policy)).unwrap().denied(), ["link"]);
    assert!(Policy::read(None).unwrap().denied().is_empty());
}

#[test]
fn denials_name_one_granted_thing_and_a_reason() {
    // It says that nothing has to be done, and what to do where that is not so.
    refused("[[deny]]\ncall = \"ptrace\"\nwhy = \"never needed here\"", "refused already");
    refused("[[deny]]\ncall = \"membarrier2\"\nwhy = \"never needed here\"", "deny path ${card}");
    refused("[[deny]]\ncall = \"ptrace\"\nwhy = \"never needed here\"", "not granted");
    refused("[[deny]]\npath = \"/etc\"\nwhy = \"never needed here\"", "not granted");
    refused("[[deny]]\nwhy = \"never needed here\"", "names either");
    refused("[[deny]]\ncall = \"read\"\npath = \"${vault}\"\nwhy = \"never needed here\"", "names either");
    refused("[[deny]]\ncall = \"read\"", "missing field `why`");
    refused("[[deny]]\ncall = \"read\"\nwhy = \"\"", "needs a `why`");
}

#[test]
fn an_overlay_may_choose_the_output_folder() {
    let policy = Policy::read(Some("schema = 1\noutputs = \"/data/pictures\"")).unwrap();
    assert_eq!(policy.outputs(), Some(std::path::Path::new("/data/pictures")));
    refused("outputs = \"pictures\"", "absolute path");
    refused("outputs = \"/data/../etc\"", "absolute path");
    refused("outputs = \"/\"", "other than /");
}

#[test]
fn other_schemas_and_endless_files_are_refused() {
    assert!(Policy::read(Some("schema = 2")).unwrap_err().to_string().contains("schema 2"));
    assert!(Policy::read(Some("")).unwrap_err().to_string().contains("schema"));
    refused(&"#".repeat(policy::OVERLAY_BYTES_MAX), "bytes long");
}

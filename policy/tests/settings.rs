//! Every setting has a value and an origin.
#![allow(clippy::unwrap_used)] // helpers of tests, which clippy takes for production code

use policy::{BUILT_IN, Origin, Policy, Setting};

fn of(overlay: &str) -> Vec<Setting> {
    Policy::settings(Some(&format!("schema = 1\n{overlay}"))).unwrap()
}

#[test]
fn without_an_overlay_all_of_it_is_built_in() {
    let settings = Policy::settings(None).unwrap();
    assert!(settings.iter().all(|setting| setting.origin == Origin::BuiltIn));
    // Each scalar key of the profile is there with its value, and no other.
    let plain =
        |line: &str| Some(line.split('#').next()?.trim().split_once(" = ")?.1.trim_matches('"').to_owned());
    let head = BUILT_IN.server.split("[[path]]").next().unwrap();
    let lines = head.lines().filter(|line| !line.starts_with('#') && !line.starts_with("schema"));
    let values: Vec<String> = lines.filter_map(plain).collect();
    assert_eq!(settings.iter().map(|setting| setting.value.clone()).collect::<Vec<_>>(), values);
    assert!(values.len() >= 10, "{values:?}");
}

#[test]
fn what_an_overlay_says_is_said_to_come_from_it_even_if_it_changes_nothing() {
    let settings = of(
        "listen = \"127.0.0.1:7860\"\noutputs = \"/srv/p\"\ncheckpoint_copy = \"/media/stick/log\"\nkeep_prompts = \"never\"\nerase = \"allow\"\n\
         picture_days_max = 90\nlog_days_max = 366\nnames_days_max = 95\ntwo_person = [\"hold\"]\nincident_laws = [\"dora\", \"gdpr\"]\nkey_days_max = 91\ndrill_days_max = 94\nbackup_days_max = 92\nstamp_days_max = 93\nrun_days_max = 5\n\
         unattended = \"idle-lock\"\nmissing_network_namespace = \"allow\"\n[limits]\nsteps_max = 4\nimages_max = 16\n\
         [[deny]]\npath = \"${export}\"\nwhy = \"no plain copies here\"\n\
         [[deny]]\ncall = \"link\"\nwhy = \"no server on this host\"\n\
         [[deny]]\npath = \"${outputs}\"\nrights = [\"remove\"]\nwhy = \"removed by hand\"",
    );
    let from: Vec<String> = settings
        .iter()
        .filter(|setting| setting.origin == Origin::Overlay)
        .map(|setting| format!("{} {}", setting.key, setting.value))
        .collect();
    assert_eq!(
        from,
        [
            "listen 127.0.0.1:7860",
            "outputs /srv/p",
            "checkpoint_copy /media/stick/log",
            "keep_prompts never",
            "erase allow",
            "picture_days_max 90",
            "log_days_max 366",
            "names_days_max 95",
            "two_person hold, admin",
            "incident_laws gdpr, dora",
            "key_days_max 91",
            "drill_days_max 94",
            "backup_days_max 92",
            "stamp_days_max 93",
            "run_days_max 5",
            "unattended idle-lock",
            "missing_network_namespace allow",
            "limits.steps_max 4",
            "limits.images_max 16",
            "deny everything on ${export}",
            "deny the system call link",
            "deny remove on ${outputs}",
        ]
    );
    let built_in = settings.iter().find(|setting| setting.key == "limits.side_pixels_max").unwrap();
    assert_eq!((built_in.value.as_str(), built_in.origin), ("2048", Origin::BuiltIn));
}

#[test]
fn what_is_no_policy_has_no_settings() {
    for wrong in
        ["colour = 1", "[limits]\nsteps_max = 101", "[[deny]]\ncall = \"ptrace\"\nwhy = \"never needed\""]
    {
        assert!(Policy::settings(Some(&format!("schema = 1\n{wrong}"))).is_err(), "{wrong}");
    }
}

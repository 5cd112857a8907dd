//! The built-in profile and what becomes of it.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests, which clippy takes for production code

use policy::{BASELINE, Error, Folders, Policy, Right};
use std::path::Path;

fn places() -> Folders {
    Folders {
        config: "/home/ann/.config/studio".into(),
        vault: "/home/ann/.local/state/studio/vault".into(),
        audit: "/home/ann/.local/state/studio/audit".into(),
        outputs: "/home/ann/workspace/output_image".into(),
        model: None,
        export: None,
        reference: None,
    }
}

#[test]
fn every_grant_has_a_reason() {
    let plan = Policy::read(None).unwrap().plan(&places()).unwrap();
    let whys = plan
        .paths
        .values()
        .map(|g| &g.why)
        .chain(plan.calls.values().map(|g| &g.why))
        .chain(plan.absent.values());
    let mut count = 0;
    for why in whys {
        assert!(why.len() > 20, "{why:?} is not a sentence");
        assert!(plan.explain().contains(why.as_str()));
        count += 1;
    }
    assert!(count > 60);
}

#[test]
fn a_grant_without_a_reason_is_refused() {
    for (from, to, why) in [
        ("why = \"how much memory a picture may take\"", "", "missing field `why`"),
        ("why = \"how much memory a picture may take\"", "why = \"\"", "/proc/meminfo: each grant"),
        (
            "why = \"how much memory a picture may take\"",
            "why = \"two lines,\\nthe second one a lie\"",
            "each grant",
        ),
        ("at = \"/proc/meminfo\"", "at = \"${vault}\"", "granted twice"),
        ("allow = [\"read\"]\nwhy = \"how much", "allow = []\nwhy = \"how much", "allows nothing"),
        (
            "allow = [\"read\"]\nwhy = \"how much",
            "allow = [\"execute\"]\nwhy = \"how much",
            "unknown variant",
        ),
        ("names = [\"clone\"]", "names = [\"clone\", \"read\"]", "granted twice"),
        ("names = [\"clone3\"]", "names = [\"clone\"]", "granted twice"),
        ("listen = \"127.0.0.1:7860\"", "listen = \"0.0.0.0:7860\"", "every network card"),
        ("schema = 1", "schema = 1\nsandbox = true", "unknown field"),
    ] {
        assert!(BASELINE.contains(from), "{from}");
        let error = Policy::parse(&BASELINE.replace(from, to)).expect_err(to).to_string();
        assert!(error.contains(why), "{to}: {error}");
    }
}

#[test]
fn no_call_can_reach_the_network_or_another_program() {
    let plan = Policy::read(None).unwrap().plan(&places()).unwrap();
    let forbidden = "socket connect bind listen sendmsg sendmmsg recvmsg recvmmsg execve execveat fork \
        vfork ptrace process_vm_readv process_vm_writev pidfd_open pidfd_getfd \
        pidfd_send_signal io_uring_setup io_uring_enter io_uring_register mount umount2 \
        pivot_root chroot unshare setns keyctl add_key request_key bpf perf_event_open \
        userfaultfd memfd_create init_module finit_module kexec_load settimeofday \
        clock_settime setuid setgid setresuid setresgid setgroups capset chmod fchmod \
        fchmodat chown fchown fchownat personality symlink symlinkat mknod mknodat tkill \
        rt_sigqueueinfo rt_tgsigqueueinfo shmget shmat mq_open seccomp pkey_mprotect \
        modify_ldt umask chdir setrlimit open_by_handle_at";
    for name in forbidden.split_whitespace() {
        assert!(!plan.calls.contains_key(name), "{name} is granted");
    }
    for name in [
        "mmap",
        "mprotect",
        "clone",
        "sendto",
        "ioctl",
        "prctl",
        "fcntl",
        "kill",
        "tgkill",
        "socketpair",
        "setsockopt",
    ] {
        assert!(plan.calls[name].only.is_some(), "{name} is granted with any arguments");
    }
}

#[test]
fn the_embedded_model_needs_no_file_and_a_folder_is_only_read() {
    let policy = Policy::read(None).unwrap();
    let bare = policy.plan(&places()).unwrap();
    let model = Path::new("/srv/models/turbo");
    let with = policy.plan(&Folders { model: Some(model.into()), ..places() }).unwrap();
    assert_eq!(with.paths.len(), bare.paths.len() + 1);
    assert_eq!(with.paths[model].rights, [Right::Read].into());
}

#[test]
fn golden_values_are_only_read_and_nothing_else_makes_them_writable() {
    let policy = Policy::read(None).unwrap();
    let bare = policy.plan(&places()).unwrap();
    let golden = Path::new("/srv/golden");
    let with = policy.plan(&Folders { reference: Some(golden.into()), ..places() }).unwrap();
    assert_eq!(with.paths.len(), bare.paths.len() + 1);
    assert_eq!(with.paths[golden].rights, [Right::Read].into());
    for overlapping in ["/home/ann/workspace", "/home/ann/workspace/output_image/golden"] {
        let error = policy.plan(&Folders { reference: Some(overlapping.into()), ..places() }).unwrap_err();
        assert!(matches!(error, Error::ReferenceWritable { .. }), "{overlapping}: {error}");
    }
}

#[test]
fn no_place_can_make_the_policy_or_the_model_writable() {
    let policy = Policy::read(None).unwrap();
    for outputs in
        ["/home/ann", "/home/ann/.config", "/home/ann/.config/studio", "/home/ann/.config/studio/pictures"]
    {
        let error = policy.plan(&Folders { outputs: outputs.into(), ..places() }).unwrap_err();
        assert!(matches!(error, Error::PolicyWritable { .. }), "{outputs}: {error}");
        let error = policy.plan(&Folders { export: Some(outputs.into()), ..places() }).unwrap_err();
        assert!(matches!(error, Error::PolicyWritable { .. }), "{outputs}: {error}");
    }
    // A folder whose name merely begins alike is another folder.
    assert!(policy.plan(&Folders { outputs: "/home/ann/.config/studio2".into(), ..places() }).is_ok());
    let inside = Some("/home/ann/workspace/output_image/model".into());
    assert!(matches!(policy.plan(&Folders { model: inside, ..places() }), Err(Error::ModelWritable { .. })));
}

#[test]
fn places_are_absolute_and_plain() {
    let policy = Policy::read(None).unwrap();
    for outputs in ["", "pictures", "./pictures", "/", "/srv/../etc", "~/pictures", "${outputs}"] {
        let error = policy.plan(&Folders { outputs: outputs.into(), ..places() }).unwrap_err();
        assert!(matches!(error, Error::PlaceNotPlain { .. }), "{outputs:?}: {error}");
    }
}

#[test]
fn the_digest_covers_rights_reasons_and_places() {
    let plan = |text: &str, places: &Folders| policy::plan(text, None, places).unwrap().digest();
    let first = plan(BASELINE, &places());
    assert_eq!(first, plan(BASELINE, &places()));
    assert_ne!(first, plan(&BASELINE.replace("how much memory", "how many bytes"), &places()));
    assert_ne!(first, plan(&BASELINE.replace("\"preadv2\", ", ""), &places()));
    assert_ne!(first, plan(&BASELINE.replace("steps_max = 100", "steps_max = 99"), &places()));
    assert_ne!(first, plan(BASELINE, &Folders { outputs: "/srv/other".into(), ..places() }));
    assert_ne!(first, plan(BASELINE, &Folders { config: "/etc/other".into(), ..places() }));
}

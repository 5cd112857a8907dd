//! The built-in profile and what becomes of it.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests, which clippy takes for production code

use policy::{BUILT_IN, Error, Folders, Plan, Policy, Process, Profiles, Right};
use std::path::Path;

fn places() -> Folders {
    Folders {
        config: "/home/ann/.config/studio".into(),
        vault: "/home/ann/.local/state/studio/vault".into(),
        audit: "/home/ann/.local/state/studio/audit".into(),
        outputs: "/home/ann/workspace/output_image".into(),
        ..Folders::default()
    }
}

fn plan(process: Process, places: &Folders) -> Plan {
    Policy::read(None).unwrap().plan(process, places).unwrap()
}

/// With one profile, in place of that of the server.
fn server(text: &str) -> Result<Policy, Error> {
    Policy::parse(Profiles { server: text, ..BUILT_IN })
}

#[test]
fn every_grant_has_a_reason() {
    for process in Process::ALL {
        let plan = plan(process, &Folders { program: vec!["/usr/bin/studio".into()], ..places() });
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
        assert!(count > 50, "{process:?}");
    }
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
            "/proc/meminfo: only the keeper may execute",
        ),
        ("names = [\"clone\"]", "names = [\"clone\", \"read\"]", "granted twice"),
        ("names = [\"clone3\"]", "names = [\"clone\"]", "granted twice"),
        ("listen = \"127.0.0.1:7860\"", "listen = \"0.0.0.0:7860\"", "every network card"),
        ("schema = 1", "schema = 1\nsandbox = true", "unknown field"),
    ] {
        assert!(BUILT_IN.server.contains(from), "{from}");
        let error = server(&BUILT_IN.server.replace(from, to)).expect_err(to).to_string();
        assert!(error.contains(why), "{to}: {error}");
    }
}

/// Calls with which a process could reach the network, another process, or a right that it does not have.
const FORBIDDEN: &str = "socket connect bind listen sendmsg sendmmsg recvmsg recvmmsg execve execveat fork vfork \
    ptrace process_vm_readv process_vm_writev pidfd_open pidfd_getfd pidfd_send_signal io_uring_setup io_uring_enter \
    io_uring_register mount umount2 pivot_root chroot unshare setns keyctl add_key request_key bpf perf_event_open \
    userfaultfd memfd_create init_module finit_module kexec_load settimeofday clock_settime setuid setgid setresuid \
    setresgid setgroups capset chmod fchmod fchmodat chown fchown fchownat personality symlink symlinkat mknod mknodat \
    tkill rt_sigqueueinfo rt_tgsigqueueinfo shmget shmat mq_open seccomp pkey_mprotect modify_ldt umask chdir \
    setrlimit open_by_handle_at";

/// Those among them that one process needs, and what for.
const NEEDED: [(Process, &[&str]); 5] = [
    // Narrowed to its channel.
    (Process::Server, &["recvmsg"]),
    (Process::Engine, &[]),
    (Process::Client, &[]),
    (Process::Import, &[]),
    // To start an engine, to end it, to hand its sockets over; and what an engine's own fences are made with.
    (
        Process::Keeper,
        &[
            "execve",
            "fork",
            "vfork",
            "pidfd_open",
            "pidfd_send_signal",
            "sendmsg",
            "capset",
            "seccomp",
            "umask",
            "chdir",
            "setrlimit",
        ],
    ),
];

#[test]
fn no_call_can_reach_the_network_or_another_program() {
    for (process, needed) in NEEDED {
        let plan = plan(process, &places());
        for name in FORBIDDEN.split_whitespace().filter(|name| !needed.contains(name)) {
            assert!(!plan.calls.contains_key(name), "{process:?}: {name} is granted");
        }
        for name in needed {
            assert!(plan.calls.contains_key(*name), "{process:?} does not need {name}");
        }
        let narrow = ["clone", "sendto", "ioctl", "prctl", "fcntl", "tgkill", "setsockopt"];
        let but_in_keeper = ["mmap", "mprotect", "kill"].iter().filter(|_| process != Process::Keeper);
        for name in narrow.iter().chain(but_in_keeper) {
            assert!(plan.calls[*name].only.is_some(), "{process:?}: {name} is granted with any arguments");
        }
    }
    let server = plan(Process::Server, &places());
    assert!(server.calls["recvmsg"].only.is_some() && server.calls["socketpair"].only.is_some());
}

#[test]
fn the_engine_changes_no_file_and_takes_no_connection() {
    let engine = plan(Process::Engine, &Folders { model: Some("/srv/models/turbo".into()), ..places() });
    for (path, grant) in &engine.paths {
        assert_eq!(grant.rights, [Right::Read].into(), "{}", path.display());
    }
    for name in
        "accept accept4 socketpair pwrite64 ftruncate fallocate rename renameat renameat2 link linkat mkdir mkdirat \
         rmdir unlink unlinkat creat flock fsync fdatasync copy_file_range sendfile epoll_create1 memfd_secret"
            .split_whitespace()
    {
        assert!(!engine.calls.contains_key(name), "{name}");
    }
}

#[test]
fn keys_and_model_are_never_in_one_process() {
    let model: std::path::PathBuf = "/srv/models/turbo".into();
    let all = Folders {
        model: Some(model.clone()),
        reference: Some("/srv/golden".into()),
        export: Some("/home/ann/exports".into()),
        ..places()
    };
    let keys = [&all.vault, &all.audit, &all.outputs];
    let server = plan(Process::Server, &all);
    assert!(!server.paths.contains_key(&model));
    assert!(server.closed.is_empty());
    assert!(keys.iter().all(|folder| server.paths.contains_key(*folder)));
    for process in [Process::Engine, Process::Keeper, Process::Client] {
        let plan = plan(process, &all);
        assert_eq!(plan.paths.contains_key(&model), process != Process::Client, "{process:?}");
        for folder in keys {
            let near = |path: &Path| folder.starts_with(path) || path.starts_with(folder);
            assert!(!plan.paths.keys().any(|path| near(path)), "{process:?}: {}", folder.display());
            assert!(plan.closed.contains(folder), "{process:?}: {}", folder.display());
        }
    }
    // Not by way of a model that lies there either, if nothing of theirs is written any more.
    let overlay = "schema = 1\n[[deny]]\npath = \"${outputs}\"\nwhy = \"nothing is made on this host\"";
    let inside = Folders { model: Some(all.outputs.join("model")), ..places() };
    let error = Policy::read(Some(overlay)).unwrap().plan(Process::Engine, &inside).unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error}");
}

#[test]
fn only_the_keeper_executes_and_only_this_program() {
    let program = ["/usr/bin/studio", "/usr/lib/libc.so.6"].map(std::path::PathBuf::from);
    let places = Folders { program: program.to_vec(), ..places() };
    for process in Process::ALL {
        let plan = plan(process, &places);
        let may = plan.paths.iter().filter(|(_, grant)| grant.rights.contains(&Right::Execute));
        let may: Vec<_> = may.map(|(path, _)| path.clone()).collect();
        assert_eq!(may, if process == Process::Keeper { program.to_vec() } else { vec![] });
    }
    for (from, to) in [
        ("at = \"${model}\"\nallow = [\"read\"]", "at = \"${model}\"\nallow = [\"execute\"]"),
        ("at = \"/proc/meminfo\"", "at = \"${program}\""),
    ] {
        let engine = BUILT_IN.engine.replace(from, to).replace("allow = [\"read\"]", "allow = [\"execute\"]");
        let error = Policy::parse(Profiles { engine: &engine, ..BUILT_IN }).unwrap_err();
        assert!(matches!(error, Error::Executes { .. }), "{error}");
        let keeper = BUILT_IN.keeper.replace("at = \"${model}\"\nallow = [\"read\"]", to);
        if keeper != BUILT_IN.keeper {
            assert!(Policy::parse(Profiles { keeper: &keeper, ..BUILT_IN }).is_err());
        }
    }
}

#[test]
fn the_embedded_model_needs_no_file_and_a_folder_is_only_read() {
    let bare = plan(Process::Engine, &places());
    let model = Path::new("/srv/models/turbo");
    let with = plan(Process::Engine, &Folders { model: Some(model.into()), ..places() });
    assert_eq!(with.paths.len(), bare.paths.len() + 1);
    assert_eq!(with.paths[model].rights, [Right::Read].into());
}

#[test]
fn golden_values_are_only_read_and_nothing_else_makes_them_writable() {
    let policy = Policy::read(None).unwrap();
    let bare = plan(Process::Engine, &places());
    let golden = Path::new("/srv/golden");
    let with = plan(Process::Engine, &Folders { reference: Some(golden.into()), ..places() });
    assert_eq!(with.paths.len(), bare.paths.len() + 1);
    assert_eq!(with.paths[golden].rights, [Right::Read].into());
    for overlapping in ["/home/ann/workspace", "/home/ann/workspace/output_image/golden"] {
        let error = policy
            .plan(Process::Server, &Folders { reference: Some(overlapping.into()), ..places() })
            .unwrap_err();
        assert!(matches!(error, Error::ReferenceWritable { .. }), "{overlapping}: {error}");
    }
}

#[test]
fn evidence_has_folders_of_its_own_and_cannot_make_the_policy_writable() {
    let policy = Policy::read(None).unwrap();
    let bare = policy.plan(Process::Server, &places()).unwrap();
    let (evidence, bundle) = ("/home/ann/state/evidence", "/home/ann/for-the-auditor");
    let with = Folders { evidence: Some(evidence.into()), bundle: Some(bundle.into()), ..places() };
    let with = policy.plan(Process::Server, &with).unwrap();
    assert_eq!(with.paths.len(), bare.paths.len() + 2);
    let all = [Right::Read, Right::Write, Right::Create, Right::Remove];
    for path in [evidence, bundle] {
        assert_eq!(with.paths[Path::new(path)].rights, all.into(), "{path}");
    }
    let error =
        policy.plan(Process::Server, &Folders { bundle: Some("/home/ann".into()), ..places() }).unwrap_err();
    assert!(matches!(error, Error::PolicyWritable { .. }), "{error}");
    // One that is only checked may be anywhere, and nothing there is written.
    let read = Folders { bundle: Some("/home/ann".into()), bundle_is_read: true, ..places() };
    let plan = policy.plan(Process::Server, &read).unwrap();
    assert_eq!(plan.paths[Path::new("/home/ann")].rights, [Right::Read].into());
    let denied =
        Policy::read(Some("schema = 1\n[[deny]]\npath = \"${bundle}\"\nwhy = \"no bundles here\"")).unwrap();
    assert!(!denied.plan(Process::Server, &read).unwrap().paths.contains_key(Path::new("/home/ann")));
}

#[test]
fn no_place_can_make_the_policy_or_the_model_writable() {
    let policy = Policy::read(None).unwrap();
    for outputs in
        ["/home/ann", "/home/ann/.config", "/home/ann/.config/studio", "/home/ann/.config/studio/pictures"]
    {
        let error =
            policy.plan(Process::Server, &Folders { outputs: outputs.into(), ..places() }).unwrap_err();
        assert!(matches!(error, Error::PolicyWritable { .. }), "{outputs}: {error}");
        for places in [
            Folders { export: Some(outputs.into()), ..places() },
            Folders { checkpoint_copy: Some(outputs.into()), ..places() },
        ] {
            let error = policy.plan(Process::Server, &places).unwrap_err();
            assert!(matches!(error, Error::PolicyWritable { .. }), "{outputs}: {error}");
        }
    }
    // A folder whose name merely begins alike is another folder.
    assert!(
        policy
            .plan(Process::Server, &Folders { outputs: "/home/ann/.config/studio2".into(), ..places() })
            .is_ok()
    );
    let inside = Some("/home/ann/workspace/output_image/model".into());
    assert!(matches!(
        policy.plan(Process::Server, &Folders { model: inside, ..places() }),
        Err(Error::ModelWritable { .. })
    ));
}

#[test]
fn places_are_absolute_and_plain() {
    let policy = Policy::read(None).unwrap();
    for outputs in ["", "pictures", "./pictures", "/", "/srv/../etc", "~/pictures", "${outputs}"] {
        let error =
            policy.plan(Process::Server, &Folders { outputs: outputs.into(), ..places() }).unwrap_err();
        assert!(matches!(error, Error::PlaceNotPlain { .. }), "{outputs:?}: {error}");
    }
}

#[test]
fn the_digest_covers_rights_reasons_and_places() {
    let base = BUILT_IN.server;
    let plan =
        |text: &str, places: &Folders| server(text).unwrap().plan(Process::Server, places).unwrap().digest();
    let first = plan(base, &places());
    assert_eq!(first, plan(base, &places()));
    assert_ne!(first, plan(&base.replace("how much memory", "how many bytes"), &places()));
    assert_ne!(first, plan(&base.replace("\"preadv2\", ", ""), &places()));
    assert_ne!(first, plan(&base.replace("steps_max = 100", "steps_max = 99"), &places()));
    assert_ne!(first, plan(base, &Folders { outputs: "/srv/other".into(), ..places() }));
    assert_ne!(first, plan(base, &Folders { config: "/etc/other".into(), ..places() }));
}

#[test]
fn only_what_brings_models_in_writes_them_and_it_reaches_no_keys() {
    let models: std::path::PathBuf = "/home/ann/.local/state/studio/models".into();
    let source: std::path::PathBuf = "/media/stick/turbo".into();
    let all = Folders {
        models: Some(models.clone()),
        source: Some(source.clone()),
        model: Some(models.join("turbo")),
        export: Some("/home/ann/exports".into()),
        ..places()
    };
    let import = plan(Process::Import, &all);
    let written: Vec<_> =
        import.paths.iter().filter(|(_, grant)| grant.rights.contains(&Right::Write)).collect();
    assert_eq!(written.iter().map(|(path, _)| *path).collect::<Vec<_>>(), [&models]);
    assert_eq!(import.paths[&source].rights, [Right::Read].into());
    assert_eq!(import.closed.len(), 3);
    for name in "accept accept4 socketpair link linkat creat memfd_secret epoll_create1".split_whitespace() {
        assert!(!import.calls.contains_key(name), "{name}");
    }
    for process in Process::ALL.into_iter().filter(|process| *process != Process::Import) {
        let plan = plan(process, &all);
        assert!(!plan.paths.contains_key(&models) && !plan.paths.contains_key(&source), "{process:?}");
        for (path, grant) in &plan.paths {
            let near = path.starts_with(&models) || models.starts_with(path);
            assert!(!near || grant.rights == [Right::Read].into(), "{process:?}: {}", path.display());
        }
    }
    let refused = |process, places: Folders| Policy::read(None).unwrap().plan(process, &places).unwrap_err();
    // Pictures among the models, and a source that is written itself, or holds the vault.
    let inside = Folders { outputs: models.join("x"), model: None, ..all.clone() };
    assert!(matches!(refused(Process::Server, inside), Error::ModelWritable { .. }));
    for source in [models.join("turbo"), "/home/ann/.local/state/studio/models".into()] {
        let itself = Folders { source: Some(source), ..all.clone() };
        assert!(matches!(refused(Process::Import, itself), Error::ModelWritable { .. }));
    }
    let keys = Folders { source: Some(all.vault.clone()), ..all.clone() };
    assert!(matches!(refused(Process::Import, keys), Error::Closed { .. }));
    let config = Folders { models: Some(all.config.clone()), model: None, ..all.clone() };
    assert!(matches!(refused(Process::Import, config), Error::PolicyWritable { .. }));
}

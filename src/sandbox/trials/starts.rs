//! Starts that must succeed, and starts that must not.

use super::{Trial, users};
use crate::{Fence, calls};
use policy::Process;
use std::os::unix::fs::PermissionsExt as _;

/// Each process, as each user.
fn everybody() -> impl Iterator<Item = (Process, bool)> {
    Process::ALL.into_iter().flat_map(|process| users().into_iter().map(move |user| (process, user)))
}

#[test]
fn a_whole_start_is_up() {
    for (process, user) in everybody() {
        let answer = Trial::of(process, user).run();
        let said = answer.is_up();
        assert!(said.contains(&format!("process {}\n", process.word())), "{said}");
        let amber = !user && super::is_root();
        assert!(said.contains(if amber { "overall Amber" } else { "overall Green" }), "{said}");
        assert!(said.contains(if amber { "capabilities amber" } else { "capabilities green" }), "{said}");
        assert!(said.contains("network-namespace green: own and empty"), "{said}");
        assert_eq!(said.contains("by way of a user namespace"), !amber, "{said}");
    }
}

fn left_out(fence: Fence) {
    for (process, user) in everybody() {
        Trial::of(process, user).without(fence).run().is_refused(&format!("fence: Some({fence:?})"));
    }
}

#[test]
fn a_start_without_a_clean_environment_is_refused() {
    left_out(Fence::Environment);
}

#[test]
fn a_start_with_inherited_descriptors_is_refused() {
    left_out(Fence::Descriptors);
}

#[test]
fn a_start_without_umask_is_refused() {
    left_out(Fence::FileModes);
}

#[test]
fn a_start_with_core_files_is_refused() {
    left_out(Fence::CoreLimit);
}

#[test]
fn a_start_in_the_hosts_network_is_refused() {
    left_out(Fence::NetworkNamespace);
}

#[test]
fn a_start_that_stays_dumpable_is_refused() {
    left_out(Fence::Dumpable);
}

#[test]
fn a_start_with_writable_code_is_refused() {
    left_out(Fence::WriteXorExecute);
}

#[test]
fn a_start_with_capabilities_is_refused() {
    // Root has them from the start, an ordinary user gets them with the user namespace.
    left_out(Fence::Capabilities);
}

#[test]
fn a_start_without_landlock_is_refused() {
    left_out(Fence::Landlock);
}

#[test]
fn a_start_without_seccomp_is_refused() {
    left_out(Fence::Seccomp);
}

#[test]
fn every_fence_has_such_a_test() {
    let source = include_str!("starts.rs");
    for fence in Fence::ALL {
        assert!(source.contains(&format!("left_out(Fence::{fence:?})")), "{fence}");
    }
}

#[test]
fn a_start_with_threads_is_refused() {
    Trial::new(false).set("SANDBOX_TRIAL_ACT", "threads").run().is_refused("2 threads exist");
}

#[test]
fn an_old_landlock_is_refused_and_named() {
    Trial::new(false).set("SANDBOX_TRIAL_ABI", 3).run().is_refused("Landlock ABI 3, and 4 is needed");
}

#[test]
fn a_hidden_landlock_is_refused() {
    Trial::new(false)
        .set("SANDBOX_TRIAL_HIDDEN", "landlock")
        .run()
        .is_refused("this kernel offers no Landlock");
}

#[test]
fn an_older_landlock_is_amber_and_names_what_it_lacks() {
    let answer = Trial::new(false).set("SANDBOX_TRIAL_ABI", 5).run();
    let said = answer.is_up();
    assert!(said.contains("landlock amber: ABI 5"), "{said}");
    assert!(said.contains("landlock_missing abstract socket and signal scopes, denial logging"), "{said}");
}

#[test]
fn a_host_without_namespaces_is_refused_with_the_policy_line() {
    for user in users() {
        let answer = Trial::new(user).set("SANDBOX_TRIAL_HIDDEN", "unshare").run();
        answer.is_refused("missing_network_namespace = \"allow\"");
        answer.is_refused("PrivateNetwork=yes");
    }
}

#[test]
fn a_missing_network_namespace_shows() {
    let answer = Trial::new(false)
        .set("SANDBOX_TRIAL_HIDDEN", "unshare")
        .set("SANDBOX_TRIAL_OVERLAY", "schema = 1\nmissing_network_namespace = \"allow\"")
        .run();
    let said = answer.is_up();
    assert!(said.contains("network-namespace missing"), "{said}");
    assert!(said.contains("overall Amber"), "{said}");
}

#[test]
fn an_empty_network_that_was_given_is_amber() {
    if super::is_root() {
        let answer = Trial::new(false).set("SANDBOX_TRIAL_HIDDEN", "alone").run();
        let said = answer.is_up();
        assert!(said.contains("network-namespace amber: no interface but loopback"), "{said}");
    }
}

/// As on Ubuntu: the namespaces are made, and then their id maps are forbidden. Nothing may be left half
/// done.
#[test]
fn a_host_that_forbids_id_maps_leaves_the_process_whole() {
    if super::is_root() {
        let maps = || Trial::new(true).set("SANDBOX_TRIAL_HIDDEN", "maps");
        maps().run().is_refused("missing_network_namespace = \"allow\"");
        let overlay = "schema = 1\nmissing_network_namespace = \"allow\"";
        let answer = maps().set("SANDBOX_TRIAL_OVERLAY", overlay).run();
        assert!(answer.is_up().contains("network-namespace missing"));
        assert!(answer.is_up().contains("uid 65534\nuser_namespace false"));
    }
}

/// Landlock forgets a rule on procfs when the kernel drops the entry it was made on, unless one holds it.
#[test]
#[ignore = "drops caches of the whole machine; needs root"]
fn rules_on_procfs_outlive_the_caches() {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::Stdio;
    let trial = Trial::new(false).set("SANDBOX_TRIAL_ACT", "wait");
    let mut child = trial.command().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "waiting"));
    for _ in 0..3 {
        std::fs::write("/proc/sys/vm/drop_caches", "2").unwrap(); // used of late: survives the first
    }
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(super::child::UP), "{:?}", lines.collect::<Vec<_>>());
}

#[test]
fn an_environment_that_cannot_be_cleaned_does_not_start_for_ever() {
    Trial::new(false).set("STARTED_CLEAN", "1").run().is_refused("something added variables");
}

#[test]
fn an_export_may_be_one_file() {
    for user in users() {
        Trial::new(user).set("SANDBOX_TRIAL_ACT", "file").run().is_up();
    }
}

#[test]
fn the_policy_line_does_not_remove_a_fence_that_can_be_built() {
    let overlay = "schema = 1\nmissing_network_namespace = \"allow\"";
    let answer = Trial::new(false).set("SANDBOX_TRIAL_OVERLAY", overlay).run();
    assert!(answer.is_up().contains("network-namespace green: own and empty"));
}

#[test]
fn a_missing_folder_is_refused_and_named() {
    let trial = Trial::new(false);
    std::fs::remove_dir(trial.home.path("vault")).unwrap();
    trial.run().is_refused("/vault\": No such file");
}

#[test]
fn a_folder_that_is_a_link_is_refused() {
    let trial = Trial::new(false);
    std::fs::remove_dir(trial.home.path("vault")).unwrap();
    std::os::unix::fs::symlink("/etc", trial.home.path("vault")).unwrap();
    trial.run().is_refused("it is a symbolic link");
}

/// As root without CAP_DAC_OVERRIDE, and as an ordinary user.
#[test]
fn a_folder_of_another_user_is_refused_and_named() {
    if !super::is_root() {
        return; // nobody else can give folders away
    }
    let keys = ["vault", "audit", "outputs", "export"].map(|folder| (Process::Server, folder));
    for (user, owner) in [(false, super::USER), (true, 0)] {
        for (process, folder) in
            keys.into_iter().chain([(Process::Engine, "model"), (Process::Keeper, "model")])
        {
            let trial = Trial::of(process, user);
            std::os::unix::fs::chown(trial.home.path(folder), Some(owner), Some(owner)).unwrap();
            let answer = trial.run();
            answer.is_refused(&format!("/{folder}\" belongs to user {owner} and is closed to"));
            answer.is_refused(&format!("sudo -H -u '#{owner}'"));
        }
        // Open to all for reading: the start is up, whatever writing there will say.
        let trial = Trial::new(user);
        std::os::unix::fs::chown(trial.home.path("outputs"), Some(owner), Some(owner)).unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(trial.home.path("outputs"), open).unwrap();
        trial.run().is_up();
    }
}

/// Whoever plays the keeper by hand is refused, or gets the fences all the same.
#[test]
fn what_no_keeper_handed_down_is_refused() {
    let own = std::process::id();
    for wrong in [
        "nonsense".to_owned(),
        "channel=2".to_owned(),
        "channel=x".to_owned(),
        "network=own".to_owned(),
        format!("network=elsewhere keeper={own}"),
        format!("network=missing keeper={own}"),
    ] {
        Trial::of(Process::Engine, false)
            .set("HANDED_DOWN", &wrong)
            .run()
            .is_refused("no keeper started this process");
    }
    Trial::new(false).set("HANDED_DOWN", "channel=99").run().is_refused("cannot be used");
    // Another parent than the one that handed it down: that one has ended.
    let orphan = Trial::of(Process::Engine, false).set("HANDED_DOWN", "network=own keeper=1").run();
    assert_eq!(orphan.code, None, "{}", orphan.said);
    assert!(!orphan.said.contains("keeper"), "{}", orphan.said);
}

#[test]
fn only_known_variables_are_left() {
    let answer = Trial::new(false).set("SANDBOX_TRIAL_ACT", "environment").set("TERM", "dumb").run();
    let said = answer.is_up();
    for gone in ["HTTP_PROXY", "CUBECL_DEBUG_LOG", "LD_LIBRARY_PATH", "RUST_LOG", "PATH="] {
        assert!(!said.contains(&format!("variable {gone}")), "{said}");
    }
    assert!(said.contains("variable TERM=dumb") && said.contains("variable CUDA_CACHE_DISABLE=1"), "{said}");
}

#[test]
fn a_tighter_overlay_is_enforced() {
    let overlay = "schema = 1\n[[deny]]\ncall = \"stat\"\nwhy = \"to see that it is gone\"\n";
    let answer = Trial::new(false).set("SANDBOX_TRIAL_OVERLAY", overlay).run();
    assert!(answer.is_up().contains("seccomp green"));
    let overlay = "schema = 1\n[[deny]]\npath = \"${outputs}\"\nwhy = \"to see that it is gone\"\n";
    let trial = Trial::new(false).set("SANDBOX_TRIAL_OVERLAY", overlay).set("SANDBOX_TRIAL_ACT", "attack");
    let answer = trial.set("SANDBOX_TRIAL_TARGET", "127.0.0.1:1 1 nobody").run();
    assert!(answer.said.contains("BROKEN outputs: Permission denied"), "{}", answer.said);
}

#[test]
fn the_reports_have_a_fixed_form() {
    let answer = Trial::new(false).set("SANDBOX_TRIAL_ACT", "json").run();
    let said = answer.is_up();
    let json = |key| {
        let line = said.lines().find(|line| line.starts_with('{') && line.contains(key)).unwrap();
        serde_json::from_str::<serde_json::Value>(line).unwrap()
    };
    let report = json("\"landlock_abi\"");
    let keys: Vec<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    let wanted = "fences holds_ipv6_loopback landlock_abi landlock_missing listen plan process schema uid user_namespace";
    assert_eq!(keys, wanted.split(' ').collect::<Vec<_>>());
    assert_eq!(report["fences"].as_array().unwrap().len(), Fence::ALL.len());
    assert_eq!(report["fences"][8]["fence"], "landlock");
    assert_eq!(report["plan"].as_str().unwrap().len(), 64);
    let probed = json("\"tried\"");
    assert!(probed["tried"].as_array().unwrap().len() > 80);
    assert_eq!(probed["tried"][0]["thread"], "main");
    // No path of this host is in either.
    assert!(!said.lines().any(|line| line.starts_with('{') && line.contains("fences-")), "{said}");
}

#[test]
fn every_call_of_the_profile_has_a_number() {
    let places = policy::Folders {
        config: "/c".into(),
        vault: "/v".into(),
        audit: "/a".into(),
        outputs: "/o".into(),
        ..policy::Folders::default()
    };
    let policy = policy::Policy::read(None).unwrap();
    for card in [None, Some(policy::Card::default())] {
        let places = policy::Folders { card, ..places.clone() };
        for plan in Process::ALL.map(|process| policy.plan(process, &places).unwrap()) {
            for name in plan.calls.keys().chain(plan.absent.keys()).chain(plan.refused.keys()) {
                assert!(calls::number(name).is_some(), "{name}");
            }
        }
    }
    assert_eq!(calls::number("no_such_call"), None);
}

//! What an engine and its keeper have besides where a card is asked for.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests, which clippy takes for production code

use policy::{BUILT_IN, Card, Error, Folders, Only, Plan, Policy, Process, Profiles, Right, Since};
use std::path::{Path, PathBuf};

fn places(card: Option<Card>) -> Folders {
    Folders {
        config: "/etc/studio".into(),
        vault: "/var/lib/studio/vault".into(),
        audit: "/var/lib/studio/audit".into(),
        outputs: "/srv/pictures".into(),
        model: Some("/srv/models/turbo".into()),
        program: vec!["/usr/bin/studio".into()],
        card,
        ..Folders::default()
    }
}

fn card() -> Option<Card> {
    Some(Card {
        nodes: vec!["/dev/nvidia0".into(), "/dev/nvidiactl".into()],
        driver: vec!["/usr/lib".into()],
        facts: vec!["/proc/driver/nvidia".into()],
    })
}

fn plan(process: Process, card: Option<Card>) -> Plan {
    Policy::read(None).unwrap().plan(process, &places(card)).unwrap()
}

#[test]
fn only_an_engine_and_its_keeper_get_a_card_and_only_if_one_is_asked_for() {
    for process in Process::ALL {
        let (without, with) = (plan(process, None), plan(process, card()));
        assert!(without.others.is_none() && without.refused.is_empty(), "{process:?}");
        let asks = |plan: &Plan| -> Vec<PathBuf> {
            let may = plan.paths.iter().filter(|(_, grant)| grant.rights.contains(&Right::Ioctl));
            may.map(|(path, _)| path.clone()).collect()
        };
        assert_eq!(asks(&without), Vec::<PathBuf>::new());
        if ![Process::Engine, Process::Keeper].contains(&process) {
            assert_eq!(with, without, "{process:?}");
            continue;
        }
        assert_eq!(asks(&with), [Path::new("/dev/nvidia0"), Path::new("/dev/nvidiactl")]);
        assert!(without.is_within(&with), "{process:?}: a card takes nothing away");
        assert!(!with.is_within(&without), "{process:?}");
        assert!(with.is_within(&with));
        assert_ne!(with.digest(), without.digest());
        // Neither makes a file, and beside the nodes only names of threads are written.
        for (path, grant) in with.paths.iter().filter(|(path, _)| !asks(&with).contains(path)) {
            let written = match process {
                Process::Engine => "/proc/self/task",
                _ => "/proc",
            };
            let more =
                [Right::Create, Right::Remove, Right::Ioctl].iter().any(|right| grant.rights.contains(right));
            assert!(!more, "{}", path.display());
            assert_eq!(
                grant.rights.contains(&Right::Write),
                path == Path::new(written),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn every_line_has_a_reason_that_the_digest_covers() {
    let with = plan(Process::Engine, card());
    let whys = with.refused.values().map(|refusal| &refusal.why).chain(&with.others);
    for why in whys {
        assert!(why.len() > 20 && with.explain().contains(why.as_str()), "{why:?}");
    }
    let other = BUILT_IN.gpu.replace("\"ptrace\", ", "");
    let other = Policy::parse(Profiles { gpu: &other, ..BUILT_IN }).unwrap();
    assert_ne!(other.plan(Process::Engine, &places(card())).unwrap().digest(), with.digest());
}

#[test]
fn what_reaches_the_network_or_another_program_is_refused() {
    let engine = plan(Process::Engine, card());
    let refused = |name: &str| engine.refused.get(name).map(|refusal| refusal.since);
    for name in "execve execveat fork vfork ptrace process_vm_readv process_vm_writev pidfd_open pidfd_getfd connect \
        sendmsg recvmsg sendmmsg accept io_uring_setup mount umount2 chroot unshare setns keyctl bpf perf_event_open userfaultfd \
        init_module kexec_load clock_settime setuid setresuid capset chmod fchmodat chown symlink link unlink rename mkdir mknod \
        tkill rt_sigqueueinfo shmget mq_open setrlimit open_by_handle_at modify_ldt personality truncate"
        .split_whitespace()
    {
        assert_eq!(refused(name), Some(Since::Start), "{name}");
        assert!(!engine.calls.contains_key(name), "{name}");
    }
    for name in ["socket", "socketpair", "bind", "listen", "seccomp"] {
        assert_eq!(refused(name), Some(Since::WarmUp), "{name}");
    }
    for (name, only) in [
        ("clone", Only::Threads),
        ("ioctl", Only::NoTyping),
        ("kill", Only::OwnProcess),
        ("socket", Only::UnixSocket),
        ("sendto", Only::NoAddress),
        ("prctl", Only::NamesAndReads),
        ("prlimit64", Only::ReadLimits),
    ] {
        assert_eq!(engine.calls[name].only, Some(only), "{name}");
    }
    assert!(engine.absent.contains_key("clone3"));
}

#[test]
fn a_keeper_lets_pass_what_its_engine_needs_and_what_it_needs_itself() {
    let (keeper, alone) = (plan(Process::Keeper, card()), plan(Process::Keeper, None));
    let engine = plan(Process::Engine, card());
    for name in [
        "execve",
        "vfork",
        "wait4",
        "kill",
        "sendmsg",
        "capset",
        "seccomp",
        "landlock_restrict_self",
        "umask",
    ] {
        assert!(alone.calls.contains_key(name) && !keeper.refused.contains_key(name), "{name}");
    }
    // What is wider of the two.
    for (name, only) in [("clone", Only::NoNamespaces), ("prctl", Only::OwnFences), ("ioctl", Only::NoTyping)]
    {
        assert_eq!(keeper.calls[name].only, Some(only), "{name}");
    }
    assert_eq!(keeper.calls["kill"].only, None);
    assert!(!keeper.calls.contains_key("mmap"), "code is loaded inside");
    // Nothing that an engine may is refused by the fences that it is started in.
    assert!(keeper.refused.keys().all(|name| engine.refused.contains_key(name)));
    assert!(keeper.refused.values().all(|refusal| refusal.since == Since::Start));
    for name in ["connect", "recvmsg", "ptrace", "mount", "unlink", "bpf"] {
        assert!(keeper.refused.contains_key(name), "{name}");
    }
}

#[test]
fn an_overlay_takes_away_here_too() {
    let read = |overlay: &str| Policy::read(Some(&format!("schema = 1\n{overlay}"))).unwrap();
    assert!(Policy::read(None).unwrap().allows_cards());
    for overlay in [
        "[[deny]]\npath = \"${card}\"\nwhy = \"no card on this host\"",
        "[[deny]]\npath = \"${card}\"\nrights = [\"ioctl\"]\nwhy = \"no card on this host\"",
    ] {
        assert!(!read(overlay).allows_cards());
    }
    let base = plan(Process::Engine, card());
    for (call, since) in [("mlock", None), ("bind", Some(Since::WarmUp)), ("tgkill", None)] {
        assert_eq!(base.refused.get(call).map(|refusal| refusal.since), since, "{call}");
        let denied = read(&format!("[[deny]]\ncall = \"{call}\"\nwhy = \"not on this host\""));
        let denied = denied.plan(Process::Engine, &places(card())).unwrap();
        assert_eq!(denied.refused[call].since, Since::Start, "{call}");
        assert!(!denied.calls.contains_key(call), "{call}");
        assert!(denied.is_within(&base) && !base.is_within(&denied), "{call}");
    }
    let unknown = "schema = 1\n[[deny]]\ncall = \"no_such_call\"\nwhy = \"not on this host\"";
    assert!(matches!(Policy::read(Some(unknown)), Err(Error::NothingToDeny { .. })));
}

#[test]
fn a_profile_that_contradicts_itself_is_refused() {
    for (from, to, why) in [
        ("\"ptrace\", ", "\"ptrace\", \"clone\", ", "clone is granted twice"),
        ("\"ptrace\", ", "\"ptrace\", \"clone3\", ", "clone3 is granted twice"),
        ("\"ptrace\", ", "\"ptrace\", \"ptrace\", ", "ptrace is granted twice"),
        ("allow = [\"read\", \"write\", \"ioctl\"]", "allow = [\"execute\"]", "only the keeper may execute"),
        ("why = \"no way into another process\"", "why = \"\"", "each grant"),
        ("of = \"engine\"", "of = \"nobody\"", "unknown variant"),
        ("since = \"warm-up\"", "since = \"never\"", "unknown variant"),
        ("schema = 1", "schema = 2", "schema 2"),
    ] {
        assert!(BUILT_IN.gpu.contains(from), "{from}");
        let gpu = BUILT_IN.gpu.replacen(from, to, 1);
        let error = Policy::parse(Profiles { gpu: &gpu, ..BUILT_IN }).expect_err(to).to_string();
        assert!(error.contains(why), "{to}: {error}");
    }
}

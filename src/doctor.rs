//! Whether this machine is fit, check by check, in sentences that a person can act on. It makes nothing, and asks for no passphrase.
//!
//! What the kernel and the host's own files say is read before the fences, which hide it; who runs and what a model folder
//! holds, behind them. Each check is a function over what was read, in a file beside this one, with a test that breaks it.

mod audited;
mod clock;
mod cloud;
mod devices;
mod finding;
mod folders;
pub mod host;
mod kernel;
pub mod memory;
mod mounts;
pub mod network;

use crate::boot::backup::BackupFile;
use crate::boot::folders::{FolderUse, Home};
use crate::boot::models::{InUse, in_use};
use crate::boot::{self, Booted, Wants, overlay};
use crate::cli::{Doctor, Global};
use crate::exit::Failure;
use crate::host_audit::RULES;
use crate::paths::absolute;
use crate::status::{Copied, need_of_policy, need_of_pruning, policy_now};
use audit::Clock as _;
use diffusion::{DeviceName, ModelFolder, Pipeline};
use finding::Asked;
pub use finding::{Finding, State};
use host::Host;
use kernel::Namespaces;
use mounts::Mount;
use network::Port;
use policy::{Policy, Process};
use rustix::process::{Resource, geteuid, getrlimit};
use sandbox::{Clean, Fence};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use vault::Holder;

/// What was found, and the process behind its fences, or why they are not up.
pub struct Examined {
    /// What each check says.
    pub findings: Vec<Finding>,
    /// The process.
    pub booted: Result<Booted, Failure>,
    /// What is wrong with the policy, if the built-in one's fences are up in its place.
    pub refusal: Option<Failure>,
    /// The numbers of the kernel's version, without what somebody added to them.
    pub kernel: Option<String>,
}

/// Asks the machine, and puts up the fences meanwhile. `file` is what is opened before them for what was found.
///
/// # Errors
/// The arguments make no sense. What is wrong with the machine is no error, but what is told.
pub fn examine(
    clean: Clean,
    global: &Global,
    arguments: &Doctor,
    file: Option<BackupFile<'_>>,
) -> Result<Examined, Failure> {
    let device: DeviceName = arguments.computing.device.parse()?;
    let home = Home::new(global)?;
    let host = Host::this();
    let overlay = home.config.join("policy.toml");
    let (policy, policy_now, of_policy) = policy_of(&overlay);
    let places = places(&home, policy.as_ref(), arguments)?;
    let uid = geteuid().as_raw();
    let port = arguments.port.or_else(|| Some(policy.as_ref()?.listen().port())).unwrap_or_default();

    let before = Before::ask(&host);
    let of_folders: Vec<Finding> = places.iter().flat_map(|place| of_place(place, &before, uid)).collect();
    let of_host = of_host(&host, &places, port);
    let nodes = devices::nodes(&host);
    let card = match device {
        DeviceName::Cpu => None,
        DeviceName::Cuda(index) => Some(boot::card::of_this_machine(index)),
    };

    let model = arguments.computing.model.as_deref();
    let in_use = in_use(&home);
    // Who may read the model may not look at the vault.
    let process = if model.is_some() { Process::Engine } else { Process::Server };
    let wants = Wants {
        process,
        folder_use: FolderUse::Read,
        outputs: arguments.pictures.outputs.as_deref(),
        model: model.filter(|model| model.canonicalize().is_ok()),
        backup: file,
        ..Wants::default()
    };
    let fenced = boot::boot(clean, global, &wants).map(boot::Fenced::looking);
    let (booted, refusal) =
        fenced.map_or_else(|failure| (Err(failure), None), |(booted, refusal)| (Ok(booted), refusal));
    let holder = holder(booted.as_ref(), process);
    let edited = holder.as_ref().ok().and_then(|holder| need_of_policy(holder.as_ref(), &policy_now?));
    let of_policy = match edited {
        Some(what) if of_policy.state == State::Fine => Finding::needs(of_policy.check, what),
        _ => of_policy,
    };
    let address = holder.map(|holder| holder.and_then(|holder| holder.address));
    let of_port = network::port(&before.port(port, address, uid));
    let mut findings = of_kernel(booted.as_ref(), &before, uid == 0);
    findings.extend(of_host);
    findings.push(of_policy);
    findings.extend(of_folders);
    findings.push(of_port);
    findings.extend(booted.as_ref().ok().and_then(of_copy));
    findings.extend(booted.as_ref().ok().and_then(of_pruning));
    findings.push(devices::gpu(&nodes, card.as_ref(), cfg!(feature = "cuda")));
    findings.push(match model {
        Some(model) => of_model(model, device, booted.as_ref()),
        None => of_model_in_use(&in_use),
    });
    let numbers =
        |release: &String| release.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let kernel = before.release.as_ref().ok().map(numbers);
    Ok(Examined { findings, booted, refusal, kernel })
}

/// A folder of the program's.
struct Place {
    name: &'static str,
    /// As a person names it.
    named: PathBuf,
    /// Without links, as far as it exists.
    real: PathBuf,
    /// A link on the way that leads to nothing.
    broken: Option<PathBuf>,
}

impl Place {
    fn new(name: &'static str, named: PathBuf) -> Self {
        let real = FolderUse::Read.real_path(&named).unwrap_or_else(|_| named.clone());
        let leads_nowhere = |at: &&Path| {
            at.is_symlink() && at.metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound)
        };
        let broken = named.ancestors().find(leads_nowhere).map(Path::to_path_buf);
        Self { name, named, real, broken }
    }

    /// It, or the nearest folder above it that is there.
    fn there(&self) -> &Path {
        self.real.ancestors().find(|at| at.metadata().is_ok()).unwrap_or(Path::new("/"))
    }
}

/// Vault, log and pictures, as `serve` would find them.
fn places(home: &Home, policy: Option<&Policy>, arguments: &Doctor) -> Result<[Place; 3], Failure> {
    let outputs = match (&arguments.pictures.outputs, policy.and_then(Policy::outputs)) {
        (Some(outputs), _) => absolute(outputs)?,
        (None, Some(outputs)) => outputs.to_path_buf(),
        (None, None) => home.outputs.clone(),
    };
    Ok([
        Place::new("vault", home.vault.clone()),
        Place::new("log", home.audit.clone()),
        Place::new("pictures", outputs),
    ])
}

/// The policy where it can be told, the digest of its file, and what there is to say of it.
fn policy_of(file: &Path) -> (Option<Policy>, Option<String>, Finding) {
    const CHECK: &str = "policy";
    let path = file.display();
    let broken = |why: &str| {
        let what = format!("{why}; no start is allowed until it is mended");
        (Policy::read(None).ok(), Finding::needs(CHECK, what))
    };
    let text = match overlay::read(file) {
        Ok(text) => text,
        Err(failure) => {
            let (policy, finding) = broken(&failure.what);
            return (policy, None, finding);
        }
    };
    let (policy, finding) = match (Policy::read(text.as_deref()), &text) {
        (Ok(policy), Some(_)) => (Some(policy), Finding::fine(CHECK, path.to_string())),
        (Ok(policy), None) => (Some(policy), Finding::fine(CHECK, format!("built in; {path} is not there"))),
        (Err(error), _) => broken(&format!("{path}: {error}")),
    };
    (policy, Some(policy_now(text)), finding)
}

/// What the fences hide and a check behind them needs.
struct Before {
    release: Asked<String>,
    modules: Asked<Option<String>>,
    actions: Asked<Option<String>>,
    namespaces: Namespaces,
    apparmor: Asked<Option<String>>,
    label: Asked<Option<String>>,
    core_pattern: Asked<Option<String>>,
    mounts: Asked<Vec<Mount>>,
    fstab: Asked<Option<String>>,
    sockets: Asked<[String; 2]>,
    first_port: Asked<Option<String>>,
    has_manager: bool,
}

impl Before {
    fn ask(host: &Host) -> Self {
        let label = match host.text("/proc/self/attr/apparmor/current") {
            Ok(None) => host.text("/proc/self/attr/current"),
            asked => asked,
        };
        // A kernel without IPv6 has no second table.
        let sockets = || Ok([host.said("/proc/net/tcp")?, host.text("/proc/net/tcp6")?.unwrap_or_default()]);
        Self {
            release: host.said("/proc/sys/kernel/osrelease"),
            modules: host.text("/sys/kernel/security/lsm"),
            actions: host.text("/proc/sys/kernel/seccomp/actions_avail"),
            namespaces: Namespaces {
                networks: host.text("/proc/sys/user/max_net_namespaces"),
                max: host.text("/proc/sys/user/max_user_namespaces"),
                clone: host.text("/proc/sys/kernel/unprivileged_userns_clone"),
                restricted: host.text("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            },
            apparmor: host.text("/sys/module/apparmor/parameters/enabled"),
            label,
            core_pattern: host.text("/proc/sys/kernel/core_pattern"),
            mounts: host.said("/proc/self/mountinfo").map(|text| mounts::mounts(&text)),
            fstab: host.text("/etc/fstab"),
            sockets: sockets(),
            first_port: host.text("/proc/sys/net/ipv4/ip_unprivileged_port_start"),
            has_manager: host.has("/run/systemd/system"),
        }
    }

    fn port(&self, number: u16, holder: Asked<Option<String>>, uid: u32) -> Port {
        let listeners = |[v4, v6]: &[String; 2]| network::listeners([v4, v6], number);
        Port {
            number,
            listeners: self.sockets.as_ref().map(listeners).map_err(String::clone),
            holder,
            first_free: self.first_port.clone(),
            uid,
            has_manager: self.has_manager,
        }
    }
}

/// What holds wherever vault, log and pictures lie.
fn of_host(host: &Host, places: &[Place; 3], port: u16) -> Vec<Finding> {
    let ms = |time: SystemTime| {
        time.duration_since(UNIX_EPOCH).ok().and_then(|since| since.as_millis().try_into().ok())
    };
    let watched = places.each_ref().map(|place| (place.name, place.real.as_path()));
    let nftables = network::FIREWALL.map(|path| host.text(path));
    vec![
        memory::swap(host),
        memory::hibernation(host),
        clock::clock(host, newest(&places[1].real).and_then(ms), ms(SystemTime::now()).unwrap_or(0)),
        network::firewall(&nftables[0], &nftables[1], port),
        audited::audited(
            &host.text(RULES),
            host.has("/etc/audit/rules.d/lightproof.rules"),
            host.has("/run/auditd.pid") || host.has("/var/run/auditd.pid"),
            &watched,
        ),
    ]
}

/// When a folder or a file in it was written last.
fn newest(folder: &Path) -> Option<SystemTime> {
    let files = folder.read_dir().into_iter().flatten().flatten().filter_map(|entry| entry.metadata().ok());
    files.chain(folder.metadata().ok()).filter_map(|found| found.modified().ok()).max()
}

/// Everything about one folder.
fn of_place(place: &Place, before: &Before, uid: u32) -> Vec<Finding> {
    let Place { name, named, real, broken } = place;
    let ways = [named.as_path(), real];
    let there = place.there();
    let has = |path: &Path| path.symlink_metadata().is_ok();
    let mut findings = vec![
        mounts::disk(name, ways, broken.as_deref(), &before.fstab, &before.mounts),
        mounts::share(name, there, &before.mounts),
        cloud::cloud(name, ways, &has),
        folders::readers(name, &folders::way(real), there == real, uid),
        folders::room(name, &folders::room_at(real), getrlimit(Resource::Fsize).current),
        mounts::quota(name, there, &before.mounts),
    ];
    if *name == "vault" {
        let grade =
            vault::grade(there).map_err(|error| format!("{} cannot be asked: {error}", there.display()));
        findings.push(mounts::erasure(&grade));
    }
    findings
}

/// What the fences need, and whether they are up.
fn of_kernel(booted: Result<&Booted, &Failure>, before: &Before, is_root: bool) -> Vec<Finding> {
    let report = booted.ok().map(|booted| &booted.report);
    let is_green = |fence: Fence| {
        let found = report.and_then(|report| report.fences.iter().find(|found| found.fence == fence));
        found.is_some_and(|found| found.state == sandbox::State::Green)
    };
    let weaker = booted.map_err(|failure| failure.what.clone()).and_then(|booted| {
        sandbox::probe(&booted.sandboxed).map_err(|error| error.to_string())?;
        let weaker = booted.report.fences.iter().filter(|found| found.state != sandbox::State::Green);
        Ok(weaker.map(|found| format!("{}: {}", found.fence, found.detail)).collect())
    });
    let enforced = report.map(|report| (report.landlock_abi, &report.landlock_missing[..]));
    vec![
        kernel::kernel(&before.release, report.is_some()),
        kernel::fences(&weaker),
        kernel::landlock(enforced, &before.modules),
        kernel::seccomp(&before.actions),
        kernel::namespaces(&before.namespaces, is_root, is_green(Fence::NetworkNamespace)),
        kernel::apparmor(&before.apparmor, &before.label, &before.namespaces.restricted, is_root),
        kernel::core_files(&before.core_pattern, is_green(Fence::Dumpable)),
    ]
}

/// A pruning of the log that is on record, where not all of it is done. What cannot be read another check tells.
fn of_pruning(booted: &Booted) -> Option<Finding> {
    let seq = audit::unfinished_pruning(&booted.folders.audit).ok()??;
    Some(Finding::needs("pruning", need_of_pruning(seq)))
}

/// The copy of the newest checkpoint, as `status` tells of it, if the policy asks for one and there is a log.
fn of_copy(booted: &Booted) -> Option<Finding> {
    const CHECK: &str = "checkpoint-copy";
    let log = &booted.folders.audit;
    let copy = booted.copy.as_ref().filter(|_| log.join("origin").exists())?;
    let copied = Copied::of(copy, log, booted.clock.wall_ms());
    Some(match copied.need() {
        Some(what) => Finding::needs(CHECK, what),
        None => Finding::fine(CHECK, copied.line()),
    })
}

/// The program that has the vault; `None` if nobody has it.
fn holder(booted: Result<&Booted, &Failure>, process: Process) -> Asked<Option<Holder>> {
    let booted = booted.map_err(|_| "the fences are not up")?;
    if process != Process::Server {
        return Err("with --model nothing of the vault is looked at; ask once more without it".to_owned());
    }
    booted.paths().holder().map_err(|error| error.to_string())
}

/// Name of the check.
const CHECK: &str = "model";

/// The model that a start takes to which none is named: behind fences that know the vault nobody reads it.
fn of_model_in_use(in_use: &Result<Option<InUse>, Failure>) -> Finding {
    match in_use {
        Err(failure) => Finding::needs(CHECK, failure.what.clone()),
        Ok(None) => Finding::fine(CHECK, "the embedded one; another is looked at with --model DIR"),
        Ok(Some(InUse { name, folder })) => {
            let folder = folder.display();
            let says = format!(
                "{name}, which was imported; lightproof model verify reads it, and --model {folder} says what it takes"
            );
            Finding::fine(CHECK, says)
        }
    }
}

/// Whether the files of the model are all there and as long as they claim, and whether it fits in memory.
fn of_model(asked: &Path, device: DeviceName, booted: Result<&Booted, &Failure>) -> Finding {
    if let Err(error) = asked.canonicalize() {
        return Finding::needs(CHECK, format!("{} cannot be used: {error}", asked.display()));
    }
    let Ok(booted) = booted else {
        return Finding::unknown(CHECK, "it is looked at behind the fences, and they are not up");
    };
    let folder = booted.folders.model.as_deref().unwrap_or(asked);
    match ModelFolder::open(folder).and_then(|folder| Pipeline::bytes_to_load(&folder, device)) {
        Err(error) => Finding::needs(CHECK, error.to_string()),
        Ok(bytes) => {
            let (takes, left) = (bytes >> 20, booted.memory.left_bytes() >> 20);
            match takes > left {
                true => Finding::needs(
                    CHECK,
                    format!(
                        "loading it takes up to {takes} MiB of memory, and {left} MiB are left; end other programs"
                    ),
                ),
                false => Finding::fine(
                    CHECK,
                    format!("its files are there, as long as they claim; takes up to {takes} MiB"),
                ),
            }
        }
    }
}

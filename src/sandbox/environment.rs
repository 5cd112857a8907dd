//! The first statement of `main`: a known environment, no foreign descriptors, private files, no core files.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::handed::{HANDED_DOWN, HandDown, Handed};
use crate::variant::Variant;
use crate::{Error, Fence, namespace, process, raw, status};

/// What may stay in the environment. Everything else goes: `LD_*`, `CUDA_*`, `CUBECL_*`, `RUST_*`, proxies,
/// tokens of other programs.
const KEPT: &[&str] = &[
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "LC_TIME",
    "TERM",
    "COLORTERM",
    "NO_COLOR",
    "COLUMNS",
    "LINES",
    "TZ",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
    // From a service manager.
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "INVOCATION_ID",
    "CONFIGURATION_DIRECTORY",
    "STATE_DIRECTORY",
    "LOGS_DIRECTORY",
    "CREDENTIALS_DIRECTORY",
    // From the keeper.
    HANDED_DOWN,
];

/// What is set besides: the driver's cache of compiled kernels would be code that outlives a run, and cards have the numbers
/// of their nodes; and a mark, so that a host that adds variables to every program cannot make this one start for ever.
const SET: [(&str, &str); 3] = [("CUDA_CACHE_DISABLE", "1"), ("CUDA_DEVICE_ORDER", "PCI_BUS_ID"), STARTED];
const STARTED: (&str, &str) = ("STARTED_CLEAN", "1");

/// First descriptor that a service manager hands over.
const LISTEN_FDS_START: i32 = 3;

/// Proof that the environment is clean. [`clean_environment`] is its only maker, [`crate::enter`] takes it.
#[derive(Debug)]
pub struct Clean {
    listener: Option<OwnedFd>,
    handed: Vec<OwnedFd>,
    channel: Option<OwnedFd>,
    /// Its number, which the filter names.
    pub(crate) channel_number: Option<RawFd>,
    pub(crate) environment: Vec<String>,
    pub(crate) network: String,
    /// What the keeper made of the network, for a process that is inside it.
    pub(crate) kept_network: Option<String>,
    pub(crate) managed: bool,
}

impl Clean {
    /// The channel to the keeper that started this process, once.
    pub fn take_channel(&mut self) -> Option<OwnedFd> {
        self.channel.take()
    }

    /// For the server that this process is the keeper of, and starts outside its own fences: its end of the channel, and
    /// whatever this process was started with.
    ///
    /// # Errors
    /// What the system says.
    pub fn hand_down(&mut self, channel: OwnedFd) -> io::Result<HandDown> {
        HandDown::for_server(channel, self.listener.take(), std::mem::take(&mut self.handed), self.managed)
    }

    /// Did a keeper start this process inside its fences?
    pub fn is_kept(&self) -> bool {
        self.kept_network.is_some()
    }

    /// Did a keeper start this process as its server?
    pub fn has_keeper(&self) -> bool {
        self.channel_number.is_some()
    }

    /// The socket that a service manager handed over, once. Check it with
    /// [`crate::LoopbackListener::inherit`].
    pub fn take_listener(&mut self) -> Option<OwnedFd> {
        self.listener.take()
    }

    /// The descriptor of that number, if the starting program left it open and it was to be kept; once. Those that nobody
    /// takes are closed when the fences go up.
    pub fn take_descriptor(&mut self, number: i32) -> Option<OwnedFd> {
        let at = self.handed.iter().position(|handed| handed.as_raw_fd() == number)?;
        Some(self.handed.swap_remove(at))
    }
}

/// Cleans environment, descriptors, umask, core limit and what a file limit does. Call it first in `main`, and only there.
///
/// An environment that holds anything but the known names and `own_names` is not repaired in place: the
/// program starts itself again with a clean one, so that nothing that `LD_PRELOAD` brought in stays.
/// Descriptors above 2 are closed, but for one socket that a service manager handed over (`LISTEN_FDS`), for those
/// in `handed`, of which a shell's `<(...)` is one, and for what a keeper handed down. What is not open there is left out.
///
/// # Errors
/// Threads exist already, the program cannot start itself, more than one socket was handed over, or a service
/// manager started it as root.
pub fn clean_environment(own_names: &[&str], handed: &[i32]) -> Result<Clean, Error> {
    clean_variant(Variant::whole(), own_names, handed)
}

pub(crate) fn clean_variant(variant: Variant, own_names: &[&str], handed: &[i32]) -> Result<Clean, Error> {
    status::refuse_threads()?;
    let names: Vec<String> = KEPT
        .iter()
        .chain(own_names)
        .chain(SET.iter().map(|(name, _)| name))
        .map(ToString::to_string)
        .collect();
    if !variant.leaves_out(Fence::Environment) {
        start_again_unless_clean(&names)?;
    }
    let Handed { channel, listener, managed, network: kept_network } = Handed::take()?;
    let managed = managed || under_service_manager();
    if managed && raw::user_id() == 0 {
        return Err(Error::RootService);
    }
    let listener = match listener {
        None => handed_over()?,
        listener => listener,
    };
    let taken = [&channel, &listener].map(|taken| taken.as_ref().map(AsRawFd::as_raw_fd));
    let mut numbers: Vec<i32> =
        handed.iter().copied().filter(|n| *n > 2 && !taken.contains(&Some(*n))).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let handed: Vec<OwnedFd> = numbers.into_iter().filter_map(|n| raw::take_descriptor(n).ok()).collect();
    if !variant.leaves_out(Fence::Descriptors) {
        raw::close_all_but(channel.iter().chain(&listener).chain(&handed))
            .map_err(|source| Error::Process { fence: Fence::Descriptors, source })?;
    }
    process::private_files(variant)?;
    raw::survive_file_limit();
    Ok(Clean {
        listener,
        handed,
        channel_number: channel.as_ref().map(AsRawFd::as_raw_fd),
        channel,
        environment: names,
        network: namespace::network_id()?,
        kept_network,
        managed,
    })
}

/// Variables that are not on the list of names.
pub(crate) fn foreign_variables(names: &[String]) -> impl Iterator<Item = OsString> {
    env::vars_os().map(|(name, _)| name).filter(|name| !names.iter().any(|known| name == known.as_str()))
}

fn start_again_unless_clean(names: &[String]) -> Result<(), Error> {
    let found: Vec<(OsString, OsString)> = env::vars_os().collect();
    let mut wanted: BTreeMap<OsString, OsString> = found
        .iter()
        .filter(|(name, value)| {
            names.iter().any(|known| name == known.as_str()) && !value.as_bytes().contains(&0)
        })
        .cloned()
        .collect();
    wanted.extend(SET.map(|(name, value)| (name.into(), value.into())));
    // As many as there are names: no name stands there twice.
    if found.len() == wanted.len() && found.iter().all(|(name, value)| wanted.get(name) == Some(value)) {
        return Ok(());
    }
    if env::var_os(STARTED.0).is_some() {
        return Err(Error::StartAgain(io::Error::other("it was, and something added variables to it")));
    }
    let mut args = env::args_os();
    let first = args.next().unwrap_or_default();
    let rest: Vec<OsString> = args.collect();
    let start =
        |program: &Path| Command::new(program).arg0(&first).args(&rest).env_clear().envs(&wanted).exec();
    if let Ok(program) = env::current_exe() {
        start(&program); // returns only when it fails, as when the file was replaced
    }
    Err(Error::StartAgain(start(Path::new("/proc/self/exe"))))
}

/// systemd marks its services with an id, and is their parent.
fn under_service_manager() -> bool {
    env::var_os("INVOCATION_ID").is_some()
        && std::os::unix::process::parent_id() == 1
        && Path::new("/run/systemd/system").is_dir()
}

fn handed_over() -> Result<Option<OwnedFd>, Error> {
    let number = |name| env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
    if number("LISTEN_PID") != Some(std::process::id()) {
        return Ok(None); // meant for another process, or nothing was handed over
    }
    match number("LISTEN_FDS") {
        Some(0) | None => Ok(None),
        Some(1) => raw::take_descriptor(LISTEN_FDS_START).map(Some).map_err(Error::HandedOver),
        Some(count) => Err(Error::TooManySockets { count }),
    }
}

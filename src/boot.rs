//! The boot order of every verb: clean environment, folders, policy, fences, and only then vault and log.

pub mod backup;
pub mod card;
pub mod folders;
pub mod keeper;
pub mod limits;
mod listen;
pub mod machine;
pub mod memory;
pub mod models;
pub mod opens;
pub mod operator;
pub mod outside;
pub mod overlay;
pub mod passphrase;
mod room;
mod same;
mod second;
pub mod seen;
mod together;
pub mod unmade;
mod wants;

use crate::cli::Global;
use crate::door::place::Door;
use crate::exit::{Code, Failure};
use crate::input::{self, SecretBytes, SecretLine};
use crate::output::Output;
use crate::paths::{absolute, real};
use crate::processes::channel::Word;
use crate::processes::kept::{self, Engines};
use crate::terminal::Terminal;
use crate::version;
use audit::SystemClock;
use audit::words::{StartRefusal, StopReason};
use backup::Opened;
use darkroom::{Darkroom, Queue, Start};
use engine::Engine as _;
use engine::far::Far;
use engine::supply::{Expected, NoEngine, Patience};
use engine::wire::{self, Unready};
use evidence::Law;
pub use folders::OfModels;
use folders::{FolderUse, Home};
use memory::Memory;
use policy::{Folders, Plan, Policy, Process};
use rustix::fs::{Access, access};
use sandbox::{Clean, LoopbackListener, Report, Sandboxed, State};
use second::Second;
use seen::{Known, Seen};
use std::fs::File;
use std::sync::Arc;
use vault::PersonName;
pub use wants::{CREDENTIAL, Wants};

/// The process behind its fences.
pub struct Booted {
    /// Proof of the fences.
    pub sandboxed: Sandboxed,
    /// What they are.
    pub report: Report,
    /// What they were made from.
    pub plan: Plan,
    /// The folders, as real paths.
    pub folders: Folders,
    /// What the policy says, in the words of a plan without any path of this machine: the same ones wherever it holds. Empty
    /// where no control is tried.
    pub rules: String,
    /// The file of a backup, if one was named, opened before the fences.
    pub backup: Option<Opened>,
    /// The socket, if one was wanted.
    pub listener: Option<LoopbackListener>,
    /// The way in for verbs of this user, if there is a listener; or why there is none.
    pub door: std::io::Result<Option<Door>>,
    /// The kernel's table of sockets, `/proc/net/tcp`, of the network that the socket is in.
    pub sockets: Option<File>,
    /// The same of sockets over IPv6, `/proc/net/tcp6`, where the host has it.
    pub sockets_ipv6: Option<File>,
    /// How much memory is left.
    pub memory: Arc<Memory>,
    /// The controlling terminal.
    pub terminal: Terminal,
    /// The clock, made before the fences.
    pub clock: SystemClock,
    /// SHA-256 of the program.
    pub binary: [u8; 32],
    /// How each process is fenced, once the engine is there.
    pub processes: Vec<(Process, wire::Fenced)>,
    /// What the controls need to know from before the fences, where controls are tried.
    pub seen: Option<Arc<Seen>>,
    /// Why there is no card, where one was asked for.
    pub no_card: Option<String>,
    /// Where a copy of the newest checkpoint goes, if the policy says so.
    pub copy: Option<outside::Copy>,
    passphrase: Option<SecretLine>,
    machine_secret: Option<SecretBytes>,
    /// Who it is of, if somebody said so.
    operator: Option<PersonName>,
    /// What was said of the second of two people who open the vault together.
    second: Second,
    /// They said so at a question.
    is_name_typed: bool,
    /// The engines that the keeper starts, and the digest of the plan that they must have.
    engines: Option<(Engines, [u8; 32])>,
    /// The digest that the model must have, if it is the one in use.
    pinned: Option<String>,
}

/// The process behind its fences, with a policy that may make no sense. A verb goes on through one of two doors, and each of
/// them refuses such a policy.
#[must_use]
pub struct Fenced {
    booted: Booted,
    folder_use: FolderUse,
    /// Why the start must be refused although the fences are up.
    refusal: Option<Failure>,
}

/// Puts up the fences. Nothing of vault, log, model or prompt has been parsed when this returns.
///
/// # Errors
/// A folder that cannot be made, or a fence that cannot be built.
pub fn boot(mut clean: Clean, global: &Global, wants: &Wants<'_>) -> Result<Fenced, Failure> {
    let home = Home::new(global)?;
    let file = home.config.join("policy.toml");
    let (overlay, mut refusal) = match overlay::of(&clean, &file) {
        Ok(overlay) => (overlay, None),
        Err(failure) => (None, Some(failure)),
    };
    // A policy that cannot be read is a refusal, and the refusal is put on record behind the built-in fences.
    let policy = overlay::policy(&file, overlay.as_deref()).or_else(|failure| {
        refusal = Some(failure);
        Policy::read(None).map_err(|error| Failure::new(Code::Unexpected, error))
    })?;
    if wants.plain_copy && !policy.allows_plain_copies() {
        let what =
            "the policy of this machine allows no plain copies (it denies ${export}); nothing was done";
        refusal = refusal.or(Some(Failure::new(Code::Refused, what)));
    }
    let folder_use = wants.folder_use;
    let mut folders = folders_of(&home, &policy, wants)?;
    folders::refuse_own_folders(&folders, &home)?;
    let copy = match policy.checkpoint_copy().filter(|_| wants.process == Process::Server) {
        Some(named) => {
            let writes = folder_use != FolderUse::Read;
            Some(outside::look(named, &mut folders, &home, writes)?)
        }
        None => None,
    };
    let no_card = card::wanted(wants.device, &policy, clean.is_kept()).map(|card| folders.card = card).err();
    let plan = |process| policy.plan(process, &folders).map_err(|error| Failure::new(Code::Usage, error));
    // What the engine must have, if there is one.
    let mut plan_of_engine = clean.has_keeper().then(|| plan(Process::Engine)).transpose()?;
    if let Some(plan) = &mut plan_of_engine {
        folders::grant_what_exists(plan, &folders);
    }
    let mut plan = plan(wants.process)?;
    let rules = if wants.evidence { overlay::rules(&policy)? } else { String::new() };
    wants.models.narrow(&mut plan, &folders);
    if folder_use == FolderUse::Read {
        outside::narrow(&mut plan, &folders);
    }
    folders::grant_what_exists(&mut plan, &folders);
    folders::grant_bundle(&mut plan, &folders, wants.bundle)?;
    let passphrase =
        wants.passphrase_file.map(|path| input::read_secret_file(path, &home, &mut clean)).transpose()?;
    let machine_secret = wants.machine_secret.as_deref().filter(|_| refusal.is_none());
    let machine_secret =
        machine_secret.map(|path| input::read_secret_bytes(path, &home, &mut clean)).transpose()?;
    let second = Second {
        line: {
            let file = wants.second_passphrase_file;
            file.map(|path| input::read_secret_file(path, &home, &mut clean)).transpose()?
        },
        operator: wants.second_operator.map(operator::name_of).transpose()?,
    };
    let operator = if wants.signs_in { operator::named(wants.operator)? } else { None };
    let terminal = Terminal::open();
    let channel = clean.take_channel();
    let clock = SystemClock::new();
    // First: who changes it while it is digested is found out.
    let program = wants.evidence.then(Known::program).flatten();
    let binary = version::binary_digest()?;
    let pinned = models::pinned(&home, wants.model);
    let memory = Arc::new(Memory::open());
    let listener = wants.listen.map(|port| listen::listen(&mut clean, &mut plan, port)).transpose()?;
    // Behind the fences it could not be opened, and would be the table of an empty network.
    let sockets = listener.as_ref().and_then(|_| File::open("/proc/net/tcp").ok());
    let door = listener.as_ref().map_or(Ok(None), |_| Door::make(&folders.vault));
    let backup = wants.backup.map(|file| file.open(&folders, &home)).transpose()?.flatten();
    let sockets_ipv6 = listener.as_ref().and_then(|_| File::open("/proc/net/tcp6").ok());
    let seen = wants.evidence.then(|| Arc::new(Seen::now(&file, overlay.as_deref(), &folders, program)));
    let (sandboxed, report) = sandbox::enter(clean, &plan, listener.as_ref())?;
    let state = if report.overall() == State::Green { "green" } else { "amber" };
    tracing::info!(event = "fenced", pid = std::process::id(), state);
    let engines = channel.map(kept::listen).transpose().map_err(|e| {
        Failure::new(Code::Unexpected, format!("no thread could be started to hear the other processes: {e}"))
    })?;
    let booted = Booted {
        sandboxed,
        report,
        plan,
        folders,
        rules,
        backup,
        listener,
        door,
        sockets,
        sockets_ipv6,
        memory,
        terminal,
        clock,
        binary,
        processes: Vec::new(),
        seen,
        passphrase,
        machine_secret,
        operator,
        second,
        is_name_typed: false,
        engines: engines.zip(plan_of_engine.map(|plan| plan.digest())),
        pinned,
        no_card,
        copy,
    };
    Ok(Fenced { booted, folder_use, refusal })
}

/// The folders of a run, as real paths. A verb of a first start makes those that are not there.
///
/// # Errors
/// One cannot be made, or is not where a person says.
fn folders_of(home: &Home, policy: &Policy, wants: &Wants<'_>) -> Result<Folders, Failure> {
    let outputs = match (wants.outputs, policy.outputs()) {
        (Some(outputs), _) => absolute(outputs)?,
        (None, Some(outputs)) => outputs.to_path_buf(),
        (None, None) => home.outputs.clone(),
    };
    let folder_use = wants.folder_use;
    let vault = folder_use.state(&home.vault)?;
    let paths = vault::Paths { state: vault.clone(), outputs: outputs.clone() };
    // Where there is a vault, its pictures lie somewhere: an empty folder made here would hide that their disk is absent.
    let of_pictures = match folder_use {
        FolderUse::Made if paths.vault_exists() => FolderUse::Used,
        folder_use => folder_use,
    };
    Ok(Folders {
        vault,
        audit: folder_use.state(&home.audit)?,
        evidence: wants.evidence.then(|| folder_use.evidence(&home.evidence, &paths)).transpose()?,
        bundle: wants.bundle.map(folders::of_bundle).transpose()?,
        bundle_is_read: matches!(wants.bundle, Some(folders::Bundle::Read(_))),
        outputs: of_pictures.pictures(&outputs)?,
        config: folder_use.real_path(&home.config)?,
        model: wants.model.map(folders::of_model).transpose()?,
        models: Some(wants.models.folder(&home.models)?),
        source: wants.models.source.map(real).transpose()?,
        export: wants.export.map(real).transpose()?,
        reference: wants.reference.map(real).transpose()?,
        checkpoint_copy: None,
        program: Vec::new(),
        card: None,
    })
}

impl Fenced {
    /// For a verb that writes neither to the vault nor to the log.
    ///
    /// # Errors
    /// What is wrong with the policy. It is not on record: no log is open.
    pub fn without_darkroom(self) -> Result<Booted, Failure> {
        self.refusal.map_or(Ok(self.booted), Err)
    }

    /// For a verb that looks at more than the policy: what is wrong with that one is told beside the rest, which the fences of
    /// the built-in policy are around then.
    pub fn looking(self) -> (Booted, Option<Failure>) {
        (self.booted, self.refusal)
    }

    /// As [`Booted::incident_laws`].
    pub fn incident_laws(&self) -> Vec<Law> {
        self.booted.incident_laws()
    }

    /// The folders, and the clock: for whoever keeps what there is where vault or log does not open.
    pub fn place_and_time(&self) -> (Folders, SystemClock) {
        (self.booted.folders.clone(), self.booted.clock)
    }

    /// Opens vault and log, and puts start and tested posture on record.
    ///
    /// # Errors
    /// The refusal that is on record by then, or what vault and log say. Without a vault, and where none is to be made,
    /// nothing is opened and nothing is on record.
    pub fn darkroom(self) -> Result<(Booted, Darkroom), Failure> {
        let Self { booted, folder_use, refusal } = self;
        let paths = booted.paths();
        if folder_use != FolderUse::Made && !paths.vault_exists() {
            let what = "make one with: lightproof vault init, or say where it is with --home";
            let none = format!("there is no vault in {}; {what}", booted.folders.vault.display());
            return Err(refusal.unwrap_or_else(|| Failure::new(Code::Locked, none)));
        }
        let darkroom = booted.darkroom(refusal)?;
        Ok((booted, darkroom))
    }
}

impl Booted {
    /// The laws whose clocks an incident starts by the policy.
    pub fn incident_laws(&self) -> Vec<Law> {
        self.plan.incident_laws.iter().filter_map(|law| Law::parse(law.word())).collect()
    }

    /// The folders of a darkroom.
    pub fn of_darkroom(&self) -> darkroom::Folders {
        let Folders { vault, audit, outputs, .. } = self.folders.clone();
        darkroom::Folders { vault, audit, outputs }
    }

    /// The folders of the vault.
    pub fn paths(&self) -> vault::Paths {
        vault::Paths { state: self.folders.vault.clone(), outputs: self.folders.outputs.clone() }
    }

    /// What this start is, for its record.
    pub fn start(&self) -> Start {
        Start {
            binary: self.binary,
            policy: self.plan.digest(),
            landlock_abi: u32::try_from(self.report.landlock_abi).unwrap_or(0),
            erase: self.plan.erase,
            picture_days_max: self.plan.picture_days_max,
            names_days_max: self.plan.names_days_max,
            two_person: self.plan.two_person,
            two_person_hours_max: self.plan.limits.two_person_hours_max,
        }
    }

    /// Refuses, on record, a start that could not keep a picture.
    ///
    /// # Errors
    /// The output folder cannot be written, or is another vault's.
    pub fn check_outputs(&self, darkroom: &Darkroom) -> Result<(), Failure> {
        let Err(error) = access(&self.folders.outputs, Access::WRITE_OK | Access::EXEC_OK) else {
            let Err(error) = self.paths().check_outputs() else { return Ok(()) }; // an opening marks what is nobody's
            darkroom.record_refusal(StartRefusal::Outputs)?;
            return Err(darkroom::Error::from(error).into());
        };
        darkroom.record_refusal(StartRefusal::Outputs)?;
        let hint = match error {
            rustix::io::Errno::NOENT => "mount its disk, or name the right folder with --outputs",
            _ => "make it writable for this user, or choose another folder with --outputs",
        };
        let what = format!("cannot write to {}: {error}; {hint}", self.folders.outputs.display());
        Err(Failure::new(Code::Refused, what))
    }

    /// Waits for the engine that the keeper has started, as long as it is wanted; what is wrong with it is on record.
    ///
    /// # Errors
    /// What is wrong with the folder or the device, or that the process ended; [`Code::Interrupted`] where it is not wanted any more.
    pub fn engine(
        &mut self,
        darkroom: &Darkroom,
        out: &Output,
        wanted: &dyn Fn() -> bool,
    ) -> Result<Far, Failure> {
        if let Some(why) = self.no_card.take() {
            darkroom.record_refusal(StartRefusal::Device)?;
            return Err(Failure::new(Code::Refused, why));
        }
        let none = || Failure::new(Code::Unexpected, "no other process was started for the engine");
        let (engines, plan) = self.engines.take().ok_or_else(none)?;
        let expected = Expected { build: self.binary, plan };
        let tell = |bytes_done: u64, bytes_total: u64| {
            let mib = |bytes: u64| bytes >> 20;
            out.progress(&format!(
                "reading and hashing the model, {} of {} MiB",
                mib(bytes_done),
                mib(bytes_total)
            ));
        };
        let (keeper, given_up) = (engines.keeper(), engines.given_up());
        let first = Far::first(Box::new(engines), expected, Patience::DEFAULT, tell, wanted);
        out.progress("");
        let (reason, failure) = match first {
            Ok((engine, greeting)) => {
                let keeper = keeper.get().map(|fenced| (Process::Keeper, fenced.clone()));
                self.processes.extend(keeper);
                self.processes.push((Process::Server, self.fenced()));
                self.processes.push((Process::Engine, greeting.fenced));
                for (process, fenced) in &self.processes {
                    darkroom.record_process(*process, fenced)?;
                }
                let found = audit::Digest(engine.model().digest).to_string();
                let lost = match self.folders.model {
                    None => models::lost_choice(&self.folders.audit, &engine.model().digest)?,
                    Some(_) => None,
                };
                match (lost, &self.pinned) {
                    (Some(failure), _) => (StartRefusal::Model, failure),
                    (None, Some(pinned)) if *pinned != found => (StartRefusal::Model, models::swapped()),
                    _ => return Ok(engine),
                }
            }
            Err(NoEngine::Unready { why, text }) => {
                let (reason, code) = match why {
                    Unready::Device => (StartRefusal::Device, Code::Refused),
                    Unready::Missing => (StartRefusal::Model, Code::NotFound),
                    Unready::Forbidden => (StartRefusal::Model, Code::Refused),
                    Unready::Memory => (StartRefusal::Model, Code::Space),
                    Unready::Threads => (StartRefusal::Device, Code::Space),
                    Unready::Damaged => (StartRefusal::Model, Code::Integrity),
                };
                (reason, Failure::new(code, text))
            }
            Err(NoEngine::Unwanted) => {
                let what = "interrupted while the model was read; nothing was done";
                return Err(Failure::new(Code::Interrupted, what));
            }
            Err(NoEngine::Gone(text)) => {
                let why = given_up.get().map(|(code, text)| Failure::new(Code::of(*code), text));
                (StartRefusal::Model, why.unwrap_or_else(|| Failure::new(Code::Unexpected, text)))
            }
        };
        darkroom.record_refusal(reason)?;
        Err(failure)
    }

    /// What has a service manager told of this server, by way of the keeper. Call it before [`Booted::engine`].
    pub fn teller(&self) -> Option<impl Fn(Word) + 'static> {
        self.engines.as_ref().map(|(engines, _)| engines.teller())
    }

    /// How this process is fenced.
    pub fn fenced(&self) -> wire::Fenced {
        fenced(&self.plan, &self.report)
    }
}

/// Ends a verb's use of the darkroom: locks the vault and puts the end on record, whatever the verb's result.
///
/// # Errors
/// The verb's own failure first.
pub fn leave<T>(darkroom: Darkroom, result: Result<T, Failure>) -> Result<T, Failure> {
    let left = darkroom.leave(reason(&result));
    let value = result?;
    left.map(|()| value).map_err(Failure::from)
}

/// The same for a verb whose darkroom is in a queue.
///
/// # Errors
/// The verb's own failure first.
pub fn close<T>(queue: &Queue, result: Result<T, Failure>) -> Result<T, Failure> {
    let closed = queue.close(reason(&result));
    let value = result?;
    closed.map(|()| value).map_err(Failure::from)
}

fn reason<T>(result: &Result<T, Failure>) -> StopReason {
    match result {
        Ok(_) => StopReason::Done,
        Err(_) => StopReason::Error,
    }
}

/// How a process is fenced, as the others hear it.
pub fn fenced(plan: &Plan, report: &Report) -> wire::Fenced {
    let fences = report.fences.iter().enumerate();
    wire::Fenced {
        plan: plan.digest(),
        report: report.digest(),
        fences: fences.filter(|(_, f)| f.state != State::Missing).fold(0, |bits, (i, _)| bits | 1 << i),
        amber: report.fences.iter().filter(|f| f.state != State::Green).count() as u32,
        landlock_abi: u32::try_from(report.landlock_abi).unwrap_or(0),
        uid0: report.uid == 0,
    }
}

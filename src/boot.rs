//! The boot order of every verb: clean environment, folders, policy, fences, and only then vault and log.

use crate::cli::Global;
use crate::engine::Diffusion;
use crate::exit::{Code, Failure};
use crate::output::Output;
use crate::paths::{absolute, open_regular, real};
use crate::terminal::{self, Terminal};
use audit::SystemClock;
use audit::words::{StartRefusal, StopReason};
use darkroom::{Darkroom, Posture, Start};
use diffusion::{ModelFolder, Place};
use policy::{LoopbackAddr, Places, Plan, Policy};
use rustix::fs::{Access, OFlags, access};
use sandbox::{Clean, LoopbackListener, Report, Sandboxed, State};
use sha2::{Digest as _, Sha256};
use std::fs::DirBuilder;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use vault::{KdfParams, Secret};
use zeroize::Zeroizing;

/// What a verb may touch besides the state: read before the fences, and granted by them.
#[derive(Default)]
pub struct Wants<'a> {
    /// Folder of a checkpoint.
    pub model: Option<&'a Path>,
    /// File or folder that plain copies go to.
    pub export: Option<&'a Path>,
    /// Folder of reference values.
    pub reference: Option<&'a Path>,
    /// To listen, at the policy's port or at this one.
    pub listen: Option<Option<u16>>,
}

/// The process behind its fences.
pub struct Booted {
    /// Proof of the fences.
    pub sandboxed: Sandboxed,
    /// What they are.
    pub report: Report,
    /// What they were made from.
    pub plan: Plan,
    /// The folders, as real paths.
    pub places: Places,
    /// The socket, if one was wanted.
    pub listener: Option<LoopbackListener>,
    /// The controlling terminal.
    pub terminal: Terminal,
    /// The clock, made before the fences.
    pub clock: SystemClock,
    passphrase: Option<Zeroizing<String>>,
    binary: [u8; 32],
    /// Why the start must be refused although the fences are up.
    refusal: Option<(StartRefusal, Failure)>,
}

/// Puts up the fences. Nothing of vault, log, model or prompt has been parsed when this returns.
///
/// # Errors
/// A folder that cannot be made, or a fence that cannot be built.
pub fn boot(mut clean: Clean, global: &Global, wants: &Wants<'_>) -> Result<Booted, Failure> {
    let home = home(global)?;
    let (overlay, mut refusal) = match read_policy(&home.config.join("policy.toml")) {
        Ok(overlay) => (overlay, None),
        Err(failure) => (None, Some((StartRefusal::Policy, failure))),
    };
    // A policy that cannot be read is a refusal, and the refusal is put on record behind the built-in fences.
    let policy = Policy::read(overlay.as_deref()).or_else(|error| {
        refusal = Some((StartRefusal::Policy, Failure::new(Code::Usage, error)));
        Policy::read(None).map_err(|error| Failure::new(Code::Unexpected, error))
    })?;
    let outputs = match (&global.outputs, policy.outputs()) {
        (Some(outputs), _) => absolute(outputs)?,
        (None, Some(outputs)) => outputs.to_path_buf(),
        (None, None) => home.outputs.clone(),
    };
    let places = Places {
        config: folder(&home.config)?,
        vault: folder(&home.vault)?,
        audit: folder(&home.audit)?,
        outputs: folder(&outputs)?,
        model: wants.model.map(real).transpose()?,
        export: wants.export.map(real).transpose()?,
        reference: wants.reference.map(real).transpose()?,
    };
    refuse_own_folders(&places)?;
    let mut plan = policy.plan(&places).map_err(|error| Failure::new(Code::Usage, error))?;
    let passphrase = global.passphrase_file.as_deref().map(terminal::read_secret_file).transpose()?;
    let terminal = Terminal::open();
    let clock = SystemClock::new();
    let binary = binary_digest()?;
    let listener = wants.listen.map(|port| listen(&mut clean, &mut plan, port)).transpose()?;
    let (sandboxed, report) = sandbox::enter(clean, &plan, listener.as_ref())?;
    let state = if report.overall() == State::Green { "green" } else { "amber" };
    tracing::info!(event = "fenced", pid = std::process::id(), state);
    Ok(Booted { sandboxed, report, plan, places, listener, terminal, clock, passphrase, binary, refusal })
}

impl Booted {
    /// Opens vault and log, and puts start and tested posture on record.
    ///
    /// # Errors
    /// The refusal that is on record by then, or what vault and log say.
    pub fn darkroom(&mut self) -> Result<Darkroom, Failure> {
        let places = darkroom::Places {
            vault: self.places.vault.clone(),
            audit: self.places.audit.clone(),
            outputs: self.places.outputs.clone(),
        };
        let start = Start {
            binary: self.binary,
            policy: unhex(&self.plan.digest()),
            landlock_abi: u32::try_from(self.report.landlock_abi).unwrap_or(0),
        };
        let darkroom = Darkroom::open(places, self.clock, KdfParams::DEFAULT, start)?;
        if let Some((reason, failure)) = self.refusal.take() {
            darkroom.refuse_start(reason)?;
            return Err(failure);
        }
        // The fences are tried from the threads that exist now, the log's own among them.
        if let Err(error) = sandbox::probe(&self.sandboxed) {
            darkroom.refuse_start(StartRefusal::Probe)?;
            return Err(error.into());
        }
        darkroom.record_posture(posture(&self.report))?;
        Ok(darkroom)
    }

    /// Whether a passphrase was given.
    pub fn has_passphrase(&self) -> bool {
        self.passphrase.is_some()
    }

    /// Refuses, on record, a start that could not keep a picture.
    ///
    /// # Errors
    /// The output folder cannot be written.
    pub fn check_outputs(&self, darkroom: &Darkroom) -> Result<(), Failure> {
        let Err(error) = access(&self.places.outputs, Access::WRITE_OK | Access::EXEC_OK) else {
            return Ok(());
        };
        darkroom.record_refusal(StartRefusal::Outputs)?;
        let hint = "make it writable for this user, or choose another folder with --outputs";
        let what = format!("cannot write to {}: {error}; {hint}", self.places.outputs.display());
        Err(Failure::new(Code::Refused, what))
    }

    /// Loads and checks the model; what is wrong with it is on record.
    ///
    /// # Errors
    /// What is wrong with the folder or the device.
    pub fn engine(&self, darkroom: &Darkroom, place: Place) -> Result<Diffusion, Failure> {
        let loaded = match &self.places.model {
            Some(path) => ModelFolder::open(path),
            None => Ok(diffusion::demo::folder()),
        };
        let error = match loaded.and_then(|folder| Diffusion::load(&folder, place)) {
            Ok(engine) => return Ok(engine),
            Err(error) => error,
        };
        let (reason, code) = match &error {
            diffusion::Error::Device(_) => (StartRefusal::Device, Code::Refused),
            _ => (StartRefusal::Model, Code::Integrity),
        };
        darkroom.record_refusal(reason)?;
        Err(Failure::new(code, error))
    }

    /// Unlocks the vault with the passphrase file or the terminal; makes the vault on a first start.
    ///
    /// # Errors
    /// A wrong passphrase, or nobody to ask.
    pub fn unlock(&mut self, darkroom: &mut Darkroom, out: &Output) -> Result<(), Failure> {
        if !darkroom.has_vault() {
            return self.first_start(darkroom, out);
        }
        let typed = match self.passphrase.take() {
            Some(passphrase) => passphrase,
            None => self.terminal.ask_secret("Passphrase: ")?,
        };
        darkroom.unlock(&secret(&typed)?)?;
        Ok(())
    }

    /// Makes the vault: a passphrase typed twice or from the file, and the recovery code shown once.
    ///
    /// # Errors
    /// A weak passphrase, or nobody to ask.
    pub fn first_start(&mut self, darkroom: &mut Darkroom, out: &Output) -> Result<(), Failure> {
        let new = self.new_secret(None, "Choose a passphrase (12 characters or more): ")?;
        let code = darkroom.create_vault(&new)?;
        out.say(&format!("a new vault was made in {}", self.places.vault.display()));
        self.warn_of_grade(out)?;
        if self.terminal.is_there() && self.passphrase.is_none() {
            self.show_recovery(&code.text())
        } else {
            out.warn(
                "without a terminal no recovery code is shown; get one later with: lightproof vault recovery",
            );
            Ok(())
        }
    }

    /// A new passphrase from `file`, from `--passphrase-file`, or typed twice.
    ///
    /// # Errors
    /// Nobody to ask, or two different passphrases.
    pub fn new_secret(&mut self, file: Option<Zeroizing<String>>, question: &str) -> Result<Secret, Failure> {
        if let Some(text) = file.or_else(|| self.passphrase.clone()) {
            return secret(&text);
        }
        let first = self.terminal.ask_secret(question)?;
        let again = self.terminal.ask_secret("Again: ")?;
        match *first == *again {
            true => secret(&first),
            false => Err(Failure::new(Code::Locked, "the two passphrases differ; nothing was done")),
        }
    }

    /// The passphrase or recovery code that proves a right.
    ///
    /// # Errors
    /// Nobody to ask.
    pub fn proof(&mut self) -> Result<Secret, Failure> {
        match self.passphrase.take() {
            Some(text) => any_secret(&text),
            None => any_secret(&self.terminal.ask_secret("Passphrase or recovery code: ")?),
        }
    }

    /// Shows the recovery code on the terminal.
    ///
    /// # Errors
    /// There is no terminal.
    pub fn show_recovery(&mut self, code: &str) -> Result<(), Failure> {
        let text = Zeroizing::new(format!(
            "\nRecovery code, shown this once. Write it down; it sets a new passphrase if yours is lost:\n\n    {code}\n\n"
        ));
        self.terminal.show(&text)
    }

    /// Says once what an erasure is worth on this file system.
    fn warn_of_grade(&self, out: &Output) -> Result<(), Failure> {
        let grade = vault::grade(&self.places.vault)
            .map_err(|e| Failure::new(Code::Unexpected, format!("cannot examine the file system: {e}")))?;
        if let vault::Grade::KeepsHistory(why) = grade {
            out.warn(&format!(
                "erasure is conditional here: {} lies on {why}, which may keep old copies; \
                 the records of erasures will say so",
                self.places.vault.display()
            ));
        }
        Ok(())
    }
}

/// Ends a verb's use of the darkroom: locks the vault and puts the end on record, whatever the verb's result.
///
/// # Errors
/// The verb's own failure first.
pub fn leave<T>(darkroom: Darkroom, result: Result<T, Failure>) -> Result<T, Failure> {
    let reason = match &result {
        Ok(_) => StopReason::Done,
        Err(_) => StopReason::Error,
    };
    let left = darkroom.leave(reason).map_err(Failure::from);
    let value = result?;
    left.map(|()| value)
}

/// The socket that a service manager handed over, or a new one. What is listened on becomes part of the plan.
fn listen(clean: &mut Clean, plan: &mut Plan, port: Option<u16>) -> Result<LoopbackListener, Failure> {
    if let Some(port) = port {
        plan.listen = LoopbackAddr::parse(&format!("127.0.0.1:{port}"))
            .map_err(|error| Failure::new(Code::Refused, error))?;
    }
    let listener = match clean.take_listener() {
        Some(socket) => LoopbackListener::inherit(socket),
        None => LoopbackListener::bind(plan.listen),
    };
    let listener = listener.map_err(|error| match &error {
        sandbox::Error::Bind { source, .. } | sandbox::Error::Reserve { source, .. }
            if source.kind() == ErrorKind::AddrInUse =>
        {
            let port = plan.listen.port();
            let what = "another program has it (perhaps a second lightproof); stop that one, or choose another port \
                        with --port";
            Failure::new(Code::Busy, format!("port {port} is taken: {what}"))
        }
        sandbox::Error::Bind { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            let port = plan.listen.port();
            let what = "this user may not listen below port 1024; choose another port with --port";
            Failure::new(Code::Refused, format!("port {port} cannot be used: {what}"))
        }
        sandbox::Error::Bind { .. } | sandbox::Error::Reserve { .. } | sandbox::Error::NotLoopback { .. } => {
            Failure::new(Code::Refused, error)
        }
        _ => error.into(),
    })?;
    plan.listen = listener.addr();
    Ok(listener)
}

/// Pictures and plain copies do not belong among the files of vault and log, nor among those of the kernel.
fn refuse_own_folders(places: &Places) -> Result<(), Failure> {
    let kernel = ["/proc", "/sys", "/dev"].map(PathBuf::from);
    for path in [Some(&places.outputs), places.export.as_ref()].into_iter().flatten() {
        if let Some(own) =
            kernel.iter().chain([&places.vault, &places.audit]).find(|own| path.starts_with(own))
        {
            let what = format!("{} lies in {}; choose another folder", path.display(), own.display());
            return Err(Failure::new(Code::Refused, what));
        }
    }
    Ok(())
}

/// The folders of this run, before links are resolved.
struct Home {
    config: PathBuf,
    vault: PathBuf,
    audit: PathBuf,
    outputs: PathBuf,
}

fn home(global: &Global) -> Result<Home, Failure> {
    let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let user = variable("HOME");
    let below_user = |path: &str| user.as_ref().map(|user| user.join(path));
    let missing = || Failure::new(Code::Usage, "HOME is not set; say where to keep things with --home DIR");
    let outputs = below_user("workspace/output_image");
    if let Some(home) = global.home.clone().or_else(|| variable("LIGHTPROOF_HOME")) {
        let home = absolute(&home)?;
        let outputs = outputs.unwrap_or_else(|| home.join("output_image"));
        return Ok(Home {
            config: home.join("config"),
            vault: home.join("vault"),
            audit: home.join("audit"),
            outputs,
        });
    }
    let xdg = |name: &str, path: &str| {
        variable(name).filter(|p| p.is_absolute()).or_else(|| below_user(path)).ok_or_else(missing)
    };
    let state = xdg("XDG_STATE_HOME", ".local/state")?.join("lightproof");
    Ok(Home {
        config: xdg("XDG_CONFIG_HOME", ".config")?.join("lightproof"),
        vault: state.join("vault"),
        audit: state.join("audit"),
        outputs: outputs.ok_or_else(missing)?,
    })
}

/// The overlay's text; `None` if there is none.
fn read_policy(path: &Path) -> Result<Option<String>, Failure> {
    let failed = |why: String| Failure::new(Code::Usage, format!("{}: {why}", path.display()));
    // A link could lead to a file that a grant makes writable.
    let file = match open_regular(path, OFlags::NOFOLLOW) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|e| failed(format!("the policy cannot be read: {e}")))?,
    };
    let mut text = String::new();
    file.take(policy::OVERLAY_BYTES_MAX as u64 + 1)
        .read_to_string(&mut text)
        .map_err(|e| failed(format!("the policy cannot be read: {e}")))?;
    match text.len() > policy::OVERLAY_BYTES_MAX {
        true => Err(failed(format!("the policy is longer than {} bytes", policy::OVERLAY_BYTES_MAX))),
        false => Ok(Some(text)),
    }
}

/// Makes a folder of ours (0700 for the new parts) and resolves links in its path.
fn folder(path: &Path) -> Result<PathBuf, Failure> {
    let failed = |e: std::io::Error| {
        let hint = "make it writable for this user, or choose another with --home or --outputs";
        Failure::new(Code::Refused, format!("cannot use the folder {}: {e}; {hint}", path.display()))
    };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    path.canonicalize().map_err(failed)
}

fn secret(text: &str) -> Result<Secret, Failure> {
    Secret::passphrase(text).map_err(|e| Failure::new(Code::Locked, e))
}

fn any_secret(text: &str) -> Result<Secret, Failure> {
    Secret::any(text).map_err(|e| Failure::new(Code::Locked, e))
}

/// SHA-256 of the running program, as it lies on disk.
fn binary_digest() -> Result<[u8; 32], Failure> {
    let failed = |e| Failure::new(Code::Unexpected, format!("cannot read the program itself: {e}"));
    let mut file = std::fs::File::open("/proc/self/exe").map_err(failed)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hash.finalize().into()),
            n => hash.update(&buffer[..n]),
        }
    }
}

fn posture(report: &Report) -> Posture {
    let fences = report.fences.iter().enumerate();
    Posture {
        report: unhex(&report.digest()),
        fences: fences.filter(|(_, f)| f.state != State::Missing).fold(0, |bits, (i, _)| bits | 1 << i),
        amber: report.fences.iter().filter(|f| f.state != State::Green).count() as u32,
        landlock_abi: u32::try_from(report.landlock_abi).unwrap_or(0),
        uid0: report.uid == 0,
    }
}

/// A digest in hex as its bytes; zeros for anything else, which no digest is.
fn unhex(hex: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    if hex.len() == 64 && hex.is_ascii() {
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap_or(0);
        }
    }
    bytes
}

//! The folders of a run: where they are, who makes them, and what must not be among them.

use super::same::{is_at, is_below, lies_in};
use crate::cli::Global;
use crate::exit::{Code, Failure};
use crate::paths::{absolute, real};
use policy::{Folders, Plan, Right, TwoPerson};
use std::fmt;
use std::fs::DirBuilder;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// What root does instead of making the folders of a run in another user's.
const OTHERS: &str = "choose folders of root's with --home and --outputs";

/// Where the files of the kernel are.
pub const KERNEL: [&str; 3] = ["/proc", "/sys", "/dev"];
/// What the program reads in the folder of the policy. Whatever else lies there is a person's.
const OWN_FILES: [&str; 2] = ["policy.toml", "controller.toml"];

/// What a verb does with the folders of vault and log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FolderUse {
    /// It reads there, if that. Nothing is made, nothing is written.
    Read,
    /// It needs a vault that is there. Nothing is made.
    #[default]
    Used,
    /// It makes what is not there yet: a first start.
    Made,
}

/// What becomes of the folder of a bundle of evidence.
#[derive(Clone, Copy)]
pub enum Bundle<'a> {
    /// It is made, or is there and empty.
    Made(&'a Path),
    /// The same, for the certificates that the vault's end leaves.
    OfEnd(&'a Path),
    /// It is there, and is read.
    Read(&'a Path),
    /// It is there, and gets one file after the other.
    Spool(&'a Path),
}

/// The folders as flags and environment name them.
pub struct Home {
    /// Folder of the policy.
    pub config: PathBuf,
    /// Folder of the vault.
    pub vault: PathBuf,
    /// Folder of the log.
    pub audit: PathBuf,
    /// Folder of what the last trials of the controls found.
    pub evidence: PathBuf,
    /// Folder of the models that were brought in.
    pub models: PathBuf,
    /// Folder of the sealed pictures, unless a flag or the policy names another.
    pub outputs: PathBuf,
    /// What the first of them comes from, what the next four come from, and the last one.
    pub origins: [Origin; 3],
}

/// What names a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag.
    Flag(&'static str),
    /// A variable of the environment.
    Variable(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Variable(name) => write!(f, "variable {name}"),
        }
    }
}

impl Home {
    /// `--home`, `LIGHTPROOF_HOME`, or the XDG folders.
    ///
    /// # Errors
    /// Nothing says where to keep things.
    pub fn new(global: &Global) -> Result<Self, Failure> {
        let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let user = variable("HOME");
        let below_user = |path: &str| user.as_ref().map(|user| user.join(path));
        let missing =
            || Failure::new(Code::Usage, "HOME is not set; say where to keep things with --home DIR");
        let outputs = below_user("workspace/output_image");
        let flag = global.home.clone().map(|home| (home, Origin::Flag("--home")));
        let of_variable = || Some((variable("LIGHTPROOF_HOME")?, Origin::Variable("LIGHTPROOF_HOME")));
        if let Some((home, origin)) = flag.or_else(of_variable) {
            let home = absolute(&home)?;
            let of_outputs = if outputs.is_some() { Origin::Variable("HOME") } else { origin };
            let outputs = outputs.unwrap_or_else(|| home.join("output_image"));
            return Ok(Self {
                config: home.join("config"),
                vault: home.join("vault"),
                audit: home.join("audit"),
                evidence: home.join("evidence"),
                models: home.join("models"),
                outputs,
                origins: [origin, origin, of_outputs],
            });
        }
        let xdg = |name: &'static str, path: &str| {
            let of_name = variable(name).filter(|p| p.is_absolute()).map(|p| (p, Origin::Variable(name)));
            of_name.or_else(|| Some((below_user(path)?, Origin::Variable("HOME")))).ok_or_else(missing)
        };
        let (state, of_state) = xdg("XDG_STATE_HOME", ".local/state")?;
        let (config, of_config) = xdg("XDG_CONFIG_HOME", ".config")?;
        let state = state.join("lightproof");
        Ok(Self {
            config: config.join("lightproof"),
            vault: state.join("vault"),
            audit: state.join("audit"),
            evidence: state.join("evidence"),
            models: state.join("models"),
            outputs: outputs.ok_or_else(missing)?,
            origins: [of_config, of_state, Origin::Variable("HOME")],
        })
    }

    /// The folders of the program's own, without links: of the policy, vault, log, trials and models, and this one of the pictures.
    /// Nothing that a person names is to lie there.
    pub fn own(&self, outputs: &Path) -> [PathBuf; 6] {
        [&self.config, &self.vault, &self.audit, &self.evidence, &self.models, outputs]
            .map(|own| resolved(own).unwrap_or_else(|_| own.to_path_buf()))
    }

    /// Refuses a file of the program's own where a file with a secret is meant: what lies beside a vault protects it from nobody, and
    /// changes or goes by itself.
    ///
    /// # Errors
    /// It is one, or no file's name.
    pub fn refuse_as_secret(&self, path: &Path) -> Result<(), Failure> {
        if path.as_os_str() == "-" {
            let what = "a secret is in a file or a pipe, and `-` names none; standard input is /dev/stdin; nothing was done";
            return Err(Failure::new(Code::Usage, what));
        }
        // What is not there whoever opens it says.
        let Ok(real) = path.canonicalize() else { return Ok(()) };
        let Ok(file) = real.metadata() else { return Ok(()) };
        let [config, others @ .., outputs] = self.own(&self.outputs);
        let is_policy = OWN_FILES.iter().any(|name| is_at(&file, &config.join(name)));
        // A pipe or a device is nobody's link. Pictures may be a hundred thousand, and none of them is ever written anew.
        let is_theirs = |own: &&PathBuf| lies_in(&real, own) || file.is_file() && is_below(&file, own);
        let own = others.iter().find(is_theirs).or_else(|| Some(&outputs).filter(|own| lies_in(&real, own)));
        let own = own.map(PathBuf::as_path);
        let Some(own) = own.or_else(|| of_pictures(&real)).or(is_policy.then_some(&config)) else {
            return Ok(());
        };
        let what = format!(
            "{} is a file of the program's own, in {}, and no secret; name the file that holds one; nothing was done",
            path.display(),
            own.display()
        );
        Err(Failure::new(Code::Refused, what))
    }
}

impl FolderUse {
    /// The real path of a folder of ours. A first start makes it (0700 for the new parts); otherwise one that is missing
    /// stays missing.
    ///
    /// # Errors
    /// It cannot be made or reached, or root would make it in another user's folder.
    pub fn real_path(self, path: &Path) -> Result<PathBuf, Failure> {
        self.real_path_or(path, "--home")
    }

    /// The same, where another folder is named with this flag.
    fn real_path_or(self, path: &Path, flag: &str) -> Result<PathBuf, Failure> {
        let failed = |e: io::Error| {
            let first = match e.kind() {
                io::ErrorKind::PermissionDenied => "run this as the user whose it is",
                _ => "make it writable for this user",
            };
            let hint = format!("{first}, or choose another with {flag}");
            Failure::new(Code::Refused, format!("cannot use the folder {}: {e}; {hint}", path.display()))
        };
        if self == Self::Made && is_missing(path) {
            refuse_foreign(path, OTHERS)?;
            DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        }
        resolved(path).map_err(failed)
    }

    /// As [`FolderUse::real_path`], for the folder of the pictures. Whoever only looks needs none, or says beside the rest what is
    /// wrong with it.
    ///
    /// # Errors
    /// As there; and it is no folder.
    pub fn pictures(self, path: &Path) -> Result<PathBuf, Failure> {
        let real = match self.real_path_or(path, "--outputs") {
            Err(_) if self == Self::Read => path.to_path_buf(),
            real => real?,
        };
        if self != Self::Read && real.metadata().is_ok_and(|found| !found.is_dir()) {
            let what = "is no folder, and pictures need one; name one with --outputs";
            return Err(Failure::new(Code::Refused, format!("{} {what}", path.display())));
        }
        Ok(real)
    }

    /// As [`FolderUse::real_path`], for a folder in which root would leave files of its own.
    ///
    /// # Errors
    /// As there; and it belongs to another user.
    pub fn state(self, path: &Path) -> Result<PathBuf, Failure> {
        if self != Self::Read && !is_missing(path) {
            refuse_foreign(path, OTHERS)?;
        }
        self.real_path(path)
    }

    /// The real path of the folder of what was found, which is made beside a vault that is there, and at a first start: behind
    /// the fences nobody can.
    ///
    /// # Errors
    /// As [`FolderUse::state`].
    pub fn evidence(self, path: &Path, vault: &vault::Paths) -> Result<PathBuf, Failure> {
        match self {
            Self::Read => self.state(path),
            Self::Used if !vault.vault_exists() => Self::Read.state(path),
            Self::Used | Self::Made => Self::Made.state(path),
        }
    }
}

/// The folder of a model that a flag names.
///
/// # Errors
/// It is not there.
pub fn of_model(path: &Path) -> Result<PathBuf, Failure> {
    real(path).map_err(|mut failure| {
        if failure.code == Code::NotFound && path.components().count() == 1 {
            failure.what += "; --model names a folder, and a model that was imported is taken with: lightproof model use NAME";
        }
        failure
    })
}

/// The real path of the folder of a bundle: one that is there, or one in a folder that is there.
///
/// # Errors
/// It is not there, could not be made there, or root would make it in another user's folder.
pub fn of_bundle(bundle: Bundle<'_>) -> Result<PathBuf, Failure> {
    match bundle {
        Bundle::Read(path) => real(path),
        Bundle::Spool(path) => real(path).and_then(not_foreign),
        Bundle::Made(path) | Bundle::OfEnd(path) => {
            let path = absolute(path)?;
            let cannot = |e| {
                let hint = "make the folder first in which it is to lie";
                Failure::new(Code::NotFound, format!("cannot make {}: {e}; {hint}", path.display()))
            };
            match (path.parent(), path.file_name()) {
                _ if !is_missing(&path) => real(&path).and_then(not_foreign),
                (Some(parent), Some(name)) => not_foreign(parent.canonicalize().map_err(cannot)?.join(name)),
                _ => Err(Failure::new(Code::Usage, format!("{} is no name of a folder", path.display()))),
            }
        }
    }
}

/// The path of what is handed out, unless it would be root's in another user's folder.
///
/// # Errors
/// It would.
pub fn not_foreign(path: PathBuf) -> Result<PathBuf, Failure> {
    refuse_foreign(&path, "name a folder of root's")?;
    Ok(path)
}

/// Makes the folder of a new bundle, for the rights on it cannot name what is not there; and takes all rights but that to read
/// from one that is only checked.
///
/// # Errors
/// Something else is there, it would lie among the pictures, or it cannot be made; the end of the vault waits for somebody who gets
/// none.
pub fn grant_bundle(plan: &mut Plan, folders: &Folders, bundle: Option<Bundle<'_>>) -> Result<(), Failure> {
    let (Some(path), Some(bundle)) = (&folders.bundle, bundle) else { return Ok(()) };
    if matches!(bundle, Bundle::Read(_)) {
        plan.paths.entry(path.clone()).and_modify(|grant| grant.rights.retain(|right| *right == Right::Read));
        return Ok(());
    }
    if matches!(bundle, Bundle::OfEnd(_)) && plan.two_person.needs(TwoPerson::Destroy) {
        let what = "the policy asks for a second admin, and who confirms the end of a vault gets no certificate of it. Erase the pictures \
                    and make certificates first: lightproof history certificate; then ask for the end without --certificate; nothing was \
                    done";
        return Err(Failure::new(Code::Refused, what));
    }
    let refused = |what: &dyn fmt::Display| {
        let (act, hint) = match bundle {
            Bundle::Spool(_) => ("use", "name another folder"),
            _ => ("make", "name a folder that is to be made"),
        };
        Failure::new(Code::Refused, format!("cannot {act} {}: {what}; {hint}", path.display()))
    };
    let own = Some(&*folders.outputs).filter(|outputs| path.starts_with(outputs));
    if let Some(pictures) = own.or_else(|| of_pictures(path)) {
        return Err(refused(&among(pictures)));
    }
    if matches!(bundle, Bundle::Spool(_)) {
        return Ok(());
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => match path.read_dir().map(|mut all| all.next()) {
            Ok(None) => Ok(()),
            Ok(Some(_)) if evidence::is_unfinished(path) => Err(refused(
                &"it holds what was ended before it was signed, and no check takes that for anything: remove it",
            )),
            Ok(Some(_)) => Err(refused(&"it is there already, and is not empty")),
            Err(e) => Err(refused(&e)),
        },
        Err(e) => Err(refused(&e)),
    }
}

/// The folder of some vault's pictures that this path lies in, by the file there that says so: a server's is not always the one that
/// the verb's own flags and variables lead to.
pub fn of_pictures(path: &Path) -> Option<&Path> {
    path.ancestors().find(|folder| vault::is_of_pictures(folder))
}

/// Why nothing is made there.
pub fn among(pictures: &Path) -> String {
    format!("it would lie among the pictures in {}", pictures.display())
}

/// The same failure, with what stands of the folder of a new bundle, by its absolute path: the fences grant nothing beside it, so
/// that it cannot be removed.
pub fn what_is_left(mut failure: Failure, output: &Path) -> Failure {
    let Ok(mut entries) = output.read_dir() else { return failure };
    failure.what += &match entries.next() {
        None => format!("; the folder {} is left empty", output.display()),
        // A signature comes last, and this one's is not there: somebody else was quicker.
        Some(_) if evidence::is_signed(output) => {
            format!("; what lies in {} is somebody else\u{2019}s, and is left as it is", output.display())
        }
        Some(_) => format!("; what lies in {} is not whole", output.display()),
    };
    failure
}

/// The same failure, with the word that what was made for the verb, a file or a folder, stands there with nothing in it, if so.
pub fn left_empty(mut failure: Failure, made: &Path) -> Failure {
    let is_empty_file = || made.metadata().is_ok_and(|found| found.is_file() && found.len() == 0);
    let what = match made.read_dir() {
        Ok(mut entries) => entries.next().is_none().then_some("folder"),
        Err(_) => is_empty_file().then_some("file"),
    };
    if let Some(what) = what {
        failure.what += &format!("; the {what} {} is left empty", made.display());
    }
    failure
}

/// What becomes of the folder of the models, for the process that looks after them.
#[derive(Clone, Copy, Default)]
pub struct OfModels<'a> {
    /// It is written, and made if it is not there; otherwise it is only read.
    pub written: bool,
    /// The folder that a model is copied from.
    pub source: Option<&'a Path>,
}

impl OfModels<'_> {
    /// The real path of the folder.
    ///
    /// # Errors
    /// As [`FolderUse::state`].
    pub fn folder(self, path: &Path) -> Result<PathBuf, Failure> {
        let folder_use = if self.written { FolderUse::Made } else { FolderUse::Read };
        folder_use.state(path)
    }

    /// Takes all rights on it but that to read from a verb that only looks.
    pub fn narrow(self, plan: &mut Plan, folders: &Folders) {
        let path = folders.models.as_ref().filter(|_| !self.written);
        if let Some(grant) = path.and_then(|path| plan.paths.get_mut(path)) {
            grant.rights.retain(|right| *right == Right::Read);
        }
    }
}

/// Paths that stand for those of any machine.
pub fn of_any_machine() -> Folders {
    let place = |name: &str| Path::new("/place-of").join(name);
    Folders {
        config: place("config"),
        vault: place("vault"),
        audit: place("audit"),
        evidence: Some(place("evidence")),
        bundle: Some(place("bundle")),
        bundle_is_read: false,
        outputs: place("outputs"),
        model: Some(place("model")),
        models: Some(place("models")),
        source: Some(place("source")),
        export: Some(place("export")),
        reference: Some(place("reference")),
        checkpoint_copy: Some(place("checkpoint-copy")),
        program: vec![place("program")],
        card: None,
    }
}

/// What is not there cannot be granted. Nobody can make it later: its parent is not granted either.
pub fn grant_what_exists(plan: &mut Plan, folders: &Folders) {
    // Not every host has these.
    let of_host = ["/etc/ld.so.cache", "/sys/fs/cgroup", "/sys/devices/system/node", "/proc/modules"]
        .map(PathBuf::from);
    // Nor can what is out of reach: only who looks has come as far as this then.
    if folders.outputs.metadata().is_err() {
        plan.paths.remove(&folders.outputs);
    }
    let ours = [&folders.vault, &folders.audit];
    for path in ours.into_iter().chain(&folders.evidence).chain(&folders.models).chain(&of_host) {
        if is_missing(path) {
            plan.paths.remove(path);
        }
    }
}

/// Pictures, plain copies and bundles do not belong among the files of vault and log, nor among those of the kernel; nor in the folder
/// `evidence` of what was found, whether this verb has that one or not: a server makes its bundles there, and takes them away.
///
/// # Errors
/// They would lie there.
pub fn refuse_own_folders(folders: &Folders, home: &Home) -> Result<(), Failure> {
    // What may lie among pictures, and around the policy, is told elsewhere.
    let [_, vault, audit, evidence, models, _] = home.own(&folders.outputs);
    let kernel = KERNEL.map(PathBuf::from);
    let own = || kernel.iter().chain([&vault, &audit, &evidence, &models]);
    for path in [&folders.outputs].into_iter().chain(&folders.export).chain(&folders.bundle) {
        if let Some(own) = own().find(|own| lies_in(path, own)) {
            let what = format!("{} lies in {}; choose another folder", path.display(), own.display());
            return Err(Failure::new(Code::Refused, what));
        }
    }
    Ok(())
}

/// Root makes nothing where another user could not use it later: not in that user's folder, nor beneath it.
fn refuse_foreign(path: &Path, instead: &str) -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() {
        return Ok(()); // the kernel decides for everybody else
    }
    let found = path.ancestors().find_map(|at| Some((at, std::fs::metadata(at).ok()?.uid())));
    match found {
        Some((at, owner)) if owner != 0 => {
            let what = format!(
                "{} belongs to user {owner}, whom files of root's would lock out of it; start the program as that user \
                 (sudo -H -u '#{owner}'), or {instead}",
                at.display()
            );
            Err(Failure::new(Code::Refused, what))
        }
        _ => Ok(()),
    }
}

fn is_missing(path: &Path) -> bool {
    path.metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// The path without links, as far as it exists.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Err(error), Some(parent), Some(name)) if error.kind() == ErrorKind::NotFound => {
            Ok(resolved(parent)?.join(name))
        }
        (real, ..) => real,
    }
}

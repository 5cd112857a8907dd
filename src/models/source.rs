//! The folder that a model is copied from: where its files are, and what it is if it is no model.

use super::manifest::released_names;
use crate::exit::{Code, Failure};
use crate::paths::{open_regular, with_remedy};
use diffusion::{ModelFolder, Pipeline};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::fs::{DirEntry, FileType};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

/// Folders that a model is made of.
const PARTS: [&str; 5] = ["scheduler", "text_encoder", "tokenizer", "transformer", "vae"];
/// Most entries of one folder that are looked at.
const ENTRIES_MAX: usize = 4096;
/// Longest file that may be a pointer of Git LFS, in bytes.
const POINTER_BYTES_MAX: u64 = 1024;
/// Weights in forms that hold code, or that other programs quantise.
const PICKLED: [&str; 5] = ["bin", "pt", "pth", "ckpt", "pkl"];

/// A file that is copied.
pub struct Wanted {
    /// Its name below the model's folder.
    pub name: String,
    /// Where it lies, links resolved.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// The model's digest covers it.
    pub made_of: bool,
}

/// The folder around the one that was named, which links of a download cache lead into; without such a cache itself. This looks
/// at names alone, before the fences.
///
/// # Errors
/// It is no folder.
pub fn around(path: &Path) -> Result<PathBuf, Failure> {
    if !path.is_dir() {
        return Err(no_folder(path));
    }
    let is_cache = |at: &Path| at.join("snapshots").is_dir() && at.join("blobs").is_dir();
    let above = path.parent().filter(|above| above.ends_with("snapshots")).and_then(Path::parent);
    Ok(above.filter(|above| is_cache(above)).unwrap_or(path).to_path_buf())
}

/// The files that a model takes of a folder, in the order of their names, and how many files there are beside them. Everything
/// that the engine would refuse is refused.
///
/// # Errors
/// What is wrong with it.
pub fn wanted(path: &Path, around: &Path) -> Result<(Vec<Wanted>, usize), Failure> {
    let root = root(path)?;
    let beside = look(&root, around)?;
    let folder = ModelFolder::open_within(&root, around)?;
    let files = Pipeline::files(&folder)?;
    let is_made_of = |name: &str| files.made_of.iter().any(|made_of| made_of == name);
    let mut names: Vec<String> = files.made_of.iter().chain(&files.indexes).cloned().collect();
    let released = released_names().filter(|name| root.join(name).exists() && name.ends_with("_config.json"));
    names.extend(released.map(str::to_owned));
    names.sort();
    names.dedup();
    let wanted = |name: String| {
        let path = root.join(&name).canonicalize().map_err(|e| unread(&root.join(&name), &e))?;
        let bytes = path.metadata().map_err(|e| unread(&path, &e))?.len();
        Ok(Wanted { made_of: is_made_of(&name), name, path, bytes })
    };
    let all = names.into_iter().map(wanted).collect::<Result<Vec<_>, Failure>>()?;
    let beside = beside.saturating_sub(all.len());
    Ok((all, beside))
}

/// Why a file or folder could not be read.
pub fn unread(path: &Path, error: &io::Error) -> Failure {
    let (code, hint) = match error.kind() {
        ErrorKind::NotFound => (Code::NotFound, "nothing was imported; is the medium still there?"),
        ErrorKind::PermissionDenied => (Code::Refused, "make it readable for this user, and import again"),
        _ => (Code::Unexpected, "nothing was imported; the medium may be failing, so try another copy"),
    };
    Failure::new(code, format!("cannot read {}: {error}; {hint}", path.display()))
}

/// The folder with `model_index.json`: of a cache of downloads the snapshot that `refs/main` names, or the only one.
fn root(path: &Path) -> Result<PathBuf, Failure> {
    let snapshots = path.join("snapshots");
    if path.join("model_index.json").symlink_metadata().is_ok() || !snapshots.is_dir() {
        return Ok(path.to_path_buf());
    }
    let reference = path.join("refs/main");
    let mut named = String::new();
    let file = open_regular(&reference, OFlags::NOFOLLOW);
    let is_read = file.and_then(|file| file.take(65).read_to_string(&mut named)).is_ok();
    let named = named.trim();
    if is_read && !named.is_empty() && named.bytes().all(|b| b.is_ascii_hexdigit()) {
        let snapshot = snapshots.join(named);
        return if snapshot.is_dir() {
            Ok(snapshot)
        } else {
            Err(incomplete(path, "the snapshot that refs/main names"))
        };
    }
    let all: Vec<PathBuf> = entries(&snapshots)?.iter().map(DirEntry::path).collect();
    match all.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(incomplete(path, "every snapshot")),
        _ => {
            let what = format!(
                "{} holds several snapshots, and its refs/main names none; name one of them",
                path.display()
            );
            Err(Failure::new(Code::Usage, what))
        }
    }
}

/// Looks at the folder and those in it, and counts their files; what is no model gets its sentence.
fn look(root: &Path, around: &Path) -> Result<usize, Failure> {
    let mut files = Vec::new();
    let mut folders = Vec::new();
    for entry in entries(root)? {
        let path = entry.path();
        if path.is_dir() { folders.push(path) } else { files.push(path) }
    }
    if root.join("model_index.json").symlink_metadata().is_err() {
        return Err(no_model(root, &folders, &files));
    }
    for folder in &folders {
        match entries(folder) {
            Ok(inside) => files.extend(inside.iter().map(DirEntry::path)),
            // What else lies beside a model stays where it is, whoever may read it.
            Err(_) if !PARTS.iter().any(|part| folder.ends_with(part)) => {}
            Err(failure) => return Err(failure),
        }
    }
    files
        .iter()
        .filter(|path| ends(path, &["safetensors", "json"]))
        .try_for_each(|path| judge(path, around))?;
    for (part, stem) in [
        ("text_encoder", "model"),
        ("transformer", "diffusion_pytorch_model"),
        ("vae", "diffusion_pytorch_model"),
    ] {
        let has = |name: String| root.join(part).join(name).symlink_metadata().is_ok();
        if !has(format!("{stem}.safetensors")) && !has(format!("{stem}.safetensors.index.json")) {
            let of_part: Vec<_> = files.iter().filter(|path| path.starts_with(root.join(part))).collect();
            if let Some(failure) = of_part.iter().find_map(|path| other_form(path)) {
                return Err(failure);
            }
        }
    }
    Ok(files.len())
}

/// A file that may be wanted: a link must lead to a regular file of the source, and must be there itself.
fn judge(path: &Path, around: &Path) -> Result<(), Failure> {
    let refused = |code, what: &str| Err(Failure::new(code, format!("{} {what}", path.display())));
    let target = match path.canonicalize() {
        Ok(target) => target,
        Err(e) if e.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
            return refused(Code::Refused, "is a link that leads back to itself; copy the model again");
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Err(incomplete(around, &path.display().to_string()));
        }
        Err(e) => return Err(unread(path, &e)),
    };
    if !target.starts_with(around) {
        let what = "is a link that leads out of the folder, and is not followed; make a copy without links (cp -rL), and import that";
        return refused(Code::Refused, what);
    }
    let found = target.symlink_metadata().map_err(|e| unread(path, &e))?;
    if !found.is_file() {
        let kind = kind(found.file_type());
        return refused(Code::Refused, &format!("is {kind} where a file should be; copy the model again"));
    }
    if found.len() <= POINTER_BYTES_MAX {
        let mut start = Vec::new();
        let file = open_regular(&target, OFlags::NOFOLLOW).map_err(|e| unread(path, &e))?;
        file.take(POINTER_BYTES_MAX).read_to_end(&mut start).map_err(|e| unread(path, &e))?;
        if start.starts_with(b"version ") && start.windows(7).any(|word| word == b"git-lfs") {
            let what = "is a pointer of Git LFS and not the file itself; fetch what it points to with git lfs pull where it was \
                        cloned, and import again";
            return refused(Code::Integrity, what);
        }
    }
    Ok(())
}

/// A path that is no folder.
fn no_folder(path: &Path) -> Failure {
    if let Some(failure) = other_form(path) {
        return failure;
    }
    let what = match path.symlink_metadata() {
        Err(error) => {
            let why = with_remedy(&error);
            return Failure::new(Code::NotFound, format!("{} cannot be used: {why}", path.display()));
        }
        Ok(_) if ends(path, &["safetensors"]) => {
            "is one file of weights, and a model is a folder: name the folder as it was released, with model_index.json in it"
        }
        Ok(_) if ends(path, &["zip", "tar", "gz", "tgz", "7z", "zst"]) => {
            "is an archive; unpack it, and name the folder"
        }
        Ok(_) => "is no folder; name the folder with model_index.json in it",
    };
    Failure::new(Code::Usage, format!("{} {what}", path.display()))
}

/// A folder without `model_index.json`.
fn no_model(root: &Path, folders: &[PathBuf], files: &[PathBuf]) -> Failure {
    let of = |names: &[&str]| folders.iter().any(|at| names.iter().any(|name| at.ends_with(name)));
    if let Some(inside) = folders.iter().find(|at| at.join("model_index.json").is_file()) {
        let what =
            format!("{} is no model, and {} in it may be one; name that", root.display(), inside.display());
        return Failure::new(Code::NotFound, what);
    }
    if let Some(failure) = files.iter().find_map(|path| other_form(path)) {
        return failure;
    }
    if of(&["diffusion_models", "text_encoders", "split_files", "checkpoints", "unet"])
        || files.iter().any(|path| ends(path, &["safetensors"]))
    {
        let what = format!(
            "{} has the layout of ComfyUI or single files of weights; this program takes the folder as it was released, \
             with model_index.json, text_encoder, tokenizer, transformer and vae in it",
            root.display()
        );
        return Failure::new(Code::NotFound, what);
    }
    let what =
        format!("{} is no model: it has no model_index.json; name the folder that has", root.display());
    Failure::new(Code::NotFound, what)
}

/// Weights in a form that is not read, by the file's name.
fn other_form(path: &Path) -> Option<Failure> {
    let what = if ends(path, &["gguf"]) {
        "is GGUF, weights that other programs have made smaller; this program takes the folder as it was released, in safetensors"
    } else if ends(path, &PICKLED) {
        "may be a pickle, which can hold a program, and is not read; take the weights as safetensors"
    } else {
        return None;
    };
    Some(Failure::new(Code::Usage, format!("{} {what}", path.display())))
}

fn incomplete(around: &Path, what: &str) -> Failure {
    let blobs = entries(&around.join("blobs")).unwrap_or_default();
    let part = blobs.iter().any(|blob| ends(&blob.path(), &["incomplete"]));
    let why = if part { " (blobs holds a part of a file, .incomplete)" } else { "" };
    let what = format!(
        "{what} leads to nothing: the download or the copy is not complete{why}; finish it, and import again"
    );
    Failure::new(Code::NotFound, what)
}

fn entries(folder: &Path) -> Result<Vec<DirEntry>, Failure> {
    let failed = |e: io::Error| unread(folder, &e);
    let all: Vec<DirEntry> = folder
        .read_dir()
        .map_err(failed)?
        .take(ENTRIES_MAX + 1)
        .collect::<io::Result<_>>()
        .map_err(failed)?;
    match all.len() > ENTRIES_MAX {
        true => Err(Failure::new(Code::Usage, format!("{} holds too much for a model", folder.display()))),
        false => Ok(all),
    }
}

fn ends(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    ending.is_some_and(|ending| endings.contains(&ending.as_str()))
}

fn kind(found: FileType) -> &'static str {
    match found {
        found if found.is_dir() => "a folder",
        found if found.is_fifo() => "a pipe",
        found if found.is_socket() => "a socket",
        _ => "a device",
    }
}

//! `lightproof batch`: the requests of a file, one after the other, under one unlock.

use crate::batch::{self, Line, Progress};
use crate::boot::folders::FolderUse;
use crate::boot::{self, Wants};
use crate::cli::{Batch, Format, Global};
use crate::exit::{Code, Failure};
use crate::making::Making;
use crate::output::{Output, counted};
use crate::paths::{Exporting, open_regular, with_remedy};
use crate::{Done, input, pictures};
use audit::Digest;
use darkroom::{Ask, Checked, Error, JobState, Kind, Who};
use diffusion::DeviceName;
use rustix::fs::OFlags;
use sandbox::Clean;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroizing;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, arguments: &Batch, out: &Output) -> Done {
    let device =
        arguments.computing.device.parse::<DeviceName>().map_err(|e| Failure::new(Code::Usage, e))?;
    let Files { format, exporting, typed, progress } = Files::of(arguments, out)?;
    let wants = Wants {
        folder_use: FolderUse::Made,
        model: arguments.computing.model.as_deref(),
        device,
        plain_copy: exporting.is_some(),
        export: exporting.as_ref().and_then(Exporting::folder),
        ..Wants::with(&arguments.keys)
    };
    let fenced = boot::boot(clean, global, &wants)?;
    let typed = typed.map_or_else(|| of_stdin(out), Ok)?;
    let sha256 = Digest::of(&typed);
    let lines = batch::lines(typed, format, &arguments.settings)?;
    let (mut booted, darkroom) = fenced.darkroom()?;
    let making = Making::start(&mut booted, darkroom, out)?;
    let signed_in =
        making.queue.hold(|darkroom| booted.unlock(darkroom, out)).map_err(Failure::from).flatten();
    let result = signed_in.and_then(|who| {
        let work = Work::new(&making, who, exporting, &booted.folders.outputs, out);
        work.through(lines, progress, &sha256, || booted.terminal.job_flag())
    });
    boot::close(&making.queue, result)
}

/// What a batch has to do with files, before the fences.
pub struct Files {
    /// What it holds.
    pub format: Format,
    /// Where plain copies go.
    pub exporting: Option<Exporting>,
    /// The batch, unless it comes from standard input; nothing is parsed.
    pub typed: Option<Zeroizing<Vec<u8>>>,
    /// How far it has come, where it can be gone on with.
    pub progress: Option<Progress>,
}

impl Files {
    /// As the arguments name them.
    ///
    /// # Errors
    /// One cannot be used.
    pub fn of(arguments: &Batch, out: &Output) -> Result<Self, Failure> {
        let format = format(arguments)?;
        let exporting = arguments.export.as_deref().map(|path| folder(path, out)).transpose()?;
        let file = (arguments.file.as_os_str() != "-").then_some(arguments.file.as_path());
        if file.is_none() && arguments.progress.is_some() {
            let what = "standard input cannot be gone on with; leave --progress out, or name a file";
            return Err(Failure::new(Code::Usage, what));
        }
        let typed = file.map(read_file).transpose()?;
        let progress = file.map(|file| Progress::open(&progress_file(arguments, file))).transpose()?;
        Ok(Self { format, exporting, typed, progress })
    }
}

/// The batch from standard input.
///
/// # Errors
/// It cannot be read, or is too long.
pub fn of_stdin(out: &Output) -> Result<Zeroizing<Vec<u8>>, Failure> {
    out.say("standard input cannot be gone on with after an interruption; a file can");
    let failed = |error| Failure::new(Code::Unexpected, format!("the batch cannot be read: {error}"));
    bounded(input::stdin().and_then(read).map_err(failed)?)
}

/// A batch in work.
pub struct Work<'a> {
    making: &'a Making,
    who: Who,
    interrupted: Arc<AtomicBool>,
    exporting: Option<Exporting>,
    outputs: &'a Path,
    out: &'a Output,
    progress: Option<Progress>,
    /// Lines with a request.
    asked: usize,
    /// Lines all of whose pictures are sealed.
    done: usize,
    /// Those among them of an earlier start.
    before: usize,
    pictures: Vec<Value>,
    failures: Vec<Value>,
}

impl<'a> Work<'a> {
    /// Nothing is done yet.
    pub fn new(
        making: &'a Making,
        who: Who,
        exporting: Option<Exporting>,
        outputs: &'a Path,
        out: &'a Output,
    ) -> Self {
        let (pictures, failures, interrupted) = (Vec::new(), Vec::new(), Arc::default());
        let (progress, asked, done, before) = (None, 0, 0, 0);
        Self {
            making,
            who,
            interrupted,
            exporting,
            outputs,
            out,
            progress,
            asked,
            done,
            before,
            pictures,
            failures,
        }
    }

    /// Looks how far the batch with this digest has come, and works off the rest. From `flag` on, which says whether somebody
    /// wants it to end, a signal ends no more than the batch.
    ///
    /// # Errors
    /// Why it ended before the last line.
    pub fn through(
        mut self,
        lines: Vec<Line>,
        progress: Option<Progress>,
        sha256: &Digest,
        flag: impl FnOnce() -> Result<Arc<AtomicBool>, Failure>,
    ) -> Done {
        self.asked = lines.len();
        self.progress = progress;
        if let Some(progress) = &mut self.progress {
            let keyed = self.making.queue.with(|darkroom| darkroom.keyed_digest(&self.who, sha256))?;
            progress.resume(&keyed)?;
        }
        self.interrupted = flag()?;
        for Line { number, ask } in lines {
            let worked = match ask {
                Ok(ask) => self.line(number, ask),
                Err(what) => self.failed(number, Failure::new(Code::Usage, what)),
            };
            if let Err(stopped) = worked {
                return Err(self.stopped(number, stopped));
            }
        }
        let failed = self.failures.len();
        let of = counted(self.asked, "line");
        let before = match self.before {
            0 => String::new(),
            before => format!(", {before} of them before"),
        };
        self.out.say(&format!("{} of {of} done{before}; {failed} failed", self.done));
        if self.before == self.asked
            && let Some(progress) = &self.progress
        {
            let file = progress.path().display();
            self.out.say(&format!("nothing was left to do; to make it all again, remove {file}"));
        }
        self.out.object(failed == 0, &self.report());
        Ok(if failed == 0 { Code::Done } else { Code::Partial })
    }
}

impl Work<'_> {
    /// Makes what is left of one line.
    ///
    /// # Errors
    /// Why the batch ends here.
    fn line(&mut self, number: u64, mut ask: Ask) -> Result<(), Failure> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(interrupted());
        }
        let made = self.progress.as_ref().map_or(0, |progress| progress.made(number));
        let made = i64::try_from(made).unwrap_or(i64::MAX);
        if made > 0 {
            let left = ask.count.unwrap_or(1).saturating_sub(made);
            if left <= 0 {
                self.done += 1;
                self.before += 1;
                return Ok(());
            }
            ask.count = Some(left);
            ask.seed = ask.seed.map(|seed| seed.saturating_add(made));
        }
        match self.making.queue.check(Some(&self.who), ask) {
            Ok(checked) => self.carry_out(number, checked),
            Err(error) => self.judged(number, &error),
        }
    }

    fn carry_out(&mut self, number: u64, checked: Checked) -> Result<(), Failure> {
        let out = self.out;
        let job = self.making.queue.submit(&self.who, checked, None)?;
        let mut sealed = Vec::new();
        let progress = &mut self.progress;
        let ended = self.making.wait(&self.who, job.id, &self.interrupted, out, |picture| {
            out.data(&format!("line {number}: sealed {}\n", pictures::line(&picture)));
            sealed.push(picture);
            progress.as_mut().map_or(Ok(()), |progress| progress.add(number))
        });
        let mut uncopied = None;
        for picture in sealed {
            let mut value = pictures::describe(&picture);
            value["line"] = number.into();
            if let Some(exporting) = self.exporting.as_ref().filter(|_| ended.is_ok()) {
                match self.making.copy(&self.who, &picture, exporting, (0, 1), self.outputs, out) {
                    Ok(export) => value["export"] = export,
                    Err(failure) => uncopied = uncopied.or(Some(failure)),
                }
            }
            self.pictures.push(value);
        }
        let job = ended?;
        if job.state != JobState::Done {
            return match &job.error {
                _ if self.interrupted.load(Ordering::Relaxed) => Err(interrupted()),
                Some(error) => self.judged(number, error),
                None => self.failed(number, Failure::new(Code::Interrupted, "cancelled")),
            };
        }
        self.done += 1;
        match uncopied {
            None => Ok(()),
            Some(Failure { code, what, .. }) => {
                self.failed(number, Failure::new(code, format!("sealed, and not exported: {what}")))
            }
        }
    }

    /// Whether the error is one of this line alone, or of all that would follow.
    fn judged(&mut self, number: u64, error: &Error) -> Result<(), Failure> {
        match error.kind() {
            Kind::Prompt
            | Kind::Size
            | Kind::Steps
            | Kind::Seed
            | Kind::Parameter
            | Kind::Policy
            | Kind::Memory
            | Kind::Engine => self.failed(number, error.into()),
            _ => Err(error.into()),
        }
    }

    fn failed(&mut self, number: u64, failure: Failure) -> Result<(), Failure> {
        self.out.warn(&format!("line {number}: {}", failure.what));
        self.failures.push(json!({ "line": number, "code": failure.code as u8, "message": failure.what }));
        Ok(())
    }

    /// The end before the last line.
    fn stopped(&self, number: u64, failure: Failure) -> Failure {
        let (done, of) = (self.done, counted(self.asked, "line"));
        let then = match self.progress {
            Some(_) => "the same command goes on with the rest",
            None => "what came from standard input cannot be gone on with",
        };
        let what = format!("line {number}: {}; {done} of {of} done, and {then}", failure.what);
        Failure::new(failure.code, what).with(self.report())
    }

    fn report(&self) -> Value {
        json!({ "lines": self.asked, "done": self.done, "done_before": self.before, "pictures": self.pictures,
            "failures": self.failures })
    }
}

fn interrupted() -> Failure {
    Failure::new(Code::Interrupted, "interrupted")
}

/// By the flag, or by the ending of the file's name.
///
/// # Errors
/// Neither says it.
pub fn format(arguments: &Batch) -> Result<Format, Failure> {
    let ending = arguments.file.extension().map(|ending| ending.to_ascii_lowercase());
    match (arguments.format, ending.as_ref().and_then(|ending| ending.to_str())) {
        (Some(format), _) => Ok(format),
        (None, Some("txt")) => Ok(Format::Txt),
        (None, Some("jsonl" | "ndjson")) => Ok(Format::Jsonl),
        (None, Some("csv")) => Ok(Format::Csv),
        (None, None) if arguments.file.as_os_str() == "-" => Ok(Format::Txt),
        _ => {
            let what = "its name does not say what it holds; say so with --format txt, jsonl or csv";
            Err(Failure::new(Code::Usage, format!("{}: {what}", arguments.file.display())))
        }
    }
}

fn folder(path: &Path, out: &Output) -> Result<Exporting, Failure> {
    match path.is_dir() {
        true => Exporting::new(path, out),
        false => {
            let what = format!(
                "{} is no folder, and plain copies of a batch go to one; make it first",
                path.display()
            );
            Err(Failure::new(Code::NotFound, what))
        }
    }
}

fn progress_file(arguments: &Batch, file: &Path) -> PathBuf {
    arguments.progress.clone().unwrap_or_else(|| {
        let mut name = OsString::from(file);
        name.push(".progress");
        name.into()
    })
}

/// The file as it is now: what becomes of it later does not matter to this start. Nothing is parsed.
fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |error: io::Error| {
        let hint = match path.metadata() {
            Ok(found) if !found.is_file() && !found.is_dir() => {
                "; what comes from a pipe goes to standard input: batch -"
            }
            _ => "",
        };
        let why = with_remedy(&error);
        Failure::new(Code::NotFound, format!("{}: the batch cannot be read: {why}{hint}", path.display()))
    };
    let file = open_regular(path, OFlags::empty()).map_err(failed)?;
    let state = |file: &File| file.metadata().and_then(|found| Ok((found.len(), found.modified()?)));
    let before = state(&file).map_err(failed)?;
    let bytes = bounded(read(&file).map_err(failed)?)?;
    match state(&file).map_err(failed)? == before {
        true => Ok(bytes),
        false => {
            let what = format!("{} changed while it was read; try again once it is written", path.display());
            Err(Failure::new(Code::Refused, what))
        }
    }
}

/// A byte more than may be, at most.
fn read(source: impl io::Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    source.take(batch::BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn bounded(bytes: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    match bytes.len() as u64 <= batch::BYTES_MAX {
        true => Ok(bytes),
        false => {
            let what = format!("a batch has at most {} MiB; make several of it", batch::BYTES_MAX >> 20);
            Err(Failure::new(Code::Space, what))
        }
    }
}

//! The verb's end: what it needs of files and terminal, and nothing of vault or log.

use super::brought::Brought;
use super::errand::Errand;
use super::made::MadeFolder;
use super::reaching::Reaching;
use super::wire::{self, Heard, Hello, Said, Second, Unwritten, Wish};
use crate::Done;
use crate::batch::Progress;
use crate::boot::backup::BackupFile;
use crate::boot::folders::{Bundle, Home, among, left_empty, what_is_left};
use crate::boot::opens::{Opens, Shown};
use crate::boot::passphrase::new_text;
use crate::boot::{self, Booted, Wants};
use crate::cli::{Export, Freeze, Global, History, HistoryVerb};
use crate::exit::{Code, Failure};
use crate::input::SecretLine;
use crate::output::Output;
use crate::paths::{Exporting, absolute};
use crate::verbs::backup::Target;
use crate::verbs::batch;
use crate::verbs::operator::Asked;
use crate::verbs::vault;
use crate::verbs::vault::machine::{Drawn, draw, drawn_to, lost};
use audit::Digest;
use darkroom::PersonName;
use policy::Process;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sandbox::Clean;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use zeroize::Zeroizing;

/// How long a server may take to say who it is: while somebody erases, say.
const HELLO_TIME_MAX: Duration = Duration::from_secs(20);
/// A signal is looked for this often while a job is in work.
const LOOK_INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// The verb's life.
///
/// # Errors
/// Why it ended early.
pub fn run(mut clean: Clean, global: &Global, errand: Errand<'_>, stream: UnixStream, out: &Output) -> Done {
    let mut brought = Brought::of(&errand, &Home::new(global)?, &mut clean, out)?;
    let exporting = brought.exporting.take();
    let folder = errand.folder();
    let made = folder.map(absolute).transpose()?;
    let errand_file = match errand {
        Errand::Backup(path, _) => Some(absolute(path)?),
        _ => None,
    };
    let wants = Wants {
        process: Process::Client,
        outputs: errand.outputs(),
        plain_copy: exporting.is_some(),
        export: exporting.as_ref().and_then(Exporting::folder),
        bundle: folder.map(Bundle::Made),
        backup: match errand {
            Errand::Backup(path, _) => Some(BackupFile::Handed(path)),
            Errand::Vault(verb, _) => drawn_to(verb).map(BackupFile::HandedSecret),
            _ => None,
        },
        ..errand.keys().map(Wants::with).unwrap_or_default()
    };
    let fenced = boot::boot(clean, global, &wants)?;
    let booted = match errand {
        // The clocks run all the same.
        Errand::Freeze(_) => {
            let (booted, refusal) = fenced.looking();
            if let Some(Failure { what, .. }) = refusal {
                out.warn(&format!("{what}; the running server goes by the policy that it was started with"));
            }
            booted
        }
        _ => fenced.without_darkroom()?,
    };
    let done = go(booted, errand, brought, exporting, stream, out);
    match (made, errand_file) {
        (Some(made), _) => done.map_err(|failure| what_is_left(failure, &made)),
        (None, Some(file)) => done.map_err(|failure| left_empty(failure, &file)),
        (None, None) => done,
    }
}

/// What is done behind the fences.
fn go(
    mut booted: Booted,
    errand: Errand<'_>,
    mut brought: Brought,
    exporting: Option<Exporting>,
    stream: UnixStream,
    out: &Output,
) -> Done {
    sandbox::probe(&booted.sandboxed)?;
    let text = brought.text(&errand, out)?;
    let target = match errand {
        Errand::Backup(path, _) => {
            Some(Reaching { target: Target::of(booted.backup.take()), path, is_settled: false })
        }
        _ => None,
    };
    let drawn = match errand {
        Errand::Vault(verb, _) => {
            vault::check(verb, &booted.terminal)?;
            Drawn::of(verb, booted.backup.take())
        }
        _ => None,
    };
    let (exports, signs_in) = (exporting.is_some(), errand.signs_in());
    let dir = || OsString::from(booted.folders.bundle.clone().unwrap_or_default());
    let wish = match errand {
        Errand::Status(_) => Wish::Status,
        Errand::TryControls(_) => Wish::TryControls,
        Errand::Generate(arguments) => Wish::Generate { settings: arguments.settings.clone(), exports },
        Errand::Batch(arguments) => Wish::Batch {
            settings: arguments.settings.clone(),
            format: batch::format(arguments)?,
            progress: brought.progress.as_ref().map(|progress| progress.path().into()),
            exports,
        },
        Errand::History(History { verb: HistoryVerb::Certificate(asked), .. }) => {
            Wish::Certificate { asked: asked.clone(), dir: dir() }
        }
        Errand::Export(Export { incident, bundle }) => {
            Wish::Bundle { of: bundle.of.clone(), incident: incident.clone(), freeze: None, dir: dir() }
        }
        Errand::Freeze(Freeze { reason, law, bundle }) => Wish::Bundle {
            of: bundle.of.clone(),
            incident: None,
            freeze: Some((reason.clone(), law.clone())),
            dir: dir(),
        },
        Errand::Settled(incident, _) => Wish::Settled(incident.to_owned()),
        Errand::Subject(pseudonym, ..) => {
            Wish::Subject { pseudonym: pseudonym.map(str::to_owned), dir: dir() }
        }
        Errand::Token(arguments) => Wish::Token(arguments.verb.clone()),
        Errand::Hold(arguments) => Wish::Hold(arguments.verb.clone()),
        Errand::Vault(verb, _) => Wish::Vault(verb.clone()),
        Errand::Operator(arguments) => {
            Wish::Operator { verb: arguments.verb.clone(), own: arguments.keys.operator.clone() }
        }
        Errand::Backup(path, _) => Wish::Backup { path: path.into() },
        Errand::BackupDestroyed(id, _) => Wish::BackupDestroyed(id.to_owned()),
        Errand::History(arguments) => Wish::History { verb: arguments.verb.clone(), sought: brought.sought },
    };
    let Brought { progress, asked, new, .. } = brought;
    let with = match errand {
        Errand::Vault(verb, _) => vault::opens(verb),
        _ => asked.as_ref().map_or(Opens::Passphrase, Asked::opens),
    };
    if let Some(name) = asked.as_ref().and_then(Asked::speaks_of) {
        booted.speak_of(name.clone());
    }
    let mut client = Client {
        stream,
        booted,
        exporting,
        progress,
        new,
        drawn,
        target,
        copy: None,
        folder: MadeFolder::default(),
        stands: None,
        is_told: false,
        interrupted: None,
        out,
    };
    let hello = client.greet(errand.outputs().is_some());
    let hello = hello.map_err(|failure| lost(failure, client.drawn.as_ref()))?;
    if signs_in {
        let explain = |failure| match &asked {
            Some(asked) => asked.explain(failure),
            None => failure,
        };
        let signed_in = client.sign_in(&hello, with).map_err(explain);
        signed_in.map_err(|failure| lost(failure, client.drawn.as_ref()))?;
    }
    let text = if client.drawn.is_some() { draw(client.drawn.as_ref())? } else { text };
    let said = client.say(&Heard::Wish(wish), &text);
    said.map_err(|failure| lost(failure, client.drawn.as_ref()))?;
    client.listen()
}

/// Has a running server put on record that a bundle for support leaves.
///
/// # Errors
/// It is not on record, or nobody knows.
pub fn record_support(mut stream: UnixStream, build: &[u8; 32], sha256: [u8; 32]) -> Result<(), Failure> {
    hello(&mut stream, build)?;
    tell(&mut stream, &Heard::Wish(Wish::RecordSupport { sha256 }), &[])?;
    match wire::receive(&mut stream).map_err(gone)? {
        (Said::Ended(_), _) => Ok(()),
        (Said::Failed(fault), _) => Err(fault.into()),
        _ => Err(nonsense()),
    }
}

/// Hears who the host is: the same build, or nothing is said to it.
fn hello(stream: &mut UnixStream, build: &[u8; 32]) -> Result<Hello, Failure> {
    let waits = stream.set_read_timeout(Some(HELLO_TIME_MAX));
    let heard = waits.and_then(|()| wire::receive(stream)).map_err(|_| {
        Failure::new(Code::Busy, "a server has the vault, and does not answer; try again, or look what it does with: lightproof status")
    })?;
    let _ = stream.set_read_timeout(None);
    match heard {
        (Said::Hello(hello), _) if hello.build == *build => Ok(hello),
        (Said::Hello(_), _) => {
            let what = "the running server is another build of lightproof; start it again, then try again";
            Err(Failure::new(Code::Busy, what))
        }
        // It is about to end, or has too many to do for.
        (Said::Failed(fault), _) => Err(fault.into()),
        _ => Err(nonsense()),
    }
}

/// A connection to a host, and this process behind its fences.
struct Client<'a> {
    stream: UnixStream,
    booted: Booted,
    exporting: Option<Exporting>,
    progress: Option<Progress>,
    /// The passphrase that is to be set, if it is in a file.
    new: Option<SecretLine>,
    /// Where a machine secret is drawn, until the host says that it opens the vault.
    drawn: Option<Drawn<'a>>,
    /// Where a backup goes.
    target: Option<Reaching<'a>>,
    /// Where the next plain copy goes.
    copy: Option<PathBuf>,
    folder: MadeFolder,
    /// The plain copy that was written last, until the host speaks of it.
    stands: Option<PathBuf>,
    /// The host has said why the verb ends early.
    is_told: bool,
    /// Set by a signal once a job is in work.
    interrupted: Option<Arc<AtomicBool>>,
    out: &'a Output,
}

impl Client<'_> {
    /// Hears who the host is.
    fn greet(&mut self, names_outputs: bool) -> Result<Hello, Failure> {
        let hello = hello(&mut self.stream, &self.booted.binary)?;
        let theirs = PathBuf::from(&hello.outputs);
        if names_outputs && theirs != self.booted.folders.outputs {
            let what = format!(
                "the running server keeps its pictures in {}; leave --outputs out, or stop it first",
                theirs.display()
            );
            return Err(Failure::new(Code::Busy, what));
        }
        // A folder of pictures that does not say whose it is yet.
        if let Some(dir) = self.booted.folders.bundle.as_deref().filter(|dir| dir.starts_with(&theirs)) {
            let what = format!(
                "cannot make {}: {}; name a folder that is to be made",
                dir.display(),
                among(&theirs)
            );
            return Err(Failure::new(Code::Refused, what));
        }
        if !hello.has_vault {
            let what = "the running server has no vault yet; make one in its page, with the link that it printed when it started";
            return Err(Failure::new(Code::Locked, what));
        }
        Ok(hello)
    }

    fn sign_in(&mut self, hello: &Hello, with: Opens) -> Result<(), Failure> {
        let Self { booted, stream, out, .. } = self;
        let has_terminal = booted.terminal.is_there();
        booted.show(with, hello.asks_name, out, |passphrase, operator, second| {
            let text = |name: Option<&PersonName>| name.map(|name| name.as_str().to_owned());
            let operator = text(operator);
            let mut beside = Zeroizing::new(Vec::with_capacity(
                passphrase.len() + second.map_or(0, |(typed, _)| typed.len()),
            ));
            beside.extend_from_slice(passphrase.as_bytes());
            let second = second.map(|(typed, name)| {
                let begins = beside.len();
                beside.extend_from_slice(typed.as_bytes());
                Second { operator: text(name.as_ref()), begins }
            });
            tell(stream, &Heard::SignIn { with, operator, second, has_terminal }, &beside)?;
            match wire::receive(stream).map_err(gone)? {
                (Said::Opened, _) => Ok(Shown::Opened),
                (Said::Wrong, _) => Ok(Shown::Wrong),
                (Said::AsksSecond, _) => Ok(Shown::AsksSecond),
                (Said::Failed(fault), _) => Err(fault.into()),
                _ => Err(nonsense()),
            }
        })
    }

    /// Does what the host says, to its last word.
    fn listen(mut self) -> Done {
        let done = self.follow().map_err(|failure| lost(failure, self.drawn.as_ref()));
        match &self.target {
            // Otherwise the host has said what became of it.
            Some(reaching) if !self.is_told => done.map_err(|mut failure| {
                failure.what += &reaching.end();
                failure
            }),
            _ => done,
        }
    }

    fn follow(&mut self) -> Done {
        loop {
            let (word, bytes) = self.hear().map_err(|failure| with(failure, self.stands.as_deref()))?;
            self.stands = None;
            let out = self.out;
            match word {
                Said::Data(text) => out.data(&text),
                Said::Calm(text) => out.calm(&text),
                Said::Say(text) => out.say(&text),
                Said::Warn(text) => out.warn(&text),
                Said::Progress(text) => out.progress(&text),
                Said::Object(ok, value) => {
                    self.drawn = None;
                    out.object(ok, &value);
                }
                Said::Shown => {
                    let has_shown = out.has_shown()?;
                    self.say(&Heard::Shown(has_shown), &[])?;
                }
                Said::Picture => out.picture(&bytes),
                Said::Ask(question) => {
                    let line = self.booted.terminal.ask(&question).map(|line| line.as_str().to_owned());
                    self.say(&Heard::Line(line.map_err(Into::into)), &[])?;
                }
                Said::NewPassphrase(of) => {
                    match new_text(&mut self.booted.terminal, self.new.take().as_ref(), of, out) {
                        Ok(text) => self.say(&Heard::Passphrase(Ok(())), text.as_bytes())?,
                        Err(failure) => self.say(&Heard::Passphrase(Err(failure.into())), &[])?,
                    }
                }
                Said::Show => {
                    let shown = std::str::from_utf8(&bytes).map_err(|_| nonsense());
                    let shown = shown.and_then(|text| self.booted.terminal.show(text));
                    self.say(&Heard::Seen(shown.map_err(Into::into)), &[])?;
                }
                Said::Check(count) => {
                    let checked = self.exporting.as_ref().map_or(Ok(()), |exporting| exporting.check(count));
                    self.say(&Heard::Checked(checked.map_err(Into::into)), &[])?;
                }
                Said::Path(index, count, name) => {
                    let path = |exporting: &Exporting| exporting.path(index, count, &name);
                    self.copy = self.exporting.as_ref().and_then(path);
                    let path = self.copy.clone().map(OsString::from);
                    self.say(&Heard::Path(path), &[])?;
                }
                Said::Write => {
                    let written = self.write(&bytes);
                    let stands = if written.is_ok() { self.copy.clone() } else { None };
                    self.say(&Heard::Written(written), &[])
                        .map_err(|failure| with(failure, stands.as_deref()))?;
                    self.stands = stands;
                }
                Said::File(name) => {
                    let written = self.folder.write(self.booted.folders.bundle.as_deref(), &name, &bytes);
                    self.say(&Heard::Written(written), &[])?;
                }
                Said::More => {
                    let written = self.folder.go_on(&bytes);
                    self.say(&Heard::Written(written), &[])?;
                }
                Said::Piece => self.of_backup(|mut target| target.write_all(&bytes))?,
                Said::Settle => {
                    let settled = self.target.as_ref().ok_or_else(nonsense)?.target.settle();
                    self.target.iter_mut().for_each(|reaching| reaching.is_settled = settled.is_ok());
                    let settled = settled.map_err(|error| Unwritten::new(&error, true));
                    self.say(&Heard::Written(settled), &[])?;
                }
                Said::Undo => self.of_backup(|target| match target.undo() {
                    true => Ok(()),
                    false => Err(io::Error::other("it could not be taken back")),
                })?,
                Said::Resume(digest) => {
                    let progress = self.progress.as_mut().ok_or_else(nonsense)?;
                    let resumed = progress.resume(&Digest(digest)).map(|()| progress.all());
                    self.say(&Heard::Resumed(resumed.map_err(Into::into)), &[])?;
                }
                Said::Made(line) => {
                    let kept = self.progress.as_mut().ok_or_else(nonsense)?.add(line);
                    self.say(&Heard::Kept(kept.map_err(Into::into)), &[])?;
                }
                Said::Working => self.interrupted = Some(self.booted.terminal.job_flag()?),
                Said::Ended(code) => return Ok(Code::of(code)),
                Said::Failed(fault) => {
                    self.is_told = true;
                    return Err(fault.into());
                }
                Said::Hello(_) | Said::Opened | Said::Wrong | Said::AsksSecond => return Err(nonsense()),
            }
        }
    }

    /// The plain copy, to the path that was answered last.
    fn write(&self, content: &[u8]) -> Result<(), Unwritten> {
        let nowhere = || Unwritten::new(&io::Error::from(ErrorKind::NotFound), false);
        let path = self.copy.as_deref().ok_or_else(nowhere)?;
        darkroom::write_new(path, content).map_err(|(error, remains)| Unwritten::new(&error, remains))
    }

    /// Does what is asked of the backup, and says whether it is done.
    fn of_backup(&mut self, act: impl FnOnce(&Target) -> io::Result<()>) -> Result<(), Failure> {
        let reaching = self.target.as_mut().ok_or_else(nonsense)?;
        let done = act(&reaching.target).map_err(|error| Unwritten::new(&error, true));
        self.say(&Heard::Written(done), &[])
    }

    /// Where the host listens no more, its last word is what it ended with.
    fn say(&mut self, word: &Heard, bytes: &[u8]) -> Result<(), Failure> {
        let said = tell(&mut self.stream, word, bytes);
        while said.is_err()
            && let Ok((last, _)) = wire::receive(&mut self.stream)
        {
            if let Said::Failed(fault) = last {
                self.is_told = true;
                return Err(fault.into());
            }
        }
        said
    }

    /// The host's next word. A signal meanwhile ends the job, and the host says how.
    fn hear(&mut self) -> Result<(Said, Zeroizing<Vec<u8>>), Failure> {
        while let Some(interrupted) = &self.interrupted {
            let mut watched = [PollFd::new(&self.stream, PollFlags::IN)];
            let speaks = poll(&mut watched, Some(&LOOK_INTERVAL)).unwrap_or_default() > 0;
            if interrupted.load(Ordering::Relaxed) {
                self.interrupted = None;
                tell(&mut self.stream, &Heard::Interrupt, &[])?;
            } else if speaks {
                break;
            }
        }
        wire::receive(&mut self.stream).map_err(gone)
    }
}

fn tell(stream: &mut UnixStream, word: &Heard, bytes: &[u8]) -> Result<(), Failure> {
    wire::send(stream, word, bytes).map_err(|error| match error.kind() {
        ErrorKind::InvalidInput => Failure::new(Code::Usage, "this is longer than a running server takes"),
        ErrorKind::InvalidData => {
            Failure::new(Code::Usage, format!("a running server does not take this: {error}"))
        }
        _ => gone(error),
    })
}

/// The same, with the plain copy that was written before and of which nothing was said yet.
fn with(mut failure: Failure, stands: Option<&Path>) -> Failure {
    if let Some(path) = stands {
        failure.what += &format!("; {} was written, and that it left is on record", path.display());
    }
    failure
}

fn gone(_: io::Error) -> Failure {
    let what = "the running server ended meanwhile, or waited too long for this program; what it answered is done, and the log \
                says what became of the rest: lightproof audit show";
    Failure::new(Code::Unexpected, what)
}

fn nonsense() -> Failure {
    Failure::new(Code::Unexpected, "the running server said what makes no sense here; start it again")
}

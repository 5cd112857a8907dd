//! The server's end: signs the person in, and does the verb's own work with the server's vault.

use super::guests::Guest;
pub use super::guests::Guests;
use super::line::Line;
use super::place::Door;
use super::wire::{Fault, Heard, Hello, Said, Second, Wish};
use crate::batch::{self, Progress};
use crate::boot::opens::Opens;
use crate::boot::passphrase::asks_name;
use crate::cli::{self, BundleOf, HistoryVerb, Settings, Vault};
use crate::controls::Site;
use crate::exit::{Code, Failure};
use crate::making::Making;
use crate::output::Output;
use crate::paths::Exporting;
use crate::proven::{At, Proven, refused_outside};
use crate::terminal::Terminal;
use crate::verbs::backup::{self, Target};
use crate::verbs::batch::Work;
use crate::verbs::evidence::bundle;
use crate::verbs::evidence::{freeze, subject};
use crate::verbs::history::{Named, certificate};
use crate::verbs::operator::Asked;
use crate::verbs::{evidence, generate, history, hold, token, vault};
use crate::{Done, boot::operator::name_of};
use ::evidence::Told;
use audit::{Clock as _, Digest};
use darkroom::{Secret, Warning, Who};
use server::{Doorway, Outside, Visit};
use std::fmt::Display;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use zeroize::Zeroizing;

/// No file of a certificate is larger.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// When it is tried again to take somebody in.
const AGAIN_TIME: Duration = Duration::from_millis(100);

/// What a server knows of itself.
pub struct Host {
    /// The way in.
    pub doorway: Doorway,
    /// SHA-256 of the program.
    pub build: [u8; 32],
    /// Folder of the vault.
    pub vault: PathBuf,
    /// Where the controls are tried.
    pub site: Arc<Site>,
    /// Text of the policy that the server was started with.
    pub policy: Option<Vec<u8>>,
    /// Where a certificate is made before it crosses, one at a time.
    pub certificate: Mutex<PathBuf>,
}

/// Takes in whoever comes, on a thread of its own for as long as the process lives; each has one, too.
///
/// # Errors
/// No thread could be started.
pub fn open(door: Arc<Door>, host: Host) -> io::Result<Guests> {
    let guests = Guests::default();
    let (come, host) = (guests.clone(), Arc::new(host));
    let take_in = move || {
        loop {
            let Ok(stream) = door.accept() else {
                // Too many open files, say: whoever waits is taken in later.
                std::thread::sleep(AGAIN_TIME);
                continue;
            };
            let (guest, host) = (come.come(&stream), Arc::clone(&host));
            // Where no thread can be started the connection ends with this.
            let _ = std::thread::Builder::new().name("guest".into()).spawn(move || {
                host.receive(stream, guest.as_ref());
                drop(guest);
            });
        }
    };
    std::thread::Builder::new().name("door".into()).spawn(take_in)?;
    Ok(guests)
}

impl Host {
    fn receive(&self, stream: UnixStream, guest: Option<&Guest>) {
        let Ok(line) = Line::new(stream, self.doorway.idle()) else { return };
        let refused = |what| Err(Failure::new(Code::Busy, what));
        let done = match (self.doorway.is_closing(), guest) {
            (true, _) => refused("the server is about to end; try again"),
            (_, None) => {
                refused("too many verbs are at work through the running server; try again when one has ended")
            }
            (_, Some(guest)) => match self.serve(&line, guest) {
                Err(_) if guest.gave_way() => refused(
                    "too many verbs came to the running server, and this one had said nothing yet; try again",
                ),
                done => done,
            },
        };
        line.tell(&match done {
            Ok(code) => Said::Ended(code as u8),
            Err(failure) => Said::Failed(Fault::from(failure)),
        });
        line.close();
    }

    fn serve(&self, line: &Arc<Line>, guest: &Guest) -> Done {
        let queue = self.doorway.queue();
        let (has_vault, asks_name) = queue.with(|darkroom| {
            Ok((darkroom.has_vault(), darkroom.public().is_ok_and(|public| asks_name(&public))))
        })?;
        let outputs = self.doorway.outputs().as_os_str().to_owned();
        line.tell(&Said::Hello(Hello { build: self.build, outputs, has_vault, asks_name }));
        guest.is_greeted();
        let out = Output::far(Arc::clone(line));
        let mut visit = None;
        loop {
            let word = line.hear()?;
            guest.speaks();
            match word {
                (Heard::SignIn { with, operator, second, has_terminal }, typed) if visit.is_none() => {
                    visit = self.sign_in(line, with, (operator.as_deref(), second), &typed)?;
                    if let Some((visit, ..)) = &visit {
                        line.of_person(has_terminal, visit.goes_on(), visit.works());
                        line.tell(&Said::Opened);
                        // How the vault was opened says the start, `vault status` and `status`.
                        let warnings = queue.warnings().into_iter();
                        let warnings = warnings.filter(|warning| *warning != Warning::Unattended);
                        warnings.for_each(|warning| out.warn(&warning.to_string()));
                    }
                }
                (Heard::Wish(Wish::Status), _) => {
                    return queue.hold(|darkroom| {
                        vault::status(darkroom, &self.vault, self.doorway.outputs(), &out)
                    })?;
                }
                (Heard::Wish(Wish::RecordSupport { sha256 }), _) => {
                    queue.with(|darkroom| darkroom.record_support(Digest(sha256)))?;
                    return Ok(Code::Done);
                }
                (Heard::Wish(Wish::TryControls), _) if visit.is_none() => {
                    return evidence::through(&self.doorway, &self.site, None, &out);
                }
                (Heard::Wish(Wish::Bundle { of, incident, freeze, dir }), _) if visit.is_none() => {
                    return self.bundle(line, None, &of, (incident, freeze), Path::new(&dir), &out);
                }
                (Heard::Wish(wish), prompt) => {
                    let nobody = || Failure::new(Code::Locked, "nobody is signed in");
                    let (visit, with, secret) = visit.ok_or_else(nobody)?;
                    let done = self.grant(line, (&visit, with, secret), wish, prompt, &out);
                    let left = visit.end();
                    let code = done?;
                    return left.map(|()| code).map_err(Failure::from);
                }
                _ => {
                    return Err(Failure::new(
                        Code::Unexpected,
                        "the other end said what makes no sense here",
                    ));
                }
            }
        }
    }

    /// Who came in, and with what. `None` if it is wrong, which has been said by then.
    fn sign_in(
        &self,
        line: &Line,
        with: Opens,
        (operator, second): (Option<&str>, Option<Second>),
        typed: &[u8],
    ) -> Result<Option<(Visit, Opens, Secret)>, Failure> {
        let operator = operator.map(name_of).transpose()?;
        let unusable = |what: &dyn Display| Failure::new(Code::Locked, what);
        let typed = std::str::from_utf8(typed).map_err(|_| unusable(&"the passphrase is not UTF-8"))?;
        let (typed, second) = match second {
            Some(Second { operator, begins }) => {
                let (typed, other) =
                    typed.split_at_checked(begins).ok_or_else(|| unusable(&"the passphrase is cut off"))?;
                let name = operator.as_deref().map(name_of).transpose()?;
                (typed, Some(Secret::passphrase(other).map_err(|error| unusable(&error))?.of(name)))
            }
            None => (typed, None),
        };
        let secret = with.parse(typed).map_err(|error| unusable(&error))?.of(operator.clone());
        let takes_second = |darkroom: &mut darkroom::Darkroom| Ok(darkroom.takes_second(operator.as_ref()));
        if second.is_none() && secret.is_persons() && self.doorway.queue().with(takes_second)? {
            line.tell(&Said::AsksSecond);
            return Ok(None);
        }
        let secret = secret.together(second);
        match self.doorway.sign_in(operator.as_ref(), &secret) {
            Ok(visit) => Ok(Some((visit, with, secret))),
            Err(Outside::Refused(darkroom::Error::Vault(::vault::Error::WrongSecret))) => {
                line.tell(&Said::Wrong);
                Ok(None)
            }
            Err(outside) => Err(refused_outside(outside)),
        }
    }

    fn grant(
        &self,
        line: &Arc<Line>,
        (visit, with, secret): (&Visit, Opens, Secret),
        wish: Wish,
        prompt: Zeroizing<Vec<u8>>,
        out: &Output,
    ) -> Done {
        // What it came in with is kept for as long as it proves something.
        let wish = match wish {
            Wish::Operator { verb, own } => {
                let asked = Asked::new(&verb, own.as_deref())?;
                check_opened(with, asked.opens())?;
                let (terminal, outputs) = (&mut Terminal::far(Arc::clone(line)), self.doorway.outputs());
                let at = At { terminal, new: None, vault: &self.vault, outputs };
                return asked.act(&mut Proven::Through(visit, &secret), visit.who(), at, out);
            }
            Wish::Vault(verb) => {
                check_opened(with, vault::opens(&verb))?;
                let (terminal, outputs) = (&mut Terminal::far(Arc::clone(line)), self.doorway.outputs());
                if matches!(verb, Vault::Passwd { .. } | Vault::Machine(_)) {
                    let at = At { terminal, new: None, vault: &self.vault, outputs };
                    let mut room = Proven::Through(visit, &secret);
                    return vault::prove(&verb, &mut room, visit.who(), at, prompt, out);
                }
                drop(secret);
                let mut room = &**self.doorway.queue();
                return vault::act(&verb, &mut room, visit.who(), (terminal, outputs), out);
            }
            wish => wish,
        };
        drop(secret);
        check_opened(with, Opens::Passphrase)?;
        match wish {
            Wish::Generate { settings, exports } => {
                self.generate(line, visit, &settings, prompt, exports, out)
            }
            Wish::History { verb, sought } => self.history(line, visit, &verb, sought.map(Digest), out),
            Wish::Batch { settings, format, progress, exports } => {
                let exporting = exports.then(|| Exporting::Far(Arc::clone(line)));
                let progress = progress.map(|path| Progress::far(Arc::clone(line), path.into()));
                let sha256 = Digest::of(&prompt);
                let lines = batch::lines(prompt, format, &settings)?;
                let making = self.making(line);
                let work = Work::new(&making, *visit.who(), exporting, self.doorway.outputs(), out);
                work.through(lines, progress, &sha256, || {
                    line.tell(&Said::Working);
                    Ok(line.interrupted())
                })
            }
            Wish::Backup { path } => {
                let (target, path) = (Target::Far(Arc::clone(line)), PathBuf::from(path));
                let (mut room, policy) = (&**self.doorway.queue(), self.policy.as_deref());
                let done = backup::make(&mut room, visit.who(), policy, (&target, &path), out);
                let code = |code| line.check().map_or_else(|out| out.code, |()| code);
                done.map_err(|failure| Failure { code: code(failure.code), ..failure })
            }
            Wish::BackupDestroyed(id) => {
                backup::gone(&mut &**self.doorway.queue(), visit.who(), backup::id_of(&id)?, out)
            }
            Wish::Token(verb) => token::act(&mut &**self.doorway.queue(), visit.who(), &verb, out),
            Wish::Hold(verb) => {
                hold::act(&mut &**self.doorway.queue(), visit.who(), &hold::Asked::new(&verb)?, out)
            }
            Wish::Certificate { asked, dir } => self.certificate(line, visit, &asked, Path::new(&dir), out),
            Wish::TryControls => evidence::through(&self.doorway, &self.site, Some(visit.who()), out),
            Wish::Bundle { of, incident, freeze, dir } => {
                self.bundle(line, Some(visit.who()), &of, (incident, freeze), Path::new(&dir), out)
            }
            Wish::Settled(incident) => {
                let (job, log) = (freeze::named(&incident)?, &self.site.audit);
                freeze::settle(&mut &**self.doorway.queue(), visit.who(), log, job, out)
            }
            Wish::Subject { pseudonym, dir } => {
                line.check()?;
                let whom = pseudonym.as_deref().map(subject::named).transpose()?;
                let (mut room, dir) = (&**self.doorway.queue(), Path::new(&dir));
                let log = (&*self.site.audit, self.site.clock.wall_ms());
                let write = |told: &Told| {
                    told.files()
                        .into_iter()
                        .try_for_each(|(name, content)| line.write_file(dir, name, content))
                };
                subject::hand_over((&mut room, visit.who()), whom, log, dir, write, out)
            }
            // Answered to anybody, or above.
            Wish::Status | Wish::RecordSupport { .. } | Wish::Operator { .. } | Wish::Vault(_) => {
                Ok(Code::Usage)
            }
        }
    }

    fn generate(
        &self,
        line: &Arc<Line>,
        visit: &Visit,
        settings: &Settings,
        prompt: Zeroizing<Vec<u8>>,
        exports: bool,
        out: &Output,
    ) -> Done {
        let exporting = exports.then(|| Exporting::Far(Arc::clone(line)));
        let ask = generate::ask(settings, prompt, out);
        let making = self.making(line);
        let checked = generate::check(&making, Some(visit.who()), ask, exporting.as_ref())?;
        line.tell(&Said::Working);
        let (outputs, interrupted) = (self.doorway.outputs(), line.interrupted());
        generate::make(&making, visit.who(), &interrupted, checked, exporting.as_ref(), outputs, out)
    }

    /// The server's engine, for somebody who waits.
    fn making(&self, line: &Arc<Line>) -> Making {
        let watch = Arc::clone(line);
        let looks = move || {
            // It ends the job of somebody who was signed out.
            let _ = watch.check();
        };
        Making::through(Arc::clone(self.doorway.queue()), looks)
    }

    fn history(
        &self,
        line: &Arc<Line>,
        visit: &Visit,
        verb: &HistoryVerb,
        sought: Option<Digest>,
        out: &Output,
    ) -> Done {
        let exporting = Exporting::Far(Arc::clone(line));
        let named = Named {
            exporting: Some(&exporting),
            sought,
            outputs: self.doorway.outputs(),
            terminal: &mut Terminal::far(Arc::clone(line)),
        };
        history::act(&mut &**self.doorway.queue(), visit.who(), verb, named, out)
    }

    /// Made here, and written at the other end, where its signature comes last.
    fn bundle(
        &self,
        line: &Line,
        who: Option<&Who>,
        of: &BundleOf,
        (incident, pinned): (Option<String>, Option<(String, Vec<String>)>),
        dir: &Path,
        out: &Output,
    ) -> Done {
        let frozen = pinned.map(|(reason, laws)| freeze::Frozen::parse(&reason, &laws)).transpose()?;
        let frozen = frozen.map(|frozen| frozen.with(&self.site.incident_laws));
        let incident = incident.as_deref().map(freeze::named).transpose()?;
        let asked = frozen.as_ref().map_or(bundle::Asked::Bundle(incident), bundle::Asked::Freeze);
        let write = |path: &str, piece: bundle::Piece<'_>| match piece {
            bundle::Piece::First(bytes) => line.begin_file(dir, path, bytes),
            bundle::Piece::Next(bytes) => line.go_on(dir, path, bytes),
        };
        let wanted = (bundle::chosen(of)?, asked);
        bundle::through((&self.doorway, &self.site), who, wanted, dir, &write, out)
    }

    /// Made here, where the log can be read, and written at the other end.
    fn certificate(
        &self,
        line: &Line,
        visit: &Visit,
        asked: &cli::Certificate,
        dir: &Path,
        out: &Output,
    ) -> Done {
        line.check()?;
        let made = self.certificate.lock().unwrap_or_else(PoisonError::into_inner);
        // What a crash left of an earlier one.
        ::evidence::take_back(&made);
        let (mut room, log) = (&**self.doorway.queue(), (&*self.site.audit, self.site.clock.wall_ms()));
        let certified = certificate::certify(&mut room, visit.who(), asked, log, &made);
        let files =
            certified.and_then(|certified| Ok((certified, ::evidence::files(&made, FILE_BYTES_MAX)?)));
        ::evidence::take_back(&made);
        drop(made);
        let (certified, files) = files?;
        for (name, content) in files {
            line.write_file(dir, &name, &content)?;
        }
        certificate::report(&certified, dir, out)
    }
}

/// Whoever asks for something came in with what it is asked for with.
fn check_opened(with: Opens, wanted: Opens) -> Result<(), Failure> {
    match with == wanted {
        true => Ok(()),
        false => Err(Failure::new(Code::Unexpected, "the other end said what makes no sense here")),
    }
}

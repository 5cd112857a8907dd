//! The passphrase dialogue: with a file, or with somebody at a terminal.

use super::Booted;
use super::opens::{NewOf, Opens, Shown, Typed};
use super::operator::name_of;
use crate::exit::{Code, Failure};
use crate::input::SecretLine;
use crate::output::Output;
use crate::terminal::Terminal;
use darkroom::{Darkroom, Door, Warning, Who};
use std::path::Path;
use vault::{PersonName, Secret};
use zeroize::Zeroizing;

/// How often somebody at a terminal is asked for what opens the vault. Each time that it is wrong is a guess, as it is from a file.
pub(super) struct Tries(usize);

impl Default for Tries {
    fn default() -> Self {
        Self(3)
    }
}

impl Tries {
    /// Says what was wrong, before somebody is asked again.
    ///
    /// # Errors
    /// Nobody is; the same, with what to do.
    pub(super) fn again(&mut self, wrong: Failure, terminal: &mut Terminal) -> Result<(), Failure> {
        self.0 = self.0.saturating_sub(1);
        if self.0 > 0 {
            return terminal.show(&format!("{}\n", wrong.what));
        }
        let what = format!(
            "{}; where the passphrase is lost, the recovery code sets a new one: lightproof vault passwd",
            wrong.what
        );
        Err(Failure { what, ..wrong })
    }
}

impl Booted {
    /// From here on it is somebody else's secret that is asked for: that of `name`.
    pub fn speak_of(&mut self, name: PersonName) {
        self.operator = Some(name);
    }

    /// Whether a passphrase was given.
    pub fn has_passphrase(&self) -> bool {
        self.passphrase.is_some()
    }

    /// Unlocks the vault with the passphrase file or the terminal; makes the vault on a first start.
    ///
    /// # Errors
    /// A wrong passphrase, or nobody to ask.
    pub fn unlock(&mut self, darkroom: &mut Darkroom, out: &Output) -> Result<Who, Failure> {
        if !darkroom.has_vault() {
            return self.first_start(darkroom, out);
        }
        self.prove(darkroom, Opens::Passphrase, out).map(|(who, _)| who)
    }

    /// Makes the vault: a passphrase typed twice or from the file, and the recovery code shown once.
    ///
    /// # Errors
    /// A weak passphrase, or nobody to ask.
    pub fn first_start(&mut self, darkroom: &mut Darkroom, out: &Output) -> Result<Who, Failure> {
        self.warn_of_others(out);
        let is_typed = self.passphrase.is_none();
        // It ends here, as one that opens does.
        let own = self.passphrase.take();
        let new = new_secret(&mut self.terminal, own.as_ref(), NewOf::First, out)?;
        let (who, code) = darkroom.create_vault(&new, Door::Terminal)?;
        out.say(&format!("a new vault was made in {}", self.folders.vault.display()));
        self.warn_of_grade(out)?;
        if self.terminal.is_there() && is_typed {
            show_recovery(&mut self.terminal, &code.text())?;
        } else {
            out.warn(
                "without a terminal no recovery code is shown; get one later with: lightproof vault recovery",
            );
        }
        Ok(who)
    }

    /// Unlocks the vault with what a verb takes, and gives back who it was and what opened it.
    ///
    /// # Errors
    /// A wrong secret, or nobody to ask.
    pub fn prove(
        &mut self,
        darkroom: &mut Darkroom,
        opens: Opens,
        out: &Output,
    ) -> Result<(Who, Secret), Failure> {
        if opens.names_somebody() {
            self.ask_name(darkroom)?;
        }
        if let Some(half) = self.half(out)? {
            darkroom.give_half(&half);
        }
        let is_joint = darkroom.takes_second(self.operator.as_ref());
        let unlock = |secret: &Secret| darkroom.unlock(secret, Door::Terminal);
        let proven = self.given(opens, (None, is_joint), out, unlock)?;
        warn(darkroom, out);
        Ok(proven)
    }

    /// Opens something with a passphrase or the recovery code, from the passphrase file or the terminal, together with the machine
    /// secret if there is one. What was used is given back.
    ///
    /// # Errors
    /// It is wrong, or nobody is there to ask; what `opens` says.
    pub fn opened<T>(
        &mut self,
        out: &Output,
        mut opens: impl FnMut(&Secret) -> Result<T, darkroom::Error>,
    ) -> Result<T, Failure> {
        let half = self.half(out)?;
        if self.passphrase.is_some() || self.operator.is_some() {
            return Ok(self.given(Opens::Any, (half.as_ref(), false), out, opens)?.0);
        }
        let mut tries = Tries::default();
        loop {
            let typed = self.terminal.ask_secret(Opens::Any.question())?;
            let wrong = match Secret::any(&typed) {
                Err(error) => unusable(error),
                Ok(secret) => {
                    let with = (half.as_ref(), false);
                    let (mut opened, _) = self.tried(secret.beside(half.as_ref()), with, out, &mut opens)?;
                    if let Err(darkroom::Error::Vault(vault::Error::NameNeeded)) = opened {
                        let name = name_of(&self.terminal.ask("Your name: ")?)?;
                        let secret = Secret::any(&typed).map_err(unusable)?.of(Some(name));
                        (opened, _) = self.tried(secret.beside(half.as_ref()), with, out, &mut opens)?;
                    }
                    match opened {
                        Err(darkroom::Error::Vault(vault::Error::WrongSecret)) => self.wrong_typed(),
                        opened => return Ok(opened?),
                    }
                }
            };
            tries.again(wrong, &mut self.terminal)?;
        }
    }

    fn given<T>(
        &mut self,
        with: Opens,
        (half, is_joint): (Option<&Secret>, bool),
        out: &Output,
        mut opens: impl FnMut(&Secret) -> Result<T, darkroom::Error>,
    ) -> Result<(T, Secret), Failure> {
        let Some(line) = self.passphrase.take() else {
            let mut tries = Tries::default();
            loop {
                let wrong = match with.parse(&self.terminal.ask_secret(with.question())?) {
                    Err(error) => unusable(error),
                    Ok(typed) => {
                        let typed = typed.of(self.operator.clone()).beside(half);
                        let (opened, typed) = self.tried(typed, (half, is_joint), out, &mut opens)?;
                        match opened {
                            Err(darkroom::Error::Vault(vault::Error::WrongSecret)) => self.wrong_typed(),
                            opened => return Ok((opened?, typed)),
                        }
                    }
                };
                tries.again(wrong, &mut self.terminal)?;
                self.ask_typed_name()?;
            }
        };
        warn_of_readers(&line.path, line.others_may_read, out);
        let operator = self.operator.clone();
        let parse = |text: &str| with.parse(text).map(|secret| secret.of(operator.clone()).beside(half));
        let own = of_line(&line, &parse).map_err(unusable)?;
        let (mut opened, mut given) = self.tried(own, (half, is_joint), out, &mut opens)?;
        // A byte order mark was a part of the passphrase once. The first try is on record, and the second is, too.
        if let (Err(darkroom::Error::Vault(vault::Error::WrongSecret)), Some(marked)) =
            (&opened, &line.marked)
        {
            let own = parse(marked).map_err(unusable)?;
            (opened, given) = self.tried(own, (half, is_joint), out, &mut opens)?;
        }
        match opened {
            Ok(opened) => Ok((opened, given)),
            Err(darkroom::Error::Vault(vault::Error::WrongSecret)) => Err(self.wrong_in(&line)),
            Err(error) => Err(error.into()),
        }
    }

    /// The same for a vault that a running server has: `shows` shows it passphrase and name, and what the second one has typed where
    /// two open it, and says whether it opened.
    ///
    /// # Errors
    /// It is wrong, or nobody is there to ask; what `shows` says.
    pub fn show(
        &mut self,
        with: Opens,
        asks_name: bool,
        out: &Output,
        mut shows: impl FnMut(&str, Option<&PersonName>, Option<&Typed>) -> Result<Shown, Failure>,
    ) -> Result<(), Failure> {
        self.ask_name_if(asks_name && with.names_somebody())?;
        let Some(line) = self.passphrase.take() else {
            let mut tries = Tries::default();
            loop {
                let typed = self.terminal.ask_secret(with.question())?;
                let wrong = match with.parse(&typed) {
                    // What can be none is said here, as it is alone, and is no guess.
                    Err(error) => unusable(error),
                    Ok(_) if self.shown(&typed, &mut None, out, &mut shows)? => return Ok(()),
                    Ok(_) => self.wrong_typed(),
                };
                tries.again(wrong, &mut self.terminal)?;
                self.ask_typed_name()?;
            }
        };
        warn_of_readers(&line.path, line.others_may_read, out);
        of_line(&line, &|text| with.parse(text)).map_err(unusable)?;
        let mut second = None;
        let mut opens = |text: &str| self.shown(text, &mut second, out, &mut shows);
        // As alone, a byte order mark is tried, too.
        let opened = match &line.marked {
            Some(marked) => opens(&line.text)? || opens(marked)?,
            None => opens(&line.text)?,
        };
        if opened { Ok(()) } else { Err(self.wrong_in(&line)) }
    }

    /// Asks who somebody is, where several people use the vault and nothing says it.
    fn ask_name(&mut self, darkroom: &Darkroom) -> Result<(), Failure> {
        self.ask_name_if(asks_name(&darkroom.public()?))
    }

    fn ask_name_if(&mut self, is_needed: bool) -> Result<(), Failure> {
        let is_asked = self.passphrase.is_none() && self.operator.is_none() && self.terminal.is_there();
        if is_needed && is_asked {
            let typed =
                self.terminal.ask("Your name (with the recovery code, whose passphrase it is for): ")?;
            self.operator = Some(name_of(&typed)?);
            self.is_name_typed = true;
        }
        Ok(())
    }

    /// Asks once more who somebody is, if they were asked before: it may be the name that was wrong.
    fn ask_typed_name(&mut self) -> Result<(), Failure> {
        if std::mem::take(&mut self.is_name_typed) {
            self.operator = None;
            return self.ask_name_if(true);
        }
        Ok(())
    }

    fn wrong_typed(&self) -> Failure {
        let what = match self.operator {
            Some(_) => "wrong name, passphrase or recovery code",
            None => "wrong passphrase or recovery code",
        };
        Failure::new(Code::Locked, format!("{what}{}; try again", self.or_other()))
    }

    fn wrong_in(&self, line: &SecretLine) -> Failure {
        let what = format!(
            "wrong passphrase or recovery code in {}{}; name the file that belongs to this vault{}",
            line.path.display(),
            self.or_other(),
            if self.operator.is_some() { ", and to this operator" } else { "" }
        );
        Failure::new(Code::Locked, what)
    }

    /// Which of them is wrong nobody is told.
    fn or_other(&self) -> String {
        let second = self.second.line.as_ref();
        let second = second.map_or_else(String::new, |line| format!(", or in {}", line.path.display()));
        let half = self.machine_secret.is_some();
        second + if half { ", or another machine secret than they go with" } else { "" }
    }

    /// A new vault has no pictures yet: those that lie in its folder belong to another one. Perhaps that one was meant.
    pub fn warn_of_others(&self, out: &Output) {
        let outputs = &self.folders.outputs;
        let sealed = |name: std::ffi::OsString| name.as_encoded_bytes().ends_with(vault::SUFFIX.as_bytes());
        let names = std::fs::read_dir(outputs).into_iter().flatten().flatten();
        if names.map(|entry| entry.file_name()).any(sealed) {
            out.warn(&format!(
                "{} holds sealed pictures of another vault, and a new one in {} does not open them; if that other vault \
                 was meant, name its folder with --home",
                outputs.display(),
                self.folders.vault.display()
            ));
        }
    }

    /// Says once what an erasure is worth on this file system.
    fn warn_of_grade(&self, out: &Output) -> Result<(), Failure> {
        let grade = vault::grade(&self.folders.vault)
            .map_err(|e| Failure::new(Code::Unexpected, format!("cannot examine the file system: {e}")))?;
        if let vault::Grade::KeepsHistory(why) = grade {
            out.warn(&format!(
                "erasure is conditional here: {} lies on {why}, which may keep old copies; \
                 the records of erasures will say so",
                self.folders.vault.display()
            ));
        }
        Ok(())
    }
}

/// A new passphrase from `file`, or typed twice, at this terminal or at the other end of a connection.
///
/// # Errors
/// A weak passphrase, before it is typed again; nobody to ask, or two different passphrases.
pub fn new_secret(
    terminal: &mut Terminal,
    file: Option<&SecretLine>,
    of: NewOf,
    out: &Output,
) -> Result<Secret, Failure> {
    let text = match terminal.far_line() {
        Some(line) => line.new_passphrase(of)?,
        None => new_text(terminal, file, of, out)?,
    };
    Secret::passphrase(&text).map_err(|error| Failure::new(Code::Usage, error))
}

/// The same at this terminal, as text.
///
/// # Errors
/// As there.
pub fn new_text(
    terminal: &mut Terminal,
    file: Option<&SecretLine>,
    of: NewOf,
    out: &Output,
) -> Result<Zeroizing<String>, Failure> {
    if let Some(line) = file {
        warn_of_readers(&line.path, line.others_may_read, out);
        of_line(line, &checked_new).map_err(|what| Failure::new(Code::Usage, what))?;
        return Ok(line.text.clone());
    }
    if !terminal.is_there() {
        return Err(Failure::new(Code::Locked, of.unasked()));
    }
    let first = terminal.ask_secret(of.question())?;
    checked_new(&first).map_err(|error| Failure::new(Code::Usage, error))?;
    let again = terminal.ask_secret("Again: ")?;
    match *first == *again {
        true => Ok(first),
        false => Err(Failure::new(Code::Locked, "the two passphrases differ; nothing was done")),
    }
}

/// Shows the recovery code on the terminal, of this process or at the other end of a connection.
///
/// # Errors
/// There is none, or nobody says that it was shown.
pub fn show_recovery(terminal: &mut Terminal, code: &str) -> Result<(), Failure> {
    let text = Zeroizing::new(format!(
        "\nRecovery code, shown this once. Write it down; it sets a new passphrase if yours is lost:\n\n    {code}\n\n"
    ));
    terminal.show(&text)
}

/// Whatever is not as it should be is said by every verb that has to do with the vault.
pub fn warn(darkroom: &Darkroom, out: &Output) {
    for warning in darkroom.warnings() {
        out.warn(&match (warning, darkroom.copy_state().trouble()) {
            (Warning::NoCopy, Some(why)) => format!("the newest checkpoint could not be copied: {why}"),
            _ => warning.to_string(),
        });
    }
}

/// Whether a passphrase goes with a name: several people use the vault, and each has one.
pub fn asks_name(public: &vault::Public) -> bool {
    let people = public.slots.iter().filter(|slot| slot.kind.is_persons()).count();
    public.named && people > 1
}

/// Said when the passphrase is used, by the program that it opens the vault for.
pub fn warn_of_readers(path: &Path, others_may_read: bool, out: &Output) {
    if others_may_read {
        out.warn(&format!(
            "others may read {0}, and what is in it opens the vault; keep it to yourself: chown it to this user, and \
             chmod 600 {0}",
            path.display()
        ));
    }
}

/// The secret of a passphrase file, or what is wrong with it and in which file.
fn of_line(
    line: &SecretLine,
    parse: &dyn Fn(&str) -> Result<Secret, vault::Error>,
) -> Result<Secret, String> {
    parse(&line.text).map_err(|error| format!("{}: {error}", line.path.display()))
}

pub(super) fn unusable(what: impl std::fmt::Display) -> Failure {
    Failure::new(Code::Locked, what)
}

fn checked_new(text: &str) -> Result<Secret, vault::Error> {
    let secret = Secret::passphrase(text)?;
    secret.check_new()?;
    Ok(secret)
}

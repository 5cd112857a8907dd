//! The passphrase dialogue: with a file, or with somebody at a terminal.

use super::Booted;
use crate::exit::{Code, Failure};
use crate::output::Output;
use darkroom::{Darkroom, Door, Who};
use vault::Secret;
use zeroize::Zeroizing;

impl Booted {
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
        let (who, _) = self.open(darkroom, "Passphrase: ", secret)?;
        warn(darkroom, out);
        Ok(who)
    }

    /// Makes the vault: a passphrase typed twice or from the file, and the recovery code shown once.
    ///
    /// # Errors
    /// A weak passphrase, or nobody to ask.
    pub fn first_start(&mut self, darkroom: &mut Darkroom, out: &Output) -> Result<Who, Failure> {
        let new = self.new_secret(None, "Choose a passphrase (12 characters or more): ")?;
        let (who, code) = darkroom.create_vault(&new, Door::Terminal)?;
        out.say(&format!("a new vault was made in {}", self.places.vault.display()));
        self.warn_of_grade(out)?;
        if self.terminal.is_there() && self.passphrase.is_none() {
            self.show_recovery(&code.text())?;
        } else {
            out.warn(
                "without a terminal no recovery code is shown; get one later with: lightproof vault recovery",
            );
        }
        Ok(who)
    }

    /// A new passphrase from `file`, from `--passphrase-file`, or typed twice.
    ///
    /// # Errors
    /// Nobody to ask, or two different passphrases.
    pub fn new_secret(&mut self, file: Option<Zeroizing<String>>, question: &str) -> Result<Secret, Failure> {
        if let Some(text) = file.or_else(|| self.passphrase.as_ref().map(|line| line.text.clone())) {
            return secret(&text);
        }
        let first = self.terminal.ask_secret(question)?;
        let again = self.terminal.ask_secret("Again: ")?;
        match *first == *again {
            true => secret(&first),
            false => Err(Failure::new(Code::Locked, "the two passphrases differ; nothing was done")),
        }
    }

    /// Unlocks the vault with a passphrase or the recovery code, and gives back who it was and what opened it.
    ///
    /// # Errors
    /// A wrong secret, or nobody to ask.
    pub fn prove(&mut self, darkroom: &mut Darkroom, out: &Output) -> Result<(Who, Secret), Failure> {
        let proven = self.open(darkroom, "Passphrase or recovery code: ", any_secret)?;
        warn(darkroom, out);
        Ok(proven)
    }

    /// Unlocks with the passphrase file or the terminal. What opens is given back.
    fn open(
        &mut self,
        darkroom: &mut Darkroom,
        question: &str,
        parse: fn(&str) -> Result<Secret, Failure>,
    ) -> Result<(Who, Secret), Failure> {
        let Some(line) = self.passphrase.take() else {
            let typed = parse(&self.terminal.ask_secret(question)?)?;
            return Ok((darkroom.unlock(&typed, Door::Terminal)?, typed));
        };
        let given = parse(&line.text)?;
        match (darkroom.unlock(&given, Door::Terminal), line.marked) {
            (Ok(who), _) => Ok((who, given)),
            // A byte order mark was a part of the passphrase once. The first try is on record, and the second is, too.
            (Err(darkroom::Error::Vault(vault::Error::WrongSecret)), Some(marked)) => {
                let marked = parse(&marked)?;
                Ok((darkroom.unlock(&marked, Door::Terminal)?, marked))
            }
            (Err(error), _) => Err(error.into()),
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

/// Whatever is not as it should be is said by every verb that has to do with the vault.
pub fn warn(darkroom: &Darkroom, out: &Output) {
    for warning in darkroom.warnings() {
        out.warn(&warning.to_string());
    }
}

fn secret(text: &str) -> Result<Secret, Failure> {
    Secret::passphrase(text).map_err(|e| Failure::new(Code::Locked, e))
}

fn any_secret(text: &str) -> Result<Secret, Failure> {
    Secret::any(text).map_err(|e| Failure::new(Code::Locked, e))
}

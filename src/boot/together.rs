//! Asking the second of two people who open a vault together, and trying what both have typed.

use super::Booted;
use super::opens::{Shown, Typed};
use super::operator::name_of;
use super::passphrase::{Tries, unusable, warn_of_readers};
use crate::exit::{Code, Failure};
use crate::output::Output;
use vault::{PersonName, Secret};
use zeroize::Zeroizing;

impl Booted {
    /// The passphrase of the second one, from their file or the terminal.
    ///
    /// # Errors
    /// Nobody is there to ask; a name that can be none.
    pub(super) fn second_typed(&mut self, out: &Output) -> Result<Typed, Failure> {
        if let Some(line) = &self.second.line {
            warn_of_readers(&line.path, line.others_may_read, out);
            return Ok((line.text.clone(), self.second.operator.clone()));
        }
        if !self.terminal.is_there() {
            let what = "two people open this vault together, and there is no terminal to ask the second one at; use \
                        --second-operator NAME and --second-passphrase-file FILE";
            return Err(Failure::new(Code::Locked, what));
        }
        let name = match &self.second.operator {
            Some(name) => name.clone(),
            None => name_of(&self.terminal.ask("Two people open this vault. Name of the second one: ")?)?,
        };
        Ok((self.typed("Passphrase of the second one: ")?, Some(name)))
    }

    /// The passphrase of one of those who are to open it together.
    ///
    /// # Errors
    /// Nobody is there to ask.
    pub fn holder(&mut self, name: &PersonName) -> Result<Secret, Failure> {
        if !self.terminal.is_there() {
            let what = "whoever is to open this vault with others types their passphrase for that, and there is no terminal to ask them at; \
                        nothing was done";
            return Err(Failure::new(Code::Locked, what));
        }
        let text = self.typed(&format!("Passphrase of {}: ", name.as_str()))?;
        Ok(Secret::passphrase(&text).map_err(unusable)?.of(Some(name.clone())))
    }

    /// What can be a passphrase.
    fn typed(&mut self, question: &str) -> Result<Zeroizing<String>, Failure> {
        let mut tries = Tries::default();
        loop {
            let text = self.terminal.ask_secret(question)?;
            match Secret::passphrase(&text) {
                Ok(_) => return Ok(text),
                Err(error) => tries.again(unusable(error), &mut self.terminal)?,
            }
        }
    }

    /// The same passphrase with that of the second one, where one is asked for, or is there. The recovery code opens alone.
    ///
    /// # Errors
    /// As [`Booted::second_typed`]; it can be no passphrase.
    pub(super) fn with_second(
        &mut self,
        own: Secret,
        half: Option<&Secret>,
        is_asked: bool,
        out: &Output,
    ) -> Result<Secret, Failure> {
        if !own.is_persons() || !is_asked && self.second.line.is_none() {
            return Ok(own);
        }
        let (text, name) = self.second_typed(out)?;
        let second = Secret::passphrase(&text).map_err(unusable)?;
        Ok(own.together(Some(second.of(name).beside(half))))
    }

    /// Shows a passphrase to a running server, with that of the second one where it asks for it; whether it opened.
    ///
    /// # Errors
    /// As [`Booted::second_typed`]; what `shows` says.
    pub(super) fn shown(
        &mut self,
        text: &str,
        second: &mut Option<Typed>,
        out: &Output,
        shows: &mut impl FnMut(&str, Option<&PersonName>, Option<&Typed>) -> Result<Shown, Failure>,
    ) -> Result<bool, Failure> {
        let operator = self.operator.clone();
        let mut said = shows(text, operator.as_ref(), second.as_ref())?;
        if said == Shown::AsksSecond {
            *second = Some(self.second_typed(out)?);
            said = shows(text, operator.as_ref(), second.as_ref())?;
        }
        Ok(said == Shown::Opened)
    }

    /// Tries a secret, with that of the second one where two are asked for, or where that shows only now.
    ///
    /// # Errors
    /// As [`Booted::with_second`].
    pub(super) fn tried<T>(
        &mut self,
        own: Secret,
        (half, is_asked): (Option<&Secret>, bool),
        out: &Output,
        opens: &mut impl FnMut(&Secret) -> Result<T, darkroom::Error>,
    ) -> Result<(Result<T, darkroom::Error>, Secret), Failure> {
        let mut own = self.with_second(own, half, is_asked, out)?;
        let mut opened = opens(&own);
        if matches!(opened, Err(darkroom::Error::Vault(vault::Error::JointNeeded))) && own.is_alone() {
            own = self.with_second(own, half, true, out)?;
            opened = opens(&own);
        }
        Ok((opened, own))
    }
}

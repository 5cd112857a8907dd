//! What a verb brings along before its fences: the files that a person named, and whether what they ask for makes sense.

use super::errand::Errand;
use crate::batch::Progress;
use crate::boot::folders::Home;
use crate::cli::{Computing, Export, Freeze, History, HistoryVerb};
use crate::exit::{Code, Failure};
use crate::input::SecretLine;
use crate::output::Output;
use crate::paths::Exporting;
use crate::verbs::evidence::bundle::chosen;
use crate::verbs::evidence::{freeze, subject};
use crate::verbs::history::certificate;
use crate::verbs::{backup, batch, generate, history, hold, operator, token, vault};
use sandbox::Clean;
use std::path::Path;
use zeroize::Zeroizing;

/// What became of the files that a person named, before the fences.
#[derive(Default)]
pub struct Brought {
    /// Prompt or batch, unless it comes from standard input; or a machine secret.
    text: Option<Zeroizing<Vec<u8>>>,
    /// Where plain copies go.
    pub exporting: Option<Exporting>,
    /// How far a batch has come.
    pub progress: Option<Progress>,
    /// SHA-256 of the file whose export is sought.
    pub sought: Option<[u8; 32]>,
    /// What is asked about people.
    pub asked: Option<operator::Asked>,
    /// The passphrase that is to be set, if it is in a file.
    pub new: Option<SecretLine>,
}

impl Brought {
    /// Looks at them; nothing of theirs is parsed.
    ///
    /// # Errors
    /// What is wrong with one, or with what was asked.
    pub fn of(errand: &Errand<'_>, home: &Home, clean: &mut Clean, out: &Output) -> Result<Self, Failure> {
        let exporting = |path: &Path| Exporting::new(path, out);
        match errand {
            Errand::Generate(arguments) => {
                refuse_other_model(&arguments.computing)?;
                let exporting = arguments.export.as_deref().map(exporting).transpose()?;
                Ok(Self { text: generate::prompt_before_fences(arguments)?, exporting, ..Self::default() })
            }
            Errand::Batch(arguments) => {
                refuse_other_model(&arguments.computing)?;
                let batch::Files { exporting, typed, progress, .. } = batch::Files::of(arguments, out)?;
                Ok(Self { text: typed, exporting, progress, ..Self::default() })
            }
            Errand::History(History { verb: HistoryVerb::Export { output, ids }, .. }) => {
                let exporting = exporting(output)?;
                exporting.check_count(ids.len())?;
                Ok(Self { exporting: Some(exporting), ..Self::default() })
            }
            Errand::History(History { verb: HistoryVerb::Prove { file }, .. }) => {
                Ok(Self { sought: Some(history::digest(file)?.0), ..Self::default() })
            }
            Errand::History(History { verb: HistoryVerb::Certificate(asked), .. }) => {
                certificate::check(asked)?;
                Ok(Self::default())
            }
            Errand::Backup(path, _) => {
                backup::target::check(path, out)?;
                Ok(Self::default())
            }
            Errand::BackupDestroyed(id, _) => {
                backup::id_of(id)?;
                Ok(Self::default())
            }
            // What makes no sense is said before anything is made, as it is alone.
            Errand::Export(Export { incident, bundle }) => {
                incident.as_deref().map(freeze::named).transpose()?;
                chosen(&bundle.of)?;
                Ok(Self::default())
            }
            Errand::Freeze(Freeze { reason, law, bundle }) => {
                freeze::Frozen::parse(reason, law)?;
                chosen(&bundle.of)?;
                Ok(Self::default())
            }
            Errand::Settled(incident, _) => {
                freeze::named(incident)?;
                Ok(Self::default())
            }
            Errand::Subject(pseudonym, ..) => {
                pseudonym.map(subject::named).transpose()?;
                Ok(Self::default())
            }
            Errand::Token(arguments) => {
                token::check(&arguments.verb, out)?;
                Ok(Self::default())
            }
            Errand::Hold(arguments) => {
                hold::Asked::new(&arguments.verb)?;
                Ok(Self::default())
            }
            Errand::Operator(arguments) => {
                let asked = operator::Asked::new(&arguments.verb, arguments.keys.operator.as_deref())?;
                let new = operator::new_passphrase(&arguments.verb, home, clean)?;
                Ok(Self { asked: Some(asked), new, ..Self::default() })
            }
            Errand::Vault(verb, _) => {
                let new = vault::new_passphrase(verb, home, clean)?;
                let text = vault::machine::given(verb, home, clean, out)?;
                Ok(Self { text, new, ..Self::default() })
            }
            Errand::History(_) | Errand::Status(_) | Errand::TryControls(_) => Ok(Self::default()),
        }
    }

    /// What goes beside the wish.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn text(&mut self, errand: &Errand<'_>, out: &Output) -> Result<Zeroizing<Vec<u8>>, Failure> {
        match (self.text.take(), errand) {
            (Some(text), _) => Ok(text),
            (None, Errand::Generate(_)) => generate::prompt_of_stdin(),
            (None, Errand::Batch(_)) => batch::of_stdin(out),
            (None, _) => Ok(Zeroizing::default()),
        }
    }
}

/// The server's model is loaded, and is the one that makes the pictures.
fn refuse_other_model(computing: &Computing) -> Result<(), Failure> {
    if computing.model.is_none() && computing.device == Computing::DEVICE {
        return Ok(());
    }
    let what = "a server is running, and pictures are made with the model and the device that it was started with; leave \
                --model and --device out, or stop it first";
    Err(Failure::new(Code::Busy, what))
}

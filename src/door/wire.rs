//! What client and host say to each other: a length-bounded object in JSON, and bytes beside it. Both ends are one build.

use crate::boot::opens::{NewOf, Opens};
use crate::cli::{
    BundleOf, Certificate, Format, HistoryVerb, HoldVerb, OperatorVerb, Settings, TokenVerb, Vault,
};
use crate::exit::{Code, Failure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Read, Write};
use zeroize::Zeroizing;

/// Most bytes of an object: the list of all pictures.
const OBJECT_BYTES_MAX: u32 = 256 << 20;
/// Most bytes beside one: a prompt file, a picture.
const BYTES_MAX: u32 = 64 << 20;

/// The host's words.
#[derive(Serialize, Deserialize)]
pub enum Said {
    /// Who it is: the first word.
    Hello(Hello),
    /// The person is in.
    Opened,
    /// The passphrase is wrong, or belongs to another name.
    Wrong,
    /// A second one opens the vault with this person; nothing was tried.
    AsksSecond,
    /// Lines of data.
    Data(String),
    /// Lines of data that need nobody.
    Calm(String),
    /// A sentence for the person.
    Say(String),
    /// A sentence that must be seen.
    Warn(String),
    /// The last line of a terminal, redrawn.
    Progress(String),
    /// The closing object, if JSON was asked for.
    Object(bool, Value),
    /// Whether all data has reached standard output; answered with [`Heard::Shown`].
    Shown,
    /// A picture for standard output; it is beside this.
    Picture,
    /// A question to the person; answered with [`Heard::Line`].
    Ask(String),
    /// A new passphrase is wanted; answered with [`Heard::Passphrase`].
    NewPassphrase(NewOf),
    /// A text for the terminal itself, beside this; answered with [`Heard::Seen`].
    Show,
    /// Whether so many plain copies may be written; answered with [`Heard::Checked`].
    Check(usize),
    /// Where the plain copy `index` of `count` goes, of the picture with this name; answered with [`Heard::Path`].
    Path(usize, usize, String),
    /// The plain copy itself, on record as one that left, to the path that was answered last; it is beside this. Answered with
    /// [`Heard::Written`].
    Write,
    /// A file of the folder that is made, with this name, on record as handed out; it is beside this. Answered with
    /// [`Heard::Written`].
    File(String),
    /// The next bytes of that file; they are beside this. Answered with [`Heard::Written`].
    More,
    /// The next bytes of a backup; they are beside this. Answered with [`Heard::Written`].
    Piece,
    /// The backup is whole, and is to be durable; answered with [`Heard::Written`].
    Settle,
    /// What was written of the backup is to be taken back; answered with [`Heard::Written`].
    Undo,
    /// How far the batch with this digest has come; answered with [`Heard::Resumed`].
    Resume([u8; 32]),
    /// One more picture of this line of the batch is sealed; answered with [`Heard::Kept`].
    Made(u64),
    /// From here on an interruption ends the job, and nothing else.
    Working,
    /// The last word: the exit code.
    Ended(u8),
    /// The last word: why the verb ended early.
    Failed(Fault),
}

/// Who the host is.
#[derive(Serialize, Deserialize)]
pub struct Hello {
    /// SHA-256 of its program: two builds say nothing to each other.
    pub build: [u8; 32],
    /// Where its pictures lie.
    pub outputs: OsString,
    /// Whether there is a vault.
    pub has_vault: bool,
    /// Several people use the vault, and each has a name.
    pub asks_name: bool,
}

/// The second of two people who open the vault together.
#[derive(Serialize, Deserialize)]
pub struct Second {
    /// Who it is, if that was said.
    pub operator: Option<String>,
    /// Where their passphrase begins in what is beside this, behind that of the first.
    pub begins: usize,
}

/// The client's words.
#[derive(Serialize, Deserialize)]
pub enum Heard {
    /// Somebody signs in; the passphrase, or what else opens, is beside this.
    SignIn {
        /// What it may be.
        with: Opens,
        /// Who it is, if that was said.
        operator: Option<String>,
        /// Who opens it with them, where two do.
        second: Option<Second>,
        /// Whether somebody can be asked.
        has_terminal: bool,
    },
    /// What is asked for. The prompt, if there is one, is beside it.
    Wish(Wish),
    /// What was answered at the terminal.
    Line(Result<String, Fault>),
    /// The passphrase that is to be set is beside this; or why there is none.
    Passphrase(Result<(), Fault>),
    /// The text was shown, or why not.
    Seen(Result<(), Fault>),
    /// Whether all data has reached standard output.
    Shown(bool),
    /// Nothing stands where plain copies go.
    Checked(Result<(), Fault>),
    /// A path; none is standard output.
    Path(Option<OsString>),
    /// The lines of the batch of which pictures are sealed, and how many.
    Resumed(Result<Vec<(u64, u64)>, Fault>),
    /// It was noted.
    Kept(Result<(), Fault>),
    /// A plain copy, a file of a folder, or a piece of a backup was written; or what was asked of the backup is done.
    Written(Result<(), Unwritten>),
    /// The person wants the job to end.
    Interrupt,
}

/// What is asked for.
#[derive(Serialize, Deserialize)]
pub enum Wish {
    /// `vault status`.
    Status,
    /// `evidence run`, for whoever has signed in, or for nobody.
    TryControls,
    /// `evidence export` or `freeze`, for whoever has signed in, or for nobody.
    Bundle {
        /// What the bundle is to be about.
        of: BundleOf,
        /// The incident that it is for.
        incident: Option<String>,
        /// A state is pinned first: why, and the laws whose clocks start.
        freeze: Option<(String, Vec<String>)>,
        /// The folder that is made.
        dir: OsString,
    },
    /// `evidence settled`, of the incident with this name.
    Settled(String),
    /// `evidence subject`.
    Subject {
        /// Whom it is about.
        pseudonym: Option<String>,
        /// The folder that is made.
        dir: OsString,
    },
    /// `support bundle`: that a file with this SHA-256 leaves is to be on record. Nobody signs in for it.
    RecordSupport {
        /// Of the file.
        sha256: [u8; 32],
    },
    /// `generate`.
    Generate {
        /// How.
        settings: Settings,
        /// Whether plain copies are written.
        exports: bool,
    },
    /// `batch`; the file is beside it.
    Batch {
        /// What holds where a line says nothing else.
        settings: Settings,
        /// What the file holds.
        format: Format,
        /// Where it is kept how far the work has come, if it can be gone on with.
        progress: Option<OsString>,
        /// Whether plain copies are written.
        exports: bool,
    },
    /// One of the verbs of `history`.
    History {
        /// Which.
        verb: HistoryVerb,
        /// Of the file whose export is sought.
        sought: Option<[u8; 32]>,
    },
    /// `backup create`.
    Backup {
        /// Where it goes, as the person named it.
        path: OsString,
    },
    /// `backup destroyed`, of the backup with this name.
    BackupDestroyed(String),
    /// One of the verbs of `token`.
    Token(TokenVerb),
    /// One of the verbs of `hold`.
    Hold(HoldVerb),
    /// One of the verbs of `operator`.
    Operator {
        /// Which.
        verb: OperatorVerb,
        /// What who asks is called, if they said so with the flag.
        own: Option<String>,
    },
    /// One of the verbs of `vault`; the machine secret that is added is beside it.
    Vault(Vault),
    /// `history certificate`.
    Certificate {
        /// Of what.
        asked: Certificate,
        /// The folder that is made.
        dir: OsString,
    },
}

/// A failure, as it crosses.
#[derive(Serialize, Deserialize)]
pub struct Fault {
    code: u8,
    what: String,
    done: Option<Value>,
}

impl From<Failure> for Fault {
    fn from(Failure { code, what, done }: Failure) -> Self {
        Self { code: code as u8, what, done }
    }
}

impl From<Fault> for Failure {
    fn from(Fault { code, what, done }: Fault) -> Self {
        Self { code: Code::of(code), what, done }
    }
}

/// Why a plain copy, a file of a folder or a backup was not written.
#[derive(Serialize, Deserialize)]
pub struct Unwritten {
    /// The system's number of the error, if it has one.
    pub number: Option<i32>,
    /// The error in words.
    pub what: String,
    /// Whether something of it remains.
    pub remains: bool,
}

impl Unwritten {
    /// Of an error.
    pub fn new(error: &io::Error, remains: bool) -> Self {
        Self { number: error.raw_os_error(), what: error.to_string(), remains }
    }

    /// The error again.
    pub fn error(self) -> io::Error {
        self.number.map_or_else(|| io::Error::other(self.what), io::Error::from_raw_os_error)
    }
}

/// Sends one word.
///
/// # Errors
/// What the system says; [`ErrorKind::InvalidInput`] for one that is longer than may be.
pub fn send(to: &mut impl Write, word: &impl Serialize, bytes: &[u8]) -> io::Result<()> {
    let object = Zeroizing::new(serde_json::to_vec(word)?);
    let length = |bytes: &[u8], bytes_max: u32| {
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= bytes_max);
        length.map(u32::to_le_bytes).ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))
    };
    let head = [length(&object, OBJECT_BYTES_MAX)?, length(bytes, BYTES_MAX)?].concat();
    to.write_all(&head)?;
    to.write_all(&object)?;
    to.write_all(bytes)
}

/// The next word and the bytes beside it. Room is made for what has come, not for what is announced.
///
/// # Errors
/// What the system says; [`ErrorKind::UnexpectedEof`] at the end; [`ErrorKind::InvalidData`] for what makes no sense.
pub fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<(T, Zeroizing<Vec<u8>>)> {
    let mut head = [0; 8];
    from.read_exact(&mut head)?;
    let [a, b, c, d, e, f, g, h] = head;
    let mut part = |length: [u8; 4], bytes_max: u32| {
        let length = u32::from_le_bytes(length);
        if length > bytes_max {
            return Err(io::Error::from(ErrorKind::InvalidData));
        }
        let mut bytes = Zeroizing::new(Vec::new());
        let count = from.by_ref().take(length.into()).read_to_end(&mut bytes)?;
        match count as u64 == u64::from(length) {
            true => Ok(bytes),
            false => Err(ErrorKind::UnexpectedEof.into()),
        }
    };
    let object = part([a, b, c, d], OBJECT_BYTES_MAX)?;
    let bytes = part([e, f, g, h], BYTES_MAX)?;
    Ok((serde_json::from_slice(&object).map_err(|_| ErrorKind::InvalidData)?, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(word: &impl Serialize, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        send(&mut out, word, bytes).expect("it is short");
        out
    }

    #[test]
    fn a_word_comes_as_it_went() {
        let wish = Wish::Generate {
            settings: Settings {
                negative: Some("grün".into()), size: Some((64, 32)), ..Settings::default()
            },
            exports: true,
        };
        let (heard, bytes) =
            receive::<Heard>(&mut &sent(&Heard::Wish(wish), b"a red fox")[..]).expect("whole");
        let Heard::Wish(Wish::Generate { settings, exports: true }) = heard else { panic!("another word") };
        assert_eq!((settings.negative, settings.size), (Some("grün".into()), Some((64, 32))));
        assert_eq!(*bytes, b"a red fox");
    }

    #[test]
    fn what_is_torn_too_long_or_no_word_is_an_error_and_takes_no_room() {
        let whole = sent(&Heard::Interrupt, b"xyz");
        for cut in 0..whole.len() {
            let error = receive::<Heard>(&mut &whole[..cut]).err().expect("torn");
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{cut}");
        }
        // Four GiB, announced in four bytes.
        for at in [0, 4] {
            let mut claim = whole.clone();
            claim[at..at + 4].fill(0xff);
            assert_eq!(
                receive::<Heard>(&mut &claim[..]).err().expect("a lie").kind(),
                ErrorKind::InvalidData
            );
        }
        let mut other = whole.clone();
        other[9] = b'!';
        assert_eq!(receive::<Heard>(&mut &other[..]).err().expect("no word").kind(), ErrorKind::InvalidData);
        assert!(receive::<Said>(&mut &whole[..]).is_err());
    }

    #[test]
    fn a_failure_keeps_its_code_and_words() {
        let failure = Failure::new(Code::Partial, "so").with(serde_json::json!({ "done": 1 }));
        let back = Failure::from(Fault::from(failure));
        assert_eq!((back.code, back.what.as_str()), (Code::Partial, "so"));
        assert_eq!(back.done, Some(serde_json::json!({ "done": 1 })));
        assert_eq!(Code::of(77), Code::Unexpected);
    }
}

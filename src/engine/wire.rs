//! What crosses between the two processes, and its bytes.
//!
//! The seam's own values, and what a start needs besides. Both ends are one build, which the greeting proves before anything
//! else is believed; so there is no version number and no second spelling, and whatever does not fit is [`Nonsense`].

use crate::fields::{Reader, Writer};
use crate::{
    Cause, Command, Device, Error, Model, Nonsense, Pixels, Prepared, Progress, PromptLength, Recipe, Rule,
    Settings,
};
use zeroize::Zeroizing;

/// Most bytes of a message without its pixels. Two prompts of the policy's greatest length are an eighth of it.
pub const FIELDS_BYTES_MAX: usize = 1 << 20;
/// Most bytes of a sentence for people, and of a name.
pub const TEXT_BYTES_MAX: usize = 4096;

/// What the engine's process is asked.
pub enum Question {
    /// [`crate::Engine::begin`]
    Begin(Prepared),
    /// [`crate::Engine::next`]
    Next(Command),
    /// [`crate::Check::check`]
    Check(Recipe),
    /// [`crate::Check::measure`]
    Measure(Zeroizing<String>),
    /// Is it there?
    Alive,
}

/// A question as it is sent: what it holds stays with whoever asks.
#[derive(Clone, Copy)]
pub enum Ask<'a> {
    /// See [`Question::Begin`].
    Begin(&'a Prepared),
    /// See [`Question::Next`].
    Next(Command),
    /// See [`Question::Check`].
    Check(&'a Recipe),
    /// See [`Question::Measure`].
    Measure(&'a str),
    /// See [`Question::Alive`].
    Alive,
}

/// What the engine's process says.
pub enum Answer {
    /// Unasked, first: who it is.
    Greeting(Greeting),
    /// Unasked: how much of the model has been read.
    Loading {
        /// Bytes so far.
        bytes_done: u64,
        /// Bytes of its files.
        bytes_total: u64,
    },
    /// Unasked: the model is there, and questions are answered.
    Ready(Model),
    /// Unasked, last: there is no model.
    NotReady {
        /// Why.
        why: Unready,
        /// The sentence for the person.
        text: String,
    },
    /// To [`Question::Begin`].
    Begun,
    /// To [`Question::Next`].
    Progress(Progress),
    /// To [`Question::Check`].
    Prepared(Prepared),
    /// To [`Question::Measure`].
    Length(PromptLength),
    /// To [`Question::Alive`].
    Alive,
    /// To any question but the last.
    Error(Error),
}

/// How the engine's process introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// SHA-256 of its program: two different builds never talk.
    pub build: [u8; 32],
    /// How it is fenced.
    pub fenced: Fenced,
}

/// How a process is fenced, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fenced {
    /// Digest of the plan that its fences were made from.
    pub plan: [u8; 32],
    /// Digest of the report on them.
    pub report: [u8; 32],
    /// Those that are up, a bit each.
    pub fences: u32,
    /// How many of them are weaker than they could be.
    pub amber: u32,
    /// The Landlock ABI that is enforced.
    pub landlock_abi: u32,
    /// Does it run as root?
    pub uid0: bool,
}

impl Fenced {
    /// Its bytes.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut writer = Writer::default();
        write_fenced(&mut writer, self);
        writer.done()
    }

    /// Reads them.
    ///
    /// # Errors
    /// They are none.
    pub fn decode(fields: &[u8]) -> Result<Self, Nonsense> {
        let mut reader = Reader(fields);
        let fenced = fenced(&mut reader)?;
        reader.done().map(|()| fenced)
    }
}

/// Why there is no model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unready {
    /// The device cannot be used.
    Device,
    /// A file is not there.
    Missing,
    /// A file may not be read.
    Forbidden,
    /// It does not fit in memory.
    Memory,
    /// No threads can be made to compute with.
    Threads,
    /// The files are not those of a model.
    Damaged,
}

impl Question {
    /// Reads a question.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(fields: &[u8]) -> Result<Self, Nonsense> {
        let mut reader = Reader(fields);
        let question = match reader.u8()? {
            1 => Self::Begin(prepared(&mut reader)?),
            2 => Self::Next(match reader.u8()? {
                0 => Command::End,
                1 => Command::GoOn { preview: false },
                2 => Command::GoOn { preview: true },
                _ => return Err(Nonsense),
            }),
            3 => Self::Check(Recipe {
                prompt: Zeroizing::new(reader.text()?.to_owned()),
                negative_prompt: Zeroizing::new(reader.text()?.to_owned()),
                settings: settings(&mut reader)?,
            }),
            4 => Self::Alive,
            5 => Self::Measure(Zeroizing::new(reader.text()?.to_owned())),
            _ => return Err(Nonsense),
        };
        reader.done().map(|()| question)
    }

    /// The question as it is sent.
    pub fn ask(&self) -> Ask<'_> {
        match self {
            Self::Begin(prepared) => Ask::Begin(prepared),
            Self::Next(command) => Ask::Next(*command),
            Self::Check(recipe) => Ask::Check(recipe),
            Self::Measure(prompt) => Ask::Measure(prompt),
            Self::Alive => Ask::Alive,
        }
    }
}

impl Ask<'_> {
    /// Its bytes.
    pub fn encode(self) -> Zeroizing<Vec<u8>> {
        let mut writer = Writer::default();
        match self {
            Self::Begin(prepared) => {
                writer.u8(1);
                write_prepared(&mut writer, prepared);
            }
            Self::Next(command) => {
                writer.u8(2);
                writer.u8(match command {
                    Command::End => 0,
                    Command::GoOn { preview: false } => 1,
                    Command::GoOn { preview: true } => 2,
                });
            }
            Self::Check(recipe) => {
                writer.u8(3);
                writer.text(&recipe.prompt);
                writer.text(&recipe.negative_prompt);
                write_settings(&mut writer, &recipe.settings);
            }
            Self::Alive => writer.u8(4),
            Self::Measure(prompt) => {
                writer.u8(5);
                writer.text(prompt);
            }
        }
        writer.done()
    }
}

impl Answer {
    /// Reads an answer. `pixels` are the bytes that came behind its fields.
    ///
    /// # Errors
    /// It is none.
    pub fn decode(fields: &[u8], pixels: Vec<u8>) -> Result<Self, Nonsense> {
        let mut reader = Reader(fields);
        let mut rgb = Some(pixels);
        let answer = match reader.u8()? {
            1 => Self::Greeting(Greeting { build: reader.digest()?, fenced: fenced(&mut reader)? }),
            2 => Self::Loading { bytes_done: reader.u64()?, bytes_total: reader.u64()? },
            3 => Self::Ready(model(&mut reader)?),
            4 => {
                let why = match reader.u8()? {
                    0 => Unready::Device,
                    1 => Unready::Missing,
                    2 => Unready::Forbidden,
                    3 => Unready::Memory,
                    4 => Unready::Threads,
                    5 => Unready::Damaged,
                    _ => return Err(Nonsense),
                };
                Self::NotReady { why, text: sentence(&mut reader)? }
            }
            5 => Self::Begun,
            6 => Self::Progress(Progress::Prompts),
            7 => Self::Progress(Progress::Step { preview: None }),
            8 => Self::Progress(Progress::Step { preview: Some(picture(&mut reader, rgb.take())?) }),
            9 => Self::Progress(Progress::Picture(picture(&mut reader, rgb.take())?)),
            10 => Self::Prepared(prepared(&mut reader)?),
            11 => Self::Alive,
            12 => Self::Error(error(&mut reader)?),
            13 => {
                let (tokens, tokens_max) = (reader.u32()? as usize, reader.u32()? as usize);
                Self::Length(PromptLength { tokens, tokens_max })
            }
            _ => return Err(Nonsense),
        };
        reader.done()?;
        match rgb {
            Some(surplus) if !surplus.is_empty() => Err(Nonsense),
            _ => Ok(answer),
        }
    }

    /// Its fields, and the pixels that go behind them.
    pub fn encode(&self) -> (Zeroizing<Vec<u8>>, &[u8]) {
        let mut writer = Writer::default();
        let mut pixels: &[u8] = &[];
        match self {
            Self::Greeting(Greeting { build, fenced }) => {
                writer.u8(1);
                writer.digest(build);
                write_fenced(&mut writer, fenced);
            }
            Self::Loading { bytes_done, bytes_total } => {
                writer.u8(2);
                [bytes_done, bytes_total].into_iter().for_each(|bytes| writer.u64(*bytes));
            }
            Self::Ready(model) => {
                writer.u8(3);
                write_model(&mut writer, model);
            }
            Self::NotReady { why, text } => {
                writer.u8(4);
                writer.u8(match why {
                    Unready::Device => 0,
                    Unready::Missing => 1,
                    Unready::Forbidden => 2,
                    Unready::Memory => 3,
                    Unready::Threads => 4,
                    Unready::Damaged => 5,
                });
                writer.text(&one_line(text));
            }
            Self::Begun => writer.u8(5),
            Self::Progress(Progress::Prompts) => writer.u8(6),
            Self::Progress(Progress::Step { preview: None }) => writer.u8(7),
            Self::Progress(Progress::Step { preview: Some(picture) }) => {
                pixels = write_picture(&mut writer, 8, picture);
            }
            Self::Progress(Progress::Picture(picture)) => pixels = write_picture(&mut writer, 9, picture),
            Self::Prepared(prepared) => {
                writer.u8(10);
                write_prepared(&mut writer, prepared);
            }
            Self::Alive => writer.u8(11),
            Self::Error(error) => {
                writer.u8(12);
                write_error(&mut writer, error);
            }
            Self::Length(PromptLength { tokens, tokens_max }) => {
                writer.u8(13);
                [tokens, tokens_max].into_iter().for_each(|count| writer.count(*count));
            }
        }
        (writer.done(), pixels)
    }
}

fn write_fenced(writer: &mut Writer, fenced: &Fenced) {
    let Fenced { plan, report, fences, amber, landlock_abi, uid0 } = fenced;
    writer.digest(plan);
    writer.digest(report);
    writer.u32s([fences, amber, landlock_abi]);
    writer.flag(*uid0);
}

fn fenced(reader: &mut Reader<'_>) -> Result<Fenced, Nonsense> {
    Ok(Fenced {
        plan: reader.digest()?,
        report: reader.digest()?,
        fences: reader.u32()?,
        amber: reader.u32()?,
        landlock_abi: reader.u32()?,
        uid0: reader.flag()?,
    })
}

fn write_prepared(writer: &mut Writer, Prepared { tokens, negative_tokens, settings }: &Prepared) {
    writer.list(tokens);
    writer.flag(negative_tokens.is_some());
    if let Some(tokens) = negative_tokens {
        writer.list(tokens);
    }
    write_settings(writer, settings);
}

fn prepared(reader: &mut Reader<'_>) -> Result<Prepared, Nonsense> {
    let tokens = Zeroizing::new(reader.list()?);
    let negative_tokens = if reader.flag()? { Some(Zeroizing::new(reader.list()?)) } else { None };
    Ok(Prepared { tokens, negative_tokens, settings: settings(reader)? })
}

fn write_settings(writer: &mut Writer, settings: &Settings) {
    let Settings { width, height, steps, guidance_milli, seeds } = settings;
    writer.u32s([width, height, steps, guidance_milli]);
    writer.list(seeds);
}

fn settings(reader: &mut Reader<'_>) -> Result<Settings, Nonsense> {
    Ok(Settings {
        width: reader.u32()?,
        height: reader.u32()?,
        steps: reader.u32()?,
        guidance_milli: reader.u32()?,
        seeds: reader.list()?,
    })
}

fn write_model(writer: &mut Writer, model: &Model) {
    let Model { name, digest, device, may_change, side_px_default, side_px_max, steps_default } = model;
    writer.text(&one_line(name));
    writer.digest(digest);
    writer.u8(match device {
        Device::Cpu => 0,
        Device::Cuda => 1,
    });
    writer.flag(*may_change);
    writer.u32s([side_px_default, side_px_max, steps_default]);
}

fn model(reader: &mut Reader<'_>) -> Result<Model, Nonsense> {
    Ok(Model {
        name: sentence(reader)?,
        digest: reader.digest()?,
        device: match reader.u8()? {
            0 => Device::Cpu,
            1 => Device::Cuda,
            _ => return Err(Nonsense),
        },
        may_change: reader.flag()?,
        side_px_default: reader.u32()?,
        side_px_max: reader.u32()?,
        steps_default: reader.u32()?,
    })
}

fn write_picture<'a>(writer: &mut Writer, kind: u8, picture: &'a Pixels) -> &'a [u8] {
    writer.u8(kind);
    writer.u32(picture.width);
    writer.u32(picture.height);
    &picture.rgb
}

fn picture(reader: &mut Reader<'_>, rgb: Option<Vec<u8>>) -> Result<Pixels, Nonsense> {
    let picture = Pixels { width: reader.u32()?, height: reader.u32()?, rgb: rgb.unwrap_or_default() };
    let pixels = u64::from(picture.width).checked_mul(picture.height.into());
    let bytes = pixels.and_then(|pixels| pixels.checked_mul(3)).filter(|bytes| *bytes > 0);
    if bytes == Some(picture.rgb.len() as u64) { Ok(picture) } else { Err(Nonsense) }
}

fn write_error(writer: &mut Writer, error: &Error) {
    match error {
        Error::Refused { rule, text } => {
            writer.u8(match rule {
                Rule::PromptLength => 0,
                Rule::PromptEncoding => 1,
                Rule::Size => 2,
                Rule::Parameter => 3,
                Rule::Memory => 4,
            });
            writer.text(&one_line(text));
        }
        Error::Failed { cause, text } => {
            writer.u8(match cause {
                Cause::Cancelled => 16,
                Cause::NonFinite => 17,
                Cause::Memory => 18,
                Cause::Panic => 19,
                // Nobody says of itself that it is gone.
                Cause::Other | Cause::Gone => 20,
            });
            writer.text(&one_line(text));
        }
    }
}

fn error(reader: &mut Reader<'_>) -> Result<Error, Nonsense> {
    let kind = reader.u8()?;
    let text = sentence(reader)?;
    let refused = |rule, text| Ok(Error::Refused { rule, text });
    let failed = |cause, text| Ok(Error::Failed { cause, text });
    match kind {
        0 => refused(Rule::PromptLength, text),
        1 => refused(Rule::PromptEncoding, text),
        2 => refused(Rule::Size, text),
        3 => refused(Rule::Parameter, text),
        4 => refused(Rule::Memory, text),
        16 => failed(Cause::Cancelled, text),
        17 => failed(Cause::NonFinite, text),
        18 => failed(Cause::Memory, text),
        19 => failed(Cause::Panic, text),
        20 => failed(Cause::Other, text),
        _ => Err(Nonsense),
    }
}

/// A text for people: it fits, and cannot do anything to a terminal.
fn sentence(reader: &mut Reader<'_>) -> Result<String, Nonsense> {
    let text = reader.text()?;
    let fits = text.len() <= TEXT_BYTES_MAX && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(Nonsense) }
}

/// The text as [`sentence`] takes it.
fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line[..line.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}

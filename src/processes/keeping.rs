//! The other end of the process that looks after the models: it is started before the fences, with all rights and no key, puts up
//! its own, and ends when nobody speaks to it any more.

use crate::cli::Global;
use crate::exit::{Code, Failure};
use crate::output::Output;
use audit::Digest;
use darkroom::Fenced;
use serde_json::Value;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Longest line that is taken from it.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// The process that looks after the models.
pub struct Keeping {
    said: BufReader<ChildStdout>,
    to: ChildStdin,
    /// Its end is the end of what it says; behind the fences nobody can wait for it.
    _child: Child,
}

impl Keeping {
    /// Starts it, this program again.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(
        global: &Global,
        act: &str,
        name: Option<&str>,
        source: Option<&Path>,
    ) -> Result<Self, Failure> {
        let mut command = Command::new("/proc/self/exe");
        command.arg0("lightproof").args(["models-process", act]);
        let name = name.map(|name| ("--name", name.as_ref()));
        let paths = [("--home", global.home.as_deref()), ("--source", source)];
        let paths = paths.into_iter().filter_map(|(flag, path)| Some((flag, path?.as_os_str())));
        for (flag, value) in name.into_iter().chain(paths) {
            let mut word = std::ffi::OsString::from(format!("{flag}="));
            word.push(value);
            command.arg(word);
        }
        let failed = |e: io::Error| {
            Failure::new(
                Code::Unexpected,
                format!("the process that looks after the models cannot be started: {e}"),
            )
        };
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let (said, to) = (child.stdout.take(), child.stdin.take());
        let (said, to) = said.zip(to).ok_or_else(Self::senseless)?;
        Ok(Self { said: BufReader::new(said), to, _child: child })
    }

    /// How it is fenced, which it says first.
    ///
    /// # Errors
    /// Why it could not start.
    pub fn fenced(mut self) -> Result<(Self, Fenced), Failure> {
        let said = self.next()?;
        let said = said.get("fenced").ok_or_else(Self::senseless)?;
        let number = |key: &str| {
            said[key].as_u64().and_then(|number| u32::try_from(number).ok()).ok_or_else(Self::senseless)
        };
        let fenced = Fenced {
            plan: digest(&said["plan"])?.0,
            report: digest(&said["report"])?.0,
            fences: number("fences")?,
            amber: number("amber")?,
            landlock_abi: number("landlock_abi")?,
            uid0: said["uid0"].as_bool().ok_or_else(Self::senseless)?,
        };
        Ok((self, fenced))
    }

    /// What it says next under this word. How far it is is shown meanwhile.
    ///
    /// # Errors
    /// What it found, or that it ended.
    pub fn hear(&mut self, word: &str, out: &Output) -> Result<Value, Failure> {
        loop {
            let mut said = self.next()?;
            match said["progress"].as_array().map(Vec::as_slice) {
                Some([done, total]) => {
                    let mib = |value: &Value| value.as_u64().unwrap_or(0) >> 20;
                    out.progress(&format!("reading and hashing, {} of {} MiB", mib(done), mib(total)));
                }
                _ => {
                    out.progress("");
                    return said.get_mut(word).map(Value::take).ok_or_else(Self::senseless);
                }
            }
        }
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// It has ended.
    pub fn go(&mut self, word: &str) -> Result<(), Failure> {
        self.to.write_all(format!("{word}\n").as_bytes()).map_err(|_| Self::gone())
    }

    /// What it says makes no sense.
    pub fn senseless() -> Failure {
        Failure::new(Code::Unexpected, "the process that looks after the models said what makes no sense")
    }

    fn gone() -> Failure {
        let what = "the process that looks after the models ended without a word; what it left is cleared away by the next import";
        Failure::new(Code::Unexpected, what)
    }

    /// A line, or the sentence with which it ended.
    fn next(&mut self) -> Result<Value, Failure> {
        let mut line = String::new();
        let read = (&mut self.said).take(LINE_BYTES_MAX).read_line(&mut line);
        if read.unwrap_or(0) == 0 {
            return Err(Self::gone());
        }
        let said: Value = serde_json::from_str(&line).map_err(|_| Self::senseless())?;
        match said.get("failed") {
            None => Ok(said),
            Some(failed) => {
                let number = failed["code"].as_u64().and_then(|number| u8::try_from(number).ok());
                let code = number.map_or(Code::Unexpected, Code::of);
                Err(Failure::new(code, failed["what"].as_str().unwrap_or_default()))
            }
        }
    }
}

/// A digest in hexadecimal digits.
///
/// # Errors
/// It is none.
pub fn digest(value: &Value) -> Result<Digest, Failure> {
    let text = value.as_str().filter(|text| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()));
    let byte = |text: &str, at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap_or_default();
    text.map(|text| Digest(std::array::from_fn(|at| byte(text, at)))).ok_or_else(Keeping::senseless)
}

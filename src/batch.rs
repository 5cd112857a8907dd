//! What a batch asks for: a request from each line of a text, a list of JSON objects, or a table.

mod progress;
mod rows;

pub use progress::Progress;

use crate::cli::{Format, Settings};
use crate::exit::{Code, Failure};
use crate::input;
use darkroom::Ask;
use serde_json::Value;
use zeroize::Zeroizing;

/// Most bytes of a batch.
pub const BYTES_MAX: u64 = 64 << 20;

/// How UTF-16 begins.
const OTHER_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// What a request is made of.
const COLUMNS: [&str; 9] =
    ["prompt", "negative_prompt", "width", "height", "steps", "guidance", "seed", "count", "remember_prompt"];

/// One request of a batch.
pub struct Line {
    /// The line that it begins on, from 1.
    pub number: u64,
    /// The request, or why it is none. The sentence repeats nothing of the line.
    pub ask: Result<Ask, String>,
}

/// The requests of a batch, in their order. What a line does not say is as in `settings`.
///
/// # Errors
/// [`Code::Usage`] if the whole is no batch.
pub fn lines(
    mut bytes: Zeroizing<Vec<u8>>,
    format: Format,
    settings: &Settings,
) -> Result<Vec<Line>, Failure> {
    let usage = |what: &str| Failure::new(Code::Usage, what);
    if OTHER_MARKS.iter().any(|mark| bytes.starts_with(mark)) {
        return Err(usage("the batch is UTF-16, and UTF-8 was expected; save it as UTF-8"));
    }
    input::tidy(&mut bytes);
    let read: Vec<Line> = match format {
        Format::Txt => {
            let prompts = physical(&bytes).filter(|(_, line)| !line.starts_with(b"#"));
            prompts.map(|(number, line)| Line { number, ask: Ok(settings.ask(text(line))) }).collect()
        }
        Format::Jsonl => physical(&bytes)
            .map(|(number, line)| Line { number, ask: object(line).and_then(|wish| wish.ask(settings)) })
            .collect(),
        Format::Csv => table(&bytes, settings).map_err(|what| usage(&what))?,
    };
    if read.is_empty() {
        return Err(usage("the batch asks for nothing: it has no line with a request"));
    }
    Ok(read)
}

/// The lines that are not empty, with their numbers and without their ends.
fn physical(bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    (1..).zip(lines).filter(|(_, line)| !line.trim_ascii().is_empty())
}

fn text(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes.to_vec())
}

/// A request as a line has it. The names are those of the HTTP API.
#[derive(Default)]
struct Wish {
    prompt: String,
    negative_prompt: Option<String>,
    width: Option<i64>,
    height: Option<i64>,
    steps: Option<i64>,
    guidance: Option<f64>,
    seed: Option<i64>,
    count: Option<i64>,
    remember_prompt: Option<bool>,
}

impl Wish {
    /// Takes one value of it. `null` says nothing.
    fn set(&mut self, name: &str, value: Value) -> Result<(), String> {
        let whole = value.as_i64();
        let (place, number) = match (name, value) {
            (_, Value::Null) => return Ok(()),
            ("prompt", Value::String(text)) => {
                self.prompt = text;
                return Ok(());
            }
            ("negative_prompt", Value::String(text)) => {
                self.negative_prompt = Some(text);
                return Ok(());
            }
            ("guidance", Value::Number(scale)) => {
                self.guidance = scale.as_f64();
                return Ok(());
            }
            ("remember_prompt", Value::Bool(remember)) => {
                self.remember_prompt = Some(remember);
                return Ok(());
            }
            ("width", _) => (&mut self.width, whole),
            ("height", _) => (&mut self.height, whole),
            ("steps", _) => (&mut self.steps, whole),
            ("seed", _) => (&mut self.seed, whole),
            ("count", _) => (&mut self.count, whole),
            ("prompt" | "negative_prompt", _) => return Err(format!("{name} is no text")),
            ("guidance", _) => return Err(format!("{name} is no number")),
            ("remember_prompt", _) => return Err(format!("{name} is neither true nor false")),
            _ => return Err(format!("it names something else than {}", COLUMNS.join(", "))),
        };
        *place = Some(number.ok_or_else(|| format!("{name} is no whole number that fits"))?);
        Ok(())
    }

    fn ask(self, settings: &Settings) -> Result<Ask, String> {
        let default = settings.ask(Zeroizing::new(self.prompt.into_bytes()));
        let size = match (self.width, self.height) {
            (Some(width), Some(height)) => Some((width, height)),
            (None, None) => default.size,
            _ => return Err("give both width and height, or neither".into()),
        };
        let negative_prompt = self.negative_prompt.map(|negative| Zeroizing::new(negative.into_bytes()));
        Ok(Ask {
            negative_prompt: negative_prompt.or(default.negative_prompt),
            size,
            steps: self.steps.or(default.steps),
            guidance: self.guidance.or(default.guidance),
            seed: self.seed.or(default.seed),
            count: self.count.or(default.count),
            remember_prompt: self.remember_prompt.unwrap_or(default.remember_prompt),
            prompt: default.prompt,
        })
    }
}

/// The parser's own sentence would repeat what it choked on.
fn object(line: &[u8]) -> Result<Wish, String> {
    let Ok(Value::Object(members)) = serde_json::from_slice(line) else {
        return Err("it is no JSON object".into());
    };
    let mut wish = Wish::default();
    members.into_iter().try_for_each(|(name, value)| wish.set(&name, value))?;
    Ok(wish)
}

/// A table: the first row names the columns.
///
/// # Errors
/// It does not.
fn table(bytes: &[u8], settings: &Settings) -> Result<Vec<Line>, String> {
    let mut rows = rows::rows(bytes);
    let known = || format!("the first row names the columns: {}", COLUMNS.join(", "));
    let header = rows.next().map(|row| row.cells).transpose()?.unwrap_or_default();
    let mut columns = Vec::new();
    for (index, cell) in header.iter().enumerate() {
        let name = COLUMNS.iter().find(|name| name.as_bytes() == cell.trim_ascii());
        match name {
            Some(name) if !columns.contains(name) => columns.push(*name),
            Some(name) => return Err(format!("{}; {name} is there twice", known())),
            None => return Err(format!("{}; column {} is none of them", known(), index + 1)),
        }
    }
    if !columns.contains(&"prompt") {
        return Err(format!("{}; prompt is missing", known()));
    }
    let line = |row: rows::Row| {
        let wish = row.cells.and_then(|cells| wish(&columns, cells));
        Line { number: row.number, ask: wish.and_then(|wish| wish.ask(settings)) }
    };
    Ok(rows.map(line).collect())
}

/// An empty cell says nothing.
fn wish(columns: &[&str], cells: Vec<Vec<u8>>) -> Result<Wish, String> {
    if cells.len() != columns.len() {
        let (found, named) = (cells.len(), columns.len());
        return Err(format!(
            "it has {found} cells, and the first row names {named}; put a text with a comma in quotes"
        ));
    }
    let mut wish = Wish::default();
    for (name, cell) in columns.iter().zip(cells) {
        let text = String::from_utf8(cell).map_err(|_| format!("{name} is not UTF-8"))?;
        let value = match (*name, text.trim()) {
            (_, "") => Value::Null,
            ("prompt" | "negative_prompt", _) => Value::String(text),
            // Numbers, true and false are written as in JSON; anything else is a text, which no other column takes.
            (_, word) => serde_json::from_str(word).unwrap_or(Value::String(text)),
        };
        wish.set(name, value)?;
    }
    Ok(wish)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Verb};

    /// Number, prompt, size, seed and count of each request, or why it is none.
    type Read = (u64, Result<(String, Option<(i64, i64)>, Option<i64>, Option<i64>), String>);

    fn read(bytes: &[u8], format: Format, flags: &[&str]) -> Result<Vec<Read>, String> {
        let cli = Cli::parse_words(["lightproof", "batch", "x"].iter().chain(flags)).unwrap();
        let Verb::Batch(arguments) = cli.verb else { panic!("another verb") };
        let read = lines(Zeroizing::new(bytes.to_vec()), format, &arguments.settings);
        let simple =
            |ask: Ask| (String::from_utf8_lossy(&ask.prompt).into_owned(), ask.size, ask.seed, ask.count);
        Ok(read
            .map_err(|failure| failure.what)?
            .into_iter()
            .map(|line| (line.number, line.ask.map(simple)))
            .collect())
    }

    #[test]
    fn a_text_is_a_prompt_a_line() {
        let text = "\u{feff}a red apple\r\n\r\n# a note\n  \n a boat \r\n#\n火 \u{2028}x";
        let read = read(text.as_bytes(), Format::Txt, &["--seed", "7"]).unwrap();
        let prompts: Vec<_> = read.iter().map(|(number, ask)| (*number, &*ask.as_ref().unwrap().0)).collect();
        assert_eq!(prompts, [(1, "a red apple"), (5, " a boat "), (7, "火 \u{2028}x")]);
        assert!(read.iter().all(|(_, ask)| ask.as_ref().unwrap().2 == Some(7)));
    }

    #[test]
    fn an_object_says_what_it_wants_and_the_flags_the_rest() {
        let text = br#"{"prompt": "a", "width": 32, "height": 16, "seed": 1152921504606846976}

{"prompt": "b"}
{"prompt": "quokka", "height": 16}
{"prompt": "quokka", "quokka": 1}
{"prompt": 7}
{"prompt": "quokka", "seed": 1180591620717411303424}
"quokka"
"#;
        let read = read(text, Format::Jsonl, &["--size", "64x64", "-n", "2"]).unwrap();
        assert_eq!(read[0], (1, Ok(("a".into(), Some((32, 16)), Some(1 << 60), Some(2)))));
        assert_eq!(read[1], (3, Ok(("b".into(), Some((64, 64)), None, Some(2)))));
        assert_eq!(read[2], (4, Err("give both width and height, or neither".into())));
        assert_eq!(read.len(), 7);
        let why =
            ["something else than prompt", "prompt is no text", "seed is no whole number", "no JSON object"];
        for ((number, ask), why) in read[3..].iter().zip(why) {
            let said = ask.as_ref().unwrap_err();
            assert!(said.contains(why) && !said.contains("quokka"), "{number}: {said}");
        }
    }

    #[test]
    fn a_table_is_read_as_rfc_4180_has_it() {
        let text =
            b"prompt, seed,width,height\r\n\"a \"\"red\"\", ripe\napple\",4,32,16\r\nb,,,\n\nquokka,5\n\
            \"quo\"kka,1,,\nquo\"kka,1,,\nquokka,x,,\n\xff,1,,\n\"quokka,1,,\nmore";
        let read = read(text, Format::Csv, &[]).unwrap();
        assert_eq!(read[0], (2, Ok(("a \"red\", ripe\napple".into(), Some((32, 16)), Some(4), None))));
        assert_eq!(read[1], (4, Ok(("b".into(), None, None, None))));
        let why = [
            "2 cells, and the first row names 4",
            "a quote",
            "a quote",
            "seed is no whole number",
            "not UTF-8",
        ];
        for (at, (number, why)) in [6, 7, 8, 9, 10].into_iter().zip(why).enumerate() {
            let (line, ask) = &read[at + 2];
            let said = ask.as_ref().unwrap_err();
            assert!(*line == number && said.contains(why) && !said.contains("kka"), "{line}: {said}");
        }
        assert!(read[7].0 == 11 && read[7].1.as_ref().unwrap_err().contains("not closed") && read.len() == 8);
    }

    #[test]
    fn what_is_no_batch_is_told_without_its_words() {
        for (text, format, why) in [
            (&b""[..], Format::Txt, "asks for nothing"),
            (b"# a note\n\n", Format::Txt, "asks for nothing"),
            (b"\xff\xfea\0", Format::Txt, "UTF-16"),
            (b"prompt\n", Format::Csv, "asks for nothing"),
            (b"", Format::Csv, "prompt is missing"),
            (b"a quokka\nseed\n", Format::Csv, "column 1 is none of them"),
            (b"prompt,prompt\n", Format::Csv, "there twice"),
            (b"seed\n1\n", Format::Csv, "prompt is missing"),
            (b"\"prompt\n", Format::Csv, "not closed"),
        ] {
            let said = read(text, format, &[]).unwrap_err();
            assert!(said.contains(why) && !said.contains("quokka"), "{said}");
        }
    }
}

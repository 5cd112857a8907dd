//! Every message comes out as it went in, and nothing else is one.

use crate::wire::{Answer, Ask, FIELDS_BYTES_MAX, Fenced, Greeting, Question, TEXT_BYTES_MAX, Unready};
use crate::{
    Cause, Command, Device, Error, Model, Nonsense, Pixels, Prepared, Progress, PromptLength, Recipe, Rule,
    Settings,
};
use fuzz::Target;
use zeroize::Zeroizing;

fn settings() -> Settings {
    Settings { width: 64, height: 32, steps: 8, guidance_milli: 2500, seeds: vec![7, u32::MAX] }
}

fn prepared(negative: bool) -> Prepared {
    let negative_tokens = negative.then(|| Zeroizing::new(vec![3]));
    Prepared { tokens: Zeroizing::new(vec![1, 2, 151_000]), negative_tokens, settings: settings() }
}

fn picture() -> Pixels {
    Pixels { width: 2, height: 1, rgb: vec![1, 2, 3, 4, 5, 6] }
}

fn questions() -> Vec<Question> {
    let text = |text: &str| Zeroizing::new(text.to_owned());
    let recipe = Recipe { prompt: text("a cat, \u{732b}"), negative_prompt: text(""), settings: settings() };
    vec![
        Question::Begin(prepared(true)),
        Question::Begin(prepared(false)),
        Question::Next(Command::End),
        Question::Next(Command::GoOn { preview: false }),
        Question::Next(Command::GoOn { preview: true }),
        Question::Check(recipe),
        Question::Measure(text("a cat")),
        Question::Alive,
    ]
}

fn answers() -> Vec<Answer> {
    let fenced =
        Fenced { plan: [2; 32], report: [3; 32], fences: 0x3ff, amber: 1, landlock_abi: 7, uid0: true };
    let greeting = Greeting { build: [1; 32], fenced };
    let model = Model {
        name: "z-image".into(),
        digest: [4; 32],
        device: Device::Cuda,
        may_change: true,
        side_px_default: 1024,
        side_px_max: 2048,
        steps_default: 8,
    };
    let mut answers = vec![
        Answer::Greeting(greeting),
        Answer::Loading { bytes_done: 1, bytes_total: 1 << 40 },
        Answer::Ready(model.clone()),
        Answer::Ready(Model { device: Device::Cpu, may_change: false, ..model }),
        Answer::Begun,
        Answer::Progress(Progress::Prompts),
        Answer::Progress(Progress::Step { preview: None }),
        Answer::Progress(Progress::Step { preview: Some(picture()) }),
        Answer::Progress(Progress::Picture(picture())),
        Answer::Prepared(prepared(true)),
        Answer::Length(PromptLength { tokens: 600, tokens_max: 512 }),
        Answer::Alive,
    ];
    let (memory, threads, damaged) = (Unready::Memory, Unready::Threads, Unready::Damaged);
    for why in [Unready::Device, Unready::Missing, Unready::Forbidden, memory, threads, damaged] {
        answers.push(Answer::NotReady { why, text: "it is not there".into() });
    }
    for rule in [Rule::PromptLength, Rule::PromptEncoding, Rule::Size, Rule::Parameter, Rule::Memory] {
        answers.push(Answer::Error(Error::Refused { rule, text: "too long".into() }));
    }
    for cause in [Cause::Cancelled, Cause::NonFinite, Cause::Memory, Cause::Panic, Cause::Other] {
        answers.push(Answer::Error(Error::Failed { cause, text: String::new() }));
    }
    answers
}

/// Fields and pixels in one run of bytes, for the fuzzer: the fields behind their length.
fn joined(answer: &Answer) -> Vec<u8> {
    let (fields, pixels) = answer.encode();
    let length = u16::try_from(fields.len()).unwrap().to_le_bytes();
    [&length, &fields[..], pixels].concat()
}

fn parted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_le_bytes(*length).into())
}

#[test]
fn each_question_has_one_spelling() {
    let mut target = Target::new("question");
    for (at, question) in questions().iter().enumerate() {
        target = target.seed(&format!("question {at}"), question.ask().encode().to_vec());
    }
    target.run(|input| {
        let Ok(question) = Question::decode(input) else { return false };
        assert_eq!(*question.ask().encode(), input);
        true
    });
}

#[test]
fn each_answer_has_one_spelling() {
    let mut target = Target::new("answer");
    for (at, answer) in answers().iter().enumerate() {
        target = target.seed(&format!("answer {at}"), joined(answer));
    }
    target.run(|input| {
        let Some((fields, pixels)) = parted(input) else { return false };
        let Ok(answer) = Answer::decode(fields, pixels.to_vec()) else { return false };
        assert_eq!(joined(&answer), input);
        true
    });
}

#[test]
fn every_value_that_can_cross_does() {
    for question in questions() {
        let bytes = question.ask().encode();
        assert_eq!(Question::decode(&bytes).map(|again| again.ask().encode()), Ok(bytes));
    }
    for answer in answers() {
        let (fields, pixels) = answer.encode();
        let again = Answer::decode(&fields, pixels.to_vec()).expect("it is an answer");
        assert_eq!(joined(&again), joined(&answer));
    }
}

#[test]
fn a_process_says_how_it_is_fenced() {
    let fenced =
        Fenced { plan: [2; 32], report: [3; 32], fences: 0x3ff, amber: 1, landlock_abi: 7, uid0: false };
    let bytes = fenced.encode();
    assert_eq!(Fenced::decode(&bytes), Ok(fenced));
    assert_eq!(Fenced::decode(&bytes[1..]), Err(Nonsense));
    assert_eq!(Fenced::decode(&[&bytes[..], &[0]].concat()), Err(Nonsense));
}

#[test]
fn a_picture_is_as_large_as_it_says() {
    let (fields, pixels) = (vec![9, 2, 0, 0, 0, 1, 0, 0, 0], vec![0; 6]);
    assert!(Answer::decode(&fields, pixels.clone()).is_ok());
    for wrong in [vec![], pixels[..5].to_vec(), vec![0; 7]] {
        assert_eq!(Answer::decode(&fields, wrong).err(), Some(Nonsense));
    }
    // Sizes whose product is none: nothing, and more than a number holds.
    for (width, height) in [(0, 1), (1, 0), (0, 0), (u32::MAX, u32::MAX)] {
        let fields = [&[9][..], &u32::to_le_bytes(width), &u32::to_le_bytes(height)].concat();
        assert_eq!(Answer::decode(&fields, vec![]).err(), Some(Nonsense), "{width}x{height}");
    }
    // What is no picture has no pixels.
    assert_eq!(Answer::decode(&[11], vec![0]).err(), Some(Nonsense));
}

#[test]
fn a_sentence_fits_and_controls_no_terminal() {
    let said = |text: &str| {
        let error = Error::Failed { cause: Cause::Other, text: text.into() };
        let (fields, _) = Answer::Error(error).encode();
        match Answer::decode(&fields, vec![]) {
            Ok(Answer::Error(error)) => error.to_string(),
            _ => panic!("it was an error"),
        }
    };
    assert_eq!(said("a\x1b[31mb\nc\u{732b}"), "a [31mb c\u{732b}");
    let long = "\u{732b}".repeat(TEXT_BYTES_MAX);
    assert_eq!(said(&long), long[..TEXT_BYTES_MAX - 1]);
    for text in ["a\nb".to_owned(), "x".repeat(TEXT_BYTES_MAX + 1)] {
        let length = u32::try_from(text.len()).unwrap().to_le_bytes();
        let fields = [&[12, 20][..], &length, text.as_bytes()].concat();
        assert_eq!(Answer::decode(&fields, vec![]).err(), Some(Nonsense));
    }
}

/// The longest request that the policy allows is far below the bound of a message.
#[test]
fn the_longest_prompts_fit() {
    let text = || Zeroizing::new("x".repeat(64 << 10));
    let seeds = vec![0; 16];
    let recipe =
        Recipe { prompt: text(), negative_prompt: text(), settings: Settings { seeds, ..settings() } };
    assert!(Ask::Check(&recipe).encode().len() < FIELDS_BYTES_MAX / 4);
}

//! An engine in another process, and what becomes of one that dies, lies or says nothing in the middle of its work.

use super::starter::{GO_ON, PATIENCE, Starter, draw, expected, first, greeting, is_gone, prepared};
use super::toy::{self, Toy};
use crate::far::Far;
use crate::line::Line;
use crate::supply::Patience;
use crate::wire::{Answer, Question};
use crate::{Cause, Command, Engine as _, Error, Pixels, Progress};
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

#[test]
fn a_picture_comes_as_it_was_made() {
    let (starter, stub) = Starter::new();
    let process = starter.real(Toy::new());
    let mut heard = Vec::new();
    let (mut far, greeted) =
        Far::first(stub, expected(), PATIENCE, |done, total| heard.push((done, total)), &|| true).unwrap();
    assert_eq!((greeted, heard), (greeting(), vec![(1, 2)]));
    assert_eq!(far.model().digest, toy::model().digest);
    let recipe = toy::recipe("a cat", 2);
    let prepared = far.checker().check(&recipe).unwrap();
    assert_eq!((&*prepared.tokens, &prepared.settings), (&vec![5], &recipe.settings));
    assert!(matches!(far.checker().check(&toy::recipe("", 1)), Err(Error::Refused { .. })));
    let length = far.checker().measure("a long cat").unwrap();
    assert_eq!((length.tokens, length.tokens_max), (10, 8));
    let pictures = draw(&mut far, 2).unwrap();
    for (seed, picture) in pictures.iter().enumerate() {
        assert_eq!((picture.width, picture.height, picture.rgb.len()), (4, 2, 24));
        assert!(picture.rgb.iter().all(|byte| usize::from(*byte) == seed));
    }
    assert_eq!(starter.told(), ["worked", "worked"]);
    drop(far);
    process.join().unwrap();
}

#[test]
fn a_check_is_answered_while_the_engine_computes() {
    let (starter, stub) = Starter::new();
    // Its first piece is done when a check has been answered.
    let process = starter.real(Toy::with(|toy| toy.waits_for_a_check = true));
    let mut far = first(stub, PATIENCE).unwrap();
    let checker = far.checker();
    let beside = thread::spawn(move || checker.check(&toy::recipe("a cat", 1)).is_ok());
    assert_eq!(draw(&mut far, 1).unwrap().len(), 1);
    assert!(beside.join().unwrap());
    drop(far);
    process.join().unwrap();
}

#[test]
fn work_can_be_ended_and_the_next_begins() {
    let (starter, stub) = Starter::new();
    let process = starter.real(Toy::new());
    let mut far = first(stub, PATIENCE).unwrap();
    far.begin(&prepared(1)).unwrap();
    assert!(matches!(far.next(GO_ON), Ok(Progress::Prompts)));
    assert!(matches!(far.next(Command::End), Err(Error::Failed { cause: Cause::Cancelled, .. })));
    assert!(matches!(far.next(Command::End), Err(Error::Failed { cause: Cause::Cancelled, .. })));
    assert!(matches!(far.next(GO_ON), Err(Error::Failed { cause: Cause::Other, .. })));
    assert_eq!(draw(&mut far, 1).unwrap().len(), 1);
    assert_eq!(starter.told(), ["worked"]);
    drop(far);
    process.join().unwrap();
}

#[test]
fn a_panic_costs_one_work() {
    let (starter, stub) = Starter::new();
    let process = starter.real(Toy::with(|toy| toy.panics_at = Some(2)));
    let mut far = first(stub, PATIENCE).unwrap();
    let error = draw(&mut far, 1).err().unwrap();
    assert!(matches!(error, Error::Failed { cause: Cause::Panic, .. }), "{error:?}");
    assert_eq!(draw(&mut far, 1).unwrap().len(), 1);
    assert_eq!(starter.told(), ["worked"], "the process is whole");
    drop(far);
    process.join().unwrap();
}

#[test]
fn an_engine_whose_card_failed_says_so_and_the_next_picture_is_made_by_another() {
    let (starter, stub) = Starter::new();
    let spent = starter.real(Toy::with(|toy| toy.fails_at = Some(2)));
    let mut far = first(stub, PATIENCE).unwrap();
    let error = draw(&mut far, 1).err().unwrap();
    assert!(error.to_string().contains("the card is gone"), "{error:?}");
    // Nobody ended it: it ends by itself.
    spent.join().unwrap();
    let next = starter.real(Toy::new());
    far.wait(&|| true);
    assert_eq!(draw(&mut far, 1).unwrap().len(), 1);
    drop(far);
    next.join().unwrap();
}

/// What an engine may say in place of its next piece, after so many right ones.
struct Lie {
    name: &'static str,
    after: usize,
    tell: fn(&mut Line, &mut UnixStream, u64),
    says: &'static str,
}

const LIES: [Lie; 15] = {
    const fn lie(name: &'static str, after: usize, tell: fn(&mut Line, &mut UnixStream, u64)) -> Lie {
        Lie { name, after, tell, says: "makes no sense" }
    }
    fn head(fields: u32, pixels: u32, number: u64) -> Vec<u8> {
        [&fields.to_le_bytes()[..], &pixels.to_le_bytes(), &number.to_le_bytes()].concat()
    }
    fn picture(width: u32, height: u32) -> Pixels {
        Pixels { width, height, rgb: vec![0; (3 * width * height) as usize] }
    }
    fn say(work: &mut Line, number: u64, answer: Answer) {
        work.tell(number, &answer).unwrap();
    }
    [
        Lie { says: "ended", ..lie("ends", 0, |_, raw, _| raw.shutdown(std::net::Shutdown::Both).unwrap()) },
        Lie {
            says: "ended",
            ..lie("ends in the middle of a message", 1, |_, raw, number| {
                raw.write_all(&head(9, 0, number)).unwrap();
                raw.shutdown(std::net::Shutdown::Both).unwrap();
            })
        },
        lie("garbage", 0, |_, raw, _| raw.write_all(&[0xa5; 64]).unwrap()),
        lie("fields without end", 1, |_, raw, number| raw.write_all(&head(u32::MAX, 0, number)).unwrap()),
        lie("pixels without end", 2, |_, raw, number| raw.write_all(&head(9, u32::MAX, number)).unwrap()),
        lie("an answer to another question", 1, |work, _, number| {
            say(work, number + 1, Answer::Progress(Progress::Step { preview: None }));
        }),
        lie("an answer to an earlier question", 1, |work, _, number| {
            say(work, number - 1, Answer::Progress(Progress::Step { preview: None }));
        }),
        lie("an answer of another kind", 1, |work, _, number| say(work, number, Answer::Begun)),
        lie("a greeting in the middle", 1, |work, _, number| say(work, number, Answer::Greeting(greeting()))),
        lie("a picture before its steps", 1, |work, _, number| {
            say(work, number, Answer::Progress(Progress::Picture(picture(4, 2))));
        }),
        lie("a step too many", 3, |work, _, number| {
            say(work, number, Answer::Progress(Progress::Step { preview: None }));
        }),
        lie("a smaller picture", 3, |work, _, number| {
            say(work, number, Answer::Progress(Progress::Picture(picture(2, 2))));
        }),
        lie("a picture with its sides changed", 3, |work, _, number| {
            say(work, number, Answer::Progress(Progress::Picture(picture(2, 4))));
        }),
        lie("a preview that nobody wants", 1, |work, _, number| {
            say(work, number, Answer::Progress(Progress::Step { preview: Some(picture(1, 1)) }));
        }),
        lie("an end that nobody wants", 1, |work, _, number| {
            let error = Error::Failed { cause: Cause::Cancelled, text: String::new() };
            say(work, number, Answer::Error(error));
        }),
    ]
};

#[test]
fn whoever_lies_is_ended_and_the_next_one_works() {
    for Lie { name, after, tell, says } in LIES {
        let (starter, stub) = Starter::new();
        let liar = starter.scripted(move |mut work, mut raw, _checks| {
            let mut pieces = toy::pieces(&toy::settings(1)).into_iter().take(after);
            let (number, _) = work.question().unwrap().unwrap();
            work.tell(number, &Answer::Begun).unwrap();
            while let Ok(Some((number, _))) = work.question() {
                match pieces.next() {
                    Some(piece) => work.tell(number, &Answer::Progress(piece)).unwrap(),
                    None => tell(&mut work, &mut raw, number),
                }
            }
        });
        let mut far = first(stub, PATIENCE).unwrap();
        far.begin(&prepared(1)).unwrap();
        for piece in 0..after {
            assert!(far.next(GO_ON).is_ok(), "{name}: piece {piece}");
        }
        is_gone(&far.next(GO_ON).err().expect(name), says);
        assert_eq!(starter.told(), ["replace"], "{name}");
        assert!(matches!(far.next(Command::End), Err(Error::Failed { cause: Cause::Cancelled, .. })));
        let next = starter.real(Toy::new());
        assert_eq!(draw(&mut far, 1).unwrap().len(), 1, "{name}");
        assert_eq!(starter.told(), ["worked"], "{name}");
        drop(far);
        liar.join().unwrap();
        next.join().unwrap();
    }
}

/// What a liar says to a question's number.
type LieToCheck = fn(&mut Line, u64);

#[test]
fn whoever_lies_to_a_check_is_ended() {
    let lies: [(&str, LieToCheck); 3] = [
        ("other settings", |checks, number| {
            let other = toy::prepared(&toy::settings(3));
            checks.tell(number, &Answer::Prepared(other)).unwrap();
        }),
        ("an answer of another kind", |checks, number| checks.tell(number, &Answer::Alive).unwrap()),
        ("an answer to another question", |checks, number| {
            checks.tell(number + 1, &Answer::Prepared(prepared(1))).unwrap();
        }),
    ];
    for (name, tell) in lies {
        let (starter, stub) = Starter::new();
        let liar = starter.scripted(move |work, _, mut checks| {
            let (number, _) = checks.question().unwrap().unwrap();
            tell(&mut checks, number);
            assert!(matches!(checks.question(), Ok(None)));
            drop(work);
        });
        let mut far = first(stub, PATIENCE).unwrap();
        let error = far.checker().check(&toy::recipe("a cat", 1)).err().expect(name);
        is_gone(&error, "makes no sense");
        assert_eq!(starter.told(), ["replace"], "{name}");
        liar.join().unwrap();
        let next = starter.real(Toy::new());
        assert!(far.checker().check(&toy::recipe("a cat", 1)).is_ok(), "{name}");
        assert_eq!(draw(&mut far, 1).unwrap().len(), 1, "{name}");
        drop(far);
        next.join().unwrap();
    }
}

#[test]
fn silence_ends_it_and_long_work_does_not() {
    let short = Patience { wait: Duration::from_millis(400), ..PATIENCE };
    let (starter, stub) = Starter::new();
    // Its first piece comes when it has been asked three times whether it is there; then it says nothing.
    let silent = starter.scripted(|mut work, _, mut checks| {
        let (number, _) = work.question().unwrap().unwrap();
        work.tell(number, &Answer::Begun).unwrap();
        let (number, _) = work.question().unwrap().unwrap();
        for _ in 0..3 {
            let (alive, question) = checks.question().unwrap().unwrap();
            assert!(matches!(question, Question::Alive));
            checks.tell(alive, &Answer::Alive).unwrap();
        }
        work.tell(number, &Answer::Progress(Progress::Prompts)).unwrap();
        assert!(matches!(work.question(), Ok(Some(_))));
        assert!(matches!(work.question(), Ok(None)), "nobody listens any more");
    });
    let mut far = first(stub, short).unwrap();
    far.begin(&prepared(1)).unwrap();
    assert!(matches!(far.next(GO_ON), Ok(Progress::Prompts)));
    is_gone(&far.next(GO_ON).err().unwrap(), "answered no more");
    assert_eq!(starter.told(), ["replace"]);
    silent.join().unwrap();
}

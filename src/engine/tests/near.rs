//! The engine's own process, asked by hand.

use super::starter::{GO_ON, prepared};
use super::toy::{self, Toy};
use crate::line::{Fault, Line};
use crate::near::Near;
use crate::wire::{Answer, Ask, Question};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::channel;
use std::thread;

#[test]
fn a_process_hears_that_nobody_asks_any_more_while_it_computes() {
    let ((work, far_work), (checks, far_checks)) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
    let (gone, heard) = channel();
    let process = thread::spawn(move || {
        // Its piece ends when it has heard of it.
        let mut engine = Toy::with(|toy| toy.waits_for = Some(heard));
        let near = Near::new(work, checks).unwrap();
        near.answer(&mut engine, move || gone.send(()).unwrap()).unwrap();
    });
    let mut work = Line::new(far_work, None).unwrap();
    assert!(matches!(work.answer(0, 0, || Ok(())), Ok(Answer::Ready(_))));
    let number = work.ask(Ask::Begin(&prepared(1))).unwrap();
    assert!(matches!(work.answer(number, 0, || Ok(())), Ok(Answer::Begun)));
    work.ask(Ask::Next(GO_ON)).unwrap();
    drop((work, far_checks));
    process.join().unwrap();
}

#[test]
fn questions_that_make_no_sense_end_a_process() {
    let wrong: [(bool, Question); 3] = [
        (true, Question::Alive),
        (true, Question::Check(toy::recipe("a cat", 1))),
        (false, Question::Next(GO_ON)),
    ];
    for (on_work, question) in wrong {
        let ((work, far_work), (checks, far_checks)) =
            (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
        let process = thread::spawn(move || Near::new(work, checks).unwrap().answer(&mut Toy::new(), || {}));
        let mut lines = [far_work, far_checks].map(|stream| Line::new(stream, None).unwrap());
        assert!(matches!(lines[0].answer(0, 0, || Ok(())), Ok(Answer::Ready(_))));
        let line = &mut lines[usize::from(!on_work)];
        let number = line.ask(question.ask()).unwrap();
        assert!(matches!(line.answer(number, 0, || Ok(())), Err(Fault::Ended)));
        drop(lines);
        assert_eq!(process.join().unwrap().is_err(), on_work);
    }
}

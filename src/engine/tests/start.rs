//! An engine's start, the first and those after it.

use super::starter::{PATIENCE, Starter, draw, first, greeting, is_gone};
use super::toy::{self, Toy};
use crate::line::Line;
use crate::supply::{NoEngine, Patience};
use crate::wire::{Answer, Greeting, Unready};
use crate::{Engine as _, Model};
use std::time::Duration;

#[test]
fn a_start_that_fails_says_why() {
    let other = |change: fn(&mut Greeting)| {
        let mut greeting = greeting();
        change(&mut greeting);
        Answer::Greeting(greeting)
    };
    let model = |change: fn(&mut Model)| {
        let mut model = toy::model();
        change(&mut model);
        Answer::Ready(model)
    };
    let unready = || Answer::NotReady { why: Unready::Missing, text: "it is not there".into() };
    let greeting = || Answer::Greeting(greeting());
    let starts = [
        (vec![], "ended"),
        (vec![greeting()], "ended"),
        (vec![other(|greeting| greeting.build[0] = 9)], "another build"),
        (vec![other(|greeting| greeting.fenced.plan[0] = 9)], "another policy"),
        (vec![model(|_| ())], "makes no sense"),
        (vec![unready()], "makes no sense"),
        (vec![greeting(), greeting()], "makes no sense"),
        (vec![greeting(), unready()], "Missing: it is not there"),
        (vec![greeting(), model(|model| model.side_px_default = 0)], "makes no sense"),
        (vec![greeting(), model(|model| model.side_px_max = 1 << 20)], "makes no sense"),
        (vec![greeting(), model(|model| model.steps_default = 0)], "makes no sense"),
    ];
    for (says, wanted) in starts {
        let (starter, stub) = Starter::new();
        let (work, _checks) = starter.sockets();
        let mut work = Line::new(work, None).unwrap();
        says.iter().for_each(|answer| work.tell(0, answer).unwrap());
        drop(work);
        let found = match first(stub, PATIENCE).err().expect(wanted) {
            NoEngine::Gone(text) => text,
            NoEngine::Unwanted => String::from("unwanted"),
            NoEngine::Unready { why, text } => format!("{why:?}: {text}"),
        };
        assert!(found.contains(wanted), "{found}, not {wanted}");
    }
    let (starter, stub) = Starter::new();
    drop(starter);
    assert!(matches!(first(stub, PATIENCE), Err(NoEngine::Gone(text)) if text == "there are no more"));
}

#[test]
fn a_later_engine_that_does_not_start_is_followed_by_another() {
    let (starter, stub) = Starter::new();
    starter.scripted(|_, _, _| {}).join().unwrap();
    let mut far = first(stub, PATIENCE).unwrap();
    is_gone(&draw(&mut far, 1).err().unwrap(), "ended");
    drop(starter.sockets());
    let process = starter.real(Toy::new());
    assert_eq!(draw(&mut far, 1).unwrap().len(), 1);
    assert_eq!(starter.told(), ["replace", "replace", "worked"]);
    drop(far);
    process.join().unwrap();
}

#[test]
fn one_that_ends_while_nobody_asks_costs_no_work() {
    let (starter, stub) = Starter::new();
    starter.scripted(|_, _, _| {}).join().unwrap();
    let mut far = first(stub, PATIENCE).unwrap();
    let process = starter.real(Toy::new());
    assert_eq!(far.renewed(), None, "the first one's greeting was given at the start");
    far.wait(&|| true);
    assert_eq!((far.renewed(), far.renewed()), (Some(greeting().fenced), None));
    assert_eq!(draw(&mut far, 1).unwrap().len(), 1);
    drop(far);
    process.join().unwrap();

    let (starter, stub) = Starter::new();
    starter.scripted(|_, _, _| {}).join().unwrap();
    let far = first(stub, PATIENCE).unwrap();
    let process = starter.real(Toy::new());
    assert!(far.checker().check(&toy::recipe("a cat", 1)).is_ok());
    assert_eq!(starter.told(), ["replace"]);
    drop(far);
    process.join().unwrap();
}

#[test]
fn a_later_engine_has_the_model_of_the_first() {
    let (starter, stub) = Starter::new();
    starter.scripted(|_, _, _| {}).join().unwrap();
    let mut far = first(stub, PATIENCE).unwrap();
    is_gone(&draw(&mut far, 1).err().unwrap(), "ended");
    let (work, _checks) = starter.sockets();
    let mut work = Line::new(work, None).unwrap();
    work.tell(0, &Answer::Greeting(greeting())).unwrap();
    work.tell(0, &Answer::Ready(Model { digest: [9; 32], ..toy::model() })).unwrap();
    for _ in 0..2 {
        is_gone(&draw(&mut far, 1).err().unwrap(), "files were changed");
        is_gone(&far.checker().check(&toy::recipe("a cat", 1)).err().unwrap(), "files were changed");
    }
    assert_eq!(starter.told(), ["replace", "replace"]);
}

#[test]
fn when_there_are_no_more_each_work_is_told_why() {
    let (starter, stub) = Starter::new();
    starter.scripted(|_, _, _| {}).join().unwrap();
    let mut far = first(stub, PATIENCE).unwrap();
    is_gone(&draw(&mut far, 1).err().unwrap(), "ended");
    drop(starter);
    far.wait(&|| true);
    for _ in 0..2 {
        is_gone(&draw(&mut far, 1).err().unwrap(), "there are no more");
        is_gone(&far.checker().check(&toy::recipe("a cat", 1)).err().unwrap(), "there are no more");
    }
}

#[test]
fn nobody_waits_for_an_engine_longer_than_it_is_wanted() {
    let (starter, stub) = Starter::new();
    starter.scripted(|_, _, _| {}).join().unwrap();
    let mut far = first(stub, Patience { check: Duration::ZERO, ..PATIENCE }).unwrap();
    is_gone(&draw(&mut far, 1).err().unwrap(), "ended");
    far.wait(&|| false);
    is_gone(&draw(&mut far, 1).err().unwrap(), "being started");
    let process = starter.real(Toy::new());
    far.wait(&|| true);
    assert_eq!(draw(&mut far, 1).unwrap().len(), 1);
    drop(far);
    process.join().unwrap();
}

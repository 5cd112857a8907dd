//! Requests that wait, and what else goes on meanwhile.

use super::*;
use crate::{Job, JobState, Queue, Rules};
use audit::words::StopReason;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

const WAITING_MAX: usize = 2;

/// A queue whose engine takes a step whenever the test says so.
fn queue(home: &Home, mood: Mood) -> (Queue, Sender<()>) {
    let (step, steps) = channel();
    let engine = TestEngine { steps: Some(steps), ..TestEngine::new(mood) };
    let rules = Rules { limits: limits(), keep_prompts: KeepPrompts::Allow, waiting_max: WAITING_MAX };
    (Queue::start(home.unlocked(), Box::new(engine), rules, || ()).unwrap(), step)
}

fn ask() -> Ask {
    Ask { prompt: zeroize::Zeroizing::new(b"a canary in a mine".to_vec()), ..Ask::default() }
}

/// Takes the two steps of a picture.
fn picture(step: &Sender<()>) {
    step.send(()).unwrap();
    step.send(()).unwrap();
}

#[track_caller]
fn wait(queue: &Queue, id: audit::Job, what: impl Fn(&Job) -> bool) -> Job {
    let started = Instant::now();
    loop {
        let job = queue.job(id).unwrap();
        if what(&job) {
            return job;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", job.state);
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[track_caller]
fn wait_for(queue: &Queue, id: audit::Job, state: JobState) -> Job {
    wait(queue, id, |job| job.state == state)
}

fn count(queue: &Queue) -> usize {
    queue.with(|darkroom| darkroom.list()).unwrap().len()
}

#[test]
fn an_accepted_request_is_on_record_before_it_is_answered() {
    let home = Home::new();
    let (queue, step) = queue(&home, Mood::Works);
    let first = queue.submit(ask(), None).unwrap();
    let second = queue.submit(ask(), None).unwrap();
    assert_eq!(home.count("generate.requested"), 2);
    assert_eq!(second.ahead, 1);
    wait_for(&queue, first.id, JobState::Running);
    // The darkroom is free while the engine works.
    assert_eq!(count(&queue), 0);
    picture(&step);
    let done = wait_for(&queue, first.id, JobState::Done);
    assert_eq!(done.images.len(), 1);
    assert!(done.version > first.version);
    picture(&step);
    wait_for(&queue, second.id, JobState::Done);
    assert_eq!((count(&queue), home.count("generate.finished")), (2, 2));
    queue.close(StopReason::Done).unwrap();
    assert!(matches!(queue.submit(ask(), None), Err(Error::Stopping)));
    home.log_verifies();
}

#[test]
fn a_full_queue_refuses_on_record() {
    let home = Home::new();
    let (queue, step) = queue(&home, Mood::Works);
    let first = queue.submit(ask(), None).unwrap();
    wait_for(&queue, first.id, JobState::Running);
    for _ in 0..WAITING_MAX {
        queue.submit(ask(), None).unwrap();
    }
    let error = queue.submit(ask(), None).err().unwrap();
    assert!(matches!(error, Error::QueueFull { waiting: WAITING_MAX }), "{error}");
    assert!(home.records().iter().any(|(_, line)| line.contains("reason=busy")));
    drop(step);
    queue.close(StopReason::Done).unwrap();
}

#[test]
fn asking_twice_with_one_key_makes_it_once() {
    let home = Home::new();
    let (queue, step) = queue(&home, Mood::Works);
    let first = queue.submit(ask(), Some("click".into())).unwrap();
    assert_eq!(queue.submit(ask(), Some("click".into())).unwrap().id, first.id);
    assert_ne!(queue.submit(ask(), Some("another".into())).unwrap().id, first.id);
    drop(step);
    queue.close(StopReason::Done).unwrap();
    assert_eq!(home.count("generate.requested"), 2);
}

#[test]
fn waiting_and_running_requests_can_be_cancelled() {
    let home = Home::new();
    let (queue, step) = queue(&home, Mood::Works);
    let first = queue.submit(ask(), None).unwrap();
    let second = queue.submit(ask(), None).unwrap();
    wait_for(&queue, first.id, JobState::Running);
    assert_eq!(queue.cancel(second.id).unwrap().state, JobState::Cancelled);
    queue.cancel(first.id).unwrap();
    step.send(()).unwrap();
    wait_for(&queue, first.id, JobState::Cancelled);
    assert!(matches!(queue.cancel(first.id), Err(Error::JobEnded)));
    assert_eq!(home.records().iter().filter(|(_, line)| line.contains("reason=cancelled")).count(), 2);
    assert_eq!(count(&queue), 0);
    queue.close(StopReason::Done).unwrap();
}

#[test]
fn what_is_in_work_when_the_vault_is_locked_is_never_sealed() {
    let home = Home::new();
    let (queue, step) = queue(&home, Mood::Works);
    let first = queue.submit(ask(), None).unwrap();
    queue.submit(ask(), None).unwrap();
    // Its last step is done and the answer to it given, when the lock falls.
    step.send(()).unwrap();
    wait(&queue, first.id, |job| job.step == 1);
    queue.lock().unwrap();
    assert!(matches!(queue.with(|darkroom| darkroom.list()), Err(Error::Locked)));
    // Unlocked again before the engine notices: it is another opening.
    queue.unlock(&secret()).unwrap();
    step.send(()).unwrap();
    wait_for(&queue, first.id, JobState::Cancelled);
    assert_eq!((count(&queue), home.count("object.created")), (0, 0));
    assert_eq!(home.records().iter().filter(|(_, line)| line.contains("reason=cancelled")).count(), 2);
    queue.close(StopReason::Done).unwrap();
    home.log_verifies();
}

#[test]
fn an_idle_lock_lets_the_requests_finish() {
    let home = Home::new();
    let (queue, step) = queue(&home, Mood::Works);
    let job = queue.submit(ask(), None).unwrap();
    queue.lock_when_empty();
    wait_for(&queue, job.id, JobState::Running);
    assert!(queue.with(|darkroom| Ok(darkroom.is_open())).unwrap());
    picture(&step);
    wait_for(&queue, job.id, JobState::Done);
    let started = Instant::now();
    while queue.with(|darkroom| Ok(darkroom.is_open())).unwrap() {
        assert!(started.elapsed() < Duration::from_secs(30), "it stays open");
        std::thread::sleep(Duration::from_millis(1));
    }
    queue.unlock(&secret()).unwrap();
    assert_eq!(count(&queue), 1);
    queue.close(StopReason::Done).unwrap();
}

#[test]
fn stopping_fails_the_requests_on_record() {
    let home = Home::new();
    let (queue, step) = queue(&home, Mood::Works);
    let first = queue.submit(ask(), None).unwrap();
    queue.submit(ask(), None).unwrap();
    wait_for(&queue, first.id, JobState::Running);
    step.send(()).unwrap();
    step.send(()).unwrap();
    queue.close(StopReason::Signal).unwrap();
    let failed = home.records().iter().filter(|(_, line)| line.contains("reason=shutdown")).count();
    assert_eq!(failed + home.count("generate.finished"), 2);
    assert_eq!(home.records().last().unwrap().0, "boot.stopped");
    let mut darkroom = home.unlocked();
    assert_eq!(home.count("recovery.reconciled"), 0, "an intent was left open");
    assert!(darkroom.verify().unwrap().is_sound());
}

#[test]
fn a_panic_or_a_refusal_of_the_engine_costs_one_request() {
    for (mood, word) in [(Mood::Panics, "reason=engine_panic"), (Mood::Refuses, "reason=refused")] {
        let home = Home::new();
        let (queue, step) = queue(&home, mood);
        for _ in 0..2 {
            let job = queue.submit(ask(), None).unwrap();
            picture(&step);
            let failed = wait_for(&queue, job.id, JobState::Failed);
            assert!(!failed.error.unwrap().to_string().contains("canary"));
        }
        assert_eq!(home.records().iter().filter(|(_, line)| line.contains(word)).count(), 2);
        queue.close(StopReason::Done).unwrap();
        home.log_verifies();
    }
}

#[test]
fn previews_are_made_while_somebody_watches() {
    let home = Home::new();
    let (queue, step) = queue(&home, Mood::Works);
    for watched in [false, true] {
        let watch = watched.then(|| queue.watch());
        let job = queue.submit(ask(), None).unwrap();
        step.send(()).unwrap();
        let seen = wait(&queue, job.id, |job| job.step == 1);
        assert_eq!((seen.preview > 0, queue.preview(job.id).is_ok()), (watched, watched));
        step.send(()).unwrap();
        wait_for(&queue, job.id, JobState::Done);
        assert!(queue.preview(job.id).is_err(), "a preview outlives its request");
        drop(watch);
    }
    queue.close(StopReason::Done).unwrap();
}

#[test]
fn an_act_that_panics_ends_all_acts() {
    let home = Home::new();
    let (queue, _step) = queue(&home, Mood::Works);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = queue.with::<()>(|_| panic!("in the middle of an act"));
    }));
    assert!(panicked.is_err());
    assert!(matches!(queue.submit(ask(), None), Err(Error::Broken)));
}

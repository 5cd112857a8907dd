//! Requests that wait, and what else goes on meanwhile.

use super::*;
use crate::{Job, JobState, Kind, Name};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

const WAITING_MAX: usize = 2;

/// A queue whose engine takes a step whenever the test says so, and who asks it.
struct Desk {
    queue: Queue,
    who: Who,
}

fn queue(home: &Home, mood: Mood) -> (Desk, Sender<()>) {
    let (step, steps) = channel();
    let engine = TestEngine { steps: Some(Mutex::new(steps)), ..TestEngine::new(mood) };
    let mut room = home.unlocked();
    let darkroom = room.darkroom.take().unwrap();
    (Desk { queue: Queue::start(darkroom, Box::new(engine), rules(), || ()).unwrap(), who: room.who }, step)
}

impl Desk {
    fn submit(&self, ask: Ask, name: Option<Name>) -> Result<Job, Error> {
        let checked = self.check(Some(&self.who), ask)?;
        self.queue.submit(&self.who, checked, name)
    }
}

impl Deref for Desk {
    type Target = Queue;

    fn deref(&self) -> &Queue {
        &self.queue
    }
}

fn ask() -> Ask {
    super::ask(1)
}

fn name(text: &str, asked: u8) -> Option<Name> {
    Some(Name { text: text.into(), asked: [asked; 32] })
}

/// Takes the two steps of a picture.
fn picture(step: &Sender<()>) {
    step.send(()).unwrap();
    step.send(()).unwrap();
}

#[track_caller]
fn wait(queue: &Desk, id: audit::JobId, what: impl Fn(&Job) -> bool) -> Job {
    let started = Instant::now();
    loop {
        let job = queue.job(&queue.who, id).unwrap();
        if what(&job) {
            return job;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", job.state);
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[track_caller]
fn wait_for(queue: &Desk, id: audit::JobId, state: JobState) -> Job {
    wait(queue, id, |job| job.state == state)
}

fn count(queue: &Desk) -> usize {
    queue.with(|darkroom| darkroom.list(&queue.who)).unwrap().len()
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
    let first = queue.submit(ask(), name("click", 1)).unwrap();
    assert_eq!(queue.submit(ask(), name("click", 1)).unwrap().id, first.id);
    assert_ne!(queue.submit(ask(), name("another", 1)).unwrap().id, first.id);
    // The same name for something else is a mistake, not a repetition.
    assert!(matches!(queue.submit(ask(), name("click", 2)), Err(Error::KeyReused)));
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
    assert_eq!(queue.cancel(&queue.who, second.id).unwrap().state, JobState::Cancelled);
    queue.cancel(&queue.who, first.id).unwrap();
    step.send(()).unwrap();
    wait_for(&queue, first.id, JobState::Cancelled);
    assert!(matches!(queue.cancel(&queue.who, first.id), Err(Error::JobEnded)));
    assert_eq!(home.records().iter().filter(|(_, line)| line.contains("reason=cancelled")).count(), 2);
    assert_eq!(count(&queue), 0);
    queue.close(StopReason::Done).unwrap();
}

#[test]
fn what_is_in_work_when_the_vault_is_locked_is_never_sealed() {
    let home = Home::new();
    let (mut queue, step) = queue(&home, Mood::Works);
    let first = queue.submit(ask(), None).unwrap();
    queue.submit(ask(), None).unwrap();
    // Its last step is done and the answer to it given, when the lock falls.
    step.send(()).unwrap();
    wait(&queue, first.id, |job| job.step == 1);
    queue.lock(&queue.who).unwrap();
    assert!(matches!(queue.with(|darkroom| darkroom.list(&queue.who)), Err(Error::Locked)));
    // Unlocked again before the engine notices: it is another opening.
    queue.who = queue.unlock(&secret(), Door::Page).unwrap();
    step.send(()).unwrap();
    wait_for(&queue, first.id, JobState::Cancelled);
    assert_eq!((count(&queue), home.count("object.sealed")), (0, 0));
    assert_eq!(home.records().iter().filter(|(_, line)| line.contains("reason=cancelled")).count(), 2);
    queue.close(StopReason::Done).unwrap();
    home.log_verifies();
}

#[test]
fn an_idle_lock_lets_the_requests_finish() {
    let home = Home::new();
    let (mut queue, step) = queue(&home, Mood::Works);
    let job = queue.submit(ask(), None).unwrap();
    queue.lock_when_empty();
    wait_for(&queue, job.id, JobState::Running);
    assert!(queue.with(|darkroom| Ok(darkroom.is_open())).unwrap());
    picture(&step);
    let started = Instant::now();
    while queue.with(|darkroom| Ok(darkroom.is_open())).unwrap() {
        assert!(started.elapsed() < Duration::from_secs(30), "it stays open");
        std::thread::sleep(Duration::from_millis(1));
    }
    queue.who = queue.unlock(&secret(), Door::Page).unwrap();
    assert_eq!((queue.job(&queue.who, job.id).unwrap().state, count(&queue)), (JobState::Done, 1));
    queue.close(StopReason::Done).unwrap();
}

#[test]
fn a_lock_that_is_due_is_put_off_by_no_auditor_and_opens_to_no_token() {
    use super::people::{first, name, of};
    let home = Home::new();
    let (mut queue, step) = queue(&home, Mood::Works);
    let who = queue.who;
    let second = |darkroom: &mut crate::Darkroom| {
        darkroom.add_person_named(&who, &secret(), Some(&name("first")), &of("second"), crate::Role::Auditor)
    };
    queue.with(second).unwrap();
    queue.who = queue.unlock(&first(), Door::Page).unwrap();
    let admin = queue.who;
    let scopes = crate::Scopes::parse(["generate"]).unwrap();
    let (_, text) = queue.with(|darkroom| darkroom.make_token(&admin, scopes, 1, None)).unwrap();
    let sha256 = audit::Digest::of(text.as_bytes()).0;
    queue.enter_by_token(&sha256).unwrap();
    let job = queue.submit(ask(), None).unwrap();
    queue.lock_when_empty();
    wait_for(&queue, job.id, JobState::Running);
    queue.unlock(&of("second"), Door::Page).unwrap();
    assert!(
        matches!(queue.enter_by_token(&sha256), Err(Error::Locked)),
        "nobody is signed in for whom it asks"
    );
    picture(&step);
    let started = Instant::now();
    while queue.with(|darkroom| Ok(darkroom.is_open())).unwrap() {
        assert!(started.elapsed() < Duration::from_secs(30), "an auditor holds it open");
        std::thread::sleep(Duration::from_millis(1));
    }
    queue.who = queue.unlock(&first(), Door::Page).unwrap();
    queue.enter_by_token(&sha256).unwrap();
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
    let who = darkroom.who;
    assert_eq!(home.count("recovery.reconciled"), 0, "an intent was left open");
    assert!(darkroom.verify(&who).unwrap().is_sound());
}

#[test]
fn who_cancels_while_the_program_ends_is_not_its_reason() {
    let home = Home::new();
    let (queue, step) = queue(&home, Mood::Works);
    let jobs = [(); 2].map(|()| queue.submit(ask(), None).unwrap());
    wait_for(&queue, jobs[0].id, JobState::Running);
    queue.stop();
    assert!(matches!(queue.submit(ask(), None), Err(Error::Stopping)));
    for job in &jobs {
        queue.cancel(&queue.who, job.id).unwrap();
    }
    // The engine may have ended with the first of them.
    let _ = step.send(());
    let _ = step.send(());
    queue.close(StopReason::Signal).unwrap();
    let failed = home.records().iter().filter(|(_, line)| line.contains("reason=shutdown")).count();
    assert_eq!((failed, home.count("generate.failed")), (2, 2));
    home.log_verifies();
}

#[test]
fn a_panic_or_a_failure_of_the_engine_costs_one_request() {
    for (mood, word) in [(Mood::Panics, "reason=engine_panic"), (Mood::NonFinite, "reason=non_finite")] {
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
        assert_eq!((seen.preview > 0, queue.preview(&queue.who, job.id).is_ok()), (watched, watched));
        step.send(()).unwrap();
        wait_for(&queue, job.id, JobState::Done);
        assert!(queue.preview(&queue.who, job.id).is_err(), "a preview outlives its request");
        drop(watch);
    }
    queue.close(StopReason::Done).unwrap();
}

/// A preview is pixels, and what is asked for is somebody's.
#[test]
fn an_earlier_opening_sees_no_request_and_no_preview() {
    let home = Home::new();
    let (mut queue, step) = queue(&home, Mood::Works);
    let _watch = queue.watch();
    let id = queue.submit(ask(), None).unwrap().id;
    step.send(()).unwrap();
    wait(&queue, id, |job| job.step == 1);
    queue.preview(&queue.who, id).unwrap();
    let before = queue.who;
    let sees_nothing = |who: &Who| {
        assert!(matches!(queue.jobs(who), Err(Error::Locked)));
        assert!(matches!(queue.job(who, id), Err(Error::Locked)));
        assert!(matches!(queue.preview(who, id), Err(Error::Locked)));
    };
    sees_nothing(&Who::NOBODY);
    // The engine waits for its step: the pixels are still there.
    queue.lock(&before).unwrap();
    [before, Who::NOBODY].iter().for_each(sees_nothing);
    let now = queue.unlock(&secret(), Door::Page).unwrap();
    sees_nothing(&before);
    assert_eq!(queue.jobs(&now).unwrap().len(), 1);
    queue.who = now;
    drop(step);
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

#[test]
fn a_stop_does_not_wait_out_the_picture_in_work_though_an_act_has_panicked() {
    let home = Home::new();
    let (queue, step) = queue(&home, Mood::Works);
    const STEPS: i64 = 100;
    let job = queue.submit(Ask { steps: Some(STEPS), ..ask() }, None).unwrap();
    wait_for(&queue, job.id, JobState::Running);
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = queue.with::<()>(|_| panic!("in the middle of an act"));
    }));
    let taken = std::thread::scope(|scope| {
        let closing = scope.spawn(|| queue.close(StopReason::Signal).is_err());
        let mut taken = 0;
        while !closing.is_finished() && taken < STEPS {
            let _ = step.send(());
            taken += 1;
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(closing.join().unwrap());
        taken
    });
    assert!(taken < STEPS, "it was drawn to its end");
}

#[test]
fn a_new_recovery_code_takes_the_passphrase_once_more_and_waits_for_no_picture() {
    let home = Home::new();
    let (queue, step) = queue(&home, Mood::Works);
    let job = queue.submit(ask(), None).unwrap();
    let wrong = Secret::passphrase("wrong horse battery").unwrap();
    let error = queue.replace_recovery(&queue.who, &wrong).err().unwrap();
    assert_eq!((error.kind(), home.count("vault.unlock_failed")), (Kind::WrongSecret, 1));
    assert_eq!(home.count("vault.secret_changed"), 0);
    let first = queue.replace_recovery(&queue.who, &secret()).unwrap();
    let second = queue.replace_recovery(&queue.who, &secret()).unwrap();
    assert_eq!(home.count("vault.secret_changed"), 2);
    // What was in work meanwhile is sealed under the keys that hold now.
    picture(&step);
    wait(&queue, job.id, |job| job.state == JobState::Done);
    queue.lock(&queue.who).unwrap();
    assert_eq!(queue.replace_recovery(&queue.who, &secret()).err().unwrap().kind(), Kind::Locked);
    let opens = |code: &str| queue.unlock(&Secret::any(code).unwrap(), Door::Terminal);
    assert_eq!(opens(&first.text()).unwrap_err().kind(), Kind::WrongSecret);
    let who = opens(&second.text()).unwrap();
    assert_eq!(queue.with(|darkroom| darkroom.list(&who)).unwrap().len(), 1);
}

#[test]
fn a_prompt_is_measured_beside_the_work_and_leaves_no_record() {
    let home = Home::new();
    let (queue, _step) = queue(&home, Mood::Works);
    queue.submit(ask(), None).unwrap();
    let before = home.records().len();
    let measure = |who: &Who, text: &str| queue.measure(who, Zeroizing::new(text.as_bytes().to_vec()));
    let found = measure(&queue.who, "longer than it reads").unwrap();
    assert_eq!((found.tokens, found.tokens_max), (20, 8));
    let error = measure(&queue.who, "a\0b").err().unwrap();
    assert_eq!(error.kind(), Kind::Prompt);
    assert_eq!(measure(&Who::NOBODY, "a").err().unwrap().kind(), Kind::Locked);
    assert_eq!(home.records().len(), before);
    let home = Home::new();
    let (queue, _step) = self::queue(&home, Mood::PanicsAtOnce);
    let error = queue.measure(&queue.who, Zeroizing::new(b"canary".to_vec())).err().unwrap();
    assert!(error.kind() == Kind::Engine && !error.to_string().contains("canary"), "{error}");
}

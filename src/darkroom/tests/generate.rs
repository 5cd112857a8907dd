//! Requests and what becomes of them.

use super::*;

#[test]
fn no_answer_leaves_before_its_record() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let who = darkroom.who;
    let (step, steps) = std::sync::mpsc::channel();
    let engine = TestEngine { steps: Some(Mutex::new(steps)), ..TestEngine::new(Mood::Works) };
    let queue = Queue::start(darkroom.darkroom.take().unwrap(), Box::new(engine), rules(), || ()).unwrap();
    let checked = queue.check(Some(&who), ask(2)).unwrap();
    assert_eq!(home.count("generate.requested"), 0, "a check asks for nothing yet");
    let id = queue.submit(&who, checked, None).unwrap().id;
    assert_eq!(home.count("generate.requested"), 1);
    for answered in 1..=2 {
        step.send(()).unwrap();
        step.send(()).unwrap();
        while queue.job(&who, id).unwrap().images.len() < answered {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert!(home.count("object.sealed") >= answered);
    }
    while !queue.job(&who, id).unwrap().state.is_over() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert_eq!(home.count("generate.finished"), 1);
    darkroom.darkroom = Some(queue.into_darkroom());
    let made = darkroom.pictures();
    let seeds: Vec<u32> = made.iter().map(|p| p.metadata.as_ref().unwrap().seed).collect();
    assert_eq!(seeds, [6, 5]);
    for picture in &made {
        assert!(home.records().iter().any(|(_, l)| l.contains(&picture.pseudonym.to_string())));
    }
    home.log_verifies();
}

#[test]
fn a_panicking_engine_fails_one_job_and_no_more() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let error = generate(&mut darkroom, 1, Mood::Panics).err().unwrap();
    assert!(matches!(error, Error::EnginePanic), "{error}");
    assert!(!error.to_string().contains("canary"));
    let failed = home.records().into_iter().find(|(name, _)| name == "generate.failed").unwrap();
    assert!(failed.1.contains("reason=engine_panic"), "{}", failed.1);
    assert_eq!(generate(&mut darkroom, 1, Mood::Works).unwrap().len(), 1);
    home.log_verifies();
}

#[test]
fn a_non_finite_picture_is_never_sealed() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    generate(&mut darkroom, 1, Mood::NonFinite).err().unwrap();
    assert!(darkroom.pictures().is_empty());
    assert!(home.records().iter().any(|(_, line)| line.contains("reason=non_finite")));
}

/// Cancels a request for `count` pictures as soon as the engine tells what `at` says yes to.
fn cancelled(home: &Home, count: i64, at: fn(u32, &Progress) -> bool) -> Room {
    let mut darkroom = home.unlocked();
    let who = darkroom.who;
    // The engine tells of it and waits until the request is cancelled.
    let (told, tell) = std::sync::mpsc::channel();
    let (go, on) = std::sync::mpsc::channel();
    let on = Mutex::new(on);
    let hear = Box::new(move |steps, progress: &Progress| {
        if at(steps, progress) {
            told.send(()).unwrap();
            on.lock().unwrap().recv().unwrap();
        }
    });
    let engine = TestEngine { hear, ..TestEngine::new(Mood::Works) };
    let queue = Queue::start(darkroom.darkroom.take().unwrap(), Box::new(engine), rules(), || ()).unwrap();
    let id = queue.submit(&who, queue.check(Some(&who), ask(count)).unwrap(), None).unwrap().id;
    tell.recv().unwrap();
    queue.cancel(&who, id).unwrap();
    go.send(()).unwrap();
    while !queue.job(&who, id).unwrap().state.is_over() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert_eq!(queue.job(&who, id).unwrap().state, crate::JobState::Cancelled);
    darkroom.darkroom = Some(queue.into_darkroom());
    darkroom
}

#[test]
fn cancelling_keeps_what_is_on_record_already() {
    let home = Home::new();
    let darkroom = cancelled(&home, 3, |steps, told| steps == 3 && matches!(told, Progress::Step { .. }));
    assert_eq!(darkroom.pictures().len(), 1);
    let failed = home.records().into_iter().find(|(name, _)| name == "generate.failed").unwrap();
    assert!(failed.1.contains("reason=cancelled") && failed.1.contains("images=1"), "{}", failed.1);
}

#[test]
fn cancelling_while_it_is_decoded_means_this_picture() {
    let home = Home::new();
    let darkroom = cancelled(&home, 1, |_, told| matches!(told, Progress::Picture(_)));
    assert!(darkroom.pictures().is_empty());
    assert!(home.records().iter().any(|(_, line)| line.contains("reason=cancelled")));
}

#[test]
fn who_cancels_while_the_prompts_are_read_costs_no_step() {
    let home = Home::new();
    let darkroom = cancelled(&home, 1, |steps, told| {
        assert_eq!(steps, 0, "a step was computed");
        matches!(told, Progress::Prompts)
    });
    assert!(darkroom.pictures().is_empty());
    let failed = home.records().into_iter().find(|(name, _)| name == "generate.failed").unwrap();
    assert!(failed.1.contains("reason=cancelled") && failed.1.contains("images=0"), "{}", failed.1);
}

#[test]
fn however_a_request_ends_the_engine_holds_nothing_of_it() {
    let crash = |after| move || crash_at(after, 1);
    let ends: [(Mood, i64, &dyn Fn()); 5] = [
        (Mood::Works, 2, &|| ()),
        (Mood::Panics, 2, &|| ()),
        (Mood::NonFinite, 2, &|| ()),
        // These fail on our side of the seam, with a picture still to come.
        (Mood::Works, 2, &crash(After::Picture)),
        (Mood::Works, 2, &crash(After::Recorded)),
    ];
    for (i, (mood, count, arrange)) in ends.into_iter().enumerate() {
        let home = Home::new();
        let mut darkroom = home.unlocked();
        let engine = TestEngine::new(mood);
        let held = Arc::downgrade(&engine.held);
        arrange();
        let made = queued(&mut darkroom, ask(count), engine, |_| {
            // The engine's own handle is the one that is left.
            assert_eq!(held.strong_count(), 1, "case {i}");
        });
        assert_eq!(made.is_ok(), i == 0, "case {i}");
    }
}

#[test]
fn what_the_engine_refuses_is_on_record_and_costs_no_work() {
    for (mood, word) in [(Mood::Refuses, "reason=prompt_length"), (Mood::PanicsAtOnce, "reason=engine")] {
        let home = Home::new();
        let mut darkroom = home.unlocked();
        let engine = TestEngine::new(mood);
        let calls = Arc::clone(&engine.calls);
        let error = generate_with(&mut darkroom, ask(1), engine).err().unwrap();
        assert!(!error.to_string().contains("canary"));
        assert_eq!(calls.load(Ordering::Relaxed), 0);
        let refused: Vec<_> = home.records().into_iter().filter(|(n, _)| n == "request.refused").collect();
        assert!(refused.len() == 1 && refused[0].1.contains(word), "{refused:?}");
        assert_eq!(home.count("generate.requested"), 0);
        // The next one goes on.
        assert_eq!(generate(&mut darkroom, 1, Mood::Works).unwrap().len(), 1);
    }
}

#[test]
fn a_locked_vault_makes_no_picture() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    darkroom.lock(None).unwrap();
    assert!(matches!(generate(&mut darkroom, 1, Mood::Works), Err(Error::Locked)));
    assert_eq!(home.count("generate.requested"), 0);
    // Nor does another opening of it carry out what somebody of an earlier one asks for.
    let earlier = darkroom.who;
    darkroom.unlock_as(&secret()).unwrap();
    darkroom.who = earlier;
    assert!(matches!(generate(&mut darkroom, 1, Mood::Works), Err(Error::Locked)));
    assert_eq!(home.count("generate.requested"), 0);
}

#[test]
fn the_prompt_is_sealed_only_on_request_and_logged_never() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let kept = Ask { remember_prompt: true, ..ask(1) };
    generate_with(&mut darkroom, kept, TestEngine::new(Mood::Works)).unwrap();
    generate(&mut darkroom, 1, Mood::Works).unwrap();
    let prompts: Vec<_> =
        darkroom.pictures().iter().map(|p| p.metadata.as_ref().unwrap().prompt.clone()).collect();
    assert_eq!(prompts, [None, Some("a canary in a mine".to_owned())]);
    assert!(!home.records().iter().any(|(_, line)| line.contains("canary")));
}

#[test]
fn requests_beyond_a_limit_are_refused_with_its_word() {
    use audit::words::RequestRefusal as R;
    let model = TestEngine::new(Mood::Works).model;
    let check = |ask: Ask, keep, want: R| {
        let Err(refusal) = Request::parse(ask, &limits(), keep, &model, 0) else { panic!("{want:?}") };
        assert_eq!(refusal.reason, want, "{refusal}");
    };
    let text = |bytes: &[u8]| zeroize::Zeroizing::new(bytes.to_vec());
    let ask = || Ask { prompt: text(b"x"), ..Ask::default() };
    let allow = KeepPrompts::Allow;
    check(Ask { prompt: text(b" \n"), ..ask() }, allow, R::PromptEmpty);
    check(Ask { prompt: text(&[b'a'; 1001]), ..ask() }, allow, R::PromptLength);
    check(Ask { prompt: text(b"a\xFFb"), ..ask() }, allow, R::PromptEncoding);
    check(Ask { prompt: text(b"a\0b"), ..ask() }, allow, R::PromptEncoding);
    let negative = |bytes, guidance| Ask { negative_prompt: Some(text(bytes)), guidance, ..ask() };
    check(negative(b"a\0b", Some(1.0)), allow, R::PromptEncoding);
    // Where it has no effect it is no reason to refuse.
    for guidance in [None, Some(0.0)] {
        let unused = Request::parse(negative(b"a\0b", guidance), &limits(), allow, &model, 0);
        assert_eq!(unused.map(|request| request.recipe.negative_prompt.len()).ok(), Some(0));
    }
    for side in [0, 8, 17, 2064, -16, i64::MAX, i64::MIN] {
        check(Ask { size: Some((side, 64)), ..ask() }, allow, R::Size);
        check(Ask { size: Some((64, side)), ..ask() }, allow, R::Size);
    }
    for steps in [0, 101, 1000, -1] {
        check(Ask { steps: Some(steps), ..ask() }, allow, R::Steps);
    }
    for guidance in [-0.1, 0.0004, 1.23456, 2.0001, 0.1 + 0.2, 99.9999, 100.1, f64::NAN, f64::INFINITY] {
        check(Ask { guidance: Some(guidance), ..ask() }, allow, R::Parameter);
    }
    // Whatever has three decimals is taken as it is.
    for milli in 0..=100_000 {
        let guidance: f64 = format!("{}.{:03}", milli / 1000, milli % 1000).parse().unwrap();
        let asked = Ask { guidance: Some(guidance), ..ask() };
        let Ok(request) = Request::parse(asked, &limits(), allow, &model, 0) else { panic!("{guidance}") };
        assert_eq!(request.recipe.settings.guidance_milli, milli);
    }
    for count in [0, 5, -1, i64::MAX] {
        check(Ask { count: Some(count), ..ask() }, allow, R::Parameter);
    }
    for seed in [-1, 1 << 32, i64::MAX] {
        check(Ask { seed: Some(seed), ..ask() }, allow, R::Seed);
    }
    check(Ask { seed: Some(u32::MAX.into()), count: Some(2), ..ask() }, allow, R::Seed);
    check(Ask { remember_prompt: true, ..ask() }, KeepPrompts::Never, R::Policy);
    // The largest of everything is allowed, and a drawn seed leaves room for its followers.
    let most =
        Ask { size: Some((2048, 16)), steps: Some(100), count: Some(4), guidance: Some(100.0), ..ask() };
    let Ok(request) = Request::parse(most, &limits(), allow, &model, u32::MAX) else { panic!("refused") };
    assert_eq!(request.recipe.settings.seeds.last(), Some(&u32::MAX));
}

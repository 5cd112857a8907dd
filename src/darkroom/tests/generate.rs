//! Requests and what becomes of them.

use super::*;

#[test]
fn no_answer_leaves_before_its_record() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let mut engine = TestEngine::new(Mood::Works);
    let mut answered = 0;
    let made = darkroom
        .generate(&request(2), &mut engine, &mut |news| {
            match news {
                News::Step { .. } | News::Made => assert_eq!(home.count("generate.requested"), 1),
                News::Sealed(summary) => {
                    answered += 1;
                    assert_eq!(home.count("object.created"), answered);
                    let on_record =
                        home.records().iter().any(|(_, l)| l.contains(&summary.pseudonym.to_string()));
                    assert!(on_record);
                }
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(made.len(), 2);
    assert_eq!(home.count("generate.finished"), 1);
    assert_eq!(made[1].metadata.as_ref().unwrap().seed, 6);
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
    assert!(darkroom.list().unwrap().is_empty());
    assert!(home.records().iter().any(|(_, line)| line.contains("reason=non_finite")));
}

#[test]
fn cancelling_keeps_what_is_on_record_already() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let mut engine = TestEngine::new(Mood::Works);
    let cancel_at_second = &mut |news: News<'_>| match news {
        News::Step { picture: 1, .. } => ControlFlow::Break(GenerateFailure::Cancelled),
        _ => ControlFlow::Continue(()),
    };
    let error = darkroom.generate(&request(3), &mut engine, cancel_at_second).err().unwrap();
    assert_eq!(error.trouble(), crate::Trouble::Interrupted);
    assert_eq!(darkroom.list().unwrap().len(), 1);
    let failed = home.records().into_iter().find(|(name, _)| name == "generate.failed").unwrap();
    assert!(failed.1.contains("reason=cancelled") && failed.1.contains("images=1"), "{}", failed.1);
}

#[test]
fn cancelling_while_it_is_decoded_means_this_picture() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let mut engine = TestEngine::new(Mood::Works);
    let cancel = &mut |news: News<'_>| match news {
        News::Made => ControlFlow::Break(GenerateFailure::Shutdown),
        _ => ControlFlow::Continue(()),
    };
    darkroom.generate(&request(1), &mut engine, cancel).err().unwrap();
    assert!(darkroom.list().unwrap().is_empty());
    assert!(home.records().iter().any(|(_, line)| line.contains("reason=shutdown")));
}

#[test]
fn what_the_engine_refuses_is_on_record_and_costs_no_work() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let mut engine = TestEngine::new(Mood::Refuses);
    darkroom.generate(&request(1), &mut engine, &mut |_| ControlFlow::Continue(())).err().unwrap();
    assert_eq!(engine.calls, 0);
    assert_eq!(home.count("request.refused"), 1);
    assert_eq!(home.count("generate.requested"), 0);
}

#[test]
fn a_locked_vault_makes_no_picture() {
    let home = Home::new();
    drop(home.unlocked());
    let mut darkroom = home.open().unwrap();
    assert!(matches!(generate(&mut darkroom, 1, Mood::Works), Err(Error::Locked)));
    assert_eq!(home.count("generate.requested"), 0);
}

#[test]
fn the_prompt_is_sealed_only_on_request_and_logged_never() {
    let home = Home::new();
    let mut darkroom = home.unlocked();
    let mut kept = request(1);
    kept.remember_prompt = true;
    let mut engine = TestEngine::new(Mood::Works);
    darkroom.generate(&kept, &mut engine, &mut |_| ControlFlow::Continue(())).unwrap();
    generate(&mut darkroom, 1, Mood::Works).unwrap();
    let prompts: Vec<_> =
        darkroom.list().unwrap().iter().map(|p| p.metadata.as_ref().unwrap().prompt.clone()).collect();
    assert_eq!(prompts, [None, Some("a canary in a mine".to_owned())]);
    assert!(!home.records().iter().any(|(_, line)| line.contains("canary")));
    assert!(!format!("{kept:?}").contains("canary"));
}

#[test]
fn requests_beyond_a_limit_are_refused_with_its_word() {
    use audit::words::RequestRefusal as R;
    let model = TestEngine::new(Mood::Works).model;
    let check = |ask: Ask, keep, want: R| {
        let refusal = Request::parse(ask, &limits(), keep, &model, 0).unwrap_err();
        assert_eq!(refusal.reason, want, "{refusal}");
    };
    let text = |bytes: &[u8]| zeroize::Zeroizing::new(bytes.to_vec());
    let ask = || Ask { prompt: text(b"x"), ..Ask::default() };
    let allow = KeepPrompts::Allow;
    check(Ask { prompt: text(b" \n"), ..ask() }, allow, R::PromptEmpty);
    check(Ask { prompt: text(&[b'a'; 1001]), ..ask() }, allow, R::PromptLength);
    check(Ask { prompt: text(b"a\xFFb"), ..ask() }, allow, R::PromptEncoding);
    check(Ask { prompt: text(b"a\0b"), ..ask() }, allow, R::PromptEncoding);
    check(Ask { negative_prompt: Some(text(b"a\0b")), ..ask() }, allow, R::PromptEncoding);
    for side in [0, 8, 17, 2064, -16, i64::MAX, i64::MIN] {
        check(Ask { size: Some((side, 64)), ..ask() }, allow, R::Size);
        check(Ask { size: Some((64, side)), ..ask() }, allow, R::Size);
    }
    for steps in [0, 101, 1000, -1] {
        check(Ask { steps: Some(steps), ..ask() }, allow, R::Steps);
    }
    for guidance in [-0.1, 100.1, f64::NAN, f64::INFINITY] {
        check(Ask { guidance: Some(guidance), ..ask() }, allow, R::Parameter);
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
    let request = Request::parse(most, &limits(), allow, &model, u32::MAX).unwrap();
    assert_eq!(request.seeds.last(), Some(&u32::MAX));
}

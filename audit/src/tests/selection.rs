use super::*;
use crate::clock::timestamp;

#[test]
fn a_time_is_a_span_and_what_is_none_is_refused() {
    for (typed, first, last) in [
        ("2026-01-31", "2026-01-31T00:00:00.000Z", "2026-01-31T23:59:59.999Z"),
        ("2026-01-31T07:08", "2026-01-31T07:08:00.000Z", "2026-01-31T07:08:59.999Z"),
        ("2026-01-31 07:08:09Z", "2026-01-31T07:08:09.000Z", "2026-01-31T07:08:09.999Z"),
        ("2026-01-31T07:08:09.010Z", "2026-01-31T07:08:09.010Z", "2026-01-31T07:08:09.010Z"),
    ] {
        let (from, to) = span(typed).unwrap();
        assert_eq!((timestamp(from), timestamp(to)), (first.to_owned(), last.to_owned()), "{typed}");
    }
    for wrong in
        ["", "2026", "2026-02-30", "31.01.2026", "2026-01-31T7:08", "2026-01-31T07:08:09.1", "é2026-01-3"]
    {
        assert_eq!(span(wrong), None, "{wrong}");
        let typed = Typed { until: Some(wrong), ..Typed::default() };
        assert_eq!(Selection::parse(&typed), Err(Senseless::Time));
    }
}

#[test]
fn a_period_that_ends_before_it_begins_is_refused() {
    let period = |since, until| {
        Selection::parse(&Typed { since: Some(since), until: Some(until), ..Typed::default() }).map(drop)
    };
    assert_eq!(period("2026-02-01", "2026-01-31"), Err(Senseless::Period));
    assert_eq!(period("2026-01-31T07:09", "2026-01-31T07:08"), Err(Senseless::Period));
    assert_eq!(period("2026-01-31", "2026-01-31"), Ok(()));
    assert_eq!(period("2026-01-31T23:59", "2026-01-31"), Ok(()));
}

#[test]
fn a_type_is_named_whole_or_by_its_first_word() {
    let named = |name| Selection::parse(&Typed { name: Some(name), ..Typed::default() });
    assert!(named("object.exported").is_ok() && named("vault").is_ok() && named("objects").is_ok());
    for wrong in ["", "obj", "object.", "exported", "object.exporte", "Vault"] {
        assert_eq!(named(wrong), Err(Senseless::Name), "{wrong}");
    }
}

#[test]
fn pseudonyms_are_read_as_the_log_writes_them() {
    let object = Object([7; 16]).to_string();
    let read = |object| Selection::parse(&Typed { object: Some(object), ..Typed::default() });
    assert_eq!(read(&object).unwrap().object, Some(Object([7; 16])));
    for wrong in ["", "o:", &object[2..], &object[..23], &object.replace("o:", "j:")] {
        assert_eq!(read(wrong), Err(Senseless::Object), "{wrong}");
    }
}

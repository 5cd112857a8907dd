use super::*;

#[test]
fn what_is_written_reads_back() {
    let text =
        object(vec![("b", "1".into()), ("a", "\"x\"".into()), ("c", object(vec![("d", "true".into())]))]);
    assert_eq!(text, r#"{"a":"x","b":1,"c":{"d":true}}"#);
    let members = parse(text.as_bytes()).unwrap();
    assert_eq!(members[0], ("a", Value::Str("x")));
    assert_eq!(members[1], ("b", Value::Int(1)));
    assert_eq!(members[2], ("c", Value::Object(vec![("d", Value::Bool(true))])));
}

#[test]
fn every_other_spelling_is_an_error() {
    for wrong in [
        "",
        "{",
        "[]",
        "1",
        "{} ",
        " {}",
        "{\"a\": 1}",
        "{\"a\":01}",
        "{\"a\":-0}",
        "{\"a\":1.0}",
        "{\"a\":1e3}",
        "{\"a\":9007199254740992}",
        "{\"a\":null}",
        "{\"a\":[]}",
        "{\"b\":1,\"a\":1}",
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,}",
        "{\"a\":\"\\u0041\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"é\"}",
        "{\"a\":{\"b\":{\"c\":1}}}",
        "{a:1}",
    ] {
        assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

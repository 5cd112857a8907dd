use super::*;
use serde_json::json;

#[test]
fn one_spelling_is_read_and_no_other() {
    let value = json!({ "b": [1, true, null, "ä\u{8}\u{1f}/\"\\"], "a": { "z": -1, "A": "" } });
    let bytes = canonical(&value);
    assert_eq!(
        bytes,
        "{\"a\":{\"A\":\"\",\"z\":-1},\"b\":[1,true,null,\"ä\\b\\u001f/\\\"\\\\\"]}".as_bytes()
    );
    assert_eq!(parse(&bytes), Some(value));
    let wrong = [
        "{\"a\":1} ",
        " {\"a\":1}",
        "{\"a\": 1}",
        "{\"b\":1,\"a\":1}",
        "{\"a\":1,\"a\":1}",
        "{\"a\":1.0}",
        "{\"a\":1e3}",
        "{\"a\":-0}",
        "{\"a\":9007199254740992}",
        "{\"\u{e4}\":1}",
        "{\"a\":\"\\u0041\"}",
        "{\"a\":\"\\/\"}",
        "{\"a\":1}{}",
        "",
    ];
    for text in wrong {
        assert_eq!(parse(text.as_bytes()), None, "{text}");
    }
}

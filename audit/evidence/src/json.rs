//! Canonical JSON (RFC 8785) of the values that our files are made of: objects with ASCII keys, lists, whole numbers,
//! booleans, null and text. For these, `serde_json` writes the canonical form: keys sorted, no white space, the short
//! escapes and no other.

use serde_json::Value;

/// The canonical form.
pub(crate) fn canonical(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// Reads a text that is in canonical form, and nothing else: every byte of it is then one that counts.
pub(crate) fn parse(bytes: &[u8]) -> Option<Value> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    (is_plain(&value) && canonical(&value) == bytes).then_some(value)
}

/// Reads a text of others in any spelling, if only such values occur in it.
pub(crate) fn read(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().filter(is_plain)
}

/// Whether only such values occur.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Number(n) => n.as_i64().is_some_and(|n| n.unsigned_abs() < 1 << 53),
        Value::Array(items) => items.iter().all(is_plain),
        Value::Object(members) => members.iter().all(|(key, value)| key.is_ascii() && is_plain(value)),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// The member of an object as a text.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

/// The member of an object as a number.
pub(crate) fn number(value: &Value, key: &str) -> Option<u64> {
    value.get(key)?.as_u64()
}

/// Whether an object has these members and no other.
pub(crate) fn has_only(value: &Value, keys: &[&str]) -> bool {
    value.as_object().is_some_and(|members| members.keys().all(|key| keys.contains(&key.as_str())))
}

/// Reads lower-case hexadecimal of exactly `N` bytes.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    (base16ct::lower::decode(text, &mut bytes).ok()?.len() == N).then_some(bytes)
}

#[cfg(test)]
#[path = "tests/json.rs"]
mod tests;

//! JSON of a model: no key twice, and no more values than a published file could hold.

use crate::error::quoted;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

/// Most values in one file, members of lists and objects each counted: the released tokenizer has 610,000.
const VALUES_MAX: u32 = 1 << 20;

/// Parses `content`.
///
/// Parsers disagree on which of two equal keys holds, so that a file which has them means two things.
///
/// # Errors
/// What is wrong and where, in words of the parser.
pub(crate) fn parse<T: DeserializeOwned>(content: &[u8]) -> Result<T, serde_json::Error> {
    let values = Cell::new(0);
    let mut walk = serde_json::Deserializer::from_slice(content);
    Walk(&values).deserialize(&mut walk)?;
    walk.end()?;
    serde_json::from_slice(content)
}

/// Looks at every value and keeps none.
#[derive(Clone, Copy)]
struct Walk<'a>(&'a Cell<u32>);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        self.0.set(self.0.get() + 1);
        if self.0.get() > VALUES_MAX {
            return Err(D::Error::custom(format!("more than {VALUES_MAX} values")));
        }
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            map.next_value_seed(self)?;
            if let Some(twice) = keys.replace(key) {
                return Err(A::Error::custom(format!("the key {} stands there twice", quoted(&twice))));
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{VALUES_MAX, parse};
    use serde_json::Value;

    #[test]
    fn a_key_that_stands_twice_is_refused_at_any_depth() {
        parse::<Value>(br#"{"a": 1, "b": [{"a": null}, {"a": "x"}]}"#).unwrap();
        for bad in [r#"{"a": 1, "a": 1}"#, r#"{"b": [{"a": {"c": 1, "d": 2, "\u0063": 1.5}}]}"#] {
            let error = parse::<Value>(bad.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("twice"), "{error}");
        }
    }

    #[test]
    fn the_number_of_values_is_bounded() {
        let list = |values: u32| format!("[{}0]", "0,".repeat(values as usize - 2)).into_bytes();
        parse::<Value>(&list(VALUES_MAX)).unwrap();
        let error = parse::<Value>(&list(VALUES_MAX + 1)).unwrap_err().to_string();
        assert!(error.contains("more than"), "{error}");
    }

    #[test]
    fn what_follows_the_value_and_what_nests_without_end_are_errors() {
        parse::<Value>(b"{} {}").unwrap_err();
        parse::<Value>("[".repeat(100_000).as_bytes()).unwrap_err();
    }
}

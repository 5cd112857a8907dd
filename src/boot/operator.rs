//! Who somebody says they are.

use crate::exit::{Code, Failure};
use vault::PersonName;

/// The variable that says who somebody is, where no flag does.
pub const VARIABLE: &str = "LIGHTPROOF_OPERATOR";

/// Who somebody says they are, by a flag or the variable.
///
/// # Errors
/// It cannot be a name.
pub fn named(flag: Option<&str>) -> Result<Option<PersonName>, Failure> {
    let variable = std::env::var_os(VARIABLE).filter(|name| !name.is_empty());
    let name = match (flag, &variable) {
        (Some(flag), _) => flag,
        (None, Some(variable)) => variable.to_str().unwrap_or_default(), // what is no text is no name
        (None, None) => return Ok(None),
    };
    name_of(name).map(Some)
}

/// A name as it was typed.
///
/// # Errors
/// It cannot be one.
pub fn name_of(text: &str) -> Result<PersonName, Failure> {
    PersonName::new(text).map_err(|error| Failure::new(Code::Usage, error))
}

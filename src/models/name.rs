//! Names of models.

use crate::exit::{Code, Failure};
use std::path::Path;

/// The name of the model inside the program.
pub const DEMO: &str = "demo";
/// Names that the folder of the models has itself.
const OWN: [&str; 2] = ["in-use", "lock"];
/// Most characters of a name.
const CHARS_MAX: usize = 64;

/// Whether it is a name of a model: small letters, digits, dots and hyphens, of which a letter or a digit comes first.
pub fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    !OWN.contains(&text)
        && (1..=CHARS_MAX).contains(&text.len())
        && text.bytes().all(|b| plain(b) || b"-.".contains(&b))
        && text.bytes().next().is_some_and(plain)
}

/// The name of a model that is brought in: the one that was asked for, or what follows from the folder.
///
/// # Errors
/// It is none, or the folder gives none.
pub fn of_import(asked: Option<&str>, folder: &Path) -> Result<String, Failure> {
    let usage = |what: String| Err(Failure::new(Code::Usage, what));
    let name = match asked {
        Some(name) => name.to_owned(),
        None => of_folder(folder).unwrap_or_default(),
    };
    match name.as_str() {
        DEMO => {
            usage(format!("{DEMO} is the name of the model inside the program; choose another with --name"))
        }
        name if is_name(name) => Ok(name.to_owned()),
        _ if asked.is_none() => {
            usage("the name of the folder gives no name for the model; give it one: --name NAME".into())
        }
        _ => usage(format!(
            "a model's name has up to {CHARS_MAX} small letters, digits, dots and hyphens, and begins with a letter or a digit; in-use and \
             lock are none"
        )),
    }
}

/// `Z-Image-Turbo`, and `models--Tongyi-MAI--Z-Image-Turbo` with what lies in it, give `z-image-turbo`.
fn of_folder(folder: &Path) -> Option<String> {
    let names = folder.ancestors().take(3).map(|at| at.file_name()?.to_str());
    let cached = names.clone().flatten().find_map(|name| name.strip_prefix("models--"));
    let last = match cached {
        Some(cached) => cached.rsplit("--").next()?.to_owned(),
        // Its own name or none: that of the folder above is another's.
        None => names.clone().next()??.to_owned(),
    };
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
    let name: String = last.chars().map(plain).collect();
    Some(name.trim_matches(['-', '.']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt as _;

    #[test]
    fn a_folder_gives_its_model_a_name() {
        let of = |path: &str| of_import(None, Path::new(path)).ok();
        for path in [
            "/media/stick/Z-Image-Turbo",
            "/cache/models--Tongyi-MAI--Z-Image-Turbo",
            "/cache/models--Tongyi-MAI--Z-Image-Turbo/snapshots/5f4b9cbb80cc95ba44fe6667dfd75710f7db2947",
        ] {
            assert_eq!(of(path).as_deref(), Some("z-image-turbo"), "{path}");
        }
        assert_eq!(of("/a/My model (2)").as_deref(), Some("my-model--2"));
        for path in ["/", "/a/猫", "/a/demo"] {
            assert_eq!(of(path), None, "{path}");
        }
        // No name is made of that of the folder around it.
        let bytes = std::ffi::OsStr::from_bytes(b"/media/stick/turbo\xff");
        assert!(of_import(None, Path::new(bytes)).is_err_and(|failure| failure.what.contains("--name NAME")));
        for name in ["", ".part-x", "a/b", "A", "..", "demo", "a b", &"x".repeat(65)] {
            assert!(of_import(Some(name), Path::new("/a")).is_err(), "{name}");
        }
        assert_eq!(of_import(Some("a.b-2"), Path::new("/")).ok().as_deref(), Some("a.b-2"));
    }
}

//! What this program is: its version, the commit that it was built from, the model inside, and who stands behind it.

use crate::exit::{Code, Failure};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::Read as _;

/// The embedded model's name, as records and answers have it.
pub const DEMO_NAME: &str = "lightproof-demo";
/// Its digest, as `boot.ready` has it. Reading and hashing the model would take longer than all else that `--version` does;
/// a test holds this against the log.
const DEMO_DIGEST: &str = "fae4d8ca8235411ee8f48b01aae6fe66f814df3e5579f98ee0eaa9d2ba626c30";

/// The commit, and whether the sources were changed since; `src/build.rs` asks git. None outside a checkout.
const COMMIT: Option<&str> = option_env!("LIGHTPROOF_COMMIT");

/// When that commit was made, in seconds.
const COMMITTED: Option<&str> = option_env!("LIGHTPROOF_COMMITTED");

/// Who stands behind this build, where weaknesses are reported, and the last day on which they are mended: `deploy/vendor.toml`.
const VENDOR: [Option<&str>; 3] = [
    option_env!("LIGHTPROOF_VENDOR"),
    option_env!("LIGHTPROOF_CONTACT"),
    option_env!("LIGHTPROOF_END_OF_SUPPORT"),
];

/// The public key that must have signed an update, if whoever stands behind this build has one.
pub const UPDATE_KEY: Option<&str> = option_env!("LIGHTPROOF_UPDATE_KEY");

/// When the commit was made, in seconds; none outside a checkout.
pub fn committed_s() -> Option<u64> {
    COMMITTED?.parse().ok()
}

/// Version and commit.
pub fn named() -> [&'static str; 2] {
    [env!("CARGO_PKG_VERSION"), COMMIT.unwrap_or("unknown")]
}

/// SHA-256 of the running program, as it lies on disk.
///
/// # Errors
/// It cannot be read.
pub fn binary_digest() -> Result<[u8; 32], Failure> {
    let failed = |e| Failure::new(Code::Unexpected, format!("cannot read the program itself: {e}"));
    let mut file = File::open("/proc/self/exe").map_err(failed)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hash.finalize().into()),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// The list of its parts (CycloneDX), if one was compiled in.
pub fn sbom() -> Option<&'static str> {
    Some(include_str!(concat!(env!("OUT_DIR"), "/sbom.cdx.json"))).filter(|text| !text.is_empty())
}

/// The model inside the program, as a bundle of evidence has it.
pub const EMBEDDED: evidence::Embedded<'static> = evidence::Embedded { name: DEMO_NAME, digest: DEMO_DIGEST };

/// For people, a fact a line.
pub fn text() -> String {
    let commit = COMMIT.unwrap_or("unknown: it was not built in a checkout");
    let version = env!("CARGO_PKG_VERSION");
    let vendor = match VENDOR {
        [Some(name), Some(contact), Some(end)] => {
            format!("{name}; weaknesses are reported to {contact}, and mended until {end}")
        }
        _ => "none: nobody stands behind this build".to_owned(),
    };
    let updates = match UPDATE_KEY {
        Some(key) => {
            let id = evidence::UpdateKey::parse(key).map(evidence::UpdateKey::id).unwrap_or_default();
            format!("signed by {key} (SHA-256 {id})")
        }
        None => "none: this build pins no key for them".to_owned(),
    };
    format!(
        "lightproof {version}\ncommit {commit}\nmodel {DEMO_NAME} {DEMO_DIGEST}\nvendor {vendor}\nupdates {updates}\n"
    )
}

/// The same for programs.
pub fn json() -> Value {
    let vendor = match VENDOR {
        [Some(name), Some(contact), Some(end)] => {
            json!({ "name": name, "contact": contact, "end_of_support": end, "update_key": UPDATE_KEY })
        }
        _ => Value::Null,
    };
    json!({ "version": env!("CARGO_PKG_VERSION"), "commit": COMMIT, "committed_s": committed_s(),
        "model": { "name": DEMO_NAME, "digest": DEMO_DIGEST },
        "vendor": vendor })
}

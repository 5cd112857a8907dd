//! What this program is: its version, the commit that it was built from, and the model inside.

use serde_json::{Value, json};

/// The embedded model's name, as records and answers have it.
pub const DEMO_NAME: &str = "lightproof-demo";
/// Its digest, as `boot.ready` has it. Reading and hashing the model would take longer than all else that `--version` does;
/// a test holds this against the log.
const DEMO_DIGEST: &str = "fae4d8ca8235411ee8f48b01aae6fe66f814df3e5579f98ee0eaa9d2ba626c30";

/// The commit, and whether the sources were changed since; `src/build.rs` asks git. None outside a checkout.
const COMMIT: Option<&str> = option_env!("LIGHTPROOF_COMMIT");

/// For people, a fact a line.
pub fn text() -> String {
    let commit = COMMIT.unwrap_or("unknown: it was not built in a checkout");
    let version = env!("CARGO_PKG_VERSION");
    format!("lightproof {version}\ncommit {commit}\nmodel {DEMO_NAME} {DEMO_DIGEST}\n")
}

/// The same for programs.
pub fn json() -> Value {
    json!({ "version": env!("CARGO_PKG_VERSION"), "commit": COMMIT,
        "model": { "name": DEMO_NAME, "digest": DEMO_DIGEST } })
}

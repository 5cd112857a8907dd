//! Every error that is answered: a problem document (RFC 9457) with a stable code. No text repeats what was sent, and
//! none names a path or a type.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use darkroom::Kind;
use serde_json::json;
use std::borrow::Cow;

/// An error as it is answered.
#[derive(Clone, Debug)]
pub struct Problem {
    status: u16,
    code: &'static str,
    detail: Cow<'static, str>,
    retry_after_s: Option<u64>,
    /// What the darkroom calls it, if it comes from there.
    kind: Option<Kind>,
}

impl Problem {
    pub const METHOD: Self = Self::fixed(405, "method", "only GET, HEAD, POST and DELETE are answered here");
    pub const TARGET: Self = Self::fixed(414, "too_large", "the address is longer than 8 KiB");
    pub const HOST: Self = Self::fixed(
        421,
        "host",
        "this server answers to 127.0.0.1 and localhost with its own port, and to no other name",
    );
    pub const ORIGIN: Self = Self::fixed(403, "origin", "the request comes from another site");
    pub const CROSS_SITE: Self = Self::fixed(403, "cross_site", "the request comes from another site");
    pub const UPGRADE: Self = Self::fixed(403, "upgrade", "connections are not upgraded here");
    pub const CONTENT_TYPE: Self = Self::fixed(415, "content_type", "send JSON, as application/json");
    pub const TOKEN: Self = Self::fixed(
        401,
        "token",
        "a token is needed, of somebody signed in or of a program, and this is none or it has ended: sign in again, or make one \
         with: lightproof token create",
    );
    pub const AUDITOR: Self = Self::fixed(
        423,
        "auditor_alone",
        "this passphrase is right, and an auditor's, which opens no vault: sign in while somebody has it open",
    );
    pub const ROLE: Self = Self::fixed(403, "role", "your role does not let you do this; ask an admin");
    pub const SCOPE: Self = Self::fixed(
        403,
        "scope",
        "no token of a program is for this, or this one is not: API.md says which scope is, and most are for people who sign in",
    );
    pub const SHUT: Self = Self::fixed(
        423,
        "locked",
        "the vault is locked, and a program's token opens nothing until somebody has signed in; ask again then",
    );
    pub const LABEL: Self = Self::fixed(422, "parameter", darkroom::TOKEN_LABEL);
    pub const NOT_FOUND: Self = Self::fixed(404, "not_found", "there is no such thing");
    pub const NO_METHOD: Self = Self::fixed(405, "method", "this address is not asked for in this way");
    pub const TOO_LARGE: Self = Self::fixed(413, "too_large", "the request is too large");
    pub const TOO_SLOW: Self =
        Self::fixed(408, "too_slow", "the request did not come to its end within ten seconds");
    pub const INTERRUPTED: Self = Self::fixed(400, "body", "the request ended before its end");
    pub const SETUP_CODE: Self =
        Self::fixed(403, "setup_code", "this is not the setup code that the program printed at its start");
    pub const SETUP_EXPIRED: Self =
        Self::fixed(410, "setup_code", "the setup code has expired; start the program again for a new one");
    pub const SETUP_DONE: Self =
        Self::fixed(409, "setup_done", "there is a vault already; unlock it with its passphrase");
    pub const POSTURE: Self = Self::fixed(
        503,
        "posture",
        "a fence does not hold, so no picture is made; stop the program and find out why",
    );
    pub const PASSPHRASE: Self = Self::fixed(401, "passphrase", "this passphrase does not open the vault");
    pub const TWO_PEOPLE: Self = Self::fixed(
        401,
        "two_people",
        "this vault opens for two of the people who hold it, together: name the other one, with their passphrase, as `second`",
    );
    pub const KEY_REUSED: Self = Self::fixed(
        422,
        "key_reused",
        "this Idempotency-Key was given to another request before; give each request a key of its own",
    );
    pub const DISK: Self =
        Self::fixed(507, "space", "the disk is full; make room, or delete pictures, which needs none");
    pub const DAMAGED: Self =
        Self::fixed(500, "damaged", "what is stored does not hold: a file is damaged, missing or too old");
    pub const OUTPUTS: Self = Self::fixed(
        503,
        "outputs",
        "the folder of sealed pictures is not there, not readable, or another one; bring it back (perhaps a disk is not \
         mounted), and nothing is lost",
    );
    pub const UNRECORDED: Self = Self::fixed(
        500,
        "unrecorded",
        "it is done, but the log could not record it; start the program again, and the next unlock records what it finds",
    );
    pub const UNFINISHED: Self = Self::fixed(
        500,
        "unfinished",
        "it is done, but the old key could not be wiped yet; each act tries again, and the page says so until it is done",
    );
    pub const OLD_KEY_REMAINS: Self = Self::fixed(
        503,
        "old_key_remains",
        "the key of an earlier deletion could not be wiped yet, so nothing more is deleted; see that the vault's anchor \
         can be written, and try again",
    );
    pub const UNCERTAIN: Self = Self::fixed(
        503,
        "uncertain",
        "a write to the vault failed, and only a new opening can tell what is on the disk; lock and unlock",
    );
    pub const TRYING: Self =
        Self::fixed(409, "trying", "the controls are being tried already; see what was found in a moment");
    pub const EVIDENCE: Self = Self::fixed(
        503,
        "evidence",
        "the folder of what was found, evidence, beside the log, cannot be used; make it readable and writable for the \
         program's user",
    );
    pub const NOT_WHOLE: Self = Self::fixed(
        500,
        "damaged",
        "the bundle does not pass its own check, and is not handed out; verify the log with: lightproof audit verify",
    );
    pub const CONTROLLER: Self = Self::fixed(
        409,
        "controller_file",
        "controller.toml beside the policy makes no sense, or was changed after the start; lightproof config check FILE says \
         whether it makes sense; start the server again then",
    );
    pub const BUNDLE_TOO_LARGE: Self = Self::fixed(
        507,
        "bundle_large",
        "the bundle is too large for one answer; stop the program and make it with: lightproof evidence export",
    );
    pub const READING: Self =
        Self::fixed(409, "reading", "the log is being verified or taken out already; ask again in a moment");
    pub const SLICE_TOO_LARGE: Self =
        Self::fixed(507, "bundle_large", "the slice is too large for one answer; ask for a shorter period");
    pub const LOG_UNREAD: Self = Self::fixed(
        503,
        "log",
        "the log cannot be read, or is not what was signed; verify it, and see that the program may read its folder",
    );
    pub const LOG: Self = Self::fixed(503, "log", "the log cannot be written, so nothing is done");
    pub const INTERNAL: Self = Self::fixed(500, "internal", "a part of the program failed");

    const fn fixed(status: u16, code: &'static str, detail: &'static str) -> Self {
        Self { status, code, detail: Cow::Borrowed(detail), retry_after_s: None, kind: None }
    }

    /// A problem of its own sentence.
    pub fn new(status: u16, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, detail: detail.into(), retry_after_s: None, kind: None }
    }

    /// Too many wrong guesses; the next one is looked at after `seconds`, or soon.
    pub fn locked_out(seconds: u64) -> Self {
        let seconds = seconds.max(1);
        let detail = format!("too many wrong guesses, or one is being checked; try again in {seconds} s");
        Self::new(429, "locked_out", detail).after(seconds)
    }

    fn after(self, seconds: u64) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }
}

impl From<darkroom::Error> for Problem {
    fn from(error: darkroom::Error) -> Self {
        (&error).into()
    }
}

impl From<&darkroom::Error> for Problem {
    fn from(error: &darkroom::Error) -> Self {
        let said = |status, code| Self::new(status, code, error.to_string());
        let problem = match error.kind() {
            // It takes whoever starts the program, and no other passphrase.
            Kind::WrongSecret if error.is_of_machine_half() => said(401, "machine_secret"),
            Kind::WrongSecret if error.is_of_two() => Self::TWO_PEOPLE,
            Kind::Conflict if error.is_of_machine_half() => said(409, "machine_secret"),
            Kind::Prompt => said(422, "prompt"),
            Kind::Size => said(422, "size"),
            Kind::Steps => said(422, "steps"),
            Kind::Seed => said(422, "seed"),
            Kind::Parameter => said(422, "parameter"),
            Kind::WeakSecret => said(422, "weak_passphrase"),
            Kind::KeyReused => Self::KEY_REUSED,
            Kind::Policy | Kind::AuditorOnly => said(403, "policy"),
            Kind::NotPermitted => said(403, "role"),
            Kind::Held => said(403, "held"),
            Kind::HoldStands => said(409, "held"),
            Kind::Waits => said(409, "waits"),
            Kind::SecondAdmin => said(403, "second_admin"),
            Kind::NameNeeded => said(422, "name_needed"),
            Kind::Name => said(422, "name"),
            Kind::QueueFull => said(429, "queue_full").after(5),
            Kind::NotFound => Self::NOT_FOUND,
            Kind::JobEnded => said(409, "state"),
            Kind::VaultExists => Self::SETUP_DONE,
            Kind::NoVault => Self::new(409, "no_vault", "there is no vault yet; set a passphrase first"),
            Kind::Stopping => said(503, "stopping"),
            Kind::Locked => said(423, "locked"),
            Kind::WrongSecret => Self::PASSPHRASE,
            Kind::WrongToken => said(401, "token"),
            Kind::Engine | Kind::Cancelled => said(500, "engine"),
            Kind::Memory => said(507, "memory"),
            // The sentences of these may name files.
            Kind::Disk => Self::DISK,
            Kind::Damaged => Self::DAMAGED,
            Kind::Outputs => Self::OUTPUTS,
            Kind::Log => Self::LOG,
            Kind::Unrecorded => Self::UNRECORDED,
            Kind::Unfinished => Self::UNFINISHED,
            Kind::OldKeyRemains => Self::OLD_KEY_REMAINS,
            Kind::Uncertain => Self::UNCERTAIN,
            Kind::Conflict => said(409, "state"),
            Kind::Busy | Kind::ExportFile | Kind::Internal => Self::INTERNAL,
        };
        Self { kind: Some(error.kind()), ..problem }
    }
}

impl Problem {
    /// What the darkroom calls it; `None` if it does not come from there.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// Code and sentence, for the description of a request that failed.
    pub fn parts(&self) -> (&'static str, &str) {
        (self.code, &self.detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let title = status.canonical_reason().unwrap_or("Error");
        let mut document = json!({
            "type": "about:blank", "title": title, "status": self.status, "code": self.code, "detail": self.detail,
        });
        if let Some(seconds) = self.retry_after_s {
            document["retry_after_s"] = seconds.into();
        }
        let mut response = (status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

//! What every request must pass before any route sees it. DNS rebinding, pages on other ports and sites, and tokens that
//! are not ours end here.

use crate::House;
use crate::connection::Connection;
use crate::problem::Problem;
use crate::session::Key;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use darkroom::{Kind, Role, Scope, Scopes, TOKEN_PREFIX, Who};
use std::sync::Arc;

const TARGET_BYTES_MAX: usize = 8 * 1024;
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The page for whoever comes by another name; it loads nothing.
const ELSEWHERE: &str = include_str!("elsewhere.html");

/// The names under which this server may be asked: fixed, since Host and Origin may both be an attacker's.
pub struct Guard {
    hosts: Vec<String>,
    /// What a person reads who came by another name.
    elsewhere: String,
}

impl Guard {
    /// `port` is the port of the listener.
    pub fn new(port: u16) -> Self {
        let names = ["127.0.0.1", "localhost"];
        let mut hosts: Vec<String> = names.iter().map(|name| format!("{name}:{port}")).collect();
        if port == 80 {
            hosts.extend(names.map(str::to_owned)); // browsers leave out a scheme's own port
        }
        Self { hosts, elsewhere: ELSEWHERE.replace("{port}", &port.to_string()) }
    }

    /// The refusal, in words for a person whose browser asks for a page at another name or port: who forwards a port
    /// otherwise sees nothing but a code. Nothing of the request is in it.
    fn refuse(&self, request: &Request, problem: Problem) -> Response {
        let wants_page = single(request.headers(), &header::ACCEPT, Problem::HOST)
            .is_ok_and(|accept| accept.is_some_and(|accept| accept.starts_with("text/html")));
        if *request.method() != Method::GET || !wants_page || problem.parts().0 != Problem::HOST.parts().0 {
            return problem.into_response();
        }
        let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
        (StatusCode::MISDIRECTED_REQUEST, headers, self.elsewhere.clone()).into_response()
    }

    /// Everything but the token.
    pub(crate) fn check(&self, request: &Request) -> Result<(), Problem> {
        let (method, headers) = (request.method(), request.headers());
        let safe = [Method::GET, Method::HEAD].contains(method);
        if !safe && ![Method::POST, Method::DELETE].contains(method) {
            return Err(Problem::METHOD);
        }
        if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > TARGET_BYTES_MAX) {
            return Err(Problem::TARGET);
        }
        let host = single(headers, &header::HOST, Problem::HOST)?.ok_or(Problem::HOST)?;
        if !self.hosts.iter().any(|known| known == host) {
            return Err(Problem::HOST);
        }
        if request.uri().authority().is_some_and(|authority| authority.as_str() != host) {
            return Err(Problem::HOST);
        }
        if let Some(origin) = single(headers, &header::ORIGIN, Problem::ORIGIN)?
            && origin.strip_prefix("http://") != Some(host)
        {
            return Err(Problem::ORIGIN);
        }
        match single(headers, &SEC_FETCH_SITE, Problem::CROSS_SITE)? {
            None | Some("same-origin") => {}
            Some("none") if safe => {}
            Some(_) => return Err(Problem::CROSS_SITE),
        }
        if headers.contains_key(header::UPGRADE) {
            return Err(Problem::UPGRADE);
        }
        if *method == Method::POST && !is_json(headers) {
            return Err(Problem::CONTENT_TYPE);
        }
        Ok(())
    }
}

/// The guard in front of all routes.
pub async fn stand(State(house): State<Arc<House>>, request: Request, next: Next) -> Response {
    match house.guard.check(&request) {
        Ok(()) => next.run(request).await,
        Err(problem) => house.guard.refuse(&request, problem),
    }
}

/// Who may ask for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever gets past the guard.
    Open,
    /// Who has a session, but no auditor. The request shows that somebody is there.
    Session,
    /// Who has a session, an auditor's too.
    Anyone,
    /// The same for a request that comes by itself.
    Look,
    /// Who has a session, an auditor's too where a scope is theirs, or a program that has a token with one of these scopes.
    By(&'static [Scope]),
    /// The same. The request comes by itself, again and again: it does not put off the session's end.
    Watch,
}

impl Access {
    /// An auditor sees log and controls, and looks after their own passphrase and tokens.
    fn lets_auditors(self) -> bool {
        match self {
            Self::Open | Self::Anyone | Self::Look => true,
            Self::By(scopes) => scopes.contains(&Scope::Audit),
            Self::Session | Self::Watch => false,
        }
    }
}

/// The guard in front of one route: whether its declared access admits the request.
pub async fn admit(
    State((house, access)): State<(Arc<House>, Access)>,
    mut request: Request,
    next: Next,
) -> Response {
    let counts = match access {
        Access::Open => return next.run(request).await,
        // It would put a look on record that nobody had.
        _ if request.method() == Method::HEAD => return Problem::METHOD.into_response(),
        Access::Session | Access::Anyone | Access::By(_) => true,
        Access::Watch | Access::Look => false,
    };
    let session = match bearer(request.headers()) {
        None => Err(Problem::TOKEN),
        Some(token) if token.starts_with(TOKEN_PREFIX) => by_token(&house, access, Key::of(token)).await,
        Some(token) => house.sessions.enter(token, counts, house.now_ms()).ok_or(Problem::TOKEN),
    };
    let (key, who) = match session {
        Ok(session) => session,
        Err(problem) => return problem.into_response(),
    };
    if who.role() == Role::Auditor && !access.lets_auditors() {
        return Problem::ROLE.into_response();
    }
    if let Some(connection) = request.extensions().get::<Arc<Connection>>() {
        connection.is_known(key);
    }
    request.extensions_mut().insert(key);
    request.extensions_mut().insert(who);
    next.run(request).await
}

/// A program with a token, whom nobody takes for somebody who is there: it puts off no end of a session, and no lock.
async fn by_token(house: &Arc<House>, access: Access, key: Key) -> Result<(Key, Who), Problem> {
    let sha256 = key.sha256();
    // No passphrase is a program's to give.
    let for_program = |problem: Problem| match problem.kind() {
        Some(Kind::Locked) => Problem::SHUT,
        _ => problem,
    };
    let who = house.act(move |queue| queue.enter_by_token(&sha256)).await.map_err(for_program)?;
    let is_for =
        |scopes: Scopes| matches!(access, Access::By(any) if any.iter().any(|scope| scopes.has(*scope)));
    match who.scopes().is_some_and(is_for) {
        true => Ok((key, who)),
        false => Err(Problem::SCOPE),
    }
}

/// The token of a session, 64 hex digits, or that of a program, which has a prefix before them.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = single(headers, &header::AUTHORIZATION, Problem::TOKEN).ok()??;
    let token = value.strip_prefix("Bearer ")?;
    let digits = token.strip_prefix(TOKEN_PREFIX).unwrap_or(token);
    (digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then_some(token)
}

/// A header that may stand there once.
fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    otherwise: Problem,
) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| otherwise),
        (Some(_), Some(_)) => Err(otherwise),
    }
}

/// `application/json`, with or without `charset=utf-8`: no form can send that.
fn is_json(headers: &HeaderMap) -> bool {
    let Ok(Some(value)) = single(headers, &header::CONTENT_TYPE, Problem::CONTENT_TYPE) else { return false };
    let (kind, parameter) = value.split_once(';').unwrap_or((value, "charset=utf-8"));
    let parameter = parameter.trim().replace('"', "");
    kind.trim().eq_ignore_ascii_case("application/json") && parameter.eq_ignore_ascii_case("charset=utf-8")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    /// A request that passes, with other headers in the place of its own.
    fn code(method: &str, target: &str, headers: &[(&str, &str)]) -> &'static str {
        let mut request = Request::builder().method(method).uri(target);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "127.0.0.1:7860");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match Guard::new(7860).check(&request.body(Body::empty()).unwrap()) {
            Ok(()) => "passes",
            Err(problem) => problem.parts().0,
        }
    }

    #[test]
    fn only_our_own_names_are_answered() {
        for host in ["127.0.0.1:7860", "localhost:7860"] {
            assert_eq!(code("GET", "/", &[("host", host)]), "passes");
        }
        for host in [
            "",
            "127.0.0.1",
            "localhost",
            "0.0.0.0:7860",
            "[::1]:7860",
            "localhost.:7860",
            "LOCALHOST:7860",
            "127.0.0.1:78600",
            "127.0.0.1:7861",
            "evil.test:7860",
            "127.0.0.1:7860.evil.test",
            "127.0.0.1:7860 ",
            "127.1:7860",
            "2130706433:7860",
            "user@127.0.0.1:7860",
        ] {
            assert_eq!(code("GET", "/", &[("host", host)]), "host", "{host}");
        }
        assert_eq!(code("GET", "/", &[("host", "127.0.0.1:7860"), ("host", "127.0.0.1:7860")]), "host");
        assert_eq!(code("GET", "http://evil.test/", &[]), "host");
        assert_eq!(code("GET", "http://127.0.0.1:7860/", &[]), "passes");
        let none = Request::builder().uri("/").body(Body::empty()).unwrap();
        assert_eq!(Guard::new(7860).check(&none).unwrap_err().parts().0, "host");
    }

    #[test]
    fn only_our_own_pages_may_ask() {
        for origin in ["http://127.0.0.1:7860", ""] {
            let headers: &[_] = if origin.is_empty() { &[] } else { &[("origin", origin)] };
            assert_eq!(code("DELETE", "/", headers), "passes");
        }
        for origin in [
            "null",
            "http://localhost:7860",
            "http://127.0.0.1:3000",
            "https://127.0.0.1:7860",
            "HTTP://127.0.0.1:7860",
            "http://127.0.0.1:7860/",
            "http://127.0.0.1:7860.evil.test",
            "http://127.0.0.1:78600",
            "127.0.0.1:7860",
        ] {
            assert_eq!(code("GET", "/", &[("origin", origin)]), "origin", "{origin}");
        }
        let twice = [("origin", "http://127.0.0.1:7860"), ("origin", "http://127.0.0.1:7860")];
        assert_eq!(code("GET", "/", &twice), "origin");
        let site = |method, value| code(method, "/", &[("sec-fetch-site", value)]);
        assert_eq!(
            (site("GET", "none"), site("GET", "same-origin"), site("DELETE", "same-origin")),
            ("passes", "passes", "passes")
        );
        for value in ["cross-site", "same-site", "CROSS-SITE", "Same-Origin", "", "other"] {
            assert_eq!(site("GET", value), "cross_site", "{value}");
        }
        assert_eq!(site("DELETE", "none"), "cross_site");
    }

    #[test]
    fn no_form_and_no_upgrade_gets_through() {
        for method in ["PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get"] {
            assert_eq!(code(method, "/", &[]), "method", "{method}");
        }
        assert_eq!(code("GET", "/", &[("upgrade", "websocket")]), "upgrade");
        let kind = |value| code("POST", "/", &[("content-type", value)]);
        for value in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
        ] {
            assert_eq!(kind(value), "passes", "{value}");
        }
        for value in [
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/plain; application/json",
            "application/json; charset=latin1",
            "application/jsonx",
        ] {
            assert_eq!(kind(value), "content_type", "{value}");
        }
        assert_eq!(code("POST", "/", &[]), "content_type");
        assert_eq!(code("GET", &format!("/{}", "x".repeat(TARGET_BYTES_MAX)), &[]), "too_large");
    }

    #[test]
    fn a_token_is_64_digits_behind_one_word() {
        let token = "ab".repeat(32);
        let found = |values: &[String]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("authorization", value.parse().unwrap());
            }
            bearer(&headers).is_some()
        };
        assert!(found(&[format!("Bearer {token}")]));
        assert!(found(&[format!("Bearer lpt_{token}")]));
        for value in [
            "",
            &token,
            &format!("Basic {token}"),
            &format!("Bearer {token}0"),
            &format!("Bearer {}g", &token[1..]),
            &format!("Bearer LPT_{token}"),
            &format!("Bearer lpt_{}", &token[4..]),
            &format!("Bearer lpt_lpt_{token}"),
        ] {
            assert!(!found(&[value.to_owned()]), "{value}");
        }
        assert!(!found(&[format!("Bearer {token}"), format!("Bearer {token}")]));
    }
}

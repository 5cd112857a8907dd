//! `lightproof token`: what programs ask the server with.

use crate::Done;
use crate::boot::{self, Wants};
use crate::cli::{Global, Token, TokenVerb};
use crate::exit::{Code, Failure};
use crate::output::Output;
use darkroom::{Hold, PersonName, Scope, Scopes, TOKEN_DAYS_MAX, TOKEN_LABEL, Who};
use sandbox::Clean;
use serde_json::json;

/// Runs the verb.
///
/// # Errors
/// Why it ended early.
pub fn run(clean: Clean, global: &Global, arguments: &Token, out: &Output) -> Done {
    check(&arguments.verb, out)?;
    let (mut booted, mut darkroom) = boot::boot(clean, global, &Wants::with(&arguments.keys))?.darkroom()?;
    let who = booted.unlock(&mut darkroom, out);
    let result = who.and_then(|who| act(&mut darkroom, &who, &arguments.verb, out));
    boot::leave(darkroom, result)
}

/// Whether its words make sense, and what is shown once can be seen.
///
/// # Errors
/// They make none, or nobody could see it.
pub fn check(verb: &TokenVerb, out: &Output) -> Result<(), Failure> {
    wish(verb)?;
    if matches!(verb, TokenVerb::Create { .. }) && out.leads_nowhere() {
        let what = "a token is shown once, on standard output, which is closed or leads to /dev/null; no token was made";
        return Err(Failure::new(Code::Refused, what));
    }
    Ok(())
}

/// The scopes and the label of a token that is to be made.
fn wish(verb: &TokenVerb) -> Result<(Scopes, Option<PersonName>), Failure> {
    let TokenVerb::Create { scopes, days, label } = verb else { return Ok(Default::default()) };
    let usage = |what| Failure::new(Code::Usage, what);
    let scopes = Scopes::parse(scopes.iter().map(String::as_str))
        .ok_or_else(|| usage("a scope is one of: generate, read, audit"))?;
    if !(1..=TOKEN_DAYS_MAX).contains(days) {
        return Err(usage("a token lasts 1 to 366 days"));
    }
    Ok((scopes, label.as_deref().map(PersonName::new).transpose().map_err(|_| usage(TOKEN_LABEL))?))
}

/// Does it as `who`, alone or through a running server.
///
/// # Errors
/// What the darkroom says.
pub fn act(room: &mut impl Hold, who: &Who, verb: &TokenVerb, out: &Output) -> Done {
    match verb {
        TokenVerb::Create { days, .. } => {
            let (scopes, label) = wish(verb)?;
            let (token, text) = room.with(|darkroom| darkroom.make_token(who, scopes, *days, label))?;
            out.say(&format!(
                "number {}, until {}; this is the one time that it is shown:",
                token.number,
                audit::timestamp(token.expires_ms)
            ));
            out.data(&format!("{}\n", *text));
            let mut facts = token.facts();
            facts["token"] = text.as_str().into();
            out.object(true, &facts);
            if !out.has_shown().unwrap_or(false) {
                return Err(taken_back(
                    room.with(|darkroom| darkroom.revoke_token(who, token.number)),
                    &token,
                ));
            }
        }
        TokenVerb::List => {
            let tokens = room.with(|darkroom| darkroom.tokens(who))?;
            tokens.iter().for_each(|token| out.data(&format!("{}\n", line(token))));
            if tokens.is_empty() {
                out.say("there is no token");
            }
            let facts: Vec<_> = tokens.iter().map(darkroom::Token::facts).collect();
            out.object(true, &json!({ "tokens": facts }));
        }
        TokenVerb::Revoke { number } => {
            room.with(|darkroom| darkroom.revoke_token(who, *number))?;
            out.say("this token opens nothing any more");
            out.object(true, &json!({ "revoked": number }));
        }
    }
    Ok(Code::Done)
}

/// Why there is no token, or one that nobody knows, after nobody could see it.
fn taken_back(revoked: Result<(), darkroom::Error>, token: &darkroom::Token) -> Failure {
    match revoked {
        Ok(()) => Failure::new(
            Code::Unexpected,
            "the token could not be shown, so it was revoked again, on record; make another one where it can be",
        ),
        Err(error) => {
            let mut failure = Failure::from(error);
            let number = token.number;
            failure.what = format!(
                "the token could not be shown, and not be revoked ({}); do it: lightproof token revoke {number}",
                failure.what
            );
            failure.done = Some(token.facts());
            failure
        }
    }
}

/// A token on one line.
fn line(token: &darkroom::Token) -> String {
    let scopes: Vec<&str> = token.scopes.all().map(Scope::word).collect();
    let used = token.used_day().map_or_else(|| "never used".to_owned(), |day| format!("last used {day}"));
    let text = |before: &str, name: &Option<PersonName>| {
        name.as_ref().map_or_else(String::new, |name| format!("{before}{}", name.as_str()))
    };
    format!(
        "{}  {}  until {}, {used}{}{}",
        token.number,
        scopes.join(","),
        audit::timestamp(token.expires_ms),
        text(", of ", &token.of),
        text(": ", &token.label),
    )
}

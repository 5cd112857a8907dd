// Requests, the token, and the look at what goes on. The rest of the page never calls `fetch` for the interface.

import { tab } from "./store.js";

/** The pause between two looks while nothing goes on. */
export const PAUSE_MS = 1500;
// How long before the session's end it is announced.
const WARN_MS = 60_000;
// A look that is answered later is not answered.
const LOOK_MS_MAX = 4000;

let token = tab.get("token");
let idleSeconds = Number(tab.get("idle_s"));
let life = new AbortController();
let idle;
let warning;
let locked = () => {};
let silent = () => {};
let idleSoon = () => {};

/** Why a request has no good answer. `code` is the server's, or `network` if it did not answer. */
class Problem extends Error {
  constructor({ code = "internal", detail = "", retry_after_s = 0 }) {
    super(detail);
    this.code = code;
    this.retryAfter = retry_after_s;
  }
}

/** Is there a session, as far as this tab knows? */
export const hasToken = () => token !== null;

/** Is aborted when the session that is now has ended. */
export const sessionSignal = () => life.signal;

/** Says what to do when the session is over. */
export function whenLocked(action) {
  locked = action;
}

/** Says what to do when a request had no answer, or the last one of a program that stops. */
export function whenSilent(action) {
  silent = action;
}

/** Says what to do when the session is about to end by itself, in so many seconds, and, with 0, when it is not. */
export function whenIdleSoon(action) {
  idleSoon = action;
}

/** Begins a session. The copy of the token lets a reload go on. */
export function begin(session) {
  token = session.token;
  idleSeconds = session.idle_s;
  tab.set("token", token);
  tab.set("idle_s", idleSeconds);
}

/** Forgets the session; whatever is under way for it is dropped. */
export function end() {
  token = null;
  ["token", "idle_s", "settings", "recovery"].forEach(tab.remove);
  clearTimeout(idle);
  clearTimeout(warning);
  life.abort();
  life = new AbortController();
}

/** Sends a request and answers with the parsed body, or `null` if there is none. */
export function json(method, path, body, headers) {
  return attempt(async () => {
    const answer = await send(method, path, { body, headers });
    return answer.status === 204 ? null : answer.json();
  });
}

/** Sends a request and answers with its body as a blob. */
export function blob(method, path, body) {
  return attempt(async () => (await send(method, path, { body })).blob());
}

/** Reads a part of the page that the first visit does without; `read()` imports it. */
export const part = (read) => attempt(read);

/**
 * Asks for `path()` again and again while the tab is visible. `answered(body)` gives the milliseconds until the
 * next time. The requests are short: a browser keeps six connections to one program, over all its windows, so no
 * window may hold one. Answers with a function that asks at once.
 */
export function watch(path, answered) {
  let turn = 0;
  let lost = PAUSE_MS;
  let timer;

  async function ask() {
    clearTimeout(timer);
    const mine = (turn += 1);
    if (document.hidden) return;
    let pause = PAUSE_MS;
    try {
      const body = await attempt(async () => (await send("GET", path(), { watching: true })).json());
      lost = PAUSE_MS;
      if (mine === turn) pause = answered(body);
    } catch {
      // Whoever has to know was told.
      pause = lost = Math.min(2 * lost, 4 * PAUSE_MS);
    }
    if (mine === turn) timer = setTimeout(ask, pause);
  }

  document.addEventListener("visibilitychange", ask);
  ask();
  return ask;
}

async function send(method, path, { body, headers, watching = false }) {
  const answer = await fetch(path, {
    method,
    headers: { ...authorization(), ...(body && { "Content-Type": "application/json" }), ...headers },
    body: body && JSON.stringify(body),
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
    signal: watching ? AbortSignal.any([life.signal, AbortSignal.timeout(LOOK_MS_MAX)]) : life.signal,
  });
  if (!answer.ok) throw new Problem(await answer.json().catch(() => ({})));
  // The program does not count looks either.
  if (token !== null && !watching) renewIdle();
  return answer;
}

async function attempt(request) {
  const session = life.signal;
  try {
    return await request();
  } catch (error) {
    // What a dead session still had under way is nobody's problem any more.
    const problem = session.aborted ? new Problem({ code: "token" })
      : error instanceof Problem ? error : new Problem({ code: "network" });
    if (["token", "locked"].includes(problem.code) && !session.aborted) locked();
    if (["network", "stopping"].includes(problem.code)) silent();
    throw problem;
  }
}

function renewIdle() {
  idleSoon(0);
  clearTimeout(warning);
  if (!idleSeconds) return;
  const ms = idleSeconds * 1000;
  const left = Math.min(WARN_MS, ms / 2);
  warning = setTimeout(() => idleSoon(Math.round(left / 1000)), ms - left);
  watchIdle(ms);
}

// A hidden tab does not look, so nothing tells it of the session's end, and must not keep pictures beyond it.
function watchIdle(ms) {
  clearTimeout(idle);
  idle = setTimeout(() => (document.hidden ? locked() : watchIdle(ms)), ms);
}

function authorization() {
  return token === null ? {} : { Authorization: `Bearer ${token}` };
}

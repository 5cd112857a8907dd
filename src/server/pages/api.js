// Requests, the token, and the event stream. The rest of the page never calls `fetch` for the interface.

// The server sends a comment every 15 seconds; a stream that says nothing for longer is dead.
const QUIET_MS = 40_000;
const WAIT_MS_MAX = 15_000;

let token = sessionStorage.getItem("token");
let idleSeconds = Number(sessionStorage.getItem("idle_s"));
let life = new AbortController();
let idle;
let locked = () => {};

/** Why a request has no good answer. `code` is the server's, or `network` if it did not answer at all. */
class Problem extends Error {
  constructor({ code = "internal", detail = "", retry_after_s = 0 }) {
    super(detail);
    this.code = code;
    this.retryAfter = retry_after_s;
  }
}

/** Is there a session, as far as this tab knows? */
export const hasToken = () => token !== null;

/** Says what to do when the session is over. */
export function whenLocked(action) {
  locked = action;
}

/** Begins a session. The copy of the token lets a reload go on. */
export function begin(session) {
  token = session.token;
  idleSeconds = session.idle_s;
  sessionStorage.setItem("token", token);
  sessionStorage.setItem("idle_s", idleSeconds);
}

/** Forgets the session; whatever is under way for it is dropped. */
export function end() {
  token = null;
  sessionStorage.removeItem("token");
  sessionStorage.removeItem("idle_s");
  clearTimeout(idle);
  life.abort();
  life = new AbortController();
}

/** Sends a request and answers with the parsed body, or `null` if there is none. */
export function json(method, path, body, headers) {
  return attempt(async () => {
    const answer = await send(method, path, body, headers);
    return answer.status === 204 ? null : answer.json();
  });
}

/** Sends a request and answers with its body as a blob. */
export function blob(method, path, body) {
  return attempt(async () => (await send(method, path, body)).blob());
}

/**
 * Reads an event stream for as long as the tab is visible and the session lives, and opens it again after an
 * error. Calls `opened()`, `event(name, data)`, and `failed()` when the program does not answer.
 */
export function listen(path, { opened, event, failed }) {
  const session = life.signal;
  let current;
  let timer;
  let wait = 500;

  async function open() {
    clearTimeout(timer);
    if (document.hidden || current || session.aborted) return;
    const mine = (current = new AbortController());
    try {
      const signal = AbortSignal.any([mine.signal, session]);
      const answer = await fetch(path, { headers: authorization(), cache: "no-store", signal });
      if (answer.status === 401) return locked();
      if (!answer.ok) throw new Error(answer.status);
      wait = 500;
      opened();
      await readEvents(answer.body, event, mine);
    } catch {
      if (!mine.signal.aborted && !session.aborted) failed();
    }
    if (current !== mine || session.aborted) return;
    current = undefined;
    timer = setTimeout(open, wait);
    wait = Math.min(wait * 2, WAIT_MS_MAX);
  }

  function close() {
    clearTimeout(timer);
    current?.abort();
    current = undefined;
  }

  const watch = () => (document.hidden ? close() : open());
  document.addEventListener("visibilitychange", watch, { signal: session });
  open();
  return { again: open };
}

async function readEvents(body, event, abort) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const quiet = setTimeout(() => abort.abort(), QUIET_MS);
    const { value, done } = await reader.read().finally(() => clearTimeout(quiet));
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: ?(.*)/s, 2)));
      if (fields.event) event(fields.event, JSON.parse(fields.data ?? "{}"));
    }
  }
}

async function send(method, path, body, headers) {
  const answer = await fetch(path, {
    method,
    headers: { ...authorization(), ...(body && { "Content-Type": "application/json" }), ...headers },
    body: body && JSON.stringify(body),
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
    signal: life.signal,
  });
  if (!answer.ok) throw new Problem(await answer.json().catch(() => ({})));
  if (token !== null) renewIdle();
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
    throw problem;
  }
}

// A hidden tab has no stream that could tell it of the session's end, and must not keep pictures beyond it.
function renewIdle() {
  clearTimeout(idle);
  if (!idleSeconds) return;
  idle = setTimeout(() => (document.hidden ? locked() : renewIdle()), idleSeconds * 1000);
}

function authorization() {
  return token === null ? {} : { Authorization: `Bearer ${token}` };
}

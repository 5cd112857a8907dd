// The studio: the form, the stage and the history, kept in step with the program by looking again and again.

import { PAUSE_MS, json } from "./api.js";
import { hush, tell, tellProblem } from "./dialog.js";
import { download } from "./download.js";
import { makeForm } from "./form.js";
import { makeHistory } from "./history.js";
import { makeStage } from "./stage.js";
import { h, refresh } from "./view.js";
import { explain, t } from "./words.js";

// The pause between two looks while something is in work.
const PAUSE_BUSY_MS = 400;

const isActive = (job) => job.status === "waiting" || job.status === "running";

/** Makes the studio. `sealed()` is false when no picture may be made, and `look()` asks at once what goes on. */
export async function makeStudio({ sealed, look }) {
  const capabilities = await json("GET", "/api/v1/capabilities");
  const jobs = new Map();
  const rows = new Map();
  let followed = null;
  // A person who opened a picture keeps it, whatever runs meanwhile.
  let held = false;
  let unsent = null;
  // What this tab asked for, by request and by picture. In memory, so that it ends with the session.
  const prompts = new Map();
  const cancelled = new Set();
  // The notice that nobody answers.
  let lost = null;
  let pictures = null;

  const form = makeForm(capabilities, { send, explain, sealed });
  const history = makeHistory({ open, changed: checkOpen, erasure: capabilities.erasure });
  const stage = makeStage({
    cancel,
    isCancelled: (job) => cancelled.has(job?.id),
    download,
    example: form.example,
    use: (image) => form.use({ ...image, prompt: image.prompt ?? prompts.get(image.id) }),
    remove: (image) => history.remove([image]),
    step,
    hasStep: (image, by) => history.hasBeside(image.id, by),
    batch,
    choose,
    thumbnail: history.thumbnail,
    isFirst: history.isEmpty,
    changed: (image) => history.mark(image?.id),
  });
  const queue = h("ul", { id: "queue", "aria-label": () => t("queue") });
  stage.element.append(queue);
  const warnings = h("ul", { id: "warnings", role: "alert" });
  const element = h("main", { class: "studio" }, warnings, form.element, stage.element, history.element);

  const active = () => [...jobs.values()].filter(isActive);

  function update(job) {
    const before = jobs.get(job.id);
    jobs.set(job.id, job);
    if (prompts.has(job.id)) job.images.forEach((id) => prompts.set(id, prompts.get(job.id)));
    if (!before || !isActive(before) || isActive(job)) return;
    ended(job);
    // The next one is followed before its own news, which may be its end already.
    draw();
  }

  /** Takes in what goes on, and gives the milliseconds until the next look. */
  function take(now) {
    const known = new Set(now.jobs.map((job) => job.id));
    // What the program forgot has ended long ago; what is not in its answer yet was sent just now.
    for (const [id, job] of jobs) if (!known.has(id) && !isActive(job)) jobs.delete(id);
    now.jobs.forEach(update);
    warn(now.warnings);
    draw();
    lost?.remove();
    if (now.pictures !== pictures) history.reload();
    [lost, pictures] = [null, now.pictures];
    return active().length ? PAUSE_BUSY_MS : PAUSE_MS;
  }

  /** What is not as it should be stays in sight as long as it is so. */
  function warn(codes) {
    const shown = [...warnings.children].map((item) => item.dataset.code);
    if (String(shown) === String(codes)) return;
    warnings.replaceChildren(...codes.map((code) =>
      h("li", { "data-code": code }, () => t(`warning.${code}`))));
    refresh(warnings);
  }

  function lose() {
    if (lost) return;
    lost = tell(() => t("error.network"), { bad: true, retry: () => { lost = null; look(); } });
    // What failed meanwhile is asked for with the next reading of the list.
    pictures = null;
  }

  function ended(job) {
    const said = words(job);
    if (job.id !== followed) {
      if (said.bad) tell(said.text, { bad: true });
      return;
    }
    followed = null;
    if (job.status === "done") return stage.finish(job, said);
    stage.clear(said);
    // The stage goes on to the next one at once.
    if (active().length) tell(said.text, { bad: said.bad });
  }

  function words({ status, images, error }) {
    const n = images.length;
    if (status === "done") return { text: () => t("stage.done", { n }) };
    if (status === "cancelled") {
      return { text: () => t(n ? "stage.cancelled.some" : "stage.cancelled", { n }) };
    }
    const { code, detail } = error;
    const reason = () => explain({ code, message: detail });
    return { bad: true, text: () => t("stage.failed", { reason: reason(), code }) };
  }

  function draw() {
    const now = active();
    const next = held ? null : now.find((job) => job.status === "running") ?? now[0];
    followed = next?.id ?? followed;
    if (next) stage.follow(next);
    for (const id of rows.keys()) if (!now.some((job) => job.id === id)) rows.delete(id);
    const shown = now.filter((job) => job !== next).map((job) => row(job.id));
    // Rows that stay are not moved, so that the focus stays.
    const old = [...queue.children];
    const isSame = old.length === shown.length && shown.every((made, index) => made === old[index]);
    if (!isSame) queue.replaceChildren(...shown);
    refresh(queue);
  }

  function row(id) {
    if (!rows.has(id)) rows.set(id, makeRow(() => jobs.get(id)));
    return rows.get(id);
  }

  function makeRow(job) {
    const what = () => {
      const { id, count, width, height } = job();
      return t("queue.what", { n: count, width: String(width), height: String(height) })
        + (prompts.has(id) ? t("queue.prompt", { words: firstWords(prompts.get(id)) }) : "");
    };
    const state = () => {
      const { id, status, ahead, picture, step, steps, count } = job();
      if (cancelled.has(id)) return t("stage.cancelling");
      if (status === "waiting") return t("queue.ahead", { n: ahead });
      return t("queue.running", { percent: Math.floor((100 * (picture * steps + step)) / (steps * count)) });
    };
    return h("li", {},
      h("span", {}, what),
      h("span", { class: "hint" }, state),
      h("button", {
        type: "button", class: "quiet", hidden: () => !held || job().status !== "running", onclick: show,
      }, () => t("queue.show")),
      h("button", { type: "button", class: "quiet", onclick: () => cancel(job()) }, () => t("cancel")));
  }

  function show() {
    held = false;
    draw();
  }

  /** The page stays where it is: where the stage is out of sight, the picture comes over the page. */
  function open(image) {
    held = true;
    followed = null;
    stage.open(image);
    draw();
    if (!isInSight(stage.element.querySelector(".canvas"))) stage.enlarge();
  }

  async function step(image, by) {
    try {
      const next = await history.beside(image.id, by);
      if (next && stage.image() === image) open(next);
    } catch (problem) {
      tellProblem(problem);
    }
  }

  /** The pictures of the request that this one came from, while the program remembers it. */
  function batch(image, job) {
    const of = job ?? [...jobs.values()].find(({ images }) => images.includes(image.id));
    return of?.count > 1 ? of.images : [];
  }

  async function choose(id) {
    try {
      open(history.find(id) ?? await json("GET", `/api/v1/images/${id}`));
    } catch (problem) {
      tellProblem(problem);
    }
  }

  async function send(request) {
    const body = JSON.stringify(request);
    // The same request after silence is the same click: the program may have heard it the first time.
    if (unsent?.body !== body) unsent = { body, key: crypto.randomUUID() };
    held = false;
    hush();
    try {
      const job = await json("POST", "/api/v1/jobs", request, { "Idempotency-Key": unsent.key });
      unsent = null;
      prompts.set(job.id, request.prompt);
      // A look may have told more of it already, even its end.
      const known = jobs.get(job.id);
      if (!known) update(job);
      else if (!isActive(known)) {
        followed = job.id;
        ended(known);
      }
      draw();
      look();
      // Below the form on narrow windows, where nobody would see it begin.
      stage.element.scrollIntoView({ block: "nearest" });
    } catch (problem) {
      if (problem.code !== "network") unsent = null;
      throw problem;
    }
  }

  async function cancel(job) {
    if (cancelled.has(job.id)) return;
    cancelled.add(job.id);
    refresh(element);
    try {
      await json("DELETE", `/api/v1/jobs/${job.id}`);
      look();
    } catch (problem) {
      cancelled.delete(job.id);
      refresh(element);
      tellProblem(problem);
    }
  }

  // Another tab may have deleted what is open here.
  async function checkOpen() {
    stage.update();
    const id = stage.image()?.id;
    if (!id || history.has(id)) return;
    try {
      await json("GET", `/api/v1/images/${id}`);
    } catch (problem) {
      if (problem.code === "not_found" && stage.image()?.id === id) stage.clear();
    }
  }

  return { element, take, lose, /** How many requests run or wait. */ active: () => active().length };
}

function firstWords(prompt) {
  const start = [...prompt.trim().replace(/\s+/g, " ")];
  return start.length > 60 ? `${start.slice(0, 60).join("")}…` : start.join("");
}

/** Is the middle of it in the window? */
function isInSight(element) {
  const { top, bottom } = element.getBoundingClientRect();
  const middle = (top + bottom) / 2;
  return middle > 0 && middle < innerHeight;
}

// The studio: form, stage and history, kept in step with the program by looking again.

import { PAUSE_MS, json, part } from "./api.js";
import { hush, tell, tellProblem } from "./dialog.js";
import { download } from "./download.js";
import { makeForm } from "./form.js";
import { makeHistory } from "./history.js";
import { firstWords } from "./prompts.js";
import { makeStage } from "./stage.js";
import { h, refresh } from "./view.js";
import { explain, t } from "./words.js";

// The pause between two looks while something is in work.
const PAUSE_BUSY_MS = 400;

// The gallery's address.
const GALLERY = "#gallery";

const isActive = (job) => job.status === "waiting" || job.status === "running";

/**
 * Makes the studio. `sealed()` is false when no picture may be made, `look()` asks at once what goes on, and
 * `drawRecovery()` leads to a new recovery code.
 */
export async function makeStudio({ sealed, look, drawRecovery }) {
  const capabilities = await json("GET", "/api/v1/capabilities");
  const { defaults, limits, you } = capabilities;
  const button = (id, text, onclick) => h("button", { id, type: "button", class: "quiet", onclick }, text);
  let waits = 0;
  // A dialog that is fetched when somebody asks for it.
  const opens = (id, text, read) => button(id, () => t(text) + (waits && id === "people" ? ` (${waits})` : ""),
    () => part(read).then((dialog) => dialog.open(you)).catch(tellProblem));
  if (you.role === "auditor") return (await part(() => import("./compliance.js"))).screen(opens);
  const session = await json("POST", "/api/v1/prompts", {});
  const jobs = new Map();
  const rows = new Map();
  let followed = null;
  // A person who opened a picture keeps it, whatever runs meanwhile.
  let held = false;
  let unsent = null;
  // What was typed in this session, by request and by picture. In memory, so that it ends with the session.
  const prompts = new Map();
  const cancelled = new Set();
  // The notice that nobody answers.
  let lost = null;
  let pictures = null;
  // What chooses and sorts in the gallery, once that was opened.
  let finder = null;

  const form = makeForm(capabilities, { send, explain, sealed });
  const { erasure, erase: mayErase } = capabilities;
  const history = makeHistory({ open, changed: checkOpen, erasure, mayErase });
  const stage = makeStage({
    cancel,
    isCancelled: (job) => cancelled.has(job?.id),
    download,
    example: form.example,
    use,
    mayErase,
    canRepeat: (image) => !!typedFor(image),
    isDraft: (image) => image.steps < defaults.steps,
    finish: (image) => repeat(image, { steps: defaults.steps }),
    vary: (image) => {
      const count = Math.min(4, limits.images_max);
      return repeat(image, { count, seed: Math.min(image.seed, limits.seed_max + 1 - count) });
    },
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
  const recovery = h("p", { class: "hint" },
    ...(you.role === "admin" ? [
      () => t("recovery.offer"), button("recovery-new", () => t("recovery.new"), drawRecovery),
      opens("people", "people.open", () => import("./people.js")),
      opens("compliance", "compliance.open", () => import("./compliance.js")),
      opens("log", "log.open", () => import("./log.js")),
    ] : [opens("people", "people.open.own", () => import("./people.js"))]));
  const element = h("main", { class: "studio" }, warnings, form.element, stage.element, history.element, recovery);

  for (const typed of session.prompts.reverse()) {
    prompts.set(typed.job, typed);
    form.remember(typed);
  }

  const active = () => [...jobs.values()].filter(isActive);

  function update(job) {
    const before = jobs.get(job.id);
    jobs.set(job.id, job);
    if (prompts.has(job.id)) job.images.forEach((id) => prompts.set(id, prompts.get(job.id)));
    if (!before || !isActive(before) || isActive(job)) return;
    ended(job);
    // The next one is followed before its own news.
    draw();
  }

  /** Takes in what goes on, and gives the milliseconds until the next look. */
  function take(now) {
    const known = new Set(now.jobs.map((job) => job.id));
    // What the program forgot has ended long ago.
    for (const [id, job] of jobs) if (!known.has(id) && !isActive(job)) jobs.delete(id);
    now.jobs.forEach(update);
    warn(now.warnings);
    waits = now.pending ?? waits;
    refresh(recovery);
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
    // What failed meanwhile is asked for anew.
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
        + (prompts.has(id) ? t("queue.prompt", { words: firstWords(prompts.get(id).prompt) }) : "");
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

  /** The studio, or the gallery: the same pictures and the same stage, all of them and the means to find one. */
  async function view() {
    const name = location.hash === GALLERY ? "gallery" : "studio";
    if (element.dataset.view === name) return;
    element.dataset.view = name;
    scrollTo(0, 0);
    history.arrange(null);
    if (name === "studio") return form.focus();
    try {
      const { makeFinder } = await part(() => import("./gallery.js"));
      finder ??= makeFinder({ textsOf: typedFor, model: capabilities.model, changed: history.show });
      if (element.dataset.view === name) history.arrange(finder);
    } catch (problem) {
      element.dataset.view = "";
      tellProblem(problem, view);
    }
  }

  /** Puts into the form what a picture was made of, or a part of it, where the form is. */
  function use(image, which) {
    if (location.hash === GALLERY) location.hash = "";
    view();
    form.use({ ...image, ...typedFor(image) }, which);
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

  /** The texts that a picture was made of, where they are known. */
  function typedFor({ id, prompt, negative_prompt }) {
    if (prompt) return { prompt, negative_prompt };
    const typed = prompts.get(id);
    return typed && { prompt: typed.prompt, negative_prompt: typed.negative_prompt };
  }

  /** The same once more, but for what is to be different. */
  async function repeat(image, change) {
    const { prompt, negative_prompt } = typedFor(image);
    const { width, height, steps, guidance, seed } = image;
    try {
      await send({
        prompt, ...(negative_prompt && { negative_prompt }), width, height, steps, guidance, seed, count: 1,
        // What was kept with the one is kept with the other.
        ...(image.prompt && { remember_prompt: true }), ...change,
      });
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
      prompts.set(job.id, request);
      // Where the policy keeps no prompts none is kept here either.
      if (capabilities.keep_prompts) form.remember(request);
      // A look may have told more of it already, even its end.
      const known = jobs.get(job.id);
      if (!known) update(job);
      else if (!isActive(known)) {
        followed = job.id;
        ended(known);
      }
      draw();
      look();
      // On narrow windows it begins below the form.
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
    if (!id || history.find(id)) return;
    try {
      await json("GET", `/api/v1/images/${id}`);
    } catch (problem) {
      if (problem.code === "not_found" && stage.image()?.id === id) stage.clear();
    }
  }

  return { element, take, lose, view, typed: form.typed, putBack: form.putBack, /** How many requests run or wait. */ active: () => active().length };
}

/** Is the middle of it in the window? */
function isInSight(element) {
  const { top, bottom } = element.getBoundingClientRect();
  const middle = (top + bottom) / 2;
  return middle > 0 && middle < innerHeight;
}

// The studio: the form, the stage and the history, kept in step with the program by its events.

import { json, listen } from "./api.js";
import { hush, tell, tellProblem } from "./dialog.js";
import { makeForm } from "./form.js";
import { download, makeHistory } from "./history.js";
import { makeStage } from "./stage.js";
import { h, refresh } from "./view.js";
import { explain, t } from "./words.js";

const isActive = (job) => job.status === "waiting" || job.status === "running";

/**
 * Makes the studio. `sealed()` is false when no picture may be made, `locked()` hears the session's end, and
 * `posture(state)` what is known of the fences: `null` while nobody answers.
 */
export async function makeStudio({ sealed, locked, posture }) {
  const capabilities = await json("GET", "/api/v1/capabilities");
  const jobs = new Map();
  const rows = new Map();
  let followed = null;
  // A person who opened a picture keeps it, whatever runs meanwhile.
  let held = false;
  let unsent = null;
  let lost = false;

  const form = makeForm(capabilities, { send, explain, sealed });
  const history = makeHistory({ open, changed: checkOpen, erasure: capabilities.erasure });
  const stage = makeStage({
    cancel,
    download,
    example: form.example,
    use: form.use,
    remove: (image) => history.remove([image]),
    isFirst: history.isEmpty,
    changed: (image) => history.mark(image?.id),
  });
  const queue = h("ul", { id: "queue", "aria-label": () => t("queue") });
  stage.element.append(queue);
  const element = h("main", { class: "studio" }, form.element, stage.element, history.element);

  const active = () => [...jobs.values()].filter(isActive);

  function take(job) {
    const before = jobs.get(job.id);
    jobs.set(job.id, job);
    if (before && isActive(before) && !isActive(job)) ended(job);
    draw();
  }

  function ended(job) {
    const note = words(job);
    if (job.id !== followed) {
      if (note.bad) tell(note.text, { bad: true });
      return;
    }
    followed = null;
    if (job.status === "done") stage.finish(job, note);
    else stage.clear(note);
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
      const { count, width, height } = job();
      return t("queue.what", { n: count, width: String(width), height: String(height) });
    };
    const state = () => {
      const { status, ahead, picture, step, steps, count } = job();
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

  function open(image) {
    held = true;
    followed = null;
    stage.open(image);
    draw();
    stage.element.scrollIntoView({ block: "nearest" });
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
      // An event may have told more of it already.
      if (!jobs.has(job.id)) take(job);
      // Below the form on narrow windows, where nobody would see it begin.
      stage.element.scrollIntoView({ block: "nearest" });
    } catch (problem) {
      if (problem.code !== "network") unsent = null;
      throw problem;
    }
  }

  async function cancel(job) {
    try {
      await json("DELETE", `/api/v1/jobs/${job.id}`);
    } catch (problem) {
      tellProblem(problem);
    }
  }

  // Another tab may have deleted what is open here.
  async function checkOpen() {
    refresh(stage.element);
    const id = stage.image()?.id;
    if (!id || history.has(id)) return;
    try {
      await json("GET", `/api/v1/images/${id}`);
    } catch (problem) {
      if (problem.code === "not_found" && stage.image()?.id === id) stage.clear();
    }
  }

  // What ended so long ago that the program forgot it is in no event.
  async function forgetOld() {
    const known = [...jobs.keys()];
    try {
      const answer = await json("GET", "/api/v1/jobs");
      for (const id of known) if (!answer.jobs.some((job) => job.id === id)) jobs.delete(id);
      draw();
    } catch (problem) {
      tellProblem(problem);
    }
  }

  const stream = listen("/api/v1/events", {
    opened() {
      if (lost) {
        hush();
        // It may be another start of the program.
        json("GET", "/api/v1/status").then((status) => posture(status.posture), () => {});
      }
      lost = false;
      history.reload();
      if (jobs.size) forgetOld();
    },
    event(name, data) {
      if (name === "job") take(data);
      if (name === "images") history.reload();
      if (name === "locked") locked();
    },
    failed() {
      if (lost) return;
      lost = true;
      posture(null);
      tell(() => t("error.network"), { bad: true, retry: () => { lost = false; stream.again(); } });
    },
  });

  return { element, /** How many requests run or wait. */ active: () => active().length };
}

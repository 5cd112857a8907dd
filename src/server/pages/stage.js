// Where one picture is large: the one that is being made, or a finished one and what can be done with it.

import { blob, json } from "./api.js";
import { makeExamples } from "./demo.js";
import { tellProblem } from "./dialog.js";
import { h, hold, refresh, release } from "./view.js";
import { makeViewer } from "./viewer.js";
import { fullTime, t, utcTime } from "./words.js";

// What can be used again of a picture by itself.
const PARTS = ["prompt", "size", "seed", "steps"];

/**
 * Makes the stage. `example`, `use(image, part)`, `remove`, `download` and `cancel` are what its buttons do; `step(image, by)` opens the
 * picture before or after this one, if `hasStep(image, by)`. `batch(image, job)` are the ids of all that were made with
 * it, `choose(id)` opens one of them, `finish(image)` makes a draft anew at the full number of steps and `vary(image)` the
 * same with the next seeds, if `canRepeat(image)`, and `thumbnail(id)` is its small form. Pictures are removed if `mayErase`. `isCancelled(job)` is true from the click
 * on. Examples are offered while `isFirst()`; `changed(image)` hears what is open now.
 */
export function makeStage({
  example, use, mayErase, canRepeat, isDraft, finish, vary, remove, download, cancel, isCancelled, step, hasStep, batch, choose, thumbnail, isFirst, changed,
}) {
  let job = null;
  let image = null;
  let note = null;
  let shown = { url: null };
  let fetching = false;
  // Counts what was asked for, so that an answer that comes late does not replace a newer one.
  let turn = 0;

  const size = () => image ?? job;
  // The decoding of a picture counts as one more step.
  const parts = () => (job ? (job.steps + 1) * job.count : 1);
  const progress = () => (job ? job.picture * (job.steps + 1) + job.step : 0);
  const picture = h("img", {
    id: "preview", hidden: () => !shown.url, alt: () => alternative(image, job),
    "data-preview": () => shown.preview, "data-id": () => shown.id, onclick: () => image && viewer.open(),
  });
  const frame = h("div", { class: "frame", hidden: () => !size() }, picture,
    h("p", { class: "hint", hidden: () => !!shown.url }, () => t(image ? "stage.opening" : "stage.soon")));
  const viewer = makeViewer({
    image: () => image, url: () => (image ? shown.url : null), words: () => alternative(image),
    step: (by) => image && step(image, by), hasStep: (by) => !!image && hasStep(image, by),
  });
  const strip = h("ul", { id: "batch", "aria-label": () => t("stage.batch") });

  const element = h("section", { class: "card stage", "aria-label": () => t("stage") },
    h("div", { class: "canvas" }, frame,
      h("div", { class: "empty", hidden: () => !!size() },
        h("p", { class: "strong" }, () => t("stage.empty")),
        h("p", { class: "hint", hidden: () => !isFirst() }, () => t("stage.try")),
        h("div", { hidden: () => !isFirst() }, makeExamples(example)))),
    strip,
    h("p", { class: "message", role: "alert" }, () => note?.bad && note.text()),
    h("div", { class: "run" },
      h("p", { id: "status", role: "status" }, status),
      h("p", { id: "step", class: "hint", hidden: () => job?.status !== "running" }, stepText),
      h("progress", {
        id: "progress", hidden: () => !job, "aria-label": () => t("stage.progress"),
        max: parts, value: progress,
      }),
      h("button", {
        id: "cancel", type: "button", hidden: () => !job, "aria-disabled": () => String(isCancelled(job)),
        onclick: () => cancel(job),
      }, () => t("cancel"))),
    h("div", { class: "about", hidden: () => !image },
      h("h2", { class: "name" }, () => image?.name),
      h("p", { class: "prompt", hidden: () => !image?.prompt }, () => image?.prompt),
      h("dl", { class: "facts" },
        fact("facts.size", () => `${image.width} × ${image.height}`),
        fact("facts.seed", () => String(image.seed)),
        fact("facts.steps", () => String(image.steps)),
        fact("facts.guidance", () => String(image.guidance)),
        fact("facts.made", () => fullTime(image.created_ms) + utcTime(image.created_ms)),
        fact("facts.expires", () => (image.expires_ms ? fullTime(image.expires_ms) : ""))),
      h("div", { class: "actions" },
        stepButton("previous", "‹", -1),
        stepButton("next", "›", 1),
        h("button", { id: "enlarge", type: "button", onclick: () => viewer.open() }, () => t("stage.enlarge")),
        h("button", { id: "download", type: "button", onclick: () => download([image]) },
          () => t("download")),
        h("button", {
          id: "finish", type: "button", hidden: () => !image || !canRepeat(image) || !isDraft(image),
          onclick: () => finish(image),
        }, () => t("finish")),
        h("button", {
          id: "vary", type: "button", hidden: () => !image || !canRepeat(image), onclick: () => vary(image),
        }, () => t("vary")),
        h("button", {
          id: "use", type: "button", hidden: () => image?.width == null, onclick: () => use(image),
        }, () => t("use")),
        h("button", {
          id: "delete", type: "button", class: "danger quiet", hidden: !mayErase, onclick: () => remove(image),
        }, () => t("delete"))),
      h("details", { id: "use-parts", hidden: () => image?.width == null },
        h("summary", {}, () => t("use.parts")),
        h("div", { class: "actions" }, PARTS.map((part) => h("button", {
          type: "button", class: "quiet", "data-part": part, onclick: () => use(image, part),
          hidden: () => part === "prompt" && !(image && canRepeat(image)),
        }, () => t(`use.${part}`)))))));

  // At an end it is not disabled in earnest: the focus would fall off.
  function stepButton(id, sign, by) {
    return h("button", {
      id, type: "button", class: "quiet", "aria-label": () => t(`stage.${id}`), title: () => t(`stage.${id}`),
      "aria-disabled": () => String(!image || !hasStep(image, by)), onclick: () => step(image, by),
    }, sign);
  }

  function fact(key, text) {
    const value = () => (image ? text() : "");
    return h("div", { hidden: () => !value() }, h("dt", {}, () => t(key)), h("dd", {}, value));
  }

  function status() {
    if (job?.status === "waiting") return job.ahead ? t("stage.ahead", { n: job.ahead }) : t("stage.next");
    if (isCancelled(job)) return t("stage.cancelling");
    if (job) return t("stage.running");
    return note && !note.bad ? note.text() : "";
  }

  function stepText() {
    if (job?.status !== "running") return "";
    const position = { picture: Math.min(job.picture + 1, job.count), count: job.count };
    const steps = { step: job.step, steps: job.steps };
    const left = progress() && (job.elapsed_ms / progress()) * (parts() - progress());
    return t(job.step < job.steps ? "stage.step" : "stage.decoding", { ...position, ...steps })
      + (left ? t("stage.left", { seconds: Math.max(1, Math.round(left / 1000)) }) : "");
  }

  function draw() {
    const { width, height } = size() ?? {};
    if (width) {
      frame.style.setProperty("--width", width);
      frame.style.setProperty("--height", height);
    }
    const rough = shown.preview && job ? 1 - job.step / job.steps : 0;
    picture.style.setProperty("--rough", rough.toFixed(2));
    drawStrip();
    refresh(element);
    viewer.update();
    changed(image);
  }

  /** All of one request, each of which can be opened while the rest is in work. */
  function drawStrip() {
    const ids = size() ? batch(image, job) : [];
    const known = [...strip.children].map((item) => item.dataset.id);
    if (String(ids) === String(known)) return;
    // What stays is not made anew, so that the focus stays.
    const kept = new Map([...strip.children].map((item) => [item.dataset.id, item]));
    strip.replaceChildren(...ids.map((id, index) => kept.get(id) ?? makeStripItem(id, index)));
  }

  function makeStripItem(id, index) {
    const url = () => thumbnail(id);
    const words = () => t("stage.batch.one", { n: index + 1 });
    return h("li", { "data-id": id, "data-current": () => image?.id === id },
      h("button", {
        class: "open", type: "button", "aria-label": words, "aria-current": () => image?.id === id && "true",
        onclick: () => choose(id),
      },
        h("img", { alt: "", hidden: () => !url(), src: () => url() ?? "" }),
        h("span", { class: "hint", hidden: () => !!url() }, () => String(index + 1))));
  }

  function replace(next) {
    if (next.url) picture.src = next.url;
    else picture.removeAttribute("src");
    release(shown.url);
    shown = next;
    draw();
  }

  // Steps may come faster than their pictures can be read; then the ones between are left out.
  async function readPreview() {
    if (fetching || !job?.preview || job.preview === shown.preview) return;
    const [mine, { id, preview }] = [turn, job];
    fetching = true;
    try {
      const url = hold(await blob("GET", `/api/v1/jobs/${id}/preview`));
      if (mine === turn) replace({ url, preview });
      else release(url);
    } catch {
      // A preview that is gone already is missed by nobody: the next one or the picture follows.
    } finally {
      fetching = false;
    }
    if (job?.preview !== preview) readPreview();
  }

  async function open(record, words = null) {
    const mine = (turn += 1);
    // The last preview stays until its picture is there, so that nothing flickers.
    const keeps = job?.images.includes(record.id);
    [job, image, note] = [null, record, words];
    if (keeps) draw();
    else replace({ url: null });
    try {
      const url = hold(await blob("GET", `/api/v1/images/${record.id}/content`));
      if (mine === turn) replace({ url, id: record.id });
      else release(url);
    } catch (problem) {
      if (mine === turn) clear();
      tellProblem(problem, problem.code === "network" ? () => open(record, words) : undefined);
    }
  }

  function clear(words = null) {
    turn += 1;
    [job, image, note] = [null, null, words];
    replace({ url: null });
  }

  draw();
  return {
    element,
    /** Opens a picture. */
    open,
    /** Empties the stage; `note` is `{ text(), bad }`, what is to be said about that. */
    clear,
    /** The picture that is open, if one is. */
    image: () => image,
    /** Shows what is open as large as the window. */
    enlarge: () => viewer.open(),
    /** What was read meanwhile changes what can be shown. */
    update: draw,
    /** Follows a job: shows how far it is. */
    follow(next) {
      const isOther = job?.id !== next.id;
      if (isOther) turn += 1;
      [job, image, note] = [next, null, null];
      if (isOther) replace({ url: null });
      else draw();
      readPreview();
    },
    /** Opens the last picture of the job that was followed. */
    async finish({ images }, words) {
      const mine = turn;
      try {
        const record = await json("GET", `/api/v1/images/${images.at(-1)}`);
        if (mine === turn) await open(record, words);
      } catch (problem) {
        if (mine === turn) clear();
        tellProblem(problem);
      }
    },
  };
}

/** What stands for a picture that cannot be seen: its prompt where it was kept, else its name. */
export function alternative(image, job) {
  if (image) return image.prompt?.slice(0, 120) ?? t("stage.alt", { name: image.name });
  return job ? t("stage.alt.preview") : "";
}

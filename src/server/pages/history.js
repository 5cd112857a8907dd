// The pictures that were made: a grid, its selection, and what can be done with several at once.

import { blob, json } from "./api.js";
import { ask, tell, tellProblem } from "./dialog.js";
import { alternative } from "./stage.js";
import { h, hold, refresh, release } from "./view.js";
import { explain, shortTime, t } from "./words.js";
import { zip } from "./zip.js";

const PAGE = 60;
const PAGE_MAX = 200;
const THUMBNAILS_MAX = 60;
// What comes into view within this time is one look.
const GATHER_MS = 30;
// An archive is put together in memory.
const DOWNLOAD_BYTES_MAX = 1 << 30;
const DELETE_MANY = "/api/v1/images:delete";

/**
 * Makes the history. `open(image)` puts one on the stage, `changed()` follows every reading of the list, and
 * `erasure` is what deleting is worth here.
 */
export function makeHistory({ open, changed, erasure }) {
  const cells = new Map();
  const selected = new Set();
  let order = [];
  let next = null;
  let total = 0;
  let known = false;
  let current = null;
  let reading = null;
  let stale = false;

  const thumbnails = loader((id) => cells.get(id));
  const list = h("ul", { id: "history" });
  const element = h("section", { class: "card history", "aria-labelledby": "history-title" },
    h("div", { class: "bar" },
      h("h2", { id: "history-title" }, () => t("history")),
      h("p", { class: "hint", role: "status" }, count),
      h("div", { class: "actions end" },
        h("button", {
          id: "selected-download", type: "button", disabled: () => !selected.size,
          onclick: () => download(chosen()),
        }, () => t("history.download")),
        h("button", {
          id: "selected-delete", type: "button", class: "danger quiet", disabled: () => !selected.size,
          onclick: () => remove(chosen()),
        }, () => t("history.delete")),
        h("button", {
          id: "all-delete", type: "button", class: "danger quiet", disabled: () => !total, onclick: removeAll,
        }, () => t("history.delete.all")))),
    list,
    h("p", { class: "hint", hidden: () => total > 0 || !known }, () => t("history.empty")),
    h("button", { id: "more", type: "button", hidden: () => !next, onclick: more }, () => t("history.more")));

  const chosen = () => order.filter((image) => selected.has(image.id));

  function count() {
    if (selected.size) return t("history.selected", { n: total, selected: selected.size });
    return total ? t("history.total", { n: total }) : "";
  }

  function cell(image) {
    const made = cells.get(image.id) ?? makeCell(image);
    made.image = image;
    made.broken ||= image.missing;
    if (!made.url && !made.broken) thumbnails.watch(made.element);
    return made;
  }

  function makeCell(image) {
    const made = { image, url: null, broken: false };
    made.picture = h("img", { alt: () => alternative(made.image), hidden: () => !made.url });
    made.element = h("li", {
      "data-id": image.id,
      "data-selected": () => selected.has(image.id),
      "data-current": () => current === image.id,
    },
      h("button", {
        class: "open", type: "button", onclick: () => open(made.image),
        "aria-label": () => alternative(made.image) + (made.broken ? ` ${t("history.broken")}` : ""),
        "aria-current": () => current === image.id && "true",
      },
        made.picture,
        h("span", { class: "hint", hidden: () => !made.broken }, () => t("history.broken"))),
      h("label", { class: "check" },
        h("input", {
          class: "select", type: "checkbox", "aria-label": () => t("history.select", { name: image.name }),
          onchange: (event) => {
            if (event.target.checked) selected.add(image.id);
            else selected.delete(image.id);
            refresh(element);
          },
        }),
        h("span", { class: "hint" }, () => shortTime(image.created_ms))));
    cells.set(image.id, made);
    return made;
  }

  function show(images) {
    order = images;
    const ids = new Set(order.map((image) => image.id));
    for (const [id, { url, element: gone }] of cells) {
      if (ids.has(id)) continue;
      thumbnails.forget(gone);
      release(url);
      gone.remove();
      cells.delete(id);
      selected.delete(id);
    }
    // A cell that is where it belongs is not moved, so that the focus stays.
    order.forEach((image, index) => {
      const made = cell(image).element;
      if (list.children[index] !== made) list.insertBefore(made, list.children[index] ?? null);
    });
    refresh(element);
    changed();
  }

  async function page(limit, cursor) {
    const query = new URLSearchParams({ limit, ...(cursor && { cursor }) });
    const answer = await json("GET", `/api/v1/images?${query}`);
    [next, total, known] = [answer.next, answer.total, true];
    return answer.images;
  }

  async function readAll() {
    do {
      stale = false;
      const [shown, before] = [order.length, total];
      let images = await page(Math.min(Math.max(PAGE, shown), PAGE_MAX));
      // New pictures do not push out old ones, which may be selected.
      const wanted = shown && shown + Math.max(0, total - before);
      while (next && images.length < wanted) {
        images = images.concat(await page(Math.min(wanted - images.length, PAGE_MAX), next));
      }
      show(images);
    } while (stale);
  }

  /** Reads the list again, as far as it was shown. */
  function reload() {
    stale = true;
    reading ??= readAll()
      .catch((problem) => tellProblem(problem, reload))
      .finally(() => (reading = null));
    return reading;
  }

  async function more() {
    await reading;
    try {
      show(order.concat(await page(PAGE, next)));
    } catch (problem) {
      tellProblem(problem, more);
    }
  }

  async function remove(images) {
    const n = images.length;
    if (!await agreed(n)) return;
    if (n === 1) erase("DELETE", `/api/v1/images/${images[0].id}`);
    else erase("POST", DELETE_MANY, { ids: images.map((image) => image.id), confirm: n });
  }

  async function removeAll() {
    const n = total;
    if (await agreed(n)) erase("POST", DELETE_MANY, { all: true, confirm: n });
  }

  function agreed(n) {
    return ask({
      title: () => t("erase.title", { n }),
      sentences: [
        () => t("erase.what", { n }),
        ...(erasure === "conditional" ? [() => t("erase.conditional")] : []),
        () => t("erase.copies"),
      ],
      yes: () => t("erase.yes", { n }),
      count: n > 1 ? n : undefined,
    });
  }

  async function erase(...request) {
    try {
      const { erased, grade, cleanup_pending: pending } = await json(...request);
      tell(() => [
        t("erased", { n: erased }),
        // Where nothing was left to erase there is no grade.
        ...(grade ? [t(`erased.${grade}`)] : []),
        ...(pending ? [t("erased.pending")] : []),
      ].join(t("gap")));
    } catch (problem) {
      tellProblem(problem);
    }
    reload();
  }

  return {
    element,
    reload,
    remove,
    /** Is the picture in the part of the list that was read? */
    has: (id) => cells.has(id),
    /** Is there no picture at all? */
    isEmpty: () => total === 0,
    /** Marks the picture that is on the stage. */
    mark(id) {
      current = id;
      refresh(list);
    },
  };
}

/**
 * Saves plain copies, each of which is on record: one as it is, several as one archive, since browsers drop some
 * of many files that are saved in quick succession.
 */
export async function download(images) {
  if (images.reduce((sum, image) => sum + image.bytes, 0) > DOWNLOAD_BYTES_MAX) {
    return tell(() => t("download.large"), { bad: true });
  }
  const copies = [];
  let problem = null;
  try {
    for (const { id, name, created_ms } of images) {
      copies.push({ name, created_ms, content: await blob("POST", `/api/v1/images/${id}/export`, {}) });
    }
  } catch (error) {
    // What came before it is on record as saved, so it is saved; but nothing outlives its session.
    if (error.code === "token") return;
    problem = error;
  }
  const [n, all] = [copies.length, images.length];
  if (n === 1) save(copies[0].content, copies[0].name);
  else if (n) save(await zip(copies), `lightproof-${n}.zip`);
  if (problem && !n) tellProblem(problem);
  else if (problem) tell(() => t("downloaded.some", { n, all, reason: explain(problem) }), { bad: true });
  else tell(() => t("downloaded", { n }));
}

function save(content, name) {
  const url = hold(content);
  h("a", { href: url, download: name }).click();
  // The browser reads the address after the click, and gives no sign when it has.
  setTimeout(() => release(url), 10_000);
}

/** Reads the thumbnails of cells that come into view. Those of one look are asked for together: they are one record. */
function loader(cellOf) {
  const waiting = new Set();
  let timer;

  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) waiting.add(target.dataset.id);
      else waiting.delete(target.dataset.id);
    }
    plan();
  }, { rootMargin: "300px" });

  function plan() {
    if (waiting.size) timer ??= setTimeout(load, GATHER_MS);
  }

  async function load() {
    const asked = new Map();
    for (const id of [...waiting].slice(0, THUMBNAILS_MAX)) {
      waiting.delete(id);
      const made = cellOf(id);
      if (!made || made.url) continue;
      observer.unobserve(made.element);
      asked.set(id, made);
    }
    try {
      if (asked.size) await read(asked);
    } finally {
      timer = undefined;
      for (const { element } of asked.values()) refresh(element);
      plan();
    }
  }

  async function read(asked) {
    try {
      const answer = await json("POST", "/api/v1/thumbnails", { ids: [...asked.keys()] });
      const found = new Map(answer.thumbnails.map(({ id, png }) => [id, png]));
      for (const [id, made] of asked) {
        made.broken = !found.has(id);
        // It may have gone, or come anew, meanwhile.
        if (made.broken || cellOf(id) !== made) continue;
        made.url = hold(png(found.get(id)));
        made.picture.src = made.url;
      }
    } catch (problem) {
      // Without an answer the next reading of the list tries again, as after a trouble that is none of the pictures.
      for (const made of asked.values()) made.broken = ["damaged", "not_found"].includes(problem.code);
      if (!["network", "damaged", "not_found"].includes(problem.code)) tellProblem(problem);
    }
  }

  return {
    watch: (element) => observer.observe(element),
    forget: (element) => {
      observer.unobserve(element);
      waiting.delete(element.dataset.id);
    },
  };
}

function png(base64) {
  return new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], { type: "image/png" });
}

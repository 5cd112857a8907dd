// The pictures that were made: a grid, its selection, and what can be done with several at once.

import { blob, json } from "./api.js";
import { ask, tell, tellProblem } from "./dialog.js";
import { alternative } from "./stage.js";
import { h, hold, refresh, release } from "./view.js";
import { shortTime, t } from "./words.js";

const PAGE = 60;
const PAGE_MAX = 200;
const LANES = 4;
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
    h("p", { class: "hint", hidden: () => total > 0 }, () => t("history.empty")),
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
    [next, total] = [answer.next, answer.total];
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

/** Saves plain copies, one after the other; each is on record. */
export async function download(images) {
  try {
    for (const { id, name } of images) {
      const url = hold(await blob("POST", `/api/v1/images/${id}/export`, {}));
      h("a", { href: url, download: name }).click();
      // The browser reads the address after the click, and gives no sign when it has.
      setTimeout(() => release(url), 10_000);
    }
    tell(() => t("downloaded", { n: images.length }));
  } catch (problem) {
    tellProblem(problem);
  }
}

/** Reads the thumbnails of cells that come into view, a few at a time. */
function loader(cellOf) {
  const waiting = new Set();
  let busy = 0;

  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) waiting.add(target.dataset.id);
      else waiting.delete(target.dataset.id);
    }
    work();
  }, { rootMargin: "300px" });

  function work() {
    for (const id of waiting) {
      if (busy === LANES) return;
      waiting.delete(id);
      load(id);
    }
  }

  async function load(id) {
    const made = cellOf(id);
    if (!made || made.url) return;
    busy += 1;
    observer.unobserve(made.element);
    try {
      const url = hold(await blob("GET", `/api/v1/images/${id}/thumbnail`));
      if (cellOf(id) !== made) return release(url);
      made.url = url;
      made.picture.src = url;
    } catch (problem) {
      made.broken = problem.code !== "network"; // else the next reading of the list tries again
    } finally {
      busy -= 1;
      refresh(made.element);
      work();
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

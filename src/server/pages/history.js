// The pictures that were made: a grid, its selection, and what can be done with several at once.

import { json } from "./api.js";
import { ask, tell, tellProblem } from "./dialog.js";
import { download } from "./download.js";
import { alternative } from "./stage.js";
import { loader } from "./thumbnails.js";
import { h, refresh, release } from "./view.js";
import { shortTime, t } from "./words.js";

const PAGE = 60;
const PAGE_MAX = 200;
const DELETE_MANY = "/api/v1/images:delete";

/**
 * Makes the history. `open(image)` puts one on the stage, `changed()` follows every reading of the list and of
 * thumbnails, and `erasure` is what deleting is worth here.
 */
export function makeHistory({ open, changed, erasure }) {
  const cells = new Map();
  const selected = new Set();
  let order = [];
  let next = null;
  let total = 0;
  let known = false;
  let current = null;
  // The one cell that the tab key stops at, and the one where a range begins.
  let stop = null;
  let anchor = null;
  let reading = null;
  let stale = false;

  const thumbnails = loader((id) => cells.get(id), changed);
  const list = h("ul", { id: "history", "aria-describedby": "history-keys", onkeydown: move, onkeyup: hold });
  const element = h("section", { class: "card history", "aria-labelledby": "history-title" },
    h("div", { class: "bar" },
      h("h2", { id: "history-title", tabindex: "-1" }, () => t("history")),
      h("p", { class: "hint", role: "status" }, count),
      h("div", { class: "actions end" },
        h("button", {
          id: "selected-download", type: "button", hidden: () => !selected.size,
          onclick: () => download(chosen()),
        }, () => t("history.download")),
        h("button", {
          id: "selected-delete", type: "button", class: "danger quiet", hidden: () => !selected.size,
          onclick: () => remove(chosen()),
        }, () => t("history.delete")),
        h("button", { id: "select-all", type: "button", class: "quiet", hidden: () => !total, onclick: selectAll },
          () => t("history.select.all")),
        h("button", { id: "select-none", type: "button", class: "quiet", hidden: () => !selected.size,
          onclick: selectNone }, () => t("history.select.none")),
        h("button", {
          id: "all-delete", type: "button", class: "danger quiet", hidden: () => !total || selected.size > 0,
          onclick: removeAll,
        }, () => t("history.delete.all")))),
    h("p", { id: "history-keys", hidden: true }, () => t("history.keys")),
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
        class: "open", type: "button", tabIndex: () => (stop === image.id ? 0 : -1),
        onclick: () => open(made.image), onfocus: () => stopAt(image.id),
        "aria-label": () => alternative(made.image) + (made.broken ? ` ${t("history.broken")}` : ""),
        "aria-current": () => current === image.id && "true",
      },
        made.picture,
        h("span", { class: "hint", hidden: () => !made.broken }, () => t("history.broken"))),
      h("label", { class: "check" },
        h("input", {
          class: "select", type: "checkbox", tabIndex: -1, checked: () => selected.has(image.id),
          "aria-label": () => t("history.select", { name: image.name }),
          onclick: ({ target, shiftKey }) => select(indexOf(image.id), target.checked, shiftKey),
        }),
        h("span", { class: "hint" }, () => shortTime(image.created_ms))));
    cells.set(image.id, made);
    return made;
  }

  const indexOf = (id) => order.findIndex((image) => image.id === id);

  function stopAt(id) {
    if (stop === id) return;
    const before = cells.get(stop);
    stop = id;
    for (const made of [before, cells.get(id)]) if (made) refresh(made.element);
  }

  function focusOn(image) {
    if (!image) return element.querySelector("#history-title").focus();
    stopAt(image.id);
    cells.get(image.id).element.querySelector(".open").focus();
  }

  /** Arrows, Home and End go through the grid; the space bar selects, and with Shift it selects the range. */
  function move(event) {
    const { key, target, shiftKey, ctrlKey, metaKey, altKey } = event;
    const at = indexOf(target.closest("li")?.dataset.id);
    if (at < 0 || ctrlKey || metaKey || altKey) return;
    const columns = getComputedStyle(list).gridTemplateColumns.split(" ").length;
    const to = {
      ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - columns, ArrowDown: at + columns,
      Home: 0, End: order.length - 1, " ": at,
    }[key];
    if (to === undefined || target.matches("input")) return;
    event.preventDefault();
    if (key === " ") select(at, !selected.has(order[at].id), shiftKey);
    else if (order[to]) focusOn(order[to]);
  }

  // The space bar, which selects here, would press the button when it comes up.
  function hold(event) {
    if (event.key === " " && event.target.matches(".open")) event.preventDefault();
  }

  function select(at, isSelected, isRange) {
    const from = isRange ? indexOf(anchor) : at;
    const [first, last] = from < 0 ? [at, at] : [Math.min(from, at), Math.max(from, at)];
    for (const { id } of order.slice(first, last + 1)) {
      if (isSelected) selected.add(id);
      else selected.delete(id);
    }
    anchor = order[at].id;
    refresh(element);
  }

  function selectAll() {
    order.forEach(({ id }) => selected.add(id));
    refresh(element);
  }

  function selectNone() {
    selected.clear();
    refresh(element);
    // The button that was pressed is gone.
    element.querySelector("#select-all").focus();
  }

  function show(images) {
    const focused = indexOf(document.activeElement.closest("#history li")?.dataset.id);
    order = images;
    const ids = new Set(order.map((image) => image.id));
    if (!ids.has(stop)) stop = order[Math.min(Math.max(focused, 0), order.length - 1)]?.id ?? null;
    const isFocusLost = focused >= 0 && !ids.has(document.activeElement.closest("li").dataset.id);
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
    if (isFocusLost) focusOn(order[indexOf(stop)]);
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
    await reload();
    // What asked for it may be gone with what was erased.
    if (document.activeElement === document.body) focusOn(order[indexOf(stop)]);
  }

  /** The picture before or after another one, as the list stands; further ones are read when the end is reached. */
  async function beside(id, by) {
    const at = indexOf(id);
    if (at >= 0 && at + by >= order.length && next) await more();
    return at < 0 ? undefined : order[at + by];
  }

  return {
    element,
    reload,
    remove,
    beside,
    /** Is there a picture before or after another one? */
    hasBeside: (id, by) => indexOf(id) >= 0 && (!!order[indexOf(id) + by] || (by > 0 && !!next)),
    /** A picture of the list. */
    find: (id) => cells.get(id)?.image,
    /** The address of a thumbnail, or `null` while there is none: it is asked for, and `changed()` follows. */
    thumbnail(id) {
      const made = cells.get(id);
      if (made && !made.url && !made.broken) thumbnails.want(id);
      return made?.url ?? null;
    },
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

// The pictures that were made: a grid, its selection, and what can be done with several at once.

import { part } from "./api.js";
import { makeCatalogue } from "./catalogue.js";
import { tellProblem } from "./dialog.js";
import { download } from "./download.js";
import { makeRows } from "./rows.js";
import { alternative } from "./stage.js";
import { loader } from "./thumbnails.js";
import { h, refresh, release } from "./view.js";
import { shortTime, t } from "./words.js";

// So many cells, and their thumbnails, are kept at most beside those in the page.
const CELLS_MAX = 600;

/**
 * Makes the history. `open(image)` puts one on the stage, `changed()` follows every reading of the list and of
 * thumbnails; `erasure` is what deleting is worth here, if `mayErase`.
 */
export function makeHistory({ open, changed, erasure, mayErase }) {
  const cells = new Map();
  const selected = new Set();
  // All that was read, also by id; what is shown of it, and where each stands.
  let listed;
  let known = new Map();
  let order = [];
  let places = new Map();
  // What chooses and sorts, in the gallery.
  let finder = null;
  let current = null;
  // The one cell that the tab key stops at, and the one where a range begins.
  let stop = null;
  let anchor = null;
  let reading = null;
  let stale = false;

  const isPart = () => finder?.isActive() ?? false;
  const catalogue = makeCatalogue(() => refresh(counted));
  const thumbnails = loader((id) => cells.get(id), changed);
  const list = h("ul", {
    id: "history", tabindex: "-1", "aria-labelledby": "history-title", "aria-describedby": "history-keys",
    onkeydown: move, onkeyup: hold,
  });
  const rows = makeRows(list, draw);
  const counted = h("p", { class: "hint", role: "status" }, count);
  const element = h("section", { class: "card history", "aria-labelledby": "history-title" },
    h("div", { class: "bar" },
      h("h2", { id: "history-title", tabindex: "-1" }, () => t(finder ? "gallery" : "history")),
      counted,
      h("a", { id: "to-gallery", class: "button", href: "#gallery", hidden: () => !!finder }, () => t("gallery")),
      h("a", { id: "to-studio", class: "button", href: "#", hidden: () => !finder }, () => t("gallery.close")),
      h("div", { class: "actions end" },
        h("button", {
          id: "selected-download", type: "button", hidden: () => !selected.size,
          onclick: () => download(chosen()),
        }, () => t("history.download")),
        h("button", {
          id: "selected-delete", type: "button", class: "danger quiet", hidden: () => !selected.size || !mayErase,
          onclick: () => remove(chosen()),
        }, () => t("history.delete")),
        h("button", { id: "select-all", type: "button", class: "quiet", hidden: () => !order.length, onclick: selectAll },
          () => t("history.select.all")),
        h("button", { id: "select-none", type: "button", class: "quiet", hidden: () => !selected.size,
          onclick: selectNone }, () => t("history.select.none")),
        h("button", {
          id: "all-delete", type: "button", class: "danger quiet", onclick: () => removeAll(),
          hidden: () => !catalogue.total() || selected.size > 0 || isPart() || !mayErase,
        }, () => t("history.delete.all")))),
    !mayErase && h("p", { id: "erase-never", class: "hint" }, () => t("erase.never")),
    h("p", { id: "history-keys", hidden: true }, () => t("history.keys")),
    list,
    h("p", { id: "history-empty", class: "hint", hidden: () => order.length > 0 || catalogue.total() === null },
      () => t(isPart() ? "gallery.none" : "history.empty")),
    h("button", {
      id: "more", type: "button", hidden: () => !catalogue.hasMore() || !!finder, onclick: more,
    }, () => t("history.more")));

  const chosen = () => order.filter((image) => selected.has(image.id));

  function count() {
    const n = catalogue.total();
    if (selected.size) return t("history.selected", { n: order.length, selected: selected.size });
    if (finder && catalogue.hasMore()) return t("gallery.reading", { read: catalogue.images().length, n });
    if (isPart()) return t("gallery.found", { found: order.length, n });
    return n ? t("history.total", { n }) : "";
  }

  function cell(image) {
    const made = cells.get(image.id) ?? makeCell(image);
    made.image = image;
    made.broken ||= image.missing;
    // The one that was used last is kept longest.
    cells.delete(image.id);
    cells.set(image.id, made);
    return made;
  }

  function makeCell(image) {
    const made = { image, url: null, broken: false };
    made.picture = h("img", { alt: () => alternative(made.image), hidden: () => !made.url });
    made.element = h("li", {
      "data-id": image.id,
      "data-selected": () => selected.has(image.id),
      "data-current": () => current === image.id,
      "aria-posinset": () => indexOf(image.id) + 1,
      "aria-setsize": () => order.length,
    },
      h("button", {
        class: "open", type: "button", tabIndex: () => (tabStop() === image.id ? 0 : -1),
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
    return made;
  }

  const indexOf = (id) => places.get(id) ?? -1;

  // Where that cell is not in the page, the first one that is takes its place.
  const tabStop = () => (cells.get(stop)?.element.parentNode === list ? stop : list.firstElementChild?.dataset.id);

  function stopAt(id) {
    if (stop === id) return;
    stop = id;
    refresh(list);
  }

  function focusOn(index) {
    const image = order[index];
    if (!image) return element.querySelector("#history-title").focus();
    rows.reveal(index);
    stopAt(image.id);
    cells.get(image.id).element.querySelector(".open").focus();
  }

  /** Arrows, Home and End go through the grid; the space bar selects, and with Shift it selects the range. */
  function move(event) {
    const { key, target, shiftKey, ctrlKey, metaKey, altKey } = event;
    if (ctrlKey || metaKey || altKey || target.matches("input")) return;
    // The list has the focus once the cell that had it is out of the window.
    const at = indexOf(target.closest("li")?.dataset.id ?? stop);
    const to = {
      ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - rows.columns(), ArrowDown: at + rows.columns(),
      Home: 0, End: order.length - 1, " ": at, "/": finder ? at : undefined,
    }[key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    if (key === "/") finder.focus();
    else if (key === " ") select(at, !selected.has(order[at].id), shiftKey);
    else if (order[to]) focusOn(to);
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

  /** Shows what was read, as far as it is looked for. */
  function show() {
    const focused = indexOf(document.activeElement.closest("#history li")?.dataset.id);
    const read = catalogue.images();
    if (read !== listed) known = new Map((listed = read).map((image) => [image.id, image]));
    order = finder ? finder.arrange(read) : read;
    places = new Map(order.map(({ id }, index) => [id, index]));
    const isFocusLost = focused >= 0 && !places.has(document.activeElement.closest("li").dataset.id);
    if (!places.has(stop)) stop = order[Math.min(Math.max(focused, 0), order.length - 1)]?.id ?? null;
    for (const id of cells.keys()) if (!known.has(id)) drop(id);
    // Nobody deletes what they do not see.
    for (const id of selected) if (!places.has(id)) selected.delete(id);
    rows.update(order.length);
    refresh(element);
    if (isFocusLost) focusOn(indexOf(stop));
    changed();
  }

  function draw(first, end, isNear) {
    const shown = order.slice(first, end);
    const ids = new Set(shown.map(({ id }) => id));
    for (const item of [...list.children]) {
      if (ids.has(item.dataset.id)) continue;
      if (item.contains(document.activeElement)) list.focus({ preventScroll: true });
      thumbnails.forget(item.dataset.id);
      item.remove();
    }
    // A cell that is where it belongs is not moved, so that the focus stays.
    const made = shown.map(cell);
    made.forEach(({ element: item }, index) => {
      if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
    });
    refresh(list);
    if (isNear) thumbnails.want(made.filter(({ url, broken }) => !url && !broken).map(({ image }) => image.id));
    for (const [id, { element: item }] of cells) {
      if (cells.size <= CELLS_MAX) break;
      if (item.parentNode !== list) drop(id);
    }
  }

  function drop(id) {
    const { url, element: item } = cells.get(id);
    thumbnails.forget(id);
    release(url);
    item.remove();
    cells.delete(id);
  }

  async function readAll() {
    do {
      stale = false;
      await catalogue.read();
      show();
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
      await catalogue.more();
      show();
    } catch (problem) {
      tellProblem(problem, more);
    }
  }

  const removeAll = () => remove(null, catalogue.total());

  async function remove(images, n = images.length) {
    try {
      const { erase } = await part(() => import("./erase.js"));
      if (!await erase(images, n, erasure)) return;
    } catch (problem) {
      tellProblem(problem);
    }
    await reload();
    // What asked for it may be gone with what was erased.
    if (document.activeElement === document.body) focusOn(indexOf(stop));
  }

  /** The picture before or after another one, as the list stands; more are read at its end. */
  async function beside(id, by) {
    const at = indexOf(id);
    if (at >= 0 && at + by >= order.length && catalogue.hasMore()) await more();
    return at < 0 ? undefined : order[at + by];
  }

  return {
    element,
    reload,
    remove,
    beside,
    /** Is there a picture before or after another one? */
    hasBeside: (id, by) => indexOf(id) >= 0 && (!!order[indexOf(id) + by] || (by > 0 && catalogue.hasMore())),
    /** A picture of the part of the list that was read. */
    find: (id) => known.get(id),
    /** The address of a thumbnail, or `null` while there is none: it is asked for, and `changed()` follows. */
    thumbnail(id) {
      if (!known.has(id)) return null;
      const made = cell(known.get(id));
      if (!made.url && !made.broken) thumbnails.want([id]);
      return made.url;
    },
    /** Is there no picture at all? */
    isEmpty: () => !catalogue.total(),
    /** Marks the picture that is on the stage. */
    mark(id) {
      current = id;
      refresh(list);
    },
    /** With the gallery's tools all pictures are read, and shown as they say; with `null` the newest come first again. */
    arrange(tools) {
      finder?.element.remove();
      finder = tools;
      if (finder) {
        list.before(finder.element);
        catalogue.wantAll();
        reload();
      }
      show();
    },
    /** Shows what the tools say now. */
    show,
  };
}

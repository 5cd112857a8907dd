// Settings with a name, for another day. They lie in the browser and are not sealed: numbers, and the name.

import { browser } from "./store.js";
import { h, refresh } from "./view.js";
import { t } from "./words.js";

const KEY = "presets";
const PRESETS_MAX = 20;
const NAME_CHARS_MAX = 40;

/** Makes the list of presets. `values()` are the settings as texts, and `use(values)` takes them up again. */
export function makePresets({ values, use }) {
  let known = read();
  const name = h("input", {
    id: "preset-name", maxLength: NAME_CHARS_MAX, autocomplete: "off", spellcheck: false, "aria-label": () => t("presets.name"),
    placeholder: () => t("presets.name"), "aria-describedby": "presets-hint",
    onkeydown: (event) => {
      // In a form it would send that.
      if (event.key !== "Enter" || event.isComposing || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      save();
    },
  });
  const others = (title) => known.filter((one) => one.name !== title);
  const isFull = () => others(name.value.trim()).length >= PRESETS_MAX;
  const list = h("ul", {});
  const element = h("div", {},
    list,
    h("div", { class: "save" }, name, h("button", {
      id: "preset-save", type: "button", disabled: () => !name.value.trim() || isFull(), onclick: save,
    }, () => t("presets.save"))),
    h("p", { id: "presets-hint", class: "hint" }, () => t(isFull() ? "presets.full" : "presets.hint", { n: PRESETS_MAX })));

  function save() {
    const title = name.value.trim();
    if (!title || isFull()) return;
    write([...others(title), { name: title, values: values() }]);
    name.value = "";
    refresh(element);
  }

  function write(presets) {
    known = presets;
    browser.set(KEY, JSON.stringify(known));
    draw();
  }

  function draw() {
    list.replaceChildren(...known.map((one) => h("li", {},
      h("button", { type: "button", class: "quiet", onclick: () => use(one.values) }, one.name),
      h("button", {
        type: "button", class: "plain", "aria-label": () => t("presets.remove", { name: one.name }), onclick: () => remove(one),
      }, "✕"))));
    refresh(element);
  }

  function remove(one) {
    write(others(one.name));
    // The button that was pressed is gone.
    name.focus();
  }

  draw();
  return element;
}

// Whoever can write there may have written anything.
function read() {
  try {
    const isPreset = ({ name, values }) => typeof name === "string" && values.every((value) => typeof value === "string");
    return JSON.parse(browser.get(KEY) ?? "[]").filter(isPreset);
  } catch {
    return [];
  }
}

// The prompts of this session: in the memory of the program for whoever typed them, gone with the lock.

import { h, refresh } from "./view.js";
import { t } from "./words.js";

/** Makes the list; `use(typed)` hears which one was clicked. `typed` has a `prompt` and perhaps a `negative_prompt`. */
export function makePrompts(use) {
  let known = [];
  const list = h("ul", {});
  const element = h("details", { id: "prompts", hidden: () => !known.length },
    h("summary", { id: "prompts-title" }, () => t("prompts")),
    h("p", { class: "hint" }, () => t("prompts.hint")),
    list);

  return {
    element,
    /** One more, which is the newest. */
    add(typed) {
      const isOther = (one) => one.prompt !== typed.prompt || one.negative_prompt !== typed.negative_prompt;
      known = [typed, ...known.filter(isOther)];
      list.replaceChildren(...known.map((one) => h("li", {},
        h("button", { type: "button", class: "quiet", onclick: () => use(one) }, firstWords(one.prompt)))));
      refresh(element);
    },
  };
}

/** So much of a prompt that one knows it again. */
export function firstWords(prompt) {
  const start = [...prompt.trim().replace(/\s+/g, " ")];
  return start.length > 60 ? `${start.slice(0, 60).join("")}…` : start.join("");
}

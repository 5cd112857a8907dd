// What the page asks and tells the person: one question at a time, and one notice at the foot of the window.

import { h, refresh } from "./view.js";
import { explain, t } from "./words.js";

/**
 * Asks a question and answers whether it was agreed to. With `count`, the person has to type that number.
 * `title`, `yes` and each of `sentences` are functions, so that they follow the language.
 */
export function ask({ title, sentences, yes, count, mild }) {
  return new Promise((answer) => {
    const typed = count === undefined ? null : h("input", {
      id: "dialog-count", inputMode: "numeric", autocomplete: "off",
      oninput: () => refresh(dialog),
    });
    // As it is shown (1,008), and as keyboards of other languages write digits.
    const plain = () => typed.value.normalize("NFKC").replace(/[\s,.'’]/g, "");
    const agreed = () => !typed || plain() === String(count);
    const close = (value) => {
      answer(value);
      dialog.close();
    };
    const form = h("form", {
      onsubmit: (event) => {
        event.preventDefault();
        if (agreed()) close(true);
      },
    },
      h("h2", { id: "dialog-title" }, title),
      h("div", { id: "dialog-text" }, sentences.map((sentence) => h("p", {}, sentence))),
      typed && h("label", { class: "field", for: "dialog-count" },
        h("span", {}, () => t("dialog.type", { n: count })), typed),
      h("div", { class: "actions end" },
        h("button", { id: "dialog-no", type: "button", autofocus: !typed, onclick: () => close(false) },
          () => t("dialog.no")),
        h("button", { id: "dialog-yes", class: mild ? "primary" : "danger", disabled: () => !agreed() }, yes)));
    const dialog = h("dialog", {
      id: "dialog", "aria-labelledby": "dialog-title", "aria-describedby": "dialog-text",
      onclose: () => {
        dialog.remove();
        answer(false);
      },
    }, form);
    document.body.append(dialog);
    dialog.showModal();
    typed?.focus();
  });
}

/**
 * Shows a sentence until it is closed or replaced; `retry` adds a button of the text `label`. Gives the notice, for who
 * takes it away.
 */
export function tell(sentence, { bad = false, retry, label = "retry" } = {}) {
  hush();
  // The region comes first and its text after it: a reader announces changes, not what was there already.
  const region = h("div", {
    id: "notice", class: bad ? "notice bad" : "notice", role: bad ? "alert" : "status",
  });
  document.body.append(region);
  region.append(
    h("p", {}, sentence),
    retry ? h("button", { type: "button", onclick: () => { hush(); retry(); } }, () => t(label)) : "",
    h("button", { type: "button", class: "plain", "aria-label": () => t("close"), onclick: hush }, "✕"));
  return region;
}

/** Shows a problem; the end of a session is none, its screen says it. */
export function tellProblem(problem, retry) {
  if (problem.code !== "token") tell(() => explain(problem), { bad: true, retry });
}

/** Takes the notice away. */
export function hush() {
  document.getElementById("notice")?.remove();
}

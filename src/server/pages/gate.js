// A card before the studio: a form that is checked, sent, and waits out a lock-out.

import { h, refresh } from "./view.js";
import { explain, t } from "./words.js";

/** A sentence instead of a form, when there is nothing to fill in. */
export function sentenceScreen(title, sentence, retry) {
  return card(title,
    h("p", { id: "message", role: "alert", class: "message" }, sentence),
    retry && h("button", { class: "primary", type: "button", onclick: retry }, () => t("retry")));
}

/** A card with a form: checks what was typed, sends it, says what went wrong, and waits out a lock-out. */
export function gate(title, { intro, fields, outro, button, check, submit, failed, wait = 0 }) {
  let message = wait ? () => t("error.locked_out") : null;
  let busy = false;
  let until = performance.now() + wait * 1000;
  const left = () => Math.max(0, Math.ceil((until - performance.now()) / 1000));
  const say = (sentence) => {
    message = sentence;
    refresh(screen);
  };
  const tick = () => {
    refresh(screen);
    if (left() && screen.isConnected) setTimeout(tick, 250);
    else if (message && !left()) say(null);
  };

  async function send(event) {
    event.preventDefault();
    if (busy || left()) return;
    const wrong = check();
    if (wrong) {
      say(wrong[1]);
      return wrong[0].focus();
    }
    busy = true;
    say(null);
    try {
      await submit();
    } catch (problem) {
      say(() => explain(problem));
      failed(problem);
      until = performance.now() + problem.retryAfter * 1000;
      if (left()) tick();
    } finally {
      busy = false;
      refresh(screen);
    }
  }

  const label = () => {
    if (busy) return t("wait");
    return left() ? t("unlock.wait", { seconds: left() }) : button.text();
  };
  const screen = card(title,
    intro.map((sentence) => h("p", {}, sentence)),
    h("p", { id: "message", role: "alert", class: "message" }, () => message?.()),
    h("form", { onsubmit: send },
      // Password managers file a passphrase under a name.
      fields[0]?.querySelector("[autocomplete=username]") ? null
        : h("input", { autocomplete: "username", value: "Lightproof", hidden: true, readOnly: true }),
      fields,
      h("button", { id: button.id, class: "primary", disabled: () => busy || left() > 0 }, label)),
    outro);
  if (wait) setTimeout(tick, 250);
  return screen;
}

/** A screen of one card. */
export function card(title, ...children) {
  return h("main", { class: "gate" }, h("section", { class: "card" }, h("h2", {}, title), ...children));
}

/** A field for a passphrase. */
export function secret(id, autocomplete) {
  return h("input", { id, type: "password", autocomplete, spellcheck: false, autocapitalize: "off" });
}

/** Shows what is typed into these fields. */
export function showPassphrase(...inputs) {
  const show = (event) => {
    for (const input of inputs) input.type = event.target.checked ? "text" : "password";
  };
  return h("label", { class: "check" },
    h("input", { type: "checkbox", onchange: show }), h("span", {}, () => t("passphrase.show")));
}

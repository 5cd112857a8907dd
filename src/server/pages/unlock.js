// The screens before the studio: making the vault, the recovery code, unlocking.

import { begin, json } from "./api.js";
import { field, h, refresh } from "./view.js";
import { explain, t } from "./words.js";

const PASSPHRASE_MIN = 12;

/** Makes the vault. `code` is the setup code of the address, if there was one; `done` opens the studio. */
export function setupScreen({ code, done, again }) {
  const typedCode = code ? null : h("input", { id: "setup-code", autocomplete: "off", spellcheck: false });
  const passphrase = secret("passphrase", "new-password");
  const repeated = secret("passphrase-again", "new-password");
  const screen = gate(() => t("setup.title"), {
    button: { id: "set-up", text: () => t("setup.go") },
    fields: [
      typedCode && field(typedCode, () => t("setup.code"), () => t("setup.code.hint")),
      field(passphrase, () => t("passphrase"), () => t("setup.passphrase.hint", { n: PASSPHRASE_MIN })),
      field(repeated, () => t("setup.again")),
      showPassphrase(passphrase, repeated),
    ],
    intro: [() => t("setup.intro")],
    check: () => {
      if (typedCode && !typedCode.value.trim()) return [typedCode, () => t("setup.code.missing")];
      const n = PASSPHRASE_MIN - [...passphrase.value].length;
      if (n > 0) return [passphrase, () => t("setup.short", { n })];
      return passphrase.value === repeated.value ? null : [repeated, () => t("setup.differ")];
    },
    submit: async () => {
      const made = await json("POST", "/api/v1/setup",
        { code: code ?? setupCodeOf(typedCode.value), passphrase: passphrase.value });
      begin(made);
      screen.replaceWith(recoveryScreen(made.recovery_code, done));
    },
    failed: (problem) => problem.code === "setup_done" && again(),
  });
  return screen;
}

/** Opens the vault. `wait` is the rest of a lock-out in seconds. */
export function unlockScreen({ wait, done, again }) {
  const passphrase = secret("passphrase", "current-password");
  const screen = gate(() => t("unlock.title"), {
    button: { id: "unlock", text: () => t("unlock.go") },
    fields: [field(passphrase, () => t("passphrase")), showPassphrase(passphrase)],
    intro: [() => t("unlock.intro")],
    outro: h("details", {},
      h("summary", {}, () => t("unlock.lost")),
      h("p", {}, () => t("unlock.lost.how")),
      h("code", {}, "lightproof vault passwd")),
    check: () => (passphrase.value ? null : [passphrase, () => t("unlock.missing")]),
    submit: async () => {
      begin(await json("POST", "/api/v1/session", { passphrase: passphrase.value }));
      done();
    },
    failed: (problem) => {
      passphrase.value = "";
      passphrase.focus();
      if (problem.code === "no_vault") again();
    },
    wait,
  });
  return screen;
}

/** A sentence instead of a form, when there is nothing to fill in. */
export function sentenceScreen(title, sentence, retry) {
  return card(title,
    h("p", { id: "message", role: "alert", class: "message" }, sentence),
    retry && h("button", { class: "primary", type: "button", onclick: retry }, () => t("retry")));
}

function recoveryScreen(code, done) {
  const noted = h("input", { id: "recovery-noted", type: "checkbox", onchange: () => refresh(screen) });
  const parts = code.split("-").flatMap((part, index) => (index ? ["-", h("wbr"), part] : [part]));
  const screen = card(() => t("recovery.title"),
    h("p", {}, () => t("recovery.intro")),
    h("output", { id: "recovery-code", "aria-label": () => t("recovery.title") }, parts),
    h("p", { class: "hint" }, () => t("recovery.lost")),
    h("label", { class: "check" }, noted, h("span", {}, () => t("recovery.noted"))),
    h("button", {
      id: "continue", class: "primary", type: "button", disabled: () => !noted.checked, onclick: done,
    }, () => t("recovery.go")));
  return screen;
}

/** A card with a form: checks what was typed, sends it, says what went wrong, and waits out a lock-out. */
function gate(title, { intro, fields, outro, button, check, submit, failed, wait = 0 }) {
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
      h("input", { autocomplete: "username", value: "Lightproof", hidden: true, readOnly: true }),
      fields,
      h("button", { id: button.id, class: "primary", disabled: () => busy || left() > 0 }, label)),
    outro);
  if (wait) setTimeout(tick, 250);
  return screen;
}

function card(title, ...children) {
  return h("main", { class: "gate" }, h("section", { class: "card" }, h("h2", {}, title), ...children));
}

// The whole link does as well as the code in it.
function setupCodeOf(typed) {
  return typed.trim().replace(/^.*#setup=/, "");
}

function secret(id, autocomplete) {
  return h("input", { id, type: "password", autocomplete, spellcheck: false, autocapitalize: "off" });
}

function showPassphrase(...inputs) {
  const show = (event) => {
    for (const input of inputs) input.type = event.target.checked ? "text" : "password";
  };
  return h("label", { class: "check" },
    h("input", { type: "checkbox", onchange: show }), h("span", {}, () => t("passphrase.show")));
}

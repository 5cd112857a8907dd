// The recovery code: shown once, confirmed, and drawn anew for whoever has the passphrase.

import { json } from "./api.js";
import { card, gate, secret, showPassphrase } from "./gate.js";
import { tab } from "./store.js";
import { field, h, refresh } from "./view.js";
import { t } from "./words.js";

/** Was a code shown in this tab and not confirmed before the page was left? */
export const isUnconfirmed = () => tab.get("recovery") !== null;

/** Shows a code until it is confirmed that it is written down. */
export function codeScreen(code, done) {
  // A mark that there was one, and nothing of it, outlives a reload.
  tab.set("recovery", 1);
  const noted = h("input", { id: "recovery-noted", type: "checkbox", onchange: () => refresh(screen) });
  const parts = code.split("-").flatMap((part, index) => (index ? ["-", h("wbr"), part] : [part]));
  const screen = card(() => t("recovery.title"),
    h("p", {}, () => t("recovery.intro")),
    h("output", { id: "recovery-code", "aria-label": () => t("recovery.title") }, parts),
    h("p", { class: "hint" }, () => t("recovery.lost")),
    h("p", { class: "hint" }, () => t("recovery.reload")),
    h("label", { class: "check" }, noted, h("span", {}, () => t("recovery.noted"))),
    h("button", {
      id: "continue", class: "primary", type: "button", disabled: () => !noted.checked, onclick: leave,
    }, () => t("recovery.go")));

  // The browser asks before it reloads or closes the page; the screen may have gone with a lock.
  const warn = (event) => screen.isConnected && event.preventDefault();
  addEventListener("beforeunload", warn);

  function leave() {
    removeEventListener("beforeunload", warn);
    tab.remove("recovery");
    done();
  }
  return screen;
}

/** Draws a new code for whoever types the passphrase. `done` follows, with or without a new one. */
export function drawScreen(done) {
  const passphrase = secret("passphrase", "current-password");
  const lost = isUnconfirmed();
  const leave = () => {
    tab.remove("recovery");
    done();
  };
  const screen = gate(() => t(lost ? "recovery.lost.title" : "recovery.new"), {
    button: { id: "recovery-draw", text: () => t("recovery.draw") },
    fields: [field(passphrase, () => t("passphrase")), showPassphrase(passphrase)],
    intro: [() => t(lost ? "recovery.lost.how" : "recovery.new.what"), () => t("recovery.new.old")],
    outro: h("button", { id: "recovery-leave", type: "button", onclick: leave },
      () => t(lost ? "recovery.have" : "cancel")),
    check: () => (passphrase.value ? null : [passphrase, () => t("unlock.missing")]),
    submit: async () => {
      // From here on the old code may be void, whether the answer arrives or not.
      tab.set("recovery", 1);
      const made = await json("POST", "/api/v1/recovery", { passphrase: passphrase.value });
      screen.replaceWith(codeScreen(made.recovery_code, done));
    },
    failed: (problem) => {
      if (!lost && problem.code !== "network") tab.remove("recovery");
      passphrase.value = "";
      passphrase.focus();
    },
  });
  return screen;
}

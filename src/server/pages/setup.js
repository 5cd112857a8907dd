// The first screen of all: making the vault.

import { begin, json } from "./api.js";
import { gate, secret, showPassphrase } from "./gate.js";
import { codeScreen } from "./recovery.js";
import { field, h, refresh } from "./view.js";
import { t } from "./words.js";

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
      field(passphrase, () => t("passphrase"), () => (passphrase.value
        ? t(`strength.${strength(passphrase.value)}`) : t("setup.passphrase.hint", { n: PASSPHRASE_MIN }))),
      h("meter", { id: "strength", max: 3, value: () => strength(passphrase.value), "aria-label": () => t("strength") }),
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
      screen.replaceWith(codeScreen(made.recovery_code, done));
    },
    failed: (problem) => problem.code === "setup_done" && again(),
  });
  passphrase.addEventListener("input", () => refresh(screen));
  return screen;
}

// From 0, too short, to 3, strong: a rough word. The program has the last one.
function strength(text) {
  const characters = [...text];
  if (characters.length < PASSPHRASE_MIN) return 0;
  if (new Set(characters).size < 7) return 1;
  return characters.length >= 20 || new Set(text.trim().split(/\s+/)).size >= 4 ? 3 : 2;
}

// The whole link does as well as the code in it.
function setupCodeOf(typed) {
  return typed.trim().replace(/^.*#setup=/, "");
}

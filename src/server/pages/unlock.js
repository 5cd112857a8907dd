// The screens before the studio: making the vault, and unlocking it.

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

/** Opens the vault. `wait` is the rest of a lock-out in seconds; with `names`, people say who they are; `joint`: two open it together. */
export function unlockScreen({ wait, names, joint, done, again }) {
  const person = (id, autocomplete) => h("input", { id, autocomplete, spellcheck: false, autocapitalize: "off" });
  const name = names ? person("operator", "username") : null;
  const passphrase = secret("passphrase", "current-password");
  const [secondName, second] = joint ? [person("second-operator", "off"), secret("second-passphrase", "off")] : [];
  const screen = gate(() => t("unlock.title"), {
    button: { id: "unlock", text: () => t("unlock.go") },
    fields: [
      name && field(name, () => t("person.name")), field(passphrase, () => t("passphrase")),
      joint && field(secondName, () => t("unlock.second.name")), joint && field(second, () => t("unlock.second")),
      showPassphrase(...[passphrase, second].filter(Boolean)),
    ],
    intro: [() => t("unlock.intro"), ...(joint ? [() => t("unlock.joint")] : [])],
    outro: h("details", {},
      h("summary", {}, () => t("unlock.lost")),
      h("p", {}, () => t("unlock.lost.how")),
      h("code", {}, "lightproof vault passwd")),
    // Two others may have opened it since this was shown, and then everybody signs in alone.
    check: () => {
      if (!passphrase.value) return [passphrase, () => t("unlock.missing")];
      const half = joint && [secondName, second].find((input, at, both) => !input.value && both[1 - at].value);
      return half ? [half, () => t("error.two_people")] : null;
    },
    submit: async () => {
      const other = second?.value ? { operator: secondName.value.trim(), passphrase: second.value } : undefined;
      begin(await json("POST", "/api/v1/session",
        { operator: name?.value.trim() || undefined, passphrase: passphrase.value, second: other }));
      done();
    },
    failed: (problem) => {
      const lacks = problem.code === "two_people" && second && !second.value;
      if (!lacks) passphrase.value = "";
      if (second) second.value = "";
      (lacks ? secondName : passphrase).focus();
      // Somebody has said meanwhile that two open it, or has destroyed it.
      if (problem.code === "no_vault" || (problem.code === "two_people" && !joint)) again();
    },
    wait,
  });
  return screen;
}

// The whole link does as well as the code in it.
function setupCodeOf(typed) {
  return typed.trim().replace(/^.*#setup=/, "");
}

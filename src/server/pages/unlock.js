// The screen before the studio: unlocking the vault.

import { begin, json } from "./api.js";
import { gate, secret, showPassphrase } from "./gate.js";
import { field, h } from "./view.js";
import { t } from "./words.js";

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

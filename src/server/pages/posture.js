// What seals the program: the badge, and the dialog that has every fence tried while one looks.

import { json } from "./api.js";
import { hush } from "./dialog.js";
import { h, refresh } from "./view.js";
import { explain, fullTime, named, t } from "./words.js";

const SIGNS = { green: "✓", amber: "!", red: "✕", missing: "✕", silent: "?" };

/** The sign and the word of a state. */
export function badgeText(state) {
  return state ? `${SIGNS[state]} ${t(`posture.${state}`)}` : "";
}

/** Opens the dialog and has the fences tried; `measured(state)` hears what came out. */
export function openPosture(measured) {
  let busy = false;
  const result = h("div", { class: "result", "aria-live": "polite", "aria-busy": () => String(busy) });
  const again = h("button", { type: "button", class: "primary", onclick: measure, disabled: () => busy },
    () => t(busy ? "wait" : "posture.again"));
  const dialog = h("dialog", {
    id: "posture", "aria-labelledby": "posture-title", onclose: () => dialog.remove(),
  },
    h("h2", { id: "posture-title" }, () => t("posture.title")),
    h("p", { class: "hint" }, () => t("posture.intro")),
    result,
    h("div", { class: "actions end" },
      again,
      h("button", { type: "button", onclick: () => dialog.close() }, () => t("close"))));

  async function measure() {
    busy = true;
    refresh(dialog);
    try {
      const report = await json("GET", "/api/v1/posture");
      measured(report.state);
      result.replaceChildren(...describe(report));
    } catch (problem) {
      result.replaceChildren(h("p", { class: "message" }, () => explain(problem)));
    } finally {
      busy = false;
      refresh(dialog);
    }
  }

  hush();
  document.body.append(dialog);
  dialog.showModal();
  measure();
}

function describe(report) {
  const tried = report.fences.reduce((sum, fence) => sum + fence.tried.length, 0);
  return [
    h("p", { class: "verdict", "data-state": report.state },
      h("strong", {}, () => badgeText(report.state)),
      report.broken
        ? h("span", { lang: "en" }, report.broken)
        : h("span", {}, () => t("posture.verdict", { tried, threads: report.threads_checked }))),
    h("ul", { class: "fences" }, report.fences.map(describeFence)),
    h("dl", { class: "facts" },
      fact("posture.listen", () => report.listen),
      fact("posture.ipv6", () => t(report.holds_ipv6_loopback ? "yes" : "no")),
      fact("posture.landlock", () => String(report.landlock_abi)),
      report.landlock_missing.length > 0
        && fact("posture.lacks", () => report.landlock_missing.join(", "), "en"),
      fact("posture.uid", () => String(report.uid)),
      fact("posture.checked", () => fullTime(report.checked_ms))),
  ];
}

function describeFence({ fence, state, detail, tried }) {
  return h("li", {},
    h("span", { class: "state", "data-state": state }, SIGNS[state] ?? "•"),
    h("div", {},
      h("h3", {}, () => named(`fence.${fence}`, fence),
        h("span", { class: "hint" }, () => named(`fence.state.${state}`, state))),
      h("p", { class: "hint", lang: "en" }, detail),
      tried.length > 0 && h("details", {},
        h("summary", {}, () => t("posture.tried", { n: tried.length })),
        h("table", {},
          h("thead", {}, h("tr", {},
            ["posture.operation", "posture.thread", "posture.answer"].map((key) =>
              h("th", { scope: "col" }, () => t(key))))),
          h("tbody", { lang: "en" }, tried.map(({ operation, thread, answer }) =>
            h("tr", {}, [operation, thread, answer].map((text) => h("td", {}, text)))))))));
}

function fact(key, text, lang) {
  return h("div", {}, h("dt", {}, () => t(key)), h("dd", { lang }, text));
}

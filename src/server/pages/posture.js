// What seals the program: the dialog that has every fence tried while one looks.

import { json } from "./api.js";
import { SIGNS, badgeText } from "./badge.js";
import { hush } from "./dialog.js";
import { h, refresh } from "./view.js";
import { explain, fullTime, named, t, translate } from "./words.js";

// What needs a person comes first.
const ORDER = ["red", "missing", "amber", "green"];

/**
 * Opens the dialog. With a session everything is tried, and `measured(state)` hears what came out; without one it shows
 * what was found when it was tried last.
 */
export function open({ measured, hasSession }) {
  let busy = false;
  // It scrolls, so the keyboard must come to it.
  const result = h("div", {
    class: "result", role: "region", tabindex: "0", "aria-labelledby": "posture-title", "aria-live": "polite",
    "aria-busy": () => String(busy),
  });
  const again = h("button", {
    type: "button", class: "primary", onclick: measure, disabled: () => busy, hidden: !hasSession,
  }, () => t(busy ? "wait" : "posture.again"));
  const dialog = h("dialog", {
    id: "posture", "aria-labelledby": "posture-title", onclose: () => dialog.remove(),
  },
    h("h2", { id: "posture-title" }, () => t("posture.title")),
    h("p", { class: "hint" }, () => t(hasSession ? "posture.intro" : "posture.intro.before")),
    result,
    h("div", { class: "actions end" },
      again,
      h("button", { type: "button", onclick: () => dialog.close() }, () => t("close"))));

  async function measure() {
    busy = true;
    refresh(dialog);
    try {
      const report = hasSession ? await json("GET", "/api/v1/posture") : recorded(await json("GET", "/api/v1/status"));
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

/** What anybody may know, in the form of a report. */
function recorded({ posture, unattended, summary: { fences, tried_ms } }) {
  return { state: posture, unattended, checked_ms: tried_ms, fences: fences.map((fence) => ({ ...fence, detail: "", tried: [] })) };
}

function describe(report) {
  const fences = [...report.fences].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
  const rest = fences.filter(({ state }) => state !== "green");
  const copy = report.checkpoint_copy;
  return [
    h("div", { class: "verdict", "data-state": report.state },
      h("strong", {}, () => badgeText(report.state)),
      h("span", {}, () => verdict(report)),
      rest.map((fence) => h("p", {}, () =>
        t("posture.remark", { fence: nameOf(fence), remedy: t(`fence.remedy.${fence.state === "red" ? "red" : fence.fence}`) }))),
      report.unattended && h("p", {}, () => t("warning.unattended")),
      copy?.trouble && [h("p", {}, () => t("warning.no_copy")), h("code", { lang: "en" }, copy.trouble)],
    report.broken && h("code", { lang: "en" }, report.broken)),
    h("ul", { class: "fences" }, fences.map(describeFence)),
    h("dl", { class: "facts" },
      report.listen && [
        fact("posture.listen", () => report.listen),
        fact("posture.ipv6", () => t(report.holds_ipv6_loopback ? "yes" : "no")),
        fact("posture.landlock", () => String(report.landlock_abi)),
        report.landlock_missing.length > 0
          && fact("posture.lacks", () => report.landlock_missing.map((right) => translate("lacks", right)).join(", ")),
        fact("posture.uid", () => String(report.uid)),
        ...report.processes.map(describeProcess),
      ],
      copy?.records && fact("posture.copy", () => covers(copy)),
      fact("posture.checked", () => fullTime(report.checked_ms))),
  ];
}

function covers({ covers, records, uncovered_since_ms: since }) {
  return t(`posture.copy.${since ? "behind" : "all"}`, { covers, records, since: since && fullTime(since) });
}

function verdict({ state, fences, threads_checked: threads }) {
  const tried = fences.reduce((sum, fence) => sum + fence.tried.length, 0);
  if (state === "red") return t("posture.verdict.red");
  return tried ? t("posture.verdict", { tried, threads }) : t("posture.verdict.before");
}

const nameOf = ({ fence }) => named(`fence.${fence}`, fence);

function describeFence({ fence, state, detail, tried }) {
  return h("li", { "data-fence": fence },
    h("span", { class: "state", "data-state": state }, SIGNS[state] ?? "•"),
    h("div", {},
      h("h3", {}, () => named(`fence.${fence}`, fence),
        h("span", { class: "hint" }, () => named(`fence.state.${state}`, state))),
      h("p", { class: "hint" }, () => named(`fence.for.${fence}`, "")),
      h("p", { class: "hint" }, () => translate("detail", detail)),
      tried.length > 0 && h("details", {},
        h("summary", {}, () => t("posture.tried", { n: tried.length })),
        h("table", {},
          h("thead", {}, h("tr", {},
            ["posture.operation", "posture.thread", "posture.answer"].map((key) =>
              h("th", { scope: "col" }, () => t(key))))),
          h("tbody", {}, tried.map(({ operation, thread, answer }) =>
            h("tr", {},
              h("td", {}, () => translate("act", operation)),
              h("td", {}, () => translate("thread", thread)),
              h("td", {}, () => translate("answer", answer)))))))));
}

// The others cannot be tried from here.
function describeProcess({ process, state }) {
  return fact(`posture.process.${process}`, () =>
    t("posture.process.state", { sign: SIGNS[state], state: named(`fence.state.${state}`, state) }));
}

function fact(key, text) {
  return h("div", {}, h("dt", {}, () => t(key)), h("dd", {}, text));
}

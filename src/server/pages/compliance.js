// What was found of each control, and a new run: a dialog that is fetched when an admin asks for it.

import { PAUSE_MS, blob, json } from "./api.js";
import { hush } from "./dialog.js";
import { save } from "./download.js";
import { card } from "./gate.js";
import { learn, table, utc } from "./late.js";
import { field, h, refresh } from "./view.js";
import { explain, fullTime, t, translate } from "./words.js";

// Sign and colour of each outcome. What needs a person comes first.
const LOOKS = {
  not_satisfied: ["✕", "red"], satisfied: ["✓", "green"], not_applicable: ["–", "silent"], not_measured: ["?", "silent"],
  never: ["?", "silent"],
};
const ORDER = Object.keys(LOOKS);
const FRAMEWORKS = ["gdpr", "iso27001", "nist", "ai-act", "cn"];
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 0]];

const language = () => document.documentElement.lang;
// The program's own sentences come in both languages.
const say = (text) => text[language().slice(0, 2)];
const outcomeOf = ({ now }) => now?.outcome ?? "never";

/** What an auditor has in the place of the studio. */
export function screen(opens) {
  const none = () => {};
  return {
    element: card(() => t("role.auditor"), h("p", {}, () => t("auditor.intro")), h("div", { class: "actions" },
      opens("compliance", "compliance.open", async () => ({ open })), opens("log", "log.open", () => import("./log.js")),
      opens("people", "people.open.own", () => import("./people.js")))),
    leave: "leave", take: () => PAUSE_MS, lose: none, view: none, typed: none, putBack: none, active: () => 0,
  };
}

/** Opens it with what is on record; nothing is tried before somebody asks. */
export async function open() {
  await learn();
  let busy = false;
  let message = null;
  let found = null;
  const framework = h("select", { id: "framework", onchange: draw },
    ["all", ...FRAMEWORKS].map((one) => h("option", { value: one }, () => t(`framework.${one}`))));
  // What leaves: all of it, unless somebody says otherwise.
  const [since, until] = ["since", "until"].map((one) => h("input", { id: `export-${one}`, type: "date" }));
  const lang = h("select", { id: "export-lang" },
    ["all", "en", "zh"].map((one) => h("option", { value: one }, () => t(`compliance.in.${one}`))));
  // It scrolls, so the keyboard must come to it.
  const list = h("div", {
    id: "controls", class: "result", role: "region", tabindex: "0", "aria-labelledby": "compliance-title",
    "aria-busy": () => String(busy),
  });
  const dialog = h("dialog", {
    id: "compliance-dialog", class: "tall", "aria-labelledby": "compliance-title", onclose: () => dialog.remove(),
  },
    h("h2", { id: "compliance-title" }, () => t("compliance")),
    h("p", { class: "hint" }, () => t("compliance.intro")),
    h("p", { id: "compliance-age", role: "status" }, () => message?.() ?? (found && summary(found))),
    // How long the program's part takes nobody can tell before it is done: the bar says only that it goes on.
    h("progress", { id: "compliance-progress", hidden: () => !(busy && message), "aria-labelledby": "compliance-age" }),
    field(framework, () => t("compliance.framework")),
    list,
    h("details", { id: "export-of" }, h("summary", {}, () => t("compliance.of")),
      h("div", { class: "filters" }, field(since, () => t("log.since")), field(until, () => t("log.until")),
        field(lang, () => t("compliance.in")))),
    h("div", { class: "actions end" },
      h("button", { id: "export-evidence", type: "button", onclick: () => load(hand, "exporting"), disabled: () => busy },
        () => t("compliance.export")),
      h("button", { id: "run-controls", type: "button", class: "primary", onclick: () => load(run, "trying"), disabled: () => busy },
        () => t(busy ? "wait" : "compliance.run")),
      h("button", { type: "button", onclick: () => dialog.close() }, () => t("close"))));

  const run = () => json("POST", "/api/v1/evidence/run", {});
  const hand = async () => {
    const of = { since: utc(since.value, "00:00"), until: utc(until.value, "23:59"), framework: framework.value, lang: lang.value };
    const said = Object.fromEntries(Object.entries(of).filter(([, value]) => value && value !== "all"));
    save(await blob("POST", "/api/v1/evidence/export", said), "lightproof-evidence.zip");
    return () => t("compliance.exported");
  };

  async function load(before, what) {
    busy = true;
    message = what ? () => t(`compliance.${what}`) : null;
    refresh(dialog);
    try {
      const note = await before?.();
      found = await json("GET", "/api/v1/evidence");
      draw();
      message = typeof note === "function" ? note : null;
    } catch (problem) {
      message = () => explain(problem);
    } finally {
      busy = false;
      refresh(dialog);
    }
  }

  function draw() {
    const chosen = found.controls.filter(({ clauses }) => framework.value === "all" || clauses[framework.value]);
    chosen.sort((a, b) => ORDER.indexOf(outcomeOf(a)) - ORDER.indexOf(outcomeOf(b)));
    const groups = [...Map.groupBy(chosen, ({ id }) => id.slice(0, 3))];
    list.replaceChildren(...describeClocks(found.incidents), ...groups.map(([group, controls]) => describeGroup(group, controls, found.reasons)));
  }

  hush();
  document.body.append(dialog);
  dialog.showModal();
  load();
}

function summary({ tried, age_seconds: age, age_seconds_max: oldest }) {
  if (!tried) return t("compliance.never");
  const [unit, seconds] = UNITS.find(([, least]) => age >= least);
  const ago = new Intl.RelativeTimeFormat(language(), { numeric: "auto" }).format(-Math.floor(age / (seconds || 1)), unit);
  return t(age > oldest ? "compliance.old" : "compliance.last",
    { ago, time: fullTime(tried.started_ms), counts: counted(tried.counts) });
}

// What is due when, of incidents whose clocks run.
function describeClocks(incidents) {
  const running = incidents.flatMap(({ clocks }) => clocks).sort((a, b) => a.due_ms - b.due_ms);
  if (!running.length) return [];
  return [h("section", { class: "controls", id: "clocks", "aria-label": () => t("compliance.clocks") },
    h("h3", {}, () => t("compliance.clocks")),
    table(["compliance.clause", "compliance.what", "compliance.due", "compliance.left"], running.map((one) =>
      [one.clause, () => say(one.due), () => fullTime(one.due_ms), () => leftOf(one)])))];
}

function leftOf({ left_seconds: left, late }) {
  const [unit, seconds] = left >= 3600 ? ["hour", 3600] : ["minute", 60];
  const count = Math.floor(left / seconds);
  return new Intl.RelativeTimeFormat(language()).format(late ? -count : count, unit);
}

const counted = (counts) =>
  ORDER.filter((one) => counts[one]).map((one) => `${t(`outcome.${one}`)} ${counts[one]}`).join(" · ");

function describeGroup(group, controls, reasons) {
  const counts = Object.fromEntries(ORDER.map((one) => [one, controls.filter((of) => outcomeOf(of) === one).length]));
  return h("section", { class: "controls", "aria-label": () => t(`controls.${group}`) },
    h("h3", {}, () => t(`controls.${group}`), h("span", { class: "hint" }, () => counted(counts))),
    controls.map((control) => describeControl(control, reasons)));
}

function describeControl(control, reasons) {
  const { id, clauses, judged, now, results } = control;
  const outcome = outcomeOf(control);
  const [sign, state] = LOOKS[outcome];
  const reason = now?.reason ?? control.not_measured;
  const { facts = {}, attempts = [] } = now?.reading ?? {};
  return h("details", { "data-control": id, "data-outcome": outcome },
    h("summary", {},
      h("span", { class: "state", "data-state": state, "aria-hidden": "true" }, sign),
      h("span", {}, h("strong", {}, id), " ", () => say(control.claim)),
      h("span", { class: "hint" }, () => t(`outcome.${outcome}`))),
    h("dl", {},
      term("measured", () => say(control.measured)),
      reason && term("reason", () => say(reasons[reason])),
      judged && term("judged", () => judged.join(", ")),
      now?.reading && term("reading", () => Object.entries(facts).map((one) => one.join(" = ")).join(", ")),
      term("clauses", () =>
        Object.keys(clauses).map((one) => `${t(`framework.${one}`)}: ${clauses[one].join(", ")}`).join("; "))),
    attempts.length > 0 && h("details", {},
      h("summary", {}, () => t("posture.tried", { n: attempts.length })),
      table(["posture.operation", "posture.answer"], attempts.map(({ operation, answer }) =>
        [() => translate("act", operation), () => translate("answer", answer)]))),
    results.length > 0 && table(["posture.checked", "compliance.found", "compliance.record"], results.map((one) =>
      [() => fullTime(one.started_ms), () => t(`outcome.${one.outcome}`), String(one.record)])));
}

const term = (key, text) => [h("dt", {}, () => t(`compliance.${key}`)), h("dd", {}, text)];

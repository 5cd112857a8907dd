// The audit log: its records in words, a check of all of it, and a slice to take away. Fetched when an admin asks for it.

import { blob, json } from "./api.js";
import { hush } from "./dialog.js";
import { save } from "./download.js";
import { learn, utc } from "./late.js";
import { field, h, refresh } from "./view.js";
import { explain, fullTime, named, t } from "./words.js";

// First words of types: what a filter takes.
const KINDS = [
  "act", "audit", "backup", "boot", "certificate", "clock", "disk", "evidence", "fence", "generate", "hold", "key", "log", "model",
  "object", "objects", "outputs", "posture", "recovery", "request", "retention", "session", "slot", "support", "token", "vault",
];

// Sign and colour of each outcome, as those of the fences.
const LOOKS = { ok: ["✓", "green"], denied: ["✕", "red"], failed: ["✕", "red"] };

/** Opens it with the newest records. That somebody reads them is on record before they are answered. */
export async function open() {
  // The program's own sentences are English.
  await learn("records");
  let busy = false;
  let message = null;
  let next = null;
  let turn = 0;
  const since = h("input", { id: "log-since", type: "date", onchange: anew });
  const until = h("input", { id: "log-until", type: "date", onchange: anew });
  const choice = (id, key, words) => h("select", { id, onchange: anew },
    ["all", ...words].map((word) => h("option", { value: word }, () => t(word === "all" ? "log.all" : `${key}.${word}`))));
  const kind = choice("log-type", "kind", KINDS);
  const outcome = choice("log-outcome", "ended", Object.keys(LOOKS));
  const about = h("input", { id: "log-about", placeholder: "o:… / j:…", autocomplete: "off", spellcheck: false, onchange: anew });
  // It scrolls, so the keyboard must come to it.
  const list = h("div", {
    id: "records", class: "result", role: "region", tabindex: "0", "aria-labelledby": "log-title",
    "aria-busy": () => String(busy),
  });
  const older = h("button", { id: "log-older", type: "button", onclick: () => load(more), disabled: () => busy },
    () => t("log.older"));
  const button = (id, key, work) =>
    h("button", { id, type: "button", onclick: () => load(work), disabled: () => busy }, () => t(key));
  const dialog = h("dialog", {
    id: "log-dialog", class: "tall", "aria-labelledby": "log-title", onclose: () => dialog.remove(),
  },
    h("h2", { id: "log-title" }, () => t("log")),
    h("p", { class: "hint" }, () => t("log.intro")),
    h("div", { class: "filters" },
      field(since, () => t("log.since")), field(until, () => t("log.until")), field(kind, () => t("log.type")),
      field(outcome, () => t("log.outcome")), field(about, () => t("log.about"))),
    h("p", { id: "log-message", role: "status" }, () => message?.()),
    list,
    h("div", { class: "actions end" },
      button("log-verify", "log.verify", verify), button("log-export", "log.export", hand),
      h("button", { type: "button", onclick: () => dialog.close() }, () => t("close"))));

  function query(names) {
    const id = about.value.trim();
    const asked = {
      since: utc(since.value, "00:00"), until: utc(until.value, "23:59"), type: kind.value, outcome: outcome.value,
      [id.startsWith("j:") ? "job" : "object"]: id, before: next === null ? "" : String(next),
    };
    return new URLSearchParams(Object.entries(asked).filter(([name, value]) => value && value !== "all" && (names?.includes(name) ?? true)));
  }

  async function more() {
    const mine = turn;
    const page = await json("GET", `/api/v1/audit?${query()}`);
    // The filters are others by now.
    if (mine !== turn) return;
    next = page.next;
    older.remove();
    list.append(...page.rows.map(describe));
    if (page.pruned) list.append(gone(page.pruned));
    if (next !== null) list.append(older);
    const n = list.querySelectorAll("details").length;
    message = () => t(n === 0 && next !== null ? "log.none.yet" : "log.shown", { n, all: page.records });
  }

  function anew() {
    turn += 1;
    next = null;
    list.replaceChildren();
    load(more);
  }

  async function verify() {
    const report = await json("POST", "/api/v1/audit/verify", {});
    const { subject, text } = report.findings[0] ?? {};
    message = () => t(report.ok ? "log.verified" : "log.broken", {
      n: report.complete, key: report.first_key, findings: report.findings_total, first: `${subject}: ${text}`,
    });
  }

  async function hand() {
    save(await blob("GET", `/api/v1/audit/export?${query(["since", "until"])}`), "lightproof-log.zip");
    message = () => t("log.exported");
  }

  async function load(work) {
    busy = true;
    refresh(dialog);
    try {
      await work();
    } catch (problem) {
      message = () => (problem.code === "parameter" ? t("log.wrong") : explain(problem));
    } finally {
      busy = false;
      refresh(dialog);
    }
  }

  hush();
  document.body.append(dialog);
  dialog.showModal();
  anew();
}

// Nobody knows which of them the filters would take.
const gone = ({ first, last, records }) => h("p", { class: "hint" }, () =>
  t("log.gone", { n: records, first: String(first), last: String(last) }));

function describe({ record, about, facts, damaged }) {
  if (!record) return h("details", { "data-record": damaged }, h("summary", {}, () => t("log.damaged", { at: String(damaged) })));
  const [sign, state] = LOOKS[record.out];
  const own = { actor: record.actor, object: record.obj, job: record.job };
  return h("details", { "data-record": record.seq, "data-type": record.type },
    h("summary", {},
      h("span", { class: "state", "data-state": state, "aria-hidden": "true" }, sign),
      h("span", {},
        h("strong", {}, () => named(`record.${record.type}`, about)),
        h("span", { class: "hint" }, () =>
          [`${record.seq}`, fullTime(Date.parse(record.ts)), record.type, t(`ended.${record.out}`),
            record.actor === "a:system" ? t("log.program") : record.actor].join(" · ")))),
    h("dl", {},
      Object.entries(own).filter(([, id]) => id).flatMap(([name, id]) => [h("dt", {}, () => t(`log.${name}`)), h("dd", {}, id)]),
      facts.slice(3).flatMap(({ name, value, meaning }) =>
        [h("dt", {}, name), h("dd", {}, value, h("span", { class: "hint" }, inWords(meaning)))])));
}

// A meaning is of one sentence or several: those of a field, and then those of its word. One that a newer program knows is English.
const inWords = (meaning) => meaning.split(/(?<=\.) /).map((sentence) =>
  h("span", named(`means.${sentence}`) ? {} : { lang: "en" }, named(`means.${sentence}`, `${sentence} `)));

// Every text of the page in the language that was chosen, and numbers and times as that language writes them.

import { browser } from "./store.js";

const NAMES = { en: "English", "zh-CN": "中文" };

let texts = {};
let language = "en";
// A format takes long to make, and hundreds of captions use the same one.
const formats = new Map();

/** The language that was chosen in this tab, else the one of the browser, else English. */
export function preferredLanguage() {
  const chosen = browser.get("language") ?? navigator.language;
  return chosen.toLowerCase().startsWith("zh") ? "zh-CN" : "en";
}

/** The other language: its code, and its name in itself. */
export function otherLanguage() {
  const code = language === "en" ? "zh-CN" : "en";
  return { code, name: NAMES[code] };
}

/** Loads a language. The page that shows is to be refreshed after that. */
export async function speak(code) {
  const answer = await fetch(`./${code}.json`);
  if (!answer.ok) throw new Error(code);
  texts = await answer.json();
  language = code;
  formats.clear();
  document.documentElement.lang = code;
}

/** Adds texts, until another language is loaded. */
export const add = (more) => Object.assign(texts, more);

/** The text of a key, with its `{placeholders}` filled; `n` chooses between `key.one` and `key.other`. */
export function t(key, values = {}) {
  const text = texts[key] ?? texts[`${key}.${new Intl.PluralRules(language).select(values.n ?? 0)}`] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === "number" ? number(value) : String(value);
  });
}

/** A sentence of the program's own in the chosen language, with its numbers; as it came if there is none. */
export function translate(kind, sentence) {
  const numbers = sentence.match(/\d+/g) ?? [];
  const text = texts[`${kind}.${sentence.replace(/\d+/g, "#")}`];
  return text?.replace(/#/g, () => numbers.shift()) ?? sentence;
}

/** What a problem means, in the chosen language if there is a sentence for its code. */
export function explain(problem) {
  const key = `error.${problem.code}`;
  return key in texts ? t(key, { seconds: problem.retryAfter, detail: problem.message }) : problem.message;
}

/** The text of a key that a newer program may know and this page does not. */
export const named = (key, otherwise) => texts[key] ?? otherwise;

// A number with the separators of the language.
const number = (value) => new Intl.NumberFormat(language).format(value);

/** A date and time, short enough for a caption. */
export const shortTime = (ms) =>
  time(ms, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** A date and time to the second. */
export const fullTime = (ms) => time(ms, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

/** The same in UTC, as pictures are named, where that is another time; otherwise nothing. */
export const utcTime = (ms) => (new Date(ms).getTimezoneOffset() === 0 ? ""
  : t("time.utc", { time: new Date(ms).toISOString().slice(0, 19).replace("T", " ") }));

function time(ms, form) {
  const key = JSON.stringify(form);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(language, form));
  return formats.get(key).format(ms);
}

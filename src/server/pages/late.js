// What the dialogs say that are fetched when somebody asks for them, and what several of them are made of.

import { part } from "./api.js";
import { h, refresh } from "./view.js";
import { add, t } from "./words.js";

// Files of texts that were asked for. What records mean stands in them in English already.
const files = new Set();
const lacks = (file, lang) => file === "records" && lang === "en";

/** Fetches the texts, in the language that is chosen now, and again when another is chosen beneath a dialog. */
export const learn = (...more) => part(() => {
  ["late", ...more].forEach((file) => files.add(file));
  return fill();
});

async function fill() {
  const { lang } = document.documentElement;
  for (const file of [...files].filter((one) => !lacks(one, lang))) {
    const answer = await fetch(`./${file}.${lang}.json`);
    if (!answer.ok) throw new Error(answer.status);
    const texts = await answer.json();
    if (document.documentElement.lang !== lang) return fill();
    add(texts);
  }
}

new MutationObserver(async () => {
  try {
    await fill();
    refresh(document.body);
  } catch {
    // It would show keys in the place of texts.
    document.querySelectorAll("dialog").forEach((dialog) => dialog.close());
  }
}).observe(document.documentElement, { attributeFilter: ["lang"] });

/** A table of rows of cells, below heads that are keys of texts. */
export const table = (heads, rows) => h("table", {},
  h("thead", {}, h("tr", {}, heads.map((key) => h("th", { scope: "col" }, () => t(key))))),
  h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell) => h("td", {}, cell))))));

/** A day of the person who reads, from its first minute to its last, as filters take it. */
export const utc = (day, minute) => (day ? new Date(`${day}T${minute}`).toISOString().slice(0, 16) : "");

// What the dialogs say that are fetched when somebody asks for them, and what several of them are made of.

import { part } from "./api.js";
import { h } from "./view.js";
import { add, t } from "./words.js";

/** Fetches the texts, in the language that is chosen now: the dialogs are modal, so that no other is chosen meanwhile. */
export const learn = (...files) => part(async () => {
  for (const file of ["late", ...files]) {
    const answer = await fetch(`./${file}.${document.documentElement.lang}.json`);
    if (!answer.ok) throw new Error(answer.status);
    add(await answer.json());
  }
});

/** A table of rows of cells, below heads that are keys of texts. */
export const table = (heads, rows) => h("table", {},
  h("thead", {}, h("tr", {}, heads.map((key) => h("th", { scope: "col" }, () => t(key))))),
  h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell) => h("td", {}, cell))))));

/** A day of the person who reads, from its first minute to its last, as filters take it. */
export const utc = (day, minute) => (day ? new Date(`${day}T${minute}`).toISOString().slice(0, 16) : "");

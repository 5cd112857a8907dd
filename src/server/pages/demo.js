// What the demo model is good for, said before somebody is disappointed by it, and examples to click.

import { h } from "./view.js";
import { t } from "./words.js";

const NAME = "lightproof-demo";
const SIDE_PX = 128;
const EXAMPLES = 10;

/** Is it the model inside the program? */
export const isDemo = (model) => model.name === NAME;

/** Is it a size that the demo model was made for? */
export const isDemoSize = (width, height) => width === SIDE_PX && height === SIDE_PX;

/** Examples in the language of the page; `choose(text)` hears which one was clicked. */
export function makeExamples(choose) {
  const text = (n) => t(`example.${n}`);
  return h("div", { class: "examples" }, Array.from({ length: EXAMPLES }, (_, index) =>
    h("button", { type: "button", onclick: () => choose(text(index + 1)) }, () => text(index + 1))));
}

/** What it draws, examples, and the way to the large model. */
export function makeDemoNote(choose) {
  return h("details", { id: "demo" },
    h("summary", { id: "demo-title" }, () => t("demo", { px: SIDE_PX })),
    h("p", { class: "hint" }, () => t("demo.what")),
    makeExamples(choose),
    h("p", { class: "hint" }, () => t("demo.other")),
    h("code", {}, () => t("demo.how")));
}

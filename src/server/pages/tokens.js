// How long a text is for the model, counted by the program with the model's own tokenizer while one types.

import { json } from "./api.js";
import { h, refresh } from "./view.js";
import { t } from "./words.js";

// Counted when the typing pauses.
const PAUSE_MS = 400;

/**
 * Makes the line that says how many tokens `input` holds, while `counts()`. The text goes in the body of a request, and
 * is on no record.
 */
export function makeCounter(input, { id, counts }) {
  let found = null;
  let timer;

  const isKnown = () => found?.text === input.value && counts();
  const isOver = () => isKnown() && found.tokens > found.tokens_max;
  const element = h("p", { id, class: "hint", "data-over": isOver }, () =>
    (isKnown() ? t("tokens", { n: found.tokens, max: found.tokens_max }) : ""));

  /** Counts now, if the text is another one. */
  async function measure() {
    clearTimeout(timer);
    const text = input.value;
    if (!text.trim() || found?.text === text || !counts()) return;
    try {
      found = { text, ...(await json("POST", "/api/v1/tokens", { text })) };
    } catch {
      // What is wrong with it is said when it is sent.
    }
    refresh(element);
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(measure, PAUSE_MS);
    refresh(element);
  });
  return {
    element,
    measure,
    isOver,
    /** The count and the limit, as they were found. */
    values: () => ({ n: found?.tokens, max: found?.tokens_max }),
  };
}

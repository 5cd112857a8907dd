// The tools of the gallery: which pictures are shown, and in which order. All of it happens in this page: what is searched
// for is in no address, no request and no storage.

import { field, h } from "./view.js";
import { t } from "./words.js";

// As they come they are newest first, and a sort that leaves two as they were leaves them so.
const SORTS = {
  newest: null,
  oldest: (a, b) => a.created_ms - b.created_ms,
  largest: (a, b) => b.width * b.height - a.width * a.height,
  seed: (a, b) => a.seed - b.seed,
};
// So many characters of a model's digest do not turn up by chance in what is meant as a word.
const DIGEST_CHARS_MIN = 8;

/**
 * Makes the tools; `changed()` follows what a person does with them. `textsOf(image)` are the texts that a picture was made
 * of, where they are known, and `model` is the one that is loaded.
 */
export function makeFinder({ textsOf, model, changed }) {
  const known = new WeakMap();
  // The pictures that are looked through, and the facts of each.
  let listed = null;
  let facts = [];
  const search = h("input", {
    id: "search", type: "search", autocomplete: "off", spellcheck: false, autocapitalize: "off", oninput: changed,
  });
  const sort = h("select", { id: "sort", onchange: changed },
    Object.keys(SORTS).map((name) => h("option", { value: name }, () => t(`sort.${name}`))));
  const element = h("div", { class: "find", role: "search" },
    field(search, () => t("search"), () => t("search.hint")),
    field(sort, () => t("sort")));

  const words = () => plain(search.value).split(/\s+/).filter((word) => word)
    .map((typed) => ({ typed, exact: typed.replace("×", "x") }));

  /** What a picture can be found by. */
  function factsOf(image) {
    const before = known.get(image);
    if (before) return before;
    const { prompt, negative_prompt } = textsOf(image) ?? {};
    const made = new Date(image.created_ms - 60_000 * new Date(image.created_ms).getTimezoneOffset());
    const found = {
      texts: plain(`${prompt ?? ""}\n${negative_prompt ?? ""}`),
      exact: [`${image.width}x${image.height}`, String(image.seed), image.model === model.digest && plain(model.name)],
      date: made.toISOString().slice(0, 10),
      name: plain(image.name),
      digest: image.model ?? "",
    };
    known.set(image, found);
    return found;
  }

  const isFound = (fact, { typed, exact }) =>
    fact.texts.includes(typed) || fact.exact.includes(exact) || fact.date.startsWith(typed) || fact.name.startsWith(typed)
    || (typed.length >= DIGEST_CHARS_MIN && fact.digest.startsWith(typed));

  return {
    element,
    /** Is only a part of them shown? */
    isActive: () => search.value.trim() !== "",
    /** Goes to where one types. */
    focus: () => search.focus(),
    /** Those of `images` that hold every word, in the order that was chosen. */
    arrange(images) {
      const wanted = words();
      if (!wanted.length) [listed, facts] = [null, []];
      else if (images !== listed) [listed, facts] = [images, images.map(factsOf)];
      const found = images.filter((_, index) => wanted.every((word) => isFound(facts[index], word)));
      const by = SORTS[sort.value];
      return by ? found.sort(by) : found;
    },
  };
}

// Full-width letters and digits, as keyboards of other languages write them, are the same ones.
function plain(text) {
  return text.normalize("NFKC").toLowerCase();
}

// What a person asks for: the prompt and the settings, checked before they are sent.

import { hasToken, part } from "./api.js";
import { isDemo, isDemoSize, makeDemoNote } from "./demo.js";
import { tell } from "./dialog.js";
import { makePrompts } from "./prompts.js";
import { tab } from "./store.js";
import { makeCounter } from "./tokens.js";
import { field, h, refresh } from "./view.js";
import { t } from "./words.js";

const SHAPES = [[1, 1], [4, 3], [3, 4], [3, 2], [2, 3], [16, 9], [9, 16]];

/**
 * Makes the form. `send(request)` starts a job and resolves when it was taken; what it throws is shown by
 * `explain`. `sealed()` is false when no picture may be made any more.
 */
export function makeForm({ model, defaults, limits, keep_prompts }, { send, explain, sealed }) {
  // A draft has half of the steps, and is made anew with the same seed later.
  const draftSteps = Math.ceil(defaults.steps / 2);
  // From here on the length of the prompt is shown.
  const nearLimit = limits.prompt_bytes_max * 0.8;
  let message = null;
  let busy = false;

  const prompt = h("textarea", {
    id: "prompt", rows: 4, placeholder: () => t("prompt.placeholder"), "aria-describedby": "prompt-length prompt-tokens",
    ...unremembered(),
  });
  const sizes = commonSizes(defaults, limits);
  const size = h("select", { id: "size", onchange: chooseSize },
    sizes.map((common) => h("option", { value: key(common) }, () => t("size.option", {
      width: String(common.width), height: String(common.height), shape: t(`shape.${common.shape}`),
    }))),
    h("option", { value: "custom" }, () => t("size.custom")));
  const width = numeric("width", { value: defaults.width, step: limits.side_px_step });
  const height = numeric("height", { value: defaults.height, step: limits.side_px_step });
  const count = numeric("count", { value: defaults.count, min: 1, max: limits.images_max });
  const seed = h("input", {
    id: "seed", inputMode: "numeric", placeholder: () => t("seed.random"), "aria-describedby": "seed-hint",
    ...unremembered(),
  });
  const steps = numeric("steps", { value: defaults.steps, min: 1, max: limits.steps_max });
  const guidance = numeric("guidance", {
    value: defaults.guidance, min: 0, max: limits.guidance_max, step: 0.1,
  });
  const negative = h("textarea", {
    id: "negative", rows: 2, ...unremembered(),
  });
  // Without guidance the negative prompt is not used, so nothing is asked about it.
  const isGuided = () => value(guidance) > 0;
  const counters = [
    makeCounter(prompt, { id: "prompt-tokens", counts: () => length() <= limits.prompt_bytes_max }),
    makeCounter(negative, { id: "negative-tokens", counts: isGuided }),
  ];
  const remember = h("input", { id: "remember", type: "checkbox" });
  const advanced = h("details", { id: "advanced" },
    h("summary", {}, () => t("advanced")),
    h("div", { class: "pair" },
      field(steps, () => t("steps")),
      field(guidance, () => t("guidance"))),
    h("p", { class: "hint" }, () => t("advanced.elsewhere")),
    field(negative, () => t("negative"), () => t(isGuided() || !negative.value.trim() ? "negative.hint" : "negative.idle")),
    counters[1].element);

  const settings = [size, width, height, count, seed, steps, guidance];
  // A preset is for any picture, so it has no seed.
  const preset = settings.filter((input) => input !== seed);
  const everything = [prompt, negative, ...settings];

  const length = () => {
    // No character takes more than three bytes per unit, so most prompts need not be measured.
    if (prompt.value.length * 3 < nearLimit) return 0;
    return new TextEncoder().encode(prompt.value).length;
  };

  function chooseSize() {
    const common = sizes.find((other) => key(other) === size.value);
    if (common) [width.value, height.value] = [common.width, common.height];
    refresh(element);
  }

  function wrong() {
    const side = { step: limits.side_px_step, max: limits.side_px_max };
    const isSide = (px) => px > 0 && px <= side.max && px % side.step === 0; // false for NaN
    const between = (input) => ({ min: Number(input.min), max: Number(input.max) });
    const isWhole = (input) => {
      const { min, max } = between(input);
      return Number.isInteger(value(input)) && value(input) >= min && value(input) <= max;
    };
    const isGuidance = (number) =>
      number >= 0 && number <= limits.guidance_max && number === Math.round(number * 1000) / 1000;
    const typedSeed = seed.value.trim();
    return [
      [prompt, prompt.value.trim() !== "", "check.prompt"],
      [prompt, length() <= limits.prompt_bytes_max, "check.prompt.long", { max: limits.prompt_bytes_max }],
      [prompt, !counters[0].isOver(), "check.tokens", counters[0].values()],
      [negative, !counters[1].isOver(), "check.tokens", counters[1].values()],
      [width, isSide(value(width)), "check.side", side],
      [height, isSide(value(height)), "check.side", side],
      [count, isWhole(count), "check.count", between(count)],
      [seed, /^\d*$/.test(typedSeed) && Number(typedSeed) <= limits.seed_max, "check.seed",
        { max: String(limits.seed_max) }],
      [steps, isWhole(steps), "check.steps", between(steps)],
      [guidance, isGuidance(value(guidance)), "check.guidance", between(guidance)],
    ].find(([, good]) => !good);
  }

  function request() {
    return {
      prompt: prompt.value,
      ...(isGuided() && negative.value.trim() && { negative_prompt: negative.value }),
      width: value(width),
      height: value(height),
      steps: value(steps),
      guidance: value(guidance),
      ...(seed.value.trim() && { seed: Number(seed.value.trim()) }),
      count: value(count),
      ...(keep_prompts && remember.checked && { remember_prompt: true }),
    };
  }

  async function generate(event, change) {
    event?.preventDefault();
    if (busy || !sealed()) return;
    element.querySelectorAll("[aria-invalid]").forEach((input) => input.removeAttribute("aria-invalid"));
    busy = true;
    await Promise.all(counters.map((counter) => counter.measure()));
    busy = false;
    const found = wrong();
    if (found) {
      const [input, , key, values] = found;
      message = () => t(key, values);
      if (advanced.contains(input)) advanced.open = true;
      refresh(element);
      input.setAttribute("aria-invalid", "true");
      return input.focus();
    }
    busy = true;
    message = null;
    refresh(element);
    try {
      await send({ ...request(), ...change });
    } catch (problem) {
      message = () => explain(problem);
    } finally {
      busy = false;
      refresh(element);
    }
  }

  const prompts = makePrompts(putBack);
  const presets = h("details", { id: "presets", ontoggle: openPresets },
    h("summary", { id: "presets-title" }, () => t("presets")));
  const element = h("form", {
    class: "card ask", noValidate: true, onsubmit: generate,
    oninput: (event) => {
      event.target.removeAttribute("aria-invalid");
      refresh(element);
    },
    onchange: keep,
    onkeydown: (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) generate(event);
    },
  },
    h("div", { class: "field" },
      h("label", { for: "prompt", class: "strong" }, () => t("prompt")),
      prompt,
      h("p", { id: "prompt-length", class: "hint" }, () => (length() < nearLimit ? ""
        : t("prompt.length", { n: length(), max: limits.prompt_bytes_max }))),
      counters[0].element),
    prompts.element,
    isDemo(model) && makeDemoNote(example),
    field(size, () => t("size")),
    isDemo(model) && h("p", { id: "demo-size", class: "message warn", role: "status" }, () =>
      (isDemoSize(value(width), value(height)) ? "" : t("demo.size"))),
    h("div", { class: "pair", hidden: () => size.value !== "custom" },
      field(width, () => t("width")), field(height, () => t("height"))),
    h("div", { class: "pair" },
      field(count, () => t("count")),
      field(seed, () => t("seed"), () => t("seed.hint"))),
    advanced,
    presets,
    h("label", { class: "check", hidden: !keep_prompts },
      remember, h("span", {}, () => t("remember"))),
    !keep_prompts && h("p", { class: "hint" }, () => t("remember.never")),
    h("div", { class: "go" },
      h("button", { id: "generate", class: "primary", disabled: () => busy || !sealed() },
        h("span", {}, () => t(busy ? "wait" : "generate")), h("kbd", { hidden: () => busy }, "Ctrl+Enter")),
      h("button", {
        id: "draft", type: "button", disabled: () => busy || !sealed(), title: () => t("draft.hint", { n: draftSteps }),
        onclick: (event) => generate(event, { steps: draftSteps }),
      }, () => t("draft"))),
    h("p", { class: "message", hidden: sealed }, () => t("sealed.not")),
    h("p", { id: "message", class: "message", role: "alert" }, () => message?.()),
    h("p", { class: "hint foot" }, () => t("model", model)));
  size.value = key(defaults);
  restore();
  refresh(element);

  // A reload brings the settings back, and no word of what was typed: they are numbers and names of sizes. A field that
  // goes away with the session tells of a last change.
  function keep() {
    if (!hasToken()) return;
    const value = (input) => (input !== seed || /^\d*$/.test(input.value) ? input.value : "");
    tab.set("settings", JSON.stringify(settings.map(value)));
  }

  function restore() {
    try {
      put(settings, JSON.parse(tab.get("settings") ?? "[]"));
    } catch {
      // Somebody else wrote it: the defaults do.
    }
  }

  async function openPresets() {
    try {
      const { makePresets } = await part(() => import("./presets.js"));
      if (presets.childElementCount > 1) return;
      presets.append(makePresets({ values: () => valuesOf(preset), use: (values) => change(() => put(preset, values)) }));
    } catch (problem) {
      presets.open = false;
      message = () => explain(problem);
      refresh(element);
    }
  }

  /** Changes fields, and offers to take that back. */
  function change(act) {
    const before = valuesOf(everything);
    const settle = () => {
      keep();
      refresh(element);
      prompt.focus();
      counters.forEach((counter) => counter.measure());
    };
    act();
    settle();
    const undo = () => {
      put(everything, before);
      settle();
    };
    tell(() => t("used"), { label: "undo", retry: undo });
  }

  function putBack(typed) {
    prompt.value = typed.prompt;
    negative.value = typed.negative_prompt ?? "";
    prompt.focus();
    counters.forEach((counter) => counter.measure());
    refresh(element);
  }

  function example(text) {
    prompt.value = text;
    prompt.focus();
    counters[0].measure();
    refresh(element);
  }

  return {
    element,
    /** Adds to the prompts of this session. */
    remember: prompts.add,
    /** What stands in the form, if anything does. */
    typed: () => (prompt.value || negative.value ? { prompt: prompt.value, negative_prompt: negative.value } : null),
    /** Goes to where one types. */
    focus: () => prompt.focus(),
    /** Puts texts back that were typed before. */
    putBack,
    /** Puts an example where the prompt goes. */
    example,
    /**
     * Copies a `part` of what made a picture, `prompt`, `size`, `seed` or `steps`, or all of it, and then a prompt only where
     * that does not overwrite one.
     */
    use: (image, part) => change(() => {
      const isWanted = (name) => part === undefined || part === name;
      if (isWanted("size")) {
        size.value = sizes.some((common) => key(common) === key(image)) ? key(image) : "custom";
        put([width, height], [image.width, image.height]);
      }
      if (isWanted("steps")) put([steps, guidance], [image.steps, image.guidance]);
      if (isWanted("seed")) seed.value = image.seed;
      if (part === "prompt") put([prompt, negative], [image.prompt, image.negative_prompt ?? ""]);
      if (part !== undefined) return;
      if (!prompt.value.trim() && image.prompt) prompt.value = image.prompt;
      if (!negative.value.trim() && image.negative_prompt) negative.value = image.negative_prompt;
    }),
  };
}

/** Sizes of about the model's own area in the usual shapes, and larger squares, within the limits. */
function commonSizes({ width, height }, { side_px_step: step, side_px_max: max }) {
  const area = width * height;
  const shaped = SHAPES.map(([x, y]) => {
    const times = Math.max(1, Math.round(Math.sqrt(area / (x * y)) / step)) * step;
    return { width: x * times, height: y * times, shape: x === y ? "square" : `${x}:${y}` };
  });
  const larger = [1.5, 2].map((factor) => Math.round((Math.sqrt(area) * factor) / step) * step)
    .map((side) => ({ width: side, height: side, shape: "square" }));
  const own = { width, height, shape: width === height ? "square" : "own" };
  const keys = new Set();
  const isNew = (size) => keys.size < keys.add(key(size)).size;
  return [own, ...shaped, ...larger]
    .filter((size) => Math.max(size.width, size.height) <= max && isNew(size));
}

function key({ width, height }) {
  return `${width}x${height}`;
}

// A browser must neither keep what is typed here nor send it to a spelling service.
function unremembered() {
  return { autocomplete: "off", spellcheck: false, autocapitalize: "off" };
}

function numeric(id, { value: initial, ...range }) {
  return h("input", { id, type: "number", inputMode: "decimal", ...range, value: initial });
}

function valuesOf(inputs) {
  return inputs.map((input) => input.value);
}

// What is missing among the values leaves its field as it is.
function put(inputs, values) {
  inputs.forEach((input, index) => (input.value = values[index] ?? input.value));
}

function value(input) {
  return input.value === "" ? NaN : Number(input.value);
}

// The whole view layer: elements, texts that can be renewed, and the pictures that the page holds in memory.

const live = new WeakMap();
const pictures = new Set();

/**
 * Makes an element. `on...` properties are listeners; any other property or child that is a function is run
 * again by `refresh`.
 */
export function h(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (typeof value === "function") keep(node, () => set(node, name, value()));
    else set(node, name, value);
  }
  node.append(...children.flat().filter((child) => child != null && child !== false).map(insert));
  return node;
}

/** Runs every function in the tree again, after the language or the state changed. */
export function refresh(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  for (let node = root; node; node = walker.nextNode()) live.get(node)?.forEach((renew) => renew());
}

/** A control below its label, and a hint below that. */
export function field(input, label, hint) {
  if (hint) input.setAttribute("aria-describedby", `${input.id}-hint`);
  return h("div", { class: "field" },
    h("label", { for: input.id }, label), input,
    hint && h("p", { id: `${input.id}-hint`, class: "hint" }, hint));
}

/** An address for a picture in memory, good until it is released. */
export function hold(blob) {
  const url = URL.createObjectURL(blob);
  pictures.add(url);
  return url;
}

/** Lets go of a picture, if there is one. */
export function release(url) {
  if (pictures.delete(url)) URL.revokeObjectURL(url);
}

/** Lets go of every picture. */
export function releaseAll() {
  pictures.forEach(release);
}

function keep(node, renew) {
  live.set(node, [...(live.get(node) ?? []), renew]);
  renew();
}

// Values that did not change are left alone, so that a live region is read out once only. No `alt` and an
// empty one differ, though the property reads the same.
function set(node, name, value) {
  if (name in node && !name.includes("-") && name !== "alt") {
    if (node[name] !== (value ?? "")) node[name] = value ?? "";
  } else if (value == null || value === false) {
    node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, value);
  }
}

function insert(child) {
  if (typeof child !== "function") return child;
  const text = document.createTextNode("");
  keep(text, () => {
    const value = child() ?? "";
    if (text.data !== value) text.data = value;
  });
  return text;
}

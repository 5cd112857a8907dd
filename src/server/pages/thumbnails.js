// Thumbnails, read when they are about to be seen.

import { json, sessionSignal } from "./api.js";
import { tellProblem } from "./dialog.js";
import { hold, refresh } from "./view.js";

const THUMBNAILS_MAX = 60;
// What comes into view within this time is one look.
const GATHER_MS = 30;
// Each is a call to another process of the browser: nobody who scrolls waits longer than this for them.
const BUSY_MS = 8;

/**
 * Reads the thumbnails of cells that are wanted; `loaded()` follows. Those of one look are asked for together: they are one
 * record.
 */
export function loader(cellOf, loaded) {
  const waiting = new Set();
  let timer;

  function plan() {
    if (waiting.size) timer ??= setTimeout(load, GATHER_MS);
  }

  async function load() {
    const asked = new Map();
    for (const id of [...waiting].slice(0, THUMBNAILS_MAX)) {
      waiting.delete(id);
      const made = cellOf(id);
      if (!made || made.url) continue;
      asked.set(id, made);
    }
    try {
      if (asked.size) await read(asked);
    } finally {
      timer = undefined;
      for (const { element } of asked.values()) refresh(element);
      if (asked.size) loaded();
      plan();
    }
  }

  async function read(asked) {
    const session = sessionSignal();
    try {
      const answer = await json("POST", "/api/v1/thumbnails", { ids: [...asked.keys()] });
      const found = new Map(answer.thumbnails.map(({ id, png }) => [id, png]));
      let since = performance.now();
      for (const [id, made] of asked) {
        if (performance.now() - since > BUSY_MS) {
          await new Promise((go) => setTimeout(go));
          since = performance.now();
          // Nothing is held beyond the lock.
          if (session.aborted) return;
        }
        made.broken = !found.has(id);
        // It may have gone, or come anew, meanwhile.
        if (made.broken || cellOf(id) !== made) continue;
        made.url = hold(png(found.get(id)));
        made.picture.src = made.url;
      }
    } catch (problem) {
      // Without an answer the next reading of the list tries again, as after a trouble that is none of the pictures.
      for (const made of asked.values()) made.broken = ["damaged", "not_found"].includes(problem.code);
      if (!["network", "damaged", "not_found"].includes(problem.code)) tellProblem(problem);
    }
  }

  return {
    want(ids) {
      ids.forEach((id) => waiting.add(id));
      plan();
    },
    forget: (id) => waiting.delete(id),
  };
}

function png(base64) {
  return new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], { type: "image/png" });
}

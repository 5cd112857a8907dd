// Plain copies of pictures, handed to the browser.

import { blob, part } from "./api.js";
import { tell, tellProblem } from "./dialog.js";
import { h, hold, release } from "./view.js";
import { explain, t } from "./words.js";

// An archive is put together in memory.
const BYTES_MAX = 1 << 30;

/**
 * Saves plain copies, each of which is on record: one as it is, several as one archive, since browsers drop some
 * of many files that are saved in quick succession.
 */
export async function download(images) {
  if (images.reduce((sum, image) => sum + image.bytes, 0) > BYTES_MAX) {
    return tell(() => t("download.large"), { bad: true });
  }
  const copies = [];
  let problem = null;
  let archive = null;
  try {
    // Before anything is on record as saved.
    if (images.length > 1) archive = await archiver();
    for (const image of images) {
      copies.push({ ...image, content: await blob("POST", `/api/v1/images/${image.id}/export`, {}) });
    }
  } catch (error) {
    // What came before it is on record as saved, so it is saved; but nothing outlives its session.
    if (error.code === "token") return;
    problem = error;
  }
  const [n, all] = [copies.length, images.length];
  if (n === 1) save(copies[0].content, copies[0].name);
  else if (n) save(await archive(copies), `lightproof-${n}.zip`);
  if (problem && !n) tellProblem(problem);
  else if (problem) tell(() => t("downloaded.some", { n, all, reason: explain(problem) }), { bad: true });
  else tell(() => t("downloaded", { n }));
}

/** What makes an archive is read when one is asked for. */
async function archiver() {
  const [{ withSums }, { zip }] = await part(() => Promise.all([import("./manifest.js"), import("./zip.js")]));
  return async (files) => zip(await withSums(files));
}

/** Hands a blob to the browser as a file. */
export function save(content, name) {
  const url = hold(content);
  h("a", { href: url, download: name }).click();
  // The browser reads the address after the click, and gives no sign when it has.
  setTimeout(() => release(url), 10_000);
}

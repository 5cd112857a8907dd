// The list of pictures as the program has it, newest first, as far as it was read.

import { json } from "./api.js";

const PAGE = 60;
const PAGE_MAX = 200;

/** Makes the catalogue; `grown()` follows every part of a reading. */
export function makeCatalogue(grown) {
  let images = [];
  let next = null;
  let total = null;
  // How many there were when `images` was the beginning of the program's list: not a number if it may not be that any more.
  let agreed = NaN;
  let isWhole = false;

  function page(limit, cursor) {
    const query = new URLSearchParams({ limit, ...(cursor && { cursor }) });
    return json("GET", `/api/v1/images?${query}`);
  }

  function take(found, answer) {
    [images, next, total] = [found, answer.next, answer.total];
    grown();
  }

  return {
    images: () => images,
    /** How many there are in the program, `null` before the first answer. */
    total: () => total,
    /** Are there older pictures than those that were read? */
    hasMore: () => next !== null,
    /** From here on all of it is read. */
    wantAll() {
      isWhole = true;
    },

    /** Reads it again as far as it was read. Where nothing went, what is new on top is enough. */
    async read() {
      const before = { images, next, total, agreed };
      const answer = await page(Math.min(Math.max(PAGE, images.length), PAGE_MAX));
      const count = answer.total;
      const joint = answer.images.findIndex(({ id }) => id === before.images[0]?.id);
      const rest = before.images.slice(answer.images.length - joint);
      // As many as the new ones on top make: then none is gone, and the rest is what it was.
      const isRestKnown = joint >= 0 && rest.length > 0 && count === before.agreed + joint;
      take(isRestKnown ? answer.images.concat(rest) : answer.images, { ...answer, ...(isRestKnown && { next: before.next }) });
      // New pictures do not push out old ones, which may be selected.
      const wanted = isWhole ? Infinity : before.images.length && before.images.length + Math.max(0, count - before.total);
      while (next && images.length < wanted) {
        const more = await page(Math.min(wanted - images.length, PAGE_MAX), next);
        take(images.concat(more.images), more);
      }
      agreed = total === count ? total : NaN;
    },

    /** Reads one page more. */
    async more() {
      const answer = await page(PAGE, next);
      take(images.concat(answer.images), answer);
      if (total !== agreed) agreed = NaN;
    },
  };
}

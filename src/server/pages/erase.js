// Destroying pictures: what that is worth is said before, and what it was afterwards.

import { json } from "./api.js";
import { ask, tell } from "./dialog.js";
import { t } from "./words.js";

/**
 * Asks, and destroys the keys of `images`, or of all `n` pictures where `images` is null. `erasure` is what that is worth
 * here. Answers whether it was agreed to.
 */
export async function erase(images, n, erasure) {
  if (!await agreed(n, erasure)) return false;
  const { erased, grade, cleanup_pending: pending } = await send(images, n);
  tell(() => [
    t("erased", { n: erased }),
    // Where nothing was left to erase there is no grade.
    ...(grade ? [t(`erased.${grade}`)] : []),
    ...(pending ? [t("erased.pending")] : []),
    ...(images?.length ? [t("erased.certificate", { id: images[0].id.slice(0, 12) })] : []),
  ].join(t("gap")));
  return true;
}

function agreed(n, erasure) {
  return ask({
    title: () => t("erase.title", { n }),
    sentences: [
      () => t("erase.what", { n }),
      ...(erasure === "conditional" ? [() => t("erase.conditional")] : []),
      () => t("erase.copies"),
    ],
    yes: () => t("erase.yes", { n }),
    count: n > 1 ? n : undefined,
  });
}

function send(images, n) {
  if (images?.length === 1) return json("DELETE", `/api/v1/images/${images[0].id}`);
  const which = images ? { ids: images.map(({ id }) => id) } : { all: true };
  return json("POST", "/api/v1/images:delete", { ...which, confirm: n });
}

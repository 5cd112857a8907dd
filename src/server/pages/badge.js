// The state of the fences in one sign and one word.

import { t } from "./words.js";

/** Signs of states, of single fences too. */
export const SIGNS = { green: "✓", amber: "!", red: "✕", missing: "✕", silent: "?" };

/** The sign and the word of a state. */
export function badgeText(state) {
  return state ? `${SIGNS[state]} ${t(`posture.${state}`)}` : "";
}

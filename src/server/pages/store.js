// What a tab keeps over a reload, and what this browser keeps for the next visit: never a prompt, a passphrase or a
// picture.

/** Values of this tab, gone when it is closed. */
export const tab = keeper(() => sessionStorage);

/** Choices about how the page looks, and presets of settings. */
export const browser = keeper(() => localStorage);

// A browser that keeps no data of pages throws at the mere name; then a value lasts as long as the page.
function keeper(storage) {
  const values = new Map();
  const attempt = (act) => {
    try {
      return act(storage());
    } catch {
      return null;
    }
  };
  return {
    get: (key) => values.get(key) ?? attempt((kept) => kept.getItem(key)),
    set(key, value) {
      values.set(key, String(value));
      attempt((kept) => kept.setItem(key, value));
    },
    remove(key) {
      values.delete(key);
      attempt((kept) => kept.removeItem(key));
    },
  };
}

// One's own passphrase and, for an admin, the people who use the vault: a dialog that is fetched when somebody asks for it.

import { json } from "./api.js";
import { ask, hush } from "./dialog.js";
import { secret, showPassphrase } from "./gate.js";
import { field, h, refresh } from "./view.js";
import { explain, t } from "./words.js";

const ROLES = ["operator", "admin", "auditor"];

/** Opens it for `you`; who has no name yet is given one with the first person that is added. */
export function open(you) {
  let busy = false;
  let message = null;
  const isAdmin = you.role === "admin";
  const proof = secret("proof", "current-password");
  const renewed = secret("renewed", "new-password");
  const again = secret("renewed-again", "new-password");
  const name = h("input", { id: "person-name", autocomplete: "off", spellcheck: false, maxLength: 64 });
  const own = h("input", { id: "own-name", autocomplete: "off", spellcheck: false, maxLength: 64 });
  const role = h("select", { id: "person-role" },
    ROLES.map((one) => h("option", { value: one }, () => t(`role.${one}`))));
  const first = secret("person-passphrase", "new-password");
  const list = h("ul", { id: "people-list", class: "people" });
  const ownName = field(own, () => t("people.own"), () => t("people.own.hint"));

  /** Does something for which one's own passphrase is typed, and says what came of it. */
  async function act(event, work, done, wrong) {
    event?.preventDefault();
    if (busy) return;
    message = wrong ?? (proof.value ? null : () => t("people.proof.missing"));
    if (message) {
      if (!wrong) proof.focus();
      return refresh(dialog);
    }
    busy = true;
    refresh(dialog);
    try {
      await work();
      message = () => t(done);
      for (const input of [renewed, again, name, first]) input.value = "";
      await load();
    } catch (problem) {
      message = () => explain(problem);
    } finally {
      busy = false;
      proof.value = "";
      refresh(dialog);
    }
  }

  const renew = (event) => act(event,
    () => json("POST", "/api/v1/passphrase", { passphrase: proof.value, new_passphrase: renewed.value }),
    "people.renewed", renewed.value === again.value ? null : () => t("setup.differ"));

  const add = (event) => act(event, async () => {
    await json("POST", "/api/v1/people", {
      name: name.value, role: role.value, new_passphrase: first.value, passphrase: proof.value,
      ...(you.name ? {} : { own_name: own.value }),
    });
    you.name ??= own.value.trim();
  }, "people.added");

  async function remove(person, fate) {
    const agreed = await ask({
      title: () => t("people.remove.title", { name: person.name }),
      sentences: [() => t("people.remove.what"), ...(person.pictures ? [() => t(`people.fate.${fate.split(":")[0]}.what`)] : [])],
      yes: () => t("people.remove"),
    });
    if (!agreed) return;
    const [pictures, to] = fate.startsWith("hand_over:") ? ["hand_over", fate.slice(10)] : [fate];
    await act(null, () => json("POST", "/api/v1/people:remove", {
      name: person.name, passphrase: proof.value, ...(pictures && { pictures }), ...(to && { hand_over_to: to }),
    }), "people.removed");
  }

  function row(person, people) {
    const fate = h("select", { "aria-label": () => t("people.fate", { name: person.name }) },
      h("option", {}, () => t("people.fate.choose")),
      h("option", { value: "keep" }, () => t("people.fate.keep")),
      people.filter(({ slot, role: can }) => slot !== person.slot && (can === "operator" || can === "admin")).map((to) =>
        h("option", { value: `hand_over:${to.name}` }, () => t("people.fate.hand_over", { name: to.name }))),
      h("option", { value: "erase" }, () => t("people.fate.erase")));
    // The first choice is none.
    const decided = () => !person.pictures || fate.selectedIndex > 0;
    fate.onchange = () => refresh(dialog);
    return h("li", { "data-slot": person.slot },
      h("strong", {}, () => person.name ?? t("people.nameless")),
      h("span", { class: "hint" }, () => [t(person.role ? `role.${person.role}` : "people.gone"),
        t("people.pictures", { n: person.pictures }), person.you && t("people.you")].filter(Boolean).join(" · ")),
      person.role && !person.you && h("div", { class: "actions" },
        person.pictures > 0 && fate,
        h("button", { type: "button", disabled: () => busy || !decided(), onclick: () => remove(person, person.pictures ? fate.value : "") },
          () => t("people.remove"))));
  }

  async function load() {
    if (!isAdmin) return;
    const { people } = await json("GET", "/api/v1/people");
    list.replaceChildren(...people.map((person) => row(person, people)));
    ownName.hidden = Boolean(you.name);
  }

  const button = (id, key) => h("button", { id, class: "primary", disabled: () => busy }, () => t(busy ? "wait" : key));
  const dialog = h("dialog", {
    id: "people-dialog", "aria-labelledby": "people-title", onclose: () => dialog.remove(),
  },
    h("h2", { id: "people-title" }, () => t(isAdmin ? "people.title" : "people.title.own")),
    h("p", { id: "people-message", role: "alert", class: "message" }, () => message?.()),
    field(proof, () => t("people.proof"), () => t("people.proof.hint")),
    h("form", { onsubmit: renew },
      h("h3", {}, () => t("people.renew")),
      field(renewed, () => t("people.renewed.field")), field(again, () => t("setup.again")),
      h("div", { class: "actions end" }, button("renew", "people.renew.go"))),
    isAdmin && h("h3", {}, () => t("people.list")), isAdmin && list,
    isAdmin && h("form", { onsubmit: add },
      h("h3", {}, () => t("people.add")),
      ownName, field(name, () => t("person.name"), () => t("person.name.hint")),
      field(role, () => t("people.role"), () => t(`role.${role.value}.what`)), field(first, () => t("people.first")),
      h("div", { class: "actions end" }, button("add-person", "people.add"))),
    showPassphrase(proof, renewed, again, first),
    h("div", { class: "actions end" },
      h("button", { type: "button", onclick: () => dialog.close() }, () => t("close"))));
  role.onchange = () => refresh(dialog);

  hush();
  document.body.append(dialog);
  dialog.showModal();
  load().catch((problem) => {
    message = () => explain(problem);
    refresh(dialog);
  });
}

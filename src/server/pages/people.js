// One's own passphrase and tokens and, for an admin, the people who use the vault.

import { json } from "./api.js";
import { ask, hush } from "./dialog.js";
import { secret, showPassphrase } from "./gate.js";
import { learn } from "./late.js";
import { field, h, refresh } from "./view.js";
import { explain, fullTime, t } from "./words.js";

const ROLES = ["operator", "admin", "auditor"];

/** Opens it for `you`; who has no name yet is given one with the first person that is added. */
export function open(you) {
  let busy = false;
  let message = null;
  let good = false;
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
  const waits = h("ul", { id: "pending-list", class: "people" });
  const scopes = h("select", { id: "token-scopes" },
    ["generate,read", "generate", "read", "audit"].filter((one) => isAdmin || (one === "audit") === (you.role === "auditor")).map((one) => h("option", { value: one }, () => t(`scope.${one}`))));
  const label = h("input", { id: "token-label", autocomplete: "off", maxLength: 64 });
  const minted = h("code", { id: "token" });
  const tokens = h("ul", { id: "token-list", class: "people" });
  const ownName = field(own, () => t("people.own"), () => t("people.own.hint"));

  /** Does something for which one's own passphrase is typed, and says what came of it. */
  async function act(event, work, done, wrong, free) {
    event?.preventDefault();
    if (busy) return;
    good = false;
    message = wrong ?? (proof.value || free ? null : () => t("people.proof.missing"));
    if (message) {
      if (!wrong) proof.focus();
      return refresh(dialog);
    }
    busy = true;
    minted.textContent = "";
    refresh(dialog);
    try {
      const said = await work();
      message = said ?? (() => t(done));
      good = true;
      for (const input of [renewed, again, name, first, label]) input.value = "";
      await load();
    } catch (problem) {
      good = false;
      message = () => explain(problem);
      if (problem.code === "waits") await load();
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

  const change = (person, to) => act(null, () =>
    json("POST", "/api/v1/people:role", { name: person.name, role: to, passphrase: proof.value }), "people.role.done");

  const mint = (event) => act(event, async () => {
    ({ token: minted.textContent } = await json("POST", "/api/v1/api-tokens", {
      scopes: scopes.value.split(","), passphrase: proof.value, ...(label.value && { label: label.value }),
    }).catch((problem) => {
      // Of what is sent here nothing else can be out of bounds.
      if (problem.code === "parameter") problem.code = "token_bounds";
      throw problem;
    }));
  }, "token.made");

  const press = (name, key, onclick, isOff) =>
    h("button", { type: "button", class: name, disabled: () => busy || isOff?.(), onclick }, () => t(key));
  const item = (data, what, hints, ...actions) => h("li", data, h("strong", {}, what),
    h("span", { class: "hint" }, () => hints().filter(Boolean).join(" · ")), h("div", { class: "actions" }, ...actions));

  const described = (one) => item({ "data-number": one.number }, one.label ?? `${one.number}`,
    () => [!one.you && one.of, t(`scope.${one.scopes}`), t("token.until", { at: fullTime(one.expires_ms) }),
      t(one.used_day ? "token.used" : "token.unused", { day: one.used_day })],
    press("revoke", "token.revoke",
      () => act(null, () => json("POST", "/api/v1/api-tokens:revoke", { token: one.number }), "token.revoked", null, true)));

  async function confirm(one, what) {
    const mild = !["erase", "destroy"].includes(one.act) && one.left !== "erased";
    if (!await ask({ title: what, sentences: [() => t("pending.confirm.what")], yes: () => t("pending.confirm"), mild })) return;
    await act(null, async () => {
      const { person } = await json("POST", "/api/v1/pending:confirm", { number: one.number, passphrase: proof.value });
      return person && (() => t("pending.person", { name: person.name ?? t("people.nameless") }));
    }, "pending.confirmed");
  }

  function waiting(one) {
    const what = () => t(["pending", one.act, one.left ?? one.role].filter(Boolean).join("."),
      { ...one, n: one.pictures, of: one.of ?? t("pending.everybody"), reason: t(`reason.${one.reason}`) });
    return item({ "data-number": one.number }, what, () => [t("pending.by", { by: one.by, at: fullTime(one.until_ms) })],
      !one.you && one.act !== "destroy" && press("confirm", "pending.confirm", () => confirm(one, what)),
      press("refuse", one.you ? "pending.back" : "pending.refuse",
        () => act(null, () => json("POST", "/api/v1/pending:refuse", { number: one.number }), "pending.refused")));
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
    return item({ "data-slot": person.slot }, () => person.name ?? t("people.nameless"),
      () => [t(person.role ? `role.${person.role}` : "people.gone"), t("people.pictures", { n: person.pictures }),
        person.you && t("people.you")],
      person.role && !person.you && [
        ...["operator", "admin"].filter((to) => person.role !== "auditor" && person.role !== to).map((to) =>
          press("role", `people.make.${to}`, () => change(person, to))),
        person.pictures > 0 && fate,
        press("remove", "people.remove", () => remove(person, person.pictures ? fate.value : ""), () => !decided())]);
  }

  async function load() {
    await learn();
    tokens.replaceChildren(...(await json("GET", "/api/v1/api-tokens")).tokens.map(described));
    if (!isAdmin) return;
    const { people } = await json("GET", "/api/v1/people");
    const { pending } = await json("GET", "/api/v1/pending");
    waits.replaceChildren(...pending.map(waiting));
    waits.previousSibling.hidden = !pending.length;
    list.replaceChildren(...people.map((person) => row(person, people)));
    ownName.hidden = Boolean(you.name);
  }

  const button = (id, key) => h("button", { id, class: "primary", disabled: () => busy }, () => t(busy ? "wait" : key));
  const dialog = h("dialog", {
    id: "people-dialog", "aria-labelledby": "people-title", onclose: () => dialog.remove(),
  },
    h("h2", { id: "people-title" }, () => t(isAdmin ? "people.title" : "people.title.own")),
    h("p", { id: "people-message", role: "alert", class: "message", "data-state": () => (good ? "green" : "") }, () => message?.()),
    field(proof, () => t("people.proof"), () => t("people.proof.hint")),
    h("form", { onsubmit: renew },
      h("h3", {}, () => t("people.renew")),
      field(renewed, () => t("people.renewed.field")), field(again, () => t("setup.again")),
      h("div", { class: "actions end" }, button("renew", "people.renew.go"))),
    isAdmin && h("h3", { hidden: true }, () => t("pending.title")), isAdmin && waits,
    isAdmin && h("h3", {}, () => t("people.list")), isAdmin && list,
    isAdmin && h("form", { onsubmit: add },
      h("h3", {}, () => t("people.add")),
      ownName, field(name, () => t("person.name"), () => t("person.name.hint")),
      field(role, () => t("people.role"), () => t(`role.${role.value}.what`)), field(first, () => t("people.first")),
      h("div", { class: "actions end" }, button("add-person", "people.add"))),
    h("form", { onsubmit: mint },
      h("h3", {}, () => t("token.title")), h("p", { class: "hint" }, () => t("token.intro")), tokens,
      field(scopes, () => t("token.scopes")), field(label, () => t("token.label")),
      h("div", { class: "actions end" }, button("make-token", "token.make")), minted),
    showPassphrase(proof, renewed, again, first),
    h("div", { class: "actions end" },
      h("button", { type: "button", onclick: () => dialog.close() }, () => t("close"))));
  role.onchange = () => refresh(dialog);

  hush();
  document.body.append(dialog);
  dialog.showModal();
  // Late texts come with it.
  load().then(() => refresh(dialog)).catch((problem) => {
    message = () => explain(problem);
    refresh(dialog);
  });
}

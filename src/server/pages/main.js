// Starts the page: the header, and which screen is to be seen.

import { PAUSE_MS, end, hasToken, json, part, watch, whenIdleSoon, whenLocked, whenSilent } from "./api.js";
import { badgeText } from "./badge.js";
import { ask, tell, tellProblem } from "./dialog.js";
import { sentenceScreen } from "./gate.js";
import { drawScreen, isUnconfirmed } from "./recovery.js";
import { browser } from "./store.js";
import { makeStudio } from "./studio.js";
import { unlockScreen } from "./unlock.js";
import { h, refresh, releaseAll } from "./view.js";
import { explain, otherLanguage, preferredLanguage, speak, t } from "./words.js";

const THEMES = ["auto", "light", "dark"];
// An older answer is not shown as what holds now. A look that nobody answers is given up before that.
const FRESH_MS = 6000;

let posture = null;
let studio = null;
let setupCode = null;
let stale;
// The screen says that nobody answers: it begins again when somebody does.
let isWaiting = false;
let look = () => {};
let warning;
// What was typed when a session ended by itself: given back after the unlock.
let unsent = null;

const header = h("header", {},
  h("button", { id: "skip", type: "button", onclick: skip }, () => t("skip")),
  h("h1", { class: "brand" }, h("img", { src: "./icon.svg", alt: "", width: 28, height: 28 }), "Lightproof"),
  h("button", {
    id: "badge", type: "button", "data-state": () => posture, hidden: () => !posture,
    title: () => t("posture.open"), onclick: openFences,
  }, () => badgeText(posture)),
  h("div", { class: "tools" },
    h("button", {
      id: "language", type: "button", class: "quiet", lang: () => otherLanguage().code,
      onclick: switchLanguage,
    }, () => otherLanguage().name),
    h("select", {
      id: "theme", "aria-label": () => t("theme"), onchange: (event) => setTheme(event.target.value),
    }, THEMES.map((theme) => h("option", { value: theme }, () => t(`theme.${theme}`)))),
    h("button", { id: "lock", type: "button", hidden: () => !studio, onclick: lock }, () => t(studio?.leave ?? "lock"))));

async function start() {
  takeSetupCode();
  isWaiting = false;
  try {
    if (hasToken()) return isUnconfirmed() ? show(drawScreen(start)) : await openStudio();
    const status = await json("GET", "/api/v1/status");
    setPosture(status.posture);
    show(await gate(status));
  } catch (problem) {
    // The end of the session has led to another start already.
    if (problem.code === "token") return;
    isWaiting = ["network", "stopping"].includes(problem.code);
    show(sentenceScreen(() => t("start.failed"), () => explain(problem), start));
  }
}

async function gate(status) {
  const { names, joint, retry_after_s: wait } = status;
  if (status.vault !== "none") return unlockScreen({ wait, names, joint, done: start, again: start });
  if (status.setup === "open") {
    const { setupScreen } = await part(() => import("./setup.js"));
    return setupScreen({ code: setupCode, done: start, again: start });
  }
  return sentenceScreen(() => t("setup.title"), () => t("setup.expired"), start);
}

async function openStudio() {
  studio = await makeStudio({ sealed: () => posture !== "red", look: () => look(), drawRecovery });
  show(studio.element);
  studio.view();
  if (unsent) studio.putBack(unsent);
  unsent = null;
  look();
}

function openFences() {
  part(() => import("./posture.js"))
    .then((dialog) => dialog.open({ measured: setPosture, hasSession: hasToken() }))
    .catch(tellProblem);
}

/** The studio waits behind it, with what was typed. */
function drawRecovery() {
  const { element } = studio;
  show(drawScreen(() => show(element)));
}

// Past the header, to what the screen is about.
function skip() {
  const main = document.querySelector("main");
  main.tabIndex = -1;
  main.focus();
}

function show(screen) {
  document.body.replaceChildren(header, screen);
  // It may have waited while another language was chosen.
  refresh(document.body);
  screen.querySelector("textarea, input:not([hidden]), button")?.focus();
}

// `null` while nobody looks, "silent" while nobody answers: what was true once is not shown as true now.
function setPosture(state) {
  clearTimeout(stale);
  if (state && state !== "silent") stale = setTimeout(silent, FRESH_MS);
  if (state === posture) return;
  posture = state;
  refresh(document.body);
}

function silent() {
  setPosture("silent");
  studio?.lose();
}

/** Takes an answer in, of the studio's look or of the one before the unlock. */
function take(answer) {
  setPosture(answer.posture);
  if (isWaiting) start();
  return studio && answer.jobs ? studio.take(answer) : PAUSE_MS;
}

// The code is a secret for ten minutes: it must not stay in the address or the history of the browser.
function takeSetupCode() {
  const found = location.hash.match(/^#setup=(.+)$/);
  if (!found) return;
  setupCode = found[1];
  window.history.replaceState(null, "", location.pathname);
}

/** Drops all that belongs to the session and begins again. Who locks it by hand is given nothing back. */
function locked({ byHand = false } = {}) {
  if (!hasToken()) return;
  unsent = byHand ? null : studio?.typed() ?? unsent;
  end();
  releaseAll();
  studio = null;
  setupCode = null;
  show(h("main"));
  start();
}

async function lock() {
  const n = studio.active();
  const isAgreed = n === 0 || await ask({
    title: () => t("lock.title"),
    sentences: [() => t("lock.jobs", { n })],
    yes: () => t("lock"),
  });
  if (!isAgreed) return;
  try {
    await json("DELETE", "/api/v1/session");
  } catch (problem) {
    // Who believes it locked would leave an open vault behind.
    if (problem.code !== "token") {
      tell(() => t("lock.failed", { reason: explain(problem) }), { bad: true, retry: lock });
      return;
    }
  }
  locked({ byHand: true });
}

/** Before the session ends by itself. */
function warnOfIdle(seconds) {
  warning?.remove();
  warning = seconds === 0 ? null : tell(() => t("idle.soon", { seconds }), {
    label: "idle.stay", retry: () => json("GET", "/api/v1/capabilities").catch(() => {}),
  });
}

async function switchLanguage() {
  const { code } = otherLanguage();
  try {
    await speak(code);
    browser.set("language", code);
    refresh(document.body);
  } catch {
    silent();
    tell(() => t("error.network"), { bad: true, retry: switchLanguage });
  }
}

function setTheme(theme) {
  browser.set("theme", theme);
  document.documentElement.dataset.theme = theme;
  header.querySelector("#theme").value = theme;
}

async function begin() {
  setTheme(THEMES.find((theme) => theme === browser.get("theme")) ?? "auto");
  whenLocked(locked);
  whenSilent(silent);
  whenIdleSoon(warnOfIdle);
  addEventListener("hashchange", () => (location.hash.startsWith("#setup=") && !hasToken() ? start() : studio?.view()));
  document.addEventListener("visibilitychange", () => document.hidden && setPosture(null));
  await speak(preferredLanguage());
  start();
  // With a token a look tells of the session's end, whatever is on the screen.
  look = watch(() => (hasToken() ? "/api/v1/state" : "/healthz"), take);
}

// In a browser that is too old the sentence stays that the page came with.
if (AbortSignal.any && CSS.supports("color", "light-dark(#000, #fff)")) begin();

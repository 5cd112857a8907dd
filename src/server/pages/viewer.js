// One picture as large as the window: fitted, in its own size, or nearer, and moved by dragging.

import { h, refresh } from "./view.js";
import { t } from "./words.js";

const ZOOM_MAX = 8;
const ZOOM_MIN = 1 / 8;
const ZOOM_STEP = 1.25;

/**
 * Makes the viewer of what is on the stage. `image()` and `url()` are the picture and its address, `url()` is null while
 * it is read; `step(by)` goes to the one before or after it, `hasStep(by)` says if there is one.
 */
export function makeViewer({ image, url, words, step, hasStep }) {
  // Pixels of the page for each of the picture's; null fits it into the window.
  let zoom = null;
  let shown = null;

  const fitted = () => Math.min(area.clientWidth / image().width, area.clientHeight / image().height);
  const fit = () => set(null);
  const own = () => set(1 / devicePixelRatio);

  const picture = h("img", { alt: words, hidden: () => !url(), draggable: false });
  const area = h("div", {
    class: "area", tabIndex: 0, "data-fit": () => zoom === null, onwheel: turn, onpointerdown: grip, onpointermove: drag,
  }, picture, h("p", { class: "hint", hidden: () => !!url() }, () => t("stage.opening")));
  const dialog = h("dialog", {
    id: "viewer", "aria-label": () => t("viewer"), onkeydown: press, onclose: () => dialog.remove(),
  },
    h("div", { class: "actions" },
      button("viewer-previous", "stage.previous", "‹", () => step(-1), () => !hasStep(-1)),
      button("viewer-next", "stage.next", "›", () => step(1), () => !hasStep(1)),
      h("p", { class: "name" }, () => image()?.name),
      h("span", { id: "viewer-zoom", class: "hint", role: "status" }, () =>
        (zoom === null ? t("viewer.fit") : t("viewer.zoom", { percent: Math.round(100 * zoom * devicePixelRatio) }))),
      button("viewer-out", "viewer.out", "−", () => scale(1 / ZOOM_STEP)),
      button("viewer-in", "viewer.in", "+", () => scale(ZOOM_STEP)),
      h("button", { id: "viewer-fit", type: "button", class: "quiet", onclick: fit }, () => t("viewer.fit")),
      h("button", { id: "viewer-own", type: "button", class: "quiet", onclick: own }, "1:1"),
      button("viewer-close", "close", "✕", () => dialog.close())),
    area);

  // At an end it is not disabled in earnest: the focus would fall off.
  function button(id, key, sign, onclick, isEnd = () => false) {
    return h("button", {
      id, type: "button", class: "quiet", "aria-label": () => t(key), title: () => t(key),
      "aria-disabled": () => String(isEnd()), onclick,
    }, sign);
  }

  /** Sets the zoom; what lies at `x`, `y` of the area stays there. */
  function set(next, x = area.clientWidth / 2, y = area.clientHeight / 2) {
    const before = zoom ?? fitted();
    const [left, top] = [(area.scrollLeft + x) / before, (area.scrollTop + y) / before];
    zoom = next && Math.min(ZOOM_MAX, Math.max(ZOOM_MIN, next));
    draw();
    if (zoom) area.scrollTo(left * zoom - x, top * zoom - y);
  }

  function scale(factor, x, y) {
    set((zoom ?? fitted()) * factor, x, y);
  }

  function turn(event) {
    event.preventDefault();
    const box = area.getBoundingClientRect();
    scale(event.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP, event.clientX - box.left, event.clientY - box.top);
  }

  // Fingers scroll by themselves.
  function grip(event) {
    if (event.pointerType === "mouse" && event.button === 0) area.setPointerCapture(event.pointerId);
  }

  function drag(event) {
    if (area.hasPointerCapture(event.pointerId)) area.scrollBy(-event.movementX, -event.movementY);
  }

  function press(event) {
    const act = {
      ArrowLeft: () => step(-1), ArrowRight: () => step(1), "+": () => scale(ZOOM_STEP), "=": () => scale(ZOOM_STEP),
      "-": () => scale(1 / ZOOM_STEP), 0: fit, 1: own,
    }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  }

  function draw() {
    if (shown !== url()) {
      shown = url();
      if (shown) picture.src = shown;
      else picture.removeAttribute("src");
    }
    const side = (px) => (zoom ? `${px * zoom}px` : "");
    [picture.style.width, picture.style.height] = [side(image()?.width), side(image()?.height)];
    refresh(dialog);
  }

  return {
    /** Opens it over the page, where it does not move. */
    open() {
      // Stepping from picture to picture asks for it again; a dialog that is moved in the page would close.
      if (dialog.open) return;
      zoom = null;
      document.body.append(dialog);
      draw();
      dialog.showModal();
      area.focus();
    },
    /** Follows the stage; without a picture there is nothing to see. */
    update() {
      if (!dialog.open) return;
      if (image()) draw();
      else dialog.close();
    },
  };
}

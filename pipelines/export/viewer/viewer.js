"use strict";

/* The panel, which says where the pixel under the pointer comes from; and all keys and buttons. */

const TURNS = ["upright", "turned left", "upside down", "turned right"];
const CALM_MS = 40; // a square of labels is loaded once the pointer has stayed over it for so long
const FADE_STEP = 10; // per cent, by key
const ZOOM_STEP = 1.5;
const PAN_STEP = 0.15; // of what is seen
const HINT = "Point at the poster, or tap it, to see which picture a place comes from.";
const PAINTED = "This poster was painted in the style of its pictures; no place of it was cut from one.";

/* ---- the panel ---- */

let latest = 0; // counts requests: an answer that comes after a later request is dropped
let held = null; // pixel that stays in the panel
let pointer = null; // place of the mouse on the page
const thumbs = new Map(); // URL -> its Image: one on its way is not given up when the pointer moves on

/** The pixel of the poster at a place of the viewer's element, or null beside it. */
function pixelAt(place) {
  const item = items.get(POSTER.layers[0]);
  if (!item) {
    return null;
  }
  const point = item.viewerElementToImageCoordinates(place);
  const [x, y] = [Math.floor(point.x), Math.floor(point.y)];
  return x >= 0 && y >= 0 && x < POSTER.width && y < POSTER.height ? { x, y } : null;
}

/** Show in the panel where a pixel comes from. */
async function inspect(pixel) {
  const request = ++latest;
  if (!POSTER.copies) {
    explain(PAINTED);
    return;
  }
  if (!isLoaded(pixel.x, pixel.y)) {
    await new Promise((resolve) => setTimeout(resolve, CALM_MS));
    if (request !== latest) {
      return;
    }
  }
  try {
    const number = await templateAt(pixel.x, pixel.y);
    if (request === latest) {
      describe(pixel, number);
    }
  } catch (error) {
    if (request === latest) {
      explain(`What is shown here is not known: ${error.message}.`);
    }
  }
}

function describe(pixel, number) {
  const template = POSTER.templates[number];
  const picture = POSTER.pictures[template.picture];
  const source = sourceOf(template, pixel.x, pixel.y);
  at("colour").style.background = `rgb(${template.colour})`;
  at("number").textContent = `Template ${number}`;
  at("name").textContent = at("name").title = picture.name;
  at("size").textContent = `${picture.width} × ${picture.height} px${POSTER.resized ? ", as resized for use" : ""}`;
  at("place").textContent = `${POSTER.warped ? "about " : ""}x ${source.x}, y ${source.y}`;
  at("orientation").textContent = TURNS[source.turns] + (source.flip ? ", then flipped" : "");
  at("pixel").textContent = `x ${pixel.x}, y ${pixel.y}`;
  if (!thumbs.has(picture.thumb)) {
    thumbs.set(picture.thumb, Object.assign(new Image(), { src: picture.thumb }));
  }
  at("thumb").src = picture.thumb;
  at("thumb").alt = `${picture.name}, small, with a ring around the place`;
  at("thumb").width = picture.width;
  at("thumb").height = picture.height;
  at("marker").style.left = `${((source.x + 0.5) / picture.width) * 100}%`;
  at("marker").style.top = `${((source.y + 0.5) / picture.height) * 100}%`;
  at("panel").dataset.pixel = `${pixel.x},${pixel.y}`;
  at("source").hidden = false;
  at("hint").hidden = true;
}

function explain(text) {
  at("hint").textContent = text;
  at("hint").hidden = false;
  at("source").hidden = true;
  delete at("panel").dataset.pixel;
}

/** Keep a pixel in the panel and mark it on the poster; null releases it. */
function hold(pixel) {
  held = pixel;
  viewer.removeOverlay("held");
  at("release").hidden = pixel === null;
  at("panel").setAttribute("aria-live", pixel ? "polite" : "off"); // hovering would never be quiet
  if (pixel) {
    const ring = document.createElement("div");
    ring.id = "held";
    const location = items.get(POSTER.layers[0]).imageToViewportCoordinates(pixel.x + 0.5, pixel.y + 0.5);
    viewer.addOverlay({ element: ring, location, placement: OpenSeadragon.Placement.CENTER, checkResize: false });
    inspect(pixel);
  }
}

/** Follow the mouse, unless a pixel is held. */
function follow() {
  const pixel = pointer && !held ? pixelAt(pointer) : null;
  if (pixel) {
    inspect(pixel);
  }
}

function setUpPanel() {
  explain(POSTER.copies ? HINT : PAINTED);
  viewer.element.addEventListener("pointermove", (event) => {
    const corner = viewer.element.getBoundingClientRect();
    const place = new OpenSeadragon.Point(event.clientX - corner.left, event.clientY - corner.top);
    pointer = event.pointerType === "mouse" && event.buttons === 0 ? place : null;
    follow();
  });
  viewer.element.addEventListener("pointerleave", () => {
    pointer = null;
  });
  viewer.addHandler("animation", follow);
  viewer.addHandler("canvas-click", (event) => {
    if (event.quick) {
      hold(pixelAt(event.position));
    }
  });
  at("release").onclick = () => hold(null);
}

/* ---- keys and buttons ---- */

const middle = () => viewer.viewport.getContainerSize().divide(2);
const zoomBy = (factor) => viewer.viewport.zoomBy(factor).applyConstraints();

function panBy(x, y) {
  const { width, height } = viewer.viewport.getBounds();
  viewer.viewport.panBy(new OpenSeadragon.Point(x * PAN_STEP * width, y * PAN_STEP * height)).applyConstraints();
}

const KEYS = {
  "+": () => zoomBy(ZOOM_STEP),
  "=": () => zoomBy(ZOOM_STEP), // + without shift, on many keyboards
  "-": () => zoomBy(1 / ZOOM_STEP),
  0: () => viewer.viewport.goHome(),
  ArrowLeft: () => panBy(-1, 0),
  ArrowRight: () => panBy(1, 0),
  ArrowUp: () => panBy(0, -1),
  ArrowDown: () => panBy(0, 1),
  "[": () => fadeTo(shown.amount - FADE_STEP),
  "]": () => fadeTo(shown.amount + FADE_STEP),
  i: () => hold(pixelAt(middle())),
  Escape: () => hold(null),
  "?": () => at("help").showModal(),
};
POSTER.layers.forEach((layer, place) => {
  KEYS[place + 1] = () => showLayer(layer);
});

function onKey(event) {
  const typing = event.target.matches("input, select") && event.key.startsWith("Arrow");
  const bracket = event.key === "[" || event.key === "]"; // typed with Alt or AltGr on many keyboards
  const browsers = event.metaKey || ((event.ctrlKey || event.altKey) && !bracket);
  const action = KEYS[event.key];
  if (action && !typing && !browsers && !at("help").open) {
    event.preventDefault();
    action();
  }
}

function setUpControls() {
  document.addEventListener("keydown", onKey);
  at("zoom-in").onclick = KEYS["+"];
  at("zoom-out").onclick = KEYS["-"];
  at("home").onclick = KEYS[0];
  at("ask").onclick = KEYS["?"];
  at("last-layer").textContent = POSTER.layers.length;
  at("about").textContent =
    `${POSTER.width} × ${POSTER.height} pixels, painted by ${POSTER.model.uri} (${POSTER.model.digest.slice(0, 12)}) ` +
    `from K = ${POSTER.templates.length} templates of ${Object.keys(POSTER.pictures).length} pictures.`;
  if (POSTER.warped) {
    at("about").textContent += " The model moves its pieces a little, so their places are about right.";
  }
  if (POSTER.preview) {
    at("about").textContent = `A preview, its colours are approximate: ${at("about").textContent}`;
  }
  document.title = `${POSTER.preview ? "Preview (approximate)" : "Poster"}, ${POSTER.width} × ${POSTER.height}`;
  viewer.canvas.setAttribute("role", "application");
  viewer.canvas.setAttribute("aria-label", "Poster. Arrows move, plus and minus zoom, i says what is in the middle.");
}

setUpPanel();
setUpControls();

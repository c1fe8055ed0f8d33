"use strict";

/* The poster's layers: OpenSeadragon shows one, or fades between two. */

const TITLES = { output: "Poster", collage: "Collage", labels: "Labels", content: "Content" };
const CRISP_ZOOM = 2; // from so many screen pixels per pixel on, pixels are shown as squares

const at = (id) => document.getElementById(id);

const viewer = OpenSeadragon({
  element: at("poster"),
  drawer: "canvas",
  tileSources: POSTER.layers.map((layer) => ({
    tileSource: {
      Image: {
        xmlns: "http://schemas.microsoft.com/deepzoom/2008",
        Url: `${layer}_files/`,
        Format: layer === "labels" ? "png" : "jpg",
        Overlap: "0",
        TileSize: POSTER.tilePx,
        Size: { Width: POSTER.width, Height: POSTER.height },
      },
    },
    opacity: layer === POSTER.layers[0] ? 1 : 0,
  })),
  showNavigationControl: false,
  keyboardNavEnabled: false, // the page has keys of its own
  animationTime: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 0.5,
  maxZoomPixelRatio: 16,
  smoothTileEdgesMinZoom: Infinity, // smoothing goes through a second canvas, which leaves gaps at right and bottom
  visibilityRatio: 0.5,
  gestureSettingsMouse: { clickToZoom: false },
});

const shown = { base: POSTER.layers[0], over: POSTER.layers[1] ?? null, amount: 0 };
const items = new Map(); // layer -> its TiledImage

function showLayer(layer) {
  if (layer !== shown.base) {
    Object.assign(shown, { base: layer, over: shown.base, amount: 0 });
    update();
  }
}

function fadeTo(percent) {
  shown.amount = Math.min(Math.max(percent, 0), 100);
  update();
}

/** Bring the picture and the controls in line with what is to be shown. */
function update() {
  for (const button of at("layers").children) {
    button.setAttribute("aria-pressed", button.dataset.layer === shown.base);
  }
  const others = POSTER.layers.filter((layer) => layer !== shown.base);
  at("over").replaceChildren(...others.map((layer) => new Option(TITLES[layer], layer, false, layer === shown.over)));
  at("amount").value = shown.amount;
  at("percent").value = `${shown.amount} %`;
  for (const [layer, item] of items) {
    item.setPreload(layer === shown.over); // so that fading starts at once
    item.setOpacity(layer === shown.base ? 1 : layer === shown.over ? shown.amount / 100 : 0);
  }
  if (items.has(shown.over)) {
    viewer.world.setItemIndex(items.get(shown.over), viewer.world.getItemCount() - 1);
  }
}

function setUpLayers() {
  POSTER.layers.forEach((layer, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.layer = layer;
    button.textContent = TITLES[layer];
    button.title = `${TITLES[layer]} (${place + 1})`;
    button.onclick = () => showLayer(layer);
    at("layers").append(button);
  });
  at("fade").hidden = POSTER.layers.length < 2;
  at("amount").oninput = () => fadeTo(Number(at("amount").value));
  at("over").onchange = () => {
    shown.over = at("over").value;
    shown.amount ||= 50; // else nothing would be seen of the choice
    update();
  };
  viewer.addHandler("zoom", () => {
    const scale = items.get(POSTER.layers[0])?.viewportToImageZoom(viewer.viewport.getZoom(true)) ?? 0;
    viewer.drawer.setImageSmoothingEnabled(scale < CRISP_ZOOM);
  });
  viewer.addOnceHandler("open", () => {
    POSTER.layers.forEach((layer, place) => items.set(layer, viewer.world.getItemAt(place)));
    update();
    document.body.dataset.ready = "";
  });
  update();
}

setUpLayers();

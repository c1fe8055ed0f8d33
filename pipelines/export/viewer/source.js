"use strict";

/*
 * Where a poster's pixels come from. POSTER (poster.js) holds the templates; which of them a pixel shows is in
 * labels_data/COLUMN_ROW.js, one file per square of the poster, loaded when it is first asked for: as scripts, because
 * a page that was opened from a disk can read neither pixels nor files.
 */

const MOST_SQUARES = 64; // kept in memory: at 512 px and two bytes each, 32 MiB
const squares = new Map(); // key -> promise of its numbers, the latest used last
const arriving = new Map(); // key -> what to do with the text of a script that runs now

/** What the scripts in labels_data call. */
function labelBlock(key, packed) {
  arriving.get(key)?.(packed);
}

/** The script of a square, as text. */
function fetchSquare(key) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    arriving.set(key, resolve);
    script.onload = script.onerror = () => {
      script.remove();
      arriving.delete(key);
      reject(new Error(`labels_data/${key}.js did not load`)); // does nothing where the script has run
    };
    script.src = `labels_data/${key}.js`;
    document.head.append(script);
  });
}

/** The numbers in a square, in reading order. */
async function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(stream).arrayBuffer();
  return POSTER.templates.length <= 256 ? new Uint8Array(buffer) : new Uint16Array(buffer);
}

function squareOf(x, y) {
  return `${Math.floor(x / POSTER.tilePx)}_${Math.floor(y / POSTER.tilePx)}`;
}

/** Whether the template at a pixel is known without loading anything. */
function isLoaded(x, y) {
  return squares.has(squareOf(x, y));
}

/** The number of the template that a pixel of the poster shows most of. Fails if its square does not load. */
async function templateAt(x, y) {
  const key = squareOf(x, y);
  const square = squares.get(key) ?? fetchSquare(key).then(unpack);
  squares.delete(key);
  squares.set(key, square);
  if (squares.size > MOST_SQUARES) {
    squares.delete(squares.keys().next().value);
  }
  try {
    const left = x - (x % POSTER.tilePx);
    const width = Math.min(POSTER.tilePx, POSTER.width - left);
    return (await square)[(y % POSTER.tilePx) * width + (x - left)];
  } catch (error) {
    squares.delete(key); // the next one who asks tries again
    throw error;
  }
}

/** Where a place falls when `length` pixels are mirrored for ever, the edge pixel not repeated. */
function mirrored(place, length) {
  const period = Math.max(2 * length - 2, 1);
  const rest = place % period;
  return rest < length ? { at: rest, reversed: false } : { at: period - rest, reversed: true };
}

/**
 * The place of a style picture that a template shows at a pixel of the poster, and how the picture lies there.
 *
 * The picture is turned to the left, then perhaps flipped, then mirrored over the plane: all of it undone backwards.
 * Where the mirrored plane runs backwards, the picture is seen flipped once more; `turns` and `flip` count that in.
 */
function sourceOf(template, x, y) {
  const { width, height } = POSTER.pictures[template.picture];
  const sideways = template.turns % 2 === 1;
  const turned = sideways ? { width: height, height: width } : { width, height };
  const across = mirrored(x + template.left, turned.width);
  const down = mirrored(y + template.top, turned.height);
  const i = down.at;
  const j = template.flip ? turned.width - 1 - across.at : across.at;
  const places = [[j, i], [width - 1 - i, j], [width - 1 - j, height - 1 - i], [i, height - 1 - j]];
  const [column, row] = places[template.turns % 4];
  return {
    x: column,
    y: row,
    turns: (template.turns + (down.reversed ? 2 : 0)) % 4, // upside down is half a turn and a flip
    flip: template.flip !== (across.reversed !== down.reversed),
  };
}

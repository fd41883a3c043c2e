// Colour: ramps, heatmap and probability rasters, the hatch, and numbers in words.

const FULL_AT = 2 / 3; // share of the limit from which a heatmap is opaque; below it opacity is proportional
const HEAT_STEPS = 1024; // colours of a heatmap, opacity included
const RASTER = 384; // longest side of a raster made of a heatmap; the canvas smooths the rest of the way
const hexToRgb = (hex) => [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));

// The colour at a share 0..1 of a ramp of evenly spaced stops.
function rampColour(stops, share) {
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const index = Math.min(Math.floor(place), stops.length - 2);
  const [from, to] = [hexToRgb(stops[index]), hexToRgb(stops[index + 1])];
  return from.map((value, i) => value + (to[i] - value) * (place - index));
}

const colourText = (rgb) => `#${rgb.map((value) => Math.round(value).toString(16).padStart(2, "0")).join("")}`;

function makeCanvas(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width));
  canvas.height = Math.max(1, Math.round(height));
  return canvas;
}

// A colour as the 32-bit word of an ImageData; alpha 0..1.
const wordOf = (r, g, b, alpha) => ((Math.round(255 * alpha) << 24) | (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r)) >>> 0;

// Tables outlive the case they were made for: of each kind the last one is kept.
const tables = new Map();

function remembered(kind, look, make) {
  if (tables.get(kind)?.look !== look) tables.set(kind, { look, table: make() });
  return tables.get(kind).table;
}

// A canvas and its pixels, to be written to again and again.
function makeRaster(width, height) {
  const canvas = makeCanvas(width, height);
  const image = new ImageData(width, height);
  const context = canvas.getContext("2d");
  return { canvas, words: new Uint32Array(image.data.buffer), show: () => context.putImageData(image, 0, 0) };
}

// What is coloured: the positive part, or the signed map. The rectifier comes before enlarging.
function shownHeat(heat, isSigned) {
  return isSigned ? heat : { ...heat, values: heat.values.map((value) => Math.max(value, 0)) };
}

const heatOpacity = (share) => Math.min(1, Math.abs(share) / FULL_AT);

// A heatmap as colours over the picture: weak evidence does not tint it.
function heatRaster(heat, map, picture, asCells) {
  const shown = shownHeat(heat, map.signed);
  const shrink = Math.min(1, RASTER / Math.max(picture.width, picture.height));
  const grid = asCells
    ? shown
    : enlarge(shown, Math.round(picture.width * shrink), Math.round(picture.height * shrink));
  const table = heatTable(map);
  const raster = makeRaster(grid.width, grid.height);
  const { words } = raster;
  for (let i = 0; i < words.length; i += 1) {
    const share = Math.min(Math.max(grid.values[i] / heat.limit, -1), 1);
    words[i] = table[Math.round(HEAT_STEPS * (map.signed ? (share + 1) / 2 : share))];
  }
  raster.show();
  return raster.canvas;
}

// The colours of a map, opacity included, from its lowest value to its highest.
function heatTable(map) {
  const look = `${map.stops} ${map.signed}`;
  return remembered("heat", look, () => Uint32Array.from({ length: HEAT_STEPS + 1 }, (_, i) => {
    const share = i / HEAT_STEPS;
    return wordOf(...rampColour(map.stops, share), heatOpacity(map.signed ? 2 * share - 1 : share));
  }));
}

// The shading of a panel: one raster for all its slices, renewed when the slice changes.
function probabilityRaster({ probability, colour, shading }) {
  if (shading.of === probability) return shading.raster.canvas;
  const [r, g, b] = hexToRgb(colour);
  shading.table ??= Uint32Array.from({ length: 256 }, (_, value) => wordOf(r, g, b, value / 255));
  shading.raster ??= makeRaster(probability.width, probability.height);
  shading.of = probability;
  const { words } = shading.raster;
  for (let i = 0; i < words.length; i += 1) words[i] = shading.table[probability.values[i]];
  shading.raster.show();
  return shading.raster.canvas;
}

// Thin strokes at 45 degrees, as a repeating pattern that keeps its size on screen.
const hatches = new Map();

function hatch(context, colour, ratio) {
  if (hatches.has(`${colour} ${ratio}`)) return hatches.get(`${colour} ${ratio}`);
  const side = 7 * ratio;
  const tile = makeCanvas(side, side);
  const pen = tile.getContext("2d");
  pen.strokeStyle = colour;
  pen.lineWidth = 2.6 * ratio;
  for (const shift of [-tile.width, 0, tile.width]) {
    pen.beginPath();
    pen.moveTo(shift - 2, tile.height + 2);
    pen.lineTo(shift + tile.width + 2, -2);
    pen.stroke();
  }
  const pattern = context.createPattern(tile, "repeat");
  pattern.setTransform(new DOMMatrix().scale(1 / ratio));
  hatches.set(`${colour} ${ratio}`, pattern);
  return pattern;
}

// Three significant digits, without an exponent where a reader can do without: 0.0312, 4.1, 870.
function inDigits(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-4) return value.toExponential(1).replace("-", "−").replace("e+", "e");
  const digits = Math.max(0, 2 - Math.floor(Math.log10(size)));
  const text = value.toFixed(Math.min(digits, 6));
  return (text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text).replace("-", "−");
}

// Colour: ramps, heatmap and probability rasters, the hatch, and numbers in words.

const FULL_AT = 2 / 3; // share of the limit from which a heatmap is opaque; below it opacity is proportional
const RASTER = 384; // longest side of a raster made of a heatmap; the canvas smooths the rest of the way
const hexToRgb = (hex) => [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));

// The colour at a share 0..1 of a ramp of evenly spaced stops.
function rampColour(stops, share) {
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const index = Math.min(Math.floor(place), stops.length - 2);
  const [from, to] = [hexToRgb(stops[index]), hexToRgb(stops[index + 1])];
  return from.map((value, i) => value + (to[i] - value) * (place - index));
}

function makeCanvas(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width));
  canvas.height = Math.max(1, Math.round(height));
  return canvas;
}

// A raster whose pixels are [r, g, b, alpha 0..1] = paint(value).
function rasterOf(grid, paint) {
  const canvas = makeCanvas(grid.width, grid.height);
  const image = new ImageData(grid.width, grid.height);
  grid.values.forEach((value, i) => {
    const [r, g, b, alpha] = paint(value);
    image.data.set([r, g, b, 255 * alpha], 4 * i);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
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
  const table = Array.from({ length: 256 }, (_, i) => rampColour(map.stops, i / 255));
  return rasterOf(grid, (value) => {
    const share = Math.min(Math.max(value / heat.limit, -1), 1);
    const place = map.signed ? (share + 1) / 2 : share;
    return [...table[Math.round(255 * place)], heatOpacity(share)];
  });
}

function probabilityRaster(probability, colour) {
  const [r, g, b] = hexToRgb(colour);
  return rasterOf(probability, (value) => [r, g, b, value / 255]);
}

// Thin strokes at 45 degrees, as a repeating pattern that keeps its size on screen.
function hatch(context, colour, ratio) {
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

// One panel on its canvas. Everything is drawn in CSS pixels; the context carries the device pixel ratio.

const LINE = 1.5; // px, on a casing of twice that, so that it reads on any grey; 2 px on large panels
const LARGE = 420; // px wide
const OUTER = 0.6; // width of a line round a class that holds another, against that of the class inside
const CASING = "rgba(0, 0, 0, 0.9)";
const LEVELS = [
  { value: 0.3, dash: [1.5, 2.5], width: 1, name: "0.3" },
  { value: 0.5, dash: [], name: "0.5" },
  { value: 0.7, dash: [8, 2, 1.5, 2], width: 1, name: "0.7" },
];
const HEAT_LEVELS = [
  { share: 0.25, width: 0.6, strength: 0.45 },
  { share: 0.5, width: 0.9, strength: 0.7 },
  { share: 0.75, width: 1.2, strength: 0.9 },
]; // of full colour

// Where the picture lies in a box: zoom 1 fits it in; (x, y) of the view, in shares, is the middle of the box.
// A pixel is ``scale`` wide and ``rise`` high on screen: they differ where pixels are not square.
function placePicture(picture, view, box) {
  const fit = Math.min(box.width / picture.width, box.height / (picture.height * picture.tall));
  const scale = fit * view.zoom;
  const rise = scale * picture.tall;
  const [width, height] = [picture.width * scale, picture.height * rise];
  const middle = (size, room, share) => {
    const half = room / (2 * size);
    return half >= 0.5 ? 0.5 : Math.min(Math.max(share, half), 1 - half);
  };
  const x = middle(width, box.width, view.x);
  const y = middle(height, box.height, view.y);
  return { scale, rise, left: box.width / 2 - x * width, top: box.height / 2 - y * height, x, y, width, height };
}

function paintPanel(context, box, ratio, scene, panel, view, chosen) {
  const state = stateOf(chosen, panel);
  const place = placePicture(scene.picture, view, box);
  const pen = { context, box, ratio, place, scene, panel, state, strength: state.opacity[state.mode] };
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = "#000";
  context.fillRect(0, 0, box.width, box.height);
  context.save();
  context.beginPath();
  context.rect(place.left, place.top, place.width, place.height);
  context.clip();
  paintRaster(pen, greyRaster(scene, state), 1, state.pixels && place.scale > 1);
  if (!state.hidden && !state.held) paintOverlay(pen);
  context.restore();
  const marks = marksSheet(pen);
  if (marks) context.drawImage(marks, 0, 0, marks.width / ratio, marks.height / ratio);
  if (state.cross) paintCross(pen);
}

// The reference is thinner on the other panels and lies below their own lines, but above areas.
function paintOverlay(pen) {
  const { panel, scene, state } = pen;
  if (panel.is_reference) {
    paintOutline(pen, panel.labels, panel, 1);
    return;
  }
  const style = { ...scene.header.reference_style, width: 0.75 * lineWidth(pen.box) };
  const reference = () => state.reference && paintOutline(pen, scene.reference, style, 1);
  const isLinesOnly = state.mode === "outline" || (state.mode === "probability" && !state.detail);
  if (isLinesOnly) reference();
  OVERLAYS[state.mode](pen);
  if (!isLinesOnly) reference();
  if (["votes", "heatmap"].includes(state.mode)) paintOutline(pen, panel.labels, panel, 1);
}

const lineWidth = (box) => (box.width >= LARGE ? 2 : LINE);

const OVERLAYS = {
  outline: (pen) => paintOutline(pen, pen.panel.labels, pen.panel, pen.strength),
  fill: (pen) => paintClasses(pen),
  error: (pen) => paintErrors(pen),
  probability: (pen) => paintProbability(pen),
  votes: (pen) => paintVotes(pen),
  heatmap: (pen) => paintHeat(pen),
};

function paintRaster({ context, place }, raster, strength, asPixels) {
  context.imageSmoothingEnabled = !asPixels;
  context.imageSmoothingQuality = place.width < raster.width ? "high" : "low"; // enlarging is bilinear
  context.globalAlpha = strength;
  context.drawImage(raster, place.left, place.top, place.width, place.height);
  context.globalAlpha = 1;
}

// A path in picture pixels as a path on screen, so that line widths and dashes stay in screen pixels.
function onScreen(path, { scale, rise, left, top }) {
  const placed = new Path2D();
  placed.addPath(path, new DOMMatrix([scale, 0, 0, rise, left, top]));
  return placed;
}

function strokeLine({ context, place, box }, path, { colour, dash, width, strength = 1, casing = CASING }) {
  const line = width ?? lineWidth(box);
  const placed = onScreen(path, place);
  context.globalAlpha = strength;
  context.lineJoin = "round";
  if (casing) {
    context.setLineDash([]);
    context.lineWidth = 2 * line;
    context.strokeStyle = casing;
    context.stroke(placed);
  }
  context.setLineDash(dash);
  context.lineWidth = line;
  context.strokeStyle = colour;
  context.stroke(placed);
  context.setLineDash([]);
  context.globalAlpha = 1;
}

function paintOutline(pen, labels, { colour, dash, width }, strength) {
  if (!labels) return;
  const { outer, inner } = outlinePaths(labels, inmostOf(pen.scene, pen.state));
  const line = width ?? lineWidth(pen.box);
  if (outer) strokeLine(pen, outer, { colour, dash, width: OUTER * line, strength });
  if (inner) strokeLine(pen, inner, { colour, dash, width: line, strength });
}

function paintClasses(pen) {
  const { labels } = pen.panel;
  if (!labels) return;
  pen.scene.header.classes.forEach(({ colour }, index) => {
    const path = classPath(pen.panel, index + 1);
    fillRegion(pen, path, colour);
    strokeLine(pen, path, { colour, dash: [], width: 1.2, strength: Math.min(1, pen.strength + 0.35) });
  });
}

function fillRegion({ context, place, strength }, path, style) {
  context.globalAlpha = strength;
  context.fillStyle = style;
  context.fill(onScreen(path, place), "evenodd");
  context.globalAlpha = 1;
}

function paintErrors(pen) {
  const { context, scene, panel, ratio } = pen;
  if (!panel.labels || !scene.reference) return;
  const paths = errorPaths(scene, panel);
  const colours = scene.header.errors;
  for (const name of ["agreed", "missed", "extra"]) {
    const strength = name === "agreed" ? 0.6 * pen.strength : pen.strength; // what is agreed needs no look
    const style = name === "missed" ? hatch(context, colours.missed, ratio) : colours[name];
    fillRegion({ ...pen, strength }, paths[name], style);
    strokeLine(pen, paths[name], { colour: colours[name], dash: [], width: 1, casing: null, strength: pen.strength });
  }
}

const voteColour = ({ header }, count, of) => colourText(rampColour(header.votes, of < 2 ? 1 : (count - 1) / (of - 1)));

function paintVotes(pen) {
  votePaths(pen.scene).forEach((path, i, all) => {
    const colour = voteColour(pen.scene, i + 1, all.length);
    fillRegion(pen, path, colour);
    strokeLine(pen, path, { colour, dash: [], width: 1, casing: null, strength: pen.strength });
  });
}

function paintProbability(pen) {
  const { panel, scene, state } = pen;
  if (!panel.probability) return;
  if (state.detail) paintRaster(pen, probabilityRaster(panel), 0.6 * pen.strength, false);
  for (const level of LEVELS) {
    const path = levelPath(scene, panel, level);
    strokeLine(pen, path, { colour: panel.colour, dash: level.dash, width: level.width, strength: pen.strength });
  }
}

const hasMap = (panel) => panel.heat !== null && panel.heat.drawn && panel.heat.limit > 0;

function paintHeat(pen) {
  const { panel, scene, state } = pen;
  if (!hasMap(panel)) return;
  const map = scene.header.map;
  const name = state.detail ? "heat cells" : "heat";
  const raster = once(panel, name, () => heatRaster(panel.heat, map, scene.picture, state.detail));
  paintRaster(pen, raster, pen.strength, state.detail);
  if (state.detail) paintCells(pen, panel.heat);
  else paintHeatLines(pen);
}

// White lines at a quarter, a half and three quarters of full colour: the map's shape without its colour.
function paintHeatLines(pen) {
  const { panel, scene } = pen;
  const isSigned = scene.header.map.signed;
  const side = Math.min(96, 12 * Math.max(panel.heat.width, panel.heat.height));
  const fine = once(panel, "heat fine", () => enlarge(shownHeat(panel.heat, isSigned), side, side));
  for (const { share, width, strength } of HEAT_LEVELS) {
    const path = once(panel, `heat ${share}`, () => toPath((isSigned ? [-share, share] : [share]).flatMap((level) =>
      levelLines(fine.values, side, side, level * panel.heat.limit, scene.picture)), false));
    const style = { colour: "#fff", dash: [], width, casing: "rgba(0, 0, 0, 0.5)" };
    strokeLine(pen, path, { ...style, strength: strength * pen.strength });
  }
}

function paintCells({ context, place, strength }, { width, height }) {
  if (Math.max(width, height) > 40) return;
  context.beginPath();
  for (let i = 1; i < width; i += 1) {
    const x = place.left + (i / width) * place.width;
    context.moveTo(x, place.top);
    context.lineTo(x, place.top + place.height);
  }
  for (let j = 1; j < height; j += 1) {
    const y = place.top + (j / height) * place.height;
    context.moveTo(place.left, y);
    context.lineTo(place.left + place.width, y);
  }
  context.lineWidth = 0.5;
  context.strokeStyle = `rgba(255, 255, 255, ${0.4 * strength})`;
  context.stroke();
}

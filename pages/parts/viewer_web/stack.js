// A case is a stack of slices; a single picture is a stack of one. What draws sees one slice of it, a scene.

function makeStack(header, parts) {
  const part = (index, kind) => {
    if (index === -1) return null;
    need(parts[index] && parts[index].kind === kind, "part");
    return parts[index];
  };
  const { indices, positions } = header.slices;
  const picture = joinPictures(header.picture.map((index) => part(index, "image")));
  need(picture.n === indices.length && [0, picture.n].includes(positions.length), "picture");
  const labels = (index) => {
    const found = part(index, "labels");
    need(!found || ["n", "width", "height"].every((side) => found[side] === picture[side]), "labels");
    return found;
  };
  const series = (index) => {
    const found = part(index, "series");
    need(!found || (found.width === picture.n && found.height === header.classes.length), "series");
    return found;
  };
  const probability = (index) => {
    const found = part(index, "probability");
    need(!found || found.n === picture.n, "probability");
    return found;
  };
  const panels = header.panels.map((panel) => ({
    ...panel,
    labels: labels(panel.labels),
    areas: series(panel.areas),
    probability: panel.probability.map(probability),
    heat: panel.heat && { ...panel.heat, ...scaledHeat(part(panel.heat.part, "heat"), panel.heat.peak) },
    shading: {}, // shared by the scenes of all slices
  }));
  const [row, column] = header.slices.spacing;
  picture.tall = row ? row / column : 1; // a pixel's height over its width
  return {
    header,
    picture,
    panels,
    reference: labels(header.reference),
    disagreement: series(header.disagreement),
    cache: new Map(),
  };
}

// A long stack comes in several parts.
function joinPictures(parts) {
  const [first] = parts;
  need(first && parts.every((one) => one.width === first.width && one.height === first.height), "picture");
  if (parts.length === 1) return { ...first };
  return once(first, `joined ${parts.length}`, () => {
    const values = new first.values.constructor(parts.reduce((sum, one) => sum + one.values.length, 0));
    parts.reduce((at, one) => {
      values.set(one.values, at);
      return at + one.values.length;
    }, 0);
    return { ...first, n: parts.reduce((sum, one) => sum + one.n, 0), values };
  });
}

function scaledHeat(part, peak) {
  need(part !== null, "heat");
  return { width: part.width, height: part.height, values: Float32Array.from(part.values, (q) => (q / 32767) * peak) };
}

// One slice of a part. ``shown``: 0 for all classes, else the label value that is kept (it includes those above
// it: a tumour lies in the liver). Kept beside the part, so that outlines outlive a change of panels.
function sliceOf(part, k, shown) {
  if (!part) return null;
  const filter = part.kind === "labels" ? shown : 0;
  return once(part, `${k} ${filter}`, () => {
    const size = part.width * part.height;
    const all = part.values.subarray(k * size, (k + 1) * size);
    const values = filter === 0 ? all : all.map((value) => (value >= filter ? filter : 0));
    return { width: part.width, height: part.height, values, cache: new Map() };
  });
}

// What there is to draw of slice number k (a place in the stack), for one class or for all.
function sceneAt(stack, k, shown) {
  return once(stack, `${k} ${shown}`, () => {
    const { header } = stack;
    const isHot = stack.picture.n === 1 || header.slices.indices[k] === header.slices.heat;
    const place = shown === 0 ? header.classes.length - 1 : shown - 1; // of all classes, the last is the question
    const panels = stack.panels.map((panel) => ({
      ...panel,
      labels: sliceOf(panel.labels, k, shown),
      probability: sliceOf(panel.probability[place], k, 0),
      heat: isHot ? panel.heat : null,
      isElsewhere: !isHot && header.slices.heat !== -1, // the heatmaps that are loaded belong to another slice
      area: panel.areas ? panel.areas.values[place * stack.picture.n + k] : null,
      cache: new Map(),
    }));
    const picture = { ...sliceOf(stack.picture, k, 0), tall: stack.picture.tall };
    return { header, stack, k, place, picture, panels, reference: sliceOf(stack.reference, k, shown), cache: new Map() };
  });
}

// What is drawn on a panel: what the reader chose, or the one mode that the panel is held to.
const stateOf = (state, panel) => (panel.mode
  ? { ...state, mode: panel.mode, detail: state.detail && state.mode === panel.mode }
  : state);

const isStack = (scene) => scene.stack.picture.n > 1;
const hasUnits = (scene) => scene.header.slices.spacing.length === 2;
// Behind every length and area of a case whose file has no geometry of its own.
const doubt = (scene) => (scene.header.slices.mm_note ? " (not measured)" : "");

// 65536 greys, one for every 16-bit value; without a window the value is the grey, bent by gamma.
function greyTable(window, gamma) {
  const table = new Uint32Array(65536);
  const low = window ? window.level - window.width / 2 : 0;
  const scale = window ? 255 / window.width : 1;
  for (let i = 0; i < 65536; i += 1) {
    const value = i < 32768 ? i : i - 65536;
    const share = Math.min(1, Math.max(0, ((value - low) * scale) / 255));
    const grey = Math.round(255 * share ** gamma);
    table[i] = 0xff000000 | (grey * 0x010101);
  }
  return table;
}

// The picture as greys: one raster for all panels, renewed when slice or window change.
function greyRaster(scene, { window, gamma }) {
  const { stack, picture, k } = scene;
  const look = window ? `${window.width} ${window.level}` : `gamma ${gamma}`;
  stack.raster ??= makeRaster(picture.width, picture.height);
  const { raster } = stack;
  if (raster.look !== look) Object.assign(raster, { look, table: remembered("grey", look, () => greyTable(window, window ? 1 : gamma)), k: -1 });
  if (raster.k === k) return raster.canvas;
  const { words, table } = raster;
  const { values } = picture;
  for (let i = 0; i < words.length; i += 1) words[i] = table[values[i] & 0xffff];
  raster.show();
  raster.k = k;
  return raster.canvas;
}

// One case: bytes -> a checked header and typed arrays. Nothing in it is used before it is checked.

class Refused extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

function need(isTrue, code) {
  if (!isTrue) throw new Refused(code);
}

const KINDS = {
  image: ["uint8", "int16"],
  labels: ["uint8"],
  probability: ["uint8"],
  heat: ["int16"],
  series: ["float32"],
};
const WIDTHS = { uint8: 1, int16: 2, float32: 4 };
const LARGEST = 2 ** 28; // bytes of one part in memory

// The case of a block, or null while a feed with one of its parts has not arrived. ``known`` holds parts that are
// decoded already, by their names; it is left with those of this case.
async function decode(bytes, known) {
  const { header, start } = openBlock(bytes);
  checkHeader(header);
  const blocks = header.parts.map((part) => known.get(part.hash) ?? blockOf(part, bytes, start));
  if (blocks.includes(null)) return null;
  const parts = await Promise.all(blocks.map((block, i) => (block instanceof Uint8Array
    ? readPart(header.parts[i], block)
    : block)));
  known.clear();
  header.parts.forEach((part, i) => known.set(part.hash, parts[i]));
  return makeStack(header, parts);
}

function openBlock(bytes) {
  need(bytes && bytes.length > 4, "empty");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = 4 + view.getUint32(0, true);
  need(start <= bytes.length, "truncated");
  let header = null;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(4, start)));
  } catch {
    need(false, "header");
  }
  need(header !== null && typeof header === "object" && Array.isArray(header.parts), "header");
  return { header, start };
}

// The compressed bytes of a part: in its own block, or in one of the feeds; null while none holds it.
function blockOf(part, bytes, start) {
  need(isText(part.hash), "parts");
  if (part.offset !== -1) return cut(bytes, start + part.offset, part.length);
  for (const feed of globalThis.triptychFeeds?.values() ?? []) {
    const opened = openBlock(feed);
    const found = opened.header.parts.find((one) => one.hash === part.hash);
    if (found) return cut(feed, opened.start + found.offset, found.length);
  }
  return null;
}

function cut(bytes, from, length) {
  need(Number.isInteger(from) && Number.isInteger(length) && from >= 4 && length > 0, "truncated");
  need(from + length <= bytes.length, "truncated");
  return bytes.subarray(from, from + length);
}

function checkHeader(header) {
  need(header.format === 3, "format");
  for (const name of ["token", "caption", "notice", "mode"]) need(isText(header[name]), name);
  for (const name of ["panels", "parts", "classes", "picture"]) need(Array.isArray(header[name]), name);
  need(header.panels.length > 0 && header.panels.length <= 24, "panels");
  need(header.map && isColours(header.map.stops) && header.map.stops.length > 1, "map");
  need(isColours(Object.values(header.errors)), "errors");
  need(isColours(header.votes) && header.votes.length > 1, "votes");
  need(header.classes.every((one) => isText(one.name) && isColours([one.colour])), "classes");
  need(isStyle(header.reference_style), "reference_style");
  need(["", "button", "click"].includes(header.asks), "asks");
  header.panels.forEach(checkPanel);
  const { slices } = header;
  need(slices && isNumbers(slices.indices) && slices.indices.length > 0, "slices");
  need(isNumbers(slices.positions) && isNumbers(slices.spacing) && isNumbers(slices.source), "slices");
  need(isText(slices.mm_note), "slices");
  need([slices.total, slices.start, slices.heat].every(isNumber) && slices.spacing.every((mm) => mm > 0), "slices");
  need(Array.isArray(slices.windows) && slices.windows.every(isWindow), "windows");
}

function checkPanel(panel) {
  for (const name of ["title", "subtitle", "run", "network", "message", "summary"]) need(isText(panel[name]), name);
  need(Array.isArray(panel.notes) && panel.notes.every(isText), "notes");
  need(isNumbers(panel.probability), "probability");
  need(isStyle(panel), "style");
  need(panel.mode === "" || Object.hasOwn(OVERLAYS, panel.mode), "mode");
  if (panel.heat === null) return;
  need(["label", "words", "stamp"].every((name) => isText(panel.heat[name])), "heat");
  need(isNumber(panel.heat.limit) && isNumber(panel.heat.peak) && panel.heat.limit >= 0, "heat");
}

const isText = (value) => typeof value === "string" && value.length < 2000;
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const isNumbers = (values) => Array.isArray(values) && values.every(isNumber);
const isWindow = (one) => isText(one.name) && isNumber(one.level) && isNumber(one.width) && one.width > 0;
const isColours = (values) => Array.isArray(values) && values.every((one) => /^#[0-9a-f]{6}$/i.test(one));
const isStyle = (style) => isColours([style.colour]) && isNumbers(style.dash);

async function readPart({ kind, dtype, shape }, block) {
  need(Object.hasOwn(KINDS, kind) && KINDS[kind].includes(dtype), "kind");
  need(Array.isArray(shape) && [2, 3].includes(shape.length), "shape");
  need(shape.every((side) => Number.isInteger(side) && side > 0 && side <= 8192), "shape");
  const size = shape.reduce((product, side) => product * side, WIDTHS[dtype]);
  need(size <= LARGEST, "shape");
  const raw = await gunzip(block);
  need(raw.length === size, "length");
  const [height, width] = shape.slice(-2);
  const n = shape.length === 3 ? shape[0] : 1;
  return { kind, n, width, height, values: VALUES[dtype](raw, kind), cache: new Map() };
}

async function gunzip(bytes) {
  try {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw new Refused("damaged");
  }
}

const VALUES = {
  uint8: (raw) => raw,
  int16: (raw, kind) => (kind === "image" ? joinPlanes(raw) : toInt16(raw)),
  float32: (raw) => {
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    return Float32Array.from({ length: raw.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
  },
};

function toInt16(raw) {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  return Int16Array.from({ length: raw.length / 2 }, (_, i) => view.getInt16(2 * i, true));
}

// All low bytes, then all high bytes.
function joinPlanes(raw) {
  const half = raw.length / 2;
  const values = new Int16Array(half);
  for (let i = 0; i < half; i += 1) values[i] = raw[i] | (raw[half + i] << 8);
  return values;
}

// Values that cost something to make are made once per case (or panel) and kept beside it.
function once(owner, name, make) {
  if (!owner.cache.has(name)) owner.cache.set(name, make());
  return owner.cache.get(name);
}

function sameBytes(a, b) {
  if (!a || !b || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

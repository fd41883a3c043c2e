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

const KINDS = { image: "uint8", labels: "uint8", probability: "uint8", heat: "int16" };

async function decode(bytes) {
  need(bytes && bytes.length > 4, "empty");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = 4 + view.getUint32(0, true);
  need(start <= bytes.length, "truncated");
  const header = parseHeader(bytes.subarray(4, start));
  const parts = await Promise.all(header.parts.map((part) => readPart(part, bytes, start)));
  return makeScene(header, parts);
}

function parseHeader(bytes) {
  let header = null;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    need(false, "header");
  }
  need(header !== null && typeof header === "object" && header.format === 1, "format");
  for (const name of ["token", "caption", "notice", "mode"]) need(isText(header[name]), name);
  for (const name of ["panels", "parts", "classes"]) need(Array.isArray(header[name]), name);
  need(header.panels.length > 0 && header.panels.length <= 24, "panels");
  need(header.map && isColours(header.map.stops) && header.map.stops.length > 1, "map");
  need(isColours(Object.values(header.errors)), "errors");
  need(header.classes.every((one) => isText(one.name) && isColours([one.colour])), "classes");
  need(isStyle(header.reference_style), "reference_style");
  header.panels.forEach(checkPanel);
  return header;
}

function checkPanel(panel) {
  for (const name of ["title", "subtitle", "run", "network", "message", "summary"]) need(isText(panel[name]), name);
  need(Array.isArray(panel.notes) && panel.notes.every(isText), "notes");
  need(isStyle(panel), "style");
  if (panel.heat === null) return;
  need(isText(panel.heat.label) && isText(panel.heat.words), "heat");
  need(isNumber(panel.heat.limit) && isNumber(panel.heat.peak) && panel.heat.limit >= 0, "heat");
}

const isText = (value) => typeof value === "string" && value.length < 2000;
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const isColours = (values) => Array.isArray(values) && values.every((one) => /^#[0-9a-f]{6}$/i.test(one));
const isStyle = (style) => isColours([style.colour]) && Array.isArray(style.dash) && style.dash.every(isNumber);

async function readPart(part, bytes, start) {
  need(KINDS[part.kind] === part.dtype, "kind");
  need(Array.isArray(part.shape) && part.shape.length === 2, "shape");
  const [height, width] = part.shape;
  need(Number.isInteger(height) && Number.isInteger(width) && height > 0 && width > 0, "shape");
  need(height <= 8192 && width <= 8192, "shape");
  const from = start + part.offset;
  need(Number.isInteger(from) && part.offset >= 0 && from + part.length <= bytes.length, "truncated");
  const raw = await gunzip(bytes.subarray(from, from + part.length));
  need(raw.length === height * width * (part.dtype === "int16" ? 2 : 1), "length");
  return { kind: part.kind, width, height, values: part.dtype === "int16" ? toInt16(raw) : raw };
}

async function gunzip(bytes) {
  try {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw new Refused("damaged");
  }
}

function toInt16(raw) {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  return Int16Array.from({ length: raw.length / 2 }, (_, i) => view.getInt16(2 * i, true));
}

function makeScene(header, parts) {
  const part = (index, kind) => {
    if (index === -1) return null;
    need(parts[index] && parts[index].kind === kind, "part");
    return parts[index];
  };
  const picture = part(header.picture, "image");
  need(picture !== null, "picture");
  const labels = (index) => {
    const found = part(index, "labels");
    need(!found || (found.width === picture.width && found.height === picture.height), "labels");
    return found;
  };
  const panels = header.panels.map((panel) => ({
    ...panel,
    labels: labels(panel.labels),
    probability: part(panel.probability, "probability"),
    heat: panel.heat && { ...panel.heat, ...scaledHeat(part(panel.heat.part, "heat"), panel.heat.peak) },
    cache: new Map(),
  }));
  return { header, picture, reference: labels(header.reference), panels, cache: new Map() };
}

function scaledHeat(part, peak) {
  need(part !== null, "heat");
  return { width: part.width, height: part.height, values: Float32Array.from(part.values, (q) => (q / 32767) * peak) };
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

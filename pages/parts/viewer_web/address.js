// The address keeps what is on screen: whoever opens it sees the same. Nothing of it is told to the server.

const SHORT = { probability: "prob", heatmap: "heat" }; // modes whose name in the address is shorter
// What is on or off, by its key. The letter stands in the address where it is not as a case opens.
const SWITCHES = { a: "detail", x: "hidden", y: "reference", i: "texts", u: "pixels" };
const AS_OPENED = { detail: false, hidden: false, reference: true, texts: true, pixels: false };

// Slice, window, class, mode and place to open a case with: its address, what this tab showed of it last, its start.
// An address that names no case is that of the first one shown.
function openingPlace(app, isFirst) {
  const { header, picture } = app.stack;
  const isAsked = isAddressOf(header) && (isFirst || new URLSearchParams(location.search).has("case"));
  const asked = isAsked ? new URLSearchParams(location.search) : new URLSearchParams();
  const kept = globalThis.triptychKept?.get(header.token) ?? {};
  const number = /^\d{1,5}$/.test(asked.get("k") ?? "") ? Number(asked.get("k")) : kept.slice ?? header.slices.start;
  app.state.slice = nearestPlace(header.slices.indices, number);
  const shown = header.classes.findIndex(({ name }) => name === asked.get("cls"));
  app.state.shown = asked.has("cls") ? shown + 1 : Math.min(app.state.shown, header.classes.length);
  const [first] = header.slices.windows;
  if (!first) app.state.window = null;
  else app.state.window ??= { width: first.width, level: first.level };
  const [, own] = (asked.get("win") ?? "").match(/^(\d{1,4}_-?\d{1,4})$/) ?? [];
  if (own) setWindowQuietly(app, ...own.split("_").map(Number));
  const preset = presetsOf(app)[Number(asked.get("win")) - 1];
  if (preset?.gamma) app.state.gamma = preset.gamma;
  else if (preset) setWindowQuietly(app, preset.width, preset.level);
  const mode = MODES.find(({ name }) => (SHORT[name] ?? name) === asked.get("view"));
  if (mode) app.state.mode = mode.name;
  openLook(app, asked, picture);
}

// Zoom with the place in the middle, opacity, crosshair, the enlarged panel, and what is switched on or off.
function openLook(app, asked, { width, height }) {
  const numbers = (name, count) => {
    const found = (asked.get(name) ?? "").split("_").map((text) => (/^\d{1,5}(\.\d{1,6})?$/.test(text) ? Number(text) : NaN));
    return found.length === count && found.every(Number.isFinite) ? found : null;
  };
  const zoom = numbers("z", 3);
  if (zoom) {
    const [times, x, y] = zoom;
    app.view = { zoom: Math.min(16, Math.max(1, times)), x: Math.min(1, x), y: Math.min(1, y) };
    app.state.linked = true;
  }
  const opacity = numbers("op", 1);
  if (opacity) app.state.opacity = { ...app.state.opacity, [app.state.mode]: Math.min(100, opacity[0]) / 100 };
  const cross = numbers("x", 2);
  if (cross) app.state.cross = [clampIndex(Math.round(cross[0]), width), clampIndex(Math.round(cross[1]), height)];
  const large = numbers("large", 1);
  if (large && app.stack.panels[large[0]]) Object.assign(app.state, { enlarged: large[0], active: large[0] });
  const letters = asked.get("keys") ?? "";
  for (const [key, name] of Object.entries(SWITCHES)) if (letters.includes(key)) app.state[name] = !AS_OPENED[name];
}

function setWindowQuietly(app, width, level) {
  if (app.state.window && width > 0) app.state.window = { width: Math.round(width), level: Math.round(level) };
}

function isAddressOf({ token, outlines_only: isStudy }) {
  if (isStudy) return false; // a study's address names no slice: the next case must not open where this one ended
  if (token.startsWith("upload/")) return false; // a reader's own image is nowhere in the address
  const named = new URLSearchParams(location.search).get("case");
  return named === null || token.split("/").includes(named);
}

// Kept in the address without a step of the browser's Back, and without telling the server.
function writeAddress(app) {
  const { header } = app.stack;
  globalThis.triptychKept ??= new Map();
  globalThis.triptychKept.set(header.token, { slice: sliceNumber(app) });
  if (!isAddressOf(header)) return;
  const address = new URL(location.href);
  const { window: now, mode, cross, enlarged } = app.state;
  const preset = presetOf(app);
  const isPlain = !isStack(app.scene); // a picture opens as it is: only what was changed is named
  const put = (name, value, isNamed) => (isNamed
    ? address.searchParams.set(name, value)
    : address.searchParams.delete(name));
  put("k", String(sliceNumber(app)), !isPlain);
  put("win", preset >= 0 ? String(preset + 1) : `${now?.width}_${now?.level}`, now || preset > 0);
  put("view", SHORT[mode] ?? mode, !isPlain || mode !== header.mode);
  put("cls", shownName(app), !isPlain || app.state.shown > 0);
  const { zoom, x, y } = viewOf(app, app.state.active);
  put("z", [zoom, x, y].map((number) => number.toFixed(5)).join("_"), zoom > 1.005);
  put("op", String(Math.round(100 * app.state.opacity[mode])), app.state.opacity[mode] !== OPENING[mode]);
  put("x", cross?.join("_"), cross !== null);
  put("large", String(enlarged), enlarged !== null);
  const letters = Object.keys(SWITCHES).filter((key) => app.state[SWITCHES[key]] !== AS_OPENED[SWITCHES[key]]).join("");
  put("keys", letters, letters !== "");
  if (address.href !== location.href) history.replaceState(history.state, "", address);
}

// After a change of case the new address gets what is kept from the last one, without a report.
function keepAddress(app) {
  clearTimeout(app.addressTimer);
  app.addressTimer = setTimeout(() => app.scene && writeAddress(app), SETTLED);
}

// Moving through a stack and through the grey scale: slices, jumps, windows, and the address that keeps them.

const NOTCH = 50; // px of wheel that count as one notch of a mouse; smaller steps of a trackpad add up
const TRACKPAD = 30; // px of trackpad per slice
const FINGER = 14; // px of a finger per slice
const WIDTH_LIMITS = [1, 4000]; // HU
const LEVEL_LIMITS = [-1500, 3500];
const SHORT = { probability: "prob", heatmap: "heat" }; // modes whose name in the address is shorter

function goTo(app, k) {
  const to = clampIndex(Math.round(k), app.stack.picture.n);
  if (to === app.state.slice) return;
  app.way = Math.sign(to - app.state.slice);
  app.state.slice = to;
  app.isMoved = true;
  requestPaint(app);
  scheduleReport(app);
}

const goBy = (app, steps) => goTo(app, app.state.slice + steps);

// Where slice and class are chosen: the scene that everything else draws and describes.
function chooseScene(app) {
  app.isMoved = false;
  app.scene = sceneAt(app.stack, app.state.slice, app.state.shown);
}

function turnWheel(app, event) {
  const delta = event.deltaMode === 1 ? NOTCH * Math.sign(event.deltaY) : event.deltaY;
  if (Math.abs(delta) >= NOTCH) {
    app.wheeled = 0;
    goBy(app, Math.sign(delta));
    return;
  }
  app.wheeled = (app.wheeled ?? 0) + delta;
  const steps = Math.trunc(app.wheeled / TRACKPAD);
  app.wheeled -= steps * TRACKPAD;
  if (steps) goBy(app, steps);
}

// Slices with tumour: in the reference, or without one in any network's mask.
function tumourSlices(stack) {
  return once(stack, "tumour slices", () => {
    const { n } = stack.picture;
    const last = stack.header.classes.length - 1;
    const experts = stack.panels.filter((panel) => panel.is_reference && panel.areas);
    const asked = experts.length ? experts : stack.panels.filter((panel) => panel.areas);
    const has = (k) => asked.some((panel) => panel.areas.values[last * n + k] > 0);
    return Array.from({ length: n }, (_, k) => k).filter(has);
  });
}

// The upper tenth of the case by disagreement about the class shown, without slices on which all agree.
function disputedSlices(stack, place) {
  return once(stack, `disputed ${place}`, () => {
    if (!stack.disagreement) return [];
    const { n } = stack.picture;
    const values = stack.disagreement.values.subarray(place * n, (place + 1) * n);
    const order = Array.from(values).sort((a, b) => b - a);
    const least = order[Math.ceil(n / 10) - 1];
    return Array.from({ length: n }, (_, k) => k).filter((k) => values[k] > 0 && values[k] >= least);
  });
}

function jump(app, what, way) {
  const found = what === "tumour" ? tumourSlices(app.stack) : disputedSlices(app.stack, app.scene.place);
  const ahead = found.filter((k) => way * (k - app.state.slice) > 0);
  if (ahead.length) goTo(app, way > 0 ? ahead[0] : ahead.at(-1));
  else announce(app, `No ${way > 0 ? "further" : "earlier"} slice with ${what === "tumour" ? "tumour" : "large disagreement"}.`);
}

const GREYS = [
  { name: "as acquired", gamma: 1 },
  { name: "brighter, gamma 0.7", gamma: 0.7 },
  { name: "darker, gamma 1.4", gamma: 1.4 },
]; // of pictures that have no scale in HU

// What the keys 1 to 5 choose from: windows of a CT, gammas of any other picture.
const presetsOf = (app) => (app.state.window ? app.stack.header.slices.windows : GREYS);

function setWindow(app, width, level) {
  if (!app.state.window) return;
  const within = (value, [low, high]) => Math.round(Math.min(high, Math.max(low, value)));
  change(app, { window: { width: within(width, WIDTH_LIMITS), level: within(level, LEVEL_LIMITS) } });
}

function choosePreset(app, place) {
  const preset = presetsOf(app)[place];
  if (preset?.gamma) change(app, { gamma: preset.gamma });
  else if (preset) setWindow(app, preset.width, preset.level);
  return Boolean(preset);
}

// Which preset is set, -1 for one of the reader's own.
function presetOf(app) {
  const { window: now, gamma } = app.state;
  return presetsOf(app).findIndex((one) => (now
    ? Math.round(one.width) === now.width && Math.round(one.level) === now.level
    : one.gamma === gamma));
}

// Sideways: width, by a share of itself; up and down: level.
function dragWindow(app, dx, dy) {
  const { width, level } = app.exact ?? app.state.window;
  const next = { width: width * Math.exp(dx / 200), level: level + dy * Math.max(0.25, width / 400) };
  setWindow(app, next.width, next.level);
  app.exact = { width: Math.min(4000, Math.max(1, next.width)), level: Math.min(3500, Math.max(-1500, next.level)) };
}

const shownName = (app) => (app.state.shown === 0 ? "all" : app.stack.header.classes[app.state.shown - 1].name);

function nextShown(app) {
  const { classes } = app.stack.header;
  if (classes.length < 2) return;
  app.state.shown = (app.state.shown + 1) % (classes.length + 1);
  chooseScene(app);
  change(app, {});
}

const sliceNumber = (app) => app.stack.header.slices.indices[app.state.slice];

const nearestPlace = (indices, wanted) => indices.reduce(
  (best, index, k) => (Math.abs(index - wanted) < Math.abs(indices[best] - wanted) ? k : best), 0);

// Slice, window, class and mode to open a case with: its address, what this tab showed of it last, its start.
function openingPlace(app) {
  const { header } = app.stack;
  const asked = isAddressOf(header) ? new URLSearchParams(location.search) : new URLSearchParams();
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
}

function setWindowQuietly(app, width, level) {
  if (app.state.window && width > 0) app.state.window = { width: Math.round(width), level: Math.round(level) };
}

function isAddressOf({ token, outlines_only: isStudy }) {
  if (isStudy) return false; // a study's address names no slice: the next case must not open where this one ended
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
  const { window: now, mode } = app.state;
  const preset = presetOf(app);
  const isPlain = !isStack(app.scene); // a picture opens as it is: only what was changed is named
  const put = (name, value, isNamed) => (isNamed
    ? address.searchParams.set(name, value)
    : address.searchParams.delete(name));
  put("k", String(sliceNumber(app)), !isPlain);
  put("win", preset >= 0 ? String(preset + 1) : `${now?.width}_${now?.level}`, now || preset > 0);
  put("view", SHORT[mode] ?? mode, !isPlain || mode !== header.mode);
  put("cls", shownName(app), !isPlain || app.state.shown > 0);
  if (address.href !== location.href) history.replaceState(history.state, "", address);
}

// After a change of case the new address gets what is kept from the last one, without a report.
function keepAddress(app) {
  clearTimeout(app.addressTimer);
  app.addressTimer = setTimeout(() => app.scene && writeAddress(app), SETTLED);
}

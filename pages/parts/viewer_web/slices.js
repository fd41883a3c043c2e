// Moving through a stack and through the grey scale: slices, jumps, windows.

const NOTCH = 50; // px of wheel that count as one notch of a mouse; smaller steps of a trackpad add up
const TRACKPAD = 30; // px of trackpad per slice
const FINGER = 14; // px of a finger per slice
const WIDTH_LIMITS = [1, 4000]; // HU
const LEVEL_LIMITS = [-1500, 3500];

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

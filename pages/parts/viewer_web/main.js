// The viewer itself: its state, how it changes, and the one function that Streamlit calls.

const SETTLED = 250; // ms after the last change until the view is reported
const OPENING = { outline: 1, fill: 0.4, error: 0.65, probability: 1, heatmap: 0.9 };
const apps = new WeakMap();

function makeApp(root) {
  const app = {
    root,
    stack: null, // the case
    scene: null, // the slice of it that is shown
    parts: new Map(), // decoded parts of the case by name
    controls: [],
    panels: [],
    view: { zoom: 1, x: 0.5, y: 0.5 },
    views: [],
    state: {
      mode: "outline",
      opacity: { ...OPENING },
      hidden: false,
      held: false,
      reference: true,
      detail: false,
      pixels: false,
      linked: true,
      keys: false,
      enlarged: null,
      cross: null,
      active: 0,
      slice: 0, // a place in the stack
      shown: 0, // 0: all classes, else one label value
      window: null,
    },
  };
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Picture viewer");
  app.status = element("p", "status");
  app.status.setAttribute("role", "status");
  app.status.textContent = "Loading the picture …";
  root.replaceChildren(app.status);
  app.observer = new ResizeObserver(() => layOut(app));
  app.observer.observe(root);
  app.onResize = () => layOut(app);
  window.addEventListener("resize", app.onResize);
  app.onFeed = () => app.isWaiting && takeBytes(app, app.bytes, true);
  document.addEventListener("triptych-feed", app.onFeed);
  listenToKeys(app);
  return app;
}

// The elements are made with the first case, so that an empty viewer is one line of text.
function buildApp(app) {
  app.bar = buildBar(app);
  app.keyList = buildKeyList(app);
  app.legend = element("div", "legend");
  app.grid = element("div", "grid");
  app.reading = element("p", "common");
  app.live = element("p", "live");
  app.live.setAttribute("aria-live", "polite");
  app.strip = buildStrip(app);
  const body = element("div", "body");
  body.append(app.strip, app.grid);
  app.root.replaceChildren(app.status, app.bar, app.keyList, app.legend, body, app.reading, app.live);
}

function showStack(app, stack) {
  const before = app.stack && app.stack.header;
  const { header } = stack;
  app.stack = stack;
  if (!app.bar) buildApp(app);
  const isAsked = !before || before.mode !== header.mode;
  if (isAsked && MODES.some((mode) => mode.name === header.mode)) app.state.mode = header.mode;
  if (!before || before.token !== header.token) {
    resetView(app);
    openingPlace(app);
  }
  app.state.slice = Math.min(app.state.slice, stack.picture.n - 1);
  app.state.shown = Math.min(app.state.shown, header.classes.length);
  chooseScene(app);
  const { scene } = app;
  if (app.state.mode === "heatmap" && !hasHeat(scene)) app.state.mode = "outline";
  if (app.state.enlarged !== null && !scene.panels[app.state.enlarged]) app.state.enlarged = null;
  app.state.active = Math.min(app.state.active, scene.panels.length - 1);
  app.status.hidden = true;
  app.root.classList.remove("failed");
  app.root.dataset.token = header.token;
  syncPanels(app);
  refresh(app);
  layOut(app);
  const { heat, start } = header.slices;
  if (sliceNumber(app) !== (heat === -1 ? start : heat)) scheduleReport(app); // it opened elsewhere than expected
}

function resetView(app) {
  app.view = { zoom: 1, x: 0.5, y: 0.5 };
  app.views = [];
  app.state.cross = null;
}

function showFailure(app, code) {
  app.scene = null;
  app.stack = null;
  app.parts.clear();
  app.bytes = null;
  app.bar = null;
  app.panels = [];
  app.controls = [];
  app.root.classList.add("failed");
  app.status.hidden = false;
  const advice = "Reload the page; if it stays, see the server's log.";
  app.status.textContent = `This picture could not be drawn (${code}). ${advice}`;
  app.root.replaceChildren(app.status);
  app.setStateValue("error", code);
}

function refresh(app) {
  refreshTexts(app);
  requestPaint(app);
}

function refreshTexts(app) {
  refreshBar(app);
  refreshSlice(app);
}

// What a step to another slice changes beside the pictures.
function refreshSlice(app) {
  refreshLegend(app, legendFor(app.scene, app.state));
  refreshPanels(app);
  refreshStrip(app);
  setText(app.reading, commonReading(app.scene, app.state));
}

function requestPaint(app) {
  app.frame ??= requestAnimationFrame(() => {
    app.frame = null;
    paintAll(app);
  });
}

function change(app, patch) {
  Object.assign(app.state, patch);
  refresh(app);
  scheduleReport(app);
}

function setMode(app, mode) {
  if (mode === "heatmap" && !hasHeat(app.scene)) return false;
  change(app, { mode, hidden: false });
  return true;
}

function setOpacity(app, value) {
  const kept = Math.min(1, Math.max(0, Math.round(20 * value) / 20));
  change(app, { opacity: { ...app.state.opacity, [app.state.mode]: kept } });
}

function setHeld(app, held) {
  if (app.state.held === held || !app.scene) return;
  app.state.held = held;
  refresh(app);
}

function setEnlarged(app, index) {
  change(app, { enlarged: app.state.enlarged === null ? index : null, active: index });
  layOut(app);
}

function setLinked(app, linked) {
  if (linked) app.view = { ...viewOf(app, app.state.active) };
  else app.views = app.scene.panels.map(() => ({ ...app.view }));
  change(app, { linked });
}

const ACTIONS = {
  a: (app) => ["probability", "heatmap"].includes(app.state.mode) && change(app, { detail: !app.state.detail }),
  x: (app) => change(app, { hidden: !app.state.hidden }),
  y: (app) => app.scene.reference && change(app, { reference: !app.state.reference }),
  m: (app) => nextShown(app),
  l: (app) => setLinked(app, !app.state.linked),
  u: (app) => change(app, { pixels: !app.state.pixels }),
  z: (app) => app.scene.panels.length > 1 && setEnlarged(app, app.state.active),
  s: (app) => saveView(app),
  "[": (app) => setOpacity(app, app.state.opacity[app.state.mode] - 0.1),
  "]": (app) => setOpacity(app, app.state.opacity[app.state.mode] + 0.1),
  "+": (app) => zoomByKey(app, 1.25),
  "=": (app) => zoomByKey(app, 1.25),
  "-": (app) => zoomByKey(app, 0.8),
  "0": (app) => {
    resetView(app);
    choosePreset(app, 0);
    change(app, {});
  },
  "?": (app) => change(app, { keys: !app.state.keys }),
  Escape: (app) => {
    if (app.state.keys) change(app, { keys: false });
    app.bar.querySelector("[aria-pressed=true]").focus();
  },
};

function act(app, key) {
  if (!Object.hasOwn(ACTIONS, key)) return false;
  ACTIONS[key](app);
  return true;
}

// What Python gets to know, once things are at rest; the same view is not reported twice.
function scheduleReport(app) {
  clearTimeout(app.reportTimer);
  app.isUnreported = true;
  app.reportTimer = setTimeout(() => {
    if (!app.scene || app.inHand) return;
    app.isUnreported = false;
    if (app.isMoved) chooseScene(app);
    const { state, scene } = app;
    const { zoom, x, y } = viewOf(app, state.active);
    const view = { token: scene.header.token, mode: state.mode, opacity: state.opacity[state.mode], zoom, x, y };
    Object.assign(view, { linked: state.linked, reference: state.reference, cross: state.cross });
    const grey = state.window && [state.window.width, state.window.level];
    if (isStack(scene)) Object.assign(view, { slice: sliceNumber(app), window: grey, class: shownName(app) });
    describe(app);
    writeAddress(app);
    const text = JSON.stringify(view);
    if (text === app.reported) return;
    app.reported = text;
    app.setStateValue("view", view);
  }, SETTLED);
}

// Sentences for screen readers, renewed at rest: one per canvas, and the active one aloud.
function describe(app) {
  app.scene.panels.forEach((panel, index) => {
    app.panels[index].canvas.setAttribute("aria-label", sentenceFor(app.scene, panel, app.state));
  });
  announce(app, app.panels[app.state.active].canvas.getAttribute("aria-label"));
}

function announce(app, text) {
  setText(app.live, text);
}

// A case whose feeds are not all there waits for them; until then the last one stays, and nothing is mixed.
async function takeBytes(app, bytes, isAgain = false) {
  if (!isAgain && sameBytes(app.bytes, bytes)) return;
  app.bytes = bytes;
  app.isWaiting = false;
  app.root.setAttribute("aria-busy", "true");
  try {
    const stack = await decode(bytes, app.parts);
    if (app.bytes !== bytes) return; // a later case came in meanwhile
    app.isWaiting = stack === null;
    if (stack === null) return;
    showStack(app, stack);
    app.scene.panels.forEach((panel, index) => {
      app.panels[index].canvas.setAttribute("aria-label", sentenceFor(app.scene, panel, app.state));
    });
  } catch (error) {
    if (!(error instanceof Refused)) console.error(error);
    if (app.bytes === bytes) showFailure(app, error instanceof Refused ? error.code : "drawing");
  } finally {
    app.root.removeAttribute("aria-busy");
  }
}

export default function viewer({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".viewer");
  if (!root) return undefined;
  if (!apps.has(root)) apps.set(root, makeApp(root));
  const app = apps.get(root);
  app.setStateValue = setStateValue;
  takeBytes(app, data);
  return () => {
    app.observer.disconnect();
    document.removeEventListener("triptych-feed", app.onFeed);
    window.removeEventListener("resize", app.onResize);
    clearTimeout(app.reportTimer);
    clearTimeout(app.pressTimer);
    cancelAnimationFrame(app.frame);
    apps.delete(root);
  };
}

// The viewer itself: its state, how it changes, and the one function that Streamlit calls.

const SETTLED = 250; // ms after the last change until the view is reported
const OPENING = { outline: 1, fill: 0.4, error: 0.65, probability: 1, votes: 0.6, heatmap: 0.9 };
const AGAIN = 3000; // ms within which a viewer that was taken down and put up again goes on as it was
const apps = new WeakMap();

function makeApp(root) {
  const app = {
    root,
    stack: null, // the case
    scene: null, // the slice of it that is shown
    before: null, // the case that a viewer taken down just now showed
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
      texts: true,
      linked: true,
      keys: false,
      enlarged: null,
      cross: null,
      active: 0,
      slice: 0, // a place in the stack
      shown: 0, // 0: all classes, else one label value
      window: null,
      gamma: 1, // of pictures without a window
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
  const last = globalThis.triptychLast;
  if (last && Date.now() - last.at < AGAIN) Object.assign(app, last.kept);
  return app;
}

// A rerun of the page in the middle of a report makes Streamlit mount the viewer anew.
function keepForAgain({ view, views, state, stack }) {
  if (!stack) return;
  const { token, mode } = stack.header;
  const { width, height, tall } = stack.picture;
  const before = { header: { token, mode }, picture: { width, height, tall } };
  globalThis.triptychLast = { at: Date.now(), kept: { view, views, before, state: { ...state, held: false } } };
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
  const grip = element("p", "grip", "Drag here to scroll the page"); // a finger on a picture does something else
  grip.setAttribute("aria-hidden", "true");
  app.root.replaceChildren(app.status, app.bar, app.keyList, app.legend, body, grip, app.reading, app.live);
}

// Zoom and position are kept from case to case where the pictures lie on the same grid.
const isAlike = (a, b) => Boolean(a) && ["width", "height", "tall"].every((side) => a.picture[side] === b.picture[side]);

function showStack(app, stack) {
  const old = app.stack ?? app.before;
  const before = old && old.header;
  app.before = null;
  const { header } = stack;
  app.stack = stack;
  if (!app.bar) buildApp(app);
  const isAsked = !before || before.mode !== header.mode;
  if (isAsked && MODES.some((mode) => mode.name === header.mode)) app.state.mode = header.mode;
  if (!before || before.token !== header.token) {
    if (!isAlike(old, stack)) resetView(app);
    app.state.cross = null;
    openingPlace(app, !before);
    if (before) keepAddress(app);
  }
  app.state.slice = Math.min(app.state.slice, stack.picture.n - 1);
  app.state.shown = Math.min(app.state.shown, header.classes.length);
  chooseScene(app);
  const { scene } = app;
  if (!isOffered(app, app.state.mode)) app.state.mode = "outline";
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

export default function viewer({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".viewer");
  if (!root) return undefined;
  if (!apps.has(root)) apps.set(root, makeApp(root));
  const app = apps.get(root);
  Object.assign(app, { setStateValue, setTriggerValue });
  takeBytes(app, data);
  return () => {
    app.observer.disconnect();
    document.removeEventListener("triptych-feed", app.onFeed);
    window.removeEventListener("resize", app.onResize);
    clearTimeout(app.reportTimer);
    clearTimeout(app.addressTimer);
    clearTimeout(app.pressTimer);
    cancelAnimationFrame(app.frame);
    keepForAgain(app);
    apps.delete(root);
  };
}

// What a reader can change: one function per change, and the keys that call them.

const isStudy = (app) => app.stack.header.outlines_only;

function isOffered({ stack, scene }, mode) {
  if (isStudy({ stack })) return mode === "outline";
  if (mode === "votes") return votersOf(scene).length > 1;
  return mode !== "heatmap" || hasHeat(scene);
}

function setMode(app, mode) {
  if (!isOffered(app, mode)) return false;
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
  i: (app) => {
    change(app, { texts: !app.state.texts });
    layOut(app);
  },
  w: (app) => ask(app),
  z: (app) => app.scene.panels.length > 1 && setEnlarged(app, app.state.active),
  s: (app) => !isStudy(app) && saveView(app),
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

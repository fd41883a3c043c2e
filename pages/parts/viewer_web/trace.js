// The paths of a slice: made once, kept beside the arrays they come from, and ahead of need while there is time.

const AHEAD = 24; // slices that are traced beyond the one shown, the way the reader is going
const BEHIND = 4;
const SPARE = 2; // ms that have to be left of a pause between frames
const whenIdle = globalThis.requestIdleCallback ?? ((work) => setTimeout(() => work({ timeRemaining: () => 5 }), 30));

const regionPath = ({ width, height }, values, low, high) => toPath(traceLoops(values, low, high, width, height), true);

// Outlines are cached beside the label map itself: panels of one network share it. A class with another one
// inside it (the liver round its tumours) is given apart: its line is thinner.
function outlinePaths(labels, inmost) {
  return once(labels, `outlines ${inmost}`, () => {
    const paths = { outer: null, inner: null };
    for (const level of levelsOf(labels.values)) {
      const path = regionPath(labels, labels.values, level, 255);
      const which = level < inmost ? "outer" : "inner";
      if (paths[which]) paths[which].addPath(path);
      else paths[which] = path;
    }
    return paths;
  });
}

function levelsOf(values) {
  const seen = new Uint8Array(256);
  for (let i = 0; i < values.length; i += 1) seen[values[i]] = 1;
  return [...seen.keys()].filter((level) => level > 0 && seen[level]);
}

const classPath = ({ labels }, label) => once(labels, `class ${label}`, () => regionPath(labels, labels.values, label, label));

// Against the reference: agreed, missed and extra pixels. Tumour lies in liver, so its label is the higher one.
function errorPaths(scene, panel) {
  return once(panel, "errors", () => {
    const [found, truth] = [panel.labels.values, scene.reference.values];
    const kinds = workingArray("errors", Uint8Array, found.length, 0);
    for (let i = 0; i < found.length; i += 1) {
      kinds[i] = found[i] < truth[i] ? 2 : found[i] > truth[i] ? 3 : found[i] > 0 ? 1 : 0;
    }
    const [agreed, missed, extra] = [1, 2, 3].map((kind) => regionPath(panel.labels, kinds, kind, kind));
    return { agreed, missed, extra };
  });
}

// Those who vote: the networks with an outline, each once.
const votersOf = (scene) => networksOf(scene).filter((panel) => panel.labels);

// Where one, two ... all of the networks mark the class asked about.
function votePaths(scene) {
  return once(scene, "votes", () => {
    const voters = votersOf(scene);
    const { picture, place } = scene;
    const counts = workingArray("votes", Uint8Array, picture.values.length, 0);
    counts.fill(0, 0, picture.values.length);
    for (const { labels } of voters) {
      for (let i = 0; i < labels.values.length; i += 1) if (labels.values[i] > place) counts[i] += 1;
    }
    return voters.map((_, i) => regionPath(picture, counts, i + 1, i + 1));
  });
}

function levelPath(scene, panel, { name, value }) {
  return once(panel, name, () => {
    const { values, width, height } = panel.probability;
    return toPath(levelLines(values, width, height, 255 * value, scene.picture), false);
  });
}

const inmostOf = (scene, state) => state.shown || scene.header.classes.length;

const TRACES = {
  outline: () => [],
  fill: (scene, panel) => (panel.labels ? scene.header.classes.map((_, i) => () => classPath(panel, i + 1)) : []),
  error: (scene, panel) => (panel.labels && scene.reference ? [() => errorPaths(scene, panel)] : []),
  probability: (scene, panel) => (panel.probability ? LEVELS.map((level) => () => levelPath(scene, panel, level)) : []),
  votes: (scene) => [() => votePaths(scene)],
  heatmap: () => [],
};

// Everything that a slice needs traced in this mode, in pieces of about a millisecond.
function tracesOf(scene, state) {
  const inmost = inmostOf(scene, state);
  const isOutlined = (panel) => panel.is_reference || ["outline", "votes", "heatmap"].includes(stateOf(state, panel).mode);
  const outlined = [scene.reference, ...scene.panels.filter(isOutlined).map((panel) => panel.labels)].filter(Boolean);
  const others = scene.panels.filter((panel) => !panel.is_reference);
  return [
    ...outlined.map((labels) => () => outlinePaths(labels, inmost)),
    ...others.flatMap((panel) => TRACES[stateOf(state, panel).mode](scene, panel)),
  ];
}

// Between two frames, as long as there is time: what the next slices will need.
function lookAhead(app) {
  if (app.idle || !app.scene || !isStack(app.scene)) return;
  app.idle = whenIdle((pause) => {
    app.idle = null;
    if (!app.scene) return;
    for (const trace of tracesAhead(app)) {
      if (pause.timeRemaining() < SPARE) {
        lookAhead(app);
        return;
      }
      trace();
    }
  });
}

function* tracesAhead({ stack, state, way }) {
  const ahead = (steps, sign) => Array.from({ length: steps }, (_, i) => state.slice + sign * (i + 1));
  for (const k of [...ahead(AHEAD, way ?? 1), ...ahead(BEHIND, -(way ?? 1))]) {
    if (k >= 0 && k < stack.picture.n) yield* tracesOf(sceneAt(stack, k, state.shown), state);
  }
}

// What is said in words: legends, reasons for an empty panel, readings, sentences for screen readers.

const MODES = [
  { name: "outline", title: "Outline", key: "o" },
  { name: "fill", title: "Fill", key: "f" },
  { name: "error", title: "Error", key: "e" },
  { name: "probability", title: "Probability", key: "b" },
  { name: "votes", title: "Votes", key: "v" },
  { name: "heatmap", title: "Heatmap", key: "g" },
];

const ofStacks = (app) => isStack(app.scene);
const ofWindows = (app) => app.state.window !== null;

// Keys, what they do, and where this is not always so: for which cases.
const KEYS = [
  ["O F E B V", "outline, fill, error, probability, votes"],
  ["G", "heatmap", (app) => isOffered(app, "heatmap")],
  ["A", "detail: shading of the probability, cells of the heatmap"],
  ["[  ]", "opacity down, up by 10 %"],
  ["H held", "hide all overlays while held; X hides them until pressed again"],
  ["Y", "reference outline on the other panels"],
  ["wheel, ↑ ↓", "slice before, after; Page ↑ ↓ by ten; Home, End: first, last", ofStacks],
  ["T, D", "next slice with tumour, with large disagreement (upper tenth); with Shift: previous", ofStacks],
  ["1 to 5", "window: soft tissue, liver, liver portal venous, bone, what the model saw", ofWindows],
  ["1 to 3", "grey: as acquired, brighter (gamma 0.7), darker (gamma 1.4)", (app) => !ofWindows(app)],
  ["Shift + drag", "window width (sideways), level (up and down); also with the right button", ofWindows],
  ["M", "class shown: all, or one alone", (app) => app.stack.header.classes.length > 1],
  ["+  −", "zoom; also Ctrl + wheel, or pinch"],
  ["drag", "move the picture"],
  ["0", "reset zoom, position, crosshair and grey scale"],
  ["click", "crosshair in all panels, with the values there; Shift + arrows move it"],
  ["W, Enter", "ask why the networks say what they say at the crosshair", (app) => app.stack.header.asks !== ""],
  ["double click", "one panel large, and back; also Z"],
  ["← →", "neighbouring panel"],
  ["L", "link: all panels move together"],
  ["U", "picture smooth, or as single pixels"],
  ["I", "letters, numbers and scale bar on the picture: on, off"],
  ["S", "save this view as a picture"],
  ["?", "this list"],
  ["Esc", "close this list; go to the toolbar"],
];

const NOT_IN_STUDIES = new Set(["O F E B V", "A", "S"]); // readers of a study see outlines, and save nothing

// How many pixels a label map marks.
const isMarked = (labels) => once2(labels, "marked", () => {
  let n = 0;
  for (let i = 0; i < labels.values.length; i += 1) if (labels.values[i] > 0) n += 1;
  return n;
});

function once2(part, name, make) {
  part.cache ??= new Map();
  return once(part, name, make);
}

// Why a panel shows nothing (or less than expected) in this mode; empty when it speaks for itself.
function reasonFor(scene, panel, state) {
  if (panel.is_reference) {
    if (!panel.labels && scene.header.outlines_only) return ""; // a study may not show it: nothing covers the picture
    if (!panel.labels) return panel.message || "No reference outline for this picture.";
    return isMarked(panel.labels) ? "" : panel.message || "The reference marks nothing in this picture.";
  }
  return REASONS[stateOf(state, panel).mode](panel, scene);
}

const markedReason = (panel, scene) => {
  if (!panel.labels) return panel.message || "No outline stored for this panel.";
  if (isMarked(panel.labels)) return "";
  return isStack(scene) ? "Marks nothing in this slice." : panel.message || "Marks nothing in this picture.";
};

const noneMarked = (panel, scene) => (panel.labels && !votersOf(scene).some(({ labels }) => isMarked(labels))
  ? "No network marks anything here."
  : markedReason(panel, scene));

const REASONS = {
  votes: noneMarked,
  outline: markedReason,
  fill: markedReason,
  error: (panel, scene) => {
    if (!panel.labels) return markedReason(panel, scene);
    if (!scene.reference) return "No reference to compare with.";
    const [found, truth] = [isMarked(panel.labels), isMarked(scene.reference)];
    if (!found && !truth) return "Nothing marked, nothing in the reference: agreed.";
    if (!found) return "Marks nothing: all of the reference is missed.";
    return truth ? "" : "Nothing in the reference: all that is marked is extra.";
  },
  probability: (panel) => {
    if (!panel.probability) return panel.message || "No probability stored for this panel.";
    const highest = once2(panel.probability, "highest", () => panel.probability.values.reduce((a, b) => (a > b ? a : b))) / 255;
    return highest < LEVELS[0].value ? `Probability stays below 0.3; highest ${highest.toFixed(2)}.` : "";
  },
  heatmap: (panel, scene) => {
    if (panel.isElsewhere) return "Rest here to see the heatmaps of this slice.";
    if (!panel.heat) return panel.message || "No heatmap for this panel.";
    if (panel.heat.words) return panel.heat.words;
    const shown = scene.header.map.signed ? panel.heat.values.some(Boolean) : panel.heat.values.some((v) => v > 0);
    return shown ? "" : "No positive evidence in this map.";
  },
};

// The networks among the panels, each once, in order.
function networksOf(scene) {
  const found = new Map();
  for (const panel of scene.panels) {
    if (!panel.is_reference && !found.has(panel.network)) found.set(panel.network, panel);
  }
  return [...found.values()];
}

// What every colour and line on screen means, as entries { kind, colour, dash, text }.
function legendFor(scene, state) {
  const line = (style, text) => ({ kind: "line", colour: style.colour, dash: style.dash, text });
  const reference = scene.reference ? [line(scene.header.reference_style, "Reference")] : [];
  const networks = networksOf(scene).filter((panel) => panel.labels).map((panel) => line(panel, panel.network));
  const held = state.mode !== "heatmap" && showsHeat(scene, state) ? heatLines(state) : [];
  return [...LEGENDS[state.mode](scene, state, networks), ...held, ...reference];
}

const heatLines = ({ mode, detail }) => (mode === "heatmap" && detail
  ? []
  : [{ kind: "thin", colour: "#fff", text: "25, 50, 75 % of full colour" }]);

const classWord = ({ header, place }) => (header.classes.length > 1 ? `(${header.classes[place].name})` : "");

const LEGENDS = {
  outline: (scene, state, networks) => networks,
  fill: (scene, state) => scene.header.classes.filter((_, i) => [0, i + 1].includes(state.shown)).map(({ name, colour }) => ({ kind: "area", colour, text: `Marked as ${name}` })),
  error: ({ reference, header }) => (reference
    ? [
      { kind: "area", colour: header.errors.agreed, text: "Agreed" },
      { kind: "hatch", colour: header.errors.missed, text: "Missed" },
      { kind: "area", colour: header.errors.extra, text: "Extra" },
    ]
    : []),
  probability: (scene, state) => [
    ...LEVELS.map(({ dash, name }) => ({ kind: "line", colour: "#fff", dash, text: `p${classWord(scene)} = ${name}` })),
    ...(state.detail ? [{ kind: "ramp", colour: "#fff", text: "p from 0 to 1, in the panel's colour" }] : []),
  ],
  votes: (scene, state, networks) => [
    ...votersOf(scene).map((_, i, { length }) => (
      { kind: "area", colour: voteColour(scene, i + 1, length), text: `${i + 1} of ${length} ${classWord(scene)}`.trim() })),
    ...networks,
  ],
  heatmap: (scene, state, networks) => [...networks, ...heatLines(state)],
};

const hasHeat = (scene) => scene.header.has_heat === true;

const inHeat = (scene, state) => scene.panels.filter((panel) => stateOf(state, panel).mode === "heatmap");
const showsHeat = (scene, state) => hasHeat(scene) && inHeat(scene, state).some((panel) => !panel.is_reference);

// Under a panel's title: the area of the class asked about on this slice, then what the page says of the case.
function subtitleFor(scene, panel) {
  const area = panel.area === null ? "" : `${scene.header.classes[scene.place].name} ${areaText(scene, panel.area)}`;
  return [area, panel.subtitle].filter(Boolean).join(" · ");
}

// One colour bar for all panels where limit and label are the same everywhere, else null; null without any map.
const scaleOf = (scene, state) => (showsHeat(scene, state) ? sharedScale({ panels: inHeat(scene, state) }) : null);

function sharedScale(scene) {
  const heats = scene.panels.filter(hasMap).map((panel) => panel.heat);
  const isShared = heats.every((heat) => heat.limit === heats[0].limit && heat.label === heats[0].label);
  return heats.length && isShared ? heats[0] : null;
}

// The colour bar under a panel, where there is none for all: a row that shares a scale has one under its reference.
function barOf(scene, index, state) {
  if (scaleOf(scene, state)) return null;
  const panels = scene.panels.map((panel) => (stateOf(state, panel).mode === "heatmap" ? panel : { ...panel, heat: null }));
  const first = panels.findLastIndex((panel, at) => at <= index && panel.is_reference);
  const after = panels.findIndex((panel, at) => at > Math.max(first, 0) && panel.is_reference);
  const row = panels.slice(Math.max(first, 0), after === -1 ? panels.length : after);
  const scale = first === -1 || row.filter(hasMap).length < 2 ? null : sharedScale({ panels: row });
  if (scale) return index === first ? scale : null;
  return hasMap(panels[index]) ? panels[index].heat : null;
}

// The values under the crosshair in one panel, in a few words.
function panelReading(scene, panel, state) {
  if (!state.cross) return "";
  const [x, y] = shareAt(scene, state.cross);
  if (stateOf(state, panel).mode === "heatmap" && panel.heat && panel.heat.drawn) return `${inDigits(valueAt(panel.heat, x, y))} here`;
  if (panel.is_reference) return panel.labels ? `reference: ${labelAt(scene, panel.labels, state.cross)}` : "";
  return panel.probability ? `p ${(valueAt(panel.probability, x, y) / 255).toFixed(2)}` : "";
}

const shareAt = ({ picture }, [x, y]) => [(x + 0.5) / picture.width, (y + 0.5) / picture.height];

function labelAt(scene, labels, [x, y]) {
  const value = labels.values[y * labels.width + x];
  return value === 0 ? "outside" : scene.header.classes[value - 1]?.name ?? "marked";
}

// The values under the crosshair for all panels together.
function commonReading(scene, state) {
  const { picture } = scene;
  if (!state.cross) {
    return [gridWords(scene), pixelWords(scene), "click the picture for values"].filter(Boolean).join(" · ");
  }
  const [x, y] = state.cross;
  const value = picture.values[y * picture.width + x];
  const words = [`x ${x}, y ${y}`, ...lengthWords(scene, x, y)];
  words.push(state.window ? `${String(value).replace("-", "−")} HU` : `grey value ${value}`);
  if (scene.reference) words.push(`reference: ${labelAt(scene, scene.reference, state.cross)}`);
  const voters = votersOf(scene);
  const votes = voters.filter((panel) => panel.labels.values[y * picture.width + x] > 0);
  if (voters.length) words.push(`marked by ${votes.length} of ${voters.length} networks`);
  for (const panel of networksOf(scene).filter((one) => one.probability)) {
    words.push(`${panel.network} p ${(valueAt(panel.probability, ...shareAt(scene, state.cross)) / 255).toFixed(2)}`);
  }
  return words.join(" · ");
}

// Where a pixel lies, in mm from the left and upper edge; on a CT these are the patient's right and front.
function lengthWords({ header }, x, y) {
  const [row, column] = header.slices.spacing;
  if (!row) return [];
  const [across, down] = [(x + 0.5) * column, (y + 0.5) * row].map((mm) => mm.toFixed(1));
  return [`${across} mm from the left, ${down} mm from the top`, header.slices.mm_note].filter(Boolean);
}

// The grid that is drawn, and the one it was made from.
function gridWords({ header, picture }) {
  const [height, width] = header.slices.source;
  const grid = `${picture.width} × ${picture.height}`;
  if (picture.width === width && picture.height === height) return `${grid} px`;
  return `${grid} grid of a slice of ${width} × ${height} px`;
}

// How large the pixels are that are drawn.
function pixelWords({ header }) {
  const [row, column] = header.slices.spacing;
  if (!row) return "";
  return [`pixels of ${column.toFixed(2)} × ${row.toFixed(2)} mm`, header.slices.mm_note].filter(Boolean).join(" · ");
}

// One sentence about a panel, for those who hear it.
function sentenceFor(scene, panel, state) {
  const mode = MODES.find(({ name }) => name === stateOf(state, panel).mode).title.toLowerCase();
  const subtitle = subtitleFor(scene, panel);
  const place = isStack(scene) ? `, ${sliceWords(scene)}` : "";
  const words = [`${panel.title}${place}${subtitle ? `, ${subtitle}` : ""}, ${mode} view.`];
  if (panel.labels && isMarked(panel.labels)) {
    const share = (100 * isMarked(panel.labels)) / panel.labels.values.length;
    words.push(`Marked: ${isMarked(panel.labels)} pixels, ${share.toFixed(1)} % of the picture.`);
  }
  words.push(panel.summary, reasonFor(scene, panel, state), panelReading(scene, panel, state));
  return words.filter(Boolean).join(" ");
}

// The view as a PNG: what is seen, its legend, and a strip that says what it is.

const PAGE = { edge: 16, line: 17, gap: 12, heading: 40, bar: 46 };
const INK = "#1a1a1a";

function saveView(app) {
  const canvas = drawSheet(app);
  canvas.toBlob((blob) => {
    const link = element("a");
    link.href = URL.createObjectURL(blob);
    const slice = isStack(app.scene) ? `-${sliceNumber(app)}` : "";
    link.download = `triptych-${fileWord(app.scene.header.token)}${slice}-${app.state.mode}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    announce(app, `Saved as ${link.download}.`);
  }, "image/png");
}

const fileWord = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60) || "view";

// The lines of the strip: case, mode, runs with their hashes, date, notice.
function stripLines(app) {
  const { scene, state } = app;
  const { header } = scene;
  const mode = MODES.find(({ name }) => name === state.mode).title;
  const shown = scene.panels.filter((_, index) => state.enlarged === null || state.enlarged === index);
  const views = state.linked ? `zoom ${app.view.zoom.toFixed(1)}×` : "panels not linked";
  const overlay = state.hidden ? "overlays hidden" : `opacity ${Math.round(100 * state.opacity[state.mode])} %`;
  const scale = scaleOf(scene, state);
  const isHot = (panel) => panel.heat && stateOf(state, panel).mode === "heatmap";
  return [
    `Triptych · ${header.caption} · ${mode} · ${views} · ${overlay}`,
    isStack(scene) ? [sliceWords(scene), placeWords(scene), windowWords(state), gridWords(scene)].filter(Boolean).join(" · ") : "",
    [...new Set(shown.filter((panel) => panel.run).map((panel) => `${panel.network}: ${panel.run}`))].join("  ·  "),
    ...shown.filter(isHot).map((panel) => `${panel.network}: ${panel.heat.stamp}`),
    scale ? `Colours ${header.map.name}: ${scale.label}, full colour at ${inDigits(scale.limit)}` : "",
    state.cross ? commonReading(scene, state) : pixelWords(scene),
    state.window || state.gamma === 1 ? "" : `Grey scale: gamma ${state.gamma}`,
    `${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`,
    header.notice,
  ].filter(Boolean);
}

const windowWords = ({ window: now }) => (now ? `window ${now.width}, level ${now.level} HU` : "");

function wrapText(context, text, width) {
  const lines = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line ? `${line} ${word}` : word;
    if (line && context.measureText(longer).width > width) {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  return [...lines, line];
}

function fontOf(app, size, weight = 400) {
  return `${weight} ${size}px ${getComputedStyle(app.root).fontFamily || "sans-serif"}`;
}

// Where everything goes, before anything is drawn.
function planSheet(app) {
  const { scene, state, box } = app;
  const shown = scene.panels.map((_, index) => index).filter((i) => state.enlarged === null || state.enlarged === i);
  const columns = Math.min(app.columns, shown.length);
  const width = Math.max(480, columns * (box.width + PAGE.gap) - PAGE.gap + 2 * PAGE.edge);
  const pen = makeCanvas(1, 1).getContext("2d");
  pen.font = fontOf(app, 12);
  const scale = scaleOf(scene, state);
  const hasBars = showsHeat(scene, state) && scale === null;
  const notesOf = ({ isElsewhere, notes: lines }) => (isElsewhere ? [] : lines);
  const notes = shown.map((index) => notesOf(scene.panels[index]).flatMap((note) => wrapText(pen, note, box.width)));
  const spots = [];
  let top = PAGE.edge;
  for (let first = 0; first < shown.length; first += columns) {
    const row = shown.slice(first, first + columns);
    row.forEach((index, i) => {
      spots.push({ index, x: PAGE.edge + i * (box.width + PAGE.gap), y: top, notes: notes[first + i] });
    });
    const lines = Math.max(...row.map((_, i) => notes[first + i].length));
    top += PAGE.heading + box.height + (hasBars ? PAGE.bar : 0) + lines * PAGE.line + PAGE.gap;
  }
  const legend = placeLegend(pen, legendFor(scene, state), width - 2 * PAGE.edge);
  const strip = stripLines(app).flatMap((line) => wrapText(pen, line, width - 2 * PAGE.edge));
  const legendTop = top + 4;
  const stripTop = legendTop + legend.height + (scale ? PAGE.bar : 0) + PAGE.edge;
  const height = stripTop + strip.length * PAGE.line + PAGE.edge;
  return { spots, width, height, legend, legendTop, scale, hasBars, strip, stripTop };
}

function drawSheet(app) {
  const plan = planSheet(app);
  const ratio = 2;
  const canvas = makeCanvas(plan.width * ratio, plan.height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, plan.width, plan.height);
  context.textBaseline = "alphabetic";
  for (const spot of plan.spots) drawSheetPanel(app, context, spot, plan.hasBars, ratio);
  drawLegend(app, context, plan.legend, PAGE.edge, plan.legendTop, ratio);
  if (plan.scale) drawSheetScale(app, context, plan.scale, PAGE.edge, plan.legendTop + plan.legend.height);
  drawStrip(app, context, plan.strip, plan.stripTop, plan.width);
  return canvas;
}

function drawSheetPanel(app, context, { index, x, y, notes }, hasBar, ratio) {
  const { scene, state, box } = app;
  const panel = scene.panels[index];
  context.fillStyle = INK;
  context.font = fontOf(app, 14, 600);
  context.fillText(panel.title, x, y + 14, box.width);
  context.font = fontOf(app, 11);
  context.fillText(subtitleFor(scene, panel), x, y + 31, box.width);
  const picture = makeCanvas(box.width * ratio, box.height * ratio);
  paintPanel(picture.getContext("2d"), box, ratio, scene, panel, viewOf(app, index), state);
  const top = y + PAGE.heading;
  context.drawImage(picture, x, top, box.width, box.height);
  const isHot = stateOf(state, panel).mode === "heatmap";
  const badge = isHot && panel.heat && panel.heat.redundant ? "repeats the prediction" : "";
  const words = [panelReading(scene, panel, state), badge, reasonFor(scene, panel, state)].filter(Boolean);
  context.font = fontOf(app, 12);
  const lines = words.flatMap((text) => wrapText(context, text, box.width - 16));
  lines.forEach((line, i) => {
    const base = top + box.height - (state.texts ? 28 : 8) - (lines.length - 1 - i) * PAGE.line;
    context.fillStyle = "rgba(0, 0, 0, 0.72)";
    context.fillRect(x, base - 13, context.measureText(line).width + 16, PAGE.line);
    context.fillStyle = "#fff";
    context.fillText(line, x + 8, base);
  });
  let under = top + box.height + 6;
  const bar = hasBar ? barOf(scene, index, state) : null;
  if (bar) drawSheetScale(app, context, bar, x, under);
  if (hasBar) under += PAGE.bar;
  context.fillStyle = INK;
  context.font = fontOf(app, 12);
  notes.forEach((line, i) => context.fillText(line, x, under + 10 + i * PAGE.line));
}

function drawSheetScale(app, context, heat, x, y) {
  const { map } = app.scene.header;
  paintColourBar(context, map, x, y);
  context.fillStyle = INK;
  context.font = fontOf(app, 11);
  tickTexts(heat, map).forEach((text, i) => {
    context.textAlign = ["left", "center", "right"][i];
    context.fillText(text, x + (BAR.width * i) / 2, y + BAR.height + 12);
  });
  context.textAlign = "left";
  context.fillText(heat.label, x, y + BAR.height + 26, app.box.width);
}

function placeLegend(pen, entries, width) {
  let [x, y] = [0, 0];
  const placed = entries.map((entry) => {
    const wide = SWATCH.width + 6 + pen.measureText(entry.text).width + 18;
    if (x > 0 && x + wide > width) [x, y] = [0, y + 20];
    const spot = { entry, x, y };
    x += wide;
    return spot;
  });
  return { placed, height: placed.length ? y + 22 : 0 };
}

function drawLegend(app, context, legend, left, top, ratio) {
  context.font = fontOf(app, 12);
  for (const { entry, x, y } of legend.placed) {
    paintSwatch(context, entry, left + x, top + y, ratio);
    context.fillStyle = INK;
    context.fillText(entry.text, left + x + SWATCH.width + 6, top + y + 11);
  }
}

function drawStrip(app, context, lines, top, width) {
  context.fillStyle = "#d0d0d0";
  context.fillRect(PAGE.edge, top - 10, width - 2 * PAGE.edge, 1);
  context.font = fontOf(app, 12);
  context.fillStyle = INK;
  lines.forEach((line, i) => context.fillText(line, PAGE.edge, top + 8 + i * PAGE.line));
}

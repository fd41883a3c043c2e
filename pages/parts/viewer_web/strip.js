// The slice strip: per slice the area of the reference and of each network as bars, disagreement as a grey band.

const STRIP = { side: 64, cap: 5, gap: 3, narrow: 56 };

function buildStrip(app) {
  const strip = element("canvas", "strip");
  strip.tabIndex = 0;
  strip.setAttribute("role", "slider");
  strip.setAttribute("aria-label", "Slice");
  strip.title = "Slices from the feet to the head: area in the reference and in each network, disagreement in grey";
  const goToPointer = (event) => {
    const frame = strip.getBoundingClientRect();
    const share = app.isNarrow
      ? (event.clientX - frame.left - STRIP.cap) / (frame.width - 2 * STRIP.cap)
      : (event.clientY - frame.top - STRIP.cap) / (frame.height - 2 * STRIP.cap);
    goTo(app, Math.floor(share * app.stack.picture.n));
  };
  strip.onpointerdown = (event) => {
    if (event.button !== 0) return;
    strip.setPointerCapture(event.pointerId);
    app.inHand = true; // nothing is reported before the hand lets go
    goToPointer(event);
  };
  strip.onpointermove = (event) => event.buttons & 1 && app.inHand && goToPointer(event);
  strip.onpointerup = strip.onpointercancel = () => {
    app.inHand = false;
    if (app.isUnreported) scheduleReport(app);
  };
  strip.addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    turnWheel(app, event);
  }, { passive: false });
  return strip;
}

// The size of the strip; it stands beside the pictures, and above them on narrow screens.
function layOutStrip(app, height) {
  const { strip } = app;
  strip.hidden = !isStack(app.scene);
  if (strip.hidden) return;
  const [wide, high] = app.isNarrow ? [app.root.clientWidth, STRIP.narrow] : [STRIP.side, height];
  strip.style.width = `${wide}px`;
  strip.style.height = `${high}px`;
  const shown = app.panels.find(({ figure }) => !figure.hidden);
  const above = shown.canvas.getBoundingClientRect().top - app.grid.getBoundingClientRect().top;
  strip.style.marginTop = app.isNarrow ? "0" : `${Math.round(above)}px`;
  strip.setAttribute("aria-orientation", app.isNarrow ? "horizontal" : "vertical");
  const ratio = pixelRatio();
  strip.width = Math.round(wide * ratio);
  strip.height = Math.round(high * ratio);
  app.stripBox = { wide, high };
  app.stripDrawn = null;
}

function refreshStrip(app) {
  if (app.strip.hidden || !app.stripBox) return;
  const { stack, scene, strip } = app;
  const { indices, total } = stack.header.slices;
  const set = (name, value) => strip.getAttribute(name) !== value && strip.setAttribute(name, value);
  set("aria-valuemin", String(indices[0]));
  set("aria-valuemax", String(indices.at(-1)));
  set("aria-valuenow", String(indices[scene.k]));
  set("aria-valuetext", [`slice ${indices[scene.k]} of 0 to ${total - 1}`, placeWords(scene), ...areaWords(scene)].filter(Boolean).join(", "));
  paintStrip(app);
}

// The bars are drawn once per class and size; a step then copies them and draws the mark of the slice.
function paintStrip(app) {
  const { strip, scene, stack } = app;
  const ratio = pixelRatio();
  const look = `${scene.place} ${strip.width} ${strip.height}`;
  if (app.stripDrawn?.look !== look || app.stripDrawn.stack !== stack) {
    const canvas = makeCanvas(strip.width, strip.height);
    const pen = canvas.getContext("2d");
    orient(app, pen, ratio);
    paintBars(pen, stack, scene.place, stripLength(app), stripDepth(app));
    app.stripDrawn = { look, stack, canvas };
  }
  const context = strip.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.drawImage(app.stripDrawn.canvas, 0, 0);
  orient(app, context, ratio);
  const step = (stripLength(app) - 2 * STRIP.cap) / stack.picture.n;
  const middle = STRIP.cap + (scene.k + 0.5) * step;
  const thick = Math.max(2, Math.min(step, 6));
  context.fillStyle = "rgba(255, 255, 255, 0.28)";
  context.fillRect(0, middle - thick / 2 - 1, stripDepth(app), thick + 2);
  context.strokeStyle = "#fff";
  context.lineWidth = 1.5;
  context.strokeRect(0.75, middle - thick / 2 - 1.5, stripDepth(app) - 1.5, thick + 3);
}

// The strip is drawn upright, slices going down; on narrow screens it lies on its side.
function orient(app, context, ratio) {
  if (app.isNarrow) context.setTransform(0, ratio, ratio, 0, 0, 0);
  else context.setTransform(ratio, 0, 0, ratio, 0, 0);
}

const stripLength = (app) => (app.isNarrow ? app.stripBox.wide : app.stripBox.high);
const stripDepth = (app) => (app.isNarrow ? app.stripBox.high : app.stripBox.wide);

// Those who are drawn in the strip: the reference, then each network once.
function barsOf(stack) {
  const seen = new Map();
  for (const panel of stack.panels) if (panel.areas && !seen.has(panel.network)) seen.set(panel.network, panel);
  return [...seen.values()];
}

function paintBars(pen, stack, place, length, depth) {
  const { n } = stack.picture;
  const { indices, total } = stack.header.slices;
  const step = (length - 2 * STRIP.cap) / n;
  const at = (k) => STRIP.cap + k * step;
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, depth, length);
  const row = (series) => series.values.subarray(place * n, (place + 1) * n);
  const band = stack.disagreement && row(stack.disagreement);
  const largest = band ? Math.max(...band) : 0;
  for (let k = 0; largest > 0 && k < n; k += 1) {
    const grey = Math.round(100 * Math.sqrt(band[k] / largest));
    pen.fillStyle = `rgb(${grey}, ${grey}, ${grey})`;
    if (band[k] > 0) pen.fillRect(0, at(k), depth, step + 0.5);
  }
  const bars = barsOf(stack);
  const top = Math.max(0, ...bars.flatMap((panel) => [...row(panel.areas)]));
  const room = depth / Math.max(1, bars.length);
  bars.forEach((panel, i) => {
    pen.fillStyle = panel.colour;
    row(panel.areas).forEach((value, k) => {
      if (value <= 0) return;
      pen.fillRect(i * room + 1, at(k), Math.max(1.5, (value / top) * (room - STRIP.gap)), Math.max(1, step - (step > 3 ? 1 : 0)));
    });
  });
  for (const [isCut, from] of [[indices[0] > 0, 0], [indices.at(-1) < total - 1, length - STRIP.cap]]) {
    if (isCut) paintCut(pen, from, depth);
  }
}

// Hatching: the volume goes on here, but those slices are not loaded.
function paintCut(pen, from, depth) {
  pen.fillStyle = "#2a2a2a";
  pen.fillRect(0, from, depth, STRIP.cap);
  pen.strokeStyle = "#8a8a8a";
  pen.lineWidth = 1;
  pen.beginPath();
  for (let x = -STRIP.cap; x < depth; x += 4) {
    pen.moveTo(x, from + STRIP.cap);
    pen.lineTo(x + STRIP.cap, from);
  }
  pen.save();
  pen.clip(rectPath(0, from, depth, STRIP.cap));
  pen.stroke();
  pen.restore();
}

function rectPath(x, y, width, height) {
  const path = new Path2D();
  path.rect(x, y, width, height);
  return path;
}

// The panels as elements: made once, reused from case to case, laid out by the width there is.

const pixelRatio = () => Math.min(2, window.devicePixelRatio || 1);

function buildPanel(app, index) {
  const figure = element("figure", "panel");
  const heading = element("figcaption");
  const style = element("span", "style");
  const title = element("span", "title");
  const subtitle = element("span", "subtitle");
  const enlarge = element("button", "enlarge");
  enlarge.type = "button";
  enlarge.append(element("span", "corners"));
  enlarge.onclick = () => setEnlarged(app, index);
  const names = element("span", "names");
  names.append(title, subtitle);
  heading.append(style, names, enlarge);
  const stage = element("div", "stage");
  const canvas = element("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.onfocus = () => { app.state.active = index; };
  const badge = element("span", "badge", "repeats the prediction");
  const reading = element("p", "reading");
  const reason = element("p", "reason");
  const chips = element("div", "chips");
  chips.append(reading, reason);
  stage.append(canvas, badge, chips);
  const bar = element("div", "own-bar");
  const notes = element("div", "notes");
  figure.append(heading, stage, bar, notes);
  listenToPointer(app, canvas, index);
  return { figure, style, title, subtitle, enlarge, canvas, badge, reading, reason, bar, notes };
}

function syncPanels(app) {
  const { panels } = app.scene;
  while (app.panels.length < panels.length) {
    const made = buildPanel(app, app.panels.length);
    app.panels.push(made);
    app.grid.append(made.figure);
  }
  while (app.panels.length > panels.length) app.panels.pop().figure.remove();
  panels.forEach((panel, index) => {
    const shown = app.panels[index];
    setText(shown.title, panel.title);
    const isStyled = panel.labels || panel.probability || panel.heat;
    shown.notes.replaceChildren(...panel.notes.map((note) => element("p", "", note)));
    shown.style.replaceChildren(...(isStyled ? [swatch({ kind: "line", ...panel })] : []));
  });
}

function refreshPanels(app) {
  const { scene, state } = app;
  scene.panels.forEach((panel, index) => {
    const shown = app.panels[index];
    const isLarge = state.enlarged === index;
    const heats = stateOf(state, panel).mode === "heatmap" && panel.heat;
    setText(shown.reading, panelReading(scene, panel, state));
    setText(shown.reason, reasonFor(scene, panel, state));
    shown.reading.hidden = shown.reading.textContent === "";
    shown.reason.hidden = shown.reason.textContent === "";
    shown.badge.hidden = !(heats && panel.heat.redundant);
    setText(shown.subtitle, subtitleFor(scene, panel));
    shown.notes.hidden = panel.isElsewhere;
    shown.figure.hidden = state.enlarged !== null && !isLarge;
    shown.enlarge.hidden = scene.panels.length === 1;
    const name = isLarge ? "Back to all panels, key Z" : `Enlarge ${panel.title}, key Z`;
    if (shown.enlarge.title !== name) {
      shown.enlarge.setAttribute("aria-pressed", String(isLarge));
      shown.enlarge.setAttribute("aria-label", name);
      shown.enlarge.title = name;
    }
    const own = showsHeat(scene, state) ? barOf(scene, index, state) : null;
    const wanted = own ? JSON.stringify([own.limit, own.label, scene.header.map]) : "";
    if (shown.barShown !== wanted) shown.bar.replaceChildren(...(own ? [colourBar(own, scene.header.map)] : []));
    shown.barShown = wanted;
  });
}

// How many columns fit: those asked for, else one row from 1100 px, two by two below, one below 520 px.
function columnsFor(width, panels, asked, isNarrow) {
  if (isNarrow) return 1;
  const wanted = Math.min(panels, asked || 4);
  const narrowest = asked ? 200 : 275; // px: a grid that was asked for is kept longer
  return width >= wanted * narrowest ? wanted : Math.min(2, wanted);
}

// Two rows should be seen at once; a single row may be higher, one enlarged panel highest.
function heightFor(width, rows, picture, isLarge, isNarrow) {
  const room = window.innerHeight;
  const share = isLarge ? 0.72 : isNarrow ? 0.7 : rows === 1 ? 0.6 : 0.36;
  const natural = (width * picture.height * picture.tall) / picture.width;
  return Math.round(Math.min(natural, Math.max(200, share * room)));
}

function layOut(app) {
  const { scene, state, grid } = app;
  const width = app.root.clientWidth;
  if (!scene || !width) return;
  const isLarge = state.enlarged !== null;
  const count = isLarge ? 1 : scene.panels.length;
  app.isNarrow = width < 520;
  const beside = isStack(scene) && !app.isNarrow ? STRIP.side + 12 : 0;
  const columns = columnsFor(width - beside, count, isLarge ? 1 : scene.header.columns, app.isNarrow);
  grid.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  app.root.classList.toggle("narrow", app.isNarrow);
  app.root.classList.toggle("lettered", state.texts);
  const gap = 12;
  const each = (width - beside - gap * (columns - 1)) / columns;
  const height = heightFor(each, Math.ceil(count / columns), scene.picture, isLarge, columns === 1 && count > 1);
  const ratio = pixelRatio();
  app.box = { width: each, height };
  app.columns = columns;
  for (const { canvas } of app.panels) {
    const [wide, high] = [Math.round(each * ratio), Math.round(height * ratio)];
    if (canvas.width !== wide) canvas.width = wide;
    if (canvas.height !== high) canvas.height = high;
    canvas.style.height = `${height}px`;
  }
  layOutStrip(app, height);
  app.isMoved = true;
  requestPaint(app);
}

function paintAll(app) {
  if (!app.scene || !app.box) return;
  const from = performance.now();
  if (app.isMoved) {
    chooseScene(app);
    refreshSlice(app);
  }
  const { scene, state, box } = app;
  scene.panels.forEach((panel, index) => {
    if (state.enlarged !== null && state.enlarged !== index) return;
    const { canvas } = app.panels[index];
    paintPanel(canvas.getContext("2d"), box, pixelRatio(), scene, panel, viewOf(app, index), state);
    canvas.style.cursor = viewOf(app, index).zoom > 1 ? "grab" : "crosshair";
    canvas.style.touchAction = viewOf(app, index).zoom > 1 || isStack(scene) ? "none" : "pan-y";
  });
  setText(app.zoomNumber, `${viewOf(app, state.active).zoom.toFixed(1)}×`);
  app.root.dataset.paintMs = (performance.now() - from).toFixed(2);
  lookAhead(app);
}

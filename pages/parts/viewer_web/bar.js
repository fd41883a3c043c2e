// Toolbar, legend, colour bars and the list of keys.

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// Written only when it changed: a screen reader or a selection is not disturbed.
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function toolButton(app, { text, key, name, act, pressed, shown }) {
  const button = element("button", "tool", text);
  button.type = "button";
  if (key) button.append(element("kbd", "", key.toUpperCase()));
  button.setAttribute("aria-label", `${name || text}${key ? `, key ${key.toUpperCase()}` : ""}`);
  button.title = `${name || text}${key ? ` (${key.toUpperCase()})` : ""}`;
  button.onclick = act;
  app.controls.push({ button, pressed, shown });
  return button;
}

function toolGroup(label, ...members) {
  const group = element("div", "group");
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", label);
  group.append(...members);
  return group;
}

function buildBar(app) {
  const bar = element("div", "bar");
  bar.setAttribute("role", "toolbar");
  bar.setAttribute("aria-label", "Viewer");
  const tool = (options) => toolButton(app, options);
  const modes = MODES.map((mode) => tool({
    text: mode.title,
    key: mode.key,
    name: `${mode.title} view`,
    act: () => setMode(app, mode.name),
    pressed: () => app.state.mode === mode.name,
    shown: () => !isStudy(app) && isOffered(app, mode.name),
  }));
  const group = toolGroup("What is drawn", ...modes);
  group.classList.add("modes");
  bar.append(group, toolGroup("Detail", buildDetail(app)), buildOpacity(app));
  bar.append(...buildStackTools(app), buildVisibility(app), buildZoom(app));
  bar.append(toolGroup("More", ...buildMore(app)));
  return bar;
}

function buildDetail(app) {
  app.detail = toolButton(app, {
    text: "Shading",
    key: "a",
    act: () => act(app, "a"),
    pressed: () => app.state.detail,
    shown: () => ["probability", "heatmap"].includes(app.state.mode),
  });
  return app.detail;
}

function buildOpacity(app) {
  const slider = element("input");
  slider.type = "range";
  [slider.min, slider.max, slider.step] = ["0", "100", "5"];
  slider.setAttribute("aria-label", "Opacity of the overlay, keys [ and ]");
  slider.oninput = () => setOpacity(app, Number(slider.value) / 100);
  const value = element("output", "number");
  const label = element("label", "opacity");
  label.append(element("span", "", "Opacity"), slider, value);
  app.opacity = { slider, value };
  return toolGroup("Opacity", label);
}

function buildVisibility(app) {
  const hold = toolButton(app, {
    text: "Hold to hide",
    key: "h",
    name: "Hide all overlays while held",
    pressed: () => app.state.held,
  });
  hold.onpointerdown = () => setHeld(app, true);
  hold.onpointerup = hold.onpointerleave = hold.onpointercancel = () => setHeld(app, false);
  hold.onkeydown = (event) => [" ", "Enter"].includes(event.key) && setHeld(app, true);
  hold.onkeyup = hold.onblur = () => setHeld(app, false);
  const hide = toolButton(app, {
    text: "Hide",
    key: "x",
    name: "Hide all overlays",
    act: () => act(app, "x"),
    pressed: () => app.state.hidden,
  });
  const reference = toolButton(app, {
    text: "Reference",
    key: "y",
    name: "Reference outline on the other panels",
    act: () => act(app, "y"),
    pressed: () => app.state.reference,
    shown: () => app.scene.reference !== null,
  });
  return toolGroup("Visibility", hold, hide, reference);
}

function buildZoom(app) {
  const smaller = toolButton(app, { text: "−", name: "Zoom out, key −", act: () => act(app, "-") });
  const larger = toolButton(app, { text: "+", name: "Zoom in, key +", act: () => act(app, "+") });
  const reset = toolButton(app, {
    text: "Reset",
    key: "0",
    name: "Reset zoom, position, crosshair and window",
    act: () => act(app, "0"),
  });
  const link = toolButton(app, {
    text: "Link",
    key: "l",
    name: "Link the panels: all move together",
    act: () => act(app, "l"),
    pressed: () => app.state.linked,
  });
  app.zoomNumber = element("output", "number");
  return toolGroup("Zoom", smaller, app.zoomNumber, larger, reset, link);
}

function buildMore(app) {
  const why = toolButton(app, {
    text: "Why here?",
    key: "w",
    name: "Ask why the networks say what they say at the crosshair",
    act: () => act(app, "w"),
    shown: () => app.scene.header.asks !== "" && app.state.cross !== null,
  });
  const pixels = toolButton(app, {
    text: "Pixels",
    key: "u",
    name: "Show single pixels of the picture instead of smoothing",
    act: () => act(app, "u"),
    pressed: () => app.state.pixels,
  });
  const save = toolButton(app, {
    text: "Save",
    key: "s",
    name: "Save this view as a picture",
    act: () => act(app, "s"),
    shown: () => !isStudy(app),
  });
  const keys = toolButton(app, { text: "Keys", key: "?", name: "List of keys", act: () => act(app, "?") });
  keys.setAttribute("aria-expanded", "false");
  app.keysButton = keys;
  return [why, pixels, save, keys];
}

function buildKeyList(app) {
  const box = element("section", "keys");
  box.setAttribute("aria-label", "Keys");
  box.hidden = true;
  const list = element("dl");
  for (const [keys, text, isHere] of KEYS) {
    for (const button of [element("dt", "", keys), element("dd", "", text)]) {
      list.append(button);
      if (isHere) app.controls.push({ button, shown: () => isHere(app) });
      if (NOT_IN_STUDIES.has(keys)) app.controls.push({ button, shown: () => !isStudy(app) });
    }
  }
  box.append(list, element("p", "", "Keys act while the focus is in the viewer."));
  return box;
}

function refreshBar(app) {
  const { state } = app;
  refreshStackTools(app);
  for (const { button, pressed, shown } of app.controls) {
    if (pressed) button.setAttribute("aria-pressed", String(pressed()));
    if (shown) button.hidden = !shown();
  }
  setText(app.detail.firstChild, state.mode === "heatmap" ? "Cells" : "Shading");
  const detail = state.mode === "heatmap" ? "Cells of the layer's own grid" : "Shade by probability";
  app.detail.setAttribute("aria-label", `${detail}, key A`);
  app.detail.title = detail;
  const percent = Math.round(100 * state.opacity[state.mode]);
  if (Number(app.opacity.slider.value) !== percent) app.opacity.slider.value = String(percent);
  setText(app.opacity.value, `${percent} %`);
  app.keyList.hidden = !state.keys;
  app.keysButton.setAttribute("aria-expanded", String(state.keys));
}

function refreshLegend(app, entries) {
  const scale = scaleOf(app.scene, app.state);
  app.legend.classList.toggle("heated", showsHeat(app.scene, app.state) && isStack(app.scene));
  const wanted = JSON.stringify([entries, scale && [scale.limit, scale.label], app.scene.header.map]);
  if (app.legendShown === wanted) return;
  app.legendShown = wanted;
  app.legend.replaceChildren(...entries.map(legendEntry));
  if (scale) app.legend.append(colourBar(scale, app.scene.header.map));
}

function legendEntry(entry) {
  const item = element("span", "entry");
  item.append(swatch(entry), element("span", "", entry.text));
  return item;
}

const SWATCH = { width: 30, height: 14 };

function swatch(entry) {
  const ratio = pixelRatio();
  const canvas = makeCanvas(SWATCH.width * ratio, SWATCH.height * ratio);
  canvas.className = "swatch";
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  paintSwatch(context, entry, 0, 0, ratio);
  return canvas;
}

// A sample of a line or an area on black, as it looks on the picture.
function paintSwatch(context, { kind, colour, dash }, x, y, ratio) {
  const { width, height } = SWATCH;
  context.fillStyle = "#000";
  context.fillRect(x, y, width, height);
  if (kind === "line") {
    swatchLine(context, x, y + height / 2, { colour, dash, width: 2 });
    return;
  }
  if (kind === "thin") {
    HEAT_LEVELS.forEach(({ width: thick }, i) => {
      swatchLine(context, x, y + 3.5 * (i + 1), { colour, dash: [], width: thick });
    });
    return;
  }
  context.fillStyle = kind === "hatch" ? hatch(context, colour, ratio) : colour;
  if (kind === "ramp") {
    const ramp = context.createLinearGradient(x, y, x + width, y);
    ramp.addColorStop(0, "#000");
    ramp.addColorStop(1, colour);
    context.fillStyle = ramp;
  }
  context.fillRect(x + 1, y + 1, width - 2, height - 2);
}

function swatchLine(context, x, y, { colour, dash, width }) {
  context.beginPath();
  context.moveTo(x + 3, y);
  context.lineTo(x + SWATCH.width - 3, y);
  context.setLineDash(dash);
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.stroke();
  context.setLineDash([]);
}

const BAR = { width: 180, height: 10 };

function colourBar(heat, map) {
  const bar = element("div", "colourbar");
  const ratio = pixelRatio();
  const canvas = makeCanvas(BAR.width * ratio, BAR.height * ratio);
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  paintColourBar(context, map, 0, 0);
  const ticks = element("div", "ticks");
  ticks.append(...tickTexts(heat, map).map((text) => element("span", "", text)));
  const scale = element("div", "scale");
  scale.append(canvas, ticks);
  bar.append(scale, element("span", "unit", heat.label));
  return bar;
}

// The colours as they look on mid-grey tissue: they fade out towards 0, as they do on the picture.
function paintColourBar(context, map, x, y) {
  context.fillStyle = "#6a6a6a";
  context.fillRect(x, y, BAR.width, BAR.height);
  for (let i = 0; i < BAR.width; i += 1) {
    const share = (i + 0.5) / BAR.width;
    const [r, g, b] = rampColour(map.stops, share);
    context.fillStyle = `rgba(${r}, ${g}, ${b}, ${heatOpacity(map.signed ? 2 * share - 1 : share)})`;
    context.fillRect(x + i, y, 1, BAR.height);
  }
}

function tickTexts(heat, map) {
  const shares = map.signed ? [-1, 0, 1] : [0, 0.5, 1];
  return shares.map((share) => (map.signed && share > 0 ? "+" : "") + inDigits(share * heat.limit));
}

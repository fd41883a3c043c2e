// Toolbar: jumps in a stack, the class shown, the grey scale.

function buildStackTools(app) {
  return [buildJumps(app), buildShown(app), buildWindow(app)];
}

function buildJumps(app) {
  const pair = (what, words, key) => [-1, 1].map((way) => toolButton(app, {
    text: way < 0 ? "‹" : "›",
    name: `${way < 0 ? "Previous" : "Next"} slice with ${words}, key ${way < 0 ? "Shift + " : ""}${key}`,
    act: () => jump(app, what, way),
    shown: () => isStack(app.scene) && (what === "tumour" || app.stack.disagreement !== null),
  }));
  const made = [["tumour", "tumour", "T"], ["dispute", "large disagreement", "D"]].map(([what, words, key]) => {
    const [back, on] = pair(what, words, key);
    const label = element("span", "between", what === "tumour" ? "Tumour " : "Disagree ");
    label.append(element("kbd", "", key));
    const group = toolGroup(`Slices with ${words}`, back, label, on);
    app.controls.push({ button: group, shown: () => !on.hidden });
    return group;
  });
  const group = toolGroup("Jump to a slice", ...made);
  app.controls.push({ button: group, shown: () => isStack(app.scene) });
  return group;
}

function buildShown(app) {
  app.shownButton = toolButton(app, {
    text: "All classes",
    key: "m",
    name: "Class shown: all, or one alone",
    act: () => act(app, "m"),
    shown: () => app.stack.header.classes.length > 1,
  });
  return toolGroup("Class", app.shownButton);
}

function buildWindow(app) {
  const select = element("select", "tool");
  select.title = "Grey scale";
  select.onchange = () => choosePreset(app, Number(select.value));
  const label = element("label", "window");
  app.windowWord = element("span", "", "Window");
  label.append(app.windowWord, select);
  app.windowSelect = select;
  return toolGroup("Grey scale", label);
}

function refreshStackTools(app) {
  const { shown } = app.state;
  const name = shown === 0 ? "All classes" : `Only ${app.stack.header.classes[shown - 1]?.name ?? ""}`;
  setText(app.shownButton.firstChild, name);
  app.shownButton.setAttribute("aria-label", `Class shown: ${name.toLowerCase()}, key M`);
  const select = app.windowSelect;
  const hasWindow = app.state.window !== null;
  const names = presetsOf(app).map((one, i) => `${i + 1} ${one.name}${hasWindow ? ` ${one.width}/${one.level}` : ""}`);
  setText(app.windowWord, hasWindow ? "Window" : "Grey");
  select.setAttribute("aria-label", `${hasWindow ? "Window of the grey scale" : "Grey scale"}, keys 1 to ${names.length}`);
  const wanted = JSON.stringify(names);
  if (select.dataset.shown !== wanted) {
    const options = [...names, "Own"].map((text, i) => {
      const option = element("option", "", text);
      option.value = String(i);
      return option;
    });
    options.at(-1).disabled = true;
    if (!hasWindow) options.pop();
    select.replaceChildren(...options);
    select.dataset.shown = wanted;
  }
  const place = presetOf(app);
  const chosen = String(place >= 0 ? place : names.length);
  if (select.value !== chosen) select.value = chosen;
}

// Where the slice lies, in words: position along the body, as far as it is known.
function placeWords(scene) {
  const mm = scene.header.slices.positions[scene.k];
  return mm === undefined ? "" : `${mm.toFixed(1).replace("-", "−")} mm${doubt(scene)}`;
}

// "slice 42 / 74": numbers from 0 as in the files' tables and in the address.
function sliceWords({ stack, k }) {
  const { indices, total } = stack.header.slices;
  return `slice ${indices[k]} / ${total - 1}`;
}

function areaText(scene, area) {
  if (!hasUnits(scene)) return `${Math.round(area)} px`;
  return `${area >= 10 || area === 0 ? Math.round(area) : area.toFixed(1)} mm²${doubt(scene)}`;
}

// Area of the class asked about, for the reference and each network.
function areaWords(scene) {
  const { name } = scene.header.classes[scene.place];
  return barsOf(scene.stack).map((panel) => {
    const area = panel.areas.values[scene.place * scene.stack.picture.n + scene.k];
    return `${panel.is_reference ? "reference" : panel.network} ${name} ${areaText(scene, area)}`;
  });
}

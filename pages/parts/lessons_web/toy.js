// Grad-CAM by hand: small grids to edit, and the whole formula computed again at every change.
const SIDE = 4;

const element = (name, className = "", text = "") => {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
};
const copy = (grids) => grids.map((grid) => grid.map((row) => [...row]));
const flat = (grid) => grid.flat();
const map = (grid, f) => grid.map((row, y) => row.map((value, x) => f(value, y, x)));
const shown = (value, digits = 2) => {
  const text = (Math.round(value * 10 ** digits) / 10 ** digits).toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
};

// Selvaraju et al. 2017: the mean of each gradient is the weight of its map; the weighted sum is rectified.
function gradcam(activations, gradients) {
  const weights = gradients.map((grid) => flat(grid).reduce((a, b) => a + b, 0) / flat(grid).length);
  const parts = activations.map((grid, k) => map(grid, (value) => weights[k] * value));
  const sum = map(parts[0], (_, y, x) => parts.reduce((total, part) => total + part[y][x], 0));
  const positive = map(sum, (value) => Math.max(value, 0));
  const top = Math.max(...flat(positive));
  return { weights, parts, sum, positive, top, scaled: map(positive, (value) => (top > 0 ? value / top : 0)) };
}

// Bilinear with half-pixel centres, the edge continued.
function enlarged(grid, side) {
  const made = new Float32Array(side * side);
  const at = (place) => Math.min(Math.max(place, 0), SIDE - 1);
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      const [v, u] = [((y + 0.5) * SIDE) / side - 0.5, ((x + 0.5) * SIDE) / side - 0.5];
      const [top, left] = [Math.floor(v), Math.floor(u)];
      const row = (r) => grid[at(r)][at(left)] * (1 - u + left) + grid[at(r)][at(left + 1)] * (u - left);
      made[y * side + x] = row(top) * (1 - v + top) + row(top + 1) * (v - top);
    }
  }
  return made;
}

function ramp(stops, share) {
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const low = Math.min(Math.floor(place), stops.length - 2);
  const part = (stop, at) => parseInt(stop.slice(at, at + 2), 16);
  return [1, 3, 5].map((at) => {
    const [a, b] = [part(stops[low], at), part(stops[low + 1], at)];
    return Math.round(a + (b - a) * (place - low));
  });
}

// Relative luminance as in WCAG 2.2: above 0.179 black has the higher contrast, at least 4.5 : 1.
function luminance(colour) {
  const [r, g, b] = colour.map((value) => (value <= 10 ? value / 3295 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function paintCell(cell, colour) {
  cell.style.background = `rgb(${colour.join(" ")})`;
  cell.style.color = luminance(colour) > 0.179 ? "#000" : "#fff";
}

function table(title, note = "") {
  const figure = element("figure");
  const caption = element("figcaption", "", title);
  if (note) caption.append(element("small", "", note));
  figure.append(caption);
  figure.cells = [];
  const grid = element("div", "grid");
  figure.append(grid);
  figure.grid = grid;
  return figure;
}

function inputs(title, note, values, changed) {
  const figure = table(title, note);
  for (let y = 0; y < SIDE; y += 1) {
    for (let x = 0; x < SIDE; x += 1) {
      const cell = element("input");
      Object.assign(cell, { type: "number", step: "0.1", value: values[y][x] });
      cell.setAttribute("aria-label", `${title}, row ${y + 1}, column ${x + 1}`);
      cell.oninput = () => {
        const given = Number(cell.value);
        if (cell.value === "" || !Number.isFinite(given)) return;
        values[y][x] = Math.min(Math.max(given, -99), 99);
        changed();
      };
      figure.cells.push(cell);
      figure.grid.append(cell);
    }
  }
  return figure;
}

function outputs(title, note = "") {
  const figure = table(title, note);
  figure.grid.setAttribute("role", "img");
  for (let at = 0; at < SIDE * SIDE; at += 1) {
    const cell = element("span");
    figure.cells.push(cell);
    figure.grid.append(cell);
  }
  return figure;
}

function fill(figure, grid, colour, title) {
  flat(grid).forEach((value, at) => {
    const cell = figure.cells[at];
    if (cell.tagName === "SPAN") cell.textContent = shown(value);
    paintCell(cell, colour(value));
  });
  if (title) figure.grid.setAttribute("aria-label", `${title}: ${flat(grid).map((v) => shown(v)).join(", ")}`);
}

export default function toy({ data, parentElement }) {
  const root = parentElement.querySelector(".toy");
  globalThis.triptychToy ??= { a: copy(data.activations), g: copy(data.gradients) };
  const kept = globalThis.triptychToy;
  const has = (stage) => data.stages.includes(stage);
  const above = (limit) => (value) => ramp(data.map, value / limit);
  const both = (limit) => (value) => ramp(data.signed, 0.5 + value / limit / 2);
  const largest = (grids) => Math.max(1e-9, ...grids.flatMap(flat).map(Math.abs));

  const channels = element("div", "channels");
  const made = kept.a.map((_, k) => {
    const card = element("section", "channel");
    const activation = inputs(`Activation ${k + 1}`, "where the feature is seen", kept.a[k], () => draw());
    const gradient = inputs(`Gradient ${k + 1}`, "what more of it would do to the score", kept.g[k], () => draw());
    const weight = element("output", "weight");
    const part = outputs(`Weight × activation ${k + 1}`);
    card.append(activation, gradient);
    if (has("weights")) card.append(weight);
    if (has("sum")) card.append(part);
    channels.append(card);
    return { activation, gradient, weight, part };
  });
  const chain = element("div", "chain");
  const sum = outputs("Sum", "of the three");
  const positive = outputs("ReLU", "what is below 0 becomes 0");
  const scaled = outputs("Scaled", "divided by its maximum");
  const large = table("Enlarged", "bilinear: what you see on a picture");
  const canvas = element("canvas");
  Object.assign(canvas, { width: 128, height: 128 });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "The map, enlarged");
  large.grid.replaceWith(canvas);
  if (has("sum")) chain.append(sum);
  if (has("relu")) chain.append(positive, scaled, large);
  const reset = element("button", "reset", "Back to the first numbers");
  reset.type = "button";
  reset.onclick = () => {
    globalThis.triptychToy = undefined;
    toy({ data, parentElement });
  };

  function draw() {
    const found = gradcam(kept.a, kept.g);
    const [a, g] = [largest(kept.a), largest(kept.g)];
    made.forEach((one, k) => {
      fill(one.activation, kept.a[k], above(a));
      fill(one.gradient, kept.g[k], both(g));
      one.weight.textContent = `weight ${k + 1} = mean of gradient ${k + 1} = ${shown(found.weights[k], 3)}`;
      fill(one.part, found.parts[k], both(largest(found.parts)), `Weight times activation ${k + 1}`);
    });
    fill(sum, found.sum, both(largest([found.sum])), "Sum");
    fill(positive, found.positive, above(Math.max(found.top, 1e-9)), "Rectified");
    fill(scaled, found.scaled, above(1), "Scaled");
    const context = canvas.getContext("2d");
    const picture = context.createImageData(128, 128);
    enlarged(found.scaled, 128).forEach((value, at) => {
      const [r, green, b] = ramp(data.map, value);
      picture.data.set([r, green, b, 255], 4 * at);
    });
    context.putImageData(picture, 0, 0);
  }
  root.replaceChildren(channels, chain, reset);
  draw();
}

// One slice at every threshold: the mask, its counts and three curves, computed here from the levels of each pixel.
const element = (name, className = "", text = "") => {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
};
const svg = (name, attributes) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};
const ratio = (part, whole) => (whole > 0 ? part / whole : NaN);
const shown = (value) => (Number.isFinite(value) ? value.toFixed(3) : "n/a");
const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

async function decoded(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return { width: canvas.width, height: canvas.height, values: data.filter((_, at) => at % 4 === 0) };
}

// Each pixel of ``levels`` says how many thresholds its probability exceeds, plus 128 inside the reference.
function counted(levels, n) {
  const [inside, outside] = [new Array(n + 1).fill(0), new Array(n + 1).fill(0)];
  for (const value of levels) (value & 128 ? inside : outside)[value & 127] += 1;
  const size = inside.reduce((a, b) => a + b, 0);
  const rows = [];
  let [tp, fp] = [0, 0];
  for (let at = n - 1; at >= 0; at -= 1) {
    tp += inside[at + 1];
    fp += outside[at + 1];
    const fn = size - tp;
    const dice = ratio(2 * tp, 2 * tp + fp + fn);
    rows[at] = { tp, fp, fn, precision: ratio(tp, tp + fp), recall: ratio(tp, size), dice };
  }
  return rows;
}

const [WIDE, HIGH, LEFT, FOOT] = [440, 250, 34, 26];
const STYLES = { dice: ["", 2.6], precision: ["7 4", 1.6], recall: ["2 3", 1.6] };

function chart(data, rows) {
  const { thresholds } = data;
  const [low, high] = [thresholds[0], thresholds[thresholds.length - 1]];
  const x = (t) => LEFT + ((t - low) / (high - low)) * (WIDE - LEFT - 8);
  const y = (value) => 8 + (1 - value) * (HIGH - FOOT - 8);
  const drawn = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", class: "curves" });
  drawn.setAttribute("aria-label", "Precision, recall and Dice by threshold");
  const text = (place, words, more = {}) => {
    const made = svg("text", { ...place, ...more });
    made.textContent = words;
    drawn.append(made);
  };
  for (const value of [0, 0.5, 1]) {
    drawn.append(svg("line", { x1: LEFT, x2: WIDE - 8, y1: y(value), y2: y(value), class: "rule" }));
    text({ x: LEFT - 6, y: y(value) + 4 }, value.toFixed(1), { "text-anchor": "end" });
  }
  for (const t of [0.1, 0.3, 0.5, 0.7, 0.9]) text({ x: x(t), y: HIGH - 8 }, t.toFixed(1), { "text-anchor": "middle" });
  const line = (values, dash, width, name) => {
    let path = "";
    values.forEach((value, at) => {
      if (Number.isFinite(value)) path += `${path ? "L" : "M"}${x(thresholds[at]).toFixed(1)} ${y(value).toFixed(1)}`;
    });
    drawn.append(svg("path", { d: path, "stroke-dasharray": dash, "stroke-width": width, class: `curve ${name}` }));
  };
  for (const [name, [dash, width]] of Object.entries(STYLES)) {
    line(rows.map((row) => row[name]), dash, width, name);
  }
  if (data.validation.length) line(data.validation, "9 3 2 3", 2, "validation");
  for (const mark of data.marks) {
    drawn.append(svg("line", { x1: x(mark.at), x2: x(mark.at), y1: 8, y2: HIGH - FOOT, class: `mark ${mark.kind}` }));
  }
  const now = svg("line", { y1: 4, y2: HIGH - FOOT + 4, class: "now" });
  drawn.append(now);
  drawn.move = (t) => [now.setAttribute("x1", x(t)), now.setAttribute("x2", x(t))];
  drawn.pick = (event) => {
    const box = drawn.getBoundingClientRect();
    const share = (((event.clientX - box.left) / box.width) * WIDE - LEFT) / (WIDE - LEFT - 8);
    return low + Math.min(Math.max(share, 0), 1) * (high - low);
  };
  return drawn;
}

function key(entries) {
  const list = element("ul", "key");
  for (const [kind, words] of entries) {
    const row = element("li");
    row.append(element("i", kind), words);
    list.append(row);
  }
  return list;
}

function painter(canvas, picture, levels, colours) {
  [canvas.width, canvas.height] = [picture.width, picture.height];
  const context = canvas.getContext("2d");
  const paint = { agreed: rgb(colours.agreed), missed: rgb(colours.missed), extra: rgb(colours.extra) };
  const step = Math.max(4, Math.round(picture.width / 45)); // of the hatching
  return (at) => {
    const image = context.createImageData(picture.width, picture.height);
    for (let place = 0; place < levels.values.length; place += 1) {
      const [value, base] = [levels.values[place], picture.values[place]];
      const [isInside, isDrawn] = [value & 128, (value & 127) > at];
      let colour = isInside ? (isDrawn ? paint.agreed : paint.missed) : isDrawn ? paint.extra : null;
      const x = place % picture.width;
      const y = (place - x) / picture.width;
      if (colour === paint.missed && (x + y) % step < step / 3) colour = null; // hatched: not colour alone
      for (let c = 0; c < 3; c += 1) image.data[4 * place + c] = colour ? 0.45 * base + 0.55 * colour[c] : base;
      image.data[4 * place + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  };
}

function build(root, data, picture, levels) {
  const rows = counted(levels.values, data.thresholds.length);
  const canvas = element("canvas");
  canvas.setAttribute("role", "img");
  const paint = painter(canvas, picture, levels, data.colours);
  const slider = element("input");
  const { length } = data.thresholds;
  Object.assign(slider, { type: "range", min: 0, max: length - 1, step: 1, disabled: data.locked });
  slider.setAttribute("aria-label", "Threshold");
  const said = element("output", "said");
  const numbers = element("p", "numbers");
  const left = element("div", "side");
  left.append(canvas, key([["agreed", "found"], ["missed", "missed (hatched)"], ["extra", "drawn in excess"]]));
  const right = element("div", "side");
  let curves = null;
  if (!data.locked) {
    curves = chart(data, rows);
    const entries = [["dice", "Dice"], ["precision", "precision"], ["recall", "recall"]];
    if (data.validation.length) entries.push(["validation", "mean Dice on validation"]);
    right.append(curves, key([...entries, ...data.marks.map((mark) => [`mark ${mark.kind}`, mark.words])]));
  }
  right.append(slider, said, numbers);
  root.replaceChildren(left, right);

  const show = (at) => {
    const row = rows[at];
    const t = data.thresholds[at].toFixed(2);
    said.textContent = `threshold ${t}: Dice ${shown(row.dice)}`;
    numbers.textContent =
      `precision ${shown(row.precision)}, recall ${shown(row.recall)}; ` +
      `${row.tp} px found, ${row.fn} missed, ${row.fp} in excess`;
    canvas.setAttribute("aria-label", `Mask at threshold ${t}: ${numbers.textContent}`);
    slider.setAttribute("aria-valuetext", said.textContent);
    if (curves) curves.move(data.thresholds[at]);
    cancelAnimationFrame(root.frame);
    root.frame = requestAnimationFrame(() => paint(at));
  };
  const set = (at) => {
    slider.value = at;
    root.kept = { token: data.token, at };
    show(at);
  };
  slider.oninput = () => set(Number(slider.value));
  if (curves) {
    const drag = (event) => event.buttons && set(Math.round((curves.pick(event) - data.thresholds[0]) * 100));
    curves.onpointerdown = (event) => {
      curves.setPointerCapture(event.pointerId);
      drag(event);
    };
    curves.onpointermove = drag;
  }
  const kept = root.kept && root.kept.token === data.token && !data.locked ? root.kept.at : null;
  set(kept ?? Math.max(0, data.thresholds.indexOf(0.5)));
}

export default function threshold({ data, parentElement }) {
  const root = parentElement.querySelector(".threshold");
  root.turn = (root.turn ?? 0) + 1;
  const { turn } = root;
  Promise.all([decoded(data.picture), decoded(data.levels)])
    .then(([picture, levels]) => root.turn === turn && build(root, data, picture, levels))
    .catch(() => root.replaceChildren(element("p", "", "The picture could not be read.")));
}

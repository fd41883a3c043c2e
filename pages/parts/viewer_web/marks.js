// What stands on a picture beside overlays: letters, place, scale bar, crosshair.

const BAR_SHARE = 0.28; // of a panel's width: the scale bar is at most as long

// The same on all panels that move together: written once, on a sheet that is laid over each.
function marksSheet({ box, ratio, place, scene, state }) {
  const { stack } = scene;
  if (!state.texts) return null;
  const places = isStack(scene) ? placeLines(scene, state) : [];
  const bar = scaleBar(scene, place, box);
  const look = [box.width, box.height, ratio, bar.length, bar.text, ...places].join("|");
  if (stack.marks?.look === look) return stack.marks.canvas;
  stack.marks ??= { canvas: makeCanvas(1, 1) };
  stack.marks.look = look;
  const { canvas } = stack.marks;
  canvas.width = Math.round(box.width * ratio); // this clears it
  canvas.height = Math.round(box.height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  if (scene.header.orientation) paintLetters(context, box);
  context.textAlign = "left";
  places.forEach((text, line) => cased(context, text, 7, 12 + 15 * line, "11px sans-serif"));
  paintScaleBar(context, box, bar);
  return canvas;
}

// R, L, A, P at the four sides: the patient's right is on the left of the screen.
function paintLetters(context, box) {
  const spots = [["R", 10, box.height / 2], ["L", box.width - 10, box.height / 2]];
  spots.push(["A", box.width / 2, 12], ["P", box.width / 2, box.height - 12]);
  context.textAlign = "center";
  for (const [letter, x, y] of spots) cased(context, letter, x, y, "600 12px sans-serif");
}

function cased(context, text, x, y, font) {
  context.font = font;
  context.textBaseline = "middle";
  context.lineWidth = 3;
  context.lineJoin = "round";
  context.strokeStyle = "#000";
  context.strokeText(text, x, y);
  context.fillStyle = "#fff";
  context.fillText(text, x, y);
}

// Slice, position and window, in the upper left corner of every panel.
function placeLines(scene, state) {
  const grey = state.window ? `W ${state.window.width} L ${state.window.level}` : "";
  return [sliceWords(scene), placeWords(scene), grey].filter(Boolean);
}

// The longest of 1, 2, 5, 10, 20, 50 ... mm that has room; pixels of the picture where there is no scale in mm.
function scaleBar(scene, place, box) {
  const [, column] = scene.header.slices.spacing;
  const perUnit = place.scale / (column ?? 1); // screen px per mm, or per pixel of the picture
  const most = (BAR_SHARE * box.width) / perUnit;
  const ten = 10 ** Math.floor(Math.log10(most));
  const units = [5, 2, 1].find((step) => step * ten <= most) * ten;
  const text = `${Number(units.toPrecision(1))} ${column ? `mm${doubt(scene)}` : "px"}`;
  return { length: units * perUnit, text };
}

function paintScaleBar(context, box, { length, text }) {
  const [right, y] = [box.width - 8, box.height - 8];
  const path = new Path2D(`M ${right - length} ${y - 4} V ${y} H ${right} V ${y - 4}`);
  for (const [width, colour] of [[4, "#000"], [1.5, "#fff"]]) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke(path);
  }
  context.textAlign = "right";
  cased(context, text, right, y - 11, "11px sans-serif");
}

// The marked pixel in every panel; the lines leave a gap so that what is looked at stays visible.
function paintCross({ context, box, place, state }) {
  const x = place.left + (state.cross[0] + 0.5) * place.scale;
  const y = place.top + (state.cross[1] + 0.5) * place.rise;
  const gap = Math.max(6, place.scale);
  context.beginPath();
  for (const [from, to] of [[0, x - gap], [x + gap, box.width]]) {
    context.moveTo(from, y);
    context.lineTo(to, y);
  }
  for (const [from, to] of [[0, y - gap], [y + gap, box.height]]) {
    context.moveTo(x, from);
    context.lineTo(x, to);
  }
  for (const [width, colour] of [[2.5, "rgba(0, 0, 0, 0.6)"], [1, "rgba(255, 255, 255, 0.85)"]]) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke();
  }
}

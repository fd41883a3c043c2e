// Geometry: outlines along pixel edges, level lines, enlarging. Pure functions of arrays; no screen.

// Closed loops round the pixels where inside(i) holds, along their edges, clockwise, as lists of corner points
// [x0, y0, x1, y1, ...]. Pixels that touch only at a corner get loops of their own. Loops, not single edges,
// so that a dash runs on round the whole outline.
function traceLoops(inside, width, height) {
  const stride = width + 1;
  const leaving = new Uint8Array(stride * (height + 1)); // bits of the edges that leave a corner: E 1, S 2, W 4, N 8
  const wide = width + 2;
  const marked = new Uint8Array(wide * (height + 2)); // with a border of zeros: neighbours need no check
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) if (inside(y * width + x)) marked[(y + 1) * wide + x + 1] = 1;
  }
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const here = (y + 1) * wide + x + 1;
      if (marked[here] === 0) continue;
      if (marked[here - wide] === 0) leaving[y * stride + x] |= 1;
      if (marked[here + 1] === 0) leaving[y * stride + x + 1] |= 2;
      if (marked[here + wide] === 0) leaving[(y + 1) * stride + x + 1] |= 4;
      if (marked[here - 1] === 0) leaving[(y + 1) * stride + x] |= 8;
    }
  }
  const loops = [];
  for (let corner = 0; corner < leaving.length; corner += 1) {
    while (leaving[corner] & 1) loops.push(followLoop(leaving, stride, corner));
  }
  return loops;
}

function followLoop(leaving, stride, start) {
  const step = [1, stride, -1, -stride];
  const points = [];
  let corner = start;
  let heading = 0;
  let came = -1;
  do {
    if (heading !== came) points.push(corner % stride, Math.floor(corner / stride));
    leaving[corner] &= ~(1 << heading);
    corner += step[heading];
    came = heading;
    heading = [1, 0, 3].map((turn) => (came + turn) % 4).find((way) => leaving[corner] & (1 << way)) ?? -1;
  } while (heading !== -1 && !(corner === start && came === 3));
  return points;
}

// Lines where a smooth grid crosses a level, in units of the picture (extent wide x high). Grid values sit at
// half-pixel centres and are continued flat to the border. Lists of points; the higher side is on the right.
function levelLines(values, width, height, level, extent) {
  const x = (i) => Math.min(Math.max(((i + 0.5) / width) * extent.width, 0), extent.width);
  const y = (j) => Math.min(Math.max(((j + 0.5) / height) * extent.height, 0), extent.height);
  const follow = new Map(); // edge where a segment starts -> edge where it ends
  const point = new Map();
  const stride = width + 2;
  const nodes = continued(values, width, height);
  for (let j = -1; j < height; j += 1) {
    for (let i = -1; i < width; i += 1) {
      const at = (j + 1) * stride + i + 1;
      const a = nodes[at]; // clockwise from the upper left
      const b = nodes[at + 1];
      const c = nodes[at + stride + 1];
      const d = nodes[at + stride];
      const code = (a >= level ? 8 : 0) + (b >= level ? 4 : 0) + (c >= level ? 2 : 0) + (d >= level ? 1 : 0);
      if (code === 0 || code === 15) continue;
      const id = { T: 2 * ((j + 1) * stride + i + 1), B: 2 * ((j + 2) * stride + i + 1) };
      id.L = id.T + 1;
      id.R = id.T + 3;
      const share = (from, to) => (level - from) / (to - from);
      const place = {
        T: () => [x(i) + share(a, b) * (x(i + 1) - x(i)), y(j)],
        R: () => [x(i + 1), y(j) + share(b, c) * (y(j + 1) - y(j))],
        B: () => [x(i) + share(d, c) * (x(i + 1) - x(i)), y(j + 1)],
        L: () => [x(i), y(j) + share(a, d) * (y(j + 1) - y(j))],
      };
      for (const [from, to] of cellSegments(code, (a + b + c + d) / 4 >= level)) {
        follow.set(id[from], id[to]);
        if (!point.has(id[from])) point.set(id[from], place[from]());
        if (!point.has(id[to])) point.set(id[to], place[to]());
      }
    }
  }
  return chain(follow, point);
}

// The grid with its edges repeated once on every side.
function continued(values, width, height) {
  const wide = width + 2;
  const nodes = new Float64Array(wide * (height + 2));
  for (let j = 0; j < height + 2; j += 1) {
    const row = clampIndex(j - 1, height) * width;
    for (let i = 0; i < wide; i += 1) nodes[j * wide + i] = values[row + clampIndex(i - 1, width)];
  }
  return nodes;
}

// Corner bits clockwise from the upper left: 8, 4, 2, 1. A saddle is joined where the middle is high.
function cellSegments(code, middleIsHigh) {
  if (code === 10) return middleIsHigh ? ["TR", "BL"] : ["TL", "BR"];
  if (code === 5) return middleIsHigh ? ["LT", "RB"] : ["RT", "LB"];
  return [["", "LB", "BR", "LR", "RT", "", "BT", "LT", "TL", "TB", "", "TR", "RL", "RB", "BL", ""][code]];
}

function chain(follow, point) {
  const ends = new Set(follow.values());
  const lines = [];
  const walk = (start) => {
    const line = [];
    let edge = start;
    while (edge !== undefined) {
      line.push(...point.get(edge));
      const next = follow.get(edge);
      follow.delete(edge);
      edge = next;
    }
    lines.push(line);
  };
  for (const start of [...follow.keys()]) if (!ends.has(start)) walk(start);
  for (const start of [...follow.keys()]) if (follow.has(start)) walk(start);
  return lines;
}

const clampIndex = (index, size) => Math.min(Math.max(index, 0), size - 1);

// The value of a grid at a place given as shares of the extent: bilinear, half-pixel centres, edges continued.
function valueAt(grid, shareX, shareY) {
  const x = clampIndex(shareX * grid.width - 0.5, grid.width);
  const y = clampIndex(shareY * grid.height - 0.5, grid.height);
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [right, bottom] = [Math.min(left + 1, grid.width - 1), Math.min(top + 1, grid.height - 1)];
  const [fx, fy] = [x - left, y - top];
  const row = (j) => grid.values[j * grid.width + left] * (1 - fx) + grid.values[j * grid.width + right] * fx;
  return row(top) * (1 - fy) + row(bottom) * fy;
}

// The whole grid enlarged the same way.
function enlarge(grid, width, height) {
  const values = new Float32Array(width * height);
  for (let j = 0; j < height; j += 1) {
    for (let i = 0; i < width; i += 1) values[j * width + i] = valueAt(grid, (i + 0.5) / width, (j + 0.5) / height);
  }
  return { width, height, values };
}

function toPath(lines, isClosed) {
  const path = new Path2D();
  for (const line of lines) {
    path.moveTo(line[0], line[1]);
    for (let i = 2; i < line.length; i += 2) path.lineTo(line[i], line[i + 1]);
    if (isClosed) path.closePath();
  }
  return path;
}

// Geometry: outlines along pixel edges, level lines, enlarging. Pure functions of arrays; no screen.

// Working arrays, kept from call to call: scrubbing makes no new ones.
const scratch = new Map();

function workingArray(name, Type, size, empty) {
  if (!scratch.has(name) || scratch.get(name).length < size) scratch.set(name, new Type(size).fill(empty));
  return scratch.get(name);
}

// Closed loops round the pixels whose value lies in low..high, along their edges, clockwise, as lists of corner
// points [x0, y0, x1, y1, ...]. Pixels that touch only at a corner get loops of their own. Loops, not single edges,
// so that a dash runs on round the whole outline.
function traceLoops(values, low, high, width, height) {
  const stride = width + 1;
  const wide = width + 2;
  const marked = workingArray("marked", Uint8Array, wide * (height + 2), 0); // a border of zeros: no check at the edge
  marked.fill(0, 0, wide * (height + 2));
  let [left, right, top, bottom] = [width, -1, height, -1];
  for (let y = 0; y < height; y += 1) {
    const row = y * width;
    for (let x = 0; x < width; x += 1) {
      const value = values[row + x];
      if (value < low || value > high) continue;
      marked[(y + 1) * wide + x + 1] = 1;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      bottom = y;
    }
  }
  const loops = [];
  if (bottom < 0) return loops;
  const leaving = workingArray("leaving", Uint8Array, stride * (height + 1), 0); // edges from a corner: E 1, S 2, W 4, N 8
  for (let y = top; y <= bottom; y += 1) {
    for (let x = left; x <= right; x += 1) {
      const here = (y + 1) * wide + x + 1;
      if (marked[here] === 0) continue;
      if (marked[here - wide] === 0) leaving[y * stride + x] |= 1;
      if (marked[here + 1] === 0) leaving[y * stride + x + 1] |= 2;
      if (marked[here + wide] === 0) leaving[(y + 1) * stride + x + 1] |= 4;
      if (marked[here - 1] === 0) leaving[(y + 1) * stride + x] |= 8;
    }
  }
  for (let y = top; y <= bottom + 1; y += 1) {
    for (let corner = y * stride + left; corner <= y * stride + right + 1; corner += 1) {
      while (leaving[corner] & 1) loops.push(followLoop(leaving, stride, corner));
    }
  }
  return loops;
}

// Takes the edges it follows out of ``leaving``: in the end none is left there.
function followLoop(leaving, stride, start) {
  const points = [];
  let corner = start;
  let heading = 0;
  let came = -1;
  do {
    if (heading !== came) points.push(corner % stride, Math.floor(corner / stride));
    leaving[corner] &= ~(1 << heading);
    corner += heading === 0 ? 1 : heading === 1 ? stride : heading === 2 ? -1 : -stride;
    came = heading;
    const ways = leaving[corner];
    const turned = (came + 1) & 3; // right first: pixels that touch at a corner stay apart
    if (ways & (1 << turned)) heading = turned;
    else if (!(ways & (1 << came))) heading = ways & (1 << ((came + 3) & 3)) ? (came + 3) & 3 : -1;
  } while (heading !== -1 && !(corner === start && came === 3));
  return points;
}

// Lines where a smooth grid crosses a level, in units of the picture (extent wide x high). Grid values sit at
// half-pixel centres and are continued flat to the border. Lists of points; the higher side is on the right.
// An edge of the grid has the number of its upper or left node, twice, and one more if it runs down.
function levelLines(values, width, height, level, extent) {
  const wide = width + 2;
  const nodes = continued(values, width, height);
  const follow = workingArray("follow", Int32Array, 2 * wide * (height + 2), -1); // edge where a segment ends
  const isEnd = workingArray("isEnd", Uint8Array, 2 * wide * (height + 2), 0);
  const edges = [0, 3, 2 * wide, 1]; // of a cell: upper, right, lower, left
  const starts = [];
  const link = (from, to) => {
    follow[from] = to;
    isEnd[to] = 1;
    starts.push(from);
  };
  for (let j = 0; j <= height; j += 1) {
    const row = j * wide;
    let sides = (nodes[row] >= level ? 8 : 0) + (nodes[row + wide] >= level ? 1 : 0);
    for (let at = row; at <= row + width; at += 1) {
      const right = (nodes[at + 1] >= level ? 4 : 0) + (nodes[at + wide + 1] >= level ? 2 : 0);
      const code = sides + right;
      sides = (right & 4 ? 8 : 0) + (right & 2 ? 1 : 0);
      if (code === 0 || code === 15) continue;
      const isHigh = (code === 5 || code === 10)
        && (nodes[at] + nodes[at + 1] + nodes[at + wide] + nodes[at + wide + 1]) / 4 >= level;
      for (const [from, to] of SEGMENTS[isHigh ? code + 16 : code]) link(2 * at + edges[from], 2 * at + edges[to]);
    }
  }
  return chain(starts, follow, isEnd, (edge, line) => {
    const at = edge >> 1;
    const isDown = (edge & 1) === 1;
    const share = (level - nodes[at]) / (nodes[isDown ? at + wide : at + 1] - nodes[at]);
    const x = (at % wide) - 1 + (isDown ? 0 : share);
    const y = Math.floor(at / wide) - 1 + (isDown ? share : 0);
    line.push(inExtent(x, width, extent.width), inExtent(y, height, extent.height));
  });
}

const inExtent = (at, size, extent) => Math.min(Math.max(((at + 0.5) / size) * extent, 0), extent);

// The grid with its edges repeated once on every side.
function continued(values, width, height) {
  const wide = width + 2;
  const nodes = workingArray("nodes", Float32Array, wide * (height + 2), 0);
  for (let j = 0; j < height + 2; j += 1) {
    const row = clampIndex(j - 1, height) * width;
    nodes[j * wide] = values[row];
    for (let i = 0; i < width; i += 1) nodes[j * wide + 1 + i] = values[row + i];
    nodes[j * wide + wide - 1] = values[row + width - 1];
  }
  return nodes;
}

// By corner bits clockwise from the upper left (8, 4, 2, 1): from which edge to which. A saddle (5, 10) is joined
// where the middle is high: its segments then stand 16 further on.
const SEGMENTS = [
  "", "LB", "BR", "LR", "RT", "RT LB", "BT", "LT", "TL", "TB", "TL BR", "TR", "RL", "RB", "BL", "",
  "", "", "", "", "", "LT RB", "", "", "", "", "TR BL", "", "", "", "", "",
].map((text) => text.split(" ").filter(Boolean).map((pair) => [...pair].map((edge) => "TRBL".indexOf(edge))));

// Segments as lines, open ones first. Leaves ``follow`` at -1 and ``isEnd`` at 0 for the next call.
function chain(starts, follow, isEnd, addPoint) {
  const lines = [];
  const walk = (start) => {
    const line = [];
    for (let edge = start; edge !== -1;) {
      addPoint(edge, line);
      const next = follow[edge];
      follow[edge] = -1;
      isEnd[edge] = 0;
      edge = next;
    }
    lines.push(line);
  };
  for (const start of starts) if (follow[start] !== -1 && isEnd[start] === 0) walk(start);
  for (const start of starts) if (follow[start] !== -1) walk(start);
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
  const across = neighbours(grid.width, width);
  const down = neighbours(grid.height, height);
  const values = new Float32Array(width * height);
  for (let j = 0; j < height; j += 1) {
    const top = down.before[j] * grid.width;
    const bottom = down.after[j] * grid.width;
    for (let i = 0; i < width; i += 1) {
      const left = across.before[i];
      const right = across.after[i];
      const fx = across.share[i];
      const upper = grid.values[top + left] * (1 - fx) + grid.values[top + right] * fx;
      const lower = grid.values[bottom + left] * (1 - fx) + grid.values[bottom + right] * fx;
      values[j * width + i] = upper * (1 - down.share[j]) + lower * down.share[j];
    }
  }
  return { width, height, values };
}

// For each cell of a longer row: the two cells of the shorter one it lies between, and how far on.
function neighbours(from, to) {
  const made = { before: new Int32Array(to), after: new Int32Array(to), share: new Float64Array(to) };
  for (let i = 0; i < to; i += 1) {
    const at = clampIndex(((i + 0.5) / to) * from - 0.5, from);
    made.before[i] = Math.floor(at);
    made.after[i] = Math.min(made.before[i] + 1, from - 1);
    made.share[i] = at - made.before[i];
  }
  return made;
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

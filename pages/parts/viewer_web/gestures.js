// Pointer, wheel and keys. Only what is used is stopped; everything else goes on to the page.

const DRAG = 4; // px a pointer may move and still count as a click
const LONG_PRESS = 500; // ms, touch only: hides the overlays while held

function listenToPointer(app, canvas, index) {
  const down = new Map(); // pointer id -> { x, y }
  let gesture = null;
  const spot = (event) => {
    const frame = canvas.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  };
  canvas.oncontextmenu = (event) => app.state.window && event.preventDefault();
  canvas.onpointerdown = (event) => {
    const isGrey = app.state.window !== null && (event.button === 2 || (event.button === 0 && event.shiftKey));
    if (event.button !== 0 && !isGrey) return;
    app.exact = null;
    down.set(event.pointerId, spot(event));
    app.inHand = true; // nothing is reported before the hand lets go
    canvas.setPointerCapture(event.pointerId);
    const isScrub = event.pointerType === "touch" && isStack(app.scene);
    gesture = down.size > 1 ? { moved: true } : { moved: isGrey, isGrey, isScrub, start: spot(event) };
    if (event.pointerType !== "touch") return;
    clearTimeout(app.pressTimer);
    const started = gesture;
    app.pressTimer = setTimeout(() => {
      if (started !== gesture || gesture.moved) return;
      gesture.moved = true;
      setHeld(app, true);
    }, LONG_PRESS);
  };
  canvas.onpointermove = (event) => {
    const before = down.get(event.pointerId);
    if (!before || !gesture) return;
    const now = spot(event);
    if (down.size === 1) {
      const far = gesture.start && Math.hypot(now.x - gesture.start.x, now.y - gesture.start.y) > DRAG;
      gesture.moved ||= Boolean(far);
      if (gesture.isGrey) dragWindow(app, now.x - before.x, now.y - before.y);
      else if (gesture.moved && !app.state.held) dragPicture(app, index, gesture, now, before);
    } else {
      pinch(app, index, down, event.pointerId, now);
    }
    if (gesture.moved || down.size > 1) down.set(event.pointerId, now);
  };
  const release = (event) => {
    if (!down.delete(event.pointerId)) return;
    clearTimeout(app.pressTimer);
    if (app.state.held) setHeld(app, false);
    if (event.type === "pointerup" && gesture && !gesture.moved) markAt(app, index, spot(event));
    if (down.size > 0) return;
    gesture = null;
    app.inHand = false;
    if (app.isUnreported) scheduleReport(app);
  };
  canvas.onpointerup = release;
  canvas.onpointercancel = release;
  canvas.ondblclick = () => setEnlarged(app, index);
  canvas.addEventListener("wheel", (event) => {
    const isZoom = event.ctrlKey || event.metaKey;
    if (!isZoom && !isStack(app.scene)) return; // the page's own scrolling
    event.preventDefault();
    event.stopPropagation();
    if (!isZoom) {
      turnWheel(app, event);
      return;
    }
    const { x, y } = spot(event);
    const lines = event.deltaMode === 1 ? 16 : 1;
    zoomBy(app, index, Math.exp(-Math.max(-120, Math.min(120, event.deltaY * lines)) * 0.0025), x, y);
  }, { passive: false });
}

// A finger goes through the slices while the picture is not enlarged; otherwise a drag moves the picture.
function dragPicture(app, index, gesture, now, before) {
  if (!gesture.isScrub || viewOf(app, index).zoom > 1) {
    panBy(app, index, now.x - before.x, now.y - before.y);
    return;
  }
  gesture.from ??= app.state.slice;
  goTo(app, gesture.from + Math.round((now.y - gesture.start.y) / FINGER));
}

function pinch(app, index, down, id, now) {
  const other = [...down].find(([known]) => known !== id);
  if (!other) return;
  const before = down.get(id);
  const apart = (a, b) => Math.hypot(a.x - b.x, a.y - b.y) || 1;
  const middle = { x: (now.x + other[1].x) / 2, y: (now.y + other[1].y) / 2 };
  zoomBy(app, index, apart(now, other[1]) / apart(before, other[1]), middle.x, middle.y);
  panBy(app, index, (now.x - before.x) / 2, (now.y - before.y) / 2);
}

const viewOf = (app, index) => (app.state.linked ? app.view : app.views[index] ?? app.view);

function setView(app, index, view) {
  const place = placePicture(app.scene.picture, view, app.box);
  const kept = { zoom: view.zoom, x: place.x, y: place.y };
  if (app.state.linked) app.view = kept;
  else app.views[index] = kept;
  requestPaint(app);
  scheduleReport(app);
}

function panBy(app, index, dx, dy) {
  const view = viewOf(app, index);
  const place = placePicture(app.scene.picture, view, app.box);
  setView(app, index, { ...view, x: place.x - dx / place.width, y: place.y - dy / place.height });
}

// The point of the picture under (px, py) stays where it is.
function zoomBy(app, index, factor, px, py) {
  const view = viewOf(app, index);
  const before = placePicture(app.scene.picture, view, app.box);
  const zoom = Math.min(16, Math.max(1, view.zoom * factor));
  const grown = zoom / view.zoom;
  const left = px - (px - before.left) * grown;
  const top = py - (py - before.top) * grown;
  const x = (app.box.width / 2 - left) / (before.width * grown);
  const y = (app.box.height / 2 - top) / (before.height * grown);
  setView(app, index, { zoom, x, y });
}

// About the crosshair where there is one, else about the middle.
function zoomByKey(app, factor) {
  const index = app.state.active;
  const place = placePicture(app.scene.picture, viewOf(app, index), app.box);
  const cross = app.state.cross;
  const x = cross ? place.left + (cross[0] + 0.5) * place.scale : app.box.width / 2;
  const y = cross ? place.top + (cross[1] + 0.5) * place.rise : app.box.height / 2;
  zoomBy(app, index, factor, x, y);
}

function markAt(app, index, { x, y }) {
  const { picture } = app.scene;
  const place = placePicture(picture, viewOf(app, index), app.box);
  const cross = [Math.floor((x - place.left) / place.scale), Math.floor((y - place.top) / place.rise)];
  if (cross[0] < 0 || cross[1] < 0 || cross[0] >= picture.width || cross[1] >= picture.height) return;
  change(app, { cross });
  if (app.scene.header.asks === "click") ask(app);
}

// "Why this pixel?": the marked place as shares of the picture, where the page takes such questions.
function ask(app) {
  const { header } = app.scene;
  if (!header.asks || !app.state.cross) return false;
  const [x, y] = shareAt(app.scene, app.state.cross);
  app.asked = (app.asked ?? 0) + 1; // the same place may be asked about again
  app.setTriggerValue("target", { token: header.token, slice: sliceNumber(app), x, y, count: app.asked });
  return true;
}

function moveCross(app, dx, dy) {
  const { picture } = app.scene;
  const [x, y] = app.state.cross ?? [Math.floor(picture.width / 2), Math.floor(picture.height / 2)];
  const cross = [clampIndex(x + dx, picture.width), clampIndex(y + dy, picture.height)];
  change(app, { cross });
  const view = viewOf(app, app.state.active);
  const place = placePicture(picture, view, app.box);
  const [px, py] = [place.left + cross[0] * place.scale, place.top + cross[1] * place.rise];
  const isSeen = px > 0 && py > 0 && px < app.box.width && py < app.box.height;
  if (!isSeen) setView(app, app.state.active, { ...view, x: cross[0] / picture.width, y: cross[1] / picture.height });
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const STEPS = { ArrowUp: -1, ArrowDown: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };

// True when the key was used. Keys with Ctrl, Alt or Meta are the browser's; C and R are Streamlit's.
function pressKey(app, event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return false;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isOnCanvas = event.target.tagName === "CANVAS";
  if (STEPS[key] && isOnCanvas && !event.shiftKey && isStack(app.scene)) {
    goBy(app, Math.max(-1e6, Math.min(1e6, STEPS[key])));
    return true;
  }
  if (ARROWS[key] && isOnCanvas && event.target !== app.strip) {
    if (event.shiftKey) moveCross(app, ...ARROWS[key]);
    else if (ARROWS[key][1] === 0) focusPanel(app, ARROWS[key][0]);
    else return false;
    return true;
  }
  if (event.target === app.strip && (key === "ArrowLeft" || key === "ArrowRight")) {
    goBy(app, key === "ArrowLeft" ? -1 : 1);
    return true;
  }
  if (isStack(app.scene) && "td".includes(key)) {
    jump(app, key === "t" ? "tumour" : "dispute", event.shiftKey ? -1 : 1);
    return true;
  }
  if (key === "Enter" && isOnCanvas) return ask(app);
  if (/^[1-5]$/.test(key)) return choosePreset(app, Number(key) - 1);
  if (key === "h") {
    if (!event.repeat) setHeld(app, true);
    return true;
  }
  const mode = MODES.find((one) => one.key === key);
  if (mode) return setMode(app, mode.name);
  return act(app, key);
}

function listenToKeys(app) {
  app.root.addEventListener("keydown", (event) => {
    if (!app.scene || !pressKey(app, event)) return;
    event.preventDefault();
    event.stopPropagation();
  });
  app.root.addEventListener("keyup", (event) => {
    if (event.key.toLowerCase() !== "h") return;
    setHeld(app, false);
    event.stopPropagation();
  });
  app.root.addEventListener("focusout", (event) => {
    if (!app.root.contains(event.relatedTarget)) setHeld(app, false);
  });
}

function focusPanel(app, step) {
  const shown = app.panels.map((_, index) => index).filter((index) => !app.panels[index].figure.hidden);
  const next = shown[shown.indexOf(app.state.active) + step];
  if (next !== undefined) app.panels[next].canvas.focus();
}

// A picture to put one mark on: by a click, or with the arrow keys. Nothing of the answer is in here.
const STEP = 0.02; // of the picture's side, for the arrow keys
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export default function mark({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".mark-it");
  const kept = root.kept && root.kept.token === data.token ? root.kept : { token: data.token, at: null };
  root.kept = kept;
  const picture = document.createElement("img");
  Object.assign(picture, { src: data.picture, alt: data.caption, draggable: false });
  const ring = document.createElement("span");
  ring.className = "ring";
  const box = document.createElement("div");
  box.className = "picture";
  // as high as the window allows, never letterboxed: a click is a share of the picture
  box.style.width = `min(100%, calc(min(60vh, 32rem) * ${data.width / data.height}))`;
  box.tabIndex = 0;
  box.setAttribute("role", "application");
  box.setAttribute("aria-label", `${data.caption}. Click to mark a place, or move the mark with the arrow keys.`);
  box.append(picture, ring);
  root.replaceChildren(box);

  const place = (x, y) => {
    kept.at = [x, y].map((share) => Math.min(Math.max(share, 0), 0.9999));
    draw();
    clearTimeout(root.timer);
    root.timer = setTimeout(() => setStateValue("mark", { token: data.token, x: kept.at[0], y: kept.at[1] }), 150);
  };
  const draw = () => {
    ring.hidden = !kept.at;
    if (kept.at) [ring.style.left, ring.style.top] = kept.at.map((share) => `${100 * share}%`);
  };
  box.onclick = (event) => {
    const area = picture.getBoundingClientRect();
    place((event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height);
  };
  box.onkeydown = (event) => {
    const way = KEYS[event.key];
    if (!way) return;
    event.preventDefault();
    event.stopPropagation();
    const [x, y] = kept.at ?? [0.5, 0.5];
    place(x + STEP * way[0], y + STEP * way[1]);
  };
  draw();
}

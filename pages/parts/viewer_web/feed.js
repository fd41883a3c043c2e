// Bytes on their way to the viewer: kept for the page, announced by an event. No element of its own.
export default function feed({ data, parentElement }) {
  globalThis.triptychFeeds ??= new Map();
  globalThis.triptychFeeds.set(parentElement, data);
  document.dispatchEvent(new Event("triptych-feed"));
  return () => globalThis.triptychFeeds.delete(parentElement);
}

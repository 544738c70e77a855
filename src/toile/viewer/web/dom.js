// Elements and words: all text goes in as text, never as markup.

const SVG = new Set(["svg", "path", "line", "g", "text", "circle", "rect", "polygon"]);

/** An element with attributes (`on…` are listeners, `text` its text) and children; what is null is left out. */
export function element(tag, given = {}, ...children) {
  const made = SVG.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((one) => one !== null && one !== undefined && one !== false));
  return made;
}

/** Put children into a place instead of what is there; what is null is left out. Who is in it by the keyboard stays where they are. */
export function put(place, ...children) {
  const at = document.activeElement;
  const inside = at !== place && place.contains(at);
  place.replaceChildren(...children.flat().filter((one) => one !== null && one !== undefined && one !== false));
  if (inside) [...place.querySelectorAll(at.tagName)].find((one) => alike(one) === alike(at))?.focus({ preventScroll: true });
}

const alike = (one) => ["href", "value", "aria-label", "data-key"].map((name) => one.getAttribute(name)).join() + one.textContent;

export const byId = (id) => document.getElementById(id);

const finite = (value) => typeof value === "number" && Number.isFinite(value);
export const NOTHING = "–";

export const figure = (value, digits = 4) => (finite(value) ? value.toFixed(digits) : NOTHING);
export const percent = (value, digits = 2) => (finite(value) ? `${(100 * value).toFixed(digits)} %` : NOTHING);
export const count = (value) => (finite(value) ? Math.round(value).toLocaleString("en") : NOTHING);

/** `0.84 s`, `12.3 s`, `2 min 05 s`, `1 h 02 min`, as reports have it. */
export function duration(seconds) {
  if (!finite(seconds)) return NOTHING;
  if (seconds < 10) return `${seconds.toFixed(2)}\u00a0s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)}\u00a0s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  const rest = (whole, part) => String(whole % part).padStart(2, "0");
  return minutes < 60 ? `${minutes}\u00a0min\u00a0${rest(Math.round(seconds), 60)}\u00a0s` : `${Math.floor(minutes / 60)}\u00a0h\u00a0${rest(minutes, 60)}\u00a0min`;
}

/** `2024-05-06T07:08:09+00:00` as the reader's own date and time, in figures. */
export function moment(text) {
  const date = new Date(text ?? NaN);
  if (Number.isNaN(date.getTime())) return NOTHING;
  const two = (value) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** Say something to a screen reader, politely. */
export function say(text) {
  byId("said").textContent = text;
}

/** A table in a box of its own that scrolls; `columns` have `label`, `kind` (`number` or none) and maybe `sort`. */
export function table(caption, columns, rows, given = {}) {
  const head = columns.map((one) => element("th", { scope: "col", class: one.kind, text: one.label }));
  const body = rows.map((cells) => element("tr", {}, cells.map((cell, place) => {
    const inside = cell instanceof Node ? cell : String(cell ?? NOTHING);
    return place === 0 ? element("th", { scope: "row" }, inside) : element("td", { class: columns[place].kind }, inside);
  })));
  return element("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: "0", ...given },
    element("table", {}, element("caption", { text: caption }), element("thead", {}, element("tr", {}, head)),
      element("tbody", {}, body)));
}

export function facts(pairs) {
  return element("dl", {}, pairs.filter(([, value]) => value !== NOTHING && value !== null && value !== "")
    .flatMap(([name, value]) => [element("dt", { text: name }), element("dd", {}, value instanceof Node ? value : String(value))]));
}

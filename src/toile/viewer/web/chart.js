// Lines over epochs, drawn as reports draw them: a colour and a marker a line, training dashed and hollow, validation solid.

import { element, figure, table } from "./dom.js";

const WIDTH = 460, HEIGHT = 270, LEFT = 48, RIGHT = 12, TOP = 14, BOTTOM = 36;
const MARKERS = ["circle", "square", "up", "diamond", "down"];
export const MOST = 8; // as many lines as there are colours can be told apart

function marker(kind, x, y, size) {
  const at = (points) => element("polygon", { points: points.map(([a, b]) => `${x + a * size},${y + b * size}`).join(" ") });
  if (kind === "square") return at([[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]]);
  if (kind === "up") return at([[0, -1.2], [1.1, 0.9], [-1.1, 0.9]]);
  if (kind === "down") return at([[0, 1.2], [1.1, -0.9], [-1.1, -0.9]]);
  if (kind === "diamond") return at([[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]]);
  return element("circle", { cx: x, cy: y, r: size });
}

/** Ticks that can be read: 1, 2 or 5 times a power of ten. */
export function ticks(low, high, most) {
  const raw = (high - low) / most || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= raw * 0.999);
  const found = [];
  for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + step * 1e-9; value += step) found.push(Number(value.toPrecision(12)));
  return found;
}

const colour = (series) => `var(--series-${(series % 8) + 1})`;

/** One panel. `lines` have `name`, `series`, `train` (whether dashed), `points` as `[epoch, value]`. */
function panel(title, lines, epochs) {
  const values = lines.flatMap((line) => line.points.map(([, value]) => value));
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  [low, high] = [low - room, high + room];
  const first = 1, last = Math.max(epochs, 2);
  const x = (epoch) => LEFT + ((epoch - first) / (last - first)) * (WIDTH - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - ((value - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const ends = lines.map((line) => `${line.name}${line.train ? ", training" : ""} ${figure(line.points.at(-1)[1])}`).join("; ");
  const drawing = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title} by epoch; at the end: ${ends}` });
  const grid = ticks(low, high, 5);
  const digits = grid.length > 1 && grid[1] - grid[0] < 0.01 ? 3 : 2;
  for (const value of grid) {
    drawing.append(element("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
      element("text", { x: LEFT - 7, y: y(value) + 3.5, "text-anchor": "end", text: value.toFixed(digits) }));
  }
  for (const value of ticks(first, last, 6).filter(Number.isInteger)) {
    drawing.append(element("text", { x: x(value), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle", text: value }));
  }
  drawing.append(element("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM }),
    element("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 4, "text-anchor": "middle", text: "epoch" }));
  for (const line of lines) {
    const path = line.points.map(([epoch, value], place) => `${place ? "L" : "M"}${x(epoch).toFixed(1)} ${y(value).toFixed(1)}`).join("");
    const every = Math.max(1, Math.round(line.points.length / 8));
    const marks = line.points.filter((_, place) => place % every === 0 || place === line.points.length - 1)
      .map(([epoch, value]) => marker(MARKERS[line.series % MARKERS.length], x(epoch), y(value), line.train ? 2.6 : 3.4));
    drawing.append(element("g", { class: line.train ? "line train" : "line", stroke: colour(line.series), fill: colour(line.series) },
      element("path", { d: path }), marks));
  }
  const rule = element("line", { class: "rule", y1: TOP, y2: HEIGHT - BOTTOM, hidden: true });
  drawing.append(rule);
  const readout = element("p", { class: "readout muted", "aria-hidden": "true", text: "\u00a0" });
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * WIDTH;
    const epoch = Math.round(first + ((at - LEFT) / (WIDTH - LEFT - RIGHT)) * (last - first));
    const here = lines.map((line) => [line, line.points.find(([one]) => one === epoch)]).filter(([, point]) => point);
    rule.toggleAttribute("hidden", !here.length);
    if (!here.length) return;
    rule.setAttribute("x1", x(epoch));
    rule.setAttribute("x2", x(epoch));
    const words = here.map(([line, [, value]]) => `${lines.length > 2 ? `${line.name} ` : ""}${line.train ? "training" : "validation"} ${figure(value)}`);
    readout.textContent = `epoch ${epoch}: ${words.join(" · ")}`;
  });
  drawing.addEventListener("pointerleave", () => {
    rule.toggleAttribute("hidden", true);
    readout.textContent = "\u00a0";
  });
  return element("figure", { class: "chart" }, element("figcaption", { text: title }), drawing, readout);
}

/** Curves of one training or of several laid over each other.
 *  @param trainings have `name` and `history`, one row an epoch; `epochs` how many it will have, if it is not over. */
export function curves(trainings, { metrics = ["loss", "accuracy"] } = {}) {
  const shown = trainings.slice(0, MOST).map((one, series) => ({ ...one, series, on: true }))
    .filter((one) => one.history.some((row) => metrics.some((metric) => row[metric] !== undefined)));
  if (!shown.length) return element("p", { class: "muted", text: "There are no learning curves: a classical model is fitted in one piece." });
  const place = element("div", { class: "panels" });
  const draw = () => {
    const on = shown.filter((one) => one.on);
    const epochs = Math.max(1, ...on.map((one) => one.epochs ?? one.history.length));
    place.replaceChildren(...metrics.flatMap((metric) => {
      const lines = on.flatMap((one) => [false, true].map((train) => ({
        name: one.name, series: one.series, train,
        points: one.history.map((row) => [row.epoch, row[train ? metric : `validation_${metric}`]]).filter(([, value]) => Number.isFinite(value)),
      }))).filter((line) => line.points.length);
      return lines.length ? [panel(metric, lines, epochs)] : [];
    }));
  };
  const legend = element("ul", { class: "legend" }, shown.map((one) => {
    const sample = element("svg", { viewBox: "0 0 30 10", "aria-hidden": "true", stroke: colour(one.series), fill: colour(one.series) },
      element("line", { x1: 1, x2: 29, y1: 5, y2: 5, "stroke-width": 2 }), marker(MARKERS[one.series % MARKERS.length], 15, 5, 3.4));
    const pick = element("button", { type: "button", class: "pick", "aria-pressed": "true" }, sample, one.name);
    pick.addEventListener("click", () => {
      one.on = !one.on;
      pick.setAttribute("aria-pressed", String(one.on));
      draw();
    });
    return element("li", {}, shown.length > 1 ? pick : element("span", { class: "pick" }, sample, one.name));
  }), element("li", { class: "muted key", text: "solid: validation; dashed: training" }));
  draw();
  return element("div", { class: "curves" }, legend, place, numbers(shown, metrics));
}

/** The same as figures, for who does not see the lines. */
function numbers(trainings, metrics) {
  const details = element("details", {}, element("summary", { text: "The curves as figures" }));
  details.addEventListener("toggle", () => {
    if (!details.open || details.children.length > 1) return;
    const columns = [{ label: "epoch", kind: "" }];
    const keys = [];
    for (const one of trainings) {
      for (const key of metrics.flatMap((metric) => [metric, `validation_${metric}`])) {
        if (one.history.some((row) => row[key] !== undefined)) {
          columns.push({ label: (trainings.length > 1 ? `${one.name}: ` : "") + key.replaceAll("_", " "), kind: "number" });
          keys.push([one, key]);
        }
      }
    }
    const epochs = Math.max(...trainings.map((one) => one.history.length));
    const rows = Array.from({ length: epochs }, (_, place) => [place + 1, ...keys.map(([one, key]) => figure(one.history[place]?.[key]))]);
    details.append(table("Learning curves, epoch by epoch", columns, rows));
  }, { once: false });
  return details;
}

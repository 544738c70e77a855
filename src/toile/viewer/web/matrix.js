// A confusion matrix whose cells show their pictures, and the mistakes of a model.

import { element, percent } from "./dom.js";
import { Problem, ask } from "./store.js";

const READABLE = 16; // beyond this many classes no number in a cell can be read; its label says it
// The square root brings out rare mistakes. Neither ink nor paper can be read on colours between the two.
const STRONG = 0.75;

/** @param subject a fingerprint, or STUDY~NUMBER of a committee. */
export function matrix(subject, name, counts, classes) {
  const pictures = element("div", { class: "cell-pictures", "aria-live": "polite" });
  const sums = counts.map((row) => row.reduce((sum, one) => sum + one, 0));
  let pressed = null;
  const button = (row, column) => {
    const images = counts[row][column];
    const share = sums[row] ? images / sums[row] : 0;
    const label = `${classes[row]} taken for ${classes[column]}: ${images} ${images === 1 ? "image" : "images"}`;
    if (!images) return element("span", { class: "cell none", "aria-label": label });
    const made = element("button", {
      type: "button", class: `cell ${row === column ? "right" : "wrong"}${Math.sqrt(share) > STRONG ? " strong" : ""}`,
      "aria-label": label, title: label, text: classes.length > READABLE ? "" : images.toLocaleString("en"), "aria-pressed": "false",
    });
    made.style.setProperty("--share", (Math.sqrt(share) > STRONG ? 1 : 0.6 * Math.sqrt(share)).toFixed(3));
    made.addEventListener("click", async () => {
      pressed?.setAttribute("aria-pressed", "false");
      pressed = made;
      made.setAttribute("aria-pressed", "true");
      const about = row === column ? `${classes[row]}, right` : `${classes[row]}, taken for ${classes[column]}`;
      await fill(pictures, subject, `cell?true=${row}&chosen=${column}`, about);
    });
    return made;
  };
  const head = element("tr", {}, element("td", { class: "corner" }), classes.map((one) => element("th", { scope: "col" }, element("span", { text: one }))));
  const rows = counts.map((row, index) => element("tr", {}, element("th", { scope: "row", text: classes[index] }),
    row.map((_, column) => element("td", {}, button(index, column)))));
  const caption = `Confusion matrix of ${name} on the test images: the row is the true class, the column the chosen one. A cell shows its pictures.`;
  const box = element("div", { class: "scroll", role: "region", "aria-label": `Confusion matrix of ${name}`, tabindex: "0" },
    element("table", { class: classes.length > READABLE ? "matrix small" : "matrix" }, element("caption", { text: caption }),
      element("thead", {}, head), element("tbody", {}, rows)));
  walk(box);
  return element("div", { class: "confusion" }, box, pictures);
}

/** Arrow keys go from cell to cell. */
function walk(box) {
  box.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const cell = event.target.closest("td");
    if (!step || !cell) return;
    event.preventDefault();
    const rows = [...box.querySelectorAll("tbody tr")];
    let row = rows.indexOf(cell.parentElement), column = [...cell.parentElement.children].indexOf(cell);
    for (;;) {
      row += step[0];
      column += step[1];
      const there = rows[row]?.children[column];
      if (!there || there.tagName !== "TD") return;
      const next = there.querySelector("button");
      if (next) return next.focus();
    }
  });
}

async function fill(place, subject, path, about) {
  place.setAttribute("aria-busy", "true");
  try {
    const found = await ask(`/v1/said/${encodeURIComponent(subject)}/${path}`);
    place.replaceChildren(gallery(subject, found, about));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    place.replaceChildren(element("p", { class: "notice", role: "alert", text: error.message }));
  } finally {
    place.removeAttribute("aria-busy");
  }
}

function gallery(subject, found, about) {
  const of = found.images > found.shown.length ? `, the ${found.shown.length} it is surest of` : "";
  return element("section", { class: "gallery" },
    element("h3", { text: `${about}: ${found.images.toLocaleString("en")} ${found.images === 1 ? "image" : "images"}${of}` }),
    element("ul", {}, found.shown.map((one) => {
      const said = one.choice === one.truth ? `${one.choice}, ${percent(one.probability, 1)}`
        : `${one.truth} taken for ${one.choice}, ${percent(one.probability, 1)}; for ${one.truth} ${percent(one.of_truth, 1)}`;
      return element("li", { title: said },
        element("img", { src: `/v1/said/${encodeURIComponent(subject)}/images/${one.index}.png`, alt: `Test image ${one.index}: ${said}`, loading: "lazy", width: 84, height: 84 }),
        element("span", { class: "of", text: one.choice === one.truth ? one.choice : `${one.truth} → ${one.choice}` }),
        element("span", { class: "muted", text: percent(one.probability, 1) }));
    })));
}

/** The images that it gets wrong, when they are asked for. */
export function mistakes(subject) {
  const place = element("div", { "aria-live": "polite" });
  const button = element("button", { type: "button", text: "Show its surest mistakes" });
  button.addEventListener("click", async () => {
    await fill(place, subject, "mistakes", "Mistakes");
    button.remove();
  });
  return element("div", { class: "mistakes" }, button, place);
}

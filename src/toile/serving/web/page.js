// The page: an image comes in by one of five ways, an answer is shown.

import { drawing } from "./draw.js";
import { heat, peak } from "./pixels.js";
import { byId, element, percent, show } from "./result.js";
import * as server from "./server.js";
import { shrink } from "./shrink.js";

const WIDE = matchMedia("(min-width: 58rem)"); // as in the style sheet: the answer is beside the image

let model = null;
let current = null; // { image, answer, asIs } of what is shown
let again = null; // asks once more about what is shown
let asking = new AbortController();

function tell(problem) {
  byId("problem").textContent = problem ?? "";
  byId("problem").hidden = !problem;
}

/** Do one thing for the latest image; what was asked for an earlier one no longer counts. */
async function latest(work) {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  byId("answer").setAttribute("aria-busy", "true");
  try {
    await work(signal);
    if (!signal.aborted) tell(null);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof server.Problem)) throw error;
    tell(error.message);
  } finally {
    if (!signal.aborted) byId("answer").removeAttribute("aria-busy");
  }
}

function forget() {
  current = null;
  byId("result").hidden = true;
  byId("said").textContent = "";
}

/** Ask about a picture, or about one that is still to come. `label` is what the data set says of it; `come` to the answer
 *  where it is below the screen. Nothing is guessed about the data set's own. */
function ask(source, { label, small, come = true } = {}) {
  again = () => ask(source, { label, small, come: false });
  return latest(async (signal) => {
    try {
      const file = await source;
      if (signal.aborted) return;
      preview(file, small);
      const { image, done } = await shrink(file, model.limits);
      const asIs = label !== undefined || byId("as-is").checked;
      const answer = await server.predict(image, asIs, signal);
      if (signal.aborted) return;
      current = { image, answer, asIs };
      mattered(false);
      show(answer, { done, label });
      byId("result").hidden = false;
      byId("empty").hidden = true;
    } catch (error) {
      if (!signal.aborted) forget();
      throw error;
    } finally {
      if (!signal.aborted && come && !WIDE.matches) byId("answer").scrollIntoView();
    }
  });
}

function preview(file, small = false) {
  const image = byId("chosen");
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(file);
  image.alt = file.name ? `The chosen picture, ${file.name}` : "The chosen picture";
  image.classList.toggle("small", small);
  image.hidden = false;
  image.onerror = () => { image.hidden = true; };
}

function pick(files) {
  if (!files.length) return;
  press(null);
  way("picture");
  ask(files[0]);
}

function way(name) {
  document.querySelector(`input[name=way][value=${name}]`).checked = true;
  byId("way-picture").hidden = name !== "picture";
  byId("way-draw").hidden = name !== "draw";
}

function press(button) {
  for (const one of byId("sample-list").querySelectorAll("button")) one.setAttribute("aria-pressed", String(one === button));
}

function mattered(shown) {
  byId("heat").hidden = byId("legend").hidden = !shown;
  byId("explain").textContent = shown ? "Hide what mattered" : "Show what mattered";
  byId("explain").setAttribute("aria-expanded", String(shown));
}

function explain() {
  if (!byId("heat").hidden) return mattered(false);
  return latest(async (signal) => {
    const { image, answer, asIs } = current;
    const found = await server.explain(image, answer.class, asIs, signal);
    if (signal.aborted) return;
    const { mean, where } = peak(found.map);
    const line = mean > 0.0005
      ? `The ${where} matters most: covering parts of it lowers the probability of ${answer.class} by ${(100 * mean).toFixed(1)} `
        + "points on average."
      : `No part alone matters: covering any leaves the probability of ${answer.class} about as it is.`;
    heat(byId("heat"), found.map);
    byId("heat").setAttribute("aria-label", `What mattered. ${line}`);
    mattered(true);
    byId("heat-line").textContent = line;
  });
}

function introduce() {
  const committee = model.kind === "committee";
  const accuracy = model.metrics?.test?.accuracy;
  const parts = [committee ? `A committee of ${model.members.length}` : "One model", `${model.classes.length} classes`];
  if (model.dataset?.name) parts.push(model.dataset.name);
  if (accuracy !== undefined) parts.push(`right on ${(100 * accuracy).toFixed(2)} % of the test images`);
  document.title = `${model.name} · toile`;
  byId("model-name").textContent = model.name;
  byId("model-line").textContent = parts.join(" · ");
  const facts = [["Study", model.study], ["Classes", model.classes.join(", ")], ["Images", model.image_shape.join(" x ")],
    ["Rule", committee ? model.rule?.name : null], ["Calibration", model.calibration?.name],
    ...model.members.map((one) => [one.name, [one.architecture, one.fingerprint?.slice(0, 12)].filter(Boolean).join(", ")]),
    ["Data", [model.dataset?.name, model.dataset?.content?.slice(0, 12)].filter(Boolean).join(", ")], ["toile", model.toile]];
  for (const [name, text] of facts) if (text) byId("about").append(element("dt", { text: name }), element("dd", { text }));
}

function offerSamples() {
  model.samples.forEach((sample, index) => {
    const image = element("img", { src: sample.url, alt: `Sample ${index + 1}: ${sample.class}`, loading: "lazy" });
    const button = element("button", { type: "button", "aria-pressed": "false", title: sample.class }, image);
    button.addEventListener("click", () => {
      press(button);
      way("picture");
      ask(server.sample(sample.url), { label: sample.class, small: true });
    });
    byId("sample-list").append(element("li", {}, button));
  });
  byId("samples-of").textContent = model.dataset?.name ? `of ${model.dataset.name}` : "";
  byId("samples").hidden = !model.samples.length;
}

/** What the model has learned of borders and margins, and the switch for what is guessed by it. */
function offerGuess() {
  const guess = model.form.guess;
  byId("as-is-line").hidden = !guess;
  if (!guess) return;
  const known = guess.border < 128 ? "light on dark" : "dark on light";
  const trims = guess.fill === undefined ? "" : ", and trims it";
  byId("as-is-hint").textContent = `The model knows ${known}: it inverts a picture that is not${trims}.`;
  byId("as-is").addEventListener("change", () => again?.());
}

function listen() {
  byId("file").addEventListener("change", (event) => {
    pick(event.target.files);
    event.target.value = ""; // the same file may be chosen again
  });
  for (const one of document.querySelectorAll("input[name=way]")) one.addEventListener("change", () => way(one.value));
  document.addEventListener("paste", (event) => pick(event.clipboardData?.files ?? []));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("over");
    pick(event.dataTransfer?.files ?? []);
  });
  byId("explain").addEventListener("click", explain);
  const light = model.form.guess !== undefined && model.form.guess.border < 128;
  const area = drawing(byId("canvas"), {
    ink: light ? "#fff" : "#000",
    ground: light ? "#000" : "#fff",
    brush: () => Number(byId("brush").value),
    drawn(blob) {
      press(null);
      if (blob) return ask(blob, { come: false });
      asking.abort();
      byId("answer").removeAttribute("aria-busy");
      forget();
      again = null;
      byId("empty").hidden = false;
      return tell(null);
    },
  });
  byId("undo").addEventListener("click", area.undo);
  byId("clear").addEventListener("click", area.clear);
}

try {
  model = await server.model();
  introduce();
  offerSamples();
  offerGuess();
  listen();
  document.body.dataset.ready = "true";
} catch (error) {
  tell(error.message);
}

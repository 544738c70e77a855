// All runs in a table: sorted, filtered, chosen.

import { NOTHING, byId, count, duration, element, figure, moment, put, say } from "./dom.js";
import { called, choose, chosen, dataset, forget, known, listen, title } from "./store.js";

const STEP = 100; // rows that are drawn at once

const COLUMNS = [
  { key: "name", label: "run", of: title, kind: "" },
  { key: "validation_accuracy", label: "accuracy, validation", of: (run) => run.validation_accuracy, show: (v) => figure(v), kind: "number" },
  { key: "test_accuracy", label: "accuracy, test", of: (run) => run.test_accuracy, show: (v) => figure(v), kind: "number" },
  { key: "test_loss", label: "log loss, test", of: (run) => run.test_loss, show: (v) => figure(v), kind: "number", up: true },
  { key: "test_ece", label: "calibration error", of: (run) => run.test_ece, show: (v) => figure(v), kind: "number", up: true },
  { key: "architecture", label: "architecture", of: (run) => run.architecture, kind: "" },
  { key: "dataset", label: "data", of: (run) => dataset(run.dataset), kind: "" },
  { key: "parameters", label: "parameters", of: (run) => run.parameters, show: count, kind: "number", up: true },
  { key: "epochs", label: "epochs", of: (run) => run.epochs, show: count, kind: "number", up: true },
  { key: "optimizer", label: "optimizer", of: (run) => run.optimizer, kind: "" },
  { key: "learning_rate", label: "learning rate", of: (run) => run.learning_rate, show: (v) => (v === null ? NOTHING : String(Number(v.toPrecision(4)))), kind: "number" },
  { key: "batch_size", label: "batch", of: (run) => run.batch_size, show: count, kind: "number" },
  { key: "seconds", label: "training", of: (run) => run.seconds, show: duration, kind: "number", up: true },
  { key: "finished", label: "finished", of: (run) => run.finished, show: moment, kind: "number" },
];

// What was asked of the table stays when one comes back to it.
const asked = { text: "", study: "", architecture: "", dataset: "", sort: "finished", down: true };

/** All words that a run is found by, made once. */
function wordsOf(run) {
  run.words ??= [title(run), run.architecture, run.options, dataset(run.dataset), run.optimizer, run.fingerprint, run.state,
    ...called(run.fingerprint).flatMap((one) => [one.study, one.name])].join(" ").toLowerCase();
  return run.words;
}

export function matching(runs, wanted) {
  const words = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
  return runs.filter((run) => (!wanted.architecture || run.architecture === wanted.architecture)
    && (!wanted.dataset || run.dataset === wanted.dataset)
    && (!wanted.study || called(run.fingerprint).some((one) => one.study === wanted.study))
    && words.every((word) => wordsOf(run).includes(word)));
}

function sorted(runs) {
  const column = COLUMNS.find((one) => one.key === asked.sort);
  const keyed = runs.map((run) => [column.of(run) ?? null, run]);
  const way = asked.down ? -1 : 1;
  // What has no figure is last, whichever way it is sorted.
  keyed.sort(([a], [b]) => (a === null) - (b === null) || (a < b ? -way : a > b ? way : 0));
  return keyed.map(([, run]) => run);
}

function options(select, values, all) {
  const now = select.value;
  select.replaceChildren(element("option", { value: "", text: all }),
    ...values.map(([value, text]) => element("option", { value, text })));
  select.value = values.some(([value]) => value === now) ? now : "";
}

export function view(main) {
  let shown = STEP;
  const text = element("input", { type: "search", id: "filter", placeholder: "words, all of which a run has", autocomplete: "off", value: asked.text });
  const selects = {
    study: element("select", { id: "by-study" }),
    architecture: element("select", { id: "by-architecture" }),
    dataset: element("select", { id: "by-dataset" }),
  };
  const summary = element("p", { class: "muted", id: "runs-found", role: "status" });
  const head = element("tr", {}, element("td", { class: "tick" }, element("span", { class: "hidden", text: "choose" })), COLUMNS.map((column) => {
    const button = element("button", { type: "button", class: "sort", text: column.label });
    button.addEventListener("click", () => {
      asked.down = asked.sort === column.key ? !asked.down : !column.up && column.kind === "number";
      asked.sort = column.key;
      draw();
      say(`sorted by ${column.label}, ${asked.down ? "highest first" : "lowest first"}`);
    });
    return element("th", { scope: "col", class: column.kind, "data-key": column.key }, button);
  }));
  const body = element("tbody");
  const more = element("button", { type: "button", class: "more", hidden: true });
  more.addEventListener("click", () => {
    shown += 10 * STEP;
    draw();
  });

  function row(run) {
    const tick = element("input", { type: "checkbox", value: run.fingerprint, "aria-label": `choose ${title(run)}` });
    tick.checked = chosen.has(run.fingerprint);
    tick.addEventListener("change", () => choose(run.fingerprint, tick.checked));
    if (run.state === "damaged") {
      return element("tr", { class: "quiet" }, element("td"), element("th", { scope: "row" }, `${title(run)} is damaged`),
        element("td", { colspan: COLUMNS.length - 1, text: "toile check says which files; toile check --repair sets it aside" }));
    }
    return element("tr", {}, element("td", { class: "tick" }, element("label", {}, tick)), COLUMNS.map((column, place) => {
      const value = column.of(run);
      if (place === 0) {
        return element("th", { scope: "row" }, element("a", { href: `#run/${run.fingerprint}`, text: value }),
          element("span", { class: "muted under", text: called(run.fingerprint).map((one) => one.study).join(", ") || run.options }));
      }
      return element("td", { class: column.kind, text: column.show ? column.show(value) : value ?? NOTHING });
    }));
  }

  function draw() {
    const found = sorted(matching(known.runs, asked));
    put(body, ...found.slice(0, shown).map(row));
    more.hidden = found.length <= shown;
    more.textContent = `Show more of the ${(found.length - shown).toLocaleString("en")} others`;
    const reading = known.left ? `; ${known.left.toLocaleString("en")} more are being read` : "";
    summary.textContent = `${found.length.toLocaleString("en")} of ${known.runs.length.toLocaleString("en")} runs${reading}`;
    for (const cell of head.querySelectorAll("th")) {
      cell.toggleAttribute("aria-sort", false);
      if (cell.dataset.key === asked.sort) cell.setAttribute("aria-sort", asked.down ? "descending" : "ascending");
    }
  }

  function fill() {
    const distinct = (key) => [...new Set(known.runs.map((run) => run[key]).filter(Boolean))].sort();
    options(selects.study, known.studies.filter((one) => one.states.stored).map((one) => [one.reference, one.title]), "all studies");
    options(selects.architecture, distinct("architecture").map((one) => [one, one]), "all architectures");
    options(selects.dataset, distinct("dataset").map((one) => {
      const twice = distinct("dataset").filter((other) => dataset(other) === dataset(one)).length > 1;
      return [one, dataset(one) + (twice ? ` (${known.store.datasets[one]?.classes ?? "?"} classes, ${one.slice(0, 6)})` : "")];
    }), "all data");
    for (const [key, select] of Object.entries(selects)) select.value = asked[key];
    for (const [key, select] of Object.entries(selects)) asked[key] = select.value;
    draw();
  }

  text.addEventListener("input", () => {
    asked.text = text.value;
    shown = STEP;
    draw();
  });
  for (const [key, select] of Object.entries(selects)) {
    select.addEventListener("change", () => {
      asked[key] = select.value;
      shown = STEP;
      draw();
    });
  }
  put(main,
    element("h1", { text: "Runs" }),
    element("form", { class: "filters", role: "search", onsubmit: (event) => event.preventDefault() },
      element("label", { for: "filter" }, "Find", text),
      element("label", { for: "by-study" }, "Study", selects.study),
      element("label", { for: "by-architecture" }, "Architecture", selects.architecture),
      element("label", { for: "by-dataset" }, "Data", selects.dataset)),
    summary,
    element("div", { class: "scroll tall", role: "region", "aria-label": "All runs", tabindex: "0" },
      element("table", { class: "runs" }, element("caption", { class: "hidden", text: "All runs of the store" }),
        element("thead", {}, head), body)),
    more);
  fill();
  return listen((what) => {
    if (what === "runs" || what === "studies") fill();
    if (what === "chosen" && !chosen.size) draw();
  });
}

/** What may be done with the runs that are chosen. */
export function tray() {
  const place = byId("tray");
  const runs = [...chosen].map((fingerprint) => known.byFingerprint.get(fingerprint)).filter(Boolean);
  place.hidden = !runs.length;
  if (!runs.length) return;
  const [a, b] = runs;
  put(place,
    element("p", { text: `${runs.length} chosen: ${runs.slice(0, 3).map(title).join(", ")}${runs.length > 3 ? " …" : ""}` }),
    element("p", {},
      runs.length === 2 ? element("a", { class: "button", href: `#compare/${a.fingerprint}/${b.fingerprint}`, text: "Compare" }) : null,
      element("a", { class: "button plain", href: `#curves/${runs.map((run) => run.fingerprint).join(",")}`, text: "Lay curves over each other" }),
      element("button", { type: "button", text: "Forget", onclick: forget })));
}

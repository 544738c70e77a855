// One run, two compared, and curves laid over each other.

import { MOST, curves } from "./chart.js";
import { NOTHING, count, duration, element, facts, figure, moment, percent, put, table } from "./dom.js";
import { matrix, mistakes } from "./matrix.js";
import { ask, called, choose, chosen, dataset, known, listen, title } from "./store.js";

const words = (value) => {
  if (Array.isArray(value)) return value.map(words).join("–");
  if (value && typeof value === "object") return Object.entries(value).map(([key, one]) => `${key.replaceAll("_", " ")} ${words(one)}`).join("; ");
  if (value === true || value === false) return value ? "yes" : "no";
  return value === null ? "none" : String(value);
};

/** What an optimizer or a schedule was given: its name, and in brackets what is not off. */
function given(found) {
  const { name, options, revision, weights, ...others } = found;
  const rest = Object.entries({ ...others, ...options }).filter(([, value]) => value !== null && value !== false && value !== undefined);
  return rest.length ? `${name} (${rest.map(([key, value]) => `${key.replaceAll("_", " ")} ${words(value)}`).join(", ")})` : name;
}

const isCommittee = (subject) => /~\d+$/.test(subject); // STUDY~NUMBER
const nameOf = (subject) => (isCommittee(subject) ? subject : title(known.byFingerprint.get(subject) ?? { fingerprint: subject }));

export async function run(main, fingerprint) {
  const found = await ask(`/v1/runs/${fingerprint}`);
  const { trial, metrics, provenance } = found;
  const row = known.byFingerprint.get(fingerprint) ?? { fingerprint, architecture: trial.architecture.name };
  const choice = element("button", { type: "button", "aria-pressed": String(chosen.has(fingerprint)) });
  const say = () => (choice.textContent = chosen.has(fingerprint) ? "Chosen" : "Choose to compare");
  say();
  choice.addEventListener("click", () => {
    choose(fingerprint, !chosen.has(fingerprint));
    choice.setAttribute("aria-pressed", String(chosen.has(fingerprint)));
    say();
  });
  const splits = ["train", "validation", "test"].filter((one) => metrics[one]);
  const measures = [["accuracy", "accuracy"], ["loss", "log loss"], ["precision", "precision"], ["recall", "recall"], ["f1_macro", "F1 (macro)"],
    ["roc_auc_ovr", "ROC AUC"], ["brier", "Brier score"], ["ece", "calibration error"]];
  put(main,
    element("p", { class: "kicker" }, element("a", { href: "#runs", text: "Runs" }), ` · ${dataset(trial.dataset.content)}`),
    element("h1", { text: title(row) }),
    element("p", { class: "lead", text: `${trial.architecture.name}: ${percent(metrics.test?.accuracy ?? metrics.validation?.accuracy)} `
      + `of the ${metrics.test ? "test" : "validation"} images right; ${count(provenance.parameters)} parameters, trained in ${duration(provenance.seconds?.train)}.` }),
    element("p", {}, choice),
    element("section", {}, element("h2", { text: "Learning curves" }), curves([{ name: title(row), history: found.history }])),
    element("section", {}, element("h2", { text: "Mistakes" }),
      found.matrix ? matrix(fingerprint, title(row), found.matrix, found.classes) : element("p", { class: "muted", text: found.why }),
      found.matrix ? mistakes(fingerprint) : null),
    element("section", {}, element("h2", { text: "Figures" }),
      table("Figures by part", [{ label: "" }, ...splits.map((label) => ({ label, kind: "number" }))],
        [...measures.map(([key, label]) => [label, ...splits.map((one) => figure(metrics[one][key]))]),
          ["images", ...splits.map((one) => count(metrics[one].images ?? provenance.images?.[one]))]])),
    element("section", {}, element("h2", { text: "What it is" }), facts([
      ["in studies", called(fingerprint).map((one) => `${one.study}/${one.name}`).join(", ")],
      ["architecture", given(trial.architecture)],
      ["optimizer", trial.learner === "classical" ? NOTHING : given(trial.recipe.optimizer)],
      ["schedule", trial.learner === "classical" ? NOTHING : given(trial.recipe.schedule)],
      ["batch", trial.learner === "classical" ? NOTHING : trial.recipe.batch_size],
      ["epochs", trial.learner === "classical" ? NOTHING : `${provenance.epochs_run} of ${trial.recipe.epochs}`],
      ["augmentation", trial.recipe.augmentation ? words(trial.recipe.augmentation) : NOTHING],
      ["split", given({ name: trial.split.folds ? `${trial.split.folds} folds` : "held out", ...trial.split, folds: null })],
      ["seed", trial.seed],
      ["fold", trial.fold === null || trial.fold === undefined ? NOTHING : trial.fold + 1],
      ["finished", moment(provenance.finished)],
      ["on", words(provenance.machine ?? {})],
      ["fingerprint", element("code", { text: fingerprint })],
      ["checked", found.checked ? "every file against its hash as it is read" : "no: a run of before manifests"],
    ])));
}

const hash = encodeURIComponent;

/** Two runs or committees: `[name, subject]`, with a choice of other ones. */
export async function compare(main, a, b) {
  const choices = (now, place) => {
    const select = element("select", { id: `side-${place}` },
      element("optgroup", { label: "Runs" }, known.runs.filter((one) => one.state === "stored").slice(0, 2000)
        .map((one) => element("option", { value: one.fingerprint, text: `${title(one)} (${figure(one.test_accuracy)})` }))));
    if (![...select.options].some((one) => one.value === now)) select.prepend(element("option", { value: now, text: nameOf(now) }));
    select.value = now;
    select.addEventListener("change", () => (location.hash = place ? `#compare/${hash(a)}/${hash(select.value)}` : `#compare/${hash(select.value)}/${hash(b)}`));
    return element("label", { for: `side-${place}` }, place ? "with" : "Compare", select);
  };
  const place = element("div", { "aria-live": "polite" });
  const sides = [choices(a, 0), choices(b, 1)];
  put(main, element("p", { class: "kicker" }, element("a", { href: "#runs", text: "Runs" })), element("h1", { text: "Two compared" }),
    element("form", { class: "filters", onsubmit: (event) => event.preventDefault() }, sides), place);
  const add = () => committees(sides.map((side) => side.querySelector("select")), [a, b]);
  const end = listen((what) => what === "studies" && add());
  add();
  const found = await ask(`/v1/compare?a=${hash(a)}&b=${hash(b)}`).catch((problem) => {
    end();
    throw problem;
  });
  const [one, other] = [a, b].map((subject, index) => (isCommittee(subject) ? found.names[index] : nameOf(subject)));
  const p = found.p_value < 0.0001 ? "p < 0.0001" : `p = ${found.p_value.toPrecision(found.p_value < 0.05 === found.p_value.toPrecision(2) < 0.05 ? 2 : 4)}`;
  const more = found.only_a > found.only_b ? one : other;
  const verdict = found.differ ? `${more} is right more often, and not by chance (${p}).` : `No difference is shown (${p}).`;
  const interval = ([low, high]) => `${low >= 0 ? "+" : "−"}${Math.abs(low).toFixed(4)} to ${high >= 0 ? "+" : "−"}${Math.abs(high).toFixed(4)}`;
  put(place,
    element("p", { class: "lead", text: verdict }),
    table(`On the same ${count(found.images)} test images`, [{ label: "" }, { label: one, kind: "number" }, { label: other, kind: "number" }, { label: "difference", kind: "number" }, { label: "95 % interval", kind: "number" }], [
      ["accuracy", ...found.accuracies.map((v) => figure(v)), figure(found.difference), interval(found.interval)],
      ["log loss", ...found.losses.map((v) => figure(v)), figure(found.loss_difference), interval(found.loss_interval)],
    ]),
    table("Images by who is right", [{ label: "" }, { label: `${other} right`, kind: "number" }, { label: `${other} wrong`, kind: "number" }], [
      [`${one} right`, count(found.both_right), count(found.only_a)],
      [`${one} wrong`, count(found.only_b), count(found.both_wrong)],
    ]),
    element("p", { class: "note muted", text: "McNemar's exact test: of the images that only one of them gets right, are they shared evenly? "
      + "It speaks of these two trainings, not of other seeds, and of test images that must not choose between them." }));
  const runs = [a, b].filter((fingerprint) => known.byFingerprint.has(fingerprint));
  if (runs.length === 2) place.append(element("section", {}, element("h2", { text: "Learning curves" }), await overlaid(runs)));
  return end;
}

/** Put the committees of all studies before the runs of both choices: they are joined when they are asked for, so they come later. */
async function committees(selects, now) {
  for (const study of known.studies.filter((one) => one.committees)) {
    const found = await ask(`/v1/studies/${hash(study.reference)}`).catch(() => null);
    selects.forEach((select, index) => {
      if (!found?.committees.length || select.querySelector(`optgroup[data-study="${CSS.escape(study.reference)}"]`)) return;
      const options = found.committees.map((one, number) => {
        const value = `${study.reference}~${number}`;
        for (const alone of select.querySelectorAll(`:scope > option`)) if (alone.value === value) alone.remove();
        return element("option", { value, text: `${one.name} (${figure(one.test.accuracy)})` });
      });
      select.prepend(element("optgroup", { label: `Committees of ${found.title}`, "data-study": study.reference }, options));
      select.value = now[index];
    });
  }
}

async function overlaid(fingerprints) {
  const trainings = await Promise.all(fingerprints.slice(0, MOST).map(async (fingerprint) => ({
    name: nameOf(fingerprint), history: await ask(`/v1/runs/${fingerprint}/history`),
  })));
  return curves(trainings, { metrics: ["loss", "accuracy"] });
}

export async function over(main, fingerprints) {
  const few = fingerprints.length > MOST ? ` Of ${fingerprints.length}, the first ${MOST} are shown: more colours cannot be told apart.` : "";
  put(main, element("p", { class: "kicker" }, element("a", { href: "#runs", text: "Runs" })), element("h1", { text: "Learning curves" }),
    element("p", { class: "muted", text: `A name picks a line, or puts it away.${few}` }), await overlaid(fingerprints));
}

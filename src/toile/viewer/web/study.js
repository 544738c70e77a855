// Studies, and what is being trained now.

import { curves } from "./chart.js";
import { byId, duration, element, figure, put, table } from "./dom.js";
import { matrix, mistakes } from "./matrix.js";
import { ask, called, dataset, known, listen, title } from "./store.js";

const plural = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

const all = (states) => states.stored + states.begun + states.missing;

function bar(states) {
  const made = element("div", { class: "progress", role: "img", "aria-label": `${states.stored} of ${all(states)} trials stored, ${states.begun} begun` },
    element("span", { class: "stored" }), element("span", { class: "begun" }));
  made.children[0].style.setProperty("width", `${(100 * states.stored) / all(states)}%`);
  made.children[1].style.setProperty("width", `${(100 * states.begun) / all(states)}%`);
  return made;
}

const report = (study) => element("a", { href: `/v1/studies/${encodeURIComponent(study.reference)}/report`, target: "_blank", rel: "noopener", text: "Report" });

export function studies(main) {
  function draw() {
    put(main, element("h1", { text: "Studies" }),
      known.studies.length ? element("div", { class: "cards" }, known.studies.map((study) => element("article", { class: "card" },
        element("h2", {}, element("a", { href: `#study/${encodeURIComponent(study.reference)}`, text: study.title })),
        element("p", { class: "muted", text: `${study.reference} · ${study.dataset}` }),
        bar(study.states),
        element("p", { text: `${study.states.stored} stored, ${study.states.begun} begun, ${study.states.missing} not begun` }),
        study.states.stored ? element("p", {}, report(study)) : null)))
        : element("p", { class: "empty", text: known.looked
          ? "The store has nothing of any packaged study, nor of a study file in this folder. Name one: toile open STUDY."
          : "The studies are being read." }));
  }
  draw();
  return listen((what) => what === "studies" && draw());
}

/** A training that is at work, or was: how far it is, how fast, how long still, and its curves. */
function training(one) {
  const studies = called(one.fingerprint).map((found) => found.study).join(", ");
  const done = element("div", { class: "progress", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": one.epochs, "aria-valuenow": one.epoch,
    "aria-label": `epochs of ${title(one)}` }, element("span", { class: one.at_work ? "stored" : "begun" }));
  done.children[0].style.setProperty("width", `${(100 * one.epoch) / one.epochs}%`);
  const where = one.epochs === 1 ? "being fitted" : one.epoch ? `epoch ${one.epoch} of ${one.epochs} done` : `in the first of ${plural(one.epochs, "epoch")}`;
  const speed = one.seconds_an_epoch ? `${duration(one.seconds_an_epoch)} an epoch` : "";
  const left = one.at_work && one.seconds_left !== null ? `at most ${duration(one.seconds_left)} left` : "";
  return element("article", { class: one.at_work ? "training" : "training quiet", "data-fingerprint": one.fingerprint },
    element("h2", {}, title(one)),
    element("p", { class: "muted", text: [studies, one.architecture, dataset(one.dataset), one.seed === null ? "" : `seed ${one.seed}`].filter(Boolean).join(" · ") }),
    done,
    element("p", { class: "pace", text: [one.at_work ? where : `interrupted: ${where}`, speed, left].filter(Boolean).join(" · ") }),
    one.epoch ? curves([{ name: title(one), history: one.history, epochs: one.epochs }]) : null);
}

/** Draw trainings into a place, and draw only those anew that have changed, so that what is open or picked stays so. */
function place(wanted) {
  const made = element("div", { class: "trainings" });
  const drawn = new Map();
  const draw = () => {
    const there = known.trainings.filter(wanted);
    const kept = there.map((one) => {
      const mark = JSON.stringify([one.epoch, one.at_work, title(one)]);
      const before = drawn.get(one.fingerprint);
      if (before?.mark === mark) return before.node;
      const node = training(one);
      const open = before?.node.querySelector("details")?.open;
      if (open && node.querySelector("details")) node.querySelector("details").open = true;
      drawn.set(one.fingerprint, { mark, node });
      return node;
    });
    for (const old of [...made.children]) if (!kept.includes(old)) old.remove();
    kept.forEach((node, index) => made.children[index] !== node && made.insertBefore(node, made.children[index] ?? null));
    made.hidden = !kept.length;
    return there.length;
  };
  return { made, draw };
}

/** Whether a training is one that its search does not go on with now: its run is stored, and it was not interrupted. */
const rests = (one) => !one.at_work && known.resting.has(one.fingerprint);

export function now(main) {
  const at = place((one) => one.at_work), left = place((one) => !one.at_work && !rests(one));
  const resting = element("p", { class: "muted" });
  const empty = element("p", { class: "empty", text: "Nothing is being trained in this store now. What begins appears here." });
  const over = element("section", {}, element("h2", { class: "over", text: "Interrupted; the same toile run goes on with them" }), left.made);
  put(main, element("h1", { text: "Now" }), empty, at.made, over, resting);
  const draw = () => {
    empty.hidden = at.draw() > 0;
    over.hidden = left.draw() === 0;
    const few = known.trainings.filter(rests).length;
    resting.hidden = !few;
    resting.textContent = `${plural(few, "training")} of searches ${few === 1 ? "rests" : "rest"} after some epochs, which are stored as a run. A search goes on with those that are good enough.`;
  };
  draw();
  return listen((what) => (what === "trainings" || what === "studies") && draw());
}

const STATES = { stored: "stored", begun: "begun", missing: "not begun" };

function committees(study, drawn) {
  return study.committees.map((one, index) => {
    const subject = `${study.reference}~${index}`;
    // One that is as it was stays, with what is open in it.
    const told = JSON.stringify(one);
    if (drawn.get(subject)?.told === told) return drawn.get(subject).node;
    const mark = (member) => (member.fingerprints.length === 1 ? element("a", { href: `#run/${member.fingerprints[0]}`, text: member.name }) : member.name);
    // Its best member of a single training, which it has to be better than.
    const [alone] = one.members.filter((member) => member.fingerprints.length === 1).sort((x, y) => (y.test.accuracy ?? 0) - (x.test.accuracy ?? 0));
    const beyond = element("div");
    const button = element("button", { type: "button", text: "Show its confusion matrix" });
    button.addEventListener("click", async () => {
      const found = await ask(`/v1/committees/${encodeURIComponent(subject)}`);
      beyond.append(matrix(subject, one.name, found.matrix, found.classes), mistakes(subject));
      button.remove();
    });
    const node = element("article", { class: "committee" },
      element("h3", { text: one.name }),
      element("p", { text: `Rule ${one.rule}${one.calibration ? `, then ${one.calibration}` : ""}: accuracy ${figure(one.test.accuracy)}, log loss ${figure(one.test.loss)}, `
        + `calibration error ${figure(one.test.ece)}.${one.fitted_on ? ` Fitted on ${one.fitted_on}.` : ""}` }),
      table(`Members of ${one.name}`, [{ label: "member" }, { label: "counts", kind: "number" }, { label: "own accuracy", kind: "number" }],
        one.members.map((member) => [mark(member), member.share, figure(member.test.accuracy)])),
      element("p", { class: "row" }, button, alone ? element("a", { class: "button", href: `#compare/${encodeURIComponent(subject)}/${alone.fingerprints[0]}`, text: `Compare with ${alone.name}` }) : null),
      beyond);
    drawn.set(subject, { told, node });
    return node;
  });
}

/** The proposals of a search, the best first. */
function leaderboard(search) {
  const mark = (row) => (row.fingerprints.length === 1 ? element("a", { href: `#run/${row.fingerprints[0]}`, text: row.name }) : row.name);
  return element("section", {}, element("h2", { text: "The search" }), search.paragraphs.map((text) => element("p", { text })),
    table("Proposals, the best first", [{ label: "trial" }, { label: "epochs", kind: "number" }, { label: `${search.metric}, validation`, kind: "number" },
      { label: "told from the first" }, { label: "values", kind: "wide" }],
    search.rows.map((row, at) => [mark(row), `${row.epochs} of ${row.whole}`, figure(row.figure), at === 0 ? "–" : row.apart ? "yes" : "no", row.values])));
}

const CHECK = "check";

export async function study(main, reference) {
  const live = place((one) => !rests(one) && called(one.fingerprint).some((found) => found.study === reference));
  const body = element("div"), drawn = new Map();
  put(main, body);
  async function draw() {
    const found = await ask(`/v1/studies/${encodeURIComponent(reference)}`);
    const state = (trial) => {
      const begun = known.trainings.find((one) => one.fingerprint === trial.fingerprint);
      return begun?.at_work ? "being trained" : STATES[trial.state];
    };
    put(body,
      element("p", { class: "kicker" }, element("a", { href: "#studies", text: "Studies" }), ` · ${found.reference} · ${found.dataset}`),
      element("h1", { text: found.title }),
      found.question ? element("p", { class: "question", text: found.question }) : null,
      bar(found.states),
      element("p", {}, `${found.states.stored} of ${plural(all(found.states), "trial")} stored. `, found.states.stored ? report(found) : null),
      live.made,
      found.checks?.length ? element("section", {}, element("h2", { text: "Checks" }), element("ul", { class: "checks" }, found.checks.map((one) => element("li", {
        class: one.silenced ? `${CHECK} quiet` : CHECK }, element("strong", { text: `${one.code} ${one.name}` }), " ", one.text,
        one.silenced ? element("span", { class: "muted", text: ` Silenced: ${one.silenced}` }) : null)))) : null,
      element("section", {}, element("h2", { text: "What was found" }), found.findings.map((text) => element("p", { text }))),
      found.search ? leaderboard(found.search) : null,
      element("section", {}, element("h2", { text: "Trials" }), table("Trials of the study", [{ label: "trial" }, { label: "state" }, { label: "architecture" },
        { label: "accuracy, validation", kind: "number" }, { label: "accuracy, test", kind: "number" }, { label: "log loss, test", kind: "number" }],
      found.trials.map((trial) => [trial.state === "stored" ? element("a", { href: `#run/${trial.fingerprint}`, text: trial.name }) : trial.name,
        state(trial), trial.architecture, figure(trial.validation.accuracy), figure(trial.test.accuracy), figure(trial.test.loss)]))),
      found.committees.length ? element("section", {}, element("h2", { text: "Committees" }), element("div", { class: "committees" }, committees(found, drawn))) : null);
    live.draw();
  }
  await draw();
  return listen((what) => {
    if (what === "trainings") live.draw();
    if (what === "studies") draw().catch(() => {});
  });
}

export function reports(main) {
  const draw = () => put(main, element("h1", { text: "Reports" }),
    element("section", {}, element("h2", { text: "Made now, from what is stored" }),
      element("ul", {}, known.studies.filter((one) => one.states.stored).map((one) => element("li", {}, element("a", {
        href: `/v1/studies/${encodeURIComponent(one.reference)}/report`, target: "_blank", rel: "noopener", text: one.title }),
      element("span", { class: "muted", text: ` ${one.states.stored} of ${one.states.stored + one.states.begun + one.states.missing} trials` }))))),
    element("section", {}, element("h2", { text: "Written by toile report" }), known.store.reports.length
      ? element("ul", {}, known.store.reports.map((name) => element("li", {}, element("a", { href: `/v1/reports/${encodeURIComponent(name)}`, target: "_blank", rel: "noopener", text: name }))))
      : element("p", { class: "muted", text: "There are none in the store." })));
  draw();
  return listen((what) => what === "studies" && draw());
}

/** The line at the top: what is being trained, in a few words. */
export function summary() {
  const at = known.trainings.filter((one) => one.at_work);
  byId("count").hidden = !at.length;
  byId("count").textContent = at.length;
  byId("live").classList.toggle("on", known.connected === true && at.length > 0);
  byId("live").classList.toggle("lost", known.connected === false);
  if (known.connected === null) return "connecting";
  if (!known.connected) return "connection lost; trying again";
  if (!at.length) return "nothing is being trained";
  const left = Math.max(...at.map((one) => one.seconds_left ?? 0));
  return `${plural(at.length, "training")}${left ? ` · at most ${duration(left)} left` : ""}`;
}

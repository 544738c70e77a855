// The page: which view is shown, and the line that is live.

import { byId, element, say } from "./dom.js";
import * as runs from "./runs.js";
import { compare, over, run } from "./run.js";
import { Problem, follow, known, listen, refresh } from "./store.js";
import * as study from "./study.js";

const VIEWS = {
  runs: (main) => runs.view(main),
  run: (main, fingerprint) => run(main, fingerprint),
  compare: (main, a, b) => compare(main, a, b),
  curves: (main, list) => over(main, list.split(",")),
  studies: (main) => study.studies(main),
  study: (main, reference) => study.study(main, reference),
  now: (main) => study.now(main),
  reports: (main) => study.reports(main),
};

let end = null; // of what the view listens to
let turn = 0;

async function show(event) {
  const [name, ...parts] = (location.hash.slice(1) || "runs").split("/").map(decodeURIComponent);
  const view = VIEWS[name] ?? VIEWS.runs;
  const mine = ++turn;
  const main = byId("main");
  end?.();
  end = null;
  for (const link of document.querySelectorAll("nav a")) {
    const own = link.hash.slice(1);
    const here = own === name || (own === "studies" && name === "study") || (own === "runs" && ["run", "compare", "curves"].includes(name));
    link.toggleAttribute("aria-current", false);
    if (here) link.setAttribute("aria-current", "page");
  }
  main.setAttribute("aria-busy", "true");
  const place = element("div", { class: `view view-${name}` });
  try {
    const ended = await view(place, ...parts);
    if (mine !== turn) return ended?.();
    end = ended ?? null;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    place.append(element("p", { class: "notice", role: "alert", text: error.message }));
  }
  if (mine !== turn) return;
  main.replaceChildren(place);
  main.removeAttribute("aria-busy");
  const heading = place.querySelector("h1");
  document.title = `${heading?.textContent ?? "toile"} · toile`;
  if (event) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
    say(heading?.textContent ?? "");
  }
}

let at = null;
listen((what) => {
  byId("live-text").textContent = study.summary();
  if (what === "chosen" || what === "runs") runs.tray();
  const now = known.trainings.filter((one) => one.at_work).length;
  if (what === "trainings" && at !== null && at !== now) say(study.summary()); // not at every epoch
  if (what === "trainings") at = now;
});
addEventListener("hashchange", show);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address says which view it is
  byId("main").focus();
});

try {
  follow();
  const first = refresh();
  // The first rows are shown when they come; of a large store, the rest follow.
  await Promise.race([first, new Promise((resolve) => { const stop = listen((what) => { if (what === "runs") { stop(); resolve(); } }); })]);
  byId("store").textContent = known.store.store;
  // The table is filled as its names come; what is drawn once waits for them.
  if (["run", "compare", "curves"].includes(location.hash.slice(1).split("/")[0])) await first;
  await show();
  await first;
  document.body.dataset.ready = "";
} catch (error) {
  if (!(error instanceof Problem)) throw error;
  byId("main").replaceChildren(element("p", { class: "notice", role: "alert", text: error.message }));
}

// What the server knows, as far as the page has asked.

export class Problem extends Error {}

export async function ask(path) {
  let answer;
  try {
    answer = await fetch(path);
  } catch {
    throw new Problem("the server cannot be reached; `toile open` starts it");
  }
  const content = await answer.json();
  if (!answer.ok) throw new Problem(content.detail ?? answer.statusText);
  return content;
}

export const known = {
  store: { store: "", datasets: {}, reports: [] },
  runs: [], // one object a run, the latest first
  byFingerprint: new Map(),
  left: 0,
  studies: [],
  looked: false, // whether the studies are those of the store yet
  trainings: [],
  resting: new Set(), // fingerprints of trainings that a search does not go on with now
  connected: null, // not yet
};

/** Fingerprint -> where it is called what: `{ study, name }`, several where studies share a run. */
const names = new Map();
const listeners = new Set();
const AGAIN = 5000; // milliseconds
let asking = null;

/** Call `listener(what)` when `runs`, `studies`, `trainings` or `connection` have changed; gives what ends it. */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function told(what) {
  for (const one of [...listeners]) one(what);
}

async function allRuns() {
  let kept = known.runs;
  do {
    const { columns, rows, left } = await ask("/v1/runs");
    kept = rows.map((row) => Object.fromEntries(columns.map((name, place) => [name, row[place]])));
    known.left = left;
    known.runs = kept;
    known.byFingerprint = new Map(kept.map((run) => [run.fingerprint, run]));
    for (const run of kept) run.words = null;
    told("runs");
  } while (known.left);
}

async function allStudies() {
  known.studies = await ask("/v1/studies");
  names.clear();
  known.resting = new Set(known.studies.flatMap((study) => study.resting));
  for (const study of known.studies) {
    for (const [fingerprint, name] of Object.entries(study.names)) {
      if (!names.has(fingerprint)) names.set(fingerprint, []);
      names.get(fingerprint).push({ study: study.reference, name });
    }
  }
  for (const run of known.runs) run.words = null;
  known.looked = true;
  told("studies");
}

/** Read the tables again; a second call meanwhile waits for the first and reads once more. */
export function refresh() {
  asking = (asking ?? Promise.resolve()).catch(() => {}).then(async () => {
    known.store = await ask("/v1/store");
    await allRuns();
    await allStudies();
  });
  return asking;
}

export const called = (fingerprint) => names.get(fingerprint) ?? [];

/** What to call a run or a training: by its study, else by what it is. */
export function title(run) {
  const [first] = called(run.fingerprint);
  if (first) return first.name;
  const seed = run.seed ? `, seed ${run.seed}` : "";
  return `${run.architecture ?? "run"} ${run.fingerprint.slice(0, 8)}${seed}`;
}

export function dataset(content) {
  return known.store.datasets[content]?.name ?? (content ?? "").slice(0, 8);
}

/** Follow the store while the page is seen; what was missed meanwhile is read again.
 *  A browser has few connections to one place, and a stream keeps one: tabs that nobody looks at leave theirs to the others. */
export function follow() {
  let source = null;
  let runs = null;
  const connected = (is) => {
    if (known.connected === is) return;
    known.connected = is;
    told("connection");
  };
  const open = () => {
    source = new EventSource("/v1/events");
    source.addEventListener("working", (event) => {
      const now = JSON.parse(event.data);
      known.trainings = now.trainings;
      known.connected = true;
      told("trainings");
      if (runs !== null && runs !== now.runs) refresh().catch(() => {});
      runs = now.runs;
    });
    source.addEventListener("open", () => connected(true));
    source.addEventListener("error", () => {
      connected(false);
      if (source.readyState === EventSource.CLOSED) setTimeout(see, AGAIN); // refused, as where too many listen
    });
  };
  const see = () => {
    if (document.hidden) source?.close();
    else if (!source || source.readyState === EventSource.CLOSED) open();
  };
  document.addEventListener("visibilitychange", see);
  see();
}

// Runs that were chosen to be compared: they outlive a view, and nothing else.
export const chosen = new Set();

export function choose(fingerprint, on) {
  if (on) chosen.add(fingerprint);
  else chosen.delete(fingerprint);
  told("chosen");
}

export function forget() {
  chosen.clear();
  told("chosen");
}

"""Plans over the digits of `tests.training.fixture`, stored runs that nobody trained, and workers that only pretend."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from distributed import LocalCluster

from tests.store.fixture import fill
from tests.training.fixture import dataset
from toile.runner.events import Event
from toile.runner.plans import plan as plans
from toile.runner.plans.planned import Plan, PlannedTrial
from toile.store import atomic
from toile.store.run import Run
from toile.store.store import Store
from toile.study.spec import StudySpec


def line(
    name: str, epochs: int = 1, architecture: Any = "mlp", recipe: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """A `[[trial]]` as a study file has it."""
    return {"name": name, "architecture": architecture, "recipe": {"epochs": epochs, **(recipe or {})}, **more}


def make_plan(store: Store, *lines: dict[str, Any], **study: Any) -> Plan:
    """The plan of a study of these lines. 200 images to train on (160 of them with the default split) and 60 to test."""
    spec = StudySpec.model_validate({"title": "made", "dataset": "digits", "trial": list(lines), **study})
    return plans.make(spec, "made", spec.dataset, dataset(), store)


def four(store: Store, **more: Any) -> Plan:
    """Four trainings of their own, the longest first."""
    return make_plan(store, *(line(name, 5, seeds=[seed], **more) for seed, name in enumerate("abcd")))


def by_name(plan: Plan) -> dict[str, str]:
    """Fingerprints."""
    return {one.name: one.fingerprint for one in plan.trials}


def kinds(told: list[Event], name: str) -> list[str]:
    """What happened to the job of that name, in order."""
    return [event.kind for event in told if event.name == name]


def keep_run(
    store: Store,
    planned: PlannedTrial,
    images_per_second: float = 1000.0,
    accuracy: float = 0.5,
    probabilities: dict[str, np.ndarray] | None = None,
    metrics: dict[str, Any] | None = None,
) -> Run:
    """A stored run of the trial; its `metrics` are made up where left out."""
    with store.claim(planned.fingerprint) as work:
        fill(work / "run")
        np.savez(work / "run" / "probabilities.npz", **(probabilities or {"test": np.full((60, 10), 0.1, np.float32)}))
        (work / "run" / "trial.json").write_text(planned.trial.canonical(), "utf-8")
        atomic.write_json(work / "run" / "provenance.json", {"images_per_second": images_per_second})
        atomic.write_json(work / "run" / "metrics.json", metrics or {"test": {"accuracy": accuracy, "loss": 1.0}})
        return store.commit(planned.fingerprint)


@contextmanager
def in_process_cluster(scratch: Path, threads: int = 1) -> Iterator[str]:
    """The address of a Dask scheduler with two workers, all in this process."""
    with LocalCluster(
        processes=False, n_workers=2, threads_per_worker=threads, local_directory=str(scratch), dashboard_address=":0"
    ) as cluster:
        yield cluster.scheduler_address


_PRETENDS = """#!{python} -S
import json, os, pathlib, signal, sys, zipfile
if sys.argv[2] == "toile.workers.forkserver.server":
    os.execv(sys.executable, [sys.executable, "-c", (pathlib.Path(__file__).parent / "forks.py").read_text(), __file__])
here, trial, root = pathlib.Path(__file__).parent, pathlib.Path(sys.argv[3]), pathlib.Path(sys.argv[4])
name, recipe = trial.parent.name, json.loads(trial.read_text())["recipe"]
with (here / "calls").open("a") as calls:
    calls.write(json.dumps([name, sys.argv[5:], os.environ["OMP_NUM_THREADS"], os.getpid()]) + "\\n")
does = json.loads((here / "does.json").read_text()).get(name, "train")


def say(event, **fields):
    print(json.dumps(dict(event=event, **fields)), flush=True)


if does.startswith("meet"):  # opening a pipe waits for who opens its other end
    open(here / "meeting", does.removeprefix("meet "), encoding="utf-8").close()
if does == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("not an event", flush=True)
print("[1]", flush=True)
say("epoch", epoch=1, epochs=recipe["epochs"], loss=1.0, accuracy=0.5, images_per_second=100.0)
if does == "fail":
    say("failed", error="it would not learn")
    sys.exit(1)
if does == "die" or (does == "die once" and not (here / "died").exists()):
    (here / "died").touch()
    os.kill(os.getpid(), signal.SIGKILL)
if does == "exit":
    sys.stderr.write("".join(f"line {{i}}\\n" for i in range(30)))
    sys.exit(7)
if does in ("hang", "stubborn"):
    while sys.stdin.read(1) or does == "stubborn":
        pass
    sys.exit(3)
run = root / "runs" / name
run.mkdir(parents=True)
(run / "trial.json").write_text(trial.read_text())
for other in ("metrics.json", "model.keras"):
    (run / other).write_text("{{}}")
(run / "history.csv").write_text("epoch,seconds\\n1,1.0\\n")
zipfile.ZipFile(run / "probabilities.npz", "w").close()
(run / "provenance.json").write_text('{{"images_per_second": 100.0}}')
if does == "commit and die":
    os.kill(os.getpid(), signal.SIGKILL)
say("done", fingerprint=name)
"""

# A fork server that loads nothing, and whose workers become pretenders.
_FORKS = """
import os, sys
from toile.workers.forkserver import server as forkserver
forkserver.load = lambda learner: None
forkserver.work = lambda arguments, can_go_on: os.execv(sys.argv[1], [sys.argv[1], "-m", "toile.workers.train", *arguments])
forkserver.main()
"""


class Pretenders:
    """Workers that pretend: they say one epoch, and then do as they are told.

    `train`, if they are told nothing: store a run with a trial and a speed, the other files all but empty, and no manifest.
    `fail`: say so. `exit`: end with code 7, after 30 lines on standard error. `hang`: wait to be ended; `stubborn`: in spite of
    SIGTERM too. `die`: by SIGKILL; `die once`: the first time. `commit and die`: with the run stored. `meet r` and `meet w`:
    each waits until the other is there, and trains.
    """

    def __init__(self, folder: Path, monkeypatch: Any) -> None:
        self.folder = folder
        folder.mkdir()
        os.mkfifo(folder / "meeting")
        script = folder / "python"
        script.write_text(_PRETENDS.format(python=sys.executable), "utf-8")
        script.chmod(0o755)
        (folder / "forks.py").write_text(_FORKS, "utf-8")
        self.tell({})
        monkeypatch.setattr(sys, "executable", str(script))

    def tell(self, does: dict[str, str]) -> None:
        """What each fingerprint does."""
        (self.folder / "does.json").write_text(json.dumps(does), "utf-8")

    @property
    def calls(self) -> list[tuple[str, list[str], str, int]]:
        """Fingerprint, arguments, threads and process of each worker, in the order of their beginnings."""
        path = self.folder / "calls"
        return [tuple(json.loads(row)) for row in path.read_text("utf-8").splitlines()] if path.is_file() else []

"""How time and memory grow: verbs over more and more stored runs, and a study over more and more trials.

The first part fills a store with runs that nobody trained: one trial of a study with as many seeds, each a folder of made
probabilities with their true metrics under its own fingerprint, as a training would have left it. `plan`, `status` and
`report` then run as a user would start them. Each is one process on one core, so what counts is its processor time: what a
user waits for on a machine that has nothing else to do. The target is two seconds at 1,000 runs and a cost that grows no
faster than the runs do; `memory_mb` and `page_kb` are in the JSON.

The second part trains: a small network on 1,000 images for two epochs, with 1 to 32 seeds and as many workers as cores. A
trial's cost is that of starting a process here, so the figure is one of the runner and not of the training. `memory_mb` is
that of the largest worker, with what it shares.

The third is memory: the most that `toile run` and all its processes hold at once while so many workers train, what they share
counted once (the proportional set size of Linux, looked at a few times a second); beside it the same with fresh processes in
place of forks.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.harness.measure import Case, Side

STUDY = """\
title = "{trials} seeds"
dataset = "digits"
split = {{ method = "stratified", validation = 0.2 }}
seeds = [{seeds}]

[recipe]
epochs = {epochs}

[[trial]]
name = "mlp"
architecture = {{ name = "mlp", hidden = [16] }}
"""
EPOCHS = 20
_SECONDS_BETWEEN_LOOKS = 0.2
_WITH_FRESH = """
from toile.cli import main
from toile.workers.starter import Fresh
from toile.runner.executors import local
local.STARTER = Fresh
main()
"""


def cases(quick: bool) -> list[Case]:
    """The verbs over 1 to 1,000 stored runs, then trainings of 1 to 32 trials."""
    stored, trained = ((1, 10), (1, 2)) if quick else ((1, 10, 100, 1000), (1, 2, 4, 8, 16, 32))
    found = [
        Case(f"{verb}, {runs:,} stored runs", {"toile": Side(over_stored, {"verb": verb, "runs": runs})}, "processor_seconds")
        for verb in ("plan", "status", "report")
        for runs in stored
    ]
    for trials in trained:
        sides = {"toile": Side(trained_study, {"trials": trials})}
        found.append(Case(f"run, {trials} trials", sides, "trials_per_minute", more_is_better=True))
    for workers in (1,) if quick else (1, 2, 4):
        work = {"workers": workers, "epochs": 2 if quick else 100}
        sides = {"toile": Side(memory, work), "fresh processes": Side(memory, work | {"fresh": True})}
        found.append(Case(f"memory, {workers} workers", sides, "together_mb"))
    return found


def over_stored(verb: str, runs: int) -> dict[str, float]:
    """One verb over a study whose `runs` trials are all stored: what its process took.

    Returns:
        `verb_seconds`, `processor_seconds`, `memory_mb` (its peak) and, of a report, `page_kb`.
    """
    with tempfile.TemporaryDirectory() as folder:
        study = fill(Path(folder), runs)
        page = Path(folder, "report.html")
        arguments = [verb, str(study), "--store", f"{folder}/store", *(["--output", str(page)] if verb == "report" else [])]
        found = timed([sys.executable, "-m", "toile.cli", *arguments])
        return found | ({"page_kb": page.stat().st_size / 1024} if verb == "report" else {})


def trained_study(trials: int) -> dict[str, float]:
    """A study of `trials` short trainings, from an empty store.

    Returns:
        `trials_per_minute`, and `memory_mb` of the largest worker.
    """
    with tempfile.TemporaryDirectory() as folder:
        study = seeds_of(trials, Path(folder), epochs=2)
        found = timed([sys.executable, "-m", "toile.cli", "run", str(study), "--store", f"{folder}/store"])
        return {"trials_per_minute": 60 * trials / found["verb_seconds"], "memory_mb": found["memory_mb"]}


def memory(workers: int, epochs: int, fresh: bool = False) -> dict[str, float]:
    """A study of as many trainings as workers.

    Returns:
        `together_mb`, of all processes at the time when it was most.
    """
    with tempfile.TemporaryDirectory() as folder:
        study = seeds_of(workers, Path(folder), epochs)
        command = [sys.executable, *(["-c", _WITH_FRESH] if fresh else ["-m", "toile.cli"])]
        command += ["run", str(study), "--store", f"{folder}/store", "--workers", str(workers)]
        most = 0
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
            while started.poll() is None:
                most = max(most, _held(psutil.Process(started.pid)))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    started.wait(_SECONDS_BETWEEN_LOOKS)
        if started.returncode:
            raise subprocess.CalledProcessError(started.returncode, command)
    return {"together_mb": most / 2**20}


def seeds_of(trials: int, folder: Path, epochs: int) -> Path:
    """Write a study of one network with so many seeds; its path."""
    study = folder / "scale.toml"
    study.write_text(STUDY.format(trials=trials, seeds=", ".join(map(str, range(trials))), epochs=epochs), "utf-8")
    return study


def _held(process: psutil.Process) -> int:
    """Bytes of a process and all that it started."""
    held = 0
    with contextlib.suppress(psutil.Error):
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                held += one.memory_full_info().pss
    return held


def fill(folder: Path, runs: int) -> Path:
    """Write a study of `runs` seeds and a store that has all of them; the path of the study."""
    import numpy as np

    from toile import api
    from toile.data.parts.splits import split
    from toile.evaluation.metrics import evaluate
    from toile.store.store import Store

    study, store = seeds_of(runs, folder, EPOCHS), Store(folder / "store")
    plan = api.plan(study, store=store.root)
    store.keep(plan.dataset, plan.requested)
    parts = split(plan.dataset, plan.trials[0].trial.split)
    for planned in plan.trials:
        random = np.random.default_rng(planned.trial.seed)
        said = {
            name: random.dirichlet(np.ones(plan.dataset.classes), len(part)).astype(np.float32)
            for name, part in (("validation", parts.validation), ("test", parts.test))
        }
        with store.claim(planned.fingerprint) as work:
            made = work / "run"
            (made / "trial.json").write_text(planned.trial.canonical(), "utf-8")
            np.savez(made / "probabilities.npz", **said)
            metrics = {name: evaluate(values, getattr(parts, name).labels) for name, values in said.items()}
            (made / "metrics.json").write_text(json.dumps(metrics), "utf-8")
            (made / "model.keras").touch()
            _write_history(made / "history.csv", random.random((EPOCHS, 2, 4)))
            facts = {
                "parameters": 12_730, "trainable_parameters": 12_730, "epochs_run": EPOCHS, "images_per_second": 9000.0,
                "seconds": {"train": 3.0, "evaluate": 0.1}, "threads": 1, "finished": "2024-05-06T07:08:09+00:00",
            }  # fmt: skip
            (made / "provenance.json").write_text(json.dumps(facts), "utf-8")
            store.commit(planned.fingerprint)
    return study


def _write_history(path: Path, values: Any) -> None:
    """A history of `(epochs, splits, metrics)` values."""
    metrics = ("loss", "accuracy", "precision", "recall")
    columns = [before + metric for before in ("", "validation_") for metric in metrics]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", "learning_rate", *columns, "seconds"])
        writer.writerows([epoch, 0.001, *row.ravel(), 0.15] for epoch, row in enumerate(values, start=1))


def timed(command: list[str]) -> dict[str, float]:
    """What a command took: `verb_seconds`, `processor_seconds` and `memory_mb`, the peak of the largest process.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    begun = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "COLUMNS": "120"})
    _, status, used = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - begun
    if code := os.waitstatus_to_exitcode(status):
        raise subprocess.CalledProcessError(code, command)
    peak = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return {"verb_seconds": seconds, "processor_seconds": used.ru_utime + used.ru_stime, "memory_mb": peak}

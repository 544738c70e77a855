"""What it costs to believe nothing unchecked, and what is left of a study whose processes are killed.

The first part fills a store with runs that nobody trained, of the size that a small convolutional network on Fashion-MNIST
leaves: 1.6 MB of model, 0.9 MB of probabilities. `toile check` then reads and hashes all of it, on all cores. The target is ten
seconds for 1,000 runs. What counts is processor time, as in the benchmark `scale`: two idle cores need half of it, and as long
as their disk where the system has not the files in memory. `verb_seconds`, what was waited for, is in the JSON.

The second part trains a small study over and over and kills it with SIGKILL in the middle: the whole tree of processes, or the
one that the user started, or a training process, at a moment drawn anew each time: some before the first epoch, most behind it.
Then the same command is left alone to finish, and every run is held against that of a study which nobody disturbed:
probabilities, metrics, history and weights have to be the same bits. `different` is how many runs are not, and is to be 0.
"""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from benchmarks.harness.measure import Case, Side
from benchmarks.scale import seeds_of, timed
from toile.store.run import Run
from toile.store.store import Store

MODEL_BYTES = 1_600_000
STUDY = """\
title = "Trainings to be killed"
dataset = "digits"
split = { method = "stratified", validation = 0.2 }
seeds = [0, 1]

[recipe]
epochs = 8
batch_size = 4
early_stopping = { patience = 50, restore_best = true }

[[trial]]
name = "convolution"
architecture = { name = "cnn", filters = [16], dense = [32], order = "conv norm pool dropout", dropout = 0.2 }

[[trial]]
name = "perceptron"
architecture = { name = "mlp", hidden = [256, 256], dropout = 0.2 }
"""
_LONGEST = 600


def cases(quick: bool) -> list[Case]:
    """`toile check` over 1,000 runs; fifty kills."""
    runs, kills = (10, 2) if quick else (1000, 50)
    return [
        Case(f"check, {runs:,} stored runs", {"toile": Side(checked, {"runs": runs})}, "processor_seconds"),
        Case(f"runs that differ after {kills} kills", {"toile": Side(killed, {"kills": kills})}, "different"),
    ]


def checked(runs: int) -> dict[str, float]:
    """`toile check` over a store of `runs` runs.

    Returns:
        `verb_seconds`, `processor_seconds`, `memory_mb` (its peak) and `megabytes`, of what it read.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = fill(Path(folder), runs)
        size = sum(path.stat().st_size for path in store.runs_folder.rglob("*"))
        return timed([sys.executable, "-m", "toile.cli", "check", "--store", str(store.root)]) | {"megabytes": size / 2**20}


def fill(folder: Path, runs: int) -> Store:
    """A store with so many runs, of files as large as those of real ones."""
    from toile import api
    from toile.store import atomic

    plan = api.plan(seeds_of(runs, folder, epochs=20), store=folder / "store")
    plan.store.prepare()
    plan.store.keep(plan.dataset, plan.requested)
    draw = np.random.default_rng(0)
    said = {
        name: draw.dirichlet(np.ones(10), images).astype(np.float32)
        for name, images in (("validation", 12_000), ("test", 10_000))
    }
    figures = {"accuracy": 0.9, "loss": 0.3, "confusion_matrix": draw.integers(0, 1000, (10, 10)).tolist()}
    metrics = {name: figures | {"images": len(array)} for name, array in said.items()}
    history = "epoch,loss,accuracy,seconds\n" + "".join(
        f"{epoch},{draw.random()},{draw.random()},1.5\n" for epoch in range(1, 21)
    )
    facts = {"parameters": 400_000, "images_per_second": 9000.0, "seconds": {"train": 3.0, "evaluate": 0.1}, "sessions": []}
    model = draw.bytes(MODEL_BYTES)
    for planned in plan.trials:
        with plan.store.claim(planned.fingerprint) as work:
            made = work / "run"
            (made / "trial.json").write_text(planned.trial.canonical(), "utf-8")
            (made / "history.csv").write_text(history)
            (made / "model.keras").write_bytes(model)
            np.savez(made / "probabilities.npz", **said)
            atomic.write_json(made / "metrics.json", metrics)
            atomic.write_json(made / "provenance.json", facts)
            plan.store.commit(planned.fingerprint)
    return plan.store


def killed(kills: int, seed: int = 0) -> dict[str, float]:
    """Studies that are killed so often in all, each then finished and held against one that was not.

    Returns:
        `kills`, `studies`, `runs` (that were compared), `different`, and how often which process was hit.
    """
    draw, done, studies, different, compared = random.Random(seed), 0, 0, 0, 0
    hit = {"tree": 0, "command": 0, "training": 0}
    with tempfile.TemporaryDirectory() as place:
        study = Path(place, "study.toml")
        study.write_text(STUDY, "utf-8")
        whole = Store(Path(place, "whole"))
        subprocess.run(_command(study, whole), check=True, stderr=subprocess.DEVNULL, timeout=_LONGEST)
        while done < kills:
            store, studies = Store(Path(place, f"killed-{studies}")), studies + 1
            while done < kills and len(store.runs()) < len(whole.runs()):
                if what := _run_and_kill(_command(study, store), draw):
                    hit[what] += 1
                    done += 1
            subprocess.run(_command(study, store), check=True, stderr=subprocess.DEVNULL, timeout=_LONGEST)
            for run in whole.runs():
                compared += 1
                different += not _same(run, store.get(run.fingerprint))
    return {"kills": done, "studies": studies, "runs": compared, "different": different, **hit}


def _command(study: Path, store: Store) -> list[str]:
    return [sys.executable, "-m", "toile.cli", "run", str(study), "--store", str(store.root), "--workers", "2"]


def _run_and_kill(command: list[str], draw: random.Random) -> str | None:
    """Start a command, kill something of it, and wait for the end of all; what was killed, or None if it was done before."""
    early, what = draw.random() < 0.3, draw.choice(("tree", "command", "training"))
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        if not early:  # after some epoch of this round
            for line in process.stderr:
                if "epoch" in line and draw.random() < 0.5:
                    break
        time.sleep(draw.random() * (4 if early else 0.5))
        tree: list[psutil.Process] = []
        trainings: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):  # any of them may end by itself at any moment
            command = psutil.Process(process.pid)
            tree = [command, *command.children(recursive=True)]
            trainings = [one for one in tree[1:] if not one.children()]
        aims = {"tree": tree, "command": tree[:1], "training": trainings[-1:]}[what]
        for one in aims:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGKILL)
        for _ in process.stderr:  # to the end: of a study that lost one training, the others go on
            pass
    psutil.wait_procs(tree, timeout=_LONGEST)
    return what if aims else None


def _same(one: Run, other: Run | None) -> bool:
    """Whether two runs have the same bits, but for the seconds that they took."""
    from toile.models import stored

    if other is None or other.damages() or one.metrics != other.metrics or one.splits() != other.splits():
        return False
    if any(one.probabilities(name).tobytes() != other.probabilities(name).tobytes() for name in one.splits()):
        return False
    if [{**row, "seconds": 0} for row in one.history] != [{**row, "seconds": 0} for row in other.history]:
        return False
    ours, theirs = (stored.load(run.model).get_weights() for run in (one, other))
    return [array.tobytes() for array in ours] == [array.tobytes() for array in theirs]

"""A search that is killed thirty times, beside one that was left alone: the same proposals, steps, runs and bits.

Both are `toile run STUDY` with real trainings: the digits, a perceptron, three rungs. A kill is SIGKILL to the command, a
random while after one of its lines of progress; its workers end with it. `different` counts what is not the same afterwards:
steps with another proposal, rung or figure, and runs with other metrics, probabilities or history (without its times).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.harness.measure import Case, Side

KILLS = 30


def cases(quick: bool) -> list[Case]:
    """One search, and the kills."""
    kills = 3 if quick else KILLS
    return [Case(f"{kills} kills", {"toile": Side(killed, {"kills": kills})}, figure="different", repeats=1)]


def killed(kills: int) -> dict[str, float]:
    """Both searches, and what they differ in."""
    with tempfile.TemporaryDirectory(prefix="toile-benchmark-") as folder:
        study = Path(folder, "study.toml")
        study.write_text(_STUDY.format(trials=8 if kills < KILLS else 40), "utf-8")
        command = [sys.executable, "-m", "toile.cli", "run", str(study), "--workers", "2", "--fraction", "0.2", "--store"]
        chance = random.Random(0)
        for number in range(kills):
            if not _killed([*command, f"{folder}/killed"], chance):
                raise RuntimeError(f"the search was over after {number} kills")
        for store in ("killed", "alone"):
            subprocess.run([*command, f"{folder}/{store}"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ours, theirs = _said(study, Path(folder, "killed")), _said(study, Path(folder, "alone"))
        return {
            "different": sum(ours.get(key) != theirs.get(key) for key in ours.keys() | theirs.keys()),
            "kills": kills,
            "steps": sum(key[0] == "step" for key in theirs),
            "runs": sum(key[0] == "run" for key in theirs),
        }


def _killed(command: list[str], chance: random.Random) -> bool:
    """Whether the command was killed before it ended: after one to five lines of progress, and a little more."""
    lines, wait = chance.randint(1, 5), 0.5 * chance.random()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        seen = 0
        for line in process.stderr or ():
            seen += "started" in line or "epoch" in line or line.rstrip().endswith("done")
            if seen == lines:
                time.sleep(wait)
                os.kill(process.pid, signal.SIGKILL)
                break
        return process.wait() == -signal.SIGKILL


def _said(study: Path, store: Path) -> dict[tuple[str, Any], Any]:
    """Each step and each run of a search, as it can be compared."""
    from toile import api

    plan = api.plan(study, fresh=False, store=store, fraction=0.2)
    found: dict[tuple[str, Any], Any] = {}
    for i, (step, known) in enumerate(zip(plan.walk.steps, plan.walk.outcomes, strict=True)):
        found["step", i] = (plan.walk.proposals[step.proposal].said, step.rung, known and known.value)
    for run in plan.store.runs():
        history = [{key: value for key, value in row.items() if key != "seconds"} for row in run.history]
        said = [run.probabilities(part).tobytes() for part in ("validation", "test")]
        found["run", run.fingerprint] = (history, run.metrics, said)
    return found


_STUDY = """
title   = "Killed again and again"
dataset = "digits"

[recipe]
epochs   = 4
schedule = "cosine"

[search]
trials = {trials}
width  = 3
factor = 2

[search.space]
architecture.name    = ["mlp"]
architecture.hidden  = [[8], [16]]
architecture.dropout = {{ low = 0.0, high = 0.5 }}
recipe.batch_size    = [32, 64]
recipe.optimizer.learning_rate = {{ low = 1e-3, high = 1e-1, log = true }}
"""

"""Sides measured in turn, each time in a fresh process.

Absolute times mean nothing on a machine that others use too: it is the ratio within one round that counts, because the sides
of a round ran minutes apart at most.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from toile.store import atomic
from toile.workers.process import environment


@dataclass(frozen=True)
class Side:
    """One way of doing a case's work.

    Args:
        function: of a module, not of a class or another function. It is called in a fresh process and returns its figures:
            numbers by name. What else it prints is not looked at.
        arguments: for the function; anything that JSON holds.
        backend: Keras's, set before the process starts.
        threads: that libraries are held to; None leaves them their defaults, as a rival's documentation would.
    """

    function: Callable[..., dict[str, float]]
    arguments: dict[str, Any] = field(default_factory=dict)
    backend: str = "tensorflow"
    threads: int | None = None


@dataclass(frozen=True)
class Case:
    """Work that can be done in several ways.

    Args:
        name: what is done, at what size.
        sides: by name, toile's first; the others are compared with it. One alone is only measured.
        figure: which of the sides' figures counts. Every side has three without returning them: "seconds", of the whole
            process with its start; "core_seconds", which it and its children kept a core busy: where others use the machine
            too, this is the steadier one; and "peak_memory_mb".
        more_is_better: whether the figure is a speed and not a time.
        target: how many times better than each other side toile's is to be, if there is a target: one number, or one for each
            side that it speaks of.
        note: what a reader of the table should know.
        repeats: rounds, where others than the command's are wanted.
    """

    name: str
    sides: dict[str, Side]
    figure: str = "seconds"
    more_is_better: bool = False
    target: float | dict[str, float] | None = None
    note: str = ""
    repeats: int | None = None

    def targets(self) -> dict[str, float]:
        """The target for each of the other sides that has one."""
        if isinstance(self.target, dict):
            return self.target
        return {} if self.target is None else dict.fromkeys(list(self.sides)[1:], self.target)


@dataclass(frozen=True)
class Measured:
    """A case's figures: `rounds[i][side]` are those of one process of that side.

    `failed` has the last lines of what the sides said that are not among the case's because they failed.
    """

    case: Case
    rounds: list[dict[str, dict[str, float]]]
    failed: dict[str, str] = field(default_factory=dict)

    def values(self, side: str, figure: str | None = None) -> list[float]:
        """A figure of a side (the case's own where left out), round by round."""
        return [one[side][figure or self.case.figure] for one in self.rounds]

    def ratios(self, side: str) -> list[float]:
        """How many times better toile is than this side, round by round."""
        pairs = zip(self.values(next(iter(self.case.sides))), self.values(side), strict=True)
        return [ours / other if self.case.more_is_better else other / ours for ours, other in pairs]

    def reached(self) -> bool | None:
        """Whether the median ratio to every other side reaches the target, or None without one."""
        found = [self.side_reached(side) for side in self.case.targets()]
        return all(found) if found else None

    def side_reached(self, side: str) -> bool | None:
        """The same for one of the other sides."""
        target = self.case.targets().get(side)
        return None if target is None else median(self.ratios(side)) >= target


def measure(
    cases: Sequence[Case],
    repeats: int,
    tell: Callable[[str], None] = lambda line: None,
    *,
    limit: float | None = None,
    keep: Callable[[list[Measured]], None] | None = None,
    pieces: Pieces | None = None,
) -> list[Measured]:
    """Measure all cases, one after the other.

    In every other round the sides come in the opposite order, so that none is always the one that finds the machine warm.

    Args:
        repeats: rounds, at least 1.
        tell: told what is being measured.
        limit: seconds that a side's process may take; None for as long as it does.
        keep: given all that is measured so far, after every case. With it, a side that fails is left out and the rest goes on.
        pieces: where each side's figures are kept and looked for.

    Raises:
        RuntimeError: a side failed, and there is no `keep`; with the last lines that it said.
    """
    found: list[Measured] = []
    for case in cases:
        rounds: list[dict[str, dict[str, float]]] = []
        failed: dict[str, str] = {}
        for i in range(case.repeats or repeats):
            figures = {}
            for name in [side for side in list(case.sides)[:: 1 if i % 2 == 0 else -1] if side not in failed]:
                tell(f"{case.name}: {name}, {i + 1} of {case.repeats or repeats}")
                try:
                    figures[name] = (pieces or Pieces()).figures(case, name, i, limit)
                except RuntimeError as error:
                    if keep is None:
                        raise
                    failed[name] = str(error)
                    tell(str(error))
            rounds.append(figures)
        found += _without(Measured(case, rounds), failed) if failed else [Measured(case, rounds)]
        if keep is not None:
            keep(found)
    return found


@dataclass(frozen=True)
class Pieces:
    """Figures of single sides, as they were measured: what takes an hour may end at any moment and be gone on with.

    Args:
        folder: a JSON file for each side of each round of each case; None: all is measured anew.
        measured: whether what is missing, or was measured with other arguments, is measured now.
    """

    folder: Path | None = None
    measured: bool = True

    def figures(self, case: Case, name: str, number: int, limit: float | None) -> dict[str, float]:
        """The figures of a side of a case.

        Raises:
            RuntimeError: it failed, or is not there and not to be measured.
        """
        side = case.sides[name]
        path = self.folder / f"{_slug(case.name)}--{_slug(name)}--{number + 1}.json" if self.folder else None
        if path is not None and path.is_file():
            found = json.loads(path.read_text("utf-8"))
            if found["arguments"] == side.arguments:
                return found["figures"]
        if not self.measured:
            raise RuntimeError(f"{case.name}: {name} has not been measured yet")
        figures = in_fresh_process(side, limit)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_json(path, {"case": case.name, "side": name, "arguments": side.arguments, "figures": figures})
        return figures


def _slug(text: str) -> str:
    return "-".join(re.findall(r"[\w.]+", text))


def _without(one: Measured, failed: dict[str, str]) -> list[Measured]:
    """What is left of a case when some of its sides failed. Without toile's there is nothing to compare the others with."""
    case, first = one.case, next(iter(one.case.sides))
    sides = {name: side for name, side in case.sides.items() if name not in failed}
    rounds = [{name: figures[name] for name in sides} for figures in one.rounds]
    if first in failed:
        alone = [replace(case, name=f"{case.name}, {name} alone", sides={name: sides[name]}, target=None) for name in sides]
        return [Measured(replace(case, sides={}, target=None), [], failed), *(Measured(each, rounds) for each in alone)]
    target = {name: times for name, times in case.targets().items() if name in sides}
    return [Measured(replace(case, sides=sides, target=target or None), rounds, failed)]


def in_fresh_process(side: Side, limit: float | None = None) -> dict[str, float]:
    """The figures of one side, once.

    Args:
        limit: seconds that it may take.

    Raises:
        RuntimeError: it failed, with the last lines that it said; or it took longer.
    """
    env = {**os.environ, "KERAS_BACKEND": side.backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if side.threads is not None:
        env = environment(side.backend, side.threads)
    env["PYTHONPATH"] = os.pathsep.join([str(Path.cwd()), *filter(None, sys.path)])
    function = (side.function.__module__, side.function.__name__)
    command = [sys.executable, "-m", "benchmarks.harness.process", *function, json.dumps(side.arguments)]
    begun = time.perf_counter()
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=limit)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{'.'.join(function)} took longer than {limit:g} seconds") from None
    seconds = time.perf_counter() - begun
    if done.returncode:
        last = "\n".join(done.stderr.splitlines()[-20:])
        raise RuntimeError(f"{'.'.join(function)} failed:\n{last}")
    return {"seconds": seconds, **json.loads(done.stdout.splitlines()[-1])}

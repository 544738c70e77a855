"""What was measured, as a table for people and as JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.harness.measure import Measured, Side
from toile.store import atomic


def show(name: str, about: str, facts: dict[str, Any], found: Sequence[Measured], console: Console | None = None) -> None:
    """Print a benchmark's table: the median of each side, the range over the rounds, and how many times better toile is.

    Beside it the median of the seconds that a core was busy: with others on the machine it is the steadier one.
    """
    # Where the width is not known, one line a side.
    console = console or Console(width=None if sys.stdout.isatty() else 140)
    peak = " and ".join(f"{value:,.0f} GFLOP/s in {precision}" for precision, value in facts["peak_gflops"].items())
    table = Table(title=f"{name}: {about.splitlines()[0]}", title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("case", "side", "figure"):
        table.add_column(column, overflow="fold")
    for column in ("median", "range", "toile is better by", "core seconds", "target"):
        table.add_column(column, overflow="fold", justify="right")
    for one in found:
        for i, side in enumerate(one.case.sides):
            values, first = one.values(side), i == 0
            table.add_row(
                one.case.name if first else "", side, one.case.figure if first else "", number(median(values)),
                f"{number(min(values))} – {number(max(values))}", "" if first else _times(one.ratios(side)),
                number(median(one.values(side, "core_seconds"))), _target(one, side),
            )  # fmt: skip
    console.print(table)
    for one in found:
        if one.case.note:
            console.print(f"{one.case.name}: {one.case.note}", markup=False)
        for side, why in one.failed.items():
            console.print(f"{one.case.name}: {side} failed: {why.splitlines()[-1]}", markup=False)
    gpu = f"{facts['gpu']}, " if "gpu" in facts else ""
    console.print(
        f"{gpu}{facts['cores']} cores of {facts['machine']['processor']}, peak {peak}, load {facts['load']:g} before it began"
    )


def write(path: Path, name: str, facts: dict[str, Any], found: Sequence[Measured], *, quick: bool) -> None:
    """Write everything that was measured, every round of every side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cases = [
        {
            "name": one.case.name, "note": one.case.note, "figure": one.case.figure, "more_is_better": one.case.more_is_better,
            "target": one.case.target, "reached": one.reached(), "repeats": len(one.rounds),
            **({"failed": one.failed} if one.failed else {}),
            "sides": {side: _side(one, side, spec) for side, spec in one.case.sides.items()},
        }
        for one in found
    ]  # fmt: skip
    atomic.write_json(path, {"benchmark": name, "quick": quick, **facts, "cases": cases})


def say(line: str) -> None:
    """One line of progress."""
    print(line, file=sys.stderr, flush=True)


def _side(one: Measured, side: str, spec: Side) -> dict[str, Any]:
    values = one.values(side)
    compared = {} if side == next(iter(one.case.sides)) else {"toile_is_better_by": _summary(one.ratios(side))}
    return {
        "function": f"{spec.function.__module__}.{spec.function.__name__}", "arguments": spec.arguments,
        "backend": spec.backend, "threads": spec.threads, one.case.figure: _summary(values), **compared,
        "rounds": [figures[side] for figures in one.rounds],
    }  # fmt: skip


def _summary(values: Sequence[float]) -> dict[str, float]:
    return {"median": median(values), "minimum": min(values), "maximum": max(values)}


def number(value: float) -> str:
    """Three digits, or whole numbers from 1,000."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _times(ratios: Sequence[float]) -> str:
    return f"{number(median(ratios))}x ({number(min(ratios))} – {number(max(ratios))})"


def _target(one: Measured, side: str) -> str:
    if (target := one.case.targets().get(side)) is None:
        return ""
    return f"{target:g}x: {'reached' if one.side_reached(side) else 'missed'}"

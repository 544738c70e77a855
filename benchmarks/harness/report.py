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
    """Print a benchmark's table: the median of each side, the range over the rounds, and how many times better toile is."""
    console = console or Console()
    peak = " and ".join(
        f"{value:,.0f} GFLOP/s in {precision}" for precision, value in facts["peak_gflops"].items() if "float" in precision
    )
    table = Table(title=f"{name}: {about.splitlines()[0]}", title_justify="left", box=box.SIMPLE_HEAD)
    for column, where in (("case", "left"), ("side", "left"), ("figure", "left"), ("median", "right"), ("range", "right"),
                          ("toile is better by", "right"), ("target", "right")):  # fmt: skip
        table.add_column(column, justify=where, overflow="fold")
    for one in found:
        for i, side in enumerate(one.case.sides):
            values, first = one.values(side), i == 0
            table.add_row(
                one.case.name if first else "", side, one.case.figure if first else "", _number(median(values)),
                f"{_number(min(values))} – {_number(max(values))}", "" if first else _times(one.ratios(side)),
                _target(one) if first else "",
            )  # fmt: skip
    console.print(table)
    for one in found:
        if one.case.note:
            console.print(f"{one.case.name}: {one.case.note}", markup=False)
    console.print(
        f"{facts['cores']} cores of {facts['machine']['processor']}, peak {peak}, load {facts['load']:g} before it began"
    )


def write(path: Path, name: str, facts: dict[str, Any], found: Sequence[Measured], *, quick: bool) -> None:
    """Write everything that was measured, every round of every side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cases = [
        {
            "name": one.case.name, "note": one.case.note, "figure": one.case.figure, "more_is_better": one.case.more_is_better,
            "target": one.case.target, "reached": one.reached(), "repeats": len(one.rounds),
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


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _times(ratios: Sequence[float]) -> str:
    return f"{_number(median(ratios))}x ({_number(min(ratios))} – {_number(max(ratios))})"


def _target(one: Measured) -> str:
    if one.case.target is None:
        return ""
    return f"{one.case.target:g}x: {'reached' if one.reached() else 'missed'}"

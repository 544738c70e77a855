"""What a study file may be at most, so that none can hang or exhaust the program that reads it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from toile.study.expand import leaves
from toile.study.fields.strict import is_array, is_table
from toile.study.file.lines import Location
from toile.study.file.mistakes import Mistake
from toile.text import brief

BYTES = 1 << 20  # of the file; the longest packaged study has 12,287
DEPTH = 20  # tables and lists within one another; the grammar needs six
TRIALS = 10_000  # trainings: lines times seeds times folds
_DOTS = 40  # parts of one dotted key: the time and memory that the parser takes grow with their square, or faster
_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+"""
_DOTTED = re.compile(rf"(?<![\w\"'-]){_PART}(?:\.[ \t]*+{_PART}){{{_DOTS}}}")


def unreadable(text: str) -> str | None:
    """Why a text is not even parsed, or None."""
    if len(text) > BYTES:
        return f"{len(text):,} characters; a study file has at most {BYTES:,}"
    if found := _DOTTED.search(text):
        line = text.count("\n", 0, found.start()) + 1
        return f"line {line}: a key of more than {_DOTS} parts with dots between; no key of a study has more than a few"
    return None


def oversize(content: dict[str, Any]) -> list[Mistake]:
    """What is so large in a study's content that nothing else is looked at: the first thing of each kind.

    That is nesting, numbers that TOML has not (beyond 64 bits), and grids that would multiply out to too many trainings.
    """
    found = {what: where for where, what in (*_values(content), *_trainings(content))}
    return [(where, what) for what, where in found.items()]


def _values(content: dict[str, Any]) -> Iterator[Mistake]:
    left: list[tuple[Location, Any]] = [((), content)]
    while left:
        where, value = left.pop()
        if len(where) > DEPTH:
            yield where, f"more than {DEPTH} tables and lists within one another"
            return
        if is_table(value):
            left += [((*where, key), inner) for key, inner in value.items()]
        elif is_array(value):
            left += [((*where, i), inner) for i, inner in enumerate(value)]
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            yield where, f"a whole number of at most 64 bits is wanted, got {brief(value)}"
            return


def _trainings(content: dict[str, Any]) -> Iterator[Mistake]:
    """More trainings than anybody plans, counted without multiplying them out."""
    whole = 0
    for kind in ("trial", "sweep"):
        tables = content.get(kind)
        for i, table in enumerate(tables if is_array(tables) else ()):
            if not is_table(table):
                continue
            grid = table.get("grid") if kind == "sweep" else None
            axes = [len(values) for _, values in leaves(grid) if is_array(values)] if is_table(grid) else []
            whole += (here := _seeds(table, content) * _folds(table, content) * math.prod(axes))
            if here > TRIALS:
                yield (kind, i), f"means {_many(here)} trainings; a study has at most {TRIALS:,}"
                return
    if whole > TRIALS:
        yield (), f"the study means {_many(whole)} trainings; it has at most {TRIALS:,}"


def _many(number: int) -> str:
    return f"{number:,}" if number < 10**15 else f"about 10 to the power of {math.log10(number):.0f}"


def _seeds(table: dict[str, Any], content: dict[str, Any]) -> int:
    seeds = table.get("seeds", content.get("seeds"))
    return len(seeds) if is_array(seeds) else 1


def _folds(table: dict[str, Any], content: dict[str, Any]) -> int:
    split = table.get("split", content.get("split"))
    folds = split.get("folds") if is_table(split) else None
    return folds if isinstance(folds, int) and folds > 0 else 1

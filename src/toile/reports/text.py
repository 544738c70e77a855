"""How a report writes numbers and names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from toile.evaluation.significance import rounded

NOTHING = "–"
# Said wherever that figure stands: documents have published it as the committee's own.
MEAN_OF_MEMBERS = "mean of the members' figures"


def figure(value: Any, digits: int = 4) -> str:
    """`0.9017`; a dash where there is no finite number."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:.{digits}f}"


def count(value: Any) -> str:
    """`298,058`; a dash where there is no finite number."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:,.0f}"


def spread(values: Sequence[float]) -> str:
    """`0.9017`; of several the mean and the standard deviation, `0.9017 ± 0.0012`; a dash for none."""
    if not values:
        return NOTHING
    return figure(fmean(values)) + (f" ± {figure(stdev(values))}" if len(values) > 1 else "")


def p_value(value: float, *, relation: bool = False) -> str:
    """`0.032`, `< 0.0001`; with a relation in a sentence, `= 0.032`."""
    if value < 0.0001:
        return "< 0.0001"
    return f"{'= ' * relation}{rounded(value)}"


def shares(rule: str, weights: Sequence[Any] | None, members: int) -> list[str]:
    """How much each member of a committee counts, in words."""
    if rule == "mean":
        return [f"1/{members}"] * members
    if weights is None:
        return ["equal"] * members
    if rule == "stack":
        classes = len(weights[0])
        return [f"{classes} × {classes} coefficients"] * members
    if rule == "greedy":
        return [f"weight {figure(weight, 3)}, temperature {figure(1 / exponent, 2)}" for weight, exponent in weights]
    return [f"{'exponent' if rule == 'log-pool' else 'weight'} {figure(weight, 3)}" for weight in weights]


def duration(seconds: Any) -> str:
    """`0.84 s`, `12.3 s`, `2 min 05 s`, `1 h 02 min`."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def options(name: str, values: dict[str, Any]) -> str:
    """`strided-cnn (filters 32, dense 256)`: a named thing and what it was given, in one line."""
    given = ", ".join(f"{key.replace('_', ' ')} {brief(value)}" for key, value in values.items() if value is not None)
    return f"{name} ({given})" if given else name


def brief(value: Any) -> str:
    """A value of a study file in few characters."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return "–".join(map(brief, value)) or "none"
    if isinstance(value, dict):
        return "; ".join(f"{key} {brief(item)}" for key, item in value.items())
    return str(value)


def joined(items: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1] if items else ""

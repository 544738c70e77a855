"""The gradient check of the NumPy network, recorded: backpropagation against central differences at the document's epsilon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toile.errors import ToileError
from toile.store import atomic, checked, shape
from toile.store.checked import Damaged

# Beside the result files, of which it is none.
NAME = "check-gradients.json"
NUMBERS = ("weights", "checked", "relative_error", "largest_difference", "largest_gradient")


def write(path: Path, reference: str, epsilon: float, rows: list[dict[str, Any]]) -> None:
    """Record a check: what was checked, with which step, and a row an array as `toile.training.scratch.check` gives them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_json(path, {"trial": reference, "epsilon": epsilon, "rows": rows})


def read(folder: Path) -> dict[str, Any] | None:
    """The check that is recorded there, or None.

    Raises:
        ToileError: the file is none of `write`.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        found = checked.parse_json(path, checked.read(path))
        for row in found["rows"]:
            shape.numbers({name: row[name] for name in NUMBERS}, "rows")
        return {"trial": str(found["trial"]), "epsilon": float(found["epsilon"]), "rows": found["rows"]}
    except (Damaged, ValueError, KeyError, TypeError) as error:
        raise ToileError(f"{path} is no gradient check: {error}") from None


def section(found: dict[str, Any] | None) -> list[str]:
    """Lines of Markdown, a row an array; none where no check is recorded."""
    if found is None:
        return []
    lines = [
        "", "## Backpropagation against central differences", "",
        f"`toile check-gradients \"{found['trial']}\" --epsilon {found['epsilon']:g}`: the document's check, with its step,",
        "on one image of each class. Relative error is |g - n| / (|g| + |n|). The difference quotient is itself wrong by the",
        "order of the step squared.", "",
        "| array | weights | checked | relative error | largest difference | largest gradient |",
        "| --- | --: | --: | --: | --: | --: |",
    ]  # fmt: skip
    for row in found["rows"]:
        figures = " | ".join(f"{row[name]:.1e}" for name in NUMBERS[2:])
        lines.append(f"| {row['layer']} {row['array']} | {row['weights']:,} | {row['checked']} | {figures} |")
    return lines

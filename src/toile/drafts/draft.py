"""The study that is drafted for somebody's pictures: short, commented, and right to run as it is."""

from __future__ import annotations

import json
import math
from importlib.resources import files
from typing import Any

from toile.data.audits.balance import uneven
from toile.drafts.backbone import backbone
from toile.drafts.seen import Seen
from toile.drafts.told import sizes
from toile.text import cut, listed, printable
from toile.version import installing

_SMALL = 1000  # pictures, below which a larger share of them is held out
_FITTING = 1000  # validation pictures, from which on a committee's rule is fitted on them
_ENOUGH = 20_000  # from which on one training of each model is enough
_SHOWN = 60_000  # pictures that a model is shown in all its epochs, about
_EPOCHS = (6, 100)  # at least and at most
_MAP = 4  # pixels of the side at which pictures have been halved enough
_LARGE = 4  # halvings from which on a residual network begins with one, which spares three quarters of its time
_WIDTHS = (16, 32, 64, 128, 128)
_MINUTES = 30  # of a search, and what one proposal may be first trained for: a share of its epochs
_FIRST = 9
_NAMED = 5  # files that a comment names


def draft(seen: Seen, path: str, name: str) -> str:
    """The text of a study for what was seen.

    Args:
        path: of the pictures, as the study says it.
        name: of the study file, for the commands in it.
    """
    from jinja2 import Environment, StrictUndefined

    template = files("toile.drafts").joinpath("study.toml.j2").read_text("utf-8")
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    environment.filters["toml"] = _text
    return environment.from_string(template).render(_content(seen, path, name)) + "\n"


def _content(seen: Seen, path: str, name: str) -> dict[str, Any]:
    dataset, title = seen.dataset, printable(seen.dataset.name, keep="")
    fewest, most = min(seen.counts.values()), max(seen.counts.values())
    each = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
    halvings = _halvings(*dataset.image_shape[:2])
    epochs = _epochs(len(dataset.train) * (1 - _share(seen) * len(_drawn(seen))))
    stride = 2 if halvings >= _LARGE else 1
    return {
        "file": printable(name, keep=""),
        "title": title,
        "pictures": f"{cut(title, 60)}: {seen.images:,} pictures in {dataset.classes} classes of {each}",
        "notes": _notes(seen),
        "dataset": ", ".join(_dataset(seen, path)),
        "shares": ", ".join(f"{name} = {_share(seen)}" for name in _drawn(seen)),
        "fitted": _fitted(seen),
        "seeds": 1 if seen.images >= _ENOUGH else 3,
        "uneven": f"{fewest:,} to {most:,}" if uneven(seen.counts.values()) else "",
        "epochs": epochs,
        "minutes": _MINUTES,
        "first_epochs": max(1, round(epochs / _FIRST)),
        "extra": installing("search"),
        "several": _several,
        "filters": list(_WIDTHS[: max(1, halvings)]),
        "widths": list(_WIDTHS[: max(1, halvings + (stride == 1))]),
        "stride": stride,
        "backbone": backbone(dataset.image_shape, seen.images),
        # Which takes three times as long there and back, in every epoch.
        "tuned": backbone(dataset.image_shape, 3 * _SHOWN),
    }


def _epochs(images: float) -> int:
    fewest, most = _EPOCHS
    return max(fewest, min(most, round(_SHOWN / images)))


def _several(widths: list[int]) -> list[list[int]]:
    """Half as wide, as it is, and twice as wide."""
    return [[max(1, round(factor * width)) for width in widths] for factor in (0.5, 1, 2)]


def _halvings(height: int, width: int) -> int:
    """How often a picture is halved until little is left of it."""
    return min(len(_WIDTHS), round(math.log2(max(1, min(height, width) / _MAP))))


def _dataset(seen: Seen, path: str) -> list[str]:
    """What the study says of its data set, as TOML."""
    said = [f"path = {_text(path)}"]
    if seen.spec.size is not None:
        said.append(f"size = {json.dumps(seen.spec.size)}")
    said += ["nested = true"] if seen.spec.nested else []
    return said + (['on_error = "skip"'] if seen.dataset.left_out else [])


def _notes(seen: Seen) -> list[str]:
    """Why the data set is read as it is."""
    notes = []
    if seen.spec.size is not None:
        notes.append(f'{sizes(seen)}: kept whole. fit = "crop" takes their middle.')
    if left_out := seen.dataset.left_out:
        names = printable(listed((one.name for one in left_out), _NAMED), keep="")
        notes.append(f"Left out, because they cannot be read: {names}.")
    return notes


def _fitted(seen: Seen) -> bool:
    """Whether there are validation pictures enough to fit exponents on: where few are held out a good model makes no mistake
    on them, and the exponents that fit them best have no bound."""
    own = seen.dataset.validation
    return (len(own) if own is not None else _share(seen) * len(seen.dataset.train)) >= _FITTING


def _share(seen: Seen) -> float:
    """Of all images, in each part that has to be drawn."""
    return 0.2 if seen.images < _SMALL else 0.15


def _drawn(seen: Seen) -> list[str]:
    """The parts that have to be."""
    return [name for name in ("validation", "test") if name not in seen.dataset.parts]


def _text(value: str) -> str:
    """A string as TOML has it."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

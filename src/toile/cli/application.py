"""What all verbs of the command line share: the application, common parameters, how things are said."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from toile.errors import Misuse
from toile.text import in_json, printable
from toile.version import DISTRIBUTION, __version__

if TYPE_CHECKING:
    from toile.runner.plans.planned import Plan

Only = Annotated[list[str] | None, Parameter(negative="", consume_multiple=False)]
Json = Annotated[bool, Parameter(name="--json", negative="", help="one JSON document on standard output")]


@Parameter(name="*")
@dataclass(frozen=True)
class Where:
    """Where runs and data are, and what of the study is meant."""

    store: Annotated[Path | None, Parameter(help="folder of runs (else $TOILE_STORE, else ./toile-runs)")] = None
    data_dir: Annotated[Path | None, Parameter(help="folder that is searched for data sets first")] = None
    dataset: Annotated[str | None, Parameter(help="registered data set to use instead of the study's")] = None
    fraction: Annotated[float, Parameter(help="train with only this share of the images, for a first look")] = 1.0
    epochs_scale: Annotated[float, Parameter(help="train for only this share of the epochs, for a first look")] = 1.0
    seeds: Annotated[
        list[int] | None, Parameter(negative="", consume_multiple=True, help="train every line with these instead of its own")
    ] = None


HERE = Where()

app = App(
    name="toile",
    help="A workbench for classifying small images. STUDY is a packaged study's name or a .toml file.",
    version=f"toile {__version__} ({DISTRIBUTION})",
    suppress_keyboard_interrupt=False,
)


def planned(study: str, where: Where) -> Plan:
    """The plan, with a bar for a download if there is one."""
    from toile import api
    from toile.runner.progress import Downloads

    with Downloads() as progress:
        return api.plan(study, progress=progress, **vars(where))


def at_least_1(**numbers: int | None) -> None:
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise Misuse(f"--{name} is at least 1, got {number}")


def print_json(content: Any) -> None:
    # JSON spells what an encoding lacks in another way than Python does.
    plain = (sys.stdout.encoding or "").lower() not in ("utf-8", "utf8")
    print(in_json(json.dumps(content, indent=1, ensure_ascii=plain, allow_nan=False)))


def print_text(text: str) -> None:
    """A line, or a few, on standard output: all that a verb prints comes through here or through `toile.terminal`."""
    print(printable(text))


def say(text: str) -> None:
    """The same on standard error."""
    print(printable(text), file=sys.stderr, flush=True)

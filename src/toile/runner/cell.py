"""Progress as a notebook shows it: one table under the cell that runs, drawn anew as things happen. No terminal codes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from html import escape
from importlib import import_module
from types import TracebackType
from typing import Self

from toile.runner.events import Event
from toile.runner.jobs import Job, jobs
from toile.runner.plans.planned import Plan, PlannedTrial
from toile.runner.progress import TimeLeft, duration, status
from toile.text import printable

ROWS = 12  # of trials that are shown one by one: those at work, and the latest that ended
PAUSE = 0.2  # seconds between two drawings at least; the last one is always made


def place() -> Callable[[str], None] | None:
    """What draws HTML below the cell that is being run, each time in the place of before; None outside of a notebook."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if not hasattr(shell, "kernel"):  # a terminal's IPython has none
        return None
    shown, handles = import_module("IPython.display"), []

    def draw(html: str) -> None:
        if handles:
            handles[0].update(shown.HTML(html))
        else:  # not before there is something to show
            handles.append(shown.display(shown.HTML(html), display_id=True))

    return draw


class Cell:
    """Call it with events; use it as a context. See `toile.runner.progress.Show`, which is the same on a terminal.

    Args:
        draw: draws HTML in the place of what it drew before.
        now: seconds.
    """

    def __init__(
        self,
        plan: Plan,
        pending: list[PlannedTrial],
        workers: int,
        draw: Callable[[str], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        work = jobs(pending)
        self.left, self.total, self.ended = TimeLeft(plan, work, workers), len(work), 0
        self.title, self.draw, self.now, self.drawn = plan.title, draw, now, float("-inf")
        self.rows: dict[str, tuple[str, float, str]] = {}
        self.said: list[str] = []

    def more(self, work: list[Job]) -> None:
        """There is more to do, as in a search."""
        self.left.add(work)
        self.total += len(work)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.total:
            self.draw(self.html())

    def __call__(self, event: Event) -> None:
        self.left.note(event)
        ended = event.kind in ("done", "failed")
        self.ended += ended
        # The latest is last, so that of many trials those that ended first are left out.
        _, share, _ = self.rows.pop(event.fingerprint, ("", 0.0, ""))
        if event.kind == "epoch":
            share = event.fields["epoch"] / event.fields["epochs"]
        self.rows[event.fingerprint] = event.name, 1.0 if event.kind == "done" else share, status(event)
        if event.kind == "failed":
            self.said += [event.name, *(f"  | {line.expandtabs()}" for line in event.fields.get("output", []))]
        if self.now() - self.drawn >= PAUSE:
            self.drawn = self.now()
            self.draw(self.html())

    def html(self) -> str:
        """The table. Its colours are those of the notebook, in light and dark."""
        left = f", about {duration(self.left.estimate())} left" if self.left.seconds else ""
        share = self.ended / max(self.total, 1)
        head = f"<p>{_text(self.title)}: {self.ended} of {self.total} ended{left} {_bar(share, 'all trials')}</p>"
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{_text(name)}</th><td>{_bar(share, name)}</td>'
            f'<td style="text-align:left">{_text(said)}</td></tr>'
            for name, share, said in list(self.rows.values())[-ROWS:]
        )
        failed = f"<pre>{_text(chr(10).join(self.said))}</pre>" if self.said else ""
        return f"<div>{head}<table><tbody>{rows}</tbody></table>{failed}</div>"


def _bar(share: float, name: str) -> str:
    return f'<progress max="1" value="{share:.4f}" aria-label="{_text(name)}">{share:.0%}</progress>'


def _text(words: str) -> str:
    return escape(printable(words))

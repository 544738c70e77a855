"""How long a command may take: nothing is begun that cannot end in time."""

from __future__ import annotations

import time
from collections.abc import Callable

from toile.errors import Misuse
from toile.runner.jobs import Job


def check_minutes(minutes: float) -> None:
    """Refuse what is no time at all.

    Raises:
        Misuse: it is.
    """
    if not 0 < minutes < float("inf"):
        raise Misuse(f"--minutes is above 0, got {minutes:g}")


class TimeLimit:
    """So many minutes from now.

    Args:
        minutes: above 0.
        seconds: about how long a job takes, on one core.

    Raises:
        Misuse: no time at all.
    """

    def __init__(self, minutes: float, seconds: Callable[[Job], float]) -> None:
        check_minutes(minutes)
        self.end, self.seconds = time.monotonic() + 60 * minutes, seconds

    @property
    def left(self) -> float:
        """Seconds."""
        return self.end - time.monotonic()

    def fits(self, job: Job) -> bool:
        """Whether a job that is begun now is likely to end in time."""
        return self.seconds(job) <= self.left

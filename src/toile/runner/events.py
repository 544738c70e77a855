"""What happens while trials run, as the executor tells it and as progress shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["queued", "moved", "again", "started", "waiting", "epoch", "done", "failed", "stopped"]


@dataclass(frozen=True)
class Event:
    """Something that happened to a trial.

    `kind`: `started`, `waiting` (another process trains it), `epoch` (fields of the history's row), `done`, `failed`
    (field `error`; `output`, the worker's last lines; and `diverged`, the epoch, where the loss became no number), `stopped`
    (Ctrl-C, or the time is over). On a cluster also `queued` (there is no worker yet), `moved` (fields `worker` and `why` it
    cannot be there) and `again` (its process died; `worker` and `error`), and all that happens on one has its address in
    the field `worker`.
    """

    kind: Kind
    name: str
    fingerprint: str
    fields: dict[str, Any] = field(default_factory=dict)

"""What a command in a message says beside the study, to mean the same plan: what of the study, and where its runs are."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from toile.store.store import Store
from toile.store.usual import usual
from toile.study.reduction import Reduction


def options(store: Store, reduction: Reduction, seeds: Sequence[int] | None = None, data_dir: Path | str | None = None) -> str:
    """As ` --fraction 0.1 --store runs`, for a shell; empty where all is as it is without options.

    Args:
        seeds, data_dir: None where they were left out.
    """
    said: list[str] = []
    if reduction.fraction != 1:
        said += ["--fraction", repr(float(reduction.fraction))]
    if reduction.epochs_scale != 1:
        said += ["--epochs-scale", repr(float(reduction.epochs_scale))]
    if seeds is not None:
        said += ["--seeds", *map(str, seeds)]
    if store.root != usual():
        said += ["--store", str(store.root)]
    if data_dir is not None:
        said += ["--data-dir", str(data_dir)]
    return "".join(f" {shlex.quote(one)}" for one in said)

"""What all functions of the API take: where runs and data are, and what of a study is meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

Folder = Path | str | None


class Place(TypedDict, total=False):
    """Where runs and data are.

    Keys:
        store: folder of runs; else `$TOILE_STORE`, else `./toile-runs`.
        data_dir: folder to look for data sets in first.
    """

    store: Folder
    data_dir: Folder


class Where(Place, total=False):
    """Where runs and data are, and what of the study is meant.

    Keys:
        dataset: name of a registered data set to use instead of the study's own.
        fraction: this share of the training images only, above 0 and at most 1: a first look. Other trials, which say so.
        epochs_scale: this share of the epochs only, above 0 and at most 1.
        seeds: train every line with these seeds, whole numbers from 0 up, instead of the study's own.
    """

    dataset: str | None
    fraction: float
    epochs_scale: float
    seeds: Sequence[int] | None

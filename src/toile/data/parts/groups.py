"""Images that belong together, such as those of one person: a split puts all of a group into one part."""

from __future__ import annotations

import hashlib
import re

import numpy as np

from toile.arrays import PositionLabels, Positions
from toile.data.audits.near import TooAlike, look_alikes
from toile.data.dataset import Dataset, Images
from toile.data.errors import DataError
from toile.errors import nearest
from toile.text import composed, counted, cut, listed

NEAR = "near-duplicates"
_NONE = ("", "nan", "<na>", "none", "null", "n/a")  # what programs write into a cell that has no value
_KNOWN = "sha256:"  # groups that are known already, by the digest of their numbers


def digest(groups: Positions) -> str:
    """What a split calls groups, wherever they came from: names of files are no part of a data set's content, and groups decide
    what is trained on."""
    return _KNOWN + hashlib.sha256(np.ascontiguousarray(groups, "<i8").data).hexdigest()


def found(dataset: Dataset, said: str) -> Positions:
    """The group of each training image, `(images,)`, numbered as they come.

    Args:
        said: `near-duplicates`, a column of the list that the data set was read from, a regular expression on the names of its
            files (what its first brackets match, or all of it), or what `digest` gave.

    Raises:
        DataError: there is no such column, and it is no expression that every name matches; or images have no group: together
            they would be a group of strangers, and each by itself could be somebody's of another part.
    """
    if said.startswith(_KNOWN):
        groups = dataset.groupings.get(said)
        if groups is None or digest(groups) != said:
            raise DataError(f"data set {dataset.name!r}: the groups of its split are not kept beside it; run the study again")
        return groups
    if said == NEAR:
        try:
            return _numbered(look_alikes(dataset.train.images).tolist())
        except TooAlike:
            raise DataError(f"data set {dataset.name!r}: its images are too alike to tell near-duplicates apart") from None
    columns = dataset.train.columns or {}
    if said.lower() in columns:
        groups = list(map(composed, columns[said.lower()].tolist()))
        if none := [at for at, group in enumerate(groups) if _is_none(group)]:
            first = none[0] if dataset.train.names is None else repr(cut(dataset.train.names[none[0]], 80))
            raise DataError(
                f"split.groups: {len(none):,} of {len(groups):,} training images have no {said!r}, the first of them {first}; "
                "write a group for each, one of its own where it belongs to no other, or leave these images out of the list"
            )
        return _numbered(groups)
    return _numbered(_matched(dataset, said, list(columns)))


def _matched(dataset: Dataset, said: str, columns: list[str]) -> list[str]:
    there = f"; its columns are {listed(columns)}" if columns else ""
    if dataset.train.names is None:
        hint = nearest(said, [NEAR, *columns])
        raise DataError(f"data set {dataset.name!r} has no names of files to find groups in{there}; expected {NEAR!r}{hint}")
    try:
        expression = re.compile(said)
    except re.error as error:
        raise DataError(f"split.groups: {said!r} is no column and no regular expression ({error}){there}") from None
    groups = []
    for name in dataset.train.names.tolist():
        match = expression.search(name)
        if match is None:
            hint = nearest(said, [NEAR, *columns])
            raise DataError(
                f"split.groups: {said!r} is no column{there}, and the file name {cut(name, 80)!r} does not match it{hint}"
            )
        if not (group := composed(match.group(1 if expression.groups else 0) or "")):
            raise DataError(
                f"split.groups: what {said!r} matches in the file name {cut(name, 80)!r} is empty, which is no group; expected "
                "an expression that matches at least one character in every name"
            )
        groups.append(group)
    return groups


def _is_none(group: str) -> bool:
    return group.strip().lower() in _NONE


def shared(dataset: Dataset, said: str) -> str | None:
    """A sentence about groups of training images that are in the data set's own validation or test images too, which no split
    keeps apart; None where there are none."""
    if said == NEAR or said.startswith(_KNOWN):  # what looks alike is told of anyway
        return None
    column = said.lower() in (dataset.train.columns or {})
    known = {key for key in _keys(dataset.train, said, column) if not _is_none(key)}
    for part in ("validation", "test"):
        images = dataset.parts.get(part)
        if images is not None and (both := sorted(known & set(_keys(images, said, column)))):
            count = counted(len(both), "group is", "groups are")
            return (
                f"split.groups: {count} among the training images and among the {part} images that the data set brings, such "
                f"as {cut(both[0], 60)!r}; to keep them together, join these parts by `pool`"
            )
    return None


def spelt(dataset: Dataset, said: str) -> str | None:
    """A sentence about groups whose names differ in capitals, spaces and dashes only: one person, written in two ways, may be
    in two parts; None where there are none."""
    if said == NEAR or said.startswith(_KNOWN):
        return None
    ways: dict[str, dict[str, None]] = {}
    column = said.lower() in (dataset.train.columns or {})
    for key in _keys(dataset.train, said, column):
        number = re.fullmatch(r"[+-]?[\d.]+", key)  # -1 and 1 are two
        ways.setdefault(key if number else re.sub(r"[\s_-]+", " ", key).strip().casefold(), {})[key] = None
    if same := [" and ".join(map(repr, names)) for names in ways.values() if len(names) > 1]:
        return f"split.groups: {listed(same, 5)} are groups of their own; if they are one, write them in one way"
    return None


def _keys(images: Images, said: str, column: bool) -> list[str]:
    """The groups of some images, of those that have one: by a column, or by an expression on their names."""
    if column:
        cells = (images.columns or {}).get(said.lower())
        return [] if cells is None else list(map(composed, cells.tolist()))
    if images.names is None:
        return []
    expression = re.compile(said)
    found = (expression.search(name) for name in images.names.tolist())
    return [composed(match.group(1 if expression.groups else 0) or "") for match in found if match]


def _numbered(keys: list) -> Positions:
    first: dict = {}
    return np.array([first.setdefault(key, len(first)) for key in keys], np.int64)


def shared_out(labels: PositionLabels, groups: Positions, shares: list[float], seed: int, stratify: bool) -> list[Positions]:
    """Positions for each share, whole groups, in random order: the largest groups first, each to where the counts (of each
    class, if stratified) then differ least from the share, by the chi-square statistic.

    Raises:
        ValueError: there are fewer groups than shares.
    """
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    _, label = np.unique(labels, return_inverse=True) if stratify else (None, np.zeros(len(labels), np.int64))
    if len(sizes) < len(shares):
        raise ValueError(f"{len(sizes)} groups for {len(shares)} parts")
    counts = np.zeros((len(sizes), int(label.max()) + 1))
    np.add.at(counts, (group, label), 1)
    wanted = np.array(shares)[:, None] * counts.sum(axis=0)
    random = np.random.RandomState(seed)
    order = random.permutation(len(sizes))
    held, where = np.zeros_like(wanted), np.empty(len(sizes), np.int64)
    for one in order[np.argsort(-sizes[order], kind="stable")]:
        # (held + counts - wanted)^2 - (held - wanted)^2, over wanted
        costs = (counts[one] * (counts[one] + 2 * (held - wanted)) / wanted).sum(axis=1)
        where[one] = int(np.argmin(costs))
        held[where[one]] += counts[one]
    return [random.permutation(np.flatnonzero(where[group] == share)) for share in range(len(shares))]

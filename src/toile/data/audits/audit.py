"""What a look at the data shows: counts, statistics, duplicates, and what is suspicious."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from toile.arrays import Hashes, ImageArray, Index, Labels, Marked, NearPairs, PerImage, Positions
from toile.data.audits.near import TooAlike, near_pairs
from toile.data.audits.suspicions import shared, warnings
from toile.data.dataset import PARTS, Dataset, Images
from toile.data.parts.groups import NEAR
from toile.data.parts.splits import Parts

REVISION = 7  # raised when the same images come to be told otherwise
SHOWN = 10  # pairs that are listed; the counts are of all
# Images among which near-duplicates are looked for unasked: 70,000 of 28 x 28 take three seconds; time grows with the square.
NEAR_AMONG = 100_000
PAIRS = (("train", "validation"), ("train", "test"), ("validation", "test"))
_CHUNK = 2048


@dataclass(frozen=True)
class _Seen:
    """Facts of every image of an array, or of some of them.

    Args:
        hashes: equal where every pixel is.
        total, squares: sums of its pixels, and of their squares.
        constant: whether it is of one colour.
        highest: its largest number.
        labels, names: as in `Images`.
        place: where the image is among all that the data set brings.
    """

    hashes: Hashes
    total: PerImage
    squares: PerImage
    constant: Marked
    highest: Labels
    labels: Labels
    names: Any
    place: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def some(self, at: Index) -> _Seen:
        there: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        some: dict[str, Any] = {name: None if array is None else array[at] for name, array in there.items()}
        return _Seen(**some)


def audit(dataset: Dataset, cut: Parts | None = None) -> dict[str, Any]:
    """Looks a data set over, part by part. 70,000 images take about half a second.

    An image repeats another where every pixel is the same. `duplicates` of a part are the images that repeat an earlier one of
    it; those between two parts are the images of the later part that are in the earlier one too. Near-duplicates (see
    `toile.data.audits.near`) are looked for among 100,000 images at most; those that are duplicates are not counted again.

    Args:
        cut: the parts that are trained on, as a study cuts them; None for the parts that the data set brings.

    Returns:
        What JSON can hold:
        `name`, `content`, `image_shape`, `dtype`, `classes`, `class_names`, `largest_value` (of all pixels);
        `train`, `validation` and `test` (None where there is none), each `{"images", "counts" (one a class), "mean", "std" (of
        the pixels, 0..255), "largest_value", "constant" (images of one colour), "duplicates", "near_duplicates"}`;
        `train_and_validation`, `train_and_test` and `validation_and_test`: duplicates, with `near_duplicates` in them, or None;
        `warnings`: sentences; `shared`: those of them that are about images which two parts have in common.
        Duplicates are `{"images", "label_disagrees", "pairs": [[i, j], …], "names": [[a, b], …]}`: how many repeat another, how
        many of those under another label than the first one, and the first ten as indices in their parts, and by the names of
        their files where they have some. Near-duplicates have the same, or are None where they were not looked for.
    """
    brought = _brought(dataset)
    parts = brought if cut is None else _cut(brought, cut)
    near = _near(dataset)
    result: dict[str, Any] = {
        "name": dataset.name,
        "content": dataset.content,
        "image_shape": list(dataset.image_shape),
        "dtype": str(dataset.train.images.dtype),
        "classes": dataset.classes,
        "class_names": list(dataset.class_names),
        "largest_value": max(int(seen.highest.max()) for seen in parts.values()),
    }
    for name in PARTS:
        result[name] = _part(parts[name], dataset, near) if name in parts else None
    for pair in PAIRS:
        there = pair[0] in parts and pair[1] in parts
        result["_and_".join(pair)] = _between(parts[pair[0]], parts[pair[1]], near) if there else None
    drawn = frozenset(() if cut is None else cut.indices) - {"train"}
    result |= {"warnings": warnings(result, dataset, drawn), "shared": shared(result, drawn)}
    if near is None:
        result["warnings"].append(
            f"near-duplicates were not looked for, because there are more than {NEAR_AMONG:,} images; "
            f"`groups = {NEAR!r}` in the study's split looks for them, and keeps them in one part"
        )
    elif isinstance(near, str):
        result["warnings"].append("the images are so alike that near-duplicates among them mean nothing; none are named")
    return result


def _brought(dataset: Dataset) -> dict[str, _Seen]:
    """What the data set brings, image by image."""
    found, before = {}, 0
    for name, part in dataset.parts.items():
        if len(part):
            found[name] = _seen(part, before)
            before += len(part)
    return found


def _cut(brought: dict[str, _Seen], cut: Parts) -> dict[str, _Seen]:
    drawn = {name: brought["train"].some(at) for name, at in cut.indices.items()}
    given = {"validation"} if cut.given else set()
    given |= {"test"} - set(drawn)
    return {name: drawn[name] if name in drawn else brought[name] for name in PARTS
            if name in drawn or (name in given and name in brought)}  # fmt: skip


def _seen(part: Images, before: int) -> _Seen:
    count = len(part)
    total, squares = np.empty(count), np.empty(count)
    constant, highest, digests = np.empty(count, np.bool_), np.empty(count, np.int64), []
    for at in range(0, count, _CHUNK):
        images = np.ascontiguousarray(part.images[at : at + _CHUNK])
        rows, here = images.reshape(len(images), -1), slice(at, at + len(images))
        total[here] = rows.sum(axis=1, dtype=np.int64)
        squares[here] = np.einsum("ni,ni->n", rows, rows, dtype=np.float64)
        constant[here], highest[here] = _constant(images), rows.max(axis=1)
        digests += [hashlib.blake2b(row.data, digest_size=16).digest() for row in rows]
    # 16-byte digests as a comparable type.
    hashes = np.frombuffer(b"".join(digests), "S1").view("V16")
    return _Seen(hashes, total, squares, constant, highest, part.labels, part.names, np.arange(before, before + count))


def _constant(images: ImageArray) -> Marked:
    flat = images.reshape(len(images), -1, images.shape[3])
    return (flat.min(axis=1) == flat.max(axis=1)).all(axis=1)


def _near(dataset: Dataset) -> NearPairs | Literal["too many"] | None:
    """Near-duplicates among all images that the data set brings, by their place among these."""
    if sum(map(len, dataset.parts.values())) > NEAR_AMONG:
        return None
    try:
        return near_pairs(*(part.images for part in dataset.parts.values()))
    except TooAlike:
        return "too many"


def _part(seen: _Seen, dataset: Dataset, near: NearPairs | Literal["too many"] | None) -> dict[str, Any]:
    pixels = len(seen) * int(np.prod(dataset.image_shape))
    mean = float(seen.total.sum()) / pixels
    _, first, inverse = np.unique(seen.hashes, return_index=True, return_inverse=True)
    earliest = first[inverse.ravel()]
    repeats = np.flatnonzero(earliest != np.arange(len(seen)))
    return {
        "images": len(seen),
        "counts": np.bincount(seen.labels, minlength=dataset.classes).tolist(),
        "mean": mean,
        "std": max(float(seen.squares.sum()) / pixels - mean**2, 0.0) ** 0.5,
        "largest_value": int(seen.highest.max()),
        "constant": int(np.count_nonzero(seen.constant)),
        "duplicates": _duplicates(seen, seen, earliest[repeats], repeats),
        "near_duplicates": _alike(seen, seen, near),
    }


def _between(earlier: _Seen, later: _Seen, near: NearPairs | Literal["too many"] | None) -> dict[str, Any]:
    known, first = np.unique(earlier.hashes, return_index=True)
    place = np.searchsorted(known, later.hashes).clip(max=len(known) - 1)
    repeats = np.flatnonzero(known[place] == later.hashes)
    same = _duplicates(earlier, later, first[place[repeats]], repeats)
    return {**same, "near_duplicates": _alike(earlier, later, near)}


def _alike(earlier: _Seen, later: _Seen, near: NearPairs | Literal["too many"] | None) -> dict[str, Any] | None:
    """Near-duplicates that are no duplicates: each image of the later part with the first of the earlier that it is like."""
    if near is None or isinstance(near, str):
        return None
    among, of = (_places(seen, near) for seen in (earlier, later))
    both = np.concatenate([near, near[:, ::-1]])
    one, other = among[both[:, 0]], of[both[:, 1]]
    there = (one >= 0) & (other >= 0)
    if earlier is later:
        there &= one < other
    one, other = one[there], other[there]
    unlike = earlier.hashes[one] != later.hashes[other]
    one, other = one[unlike], other[unlike]
    order = np.lexsort((one, other))
    repeats, at = np.unique(other[order], return_index=True)
    return _duplicates(earlier, later, one[order][at], repeats)


def _places(seen: _Seen, near: NearPairs) -> Positions:
    """For each image of the data set where it is in a part; -1 where it is not. As long as `near` needs."""
    highest = max(int(seen.place.max()), int(near.max()) if len(near) else 0)
    places = np.full(highest + 1, -1, np.int64)
    places[seen.place] = np.arange(len(seen))
    return places


def _duplicates(earlier: _Seen, later: _Seen, originals: Positions, repeats: Positions) -> dict[str, Any]:
    shown = list(zip(originals[:SHOWN].tolist(), repeats[:SHOWN].tolist(), strict=True))
    names = [[str(earlier.names[i]), str(later.names[j])] for i, j in shown] if _both_named(earlier, later) else []
    return {
        "images": len(repeats),
        "label_disagrees": int(np.count_nonzero(earlier.labels[originals] != later.labels[repeats])),
        "pairs": [list(pair) for pair in shown],
        **({"names": names} if names else {}),
    }


def _both_named(one: _Seen, other: _Seen) -> bool:
    return one.names is not None and other.names is not None

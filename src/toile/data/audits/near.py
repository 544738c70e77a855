"""Near-duplicates: images that are the same but for light, contrast, noise, compression or a change of size.

Pictures are compared as vectors: in a small size, without their mean, of length 1, so that the scalar product of two is the
correlation of their pixels. A projection to a few dimensions never lengthens a distance, so what is near in it are
all candidates, and none is missed; each is then compared in full.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toile.arrays import ImageArray, NearPairs, PartImages, Positions

REVISION = 1  # raised when other images come to be called so
_SIDE = {1: 16, 3: 10}  # pixels that images are compared in, by their channels
_ALIKE = 0.997  # correlation in the small size, from which on two may be near-duplicates
_ALIKE_WHOLE = 0.98  # and in their own
_DIMENSIONS = 24
_SAMPLE = 4000  # images that the projection is made from
_TINY = 8  # pixels of a side; of smaller images many have the same few steps of light, and only the same pixels count
_FAINT = 2.0  # standard deviation of pixels, 0..255: images with less have nothing on them that could be compared
_MOST = 2_000_000  # candidates that are compared; of more, images are all alike
_CHUNK, _BLOCK = 2048, 512


class TooAlike(Exception):
    """So many images resemble each other that near-duplicates mean nothing."""


class _Joined:
    """Arrays of images as one, of which some at a time are in memory."""

    def __init__(self, arrays: tuple[PartImages, ...]) -> None:
        self.arrays, self.shape = arrays, (sum(map(len, arrays)), *arrays[0].shape[1:])
        self.begins = np.cumsum([0, *map(len, arrays)])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, at: Positions) -> PartImages:
        out = np.empty((len(at), *self.shape[1:]), np.uint8)
        for begin, array in zip(self.begins, self.arrays, strict=False):
            here = (at >= begin) & (at < begin + len(array))
            out[here] = array[at[here] - begin]
        return out


def near_pairs(*arrays: PartImages) -> NearPairs:
    """All pairs of images that are near-duplicates of each other, `(pairs, 2)` positions, the lower first, sorted. The same
    pixels twice are such a pair too; images of one colour are in none.

    70,000 images of 28 x 28 take three seconds of a core. Of the images themselves only some are in memory at a time.

    Args:
        arrays: uint8 images of one size, counted through.

    Raises:
        TooAlike: there are absurdly many.
    """
    images, none = _Joined(arrays), np.empty((0, 2), np.int64)
    if len(images) < 2:
        return none
    if min(images.shape[1:3]) < _TINY:
        return _same(images[np.arange(len(images))])
    small, sharp = _small(images)
    where = np.flatnonzero(sharp)
    if len(where) < 2:
        return none
    small = small[where]
    some = small[:: max(1, len(small) // _SAMPLE)].astype(np.float64)
    _, axes = np.linalg.eigh(some.T @ some)
    found = _close(small @ axes[:, ::-1][:, :_DIMENSIONS].astype(np.float32), float(np.sqrt(2 * (1 - _ALIKE))) + 1e-4)
    found = found[_correlation(small, found) >= _ALIKE]
    found = np.sort(where[found], axis=1)
    if images.shape[1] * images.shape[2] > small.shape[1] // images.shape[3]:
        found = found[_compared(images, found) >= _ALIKE_WHOLE]
    return found[np.lexsort((found[:, 1], found[:, 0]))]


def _same(images: ImageArray) -> NearPairs:
    """Each image with the first one that has the same pixels."""
    _, first, inverse = np.unique(images.reshape(len(images), -1), axis=0, return_index=True, return_inverse=True)
    earliest = first[inverse.ravel()]
    repeats = np.flatnonzero(earliest != np.arange(len(images)))
    pairs = np.stack([earliest[repeats], repeats], axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def look_alikes(images: ImageArray) -> Positions:
    """`(images,)`: the group of each image. Near-duplicates, and near-duplicates of these, are one group.

    Raises:
        TooAlike: see `near_pairs`.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = near_pairs(images)
    linked = coo_array((np.ones(len(pairs), np.bool_), (pairs[:, 0], pairs[:, 1])), shape=(len(images), len(images)))
    return connected_components(linked, directed=False)[1].astype(np.int64)


def _close(points: NDArray[np.float32], radius: float) -> NearPairs:
    """All pairs of points within a distance of each other. In the order of their first number only neighbours can be.

    Raises:
        TooAlike: there are absurdly many.
    """
    order = np.argsort(points[:, 0], kind="stable")
    points = points[order]
    squares = np.einsum("ni,ni->n", points, points)
    found, count = [np.empty((0, 2), np.int64)], 0
    for at in range(0, len(points), _BLOCK):
        block = points[at : at + _BLOCK]
        end = int(np.searchsorted(points[:, 0], block[-1, 0] + radius, side="right"))
        distances = squares[at : at + len(block), None] + squares[None, at:end] - 2 * (block @ points[at:end].T)
        one, other = np.nonzero(distances <= radius**2)
        one, other = one[one < other], other[one < other]
        found.append(np.stack([order[at + one], order[at + other]], axis=1))
        if (count := count + len(one)) > _MOST:
            raise TooAlike
    return np.concatenate(found)


def _small(images: ImageArray | _Joined) -> tuple[NDArray[np.float32], NDArray[np.bool]]:
    """Vectors of length 1, `(images, numbers)`; and which images have something on them."""
    height, width, channels = images.shape[1:]
    rows, columns = _means(height, _SIDE[channels]), _means(width, _SIDE[channels])
    out = np.empty((len(images), len(rows) * len(columns) * channels), np.float32)
    sharp = np.empty(len(images), np.bool_)
    for at in range(0, len(images), _CHUNK):
        part = images[np.arange(at, min(at + _CHUNK, len(images)))].astype(np.float32)
        means = np.einsum("ih,nhwc->niwc", rows, part, optimize=True)
        vectors = np.einsum("jw,niwc->nijc", columns, means, optimize=True).reshape(len(part), -1)
        vectors -= vectors.mean(axis=1, keepdims=True)
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        sharp[at : at + _CHUNK] = length[:, 0] > _FAINT * np.sqrt(vectors.shape[1])
        out[at : at + _CHUNK] = vectors / np.maximum(length, 1e-6)
    return out, sharp


def _means(length: int, wanted: int) -> NDArray[np.float32]:
    """`(wanted, length)`: a row is how much each pixel counts in the mean over one of the equal stretches of a side."""
    wanted = min(wanted, length)
    edges = np.linspace(0, length, wanted + 1)
    at = np.arange(length)
    shared = np.minimum(edges[1:, None], at + 1) - np.maximum(edges[:-1, None], at)
    return (np.clip(shared, 0, 1) * wanted / length).astype(np.float32)


def _correlation(vectors: NDArray[np.float32], pairs: NearPairs) -> NDArray[np.float32]:
    out = np.empty(len(pairs), np.float32)
    for at in range(0, len(pairs), _CHUNK):
        one, other = pairs[at : at + _CHUNK].T
        out[at : at + _CHUNK] = np.einsum("ni,ni->n", vectors[one], vectors[other])
    return out


def _compared(images: _Joined, pairs: NearPairs) -> NDArray[np.float32]:
    """The correlation of whole images."""
    out, step = np.empty(len(pairs), np.float32), max(1, 2**22 // int(np.prod(images.shape[1:])))
    for at in range(0, len(pairs), step):
        one, other = (_centred(images[side]) for side in pairs[at : at + step].T)
        out[at : at + step] = np.einsum("ni,ni->n", one, other)
    return out


def _centred(images: ImageArray) -> NDArray[np.float32]:
    flat = images.reshape(len(images), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)

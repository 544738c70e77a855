"""Many pictures at once, as a data set is made of them: on all cores, into one array.

What the pictures have in common is not known before all were looked at: whether one has colours, which number is full light in
those of more than eight bits. So their form comes out of the reading, and is what makes a later one the same.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

import numpy as np

from toile.arrays import ImageArray, Pixels, Positions
from toile.pictures.decode import ImageError
from toile.pictures.form import Form
from toile.pictures.light import named, of_all
from toile.pictures.look import Look, Wanted, look, sound
from toile.pictures.read import Blob, Prepared, read

F = TypeVar("F")
T = TypeVar("T")

_CHUNK = 64  # files of one task
_FEW = 500  # files that are read before other processes have started
_ODD = 100  # files of other sizes than the first, of which is seen whether they are whole


@dataclass
class Many:
    """What many files came to.

    Args:
        images: uint8 `(n, height, width, channels)` of those that could be read, in order; None where they have several sizes,
            or too large a one, and no size was wanted.
        kept: `(n,)` their positions among the files.
        broken: position -> why, of the others.
        sizes: how many pictures there are of each (height, width).
        form: of all of them, without a guess; None where there are no images.
        notes: what was decided that the owner of the pictures should know, in sentences.
    """

    images: ImageArray | None
    kept: Positions
    broken: dict[int, str]
    sizes: Counter[tuple[int, int]]
    form: Form | None
    notes: tuple[str, ...] = ()


def read_many(
    files: Sequence[Path | Blob], wanted: Wanted, most: int, take: Callable[[int], None] = lambda count: None
) -> Many:
    """Read picture files.

    Args:
        files: in the order of the images that come of them.
        wanted: how; without a `size` all must have the same.
        most: pixels of a picture that is taken in its own size.
        take: called with the bytes of memory that are about to be set aside for images; it may raise.

    Raises:
        ImageError: pictures of floats that have not one range.
    """
    if wanted.size is None:
        wanted = replace(wanted, native=next((size for file in files if (size := sound(file, wanted, most))), None))
    made = _Gathered(len(files), wanted, take)
    for number, one in enumerate(_each(partial(look, wanted=wanted), files)):
        made.add(number, one)
    for number, size in made.odd.items() if len(made.odd) <= _ODD else ():
        # Of these only the headers were read, and a size that none but broken files have is none.
        if why := look(files[number], replace(wanted, native=size), last=True).broken:
            made.drop(number, size, why)
    notes: list[str] = []
    if made.of_one_size:
        light = of_all({number: one for number, one in made.left.items() if one.deep is not None}, files)
        wanted, notes = replace(wanted, full=light.full, fractions=light.fractions), light.notes
        for number in sorted(made.left):
            if why := light.broken.get(number):
                made.drop(number, made.left[number].size, why)
            else:
                made.add(number, look(files[number], wanted, last=True))
    if several := [number for number in sorted(made.several) if number not in made.broken]:
        count = f"{len(several):,} of {len(files) - len(made.broken):,}"
        notes.append(f"{count} pictures have several frames or pages; the first of each is taken ({named(several, files)})")
    return replace(made.done(wanted), notes=tuple(notes))


def sizes(files: Sequence[Path | Blob], *, upright: bool = True) -> Counter[tuple[int, int]]:
    """How many pictures there are of each (height, width), by their headers; files without one count as nothing."""
    found = _each(partial(look, wanted=Wanted(upright=upright)), files)
    return Counter(one.size for one in found if one.size is not None and one.broken is None)


def prepare_many(files: Sequence[Path], form: Form, *, as_is: bool = False) -> tuple[list[Prepared], dict[int, str]]:
    """Pictures as a model's input, as `toile.pictures.read.read` makes each.

    Returns:
        Those that could be read, in order; and position -> why, of the others.
    """
    prepared, broken = [], {}
    for number, one in enumerate(_each(partial(_prepared, form=form, as_is=as_is), files)):
        if isinstance(one, Prepared):
            prepared.append(one)
        else:
            broken[number] = one
    return prepared, broken


def _prepared(file: Path, form: Form, as_is: bool) -> Prepared | str:
    try:
        with warnings.catch_warnings(action="ignore"):  # Pillow's, of damage that it can live with
            return read(file, form, as_is=as_is)
    except ImageError as error:
        return str(error)


def _each(task: Callable[[F], T], files: Sequence[F]) -> Iterator[T]:
    """What a task makes of each file, in their order; on all cores where they are many."""
    if len(files) <= _FEW:
        yield from map(task, files)
        return
    from joblib import Parallel, cpu_count, delayed

    chunks = [files[at : at + _CHUNK] for at in range(0, len(files), _CHUNK)]
    # joblib's processes are started by name and import no caller's script, so this works in notebooks too.
    # A chunk is a task, so that its answers are not kept waiting for those of others.
    pool = Parallel(cpu_count(), return_as="generator", batch_size=cast("str", 1), pre_dispatch="3 * n_jobs")
    for found in cast("Iterator[list[T]]", pool(delayed(_chunk)(task, chunk) for chunk in chunks)):
        yield from found


def _chunk(task: Callable[[F], T], files: Sequence[F]) -> list[T]:
    return [task(file) for file in files]


class _Gathered:
    """The images as they come in. There is one array of them, so that they are in memory once."""

    def __init__(self, count: int, wanted: Wanted, take: Callable[[int], None]) -> None:
        self.count, self.wanted, self.take = count, wanted, take
        self.images: ImageArray | None = None
        self.broken: dict[int, str] = {}
        self.left: dict[int, Look] = {}
        self.odd: dict[int, tuple[int, int]] = {}
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.transparent = False
        self.several: set[int] = set()

    @property
    def of_one_size(self) -> bool:
        """Whether images come of it."""
        return self.wanted.target is not None and (self.wanted.size is not None or len(self.sizes) == 1)

    def add(self, number: int, one: Look) -> None:
        if one.size is not None and number not in self.left:
            self.sizes[one.size] += 1
        self.transparent |= one.transparent
        if one.frames > 1:
            self.several.add(number)
        if one.broken is not None:
            self.drop(number, one.size, one.broken)
        elif one.later:
            self.left[number] = one
        elif one.pixels is None and one.size is not None:
            self.odd[number] = one.size
        elif one.pixels is not None and len(self.odd) <= _ODD:
            self._place(number, one.pixels)
        else:  # nothing will come of it
            self.images = None

    def drop(self, number: int, size: tuple[int, int] | None, why: str) -> None:
        """A file is broken, and what its header says is worth nothing."""
        self.broken[number] = why
        self.sizes -= Counter([size] if size is not None else [])

    def done(self, wanted: Wanted) -> Many:
        kept = np.array([number for number in range(self.count) if number not in self.broken], np.int64)
        if not self.of_one_size or self.images is None:
            return Many(None, kept, self.broken, self.sizes, None)
        if len(kept) < self.count:
            for to, number in enumerate(kept):  # moved one by one: a copy of all would be in memory beside them
                self.images[to] = self.images[number]
        images, (native, *others) = self.images[: len(kept)], self.sizes
        size = (images.shape[1], images.shape[2])
        ground = wanted.ground or ("white" if self.transparent else None)
        own = () if others else tuple(dict.fromkeys([native, size]))
        said = {"fit": wanted.fit, "full": wanted.full, "fractions": wanted.fractions, "upright": wanted.upright}
        form = Form(size=size, channels=images.shape[3], ground=ground, own=own, **said)
        return Many(images, kept, self.broken, self.sizes, form)

    def _place(self, number: int, pixels: Pixels) -> None:
        if self.images is None:
            self.take(self.count * pixels.size)
            self.images = np.empty((self.count, *pixels.shape), np.uint8)
        elif pixels.shape[2] > self.images.shape[3]:
            self.take(self.count * pixels.size - self.images.size)
            # The first picture with colours: what was grey until now spreads over three channels.
            grey, self.images = self.images, np.empty((self.count, *pixels.shape), np.uint8)
            self.images[...] = grey
        self.images[number] = pixels

"""What a model says of picture files, by the names of its classes. With an export, numpy, pillow and onnxruntime do it all."""

from __future__ import annotations

import csv
import io
import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypedDict, Unpack

import numpy as np

from toile.errors import Misuse
from toile.pictures.decode import ImageError
from toile.pictures.files import ENDINGS, pictures, unreadable
from toile.pictures.form import Form
from toile.pictures.many import prepare_many
from toile.serving.predictor import NO_CHECKSUM, Predictor
from toile.text import counted, listed

_NAMED = 100  # files that an error names; it says how many there are


@dataclass(frozen=True)
class Answer:
    """What a run or a committee says of one image.

    `probabilities` is by class; `members` has each member's by name, empty for a single run; `steps` say what was done to the
    image before a model saw it.
    """

    image: str
    class_name: str
    probabilities: dict[str, float]
    members: dict[str, dict[str, float]]
    steps: tuple[str, ...]


def answers(
    images: Sequence[Path | str],
    form: Form,
    classes: Sequence[str],
    members: Sequence[str],
    ask: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    *,
    as_is: bool = False,
    on_error: Literal["stop", "skip"] = "stop",
    tell: Callable[[str], None] = lambda text: None,
) -> list[Answer]:
    """One answer a picture file.

    Args:
        images: files, or folders of which all pictures are meant.
        form: how a picture becomes the model's input.
        classes: names in the order of the probabilities.
        members: names of a committee's; none for a single run.
        ask: from uint8 `(n, height, width, channels)` to probabilities `(n, classes)` and `(n, members, classes)`.
        as_is: guess nothing about strange pictures.
        on_error: `skip` leaves out files that cannot be used.
        tell: called with each file that is left out, and why; and with those of folders that are pictures of other formats.

    Raises:
        ImageError: files are no images, or too large; it names all of them.
        Misuse: a folder without pictures.
    """
    files = [file for image in images for file in _files(Path(image))]
    if others := [str(file) for image in images if Path(image).is_dir() for file in unreadable(Path(image))]:
        count = counted(len(others), "file")
        tell(f"left out: {count} of formats that are not read, only {', '.join(ENDINGS)}: {listed(others, 3)}")
    prepared, broken = prepare_many(files, form, as_is=as_is)
    if broken and (on_error == "stop" or not prepared):
        raise ImageError(_unread(list(broken.values())))
    for why in broken.values():
        tell(f"left out: {why}")
    probabilities, of_members = ask(np.stack([one.pixels for one in prepared]))
    kept = [file for number, file in enumerate(files) if number not in broken]

    def named(row: np.ndarray) -> dict[str, float]:
        return {name: float(p) for name, p in zip(classes, row, strict=True)}

    return [
        Answer(
            image=str(file),
            class_name=classes[int(probabilities[i].argmax())],
            probabilities=named(probabilities[i]),
            members={name: named(of_members[i, m]) for m, name in enumerate(members)},
            steps=prepared[i].steps,
        )
        for i, file in enumerate(kept)
    ]


class Options(TypedDict, total=False):
    """How pictures are read: see `answers`."""

    as_is: bool
    on_error: Literal["stop", "skip"]
    tell: Callable[[str], None]


def from_export(path: Path | str, images: Sequence[Path | str], **options: Unpack[Options]) -> list[Answer]:
    """The same from an exported ONNX file. One without a checksum is warned of.

    Raises:
        ToileError: it is no export, or damaged, or a file is no image.
    """
    predictor = loaded(path)
    members = [one["name"] for one in predictor.members] if predictor.metadata["kind"] == "committee" else []
    return answers(images, predictor.form, predictor.classes, members, predictor.predict, **options)


def loaded(path: Path | str) -> Predictor:
    """An export to be asked once. One without a checksum is warned of.

    Raises:
        NotAnExport: it is none, or damaged.
    """
    predictor = Predictor.from_file(path)
    if not predictor.sealed:
        warnings.warn(f"{path} {NO_CHECKSUM}", stacklevel=2)
    return predictor


def suffix(output: Path) -> str:
    """In what form answers are written to a file, by its ending.

    Raises:
        Misuse: it has another one.
    """
    if (found := output.suffix.lower()) not in (".csv", ".json"):
        raise Misuse(f"answers are written as .csv or .json, got {found or 'a name without ending'!r}")
    return found


def as_text(found: Sequence[Answer], suffix: str) -> str:
    """Answers as the content of a file, by its ending: `.json`, a list of objects; `.csv`, a line a picture, with the columns
    `file`, `class` and one of probabilities for each class."""
    if suffix == ".json":
        return json.dumps([asdict(answer) for answer in found], indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["file", "class", *found[0].probabilities])
    for answer in found:
        table.writerow([answer.image, answer.class_name, *(f"{p:.7f}" for p in answer.probabilities.values())])
    return text.getvalue()


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    if not (found := pictures(path)):
        raise Misuse(f"{path}: no picture in this folder, nor in those below it")
    return found


def _unread(why: list[str]) -> str:
    if len(why) == 1:
        return why[0]
    more = [f"  … and {len(why) - _NAMED:,} more"] if len(why) > _NAMED else []
    return "\n".join([f"{len(why):,} files cannot be used:", *(f"  {one}" for one in why[:_NAMED]), *more])

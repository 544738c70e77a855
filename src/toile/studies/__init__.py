"""The packaged studies, and the way from what a user calls a study to a StudySpec checked against all registered names."""

from __future__ import annotations

import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from toile.data import formats, sources
from toile.data.reading.limits import anchored
from toile.errors import Misuse, nearest
from toile.models import architectures, backbones
from toile.search import samplers
from toile.study.data.dataset import DatasetSpec
from toile.study.file import read
from toile.study.file.checks import Catalogue
from toile.study.spec import StudySpec, SweepSpec, TrialSpec
from toile.text import cut, printable

T = TypeVar("T", TrialSpec, SweepSpec)

PACKAGED = Path(__file__).parent


@dataclass(frozen=True)
class LoadedStudy:
    """A study, a short name for messages and file names, and the data set to run it on: its own, or a stand-in.

    `called` is what the user called it, as a shell takes it, with the stand-in: what a command in a message says.
    """

    spec: StudySpec
    reference: str
    dataset: DatasetSpec
    called: str


def names() -> tuple[str, ...]:
    """The packaged studies, by name."""
    return tuple(sorted(path.stem for path in PACKAGED.glob("*.toml")))


def load(study: str | Path, dataset: str | None = None) -> LoadedStudy:
    """A study by the name of a packaged one or by path.

    Args:
        dataset: a registered data set to run it on instead of its own. The study's published figures speak of its own
            data and are left out then.

    Raises:
        StudyError: the file has mistakes.
        Misuse: there is no such study or data set.
    """
    path = _path(study)
    own = _placed(read.read(path, catalogue()), path, str(study))
    if dataset is None or dataset == own.dataset.name:
        return own
    spec, reference = own.spec, own.reference
    if dataset not in sources.names():
        raise Misuse(f"unknown data set {dataset!r}{nearest(dataset, sources.names())}; known: {', '.join(sources.names())}")
    unpublished = {
        kind: tuple(line.model_copy(update={"published": None}) for line in getattr(spec, kind))
        for kind in ("trial", "committee")
    }
    # A stand-in is pooled like the study's own data, so that the same split can draw its test images.
    stand_in = DatasetSpec(name=dataset, pool=spec.dataset.pool)
    return LoadedStudy(spec.model_copy(update=unpublished), reference, stand_in, f"{own.called} --dataset {dataset}")


def source(study: str | Path) -> str:
    """Which study is meant: the absolute path of its file, or the name of a packaged one.

    Raises:
        Misuse: there is no such study.
    """
    path = _path(study)
    return path.stem if path.parent == PACKAGED else str(path.resolve())


def parsed(text: str, path: Path) -> LoadedStudy:
    """A study from its text, as it would be loaded if it were in the file `path`.

    Raises:
        StudyError: the text has mistakes.
    """
    return _placed(read.parse(text, catalogue(), source=path.name), path, str(path))


def catalogue() -> Catalogue:
    """Every name that a study may use."""
    from toile.committee.rules import RULES
    from toile.reports.checks import CHECKS

    return Catalogue(
        datasets=sources.names(),
        formats=formats.names(),
        rules=tuple(RULES),
        architectures={name: architectures.options_model(name) for name in architectures.names()},
        classical=frozenset(name for name in architectures.names() if architectures.learner(name) == "classical"),
        checks=tuple(CHECKS),
        lacking=samplers.lacking(),
        needs={name: architectures.needs(name) for name in architectures.names()},
    )


def with_weights(spec: StudySpec, folder: Path) -> StudySpec:
    """The study with its architectures' files of weights found: by name, or by a path from `folder`."""
    changes: dict[str, Any] = {
        kind: tuple(_with_weights(line, folder) for line in getattr(spec, kind)) for kind in ("trial", "sweep")
    }
    changes["sweep"] = tuple(one.model_copy(update={"grid": _listed_weights(one.grid, folder)}) for one in changes["sweep"])
    if spec.search:
        found = {key: _listed_weights(getattr(spec.search, key), folder) for key in ("space", "when")}
        changes["search"] = spec.search.model_copy(update=found)
    return spec.model_copy(update=changes)


def _path(study: str | Path) -> Path:
    path, name = Path(study), str(study)
    if _is_file(path):
        return path
    if path.suffix == ".toml":
        files = sorted(one.name for one in path.parent.glob("*.toml"))
        raise Misuse(f"no study file {path}{': it is no file' if path.name in files else nearest(path.name, files)}")
    if name not in names():
        if path.parent.suffix == ".toml" and _is_file(path.parent):
            raise Misuse(
                f"no study {cut(repr(name), 200)}: that is something in {printable(path.parent)}, and a whole study is wanted; "
                f"`toile run` and some others have --only {shlex.quote(path.name)}"
            )
        known = [*([f"{name}.toml"] if _is_file(Path(f"{name}.toml")) else []), *names()]
        raise Misuse(
            f"no study {cut(repr(name), 200)}{nearest(name, known)}: it is the path of a .toml file or one of the packaged "
            f"studies: {', '.join(names())}"
        )
    return PACKAGED / f"{study}.toml"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()  # no pipe and no device is opened
    except OSError:  # too long a name
        return False


def _placed(spec: StudySpec, path: Path, typed: str) -> LoadedStudy:
    """A study with what it names found from the folder of its file."""
    spec = with_weights(spec, path.parent)
    spec = spec.model_copy(update={"dataset": _anchored(spec.dataset, path.parent)})
    # A file's name may be bytes that are no text.
    return LoadedStudy(spec, printable(path.stem, keep=""), spec.dataset, shlex.quote(printable(typed, keep="")))


def _anchored(dataset: DatasetSpec, folder: Path) -> DatasetSpec:
    """Paths made absolute, so that they mean the same from every folder."""
    changes: dict[str, Any] = {
        key: str(anchored(value, folder)) for key in ("path", "test_path") if (value := getattr(dataset, key)) is not None
    }
    return dataset.model_copy(update=changes)


def _with_weights(line: T, folder: Path) -> T:
    """The same for an architecture's file of weights."""
    if (weights := line.architecture.options.get("weights")) is None:
        return line
    options = {**line.architecture.options, "weights": backbones.located(weights, folder)}
    return line.model_copy(update={"architecture": line.architecture.model_copy(update={"options": options})})


def _listed_weights(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same for lists of files in a grid or a space: what stands behind `architecture.weights`, however deep."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found[key] = _listed_weights(value, folder)
        elif key.split(".")[-1] == "weights" and isinstance(value, list):
            found[key] = [backbones.located(one, folder) if isinstance(one, str) else one for one in value]
        else:
            found[key] = value
    return found


def title(name: str) -> str:
    """The title of a packaged study."""
    return tomllib.loads((PACKAGED / f"{name}.toml").read_text("utf-8"))["title"]

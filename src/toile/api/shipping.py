"""How a model is used: on new images, on a file for Kaggle, as one file for other programs."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack

import numpy as np

from toile.api.runs import find_run, no_options
from toile.api.studies import is_study, plan, say_which, within
from toile.api.where import Folder, Where
from toile.errors import Misuse, ToileError
from toile.pictures.form import Form
from toile.runner.plans import committees
from toile.runner.plans.names import of_committees, trial_named, which
from toile.store import atomic
from toile.store.store import Store

if TYPE_CHECKING:
    from toile.reports.results.result import CalibratedResult, CommitteeResult
    from toile.runner.plans.planned import Plan
    from toile.serving.answer import Answer
    from toile.serving.chosen import Chosen
    from toile.serving.export import Exported


@dataclass(frozen=True)
class Submission:
    """What was written for Kaggle: how many images, and the target of each class."""

    images: int
    targets: dict[str, int]


def predict(
    reference: str | Path,
    images: Sequence[Path | str],
    *,
    as_is: bool = False,
    on_error: Literal["stop", "skip"] = "stop",
    tell: Callable[[str], None] = lambda text: None,
    **where: Unpack[Where],
) -> list[Answer]:
    """Classes and probabilities of image files, by a stored run, by a study's committee or by an export.

    Args:
        reference: a fingerprint's first digits, STUDY/TRIAL, STUDY/COMMITTEE, a STUDY that has one committee, or an exported
            `.onnx` file.
        images: files, or folders of which all pictures are meant.
        as_is: guess nothing about pictures of another size than the data set's own: neither invert nor trim them.
        on_error: `skip` leaves out files that cannot be used.
        tell: called with each file that is left out, and why.

    Raises:
        ToileError: files are no images or too large, or what was asked for is not stored.
    """
    from toile.serving.answer import answers, from_export

    if str(reference).endswith(".onnx"):
        no_options(str(reference), "an exported file, which is one model", **where)
        return from_export(reference, images, as_is=as_is, on_error=on_error, tell=tell)
    chosen = _chosen(str(reference), **where)
    members = list(chosen.members) if chosen.kind == "committee" else []
    return answers(
        images, chosen.form, chosen.dataset.class_names, members, chosen.ask, as_is=as_is, on_error=on_error, tell=tell
    )


def submit(
    reference: str, source: Path | str, output: Path | str, *, first: int | None = None, **where: Unpack[Where]
) -> Submission:
    """Classify a file of images without labels, and write what was found as Kaggle wants it: a CSV `id,target`.

    Args:
        reference: as for `predict`.
        source: a `.npy` or `.csv` file; see `toile.data.reading.unlabelled`.
        output: the CSV.
        first: the target of the first class. Left out: targets are the labels of the data set's own files, where these are
            numbers, as the names of its classes or their order tell.

    Raises:
        ToileError: the file cannot be read or has images of another shape, or what was asked for is not stored.
    """
    from toile.data.reading.unlabelled import read
    from toile.serving.answer import loaded

    if str(reference).endswith(".onnx"):
        no_options(str(reference), "an exported file, which is one model", **where)
        exported = loaded(reference)
        form, ask, names, of = exported.form, exported.predict, exported.classes, exported
    else:
        chosen = _chosen(reference, **where)
        form, ask, names, of = chosen.form, chosen.ask, chosen.dataset.class_names, chosen.dataset
    ids, images = read(Path(source), form.shape, form.fractions)
    probabilities, _ = ask(images)
    numbers = _targets(names, of.first, of.numbers) if first is None else range(first, first + len(names))
    targets = np.array(numbers)[probabilities.argmax(axis=1)]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("id", "target"), *zip(ids.tolist(), targets.tolist(), strict=True)])
    atomic.deliver(Path(output), text.getvalue().encode())
    return Submission(len(ids), dict(zip(names, map(int, numbers), strict=True)))


def _targets(names: Sequence[str], first: int, numbers: Sequence[int]) -> Sequence[int]:
    """The number of each class: its name, where all are called by numbers; else the data set's own, or counted on from it."""
    if all(name.isascii() and name.isdecimal() for name in names):
        return [int(name) for name in names]
    return numbers or range(first, first + len(names))


def export(
    reference: str, *, to: str = "onnx", output: Folder = None, samples: bool = True, **where: Unpack[Where]
) -> Exported:
    """Write a run or a committee as one file that other programs load, after it was loaded again and compared.

    Args:
        reference: as `predict` takes it, but for a file.
        to: `onnx`, `keras` or `savedmodel`.
        output, samples: see `toile.serving.export.write`.

    Raises:
        ToileError: what was asked for is not stored, or the export says something else than the stored models.
    """
    from toile.serving.export import write

    return write(_chosen(reference, **where), to, Path(output) if output else None, samples=samples)


def _chosen(reference: str, **where: Unpack[Where]) -> Chosen:
    """The run or the committee that `reference` means."""
    from toile.serving.chosen import Chosen

    if (found := committee_of(reference, **where)) is not None:
        made, result = found
        members = {one.name: tuple(one.trainings.values()) for one in result.joined}
        return Chosen(
            "committee", made.reference, result.name, members, made.dataset, result.rule, result.weights, result.test,
            result.calibration,
        )  # fmt: skip
    run, (study, _, name) = find_run(reference, **where), reference.rpartition("/")
    dataset, figures, calibration = Store.at(where.get("store")).dataset(run.trial["dataset"]["content"]), run.metrics, None
    if form := run.provenance.get("form"):  # as it was then; the same images may have been kept under another since
        dataset = replace(dataset, form=Form.parse(form))
    if not study:
        name = run.fingerprint[:12]
    elif (after := calibrated_of(reference, **where)) is not None:
        figures, calibration = {"test": after.test}, after.calibration
    members = {name: (run,)}
    return Chosen("run", Path(study).stem or None, name, members, dataset, None, None, figures.get("test", {}), calibration)


def calibrated_of(reference: str, **where: Unpack[Where]) -> CalibratedResult | None:
    """What STUDY/TRIAL says after its calibration; None where the study asks for none, and of a run by its fingerprint."""
    from toile.reports.results.gather import calibrated

    if "/" not in reference:
        return None
    made, name = within(reference, **where)
    return calibrated(made, trial_named(made, name))


def committee_of(reference: str, **where: Unpack[Where]) -> tuple[Plan, CommitteeResult] | None:
    """The committee that `reference` means, or None where it means a run."""
    from toile.reports.results.gather import named

    if is_study(reference):
        made = plan(reference, fresh=False, **where)
        if len(made.study.committee) != 1:
            raise say_which(reference, [*of_committees(made), *(one.name for one in made.trials)])
        name = made.study.committee[0].name
    elif "/" in reference:
        made, name = within(reference, **where)
    else:
        return None
    if not committees.called(made, name):
        return None
    if (result := named(made, name)) is None:
        groups = [group.name for group in committees.groups(made)]
        several = [one for one in groups if one.startswith(f"{name} (")]
        if several and name not in groups and name in [spec.name for spec in made.study.committee]:
            study, *_ = shlex.split(made.called)
            raise Misuse(f"there are several committees of the name {name!r}, one a seed or fold: {which(study, several)}")
        raise ToileError(f"not all members of {name!r} are stored; `toile run {made.called}` trains what is missing")
    return made, result

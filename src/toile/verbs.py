"""The Python API: each verb of the command line as a function. `import toile; toile.run("committee")`.

Wherever a study is wanted, it is given by the name of a packaged one or by the path of a TOML file. `store` is a folder
(else `$TOILE_STORE`, else `./toile-runs`), `data_dir` a folder to look for data sets in first, and `dataset` the name of a
registered data set to use instead of the study's own. `fraction` and `epochs_scale` make a study smaller for a first look:
other trials, which say so. Functions that take `**where` take all of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from toile import studies
from toile.data.load import load as load_dataset
from toile.errors import Misuse, ToileError, nearest
from toile.runner import plan as plans
from toile.runner import run as runs
from toile.store import atomic
from toile.store.run import Run
from toile.store.store import Store
from toile.study.reduction import Reduction

if TYPE_CHECKING:
    from toile.reports.ledger import Row
    from toile.reports.results import CommitteeResult, StudyResults
    from toile.runner.events import Event
    from toile.runner.plan import Plan

Folder = Path | str | None


def plan(study: str | Path, *, store: Folder = None, data_dir: Folder = None, dataset: str | None = None,
         fraction: float = 1.0, epochs_scale: float = 1.0,
         progress: Callable[..., None] | None = None) -> Plan:  # fmt: skip
    """What a study would train and what of it is stored. Trains nothing; loads (and may download) the data.

    Raises:
        Misuse: the study has mistakes.
        DataError: the data set cannot be had, or not be split so.
    """
    loaded = studies.load(study, dataset)
    data = load_dataset(loaded.dataset, Path(data_dir) if data_dir else None, progress=progress)
    reduction = Reduction(fraction, epochs_scale)
    return plans.make(loaded.spec, loaded.reference, loaded.dataset, data, Store.at(store), reduction)


def stored(study: str | Path, *, store: Folder = None, data_dir: Folder = None, dataset: str | None = None,
           fraction: float = 1.0, epochs_scale: float = 1.0) -> Plan:  # fmt: skip
    """The same plan, with the data set as the store keeps it; loaded anew only if nothing was trained on it yet."""
    loaded, place = studies.load(study, dataset), Store.at(store)
    data = place.kept(loaded.dataset)
    if data is None:
        data = load_dataset(loaded.dataset, Path(data_dir) if data_dir else None)
    return plans.make(loaded.spec, loaded.reference, loaded.dataset, data, place, Reduction(fraction, epochs_scale))


def run(study: str | Path, *, only: Iterable[str] = (), workers: int | None = None, threads: int = 1,
        executor: Literal["local", "dask"] = "local", scheduler: str | None = None,
        tell: Callable[[Event], None] = lambda event: None, **where: Any) -> list[str]:  # fmt: skip
    """Train what is missing, and return the fingerprints of what was trained.

    See `toile.runner.run.executor_named` for where, and `toile.runner.run.run`.
    """
    made = plan(study, **where)
    with runs.executor_named(executor, scheduler=scheduler, workers=workers, threads=threads) as place:
        return runs.run(made, only=only, executor=place, tell=tell)


def results(study: str | Path, **where: Any) -> StudyResults:
    """All figures of a study that the store has: its trials and its committees."""
    from toile.reports.gather import gather

    return gather(stored(study, **where))


def combine(study: str | Path, **where: Any) -> tuple[CommitteeResult, ...]:
    """The committees of a study whose members are all stored. No training."""
    return results(study, **where).committees


def report(study: str | Path, *, output: Folder = None, **where: Any) -> Path:
    """Write the study's report, one HTML file that needs no network, and return its path.

    Args:
        output: the file; `STORE/reports/<study>.html` where left out.
    """
    found = results(study, **where)
    return write_report(found, Path(output) if output else default_report(found, Store.at(where.get("store"))))


def default_report(found: StudyResults, store: Store) -> Path:
    """Where a report goes if nothing else is said; on a stand-in data set, under a name that says so."""
    from toile.reports.html import stand_in

    suffix = (f"-{found.dataset.name}" if stand_in(found) else "") + ("-reduced" if found.reduced else "")
    return store.reports_folder / f"{found.reference}{suffix}.html"


def write_report(found: StudyResults, path: Path) -> Path:
    """Draw the report of gathered results and write it in one step."""
    from toile.reports.html import render

    if not found.stored:
        raise ToileError(f"nothing of {found.reference!r} is stored yet; `toile run {found.reference}` trains it")
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, render(found))
    return path


def ledger(results: Path, output: Path, **where: Any) -> tuple[int, list[Row]]:
    """Write the ledger of all packaged studies; see `toile.reports.ledger`.

    Args:
        results: folder of result files; what the store has is added to it.
        output: the ledger, Markdown.

    Returns:
        How many results were added, and the ledger's rows.
    """
    from toile.reports import ledger as ledgers
    from toile.reports import measured

    specs = {name: studies.load(name) for name in studies.names()}
    place, added = Store.at(where.get("store")), 0
    for name, loaded in specs.items():
        if place.kept(loaded.dataset):
            added += measured.write(stored(name, **where), results)
    found = ledgers.rows({name: loaded.spec for name, loaded in specs.items()}, measured.read(results))
    output.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(output, ledgers.render(found))
    return added, found


def find_run(reference: str, *, store: Folder = None, **where: Any) -> Run:
    """A stored run by the first digits of its fingerprint, or as STUDY/TRIAL (`committee/model-1`)."""
    if "/" not in reference:
        return Store.at(store).find(reference)
    made, name = _within(reference, store=store, **where)
    planned = {p.name: p for p in made.trials}
    if name not in planned:
        raise Misuse(f"{made.reference} has no trial {name!r}{nearest(name, planned)}; it has: {', '.join(planned)}")
    if (found := made.run_of(planned[name])) is None:
        raise ToileError(f"{reference} is not stored; `toile run {made.reference} --only '{name}'` trains it")
    return found


def compare(a: str, b: str, *, store: Folder = None, **where: Any) -> dict[str, Any]:
    """Whether two stored runs differ on the test images, by a paired test. See `toile.evaluation.significance`."""
    from toile.data.splits import split
    from toile.evaluation import significance
    from toile.evaluation.predictions import Predictions
    from toile.study.trial import Trial

    place, predictions = Store.at(store), []
    for reference in (a, b):
        found = find_run(reference, store=store, **where)
        trial = Trial.parse((found.folder / "trial.json").read_text("utf-8"))
        labels = split(place.dataset(trial.dataset.content), trial.split, trial.fold).test.labels
        predictions.append(Predictions("test", found.probabilities("test"), labels))
    return significance.compare(*predictions, (a, b))


@dataclass(frozen=True)
class Answer:
    """What a run or a committee says of one image.

    `probabilities` is `(classes,)`; `members` has each member's by name, empty for a single run; `steps` say what was done
    to the image before a model saw it.
    """

    image: str
    class_name: str
    probabilities: dict[str, float]
    members: dict[str, dict[str, float]]
    steps: tuple[str, ...]


def predict(reference: str, images: Sequence[Path | str], *, store: Folder = None, **where: Any) -> list[Answer]:
    """Classes and probabilities of image files, by a stored run or by a study's committee.

    Args:
        reference: a fingerprint's first digits, STUDY/TRIAL, STUDY/COMMITTEE, or a STUDY that has one committee.

    Raises:
        ToileError: a file is no image or too large, or what was asked for is not stored.
    """
    import numpy as np

    from toile.committee.rules import RULES
    from toile.learners.infer import infer
    from toile.serving.image import prepare

    place, members, rule, weights = Store.at(store), {}, None, None
    if (found := _committee(reference, store=store, **where)) is not None:
        made, result = found
        members = {p.name: made.run_of(p) for p in made.trials if p.name in result.members}
        members = {name: members[name] for name in result.members}
        rule, weights = RULES[result.rule], result.weights
        names = made.dataset.class_names
    else:
        one = find_run(reference, store=store, **where)
        members = {reference: one}
        names = place.dataset(one.trial["dataset"]["content"]).class_names
    first = next(iter(members.values())).trial
    prepared = [prepare(Path(image), tuple(first["dataset"]["image_shape"])) for image in images]
    pixels = np.stack([one.pixels for one in prepared])
    said = np.stack(infer([m.model_path for m in members.values()], first["backend"], pixels))
    combined = said[0] if rule is None else rule(said, weights)

    def named(row: np.ndarray) -> dict[str, float]:
        return {name: float(p) for name, p in zip(names, row, strict=True)}

    return [
        Answer(
            image=str(image),
            class_name=names[int(combined[i].argmax())],
            probabilities=named(combined[i]),
            members={} if rule is None else {name: named(said[m, i]) for m, name in enumerate(members)},
            steps=prepared[i].steps,
        )
        for i, image in enumerate(images)
    ]


def _within(reference: str, **where: Any) -> tuple[Plan, str]:
    study, _, name = reference.rpartition("/")
    return stored(study, **where), name


def _committee(reference: str, **where: Any) -> tuple[Plan, CommitteeResult] | None:
    """The committee that `reference` means, or None where it means a run."""
    from toile.reports.gather import gather

    if "/" in reference:
        made, name = _within(reference, **where)
    elif reference in studies.names() or reference.endswith(".toml"):
        made, name = stored(reference, **where), None
        if len(made.study.committee) != 1:
            names = [f"{made.reference}/{n.name}" for n in (*made.study.committee, *made.study.trial)]
            raise Misuse(f"say which of {reference}: {', '.join(names)}")
    else:
        return None
    specs = [spec.name for spec in made.study.committee]
    if name is not None and not any(name.startswith(spec) for spec in specs):
        return None
    committees = {result.name: result for result in gather(made).committees}
    name = name or next(iter(committees), specs[0])
    if name not in committees:
        raise ToileError(f"not all members of {name!r} are stored; `toile run {made.reference}` trains what is missing")
    return made, committees[name]

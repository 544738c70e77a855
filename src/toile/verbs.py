"""The Python API: each verb of the command line as a function. `import toile; toile.run("committee")`.

Wherever a study is wanted, it is given by the name of a packaged one or by the path of a TOML file. `store` is a folder
(else `$TOILE_STORE`, else `./toile-runs`), `data_dir` a folder to look for data sets in first, and `dataset` the name of a
registered data set to use instead of the study's own. `fraction` and `epochs_scale` make a study smaller for a first look:
other trials, which say so. Functions that take `**where` take all of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toile import studies
from toile.data.load import load as load_dataset
from toile.errors import Misuse, ToileError, nearest
from toile.learners.transfer.backbones import WeightsMissing
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
    from toile.runner.plan import Plan, PlannedTrial
    from toile.serving.answer import Answer
    from toile.serving.chosen import Chosen
    from toile.serving.export import Exported

Folder = Path | str | None


def plan(study: str | Path, *, store: Folder = None, data_dir: Folder = None, dataset: str | None = None,
         fraction: float = 1.0, epochs_scale: float = 1.0,
         progress: Callable[..., None] | None = None) -> Plan:  # fmt: skip
    """What a study would train and what of it is stored. Trains nothing; loads (and may download) the data.

    A registered data set is always the same images, so it is taken from the store if it is kept there.

    Raises:
        Misuse: the study has mistakes.
        DataError: the data set cannot be had, or not be split so.
    """
    loaded, place = studies.load(study, dataset), Store.at(store)
    data = place.kept(loaded.dataset) if loaded.dataset.name and not data_dir else None
    if data is None:
        data = load_dataset(loaded.dataset, Path(data_dir) if data_dir else None, progress=progress)
    return plans.make(loaded.spec, loaded.reference, loaded.dataset, data, place, Reduction(fraction, epochs_scale)).checked()


def stored(study: str | Path, *, store: Folder = None, data_dir: Folder = None, dataset: str | None = None,
           fraction: float = 1.0, epochs_scale: float = 1.0) -> Plan:  # fmt: skip
    """The same plan, with the data set as the store keeps it; loaded anew only if nothing was trained on it yet."""
    loaded, place = studies.load(study, dataset), Store.at(store)
    data = place.kept(loaded.dataset)
    if data is None:
        data = load_dataset(loaded.dataset, Path(data_dir) if data_dir else None)
    return plans.make(loaded.spec, loaded.reference, loaded.dataset, data, place, Reduction(fraction, epochs_scale))


def run(study: str | Path, *, only: Iterable[str] = (), workers: int | None = None, threads: int = 1,
        tell: Callable[[Event], None] = lambda event: None, **where: Any) -> list[str]:  # fmt: skip
    """Train what is missing, and return the fingerprints of what was trained. See `toile.runner.run.run`."""
    return runs.run(plan(study, **where), only=only, workers=workers, threads=threads, tell=tell)


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
            # A study that begins with weights which are not here cannot say which runs are its own.
            with suppress(WeightsMissing):
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
    if (found := made.run_of(_planned(made, name))) is None:
        raise ToileError(f"{reference} is not stored; `toile run {made.reference} --only '{name}'` trains it")
    return found


def check_gradients(reference: str, *, epsilon: float = 1e-5, samples: int = 100, **where: Any) -> list[dict[str, Any]]:
    """Backpropagation of a NumPy network against central differences; see `toile.learners.scratch.check`.

    Args:
        reference: STUDY/TRIAL. It need not be stored: what is checked is the network before its training.
        epsilon: step of the central differences.
        samples: weights drawn from each array.

    Raises:
        Misuse: another architecture, whose gradients are Keras's.
    """
    from toile.data.splits import split
    from toile.learners.scratch.check import check_trial

    made, name = _within(reference, **where)
    trial = _planned(made, name).trial
    if trial.learner != "scratch":
        raise Misuse(f"{reference} is of the architecture {trial.architecture.name!r}; only numpy-mlp has gradients of its own")
    return check_trial(trial, split(made.dataset, trial.split, trial.fold).train, epsilon=epsilon, samples=samples)


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


def predict(reference: str | Path, images: Sequence[Path | str], *, store: Folder = None, **where: Any) -> list[Answer]:
    """Classes and probabilities of image files, by a stored run, by a study's committee or by an export.

    Args:
        reference: a fingerprint's first digits, STUDY/TRIAL, STUDY/COMMITTEE, a STUDY that has one committee, or an exported
            `.onnx` file.

    Raises:
        ToileError: a file is no image or too large, or what was asked for is not stored.
    """
    from toile.serving.answer import answers, from_export

    if str(reference).endswith(".onnx"):
        return from_export(reference, images)
    chosen = _chosen(str(reference), store=store, **where)
    members = list(chosen.members) if chosen.kind == "committee" else []
    return answers(images, chosen.image_shape, chosen.dataset.class_names, members, chosen.ask)


def submit(reference: str, source: Path | str, output: Path | str, *, first: int = 1, **where: Any) -> int:
    """Classify a file of images without labels, and write what was found as Kaggle wants it: a CSV `id,target`.

    Args:
        reference: as for `predict`.
        source: a `.npy` with 'features' and 'id', or a `.csv` with `id,pixel1,…`; see `toile.data.unlabelled`.
        output: the CSV.
        first: the target of the first class; the documents' data sets count from 1.

    Returns:
        How many images there are.

    Raises:
        ToileError: the file cannot be read or has images of another shape, or what was asked for is not stored.
    """
    from toile.data.unlabelled import read
    from toile.serving.predictor import Predictor

    exported = str(reference).endswith(".onnx")
    model = Predictor.from_file(reference) if exported else _chosen(reference, **where)
    ids, images = read(Path(source), model.image_shape)
    probabilities, _ = model.predict(images) if exported else model.ask(images)
    targets = probabilities.argmax(axis=1) + first
    lines = ["id,target", *(f"{int(i)},{target}" for i, target in zip(ids, targets, strict=True))]
    atomic.write(Path(output), ("\n".join(lines) + "\n").encode())
    return len(ids)


def export(reference: str, *, to: str = "onnx", output: Folder = None, samples: bool = True, **where: Any) -> Exported:
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


def _chosen(reference: str, *, store: Folder = None, **where: Any) -> Chosen:
    """The run or the committee that `reference` means."""
    from toile.serving.chosen import Chosen

    if (found := _committee(reference, store=store, **where)) is not None:
        made, result = found
        runs = {planned.name: made.run_of(planned) for planned in made.trials}
        members = {name: runs[name] for name in result.members}
        return Chosen(
            "committee", made.reference, result.name, members, made.dataset, result.rule, result.weights, result.test
        )  # fmt: skip
    run, (study, _, name) = find_run(reference, store=store, **where), reference.rpartition("/")
    name = name if study else run.fingerprint[:12]
    dataset = Store.at(store).dataset(run.trial["dataset"]["content"])
    return Chosen("run", Path(study).stem or None, name, {name: run}, dataset, None, None, run.metrics.get("test", {}))


def _within(reference: str, **where: Any) -> tuple[Plan, str]:
    study, _, name = reference.rpartition("/")
    return stored(study, **where), name


def _planned(made: Plan, name: str) -> PlannedTrial:
    planned = {p.name: p for p in made.trials}
    if name not in planned:
        raise Misuse(f"{made.reference} has no trial {name!r}{nearest(name, planned)}; it has: {', '.join(planned)}")
    return planned[name]


def _committee(reference: str, **where: Any) -> tuple[Plan, CommitteeResult] | None:
    """The committee that `reference` means, or None where it means a run."""
    from toile.reports.gather import gather

    if "/" in reference and not reference.endswith(".toml"):
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

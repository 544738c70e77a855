"""What is asked of a study: its plan, its figures, its committees, its report; and the ledger of all packaged ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from toile import studies
from toile.api.shown import Committees
from toile.api.where import Folder, Where
from toile.data.reading.listing import listing
from toile.data.reading.load import load as load_dataset
from toile.errors import Misuse, ToileError
from toile.models.backbones import WeightsMissing
from toile.runner.plans import committees
from toile.runner.plans import plan as plans
from toile.runner.plans.names import which
from toile.runner.plans.options import options
from toile.search import searched
from toile.store import atomic, checked, reports
from toile.store.checked import Damaged
from toile.store.store import Store
from toile.study.expand import with_seeds
from toile.study.reduction import Reduction

if TYPE_CHECKING:
    from toile.reports.ledger.ledger import Row
    from toile.reports.results.study import StudyResults
    from toile.runner.plans.planned import Plan


def plan(
    study: str | Path,
    *,
    fresh: bool = True,
    progress: Callable[..., None] | None = None,
    store: Folder = None,
    data_dir: Folder = None,
    dataset: str | None = None,
    fraction: float = 1.0,
    epochs_scale: float = 1.0,
    seeds: Sequence[int] | None = None,
) -> Plan:
    """What a study would train and what of it is stored. Trains nothing; loads (and may download) the data.

    Args:
        study: the name of a packaged study, or the path of a TOML file.
        fresh: whether to read the data set again, as before a training, and to see that every split can be cut. Otherwise it
            is taken as the store keeps it, and read only where nothing was trained on it yet. (A registered data set is
            always the same images: one that is kept is not read again, unless `data_dir` is given. A folder of pictures is
            kept when it is first planned, and read again when a file in it has changed.)
        progress: called with what a download has come to.
        store, data_dir, dataset, fraction, epochs_scale, seeds: see `toile.api.where.Where`.

    Raises:
        Misuse: the study has mistakes, or a committee that cannot be.
        DataError: the data set cannot be had, or not be split so.
    """
    loaded, place = studies.load(study, dataset), Store.at(store)
    # What cannot be asked for is told before a data set is looked for, which may be a download.
    asked = loaded.spec if seeds is None else with_seeds(loaded.spec, seeds)
    reduction = Reduction(fraction, epochs_scale)
    same = not fresh or (loaded.dataset.name and not data_dir)
    data = place.kept(loaded.dataset) if same else None
    if data is None:
        listed = listing(loaded.dataset)
        data = place.unchanged(loaded.dataset, listed)
        if data is None:
            data = load_dataset(loaded.dataset, Path(data_dir) if data_dir else None, progress=progress)
            if listed is not None:
                with suppress(OSError, ToileError):  # a store that cannot be written to is no matter before anything trains
                    place.keep(data, loaded.dataset, listed)
    called = loaded.called + options(place, reduction, seeds, data_dir)
    made = plans.make(asked, loaded.reference, loaded.dataset, data, place, reduction, called)
    if loaded.spec.search:
        made = searched.searched(made)
    return committees.check(made.checked()) if fresh else made


def results(study: str | Path, **where: Unpack[Where]) -> StudyResults:
    """All figures of a study that the store has: its trials and its committees."""
    from toile.reports.results.gather import gather

    return gather(plan(study, fresh=False, **where))


def combine(study: str | Path, **where: Unpack[Where]) -> Committees:
    """The committees of a study whose members are all stored. No training."""
    return Committees(results(study, **where).committees)


def report(study: str | Path, *, output: Folder = None, **where: Unpack[Where]) -> Path:
    """Write the study's report, one HTML file that needs no network, and return its path.

    Args:
        output: the file; `STORE/reports/<study>.html` where left out; see `toile.store.reports.place`.
    """
    place = Store.at(where.get("store"))
    found = with_previews(results(study, **where), place)
    return write_report(found, Path(output)) if output else keep_report(study, found, place)


def with_previews(found: StudyResults, store: Store) -> StudyResults:
    """The results with some images as the study's augmentations change them: from the store, or made and kept there.

    Where they can be neither, the report has none, and a line on standard error says why.
    """
    from toile.reports.text import joined
    from toile.runner.previews import augmented
    from toile.study.recipe.augmentation import Augmentation

    names: dict[tuple[str, str], list[str]] = {}
    for trial in found.stored:
        if spec := trial.trial["recipe"].get("augmentation"):
            key = Augmentation.model_validate(spec).current().model_dump_json(), trial.trial.get("backend", "tensorflow")
            names.setdefault(key, []).append(trial.line or trial.name)
    made = []
    for (spec, backend), lines in names.items():
        try:
            shown = augmented(store, found.dataset, Augmentation.model_validate_json(spec), backend)
        except ToileError as error:
            checked.say(f"the report shows no augmented images: {error}")
            continue
        made.append((joined(list(dict.fromkeys(lines))), *shown))
    return replace(found, previews=tuple(made))


def keep_report(study: str | Path, found: StudyResults, store: Store) -> Path:
    """Write a report into the store; on a stand-in data set, under a name that says so.

    Args:
        study: as it was named to `results`.
    """
    from toile.reports.page.html import stand_in

    suffix = (f"-{found.dataset.name}" if stand_in(found) else "") + ("-reduced" if found.reduced else "")
    source = studies.source(study)
    page = _page(found)
    # Under the lock, or two studies of one name, reported at the same time, would take the same place.
    with store.claims.looking():
        path = reports.place(store.reports_folder, f"{found.reference}{suffix}", source)
        atomic.deliver(path, page)
        reports.note(path, source)
    return path


def write_report(found: StudyResults, path: Path) -> Path:
    """Draw the report of gathered results and write it in one step."""
    atomic.deliver(path, _page(found))
    return path


def _page(found: StudyResults) -> str:
    from toile.reports.page.html import render

    if not found.stored:
        raise ToileError(f"nothing of {found.reference!r} is stored yet; `toile run {found.called}` trains it")
    return render(found)


def ledger(results: Path, output: Path, **where: Unpack[Where]) -> tuple[int, list[Row]]:
    """Write the ledger of all packaged studies; see `toile.reports.ledger.ledger`.

    Args:
        results: folder of result files; what the store has is added to it.
        output: the ledger, Markdown.

    Returns:
        How many results were added, and the ledger's rows.
    """
    from toile.reports.ledger import ledger as ledgers
    from toile.reports.ledger import results as measured
    from toile.reports.ledger.render import whole

    specs = {name: studies.load(name) for name in studies.names()}
    place, added = Store.at(where.get("store")), 0
    # Whoever trained a study with more seeds than it says knows more of its lines.
    trained = sorted({0, *_seeds(place)})
    for name, loaded in specs.items():
        if place.kept(loaded.dataset):
            # A study that begins with weights which are not here cannot say which runs are its own.
            with suppress(WeightsMissing):
                added += measured.write(plan(name, fresh=False, **{**where, "seeds": where.get("seeds") or trained}), results)
    known = measured.read(results)
    found = ledgers.rows({name: loaded.spec for name, loaded in specs.items()}, known)
    atomic.deliver(output, whole(found, known, results))
    return added, found


def _seeds(store: Store) -> Iterator[int]:
    for run in store.runs():
        with suppress(Damaged):
            yield int(run.trial["seed"])


def is_study(reference: str) -> bool:
    """Whether a study is meant, and nothing in it."""
    return reference.endswith(".toml") or reference in studies.names()


def say_which(study: str, names: Iterable[str]) -> Misuse:
    """What is said where one of these is to be named, as STUDY/NAME."""
    return Misuse(f"say which of {study}: {which(study, names)}")


def within(reference: str, **where: Unpack[Where]) -> tuple[Plan, str]:
    """The plan and the name that STUDY/NAME means."""
    study, _, name = reference.rpartition("/")
    return plan(study, fresh=False, **where), name

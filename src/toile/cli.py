"""The command line: parse, call, print. Every verb imports what it needs when it is called, so that `toile --help` is quick.

Exit codes: 0 done, 1 failed, 2 misuse; 130 after Ctrl-C, as shells expect.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter

from toile.errors import Misuse, ToileError

if TYPE_CHECKING:
    from toile.runner.plan import Plan

Json = Annotated[bool, Parameter(name="--json", negative="", help="one JSON document on standard output")]


@Parameter(name="*")
@dataclass(frozen=True)
class Place:
    """Where runs and data are."""

    store: Annotated[Path | None, Parameter(help="folder of runs (else $TOILE_STORE, else ./toile-runs)")] = None
    data_dir: Annotated[Path | None, Parameter(help="folder to look for data sets in first")] = None


@Parameter(name="*")
@dataclass(frozen=True)
class Where(Place):
    """Where runs and data are, and what of the study is meant."""

    dataset: Annotated[str | None, Parameter(help="registered data set to use instead of the study's")] = None
    fraction: Annotated[float, Parameter(help="this share of the training images only: a first look")] = 1.0
    epochs_scale: Annotated[float, Parameter(help="this share of the epochs only: a first look")] = 1.0


THERE, HERE = Place(), Where()

app = App(
    name="toile",
    help="A workbench for classifying small images. STUDY is a packaged study's name or a .toml file.",
    suppress_keyboard_interrupt=False,
)


@app.command(name="list")
def list_(*, json: Json = False) -> None:
    """Names that a study may use: architectures, data sets, formats, rules, metrics, schedules, optimizers; and studies."""
    from toile import catalogue

    found = catalogue.everything()
    if json:
        return _print_json(found)
    for kind, names in found.items():
        print(f"{kind}:")
        for name, about in names.items():
            print(f"  {name:<20} {about}".rstrip())
    return None


@app.command
def fetch(dataset: str = "fashion-mnist", *, data_dir: Path | None = None) -> None:
    """Find a data set, or download it into the per-user cache, and check it."""
    from toile.data import sources
    from toile.runner.progress import Downloads

    with Downloads() as progress:
        found = sources.load(dataset, data_dir, progress)
    test = 0 if found.test is None else len(found.test)
    print(f"{found.name}: {len(found.train):,} training and {test:,} test images, content {found.content[:12]}")


@app.command
def plan(study: str, *, where: Where = HERE, workers: int | None = None, json: Json = False) -> None:
    """What a study would train, what is stored, and about how long the rest takes. Trains nothing."""
    from toile.data.audit import audit
    from toile.runner import show

    made = _plan(study, where)
    found = show.planned(made, workers) | {"warnings": audit(made.dataset)["warnings"]}
    for warning in found["warnings"]:
        _say(f"warning: {warning}")
    _print_json(found) if json else show.print_plan(found)


@app.command
def run(study: str, *, where: Where = HERE, workers: int | None = None, threads: int = 1,
        only: Annotated[list[str] | None, Parameter(negative="", consume_multiple=False)] = None,
        executor: Literal["local", "dask"] = "local", scheduler: str | None = None) -> None:  # fmt: skip
    """Train what is missing. The same command resumes.

    Parameters
    ----------
    workers
        Trials at once; one a core (of a cluster: one a thread of its workers) where left out.
    threads
        Of each trial's process. They change the last bits of a result.
    only
        Pattern of trial names, such as 'model-*'; may be given several times.
    executor
        Where trials run: processes on this machine, or the workers of a Dask cluster.
    scheduler
        Address of the Dask cluster's scheduler, such as tcp://host:8786.
    """
    from toile.runner import progress
    from toile.runner import run as runs

    _at_least_1(workers=workers, threads=threads)
    made = _plan(study, where)
    pending = made.pending(only or ())
    stored = len({p.fingerprint for p in made.matching(only or ())}) - len(pending)
    _say(f"{made.title}: {len(pending)} to train, {stored} stored already, in {made.store.root}")
    with (
        runs.executor_named(executor, scheduler=scheduler, workers=workers, threads=threads) as place,
        progress.Show(made, pending, place.slots) as tell,
    ):
        runs.run(made, only=only or (), executor=place, tell=tell)
    _say(f"done; `toile report {study}` shows it")


@app.command
def status(study: str, *, where: Where = HERE, json: Json = False) -> None:
    """What of a study is stored, begun or missing."""
    from toile import verbs
    from toile.runner import show

    found = show.status(verbs.stored(study, **vars(where)))
    _print_json(found) if json else show.print_status(found)


@app.command
def show(run: str, *, place: Place = THERE) -> None:
    """One stored run: RUN is the first digits of its fingerprint, or STUDY/TRIAL. Prints JSON."""
    from toile import verbs

    found = verbs.find_run(run, **vars(place))
    _print_json({
        "fingerprint": found.fingerprint, "folder": str(found.folder), "trial": found.trial, "metrics": found.metrics,
        "provenance": found.provenance,
    })  # fmt: skip


@app.command
def combine(study: str, *, where: Where = HERE) -> None:
    """A study's committees from stored runs, beside the means of their members' figures. No training."""
    from toile import verbs
    from toile.reports.answers import print_committees

    print_committees(verbs.results(study, **vars(where)))


@app.command
def compare(a: str, b: str, *, place: Place = THERE, json: Json = False) -> None:
    """Whether two stored runs differ on the test images, by a paired test (McNemar's, exact)."""
    from toile import verbs
    from toile.reports.answers import print_comparison

    found = verbs.compare(a, b, **vars(place))
    _print_json(found) if json else print_comparison(found)


@app.command
def report(study: str, *, output: Path | None = None, where: Where = HERE, json: Json = False) -> None:
    """Write a study's report: one HTML file that needs no network. With --json print its figures instead."""
    from rich.console import Console

    from toile import verbs
    from toile.reports.summary import summary
    from toile.reports.tables import print_summary
    from toile.store.store import Store

    found = verbs.results(study, **vars(where))
    if json:
        if output is not None:
            verbs.write_report(found, output)
        return _print_json(summary(found))
    written = verbs.write_report(found, output or verbs.default_report(found, Store.at(where.store)))
    print_summary(found, Console())
    print(f"report: {written.resolve()}")
    return None


@app.command
def predict(run: str, /, *images: Path, place: Place = THERE, json: Json = False) -> None:
    """Class and probabilities of image files. RUN is a run, STUDY/TRIAL, STUDY/COMMITTEE, or a STUDY with one committee."""
    from dataclasses import asdict

    from toile import verbs
    from toile.reports.answers import print_answers

    if not images:
        raise Misuse("no image given: toile predict RUN IMAGE…")
    answers = verbs.predict(run, images, **vars(place))
    _print_json([asdict(answer) for answer in answers]) if json else print_answers(answers)


@app.command
def pack(study: str, output: Path, *, where: Where = HERE) -> None:
    """Write a study's stored runs to one archive, to move them to another machine."""
    from toile import verbs
    from toile.store import pack as packs

    made = verbs.stored(study, **vars(where))
    runs = {planned.fingerprint: run for planned in made.trials if (run := made.run_of(planned))}
    print(f"{packs.pack(runs.values(), output)} runs in {output}")


@app.command
def unpack(archive: Path, *, store: Path | None = None) -> None:
    """Bring an archive's runs into the store, after every file was checked by its hash."""
    from toile.store import pack as packs
    from toile.store.store import Store

    place = Store.at(store)
    print(f"{len(packs.unpack(archive, place))} runs new in {place.root}")


@app.command
def ledger(*, where: Where = HERE, results: Path = Path("results"), output: Path = Path("docs/reproduction.md")) -> None:
    """Every published figure beside the measured one. Adds what the store has to the result files, then writes the ledger."""
    from toile import verbs

    added, found = verbs.ledger(results, output, **vars(where))
    print(f"{added} results added to {results}; {len(found)} published lines in {output}")


@app.command
def gc(*, store: Path | None = None, delete: Annotated[bool, Parameter(negative="")] = False) -> None:
    """What no run needs: abandoned work (its checkpoints too) and unused data sets. Lists it; --delete removes it."""
    from toile.store.store import Store

    place = Store.at(store)
    for path in place.garbage():
        if delete:
            place.remove(path)
        print(f"{'removed' if delete else 'would remove'} {path}")


def _plan(study: str, where: Where) -> Plan:
    """The plan, with a bar for a download if there is one."""
    from toile import verbs
    from toile.runner.progress import Downloads

    with Downloads() as progress:
        return verbs.plan(study, progress=progress, **vars(where))


def _at_least_1(**numbers: int | None) -> None:
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise Misuse(f"--{name} is at least 1, got {number}")


def _print_json(content: Any) -> None:
    print(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the `toile` command."""
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except Misuse as error:
        _say(f"toile: {error}")
        sys.exit(2)
    except CycloptsError as error:
        _say(f"toile: {error}")
        sys.exit(2)
    except ToileError as error:
        _say(f"toile: {error}")
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
    except KeyboardInterrupt:
        _say("stopped; the same command goes on from here")
        sys.exit(130)


if __name__ == "__main__":
    main()

"""Verbs about a study: from what may be in one to its report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from toile.cli.application import HERE, Json, Only, Where, app, at_least_1, planned, print_json, print_text, say


@app.command(name="list")
def list_(*, json: Json = False) -> None:
    """List what a study may use: architectures, data sets, formats, rules, metrics, schedules, optimizers; and studies."""
    from toile import catalogue

    found = catalogue.everything()
    if json:
        return print_json(found)
    for kind, names in found.items():
        print_text(f"{kind}:")
        for name, about in names.items():
            print_text(f"  {name:<20} {about}".rstrip())
    return None


@app.command
def reference(*, output: Path | None = None) -> None:
    """Print every key of a study file with type, default, meaning and an example, as Markdown. --output writes a file."""
    from toile import reference as references
    from toile.store import atomic

    text = references.render()
    if output is None:
        return print(text, end="")
    return atomic.deliver(output, text)


@app.command
def fetch(dataset: str = "fashion-mnist", *, data_dir: Path | None = None) -> None:
    """Find a data set or download it into the per-user cache, and check it."""
    from toile.data import sources
    from toile.runner.progress import Downloads

    with Downloads() as progress:
        found = sources.load(dataset, data_dir, progress)
    test = 0 if found.test is None else len(found.test)
    print_text(f"{found.name}: {len(found.train):,} training and {test:,} test images, content {found.content[:12]}")


@app.command
def new(
    source: Path,
    /,
    *,
    output: Path | None = None,
    force: Annotated[bool, Parameter(negative="")] = False,
    size: int | None = None,
    nested: Annotated[bool, Parameter(negative="")] = False,
    store: Path | None = None,
) -> None:
    """Look at pictures (a folder, or a file that toile reads), say what is there, and write a short study that runs as it is.

    Parameters
    ----------
    output
        The study file; NAME.toml in this folder where left out.
    force
        Replace a file that is there.
    size
        Side in pixels to which the pictures of a folder are brought; chosen where left out.
    nested
        A class may have folders in its folder.
    store
        Folder of runs (else $TOILE_STORE, else ./toile-runs).
    """
    from toile import api
    from toile.drafts.told import told
    from toile.runner import show

    made = api.new(source, output=output, force=force, size=size, nested=nested, store=store)
    for topic, said in told(made.seen).items():
        print_text(f"{topic:<12} {said}")
    for warning in made.warnings:
        say(f"warning: {warning}")
    show.print_plan(show.planned(made.plan))
    print_text(f"{made.path}: `toile run {made.plan.called}` trains it, `toile report {made.plan.called}` shows it")


@app.command
def plan(study: str, *, where: Where = HERE, workers: int | None = None, only: Only = None, json: Json = False) -> None:
    """Show what a study would train, what is stored, and about how long the rest takes. Trains nothing.

    Parameters
    ----------
    only
        As for run: shows the trials that it would train or find stored.
    """
    from toile.reports.checks import checks
    from toile.reports.results.gather import gather
    from toile.runner import run as runs
    from toile.runner import show
    from toile.runner.plans import committees
    from toile.search.searched import Searched, coming

    at_least_1(workers=workers)
    made = planned(study, where)
    unobtainable = runs.unobtainable(one for one in made.matching(only or ()) if not made.run_of(one))
    audits = [
        made.store.audit(made.dataset, spec) for spec in dict.fromkeys(one.trial.split for one in made.matching(only or ()))
    ]
    results = gather(made, joined=False)
    told = results.audit.get("shared", [])  # by a check, unless it is silenced
    suspicious = dict.fromkeys(warning for found in audits for warning in found["warnings"] if warning not in told)
    checked = [f"{one.code} {one.name}: {one.text}" for one in checks(results) if not one.silenced]
    warnings = [*suspicious, *unobtainable, *committees.notes(made), *checked]
    found = show.planned(made, workers, only or ()) | {"warnings": warnings}
    for warning in found["warnings"]:
        say(f"warning: {warning}")
    if isinstance(made, Searched) and not only:
        found["search"] = coming(made)
    if json:
        return print_json(found)
    show.print_plan(found)
    return print_text(str(found["search"])) if "search" in found else None


@app.command
def run(
    study: str,
    *,
    where: Where = HERE,
    workers: int | None = None,
    threads: int = 1,
    only: Only = None,
    minutes: float | None = None,
    device: Literal["cpu", "gpu"] | None = None,
    executor: Literal["local", "dask"] = "local",
    scheduler: str | None = None,
) -> None:
    """Train what is missing. The same command resumes.

    Parameters
    ----------
    workers
        Trials at once. Where left out: one on a GPU, else one a core (of a cluster: one a thread of its workers).
    threads
        Of each trial's process. They change the last bits of a result.
    only
        Pattern of trial names, such as 'model-*'; may be given several times. With any, a search is not gone on with.
    minutes
        For how long: nothing is begun that is likely to end later. The same command goes on.
    device
        What they compute on; a GPU where the study's backend sees one, if left out. It is no part of what a trial is.
    executor
        Where trials run: processes on this machine, or the workers of a Dask cluster.
    scheduler
        Address of the Dask cluster's scheduler, such as tcp://host:8786.
    """
    from toile.runner import progress
    from toile.runner import run as runs
    from toile.runner.limit import check_minutes
    from toile.search.run import run as carry_out
    from toile.search.searched import Searched, coming

    at_least_1(workers=workers, threads=threads)
    if minutes is not None:
        check_minutes(minutes)
    made = planned(study, where)
    pending = (made.own if isinstance(made, Searched) and not only else made).pending(only or ())
    stored = {p.fingerprint for p in made.matching(only or ()) if made.run_of(p)}
    more = " and a search to go on with" if isinstance(made, Searched) and not only else ""
    say(f"{made.title}: {len(pending)} to train{more}, {len(stored)} stored already, in {made.store.root}")
    with (
        runs.executor_named(
            executor, scheduler=scheduler, workers=workers, threads=threads, device=device, backend=runs.backend_of(made)
        ) as place,
        progress.Show(made, pending, place.slots) as tell,
    ):
        carry_out(made, only=only or (), minutes=minutes, executor=place, tell=tell, told=tell.more)
    if isinstance(made, Searched) and not only:
        made.walk.advance()
        say(coming(made))
    elif left := len(made.pending(only or ())):
        return say(f"the time was over: {left} of {len(pending)} still to train; the same command goes on")
    return say(f"done; `toile report {made.called}` shows it")


@app.command
def status(study: str, *, where: Where = HERE, only: Only = None, json: Json = False) -> None:
    """Show which trials of a study are stored, begun or missing.

    Parameters
    ----------
    only
        As for run: shows the trials that match.
    """
    from toile import api
    from toile.runner import show

    found = show.status(api.plan(study, fresh=False, **vars(where)), only or ())
    print_json(found) if json else show.print_status(found)


@app.command
def combine(study: str, *, where: Where = HERE) -> None:
    """Show a study's committees, and beside them the means of their members' figures. Trains nothing."""
    from toile import api
    from toile.reports.terminal.figures import print_committees

    print_committees(api.results(study, **vars(where)))


@app.command
def report(study: str, *, output: Path | None = None, where: Where = HERE, json: Json = False) -> None:
    """Write a study's report: one HTML file that needs no network. --json prints its figures instead."""
    from toile import api
    from toile.reports.results.summary import summary
    from toile.reports.terminal.search import print_search
    from toile.reports.terminal.study import print_summary
    from toile.store.store import Store
    from toile.terminal import Terminal

    found = api.results(study, **vars(where))
    if json:
        if output is not None:
            api.write_report(found, output)
        return print_json(summary(found))
    found = api.with_previews(found, Store.at(where.store))
    written = api.write_report(found, output) if output else api.keep_report(study, found, Store.at(where.store))
    print_summary(found, Terminal())
    if found.search:
        print_search(found.search, found.called, Terminal(soft_wrap=True))
    print_text(f"report: {written.resolve()}")
    return None

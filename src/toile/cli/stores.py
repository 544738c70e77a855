"""Verbs about what is stored: moving it, counting it up, throwing it away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from toile.cli.application import HERE, Json, Where, app, print_json, print_text
from toile.errors import ToileError
from toile.text import counted


@app.command
def pack(study: str, output: Path, *, where: Where = HERE) -> None:
    """Write a study's stored runs to one archive, to move them to another machine."""
    from toile import api
    from toile.store import pack as packs

    made = api.plan(study, fresh=False, **vars(where))
    runs = {planned.fingerprint: run for planned in made.trials if (run := made.run_of(planned))}
    print_text(f"{counted(packs.pack(runs.values(), output), 'run')} in {output}")


@app.command
def unpack(archive: Path, *, store: Path | None = None) -> None:
    """Add an archive's runs to the store. Every file is first checked by its hash."""
    from toile.store import pack as packs
    from toile.store.store import Store

    place = Store.at(store)
    print_text(f"{counted(len(packs.unpack(archive, place)), 'run')} new in {place.root}")


@app.command
def log(study: str, *, to: str, into: Annotated[str | None, Parameter(name="--where")] = None, where: Where = HERE) -> None:
    """Tell a tracker that a team uses already of a study's stored runs, each once. Trains nothing.

    Parameters
    ----------
    to
        mlflow or tensorboard.
    into
        MLflow's address or folder (else $MLFLOW_TRACKING_URI, else ./mlruns); TensorBoard's folder (else ./logs).
    """
    from toile import api

    done = api.log(study, to=to, place=into, **vars(where))
    print_text(
        f"{counted(done.sent, 'run')} sent to {done.where}, {done.there} {'was' if done.there == 1 else 'were'} there already"
    )


@app.command
def ledger(*, where: Where = HERE, results: Path = Path("results"), output: Path = Path("docs/reproduction.md")) -> None:
    """Write every published figure beside the measured one. New results of the store are first added to the result files."""
    from toile import api

    added, found = api.ledger(results, output, **vars(where))
    print_text(f"{counted(added, 'result')} added to {results}; {counted(len(found), 'line')} in {output}")


@app.command
def gc(*, store: Path | None = None, delete: Annotated[bool, Parameter(negative="")] = False) -> None:
    """List what no run needs: abandoned work with its checkpoints; data sets, weights and features; damaged files. --delete
    removes it."""
    from toile.store import garbage
    from toile.store.store import Store

    place = Store.at(store)
    for path in garbage.remove(place) if delete else garbage.found(place):
        print_text(f"{'removed' if delete else 'would remove'} {path}")


@app.command
def check(*, store: Path | None = None, repair: Annotated[bool, Parameter(negative="")] = False, json: Json = False) -> None:
    """Compare everything in the store with what was written, and say which files are not. Exit code 1 if any is damaged.

    Parameters
    ----------
    repair
        Move what is damaged to damaged/ in the store, so that toile run makes it anew. Runs of before manifests get one, if
        their metrics are what their probabilities say: what they are now is believed from then on.
    """
    from toile import api
    from toile.cli.answers import print_checked
    from toile.store.store import Store

    found = api.check(store=store, repair=repair)
    if json:
        print_json([
            {"kind": one.kind, "path": str(one.path), "state": one.state, "done": one.done, "unchecked": one.unchecked,
             "damages": [{"path": str(error.path), "why": error.why} for error in one.damages]}
            for one in found
        ])  # fmt: skip
    else:
        print_checked(found)
    if damaged := sum(one.state == "damaged" for one in found):
        movable = any(error.movable for one in found for error in one.damages)
        it = "it" if damaged == 1 else "them"
        hint = f"; `toile check --repair` sets {it} aside, and `toile run` makes {it} anew" if movable and not repair else ""
        raise ToileError(
            f"{damaged:,} of {counted(len(found), 'thing')} in {Store.at(store).root} {'is' if damaged == 1 else 'are'} "
            f"damaged{hint}"
        )

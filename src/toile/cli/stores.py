"""Verbs about what is stored: moving it, counting it up, throwing it away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from toile.cli.application import HERE, Where, app


@app.command
def pack(study: str, output: Path, *, where: Where = HERE) -> None:
    """Write a study's stored runs to one archive, to move them to another machine."""
    from toile import api
    from toile.store import pack as packs

    made = api.plan(study, fresh=False, **vars(where))
    runs = {planned.fingerprint: run for planned in made.trials if (run := made.run_of(planned))}
    print(f"{packs.pack(runs.values(), output)} runs in {output}")


@app.command
def unpack(archive: Path, *, store: Path | None = None) -> None:
    """Add an archive's runs to the store. Every file is first checked by its hash."""
    from toile.store import pack as packs
    from toile.store.store import Store

    place = Store.at(store)
    print(f"{len(packs.unpack(archive, place))} runs new in {place.root}")


@app.command
def ledger(*, where: Where = HERE, results: Path = Path("results"), output: Path = Path("docs/reproduction.md")) -> None:
    """Write every published figure beside the measured one. New results of the store are first added to the result files."""
    from toile import api

    added, found = api.ledger(results, output, **vars(where))
    print(f"{added} results added to {results}; {len(found)} lines in {output}")


@app.command
def gc(*, store: Path | None = None, delete: Annotated[bool, Parameter(negative="")] = False) -> None:
    """List what no run needs: abandoned work with its checkpoints, data sets, weights and features. --delete removes it."""
    from toile.store.store import Store

    place = Store.at(store)
    for path in place.garbage():
        if delete:
            place.remove(path)
        print(f"{'removed' if delete else 'would remove'} {path}")

"""`toile open` as the command line parses it, and what carries it out. Light: `toile --help` imports this file for a line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Names = Annotated[tuple[str, ...], Parameter(negative="")]


def open_(
    *studies: str,
    store: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 8700,
    host_name: Names = (),
    browser: bool = True,
    dataset: str | None = None,
    fraction: float = 1.0,
    epochs_scale: float = 1.0,
) -> None:
    """Show a store as a page: all runs, what is training now, studies, comparisons, mistakes, reports. Writes nothing.

    Parameters
    ----------
    studies
        Studies to show beside those that the store has something of: packaged ones and the .toml files of this folder.
    store
        Folder of runs (else $TOILE_STORE, else ./toile-runs).
    host
        Address to listen at. There is no password: any but this machine's own lets others in.
    port
        0 takes one that is free.
    host_name
        A name under which the page is reached, beside its address and this machine's own for itself; say it once for each.
    browser
        Whether to show it in a browser at once, where this machine has one with a screen.
    dataset
        Registered data set that studies were run on instead of their own.
    fraction
        The share of the images that studies were run with.
    epochs_scale
        The share of the epochs that studies were run with.
    """
    from toile.serving.http import server
    from toile.serving.http.hosts import Hosts
    from toile.serving.http.limits import Limits
    from toile.viewer.looking import Looking
    from toile.viewer.shown import Asked

    hosts = Hosts(host_name, host)
    server.needed()
    from toile.viewer import app
    from toile.viewer.answers import Answers
    from toile.viewer.events import Events

    place = Looking.at(store)
    answers = Answers(place, studies, Path.cwd(), Asked(dataset, fraction, epochs_scale))
    events = Events(answers.working)
    limits = Limits(body=64 * 1024, held=2**20)
    server.quiet()
    listening = server.listen(host, port)

    def tell(address: str) -> None:
        print(f"showing {place.root} at {address} (Ctrl-C ends it)", file=sys.stderr, flush=True)
        if browser and _has_screen():
            import webbrowser

            webbrowser.open(address)

    server.answer(app.make(answers, events, hosts, limits), listening, limits, tell, events.end)


def _has_screen() -> bool:
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))

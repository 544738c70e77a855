"""`toile serve` as the command line parses it. Light: `toile --help` imports this file for a line of help."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from toile.text import printable

Names = Annotated[tuple[str, ...], Parameter(negative="")]


def serve(
    export: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    host_name: Names = (),
    threads: int = 1,
    max_batch: int = 64,
    max_body_mib: float = 8,
    seconds: float = 10,
) -> None:
    """Answer for an exported model over HTTP, with a page to try it on.

    Parameters
    ----------
    export
        What `toile export --to onnx` wrote.
    host
        Address to listen at. There is no password: any but this machine's own lets others in.
    port
        0 takes one that is free.
    host_name
        A name under which the server is reached, beside its address and this machine's own for itself; say it once for each.
    threads
        Of onnxruntime for one batch.
    max_batch
        Images of one request, and of one call of the model.
    max_body_mib
        Size of one request.
    seconds
        In which a request must have arrived.
    """
    from toile.errors import Misuse
    from toile.serving.http import server
    from toile.serving.http.limits import MIB, Limits

    if not 0 < max_body_mib < float("inf"):
        raise Misuse(f"--max-body-mib is a number above 0, got {max_body_mib:g}")
    body = int(max_body_mib * MIB)
    held = max(Limits().held, 4 * body)
    limits = Limits(body=body, held=held, batch=max_batch, waiting=max(1024, max_batch), seconds=seconds)
    server.serve(export, host=host, port=port, host_names=host_name, threads=threads, limits=limits,
                 tell=lambda at: _say(f"serving {export} at {at}"))  # fmt: skip


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)

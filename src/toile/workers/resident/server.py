"""The process of a session: `python -m toile.workers.resident.server`. See `toile.workers.resident.client`.

It reads requests `(verb, arguments)` and writes, to each, any number of `("event", kind, fields)` and then `("done", result)`
or `("failed", message)`.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from toile.errors import ToileError, refused
from toile.inference.infer import load
from toile.store.store import Store
from toile.study.trial import Trial
from toile.training.train import train
from toile.workers.resident.client import StoredModel, Tell, send

# Models that stay open between requests: a committee asks its members in turn.
_OPEN_MODELS = 8


def _train(say: Tell, canonical: str, store: Path, threads: int, also: Sequence[int], until: int | None) -> str:
    trial = Trial.parse(canonical)
    keras = None if trial.learner == "classical" else _keras()
    try:
        return train(trial, Store(store), threads=threads, say=say, also=also, until=until, load=load)
    finally:
        if keras is not None:
            keras.backend.clear_session()  # which forgets the precision too, for one


def _predict(say: Tell, model: StoredModel, images: np.ndarray) -> np.ndarray:
    return _opened(model)(images)


@lru_cache(_OPEN_MODELS)
def _opened(model: StoredModel) -> Callable[[np.ndarray], np.ndarray]:
    with tempfile.TemporaryDirectory(prefix="toile-") as folder:
        path = Path(folder, model.name)
        path.write_bytes(model.content)
        return load(path)


@cache
def _keras() -> Any:
    """Keras and its backend, loaded once.

    `clear_session` has Python look for garbage among all objects, and these libraries have more than half a million of them,
    all to stay; looking at those takes longer than a small training does.
    """
    import keras

    importlib.import_module(f"toile.training.engines.{keras.backend.backend()}")
    gc.freeze()
    return keras


_VERBS = {"train": _train, "predict": _predict}


def main() -> None:
    """Entry point: carry out requests until standard input closes, as it does however the other side ends."""
    # Whatever the libraries print must not get between the answers.
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def say(event: str, **fields: Any) -> None:
        send(answers, ("event", event, fields))

    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            verb, arguments = pickle.load(requests)
            try:
                answer = "done", _VERBS[verb](say, *arguments)
            except BrokenPipeError:
                raise
            except ToileError as error:
                answer = "failed", str(error)
            except OSError as error:
                answer = "failed", refused(error)
            except Exception:
                traceback.print_exc()
                answer = "failed", traceback.format_exc(limit=0).strip()
            send(answers, answer)


if __name__ == "__main__":
    main()

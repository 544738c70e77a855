"""600 random damages of a stored run, with a manifest and without, and of an archive: one error at most, and it is ours."""

from __future__ import annotations

import gzip
import io
import random
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.cli.fixture import TINY, stored_tiny
from tests.store.random_damage import damaged
from toile import api
from toile.reports.results.summary import summary
from toile.runner import show
from toile.store import pack
from toile.store.checked import Damaged
from toile.store.pack import PackError
from toile.store.run import FILES, MANIFEST, Run
from toile.store.store import Store

TIMES = 600
MOST = 50 * 2**20


@contextmanager
def bounded() -> Iterator[None]:
    """No more memory than fifty megabytes, whatever a damaged header asks for."""
    tracemalloc.start()
    yield
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < MOST


@pytest.mark.slow
@pytest.mark.parametrize("manifests", [True, False], ids=["with a manifest", "of before manifests"])
def test_a_damaged_run_is_read_or_is_damaged(tmp_path: Path, manifests: bool) -> None:
    plan = stored_tiny(tmp_path / "store", manifests=manifests)
    folders = [run.folder for run in plan.store.runs()]
    names = [*FILES, "model.keras", *([MANIFEST] if manifests else [])]
    files = {folder / name: (folder / name).read_bytes() for folder in folders for name in names}
    noticed = 0
    with bounded():
        for seed in range(TIMES):
            path = random.Random(seed).choice(list(files))
            content = damaged(files[path], list(files.values()), seed)
            path.write_bytes(content)
            damages = Run(path.parent).damages()
            # With hashes nothing else than what was written is believed; without them what cannot be told is.
            assert not manifests or bool(damages) == (content != files[path])
            noticed += bool(damages)
            if seed % 20 == 0:
                made = api.plan(TINY, fresh=False, store=plan.store.root)
                show.status(made), show.planned(made), summary(api.results(TINY, store=plan.store.root))
            path.write_bytes(files[path])
    assert noticed > TIMES / 3


@pytest.mark.slow
def test_a_damaged_archive_brings_what_was_packed_or_nothing(tmp_path: Path) -> None:
    plan = stored_tiny(tmp_path / "there")
    runs = plan.store.runs()
    archive = pack.packed(runs)
    refused = 0
    with bounded():
        for seed in range(TIMES):
            content = damaged(archive, [b"", runs[0].model.read_bytes(), gzip.compress(archive)], seed)
            content = gzip.compress(content) if seed % 5 == 0 else content
            content = damaged(content, [archive], seed) if seed % 10 == 0 else content
            here = Store(tmp_path / f"here-{seed}")
            try:
                pack.unpack(content, here)
            except PackError:
                refused += 1
                assert not here.root.exists()
                continue
            assert [run.fingerprint for run in here.runs()] == [run.fingerprint for run in runs]
            for one, other in zip(runs, here.runs(), strict=True):
                assert [path.read_bytes() for path in one.files()] == [path.read_bytes() for path in other.files()]
    assert refused > TIMES / 3


class Mark:
    """Unpickled, it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_nothing_in_probabilities_is_executed(tmp_path: Path) -> None:
    run = stored_tiny(tmp_path / "store", manifests=False).store.runs()[0]
    buffer = io.BytesIO()
    np.savez(buffer, test=np.array([Mark(tmp_path / "executed")], dtype=object))
    (run.folder / "probabilities.npz").write_bytes(buffer.getvalue())
    with pytest.raises(Damaged, match="probabilities are"):
        Run(run.folder).probabilities("test")
    assert not (tmp_path / "executed").exists()

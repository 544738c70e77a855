"""Models in files that are none: one error that names the file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from toile.errors import ToileError
from toile.inference import infer as inference
from toile.workers.infer import infer


@pytest.mark.parametrize("name", ["model.keras", "model.skops"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x05\x06" + bytes(18), "zip"])
def test_a_file_that_is_no_model_is_one_error(tmp_path: Path, name: str, content: bytes | str) -> None:
    path = tmp_path / name
    if content == "zip":
        with zipfile.ZipFile(path, "w") as made:
            for inside in ("config.json", "metadata.json", "model.weights.h5", "schema.json"):
                made.writestr(inside, "{}")
    else:
        path.write_bytes(content)
    with pytest.raises(ToileError, match=rf"^{path} ") as error:
        inference.load(path)
    assert "\n" not in str(error.value)


def test_what_a_process_cannot_load_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"garbage")
    with pytest.raises(ToileError, match=rf"^the models could not be used: {tmp_path}/model.keras cannot be loaded") as error:
        infer([tmp_path / "model.keras"], "tensorflow", np.zeros((1, 28, 28, 1), np.uint8))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["model.keras", "model.skops"])
def test_a_file_that_would_fill_the_memory_is_refused_before_it_is_unpacked(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as made, made.open("schema.json", "w") as inside:
        for _ in range(65):
            inside.write(bytes(2**20))
    assert (tmp_path / name).stat().st_size < 2**20
    with pytest.raises(ToileError, match=rf"{name} unpacks to 65 MiB; a model of its size may have 64 MiB$"):
        inference.load(tmp_path / name)

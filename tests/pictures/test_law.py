"""The law of pictures: of a data set's own file everything says what the store says.

Over every mode that a file can have, in every format, and every fit. The model is an export made by hand.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.pictures.fixture import write
from tests.serving.fixture import CLASSES, expected, metadata, serving, write_export
from toile.data.dataset import Dataset
from toile.data.reading.load import load
from toile.pictures.form import Form
from toile.pictures.many import prepare_many
from toile.pictures.read import read
from toile.serving.answer import from_export
from toile.study.data.dataset import DatasetSpec

SIZES = [(40, 30), (30, 40), (24, 24), (61, 17), (20, 28)]
# What a study says of its folder; sizes of the files; whether they have colours.
WAYS = {
    "pad": ({"size": [20, 28]}, SIZES, True),
    "crop": ({"size": 24, "fit": "crop"}, SIZES, True),
    "stretch": ({"size": [20, 28], "fit": "stretch", "transparency": "black"}, SIZES, True),
    "pad, grey": ({"size": 28}, SIZES, False),
    "crop, grey, one size": ({"size": [9, 12], "fit": "crop"}, [(40, 30)], False),
    "own size": ({}, [(24, 20)], True),
    "own size, grey": ({"transparency": "black"}, [(20, 28)], False),
    "lying": ({"size": 24, "upright": False}, SIZES, True),
}


def folder(root: Path, sizes: list[tuple[int, int]], *, colour: bool) -> Path:
    for number, size in enumerate(sizes):
        for part in ("train", "val", "test"):
            files = write(root / part / "all", size, colour=colour, seed=1000 * number + len(part))
            for at, file in enumerate(files):
                class_ = root / part / f"class {at % 3}"
                class_.mkdir(exist_ok=True)
                file.rename(class_ / f"{number}-{file.name}")
    for part in ("train", "val", "test"):
        (root / part / "all").rmdir()
    return root


@pytest.fixture(scope="module", params=WAYS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Dataset]:
    said, sizes, colour = WAYS[request.param]
    root = folder(tmp_path_factory.mktemp("law"), sizes, colour=colour)
    return root, load(DatasetSpec.model_validate({"path": str(root), **said}))


def own(root: Path, dataset: Dataset) -> list[tuple[Path, np.ndarray]]:
    """Every file with the image that the store has of it."""
    parts = dataset.parts.values()
    return [(root / name, image) for part in parts for name, image in zip(part.names, part.images, strict=True)]


def test_every_file_is_read_as_it_was(case: tuple[Path, Dataset]) -> None:
    root, dataset = case
    files = own(root, dataset)
    assert {path for path, _ in files} == {path for path in root.rglob("*") if path.is_file()}
    form = Form.parse(json.loads(json.dumps(dataset.form.plain())))
    assert form == dataset.form
    for path, image in files:
        for source in (path, path.read_bytes()):
            prepared = read(source, form)
            np.testing.assert_array_equal(prepared.pixels, image, err_msg=f"{path.name}: {prepared.steps}")
        assert not [step for step in prepared.steps if step.startswith(("inverted", "trimmed"))]
    prepared, broken = prepare_many([path for path, _ in files], form)
    assert not broken
    np.testing.assert_array_equal([one.pixels for one in prepared], [image for _, image in files])


def test_predict_and_server_say_what_the_store_says(case: tuple[Path, Dataset], tmp_path: Path) -> None:
    root, dataset = case
    shape = dataset.image_shape
    about = metadata(shape, form=dataset.form.plain())
    export = write_export(tmp_path / "a.onnx", shape=shape, about=json.dumps(about))
    files = own(root, dataset)
    wanted, _ = expected(np.stack([image for _, image in files]))
    answers = from_export(export, [path for path, _ in files])
    np.testing.assert_allclose([[a.probabilities[name] for name in CLASSES] for a in answers], wanted, atol=5e-6)
    with serving(export) as server:
        said = []
        for at in range(0, len(files), 64):
            sent = [("image", (path.name, path.read_bytes())) for path, _ in files[at : at + 64]]
            answer = server.client.post("/v1/predict", files=sent)
            assert answer.status_code == 200, answer.text
            said += [[one["probabilities"][name] for name in CLASSES] for one in answer.json()["predictions"]]
    np.testing.assert_allclose(said, wanted, atol=5e-6)

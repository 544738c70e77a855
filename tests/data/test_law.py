"""The law of files without pictures: of a data set's own table or array, submissions and estimators see what the store has."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from toile import ImageClassifier
from toile.data.errors import DataError
from toile.data.reading import unlabelled
from toile.data.reading.load import load
from toile.pictures.form import Form
from toile.study.data.dataset import DatasetSpec

RANDOM = np.random.default_rng(4)
LABELS = np.arange(12) % 3
GREY = RANDOM.integers(0, 256, (12, 16))
GREY[0, :2] = 0, 255
COLOUR = RANDOM.integers(0, 256, (12, 48))
# What is asked beside the training images: few numbers, from which another range would be taken.
DARK = np.eye(16)[[0, 3, 5, 7]]

HEADER = ["label", *(f"pixel{at}" for at in range(16))]
TABLES = {
    "whole numbers": (GREY, DARK, HEADER, {}),
    "fractions": (GREY / 255, DARK, HEADER, {}),
    "fractions, overshot": (GREY / 255 * 1.02 - 0.01, DARK, HEADER, {}),
    "a label of another name": (GREY, DARK, ["what it is", *HEADER[1:]], {"label": "what it is"}),
    "the label last": (GREY, DARK, [*HEADER[1:], "class"], {}),
    "no header": (GREY, DARK, None, {}),
    "colours": (COLOUR, np.eye(48)[:4], ["label", *(f"pixel{at}" for at in range(48))], {}),
    "rows and columns": (GREY, DARK, ["label", *(f"{1 + at // 4}x{1 + at % 4}" for at in range(16))], {}),
}
ARRAYS = {
    "fractions": (GREY / 255, DARK),
    "0..255": (GREY.astype(np.float32), DARK.astype(np.float32)),
    "fractions, overshot": (GREY / 255 * 1.02 - 0.01, DARK * 0.5),
    "whole numbers": (GREY, DARK.astype(int)),
}


def table(path: Path, pixels: np.ndarray, header: list[str] | None) -> Path:
    last = header is not None and header[-1] == "class"
    labels = LABELS[: len(pixels)]
    rows = [[*row, of] if last else [of, *row] for row, of in zip(pixels.tolist(), labels.tolist(), strict=True)]
    text = "\n".join(",".join(map(str, row)) for row in ([header] if header else []) + rows) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
@pytest.mark.parametrize("kind", TABLES)
def test_a_submission_sees_a_table_as_the_store_has_it(kind: str, ending: str, tmp_path: Path) -> None:
    pixels, dark, header, said = TABLES[kind]
    train, test = (table(tmp_path / f"{name}{ending}", of, header) for name, of in (("a", pixels), ("b", dark)))
    data = load(DatasetSpec(path=str(train), test_path=str(test), **said))
    form = Form.parse(json.loads(json.dumps(data.form.plain())))
    for path, part in ((train, data.train), (test, data.test)):
        _, seen = unlabelled.read(path, form.shape, form.fractions)
        np.testing.assert_array_equal(seen, part.images)


@pytest.mark.parametrize("plain", [True, False], ids=["array", "dictionary"])
@pytest.mark.parametrize("kind", ARRAYS)
def test_a_submission_sees_an_array_as_the_store_has_it(kind: str, plain: bool, tmp_path: Path) -> None:
    for name, of in zip("ab", ARRAYS[kind], strict=True):
        np.save(tmp_path / f"{name}.npy", {"features": of, "target": LABELS[: len(of)] + 1})
    data = load(DatasetSpec(path=str(tmp_path / "a.npy"), test_path=str(tmp_path / "b.npy")))
    for name, of, part in zip("ab", ARRAYS[kind], (data.train, data.test), strict=True):
        if plain:
            np.save(tmp_path / f"{name}.npy", of)
        _, seen = unlabelled.read(tmp_path / f"{name}.npy", data.form.shape, data.form.fractions)
        np.testing.assert_array_equal(seen, part.images)


@pytest.mark.parametrize("kind", ARRAYS)
def test_an_estimator_of_arrays_says_what_the_same_model_says_of_their_file(kind: str, tmp_path: Path) -> None:
    train, test = ARRAYS[kind]
    np.savez(tmp_path / "a.npz", x_train=train, y_train=LABELS, x_test=test, y_test=LABELS[: len(test)])
    data = load(DatasetSpec(path=str(tmp_path / "a.npz")))
    of_file = ImageClassifier("logistic-regression", random_state=0).fit(data.train.images, data.train.labels)
    of_arrays = ImageClassifier("logistic-regression", random_state=0).fit(train, LABELS)
    assert of_arrays.fingerprint_ == of_file.fingerprint_
    for part, images in ((data.train, train), (data.test, test)):
        np.testing.assert_allclose(of_arrays.predict_proba(images), of_file.predict_proba(part.images), atol=1e-6)


@pytest.mark.parametrize("ending", [".csv", ".npy"])
def test_colours_one_after_the_other_are_not_scrambled_in_a_submission(ending: str, tmp_path: Path) -> None:
    rows, columns = np.mgrid[:8, :8] * 16
    image = np.stack([rows + columns, 120 - rows, columns], axis=2).astype(np.uint8)
    images, path = np.stack([image, image[::-1], image[:, ::-1]]), tmp_path / f"a{ending}"

    def seen(pixels: np.ndarray, names: list[str]) -> np.ndarray:
        rows = pixels.reshape(len(pixels), -1)
        np.save(path, rows) if ending == ".npy" else path.write_text(
            "\n".join(",".join(map(str, row)) for row in [names, *rows.tolist()])
        )
        return unlabelled.read(path, (8, 8, 3))[1]

    names = [f"pixel{at}" for at in range(192)]
    np.testing.assert_array_equal(seen(images, names), images)
    apart = images.transpose(0, 3, 1, 2)
    with pytest.raises(DataError, match=r"seem to be all of red, then all of green.*x.reshape\(-1, 3, 8, 8\)"):
        seen(apart, names)
    if ending == ".csv":  # whose owner knows better
        told = [f"{colour}{at}" for at in range(64) for colour in ("red", "green", "blue")]
        np.testing.assert_array_equal(seen(apart, told), apart.reshape(3, 8, 8, 3))


def test_nearly_grey_stripes_are_not_taken_for_colours_one_after_the_other(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grey = 127 + 100 * np.sin(np.arange(24)[:, None, None] * 0.9) + rng.normal(0, 4, (5, 24, 24, 1))
    images = np.clip(grey + rng.normal(0, 1, (5, 24, 24, 3)), 0, 255).astype(np.uint8)
    for count in (1, 5):
        np.save(tmp_path / "a.npy", images[:count].reshape(count, -1))
        np.testing.assert_array_equal(unlabelled.read(tmp_path / "a.npy", (24, 24, 3))[1], images[:count])


def test_arrays_of_another_range_than_the_data_sets_are_neither_black_nor_white(tmp_path: Path) -> None:
    light = np.linspace(0, 1, 16, dtype=np.float32)
    for known, strange in ((255.0, light), (1.0, light * 255), (None, light)):
        np.save(tmp_path / "a.npy", strange.reshape(1, 4, 4))
        seen = unlabelled.read(tmp_path / "a.npy", (4, 4, 1), known)[1]
        np.testing.assert_array_equal(seen.ravel(), np.rint(light * 255))

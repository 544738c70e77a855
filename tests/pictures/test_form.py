"""The form of pictures: what may be in one, and what training images tell of strange ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toile.data.reading.load import load
from toile.pictures.form import Form, Guess
from toile.pictures.learned import learned
from toile.study.data.dataset import DatasetSpec

SHARED = Path(__file__).parents[3] / "shared" / "data"

SIZES = st.tuples(st.integers(1, 5000), st.integers(1, 5000))
GUESSES = st.builds(Guess, border=st.floats(0, 255), fill=st.none() | st.floats(0.01, 1))
FORMS = st.builds(
    Form,
    size=SIZES,
    channels=st.sampled_from([1, 3]),
    fit=st.sampled_from(["pad", "crop", "stretch"]),
    ground=st.sampled_from([None, "white", "black"]),
    full=st.none() | st.sampled_from([1.0, 4095.0, 65535]),
    fractions=st.none() | st.sampled_from([1.0, 255.0]),
    upright=st.booleans(),
    own=st.lists(SIZES, max_size=2).map(tuple),
    guess=st.none() | GUESSES,
)


@given(FORMS)
def test_it_comes_back_from_json(form: Form) -> None:
    assert Form.parse(json.loads(json.dumps(form.plain()))) == form


def test_what_is_left_out_is_not_written() -> None:
    assert Form((28, 28), 1).plain() == {"size": [28, 28], "channels": 1}


GOOD = {"size": [4, 5], "channels": 3, "own": [[4, 5]], "guess": {"border": 0}}


@pytest.mark.parametrize(
    "wrong",
    [
        [], None, "form", {}, {"size": [4, 5]}, {"channels": 1},
        GOOD | {"size": [4]}, GOOD | {"size": [0, 4]}, GOOD | {"size": [4.0, 5]}, GOOD | {"size": 4},
        GOOD | {"size": [True, 4]},
        GOOD | {"channels": 2}, GOOD | {"channels": True}, GOOD | {"fit": "fill"}, GOOD | {"ground": "grey"},
        GOOD | {"full": 0}, GOOD | {"full": float("nan")}, GOOD | {"upright": 1}, GOOD | {"own": [4, 5]}, GOOD | {"own": "x"},
        GOOD | {"guess": 1}, GOOD | {"guess": {}}, GOOD | {"guess": {"border": 256}},
        GOOD | {"guess": {"border": 0, "fill": 0}},
        GOOD | {"guess": {"border": 0, "other": 1}}, GOOD | {"other": 1},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_form(wrong: object) -> None:
    assert Form.parse(GOOD).own == ((4, 5),)
    with pytest.raises(ValueError, match="no form of pictures"):
        Form.parse(wrong)


def blocks(count: int = 200, size: int = 28, ground: int = 0, light: int = 200, fill: tuple[int, int] = (20, 20)) -> np.ndarray:
    """Blocks on a ground, of sides drawn from a range; uint8 `(n, size, size, 1)`."""
    random = np.random.default_rng(0)
    images = np.full((count, size, size, 1), ground, np.uint8)
    for image in images:
        side = random.integers(fill[0], fill[1] + 1)
        row, column = random.integers(0, size - side + 1, 2)
        image[row : row + side, column : column + side] = light
    return images


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        pytest.param(blocks(), Guess(0, 20 / 28), id="light on black, with margins"),
        pytest.param(blocks(ground=255, light=30), Guess(255, 20 / 28), id="dark on white"),
        pytest.param(blocks(ground=4), Guess(4, 20 / 28), id="nearly black"),
        pytest.param(blocks(fill=(8, 20)), Guess(0), id="objects of all sizes"),
        pytest.param(blocks(fill=(19, 21)), Guess(0, 20 / 28), id="a pixel more or less"),
        pytest.param(np.concatenate([blocks(), blocks(ground=255, light=0)]), None, id="some of both"),
        pytest.param(
            np.concatenate([blocks(390), blocks(10, ground=255, light=0)]), Guess(0, 20 / 28), id="a few of the other"
        ),
        pytest.param(np.repeat(blocks(), 3, axis=3), None, id="colour"),
        pytest.param(blocks(size=7, fill=(3, 3)), None, id="nearly all border"),
        pytest.param(np.zeros((5, 28, 28, 1), np.uint8), Guess(0), id="nothing on them"),
        pytest.param(np.zeros((0, 28, 28, 1), np.uint8), None, id="no images"),
    ],
)
def test_what_the_training_images_have_in_common(images: np.ndarray, expected: Guess | None) -> None:
    assert learned(images) == expected


def test_of_many_images_some_are_looked_at() -> None:
    assert learned(blocks(9000)) == Guess(0, 20 / 28)


@pytest.mark.parametrize(("name", "expected"), [("digits", Guess(0.0, 1.0)), ("fashion-mnist", Guess(0.0, 1.0))])
def test_real_data_sets(name: str, expected: Guess, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "fashion-mnist" and not (SHARED / name).is_dir():
        pytest.skip("Fashion-MNIST is not beside the project")
    monkeypatch.setenv("TOILE_DATA", str(SHARED))
    form = load(DatasetSpec(name=name)).form
    assert form == Form((28, 28), 1, own=((28, 28),), guess=expected)


def test_mnist_has_margins() -> None:
    path = SHARED / "mnist-test" / "t10k-images-idx3-ubyte.gz"
    if not path.is_file():
        pytest.skip("MNIST is not beside the project")
    images = np.frombuffer(gzip.decompress(path.read_bytes())[16:], np.uint8).reshape(-1, 28, 28, 1)
    assert learned(images) == Guess(0.0, 20 / 28)

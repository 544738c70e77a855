"""Full light of pictures of more than eight bits: right, told, or one clear error, whatever stands beside them in a folder."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toile.data.audits.audit import audit
from toile.data.dataset import Dataset
from toile.data.errors import DataError
from toile.data.reading.load import load
from toile.pictures.form import Form
from toile.pictures.read import read
from toile.study.data.dataset import DatasetSpec

# The same picture in numbers of every range; 0..1 is what it means. 255 is in it, so that the bits that it needs can be seen.
SCENE = np.concatenate([[0, 128, 255], np.random.default_rng(0).integers(0, 256, 61)]).reshape(8, 8) / 255
KINDS = {
    "8": (SCENE * 255).round().astype(np.uint8),
    "16": (SCENE * 65535).round().astype(np.uint16),
    "12 in 16": (SCENE * 4095).round().astype(np.uint16),
    "8 in 16": (SCENE * 255).round().astype(np.uint16),
    "32": (SCENE * 65535).round().astype(np.int32),
    "0..1": SCENE.astype(np.float32),
    "0..255": (SCENE * 255).astype(np.float32),
    "0..65535": (SCENE * 65535).astype(np.float32),
    "overshot 0..1": (SCENE * 1.008 - 0.004).astype(np.float32),
    "overshot 0..255": (SCENE * 257 - 1).astype(np.float32),
    "black": np.zeros((8, 8), np.float32),
}
RIGHT = [
    ("0..1", "16"), ("0..1", "8"), ("0..1", "12 in 16"), ("0..1", "32", "8"), ("0..255", "16"), ("0..255", "8"),
    ("0..65535", "12 in 16"), ("12 in 16", "8"), ("8 in 16", "8"), ("0..65535", "16"), ("overshot 0..1", "8"),
    ("overshot 0..255", "16"), ("0..1", "black", "16"), ("overshot 0..1", "0..1"), ("0..255", "black"),
]  # fmt: skip


def made(root: Path, kinds: tuple[str, ...]) -> Dataset:
    for kind in kinds:
        (root / "a").mkdir(parents=True, exist_ok=True)
        Image.fromarray(KINDS[kind]).save(root / "a" / f"{kind}.tif")
        Image.fromarray(KINDS["8"]).save(root / "a" / "zz.png")
    return load(DatasetSpec(path=str(root)))


@pytest.mark.parametrize("kinds", RIGHT, ids=" and ".join)
def test_every_range_is_taken_for_what_it_is_beside_every_other(kinds: tuple[str, ...], tmp_path: Path) -> None:
    data = made(tmp_path / "x", kinds)
    for name, image in zip(data.train.names, data.train.images, strict=True):
        if not name.startswith("a/black"):
            np.testing.assert_allclose(image[..., 0], SCENE * 255, atol=2, err_msg=name)
        np.testing.assert_array_equal(read(tmp_path / "x" / name, data.form).pixels, image, err_msg=name)  # the law


@pytest.mark.parametrize("kinds", [("0..1", "0..255"), ("0..1", "0..65535", "16")], ids=" and ".join)
def test_floats_of_two_ranges_are_one_error_that_names_both(kinds: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"two ranges: 1 go up to 1 \({kinds[0]}\.tif\), and 1 .*\({kinds[1]}\.tif\)"):
        made(tmp_path / "x", kinds)


def test_bits_that_differ_are_told_with_names(tmp_path: Path) -> None:
    told = audit(made(tmp_path / "x", ("12 in 16", "16", "8 in 16")))["warnings"]
    assert any(
        "2 of 3 pictures of more than 8 bits hold numbers up to 4095 only" in one and "12 in 16.tif" in one for one in told
    )
    told = audit(made(tmp_path / "y", ("overshot 0..1",)))["warnings"]
    assert any("lie in -0.004..1.004: taken for 0..1" in one for one in told)


def test_a_float_far_below_0_is_a_broken_file(tmp_path: Path) -> None:
    pictures = {"good": KINDS["0..1"], "bad": KINDS["0..1"] - 0.5}
    (tmp_path / "a").mkdir()
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(tmp_path / "a" / f"{name}.tif")
    with pytest.raises(DataError, match=r"a/bad\.tif: has pixels below 0, down to -0\.5"):
        load(DatasetSpec(path=str(tmp_path)))


@pytest.mark.parametrize(
    ("learned", "strange"), [("16", "0..1"), ("0..1", "16"), ("0..255", "0..1"), ("8", "0..1"), ("8", "16")]
)
def test_a_strange_range_is_judged_by_its_own_numbers(learned: str, strange: str, tmp_path: Path) -> None:
    form = made(tmp_path / "x", (learned,)).form
    Image.fromarray(KINDS[strange]).save(tmp_path / "strange.tif")
    np.testing.assert_allclose(read(tmp_path / "strange.tif", form).pixels[..., 0], SCENE * 255, atol=2)


@pytest.mark.parametrize(
    ("known", "kind", "most"),
    [
        ({"fractions": 1.0}, "f4", 255),
        ({"full": 1.0}, "f4", 255),
        ({"fractions": 255.0}, "f4", 1),
        ({"full": 255.0}, "f4", 1),
        ({"fractions": 255.0}, "f4", 65535),
        ({"full": 4095.0}, "u2", 65535),
    ],
)
def test_pictures_of_another_range_than_the_learned_ones_are_neither_black_nor_white(known, kind, most):
    light = np.linspace(0, most, 64).reshape(8, 8)
    file = io.BytesIO()
    Image.fromarray(light.astype(kind)).save(file, "TIFF")
    seen = read(file.getvalue(), Form((8, 8), 1, **known)).pixels[..., 0]
    assert np.abs(seen - light * (255 / most)).max() <= 1


@pytest.mark.parametrize(
    ("known", "kind", "most"),
    [
        ({"full": 1.0}, "f4", 1.3),  # sharpened
        ({"full": 1.0}, "f4", 8),  # of 255 it would be black
        ({"full": 255.0}, "f4", 400),
        ({"full": 1023.0}, "u2", 1500),  # brighter than all that was learned: its camera has more bits than these needed
        ({"full": 4095.0}, "u2", 7000),
    ],
)
def test_what_is_brighter_than_the_learned_pictures_is_cut_and_makes_the_rest_no_darker(known, kind, most):
    light = np.linspace(0, most, 64).reshape(8, 8).astype(kind)
    file = io.BytesIO()
    Image.fromarray(light).save(file, "TIFF")
    seen = read(file.getvalue(), Form((8, 8), 1, **known)).pixels[..., 0]
    assert np.abs(seen - np.minimum(light * (255.0 / known["full"]), 255)).max() <= 1


def test_a_hot_pixel_is_no_other_range():
    light = np.linspace(0, 4095, 256).reshape(16, 16).astype(np.uint16)
    seen = []
    for hot in (4095, 65535):
        light[3, 3] = hot
        file = io.BytesIO()
        Image.fromarray(light).save(file, "PNG")
        seen.append(read(file.getvalue(), Form((16, 16), 1, full=4095.0)).pixels)
    np.testing.assert_array_equal(*seen)


def test_numbers_that_become_nearly_black_are_told():
    file = io.BytesIO()
    Image.fromarray(np.linspace(0, 4095, 64).reshape(8, 8).astype(np.uint16)).save(file, "PNG")
    for full in (None, 65535.0):
        [step] = read(file.getvalue(), Form((8, 8), 1, full=full)).steps
        assert step.endswith(", and it is nearly black, as its numbers go up to 4095 only")

"""ImageNet weights in files on this machine: found by name, believed by their tensors."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toile.errors import Misuse, ToileError
from toile.models import backbones, imagenet
from toile.models.architectures import transfer

SHARED = Path(__file__).parents[3] / "shared" / "weights"


def write(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where weights are looked for."""
    monkeypatch.setenv("TOILE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@settings(deadline=None, max_examples=10)
@given(order=st.permutations(range(4)))
def test_digest_is_of_the_tensors_and_not_of_their_names_or_order(order: list[int], tmp_path_factory) -> None:
    generator = np.random.default_rng(0)
    arrays = [generator.normal(size=shape).astype(np.float32) for shape in ((3, 3, 2), (2,), (3, 3, 2), (5, 4))]
    place = tmp_path_factory.mktemp("weights")
    one = write(place / "one.h5", {f"layer{i}": array for i, array in enumerate(arrays)})
    other = write(place / "other.h5", {f"a/b{i}": arrays[at] for i, at in enumerate(order)})
    assert imagenet.tensors_digest(one) == imagenet.tensors_digest(other)
    arrays[2][1, 1, 1] = np.nextafter(arrays[2][1, 1, 1], np.float32(9))
    changed = write(place / "changed.h5", {f"layer{i}": array for i, array in enumerate(arrays)})
    assert imagenet.tensors_digest(changed) != imagenet.tensors_digest(one)
    reshaped = write(place / "reshaped.h5", {f"layer{i}": array.reshape(-1) for i, array in enumerate(arrays)})
    assert imagenet.tensors_digest(reshaped) != imagenet.tensors_digest(changed)


def test_a_file_is_found_by_name_and_believed_by_its_tensors(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert backbones.imagenet_here("vgg16", 1.0, 32) is None
    path = write(folder / "vgg16_imagenet_notop.weights.h5", {"kernel": np.ones((3, 3), np.float32)})
    with pytest.raises(Misuse, match="is not what its name says") as wrong:
        backbones.imagenet_here("vgg16", 1.0, 32)
    assert str(path) in str(wrong.value)
    monkeypatch.setitem(imagenet.TENSORS, ("vgg16", 1.0), imagenet.tensors_digest(path))
    assert backbones.imagenet_here("vgg16", 1.0, 32) == path
    options = {"backbone": "vgg16", "alpha": 1.0, "size": 32, "weights": "imagenet"}
    assert transfer.downloaded(options) == path
    assert transfer.weights_content(options) is None  # the word says it all, wherever the file lies


def test_a_file_for_images_of_224_stands_for_no_other_size(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(folder / "mobilenet_0.25_imagenet_notop.weights.h5", {"kernel": np.ones((3, 3), np.float32)})
    monkeypatch.setitem(imagenet.TENSORS, ("mobilenet", 0.25), imagenet.tensors_digest(path))
    assert backbones.imagenet_here("mobilenet", 0.25, 64) == path  # Keras takes those of 224 here too
    assert backbones.imagenet_here("mobilenet", 0.25, 224) == path
    assert backbones.imagenet_here("mobilenet", 0.25, 128) is None
    assert backbones.imagenet_here("mobilenet", 0.5, 64) is None


def test_a_damaged_file_is_named(folder: Path) -> None:
    path = folder / "vgg16_imagenet_notop.weights.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n and no more")
    with pytest.raises(ToileError, match="no whole weights file") as damaged:
        backbones.imagenet_here("vgg16", 1.0, 32)
    assert str(path) in str(damaged.value)


def test_a_file_that_declares_more_than_is_read_is_refused(folder: Path) -> None:
    """Nothing of the array is stored, so the file has a kilobyte; to read it would take 4 TB."""
    path = folder / "vgg16_imagenet_notop.weights.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("kernel", (10**12,), np.float32)
    with pytest.raises(ToileError, match=r"the file of weights unpacks to 3,725\.29 GiB or more"):
        imagenet.tensors_digest(path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the ImageNet weights are not beside the checkout")
@pytest.mark.parametrize("key", imagenet.TENSORS, ids=lambda key: imagenet.file_name(*key))
def test_the_real_files_are_what_the_code_knows(key: tuple[str, float]) -> None:
    assert imagenet.tensors_digest(SHARED / imagenet.file_name(*key)) == imagenet.TENSORS[key]

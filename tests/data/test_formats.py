"""Formats: one contract for all by name, then what each must refuse."""

from __future__ import annotations

import gzip
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toile.data import formats
from toile.data.errors import DataError
from toile.data.reading import unlabelled
from toile.errors import Misuse

RNG = np.random.default_rng(0)
TRAIN = RNG.integers(0, 256, (6, 4, 4), dtype=np.uint8), np.array([0, 0, 1, 1, 2, 2])
TEST = RNG.integers(0, 256, (3, 4, 4), dtype=np.uint8), np.array([0, 1, 2])


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write_idx(folder: Path, train=TRAIN, test=TEST) -> tuple[Path, None]:
    (folder / "idx").mkdir()
    for name, (images, labels) in (("train", train), ("t10k", test)):
        (folder / "idx" / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (folder / "idx" / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))
    return folder / "idx", None


def write_npz(folder: Path, train=TRAIN, test=TEST) -> tuple[Path, None]:
    np.savez(folder / "made.npz", x_train=train[0], y_train=train[1], x_test=test[0], y_test=test[1])
    return folder / "made.npz", None


def write_npy(folder: Path, train=TRAIN, test=TEST) -> tuple[Path, Path]:
    for name, (images, labels) in (("train", train), ("test", test)):
        np.save(folder / f"{name}.npy", {"features": images / 255, "target": labels + 1.0})
    return folder / "train.npy", folder / "test.npy"


def write_csv(folder: Path, train=TRAIN, test=TEST) -> tuple[Path, Path]:
    for name, (images, labels) in (("train", train), ("test", test)):
        rows = [[label, *image.ravel()] for image, label in zip(images, labels, strict=True)]
        lines = ["label," + ",".join(f"pixel{i}" for i in range(1, 17)), *(",".join(map(str, row)) for row in rows)]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return folder / "train.csv", folder / "test.csv"


def write_folder(folder: Path, train=TRAIN, test=TEST) -> tuple[Path, None]:
    for name, (images, labels) in (("train", train), ("test", test)):
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            path = folder / "images" / name / str(label) / f"{number:03}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    return folder / "images", None


def write_list(folder: Path, train=TRAIN, test=TEST) -> tuple[Path, None]:
    lines = ["filename,label,split"]
    for name, (images, labels) in (("train", train), ("test", test)):
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            (folder / "images").mkdir(exist_ok=True)
            Image.fromarray(image).save(folder / "images" / f"{name}{number}.png")
            lines.append(f"images/{name}{number}.png,{label},{name}")
    (folder / "made.csv").write_text("\n".join(lines))
    return folder / "made.csv", None


WRITERS = {"list": write_list, "idx": write_idx, "npz": write_npz, "npy": write_npy, "csv": write_csv, "folder": write_folder}


def test_every_format_has_a_writer_here():
    assert set(formats.names()) == set(WRITERS)


@pytest.mark.parametrize("name", formats.names())
def test_contract(tmp_path, name):
    path, test_path = WRITERS[name](tmp_path)
    assert formats.guess(path) == name
    dataset = formats.load(name).read(path, test_path, None)
    for part, (images, labels) in ((dataset.train, TRAIN), (dataset.test, TEST)):
        assert (part.images.dtype, part.labels.dtype) == (np.uint8, np.int64)
        np.testing.assert_array_equal(part.images, images[..., None])
        np.testing.assert_array_equal(part.labels, labels)
    assert dataset.classes == 3
    assert formats.load(name).read(path, test_path, ("a", "b", "c")).class_names == ("a", "b", "c")
    with pytest.raises(DataError, match="2 class names"):
        formats.load(name).read(path, test_path, ("a", "b"))
    about = formats.about(name)
    assert about and "\n" not in about


@pytest.mark.parametrize("name", formats.names())
def test_contract_one_image_size(tmp_path, name):
    path, test_path = WRITERS[name](tmp_path, test=(np.zeros((3, 5, 5), np.uint8), TEST[1])) if name != "csv" else (0, 0)
    if name == "csv":
        path, test_path = write_csv(tmp_path)
        test_path.write_text("label," + ",".join(f"pixel{i}" for i in range(9)) + "\n0" + ",1" * 9 + "\n")
    with pytest.raises(DataError, match="expected one size"):
        formats.load(name).read(path, test_path, None)


def test_unknown_format_and_no_guess(tmp_path):
    with pytest.raises(Misuse, match=r"unknown format 'npzz' \(did you mean 'npz'\?\); allowed: csv, folder, idx"):
        formats.load("npzz")
    with pytest.raises(Misuse, match="cannot be guessed"):
        formats.guess(tmp_path / "data.feather")
    for name in ("pictures.ZIP", "pictures.tar.gz"):
        with pytest.raises(Misuse, match=r"is an archive; unpack it, and give the folder"):
            formats.guess(tmp_path / name)


# IDX


def test_idx_images_file_with_labels_beside(tmp_path):
    folder, _ = write_idx(tmp_path)
    read = formats.load("idx").read
    path = folder / "train-images-idx3-ubyte.gz"
    assert formats.guess(path) == "idx"
    assert read(path, None, None).test is None
    assert len(read(path, folder / "t10k-images-idx3-ubyte.gz", None).test) == 3
    (folder / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"no labels beside it; expected train-labels-idx1-ubyte\[.gz\]"):
        read(path, None, None)


IMAGES = "train-images-idx3-ubyte.gz"
WHOLE = gzip.compress(idx(TRAIN[0]), mtime=0)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (WHOLE[:-9], "truncated gzip"),
        (WHOLE[:40], "truncated gzip"),
        (WHOLE[:-8] + b"\0" * 8, "damaged"),
        (b"\x89PNG" + idx(TRAIN[0])[4:], "magic number 89504e47; expected 00000803"),
        (idx(TRAIN[1]), r"magic number 00000801 \(1 dimensions\); expected 00000803"),
        (b"", "magic number missing"),
        (idx(TRAIN[0])[:10], "header is cut off after 10 bytes"),
        (idx(TRAIN[0])[:-1], "declares 96 bytes .* holds fewer"),
        (idx(TRAIN[0]) + b"\0", "declares 96 bytes .* holds more"),
        (gzip.compress(struct.pack(">4I", 0x803, 2**31, 2**15, 2**15)), "holds fewer"),
        (idx(TRAIN[0][:4]), "4 images, but 6 labels"),
        (idx(TRAIN[0][:0]), "at least one image|0 images"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",  # gzip's bytes tell the time
)
def test_idx_damaged(tmp_path, data, says):
    folder, _ = write_idx(tmp_path)
    (folder / IMAGES).write_bytes(data)
    with pytest.raises(DataError, match=says) as caught:
        formats.load("idx").read(folder, None, None)
    assert IMAGES in str(caught.value)


def test_idx_half_a_test_set(tmp_path):
    folder, _ = write_idx(tmp_path)
    (folder / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(DataError, match="expected both or neither"):
        formats.load("idx").read(folder, None, None)


# NPZ


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x": TRAIN[0]}, "holds x; x has no labels beside it; expected"),
        ({"x": TRAIN[0], "y": TRAIN[1][:4]}, "6 train images, 4 labels"),
        ({"x": TRAIN[0], "y": TRAIN[1] - 1}, "label -1 of image 0; expected 0 or more"),
        ({"x": TRAIN[0], "y": TRAIN[1] + 0.5}, "label 0.5 of image 0; expected an integer"),
        ({"x": TRAIN[0], "y": np.where(TRAIN[1] == 1, np.nan, 0)}, "label nan of image 2"),
        ({"x": TRAIN[0], "y": 1 - np.eye(3)[TRAIN[1]]}, r"row 0 is 0.0, 1.0, 1.0 \(several are 1"),
        ({"x": TRAIN[0], "y": np.eye(3)[TRAIN[1]] * 0.5}, r"labels of shape \(6, 3\): row 0 .* one-hot"),
        ({"x": TRAIN[0], "y": np.array(["a", "b", "", "a", "b", "a"])}, "the label of image 2 is empty"),
        ({"x": TRAIN[0] * 1.5, "y": TRAIN[1]}, "pixels lie in .*; expected 0..1 or 0..255"),
        ({"x": TRAIN[0].astype(np.int64) - 1, "y": TRAIN[1]}, "pixels lie in -1"),
        ({"x": np.full((6, 4, 4), np.nan), "y": TRAIN[1]}, "NaN"),
        ({"x": TRAIN[0][:, :3, :].reshape(6, 12), "y": TRAIN[1]}, "flattened images of 12 pixels"),
        ({"x": np.zeros((6, 4, 4, 7), np.uint8), "y": TRAIN[1]}, r"images of shape \(6, 4, 4, 7\)"),
        ({"x": TRAIN[0].astype(object), "y": TRAIN[1]}, r"pickled objects are never loaded.* x\.astype\(str\)"),
        ({"x": np.zeros((4, 4, 3, 6), np.uint8), "y": TRAIN[1]}, r"expected .*; x\.transpose\(3, 0, 1, 2\) brings"),
        ({"x": np.zeros((4, 4, 6), np.uint8), "y": TRAIN[1]}, r"4 train images, 6 labels.*; np\.moveaxis\(x, -1, 0\) brings"),
    ],
)
def test_npz_refused(tmp_path, arrays, says):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(DataError, match=says) as caught:
        formats.load("npz").read(tmp_path / "bad.npz", None, None)
    assert "bad.npz" in str(caught.value)


@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels"), ("train_images", "train_labels")])
def test_npz_without_test(tmp_path, names):
    np.savez_compressed(tmp_path / "made.npz", **{names[0]: TRAIN[0].reshape(6, 16) / 255, names[1]: TRAIN[1][:, None]})
    dataset = formats.load("npz").read(tmp_path / "made.npz", None, None)
    np.testing.assert_array_equal(dataset.train.images, TRAIN[0][..., None])
    assert dataset.test is None


def test_npz_truncated_or_no_zip(tmp_path):
    path, _ = write_npz(tmp_path)
    data = path.read_bytes()
    for bad in (data[: len(data) // 2], b"", b"PK\x03\x04 not a zip"):
        path.write_bytes(bad)
        with pytest.raises(DataError, match=r"made\.npz"):
            formats.load("npz").read(path, None, None)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY garbage")
        archive.writestr("y.npy", b"")
    with pytest.raises(DataError, match=r"made\.npz, x: \.npy of version 32\.103; expected 1\.0, 2\.0 or 3\.0"):
        formats.load("npz").read(path, None, None)


def test_scaling_is_decided_for_train_and_test_together(tmp_path):
    """A dark test set in 0..255 must not be taken for one in 0..1."""
    np.savez(tmp_path / "a.npz", x_train=TRAIN[0] * 1.0, y_train=TRAIN[1], x_test=np.ones((3, 4, 4)), y_test=TEST[1])
    assert formats.load("npz").read(tmp_path / "a.npz", None, None).test.images.max() == 1


# CSV

HEADER = "label," + ",".join(f"pixel{i}" for i in range(1, 5))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1 begins with ''"),
        ("1,2,3,4,5\n", "which column has the labels"),
        (HEADER + "\n", "no line after the header"),
        (HEADER.replace(",pixel3", "") + "\n0,1,2,4\n", "line 1: column 'pixel4' where pixel3 belongs"),
        (HEADER.replace(",pixel4", "") + "\n0,1,2,3\n", "3 pixel columns; expected a square number"),
        (HEADER + "\n0,1,2,3,4\n0,1,2,3\n", "line 3 has 4 columns; expected 5"),
        (HEADER + "\n0,1,2,3,4,5\n", "line 2 has 6 columns"),
        (HEADER + "\n0,1,2,3,4\n0,1,x,3,4\n", "line 3: pixel column 2 is 'x'"),
        (HEADER + "\n0,1,,3,4\n", "line 2: pixel column 2 is ''"),
        (HEADER + "\n0,1,256,3,4\n", "line 2: pixel column 2 is '256'; expected an integer in 0..255"),
        (HEADER + "\n0,1,-1,3,4\n", "pixel column 2 is '-1'"),
        (HEADER + "\n0,1,0.5,3,4\n", "pixel column 2 is '0.5'"),
        (HEADER + "\n0,nan,2,3,4\n", "pixel column 1 is 'nan'"),
        (HEADER + "\n-1,1,2,3,4\n", "label -1 of image 0; expected 0"),
        (HEADER + "\n1.5,1,2,3,4\n", "label 1.5 of image 0"),
        (HEADER + "\n0,1,2,3,4\n\n0,1,2,3,4\n", "line 3 is empty"),
    ],
)
def test_csv_refused(tmp_path, text, says):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(DataError, match=says) as caught:
        formats.load("csv").read(tmp_path / "bad.csv", None, None)
    assert "bad.csv" in str(caught.value)


def test_csv_is_lenient_where_it_does_no_harm(tmp_path):
    header = "\ufeffLabel," + ",".join(f'"pixel{i}"' for i in range(4))
    (tmp_path / "made.csv").write_bytes((header + "\r\n1,0, 7,255,1.0\r\n\r\n\r\n").encode())
    dataset = formats.load("csv").read(tmp_path / "made.csv", None, None)
    assert dataset.train.images.ravel().tolist() == [0, 7, 255, 1]
    assert (dataset.train.labels.tolist(), dataset.class_names, dataset.first) == ([0], ("1",), 1)


def test_csv_that_is_not_text(tmp_path):
    (tmp_path / "bad.csv").write_bytes(b"label,\xff\xfe")
    with pytest.raises(DataError, match="UTF-8"):
        formats.load("csv").read(tmp_path / "bad.csv", None, None)


# Folders of images


def picture(path: Path, image: Image.Image, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def test_folder_without_train_and_test_sorted_by_number(tmp_path):
    for name, value in (("10", 3), ("9", 2), ("2", 1)):
        picture(tmp_path / "set" / name / "a.png", Image.new("L", (5, 4), value))
    (tmp_path / "set" / ".hidden").mkdir()
    (tmp_path / "set" / "2" / ".DS_Store").write_bytes(b"x")
    read = formats.load("folder").read
    dataset = read(tmp_path / "set", None, None)
    assert (dataset.class_names, dataset.image_shape, dataset.test) == (("2", "9", "10"), (4, 5, 1), None)
    assert dataset.train.images[:, 0, 0, 0].tolist() == [1, 2, 3]
    ordered = read(tmp_path / "set", None, ("10", "2", "3", "9"))
    assert (ordered.train.labels.tolist(), ordered.train.images[:, 0, 0, 0].tolist()) == ([0, 1, 3], [3, 1, 2])


def test_folder_kinds_of_images(tmp_path):
    grey = Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4) * 10)
    folder = tmp_path / "set" / "a"
    for ending in ("png", "gif", "bmp"):
        picture(folder / f"grey.{ending}", grey)
    picture(folder / "lossless.webp", grey.convert("RGB"), lossless=True)
    picture(folder / "grey16.png", Image.fromarray(np.asarray(grey).astype(np.uint16) * 257))
    picture(folder / "bit.png", Image.new("1", (4, 4), 1))
    picture(folder / "photo.jpg", Image.new("L", (4, 4), 90))
    (folder / "lossless.webp").rename(folder / "z.webp")
    mixed = formats.load("folder").read(tmp_path / "set", None, None).train.images
    assert mixed.shape == (7, 4, 4, 3)
    assert np.all(mixed == mixed[..., :1])
    assert sum(np.array_equal(image[..., 0], np.asarray(grey)) for image in mixed) == 5
    (folder / "z.webp").unlink()
    assert formats.load("folder").read(tmp_path / "set", None, None).image_shape == (4, 4, 1)


def test_folder_transparent_becomes_white_and_colour_stays(tmp_path):
    picture(tmp_path / "set" / "a" / "1.png", Image.new("RGBA", (2, 2), (9, 9, 9, 0)))
    picture(tmp_path / "set" / "a" / "2.png", Image.new("RGB", (2, 2), (1, 2, 3)))
    images = formats.load("folder").read(tmp_path / "set", None, None).train.images
    assert images[:, 0, 0].tolist() == [[255, 255, 255], [1, 2, 3]]


def spoil_size(folder):
    picture(folder / "a" / "2.png", Image.new("L", (4, 5)))


def spoil_pixels(folder):
    picture(folder / "a" / "2.png", Image.new("L", (2001, 2000)))


def spoil_bytes(folder):
    picture(folder / "a" / "2.png", Image.fromarray(RNG.integers(0, 256, (28, 28), dtype=np.uint8)))
    (folder / "a" / "2.png").write_bytes((folder / "a" / "2.png").read_bytes()[:500])


def spoil_text(folder):
    (folder / "a" / "notes.txt").write_text("x")


def spoil_class(folder):
    (folder / "b").mkdir()


def spoil_all(folder):
    (folder / "a" / "1.png").unlink()
    (folder / "a").rmdir()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (spoil_size, r"2 pictures of 2 sizes; expected one size \(width x height\):\n  1 of 4 x 4\n  1 of 4 x 5\n"),
        (spoil_pixels, r"expected one size \(width x height\):\n  1 of 4 x 4\n  1 of 2001 x 2000\n"),
        (spoil_bytes, r"1 file that cannot be used:\n  a/2\.png: broken or cut short"),
        (spoil_text, r"a/notes\.txt: not a picture by its name"),
        (spoil_class, r"1 file that cannot be used:\n  b/: no picture in this folder; expected the images of a class"),
        (spoil_all, r"no sub-folders; expected one a class"),
    ],
)
def test_folder_refused(tmp_path, spoil, says):
    picture(tmp_path / "set" / "a" / "1.png", Image.new("L", (4, 4)))
    spoil(tmp_path / "set")
    with pytest.raises(DataError, match=says):
        formats.load("folder").read(tmp_path / "set", None, None)


def test_pixels_in_one_cell_are_told_as_such(tmp_path):
    (tmp_path / "fer.csv").write_text("emotion,pixels,Usage\n0,1 2 3 4,Training\n1,4 3 2 1,Training\n")
    with pytest.raises(DataError, match="'pixels' has all pixels of an image in one cell, which is not read; expected one col"):
        formats.load("csv").read(tmp_path / "fer.csv", None, None)


def test_an_empty_folder_is_no_class_where_it_is_left_out(tmp_path):
    for name in ("a", "c"):
        picture(tmp_path / "set" / name / "1.png", Image.new("L", (4, 4)))
    spoil_class(tmp_path / "set")
    data = formats.load("folder").read(tmp_path / "set", None, None, on_error="skip")
    assert data.class_names == ("a", "c") and data.train.labels.tolist() == [0, 1]
    assert [one.name for one in data.left_out] == ["b/"]


def test_folder_test_class_never_seen_in_training(tmp_path):
    picture(tmp_path / "set" / "train" / "a" / "1.png", Image.new("L", (4, 4)))
    picture(tmp_path / "set" / "test" / "b" / "1.png", Image.new("L", (4, 4)))
    with pytest.raises(DataError, match="class 'b' is not among the training classes a"):
        formats.load("folder").read(tmp_path / "set", None, None)


UNLABELLED = [name for name in formats.names() if hasattr(formats.load(name), "unlabelled")]


def write_unlabelled(name: str, folder: Path, ids: list[int] | list[str] | None) -> Path:
    images = TRAIN[0]
    if name == "npy":
        np.save(folder / "made.npy", {"features": images / 255} | ({} if ids is None else {"id": np.array(ids)}))
        return folder / "made.npy"
    # Zalando's own test file for Kaggle has labels; they are not ids.
    first = "label" if ids is None else "id"
    rows = [[i, *image.ravel()] for i, image in zip(ids or [3] * len(images), images, strict=True)]
    lines = [f"{first}," + ",".join(f"pixel{i}" for i in range(1, 17)), *(",".join(map(str, row)) for row in rows)]
    (folder / "made.csv").write_text("\n".join(lines) + "\n")
    return folder / "made.csv"


NUMBERED = [(name, ids) for name in UNLABELLED for ids in (None, [9, 4, 2, 7, 1, 5], [2**53 + at for at in range(6)])]
# The dictionaries in .npy files have numbers alone.
NAMED = [("csv", ["a.png", "b", "c d", "007", "é", "6"]), ("csv", ["007", "08", "9", "1", "2", "3"])]


@pytest.mark.parametrize(("name", "ids"), [*NUMBERED, *NAMED], ids=str)
def test_images_without_labels(name: str, ids: list[int] | list[str] | None, tmp_path: Path) -> None:
    found, images = unlabelled.read(write_unlabelled(name, tmp_path, ids), (4, 4, 1))
    assert found.tolist() == (ids or list(range(1, 7)))
    np.testing.assert_array_equal(images[..., 0], TRAIN[0])


def test_images_without_labels_that_cannot_be_used(tmp_path: Path) -> None:
    path = write_unlabelled("csv", tmp_path, None)
    with pytest.raises(DataError, match=r"images of \(4, 4, 1\); the model was trained on \(28, 28, 1\)"):
        unlabelled.read(path, (28, 28, 1))
    with pytest.raises(DataError, match="no such file"):
        unlabelled.read(tmp_path / "missing.csv", (4, 4, 1))
    np.savez(tmp_path / "made.npz", x=TRAIN[0])
    with pytest.raises(DataError, match="from csv and npy files; this looks like npz"):
        unlabelled.read(tmp_path / "made.npz", (4, 4, 1))
    np.save(tmp_path / "made.npy", {"features": TRAIN[0], "id": np.arange(3)})
    with pytest.raises(DataError, match="'id' is no array of 6 numbers"):
        unlabelled.read(tmp_path / "made.npy", (4, 4, 1))
    np.save(tmp_path / "made.npy", {"id": np.arange(3)})
    with pytest.raises(DataError, match="the keys id; expected a dictionary with 'features'"):
        unlabelled.read(tmp_path / "made.npy", (4, 4, 1))

"""Data sets in the layouts that people have: each is read as it is meant, or refused in one line that says what to do."""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toile.data.audits.audit import audit
from toile.data.dataset import Dataset
from toile.data.errors import DataError
from toile.data.formats import guess
from toile.data.reading import beside, unlabelled
from toile.data.reading.load import load
from toile.errors import ToileError
from toile.study.data.dataset import DatasetSpec

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (12, 6, 6), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (12, 6, 6, 3), dtype=np.uint8)
LABELS = np.arange(12) % 3
WORDS = np.array(["boot", "coat", "shirt"])[LABELS]


def opened(path: Path, **said) -> Dataset:
    return load(DatasetSpec(path=str(path), **said))


def table(images: np.ndarray, labels, header: list[str] | None, *, between: str = ",", last: bool = False, ids=None) -> str:
    """Pixels in a table; `header` has the label's name and that of the pixels with a place for their number."""
    rows = [] if header is None else [header]
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        row = [*map(str, image.ravel()), str(label)] if last else [str(label), *map(str, image.ravel())]
        rows.append(([str(ids[number])] if ids is not None else []) + row)
    return "\n".join(between.join(row) for row in rows) + "\n"


def header(count: int, pixel: str = "pixel{}", label: str = "label", last: bool = False, begin: int = 1) -> list[str]:
    pixels = [pixel.format(number) for number in range(begin, begin + count)]
    return [*pixels, label] if last else [label, *pixels]


def by_side(side: int) -> list[str]:
    return [f"{row}x{column}" for row in range(1, side + 1) for column in range(1, side + 1)]


CSV = {
    "label last": (table(GREY, LABELS, header(36, last=True), last=True), {}),
    "target, 0-based": (table(GREY, LABELS, header(36, label="Target", begin=0)), {}),
    "class and semicolons": (table(GREY, LABELS, header(36, label="class"), between=";"), {}),
    "tabs": (table(GREY, LABELS, header(36), between="\t"), {}),
    "1x1 to 6x6": (table(GREY, LABELS, ["label", *by_side(6)]), {}),
    "padded numbers, label last": (table(GREY, LABELS, header(36, "pixel{:04}", last=True, begin=0), last=True), {}),
    "pandas index": (table(GREY, LABELS, ["", *header(36)], ids=range(12)), {}),
    "ids": (table(GREY, LABELS, ["ImageId", *header(36)], ids=range(100, 112)), {}),
    "no header": (table(GREY, LABELS, None), {}),
    "no header, label last": (table(GREY, LABELS, None, last=True), {}),
    "byte order mark and quotes": (
        "\ufeff" + table(GREY, LABELS, [f'"{name}"' for name in header(36)]).replace("\n", "\r\n"),
        {},
    ),
    "another label": (table(GREY, LABELS, header(36, label="emotion")), {"label": "emotion"}),
    "numbers as names": (table(GREY, LABELS, header(36, "{}", begin=0)), {}),
    "fractions": (table(GREY / 255, LABELS, header(36)), {}),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", CSV)
def test_pixels_in_a_table(tmp_path, name, packed):
    text, said = CSV[name]
    path = tmp_path / ("made.csv.gz" if packed else "made.csv")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    dataset = opened(path, **said)
    np.testing.assert_array_equal(dataset.train.images[..., 0], GREY)
    assert dataset.train.labels.tolist() == LABELS.tolist() and dataset.class_names == ("0", "1", "2")


def test_pixels_in_a_table_with_words_colours_and_other_sizes(tmp_path):
    (tmp_path / "a.csv").write_text(table(COLOUR, WORDS, header(108)))
    dataset = opened(tmp_path / "a.csv")
    np.testing.assert_array_equal(dataset.train.images, COLOUR)
    assert dataset.class_names == ("boot", "coat", "shirt") and dataset.train.labels.tolist() == LABELS.tolist()
    (tmp_path / "b.csv").write_text(table(GREY.reshape(12, 4, 9), WORDS, None))
    assert opened(tmp_path / "b.csv", size=[4, 9]).train.images.shape == (12, 4, 9, 1)
    (tmp_path / "c.csv").write_text(table(COLOUR.reshape(12, 9, 4, 3), LABELS, header(108)))
    assert opened(tmp_path / "c.csv", size=[9, 4]).train.images.shape == (12, 9, 4, 3)
    (tmp_path / "d.csv").write_text(table(GREY, LABELS + 300, header(36)))
    assert opened(tmp_path / "d.csv").class_names == ("300", "301", "302")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            table(GREY, LABELS, header(36, label="emotion")),
            r'column \'emotion\' is neither a label .*write `label = "emotion"`',
        ),
        (table(GREY[:, :5], LABELS, header(30)), r"30 pixel columns; expected a square number.*`size = \[height, width\]`"),
        (
            table(GREY, LABELS, ["class", "label", *header(35)[1:]]),
            'which column has the labels, class, label.*`label = "class"`',
        ),
        (table(GREY % 3, LABELS, None), "which column has the labels"),
        (table(GREY, LABELS, header(36)) + "0,1\n", "line 14 has 2 columns; expected 37"),
        (table(GREY, LABELS, ["label", *by_side(6)[::-1]]), "are not all pixels, row by row"),
        (table(GREY, LABELS, header(36)) + ",".join(["1"] + ["0.5"] * 36) + "\n", "pixel column 1 is '0.5'"),
    ],
)
def test_tables_that_are_refused_say_what_to_do(tmp_path, text, said):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(DataError, match=said) as caught:
        opened(tmp_path / "bad.csv")
    assert "bad.csv" in str(caught.value)


FIRST = COLOUR.transpose(0, 3, 1, 2)


def parts(x: str, y: str, images: np.ndarray, labels: np.ndarray = LABELS) -> dict[str, np.ndarray]:
    """Two parts under names with a place for the part's."""
    both = (("train", slice(0, 8)), ("test", slice(8, 12)))
    return {name.format(part): array[at] for part, at in both for name, array in ((x, images), (y, labels))}


NPZ = {
    "X_train": (parts("X_{}", "Y_{}", COLOUR), COLOUR),
    "train_data": (parts("{}_data", "{}_labels", COLOUR), COLOUR),
    "channels first": (parts("images_{}", "labels_{}", FIRST), COLOUR),
    "one-hot": (parts("x_{}", "y_{}", GREY, np.eye(3)[LABELS]), GREY),
    "tr and te": (
        {name.replace("train", "tr").replace("test", "te"): array for name, array in parts("X_{}", "y_{}", GREY).items()},
        GREY,
    ),
    "ts": ({name.replace("test", "ts"): array for name, array in parts("X_{}", "y_{}", GREY).items()}, GREY),
    "tst": ({name.replace("test", "tst"): array for name, array in parts("X_{}", "y_{}", GREY).items()}, GREY),
    "floats": (parts("x_{}", "y_{}", GREY / 255), GREY),
    "floats to 255": (parts("x_{}", "y_{}", GREY * 1.0), GREY),
    "floats and bytes": ({**parts("x_{}", "y_{}", GREY), "x_train": GREY[:8] / 255}, GREY),
    "others beside": ({**parts("{}X", "{}Y", GREY), "ids": LABELS}, GREY),
}


@pytest.mark.parametrize("name", NPZ)
def test_arrays_by_the_names_that_people_give(tmp_path, name):
    arrays, images = NPZ[name]
    np.savez_compressed(tmp_path / "made.npz", **arrays)
    dataset = opened(tmp_path / "made.npz")
    images = images.reshape(12, 6, 6, -1)
    np.testing.assert_array_equal(dataset.train.images, images[:8])
    np.testing.assert_array_equal(dataset.test.images, images[8:])
    assert dataset.train.labels.tolist() == LABELS[:8].tolist() and dataset.classes == 3


@pytest.mark.parametrize("word", ["eval", "holdout", "Final"])
def test_images_with_labels_under_a_word_that_is_no_part_are_told_of(tmp_path, word):
    arrays = {"X_train": GREY, "y_train": LABELS, f"X_{word}": GREY[:4], f"y_{word}": LABELS[:4]}
    np.savez(tmp_path / "a.npz", **arrays, image_ids=LABELS, label_ids=LABELS)
    dataset = opened(tmp_path / "a.npz")
    assert list(dataset.parts) == ["train"] and len(dataset.train) == 12
    [note] = dataset.notes
    assert note.startswith(f"a.npz: X_{word}, y_{word} are not read, because {word.lower()!r} is no part; if they are one, ")
    np.savez(tmp_path / "b.npz", x=GREY[:4], y=LABELS[:4], **{f"x_{word}": GREY, f"y_{word}": LABELS})
    assert "b.npz: x_" in opened(tmp_path / "a.npz", test_path=str(tmp_path / "b.npz")).notes[1]


@pytest.mark.parametrize(
    "arrays",
    [
        {"data": GREY, "labels": WORDS},
        {"X": GREY, "y": LABELS, "class_names": np.array(["boot", "coat", "shirt"])},
        {"X": GREY, "y": LABELS + 1, "label_names": np.array([b"boot", b"coat", b"shirt"])},
        {"images": GREY, "target": LABELS, "classes": np.array(["boot", "coat", "shirt"])},
        {"arr_0": GREY, "arr_1": WORDS},
    ],
)
def test_words_and_names_of_classes_inside(tmp_path, arrays):
    np.savez(tmp_path / "made.npz", **arrays)
    dataset = opened(tmp_path / "made.npz")
    assert dataset.class_names == ("boot", "coat", "shirt") and dataset.train.labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (GREY / 127.5 - 1, r"pixels lie in -1..1; .* brought to -1..1: \(x \+ 1\) / 2 takes that back"),
        (GREY.astype(np.uint16) * 16, "they seem to have 12 bits: x // 16 leaves the upper 8"),
        (RNG.normal(0, 1, GREY.shape), "signed or standardised"),
        (np.zeros((12, 6, 6, 4), np.uint8), r"left out by x\[..., :-1\]"),
    ],
)
def test_arrays_that_are_refused_say_what_to_do(tmp_path, images, said):
    np.savez(tmp_path / "bad.npz", x=images, y=LABELS)
    with pytest.raises(DataError, match=said):
        opened(tmp_path / "bad.npz")


def test_fractions_a_little_above_1_are_no_black_images(tmp_path):
    fractions = GREY / 255 * 1.008 - 0.004
    np.savez(tmp_path / "made.npz", x=fractions, y=LABELS)
    dataset = opened(tmp_path / "made.npz")
    np.testing.assert_array_equal(dataset.train.images[..., 0], np.clip(np.rint(fractions * 255), 0, 255))
    assert any("pixels lie in -0.004..1.004: taken for 0..1" in one for one in audit(dataset)["warnings"])
    dataset.save(tmp_path / "kept")
    assert Dataset.open(tmp_path / "kept").notes == dataset.notes


def write_idx(folder: Path, begin: str, images: np.ndarray, labels: np.ndarray) -> None:
    for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
        head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        (folder / f"{begin}-{kind}-ubyte.gz").write_bytes(gzip.compress(head + array.astype(np.uint8).tobytes()))


def test_emnist(tmp_path):
    """Letters are 1..26, and lie on their sides; what the labels mean stands in a file beside them."""
    wide = RNG.integers(0, 256, (12, 4, 6), dtype=np.uint8)
    for part, at in (("train", slice(0, 9)), ("test", slice(9, 12))):
        write_idx(tmp_path, f"emnist-letters-{part}", wide[at], LABELS[at] + 1)
    dataset = opened(tmp_path, transpose=True)
    np.testing.assert_array_equal(dataset.train.images[..., 0], wide[:9].swapaxes(1, 2))
    assert (dataset.class_names, dataset.first, len(dataset.test)) == (("1", "2", "3"), 1, 3)
    assert audit(dataset)["warnings"] == []
    (tmp_path / "emnist-letters-mapping.txt").write_text("1 65 97\n2 66 98\n3 67 99\n")
    lying = opened(tmp_path)
    assert lying.class_names == ("A / a", "B / b", "C / c") and lying.image_shape == (4, 6, 1)
    assert "`transpose = true`" in lying.notes[0]
    write_idx(tmp_path, "emnist-digits-train", wide, LABELS)
    with pytest.raises(DataError, match="several data sets: emnist-digits-train-images-idx3-ubyte"):
        opened(tmp_path)
    both = opened(tmp_path / "emnist-letters-train-images-idx3-ubyte.gz", transpose=True, test_path=str(tmp_path))
    assert (len(both.train), len(both.test)) == (9, 3)


def png(image: np.ndarray) -> bytes:
    held = io.BytesIO()
    Image.fromarray(image).save(held, "PNG")
    return held.getvalue()


def write_pictures(folder: Path, images: np.ndarray, ending: str = ".png") -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{number:02}{ending}" for number in range(len(images))]
    for name, image in zip(names, images, strict=True):
        (folder / name).write_bytes(png(image))
    return names


def lines(*columns, between: str = ",") -> str:
    return "\n".join(between.join(map(str, row)) for row in zip(*columns, strict=True)) + "\n"


def test_a_list_with_splits(tmp_path):
    names = write_pictures(tmp_path / "pics", COLOUR)
    parts = ["train"] * 6 + ["val"] * 3 + ["Test"] * 3
    text = "Filename;Class;Split;patient\n" + lines([f"pics/{name}" for name in names], WORDS, parts, LABELS, between=";")
    (tmp_path / "list.csv").write_text("\ufeff" + text)
    dataset = opened(tmp_path / "list.csv")
    assert {name: len(part) for name, part in dataset.parts.items()} == {"train": 6, "validation": 3, "test": 3}
    np.testing.assert_array_equal(dataset.test.images, COLOUR[9:])
    assert dataset.test.names.tolist() == ["pics/09.png", "pics/10.png", "pics/11.png"]
    assert dataset.class_names == ("boot", "coat", "shirt")


def test_a_list_of_ids_whose_pictures_lie_elsewhere(tmp_path):
    """As on Kaggle: train.csv has ids without an ending, and a folder has the pictures."""
    names = write_pictures(tmp_path / "train" / "images", GREY)
    (tmp_path / "train.tsv").write_text(
        "id\tlabel\n" + lines([name.removesuffix(".png") for name in names], LABELS, between="\t")
    )
    dataset = opened(tmp_path / "train.tsv")
    np.testing.assert_array_equal(dataset.train.images[..., 0], GREY)
    assert dataset.train.labels.tolist() == LABELS.tolist() and dataset.form is not None


@pytest.mark.parametrize("header", ["Image Name,Class Label", "img-name,Breed", "file.path,y"])
def test_columns_are_known_however_their_names_are_spelt_and_of_two_the_other_is_the_label(tmp_path, header):
    names = write_pictures(tmp_path, GREY)
    (tmp_path / "list.csv").write_text(f"{header}\n" + lines([name.removesuffix(".png") for name in names], WORDS))
    dataset = opened(tmp_path / "list.csv")
    np.testing.assert_array_equal(dataset.train.images[..., 0], GREY)
    assert dataset.class_names == ("boot", "coat", "shirt")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "line 1 is empty; expected the names of the columns"),
        ("filename,label\n00.png,é\n".encode("latin-1"), "cannot be read as UTF-8 text, as which spreadsheets write what"),
    ],
)
def test_tables_that_are_no_tables_of_text(tmp_path, content, said):
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(DataError, match=said):
        opened(tmp_path / "list.csv", format="list")


def test_unicode_text_of_a_spreadsheet(tmp_path):
    names = write_pictures(tmp_path, GREY)
    (tmp_path / "list.tsv").write_bytes(("filename\tlabel\r\n" + lines(names, WORDS, between="\t")).encode("utf-16"))
    assert opened(tmp_path / "list.tsv").train.labels.tolist() == LABELS.tolist()


def test_metadata_beside_pictures(tmp_path):
    for part, at in (("train", slice(0, 8)), ("test", slice(8, 12))):
        names = write_pictures(tmp_path / "set" / part, GREY[at])
        (tmp_path / "set" / part / "metadata.csv").write_text("file_name,label\n" + lines(names, WORDS[at]))
    dataset = opened(tmp_path / "set")
    np.testing.assert_array_equal(dataset.test.images[..., 0], GREY[8:])
    assert dataset.test.names.tolist()[0] == "test/00.png" and dataset.test.labels.tolist() == LABELS[8:].tolist()


def write_parquet(
    path: Path, images: np.ndarray, labels: np.ndarray, names: Sequence[str] = ("boot", "coat", "shirt"), **others: list[int]
) -> None:
    """`others` are columns of labels that have other names: red and blue."""
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = [{"bytes": png(image), "path": f"{number}.png"} for number, image in enumerate(images)]
    features = {"image": {"_type": "Image"}, "label": {"names": list(names), "_type": "ClassLabel"}}
    features |= {name: {"names": ["red", "blue"], "_type": "ClassLabel"} for name in others}
    made = arrow.table({"image": pictures, "label": labels, **others})
    said = {"huggingface": json.dumps({"info": {"features": features}})}
    parquet.write_table(made.replace_schema_metadata(said), path)


def test_parquet_with_bytes_of_pictures(tmp_path):
    write_parquet(tmp_path / "set" / "data" / "train-00000-of-00001.parquet", COLOUR[:8], LABELS[:8])
    write_parquet(tmp_path / "set" / "data" / "test-00000-of-00001.parquet", COLOUR[8:], LABELS[8:])
    dataset = opened(tmp_path / "set")
    np.testing.assert_array_equal(dataset.train.images, COLOUR[:8])
    np.testing.assert_array_equal(dataset.test.images, COLOUR[8:])
    assert dataset.class_names == ("boot", "coat", "shirt") and dataset.test.labels.tolist() == LABELS[8:].tolist()
    one = opened(tmp_path / "set" / "data" / "train-00000-of-00001.parquet", size=4)
    assert one.image_shape == (4, 4, 3) and one.train.names[0] == "0.png"


@pytest.mark.parametrize("names", [("Label", "label"), ("Id", "id")])
def test_columns_of_parquet_that_differ_in_capitals_only_are_refused(tmp_path, names):
    """As in a CSV file: the second was read as both, or classes had their neighbour's name."""
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    one, other = dict(zip(names, LABELS.reshape(2, 6), strict=True)), dict.fromkeys(("cat", "dog"), LABELS[:6])
    parquet.write_table(arrow.table({"image": [png(image) for image in GREY[:6]], **one, **other}), tmp_path / "a.parquet")
    said = re.escape(
        f"two columns of one name, {names[0]!r}, {names[1]!r}, as capitals do not count; call one of them otherwise"
    )
    with pytest.raises(DataError, match=rf"a\.parquet: {said}"):
        opened(tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text(f"filename,{','.join(names)}\n" + lines(write_pictures(tmp_path, GREY), LABELS, LABELS))
    with pytest.raises(DataError, match=rf"a\.csv: line 1: {said}"):
        opened(tmp_path / "a.csv")


def test_labels_of_parquet_that_are_lists(tmp_path):
    """One-hot ones are read; those of pictures of several classes are refused in one line."""
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pictures = [png(image) for image in GREY]
    parquet.write_table(
        arrow.table({"image": pictures, "label": np.eye(3, dtype=int)[LABELS].tolist()}), tmp_path / "a.parquet"
    )
    assert opened(tmp_path / "a.parquet").train.labels.tolist() == LABELS.tolist()
    for several in ([[0], [1], [0, 1]] * 4, [[], [1], [0]] * 4):
        parquet.write_table(arrow.table({"image": pictures, "label": several}), tmp_path / "a.parquet")
        first, other = several[0], next(one for one in several if len(one) != len(several[0]))
        said = re.escape(
            f"a.parquet: labels of several lengths: {first} of row 1, {other} of row {several.index(other) + 1}; expected"
        )
        with pytest.raises(DataError, match=said):
            opened(tmp_path / "a.parquet")


def test_parquet_in_a_folder_for_each_part(tmp_path):
    """As Hugging Face converts a data set that had another format."""
    for part, images, labels in (("train", COLOUR[:6], LABELS[:6]), ("test", COLOUR[8:], LABELS[8:])):
        write_parquet(tmp_path / "default" / part / "0000.parquet", images, labels)
    write_parquet(tmp_path / "default" / "train" / "0001.parquet", COLOUR[6:8], LABELS[6:8])
    dataset = opened(tmp_path / "default")
    assert np.array_equal(dataset.train.labels, LABELS[:8]) and np.array_equal(dataset.test.labels, LABELS[8:])
    assert np.array_equal(dataset.train.images, COLOUR[:8]) and np.array_equal(dataset.test.images, COLOUR[8:])


def test_parquet_beside_pictures_takes_no_folder_away(tmp_path):
    """`train` and `test` may be classes, or have those; a table beside the pictures is none of the data set."""
    for name in ("boot/a.png", "train/a.png", "train/a.parquet", "parts/train/boot/a.png", "parts/train/a.parquet"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "only" / "test").mkdir(parents=True)
    (tmp_path / "only" / "test" / "a.parquet").touch()
    assert [guess(tmp_path / name) for name in ("", "parts", "only")] == ["folder"] * 3


def test_labels_of_parquet_are_positions_of_names_also_where_these_are_numbers(tmp_path):
    """As Hugging Face lists the names of folders: sorted as texts."""
    names = sorted(map(str, range(12)))
    write_parquet(tmp_path / "a.parquet", GREY[:12], np.arange(12), names)
    dataset = opened(tmp_path / "a.parquet")
    assert dataset.class_names == tuple(names) and dataset.train.labels.tolist() == list(range(12))
    sorted_ = opened(tmp_path / "a.parquet", class_names=list(map(str, range(12))))
    assert [sorted_.class_names[label] for label in sorted_.train.labels] == names
    other = opened(tmp_path / "a.parquet", class_names=list("abcdefghijkl"))
    assert other.class_names == tuple("abcdefghijkl") and other.train.labels.tolist() == list(range(12))


def test_names_of_parquet_are_those_of_the_column_of_labels(tmp_path):
    write_parquet(tmp_path / "a.parquet", GREY[:3], [2, 0, 1], colour=[0, 1, 1])
    assert opened(tmp_path / "a.parquet").class_names == ("boot", "coat", "shirt")
    coloured = opened(tmp_path / "a.parquet", label="colour")
    assert coloured.class_names == ("red", "blue") and coloured.train.labels.tolist() == [0, 1, 1]
    write_parquet(tmp_path / "b.parquet", GREY[3:6], [2, 0, 1], ("shirt", "boot", "coat"))
    both = opened(tmp_path / "a.parquet", test_path=str(tmp_path / "b.parquet"))
    assert [both.class_names[label] for label in both.test.labels] == ["coat", "shirt", "boot"]
    write_parquet(tmp_path / "b.parquet", GREY[3:6], [2, 0, -1])
    with pytest.raises(DataError, match=r"row 3: label -1; expected 0\.\.2, which have the names boot, coat, shirt"):
        opened(tmp_path / "a.parquet", test_path=str(tmp_path / "b.parquet"))


def test_labels_of_an_archive_are_positions_of_its_names_also_where_these_are_numbers(tmp_path):
    names = np.array(sorted(map(str, range(12))))
    np.savez(tmp_path / "a.npz", x=GREY[:12], y=np.arange(12), class_names=names)
    assert opened(tmp_path / "a.npz").train.labels.tolist() == list(range(12))
    np.savez(tmp_path / "a.npz", x=GREY[:12], y=np.arange(12) + 1, class_names=np.array(sorted(map(str, range(1, 13)))))
    dataset = opened(tmp_path / "a.npz")  # which are no positions
    assert [dataset.class_names[label] for label in dataset.train.labels] == [str(number) for number in range(1, 13)]


@pytest.mark.parametrize(
    ("names", "labels", "called", "said"),
    [
        ("1234567890", range(10), "0123456789", "taken for the numbers, because the names are not sorted"),
        ("3210", range(4), "0123", "taken for the numbers"),
        (["1", "10", "2", "3"], [1, 2, 3], ["10", "2", "3"], "could be .* taken for positions, because the names are sorted"),
        (["0", "1", "10", "2"], [0, 1], "01", None),  # which is the same
    ],
)
def test_numbers_that_are_names_are_positions_only_where_they_are_sorted_as_texts(tmp_path, names, labels, called, said):
    np.savez(tmp_path / "a.npz", x=GREY[: len(labels)], y=np.array(labels), class_names=np.array(list(names)))
    dataset = opened(tmp_path / "a.npz")
    assert [dataset.class_names[label] for label in dataset.train.labels] == list(called)
    assert [bool(re.search(said or "", note)) for note in dataset.notes] == ([True] if said else [])


def test_a_column_for_each_class(tmp_path):
    names = write_pictures(tmp_path, GREY)
    rows = np.eye(3)[LABELS]
    (tmp_path / "list.csv").write_text("image,boot,coat,shirt,age,is_valid\n" + lines(names, *rows.T, range(12), [0, 1] * 6))
    dataset = opened(tmp_path / "list.csv")
    assert dataset.class_names == ("boot", "coat", "shirt") and len(dataset.validation) == 6
    assert [dataset.class_names[label] for label in dataset.train.labels] == WORDS[::2].tolist()
    assert set(dataset.train.columns) == {"age", "is_valid"}
    assert dataset.notes == (
        "which part a picture is of is said by the column `is_valid` of list.csv",
        "the classes are the columns boot, coat, shirt of list.csv",
    )
    (tmp_path / "list.csv").write_text("image,MEL,NV,BCC\n" + lines(names, *rows.T))
    for said in ({}, {"class_names": ["MEL", "NV", "BCC"]}, {"class_names": ["NV", "BCC", "MEL"]}):
        dataset = opened(tmp_path / "list.csv", **said)
        assert dataset.class_names == tuple(said.get("class_names", ["MEL", "NV", "BCC"]))
        assert [dataset.class_names[label] for label in dataset.train.labels] == ["MEL", "NV", "BCC"] * 4
    with pytest.raises(DataError, match="would call the class 'MEL' 'bcc', as another one is called"):
        opened(tmp_path / "list.csv", class_names=["bcc", "mel", "nv"])
    rows[3] = 1
    (tmp_path / "list.csv").write_text("image,boot,coat,shirt\n" + lines(names, *rows.T))
    with pytest.raises(DataError, match="no column of labels"):
        opened(tmp_path / "list.csv")


def test_a_part_that_a_list_keeps_is_never_learned_whatever_its_column_is_called(tmp_path):
    names = write_pictures(tmp_path, GREY)

    def parts(column: str, cells: list[object], **said: object) -> dict[str, int]:
        (tmp_path / "list.csv").write_text(f"filename,label,{column}\n" + lines(names, WORDS, cells))
        return {name: len(part) for name, part in opened(tmp_path / "list.csv", **said).parts.items()}

    three = ["train"] * 6 + ["Valid"] * 2 + ["test"] * 4
    assert parts("Partition", three) == {"train": 6, "validation": 2, "test": 4}
    assert parts("set", ["train"] * 6 + ["", ""] + ["dev"] * 4) == {"train": 8, "validation": 4}
    with pytest.raises(DataError, match="column 'kind' says train and validation and test, and also 'bus': is it that of the"):
        parts("kind", ["bus", *three[1:]])
    assert parts("kind", ["bus"] * 11 + ["test"]) == {"train": 12}
    assert opened(tmp_path / "list.csv").notes[0].startswith("column 'kind' of list.csv has cells that say test, and is not")
    assert parts("kind", ["train"] * 12) == {"train": 12}
    assert parts("is_valid", [True] * 3 + [False] * 9) == {"train": 9, "validation": 3}
    assert parts("Is Test", [1] * 3 + [0] * 9) == {"train": 9, "test": 3}
    assert parts("is_train", ["yes"] * 8 + ["no"] * 4) == {"train": 8, "test": 4}
    assert parts("is_train", ["a"] * 8 + ["b"] * 4, label="is_train") == {"train": 12}
    with pytest.raises(DataError, match="row 2: is_valid is 'maybe'; expected true or false"):
        parts("is_valid", ["0", "maybe"] + ["1"] * 10)


def test_columns_that_are_called_as_parts_say_them_by_true_and_false(tmp_path):
    names = write_pictures(tmp_path, GREY)
    text = lambda *columns: (tmp_path / "list.csv").write_text(lines(["filename", *names], *columns))  # noqa: E731

    def parts(*columns: list[object]) -> dict[str, list[str]]:
        text(["label", *WORDS], *columns)
        return {name: part.names.tolist() for name, part in opened(tmp_path / "list.csv").parts.items()}

    assert parts(["Test", *[0] * 9, 1, 1, 1]) == {"train": names[:9], "test": names[9:]}
    assert opened(tmp_path / "list.csv").notes == ("which part a picture is of is said by the column `test` of list.csv",)
    assert parts(["train", *["no"] * 2, *["yes"] * 10]) == {"train": names[2:], "test": names[:2]}
    assert parts(["val", *[1] * 2, *[0] * 10], ["test", *[0] * 10, 1, 1]) == {
        "train": names[2:10], "validation": names[:2], "test": names[10:]
    }  # fmt: skip
    # Alone it may say which pictures are any good, and two that are true of one picture say something else; so it is beside
    # columns that say the parts.
    for columns in ([["valid", *[1] * 10, 0, 0]], [["valid", *[1] * 6, *[0] * 6], ["test", *[0, 1] * 6]]):
        assert parts(*columns) == {"train": names}
        assert opened(tmp_path / "list.csv").notes[0].startswith("column 'valid' of list.csv has cells that say validation")
    for other in (["split", *["train"] * 9, *["test"] * 3], ["is_test", *[0] * 9, *[1] * 3]):
        assert parts(other, ["valid", *[1] * 10, 0, 0], ["test", *[0, 1] * 6]) == {"train": names[:9], "test": names[9:]}
    three = [["train", *[1] * 6, *[0] * 6], ["valid", *[0] * 6, *[1] * 6], ["test", *[0] * 12]]
    assert parts(*three) == {"train": names[:6], "validation": names[6:]}
    assert parts(["test", *["blood"] * 6, *["skin"] * 6]) == {"train": names}
    assert parts(["valid", *[1] * 12]) == {"train": names}  # nothing says that it is no word for what is good
    assert opened(tmp_path / "list.csv").notes[0].startswith("column 'valid' of list.csv has cells that say validation, and is")
    assert parts(["train", *[0] * 12]) == {"train": names}
    (note,) = opened(tmp_path / "list.csv").notes
    assert note.startswith("column 'train' of list.csv has cells that say test, and is not") and note.endswith("`is_train`")
    with pytest.raises(DataError, match=r"row 1: train is '1', test is '1': of which part is it\?"):
        parts(["train", *[1] * 12], ["test", 1, *[0] * 11])
    # Beside columns of classes they are none, but for a train that runs on rails.
    boot, coat, shirt = np.eye(3, dtype=int)[LABELS].T
    text(["boot", *boot], ["coat", *coat], ["shirt", *shirt], ["train", *[1] * 9, *[0] * 3], ["test", *[0] * 9, *[1] * 3])
    found = opened(tmp_path / "list.csv")
    assert found.class_names == ("boot", "coat", "shirt") and [len(part) for part in found.parts.values()] == [9, 3]
    text(["boot", *boot], ["coat", *coat], ["train", *shirt])
    found = opened(tmp_path / "list.csv")
    assert found.class_names == ("boot", "coat", "train") and found.train.labels.tolist() == LABELS.tolist()
    text(["car", *(LABELS > 0).astype(int)], ["train", *(LABELS == 0).astype(int)])
    assert opened(tmp_path / "list.csv").class_names == ("car", "train")
    text(["species", *WORDS], ["train", *[1] * 9, *[0] * 3], ["test", *[0] * 9, *[1] * 3])
    with pytest.raises(DataError, match=r"no column of labels .*there are: filename, species, train, test; say which it is"):
        opened(tmp_path / "list.csv")
    assert [len(part) for part in opened(tmp_path / "list.csv", label="species").parts.values()] == [9, 3]


@pytest.mark.parametrize("column", ["partition", "Phase", "data split"])
def test_a_column_of_parts_that_are_none_is_told(tmp_path, column):
    names = write_pictures(tmp_path, GREY)
    (tmp_path / "list.csv").write_text(f"filename,label,{column}\n" + lines(names, WORDS, [0] * 6 + [1] * 3 + [2] * 3))
    dataset = opened(tmp_path / "list.csv")
    assert len(dataset.train) == 12 and dataset.notes == (
        f"column {column.lower()!r} of list.csv is not taken for the parts, as it has 0, 1, 2; if it says them, write "
        "train, validation and test in it",
    )


@pytest.mark.parametrize("column", ["fold", "set"])
def test_numbered_folds_need_no_telling(tmp_path, column):
    names = write_pictures(tmp_path, GREY)
    (tmp_path / "list.csv").write_text(f"filename,label,{column}\n" + lines(names, WORDS, [0, 1, 2, 3] * 3))
    assert opened(tmp_path / "list.csv").notes == ()
    (tmp_path / "list.csv").write_text(f"filename,label,{column}\n" + lines(names, WORDS, ["a", "b"] * 6))
    assert "is not taken for the parts" in opened(tmp_path / "list.csv").notes[0]


def test_a_file_far_below_folders_of_another_machine_is_found_and_many_of_a_name_quickly(tmp_path, monkeypatch):
    """The folder of a project may be called `dev`. Of files that all have one name only those in the folder that is written are
    compared with it; it took hours of 20,000."""
    folders = [f"p{at:02}" for at in range(12)]
    for folder, image in zip(folders, GREY, strict=True):
        write_pictures(tmp_path / "all" / folder, image[None])
    rows = [f"/home/me/dev/set/{folder}/00.png" for folder in folders]
    (tmp_path / "list.csv").write_text("filename,label\n" + lines(rows, WORDS))
    asked, fit = [], beside._fit
    monkeypatch.setattr(beside, "_fit", lambda *given: asked.append(given) or fit(*given))
    found = opened(tmp_path / "list.csv")
    np.testing.assert_array_equal(found.train.images[..., 0], GREY)
    assert len(asked) <= 4 * 12


def test_columns_of_parts_agree_or_are_refused(tmp_path):
    names = write_pictures(tmp_path, GREY[:3])

    def parts(header: str, *rows: str) -> list[int]:
        text = [f"{name},{label},{row}" for name, label, row in zip(names, "aba", rows, strict=True)]
        (tmp_path / "list.csv").write_text("\n".join([f"filename,label,{header}", *text]))
        return [len(part) for part in opened(tmp_path / "list.csv").parts.values()]

    assert parts("is_train,is_valid", "1,0", "0,1", "0,0") == [1, 1, 1]  # train, validation, test
    assert parts("is_train,is_test,is_valid", "1,0,0", "0,0,1", "0,1,0") == [1, 1, 1]
    assert parts("partition,is_test", "train,0", "val,0", ",1") == [1, 1, 1]
    assert parts("split,subset,is_train", "train,train,1", ",dev,0", "test,,0") == [1, 1, 1]
    for header, *rows in (
        ("is_test,is_valid", "0,0", "1,1", "0,0"),
        ("partition,is_test", "train,0", "train,1", "val,0"),
        ("split,is_train", "train,1", "train,0", "test,0"),
        ("fold,partition", "train,train", "train,test", "test,test"),
        ("is_train,is_test,is_valid", "1,0,0", "0,0,0", "0,0,1"),
    ):
        with pytest.raises(DataError, match=r"row 2: .*: of which part is it\? Expected columns that agree"):
            parts(header, *rows)


def test_parquet_names_the_extra_that_reads_it(tmp_path, monkeypatch):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ToileError, match=r"a\.parquet: .*`pip install 'toile-workbench\[parquet\]'`"):
        opened(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("filename,label\nnone.png,a\n", "row 1: 'none.png': no such file, beside the list or in the folders there"),
        ("filename,label\n00.png,\n", "row 1: no label; expected the class of 00.png"),
        ("filename,kind,by\n00.png,a,b\n", r"no column of labels \(label, .*: filename, kind, by; say which it is: `label = "),
        ("filename,id\n00.png,1\n", r"no column of labels \(label, .*there are: filename, id; say which it is: `label = "),
        ("filename,label,split\n00.png,a,fold1\n", "row 1: the split is 'fold1'; expected train: train, training; validation"),
        ("filename,label\n00.png,a,b\n", "line 2 has 3 cells; expected 2: filename, label"),
        ("filename,label,split\n00.png,a,test\n", "no picture of the train part"),
        ("filename,label\nsame.png,a\n", "several files: a/same.png, b/same.png"),
        ("filename,label\nbroken.png,a\n00.png,a\n", r"1 file that cannot be used:\n  broken.png: "),
    ],
)
def test_lists_that_are_refused_say_what_to_do(tmp_path, text, said):
    write_pictures(tmp_path, GREY[:1])
    (tmp_path / "broken.png").write_bytes(b"none")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.png").write_bytes(png(GREY[0]))
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(DataError, match=said) as caught:
        opened(tmp_path / "list.csv")
    assert "list.csv" in str(caught.value)


@pytest.mark.parametrize("columns", ["id;Datei;label", "Bild;label", "Nr;Datei;label"])
def test_a_column_of_files_is_known_by_what_is_in_it(tmp_path, columns):
    """Under any name, before an id; with the separators of another system, which a spreadsheet there wrote."""
    (tmp_path / "Bilder ä").mkdir()
    lines = [columns]
    for number, (image, word) in enumerate(zip(GREY, WORDS, strict=True)):
        Image.fromarray(image).save(tmp_path / "Bilder ä" / f"n {number}.PNG")
        before = f"{100 + number};" if columns.count(";") == 2 else ""
        lines.append(f"{before}Bilder ä\\n {number}.PNG;{word}")
    (tmp_path / "list.csv").write_text("\r\n".join(lines), encoding="utf-8-sig")
    found = opened(tmp_path / "list.csv")
    assert found.train.names is not None and found.train.names[3] == "Bilder ä/n 3.PNG"
    assert (found.train.images[..., 0] == GREY).all() and found.class_names == ("boot", "coat", "shirt")


def test_a_place_in_the_picture_is_no_label(tmp_path):
    names = write_pictures(tmp_path, GREY)
    text = lambda *columns: (tmp_path / "list.csv").write_text(lines(["filename", *names], *columns))  # noqa: E731
    x, y = ["x", *range(12)], ["Y", *[at % 4 + 0.5 for at in range(12)]]
    text(x, y, ["species", *WORDS])
    with pytest.raises(DataError, match=r"is `y` the label, or with `x` a place in the picture\?.*there are: x, y, species"):
        opened(tmp_path / "list.csv")
    for dataset in (
        opened(tmp_path / "list.csv", label="species"),
        text(x, y, ["class", *WORDS]) and opened(tmp_path / "list.csv"),
        text(x, y, *([word, *(word == WORDS).astype(int)] for word in np.unique(WORDS))) and opened(tmp_path / "list.csv"),
        text(x, ["y", *WORDS]) and opened(tmp_path / "list.csv"),  # words are no place
    ):
        assert dataset.class_names == ("boot", "coat", "shirt") and dataset.train.labels.tolist() == LABELS.tolist()
    text(x, ["y", *LABELS])
    assert opened(tmp_path / "list.csv", label="y").train.labels.tolist() == LABELS.tolist()
    (tmp_path / "list.csv").write_text("x,y\n" + lines(names, LABELS))
    assert opened(tmp_path / "list.csv").train.labels.tolist() == LABELS.tolist()


def test_a_list_with_corners_is_no_table_of_pixels(tmp_path):
    """As that of the German traffic signs."""
    names = [f"Train/{name}" for name in write_pictures(tmp_path / "Train", GREY)]
    corners = "Width,Height,Roi.X1,Roi.Y1,Roi.X2,Roi.Y2,ClassId,Path\n"
    (tmp_path / "Train.csv").write_text(corners + "".join(f"6,6,1,1,5,5,{at % 3},{name}\n" for at, name in enumerate(names)))
    dataset = opened(tmp_path / "Train.csv", label="ClassId")
    assert dataset.train.names.tolist() == names and dataset.train.labels.tolist() == LABELS.tolist()
    np.testing.assert_array_equal(dataset.train.images[..., 0], GREY)
    with pytest.raises(DataError, match=r"no column of labels .*there are: width, height, .*classid, path; say which it is"):
        opened(tmp_path / "Train.csv")


def test_cells_of_several_lines_in_a_list(tmp_path):
    names = write_pictures(tmp_path, GREY)
    rows = [f'{name},{word},"said ""so"",\nand {at}\r\nmore"' for at, (name, word) in enumerate(zip(names, WORDS, strict=True))]
    (tmp_path / "a.csv").write_bytes(("filename,label,remark\n" + "\n".join(rows) + "\n").encode())
    dataset = opened(tmp_path / "a.csv")
    np.testing.assert_array_equal(dataset.train.images[..., 0], GREY)
    assert dataset.train.labels.tolist() == LABELS.tolist() and dataset.class_names == ("boot", "coat", "shirt")
    assert dataset.train.columns["remark"][1].splitlines() == ['said "so",', "and 1", "more"]
    (tmp_path / "a.csv").write_text(
        "filename,label\n" + "".join(f'{name},"{word}\n' for name, word in zip(names, WORDS, strict=True))
    )
    assert opened(tmp_path / "a.csv").class_names == ("boot", "coat", "shirt")  # quotes that nobody closes
    (tmp_path / "a.csv").write_bytes(("filename,label,remark\n" + "\n".join([*rows, f"{names[0]},boot"]) + "\n").encode())
    with pytest.raises(DataError, match="line 38 has 2 cells; expected 3"):
        opened(tmp_path / "a.csv")


def test_a_list_of_a_header_alone(tmp_path):
    (tmp_path / "a.csv").write_text("filename,label\n")
    with pytest.raises(DataError, match=r"a\.csv: no line after the header; expected one picture a line"):
        opened(tmp_path / "a.csv")


def test_a_list_without_a_header_loses_no_picture(tmp_path):
    names = write_pictures(tmp_path, GREY)
    (tmp_path / "list.csv").write_text(lines(names, WORDS))
    (tmp_path / "turned.csv").write_text(lines(WORDS, names, between=";"))
    for dataset in (opened(tmp_path / "list.csv"), opened(tmp_path / "turned.csv")):
        np.testing.assert_array_equal(dataset.train.images[..., 0], GREY)
        assert dataset.train.labels.tolist() == LABELS.tolist()
    (tmp_path / "three.csv").write_text(lines(names, WORDS, LABELS))
    with pytest.raises(DataError, match=r"line 1: '00.png' is no name of a column; expected filename,label"):
        opened(tmp_path / "three.csv")


def test_files_that_a_list_names_and_that_are_not_there_are_named_all_at_once_or_left_out(tmp_path):
    names = write_pictures(tmp_path, GREY)
    (tmp_path / "list.csv").write_text("filename,label\n" + lines([*names, "x.png", "y.png"], [*WORDS, "boot", "boot"]))
    with pytest.raises(DataError, match=r"2 files that cannot be used:\n  row 13: 'x.png': no such.*\n  row 14: 'y.png': no"):
        opened(tmp_path / "list.csv")
    dataset = opened(tmp_path / "list.csv", on_error="skip")
    assert dataset.train.labels.tolist() == LABELS.tolist()
    assert [one.name for one in dataset.left_out] == ["row 13: 'x.png'", "row 14: 'y.png'"]


@pytest.mark.parametrize("named", ["cat/1.png\ndog/1.png", "old/cat/1.png\nold/dog/1.png"])
def test_a_file_is_not_taken_for_that_of_another_row(tmp_path, named):
    """The picture of a cat is missing: that of a dog, which has the same name in its own folder, is none."""
    write_pictures(tmp_path / "dog", GREY[:2])
    (tmp_path / "dog" / "01.png").rename(tmp_path / "dog" / "1.png")
    text = "".join(f"{name},{name.split('/')[-2]}\n" for name in named.splitlines())
    (tmp_path / "list.csv").write_text("filename,label\ndog/00.png,dog\n" + text)
    with pytest.raises(DataError, match=r"row 2: '.*cat/1.png': no such file; dog/1.png is called so too, and another row"):
        opened(tmp_path / "list.csv")
    (tmp_path / "list.csv").write_text("filename,label\nelsewhere/00.png,dog\nelsewhere/1.png,cat\n")
    assert opened(tmp_path / "list.csv").train.names.tolist() == ["dog/00.png", "dog/1.png"]


@pytest.mark.parametrize(
    ("there", "named", "said"),
    [
        (
            ["test"],
            "train/{}",
            "8 files that .*row 1: 'train/00.png': no such file; test/00.png is called so, but lies in another",
        ),
        (["test"], "C:/me/train/images/{}", "8 files that cannot be used.*test/00.png is called so, but lies in another"),
        (["dog"], "cat/{}", ""),  # no folder of a cat, and none of a part
        (["dog", "cat"], "cat/{}", "8 files that cannot be used.*dog/00.png is called so, but lies in another"),
        (["dog", "cat"], "/home/me/cat/{}", ""),  # an empty folder, and a path of another machine
        (["a/dog", "cat/more"], "/home/me/cat/{}", "8 files that .*such file; a/dog/00.png is called so, but"),
        (["cat/more"], "cat/{}", ""),  # deeper in the folder that is written
        (["train/cat", "test/cat"], "/home/me/set/train/cat/{}", ""),
        (["pics"], "/home/me/train/{}", ""),
        (["pics", "test"], "{}", ""),
    ],
)
def test_a_missing_file_is_not_taken_for_one_of_its_name_in_another_folder(tmp_path, there, named, said):
    """Training labels would land on the test pictures, or those of cats on the dogs."""
    names = write_pictures(tmp_path / there[0], GREY[:8])
    for folder in there[1:]:
        (tmp_path / folder).mkdir(parents=True)
        if folder.startswith("test/"):
            write_pictures(tmp_path / folder, GREY[1:9])
        if folder.endswith("/more"):
            write_pictures(tmp_path / folder.removesuffix("/more"), GREY[8:9], ".jpg")
    (tmp_path / "list.csv").write_text("filename,label\n" + lines(map(named.format, names), WORDS[:8]))
    if said:
        with pytest.raises(DataError, match=f"(?s){said}"):
            opened(tmp_path / "list.csv")
    else:
        assert opened(tmp_path / "list.csv").train.names.tolist() == [f"{there[0]}/{name}" for name in names]
        np.testing.assert_array_equal(opened(tmp_path / "list.csv").train.images[..., 0], GREY[:8])


@pytest.mark.parametrize("apart", [False, True])
def test_a_picture_that_is_lost_is_not_found_in_the_folder_of_another_part(tmp_path, apart):
    for part, at in (("train", slice(0, 8)), ("test", slice(4, 12))):
        names = write_pictures(tmp_path / part, GREY[at])
        (tmp_path / part / "metadata.csv").write_text("file_name,label\n" + lines(names, WORDS[at]))
    (tmp_path / "test" / "07.png").unlink()
    path, said = (tmp_path / "train", {"test_path": str(tmp_path / "test")}) if apart else (tmp_path, {})
    with pytest.raises(DataError, match=r"1 file that .*\n  row 8: '07.png': no such file; .*07.png is called so, but lies in"):
        opened(path, **said)
    assert [len(part) for part in opened(path, on_error="skip", **said).parts.values()] == [8, 7]


@pytest.mark.parametrize("named", ["CAT/a.PNG\ncat/B.png", "A.png\nb.PNG", "./Cat/A\nb"])
def test_capitals_of_names_in_a_list_count_only_where_files_differ_by_them(tmp_path, named):
    for name, shade in (("a", 0), ("b", 1)):
        write_pictures(tmp_path / "cat", GREY[shade : shade + 1])
        (tmp_path / "cat" / "00.png").rename(tmp_path / "cat" / f"{name}.png")
    (tmp_path / "list.csv").write_text("filename,label\n" + lines(named.split(), ["x", "y"]))
    assert opened(tmp_path / "list.csv").train.names.tolist()[0].lower() == "cat/a.png"
    (tmp_path / "cat" / "A.png").write_bytes(png(GREY[2]))
    if len(list((tmp_path / "cat").iterdir())) == 3:  # a file system that tells them apart
        (tmp_path / "list.csv").write_text("filename,label\ncat/a.PNG,x\ncat/b.png,y\n")
        with pytest.raises(DataError, match=r"row 1: 'cat/a\.PNG': several files: cat/A\.png, cat/a\.png"):
            opened(tmp_path / "list.csv")


def test_names_in_a_list_in_letters_of_two_pieces(tmp_path):
    names = write_pictures(tmp_path, GREY[:2])
    (tmp_path / names[0]).rename(tmp_path / "cafe\u0301.png")
    (tmp_path / "list.csv").write_text("filename,label\ncaf\u00e9.png,a\n01.png,b\n")
    assert len(opened(tmp_path / "list.csv").train) == 2


def test_test_images_apart_are_never_thrown_away_in_silence(tmp_path):
    names = write_pictures(tmp_path / "a", GREY)
    write_pictures(tmp_path / "test" / "boot", GREY)
    (tmp_path / "a" / "list.csv").write_text("filename,label\n" + lines(names, WORDS))
    with pytest.raises(DataError, match=r"test: no list of pictures in this folder \(metadata.csv"):
        opened(tmp_path / "a" / "list.csv", test_path=str(tmp_path / "test"))


@pytest.mark.parametrize(("train", "test"), [("mnist_train", "mnist_test"), ("train", "data-test"), ("a.training", "b.Test")])
def test_parts_of_parquet_are_words_of_their_names(tmp_path, train, test):
    write_parquet(tmp_path / f"{train}.parquet", GREY[:8], LABELS[:8])
    write_parquet(tmp_path / f"{test}.parquet", GREY[8:], LABELS[8:])
    assert {name: len(part) for name, part in opened(tmp_path).parts.items()} == {"train": 8, "test": 4}
    write_parquet(tmp_path / "extra.parquet", GREY[:8], LABELS[:8])
    with pytest.raises(DataError, match=r"of which part is extra\.parquet\?.*set path to the file of the training images"):
        opened(tmp_path)


@pytest.mark.parametrize("name", ["file_names", "image_names", "feature_names", "names"])
def test_names_of_anything_else_are_no_names_of_classes(tmp_path, name):
    np.savez(tmp_path / "a.npz", images=GREY, labels=LABELS, **{name: np.array([f"{at}.png" for at in range(12)])})
    assert opened(tmp_path / "a.npz").class_names == ("0", "1", "2")


def test_floats_of_two_ranges_are_one_error(tmp_path):
    parts = {"x_train": GREY[:8] / 255, "y_train": LABELS[:8], "x_test": GREY[8:] * 1.0, "y_test": LABELS[8:]}
    np.savez(tmp_path / "a.npz", **parts)
    with pytest.raises(DataError, match=r"pixels have two ranges: those of one part go up to .*, those of another to 2\d\d"):
        opened(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", x=np.array(3), y=LABELS)
    with pytest.raises(DataError, match=r"images of shape \(\)"):
        opened(tmp_path / "b.npz")


def test_idx_has_validation_images_too(tmp_path):
    for name, at in (("train", slice(0, 6)), ("valid", slice(6, 9)), ("t10k", slice(9, 12))):
        write_idx(tmp_path, name, GREY[at], LABELS[at])
    dataset = opened(tmp_path)
    np.testing.assert_array_equal(dataset.validation.images[..., 0], GREY[6:9])
    assert {name: len(part) for name, part in dataset.parts.items()} == {"train": 6, "validation": 3, "test": 3}


def test_a_label_that_is_named_where_nothing_has_a_name(tmp_path):
    (tmp_path / "a.csv").write_text(table(GREY, LABELS, None))
    with pytest.raises(DataError, match=r"line 1 has no names of columns, so none is called 'digit'.*first or last"):
        opened(tmp_path / "a.csv", label="digit")


def test_colours_have_names_of_their_own(tmp_path):
    names = [f"{colour}{number}" for number in range(36) for colour in ("red", "green", "blue")]
    (tmp_path / "a.csv").write_text(table(COLOUR, LABELS, ["label", *names]))
    np.testing.assert_array_equal(opened(tmp_path / "a.csv").train.images, COLOUR)
    (tmp_path / "b.csv").write_text(table(COLOUR, LABELS, ["label", *names[:-3], "green35", "red35", "blue35"]))
    with pytest.raises(DataError, match="a column is missing or extra"):
        opened(tmp_path / "b.csv")


def smooth(count: int, high: int, wide: int) -> np.ndarray:
    """Pictures in colour that have no more detail than photographs, uint8 `(count, high, wide, 3)`."""
    small = RNG.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(one).resize((wide, high), Image.Resampling.BICUBIC)) for one in small])


@pytest.mark.parametrize(("high", "wide"), [(16, 16), (12, 20)])
def test_colours_one_after_the_other_are_refused_where_that_is_seen(tmp_path, high, wide):
    images, count = smooth(12, high, wide), 3 * high * wide
    (tmp_path / "a.csv").write_text(table(images, LABELS, header(count)))
    dataset = opened(tmp_path / "a.csv", size=[high, wide])
    np.testing.assert_array_equal(dataset.train.images, images)
    [note] = dataset.notes
    assert note.startswith(
        f"a.csv: {count} columns are taken for {high} x {wide} pixels, the red, green and blue of each next to"
    )
    apart = images.transpose(0, 3, 1, 2)
    (tmp_path / "b.csv").write_text(table(apart, LABELS, header(count)))
    way = rf"all of red, then all of green.*x.reshape\(-1, 3, {high}, {wide}\).transpose\(0, 2, 3, 1\).*call the columns red1"
    with pytest.raises(DataError, match=way):
        opened(tmp_path / "b.csv", size=[high, wide])
    names = [f"{colour}{number}" for number in range(high * wide) for colour in ("red", "green", "blue")]
    (tmp_path / "c.csv").write_text(table(apart, LABELS, ["label", *names]))  # whose owner knows better
    assert opened(tmp_path / "c.csv", size=[high, wide]).notes == ()


@pytest.mark.parametrize("axis", [1, 2])
def test_stripes_are_not_taken_for_colours_in_another_order(tmp_path, axis):
    images = np.repeat(RNG.integers(0, 256, (12, *((9, 1) if axis == 1 else (1, 9)), 3), dtype=np.uint8), 9, axis=3 - axis)
    (tmp_path / "a.csv").write_text(table(images, LABELS, header(243)))
    np.testing.assert_array_equal(opened(tmp_path / "a.csv").train.images, images)
    light = np.linspace(0, 255, 9).astype(np.uint8)
    sky = np.broadcast_to(light[None, :, None, None] if axis == 1 else light[None, None, :, None], images.shape)
    for grey in (np.repeat(images[..., :1], 3, axis=3), sky):
        (tmp_path / "b.csv").write_text(table(grey, LABELS, header(243)))
        np.testing.assert_array_equal(opened(tmp_path / "b.csv").train.images, grey)


def test_pixels_of_two_numbers_are_not_taken_for_labels(tmp_path):
    (tmp_path / "a.csv").write_text(table(GREY % 2, np.where(LABELS == 0, 3, 8), None))
    with pytest.raises(DataError, match="which column has the labels"):
        opened(tmp_path / "a.csv")


@pytest.mark.parametrize("last", [False, True])
def test_labels_with_gaps_are_told_from_a_pixel_of_two_numbers_by_a_header_or_the_study(tmp_path, last):
    pixels, labels = GREY.copy(), np.where(LABELS == 0, 3, 8)
    pixels[:, 0 if last else -1, 0 if last else -1] = np.arange(12) // 2 % 2  # which looks like labels, at the other end
    (tmp_path / "a.csv").write_text(table(pixels, labels, None, last=last))
    with pytest.raises(
        DataError, match=r"first and last both look like labels; expected a header such as label,pixel1.*; or `label = "
    ):
        opened(tmp_path / "a.csv")
    with pytest.raises(DataError, match="first and last both look like labels"):
        unlabelled.read(tmp_path / "a.csv", (6, 6, 1))
    (tmp_path / "b.csv").write_text(table(pixels, labels, header(36, last=last), last=last))
    for dataset in (opened(tmp_path / "b.csv"), opened(tmp_path / "a.csv", label="last" if last else "first")):
        np.testing.assert_array_equal(dataset.train.images[..., 0], pixels)
        assert dataset.class_names == ("3", "8")


@pytest.mark.parametrize("last", [False, True])
def test_a_pixel_that_is_like_the_one_beside_it_is_no_label(tmp_path, last):
    pixels = GREY.copy()
    edge, beside = ((0, 0), (0, 1)) if last else ((-1, -1), (-1, -2))
    pixels[:, *beside] = 0
    pixels[:, *edge] = [0] * 10 + [2, 3]  # the dark corner of a garment
    (tmp_path / "a.csv").write_text(table(pixels, LABELS, None, last=last))
    dataset = opened(tmp_path / "a.csv")
    np.testing.assert_array_equal(dataset.train.images[..., 0], pixels)
    assert dataset.train.labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize("begin", [0, 1, 5000])
def test_ids_without_a_header_are_those_of_the_answer(tmp_path, begin):
    (tmp_path / "a.csv").write_text(table(GREY, range(begin, begin + 12), None))
    ids, images = unlabelled.read(tmp_path / "a.csv", (6, 6, 1))
    assert ids.tolist() == list(range(begin, begin + 12))
    np.testing.assert_array_equal(images[..., 0], GREY)
    (tmp_path / "b.csv").write_text(table(GREY, LABELS, None))  # labels are no ids
    assert unlabelled.read(tmp_path / "b.csv", (6, 6, 1))[0].tolist() == list(range(1, 13))


def test_labels_that_are_written_as_two_are_two(tmp_path):
    written = np.array(["01", "1", "2"])[LABELS]
    (tmp_path / "a.csv").write_text(table(GREY, written, header(36)))
    (tmp_path / "test.csv").write_text(table(GREY[:3], ["1", "2", "1"], header(36)))
    dataset = opened(tmp_path / "a.csv", test_path=str(tmp_path / "test.csv"))
    assert dataset.class_names == ("01", "1", "2") and dataset.train.labels.tolist() == LABELS.tolist()
    assert dataset.test.labels.tolist() == [1, 2, 1]
    assert any("'01' and '1' are classes of their own" in one for one in audit(dataset)["warnings"])
    (tmp_path / "b.csv").write_text(table(GREY, np.array(["1e1", "2e1", "3"])[LABELS], header(36)))
    assert set(opened(tmp_path / "b.csv").class_names) == {"1e1", "2e1", "3"}
    (tmp_path / "test.csv").write_text(table(GREY[:3], ["0", "1", "2"], header(36)))
    (tmp_path / "a.csv").write_text(table(GREY, np.array(["00", "01", "02"])[LABELS], header(36)))
    both = opened(tmp_path / "a.csv", test_path=str(tmp_path / "test.csv"))  # each agrees with itself
    assert both.class_names == ("0", "1", "2") and both.test.labels.tolist() == [0, 1, 2]
    for same in (["00", "01", "02"], ["0.0", "1", "2.00"], ["0.000e+00", "1.000e+00", "2.000e+00"]):
        (tmp_path / "c.csv").write_text(table(GREY, np.array(same)[LABELS], header(36)))
        assert opened(tmp_path / "c.csv").class_names == ("0", "1", "2")


def test_yes_and_no_are_labels(tmp_path):
    np.savez(tmp_path / "a.npz", x=GREY, y=LABELS == 1)
    dataset = opened(tmp_path / "a.npz")
    assert dataset.class_names == ("False", "True") and dataset.train.labels.tolist() == (LABELS == 1).astype(int).tolist()


def test_short_words_are_the_test_part_in_pairs_only(tmp_path):
    np.savez(tmp_path / "a.npz", images=GREY, labels=LABELS, image_ts=np.arange(12), te_index=np.arange(3))
    dataset = opened(tmp_path / "a.npz")
    np.testing.assert_array_equal(dataset.train.images[..., 0], GREY)
    assert dataset.test is None
    said = "is not read, because it has no labels beside it; if it is to test on, add"
    assert dataset.notes == (f"a.npz: image_ts {said} y_ts",)
    np.savez(tmp_path / "b.npz", X_tr=GREY, y_tr=LABELS, X_te=GREY)
    assert opened(tmp_path / "b.npz").notes == (f"b.npz: X_te {said} y_te",)


def test_of_two_arrays_that_could_be_meant_the_plain_one_is(tmp_path):
    others = {"num_classes": np.array(3), "image_ids": LABELS, "label_map": np.array(["a", "b", "c"])}
    np.savez(tmp_path / "a.npz", images=GREY, labels=LABELS, **others)
    dataset = opened(tmp_path / "a.npz")
    np.testing.assert_array_equal(dataset.train.images[..., 0], GREY)
    assert dataset.train.labels.tolist() == LABELS.tolist() and dataset.class_names == ("0", "1", "2")
    np.savez(tmp_path / "b.npz", images=GREY, data=GREY, labels=LABELS)
    with pytest.raises(DataError, match="data and images could both be the same of the train part"):
        opened(tmp_path / "b.npz")


def test_test_images_apart_have_the_classes_of_the_training_images(tmp_path):
    np.savez(tmp_path / "a.npz", x=GREY, y=LABELS, class_names=["boot", "coat", "shirt"])
    np.savez(tmp_path / "b.npz", x=GREY, y=LABELS, class_names=["coat", "boot", "shirt"])
    np.savez(tmp_path / "c.npz", x=GREY, y=LABELS)
    with pytest.raises(DataError, match=r"b.npz: calls its classes coat, boot, shirt, and a.npz calls them boot, coat, shirt"):
        opened(tmp_path / "a.npz", test_path=str(tmp_path / "b.npz"))
    for test in "ac":
        assert opened(tmp_path / "a.npz", test_path=str(tmp_path / f"{test}.npz")).test.labels.tolist() == LABELS.tolist()


def test_a_column_that_counts_the_lines_has_no_labels(tmp_path):
    """The images that a competition hands out to be classified, given as test images, had a class each."""
    (tmp_path / "train.csv").write_text(table(GREY, LABELS, header(36)))
    (tmp_path / "test.csv").write_text(table(GREY, np.arange(1, 13), None))
    with pytest.raises(
        DataError, match=r"which column has the labels\? .* as what counts the lines is taken for ids; expected"
    ):
        opened(tmp_path / "train.csv", test_path=str(tmp_path / "test.csv"))
    assert opened(tmp_path / "test.csv", label="first").classes == 12


def test_a_header_of_numbers_is_told_which_of_them_is_the_label(tmp_path):
    """As pandas writes an array that has the labels in front."""
    (tmp_path / "a.csv").write_text(table(GREY, LABELS, [str(at) for at in range(37)]))
    with pytest.raises(DataError, match='or `label = "…"` with the name of another'):
        opened(tmp_path / "a.csv")
    made = opened(tmp_path / "a.csv", label="0")
    np.testing.assert_array_equal(made.train.images[..., 0], GREY)
    assert made.train.labels.tolist() == LABELS.tolist()


def test_emnist_in_a_table_is_told_to_be_transposed(tmp_path):
    (tmp_path / "emnist-letters-train.csv").write_text(table(GREY, LABELS + 1, None))
    assert opened(tmp_path / "emnist-letters-train.csv").notes[0].startswith("EMNIST's files hold their images transposed")


def test_idx_files_are_found_where_torchvision_keeps_them(tmp_path):
    folder = tmp_path / "data" / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    (folder.parent / "processed").mkdir()
    for part in ("train", "t10k"):
        for kind, array in (("images-idx3", GREY), ("labels-idx1", LABELS)):
            head = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            (folder / f"{part}-{kind}-ubyte").write_bytes(head + array.astype(np.uint8).tobytes())
    for path in (folder, folder.parent, tmp_path / "data"):
        made = opened(path)
        assert (made.name, len(made.test)) == (path.name, 12)
        np.testing.assert_array_equal(made.train.images[..., 0], GREY)


def test_names_of_files_without_a_header_are_ids_of_the_answer(tmp_path):
    (tmp_path / "a.csv").write_text(table(GREY, [f"{at}.png" for at in range(12)], None))
    ids, images = unlabelled.read(tmp_path / "a.csv", (6, 6, 1))
    assert ids.tolist() == [f"{at}.png" for at in range(12)]
    np.testing.assert_array_equal(images[..., 0], GREY)
    (tmp_path / "a.csv").write_text(table(GREY, WORDS, None))  # labels, of which several are one
    assert unlabelled.read(tmp_path / "a.csv", (6, 6, 1))[0].tolist() == list(range(1, 13))

"""Folders of pictures as people have them: layouts, junk, sizes, broken files, names."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toile.data.audits.audit import audit
from toile.data.dataset import Dataset
from toile.data.errors import DataError
from toile.data.parts.splits import resolved, split
from toile.data.reading.listing import listing
from toile.data.reading.load import load
from toile.pictures.form import Form
from toile.store.store import Store
from toile.study.data.dataset import DatasetSpec
from toile.study.data.split import SplitSpec


def picture(path: Path, shade: int = 0, size: tuple[int, int] = (4, 4), **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, shade).save(path, **options)
    return path


def fill(root: Path, *parts: str, classes: tuple[str, ...] = ("a", "b"), count: int = 2) -> Path:
    for number, part in enumerate(parts):
        for label, name in enumerate(classes):
            for at in range(count):
                picture(root / part / name / f"{at}.png", 50 * number + 10 * label + at)
    return root


def read(root: Path, **said: object) -> Dataset:
    return load(DatasetSpec.model_validate({"path": str(root), **said}))


def shades(dataset: Dataset) -> dict[str, list[int]]:
    return {name: part.images[:, 0, 0, 0].tolist() for name, part in dataset.parts.items()}


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "VALIDATION", "Testing"), ("TRAIN", "valid", "Test")])
@pytest.mark.parametrize("wrapped", [(), ("archive",), ("archive", "pictures v2")])
def test_parts_in_any_spelling_and_wrapped(tmp_path, names, wrapped):
    fill(tmp_path.joinpath("set", *wrapped), *names)
    dataset = read(tmp_path / "set")
    assert shades(dataset) == {"train": [0, 1, 10, 11], "validation": [50, 51, 60, 61], "test": [100, 101, 110, 111]}
    assert {name: part.labels.tolist() for name, part in dataset.parts.items()} == {
        name: [0, 0, 1, 1] for name in dataset.parts
    }
    within = "/".join((*wrapped, names[1]))
    assert dataset.validation.names.tolist() == [f"{within}/{name}.png" for name in ("a/0", "a/1", "b/0", "b/1")]


def test_parts_that_are_wrapped_in_folders_of_their_own_names(tmp_path):
    fill(tmp_path, "seg_train/seg_train", "seg_test/seg_test")
    (tmp_path / "seg_pred" / "seg_pred").mkdir(parents=True)
    picture(tmp_path / "seg_pred" / "seg_pred" / "1.png")
    said = r'seg_test/, seg_train/ have folders .*`parts = \{ train = "seg_train", test = "seg_test" \}`'
    with pytest.raises(DataError, match=said):
        read(tmp_path)
    dataset = read(tmp_path, parts={"test": "seg_test", "train": "seg_train"})
    assert shades(dataset) == {"train": [0, 1, 10, 11], "test": [50, 51, 60, 61]}
    with pytest.raises(DataError, match=r"no folder 'seg_tain' for the train part \(did you mean 'seg_train'\?\)"):
        read(tmp_path, parts={"train": "seg_tain"})
    with pytest.raises(DataError, match="expected `train` among them"):
        read(tmp_path, parts={"test": "seg_test"})


def test_two_folders_of_one_part_and_one_without_classes(tmp_path):
    fill(tmp_path / "twice", "train", "val", "valid")
    with pytest.raises(DataError, match="val/, valid/ are one part; expected one of them"):
        read(tmp_path / "twice")
    picture(fill(tmp_path / "flat", "train") / "test" / "1.png")
    with pytest.raises(DataError, match=r'leave it out: `parts = \{ train = "train" \}`'):
        read(tmp_path / "flat")
    assert shades(read(tmp_path / "flat", parts={"train": "train"})) == {"train": [0, 1, 10, 11]}


@pytest.mark.parametrize(
    "names", [("training_set", "test_set"), ("seg_train", "seg_test"), ("trainset", "testset"), ("train2017", "Test2017")]
)
def test_folders_of_which_one_word_is_that_of_a_part(tmp_path, names):
    fill(tmp_path / "set", *names)
    assert shades(read(tmp_path / "set")) == {"train": [0, 1, 10, 11], "test": [50, 51, 60, 61]}
    fill(tmp_path / "set", "holiday")  # which nobody can know of
    with pytest.raises(DataError, match=rf'say which is which: `parts = {{ train = "{names[0]}", test = "{names[1]}"'):
        read(tmp_path / "set")


def test_parts_without_classes_are_no_classes_whatever_they_are_called(tmp_path):
    """As on Kaggle: the pictures of all classes in one folder, and a table that says which is which."""
    fill(tmp_path, ".", classes=("train_images", "test_images"))
    (tmp_path / "train.csv").write_text("image_id,label\n")
    said = r"test_images/, train_images/ have no folders .* a CSV file of filename,label: is it 'train\.csv'\? Then that"
    with pytest.raises(DataError, match=said):
        read(tmp_path)
    assert read(tmp_path, nested=True).class_names == ("test_images", "train_images")
    fill(tmp_path / "one", ".", classes=("images",))
    assert read(tmp_path / "one").class_names == ("images",)
    for name, text in (("notes.csv", "day,said\n1.5,sun\n"), ("labels.csv", "image_id,label\n7,b\nimages/1.png,a\n")):
        assert read(tmp_path / "one").class_names == ("images",)
        (tmp_path / "one" / name).write_text(text)
    with pytest.raises(DataError, match=r"in one folder, images/, so of what class .* is it 'labels\.csv'\?"):
        read(tmp_path / "one")


@pytest.mark.parametrize("names", [("freight_train", "passenger_train"), ("crash_test", "train")])
def test_classes_that_end_as_parts_do_are_classes(tmp_path, names):
    assert read(fill(tmp_path, ".", classes=names)).class_names == names


def test_folders_that_differ_in_more_than_the_part_are_not_taken_for_parts(tmp_path):
    fill(tmp_path, "train_station", "crash_test", classes=("x",))
    with pytest.raises(
        DataError, match=r"crash_test/, train_station/ have folders of their own. If these are parts, say which"
    ):
        read(tmp_path)


def test_no_test_folder_is_proposed_to_be_trained_on(tmp_path):
    fill(tmp_path, "a_test", "b_train", "c_train")
    with pytest.raises(DataError, match=r"say which is which: `parts = \{ train = …, test = … \}`"):
        read(tmp_path)


def test_a_folder_is_called_by_its_name_from_within_it(tmp_path, monkeypatch):
    monkeypatch.chdir(fill(tmp_path / "leaves", "."))
    assert read(Path()).name == "leaves" and read(Path("a/..")).name == "leaves"


def test_classes_that_are_called_as_parts_are(tmp_path):
    for name in ("train", "test", "bus"):
        picture(tmp_path / name / "1.png", 7)
    assert read(tmp_path).class_names == ("bus", "test", "train")


def test_junk_is_ignored_and_tiff_is_read(tmp_path):
    fill(tmp_path, "a", classes=("x",))
    picture(tmp_path / "a" / "x" / "scan.TIF", 9)
    for name in ("Thumbs.db", "desktop.ini", "._0.png", ".DS_Store", "ehthumbs.db", "0.png\uf03aZone.Identifier"):
        (tmp_path / "a" / "x" / name).write_bytes(b"x")
    (tmp_path / "__MACOSX" / "a").mkdir(parents=True)
    (tmp_path / "__MACOSX" / "a" / "._x").write_bytes(b"x")
    picture(tmp_path / "a" / "y" / "0.tiff", 8)
    dataset = read(tmp_path)
    assert dataset.class_names == ("x", "y")
    assert dataset.train.names.tolist() == ["a/x/0.png", "a/x/1.png", "a/x/scan.TIF", "a/y/0.tiff"]
    assert shades(dataset) == {"train": [0, 1, 9, 8]}


def test_pages_that_are_not_read_are_told_of(tmp_path):
    fill(tmp_path, ".")
    more = [Image.new("L", (4, 4), shade) for shade in (200, 210)]
    Image.new("L", (4, 4), 100).save(tmp_path / "a" / "stack.tif", save_all=True, append_images=more)
    dataset = read(tmp_path)
    assert 100 in shades(dataset)["train"]
    assert dataset.notes == ("1 of 5 pictures have several frames or pages; the first of each is taken (stack.tif)",)
    Image.new("L", (4, 4), 100).save(tmp_path / "a" / "phone.jpg", "MPO", save_all=True, append_images=more)
    assert len(read(tmp_path).train) == 6 and read(tmp_path).notes[0].startswith("1 of 6 pictures")


def test_links_lead_to_no_folder_above(tmp_path):
    fill(tmp_path / "set", ".")
    (tmp_path / "set" / "a" / "all").symlink_to(tmp_path / "set", target_is_directory=True)
    (tmp_path / "set" / "c").symlink_to(tmp_path / "set", target_is_directory=True)
    (tmp_path / "set" / "b" / "more").symlink_to(fill(tmp_path / "elsewhere", "."), target_is_directory=True)
    dataset = read(tmp_path / "set", nested=True, on_error="skip")
    assert [one.name for one in dataset.left_out] == ["c/"] and dataset.class_names == ("a", "b")
    assert [name for name in dataset.train.names if name.startswith("a/")] == ["a/0.png", "a/1.png"]
    assert [name for name in dataset.train.names if name.startswith("b/m")] == [
        f"b/more/{name}.png" for name in ("a/0", "a/1", "b/0", "b/1")
    ]


def test_nested_folders_by_an_option(tmp_path):
    picture(tmp_path / "cat" / "0.png", 1)
    picture(tmp_path / "cat" / "2019" / "may" / "0.png", 2)
    picture(tmp_path / "dog" / "0.png", 3)
    (tmp_path / "cat" / "2019" / "again").symlink_to(tmp_path / "cat")  # a circle
    with pytest.raises(DataError, match=r"cat/2019: a folder in the folder of a class; `nested = true` reads"):
        read(tmp_path)
    dataset = read(tmp_path, nested=True)
    assert dict(zip(dataset.train.names, shades(dataset)["train"], strict=True)) == {
        "cat/0.png": 1, "cat/2019/may/0.png": 2, "dog/0.png": 3,
    }  # fmt: skip


def spoil(root: Path) -> None:
    whole = (root / "a" / "0.png").read_bytes()
    (root / "a" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (root / "a" / "notes.txt").write_text("x")
    (root / "b" / "no picture.jpg").write_text("<html>not found</html>")
    (root / "b" / "zero.gif").write_bytes(b"")


def test_broken_files_are_named_all_at_once_or_left_out(tmp_path):
    spoil(fill(tmp_path / "set", "."))
    names = ["a/notes.txt", "a/cut.png", "b/no picture.jpg", "b/zero.gif"]
    with pytest.raises(DataError, match=r"4 files that cannot be used:") as caught:
        read(tmp_path / "set")
    for name in names:
        assert f"\n  {name}: " in str(caught.value)
    assert 'on_error = "skip"' in str(caught.value)
    dataset = read(tmp_path / "set", on_error="skip")
    assert shades(dataset) == {"train": [0, 1, 10, 11]}
    assert dataset.train.names.tolist() == ["a/0.png", "a/1.png", "b/0.png", "b/1.png"]
    assert [one.name for one in dataset.left_out] == names
    said = audit(dataset)["warnings"][0]
    assert said.startswith('4 files were left out, as on_error = "skip" says: a/notes.txt (not a picture by its name')
    store = Store(tmp_path / "store")
    store.keep(dataset, DatasetSpec(path=str(tmp_path / "set")))
    assert store.kept(DatasetSpec(path=str(tmp_path / "set"))).left_out == dataset.left_out


def test_nothing_that_can_be_read(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_text("x")
    with pytest.raises(DataError, match=r"none of 2 files can be read as a picture; the first: not a picture"):
        read(tmp_path, on_error="skip")


def test_mixed_sizes_show_a_histogram_and_the_line_to_write(tmp_path):
    for at in range(5):
        picture(tmp_path / "a" / f"{at}.png", size=(10, 12))
    for at in range(9):
        picture(tmp_path / "b" / f"{at}.png", size=(20 + at, 40))
    with pytest.raises(DataError, match="14 pictures of 10 sizes; expected one size") as caught:
        read(tmp_path)
    lines = str(caught.value).splitlines()
    assert lines[1] == "  5 of 10 x 12"
    assert "  4 of 4 other sizes, from 25 x 40 to 28 x 40" in lines
    (line,) = [line.strip() for line in lines if "dataset =" in line]
    assert line == f'dataset = {{ path = "{tmp_path.as_posix()}", size = 40 }}'
    assert read(tmp_path, size=40).image_shape == (40, 40, 1)
    assert read(tmp_path, size=[6, 5]).image_shape == (6, 5, 1)
    with pytest.raises(ValueError, match="`size` is 3000 x 3000; toile is for small images"):
        DatasetSpec.model_validate({"path": "x", "size": 3000})


def test_the_usual_size_is_proposed_where_few_differ(tmp_path):
    for at in range(5):
        picture(tmp_path / "a" / f"{at}.png", size=(100, 80))
    picture(tmp_path / "a" / "9.png", size=(3000, 2000))
    with pytest.raises(DataError, match=r"size = \[80, 100\] }"):
        read(tmp_path)


def test_a_broken_first_file_decides_no_size(tmp_path):
    whole = picture(tmp_path / "a" / "0.bmp", size=(90, 90)).read_bytes()
    (tmp_path / "a" / "0.bmp").write_bytes(whole[:2000])
    picture(tmp_path / "a" / "1.png", 5)
    dataset = read(tmp_path, on_error="skip")
    assert (dataset.image_shape, dataset.form.own) == ((4, 4, 1), ((4, 4),))


def test_what_a_format_knows_nothing_of(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 4, 4), np.uint8), y=np.arange(2))
    with pytest.raises(DataError, match="a data set of the format 'npz' has no size, fit; folder and list has"):
        read(tmp_path / "a.npz", size=8, fit="crop")
    with pytest.raises(ValueError, match="`size` go with `path`"):
        DatasetSpec.model_validate({"name": "digits", "size": 8})


# Pictures of more than eight bits


@pytest.mark.parametrize(("largest", "full"), [(200, 255), (4095, 4095), (4000, 4095), (5000, 16383), (65535, 65535)])
def test_how_many_bits_pictures_have_is_decided_by_all_of_them(tmp_path, largest, full):
    for at, high in enumerate((largest // 3, largest)):
        values = np.linspace(0, high, 16).astype(np.uint16).reshape(4, 4)
        (tmp_path / "a").mkdir(exist_ok=True)
        Image.fromarray(values).save(tmp_path / "a" / f"{at}.png")
    dataset = read(tmp_path)
    assert dataset.form.full == full
    np.testing.assert_array_equal(dataset.train.images[1, :, :, 0], values >> (int(full).bit_length() - 8))
    warned = [one for one in audit(dataset)["warnings"] if "more than 8 bits" in one]
    assert bool(warned) == (full not in (255, 65535))


@pytest.mark.parametrize(("largest", "full"), [(1.0, 1), (0.8, 1), (255.0, 255), (70000.0, 70000)])
def test_fractions_are_brought_to_eight_bits_together(tmp_path, largest, full):
    values = np.linspace(0, largest, 16, dtype=np.float32).reshape(4, 4)
    for at, one in enumerate((values / 10, values)):
        (tmp_path / "a").mkdir(exist_ok=True)
        Image.fromarray(one).save(tmp_path / "a" / f"{at}.tif")
    dataset = read(tmp_path)
    assert dataset.form.full == full
    np.testing.assert_array_equal(dataset.train.images[1, :, :, 0], np.rint(values.astype(float) * 255 / full))


def test_numbers_below_zero_are_no_light(tmp_path):
    (tmp_path / "a").mkdir()
    Image.fromarray(np.full((4, 4), -1.5, np.float32)).save(tmp_path / "a" / "1.tif")
    with pytest.raises(DataError, match=r"a/1\.tif: has pixels below 0, down to -1\.5"):
        read(tmp_path)


def test_large_numbers_without_a_sign_are_not_told_to_be_below_zero(tmp_path):
    file = picture(tmp_path / "a" / "0.tif")
    Image.fromarray(np.array([[1, 2], [3, -5]], np.int32)).save(file)
    with pytest.raises(DataError, match=r"a/0\.tif: has pixels below 0, down to -5"):
        read(tmp_path)
    signed, unsigned = (struct.pack("<HHIHH", 339, 3, 1, kind, 0) for kind in (2, 1))
    assert signed in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(signed, unsigned))
    with pytest.raises(DataError, match=r"a/0\.tif: has pixels of 32 bits above 2,147,483,647; expected smaller numbers"):
        read(tmp_path)


# Validation images of the user's own


def test_validation_images_are_used_by_default(tmp_path):
    dataset = read(fill(tmp_path, "train", "val", "test"))
    spec = resolved(SplitSpec(), dataset)
    assert spec.validation == "given"
    parts = split(dataset, spec)
    assert parts.counts() == {"train": 4, "validation": 4, "test": 4}
    assert parts.validation is dataset.validation
    assert parts.train.names.tolist() == dataset.train.names.tolist()
    assert resolved(SplitSpec(validation=0), dataset).validation == 0
    assert split(dataset, SplitSpec(validation=0)).validation is None


def test_a_test_part_is_drawn_beside_given_validation_images(tmp_path):
    dataset = read(fill(tmp_path, "train", "val", count=5))
    parts = split(dataset, resolved(SplitSpec(test=0.2), dataset))
    assert parts.counts() == {"train": 8, "validation": 10, "test": 2}
    assert sorted(parts.test.labels) == [0, 1]
    with pytest.raises(DataError, match="has no test images"):
        split(dataset, resolved(SplitSpec(), dataset))


@pytest.mark.parametrize("said", [{"validation": 0.5}, {"folds": 2}])
def test_given_images_are_never_thrown_away_in_silence(tmp_path, said):
    root = fill(tmp_path, "train", "val", "test")
    spec, fold = SplitSpec(**said), 0 if "folds" in said else None
    with pytest.raises(DataError, match=r'brings 4 validation images of its own.* `pool = "validation"`'):
        split(read(root), resolved(spec, read(root)), fold)
    pooled = read(root, pool="validation")
    assert shades(pooled) == {"train": [0, 1, 10, 11, 50, 51, 60, 61], "test": [100, 101, 110, 111]}
    assert pooled.train.names.tolist()[4] == "val/a/0.png"
    assert len(split(pooled, spec, fold).validation) == 4
    assert shades(read(root, pool=True))["train"][-1] == 111
    with pytest.raises(DataError, match=r"has no validation images; set split\.validation to a fraction"):
        split(pooled, SplitSpec(validation="given"))
    with pytest.raises(DataError, match="no validation images to pool"):
        read(fill(tmp_path / "other", "train", "test"), pool="validation")


def test_validation_images_are_content_and_names_are_not(tmp_path):
    dataset = read(fill(tmp_path / "set", "train", "val", "test"))
    (tmp_path / "set" / "val" / "a" / "0.png").rename(tmp_path / "set" / "val" / "a" / "00.png")
    again = read(tmp_path / "set")
    assert again.content == dataset.content
    assert again.validation.names.tolist() != dataset.validation.names.tolist()
    picture(tmp_path / "set" / "val" / "a" / "00.png", 99)
    assert read(tmp_path / "set").content != dataset.content


# In the store


def test_names_form_and_validation_images_come_back(tmp_path):
    root = fill(tmp_path / "set", "train", "val", "test")
    spec = DatasetSpec.model_validate({"path": str(root), "size": 9, "fit": "crop"})
    dataset, store = load(spec), Store(tmp_path / "store")
    store.keep(dataset, spec)
    for back in (store.kept(spec), store.dataset(dataset.content)):
        assert (
            back.form == dataset.form == Form(size=(9, 9), channels=1, fit="crop", own=((4, 4), (9, 9)), guess=back.form.guess)
        )
        assert back.content == dataset.content == Dataset.open(store.data_folder / dataset.content, verify=True).content
        for name, part in dataset.parts.items():
            assert back.parts[name].names.tolist() == part.names.tolist()
            np.testing.assert_array_equal(back.parts[name].images, part.images)
    # Files that were renamed are the same data set under other names.
    (root / "train" / "a" / "0.png").rename(root / "train" / "a" / "first.png")
    store.keep(load(spec), spec)
    assert "train/a/first.png" in store.kept(spec).train.names


def test_a_store_of_before_has_a_form_too(tmp_path):
    dataset, store = read(fill(tmp_path / "set", "train", "test")), Store(tmp_path / "store")
    folder = dataset.save(store.data_folder / dataset.content)
    (folder / "dataset.json").write_text(f'{{"name": "set", "class_names": ["a", "b"], "content": "{dataset.content}"}}')
    back = store.dataset(dataset.content)
    assert back.form == Form(size=(4, 4), channels=1, own=((4, 4),))
    assert (back.train.names, back.first, back.left_out) == (None, 0, ())


def test_names_that_are_no_text_can_be_printed(tmp_path):
    path = picture(tmp_path / "a" / "x.png")
    path.rename(path.parent / os.fsdecode(b"\xff.png"))
    dataset = read(tmp_path)
    assert dataset.train.names.tolist() == ["a/\\udcff.png"]
    dataset.save(tmp_path / "kept")
    assert Dataset.open(tmp_path / "kept").train.names.tolist() == ["a/\\udcff.png"]


# Whether a folder has changed


def test_a_listing_knows_every_change(tmp_path, monkeypatch):
    monkeypatch.setattr("toile.data.reading.listing._SETTLED", -1e9)
    root = fill(tmp_path / "set", ".")
    spec = DatasetSpec(path=str(root))
    first = listing(spec)
    assert first == listing(spec)
    (root / "Thumbs.db").write_bytes(b"x")
    assert listing(spec) == first
    seen = {first}
    for change in (
        lambda: picture(root / "a" / "9.png"),
        lambda: (root / "a" / "9.png").rename(root / "a" / "8.png"),
        lambda: (root / "a" / "8.png").write_bytes(b"x"),
        lambda: os.utime(root / "a" / "8.png", ns=(5, 5)),
    ):
        change()
        assert listing(spec) not in seen
        seen.add(listing(spec))
    (root / "a" / "8.png").unlink()
    assert listing(spec) == first


@pytest.mark.parametrize("inside", [True, False], ids=["metadata.csv of a folder", "a list"])
def test_a_listing_of_a_list_knows_every_change_of_what_is_listed(tmp_path, monkeypatch, inside):
    monkeypatch.setattr("toile.data.reading.listing._SETTLED", -1e9)
    for name in ("set/1.png", "set/2.png", "elsewhere/3.png", "elsewhere/other.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        picture(tmp_path / name)
    table = tmp_path / "set" / ("metadata.csv" if inside else "mine.csv")
    table.write_text("file_name,label\n1.png,a\n2.png,b\n../elsewhere/3.png,a\n")
    spec = DatasetSpec(path=str(table.parent if inside else table))
    first = listing(spec)
    assert first == listing(spec) is not None
    (tmp_path / "elsewhere" / "other.png").write_bytes(b"x")
    assert listing(spec) == first
    seen = {first}
    for change in (
        lambda: os.utime(tmp_path / "elsewhere" / "3.png", ns=(5, 5)),
        lambda: os.utime(tmp_path / "set" / "2.png", ns=(5, 5)),
        lambda: table.write_text(table.read_text().replace("2.png,b", "2.png,a")),
    ):
        change()
        assert listing(spec) not in seen
        seen.add(listing(spec))
    (tmp_path / "set" / "1.png").unlink()
    assert listing(spec) is None


def test_what_has_just_changed_is_not_trusted(tmp_path):
    assert listing(DatasetSpec(path=str(fill(tmp_path / "set", ".")))) is None
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 4, 4), np.uint8), y=np.arange(2))
    assert listing(DatasetSpec(path=str(tmp_path / "a.npz"))) is None
    assert listing(DatasetSpec(name="digits")) is None


def test_an_unchanged_folder_is_taken_from_the_store(tmp_path, monkeypatch):
    monkeypatch.setattr("toile.data.reading.listing._SETTLED", -1e9)
    root, store = fill(tmp_path / "set", "."), Store(tmp_path / "store")
    spec = DatasetSpec(path=str(root))
    dataset = load(spec)
    store.keep(dataset, spec, listing(spec))
    assert store.unchanged(spec, listing(spec)).content == dataset.content
    store.keep(dataset, spec)  # as a run does, which has not looked at the files
    assert store.unchanged(spec, listing(spec)).content == dataset.content
    picture(root / "a" / "0.png", 200)
    assert store.unchanged(spec, listing(spec)) is None
    assert store.unchanged(spec, None) is None
    assert store.unchanged(DatasetSpec(path=str(root), nested=True), listing(spec)) is None


def test_parts_without_folders_of_classes_are_no_classes(tmp_path):
    for name in ("train", "test"):
        picture(tmp_path / name / "cat.0.png", 7)
    with pytest.raises(DataError, match=r"test/, train/ have no folders of their own, so of what class .*`nested = true`"):
        read(tmp_path)
    assert read(tmp_path, nested=True).class_names == ("test", "train")


def test_test_images_apart_are_not_the_training_part_of_a_folder_of_parts(tmp_path):
    fill(tmp_path, "train", "test")
    with pytest.raises(DataError, match="holds train/ and test/; expected the folders of the classes"):
        read(tmp_path / "train", test_path=str(tmp_path))
    assert shades(read(tmp_path / "train", test_path=str(tmp_path / "test")))["test"] == [50, 51, 60, 61]


def test_class_names_never_exchange_folders(tmp_path):
    fill(tmp_path, ".", classes=("cat", "dog"))
    with pytest.raises(DataError, match=r"would call the class 'cat' 'dog', .*'cat' is not among them \(did you mean 'kat'"):
        read(tmp_path, class_names=["dog", "kat"])
    assert shades(read(tmp_path, class_names=["dog", "cat"])) == {"train": [10, 11, 0, 1]}
    assert read(tmp_path, class_names=["Katze", "Hund"]).class_names == ("Katze", "Hund")


def test_class_names_that_are_numbers_never_exchange_folders(tmp_path):
    """Labels are positions of folders, which are never taken for their names."""
    fill(tmp_path, ".", classes=("0", "1", "2"))
    dataset = read(tmp_path, class_names=["2", "1", "0"])
    assert dataset.class_names == ("2", "1", "0") and dataset.train.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert shades(dataset) == {"train": [20, 21, 10, 11, 0, 1]}
    assert read(tmp_path, class_names=["5", "6", "7"]).class_names == ("5", "6", "7")


def test_classes_that_are_numbers_keep_theirs_where_one_is_broken(tmp_path):
    fill(tmp_path, ".", classes=("0", "1", "2", "5"))
    for path in (tmp_path / "1").iterdir():
        path.write_bytes(b"no picture")
    dataset = read(tmp_path, on_error="skip")
    assert dataset.class_names == ("0", "2", "5") and dataset.train.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert shades(dataset) == {"train": [0, 1, 20, 21, 30, 31]}


def test_a_class_in_other_letters_has_its_like_named(tmp_path):
    fill(tmp_path, "train", classes=("Cat", "dog"))
    fill(tmp_path, "test", classes=("cat", "dog"))
    with pytest.raises(DataError, match=r"class 'cat' is not among the training classes Cat, dog \(did you mean 'Cat'\?\)"):
        read(tmp_path)


def test_names_of_folders_in_letters_of_two_pieces(tmp_path):
    """As macOS writes them into archives."""
    fill(tmp_path, "train", classes=("B", "caf\u00e9"))
    fill(tmp_path, "test", classes=("B", "cafe\u0301"))
    dataset = read(tmp_path, class_names=["cafe\u0301", "B"])
    assert shades(dataset) == {"train": [10, 11, 0, 1], "test": [10, 11, 0, 1]}
    picture(tmp_path / "train" / "cafe\u0301" / "x.png")
    if len(list((tmp_path / "train").iterdir())) == 3:  # a file system that tells them apart
        with pytest.raises(DataError, match="two folders are called"):
            read(tmp_path)


def test_a_class_of_which_all_is_broken_is_none(tmp_path):
    fill(tmp_path, ".", classes=("a", "b", "c"))
    for path in (tmp_path / "b").iterdir():
        path.write_bytes(b"no picture")
    dataset = read(tmp_path, on_error="skip")
    assert dataset.class_names == ("a", "c") and dataset.train.labels.tolist() == [0, 0, 1, 1]
    assert read(tmp_path, on_error="skip", class_names=["a", "b", "c"]).classes == 3  # as it was said


def test_pictures_beside_the_classes_are_told_of(tmp_path):
    picture(fill(tmp_path, ".") / "loose.PNG")
    assert (
        "not read, because beside the folders of the classes and in none of them: 1 picture (loose.PNG)"
        in audit(read(tmp_path))["warnings"]
    )


def test_parts_beside_another_folder_are_no_classes_in_silence(tmp_path):
    fill(tmp_path, "train", "test")
    picture(tmp_path / "samples" / "0.png", 7)
    with pytest.raises(DataError, match=r'samples/, test/, train/: are these the parts, or the classes\? .*train = "\." }`'):
        read(tmp_path, nested=True)
    assert read(tmp_path, nested=True, parts={"train": "."}).class_names == ("samples", "test", "train")
    assert read(tmp_path, nested=True, parts={"train": "train"}).class_names == ("a", "b")


@pytest.mark.parametrize("name", ["test", "Val"])
def test_a_part_beside_the_classes_is_no_class(tmp_path, name):
    """`nested = true`, which was proposed, would have trained on it."""
    part = {"test": "test", "Val": "validation"}[name]
    fill(tmp_path / "set", ".")
    for class_, shade in (("a", 100), ("b", 200)):
        picture(tmp_path / "set" / name / class_ / "0.png", shade)
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    way = f'if "set/{name}" is the {part} part: `parts = {{ train = "set", {part} = "set/{name}" }}`'
    assert f"set/{name}/a: a folder in the folder of a class; {way}" in str(caught.value) and "nested" not in str(caught.value)
    with pytest.raises(DataError, match=re.escape(f'`parts = {{ train = ".", {part} = "{name}" }}`')):
        read(tmp_path / "set")
    for said in (
        {"parts": {"train": ".", part: name}},
        {"parts": {"train": ".", part: name}, "nested": True},
        *([{"test_path": str(tmp_path / "set" / name)}] if part == "test" else []),
    ):
        dataset = read(tmp_path / "set", **said)
        assert dataset.class_names == ("a", "b") and shades(dataset)[part] == [100, 200] and len(dataset.train) == 4
    dataset = read(tmp_path, parts={"train": "set", part: f"set/{name}"})
    assert dataset.class_names == ("a", "b") and shades(dataset)[part] == [100, 200]


@pytest.mark.parametrize("empty", [False, True])
def test_a_part_that_is_asked_for_and_has_no_classes_is_an_error(tmp_path, empty):
    root = fill(tmp_path / "all", "Train")
    (root / "Test").mkdir()
    (root / "Test.csv").write_text("")
    if not empty:
        picture(root / "Test" / "0.png")
    said = r"Test: no sub-folders; expected one a class, as the training part has: is it 'Test.csv'\? Then that is the `path`"
    for path, more in (
        (root, {"parts": {"train": "Train", "test": "Test"}}),
        (root / "Train", {"test_path": str(root / "Test")}),
    ):
        with pytest.raises(DataError, match=said):
            read(path, **more)


def test_a_folder_that_holds_files_of_data_names_them(tmp_path):
    (tmp_path / "train.csv").write_text("label,pixel1\n")
    (tmp_path / "arrays.npz").write_bytes(b"")
    with pytest.raises(DataError, match=r"no sub-folders; .*: is it 'arrays.npz', 'train.csv'\? Then that is the `path`"):
        read(tmp_path)


def test_parts_in_a_folder_beside_others_are_not_proposed_to_be_read_as_a_class(tmp_path):
    fill(tmp_path / "data", "train", "test")
    (tmp_path / "labels").mkdir()
    with pytest.raises(
        DataError, match=r"data/test: a folder in the folder of a class; if data/ has the parts, and is no class"
    ):
        read(tmp_path)
    assert shades(read(tmp_path / "data")) == {"train": [0, 1, 10, 11], "test": [50, 51, 60, 61]}


def test_lists_of_the_parts_beside_the_classes_are_told_of(tmp_path):
    fill(tmp_path, "")
    (tmp_path / "train.csv").write_text("filename,label\n")
    assert read(tmp_path).notes == ()
    (tmp_path / "test_list.txt").write_text("a/0 3\n")
    [note] = read(tmp_path).notes
    assert note.startswith("test_list.txt beside the folders of the classes: not read; if they say the parts")
    (tmp_path / "train.csv").write_text('filename,label\n"a/1.png",a\n')
    (tmp_path / "test_results.csv").write_text("epoch,accuracy\n0,0.5\n1,0.7\n")
    (tmp_path / "test.txt").write_bytes(b"\xff\xfe\x00")
    [note] = read(tmp_path).notes
    assert note.startswith("test_list.txt, train.csv beside the folders of the classes: not read; if they say the parts")
    assert read(fill(tmp_path / "all", "train", "test").parent / "all").notes == ()

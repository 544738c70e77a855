"""Lists of pictures as people have them: which column names the files, which of several files is meant, and what is said of
parts that nothing but folders tells."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toile.data.dataset import Dataset
from toile.data.errors import DataError
from toile.data.reading import unlabelled
from toile.data.reading.load import load
from toile.study.data.dataset import DatasetSpec

SIDE = 4


def picture(path: Path, light: int) -> Path:
    """A picture of one light, by which it is known again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((SIDE, SIDE), light, np.uint8)).save(path)
    return path


def listed(path: Path, header: str, rows: list[str], **said) -> Dataset:
    path.write_text("\n".join([header, *rows]) + "\n")
    return load(DatasetSpec(path=str(path), **said))


def lights(dataset: Dataset, part: str = "train") -> list[int]:
    return dataset.parts[part].images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (",id,label", "{at},{other},{word}"),  # pandas writes its index without a name
        ("Unnamed: 0,image_id,label", "{at},{other},{word}"),
        ("index,id,label", "{at},{other},{word}"),
        ("id,image_id,label", "{at},{other},{word}"),
        ("id,image_id,label", "{other},{at},{word}"),
        (",id_code,label", "{at},{other},{word}"),
        ("image,filename,label", "{at},{other}.png,{word}"),
        ("label,path,file", "{word},folder,{other}.png"),
    ],
)
def test_a_number_that_counts_the_rows_is_no_name_of_a_file(tmp_path, header, row):
    for at in range(4):
        picture(tmp_path / f"{at}.png", 60 * at)
    rows = [row.format(at=at, other=3 - at, word=f"w{3 - at}") for at in range(4)]
    made = listed(tmp_path / "list.csv", header, rows)
    assert [made.class_names[label] for label in made.train.labels] == [f"w{light // 60}" for light in lights(made)]
    assert lights(made) == [180, 120, 60, 0]


def test_columns_of_other_files_are_told_of(tmp_path):
    for at in range(4):
        picture(tmp_path / f"{at}.png", 60 * at)
    rows = [f"{at}.png,{3 - at}.png,{'ab'[at % 2]}" for at in range(4)]
    [note] = listed(tmp_path / "list.csv", "file,image,label", rows).notes
    assert "files are named by the column 'file' of list.csv, and not by 'image'" in note
    same = [f"{at}.png,C:\\data\\{at}.png,{'ab'[at % 2]}" for at in range(4)]
    assert listed(tmp_path / "list.csv", "file,path,label", same).notes == ()
    titles = [f"{at}.png,shot {at} of a beach,{'ab'[at % 2]}" for at in range(4)]
    assert listed(tmp_path / "list.csv", "image,image_name,label", titles).notes == ()


def test_ids_of_images_beside_what_pandas_counts_are_those_of_the_answer(tmp_path):
    pixels = ",".join(f"pixel{at}" for at in range(4))
    (tmp_path / "test.csv").write_text(f",id,{pixels}\n0,70,1,2,3,4\n1,71,5,6,7,8\n")
    ids, images = unlabelled.read(tmp_path / "test.csv", (2, 2, 1))
    assert ids.tolist() == [70, 71]
    assert images.reshape(2, -1).tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


@pytest.mark.parametrize(
    ("name", "folders"), [("train.csv", ("train", "test")), ("trainLabels.csv", ("train_images", "test_images"))]
)
def test_pictures_of_a_training_list_are_not_those_of_the_test_folder(tmp_path, name, folders):
    """Competitions number the pictures of both folders from 1."""
    train, test = folders
    for at in range(6):
        picture(tmp_path / train / f"{at}.png", 10 * at)
        picture(tmp_path / test / f"{at}.png", 200 + at)
    rows = [f"{at},{'ab'[at % 2]}" for at in range(6)]
    assert lights(listed(tmp_path / name, "id,label", rows)) == [0, 10, 20, 30, 40, 50]
    (tmp_path / train / "3.png").unlink()
    with pytest.raises(DataError, match=rf"(?s)1 file that .*row 4: '3': no such file; {test}/3.png is called so, but lies in"):
        listed(tmp_path / name, "id,label", rows)
    with pytest.raises(DataError, match=r"in a folder of the test part, and this is a list of the train part; if it is meant"):
        listed(tmp_path / name, "id,label", rows)
    with pytest.raises(DataError, match=r"(?s)row 1: '0': several files: .*; write in the list which, with its folder"):
        listed(tmp_path / "labels.csv", "id,label", rows)


@pytest.mark.parametrize("above", ["", "train/"])
def test_folders_of_classes_that_are_called_as_parts_are_none(tmp_path, above):
    rows = []
    for at in range(6):
        word = ("valid", "Invalid")[at % 2]
        picture(tmp_path / above / word / f"{at}.png", 10 * at)
        rows.append(f"{at}.png,{word}")
    made = listed(tmp_path / "train.csv", "file,label", rows)
    assert (lights(made), made.notes) == ([0, 10, 20, 30, 40, 50], ())
    rows = [f"{above}{row.split(',')[1]}/{row}" for row in rows]
    assert listed(tmp_path / "list.csv", "file,label", rows).notes == ()


def test_a_folder_within_that_of_the_part_is_of_it(tmp_path):
    for at in range(4):
        picture(tmp_path / "train" / "dev" / f"{at}.png", 10 * at)
    assert lights(listed(tmp_path / "train.csv", "file,label", [f"{at}.png,{'ab'[at % 2]}" for at in range(4)])) == [
        0,
        10,
        20,
        30,
    ]


def test_lists_that_are_cut_from_one_folder_find_their_pictures_there(tmp_path):
    for at in range(6):
        picture(tmp_path / "train" / f"{at}.png", 10 * at)
    rows = [f"{at},{'ab'[at % 2]}" for at in range(6)]
    (tmp_path / "test.csv").write_text("\n".join(["id,label", *rows[4:]]))
    made = listed(tmp_path / "train.csv", "id,label", rows[:4], test_path=str(tmp_path / "test.csv"))
    assert lights(made) + lights(made, "test") == [0, 10, 20, 30, 40, 50]


def test_a_list_whose_column_says_the_parts_finds_pictures_in_all_folders(tmp_path):
    for at in range(4):
        picture(tmp_path / ("test" if at > 1 else "train") / f"{at}.png", 10 * at)
    rows = [f"{at},{'ab'[at % 2]},{'test' if at > 1 else 'train'}" for at in range(4)]
    made = listed(tmp_path / "train.csv", "id,label,split", rows)
    assert lights(made) + lights(made, "test") == [0, 10, 20, 30]


def test_a_folder_with_the_word_of_a_part_may_be_a_class(tmp_path):
    for at in range(4):
        picture(tmp_path / ("crash_test" if at > 1 else "race") / f"{at}.png", 10 * at)
    made = listed(tmp_path / "train.csv", "id,label", [f"{at},{'ab'[at // 2]}" for at in range(4)])
    assert lights(made) == [0, 10, 20, 30]


def pictures_of_parts(folder: Path, *parts: str) -> list[str]:
    """Four pictures in a folder of each part, and what a list in `folder` calls them."""
    names = [f"{part}/{at}.png" for part in parts for at in range(4)]
    for at, name in enumerate(names):
        picture(folder / name, 20 * at)
    return names


@pytest.mark.parametrize("said", [True, False])
def test_folders_of_parts_that_no_column_names_are_told_of(tmp_path, said):
    names = pictures_of_parts(tmp_path, "train", "test")
    rows = [f"{name},{'ab'[at % 2]}" for at, name in enumerate(names)]
    if said:
        made = listed(tmp_path / "metadata.csv", "file_name,label,split", [f"{row},{row.split('/')[0]}" for row in rows])
        assert (len(made.train), made.notes) == (4, ())
    else:
        made = listed(tmp_path / "metadata.csv", "file_name,label", rows)
        [note] = made.notes
        assert "4 images in folders of the test part (test/0.png) are trained on as those" in note
        assert "say so for each picture in a column `split`" in note


def test_folders_of_parts_below_the_classes_are_told_of(tmp_path):
    for class_ in ("cat", "dog"):
        pictures_of_parts(tmp_path / class_, "train", "valid")
    [note] = load(DatasetSpec(path=str(tmp_path), nested=True)).notes
    assert "8 images in folders of the validation part (cat/valid/0.png) are trained on" in note
    assert "put them above the classes, as in train/cat and test/cat" in note


def test_classes_that_are_called_as_parts_are_told_of_nothing(tmp_path):
    pictures_of_parts(tmp_path, "train", "crash_test", "test")
    assert load(DatasetSpec(path=str(tmp_path), parts={"train": "."}, nested=True)).notes == ()


def test_a_part_without_a_list_beside_others_that_have_one_is_told_of(tmp_path):
    names = pictures_of_parts(tmp_path, "train", "test")[:4]
    rows = [f"{name.partition('/')[2]},{'ab'[at % 2]}" for at, name in enumerate(names)]
    (tmp_path / "train" / "metadata.csv").write_text("\n".join(["file_name,label", *rows]))
    [note] = load(DatasetSpec(path=str(tmp_path))).notes
    assert note == "test/ is not read, as no list says what its 4 images are; expected metadata.csv there too"


def test_lists_of_roboflow_are_found_in_the_folders_of_the_parts(tmp_path):
    for name in pictures_of_parts(tmp_path, "train", "valid", "test"):
        table = tmp_path / name.partition("/")[0] / "_classes.csv"
        text = table.read_text() if table.exists() else "filename, cat, dog\n"
        at = int(Path(name).stem)
        table.write_text(f"{text}{at}.png, {at % 2}, {1 - at % 2}\n")
    made = load(DatasetSpec(path=str(tmp_path)))
    assert [(part, one.labels.tolist()) for part, one in made.parts.items()] == [
        (part, [1, 0, 1, 0]) for part in ("train", "validation", "test")
    ]
    assert (made.class_names, lights(made, "test")) == (("cat", "dog"), [160, 180, 200, 220])


def test_parquet_in_the_folder_of_a_configuration(tmp_path):
    arrow, parquet = (pytest.importorskip(name) for name in ("pyarrow", "pyarrow.parquet"))
    content = [picture(tmp_path / "one" / f"{at}.png", 20 * at).read_bytes() for at in range(8)]
    (tmp_path / "set" / "mnist").mkdir(parents=True)
    (tmp_path / "set" / "README.md").write_text("the card")
    for part, at in (("train", slice(0, 4)), ("test", slice(4, 8))):
        pictures = [{"bytes": one, "path": None} for one in content[at]]
        parquet.write_table(
            arrow.table({"image": pictures, "label": [0, 1] * 2}), tmp_path / "set" / "mnist" / f"{part}-00000-of-00001.parquet"
        )
    made = load(DatasetSpec(path=str(tmp_path / "set")))
    assert (lights(made), lights(made, "test")) == ([0, 20, 40, 60], [80, 100, 120, 140])


def test_columns_that_a_spreadsheet_leaves_behind_are_none(tmp_path):
    for at in range(4):
        picture(tmp_path / f"{at}.png", 20 * at)
    made = listed(tmp_path / "list.csv", "filename;label;;", [f"{at}.png;{'ab'[at % 2]};;" for at in range(4)])
    assert (lights(made), made.class_names) == ([0, 20, 40, 60], ("a", "b"))
    with pytest.raises(DataError, match="two columns of one name, '', ''"):
        listed(tmp_path / "list.csv", "filename;label;;", [f"{at}.png;a;1;2" for at in range(4)])
    with pytest.raises(DataError, match=r"line 1 is 'sep=;', .*take this line out"):
        listed(tmp_path / "list.csv", "sep=;\nfilename;label", [f"{at}.png;a" for at in range(4)])


@pytest.mark.parametrize(
    ("column", "cells", "said"),
    [
        (
            "set_name",
            ["train_set", "val_set", "train_set", "test_set"],
            "not taken for the parts, as it has train_set, val_set",
        ),
        (
            "source",
            ["site_train", "site_test", "site_train", "site_train"],
            "not taken for the parts, as it has site_train, site_te",
        ),
        ("tvt", ["tr", "te", "tr", "va"], "is not taken for the parts, as it has tr, te, va"),
        ("is_holdout", ["0", "1", "0", "0"], "if it says which pictures are kept for a test, call it `is_test`"),
        ("in_test_set", ["no", "yes", "no", "no"], "if it says which pictures are kept for a test, call it `is_test`"),
        ("istest", ["False", "True", "False", "False"], "call it `is_test`"),
        ("in_train", ["1", "0", "1", "1"], "which pictures are of the training part, call it `is_train`"),
        ("in_val", ["1", "0", "1", "1"], "which pictures are of the validation part, call it `is_validation`"),
        ("language", ["tr", "tr", "tr", "tr"], None),
        ("blood_test", ["0", "1", "0", "0"], None),
        ("place", ["train station", "street", "crash test", "street"], None),
    ],
)
def test_columns_that_may_keep_pictures_for_a_test_are_told_of(tmp_path, column, cells, said):
    for at in range(4):
        picture(tmp_path / f"{at}.png", 20 * at)
    made = listed(
        tmp_path / "list.csv", f"filename,label,{column}", [f"{at}.png,{'ab'[at % 2]},{cell}" for at, cell in enumerate(cells)]
    )
    assert len(made.train) == 4
    assert [said is not None and said in note for note in made.notes] == [True] * (said is not None)


def test_names_of_files_that_say_the_parts_are_not_told_of_where_there_are_many_or_a_column_says_them(tmp_path):
    for at in range(12):
        picture(tmp_path / f"{at}.png", 20 * at)
    rows = [f"{at}.png,{'ab'[at % 2]},{'train' if at % 3 else 'test'}_{at}.jpg" for at in range(12)]
    assert listed(tmp_path / "list.csv", "filename,label,was", rows).notes == ()
    rows = [f"{row},{'train' if at % 3 else 'test'}" for at, row in enumerate(rows[:6])]
    assert listed(tmp_path / "list.csv", "filename,label,was,split", rows).notes == ()


def test_a_list_whose_paths_begin_in_a_folder_above_says_where(tmp_path):
    for at in range(4):
        picture(tmp_path / "images" / f"{at}.png", 20 * at)
    (tmp_path / "lists").mkdir()
    rows = [f"images/{at}.png,{'ab'[at % 2]}" for at in range(4)]
    with pytest.raises(
        DataError, match=rf"'images/0.png': no such file.*; from {re.escape(str(tmp_path.resolve()))} it is there"
    ):
        listed(tmp_path / "lists" / "train.csv", "file,label", rows)


def test_names_of_files_without_endings_come_before_those_that_they_once_had(tmp_path):
    for at in range(4):
        picture(tmp_path / f"x{at}.png", 60 * at)
    rows = [f"x{at},IMG_{7 * at}.jpg,{'ab'[at % 2]}" for at in range(4)]
    made = listed(tmp_path / "list.csv", "image,file,label", rows)
    assert (lights(made), len(made.notes)) == ([0, 60, 120, 180], 1)


def test_classes_of_roboflow_are_in_the_order_of_their_columns_also_where_a_part_has_one_only(tmp_path):
    pictures_of_parts(tmp_path, "test", "train")
    for part, cats in (("test", ()), ("train", (0, 1))):
        rows = [f"{at}.png,{int(at in cats)},{int(at not in cats)},0" for at in range(4)]
        (tmp_path / part / "_classes.csv").write_text("\n".join(["filename,cat,dog,cow", *rows]))
    made = load(DatasetSpec(path=str(tmp_path)))
    assert (made.class_names, made.train.labels.tolist(), made.test.labels.tolist()) == (("cat", "dog"), [0, 0, 1, 1], [1] * 4)

"""Lists of pictures as people have them: which column names the files, which of several files is meant, and what is said of
parts that nothing but folders tells."""

from __future__ import annotations

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
    with pytest.raises(DataError, match=r"(?s)row 1: '0': several files: .*; write in the list which, with its folder"):
        listed(tmp_path / "labels.csv", "id,label", rows)


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

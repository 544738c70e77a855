"""The first look: what is said of pictures, and that the study which is written for them is right as it stands."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from toile import api, studies
from toile.api import drafts
from toile.cli import main
from toile.data.errors import DataError
from toile.drafts import backbone
from toile.drafts.told import told
from toile.errors import Misuse
from toile.runner.plans.committees import groups


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of no backbone are here, and none can be downloaded."""
    monkeypatch.setattr(backbone.backbones, "imagenet_here", lambda *_: None)
    monkeypatch.setattr(backbone, "_obtainable", lambda *_: False)


def folder(root: Path, *, classes: str = "ab", each: int = 12, size: tuple[int, int] = (20, 16), colour: bool = False) -> Path:
    """Pictures of (height, width), all different."""
    random = np.random.default_rng(0)
    for name in classes:
        (root / name).mkdir(parents=True)
        for number in range(each):
            pixels = random.integers(0, 256, (*size, 3), np.uint8)
            image = Image.fromarray(pixels)
            (image if colour else image.convert("L")).save(root / name / f"{number}.png")
    return root


def test_what_is_seen_is_said(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = folder(tmp_path / "my pictures", colour=True)
    Image.open(root / "a" / "1.png").resize((300, 200)).save(root / "a" / "1.png")
    (root / "a" / "3.png").write_bytes((root / "a" / "2.png").read_bytes())
    (root / "b" / "5.png").write_text("no picture")
    main(["new", "my pictures"])
    out = capsys.readouterr().out
    assert "pictures     23\n" in out
    assert "classes      2: a (12), b (11)\n" in out
    assert "sizes        22 of 16 x 20, 1 of 300 x 200; brought to 96 x 96\n" in out
    assert "colour       in colour\n" in out
    assert "duplicates   1 of train (a/2.png = a/3.png)\n" in out
    assert "look-alikes  none\n" in out
    assert "broken       1, left out: b/5.png (not a picture, or of another format" in out
    assert (
        "13 train, 5 validation, 5 test" in " ".join(out.split())
        and "my-pictures.toml: `toile run my-pictures.toml` trains it" in out
    )
    study = tomllib.loads((tmp_path / "my-pictures.toml").read_text())
    assert study["dataset"] == {"path": "my pictures", "size": 96, "on_error": "skip"}
    assert study["split"] == {"validation": 0.2, "test": 0.2}


def test_the_draft_is_planned_as_it_was_when_it_was_written(tmp_path: Path) -> None:
    made = api.new(folder(tmp_path / "set"), output=tmp_path / "s.toml", store=tmp_path / "store")
    again = api.plan(tmp_path / "s.toml", store=tmp_path / "store")
    assert [one.fingerprint for one in again.trials] == [one.fingerprint for one in made.plan.trials]
    assert [one.name for one in again.trials] == [f"{line} (seed {seed})" for line in ("cnn", "resnet") for seed in range(3)]
    assert api.plan(tmp_path / "s.toml", fresh=False, store=tmp_path / "store").dataset.content == made.seen.dataset.content


def test_small_pictures_of_one_size_are_taken_as_they_are(tmp_path: Path) -> None:
    made = api.new(folder(tmp_path / "set"), output=tmp_path / "s.toml", store=tmp_path / "store")
    assert made.seen.dataset.image_shape == (20, 16, 1)
    assert told(made.seen)["sizes"] == "24 of 16 x 20"
    assert "size" not in tomllib.loads((tmp_path / "s.toml").read_text())["dataset"]


@pytest.mark.parametrize(
    ("parts", "drawn"), [(("train", "test"), {"validation"}), (("train", "val"), {"test"}), (("train", "val", "test"), set())]
)
def test_parts_that_are_there_are_not_drawn(tmp_path: Path, parts: tuple[str, ...], drawn: set[str]) -> None:
    for name in parts:
        folder(tmp_path / "set" / name)
    made = api.new(tmp_path / "set", output=tmp_path / "s.toml", store=tmp_path / "store")
    assert set(tomllib.loads((tmp_path / "s.toml").read_text()).get("split", {})) == drawn
    assert set(next(iter(made.plan.counts.values()))) == {"train", "validation", "test"}


def test_files_of_images_too(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    labels, images = np.arange(60) % 3, random.integers(0, 256, (60, 8, 8), np.uint8)
    images[3] = images[0]
    np.savez(tmp_path / "i.npz", x_train=images, y_train=labels)
    made = api.new(tmp_path / "i.npz", output=tmp_path / "s.toml", store=tmp_path / "store")
    assert told(made.seen)["sizes"] == "8 x 8"
    assert told(made.seen)["duplicates"] == "1 of train"


@pytest.mark.parametrize(("size", "each"), [((8, 8), 12), ((20, 16), 40), ((120, 90), 12)])
def test_the_search_works_when_its_marks_are_taken_away(tmp_path: Path, size: tuple[int, int], each: int) -> None:
    api.new(folder(tmp_path / "set", size=size, each=each), output=tmp_path / "s.toml", store=tmp_path / "store")
    text = (tmp_path / "s.toml").read_text()
    before, mark, search = text.partition("# [search]\n")
    assert mark and all(line.startswith("# ") for line in search.splitlines())
    (tmp_path / "s.toml").write_text(before + "".join(line.removeprefix("# ") + "\n" for line in (mark + search).splitlines()))
    made = api.plan(tmp_path / "s.toml", store=tmp_path / "store")
    assert made.study.search.minutes == 30
    proposed = [one for one in made.trials if one.proposed]
    assert proposed and {one.trial.architecture.name for one in proposed} <= {"cnn", "resnet"}
    # The committee of all is of the models that the study names.
    assert [len(group.members) for group in groups(made)] == [2, 2, 2]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    root, path = folder(tmp_path / "set"), tmp_path / "s.toml"
    path.write_text("mine")
    with pytest.raises(Misuse, match=r"s\.toml is there already; --force replaces it"):
        api.new(root, output=path, store=tmp_path / "store")
    assert path.read_text() == "mine"
    api.new(root, output=path, force=True, store=tmp_path / "store")
    assert path.read_text().startswith("# set: 24 pictures in 2 classes of 12.")


@pytest.mark.parametrize(
    ("build", "error", "says"),
    [
        (lambda root: folder(root, classes="a"), DataError, "all training images are of one class, 'a'"),
        (lambda root: folder(root, each=2), DataError, "2 images"),
        (lambda root: root, DataError, "no such file or folder"),
    ],
)
def test_what_cannot_be_trained_is_not_written(tmp_path: Path, build, error, says) -> None:
    with pytest.raises(error, match=says):
        api.new(build(tmp_path / "set"), output=tmp_path / "s.toml", store=tmp_path / "store")
    assert not (tmp_path / "s.toml").exists()
    with pytest.raises(Misuse, match="is no study file"):
        api.new(tmp_path / "set", output=tmp_path / "s.txt", store=tmp_path / "store")


@pytest.mark.parametrize("size", [0, -3, 100_000])
def test_a_size_that_no_picture_can_have_is_misuse(tmp_path: Path, size: int) -> None:
    """0 was taken for none, and a large one ended in pydantic's words."""
    with pytest.raises(Misuse, match=f"--size is at least 1.*got {size} x {size}"):
        api.new(tmp_path, output=tmp_path / "s.toml", size=size, store=tmp_path / "store")
    assert not (tmp_path / "s.toml").exists()


@pytest.mark.parametrize(
    "name", ['with "quotes"', "new\nline", "# no comment", "ünïcödé", "\x1b[31mred", "{{ 7 * 7 }}", "del\x7f"]
)
def test_strangers_names_are_data(tmp_path: Path, name: str) -> None:
    made = api.new(folder(tmp_path / name), output=tmp_path / "s.toml", store=tmp_path / "store")
    study = tomllib.loads((tmp_path / "s.toml").read_text())
    assert study["dataset"]["path"] == str(tmp_path / name)
    assert studies.load(tmp_path / "s.toml").spec == made.plan.study.model_copy(update={"split": study_split(tmp_path)})


def study_split(tmp_path: Path):
    return studies.load(tmp_path / "s.toml").spec.split


@given(
    height=st.integers(2, 40),
    width=st.integers(2, 40),
    channels=st.sampled_from([1, 3]),
    classes=st.integers(2, 6),
    each=st.integers(5, 9),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_pictures_are_the_draft_can_be_planned(
    tmp_path: Path, height: int, width: int, channels: int, classes: int, each: int
) -> None:
    shape = (classes * each, height, width, channels)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    np.savez(tmp_path / "i.npz", x_train=images, y_train=np.arange(classes * each) % classes)
    made = api.new(tmp_path / "i.npz", output=tmp_path / "s.toml", force=True, store=tmp_path / "store")
    assert made.seen.dataset.image_shape == (height, width, channels)
    assert len(made.plan.trials) == 6


def test_a_backbone_that_can_be_had_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder(tmp_path / "set")
    absent = api.new(root, output=tmp_path / "absent.toml", store=tmp_path / "store")
    monkeypatch.setattr(backbone, "_obtainable", lambda name, *_: name == "mobilenet")
    there = api.new(root, output=tmp_path / "there.toml", store=tmp_path / "store")
    assert {one.line for one in absent.plan.trials} == {"cnn", "resnet"}
    assert {one.line for one in there.plan.trials} == {"cnn", "resnet", "mobilenet"}
    marks = (tmp_path / "absent.toml").read_text()
    assert "Its weights are not on this machine" in marks
    # The marks taken away, it is a study as before, with the backbone.
    plain = "\n".join(
        line.removeprefix("# ") if line.startswith(("# [[", "# name =", "# arch", "# recipe =")) else line
        for line in marks[: marks.index("# A search")].split("\n")
    )
    (tmp_path / "absent.toml").write_text(plain)
    assert {one.line for one in api.plan(tmp_path / "absent.toml", store=tmp_path / "store").trials} == {
        "cnn",
        "resnet",
        "vgg16",
        "mobilenet, fine-tuned",
    }


@pytest.mark.parametrize(("validation", "rule"), [(10, "greedy"), (1000, "log-pool")])
def test_a_rule_is_fitted_where_there_are_pictures_enough(tmp_path: Path, validation: int, rule: str) -> None:
    random = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 40), ("val", validation), ("test", 20)):
        arrays[f"x_{part}"], arrays[f"y_{part}"] = random.integers(0, 256, (count, 4, 4), np.uint8), np.arange(count) % 2
    np.savez(tmp_path / "i.npz", **arrays)
    api.new(tmp_path / "i.npz", output=tmp_path / "s.toml", store=tmp_path / "store")
    (committee,) = tomllib.loads((tmp_path / "s.toml").read_text())["committee"]
    assert committee["rule"] == rule


@pytest.mark.parametrize(
    ("images", "side", "wanted"), [(100, 64, "vgg16"), (2000, 64, "vgg16"), (60_000, 28, "mobilenet"), (10**7, 64, "mobilenet")]
)
def test_a_backbone_is_no_larger_than_the_pictures_are_many(images: int, side: int, wanted: str) -> None:
    found = backbone.backbone((side, side, 3), images)
    assert (found.name, found.size) == (wanted, 64)


def test_names_of_files_are_as_shells_like_them(tmp_path: Path) -> None:
    for name, wanted in (
        ("my pictures (new)", "my-pictures-new"),
        ("images.csv.gz", "images"),
        ("§§", "study"),
        ("Ä b", "Ä-b"),
    ):
        path = tmp_path / name
        path.write_text("") if "csv" in name else path.mkdir()
        assert drafts._name(path) == wanted


def test_rare_classes_are_made_to_count(tmp_path: Path) -> None:
    root = folder(tmp_path / "set", classes="ab", each=40)
    for number in range(12, 40):
        (root / "b" / f"{number}.png").unlink()
    api.new(root, output=tmp_path / "s.toml", store=tmp_path / "store")
    text = (tmp_path / "s.toml").read_text()
    assert tomllib.loads(text)["recipe"]["class_weight"] == "balanced" and "# There are 12 to 40 pictures of a class." in text
    for number in range(36, 40):  # three to one is not more than three to one
        (root / "a" / f"{number}.png").unlink()
    api.new(root, output=tmp_path / "t.toml", store=tmp_path / "store")
    assert "class_weight" not in (tmp_path / "t.toml").read_text()


def test_a_list_is_looked_at_as_a_folder_is(tmp_path: Path) -> None:
    root = folder(tmp_path / "set", size=(90, 120))
    Image.open(root / "a" / "1.png").resize((30, 20)).save(root / "a" / "1.png")
    files = [path.relative_to(tmp_path).as_posix() for path in sorted(root.rglob("*.png"))]
    (tmp_path / "list.csv").write_text("filename,label\n" + "".join(f"{name},{name.split('/')[1]}\n" for name in files))
    made = api.new(tmp_path / "list.csv", output=tmp_path / "s.toml", store=tmp_path / "store")
    assert tomllib.loads((tmp_path / "s.toml").read_text())["dataset"]["size"] == 96
    assert told(made.seen)["sizes"] == "23 of 120 x 90, 1 of 30 x 20; brought to 96 x 96"


def test_the_way_out_is_one_of_the_command(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name / "2020").mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / name / "2020" / "1.png")
    with pytest.raises(DataError, match="if each is a class, `nested = true`; for `toile new`: --nested"):
        api.new(tmp_path, output=tmp_path / "a.toml", store=tmp_path / "store")

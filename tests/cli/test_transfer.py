"""Transfer through the command: weights by name, features that trials share and `gc` knows, and what cannot be had."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from tests.training.fixture import elsewhere
from toile import api, cli
from toile.api import studies as verbs
from toile.models import architectures, backbones

WEIGHTS = "small.weights.h5"
STUDY = """
title = "Transfer"
dataset = "digits"
seeds = [0, 1]
split = { method = "tail", validation = 0.1 }
recipe = { epochs = 1, batch_size = 64 }

[[trial]]
name = "head"
architecture = { name = "transfer", BACKBONE, pooling = "average" }
"""


def study(folder: Path, backbone: str) -> str:
    path = folder / "study.toml"
    path.write_text(STUDY.replace("BACKBONE", backbone), "utf-8")
    return str(path)


def toile(*arguments: object, code: int = 0) -> None:
    """Run the command in this process."""
    try:
        cli.main(list(map(str, arguments)))
        ended = 0
    except SystemExit as stopped:
        ended = stopped.code
    assert ended == code


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A folder with the weights of a MobileNet of 0.25 (drawn at random: what they know is not the matter here)."""
    folder = tmp_path_factory.mktemp("weights")
    elsewhere(save_weights, folder / WEIGHTS)
    return folder


def save_weights(file: Path) -> None:
    options = {"backbone": "mobilenet", "alpha": 0.25, "weights": "none"}
    architectures.build("transfer", (28, 28, 1), 2, options).get_layer("backbone").save_weights(file)


@pytest.mark.slow
def test_seeds_share_features_and_gc_keeps_them_for_their_runs(weights, tmp_path, monkeypatch, capsys):
    store, named = tmp_path / "store", study(tmp_path, f'backbone = "mobilenet", alpha = 0.25, weights = "{WEIGHTS}"')
    monkeypatch.setenv("TOILE_WEIGHTS", str(weights))
    toile("run", named, "--store", store, "--workers", 1)
    # Training and test images, once for both seeds, and each says for whom.
    features = sorted((store / "features").iterdir())
    runs = sorted((store / "runs").iterdir())
    assert len(features) == len(runs) == 2
    assert all((folder / run.name).is_file() for folder in features for run in runs)

    # The content decides: the same file beside the study and in no place of weights is the same trial.
    monkeypatch.delenv("TOILE_WEIGHTS")
    shutil.copy(weights / WEIGHTS, tmp_path)
    assert not api.plan(named, store=store).pending()

    capsys.readouterr()
    toile("gc", "--store", store, "--delete")
    assert capsys.readouterr().out == ""
    shutil.rmtree(runs[0])
    toile("gc", "--store", store, "--delete")
    assert capsys.readouterr().out == ""
    shutil.rmtree(runs[1])
    toile("gc", "--store", store, "--delete")
    removed = capsys.readouterr().out
    assert all(f"removed {folder}\n" in removed for folder in features) and ".weights.h5" in removed
    assert not list((store / "features").iterdir()) + list((store / "weights").iterdir())


@pytest.mark.parametrize(
    ("backbone", "says"),
    [
        ('backbone = "mobilnet"', "unknown backbone 'mobilnet' (did you mean 'mobilenet'?)"),
        (f'backbone = "mobilenet", alpha = 0.5, weights = "{WEIGHTS}"', "it fits mobilenet with alpha = 0.25"),
        (f'backbone = "vgg16", weights = "{WEIGHTS}"', "does not fit vgg16: it holds 218,544 numbers, 14,714,688 are wanted"),
        (
            'backbone = "mobilenet", weights = "smal.weights.h5"',
            f"(did you mean '{WEIGHTS}'?); looked beside the study, here and",
        ),
    ],
)
@pytest.mark.parametrize("verb", ["plan", "run"])
def test_what_cannot_be_is_one_error_before_anything_trains(verb, backbone, says, weights, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TOILE_WEIGHTS", str(weights))
    toile(verb, study(tmp_path, backbone), "--store", tmp_path / "store", code=2)
    assert says in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_weights_that_cannot_be_downloaded_are_told_when_planned_and_end_a_run_before_it_trains(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)  # away from the weights that may lie beside the project
    monkeypatch.setattr(backbones, "_unreachable", lambda url: "no route to host")
    named = study(tmp_path, 'backbone = "vgg16"')
    told = "trials 'head (seed 0)', 'head (seed 1)': the ImageNet weights of vgg16 are not here and cannot be downloaded"
    toile("plan", named, "--store", tmp_path / "store")
    assert f"warning: {told}" in capsys.readouterr().err
    toile("run", named, "--store", tmp_path / "store", code=1)
    said = capsys.readouterr().err
    assert said.count("cannot be downloaded") == 1 and told in said and said.endswith("Nothing else is left to train.\n")
    assert f"for vgg16_imagenet_notop.weights.h5 in {tmp_path / 'weights'}, " in said  # a file that would have been taken
    assert not list((tmp_path / "store" / "runs").iterdir()) + list((tmp_path / "store" / "work").iterdir())


def test_the_ledger_does_without_studies_whose_weights_are_not_here(tmp_path, monkeypatch):
    """A clone has no weights; what was measured of such a study stays, and nothing new can be found of it."""
    named = study(tmp_path, 'backbone = "mobilenet", weights = "nowhere.weights.h5"')
    monkeypatch.setattr(verbs.studies, "names", lambda: (named,))
    with pytest.raises(backbones.WeightsMissing):
        api.plan(named, store=tmp_path)
    loaded = verbs.studies.load(named)
    verbs.Store.at(tmp_path / "store").keep(verbs.load_dataset(loaded.dataset), loaded.dataset)
    added, (row,) = api.ledger(tmp_path / "results", tmp_path / "ledger.md", store=tmp_path / "store")
    assert (added, row.verdict) == (0, "not measured")


def test_what_lacks_nothing_is_trained_by_a_command_that_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(backbones, "_unreachable", lambda url: "no route to host")
    file = tmp_path / "two.toml"
    file.write_text(
        'title = "t"\ndataset = "digits"\n[recipe]\nepochs = 1\n'
        '[[trial]]\nname = "head"\narchitecture = { name = "transfer", backbone = "vgg16" }\n'
        '[[trial]]\nname = "on"\narchitecture = { name = "transfer", backbone = "vgg16" }\nwarm_start = "head"\n'
        '[[trial]]\nname = "a plain one"\narchitecture = "logistic-regression"\n'
    )
    toile("run", file, "--store", tmp_path / "store", code=1)
    command = f"toile run {file} --store {tmp_path / 'store'} --only 'a plain one'"
    assert capsys.readouterr().err.endswith(f"`{command}` trains the others.\n")
    toile(*shlex.split(command)[1:])
    assert "done" in capsys.readouterr().err

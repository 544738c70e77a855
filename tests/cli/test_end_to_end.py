"""toile as its users meet it: the installed command, real images, real trainings, and things gone wrong on purpose."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toile.data.sources import fashion_mnist

TOILE = Path(sys.executable).with_name("toile")
TINY = Path(__file__).parents[1] / "studies" / "tiny.toml"
REPOSITORY = Path(__file__).parents[2]


def toile(*arguments: str | Path, store: Path | None = None, code: int = 0, **environment: str) -> subprocess.CompletedProcess:
    """Run the command; a store that is given goes in by --store."""
    where = ["--store", str(store)] if store else []
    done = subprocess.run(
        [TOILE, *map(str, arguments), *where], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which the tiny study has been run by the command."""
    folder = tmp_path_factory.mktemp("store")
    done = toile("run", TINY, store=folder)
    assert "2 to train" in done.stderr, "the third trial is the first under another name and is not trained twice"
    return folder


def test_a_second_run_trains_nothing(store: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*") if path.is_file()}
    assert "0 to train, 2 stored" in toile("run", TINY, store=store).stderr
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*") if path.is_file()} == before


def test_a_run_is_whole(store: Path) -> None:
    folders = list((store / "runs").iterdir())
    assert len(folders) == 2
    for folder in folders:
        assert {path.name for path in folder.iterdir()} == {
            "trial.json", "history.csv", "metrics.json", "probabilities.npz", "model.keras", "provenance.json", "manifest.json",
        }  # fmt: skip
        with np.load(folder / "probabilities.npz", allow_pickle=False) as stored:
            assert set(stored.files) == {"validation", "test"}
            assert stored["test"].dtype == np.float32
            np.testing.assert_allclose(stored["test"].sum(axis=1), 1, atol=1e-5)
        facts = json.loads((folder / "provenance.json").read_text())
        assert facts["images_per_second"] > 0
        assert facts["threads"] == 1
    assert not [path for path in (store / "work").iterdir() if path.is_dir()]


def test_report_json_is_the_contract(store: Path) -> None:
    done = toile("report", TINY, "--json", store=store)
    found = json.loads(done.stdout)
    assert found["study"] == "tiny"
    assert [trial["name"] for trial in found["trials"]] == ["perceptron", "convolution", "perceptron again"]
    first = found["trials"][0]
    assert first["fingerprint"] == found["trials"][2]["fingerprint"]
    assert re.fullmatch("[0-9a-f]{64}", first["fingerprint"])
    assert first["parameters"] == 784 * 32 + 32 + 32 * 10 + 10 == first["trainable_parameters"]
    assert first["epochs_run"] == 4
    assert set(first["seconds"]) == {"train", "evaluate"}
    assert first["published"]["test"] == {"accuracy": 0.5, "loss": 1.5}
    for split in ("validation", "test"):
        assert {"accuracy", "loss", "precision", "recall"} <= set(first[split])
    assert first["test"]["accuracy"] > 0.5
    both = found["committees"][0]
    assert (both["name"], both["members"], both["rule"]) == ("both", ["perceptron", "convolution"], "mean")
    members = [trial["test"]["accuracy"] for trial in found["trials"][:2]]
    assert both["mean_of_members"]["accuracy"] == pytest.approx(np.mean(members))


def test_the_committee_is_the_mean_of_stored_probabilities(store: Path) -> None:
    found = json.loads(toile("report", TINY, "--json", store=store).stdout)
    stored = [np.load(store / "runs" / trial["fingerprint"] / "probabilities.npz")["test"] for trial in found["trials"][:2]]
    labels = np.load(next((store / "data").glob("*/test-labels.npy")))
    accuracy = (np.mean(stored, axis=0).argmax(axis=1) == labels).mean()
    assert found["committees"][0]["test"]["accuracy"] == pytest.approx(accuracy)


def test_report_is_one_file_and_the_same_twice(store: Path, tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        assert str(tmp_path / name) in toile("report", TINY, "--output", tmp_path / name, store=store).stdout
    first, second = ((tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert first == second
    assert b"digits" in first


@pytest.mark.parametrize("verb", ["report", "status", "combine"])
def test_what_reads_the_store_never_imports_a_trainer(verb: str, store: Path) -> None:
    script = (
        "import sys; from toile.cli import main; main(sys.argv[1:]); "
        "loaded = set(sys.modules) & {'keras', 'tensorflow', 'jax', 'torch'}; assert not loaded, loaded"
    )
    command = [sys.executable, "-c", script, verb, str(TINY), "--store", str(store)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_plan_status_and_list_speak_json(store: Path) -> None:
    plan = json.loads(toile("plan", TINY, "--json", store=store).stdout)
    assert [trial["state"] for trial in plan["trials"]] == ["stored"] * 3
    assert (plan["distinct"], plan["to_train"]) == (2, 0)
    status = json.loads(toile("status", TINY, "--json", store=store).stdout)
    assert status["stored"] == 3
    listed = json.loads(toile("list", "--json").stdout)
    assert {"committee"} <= set(listed["studies"])
    assert {"cnn", "mlp"} <= set(listed["architectures"])
    assert {"mean", "geometric-mean", "median", "vote", "weighted-mean"} <= set(listed["rules"])


def test_compare_is_a_paired_test(store: Path) -> None:
    found = json.loads(toile("compare", f"{TINY}/perceptron", f"{TINY}/convolution", "--json", store=store).stdout)
    assert 0 <= found["p_value"] <= 1
    assert found["images"] == 360
    itself = json.loads(toile("compare", f"{TINY}/perceptron", f"{TINY}/perceptron again", "--json", store=store).stdout)
    assert itself["p_value"] == 1


def test_show_finds_a_run_by_its_first_digits(store: Path) -> None:
    fingerprint = next((store / "runs").iterdir()).name
    assert json.loads(toile("show", fingerprint[:8], store=store).stdout)["fingerprint"] == fingerprint
    assert "no single run" in toile("show", "000000", store=store, code=2).stderr


@pytest.mark.slow
def test_predict_says_what_it_did_to_the_image(store: Path, tmp_path: Path) -> None:
    images = np.load(next((store / "data").glob("*/test-images.npy")))
    labels = np.load(next((store / "data").glob("*/test-labels.npy")))
    picture = Image.fromarray(255 - images[0, :, :, 0]).convert("RGB").resize((120, 120))
    picture.save(tmp_path / "a.png")
    Image.fromarray(images[1, :, :, 0]).save(tmp_path / "b.png")
    by_run = toile("predict", f"{TINY}/both", tmp_path / "a.png", tmp_path / "b.png", "--json", store=store)
    answers = json.loads(by_run.stdout)
    assert len(answers) == 2
    assert sum(answers[0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert set(answers[0]["members"]) == {"perceptron", "convolution"}
    assert any("invert" in step for step in answers[0]["steps"])
    assert answers[1]["class_name"] == str(labels[1])
    (tmp_path / "no.png").write_text("not an image")
    assert "no.png" in toile("predict", f"{TINY}/both", tmp_path / "no.png", store=store, code=1).stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["weighed", "convolution"])
def test_predict_says_the_same_from_an_exported_file(name: str, store: Path, tmp_path: Path) -> None:
    reference, file, picture = f"{TINY}/{name}", tmp_path / "model.onnx", tmp_path / "a.png"
    Image.fromarray(np.load(next((store / "data").glob("*/test-images.npy")))[7, :, :, 0]).save(picture)
    done = toile("export", reference, "--output", file, store=store)
    assert str(file) in done.stdout
    assert "on 1,000 images, the same class on all" in done.stdout
    (ours,), (theirs,) = (
        json.loads(toile("predict", asked, picture, "--json", store=store).stdout) for asked in (file, reference)
    )
    assert ours.pop("probabilities") == pytest.approx(theirs.pop("probabilities"), abs=1e-5)
    of_members = theirs.pop("members")
    assert list(of_members) == (["perceptron", "convolution"] if name == "weighed" else [])
    assert ours.pop("members") == {member: pytest.approx(row, abs=1e-5) for member, row in of_members.items()}
    assert ours == theirs


def test_combine_prints_the_committee_and_the_means(store: Path) -> None:
    out = toile("combine", TINY, store=store).stdout
    assert "both (mean)" in out
    assert "mean of the members' figures" in out


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_with_the_same_bits(store: Path, tmp_path: Path) -> None:
    command = [TOILE, "run", str(TINY), "--store", str(tmp_path), "--workers", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if "epoch 2/4" in line:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    toile("run", TINY, store=tmp_path)
    resumed = [len(json.loads(path.read_text())["sessions"]) for path in tmp_path.glob("runs/*/provenance.json")]
    assert sorted(resumed) == [1, 2], "one trial was interrupted, the other never begun"
    for folder in (store / "runs").iterdir():
        again = tmp_path / "runs" / folder.name / "probabilities.npz"
        with np.load(folder / "probabilities.npz") as whole, np.load(again) as resumed_one:
            for split in whole.files:
                np.testing.assert_array_equal(whole[split], resumed_one[split])


@pytest.mark.slow
def test_a_trial_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    study = TINY.read_text().replace(
        'name = "convolution"', 'name = "convolution"\nrecipe = { optimizer = { name = "sgd", learning_rate = 1e30 } }'
    )
    (tmp_path / "study.toml").write_text(study)
    done = toile("run", tmp_path / "study.toml", store=tmp_path / "store", code=1)
    assert "not a number" in done.stderr
    assert "convolution" in done.stderr
    found = json.loads(toile("status", tmp_path / "study.toml", "--json", store=tmp_path / "store").stdout)
    assert [trial["state"] for trial in found["trials"]] == ["stored", "missing", "stored"]


@pytest.mark.skipif(
    signal.getsignal(signal.SIGINT) == signal.SIG_IGN, reason="Ctrl-C is ignored here, as shells have it in the background"
)
def test_ctrl_c_stops_cleanly(tmp_path: Path) -> None:
    command = [TOILE, "run", str(TINY), "--store", str(tmp_path), "--workers", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        told = []
        for line in process.stderr:
            told.append(line)
            if "epoch 1/4" in line:
                process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    assert "goes on from here" in "".join(told)
    assert "Traceback" not in "".join(told)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "comittee"], 2, "did you mean 'committee'"),
        (["run", "no-such.toml"], 2, "no study file"),
        (["run", TINY, "--workers", "0"], 2, "at least 1"),
        (["run", TINY, "--only", "perceptorn"], 2, "did you mean 'perceptron'"),
        (["plan", TINY, "--dataset", "digit"], 2, "did you mean 'digits'"),
        (["rum"], 2, "rum"),
        (["report", TINY], 1, "nothing of 'tiny' is stored"),
        (["predict", f"{TINY}/both", "x.png"], 1, "stored"),
        (["predict", "no.onnx", "x.png"], 1, "no.onnx"),
        (["export", f"{TINY}/both"], 1, "stored"),
        (["export", "abcdef"], 2, "no single run 'abcdef'"),
    ],
)
def test_misuse_is_told_in_one_message(arguments: list, code: int, said: str, tmp_path: Path) -> None:
    done = toile(*arguments, code=code, TOILE_STORE=str(tmp_path / "empty"))
    assert said in done.stderr


def test_no_data_and_no_network_says_where_it_looked_and_the_way_out(tmp_path: Path) -> None:
    done = subprocess.run(
        [TOILE, "run", "committee", "--store", tmp_path / "store"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        # No place has it: not the user's folders, not the caches, and nothing may be downloaded.
        env={**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "KERAS_HOME": str(tmp_path),
             "TOILE_DATA": str(tmp_path), "TOILE_MIRRORS": ""},
    )  # fmt: skip
    assert done.returncode == 1
    assert "--dataset digits" in done.stderr
    assert str(tmp_path) in done.stderr
    assert not (tmp_path / "store").exists()


@pytest.mark.slow
def test_a_slice_of_the_real_data(tmp_path: Path) -> None:
    """The packaged committee's three architectures on 3,000 real images, from IDX files, end to end."""
    found = [place for place in fashion_mnist.places() if (place / "train-images-idx3-ubyte.gz").is_file()]
    if not found:
        pytest.skip("Fashion-MNIST is not on this machine")
    for kind, count in (("train", 3000), ("t10k", 500)):
        for what, header, size in (("images-idx3", 16, 784), ("labels-idx1", 8, 1)):
            name = f"{kind}-{what}-ubyte"
            content = gzip.decompress((found[0] / f"{name}.gz").read_bytes())
            cut = content[:4] + count.to_bytes(4, "big") + content[8 : header + count * size]
            (tmp_path / name).write_bytes(cut)
    study = (REPOSITORY / "src/toile/studies/committee.toml").read_text()
    study = study.replace('dataset = "fashion-mnist"', 'dataset = { path = ".", format = "idx" }').replace("= 20", "= 3", 1)
    (tmp_path / "slice.toml").write_text(study)
    toile("run", tmp_path / "slice.toml", store=tmp_path / "store")
    report = json.loads(toile("report", tmp_path / "slice.toml", "--json", store=tmp_path / "store").stdout)
    assert [trial["parameters"] for trial in report["trials"]] == [298_058, 14_058, 99_946]
    assert [trial["trainable_parameters"] for trial in report["trials"]] == [298_058, 14_058, 99_498]
    assert report["trials"][0]["test"]["accuracy"] > 0.6
    assert report["committees"][0]["test"]["accuracy"] > 0.6

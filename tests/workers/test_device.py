"""What trainings compute on, with libraries that only pretend to see a GPU."""

from __future__ import annotations

import pytest

from tests.training.fixture import ALL_BACKENDS, OTHER_BACKENDS, STATEFUL, make_store, make_trial, python, work
from toile.errors import Misuse, ToileError
from toile.runner.executors.local import Local
from toile.runner.run import executor_named
from toile.workers import device as devices
from toile.workers.device import Seen, device
from toile.workers.process import environment

PRETENDED = """
class Device:
    platform, device_kind = {platform!r}, {name!r}
def devices():
    {before}
    return [Device]
"""


@pytest.fixture
def jax(monkeypatch, tmp_path):
    """Puts a library named jax that sees one device before the real one, on a machine with the file of a GPU."""

    def pretend(
        platform: str = "gpu", name: str = "Pretended 100", before: str = "pass", files: tuple[str, ...] = ("/dev/null",)
    ):
        (tmp_path / "jax.py").write_text(PRETENDED.format(platform=platform, name=name, before=before), "utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
        monkeypatch.setattr(devices, "FILES", files)
        devices.seen.cache_clear()

    yield pretend
    devices.seen.cache_clear()


def test_a_gpu_has_one_worker_unless_told_otherwise(jax):
    jax()
    assert device(None, "jax") == device("gpu", "jax") == Seen("gpu", "Pretended 100")
    assert Local(backend="jax").slots == 1 == executor_named(backend="jax", device="gpu").slots
    assert Local(workers=3, backend="jax").slots == 3
    assert Local(on="cpu", backend="jax").slots == Local(backend=None).slots == Local().slots


def test_without_a_gpu_all_cores_are_used(jax):
    jax("cpu", "cpu")
    assert device(None, "jax") == Seen("cpu", "cpu") and Local(backend="jax").slots == Local().slots


def test_a_machine_without_a_gpu_asks_no_library(jax, monkeypatch):
    jax(files=("/dev/no-such-thing",))
    monkeypatch.setattr(devices.sys, "platform", "linux")
    monkeypatch.setattr(devices.subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    assert device(None, "jax").device == "cpu"


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"platform": "cpu", "name": "cpu"}, "jax sees none here: cpu"),
        ({"before": "raise RuntimeError('the driver is too old')"}, "RuntimeError: the driver is too old"),
        ({"files": ("/dev/no-such-thing",)}, "no GPU on this machine"),
    ],
    ids=["a library for the processor", "a driver that fails", "no GPU at all"],
)
def test_a_gpu_that_is_asked_for_and_is_not_there(jax, how, says):
    jax(**how)
    with pytest.raises(ToileError, match="the device 'gpu' is asked for") as raised:
        executor_named(device="gpu", backend="jax")
    for words in (says, "jax[cuda13]", "--device cpu"):
        assert words in str(raised.value)


def test_tensorflow_for_processors_is_not_loaded_to_ask(jax, monkeypatch):
    jax()
    monkeypatch.setattr(devices.subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    with pytest.raises(ToileError, match=r'tensorflow-cpu .*write `backend = "jax"`'):
        device("gpu", "tensorflow")


def test_no_such_device():
    with pytest.raises(Misuse, match=r"unknown device 'gpus' .did you mean 'gpu'"):
        device("gpus", "jax")  # type: ignore[arg-type]
    with pytest.raises(Misuse, match="the executor 'dask' takes no device, got 'gpu'"):
        executor_named("dask", scheduler="tcp://127.0.0.1:1", device="gpu")


def test_processes_share_a_gpu_s_memory_and_a_user_s_own_setting_goes_before(monkeypatch):
    monkeypatch.delenv("XLA_PYTHON_CLIENT_PREALLOCATE", raising=False)
    assert environment("jax", 1)["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    assert environment("tensorflow", 1)["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "true")
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    found = environment("jax", 1)
    assert found["XLA_PYTHON_CLIENT_PREALLOCATE"] == "true" and found["JAX_PLATFORMS"] == "cuda"
    hidden = environment("jax", 1, "cpu")
    assert hidden["JAX_PLATFORMS"] == hidden["KERAS_TORCH_DEVICE"] == "cpu" and hidden["CUDA_VISIBLE_DEVICES"] == ""


@pytest.mark.parametrize("backend", ALL_BACKENDS)
def test_a_run_says_what_it_was_trained_on(backend, tmp_path):
    store, trial = make_store(tmp_path), make_trial(backend=backend, epochs=1)
    work(trial, store)
    found = store.get(trial.fingerprint).provenance["device"]
    assert isinstance(found, str) and found and "device" not in trial.canonical()


# As if TensorFlow were not installed: nothing finds it.
ABSENT = """
import sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *more: None if name == "tensorflow" else find(name, *more)
"""
BLOCKED = f"""
{ABSENT}
import importlib, pkgutil
import toile
lacking = []
for module in pkgutil.walk_packages(toile.__path__, "toile."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] == "tensorflow":
                lacking.append(module.name)
print(*lacking)
"""


@pytest.mark.parametrize("backend", OTHER_BACKENDS)
def test_only_what_trains_on_tensorflow_imports_it(backend):
    """So toile trains on JAX or PyTorch where TensorFlow is not installed."""
    assert python(BLOCKED, backend=backend).split() == [
        "toile.training.engines.tensorflow", "toile.training.optimizers.fused_updates", "toile.training.training_layers",
    ]  # fmt: skip


@pytest.mark.parametrize("backend", OTHER_BACKENDS)
def test_it_trains_where_tensorflow_is_not_installed(backend, tmp_path):
    store, trial = make_store(tmp_path), make_trial("cnn", STATEFUL, backend=backend, epochs=1)
    path = tmp_path / "trial.json"
    path.write_text(trial.canonical(), "utf-8")
    code = f"{ABSENT}\nfrom toile.workers import train\nassert train.main(sys.argv[1:]) == 0"
    python(code, path, store.root, "--threads", "1", backend=backend)
    assert store.get(trial.fingerprint)

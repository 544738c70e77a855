"""Other systems: a trial is trained where there is nothing that only Unix has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Every process of the test starts with it: what Windows lacks is not there, whoever asks.
WITHOUT_UNIX = """
import os, select, signal, sys
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
for module, names in (
    (os, ("fork", "forkpty", "getuid", "geteuid", "killpg", "mkfifo", "pipe2", "sched_getaffinity", "setsid", "statvfs")),
    (select, ("epoll", "poll")),
    (signal, ("SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "alarm")),
):
    for name in names:
        delattr(module, name)
"""
STUDY = """
title = "Elsewhere"
dataset = "digits"
recipe = { epochs = 1 }
[[trial]]
name = "small"
architecture = { name = "mlp", hidden = [4] }
"""
SCRIPT = """
import importlib, json, sys
import toile
from toile.runner.executors import local
from toile.runner import run
from toile.workers.starter import Fresh

# Where we ask which system it is. (The libraries are imported already, and stay those of this one.)
here, sys.platform = sys.platform, "win32"
importlib.reload(local)
sys.platform = here
importlib.reload(run)
assert local.STARTER is Fresh
for name in ("resource", "fcntl"):
    try:
        importlib.import_module(name)
    except ImportError:
        pass
    else:
        raise AssertionError(name)

[fingerprint] = toile.run(sys.argv[1], workers=1, fraction=0.1, store=sys.argv[2])
found = toile.find_run(fingerprint, store=sys.argv[2])
assert found.provenance["peak_memory_mb"] is None
assert 0 <= found.metrics["test"]["accuracy"] <= 1
toile.report(sys.argv[1], fraction=0.1, store=sys.argv[2])
print("trained")
"""


@pytest.mark.slow
def test_a_trial_is_trained_without_what_only_unix_has(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_UNIX, "utf-8")
    (tmp_path / "small.toml").write_text(STUDY, "utf-8")
    paths = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "small.toml", tmp_path / "store"],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1:] == ["trained"], done.stderr

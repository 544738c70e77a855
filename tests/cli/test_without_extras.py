"""Verbs where what they need beside toile itself is not installed: they say which extra brings it."""

from __future__ import annotations

import subprocess
import sys

import pytest

# As if these packages were not installed: nothing finds them.
WITHOUT = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, *where):
        return None if name.partition(".")[0] in sys.argv[1].split() else self.finder.find_spec(name, *where)

sys.meta_path[:] = map(Without, sys.meta_path)
from toile.cli import main
main(sys.argv[2:])
"""
SERVER = "fastapi starlette uvicorn httptools python_multipart prometheus_client"


@pytest.mark.parametrize(
    ("missing", "verb", "said"),
    [
        (
            SERVER,
            ["open", "--no-browser"],
            "toile: fastapi is not installed; `pip install 'toile-workbench[serve]'` brings what",
        ),
        (SERVER, ["serve", "no.onnx"], "toile: no.onnx is no file; "),
        (
            "onnxruntime",
            ["serve", "an.onnx"],
            "toile: onnxruntime is not installed; `pip install 'toile-workbench[serve]'` brings",
        ),
    ],
    ids=["open", "serve what is not there", "serve"],
)
def test_the_extra_is_named(tmp_path, missing, verb, said):
    (tmp_path / "an.onnx").write_bytes(b"")
    (tmp_path / "toile-runs").mkdir()
    command = [sys.executable, "-c", WITHOUT, missing, *verb]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.stderr.startswith(said) and len(done.stderr.splitlines()) == 1, done.stderr
    assert done.returncode

"""What a type checker, and with it an editor, knows of toile from outside."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import toile

SCRIPT = """import toile

toile.plan("committee", fraction=0.1, epochs_scale=0.5)
toile.run("committee", workers=2, store="here", data_dir="there", dataset="digits", fraction=0.1, epochs_scale=0.5)
toile.run("committee", stor="here")
toile.results("committee", fraction="a tenth")
toile.ImageClassifier("cnn", epochs="many")
"""


def test_its_types_are_seen_from_outside(tmp_path):
    source = Path(toile.__file__).parent
    assert (source / "py.typed").is_file()
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"extraPaths": [str(source.parent)]}))
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    found = json.loads(done.stdout)["generalDiagnostics"]
    assert [(one["range"]["start"]["line"] + 1, one["rule"]) for one in found] == [
        (5, "reportCallIssue"),
        (6, "reportArgumentType"),
        (7, "reportArgumentType"),
    ], found
    assert 'No parameter named "stor"' in found[0]["message"]

"""Where reports lie in a store: under the short names of their studies, each of which may be the name of several."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from toile.store import atomic

WRITTEN = "written.json"  # name of a report -> the study file that it is of


def place(folder: Path, name: str, source: str) -> Path:
    """The file of a study's report: `name`.html, or another where that one is of another study that is still there.

    Args:
        folder: of reports.
        source: the study's file, an absolute path; or the name of a packaged study.
    """
    path = folder / f"{name}.html"
    owner = _written(folder).get(path.name, source)
    if not path.is_file() or owner == source or (Path(owner).is_absolute() and not Path(owner).is_file()):
        return path
    return folder / f"{name}-{hashlib.sha256(source.encode()).hexdigest()[:8]}.html"


def note(path: Path, source: str) -> None:
    """Keep which study a report in a folder of reports is of."""
    written = _written(path.parent)
    if written.get(path.name) != source:
        atomic.write_json(path.parent / WRITTEN, {**written, path.name: source})


def _written(folder: Path) -> dict[str, str]:
    try:
        found: Any = json.loads((folder / WRITTEN).read_bytes())
        return {str(name): str(source) for name, source in found.items()}
    except (OSError, ValueError, AttributeError):
        return {}  # nothing is lost with it but which name a report gets

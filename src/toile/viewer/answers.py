"""What the page asks about a store, and is answered. Everything is read; nothing is written."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from toile.errors import Misuse, ToileError
from toile.evaluation import comparison
from toile.reports.page.html import render
from toile.reports.results.compared import evaluated_committees
from toile.reports.results.summary import plain
from toile.serving.http.problem import Problem
from toile.store.checked import Damaged
from toile.store.run import Run
from toile.version import __version__
from toile.viewer.index import COLUMNS, Index
from toile.viewer.looking import Looking
from toile.viewer.shown import Asked, Studies
from toile.viewer.subjects import Subject, Subjects
from toile.viewer.working import Working

COMMITTEE = "~"  # STUDY~2 is the third committee of a study


class Answers:
    """Answers about one store.

    Args:
        store: the store's folder.
        named: studies to be shown even if nothing of them is stored.
        folder: whose `.toml` files are looked at as studies too.
        asked: what of studies is meant.
        cache: file of the rows of all runs; None for the user's cache.
    """

    def __init__(
        self,
        store: Looking,
        named: Iterable[str] = (),
        folder: Path | None = None,
        asked: Asked | None = None,
        cache: Path | None = None,
    ) -> None:
        self.store = store
        self.index, self.working, self.subjects = Index(store, cache), Working(store), Subjects(store)
        self.studies = Studies(store, named, folder, asked)
        self._lock = threading.Lock()

    def about(self) -> dict[str, Any]:
        """The store and its data sets: content -> name, classes and images."""
        found: dict[str, Any] = {}
        for path in sorted(self.store.data_folder.glob("[!.]*/dataset.json")):
            try:
                record = json.loads(path.read_bytes())
                found[path.parent.name] = {"name": str(record["name"]), "classes": len(record["class_names"])}
            except (OSError, ValueError, KeyError, TypeError):
                continue  # `toile check` says what is damaged; a name is missing here
        return {"store": str(self.store.root.resolve()), "toile": __version__, "datasets": found, "reports": self._reports()}

    def _reports(self) -> list[str]:
        return sorted(
            path.name for path in self.store.reports_folder.glob("*.html") if path.is_file() and not path.is_symlink()
        )

    def runs(self) -> dict[str, Any]:
        """The table: `columns`, `rows`, and how many runs are `left` to be read; ask again for those."""
        with self._lock:
            rows, left = self.index.look()
        return {"columns": COLUMNS, "rows": rows, "left": left}

    def run(self, fingerprint: str) -> dict[str, Any]:
        """All that a run says of itself."""
        run = self._run(fingerprint)
        return {
            "fingerprint": fingerprint, "trial": run.trial, "metrics": run.metrics, "provenance": run.provenance,
            "history": run.history, "checked": run.manifest is not None, **self._matrix(fingerprint),
        }  # fmt: skip

    def _matrix(self, subject: str) -> dict[str, Any]:
        """The confusion matrix, where there are test images in the store; else why there are none."""
        try:
            of = self.subject(subject)
        except Damaged:
            raise
        except ToileError as error:
            return {"matrix": None, "classes": [], "why": str(error)}
        return {"matrix": of.matrix(), "classes": of.classes, "why": ""}

    def history(self, fingerprint: str) -> list[dict[str, float]]:
        return self._run(fingerprint).history

    def committee(self, reference: str) -> dict[str, Any]:
        """The confusion matrix of a committee, STUDY~NUMBER."""
        return {"name": self.subject(reference).name, **self._matrix(reference)}

    def compare(self, a: str, b: str) -> dict[str, Any]:
        """Whether two runs or committees differ on the test images, by a paired test; and where one alone is right."""
        one, other = self.subject(a), self.subject(b)
        return comparison.compare(*one.pair(other), (one.name, other.name))

    def report(self, reference: str) -> str:
        """The report of a study, made now."""
        return render(self.studies.results(reference))

    def stored_report(self, name: str) -> bytes:
        """A report that lies in the store."""
        if name not in self._reports():
            raise Problem(404, f"there is no report {name[:80]!r}")
        return (self.store.reports_folder / name).read_bytes()

    def subject(self, reference: str) -> Subject:
        """A run by its fingerprint, or a committee as STUDY~NUMBER, with what it says of the test images."""
        study, mark, number = reference.rpartition(COMMITTEE)
        if not mark:
            run = self._run(reference)
            return self.subjects.of_run(run, self._name(run))
        results = self.studies.results(study)
        found = evaluated_committees(results)
        if number not in map(str, range(len(found))):
            raise Problem(404, f"{study} has {len(found)} committees, no number {number[:20]}")
        made, of = found[int(number)], results.committees[int(number)]
        test, data = of.elsewhere or results.test_images, results.dataset
        return Subject(made.name, test, data.class_names, made.probabilities, data.content)

    def _name(self, run: Run) -> str:
        return f"{run.trial['architecture']['name']} {run.fingerprint[:8]}"

    def _run(self, fingerprint: str) -> Run:
        run = self.store.get(fingerprint) if re.fullmatch("[0-9a-f]{64}", fingerprint) else None
        if run is None:
            raise Problem(404, f"there is no run {fingerprint[:80]!r}")
        return run


def document(content: Any) -> bytes:
    """JSON in which figures that are not finite are null."""
    text = json.dumps(plain(content), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")  # halves of characters as JSON spells them; see `toile.store.atomic.write`


def number(text: str | None, name: str) -> int:
    """A number from a request.

    Raises:
        Misuse: it is none.
    """
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise Misuse(f"{name} is a whole number, got {(text or '')[:40]!r}")
    return int(text)

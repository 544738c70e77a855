"""A store that is only looked at."""

from __future__ import annotations

from typing import Any

from toile.data.dataset import Dataset
from toile.errors import ToileError
from toile.store import datasets
from toile.store.store import Store
from toile.study.data.split import SplitSpec


class Looking(Store):
    """A store in which nothing is written: not even what is only kept so that it need not be found again."""

    def prepare(self) -> None:
        raise ToileError(f"{self.root} is only looked at; nothing may be written there")

    def audit(self, dataset: Dataset, spec: SplitSpec | None = None) -> dict[str, Any]:
        return datasets.audited(self.data_folder, dataset, spec, keep=False)

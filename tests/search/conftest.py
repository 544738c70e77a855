"""Made runs of this room prove what is proposed, and not that files survive a power cut: those tests are the store's."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="package", autouse=True)
def quick_files():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda number: None)
        yield

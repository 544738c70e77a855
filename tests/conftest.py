"""Before any test imports Keras: which backend, how quiet, and one thread, as the number of threads changes last bits.

And what several files ask for: workers that only pretend, a browser. At the end it is said how much memory each of pytest's
processes took at most.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
for variable in (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
):
    os.environ[variable] = "1"

PEAKS: dict[str, int] = {}
LARGE: list[pytest.Item] = []
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--without-keras", action="store_true", help="a test that imports Keras into pytest's process fails")


def pytest_configure(config: pytest.Config) -> None:
    from tests import shapes

    shapes.install()


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Most rooms are tested without Keras, so that their processes stay small. A test that imports it is told so at once."""
    if item.config.getoption("--without-keras") and "keras" in sys.modules and not LARGE:
        LARGE.append(item)
        pytest.fail("Keras was imported by a test that is not among BUILD, TRAIN and WHOLE in the Makefile")


@pytest.fixture
def pretenders(tmp_path, monkeypatch):
    from tests.runner.fixture import Pretenders

    return Pretenders(tmp_path / "pretenders", monkeypatch)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


def peak_memory() -> int:
    """The most memory that this process ever had, in MB; 0 where the system does not tell."""
    try:
        # Not getrusage: that counts what the process was before it became Python, which may be a copy of a large parent.
        kept = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    except OSError:
        return 0
    return int(kept[1]) // 1000


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["peak_memory"] = peak_memory()
    else:
        PEAKS["main"] = peak_memory()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A process of pytest-xdist has ended."""
    PEAKS[node.gateway.id] = getattr(node, "workeroutput", {}).get("peak_memory", 0)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    peaks = ", ".join(f"{name} {peak} MB" for name, peak in sorted(PEAKS.items()))
    terminalreporter.write_line(f"Peak memory of pytest's processes: {peaks}")

"""What is installed: the version, and the name under which the package index knows it."""

from __future__ import annotations

__version__ = "0.1.0"
# `toile` on the package index is somebody else's program (tools for astrocytes).
DISTRIBUTION = "toile-workbench"


def installing(extra: str) -> str:
    """The command that brings an extra."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"

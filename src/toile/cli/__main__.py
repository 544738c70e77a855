"""`python -m toile.cli` is `toile`."""

from __future__ import annotations

from toile.cli import main

main()

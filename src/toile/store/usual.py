"""Where a store is that nobody names."""

from __future__ import annotations

import os
from pathlib import Path

DEFAULT = "toile-runs"


def usual() -> Path:
    """`$TOILE_STORE`, else `./toile-runs`. There need be no store."""
    return Path(os.environ.get("TOILE_STORE") or DEFAULT)

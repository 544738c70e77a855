"""What a stored run costs when it is asked."""

from __future__ import annotations

import math
from typing import Any


def milliseconds(facts: dict[str, Any]) -> float:
    """For an image, as a run was evaluated."""
    seconds, images = facts.get("seconds", {}).get("evaluate"), facts.get("images", {}).get("test")
    return 1000 * seconds / images if seconds and images else math.inf

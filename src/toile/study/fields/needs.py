"""What an option needs of others to have an effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Needs(NamedTuple):
    """What an option needs of others of its table to have an effect.

    Args:
        keys: of these others.
        met: whether it can have one, by their values in this order.
        said: how that is written, as `use_ema = true`.
    """

    keys: tuple[str, ...]
    met: Callable[..., Any]
    said: str

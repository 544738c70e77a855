"""What can be wrong with data."""

from __future__ import annotations

from toile.errors import ToileError


class DataError(ToileError):
    """Data that cannot be read or does not fit: the message names the file, what was found and what was expected."""


class DatasetUnavailable(DataError):
    """A registered data set that was neither found nor downloaded."""

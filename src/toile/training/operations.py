"""Keras's operations, untyped. Keras has no types, and what a type checker reads in its code is that many give None."""

from __future__ import annotations

from typing import Any

from keras import ops as _ops

ops: Any = _ops

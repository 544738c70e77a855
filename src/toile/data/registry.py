"""A name is a file: finds the modules of a package and shows them by name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from types import ModuleType


def names(path: Sequence[str]) -> tuple[str, ...]:
    """Names of the modules in a package's `__path__`, sorted; `fashion_mnist.py` is `fashion-mnist`. Imports nothing."""
    return tuple(sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules(path) if not m.name.startswith("_")))


def module(package: str, name: str) -> ModuleType:
    """The module of `package` that has this name."""
    return importlib.import_module(f"{package}.{name.replace('-', '_')}")


def about(module: ModuleType) -> str:
    """The first line of a module's docstring."""
    return (module.__doc__ or "").strip().partition("\n")[0]

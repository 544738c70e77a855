"""The files of a stored data set: its arrays, and the record that says what they are and which hash each has."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from toile.data.errors import DamagedSnapshot
from toile.errors import said

RECORD = "dataset.json"
_OWN = "sha256"


def read_array(path: Path, mode: Literal["r"] | None) -> NDArray[Any]:
    """An array as `write_array` wrote it.

    Args:
        mode: "r" to map it into memory, None to read it.

    Raises:
        DamagedSnapshot: it cannot be read.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise ValueError("it is no file")
        return np.load(path, mmap_mode=mode, allow_pickle=False)
    # The header of a damaged array fails in as many ways as a parser can, and its shape asks for any memory.
    except Exception as error:
        raise DamagedSnapshot(path, f"it cannot be read ({said(error)})") from error


def hash_of(path: Path) -> str:
    """SHA-256 of a file; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def write_array(path: Path, array: NDArray[Any], dtype: type) -> None:
    """Write a file that lasts through a power cut."""
    array = np.ascontiguousarray(array, dtype=dtype)
    try:
        with path.open("wb") as file:
            # What `np.save` writes; which tells of a full disk in words of its own.
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
            file.write(array.data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:  # an open file does not know its name
        raise OSError(error.errno, error.strerror, str(path)) from None


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write what is to be known of the arrays, with a hash of what it says, in one piece."""
    part = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    try:
        with part.open("w", encoding="utf-8") as file:
            json.dump({**record, _OWN: _digest(record)}, file, indent=1, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_record(folder: Path) -> dict[str, Any]:
    """What `write_record` wrote. Earlier ones have neither `files` nor `names` nor the hash of what they say."""
    path = folder / RECORD
    try:
        if path.exists() and not path.is_file():
            raise ValueError("it is no file")
        found = json.loads(path.read_text("utf-8"))
        own = found.pop(_OWN, None)
        record = {**found, "name": found["name"], "class_names": list(found["class_names"]), "content": found["content"]}
        record["files"] = dict(found.get("files", {}))
        record["names"] = {split: list(map(str, names)) for split, names in found.get("names", {}).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedSnapshot(path, f"not a stored data set; expected a folder with a {RECORD} ({said(error)})") from error
    if own not in (None, _digest(found)):
        raise DamagedSnapshot(path, "it does not say what was written: its own SHA-256 differs")
    return record


def _digest(record: dict) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def sync_folder(folder: Path) -> None:
    """Makes a rename last through a power cut; where folders cannot be opened (Windows) there is nothing to do."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

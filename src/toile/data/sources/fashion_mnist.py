"""Fashion-MNIST: 60,000 + 10,000 pictures of clothing, 28x28 grey, 10 classes; found on this machine or downloaded"""

from __future__ import annotations

import hashlib
import io
import logging
import os
from pathlib import Path

import numpy as np

from toile.data.dataset import Dataset
from toile.data.errors import DataError, DatasetUnavailable
from toile.data.formats.idx import parse
from toile.data.reading.checks import as_dataset
from toile.data.reading.fetch import DownloadError, Progress, download, reachable
from toile.data.reading.limits import plain
from toile.text import printable

CLASS_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
)
# Name -> MD5 of the .gz, MD5 of what is in it, MD5 of MNIST's .gz of the same name.
FILES = {
    "train-images-idx3-ubyte": (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "f4a8712d7a061bf5bd6d2ca38dc4d50a", "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    ),
    "train-labels-idx1-ubyte": (
        "25c81989df183df01b3e8a0aad5dffbe", "9018921c3c673c538a1fc5bad174d6f9", "d53e105ee54ea40749a09fcbcd1e9432",
    ),
    "t10k-images-idx3-ubyte": (
        "bef4ecab320f06d8554ea6380940ec79", "8181f5470baa50b63fa0f6fddb340f0a", "9fb629c4189551a2d022fa330f9573f3",
    ),
    "t10k-labels-idx1-ubyte": (
        "bb300cfdad3c16e7a12a480ee83cd310", "15d484375f8d13e6eb1aabb0c3f46965", "ec29112dd5afa0611ce80d1b7f02629c",
    ),
}  # fmt: skip
_NAME = "fashion-mnist"
_LARGEST = 1 << 26  # bytes; the largest file is of 47 MB, unpacked
_log = logging.getLogger(__name__)


def load(data_dir: Path | None = None, progress: Progress | None = None) -> Dataset:
    """Looks in the places of `places`, then downloads into the per-user cache.

    A place with wrong or missing files is passed over; wrong ones are logged as a warning. `$TOILE_MIRRORS` (addresses
    with a space between, or nothing) takes the place of the official addresses, for a network with a mirror of its own.

    Args:
        data_dir: where to look first.
        progress: told of the download.

    Raises:
        DatasetUnavailable: neither found nor downloaded, with what every place and address said.
    """
    tried = []
    for place in places(data_dir):
        files, why = _read(place)
        if files is not None:
            return _dataset(files, place)
        if why != "not there":
            _log.warning("%s", printable(f"{place}: passed over: {why}"))
        tried.append(f"  {place}: {why}")
    folder = cache()
    said = _download(folder, progress)
    if not said:
        files, why = _read(folder)
        if files is not None:
            return _dataset(files, folder)
        said = [f"  {folder}: downloaded, but {why}"]
    raise DatasetUnavailable(
        "Fashion-MNIST was not found and could not be downloaded.\nLooked in:\n"
        + "\n".join(tried)
        + "\nDownload:\n"
        + "\n".join(said)
        + "\nPut the four .gz files into one of these folders, or use --data-dir DIR, "
        "or take the built-in data: --dataset digits (no network needed)"
    )


def fetch(progress: Progress | None = None) -> Path:
    """Downloads what is missing into the per-user cache, wherever else the files may be.

    Returns:
        The folder.

    Raises:
        DatasetUnavailable: no address gives the files.
    """
    said = _download(cache(), progress)
    if said:
        raise DatasetUnavailable("Fashion-MNIST could not be downloaded:\n" + "\n".join(said))
    return cache()


def places(data_dir: Path | None = None) -> list[Path]:
    """The folders to look in, in order, without repetition."""
    roots = [data_dir, os.environ.get("TOILE_DATA") or None, "data", Path("..", "shared", "data")]
    found = [folder for root in roots if root is not None for folder in (Path(root), Path(root) / _NAME)]
    # `Path.expanduser` is an error where the system does not know the user, as in a container.
    keras = Path(os.path.expanduser(os.environ.get("KERAS_HOME") or "~/.keras"))  # noqa: PTH111
    found += [keras / "datasets" / _NAME, cache()]
    return list(dict.fromkeys(Path(os.path.abspath(os.path.expanduser(folder))) for folder in found))  # noqa: PTH100, PTH111


def cache() -> Path:
    """The folder of the per-user cache that downloads go to."""
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("toile", appauthor=False)) / _NAME


def _read(folder: Path) -> tuple[dict[str, np.ndarray] | None, str]:
    """The four arrays of a folder whose files are the official ones, or None and why not."""
    arrays: dict[str, np.ndarray] = {}
    wrong, missing = [], []
    for name, sums in FILES.items():
        seen = False
        for path, expected, mnist in ((folder / f"{name}.gz", sums[0], sums[2]), (folder / name, sums[1], None)):
            try:
                if plain(path) > _LARGEST:
                    wrong.append(f"{path.name}: larger than any of Fashion-MNIST's files")
                    seen = True
                    continue
                data = path.read_bytes()
            except (DataError, OSError):
                continue
            seen = True
            got = hashlib.md5(data, usedforsecurity=False).hexdigest()
            if got == expected:
                try:
                    arrays[name] = parse(io.BytesIO(data), len(data), path)
                    break
                except DataError as error:  # cannot be, with this hash; but a message is better than a crash
                    wrong.append(str(error))
            elif got == mnist:
                wrong.append(f"{path.name}: these are MNIST's digits, not Fashion-MNIST")
            else:
                wrong.append(f"{path.name}: MD5 {got}, expected {expected}")
        if not seen:
            missing.append(name)
    if len(arrays) == len(FILES):
        return arrays, ""
    if len(missing) == len(FILES):
        return None, "not there"
    return None, "; ".join(wrong + [f"{name}.gz is missing" for name in missing])


def _dataset(files: dict[str, np.ndarray], place: Path) -> Dataset:
    train_images, train_labels, test_images, test_labels = (files[name] for name in FILES)
    return as_dataset(_NAME, place, (train_images, train_labels), (test_images, test_labels), CLASS_NAMES)


def _download(folder: Path, progress: Progress | None) -> list[str]:
    """Nothing where all files are in `folder` now, else what each address said."""
    asked = os.environ.get("TOILE_MIRRORS")
    mirrors = [url.rstrip("/") + "/" for url in (MIRRORS if asked is None else asked.split())]
    if not mirrors:
        return ["  switched off: $TOILE_MIRRORS is empty"]
    said = []
    try:
        probe = "train-labels-idx1-ubyte.gz"  # the smallest that every mirror has
        answers = reachable(mirror + probe for mirror in mirrors)
        for mirror in mirrors:
            trouble = answers[mirror + probe]
            if trouble is not None:
                said.append(f"  {mirror}: {trouble}")
                continue
            try:  # a mirror that fails once is left; the next goes on where it stopped
                for name, sums in FILES.items():
                    download(f"{mirror}{name}.gz", folder / f"{name}.gz", sums[0], progress, most=_LARGEST)
                return []
            except DownloadError as error:
                said.append(f"  {error}")
    except OSError as error:
        said.append(f"  {folder}: cannot be written to ({error.strerror or error})")
    return said

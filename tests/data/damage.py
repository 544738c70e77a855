"""Damaged inputs: a small valid file of each kind, what damage can do to it, and how it is read.

`python -m tests.data.damage 10000` damages so many files, of all kinds in turn, each kind in a process of its own, and prints
how many readings ended otherwise than with data or one error of ours, how many hung, ran something or took the process down,
and how much memory more than a good reading a process took.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import traceback
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from toile import studies
from toile.data.reading import load, unlabelled
from toile.errors import ToileError
from toile.models import backbones, imagenet
from toile.study.data.dataset import DatasetSpec

SECONDS = 20  # a reading that takes longer hangs: a good one takes some milliseconds
# What no reading of data may do, by the names of Python's own audit events.
FORBIDDEN = ("pickle.find_class", "os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.Popen", "socket.connect")
SIDE = 4
_DRAWN = np.random.default_rng(0)
IMAGES, LABELS = _DRAWN.integers(0, 256, (12, SIDE, SIDE), dtype=np.uint8), np.arange(12) % 3
STUDY = """\
title = "A study"
question = "Which is best?"
dataset = { name = "digits", class_names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] }
split = { validation = 0.2, method = "stratified" }
seeds = [0, 1]
recipe = { epochs = 3, optimizer = { name = "sgd", momentum = 0.9 }, early_stopping = { patience = 2 } }

[[trial]]
name = "model-1"
architecture = { name = "mlp", hidden = [16, 8] }
published = { test = { accuracy = 0.9, loss = 0.3 }, source = "a paper" }

[[trial]]
name = "model-2"
architecture = "cnn"
recipe.batch_size = 64
warm_start = "model-1"

[[sweep]]
name = "rate"
architecture = "mlp"
grid = { recipe.batch_size = [16, 32], architecture.dropout = [0.0, 0.5] }

[[committee]]
name = "both"
members = ["model-1", "model-2"]
rule = "weighted-mean"
weights = [1.0, 2.0]

[[comparison]]
name = "side by side"
trials = ["model-1", "model-2"]
labels = ["one", "two"]
"""


@dataclass(frozen=True)
class Kind:
    """A kind of input: `make` writes a valid one into a folder and returns the file to damage; `read` reads it."""

    make: Callable[[Path], Path]
    read: Callable[[Path], object]


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def _idx(folder: Path, packed: bool, damaged: str) -> Path:
    pack = partial(gzip.compress, mtime=0) if packed else bytes
    ending = ".gz" if packed else ""
    for name, array in (("images-idx3-ubyte", IMAGES), ("labels-idx1-ubyte", LABELS)):
        (folder / f"train-{name}{ending}").write_bytes(pack(idx(array)))
    return folder / f"train-{damaged}{ending}"


def _npz(folder: Path, save: Callable) -> Path:
    save(folder / "made.npz", x_train=IMAGES, y_train=LABELS, x_test=IMAGES / 255, y_test=LABELS)
    return folder / "made.npz"


def _npy(folder: Path, **content: np.ndarray) -> Path:
    np.save(folder / "made.npy", content)
    return folder / "made.npy"


def _npy_pixels(folder: Path) -> Path:
    np.save(folder / "made.npy", IMAGES)
    return folder / "made.npy"


def _csv(folder: Path, first: str) -> Path:
    header = ",".join([first, *(f"pixel{i}" for i in range(1, SIDE * SIDE + 1))])
    rows = (",".join(map(str, [label, *image.ravel()])) for label, image in zip(LABELS, IMAGES, strict=True))
    (folder / "made.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder / "made.csv"


def _pictures(folder: Path, ending: str, colour: bool = True, **options: object) -> Path:
    """A folder of pictures with several frames where the format has them, of which one is damaged."""
    for label in ("a", "b"):
        (folder / "pictures" / label).mkdir(parents=True)
        for number in range(2):
            picture = Image.fromarray(_DRAWN.integers(0, 256, (8, 8, 3) if colour else (8, 8), dtype=np.uint8))
            picture.save(folder / "pictures" / label / f"{number}.{ending}", **options)
    return folder / "pictures" / "a" / f"0.{ending}"


def _list(folder: Path) -> Path:
    _pictures(folder, "png")
    files = sorted((folder / "pictures").rglob("*.png"))
    lines = [f"{path.relative_to(folder)},{path.parent.name},train" for path in files]
    (folder / "made.csv").write_text("\n".join(["filename,label,split", *lines, ""]))
    return folder / "made.csv"


def _parquet(folder: Path) -> Path:
    import pyarrow as arrow
    from pyarrow import parquet

    file = _pictures(folder, "png")
    pictures = [{"bytes": file.read_bytes(), "path": f"{number}.png"} for number in range(4)]
    parquet.write_table(arrow.table({"image": pictures, "label": [0, 1, 0, 1]}), folder / "made.parquet")
    return folder / "made.parquet"


def _weights(folder: Path, ending: str) -> Path:
    """Weights that fit a backbone by their number: a big array of which nothing is stored makes it so."""
    import h5py

    wanted, raw = backbones.BACKBONES["mobilenet"].count(0.25), io.BytesIO()
    with h5py.File(raw, "w") as file:
        for layer in range(4):
            group = file.create_group(f"layers/dense_{layer}/vars")
            group.create_dataset("0", data=_DRAWN.random((8, 8), dtype=np.float32))
            group.create_dataset("1", data=_DRAWN.random(8, dtype=np.float32), chunks=(4,), compression="gzip")
            group.attrs["name"] = f"dense_{layer}"
        file.create_dataset("rest", (wanted - 4 * 72,), np.float32)
    path = folder / f"made{ending}"
    if ending == ".keras":
        import zipfile

        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", "{}")
            archive.writestr("model.weights.h5", raw.getvalue())
    else:
        path.write_bytes(raw.getvalue())
    return path


def _study(folder: Path) -> Path:
    (folder / "made.toml").write_text(STUDY, "utf-8")
    return folder / "made.toml"


def _read_dataset(path: Path) -> object:
    return load.load(DatasetSpec(path=str(path)))


def _read_unlabelled(path: Path) -> object:
    return unlabelled.read(path, (SIDE, SIDE, 1))


def _read_weights(path: Path) -> object:
    return backbones.check("mobilenet", 0.25, 32, str(path))


_READ_FOLDER, _READ_PICTURES = (lambda path: _read_dataset(path.parent)), (lambda path: _read_dataset(path.parents[1]))
KINDS = {
    "idx": Kind(lambda folder: _idx(folder, False, "images-idx3-ubyte"), _READ_FOLDER),
    "idx labels": Kind(lambda folder: _idx(folder, False, "labels-idx1-ubyte"), _READ_FOLDER),
    "idx.gz": Kind(lambda folder: _idx(folder, True, "images-idx3-ubyte"), _READ_FOLDER),
    "npz": Kind(lambda folder: _npz(folder, np.savez), _read_dataset),
    "npz, compressed": Kind(lambda folder: _npz(folder, np.savez_compressed), _read_dataset),
    "npy": Kind(lambda folder: _npy(folder, features=IMAGES / 255, target=LABELS + 1.0), _read_dataset),
    "npy, unlabelled": Kind(lambda folder: _npy(folder, features=IMAGES, id=np.arange(12)), _read_unlabelled),
    "csv": Kind(lambda folder: _csv(folder, "label"), _read_dataset),
    "csv, unlabelled": Kind(lambda folder: _csv(folder, "id"), _read_unlabelled),
    "list": Kind(_list, _read_dataset),
    "list, Parquet": Kind(_parquet, _read_dataset),
    "png": Kind(lambda folder: _pictures(folder, "png"), _READ_PICTURES),
    "jpeg": Kind(lambda folder: _pictures(folder, "jpg"), _READ_PICTURES),
    "gif": Kind(lambda folder: _pictures(folder, "gif", False), _READ_PICTURES),
    "bmp": Kind(lambda folder: _pictures(folder, "bmp"), _READ_PICTURES),
    "webp": Kind(lambda folder: _pictures(folder, "webp", lossless=True), _READ_PICTURES),
    "tif": Kind(lambda folder: _pictures(folder, "tif", compression="tiff_lzw"), _READ_PICTURES),
    "npy, pixels": Kind(_npy_pixels, _read_unlabelled),
    "h5": Kind(lambda folder: _weights(folder, ".weights.h5"), _read_weights),
    "h5, digest": Kind(lambda folder: _weights(folder, ".weights.h5"), imagenet.tensors_digest),
    "keras": Kind(lambda folder: _weights(folder, ".keras"), _read_weights),
    "study": Kind(_study, studies.load),
}


def damaged(data: bytes, draw: random.Random) -> bytes:
    """One random damage, now and then several."""
    while True:
        data = _DAMAGES[draw.randrange(len(_DAMAGES))](data, draw)
        if draw.random() < 0.7:
            return data


def _flipped(data: bytes, draw: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8)) if out else 0):
        out[draw.randrange(len(out))] ^= 1 << draw.randrange(8)
    return bytes(out)


def _cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def _inserted(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + draw.randbytes(draw.choice((1, 2, 16, 300))) + data[at:]


def _removed(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + data[at + draw.choice((1, 2, 16, 300)) :]


def _swapped(data: bytes, draw: random.Random) -> bytes:
    a, b, c = sorted(draw.randrange(len(data) + 1) for _ in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def _overwritten(data: bytes, draw: random.Random) -> bytes:
    """A stretch of one byte: where it meets a length, the length becomes nothing or enormous."""
    at, count = draw.randrange(len(data) + 1), draw.choice((1, 2, 4, 8, 64))
    return data[:at] + draw.choice((b"\x00", b"\xff", b"\x7f", b"9", b"(", b"[")) * count + data[at + count :]


def _repeated(data: bytes, draw: random.Random) -> bytes:
    a, b = sorted(draw.randrange(len(data) + 1) for _ in range(2))
    return data[:b] + data[a:b] * draw.choice((1, 2, 30)) + data[b:]


def _packed(data: bytes, draw: random.Random) -> bytes:
    """Compressed, where nobody expects it, or unpacked where it was compressed."""
    if data[:2] == b"\x1f\x8b" and draw.random() < 0.5:
        try:
            return gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return data
    return draw.choice((partial(gzip.compress, mtime=0), bz2.compress, lzma.compress, zlib.compress))(data)


def _garbage(data: bytes, draw: random.Random) -> bytes:
    return draw.randbytes(draw.choice((0, 1, 10, 1000, 20_000)))


def _behind(data: bytes, draw: random.Random) -> bytes:
    """Garbage behind a beginning that is right, up to the same length."""
    at = draw.randrange(min(len(data), 200) + 1)
    return data[:at] + draw.randbytes(len(data) - at)


def _payload(data: bytes, draw: random.Random) -> bytes:
    """A pickle that would run something, in the place of what was there or in the middle of it."""
    at = draw.choice((0, 128, draw.randrange(len(data) + 1)))
    return data[:at] + b"\x80\x04cposix\nsystem\n\x8c\x10touch /dev/null/x\x85R." + draw.choice((b"", data[at:]))


def _number(data: bytes, draw: random.Random) -> bytes:
    """A number that is written out in digits, exchanged for a strange one."""
    places = [at for at in range(len(data)) if data[at : at + 1].isdigit()]
    if not places:
        return data
    at = draw.choice(places)
    odd = draw.choice(
        (b"-1", b"99999999999999999999", b"1e999", b"nan", b"0x" + b"f" * 6000, b"1" * 5000, b"[[1]]", b"'a'", b"")
    )
    return data[:at] + odd + data[at + 1 :]


_ODD = (b"-1", b"99999999999999999999", b"1e999", b"nan", b"0x" + b"f" * 6000, b"1" * 5000, b"[[1]]", b"'a'", b"")
_DAMAGES = (
    _flipped, _flipped, _cut, _inserted, _removed, _swapped, _overwritten, _repeated, _packed, _garbage, _behind, _payload,
    _number, lambda data, draw: b"",
)  # fmt: skip


class Watch:
    """Notes what a reading does that it must not do."""

    def __init__(self) -> None:
        self.on, self.seen = False, []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple) -> None:
        if self.on and event.startswith(FORBIDDEN):
            self.seen.append(f"{event} {arguments}"[:200])

    @contextmanager
    def watching(self):
        self.seen, self.on = [], True
        try:
            yield
        finally:
            self.on = False


class Hung(BaseException):
    """Not an Exception: no reader may catch it."""


def outcomes(name: str, count: int, seed: int, watch: Watch, note: Callable[[int], None] = lambda number: None) -> dict:
    """Damage a file of a kind `count` times, and read it each time.

    Returns:
        `outcomes`, how many readings were `read`, `refused`, or ended in a `traceback`, `hung` or `executed`; and `examples`,
        one text for each kind of bad end.
    """
    kind, counts, examples = KINDS[name], Counter(), {}
    with tempfile.TemporaryDirectory(prefix="toile-damage-") as folder:
        path = kind.make(Path(folder))
        good = path.read_bytes()
        kind.read(path)  # the undamaged one is read, and all that readers import is imported
        for number in range(count):
            note(number)
            draw = random.Random(f"{seed} {name} {number}")
            path.write_bytes(damaged(good, draw))
            end, what = _read(kind, path, watch)
            counts[end] += 1
            if end not in ("read", "refused"):
                examples.setdefault(what.strip().splitlines()[-1].partition(":")[0], f"number {number}: {what[-1500:]}")
    return {"outcomes": dict(counts), "examples": examples}


def _read(kind: Kind, path: Path, watch: Watch) -> tuple[str, str]:
    def ring(*_: object) -> None:
        raise Hung

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(SECONDS)
    try:
        with watch.watching():
            kind.read(path)
        end, what = "read", ""
    except ToileError as error:
        end, what = "refused", str(error)
        if path.name not in what and path.parent.name not in what:
            end = "traceback"  # it does not say of which file it speaks
            what = f"names no file: {what}"
    except Hung:
        end, what = "hung", "hung"
    except Exception:
        end, what = "traceback", traceback.format_exc(limit=-4)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return ("executed", watch.seen[0]) if watch.seen else (end, what)


def main(count: int, seed: int) -> None:
    """Every kind in a process of its own, which may be taken down by what it reads."""
    total: Counter = Counter()
    each, most = -(-count // len(KINDS)), 0
    for name in KINDS:
        command = [sys.executable, "-m", "tests.data.damage", "--kind", name, str(each), str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            found = {"outcomes": {"crashed": 1}, "examples": {"crashed": done.stderr[-2000:]}, "peak_mb": 0}
        else:
            found = json.loads(done.stdout.splitlines()[-1])
        total.update(found["outcomes"])
        most = max(most, found["peak_mb"])
        print(f"{name:<18} {found['outcomes']}, peak {found['peak_mb']} MB above a good reading", flush=True)
        for text in found["examples"].values():
            print("    " + text.strip().replace("\n", "\n    "), file=sys.stderr)
    print(f"{sum(total.values()):,} damaged files: {dict(total)}; at most {most} MB above a good reading")


def _one(name: str, count: int, seed: int) -> None:
    import resource

    outcomes(name, 0, seed, watch := Watch())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = outcomes(name, count, seed, watch, lambda number: os.environ.get("TOILE_DAMAGE_VERBOSE") and print(number))
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    print(json.dumps({**found, "peak_mb": peak}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--kind"]:
        _one(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, int(sys.argv[2]) if len(sys.argv) > 2 else 0)

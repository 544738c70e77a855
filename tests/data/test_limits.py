"""Limits in all: what a data set's files come to together, and what is opened at all."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toile import studies
from toile.data.errors import DataError
from toile.data.reading import limits, unlabelled
from toile.data.reading.load import load
from toile.data.sources import fashion_mnist
from toile.errors import Misuse
from toile.models import backbones
from toile.study.data.dataset import DatasetSpec

MEBI = 1 << 20


@pytest.fixture
def four_mebibytes(monkeypatch):
    monkeypatch.setenv(limits.VARIABLE, str(4 / 1024))


def idx_bomb(folder: Path) -> Path:
    """64 MiB of nothing in 64 kB."""
    for name, head, count in (("images-idx3", (0x803, 65536, 32, 32), 65536 * 1024), ("labels-idx1", (0x801, 65536), 65536)):
        data = struct.pack(f">{len(head)}I", *head) + bytes(count)
        (folder / f"train-{name}-ubyte.gz").write_bytes(gzip.compress(data))
    return folder


def npz_bomb(folder: Path) -> Path:
    np.savez_compressed(folder / "a.npz", x=np.zeros((65536, 32, 32), np.uint8), y=np.zeros(65536, int))
    return folder / "a.npz"


def csv_bomb(folder: Path) -> Path:
    header = "label," + ",".join(f"pixel{i}" for i in range(1, 1025))
    (folder / "a.csv").write_text("\n".join([header, *["0" + ",7" * 1024] * 5000]))
    return folder / "a.csv"


def many_pictures(folder: Path) -> Path:
    """Small files of 30 pictures, 1 MiB each when they are read."""
    one = io.BytesIO()
    Image.new("L", (1024, 1024)).save(one, "png")
    (folder / "set" / "a").mkdir(parents=True)
    for number in range(30):
        (folder / "set" / "a" / f"{number}.png").write_bytes(one.getvalue())
    return folder / "set"


def large_pickle(folder: Path) -> Path:
    np.save(folder / "a.npy", {"features": np.zeros((5000, 1024)), "target": np.ones(5000)})
    return folder / "a.npy"


@pytest.mark.parametrize("make", [idx_bomb, npz_bomb, csv_bomb, many_pictures, large_pickle])
def test_what_unpacks_to_too_much_is_refused_before_it_is_unpacked(make, tmp_path, four_mebibytes):
    path = make(tmp_path)
    load(DatasetSpec(name="digits"))  # all that readers import is imported
    tracemalloc.start()
    with pytest.raises(DataError, match=r"the data set unpacks to 0\.\d+ GiB or more; .* TOILE_DATA_LIMIT=2 toile") as caught:
        load(DatasetSpec(path=str(path)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert str(tmp_path) in str(caught.value)
    assert most < 40 * MEBI


def test_train_and_test_are_counted_together(tmp_path, four_mebibytes):
    for name in ("train", "test"):
        np.savez(tmp_path / f"{name}.npz", x=np.zeros((3, 1024, 1024), np.uint8), y=np.zeros(3, int))
    assert len(load(DatasetSpec(path=str(tmp_path / "train.npz"))).train) == 3
    with pytest.raises(DataError, match=r"test\.npz, x: the data set unpacks to 0\.01 GiB"):
        load(DatasetSpec(path=str(tmp_path / "train.npz"), test_path=str(tmp_path / "test.npz")))


def test_the_limit_can_be_raised_and_is_a_number(tmp_path, monkeypatch):
    path = str(npz_bomb(tmp_path))
    monkeypatch.setenv(limits.VARIABLE, "0.07")
    assert len(load(DatasetSpec(path=path)).train) == 65536
    for wrong in ("0", "-1", "nan", "inf", "much"):
        monkeypatch.setenv(limits.VARIABLE, wrong)
        with pytest.raises(Misuse, match=rf"\$TOILE_DATA_LIMIT is a number of GiB above 0, such as 4, got '{wrong}'"):
            load(DatasetSpec(path=path))


def test_pictures_are_counted_as_they_are_read(tmp_path, four_mebibytes):
    """By the size that they are brought to, if to one; with three channels from the first that has colours."""
    path = many_pictures(tmp_path)
    assert len(load(DatasetSpec(path=str(path), size=300)).train) == 30
    Image.new("RGB", (8, 8)).save(path / "a" / "z.png")
    with pytest.raises(DataError, match=r"set: the data set unpacks to 0\.01 GiB"):
        load(DatasetSpec(path=str(path), size=300))


def test_a_header_of_an_array_that_is_not_there_costs_nothing(tmp_path):
    """NumPy sets the declared size aside at once."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (2**30, 28, 28)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", head.getvalue())
        archive.writestr("y.npy", head.getvalue())
    with pytest.raises(DataError, match=r"a\.npz, x: an array \(1073741824, 28, 28\) of uint8 is .* the file holds 0"):
        load(DatasetSpec(path=str(tmp_path / "a.npz")))


def npy(path: Path, payload: bytes) -> Path:
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        file.write(payload)
    return path


def test_pickles_cannot_multiply_what_they_hold(tmp_path):
    """1 MB of text, made into bytes again and again by reference: 2 GB."""
    array = np._core.multiarray._reconstruct.__module__.encode()
    text = b"X" + struct.pack("<I", 10**6) + b"a" * 10**6
    one = (
        b"c" + array + b"\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01J" + struct.pack("<i", 10**6) + b"\x85"
        b"cnumpy\ndtype\nX\x02\0\0\0u1\x89\x88\x87R\x89c_codecs\nencode\nh\x00X\x06\0\0\0latin1\x86Rtb"
    )
    keys = b"".join(b"X\x04\0\0\0" + f"{number:04}".encode() + one for number in range(300))
    payload = b"\x80\x02}(X\x04\0\0\0text" + text + b"q\x00" + keys + b"u."
    tracemalloc.start()
    with pytest.raises(DataError, match=r"a\.npy: the pickle makes more of its bytes than there are"):
        load(DatasetSpec(path=str(npy(tmp_path / "a.npy", payload))))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20 * MEBI


@pytest.mark.parametrize("where", ["shape", "dtype"])
def test_pickles_of_tuples_in_tuples_are_described_in_short(tmp_path, where):
    """Each tuple holds the one before twice: spelt out, it has no end."""
    nested = b"K\x01" + b"".join(b"q%ch%c\x86" % (number, number) for number in range(100, 160))
    honest = pickle.dumps({"features": np.zeros((7, 11), np.uint8)}, 2)
    payload = honest.replace(b"K\x07K\x0b\x86", nested) if where == "shape" else honest.replace(b"X\x02\0\0\0u1", nested)
    assert payload != honest
    with pytest.raises(DataError, match=r"an array of .*\.\.\."):
        load(DatasetSpec(path=str(npy(tmp_path / "a.npy", payload))))


# What is no plain file


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "train.npz")
    return tmp_path / "train.npz"


def test_pipes_and_devices_are_refused_without_being_opened(tmp_path, pipe):
    for path, kind in ((pipe, "a named pipe"), (Path("/dev/zero"), "a device")):
        for form in ("npz", "npy", "csv", "idx"):
            with pytest.raises(DataError, match=f"{path}: {kind}; expected a plain file or a folder"):
                load(DatasetSpec(path=str(path), format=form))
    np.savez(tmp_path / "good.npz", x=np.zeros((3, 4, 4), np.uint8), y=np.zeros(3, int))
    with pytest.raises(DataError, match="a named pipe"):
        load(DatasetSpec(path=str(tmp_path / "good.npz"), test_path=str(pipe)))
    with pytest.raises(DataError, match="a named pipe; expected a plain file"):
        unlabelled.read(pipe.rename(tmp_path / "a.csv"), (4, 4, 1))


def test_pipes_among_pictures_and_idx_files(tmp_path):
    (tmp_path / "set" / "a").mkdir(parents=True)
    os.mkfifo(tmp_path / "set" / "a" / "1.png")
    with pytest.raises(DataError, match=r"1\.png: a named pipe; expected a plain file"):
        load(DatasetSpec(path=str(tmp_path / "set")))
    os.mkfifo(tmp_path / "train-images-idx3-ubyte")
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte: a named pipe|no train-images"):
        load(DatasetSpec(path=str(tmp_path), format="idx"))


def test_a_pipe_in_the_place_of_fashion_mnist_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "places", lambda data_dir=None: [tmp_path])
    monkeypatch.setattr(fashion_mnist, "cache", lambda: tmp_path / "cache")
    monkeypatch.setenv("TOILE_MIRRORS", "")
    os.mkfifo(tmp_path / "train-images-idx3-ubyte.gz")
    with (tmp_path / "train-labels-idx1-ubyte").open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte: larger than any of Fashion-MNIST's files"):
        fashion_mnist.load()


def test_links_in_a_circle_zero_bytes_and_names_without_end(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "set" / "class").mkdir(parents=True)
    (tmp_path / "set" / "class" / "loop.png").symlink_to("loop.png")
    for wrong in ("a", "a\0b", "x" * 5000, "~nobody-of-this-name/a.npz"):
        with pytest.raises((DataError, Misuse), match=r"no path|no such file|levels of symbolic links"):
            load(DatasetSpec(path=wrong), base=tmp_path)
        text = f'title = "t"\ndataset = {{ path = {wrong!r} }}\n[[trial]]\nname = "m"\narchitecture = "mlp"\n'
        (tmp_path / "study.toml").write_text(text.replace("'", '"').replace("\\x00", "\\u0000"))
        with pytest.raises((DataError, Misuse), match=r"no path|no such file|levels of symbolic links"):
            load(studies.load(tmp_path / "study.toml").dataset)
        with pytest.raises(Misuse, match=r"no path|no weights file"):
            backbones.content(backbones.located(wrong, tmp_path))
    with pytest.raises(DataError, match=r"loop\.png: "):
        load(DatasetSpec(path=str(tmp_path / "set")))

"""Registered data sets: digits is always the same, Fashion-MNIST is found, told from MNIST, or reported missing."""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
import socket
import struct
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from toile.data import sources
from toile.data.errors import DatasetUnavailable
from toile.data.sources import digits, fashion_mnist
from toile.models import imagenet

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.parametrize("name", sources.names())
def test_every_data_set_says_what_it_is_and_is_always_the_same(name, monkeypatch):
    monkeypatch.setenv("TOILE_MIRRORS", "")
    assert sources.about(name) and "\n" not in sources.about(name)
    try:
        dataset = sources.load(name)
    except DatasetUnavailable:
        pytest.skip(f"{name} is not on this machine")
    assert dataset.name == name
    for part in (dataset.train, dataset.test):
        assert part.images.dtype == np.uint8 and part.images.shape == (len(part.labels), *dataset.image_shape)
        assert part.labels.dtype == np.int64 and set(part.labels) == set(range(dataset.classes))
    assert sources.load(name).content == dataset.content


# Digits


def test_digits():
    dataset = sources.load("digits")
    assert (len(dataset.train), len(dataset.test), dataset.image_shape) == (1437, 360, (28, 28, 1))
    assert dataset.class_names == tuple("0123456789")
    assert dataset.train.images.dtype == np.uint8
    # Fingerprints are made of it: it may never change, on no machine.
    assert dataset.content == "eaeb0b618b53b0e17a9179b2e7c4e26a31a50ef5386ead72d7b79045110b4317"


def test_enlarge_is_bilinear():
    """Against the textbook formula, one pixel at a time, in exact fractions."""
    image = np.random.default_rng(0).integers(0, 17, (8, 8))

    def at(row: Fraction, column: Fraction) -> Fraction:
        row, column = (min(max(place, Fraction(0)), Fraction(7)) for place in (row, column))
        top, left = int(row), int(column)
        down, right = min(top + 1, 7), min(left + 1, 7)
        y, x = row - top, column - left
        return (1 - y) * ((1 - x) * int(image[top, left]) + x * int(image[top, right])) + y * (
            (1 - x) * int(image[down, left]) + x * int(image[down, right])
        )

    places = [(Fraction(2 * i + 1, 2) * Fraction(8, 28)) - Fraction(1, 2) for i in range(28)]
    expected = [[int(at(y, x) * 255 / 16 + Fraction(1, 2)) for x in places] for y in places]
    assert digits.enlarge(image[None])[0, :, :, 0].tolist() == expected
    assert digits.enlarge(np.full((1, 8, 8), 16)).min() == 255


# Fashion-MNIST, in small


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


PLAIN = {
    name: idx(array)
    for name, array in zip(
        fashion_mnist.FILES,
        (np.arange(80).reshape(20, 2, 2), np.arange(20) % 10, np.arange(40).reshape(10, 2, 2), np.arange(10)),
        strict=True,
    )
}
ZIPPED = {name: gzip.compress(data, mtime=0) for name, data in PLAIN.items()}
MNIST = gzip.compress(b"digits", mtime=0)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A tiny Fashion-MNIST with its own hashes, on a machine that has it nowhere and reaches nothing."""
    sums = {name: (md5(ZIPPED[name]), md5(PLAIN[name]), md5(MNIST)) for name in PLAIN}
    monkeypatch.setattr(fashion_mnist, "FILES", sums)
    monkeypatch.setattr(fashion_mnist, "cache", lambda: tmp_path / "cache" / "fashion-mnist")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("TOILE_MIRRORS", "")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("TOILE_DATA", raising=False)
    (tmp_path / "work" / "project").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work" / "project")
    return tmp_path


def put(folder: Path, files: dict[str, bytes], ending: str = ".gz") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / f"{name}{ending}").write_bytes(data)
    return folder


@pytest.mark.parametrize(
    "place",
    [
        "work/project/data",
        "work/project/data/fashion-mnist",
        "work/shared/data",
        "work/shared/data/fashion-mnist",
        "keras/datasets/fashion-mnist",
        "cache/fashion-mnist",
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_found(small, place, zipped):
    put(small / place, ZIPPED if zipped else PLAIN, ".gz" if zipped else "")
    dataset = sources.load("fashion-mnist")
    assert (len(dataset.train), len(dataset.test), dataset.classes) == (20, 10, 10)
    assert dataset.class_names[9] == "Ankle boot"
    assert dataset.train.images[3].ravel().tolist() == [12, 13, 14, 15]


@pytest.mark.parametrize("deeper", ["", "fashion-mnist"])
def test_data_dir_and_environment(small, monkeypatch, deeper):
    put(small / "mine" / deeper, ZIPPED)
    assert len(sources.load("fashion-mnist", small / "mine").train) == 20
    monkeypatch.setenv("TOILE_DATA", str(small / "mine"))
    assert len(sources.load("fashion-mnist").train) == 20


def test_a_wrong_place_is_passed_over_and_named(small, caplog):
    put(small / "mine", {**ZIPPED, "train-labels-idx1-ubyte": b"spoiled"})
    put(small / "keras" / "datasets" / "fashion-mnist", ZIPPED)
    with caplog.at_level(logging.WARNING):
        assert len(sources.load("fashion-mnist", small / "mine").train) == 20
    assert "passed over: train-labels-idx1-ubyte.gz: MD5" in caplog.text


def test_a_user_whom_the_system_does_not_know_has_no_home(small, monkeypatch):
    """As in a container that is given any number for a user."""
    put(small / "mine", ZIPPED)
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: os.fspath(path))  # what it does then
    monkeypatch.setattr(Path, "home", unknown)
    monkeypatch.setattr(Path, "expanduser", unknown)
    assert len(sources.load("fashion-mnist", small / "mine").train) == 20
    assert str(imagenet.keras_folder()).endswith(".keras/models") and imagenet.places()


def unknown(*_):
    raise RuntimeError("Could not determine home directory.")


def test_unavailable_says_all(small, monkeypatch):
    put(small / "mine", dict.fromkeys(ZIPPED, MNIST))
    put(small / "work" / "project" / "data", {name: ZIPPED[name] for name in list(ZIPPED)[:3]})
    monkeypatch.setenv("TOILE_MIRRORS", "http://127.0.0.1:1/a http://127.0.0.1:1/b/")
    with pytest.raises(DatasetUnavailable) as caught:
        sources.load("fashion-mnist", small / "mine")
    message = str(caught.value)
    for place in fashion_mnist.places(small / "mine"):
        assert f"\n  {place}: " in message
    assert "train-images-idx3-ubyte.gz: these are MNIST's digits, not Fashion-MNIST" in message
    assert "t10k-labels-idx1-ubyte.gz is missing" in message
    assert "http://127.0.0.1:1/a/: Connection refused" in message
    assert "http://127.0.0.1:1/b/: Connection refused" in message
    assert "--dataset digits" in message
    assert not (small / "cache").exists()


def test_unknown_host_ends_at_once(small, monkeypatch):
    asked = []

    def unknown(host, *arguments, **options):
        asked.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("TOILE_MIRRORS")
    with pytest.raises(DatasetUnavailable) as caught:
        sources.load("fashion-mnist")
    assert str(caught.value).count("Name or service not known") == len(fashion_mnist.MIRRORS)
    assert len(asked) == len(fashion_mnist.MIRRORS)  # each address is given up at its first failure


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def mirror(small, monkeypatch):
    """A mirror in good order behind one that has only the first half of the files."""
    half = put(small / "mirrors" / "half", {name: ZIPPED[name] for name in list(ZIPPED)[:2]})
    put(small / "mirrors" / "whole", ZIPPED)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(half.parent)))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("TOILE_MIRRORS", f"{address}/half {address}/whole")
    yield small
    server.shutdown()
    thread.join()
    server.server_close()


def test_downloaded_from_the_next_mirror(mirror):
    told = []
    assert len(sources.load("fashion-mnist", progress=lambda *what: told.append(what)).train) == 20
    assert {name for name, _, _ in told} == {f"{name}.gz" for name in PLAIN}
    assert sorted(path.name for path in (mirror / "cache" / "fashion-mnist").glob("[!.]*")) == sorted(
        f"{name}.gz" for name in PLAIN
    )
    assert sources.load("fashion-mnist").content == sources.load("fashion-mnist", mirror / "mirrors" / "whole").content


def test_fetch_puts_the_files_into_the_cache(mirror):
    put(mirror / "mine", ZIPPED)
    assert sources.fetch("digits") is None
    folder = sources.fetch("fashion-mnist")
    assert all((folder / f"{name}.gz").read_bytes() == data for name, data in ZIPPED.items())


@pytest.mark.skipif(not SHARED.exists(), reason="the real Fashion-MNIST is not beside this checkout")
def test_the_real_one():
    dataset = sources.load("fashion-mnist", SHARED)
    assert dataset.content == "c426c53f8fc5b7e35a4e80714ad312764f8de10f423e4233c6131c62f705c6aa"
    assert (len(dataset.train), len(dataset.test), dataset.image_shape) == (60_000, 10_000, (28, 28, 1))
    assert np.bincount(dataset.train.labels).tolist() == [6000] * 10

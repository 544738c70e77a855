"""The pickled .npy: read like np.load reads it, and nothing in it is ever run."""

from __future__ import annotations

import io
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from toile.data import formats
from toile.data.errors import DataError
from toile.data.reading.pickled import read_object

HEADER = io.BytesIO()
np.lib.format.write_array_header_1_0(HEADER, {"descr": "|O", "fortran_order": False, "shape": ()})


def npy(path: Path, payload: bytes) -> Path:
    path.write_bytes(HEADER.getvalue() + payload)
    return path


def read(path: Path):
    return formats.load("npy").read(path, None, None)


def boxed(content) -> np.ndarray:
    """What np.save pickles for a dictionary."""
    array = np.empty((), object)
    array[()] = content
    return array


def test_as_np_load_reads_it(tmp_path):
    features = np.round(np.random.default_rng(0).random((5, 28, 28)), 3)
    np.save(tmp_path / "a.npy", {"features": features, "target": np.array([5.0, 1, 2, 3, 4])})
    dataset = read(tmp_path / "a.npy")
    np.testing.assert_array_equal(dataset.train.images[..., 0], np.rint(features * 255))
    assert dataset.train.labels.tolist() == [4, 0, 1, 2, 3]
    assert dataset.class_names == ("1", "2", "3", "4", "5")


@given(
    array=hnp.arrays(
        st.sampled_from(["<f8", ">f4", "<i8", "|u1", "|b1", "<f2", ">i2"]), hnp.array_shapes(min_dims=1, max_dims=4)
    ),
    protocol=st.integers(2, 5),
    fortran=st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_every_protocol_and_order(tmp_path_factory, array, protocol, fortran):
    array = np.asfortranarray(array) if fortran else array
    path = tmp_path_factory.mktemp("pickles") / "a"
    content = {"features": array, "scale": array.dtype.type(1), "name": "x", "n": 3}
    path.write_bytes(pickle.dumps(boxed(content), protocol))
    with path.open("rb") as file:
        got = read_object(file, path)
    assert got["features"].dtype == array.dtype
    np.testing.assert_array_equal(got["features"], array)
    assert (got["scale"], got["name"], got["n"]) == (1, "x", 3)


def test_names_of_numpy_1(tmp_path):
    payload = pickle.dumps(boxed({"features": np.ones((2, 3, 3)), "target": np.array([1.0, 2.0])}), 2)
    old = payload.replace(b"cnumpy._core.", b"cnumpy.core.")
    assert old != payload
    assert read(npy(tmp_path / "a.npy", old)).train.labels.tolist() == [0, 1]


class Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("inside", [False, True])
def test_nothing_is_run(tmp_path, protocol, inside):
    marker = tmp_path / "marker"
    for evil in (Evil(os.system, f"touch {marker}"), Evil(eval, f"open({str(marker)!r}, 'w')")):
        content = {"features": evil, "target": np.ones(3)} if inside else evil
        path = npy(tmp_path / "evil.npy", pickle.dumps(boxed(content), protocol))
        with pytest.raises(DataError, match=r"evil\.npy: .*(system|eval).*Nothing in it was run"):
            read(path)
        assert not marker.exists()
        if not inside and protocol == 2:  # the attack is real: pickle itself does run it
            pickle.loads(pickle.dumps(evil))
            assert marker.exists()
            marker.unlink()


def test_allowed_globals_are_not_called_either(tmp_path):
    """numpy.dtype and _reconstruct are known names, but with absurd arguments NumPy itself would set memory aside."""
    bomb = Evil(np.core.multiarray._reconstruct if not hasattr(np, "_core") else np._core.multiarray._reconstruct,
                np.ndarray, (10**12,), b"b")  # fmt: skip
    path = npy(tmp_path / "a.npy", pickle.dumps(boxed({"features": bomb, "target": bomb}), 3))
    with pytest.raises(DataError, match="tuple belongs"):
        read(path)


def state(shape: tuple, data: bytes) -> bytes:
    """A pickle of {'features': array} with a shape that need not fit the data."""
    honest = pickle.dumps(boxed({"features": np.zeros((7, 11), np.uint8), "target": np.ones(1)}), 3)
    return honest.replace(b"K\x07K\x0b\x86", pickle.dumps(shape, 2)[2:-3]).replace(b"C\x4d" + b"\0" * 77, data)


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (state((2**40, 2**40), b"C\x02ab"), "with 2 bytes of data"),
        (state((-1, 2), b"C\x02ab"), r"an array of shape \(-1, 2\)"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**50) + b"x.", "more bytes than the file has"),
        (b"\x80\x04B" + struct.pack("<I", 2**31) + b"x.", "more bytes than the file has"),
        (b"\x80\x03" + b"]" * 20_000 + b".", "more than 10,000 opcodes"),
        (b"\x80\x03" + b"(" * 5_000 + b".", "leaves 5000 objects"),
        (b"\x80\x03]" + b"2" * 30 + b".", "uses DUP"),
        (b"\x80\x03cos\nsystem\nX\x02\0\0\0id\x85R.", "asks for 'os.system'"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "asks for 'os.system'"),
        (b"(S'id'\nios\nsystem\n.", "uses (STRING|INST)"),
        (b"\x80\x02\x82\x01.", "uses EXT1"),
        (b"\x80\x02Pid\n.", "uses PERSID"),
        (b"\x80\x03}h\x05.", "expected a dictionary"),
        (b"\x80\x03R.", "expected a dictionary"),
        (b"\x80\x03t.", "expected a dictionary"),
        (b"", "expected a dictionary"),
        (b"\x80\x03}", "expected a dictionary"),
        (b"garbage", "expected a dictionary"),
        (pickle.dumps([1, 2], 3), "expected a dictionary with 'features' and 'target'"),
        (pickle.dumps(boxed({"features": np.ones(3)}), 3), "the keys features; expected"),
        (pickle.dumps(boxed({"features": np.array(["a"]), "target": np.ones(1)}), 3), "an array of"),
        (pickle.dumps(boxed({"features": np.array([{}, {}]), "target": np.ones(1)}), 3), r"array \(2,\) of objects"),
        (pickle.dumps(boxed({"features": [1], "target": [1]}), 3), "not all numeric arrays"),
    ],
)
def test_bombs_and_damage(tmp_path, payload, says):
    with pytest.raises(DataError, match=says) as caught:
        read(npy(tmp_path / "bad.npy", payload))
    assert "bad.npy" in str(caught.value)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_damage_is_a_data_error(tmp_path_factory, data):
    """Bytes flipped or cut anywhere in a real file: either it still reads, or it is a DataError; no other exception."""
    payload = bytearray(pickle.dumps(boxed({"features": np.ones((2, 3, 3)), "target": np.array([1.0, 2.0])}), 3))
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    path = npy(tmp_path_factory.mktemp("damaged") / "a.npy", bytes(payload[: data.draw(st.integers(1, len(payload)))]))
    try:
        dataset = read(path)
    except DataError as error:
        assert "a.npy" in str(error)
    else:
        assert len(dataset.train) > 0


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"features": np.full((2, 3, 3), np.nan), "target": np.ones(2)}, "NaN"),
        ({"features": np.full((2, 3, 3), -0.1), "target": np.ones(2)}, "pixels lie in -0.1"),
        ({"features": np.full((2, 3, 3), 300.0), "target": np.ones(2)}, "pixels lie in 300"),
        ({"features": np.ones((2, 3, 3)), "target": np.array([0.0, 1])}, "label 0 of image 0; expected 1 or more"),
        ({"features": np.ones((2, 3, 3)), "target": np.array([1.5, 1])}, "label 1.5 of image 0"),
        ({"features": np.ones((2, 3, 3)), "target": np.ones(3)}, "2 train images, 3 labels"),
    ],
)
def test_wrong_values(tmp_path, content, says):
    np.save(tmp_path / "a.npy", content)
    with pytest.raises(DataError, match=says):
        read(tmp_path / "a.npy")


def test_plain_arrays_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 4, 4)))
    with pytest.raises(DataError, match=r"an array \(3, 4, 4\) of float64 without labels; expected a pickled dictionary"):
        read(tmp_path / "a.npy")
    (tmp_path / "b.npy").write_bytes(b"not npy")
    with pytest.raises(DataError, match=r"b\.npy: not a whole \.npy file"):
        read(tmp_path / "b.npy")


def test_floats_to_255(tmp_path):
    np.save(tmp_path / "a.npy", {"features": np.full((1, 2, 2), 254.6), "target": np.ones(1)})
    assert read(tmp_path / "a.npy").train.images.ravel().tolist() == [255] * 4

"""The pickle that `np.save` makes of a dictionary of arrays, read without running it.

A pickle is a program: `pickle.load` calls whatever it names. This reader never calls anything. It walks over the opcodes
with `pickletools`, keeps calls as mere descriptions, and afterwards builds arrays from the few descriptions that it knows.
Whatever is not needed for a dictionary of numeric arrays, opcode or global, ends in an error before anything is built.
"""

from __future__ import annotations

import math
import os
import pickletools
import re
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

import numpy as np

from toile.data.errors import DataError
from toile.errors import said
from toile.text import brief

_MAX_OPCODES = 10_000  # a dictionary of a dozen arrays has some hundred
_DTYPE = re.compile(r"[<>|=]?[fiub][1248]")
# NumPy 1 and NumPy 2 names of the same four functions, then the two classes they are given.
_GLOBALS = {
    "numpy.core.multiarray _reconstruct": "array",
    "numpy._core.multiarray _reconstruct": "array",
    "numpy.core.numeric _frombuffer": "buffer",
    "numpy._core.numeric _frombuffer": "buffer",
    "numpy.core.multiarray scalar": "scalar",
    "numpy._core.multiarray scalar": "scalar",
    "numpy dtype": "dtype",
    "numpy ndarray": "ndarray",
    "_codecs encode": "encode",  # bytes, in protocol 2
}
_PUSH = (
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_MARK = object()


@dataclass
class _Call:
    """A call that the pickle asks for and does not get, and the array that was built of it, once it was."""

    kind: str
    arguments: tuple
    state: Any = None
    built: Any = None


@dataclass
class _Machine:
    """The stack and memo of a pickle, with descriptions in the place of calls."""

    stack: list = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def step(self, name: str, argument: Any) -> None:
        """One opcode. Raises ValueError for one that no dictionary of arrays needs, LookupError for a malformed pickle."""
        stack = self.stack
        if name in _PUSH:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in ("PROTO", "FRAME", "STOP"):
            pass
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE"):
            stack.append({"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}[name]())
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name == "TUPLE":
            stack.append(tuple(self._marked()))
        elif name in ("APPEND", "APPENDS"):
            items = [stack.pop()] if name == "APPEND" else self._marked()
            _expect(stack[-1], list).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = [stack.pop(-2), stack.pop()] if name == "SETITEM" else self._marked()
            keys = [_expect(key, str) for key in items[::2]]
            _expect(stack[-1], dict).update(zip(keys, items[1::2], strict=True))
        elif name == "GLOBAL":
            stack.append(_known(argument))
        elif name == "STACK_GLOBAL":
            function, module = stack.pop(), stack.pop()
            stack.append(_known(f"{module} {function}"))
        elif name == "REDUCE":
            arguments, call = _expect(stack.pop(), tuple), _expect(stack.pop(), _Call)
            stack.append(_Call(call.kind, arguments))
        elif name == "BUILD":
            state = stack.pop()
            _expect(stack[-1], _Call).state = state
        else:
            raise ValueError(f"the pickle uses {name}, which no dictionary of arrays needs")

    def _marked(self) -> list:
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise IndexError("no mark")
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items


class _Bounded:
    """A file that refuses to set aside more bytes than it has left, whatever length the pickle declares."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = os.fstat(file.fileno()).st_size
        self.tell = file.tell

    def read(self, count: int) -> bytes:
        if count < 0 or count > self.size - self._file.tell():
            raise ValueError("the pickle declares more bytes than the file has; truncated, or made to exhaust memory")
        return self._file.read(count)

    def readline(self) -> bytes:
        return self._file.readline(4096)


def read_object(file: BinaryIO, source: object) -> Any:
    """Reads one pickled object from `file`: numbers, strings, and dictionaries of numeric arrays.

    Args:
        file: opened on disk, at the first byte of the pickle (for .npy, behind the header).
        source: the file, for messages.

    Returns:
        A dict of what it holds; a NumPy array; or a plain value. An object array of one element is that element.

    Raises:
        DataError: another global or opcode than arrays need (nothing was run), sizes that do not fit each other or the
            file, too many opcodes, a truncated pickle.
    """
    machine, bounded = _Machine(), _Bounded(file)
    try:
        opcodes = pickletools.genops(cast("BinaryIO", bounded))  # of a file it uses what `_Bounded` has
        for count, (opcode, argument, _) in enumerate(opcodes):
            if count >= _MAX_OPCODES:
                raise ValueError(f"the pickle has more than {_MAX_OPCODES:,} opcodes; a dictionary of arrays has some hundred")
            machine.step(opcode.name, argument)
        if len(machine.stack) != 1:
            raise ValueError(f"the pickle leaves {len(machine.stack)} objects; expected one")
        top = _built(machine.stack[0])
        if not isinstance(top, dict):
            return top
        content, left = {}, bounded.size
        for key, value in top.items():
            fresh = isinstance(value, _Call) and value.built is None
            content[key] = _built(value)
            # What is referred to again and again is in the file once, and could be many times in memory.
            left -= getattr(content[key], "nbytes", 0) if fresh else 0
            if left < 0:
                raise ValueError("the pickle makes more of its bytes than there are; made to exhaust memory")
        return content
    except Exception as error:  # of whatever kind: a pickle makes any nonsense of what stands where
        raise DataError(
            f"{source}: {said(error)}; expected a dictionary of numeric arrays as np.save writes it. Nothing in it was run"
        ) from error


def _known(name: str) -> _Call:
    if name not in _GLOBALS:
        raise ValueError(f"the pickle asks for {name.replace(' ', '.')!r}, which no array needs")
    return _Call(_GLOBALS[name], ())


def _expect(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"the pickle has a {type(value).__name__} where a {kind.__name__.strip('_')} belongs")
    return value


def _built(value: Any) -> Any:
    """The array that a description stands for, built once; other values as they are. Depth is bounded: nothing is nested."""
    if not isinstance(value, _Call):
        return value
    if value.built is None:
        value.built = _made(value)
    return value.built


def _made(call: _Call) -> Any:
    if call.kind == "scalar":
        dtype, data = call.arguments
        return _array((), _dtype(dtype), _bytes(data), "C")[()]
    if call.kind == "buffer":
        data, dtype, shape, order = call.arguments
        return _array(shape, _dtype(dtype), _bytes(data), order)
    if call.kind == "array":
        _, shape, dtype, fortran, data = _expect(call.state, tuple)
        if isinstance(data, list):  # an object array: what np.save makes of a dictionary
            if shape != () or len(data) != 1 or isinstance(data[0], _Call):
                raise ValueError(f"the pickle has an array {brief(shape)} of objects")
            return data[0]
        return _array(shape, _dtype(dtype), _bytes(data), "F" if fortran else "C")
    raise ValueError(f"the pickle has a bare {call.kind} where an array belongs")


def _array(shape: Any, dtype: np.dtype, data: bytes | bytearray, order: str) -> np.ndarray:
    if not (isinstance(shape, tuple) and len(shape) <= 4 and all(type(side) is int and side >= 0 for side in shape)):
        raise ValueError(f"an array of shape {brief(shape)}")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"an array of shape {brief(shape)} and {dtype} with {len(data):,} bytes of data")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if order == "F" else "C")


def _dtype(call: Any) -> np.dtype:
    """`dtype('f8', False, True)`, with the state `(3, '<', None, …)`."""
    name = call.arguments[0] if _expect(call, _Call).kind == "dtype" and call.arguments else None
    if not (isinstance(name, str) and _DTYPE.fullmatch(name)):
        raise ValueError(f"an array of {brief(call.arguments[:1])}")
    order = call.state[1] if call.state is not None else "="
    if not (isinstance(order, str) and order in ("<", ">", "|", "=")):
        raise ValueError(f"byte order {brief(order)}")
    return np.dtype(name).newbyteorder(order) if order in ("<", ">") else np.dtype(name)


def _bytes(value: Any) -> bytes | bytearray:
    if isinstance(value, _Call) and value.kind == "encode":
        text, encoding = value.arguments
        if encoding != "latin1":
            raise ValueError(f"bytes in the encoding {brief(encoding)}")
        return _expect(text, str).encode("latin1")
    return value if isinstance(value, (bytes, bytearray)) else _expect(value, bytes)

"""An exported model, loaded and asked: numpy and onnxruntime, and neither Keras nor anything of the web.

The file is what `toile export --to onnx` writes: one graph from uint8 pixels to probabilities, of a run or of a whole
committee, which says of itself under the metadata key `toile` what it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toile.arrays import ByImage, ImageArray, Probabilities
from toile.errors import Misuse, ToileError
from toile.inference import checksum
from toile.pictures.form import Form
from toile.version import installing

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FORMAT = 1
CHECKSUM = "checksum"  # of the metadata: by what the file was sealed; files of earlier toiles have neither
METADATA_KEY, SAMPLES_KEY = "toile", "toile-samples"
NO_CHECKSUM = "has no checksum: an earlier toile wrote it, and damage to it cannot be seen"
INPUT, OUTPUTS = "images", ("probabilities", "members")


class NotAnExport(ToileError, ValueError):
    """A file that is no model exported by toile, is damaged, or has another format. The message says which and why."""


@dataclass(frozen=True)
class Predictor:
    """A loaded export. Its `predict` may be called from several threads at once.

    `classes` are the names in the order of the probabilities, `image_shape` is (height, width, channels), `members` has a
    dictionary with `name`, `fingerprint` and `architecture` for each. `form` is how a picture file becomes such an image, and
    `first` the number that the data set has for the first class, and `numbers` those of all where they have gaps. `metadata` is
    all that the file says of itself, and `samples`
    the images that came with it, `{"class": name, "png": base64}` each; there may be none. `sealed` is whether the
    file has a checksum, which is then right; files of earlier toiles have none.
    """

    session: InferenceSession = field(repr=False)
    metadata: dict[str, Any] = field(repr=False)
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    members: tuple[dict[str, Any], ...]
    form: Form
    first: int = 0
    numbers: tuple[int, ...] = ()
    samples: tuple[dict[str, str], ...] = field(default=(), repr=False)
    sealed: bool = True

    @classmethod
    def from_file(cls, path: Path | str, threads: int = 1) -> Predictor:
        """Load an export and check that it is one.

        Args:
            path: the `.onnx` file.
            threads: with which onnxruntime computes one call; 1 is best for small models and for many callers.

        Raises:
            NotAnExport: no file, no ONNX model, none of toile's, of another format, or damaged.
        """
        if threads < 1:
            raise Misuse(f"threads is {threads}; at least 1 is needed")
        if not Path(path).is_file():
            raise NotAnExport(f"{path} is no file; `toile export RUN --to onnx` writes one")
        try:
            content = Path(path).read_bytes()
            sealed = checksum.sealed(content)
        except OSError as error:
            raise NotAnExport(f"{path} cannot be read: {error.strerror or error}") from None
        except ValueError as error:
            raise _damaged(path, error) from None
        session = _session(path, content, threads)
        kept = _kept(path, session)
        metadata = _parsed(path, kept[METADATA_KEY])
        if metadata.get("format") != FORMAT:
            raise NotAnExport(f"{path} is of format {metadata.get('format')!r}; this toile reads {FORMAT}. Export it again")
        if CHECKSUM in metadata and not sealed:
            raise _damaged(path, "it was written with a checksum, and has none")
        try:
            if metadata["kind"] not in ("run", "committee"):
                raise ValueError(f"of the kind {metadata['kind']!r}")
            classes = tuple(str(name) for name in metadata["classes"])
            height, width, channels = (int(size) for size in metadata["image_shape"])
            members = tuple({"name": str(one["name"])} | one for one in metadata["members"])
            shape, form = (height, width, channels), metadata.get("form")
            form = Form.unsaid(shape) if form is None else Form.parse(form)
            first = int(metadata.get("first", 0))
            numbers = tuple(map(int, metadata.get("numbers", ())))
            if len(numbers) not in (0, len(classes)):
                raise ValueError(f"{len(numbers)} numbers for {len(classes)} classes")
            if form.shape != shape:
                raise ValueError(f"its pictures come as {form.shape}, its images are {shape}")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise NotAnExport(f"{path} has damaged metadata: {type(error).__name__} {error}") from None
        samples = _samples(path, kept.get(SAMPLES_KEY))
        made = cls(session, metadata, classes, shape, members, form, first, numbers, samples, sealed)
        made._check(path)
        return made

    def predict(self, images: ImageArray) -> tuple[Probabilities, ByImage]:
        """Ask the model.

        Args:
            images: uint8 `(images, height, width, channels)`.

        Returns:
            Probabilities `(images, classes)` and each member's `(images, members, classes)`, float32.

        Raises:
            Misuse: images of another type or shape.
        """
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != self.image_shape:
            wanted = ", ".join(map(str, self.image_shape))
            raise Misuse(f"got images of type {images.dtype} and shape {images.shape}; the model takes uint8 (n, {wanted})")
        if len(images) == 0:
            return np.zeros((0, len(self.classes)), np.float32), np.zeros((0, len(self.members), len(self.classes)), np.float32)
        said: Any = self.session.run(OUTPUTS, {INPUT: images})
        probabilities, members = said
        return probabilities, members

    def _check(self, path: Path | str) -> None:
        """That the graph is what the metadata say, by its types and by one image."""
        inputs = {one.name: one.type for one in self.session.get_inputs()}
        outputs = {one.name: one.type for one in self.session.get_outputs()}
        if inputs != {INPUT: "tensor(uint8)"} or not set(OUTPUTS) <= set(outputs):
            raise NotAnExport(
                f"{path} takes {inputs} and gives {sorted(outputs)}; "
                f"an export takes uint8 {INPUT!r} and gives {' and '.join(OUTPUTS)}"
            )
        # Asked before any memory is taken for images: a damaged size may be huge. Names stand for sizes that are free.
        takes = self.session.get_inputs()[0].shape[1:]
        known = [size if isinstance(size, int) else own for size, own in zip(takes, self.image_shape, strict=False)]
        if len(takes) != 3 or known != list(self.image_shape):
            raise NotAnExport(f"{path} takes images of {takes} where its metadata say {list(self.image_shape)}")
        try:
            found = self.predict(np.zeros((2, *self.image_shape), np.uint8))
        except Exception as error:  # onnxruntime raises many types, none of them documented
            raise NotAnExport(f"{path} does not take two images of {self.image_shape}: {_line(error)}") from None
        expected = [(2, len(self.classes)), (2, len(self.members), len(self.classes))]
        if (shapes := [one.shape for one in found]) != expected:
            raise NotAnExport(f"{path} gives {shapes} for two images where its metadata say {expected}")
        if not all(np.allclose(one.sum(axis=-1), 1, atol=1e-3) for one in found):  # NaN is no 1 either
            raise NotAnExport(f"{path} gives numbers that are no probabilities")


def _damaged(path: Path | str, why: object) -> NotAnExport:
    return NotAnExport(f"{path} is damaged: {why}. Copy it again, or export it again")


def _line(error: Exception) -> str:
    """What onnxruntime says, without what follows in further lines."""
    return str(error).strip().partition("\n")[0]


def _session(path: Path | str, content: bytes, threads: int) -> InferenceSession:
    try:
        import onnxruntime
    except ImportError:
        raise ToileError(f"onnxruntime is not installed; `{installing('serve')}` brings it") from None

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A thread that spins while it waits takes the other core from whoever decodes pictures there.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        # The bytes that were checked, and not the file, which may be another by now. The fallback would print.
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # see above
        raise NotAnExport(f"{path} is no ONNX model that onnxruntime can load: {_line(error)}") from None


def _kept(path: Path | str, session: InferenceSession) -> dict[str, str]:
    """The metadata of the file."""
    try:
        kept = session.get_modelmeta().custom_metadata_map
    except UnicodeDecodeError as error:
        raise NotAnExport(f"{path} has damaged metadata: {error}") from None
    if METADATA_KEY not in kept:
        raise NotAnExport(f"{path} is an ONNX model, but not one that toile exported: it has no metadata {METADATA_KEY!r}")
    return kept


def _parsed(path: Path | str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotAnExport(f"{path} has damaged metadata: {error}") from None
    if not isinstance(found, dict):
        raise NotAnExport(f"{path} has damaged metadata: a JSON object was expected, not {type(found).__name__}")
    return found


def _samples(path: Path | str, text: str | None) -> tuple[dict[str, str], ...]:
    try:
        return tuple({"class": str(one["class"]), "png": str(one["png"])} for one in json.loads(text or "[]"))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise NotAnExport(f"{path} has damaged samples: {type(error).__name__} {error}") from None

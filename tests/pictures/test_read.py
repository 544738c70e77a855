"""Pictures of every kind, made here; the object is a bright rectangle, 40 x 60, off the centre of 100 x 80."""

from __future__ import annotations

import io
import os
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from toile.errors import ToileError
from toile.pictures.decode import ImageError
from toile.pictures.form import Form, Guess
from toile.pictures.learned import learned
from toile.pictures.read import MAX_BYTES, read
from toile.serving.decoding.process import BOUNDS

SHAPE = (28, 28, 1)
FASHION = Form(size=(28, 28), channels=1, own=((28, 28),), guess=Guess(border=0.0, fill=1.0))


def prepare(source, shape, form=None):
    """By what was learned of Fashion-MNIST, or as models were asked before they brought a form."""
    form = form or (FASHION if shape == SHAPE else Form.unsaid(shape))
    return read(source, form, bounds=BOUNDS)


def encoded(image: Image.Image, format: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    if format == "JPEG":
        options["quality"] = 95  # the halos of the default quality are wider than the background's tolerance
    image.save(file, format, **options)
    return file.getvalue()


def garment(background: int = 0, foreground: int = 200) -> Image.Image:
    pixels = np.full((80, 100), background, np.uint8)
    pixels[10:70, 50:90] = foreground
    return Image.fromarray(pixels)


def said(prepared, words: str) -> bool:
    return any(words in step for step in prepared.steps)


def test_a_picture_of_the_models_size_is_not_touched(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    pixels[[0, -1]] = pixels[:, [0, -1]] = 0
    Image.fromarray(pixels).save(tmp_path / "one.png")
    for source in (tmp_path / "one.png", (tmp_path / "one.png").read_bytes()):
        prepared = prepare(source, SHAPE)
        np.testing.assert_array_equal(prepared.pixels[:, :, 0], pixels)
        assert prepared.pixels.dtype == np.uint8
        assert prepared.steps == ("taken as it is",)


def test_the_object_fills_the_height_and_is_centred():
    prepared = prepare(encoded(garment()), SHAPE)
    assert prepared.steps == (
        "trimmed the margins from 100 x 80 to 40 x 60",
        "resized from 40 x 60 to 19 x 28 and centred in 28 x 28",
    )
    pixels = prepared.pixels[:, :, 0]
    columns = np.flatnonzero(pixels.any(axis=0))
    assert (columns[0], columns[-1]) == (4, 22)
    assert (pixels[:, 4:23] == 200).all()


def test_inverted_and_upright_pictures_come_out_the_same():
    plain = prepare(encoded(garment(0, 200)), SHAPE)
    inverted = prepare(encoded(garment(255, 55)), SHAPE)
    np.testing.assert_array_equal(plain.pixels, inverted.pixels)
    assert said(inverted, "inverted, because its border is bright")
    assert not said(plain, "inverted")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16", "I", "F"])
def test_every_mode_of_grey_comes_out_the_same(mode):
    grey = garment(0, 255)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    elif mode == "F":
        image = Image.fromarray(np.asarray(grey).astype(np.float32) / 255)
    else:
        image = grey.convert("RGB").convert(mode) if mode in ("P", "CMYK") else grey.convert(mode)
    prepared = prepare(encoded(image, "PNG" if mode in ("1", "L", "P", "RGB", "RGBA", "LA", "I;16") else "TIFF"), SHAPE)
    np.testing.assert_array_equal(prepared.pixels, prepare(encoded(grey), SHAPE).pixels)
    assert not said(prepared, "converted colour")
    assert said(prepared, "scaled") == (mode in ("I;16", "I", "F"))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_every_format(format):
    prepared = prepare(encoded(garment(), format), SHAPE)
    expected = prepare(encoded(garment()), SHAPE)
    assert np.abs(prepared.pixels.astype(int) - expected.pixels).mean() < 8


def test_colour_becomes_grey_and_says_so():
    red = Image.merge("RGB", (garment(), garment(0, 20), garment(0, 20)))
    prepared = prepare(encoded(red), SHAPE)
    assert prepared.steps[0] == "converted colour to grey"
    assert prepared.pixels.shape == SHAPE


@pytest.mark.parametrize(("garment_is", "ground"), [(220, "black"), (40, "white")])
def test_transparency_goes_where_the_garment_stands_out(garment_is, ground):
    alpha = garment(0, 255)
    image = Image.merge("LA", (Image.new("L", alpha.size, garment_is), alpha))
    prepared = prepare(encoded(image), SHAPE)
    assert said(prepared, f"put what is transparent on {ground}")
    assert prepared.pixels[14, 14, 0] > 127
    assert prepared.pixels[14, 0, 0] == 0


def test_a_transparent_palette_colour_counts_as_transparent():
    image = garment(7, 220).convert("P")
    prepared = prepare(encoded(image, transparency=7), SHAPE)
    assert said(prepared, "put what is transparent on black")
    assert prepared.pixels[14, 0, 0] == 0


def test_a_wholly_transparent_picture_is_an_error():
    with pytest.raises(ImageError, match="wholly transparent"):
        prepare(encoded(Image.new("RGBA", (30, 30))), SHAPE)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_rotation_is_undone(format):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying: to be turned by 90 degrees clockwise
    lying = garment().transpose(Image.Transpose.ROTATE_90)
    prepared = prepare(encoded(lying, format, exif=exif), SHAPE)
    assert prepared.steps[0] == "turned upright, as its EXIF orientation says"
    expected = prepare(encoded(garment()), SHAPE)
    assert np.abs(prepared.pixels.astype(int) - expected.pixels).mean() < 8


def test_of_several_frames_the_first():
    frames = [garment(0, light) for light in (200, 100, 50)]
    prepared = prepare(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), SHAPE)
    assert prepared.steps[0] == "took the first of 3 frames"
    assert prepared.pixels.max() == 200


def test_off_white_paper_is_padded_with_itself():
    prepared = prepare(encoded(garment(240, 40)), SHAPE)
    assert prepared.pixels[14, 0, 0] == 15
    assert prepared.pixels[14, 14, 0] == 215


def test_a_blank_picture_says_so():
    prepared = prepare(encoded(Image.new("L", (60, 40))), SHAPE)
    assert said(prepared, "found nothing that stands out")
    assert not prepared.pixels.any()


def test_colour_models_keep_colour_background_and_margins():
    red = Image.merge("RGB", (garment(255, 200), garment(255, 20), garment(255, 20)))
    prepared = prepare(encoded(red), (32, 32, 3))
    assert prepared.pixels.shape == (32, 32, 3)
    assert prepared.steps == ("resized from 100 x 80 to 32 x 26 and centred in 32 x 32",)
    assert prepared.pixels[0, 0].tolist() == [255, 255, 255]
    assert prepared.pixels[16, 22].tolist() == [200, 20, 20]
    assert prepare(encoded(garment()), (32, 32, 3)).steps[-1] == "repeated grey in three channels"


def test_guesses_can_be_switched_off():
    left = read(encoded(garment(255, 55)), FASHION, as_is=True)
    assert left.pixels[0, 0, 0] == 255
    assert left.steps == ("resized from 100 x 80 to 28 x 22 and centred in 28 x 28",)


def test_dark_on_white_is_learned_too():
    paper = replace(FASHION, guess=Guess(border=255.0, fill=1.0))
    taken, inverted = prepare(encoded(garment(255, 55)), SHAPE, paper), prepare(encoded(garment(0, 200)), SHAPE, paper)
    np.testing.assert_array_equal(taken.pixels, inverted.pixels)
    assert said(inverted, "inverted, because its border is dark and the model knows dark objects on white (border median 255)")
    assert not said(taken, "inverted")


@pytest.mark.parametrize("own", [(28, 28), (56, 40)])
def test_nothing_is_guessed_about_the_data_sets_own(own):
    form = replace(FASHION, own=(own, (28, 28)))
    pixels = np.full(own, 250, np.uint8)
    pixels[12:20, 9:14] = 30
    prepared = prepare(encoded(Image.fromarray(pixels)), SHAPE, form)
    assert not said(prepared, "inverted") and not said(prepared, "trimmed")
    assert prepared.pixels[0, 14, 0] == 250


def test_before_models_brought_a_form_their_own_size_was_no_sign():
    bright = garment(255, 55).resize((28, 28))
    assert said(prepare(encoded(bright), SHAPE, Form.unsaid(SHAPE)), "inverted")
    assert prepare(encoded(bright), SHAPE).steps == ("taken as it is",)
    assert prepare(encoded(bright.convert("RGB")), (28, 28, 3), Form.unsaid((28, 28, 3))).steps == ("taken as it is",)


@pytest.mark.parametrize(("fill", "trimmed"), [(0.6, False), (0.62, False), (0.5, True), (20 / 28, True), (1.0, True)])
def test_an_object_as_large_as_learned_is_left_where_it_is(fill, trimmed):
    """The garment takes 60 of the 100 pixels that become 28."""
    form = replace(FASHION, guess=Guess(border=0.0, fill=fill))
    prepared = prepare(encoded(garment()), SHAPE, form)
    assert said(prepared, "trimmed") == trimmed
    rows = np.flatnonzero((prepared.pixels[:, :, 0] > 100).any(axis=1))
    assert abs((rows[-1] - rows[0] + 1) / 28 - fill) < 0.07


def test_own_pictures_that_were_made_smaller_are_not_trimmed_at_twice_their_size():
    """In the size that was learned edges are wider, and so is the place that an object takes."""
    pixels = np.full((40, 40), 200, np.uint8)
    pixels[9:29, 11:27] = 0
    own = Image.fromarray(pixels)
    form = Form(size=(20, 20), channels=1, own=((40, 40), (20, 20)))
    stored = read(encoded(own), form).pixels
    form = replace(form, guess=learned(stored[None]))
    assert form.guess is not None and form.guess.fill == 0.65  # 20 of 40, and what is left beside them
    prepared = read(encoded(own.resize((80, 80), Image.Resampling.NEAREST)), form)
    assert not said(prepared, "trimmed")
    assert np.abs(prepared.pixels.astype(int) - stored).max() <= 6


def test_objects_of_all_sizes_are_not_trimmed():
    form = replace(FASHION, guess=Guess(border=0.0))
    prepared = prepare(encoded(garment(255, 55)), SHAPE, form)
    assert said(prepared, "inverted") and not said(prepared, "trimmed")


@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3])),
    mode=st.sampled_from(["L", "RGB", "RGBA", "LA"]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_any_size_comes_out_in_shape(size, shape, mode, seed):
    channels = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.random.default_rng(seed).integers(1, 256, (size[1], size[0], channels), dtype=np.uint8)
    source = encoded(Image.fromarray(pixels.squeeze(2) if channels == 1 else pixels))
    prepared = prepare(source, shape)
    assert prepared.pixels.shape == shape
    assert prepared.pixels.dtype == np.uint8
    assert prepared.steps
    np.testing.assert_array_equal(prepared.pixels, prepare(source, shape).pixels)


def test_no_picture_no_file_and_broken_files_are_told_apart(tmp_path):
    with pytest.raises(ImageError, match=r"the file is not a picture.*allowed: PNG, JPEG"):
        prepare(b"not a picture at all", SHAPE)
    with pytest.raises(ImageError, match="the file is an empty file"):
        prepare(b"", SHAPE)
    with pytest.raises(ImageError, match=r"gone\.png cannot be read: No such file"):
        prepare(tmp_path / "gone.png", SHAPE)
    with pytest.raises(ImageError, match="cannot be read: it is not a file"):
        prepare(tmp_path, SHAPE)
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageError, match="cannot be read: it is not a file"):
        prepare(tmp_path / "pipe.png", SHAPE)
    noise = np.random.default_rng(0).integers(0, 256, (90, 90), dtype=np.uint8)
    for format in ("PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP"):
        whole = encoded(Image.fromarray(noise), format)
        with pytest.raises(ImageError, match=r"broken|not a picture|cannot be read"):
            prepare(whole[: len(whole) // 2], SHAPE)
    assert issubclass(ImageError, ToileError)


def test_a_format_that_is_not_allowed():
    with pytest.raises(ImageError, match="of another format"):
        prepare(encoded(garment(), "PPM"), SHAPE)


@given(st.binary(max_size=200), st.integers(0, 150))
@settings(max_examples=100, deadline=None)
def test_damaged_bytes_end_in_an_image_error_or_a_picture(noise, at):
    whole = encoded(garment())
    for damaged in (noise, whole[:at] + noise + whole[at + len(noise) :]):
        try:
            assert prepare(damaged, SHAPE).pixels.shape == SHAPE
        except ImageError as error:
            assert str(error)


def huge(width: int, height: int) -> bytes:
    """The header of a PNG, and nothing behind it: whoever decodes it first says that it is broken, not too large."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + b"\0\0\0\0IDAT"


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(2001, 2000), (10_000, 10_000), (60_000, 60_000)])
def test_too_large_is_seen_in_the_header(size):
    limit = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ImageError, match=r"too large.*allowed are 4"):
        prepare(huge(*size), SHAPE)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_a_progressive_picture_may_not_come_in_thousands_of_scans():
    whole = encoded(garment(), "JPEG", progressive=True)
    assert prepare(whole, SHAPE).pixels.shape == SHAPE
    last = whole[whole.rindex(b"\xff\xda") : -2]
    with pytest.raises(ImageError, match="more than 100 scans"):
        prepare(whole[:-2] + 100 * last + whole[-2:], SHAPE)


def test_exactly_four_megapixels_is_allowed():
    assert prepare(encoded(Image.new("1", (2000, 2000))), SHAPE).pixels.shape == SHAPE


def test_a_phones_picture_is_read_at_reduced_scale():
    """12 megapixels, lying: an eighth of it is enough."""
    across = np.linspace(0, 255, 4000).astype(np.uint8)
    pixels = np.stack([np.tile(across, (3000, 1))] * 3, axis=2)
    pixels[:, :, 1] = 40
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(Image.fromarray(pixels), "JPEG", exif=exif)
    with pytest.raises(ImageError, match=r"4000 x 3000 is 12\.0 megapixels; allowed are 4"):
        prepare(content, (64, 48, 3))
    prepared = read(content, Form(size=(64, 48), channels=3))
    assert prepared.steps == (
        "turned upright, as its EXIF orientation says",
        "decoded at 1/8 of its size, 3000 x 4000",
        "resized from 375 x 500 to 48 x 64",
    )
    whole = np.asarray(Image.fromarray(pixels).transpose(Image.Transpose.ROTATE_270).resize((48, 64), Image.Resampling.BOX))
    assert np.abs(prepared.pixels.astype(int) - whole).max() <= 4
    left = read(content, Form(size=(48, 64), channels=3, upright=False))
    assert np.abs(left.pixels.astype(int) - np.rot90(whole)).max() <= 4


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_can_be_ignored(format):
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    image, options = Image.fromarray(pixels).convert("RGB"), {"lossless": True} if format == "WEBP" else {}
    content = encoded(image, format, exif=exif, **options)
    expected = np.asarray(Image.open(io.BytesIO(encoded(image, format, **options))).convert("RGB"))
    lying = read(content, Form(size=(2, 3), channels=3, upright=False))
    upright = read(content, Form(size=(3, 2), channels=3))
    assert lying.steps == ("taken as it is",)
    assert upright.steps == ("turned upright, as its EXIF orientation says",)
    np.testing.assert_array_equal(lying.pixels, expected)
    np.testing.assert_array_equal(upright.pixels, np.rot90(expected, -1))


def test_sizes_of_files_are_bounded(tmp_path):
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ImageError, match=r"a\.png is too large: 269,484,033 bytes; allowed are 269,484,032"):
        prepare(tmp_path / "a.png", SHAPE)


# TIFFs of more than eight bits


def tiff(planes: list[np.ndarray], *, photometric: int, planar: bool, packed: bool, order: str) -> bytes:
    """A TIFF of grey, or of colours that are given one by one, in either order of bytes (`<`, `>`)."""
    samples, (height, width), first = len(planes), planes[0].shape, planes[0].dtype
    strips = planes if planar else [np.stack(planes, axis=-1)]
    strips = [strip.astype(first.newbyteorder(order)).tobytes() for strip in strips]
    strips = [zlib.compress(strip) for strip in strips] if packed else strips
    kind = {"u": 1, "i": 2, "f": 3}[first.kind]
    tags = {
        256: [width], 257: [height], 258: [8 * first.itemsize] * samples, 259: [8 if packed else 1], 262: [photometric],
        273: [0] * len(strips), 277: [samples], 278: [height], 279: list(map(len, strips)), 284: [2 if planar else 1],
        339: [kind] * samples,
    } | ({338: [2]} if samples == 4 else {})  # fmt: skip
    wide = {273, 279}
    behind = 8 + 2 + 12 * len(tags) + 4  # what takes more than four bytes
    longer = sum(size for tag, values in tags.items() if (size := (4 if tag in wide else 2) * len(values)) > 4)
    tags[273] = [behind + longer + sum(map(len, strips[:at])) for at in range(len(strips))]
    entries, extra = b"", b""
    for tag, values in sorted(tags.items()):
        content = struct.pack(f"{order}{len(values)}{'I' if tag in wide else 'H'}", *values)
        cell = content.ljust(4, b"\0") if len(content) <= 4 else struct.pack(f"{order}I", behind + len(extra))
        extra += content if len(content) > 4 else b""
        entries += struct.pack(f"{order}HHI", tag, 4 if tag in wide else 3, len(values)) + cell
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(tags))
    return head + entries + bytes(4) + extra + b"".join(strips)


def deep(dtype: str, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (6, 8)).astype(dtype) * (257 if dtype == "u2" else 1) for _ in range(count)]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize(("dtype", "count"), [("u1", 1), ("u1", 3), ("u2", 1), ("u2", 3), ("u2", 4), ("i4", 1), ("f4", 1)])
def test_a_tiff_is_read_right_or_refused(dtype, count, planar, packed, order):
    """Also where Pillow opens it and reads something else: planes of 16 bits, and compressed numbers in the other order."""
    planes = deep(dtype, count)
    if count == 4:
        planes[3][:] = 65535  # nothing is transparent
    photometric = 2 if count > 1 else 1
    content = tiff(planes, photometric=photometric, planar=planar, packed=packed, order=order)
    wrong = "planar.*next to each other" if planar and not packed and dtype != "u1" else ""
    if dtype in ("i4", "f4"):  # of one plane
        wrong = wrong if order == ">" else ""
        wrong = "save it as little-endian" if packed and order == ">" else wrong
    form = Form(size=(6, 8), channels=min(count, 3), full=255 if dtype in ("i4", "f4") else 65535)
    if wrong:
        with pytest.raises(ImageError, match=f"the file is a .*TIFF.*{wrong}"):
            read(content, form)
    else:
        wanted = np.stack(planes[:3], axis=-1) // (257 if dtype == "u2" else 1)
        np.testing.assert_array_equal(read(content, form).pixels, wanted)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("full", [None, 65535])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_a_tiff_in_which_0_is_white(dtype, full, packed):
    planes = deep(dtype, 1)
    black, white = (tiff(planes, photometric=said, planar=False, packed=packed, order="<") for said in (1, 0))
    form = Form(size=(6, 8), channels=1, full=full)
    np.testing.assert_array_equal(read(white, form).pixels, 255 - read(black, form).pixels)


def test_twelve_bits_in_which_0_is_white_are_refused():
    """Nobody says which number is black; counted from 65,535, all would be nearly white."""
    content = tiff([plane // 16 for plane in deep("u2", 1)], photometric=0, planar=False, packed=False, order="<")
    with pytest.raises(ImageError, match=r"its numbers go up to \d+ of 65535 only; save it with 0 as black"):
        read(content, Form(size=(6, 8), channels=1, full=65535))


def test_floats_in_which_0_is_white_are_refused():
    content = tiff(deep("f4", 1), photometric=0, planar=False, packed=False, order="<")
    with pytest.raises(ImageError, match=r"in which 0 is white .*; save it with 0 as black"):
        read(content, Form(size=(6, 8), channels=1))

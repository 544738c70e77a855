"""A Matplotlib figure as one inline SVG: the same bytes each time, right in light and dark, at home on any page."""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from toile.reports.page.palette import INK, MUTED, RULE, STAND_INS, SURFACE
from toile.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A published figure: hollow, so that it is no measured one without its colour either.
PUBLISHED = {"marker": "D", "markersize": 5.5, "color": MUTED, "markerfacecolor": SURFACE, "linestyle": "none", "zorder": 4}

# One unit of an SVG is one CSS pixel at its natural size: 72 dots an inch makes Matplotlib's points the same.
DPI = 72
FONT = 10.5
# Pixels from the edge of a picture to the name of its y axis, at least.
EDGE = 3

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "toile",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",  # comes with Matplotlib: the layout is the same on every machine
    "font.size": FONT,
    "text.color": INK,
    "text.parse_math": False,  # a class called "$5" is a class, not mathematics
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": FONT + 1,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.titley": 1.0,  # where it is anyway; else Matplotlib measures all labels to find that out
    "axes.labelsize": FONT - 0.5,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": FONT - 0.5,
    "ytick.labelsize": FONT - 0.5,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "xtick.major.width": 0.8,
    "ytick.major.width": 0.8,
    "legend.frameon": False,
    "legend.fontsize": FONT - 0.5,
    "lines.solid_capstyle": "round",
    "path.simplify": False,
}


@contextmanager
def drawing_style() -> Iterator[None]:
    """Matplotlib's own defaults and `STYLE`, whatever the user's matplotlibrc says; everything is put back after."""
    import matplotlib as mpl

    with mpl.rc_context(), warnings.catch_warnings():
        # The browser's fonts show the text. That DejaVu has no glyph for a class name in Chinese costs nothing.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def panel(width: float, height: float, left: float = 42, right: float = 12, top: float = 28, bottom: float = 34):
    """A figure with one axes; sizes and margins are in CSS pixels.

    Returns:
        `(figure, axes)`.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    FigureCanvasSVG(figure)
    figure.patch.set_visible(False)
    rectangle = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    axes = figure.add_axes(rectangle)
    axes.patch.set_visible(False)
    return figure, axes


def make_room(figure: Figure) -> None:
    """Move the left side of each axes to where the name of its y axis is not cut off by long tick labels."""
    for axes in figure.axes:
        if not axes.get_ylabel():
            continue
        written, place = axes.yaxis.get_tightbbox(), axes.get_position()
        lacking = 0 if written is None else (EDGE - written.x0) / figure.bbox.width
        if lacking > 0:
            axes.set_position((place.x0 + lacking, place.y0, place.width - lacking, place.height))


def horizontal(axes: Axes, labels: list[str]) -> None:
    """Give the y axis one label a row, the first on top, and only vertical grid lines."""
    # A tick is two lines and two texts, most of them invisible: texts alone take a third of the time.
    axes.set_yticks([])
    for row, label in enumerate(labels):
        at_left(axes, row, label)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def logarithmic(axes: Axes, which: Literal["x", "y"], values: Iterable[float]) -> None:
    """Make the axis on which the values are logarithmic, with ticks that can be read: 200, 5k, 1M."""
    from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

    written, values = EngFormatter(sep=""), list(values)
    axes.set(**{f"{which}scale": "log"})
    axis = getattr(axes, f"{which}axis")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if max(values) < 50 * min(values) else (1,)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: written(value) if value >= 1 else f"{value:g}")


def spans_magnitudes(values: Iterable[float]) -> bool:
    """Whether values are so far apart that on an even axis the small ones could not be told from one another."""
    values = list(values)
    return min(values) > 0 and max(values) > 10 * min(values)


def heading(axes: Axes, text: str) -> None:
    """A title that begins at the left of the picture: beside long labels, one over the axes would be cut off."""
    place = {"xycoords": ("figure fraction", "axes fraction"), "textcoords": "offset points"}
    axes.annotate(text, (0, 1), (4, 9), color=INK, fontsize=FONT + 1, fontweight="bold", **place)


def at_left(axes: Axes, row: float, text: str, size: float = FONT - 0.5) -> None:
    """Write the label of a row left of the axes."""
    place = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "center"}
    axes.text(-5 / axes.bbox.width, row, text, color=INK, fontsize=size, **place)


def at_right(axes: Axes, row: float, text: str, bold: bool = False) -> None:
    """Write the value of a row where nothing is drawn, right of the axes."""
    place = {"transform": axes.get_yaxis_transform(), "va": "center", "fontweight": "bold" if bold else "normal"}
    axes.text(1 + 8 / axes.bbox.width, row, text, color=INK, **place)


def shortened(text: str, length: int = 16) -> str:
    """The text, or its two ends around an ellipsis: names of a sweep differ in their last characters."""
    if len(text) <= length:
        return text
    tail = (length - 1) * 2 // 5
    return text[: length - 1 - tail].rstrip() + "…" + text[len(text) - tail :].lstrip()


def apart(names: Sequence[str], length: int = 16) -> list[str]:
    """Each name shortened; of several that would then be the same, what they begin with in common is left out instead."""
    labels = [shortened(name, length) for name in names]
    for label in {label for label in labels if labels.count(label) > 1}:
        same = [at for at, other in enumerate(labels) if other == label]
        whole = {names[at] for at in same}
        common = os.path.commonprefix([*whole])  # noqa: RUF071 - of characters
        for begin in (common.rfind(" ") + 1, common.rfind("=") + 1, len(common)):
            short = {name: shortened("…" + name[begin:], length) for name in whole}
            if begin and len({*short.values()}) == len(whole) > 1:
                for at in same:
                    labels[at] = short[names[at]]
                if all("…" not in text[1:] for text in short.values()):
                    break  # a key with its value is left whole; where that is too long, the value
    return labels


def margin(labels: list[str], size: float = FONT - 0.5) -> float:
    """Pixels that the longest label needs beside an axis. Generous: the browser's font is not Matplotlib's."""
    return 10 + 0.62 * size * max((len(label) for label in labels), default=0)


def says(text: str) -> str:
    """The `gid` of a mark that is to say a text to the pointer. In digits: so nothing in it is taken for a colour or an id."""
    return f"data:says:{printable(text, keep='').encode().hex()}"


def svg(draw: Callable[[Any], Figure], data: Any, prefix: str, title: str, description: str) -> str:
    """Draw the data and return the picture as an `<svg>` element for an HTML page.

    Args:
        draw: makes a figure of the data.
        data: what to draw.
        prefix: goes before every id, so that pictures on one page do not collide.
        title: the picture's title, for screen readers and as a tooltip.
        description: what a screen reader says instead of the picture.
    """
    text = io.StringIO()
    with drawing_style():
        figure = draw(data)
        make_room(figure)
        figure.savefig(text, format="svg", dpi=DPI, metadata={"Date": None, "Creator": None}, transparent=True)
    return printable(inline(text.getvalue(), prefix, title, description))


def inline(document: str, prefix: str, title: str, description: str) -> str:
    """Turn Matplotlib's SVG document into an element that can stand in a page beside others like it."""
    view_box = re.findall(r'viewBox="([^"]+)"', document)[0]
    body = document[document.index(">", document.index("<svg")) + 1 : document.rindex("</svg>")]
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    # Its style sheet speaks of `*`, which in an HTML page is every element of the page.
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"<defs>\s*</defs>", "", body)
    # Tags alone are changed: what stands between them is data, which may look like an id or a colour.
    pieces = re.split(r"(<[^>]+>)", body)
    pieces[1::2] = _restyled("\0".join(pieces[1::2]), prefix).split("\0")
    body = "".join(pieces)
    # A pointer is told a mark's figure by every browser, without a script.
    body = re.sub(r'<g data-says="([0-9a-f]*)">', lambda of: f"<g><title>{escape(bytes.fromhex(of[1]).decode())}</title>", body)
    body = re.sub(r"\s*\n\s*", "\n", body).replace("<g/>", "")
    empty = 1
    while empty:
        body, empty = re.subn(r"<g>\s*</g>\s*", "", body)

    width = view_box.split()[2]
    return (
        f'<svg viewBox="{view_box}" role="img" aria-label="{escape(description)}" data-picture="{prefix}" '
        f'style="max-width:{float(width) * 1.35:g}px;stroke-linejoin:round;stroke-linecap:butt">'
        f"<title>{escape(title)}</title>{body}</svg>"
    )


def _restyled(tags: str, prefix: str) -> str:
    """Tags with ids of the picture's own, the page's font and colours, and no more digits than can be seen."""
    tags = tags.replace("xlink:href=", "href=")
    used = set(re.findall(r'href="#([^"]+)"', tags)) | set(re.findall(r"url\(#([^)]+)\)", tags))

    def renamed(match: re.Match[str]) -> str:
        if match.group(1).startswith("data:"):  # what the page's script, or a pointer, is told of this mark
            _, key, value = match.group(1).split(":", 2)
            return f' data-{key}="{value}"'
        return f' id="{prefix}-{match.group(1)}"' if match.group(1) in used else ""

    tags = re.sub(r'\sid="([^"]+)"', renamed, tags)
    tags = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', tags)
    tags = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", tags)
    tags = re.sub(r"font-family: [^;\"]+; ?", "", tags)
    for colour, variable in STAND_INS.items():
        tags = tags.replace(colour, variable)
    # A hundredth of a pixel is nobody's loss, and a third of the page.
    return re.sub(r"(\.\d\d)\d+", r"\1", tags)
